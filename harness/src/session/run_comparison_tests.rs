use std::time::Duration;

use super::*;
use crate::{
    catalog::Phase,
    gateway::LogEvent,
    history::Scope,
    session::{
        Context,
        tests::{config, context, findings, short},
    },
    streams::{Delivered, DeliveryKind},
};

/// A run that became due a few seconds ago, with two clients that were there before.
struct Soak {
    context: Context,
    config: crate::session::SessionConfig,
    watch: Arc<RunWatch>,
    due: StartPoint,
    _out: tempfile::TempDir,
}

impl Soak {
    async fn begin() -> Self {
        let out = tempfile::tempdir().unwrap();
        let config = config(out.path(), "http://127.0.0.1:9", &short(2));
        let context = context(&config);
        (0..2).for_each(|client| context.deliveries.stream_opened(client, false));
        passes(3).await;
        let watch = context.deliveries.watched.watch("run").unwrap();
        let due = context.recorder.mark();
        passes(1).await;
        Self { context, config, watch, due, _out: out }
    }

    fn shows(&self, client: usize, kind: &str, message: Option<&str>) {
        let data = serde_json::json!({ "type": kind, "run_id": "run", "message": message });
        self.delivers(client, kind, &data, DeliveryKind::New);
    }

    /// A line that came before, with the same time under another id.
    fn shows_equal(&self, message: &str) {
        let data = serde_json::json!({ "type": "log", "run_id": "run", "message": message });
        self.delivers(0, "log", &data, DeliveryKind::Equal);
    }

    fn delivers(&self, client: usize, kind: &str, data: &serde_json::Value, sighting: DeliveryKind) {
        let event = LogEvent::read(&self.context.calls.client.dialect().events, kind, &data.to_string()).unwrap();
        let delivered = Delivered { sighting, is_first: true };
        let since_ms = self.context.deliveries.ledger.lock().witness_since(client).unwrap_or(u64::MAX);
        self.context.deliveries.enter_as(&event.delivery(""), crate::clock::now(), (since_ms, delivered));
    }

    /// The end of another run, so that ends are known to come.
    fn shows_another_end(&self) {
        let _watched = self.context.deliveries.watched.watch("another").unwrap();
        let data = serde_json::json!({ "type": "end", "run_id": "another" });
        self.delivers(1, "end", &data, DeliveryKind::New);
    }

    fn ends_with(&self, lines: &[&str]) {
        let record = lines.iter().map(|line| (*line).to_owned()).collect();
        self.context.deliveries.compare("run", &self.watch, record, self.due);
    }

    fn count(&self, counter: Counter) -> u64 {
        self.context.recorder.flush();
        self.context.recorder.with_history(|history| history.totals.counter(counter, Scope::All))
    }

    /// The lines that were missed so far, each a finding and counted once.
    fn missed(&self) -> Vec<String> {
        self.context.deliveries.settle();
        self.context.recorder.flush();
        let counted =
            self.context.recorder.with_history(|history| history.totals.counter(Counter::EventsMissed, Scope::All));
        let found = findings(&self.config.folder).into_iter().map(|finding| match finding {
            Finding::EventMissed { stream, run, id, seen_by: 0, .. } => {
                assert_eq!(("of the workspace", "run"), (stream.as_str(), run.as_str()));
                id
            }
            other => panic!("{other:?}"),
        });
        let found: Vec<String> = found.collect();
        assert_eq!(found.len() as u64, counted);
        found
    }
}

