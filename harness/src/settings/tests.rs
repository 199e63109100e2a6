use std::path::{Path, PathBuf};

use super::*;
use crate::judge::Judged;

const SHIPPED: &str = include_str!("../../../tests/soak.toml");

/// A folder in which there is no `tests/soak.toml`.
fn nowhere() -> PathBuf {
    PathBuf::from("/nonexistent/s2")
}

fn load(variables: &[(&str, &str)], toml: &str) -> Result<Settings, SettingsError> {
    Settings::load(&Environment::new(nowhere(), variables.iter().copied()), toml)
}

fn problems(variables: &[(&str, &str)], toml: &str) -> String {
    load(variables, toml).unwrap_err().to_string()
}

#[test]
fn the_shipped_file_says_what_the_defaults_say() {
    let shipped = load(&[], SHIPPED).unwrap();
    let empty = load(&[], "").unwrap();
    assert_eq!(shipped, empty);
    assert_eq!(shipped.scenario, Scenario::default());
    assert_eq!(shipped.targets, Targets::default());
}

#[test]
fn the_shipped_file_names_every_target() {
    let shipped: toml::Table = SHIPPED.parse().unwrap();
    let named: Vec<&str> = shipped["targets"].as_table().unwrap().keys().map(String::as_str).collect();
    let known: Vec<&str> = Targets::keys().iter().map(|key| key.key).collect();
    assert_eq!(named, known);
}

#[test]
fn all_problems_are_reported_at_once_each_with_what_would_be_right() {
    let toml = r#"
        colour = "red"
        [suites]
        smoke_duration = "10 parsecs"
        warm_up = "100m"
        [w1_realistic_runs]
        per_minute = 120001
        own_stream_percent = "30 %"
        agents = { demo-enricher = 0 }
        [w2_sse_churn]
        streems = 20
        reconnect_delay_min = "5s"
        [w4_safety_probes]
        first_at = "20m"
        [w6_light_chaos]
        latency_at = "119m"
        redis_restart_at = "74m"
        [targets]
        rss_drift_percent = 10
        run_success_percent_min = 120
        sse_gaps_max = "none"
        [waive]
        judge_p95 = ""
        judge_p99 = "we have no judge"
        heartbeats = "they are late"
        shield_p95 = 3
    "#;
    let variables = [
        ("S2_GATEWAY_URL", "ftp://gateway"),
        ("S2_GATEWAYURL", "http://gateway"),
        ("S2_GATEWAY_PID", "0"),
        ("S2_TOKEN", "se cret"),
        ("S2_WORKSPACE", "a/b"),
        ("S2_PACE", "fast"),
        ("S2_SEED", "-1"),
        ("S2_OUT", ""),
        ("S2_LOG", "s2=loud"),
    ];
    crate::snapshots::assert_snapshot("settings_problems", &problems(&variables, toml));
}

#[test]
fn a_file_that_is_not_toml_is_one_problem_with_its_line() {
    crate::snapshots::assert_snapshot("settings_not_toml", &problems(&[], "[suites]\nsmoke_duration = 15m\n"));
}

#[test]
fn a_named_file_must_be_there() {
    let text = problems(&[("S2_CONFIG", "mine.toml")], SHIPPED);
    assert!(text.contains("mine.toml") && text.contains("S2_CONFIG names it"), "{text}");
}

#[test]
fn the_usual_file_is_read_and_without_it_the_built_in_copy() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tests")).unwrap();
    let file = folder.path().join(FILE);
    fs::write(&file, "[w2_sse_churn]\nstreams = 7").unwrap();
    let settings = Settings::load(&Environment::new(folder.path().to_owned(), []), SHIPPED).unwrap();
    assert_eq!(settings.scenario.streams.count, 7);
    assert_eq!(settings.source, Source::File(file));
    assert_eq!(load(&[], SHIPPED).unwrap().source, Source::BuiltIn);
}

#[test]
fn a_password_in_a_url_is_refused_and_never_repeated() {
    let text = problems(&[("S2_GATEWAY_URL", "http://user:hunter2@gateway")], SHIPPED);
    assert!(text.contains("S2_TOKEN") && !text.contains("hunter2"), "{text}");
}

#[test]
fn a_token_is_never_shown() {
    let bad = problems(&[("S2_TOKEN", "hunter2 ")], SHIPPED);
    assert!(!bad.contains("hunter2"), "{bad}");
    let environment = Environment::new(nowhere(), [("S2_TOKEN", "hunter2")]);
    let settings = Settings::load(&environment, SHIPPED).unwrap();
    let shown = format!("{settings:?} {:?}", settings.without_secrets());
    assert!(!shown.contains("hunter2"), "{shown}");
    let Some(crate::gateway::TokenSource::Text(token)) = &settings.env.token else {
        panic!("{:?}", settings.env.token)
    };
    assert_eq!(token.expose(), "hunter2");
}

