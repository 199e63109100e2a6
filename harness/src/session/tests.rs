//! Sessions against a gateway on real sockets.

use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use futures_util::future::BoxFuture;
use mock_gateway::{
    Config, MockGateway,
    wiremock::{Mock, ResponseTemplate, matchers},
};
use tracing_test::traced_test;

use super::{play::play_logged, *};
use crate::{
    catalog::{CallName, Suite},
    clock::Clock,
    gateway::{Client, Secret, Streams, Token},
    history::History,
    journal::{EndReason, Finding, Incident, Reader, Record, Writer},
    plan::{Plan, Scenario},
    report::Occasion,
    streams::{Delivery, Ledger},
};

pub(super) const TOKEN: &str = "token-canary-7f3a9c";

/// A few minutes of scenario with a heartbeat each, over in two seconds.
pub(crate) fn short(minutes: u64) -> Scenario {
    Scenario {
        smoke_duration: Duration::from_secs(60 * minutes),
        heartbeat_every: Duration::from_secs(60),
        ..Scenario::default()
    }
}

pub(crate) fn config(out: &Path, url: &str, scenario: &Scenario) -> SessionConfig {
    SessionConfig {
        plan: Plan::new(Suite::Smoke, scenario, 1, 120.0),
        gateway: GatewayAccess {
            token: Some(Token::fixed(Secret::new(TOKEN))),
            workspace: "tests".into(),
            ..GatewayAccess::of_test(url.to_owned())
        },
        folder: RunFolder::new(out, Suite::Smoke, "2026-01-01T00-00-00"),
        targets: Targets::default(),
        levers: BTreeMap::new(),
        waivers: Waivers::default(),
        shown: BTreeMap::new(),
        routes: BTreeMap::new(),
        workers: crate::workload::workers,
        log_filter: None,
        live: None,
        stream_runtime: None,
    }
}

pub(crate) fn findings(folder: &RunFolder) -> Vec<Finding> {
    let mut journal = Reader::open(&folder.journal()).unwrap();
    let mut findings = Vec::new();
    while let Some(record) = journal.next_record().unwrap() {
        if let Record::Incident(Incident { finding, .. }) = record {
            findings.push(finding);
        }
    }
    findings
}

/// All that a session left behind, as text.
pub(super) fn everything_in(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&everything_in(&path));
        } else {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    text
}

#[traced_test]
#[tokio::test]
async fn heartbeats_are_logged_and_the_token_never_is() {
    let out = tempfile::tempdir().unwrap();
    let gateway = MockGateway::start(Config { token: Some(TOKEN.into()), ..Config::default() }).await.unwrap();
    let config = config(out.path(), &gateway.url(), &short(4));
    artifacts::make_folders(&config).unwrap();
    let reason = play_logged(config.clone(), Stop::default(), std::sync::Arc::default()).await;
    assert_eq!(reason, EndReason::Played);
    for minute in 1..=4 {
        assert!(logs_contain(&format!("💓 S2 alive — t={minute}m, active SSE=")), "minute {minute}");
    }
    assert!(!logs_contain(TOKEN));
    assert!(!everything_in(out.path()).contains(TOKEN));
    gateway.shutdown().await;
}