async fn passes(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_the_streams_have_shown_between_them_lacks_nothing() {
    let soak = Soak::begin().await;
    soak.shows(0, "log", Some("a"));
    soak.shows(1, "log", Some("b"));
    soak.shows(0, "end", None);
    soak.ends_with(&["a", "b"]);
    assert_eq!(0, soak.context.deliveries.runs_waiting());
    passes(60).await;
    assert!(soak.missed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_line_that_only_the_run_has_is_missed_once_as_soon_as_its_end_is_shown() {
    let soak = Soak::begin().await;
    soak.shows(0, "log", Some("a"));
    soak.ends_with(&["a", "b", "c"]);
    passes(2).await;
    assert!(soak.missed().is_empty(), "it may still come");
    soak.shows(1, "log", Some("b"));
    soak.shows(1, "end", None);
    assert_eq!(vec!["c"], soak.missed());
    passes(60).await;
    assert_eq!((vec!["c".to_owned()], 0), (soak.missed(), soak.context.deliveries.runs_waiting()));
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_end_no_stream_shows_is_waited_for_as_long_as_a_client_may_lag() {
    let soak = Soak::begin().await;
    soak.ends_with(&["a"]);
    passes(9).await;
    assert!(soak.missed().is_empty());
    passes(1).await;
    assert_eq!(vec!["a"], soak.missed());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_where_no_client_was_there_all_through() {
    let soak = Soak::begin().await;
    soak.context.deliveries.stream_lost(0);
    soak.context.deliveries.stream_opened(0, true);
    soak.context.deliveries.stream_lost(1);
    soak.shows(0, "end", None);
    soak.ends_with(&["a"]);
    assert_eq!(0, soak.context.deliveries.runs_waiting());
    passes(60).await;
    assert!(soak.missed().is_empty());

    let soak = Soak::begin().await;
    soak.ends_with(&["a"]);
    (0..2).for_each(|client| soak.context.deliveries.stream_lost(client));
    passes(60).await;
    assert!(soak.missed().is_empty(), "nor where all have left before the line could come");
}

#[tokio::test(start_paused = true)]
async fn the_end_that_one_was_shown_who_came_later_settles_nothing() {
    let soak = Soak::begin().await;
    soak.context.deliveries.stream_lost(1);
    soak.context.deliveries.stream_opened(1, false);
    soak.shows(1, "end", None);
    soak.ends_with(&["a"]);
    assert!(soak.missed().is_empty());
    soak.shows(0, "log", Some("a"));
    passes(60).await;
    assert!(soak.missed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_of_a_run_that_overlaps_a_window_however_short() {
    let soak = Soak::begin().await;
    soak.context.recorder.set_phase(Phase::RedisRestart);
    soak.context.recorder.set_phase(Phase::Steady);
    soak.ends_with(&["a"]);
    passes(60).await;
    assert!(soak.missed().is_empty());

    let soak = Soak::begin().await;
    soak.ends_with(&["a"]);
    soak.context.recorder.set_phase(Phase::GatewayRestart);
    passes(60).await;
    assert!(soak.missed().is_empty(), "nor of one that was still waited for when the window opened");

    let soak = Soak::begin().await;
    soak.context.recorder.set_phase(Phase::Latency);
    soak.context.recorder.set_phase(Phase::Steady);
    passes(1).await;
    let soak = Soak { due: soak.context.recorder.mark(), ..soak };
    soak.shows(0, "end", None);
    soak.ends_with(&["a"]);
    assert_eq!(vec!["a"], soak.missed(), "what comes after the window is the gateway's");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_where_we_were_not_there_ourselves_or_are_to_stop() {
    let soak = Soak::begin().await;
    let now = crate::clock::now();
    soak.context.recorder.stalls.add(now.checked_sub(Duration::from_millis(300)).unwrap(), now);
    soak.shows(0, "end", None);
    soak.ends_with(&["a"]);
    assert!(soak.missed().is_empty());

    let soak = Soak::begin().await;
    soak.ends_with(&["a"]);
    soak.context.schedule.stop.request(crate::journal::EndReason::Signal, "enough");
    passes(60).await;
    assert!(soak.missed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_of_lines_that_cannot_be_compared() {
    let soak = Soak::begin().await;
    soak.shows(0, "log", None);
    soak.shows(0, "end", None);
    soak.ends_with(&["a"]);
    assert!(soak.missed().is_empty(), "the streams' lines have no text");

    let soak = Soak::begin().await;
    soak.shows(0, "end", None);
    soak.ends_with(&[]);
    assert!(soak.missed().is_empty(), "the run has none");
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_bounded_and_a_run_is_watched_only_while_it_waits() {
    let soak = Soak::begin().await;
    for number in 0..=WAITING_MAX {
        let run = number.to_string();
        let watch = soak.context.deliveries.watched.watch(&run).unwrap();
        soak.context.deliveries.compare(&run, &watch, vec!["a".to_owned()], soak.due);
    }
    assert_eq!(WAITING_MAX, soak.context.deliveries.runs_waiting());
    let watched = |run: usize| Arc::strong_count(&soak.context.deliveries.watched.watch(&run.to_string()).unwrap()) > 2;
    assert!(watched(0) && !watched(WAITING_MAX));
    passes(60).await;
    soak.context.deliveries.settle();
    assert_eq!((0, false), (soak.context.deliveries.runs_waiting(), watched(0)));
}

#[tokio::test(start_paused = true)]
async fn equal_lines_are_counted_as_often_as_they_were_shown() {
    let soak = Soak::begin().await;
    soak.shows(0, "log", Some("a"));
    soak.shows_equal("a");
    soak.shows(0, "end", None);
    soak.ends_with(&["a", "a", "a"]);
    assert_eq!((vec!["a".to_owned()], 1), (soak.missed(), soak.count(Counter::LinesEqual)));
}

#[tokio::test(start_paused = true)]
async fn a_line_that_all_were_shown_more_often_than_the_run_has_it_is_repeated_also_in_a_window() {
    for in_window in [false, true] {
        let soak = Soak::begin().await;
        if in_window {
            soak.context.recorder.set_phase(Phase::Latency);
        }
        soak.shows(0, "log", Some("a"));
        soak.shows_equal("a");
        soak.shows(0, "log", Some("b"));
        soak.shows(0, "end", None);
        soak.ends_with(&["a", "b"]);
        soak.context.deliveries.settle();
        soak.context.recorder.flush();
        let [Finding::EventDuplicated { stream, line, why, .. }] = &findings(&soak.config.folder)[..] else { panic!() };
        assert_eq!(
            (1, "of the workspace", "a"),
            (soak.count(Counter::EventsDuplicated), stream.as_str(), line.as_str())
        );
        assert!(why.contains("delivered 2 times") && why.contains("has it 1 times"), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn equal_lines_without_a_complete_record_are_undecided() {
    let soak = Soak::begin().await;
    for line in ["a", "b"] {
        soak.shows(0, "log", Some(line));
    }
    soak.shows_equal("b");
    soak.shows(0, "end", None);
    soak.ends_with(&["b"]);
    assert!(soak.missed().is_empty());
    assert_eq!((1, 0), (soak.count(Counter::LinesEqualUndecided), soak.count(Counter::EventsDuplicated)));
    assert_eq!(1, soak.count(Counter::RecordsShorter));

    let soak = Soak::begin().await;
    soak.shows(0, "log", Some("a"));
    soak.shows_equal("a");
    soak.context.deliveries.give_up("run");
    assert_eq!(1, soak.count(Counter::LinesEqualUndecided), "nor without any");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_no_stream_shows_is_missed_once_the_grace_is_over() {
    let soak = Soak::begin().await;
    soak.shows_another_end();
    soak.shows(0, "log", Some("a"));
    soak.ends_with(&["a"]);
    passes(9).await;
    assert!(soak.missed().is_empty(), "it may be late");
    passes(1).await;
    assert_eq!((vec!["end".to_owned()], 0), (soak.missed(), soak.count(Counter::EndsShown)));

    let soak = Soak::begin().await;
    soak.shows_another_end();
    soak.shows(0, "log", Some("a"));
    soak.ends_with(&["a"]);
    passes(9).await;
    soak.shows(1, "end", None);
    assert!(soak.missed().is_empty());
    assert_eq!((1, 0), (soak.count(Counter::EndsShown), soak.context.deliveries.runs_waiting()));
}

#[tokio::test(start_paused = true)]
async fn an_end_is_not_missed_where_no_stream_of_the_workspace_ever_shows_one() {
    let soak = Soak::begin().await;
    soak.shows(0, "log", Some("a"));
    soak.ends_with(&["a"]);
    passes(60).await;
    assert!(soak.missed().is_empty());
    assert_eq!((1, 0), (soak.count(Counter::EndsNotShown), soak.count(Counter::EndsShown)));

    // On the stream of the run it was.
    let soak = Soak::begin().await;
    soak.shows_another_end();
    soak.shows(0, "log", Some("a"));
    let data = serde_json::json!({ "type": "end", "run_id": "run" });
    let event = LogEvent::read(&soak.context.calls.client.dialect().events, "end", &data.to_string()).unwrap();
    soak.context.deliveries.enter_beside(&event, crate::clock::now());
    soak.ends_with(&["a"]);
    passes(60).await;
    assert!(soak.missed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_end_is_not_missed_across_a_restart() {
    let soak = Soak::begin().await;
    soak.shows_another_end();
    soak.shows(0, "log", Some("a"));
    soak.ends_with(&["a"]);
    soak.context.recorder.set_phase(Phase::GatewayRestart);
    soak.context.recorder.set_phase(Phase::Steady);
    passes(60).await;
    assert!(soak.missed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_long_run_is_compared_beyond_the_lines_that_are_counted_one_by_one() {
    let soak = Soak::begin().await;
    let lines: Vec<String> = (0..3_000).map(|n| format!("line {n}")).collect();
    lines.iter().filter(|line| *line != "line 2222").for_each(|line| soak.shows(0, "log", Some(line)));
    soak.shows(0, "end", None);
    soak.ends_with(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(vec!["line 2222"], soak.missed());
}
