//! Log lines of a run: on its streams, and in its record.

use std::{collections::BTreeSet, time::Duration};

use mock_gateway::{Config, Defect, MockGateway};
use serde_json::Value;

use crate::caller::{Caller, Event, eventually, now, quick, start};

const WORKSPACE_LOGS: &str = "/api/runs/logs/stream";

async fn start_with(defect: Defect) -> (MockGateway, Caller) {
    start(Config { defects: defect.into(), ..quick() }).await
}

/// What the streams tell of one run, and the run.
async fn one_run(caller: &Caller) -> (Vec<Event>, Value) {
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    let run = caller.play("hello").await;
    (logs.until("end").await, run)
}

fn told(events: &[Event]) -> Vec<&str> {
    events.iter().filter_map(|event| event.data["message"].as_str()).collect()
}

fn recorded(run: &Value) -> Vec<&str> {
    run["logs"].as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn equal_lines_have_one_time_and_an_id_each() {
    let (gateway, caller) = start_with(Defect::EqualLines).await;
    let (events, run) = one_run(&caller).await;
    let equal: Vec<&Event> = events.iter().filter(|event| event.data == events[1].data).collect();
    assert_eq!(3, equal.len());
    assert!(equal[0].id < equal[1].id && equal[1].id < equal[2].id);
    assert_eq!(told(&events), recorded(&run));
    gateway.shutdown().await;
}

#[tokio::test]
async fn lines_in_twos_are_on_the_streams_as_the_record_has_them() {
    let (gateway, caller) = start_with(Defect::BatchedLines).await;
    let (events, run) = one_run(&caller).await;
    let batches: Vec<&Vec<Value>> = events.iter().filter_map(|event| event.data["lines"].as_array()).collect();
    assert!(!batches.is_empty() && batches.iter().all(|lines| lines.len() == 2), "{events:?}");
    let told: BTreeSet<&str> = batches.into_iter().flatten().filter_map(|line| line["message"].as_str()).collect();
    assert_eq!(told, recorded(&run).into_iter().collect());
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_long_line_is_cut_in_the_record_or_on_the_streams() {
    for (defect, told_chars, recorded_chars) in
        [(Defect::RecordCut, 3_000, 2_049), (Defect::CutOnStreams, 2_049, 3_000)]
    {
        let (gateway, caller) = start_with(defect).await;
        let (events, run) = one_run(&caller).await;
        let (told, recorded) = (told(&events)[1], recorded(&run)[1]);
        assert_eq!((told_chars, recorded_chars), (told.chars().count(), recorded.chars().count()));
        let cut = if told.len() < recorded.len() { told } else { recorded };
        let whole = if told.len() < recorded.len() { recorded } else { told };
        assert!(whole.starts_with(cut.strip_suffix('…').unwrap()));
        gateway.shutdown().await;
    }
}

#[tokio::test]
async fn a_record_may_begin_its_lines_with_the_time_or_keep_the_last_two() {
    let (gateway, caller) = start_with(Defect::PrefixedRecord).await;
    let (events, run) = one_run(&caller).await;
    for (told, recorded) in told(&events).iter().zip(recorded(&run)) {
        assert!(recorded.ends_with(&format!("Z INFO {told}")), "{recorded}");
    }
    gateway.shutdown().await;

    let (gateway, caller) = start_with(Defect::RecordTail).await;
    let (events, run) = one_run(&caller).await;
    assert_eq!(told(&events)[2..], recorded(&run));
    gateway.shutdown().await;
}

#[tokio::test]
async fn four_percent_of_runs_have_no_end_on_any_stream() {
    let (gateway, caller) = start_with(Defect::NoEnd).await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    for _ in 0..50 {
        assert_eq!(caller.play("hello").await["status"], "completed");
    }
    // Four lines of each, and the ends.
    let mut ends = 0;
    let mut lines = 0;
    while lines < 200 || ends < 48 {
        let event = logs.event().await.unwrap();
        ends += u32::from(event.kind == "end");
        lines += u32::from(event.kind == "log");
    }
    assert_eq!((200, 48), (lines, ends));
    gateway.shutdown().await;
}

#[tokio::test]
async fn an_end_may_be_told_when_the_run_has_long_ended() {
    let (gateway, caller) = start_with(Defect::LateEnd).await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    caller.play("hello").await;
    let ended = now();
    logs.until("end").await;
    assert!(ended.elapsed() >= Duration::from_secs(3));
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_long_run_lacks_every_fiftieth_line_on_its_streams() {
    let (gateway, caller) = start_with(Defect::LongRunsLose).await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    let mut long = None;
    for _ in 0..60 {
        let run = caller.play("hello").await;
        if recorded(&run).len() > 4 {
            long = Some(run);
            break;
        }
    }
    let long = long.expect("one run in forty is long");
    let recorded = recorded(&long);
    let mut events = Vec::new();
    while !events.iter().any(|event: &Event| event.kind == "end" && event.data["run_id"] == long["id"]) {
        events.push(logs.event().await.unwrap());
    }
    events.retain(|event| event.data["run_id"] == long["id"]);
    assert_eq!((1_204, 1_180), (recorded.len(), told(&events).len()));
    let lost: Vec<&&str> = recorded.iter().filter(|line| !told(&events).contains(line)).collect();
    assert_eq!((24, &"item 50 of 1200 is done"), (lost.len(), lost[0]));
    gateway.shutdown().await;
}

#[tokio::test]
async fn all_streams_stand_still_now_and_then_and_the_histogram_does_not_say_so() {
    let (gateway, caller) = start_with(Defect::StallingWrites).await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    let mut longest = Duration::ZERO;
    eventually("an event is held for most of a stall", async || {
        let id = caller.create("hello").await;
        let started = now();
        caller.start_run(&id).await;
        logs.until("end").await;
        longest = longest.max(started.elapsed());
        longest >= Duration::from_millis(900)
    })
    .await;
    let text = caller.get("/metrics").await.text;
    let bucket = |bound: &str| {
        let line = text.lines().find(|line| {
            line.starts_with("sse_write_duration_seconds_bucket") && line.contains(&format!("le=\"{bound}\""))
        });
        line.and_then(|line| line.rsplit_once(' ')).map(|(_, count)| count.to_owned())
    };
    assert!(bucket("+Inf").is_some() && bucket("0.1") == bucket("+Inf"), "{text}");
    gateway.shutdown().await;
}

#[tokio::test]
async fn one_stream_is_told_an_event_again_under_a_new_id() {
    let (gateway, caller) = start_with(Defect::RedeliverToOne).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(caller.open(WORKSPACE_LOGS).await);
    }
    for _ in 0..60 {
        caller.play("hello").await;
    }
    let last = caller.play("hello").await;
    let mut again = Vec::new();
    for stream in &mut streams {
        let mut events: Vec<Event> = Vec::new();
        while !events.iter().any(|event| event.kind == "end" && event.data["run_id"] == last["id"]) {
            events.push(stream.event().await.unwrap());
        }
        let twice = events.windows(2).filter(|pair| pair[0].data == pair[1].data && pair[0].id != pair[1].id).count();
        assert_eq!(events.len() - twice, 61 * 5);
        again.push(twice);
    }
    assert!((1..=3).contains(&again.iter().sum::<usize>()), "{again:?}");
    gateway.shutdown().await;
}
