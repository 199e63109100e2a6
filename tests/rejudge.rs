//! A stored journal is judged again by the test binary itself: by name, without a session, without a gateway, and with an
//! exit code that says what came of it.
//!
//! The binary is this one again: where a test says so it is the soak's, with a gateway that nobody may start.

use std::{
    collections::BTreeMap,
    fs, io,
    path::PathBuf,
    process::{Command, ExitCode, Output},
};

use libtest_mimic::{Arguments, Failed, Trial};
use s2_harness::{
    catalog::{Phase, Suite},
    journal::{Counter, End, EndReason, Header, Interval, JOURNAL_VERSION, Record, Writer},
    plan::{Plan, Scenario},
    workload,
};
use tempfile::TempDir;
use testkit::{no_gateway, play_if_asked, rejudge};

type Tested = Result<(), Failed>;
type Test = fn() -> Tested;

fn main() -> ExitCode {
    if let Some(code) = play_if_asked(no_gateway, workload::workers) {
        return code;
    }
    let tests: [(&str, Test); 7] = [
        ("a_kpi_that_was_green_is_green_again_and_leaves_results_alone", a_green_kpi),
        ("the_same_journal_gives_the_same_bytes_in_whatever_process", the_same_bytes),
        ("a_red_kpi_names_the_journal_and_the_results", a_red_kpi),
        ("what_is_set_for_playing_is_said_not_to_be_used", what_is_not_used),
        ("a_list_names_every_trial_and_marks_those_of_other_suites", a_list),
        ("the_summary_of_a_ci_job_is_appended_once_whoever_judges", a_summary),
        ("what_cannot_be_judged_is_one_error_and_exit_code_2", what_cannot_be_judged),
    ];
    let trials = tests.into_iter().map(|(name, test)| Trial::test(name, test)).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn a_green_kpi() -> Tested {
    let stored = Stored::new()?;
    for environment in [&[][..], &[("NEXTEST_RUN_ID", "a8e30e64")]] {
        let output = stored.judge("smoke::kpi::availability --exact", environment)?;
        assert!(output.status.success(), "{output:?}");
        let junit = "s2-smoke-rejudged-junit-2026-11-23T10-00-00.xml";
        let written = ["html", "json"].map(|kind| format!("s2-smoke-rejudged-2026-11-23T10-00-00.{kind}"));
        assert_eq!(["journal", &written[0], &written[1], junit], *stored.left()?);
    }
    // Without nextest a person sees all KPIs at a glance.
    let said = stderr(&stored.judge("smoke::kpi::availability --exact", &[])?);
    assert!(said.contains("judging smoke again from") && said.contains("availability"), "{said}");
    assert!(said.contains("s2-smoke-rejudged-2026-11-23T10-00-00.json"), "{said}");
    Ok(())
}

fn the_same_bytes() -> Tested {
    let stored = Stored::new()?;
    stored.judge("smoke::", &[])?;
    let first = fs::read(stored.results())?;
    stored.judge("smoke::kpi::pii_masked --exact", &[("NEXTEST_RUN_ID", "a8e30e64"), ("TZ", "Asia/Tokyo")])?;
    assert_eq!(first, fs::read(stored.results())?);
    Ok(())
}

fn a_red_kpi() -> Tested {
    let stored = Stored::new()?;
    let output = stored.judge("smoke::kpi::run_success --exact", &[])?;
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(Some(101), output.status.code(), "{told}");
    // Both are named from where the command was given.
    let last = "\n  judged again from journal; results in s2-smoke-rejudged-2026-11-23T10-00-00.json\n";
    assert!(told.contains("run success is unproven: 0 of 45 runs") && told.contains(last), "{told}");
    Ok(())
}

fn what_is_not_used() -> Tested {
    let stored = Stored::new()?;
    let playing = [("S2_GATEWAY_URL", "http://127.0.0.1:1"), ("S2_TOKEN", "hunter2"), ("S2_PACE", "7")];
    let output = stored.judge("smoke::kpi::availability --exact", &playing)?;
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("not used: S2_GATEWAY_URL, S2_TOKEN, S2_PACE\n") && !said.contains("hunter2"), "{said}");
    Ok(())
}