#[tokio::test]
async fn the_log_has_its_format_and_the_files_have_their_names() {
    let out = tempfile::tempdir().unwrap();
    let gateway = MockGateway::start(Config { token: Some(TOKEN.into()), ..Config::default() }).await.unwrap();
    let config = config(out.path(), &gateway.url(), &short(2));
    assert_eq!(play(config.clone(), Stop::default()).await, EndReason::Played);
    let log = std::fs::read_to_string(config.folder.log()).unwrap();
    let beat = log.lines().find(|line| line.contains("t=2m")).unwrap();
    assert!(beat.starts_with('[') && beat.contains("Z] [HEARTBEAT] [T+2m] 💓 S2 alive — t=2m, active SSE="), "{beat}");
    let results = std::fs::read_to_string(config.folder.results()).unwrap();
    let results: serde_json::Value = serde_json::from_str(&results).unwrap();
    assert!(results["fatalError"].is_null());
    assert_eq!(results["summary"]["runsStarted"], 6);
    assert!(config.folder.snapshot(0).ends_with("s2-snapshot-S2-00-2026-01-01T00-00-00.json"));
    assert!(config.folder.snapshot(0).exists());
    assert!(!everything_in(out.path()).contains(TOKEN));
    gateway.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_is_not_there_is_said_with_its_url_and_what_was_tried() {
    let out = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let config = config(out.path(), &url, &short(2));
    let began = crate::clock::now();
    assert_eq!(play(config.clone(), Stop::default()).await, EndReason::Fatal);
    assert!(began.elapsed() < Duration::from_secs(20));
    let [Finding::Fatal { message }] = &findings(&config.folder)[..] else { panic!("one fatal finding") };
    assert!(message.contains(&format!("the gateway at {url} was not ready: GET /ready, tried ")), "{message}");
    assert!(message.ends_with("Is it running, and is S2_GATEWAY_URL right?"), "{message}");
    assert!(message.contains("Connection refused"), "{message}");
}

#[tokio::test]
async fn a_gateway_that_repeats_the_token_does_not_bring_it_into_any_file() {
    let out = tempfile::tempdir().unwrap();
    let gateway = MockGateway::start(Config::default()).await.unwrap();
    let echo = ResponseTemplate::new(500).set_body_string(format!("you sent Authorization: Bearer {TOKEN}"));
    gateway.mount(Mock::given(matchers::path_regex("^/api/runs")).respond_with(echo)).await;
    let mut config = config(out.path(), &gateway.url(), &short(2));
    config.log_filter = Some("debug".into());
    assert_eq!(play(config.clone(), Stop::default()).await, EndReason::Played);
    let everything = everything_in(out.path());
    assert!(everything.contains("you sent Authorization: Bearer ***"));
    assert!(!everything.contains(TOKEN));
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_stop_ends_a_session_in_good_order_with_results() {
    let out = tempfile::tempdir().unwrap();
    let gateway = MockGateway::start(Config { token: Some(TOKEN.into()), ..Config::default() }).await.unwrap();
    let config = config(out.path(), &gateway.url(), &short(15));
    let stop = Stop::default();
    let stopper = async {
        // Once something was recorded: the first snapshot comes with the first moment.
        while !config.folder.output(Occasion::Played, "junit", "xml").exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let so_far = std::fs::read_to_string(config.folder.output(Occasion::Played, "junit", "xml")).unwrap();
        stop.request(EndReason::Signal, "asked to stop by a test");
        so_far
    };
    let (reason, so_far) = tokio::join!(play(config.clone(), stop.clone()), stopper);
    assert_eq!(reason, EndReason::Signal);
    let mut journal = Reader::open(&config.folder.journal()).unwrap();
    let mut last = None;
    while let Some(record) = journal.next_record().unwrap() {
        last = Some(record);
    }
    assert!(matches!(last, Some(Record::End(end)) if end.reason == EndReason::Signal));
    assert!(config.folder.results().exists());
    // The JUnit file was there meanwhile, with nothing green in it, and is now of a soak that has ended.
    assert!(so_far.contains(r#"name="finished" value="no""#) && !so_far.contains(r#"value="pass""#), "{so_far}");
    let at_the_end = std::fs::read_to_string(config.folder.output(Occasion::Played, "junit", "xml")).unwrap();
    assert!(at_the_end.contains(r#"name="endReason" value="signal""#), "{at_the_end}");
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_stream_answer_that_is_no_stream_is_a_failed_attempt() {
    let gateway = MockGateway::start(Config::default()).await.unwrap();
    let page = ResponseTemplate::new(200).set_body_raw("<html>", "text/html");
    gateway.mount(Mock::given(matchers::path("/api/runs/logs/stream")).respond_with(page)).await;
    let out = tempfile::tempdir().unwrap();
    let mut access = config(out.path(), &gateway.url(), &short(2)).gateway;
    access.token = None;
    let refusal = Streams::new(&access)
        .unwrap()
        .open(CallName::LogsStream, "/api/runs/logs/stream", "tests", None)
        .await
        .unwrap_err();
    assert_eq!(refusal.answer, "200 with content type 'text/html'");
    let gone =
        Streams::new(&access).unwrap().open(CallName::LogsStream, "/api/nowhere", "tests", None).await.unwrap_err();
    assert!(gone.answer.starts_with("404"), "{}", gone.answer);
    gateway.shutdown().await;
}

/// A worker that panics so many times, and then is done.
struct Shaky {
    panics: u32,
    played: AtomicU32,
}

impl Worker for Shaky {
    fn name(&self) -> &'static str {
        "shaky"
    }

    fn play(&self, _: Context) -> BoxFuture<'_, Result<(), Fatal>> {
        Box::pin(async move {
            let played = self.played.fetch_add(1, Ordering::Relaxed);
            assert!(played >= self.panics, "panic number {}", played + 1);
            Ok(())
        })
    }
}

pub(crate) fn context(config: &SessionConfig) -> Context {
    artifacts::make_folders(config).unwrap();
    let (clock, stop) = (Clock::start(120.0), Stop::default());
    let writer = Writer::resume(&config.folder.journal()).unwrap().0;
    let reserve = reserve::DiskReserve::keep(config.folder.reserve()).unwrap();
    let header = begin::header(config, &clock);
    let history = History::of(&header, &config.targets.sample_limits());
    let recorder = Recorder::new(clock.clone(), stop.clone(), None, (writer, reserve), history);
    recorder.write(Record::Header(Box::new(header)));
    let calls = Calls {
        client: Client::new(&config.gateway).unwrap(),
        streams: Streams::new(&config.gateway).unwrap(),
        gate: Gate::default(),
        recorder: recorder.clone(),
        stop: stop.clone(),
    };
    Handles {
        calls,
        deliveries: Deliveries::new(
            (&recorder, &stop),
            (Ledger::new(2), config.plan.scenario.streams.count as usize),
            true,
            false,
        )
        .into(),
        shared_runs: std::sync::Arc::default(),
        shared_streams: std::sync::Arc::default(),
        gateway_clock: GatewayClock::default(),
        exposition: parking_lot::Mutex::default(),
        levers: std::collections::BTreeMap::new(),
        proxy: None,
        access: config.gateway.clone(),
        nonce: "test".into(),
        live_url: None,
        stream_runtime: None,
        schedule: Schedule {
            plan: config.plan.clone().into(),
            closing: stop.token.child_token(),
            began: clock.instant(0),
            resumed: ResumeState::default().into(),
            clock,
            stop,
        },
        recorder,
    }
    .into()
}

/// Supervises a worker that panics so often; what was said of it.
async fn supervise_shaky(panics: u32) -> (Vec<Finding>, u32) {
    let out = tempfile::tempdir().unwrap();
    let config = config(out.path(), "http://127.0.0.1:9", &short(2));
    let worker = std::sync::Arc::new(Shaky { panics, played: AtomicU32::new(0) });
    let context = context(&config);
    supervisor::supervise(worker.clone(), context.clone()).await;
    assert!(!context.schedule.stop.is_requested(), "a worker's panic stops nobody else");
    (findings(&config.folder), worker.played.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_panics_is_restarted_and_each_panic_is_an_incident() {
    let (findings, played) = supervise_shaky(2).await;
    assert_eq!(played, 3);
    let counts: Vec<u32> = findings
        .iter()
        .filter_map(|finding| match finding {
            Finding::WorkerPanicked { worker, count, message } => {
                assert!(worker == "shaky" && *message == format!("panic number {count}"));
                Some(*count)
            }
            _ => None,
        })
        .collect();
    assert_eq!(counts, [1, 2]);
    assert_eq!(findings.last(), Some(&Finding::WorkerDone { worker: "shaky".into() }));
}

#[tokio::test(start_paused = true)]
async fn a_worker_is_restarted_five_times_and_not_more() {
    let (findings, played) = supervise_shaky(100).await;
    assert_eq!(played, 6);
    assert_eq!(findings.last(), Some(&Finding::WorkerGaveUp { worker: "shaky".into() }));
}

#[tokio::test]
async fn what_begins_in_a_window_belongs_to_it_however_late_it_ends() {
    let out = tempfile::tempdir().unwrap();
    let config = config(out.path(), "http://127.0.0.1:9", &short(2));
    let recorder = context(&config).recorder.clone();
    let before = recorder.mark();
    recorder.set_phase(crate::catalog::Phase::Latency);
    let within = recorder.mark();
    recorder.count(crate::journal::Counter::Requests, before);
    recorder.set_phase(crate::catalog::Phase::Steady);
    recorder.count(crate::journal::Counter::Requests, within);
    recorder.count(crate::journal::Counter::Requests, recorder.mark());
    recorder.flush();
    let requests =
        |scope| recorder.with_history(|history| history.totals.counter(crate::journal::Counter::Requests, scope));
    assert_eq!((requests(crate::history::Scope::Chaos), requests(crate::history::Scope::Steady)), (2, 1));
}

#[tokio::test]
async fn of_one_kind_of_incident_an_interval_keeps_a_few_and_counts_the_rest() {
    let out = tempfile::tempdir().unwrap();
    let config = config(out.path(), "http://127.0.0.1:9", &short(2));
    let recorder = context(&config).recorder.clone();
    for _ in 0..20 {
        recorder.incident(Finding::NotReady { answer: "503".into() });
    }
    recorder.flush();
    assert_eq!(findings(&config.folder).len(), 8);
    let dropped = recorder.with_history(|history| {
        history.totals.counter(crate::journal::Counter::IncidentsDropped, crate::history::Scope::All)
    });
    assert_eq!(dropped, 12);
}

#[tokio::test(start_paused = true)]
async fn what_the_ledger_is_certain_of_only_later_is_counted_and_told_all_the_same() {
    let out = tempfile::tempdir().unwrap();
    let config = config(out.path(), "http://127.0.0.1:9", &short(2));
    let context = context(&config);
    let got = |id, stamp| Delivery { stamp, unstamped: "{}", run: "run", id, kind: "log", message: Some("a line") };
    let deliveries = &context.deliveries;
    (0..2).for_each(|client| deliveries.stream_opened(client, false));
    tokio::time::advance(Duration::from_secs(3)).await;
    let enter = |client, got| _ = deliveries.enter(client, &got, crate::clock::now());
    (0..2).for_each(|client| enter(client, got("1", "noon")));
    deliveries.stream_opened(0, true);
    enter(0, got("1", "later"));
    enter(0, got("2", "later still"));
    tokio::time::advance(Duration::from_secs(10)).await;
    deliveries.settle();
    context.recorder.flush();

    let count =
        |counter| context.recorder.with_history(|history| history.totals.counter(counter, crate::history::Scope::All));
    assert_eq!(count(crate::journal::Counter::EventsDuplicated), 1);
    assert_eq!(count(crate::journal::Counter::EventsMissed), 1);
    let (run, id) = ("run".to_owned(), "2".to_owned());
    let (line, why) = ("a line".to_owned(), String::new());
    let missed = Finding::EventMissed {
        stream: "1".into(),
        run: run.clone(),
        id,
        seen_by: 1,
        line: line.clone(),
        why: why.clone(),
    };
    let again = Finding::EventDuplicated { stream: "0".into(), run, id: "1".into(), same_id: true, line, why };
    assert_eq!(findings(&config.folder), [missed, again]);
}

#[test]
fn a_log_that_grows_too_long_is_rotated_and_nothing_forges_a_line() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("s2-smoke-test.log");
    let dispatch = log::open(&path, None, std::sync::Arc::default(), None);
    tracing::dispatcher::with_default(&dispatch, || {
        let long = "x".repeat(64 * 1024);
        for _ in 0..140 {
            tracing::info!("{long}");
        }
        tracing::info!("{}", "one\n[now] [FATAL] [T+0m] forged\u{1b}[2J");
    });
    assert!(out.path().join("s2-smoke-test.log.1").exists());
    let log = std::fs::read_to_string(path).unwrap();
    assert!(log.len() < 1024 * 1024, "the newest begins anew");
    let last = log.lines().last().unwrap();
    assert!(last.contains("[INFO] [T+0m] one\\n[now] [FATAL]") && !last.contains('\u{1b}'), "{last}");
}
