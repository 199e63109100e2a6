//! Runs' own streams at gateways of every habit, on real sockets: what is read completely, what is open in time, and
//! what is no error.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::StreamExt;
use mock_gateway::{Config, Defect, Defects, MockGateway};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    leak::LeakScan,
    run::{self, Ending},
    run_stream::{self, Followed},
    search_patterns::SearchPatterns,
};
use crate::{
    catalog::{CallName, Workload},
    clock,
    gateway::GatewayAccess,
    history::Scope,
    journal::{Counter, Finding},
    session::{
        Context, FirstOpening, SessionConfig,
        tests::{config, context, findings, short},
    },
};

/// A session at a gateway, without its workers.
struct Soak {
    context: Context,
    config: SessionConfig,
    _out: TempDir,
}

impl Soak {
    fn at(url: &str) -> Self {
        let out = TempDir::new().unwrap();
        let mut config = config(out.path(), url, &short(2));
        config.gateway = GatewayAccess { workspace: "tests".into(), ..GatewayAccess::of_test(url.to_owned()) };
        Self { context: context(&config), config, _out: out }
    }

    fn counted(&self, counter: Counter) -> u64 {
        self.context.recorder.flush();
        self.context.recorder.with_history(|history| history.totals.counter(counter, Scope::All))
    }

    fn findings(&self) -> Vec<Finding> {
        self.context.recorder.flush();
        findings(&self.config.folder)
    }

