//! A healthy gateway is green, and what is switched off turns the KPIs red that lived on it, and only those.

use std::{collections::BTreeMap, path::Path};

use mock_gateway::{Config, MockGateway, wiremock};
use s2_harness::{
    journal::{EndReason, Reader},
    judge::{Digest, Targets, Verdict, Verdicts, judge},
    plan::{Plan, Scenario, Suite},
    report::{RunFolder, failure_text},
    session::{GatewayAccess, SessionConfig, Stop, play},
};
use wiremock::{Mock, ResponseTemplate, matchers};

/// Plays a suite against a gateway, and judges the journal that it left.
async fn soak(suite: Suite, pace: f64, gateway: &MockGateway, out: &Path) -> (EndReason, Verdicts) {
    let plan = Plan::new(suite, &Scenario::default(), 1, pace);
    let folder = RunFolder::new(out, suite, "2026-01-01T00-00-00");
    let access =
        GatewayAccess { url: gateway.url(), token: None, workspace: "s2-soak".into(), pid: None, embedded: false };
    let config = SessionConfig {
        plan: plan.clone(),
        gateway: access,
        folder: folder.clone(),
        targets: Targets::default(),
        waivers: BTreeMap::new(),
        shown: BTreeMap::new(),
        log_filter: None,
    };
    let reason = play(config, Stop::new()).await;
    let mut digest = Digest::new(&plan, &Targets::default());
    let mut journal = Reader::open(&folder.journal()).expect("the session wrote a journal");
    while let Some(record) = journal.next_record().expect("the journal is whole") {
        digest.absorb(&record);
    }
    (reason, judge(&plan, &Targets::default(), &digest))
}

/// Everything that is not green: its name and its text.
fn reds(verdicts: &Verdicts, suite: Suite) -> BTreeMap<String, String> {
    let all = verdicts.kpis.iter().chain(&verdicts.workloads).chain(&verdicts.harness);
    all.filter(|judgement| judgement.verdict != Verdict::Pass)
        .map(|judgement| (judgement.name.clone(), failure_text(judgement, suite, "the folder")))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_healthy_gateway_is_green_through_the_whole_two_hours() {
    let out = tempfile::tempdir().unwrap();
    let gateway = MockGateway::start(Config::default()).await.unwrap();
    let (reason, verdicts) = soak(Suite::Rehearsal, 120.0, &gateway, out.path()).await;
    let reds = reds(&verdicts, Suite::Rehearsal);
    assert!(reds.is_empty(), "{}", reds.into_values().collect::<Vec<_>>().join("\n\n"));
    assert_eq!(reason, EndReason::Played);
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_that_answer_404_turn_red_what_lived_on_them_and_name_the_answer() {
    let out = tempfile::tempdir().unwrap();
    let gateway = MockGateway::start(Config::default()).await.unwrap();
    let gone = ResponseTemplate::new(404).set_body_string("no metrics here");
    gateway.mount(Mock::given(matchers::path("/metrics")).respond_with(gone)).await;
    let (_, verdicts) = soak(Suite::Rehearsal, 120.0, &gateway, out.path()).await;
    let reds = reds(&verdicts, Suite::Rehearsal);
    let names: Vec<&str> = reds.keys().map(String::as_str).collect();
    assert_eq!(names, ["fd_drift", "queue_drift", "rss_drift", "sse_connection_drift"], "{reds:#?}");
    for text in reds.values() {
        assert!(text.contains("GET /metrics") && text.contains("404 no metrics here"), "{text}");
    }
    gateway.shutdown().await;
}
