//! Defects in what streams tell: its order, its reach, its words.

use std::collections::HashSet;
use std::time::Duration;

use http::{Method, StatusCode};
use mock_gateway::{Config, Defect, MockGateway};
use serde_json::json;
use tokio::task::JoinSet;

use crate::caller::{Caller, Event, Stream, eventually, ids, now, parse, quick, start};

const WORKSPACE_LOGS: &str = "/api/runs/logs/stream";
const WORKSPACE_GUARD: &str = "/api/runs/guard/stream";
/// Log events of one run, its end included.
const RUN_EVENTS: usize = 5;

async fn start_with(defect: Defect) -> (MockGateway, Caller) {
    start(Config { defects: defect.into(), ..quick() }).await
}

async fn play_many(caller: &Caller, runs: usize) {
    let mut playing = JoinSet::new();
    for _ in 0..runs {
        let caller = caller.clone();
        playing.spawn(async move { caller.play("hello").await });
    }
    playing.join_all().await;
}

fn run_of(event: &Event) -> &str {
    event.data["run_id"].as_str().unwrap()
}

#[tokio::test]
async fn unordered_events_come_after_their_successors_and_all_of_them_come() {
    let (gateway, caller) = start_with(Defect::UnorderedEvents).await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    play_many(&caller, 44).await;
    // The very last may still be held; the next run brings it.
    caller.play("hello").await;
    let heard = logs.events(44 * RUN_EVENTS).await;
    let swapped = heard.windows(2).filter(|pair| pair[0].id > pair[1].id).count();
    assert!((1..=5).contains(&swapped), "{swapped} of {}", heard.len());
    assert_eq!(ids(&heard).into_iter().collect::<HashSet<_>>().len(), heard.len());
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_run_ends_on_its_stream_before_its_last_line() {
    let (gateway, caller) = start_with(Defect::EndBeforeLastLog).await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    play_many(&caller, 40).await;
    let heard = logs.events(40 * RUN_EVENTS).await;
    let ends = heard.iter().enumerate().filter(|(_, event)| event.kind == "end");
    let early = ends.filter(|(at, end)| heard[*at..].iter().skip(1).any(|event| run_of(event) == run_of(end))).count();
    assert!((3..=5).contains(&early), "{early} of 40");
    gateway.shutdown().await;
}

#[tokio::test]
async fn an_odd_end_has_a_word_that_the_run_has_not() {
    let (gateway, caller) = start_with(Defect::OddEnd).await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    let mut odd = 0;
    for _ in 0..20 {
        assert_eq!(caller.play("hello").await["status"], "completed");
        odd += u32::from(logs.until("end").await.pop().unwrap().data["status"] == "done");
    }
    assert!((1..=3).contains(&odd), "{odd} of 20");
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_resume_is_off_by_one_either_way() {
    for (defect, begins_at) in [(Defect::ResumeOneAgain, 1), (Defect::ResumeOneShort, 3)] {
        let (gateway, caller) = start_with(defect).await;
        let mut logs = caller.open(WORKSPACE_LOGS).await;
        caller.play("hello").await;
        let heard = logs.until("end").await;
        let mut logs = caller.resume(WORKSPACE_LOGS, Some(&heard[1].id)).await;
        assert_eq!(logs.until("end").await, heard[begins_at..], "{defect:?}");
        gateway.shutdown().await;
    }
}

#[tokio::test]
async fn what_is_lost_for_all_is_in_its_run_all_the_same() {
    let (gateway, caller) = start_with(Defect::LoseForAll).await;
    let mut lost = 0;
    for _ in 0..50 {
        let run = caller.play("hello").await;
        let path = format!("/api/runs/{}/logs/stream", run["id"].as_str().unwrap());
        let told = caller.open(&path).await.until("end").await.len() - 1;
        lost += run["logs"].as_array().unwrap().len() - told;
    }
    assert!((5..=7).contains(&lost), "{lost} of 200");
    gateway.shutdown().await;
}

#[tokio::test]
async fn what_is_lost_on_workspace_streams_is_on_the_runs_own_and_no_resume_brings_it() {
    let (gateway, caller) = start_with(Defect::LoseOnWorkspaceStreams).await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    let mut lost = 0;
    for _ in 0..8 {
        let run = caller.play("hello").await;
        let path = format!("/api/runs/{}/logs/stream", run["id"].as_str().unwrap());
        let told = caller.open(&path).await.until("end").await;
        let heard = logs.until("end").await;
        assert_eq!(run["logs"].as_array().unwrap().len(), told.len() - 1);
        assert!(heard.iter().all(|event| told.contains(event)));
        let again = caller.resume(WORKSPACE_LOGS, Some(&told[0].id)).await.until("end").await;
        assert!(again.iter().all(|event| heard.contains(event)));
        lost += told.len() - heard.len();
    }
    assert!((6..=12).contains(&lost), "{lost} of 32");
    gateway.shutdown().await;
}

#[tokio::test]
async fn truncated_data_is_no_json() {
    let (gateway, caller) = start_with(Defect::TruncatedData).await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    play_many(&caller, 100).await;
    let mut broken = 0;
    for _ in 0..100 * RUN_EVENTS {
        let block = logs.block().await.unwrap();
        let data = block.lines().find_map(|line| line.strip_prefix("data: "));
        broken += u32::from(data.is_some_and(|data| serde_json::from_str::<serde_json::Value>(data).is_err()));
    }
    assert!((1..=5).contains(&broken), "{broken} of 500");
    gateway.shutdown().await;
}

#[tokio::test]
async fn foreign_events_are_those_of_another_workspace() {
    let (gateway, caller) = start_with(Defect::ForeignEvents).await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    let foreign = caller.of_workspace("another").play("hello").await;
    assert_eq!(logs.events(1).await[0].data["run_id"], foreign["id"]);
    gateway.shutdown().await;
}

#[tokio::test]
async fn the_stream_of_a_mixed_run_carries_other_runs() {
    let (gateway, caller) = start_with(Defect::MixedRuns).await;
    let mut mixed = 0;
    for _ in 0..20 {
        let id = caller.create("hello").await;
        let mut logs = caller.open(&format!("/api/runs/{id}/logs/stream")).await;
        caller.play("another").await;
        caller.start_run(&id).await;
        mixed += u32::from(run_of(&logs.events(1).await[0]) != id);
    }
    // Of a stream that is mixed, what is kept of earlier runs is replayed, too.
    assert!((3..=5).contains(&mixed), "{mixed} of 20");
    gateway.shutdown().await;
}

/// Restarts the gateway under an open stream, and waits until it is back.
async fn restart(caller: &Caller, open: &mut Stream) {
    caller.post("/api/chaos/gateway-restart", &json!({})).await;
    while open.block().await.is_some() {}
    eventually("the gateway is back", async || {
        caller.try_send(Method::GET, "/ready", Vec::new()).await.is_some_and(|answer| answer.status == StatusCode::OK)
    })
    .await;
}

#[tokio::test]
async fn a_restarted_gateway_replays_nothing_of_what_was_before() {
    let (gateway, caller) = start_with(Defect::RestartLosesEvents).await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    caller.play("before").await;
    let heard = logs.until("end").await;
    restart(&caller, &mut logs).await;
    let mut logs = caller.resume(WORKSPACE_LOGS, Some(&heard[0].id)).await;
    let after = caller.play("after").await;
    assert_eq!(logs.events(1).await[0].data["run_id"], after["id"]);
    gateway.shutdown().await;
}

#[tokio::test]
async fn after_a_restart_the_streams_of_workspaces_are_silent() {
    let (gateway, caller) = start_with(Defect::SilentAfterRestart).await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    restart(&caller, &mut logs).await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    let run = caller.play("hello").await;
    for _ in 0..RUN_EVENTS {
        let block = logs.block().await.unwrap();
        assert!(block.starts_with(':'), "{block}");
    }
    let own = format!("/api/runs/{}/logs/stream", run["id"].as_str().unwrap());
    assert_eq!(caller.open(&own).await.until("end").await.len(), RUN_EVENTS);
    gateway.shutdown().await;
}

#[tokio::test]
async fn writes_are_late_and_the_histogram_does_not_say_so() {
    let (gateway, caller) = start_with(Defect::LyingHistogram).await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    let id = caller.create("hello").await;
    let asked = now();
    caller.start_run(&id).await;
    logs.events(1).await;
    assert!(asked.elapsed() >= Duration::from_millis(400));
    logs.until("end").await;
    let count = caller.metric("sse_write_duration_seconds_count").await;
    assert_eq!(caller.metric("sse_write_duration_seconds_bucket{le=\"0.001\"}").await, count);
    gateway.shutdown().await;
}

#[tokio::test]
async fn what_should_be_masked_or_hashed_shows_in_the_shields_decision() {
    for (defect, is_hash_only) in [(Defect::LeakPiiGuard, false), (Defect::LeakCanaryGuard, true)] {
        let (gateway, caller) = start_with(defect).await;
        caller.post("/api/privacy/toggle", &json!({ "workspace_id": "w", "storePlain": !is_hash_only })).await;
        eventually("the raw text shows in the guard stream, and not in the run", async || {
            let mut guard = caller.open(WORKSPACE_GUARD).await;
            let run = caller.play("my number is 123-45-6789").await;
            let decision = loop {
                let block = guard.block().await.unwrap();
                if block.contains("event: shield.decision") {
                    break parse(&block);
                }
            };
            decision.data["matched"] == "my number is 123-45-6789" && !run.to_string().contains("123-45-6789")
        })
        .await;
        gateway.shutdown().await;
    }
}