#[test]
fn a_trailing_slash_is_taken_off_a_url_and_a_path_is_kept() {
    let url = |text| load(&[("S2_GATEWAY_URL", text)], SHIPPED).unwrap().env.gateway.unwrap().url;
    assert_eq!(url("http://localhost:3000/"), "http://localhost:3000");
    assert_eq!(url("https://example.org/gateway/"), "https://example.org/gateway");
}

#[test]
fn pace_sets_smoke_and_full_but_never_the_rehearsal() {
    let paces = |variables: &[(&str, &str)]| {
        let settings = load(variables, SHIPPED).unwrap();
        [Suite::Smoke, Suite::Rehearsal, Suite::Full].map(|suite| settings.pace_for(suite))
    };
    let yours = ("S2_GATEWAY_URL", "http://localhost:3000");
    assert_eq!(paces(&[]), [30.0, 120.0, 1.0]);
    assert_eq!(paces(&[yours]), [1.0, 120.0, 1.0]);
    assert_eq!(paces(&[("S2_PACE", "60")]), [60.0, 120.0, 60.0]);
    assert_eq!(paces(&[yours, ("S2_PACE", "2.5")]), [2.5, 120.0, 2.5]);
}

#[test]
fn the_rehearsal_never_plays_on_a_gateway_of_yours() {
    let settings = load(&[("S2_GATEWAY_URL", "http://localhost:3000")], SHIPPED).unwrap();
    assert!(settings.gateway_for(Suite::Rehearsal).is_none());
    assert!(settings.gateway_for(Suite::Smoke).is_some() && settings.gateway_for(Suite::Full).is_some());
}

#[test]
fn what_the_runner_tells_its_children_is_no_problem() {
    load(&[("S2_ROLE", "session"), ("S2_ATTACH", "/tmp/x"), ("S2_SUITE", "smoke")], SHIPPED).unwrap();
}

#[test]
fn the_summary_of_a_ci_job_is_named_from_here_and_is_no_setting() {
    let environment = |value| Environment::new(nowhere(), [("GITHUB_STEP_SUMMARY", value)]);
    assert_eq!(Some(nowhere().join("summary.md")), environment("summary.md").step_summary());
    assert_eq!(None, environment("").step_summary());
    for value in ["summary.md", ""] {
        assert_eq!(load(&[], "").unwrap(), Settings::load(&environment(value), "").unwrap());
    }
}

#[test]
fn a_stored_journal_is_named_from_here_and_never_by_nothing() {
    let journal = |value| load(&[("S2_JOURNAL", value)], SHIPPED).map(|settings| settings.env.journal.unwrap());
    assert_eq!(journal("target/soak/latest-full").unwrap(), nowhere().join("target/soak/latest-full"));
    assert_eq!(journal("/stored/journal.ndjson").unwrap(), Path::new("/stored/journal.ndjson"));
    // A variable that is not there in CI must not turn a judgement into a soak.
    assert!(journal("").unwrap_err().to_string().contains("S2_JOURNAL"));
    assert_eq!(load(&[], SHIPPED).unwrap().env.journal, None);
}

#[test]
#[cfg(target_os = "linux")]
fn the_process_of_a_gateway_on_this_machine_is_known_unless_it_is_not_to_be_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let dialect = "extends = \"4runr\"\n[metrics.absent]\nprocess_resident_memory_bytes = \"not told\"";
    fs::write(folder.path().join("mine.toml"), dialect).unwrap();
    let settings = |url: &str, pid: Option<&str>| {
        let variables = [("S2_DIALECT", "mine.toml"), ("S2_GATEWAY_URL", url)];
        let variables = variables.into_iter().chain(pid.map(|pid| ("S2_GATEWAY_PID", pid)));
        Settings::load(&Environment::new(folder.path().to_owned(), variables), SHIPPED).unwrap()
    };
    let unsupported = |url, pid| settings(url, pid).unsupported_for(Suite::Full).kpis.contains_key(&Kpi::RssDrift);
    let (here, there) = ("http://127.0.0.1:3000", "https://gateway.example");
    assert!(!unsupported(here, None) && !unsupported(here, Some("17")) && !unsupported(there, Some("17")));
    assert!(unsupported(there, None) && unsupported(here, Some("off")));
    let shown = |url, pid| settings(url, pid).without_secrets().get("gatewayPid").cloned().unwrap_or_default();
    assert_eq!(["of who listens", "17", ""], [shown(here, None), shown(here, Some("17")), shown(here, Some("off"))]);
    let text = problems(&[("S2_GATEWAY_PID", "off")], SHIPPED);
    assert!(text.contains("is set, but S2_GATEWAY_URL is not"), "{text}");
}

#[test]
fn a_waived_kpi_keeps_its_reason() {
    let settings = load(&[], "[waive]\njudge_p95 = \"  no judge  \"").unwrap();
    assert_eq!(settings.waivers, BTreeMap::from([(Kpi::JudgeP95, "no judge".to_owned())]));
    assert_eq!(settings.without_secrets()["waive.judge_p95"], "no judge");
}