    /// Plays a run and follows its own stream, as W1 does.
    async fn follow(&self, is_early: bool) -> (Followed, FirstOpening, serde_json::Value) {
        let (context, over, first) = (&self.context, CancellationToken::new(), FirstOpening::default());
        let new = run::new_run("demo-enricher", "a run".into(), "hello".into());
        let due = context.recorder.mark();
        let (run, _) = run::create(context, Workload::Runs, &context.calls.client, &new, due).await.unwrap();
        let play = async {
            if is_early {
                first.before_start(&context.shared_streams.earliness).await;
            }
            run::start(context, Workload::Runs, &context.calls.client, &run).await.unwrap();
            first.run_is_under_way();
            let deadline = clock::now() + Duration::from_secs(20);
            let (ending, last) =
                run::wait_for_end(context, Workload::Runs, &context.calls.client, &run, deadline).await;
            over.cancel();
            assert_eq!(Ending::Success, ending);
            last.unwrap().json().unwrap()
        };
        let follow = async {
            if !is_early {
                first.run_is_under_way();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let (_orders, mut ordered) = mpsc::channel(1);
            run_stream::follow(context, Workload::Runs, &run.id, &mut ordered, &over, &first).await
        };
        let (followed, record) = tokio::join!(follow, play);
        let view = context.calls.client.dialect().run_view(&record);
        run_stream::compare(context, Workload::Runs, &run.id, &followed, &view, due);
        (followed, first, record)
    }

    /// Looks for a text that stands nowhere, wherever a run shows; where it could not look.
    async fn unseen(&self) -> Vec<String> {
        let (context, client) = (&self.context, &self.context.calls.client);
        let patterns = SearchPatterns::verbatim("stands nowhere");
        let places = LeakScan::watch(context, Workload::Safety, client, patterns).await;
        let new = run::new_run("demo-enricher", "a run".into(), "hello".into());
        let since = context.recorder.mark();
        let (run, _) = run::create(context, Workload::Safety, client, &new, since).await.unwrap();
        places.watch_run(&run.id).await;
        run::start(context, Workload::Safety, client, &run).await.unwrap();
        places.run_is_under_way();
        let deadline = clock::now() + Duration::from_secs(20);
        let ending = run::wait_for_end(context, Workload::Safety, client, &run, deadline).await.0;
        assert_eq!(Ending::Success, ending);
        let found = places.find(true).await;
        assert!(found.shown.is_empty());
        found.unseen
    }
}

/// A gateway with habits, whose runs are over soon.
async fn gateway(habits: &[Defect]) -> MockGateway {
    gateway_with(habits, Duration::from_millis(200)).await
}

async fn gateway_with(habits: &[Defect], run: Duration) -> MockGateway {
    let ms = Duration::from_millis;
    let config = Config {
        defects: Defects::from_iter(habits.iter().copied()),
        run_duration: run..=run,
        judge_duration: ms(5)..=ms(15),
        shield_duration: ms(1)..=ms(5),
        ..Config::default()
    };
    MockGateway::start(config).await.unwrap()
}

#[tokio::test]
async fn a_runs_own_stream_is_followed_completely_whatever_its_habits() {
    let all = [Defect::ClosedAfterEnd, Defect::PingEvents, Defect::NoRunId, Defect::NoReplay];
    for habits in [&[][..], &all, &[Defect::ResetAfterEnd], &[Defect::NoContentAfterEnd]] {
        let gateway = gateway(habits).await;
        let soak = Soak::at(&gateway.url());
        let (followed, first, record) = soak.follow(true).await;
        assert!(followed.is_complete() && first.opened().is_some_and(|(_, is_early)| is_early), "{habits:?}");
        let line = record["logs"][0]["message"].as_str();
        assert_eq!(line, followed.shown.first(), "{habits:?}");
        for counter in [Counter::RequestErrors, Counter::StreamsDropped, Counter::EventsMissed, Counter::RunsHalfShown]
        {
            assert_eq!(0, soak.counted(counter), "{habits:?}: {counter:?}: {:?}", soak.findings());
        }
        gateway.shutdown().await;
    }
}

#[tokio::test]
async fn what_came_before_a_stream_was_open_is_no_gap_where_nobody_said_that_it_is_replayed() {
    let gateway = gateway(&[Defect::NoReplay, Defect::ClosedAfterEnd]).await;
    let soak = Soak::at(&gateway.url());
    let (followed, first, _) = soak.follow(false).await;
    assert!(!followed.is_complete() && first.opened().is_some_and(|(_, is_early)| !is_early));
    assert_eq!((0, 1), (soak.counted(Counter::EventsMissed), soak.counted(Counter::RunsHalfShown)));
    gateway.shutdown().await;

    // The contract's gateway replays: then it is no matter when the stream opens.
    let gateway = self::gateway(&[]).await;
    let soak = Soak::at(&gateway.url());
    soak.follow(false).await;
    assert_eq!((0, 0), (soak.counted(Counter::EventsMissed), soak.counted(Counter::RunsHalfShown)));
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_stream_that_ends_with_its_run_was_looked_at_to_its_end() {
    for habits in [
        &[][..],
        &[Defect::ClosedAfterEnd],
        &[Defect::ClosedAfterEnd, Defect::NoReplay, Defect::PingEvents, Defect::NoRunId],
        &[Defect::NoContentAfterEnd, Defect::ClosedAfterEnd],
        &[Defect::ResetAfterEnd],
    ] {
        let gateway = gateway(habits).await;
        let soak = Soak::at(&gateway.url());
        assert_eq!(Vec::<String>::new(), soak.unseen().await, "{habits:?}");
        assert_eq!(0, soak.counted(Counter::RequestErrors), "{habits:?}: {:?}", soak.findings());
        gateway.shutdown().await;
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_again_and_again_was_not_looked_at() {
    let gateway = gateway(&[Defect::KeepAliveOnly, Defect::ResetAfterEnd]).await;
    // Its guard streams show no event, so what comes after a cut cannot be asked for.
    let soak = Soak::at(&gateway.url());
    assert_eq!(vec!["GET /api/runs/{id}/guard/stream"], soak.unseen().await);
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_stream_that_came_back_and_showed_nothing_is_no_proof_of_a_gap() {
    // One that is there already will do.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let gateway = gateway_with(&[Defect::NoReplay, Defect::ClosedAfterEnd], Duration::from_millis(1_500)).await;
    let soak = Soak::at(&gateway.url());
    let restart = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        // It drops the connections, and the run goes on.
        soak.context.calls.client.attempt(CallName::GatewayRestart, &[]).await
    };
    let ((followed, ..), restarted) = tokio::join!(soak.follow(true), restart);
    assert!(restarted.is_ok() && !followed.is_complete());
    assert_eq!(0, soak.counted(Counter::EventsMissed), "{:?}", soak.findings());
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_stream_that_was_lost_and_is_gone_once_its_run_is_over_is_no_proof_of_a_gap() {
    // One that is there already will do.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let gateway = gateway_with(&[Defect::NoContentAfterEnd], Duration::from_millis(700)).await;
    let soak = Soak::at(&gateway.url());
    let restart = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        // It drops the connections, and the run is over before its stream is opened again.
        soak.context.calls.client.attempt(CallName::GatewayRestart, &[]).await
    };
    let ((followed, ..), restarted) = tokio::join!(soak.follow(true), restart);
    assert!(restarted.is_ok() && !followed.is_complete());
    assert_eq!(0, soak.counted(Counter::EventsMissed), "{:?}", soak.findings());
    gateway.shutdown().await;
}

/// A gateway whose runs have a stream only once they are started, and no more when they are over.
#[derive(Default)]
struct OnlyUnderWay {
    is_started: AtomicBool,
    is_over: AtomicBool,
    openings: AtomicU32,
}

async fn only_under_way() -> (String, Arc<OnlyUnderWay>) {
    let state = Arc::new(OnlyUnderWay::default());
    let json =
        |status: StatusCode, text: String| (status, [("content-type", "application/json")], text).into_response();
    let (stream, start, read) = (Arc::clone(&state), Arc::clone(&state), Arc::clone(&state));
    let routes = Router::new()
        .route("/api/runs", axum::routing::post(move || async move { json(StatusCode::CREATED, "{}".into()) }))
        .route(
            "/api/runs/{id}/start",
            axum::routing::post(move || async move {
                start.is_started.store(true, Ordering::Relaxed);
                json(StatusCode::OK, "{}".into())
            }),
        )
        .route(
            "/api/runs/{id}",
            get(move || async move {
                let is_over = read.is_over.load(Ordering::Relaxed);
                let status = if is_over { "completed" } else { "running" };
                let logs = r#"[{"message":"a"},{"message":"b"}]"#;
                json(StatusCode::OK, format!(r#"{{"status":"{status}","output":{{}},"logs":{logs}}}"#))
            }),
        )
        .route(
            "/api/runs/{id}/logs/stream",
            get(move || async move {
                stream.openings.fetch_add(1, Ordering::Relaxed);
                if !stream.is_started.load(Ordering::Relaxed) || stream.is_over.load(Ordering::Relaxed) {
                    return json(StatusCode::NOT_FOUND, "{}".into());
                }
                // It ends in good order without an event that says so.
                let lines = futures_util::stream::iter(0..2).then(move |n| {
                    let stream = Arc::clone(&stream);
                    async move {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        stream.is_over.store(n == 1, Ordering::Relaxed);
                        let line = if n == 0 { "a" } else { "b" };
                        Ok::<_, Infallible>(Bytes::from(format!("event: log\ndata: {{\"message\":\"{line}\"}}\n\n")))
                    }
                });
                Response::builder().header("content-type", "text/event-stream").body(Body::from_stream(lines)).unwrap()
            }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "a server of a test, which ends with the test's runtime")]
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (url, state)
}

#[tokio::test]
async fn a_stream_that_is_there_only_while_its_run_is_under_way_is_no_error_and_is_opened_once_it_is_started() {
    let (url, state) = only_under_way().await;
    let soak = Soak::at(&url);
    for openings_before in [2, 1] {
        state.is_started.store(false, Ordering::Relaxed);
        state.is_over.store(false, Ordering::Relaxed);
        state.openings.store(0, Ordering::Relaxed);
        let (followed, first, _) = soak.follow(true).await;
        assert_eq!(Some("a"), followed.shown.first());
        assert!(followed.shown.has_ended(), "the gateway ended it, and the run is over");
        assert_eq!(Some(false), first.opened().map(|(_, is_early)| is_early));
        // The second time nothing is tried before the start. When the run is over it is asked for once more.
        assert_eq!(openings_before + 1, state.openings.load(Ordering::Relaxed));
        for counter in [Counter::RequestErrors, Counter::StreamsDropped, Counter::EventsMissed] {
            assert_eq!(0, soak.counted(counter), "{counter:?}: {:?}", soak.findings());
        }
    }
}
