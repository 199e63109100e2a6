//! Judging again, in temporary folders: soaks here are literal data, written as a session writes them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use libtest_mimic::Arguments;
use tempfile::TempDir;

use super::{rejudge, stored::StoredJournal};
use crate::{
    catalog::{HarnessCheck, Kpi, Phase, Suite, Workload},
    clock,
    journal::{End, EndReason, Finding, Interval, JOURNAL_VERSION, Record, Timing, Writer},
    judge::{
        UnprovenReason, Verdict, Verdicts,
        fixtures::{
            sick::sick,
            soak::{Soak, timing},
        },
        judge,
    },
    report::{fixture::rendered, results_json},
    results::{Stage, Waivers},
    settings::{Environment, Settings},
};

/// A root of results, with the journal of one soak in it.
struct Stored {
    out: TempDir,
}

impl Stored {
    fn new(records: impl IntoIterator<Item = Record>) -> Self {
        let stored = Self { out: tempfile::tempdir().unwrap() };
        fs::create_dir(stored.folder()).unwrap();
        let mut writer = Writer::resume(&stored.journal()).unwrap().0;
        records.into_iter().for_each(|record| writer.append(&record).unwrap());
        stored
    }

    fn of(soak: &Soak) -> Self {
        Self::new(soak.records())
    }

    /// A file of these bytes instead of a journal.
    fn holding(bytes: &[u8]) -> Self {
        let stored = Self::new([]);
        fs::write(stored.journal(), bytes).unwrap();
        stored
    }

    fn folder(&self) -> PathBuf {
        self.out.path().join("full-2026-11-23T09-59-58")
    }

    fn journal(&self) -> PathBuf {
        self.folder().join("journal.ndjson")
    }

    /// Returns the path of the trials' output.
    fn log(&self) -> PathBuf {
        self.out.path().join("log")
    }

    fn results(&self) -> PathBuf {
        self.out.path().join("s2-full-rejudged-2026-11-23T09-59-58.json")
    }

    fn run(&self, named: &Path, line: &str, toml: &str) -> Result<Trials, String> {
        self.run_with(named, line, toml, None)
    }

    fn run_with(&self, named: &Path, line: &str, toml: &str, baseline: Option<&Path>) -> Result<Trials, String> {
        let (out, named) = (self.out.path().to_str().unwrap(), named.to_str().unwrap());
        let baseline = baseline.map(|path| ("S2_BASELINE", path.to_str().unwrap()));
        let variables = [("S2_OUT", out), ("S2_JOURNAL", named)].into_iter().chain(baseline);
        let environment = Environment::new("/nonexistent/s2".into(), variables);
        // No gateway of these tests has garbage.
        let toml = format!("{toml}\n[drift]\nrss_base_min = \"0 B\"\n");
        let settings = Settings::load(&environment, &toml).unwrap();
        let log = format!("--logfile={}", self.log().display());
        let args = Arguments::from_iter(["soak", &log].into_iter().chain(line.split_whitespace()));
        let conclusion = rejudge::run(args, &settings, &environment).map_err(|error| error.to_string())?;
        let (passed, failed, ignored) = (conclusion.num_passed, conclusion.num_failed, conclusion.num_ignored);
        Ok(Trials { passed, failed, ignored })
    }

    fn judged(&self, toml: &str) -> Trials {
        self.run(&self.folder(), "", toml).unwrap()
    }

    fn refused(&self, named: &Path) -> String {
        self.run(named, "", "").unwrap_err()
    }

    fn written(&self) -> String {
        fs::read_to_string(self.results()).unwrap()
    }
}

/// Numbers of trials by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Trials {
    passed: u64,
    failed: u64,
    ignored: u64,
}

fn trial_count(suite: Suite) -> u64 {
    (Workload::of(suite).count() + Kpi::of(suite).count() + HarnessCheck::of(suite).count()) as u64
}

/// The trials of `full`, and those of the other suites, which are ignored.
fn full_and_others() -> (u64, u64) {
    (trial_count(Suite::Full), trial_count(Suite::Smoke) + trial_count(Suite::Rehearsal))
}

/// Returns the results that the session of a soak would have left.
fn results_of(soak: &Soak) -> String {
    rendered(soak, &Waivers::default(), Stage::Over, results_json)
}

fn verdicts(stored: &Stored, soak: &Soak) -> Verdicts {
    let (header, history, _) = StoredJournal::open(&stored.journal()).unwrap().fold(&soak.targets).unwrap();
    judge(&header.plan, &soak.targets, &history)
}

#[test]
fn a_soak_judged_again_has_the_results_of_its_session_to_the_byte() {
    for kpi in Kpi::ALL {
        let soak = sick(*kpi);
        let stored = Stored::of(&soak);
        assert!(stored.judged("").failed > 0, "{kpi}");
        assert_eq!(results_of(&soak), stored.written(), "{kpi}");
        assert_eq!(soak.judge(), verdicts(&stored, &soak), "{kpi}: before numbers are rounded, too");
    }
}