fn a_summary() -> Tested {
    let stored = Stored::new()?;
    let summary = stored.out.path().join("summary.md");
    let named = summary.to_str().expect("a temporary folder has a plain name");
    // The processes of one nextest run judge the same journal, each for its own trial.
    for trial in ["availability", "run_success"] {
        let of_nextest = [("NEXTEST_RUN_ID", "a8e30e64"), ("GITHUB_STEP_SUMMARY", named)];
        stored.judge(&format!("smoke::kpi::{trial} --exact"), &of_nextest)?;
    }
    let told = fs::read_to_string(&summary)?;
    assert_eq!(1, told.matches("### S2 smoke:").count(), "{told}");
    assert!(
        told.contains("| 🟠 **UNPROVEN** | run_success |") && told.contains("| 🟢 pass | availability |"),
        "{told}"
    );
    // One that cannot be written is said, and nothing is red for it.
    let nowhere = stored.out.path().join("nowhere/summary.md");
    let output =
        stored.command("smoke::kpi::availability --exact", &[]).env("GITHUB_STEP_SUMMARY", nowhere).output()?;
    assert!(output.status.success() && stderr(&output).contains("cannot append to"), "{output:?}");
    Ok(())
}

fn a_list() -> Tested {
    let stored = Stored::new()?;
    let list = |line: &str| {
        let output = stored.judge(line, &[])?;
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        Ok::<_, io::Error>(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>())
    };
    let all = list("--list --format terse")?;
    let ignored = list("--list --format terse --ignored")?;
    assert_eq!(105, all.len());
    assert!(ignored.iter().all(|name| name.starts_with("full::") || name.starts_with("rehearsal::")), "{ignored:?}");
    assert!(all.iter().filter(|name| !ignored.contains(name)).all(|name| name.starts_with("smoke::")), "{all:?}");
    assert_eq!(["journal"], *stored.left()?, "a list judges nothing");
    Ok(())
}

fn what_cannot_be_judged() -> Tested {
    let stored = Stored::new()?;
    let refused = |line: &str, journal: PathBuf| {
        let output = stored.command(line, &[]).env("S2_JOURNAL", journal).output()?;
        let said = stderr(&output);
        assert_eq!((Some(2), 0), (output.status.code(), output.stdout.len()), "{said}");
        assert!(said.starts_with("error: ") && said.lines().count() == 1, "{said}");
        Ok::<_, io::Error>(said)
    };
    let missing = refused("", stored.out.path().join("nothing"))?;
    assert!(missing.contains("nothing") && missing.contains("latest-full"), "{missing}");
    // Where it is nextest that asks, a trial of another suite must not look like one that passed.
    let of_another = refused("full::kpi::rss_drift --exact --ignored", stored.journal())?;
    assert!(of_another.contains("is of smoke") && of_another.contains("nothing was judged"), "{of_another}");
    assert_eq!(["journal"], *stored.left()?);
    Ok(())
}

/// A root of results with a stored journal: a smoke test in which readiness was probed, and nothing else was done.
struct Stored {
    out: TempDir,
}

impl Stored {
    fn new() -> Result<Self, Failed> {
        let stored = Self { out: tempfile::tempdir()? };
        let plan = Plan::new(Suite::Smoke, &Scenario::default(), 1, 1.0);
        let ends_ms = plan.duration_ms;
        let header = Header {
            version: JOURNAL_VERSION,
            harness: "0.1.0".into(),
            started_at: "2026-11-23T10:00:00.5Z".into(),
            started_monotonic_ms: None,
            nonce: String::new(),
            gateway_url: "http://127.0.0.1:3000".into(),
            embedded: false,
            plan,
            settings: BTreeMap::new(),
            routes: BTreeMap::new(),
        };
        let mut journal = Writer::resume(&stored.journal())?.0;
        journal.append(&Record::Header(Box::new(header)))?;
        for from_ms in (0..ends_ms).step_by(10_000) {
            let mut interval = Interval::empty(from_ms, from_ms + 10_000, Phase::Steady);
            interval.counters.extend([(Counter::ReadyProbes, 10), (Counter::ReadyOk, 10)]);
            journal.append(&Record::Interval(Box::new(interval)))?;
        }
        let ended_at = "2026-11-23T10:15:00Z".to_owned();
        journal.append(&Record::End(End { at_ms: ends_ms, ended_at, reason: EndReason::Played }))?;
        Ok(stored)
    }

    fn journal(&self) -> PathBuf {
        self.out.path().join("journal")
    }

    fn results(&self) -> PathBuf {
        self.out.path().join("s2-smoke-rejudged-2026-11-23T10-00-00.json")
    }

    fn command(&self, line: &str, environment: &[(&str, &str)]) -> Command {
        let mut command = rejudge(&self.journal(), self.out.path()).expect("a process that runs has a binary");
        command.args(line.split_whitespace()).current_dir(self.out.path()).envs(environment.iter().copied());
        command
    }

    fn judge(&self, line: &str, environment: &[(&str, &str)]) -> io::Result<Output> {
        self.command(line, environment).output()
    }

    /// What stands in the root, by name.
    fn left(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(self.out.path())?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let mut names = names.collect::<io::Result<Vec<String>>>()?;
        names.sort();
        Ok(names)
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