#[test]
fn an_earlier_run_is_found_by_its_results_or_its_folder_and_is_to_be_one() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("smoke-2026-11-23T10-00-00");
    std::fs::create_dir(&run).unwrap();
    let results = |started_at: &str| {
        format!(
            r#"{{"summary": {{"suite": "smoke", "startedAt": "{started_at}", "endedAt": null, "pace": 30, "plannedMinutes": 15}}, "kpis": []}}"#
        )
    };
    let own = run.join("s2-smoke-results-2026-11-23T10-00-00.json");
    std::fs::write(&own, results("2026-11-23T10:00:00Z")).unwrap();
    std::fs::write(run.join("s2-snapshot-S2-00-2026-11-23T10-00-00.json"), "{}").unwrap();
    let load = |named: &Path| load(&[("S2_BASELINE", named.to_str().unwrap())], "");
    let name = |named: &Path| load(named).unwrap().targets.baseline().unwrap().name().to_owned();
    let refused = |named: &Path| load(named).unwrap_err().to_string();
    assert_eq!("s2-smoke-results-2026-11-23T10-00-00.json", name(&own));
    assert_eq!("s2-smoke-results-2026-11-23T10-00-00.json", name(&run));
    assert_eq!(Suite::Smoke, load(&run).unwrap().targets.baseline().unwrap().suite());
    assert_eq!(
        Some("s2-smoke-results-2026-11-23T10-00-00.json"),
        load(&run).unwrap().without_secrets().get("baseline").map(String::as_str)
    );
    let again = root.path().join("s2-smoke-rejudged-2026-11-23T10-00-00.json");
    std::fs::write(&again, results("2026-11-23T10:00:00Z")).unwrap();
    assert_eq!("s2-smoke-rejudged-2026-11-23T10-00-00.json", name(&run), "judged again, it is newer");
    assert_eq!("s2-smoke-rejudged-2026-11-23T10-00-00.json", name(&again));

    assert!(refused(&root.path().join("nowhere")).contains("cannot be read"));
    assert!(refused(root.path()).contains("holds no s2-…-results-….json"));
    std::fs::write(&again, "{\"summary\": ").unwrap();
    assert!(refused(&run).contains("is no results file of S2's"));
    std::fs::write(&own, "[]").unwrap();
    assert!(refused(&own).contains("is no results file of S2's"));
    #[cfg(unix)]
    {
        let link = root.path().join("latest-smoke");
        std::os::unix::fs::symlink(&run, &link).unwrap();
        for named in [link.clone(), link.join("s2-smoke-results-2026-11-23T10-00-00.json")] {
            assert!(refused(&named).contains("realpath"), "{}", refused(&named));
        }
    }
    let two = problems(&[("S2_BASELINE", "/nonexistent"), ("S2_PACE", "fast")], "[baseline]\nmax_regresion = '10%'");
    assert!(two.contains("3 problems") && two.contains("S2_BASELINE") && two.contains("max_regression"), "{two}");
}

#[test]
fn a_regression_limit_is_a_share_in_percent() {
    for wrong in ["10", "'10'", "'-1%'", "'0%'", "'NaN%'", "'inf%'", "'1001%'", "'%'", "true"] {
        let told = problems(&[], &format!("[baseline]\nmax_regression = {wrong}"));
        assert!(told.contains("baseline.max_regression"), "{wrong}: {told}");
    }
    for right in ["10%", "0.5 %", " 1000%"] {
        assert!(load(&[], &format!("[baseline]\nmax_regression = '{right}'")).is_ok(), "{right}");
    }
}

#[test]
fn a_compressed_soak_of_a_gateway_of_yours_does_not_judge_what_goes_by_real_time_and_the_reason_names_the_setting() {
    let load = |pace: &'static str, drift: &str| {
        load(&[("S2_GATEWAY_URL", "http://127.0.0.1:3000"), ("S2_PACE", pace)], drift).unwrap()
    };
    for (kpi, name) in
        [(Kpi::RssDrift, "rss_drift"), (Kpi::FdDrift, "fd_drift"), (Kpi::SseConnectionDrift, "sse_connection_drift")]
    {
        let why = |settings: &Settings, suite| settings.waivers_for(suite).reason(Judged::Kpi, name).map(str::to_owned);
        let settings = load("120", "");
        let reason = why(&settings, Suite::Full).unwrap();
        assert!(reason.starts_with("not judged at pace 120: ") && reason.contains("[drift] min_real_time"), "{reason}");
        let unsupported = settings.plan_of(Suite::Full).unsupported;
        assert_eq!(Some(&reason), unsupported.kpis.get(&kpi), "and the journal has it");
        assert_eq!(None, why(&settings, Suite::Rehearsal), "the mock is known");
        assert_eq!(None, why(&settings, Suite::Smoke), "it does not judge growth at all");
        assert_eq!(None, why(&load("1", ""), Suite::Full));
        assert_eq!(None, why(&load("120", "[drift]\nmin_real_time = \"0s\"\n"), Suite::Full));
    }
    assert!(load("120", "").waivers_for(Suite::Full).reason(Judged::Kpi, "queue_drift").is_none());
}