#[test]
fn the_same_journal_gives_the_same_bytes_whenever_wherever_and_by_whatever_name_it_is_judged() {
    let soak = sick(Kpi::StartToLogP95);
    let (here, there) = (Stored::of(&soak), Stored::of(&soak));
    here.judged("");
    let first = here.written();
    here.run(&here.journal(), "full::kpi::rss_drift --exact", "").unwrap();
    assert_eq!(first, here.written(), "by its own name, for one KPI");

    let moved = there.out.path().join("a journal with a name of its own");
    fs::rename(there.journal(), &moved).unwrap();
    there.run(&moved, "", "").unwrap();
    let by_its_header = there.out.path().join("s2-full-rejudged-2026-11-23T10-00-00.json");
    assert_eq!(first, fs::read_to_string(by_its_header).unwrap());
}

#[test]
fn todays_targets_decide_and_say_what_was_the_first_over_them() {
    let mut soak = Soak::healthy(Suite::Full);
    let stored = Stored::of(&soak);
    let (all, others) = full_and_others();
    assert_eq!(Trials { passed: all, failed: 0, ignored: others }, stored.judged(""));
    let stricter = "[targets]\nstart_to_log_p95_ms_max = 150";
    assert_eq!(Trials { passed: all - 1, failed: 1, ignored: others }, stored.judged(stricter));
    let json: serde_json::Value = serde_json::from_str(&stored.written()).unwrap();
    let kpi = json["kpis"].as_array().unwrap().iter().find(|kpi| kpi["name"] == "start_to_log_p95").unwrap();
    assert_eq!(("fail", 150.0), (kpi["verdict"].as_str().unwrap(), kpi["target"]["atMost"].as_f64().unwrap()));
    assert_eq!(30_000, kpi["evidence"]["first"]["atMs"].as_u64().unwrap());

    soak.targets.set("start_to_log_p95_ms_max", 150.0).unwrap();
    assert_eq!(soak.judge(), verdicts(&stored, &soak), "as if they had been those of the soak");
    assert_eq!(0, stored.judged("").failed, "nothing of an earlier judgement stays");
}

#[test]
fn a_baseline_of_today_turns_red_what_is_worse_than_it_allows_and_nothing_once_the_limit_is_gone() {
    let slow = |value_us: u64| {
        Soak::healthy(Suite::Full).each(move |interval| {
            let at_ms = interval.from_ms;
            interval.timings.insert(Timing::StartToLog, timing(value_us + at_ms % 7 * 1_000, 3, at_ms, "run"));
        })
    };
    let stored = Stored::of(&slow(900_000));
    let then = stored.out.path().join("then.json");
    fs::write(&then, results_of(&slow(250_000))).unwrap();
    let judged = |named: &Path, toml: &str| stored.run_with(&stored.folder(), "", toml, Some(named));
    let limit = "[baseline]\nmax_regression = '10%'";
    assert_eq!(0, stored.judged(limit).failed, "without a baseline there is nothing to be worse than");
    assert_eq!(2, judged(&then, limit).unwrap().failed);
    let log = fs::read_to_string(stored.log()).unwrap();
    assert!(log.contains("full::kpi::start_to_log_p95") && log.contains("full::kpi::start_to_log_p99"), "{log}");
    let json: serde_json::Value = serde_json::from_str(&stored.written()).unwrap();
    assert_eq!(
        ("fail", "then.json"),
        (json["summary"]["verdict"].as_str().unwrap(), json["comparison"]["baseline"].as_str().unwrap())
    );
    assert_eq!(0, judged(&then, "").unwrap().failed);
    assert_eq!(0, judged(&then, "[baseline]\nmax_regression = '500%'").unwrap().failed);

    fs::write(&then, results_of(&Soak::healthy(Suite::Smoke))).unwrap();
    let refused = judged(&then, limit).unwrap_err();
    assert!(refused.contains("of smoke") && refused.contains("full is to be judged"), "{refused}");
}

#[test]
fn what_is_waived_today_is_ignored_and_its_reason_stands_in_the_results() {
    let stored = Stored::of(&sick(Kpi::RssDrift));
    let waived = "[waive]\nrss_drift = 'a cache that fills'";
    let (all, others) = full_and_others();
    assert_eq!(Trials { passed: all - 1, failed: 0, ignored: others + 1 }, stored.judged(waived));
    assert!(stored.written().contains("a cache that fills"));
    // The one trial that is asked for is waived, which is no reason to say that there is none.
    let alone = stored.run(&stored.folder(), "full::kpi::rss_drift --exact", waived).unwrap();
    assert_eq!(Trials { passed: 0, failed: 0, ignored: 1 }, alone);
}

