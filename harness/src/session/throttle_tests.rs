//! A gateway that says 429, and when to come back.

use std::{sync::Mutex, time::Duration};

use super::{
    tests::{config, context, findings, short},
    *,
};
use crate::{
    catalog::Workload,
    gateway::{Answer, Outcome, Trouble},
    history::Scope,
    journal::{Counter, Finding, Timing},
};

/// A call whose answer is 200, and which no status tells to wait.
const CALL: Call<'static> = Call {
    workload: Workload::Registry,
    route: "GET /x",
    subject: "",
    expected: &[200],
    wait: &[],
    since: None,
    until: None,
    is_again: false,
};

fn answer(status: u16, retry_after_s: Option<u64>) -> Outcome {
    let retry_after = retry_after_s.map(Duration::from_secs);
    Ok(Answer { retry_after, ..Answer::new(status, "busy") })
}

/// Sends a request that is answered so, one time after the other: what came of it, how many seconds it took, the
/// request's counts (all, errors, throttled), and what was found.
async fn sent(answers: Vec<Outcome>) -> (Result<u16, String>, u64, [u64; 3], Vec<String>) {
    asked(answers, false).await
}

async fn asked(answers: Vec<Outcome>, is_again: bool) -> (Result<u16, String>, u64, [u64; 3], Vec<String>) {
    let out = tempfile::tempdir().unwrap();
    let config = config(out.path(), "http://127.0.0.1:9", &short(2));
    let context = context(&config);
    let began = crate::clock::now();
    let answers = Mutex::new(answers.into_iter());
    let call = Call {
        workload: Workload::Registry,
        route: "POST /x",
        subject: "1.0",
        expected: &[201, 200],
        wait: &[],
        since: None,
        until: None,
        is_again,
    };
    let next = || async { answers.lock().unwrap().next().unwrap_or(answer(500, None)) };
    let outcome = context.calls.outcome(call, next).await.map(|answer| answer.status);
    let took = began.elapsed();
    context.recorder.flush();
    let counters = [Counter::Requests, Counter::RequestErrors, Counter::RequestsThrottled];
    let counts =
        context.recorder.with_history(|history| counters.map(|counter| history.totals.counter(counter, Scope::All)));
    let findings = findings(&config.folder).into_iter().map(|finding| match finding {
        Finding::RequestFailed { answer, .. } => answer,
        other => format!("{other:?}"),
    });
    (outcome, took.as_secs(), counts, findings.collect())
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_told_to_come_later_is_sent_again_then_and_each_429_is_counted() {
    let answers = vec![answer(429, Some(7)), answer(429, Some(2)), answer(201, None)];
    let (outcome, took_s, counts, found) = sent(answers).await;
    assert_eq!((Ok(201), 9, [3, 2, 2]), (outcome, took_s, counts));
    assert_eq!("429, and sent again after the 7 s that it asked for: 429 busy", found[0]);
    assert_eq!("429, and sent again after the 2 s that it asked for: 429 busy", found[1]);
}

#[tokio::test(start_paused = true)]
async fn a_request_is_sent_again_three_times_and_not_more() {
    let (outcome, took_s, counts, found) = sent((0..9).map(|_| answer(429, Some(1))).collect()).await;
    assert_eq!((3, [4, 4, 4], 4), (took_s, counts, found.len()));
    assert_eq!(Err("429 busy (expected 201 or 200)".to_owned()), outcome);
}

#[tokio::test(start_paused = true)]
async fn a_429_that_does_not_say_when_is_an_answer_like_any_other_and_so_is_another_status() {
    assert_eq!([1, 1, 1], sent(vec![answer(429, None)]).await.2);
    assert_eq!([1, 1, 0], sent(vec![answer(503, Some(7))]).await.2);
    assert_eq!([1, 1, 0], sent(vec![Err(Trouble::new("no connection"))]).await.2);
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_once_more_counts_as_a_request_only_where_it_goes_wrong() {
    assert_eq!([0, 0, 0], asked(vec![answer(200, None)], true).await.2);
    assert_eq!([1, 1, 0], asked(vec![answer(503, None)], true).await.2);
    assert_eq!([1, 1, 0], asked(vec![Err(Trouble::new("no connection"))], true).await.2);
    assert_eq!([1, 1, 1], asked(vec![answer(429, Some(1)), answer(200, None)], true).await.2);
}

#[tokio::test(start_paused = true)]
async fn the_time_that_a_gateway_asks_for_is_time_that_its_user_waits() {
    let out = tempfile::tempdir().unwrap();
    let config = config(out.path(), "http://127.0.0.1:9", &short(2));
    let context = context(&config);
    let answers = Mutex::new(vec![answer(200, None), answer(429, Some(5))]);
    context.calls.call(CALL, || async { answers.lock().unwrap().pop().unwrap() }).await.unwrap();
    context.recorder.flush();
    let journal = std::fs::read_to_string(config.folder.journal()).unwrap();
    let timed = format!("\"{}\"", Timing::Request.name());
    let interval = journal.lines().find(|line| line.contains(&timed)).unwrap();
    assert!(interval.contains("\"value_us\":500"), "{interval}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_what_a_gateway_asks() {
    let out = tempfile::tempdir().unwrap();
    let config = config(out.path(), "http://127.0.0.1:9", &short(2));
    let context = context(&config);
    let began = crate::clock::now();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        context.schedule.stop.request(crate::journal::EndReason::Signal, "SIGTERM");
    };
    let (answered, ()) = tokio::join!(context.calls.call(CALL, || async { answer(429, Some(30)) }), stop);
    assert_eq!((true, 1), (answered.is_none(), began.elapsed().as_secs()));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_may_ask_for_two_minutes() {
    let (outcome, took_s, counts, _) = sent(vec![answer(429, Some(120)), answer(200, None)]).await;
    assert_eq!((Ok(200), 120, [2, 1, 1]), (outcome, took_s, counts));
}

#[tokio::test(start_paused = true)]
async fn what_has_a_deadline_is_sent_a_last_time_then_and_waits_no_longer() {
    let out = tempfile::tempdir().unwrap();
    let context = context(&config(out.path(), "http://127.0.0.1:9", &short(2)));
    let began = crate::clock::now();
    let until = Some(began + Duration::from_secs(10));
    // A run that a replica does not know is asked for again and again, and no longer than the run may take.
    let unknown = Call { wait: &[404], until, ..CALL };
    let answered = context.calls.outcome(unknown, || async { answer(404, None) }).await;
    assert_eq!((true, 10), (answered.is_err(), began.elapsed().as_secs()));

    // A request whose wait is longer is repeated at the deadline.
    let began = crate::clock::now();
    let until = Some(began + Duration::from_secs(10));
    let answers = Mutex::new(vec![answer(200, None), answer(429, Some(60))]);
    let next = || async { answers.lock().unwrap().pop().unwrap() };
    let answered = context.calls.outcome(Call { until, ..CALL }, next).await;
    assert_eq!((Some(200), 10), (answered.ok().map(|answer| answer.status), began.elapsed().as_secs()));
    let answers = Mutex::new(vec![answer(200, None), answer(429, Some(60))]);
    let next = || async { answers.lock().unwrap().pop().unwrap() };
    let until = Some(crate::clock::now() + Duration::from_secs(5));
    let answered = context.calls.outcome(Call { wait: &[429], until, ..CALL }, next).await;
    assert_eq!(Some(200), answered.ok().map(|answer| answer.status));
}