#[test]
fn the_trials_of_the_journals_suite_are_judged_with_and_without_ignored_and_no_others() {
    let stored = Stored::of(&Soak::healthy(Suite::Full));
    let (all, others) = full_and_others();
    for (line, passed, ignored) in [
        ("", all, others),
        ("--ignored", all, others),
        ("--include-ignored", all, others),
        ("--ignored full::", all, 0),
        ("full::kpi::rss_drift --exact", 1, 0),
        ("kpi::availability", 1, 2),
    ] {
        let trials = stored.run(&stored.folder(), line, "").unwrap();
        assert_eq!(Trials { passed, failed: 0, ignored }, trials, "{line}");
    }
}

#[test]
fn a_filter_that_leaves_nothing_of_the_journals_suite_is_an_error() {
    let stored = Stored::of(&Soak::healthy(Suite::Full));
    for line in ["smoke::", "rehearsal::kpi::rss_drift --exact", "no::such::trial", "--skip full"] {
        let error = stored.run(&stored.folder(), line, "").unwrap_err();
        assert!(error.contains("is of full") && error.contains("`-- full::`"), "{line}: {error}");
        assert!(!stored.results().exists(), "{line}");
    }
}

#[test]
fn a_session_that_died_is_judged_by_what_there_is_and_its_torn_line_is_left_out() {
    let soak = Soak::healthy(Suite::Full).cut_at(50 * 60_000);
    let stored = Stored::of(&soak);
    let whole = fs::read(stored.journal()).unwrap();
    let expected = verdicts(&stored, &soak);
    for check in [HarnessCheck::NoFatalErrors, HarnessCheck::FullDuration] {
        let judgement = expected.harness(check).unwrap();
        let lack = UnprovenReason::EndMissing { reached_ms: 3_000_000 };
        assert_eq!((Verdict::Fail, &[lack.into()][..]), (judgement.verdict, &*judgement.reason), "{check}");
    }
    assert_eq!(Verdict::Unproven, expected.kpi(Kpi::RunSuccess).unwrap().verdict);
    stored.judged("");
    let results = stored.written();

    fs::write(stored.journal(), [&whole[..], b"{\"record\":\"interval\",\"from_ms\":"].concat()).unwrap();
    let (_, _, torn) = StoredJournal::open(&stored.journal()).unwrap().fold(&soak.targets).unwrap();
    assert_eq!(31, torn.unwrap().bytes);
    assert!(stored.judged("").failed > 0);
    assert_eq!(results, stored.written(), "half a line says nothing");
}

#[test]
fn what_stopped_a_session_is_told_again_in_full() {
    let mut soak = Soak::healthy(Suite::Full).cut_at(50 * 60_000);
    let message = format!("cannot reach the gateway; tried {}", "http://127.0.0.1:3000/ready, ".repeat(20));
    soak.happens(3_000_000, Finding::Fatal { message: message.clone() });
    let ended_at = "2026-11-23T10:50:00Z".into();
    soak.end = Some(End { at_ms: 3_000_000, ended_at, reason: EndReason::Fatal });
    let stored = Stored::of(&soak);
    stored.judged("");
    let json: serde_json::Value = serde_json::from_str(&stored.written()).unwrap();
    assert_eq!(message, json["fatalError"].as_str().unwrap());
    let told = fs::read_to_string(stored.log()).unwrap();
    assert_eq!(1, told.matches(message.trim()).count(), "by the one trial that is about it: {told}");
}

#[test]
fn what_stopped_a_session_steers_no_terminal_and_forges_no_line() {
    let mut soak = Soak::healthy(Suite::Full).cut_at(50 * 60_000);
    let message = "\u{1b}[2Jgone\ntest full::kpi::sse_gaps ... ok\rtest result: ok.".to_owned();
    soak.happens(3_000_000, Finding::Fatal { message });
    let stored = Stored::of(&soak);
    stored.judged("");
    let told = fs::read_to_string(stored.log()).unwrap();
    assert!(told.contains("gone") && !told.contains(['\u{1b}', '\r']), "{told}");
    assert!(!told.lines().any(|line| line.starts_with("test full::kpi::sse_gaps ... ok")), "{told}");
}

#[test]
fn what_is_no_journal_is_one_error_that_says_what_was_tried_and_what_would_help() {
    let header = Soak::healthy(Suite::Full).records().next().unwrap();
    let header = serde_json::to_string(&header).unwrap();
    let newer = JOURNAL_VERSION + 1;
    let of_another_shape = format!("{{\"record\":\"header\",\"version\":{newer},\"shape\":\"unknown\"}}\n");
    for (bytes, what) in [
        (String::new(), "no whole line (0 bytes in all)".to_owned()),
        (header.clone(), format!("no whole line ({} bytes in all)", header.len())),
        (header.replacen("\"version\":1", "\"version\":9", 1) + "\n", "journal of version 9".to_owned()),
        (of_another_shape, format!("journal of version {newer}")),
        ("{\"record\":\"\u{1b}[2Jgreen\"}\n".to_owned(), "line 1: not a journal record".to_owned()),
        (format!("{header}\nnot JSON\n"), "line 2: not a journal record".to_owned()),
        (format!("{header}\n\n"), "line 2: not a journal record".to_owned()),
    ] {
        let stored = Stored::holding(bytes.as_bytes());
        let error = stored.refused(&stored.journal());
        assert!(error.contains(&what) && error.contains("journal.ndjson"), "{error}");
        assert!(error.contains("S2_JOURNAL names a soak's journal.ndjson"), "{error}");
        assert!(!error.chars().any(char::is_control), "{error:?}");
        assert!(!stored.results().exists(), "{what}");
    }
    let binary = Stored::holding(&vec![0xff; 17_000_000]);
    assert!(binary.refused(&binary.journal()).contains("longer than"));
}

#[test]
fn a_path_that_leads_to_no_journal_is_one_error_with_that_path() {
    let stored = Stored::new([]);
    fs::remove_file(stored.journal()).unwrap();
    let latest = stored.out.path().join("latest-full");
    std::os::unix::fs::symlink("full-gone", &latest).unwrap();
    let missing = stored.out.path().join("nowhere/journal.ndjson");
    for (named, what) in [
        (missing.as_path(), "cannot find the journal"),
        (latest.as_path(), "cannot find the journal"),
        (stored.folder().as_path(), "there is no journal.ndjson in"),
        (Path::new("/dev/null"), "is neither a file nor a folder"),
    ] {
        let error = stored.refused(named);
        assert!(error.contains(what) && error.contains("such as target/soak/latest-full"), "{error}");
        let named = if what.contains("cannot") { named.to_str().unwrap() } else { "/" };
        assert!(error.contains(named), "{error}");
    }
    fs::create_dir(stored.journal()).unwrap();
    assert!(stored.refused(&stored.folder()).contains("is neither a file nor a folder"));
}

#[test]
fn a_link_is_followed_to_the_soak_it_names_now() {
    let stored = Stored::of(&Soak::healthy(Suite::Full));
    let latest = stored.out.path().join("latest-full");
    std::os::unix::fs::symlink(stored.folder().file_name().unwrap(), &latest).unwrap();
    assert_eq!(0, stored.run(&latest, "", "").unwrap().failed);
    assert!(stored.results().exists());
}

#[test]
fn the_name_of_the_results_takes_only_a_time_from_a_header() {
    let mut records: Vec<Record> = Soak::healthy(Suite::Full).records().collect();
    let Record::Header(header) = &mut records[0] else { panic!("the first record is a header") };
    header.started_at = "../../../etc/passwd".into();
    let stored = Stored::new(records);
    let moved = stored.out.path().join("journal.ndjson");
    fs::rename(stored.journal(), &moved).unwrap();
    stored.run(&moved, "", "").unwrap();
    assert!(stored.out.path().join("s2-full-rejudged-undated.json").exists());
}

/// Twice the intervals of two hours, each with every timing, of a gateway that takes up to two seconds.
fn two_busy_hours(soak: &Soak) -> String {
    let line = |record: &Record| serde_json::to_string(record).unwrap() + "\n";
    let mut journal = line(&soak.records().next().unwrap());
    let mut interval = Interval::empty(0, 0, Phase::Steady);
    for (n, name) in (0..).zip(Timing::ALL) {
        let mut record = timing(1_900_000, 3, 0, "run");
        (0..12).for_each(|sample| record.histogram.record(20_000 + n * 7_000 + sample * 90_000));
        interval.timings.insert(*name, record);
    }
    let mut interval = serde_json::to_value(Record::Interval(Box::new(interval))).unwrap();
    for n in 0..1_440 {
        interval["from_ms"] = (n * 5_000).into();
        interval["to_ms"] = ((n + 1) * 5_000).into();
        journal.push_str(&interval.to_string());
        journal.push('\n');
    }
    journal + &line(&Record::End(soak.end.clone().unwrap()))
}

#[test]
fn two_hours_are_judged_in_under_a_second() {
    let stored = Stored::holding(two_busy_hours(&Soak::healthy(Suite::Full)).as_bytes());
    let time = || {
        let began = clock::now();
        stored.run(&stored.folder(), "full::kpi::availability --exact", "").unwrap();
        clock::now().saturating_duration_since(began)
    };
    // The fastest counts: what else this machine is busy with is not ours.
    let fastest = (0..3).map(|_| time()).min().unwrap();
    assert!(fastest < Duration::from_secs(1), "{fastest:?}");
}
