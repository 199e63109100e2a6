//! What the workspace streams showed of a run, held against what the run has. The ledger's clients are each other's
//! oracle: what none of them was shown, none of them misses. Only the run's own record tells of that.
//!
//! Nothing is said of a run unless some client was there for it all through, from before it was due until it is judged;
//! nor where a chaos window lies in that time, or a stall of ours. What a stream shows, it shows in order: once such a
//! client has shown the run's end, what it lacks will not come any more. Else the ledger's grace is waited for.
//!
//! A line that was shown once is taken to have been shown as often as the run has it. Two that say the same at the same
//! time look like one that two clients were shown, and a healthy gateway must not be accused.

use std::{
    collections::{HashSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Context, Mark, Watch, ledger};
use crate::journal::{Counter, Finding, clip};

/// Lines of one run that are remembered, as hashes. Of a run that shows more nothing is said.
const LINES_MAX: usize = 1_024;
/// Lines of one run that are said to be missed. Of the rest nothing is said: one is enough to say what is wrong.
const LACKING_MAX: usize = 64;
/// Runs that wait for their lines at once. Of one that comes on top of these nothing is said.
const WAITING_MAX: usize = 256;

/// What the workspace streams have shown of one run.
#[derive(Debug, Default)]
pub(super) struct Heard {
    lines: HashSet<u64>,
    /// The clients that were shown its end, a bit each.
    ended_by: u128,
    /// It has shown more than is remembered, or a line that could not be read.
    is_unknown: bool,
}

impl Heard {
    /// A client was shown a log line; none where the event has no message that could be read.
    pub(super) fn line(&mut self, message: Option<&str>) {
        let Some(message) = message else {
            self.is_unknown = true;
            return;
        };
        let line = hash(message);
        if self.lines.len() < LINES_MAX {
            self.lines.insert(line);
        } else if !self.lines.contains(&line) {
            self.is_unknown = true;
        }
    }

    /// A client was shown the run's end.
    pub(super) fn end(&mut self, client: usize) {
        self.ended_by |= u32::try_from(client).ok().and_then(|client| 1_u128.checked_shl(client)).unwrap_or(0);
    }
}

/// Runs that have ended, and have lines that no workspace stream has shown yet.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<VecDeque<Ended>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Ended>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that has ended in success.
#[derive(Debug)]
struct Ended {
    run: String,
    watch: Arc<Watch>,
    due: Mark,
    /// When its end was known; milliseconds as the ledger counts them.
    known_ms: u64,
    /// Lines that it has and that no stream has shown: a hash of each, and its text for who reads of it.
    lacking: Vec<(u64, String)>,
}

/// What was going on while a run was played, and since.
#[derive(Debug, Clone, Copy)]
struct Around {
    /// The clients that were there all through, a bit each.
    there: u128,
    /// No window was open, and we were there ourselves.
    is_calm: bool,
    now_ms: u64,
}

/// What there is to be said of a run by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// Nothing, for good.
    Nothing,
    /// Nothing yet: what it lacks may still come.
    NotYet,
    /// What it lacks was missed.
    Missed,
}

impl Ended {
    fn say(&mut self, heard: &Heard, around: Around) -> Said {
        self.lacking.retain(|(line, _)| !heard.lines.contains(line));
        if self.lacking.is_empty() || heard.is_unknown || !around.is_calm || around.there == 0 {
            return Said::Nothing;
        }
        let is_shown_out = heard.ended_by & around.there != 0;
        let is_over = around.now_ms >= self.known_ms.saturating_add(ledger::GRACE_MS);
        if is_shown_out || is_over { Said::Missed } else { Said::NotYet }
    }
}

impl Context {
    /// A watched run has ended in success, and these are the log lines that it has. What no workspace stream showed of them
    /// is taken down as missed, now or once it could have come. The run is forgotten when that is settled.
    pub fn hold_against_streams(&self, run: &str, watch: &Arc<Watch>, lines: &[&str], due: Mark) {
        let mut known = HashSet::new();
        let lines = lines.iter().map(|line| (hash(line), line)).filter(|(line, _)| known.insert(*line));
        let lacking = watch.with_heard(|heard| {
            let lacking = lines.filter(|(line, _)| !heard.lines.contains(line));
            lacking.take(LACKING_MAX).map(|(line, text)| (line, clip(text))).collect()
        });
        let known_ms = self.ledger_ms();
        let mut ended = Ended { run: run.to_owned(), watch: Arc::clone(watch), due, known_ms, lacking };
        if self.settle(&mut ended) || !self.keep_waiting(ended) {
            self.board.forget(run);
        }
    }

    /// Whether there was room for another.
    fn keep_waiting(&self, ended: Ended) -> bool {
        let mut waiting = self.board.waiting().lock();
        let has_room = waiting.len() < WAITING_MAX;
        if has_room {
            waiting.push_back(ended);
        }
        has_room
    }

    /// Takes down what has been missed by now of runs that have ended.
    pub(super) fn settle_runs(&self) {
        self.board.waiting().lock().retain_mut(|ended| {
            let is_settled = self.settle(ended);
            if is_settled {
                self.board.forget(&ended.run);
            }
            !is_settled
        });
    }

    /// How many runs have ended that may still be shown. At the end of a soak this is waited for.
    pub(super) fn runs_waiting(&self) -> usize {
        self.board.waiting().lock().len()
    }

    /// Says of a run what there is to be said; `false` where that is nothing yet.
    fn settle(&self, ended: &mut Ended) -> bool {
        let now = crate::clock::now();
        let is_ours = !self.recorder.stalls().within(ended.due.at, now).is_zero();
        let around = Around {
            there: self.ledger().there_since(self.ledger_ms_at(ended.due.at)),
            is_calm: !is_ours && self.recorder.is_calm_since(ended.due.at) && !self.stop.is_requested(),
            now_ms: self.ledger_ms(),
        };
        let watch = Arc::clone(&ended.watch);
        match watch.with_heard(|heard| ended.say(heard, around)) {
            Said::Nothing => {}
            Said::NotYet => return false,
            Said::Missed => self.take_down_missed(ended),
        }
        true
    }

    fn take_down_missed(&self, ended: &Ended) {
        tracing::debug!("no workspace stream showed {} log lines of run {}", ended.lacking.len(), ended.run);
        self.recorder.add(Counter::EventsMissed, ended.lacking.len() as u64, ended.due);
        for (_, line) in &ended.lacking {
            let (stream, run) = ("of the workspace".to_owned(), clip(&ended.run));
            let missed = Finding::EventMissed { stream, run, id: line.clone(), seen_by: 0 };
            self.recorder.incident_since(missed, ended.due);
        }
    }
}

fn hash(line: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        gateway::LogEvent,
        judge::Scope,
        plan::Phase,
        session::tests::{config, context, findings, short},
    };

    /// A run that became due a few seconds ago, with two clients that were there before.
    struct Soak {
        context: Context,
        config: crate::session::SessionConfig,
        watch: Arc<Watch>,
        due: Mark,
        _out: tempfile::TempDir,
    }

    impl Soak {
        async fn begin() -> Self {
            let out = tempfile::tempdir().unwrap();
            let config = config(out.path(), "http://127.0.0.1:9", &short(2));
            let context = context(&config);
            (0..2).for_each(|client| context.ledger().opened(client, 0, false));
            passes(3).await;
            let watch = context.board.watch("run").unwrap();
            let due = context.recorder.mark();
            passes(1).await;
            Self { context, config, watch, due, _out: out }
        }

        fn shows(&self, client: usize, kind: &str, message: Option<&str>) {
            let data = serde_json::json!({ "type": kind, "run_id": "run", "message": message });
            let event = LogEvent::read(&self.context.client.dialect().events, kind, &data.to_string()).unwrap();
            self.context.board.saw(&event, crate::clock::now(), Some(client));
        }

        fn ends_with(&self, lines: &[&str]) {
            self.context.hold_against_streams("run", &self.watch, lines, self.due);
        }

        /// The lines that were missed so far, each a finding and counted once.
        fn missed(&self) -> Vec<String> {
            self.context.settle_ledger();
            self.context.recorder.flush();
            let counted = self.context.recorder.with_digest(|d| d.counter(Counter::EventsMissed, Scope::All));
            let found = findings(&self.config.folder).into_iter().map(|finding| match finding {
                Finding::EventMissed { stream, run, id, seen_by: 0 } => {
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
        soak.ends_with(&["a", "b", "b"]);
        assert_eq!(0, soak.context.runs_waiting());
        passes(60).await;
        assert!(soak.missed().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_only_the_run_has_is_missed_once_as_soon_as_its_end_is_shown() {
        let soak = Soak::begin().await;
        soak.shows(0, "log", Some("a"));
        soak.ends_with(&["a", "b", "c", "c"]);
        passes(2).await;
        assert!(soak.missed().is_empty(), "it may still come");
        soak.shows(1, "log", Some("b"));
        soak.shows(1, "end", None);
        assert_eq!(vec!["c"], soak.missed());
        passes(60).await;
        assert_eq!((vec!["c".to_owned()], 0), (soak.missed(), soak.context.runs_waiting()));
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
        soak.context.ledger().lost(0);
        soak.context.ledger().opened(0, soak.context.ledger_ms(), true);
        soak.context.ledger().lost(1);
        soak.shows(0, "end", None);
        soak.ends_with(&["a"]);
        assert_eq!(0, soak.context.runs_waiting());
        passes(60).await;
        assert!(soak.missed().is_empty());

        let soak = Soak::begin().await;
        soak.ends_with(&["a"]);
        (0..2).for_each(|client| soak.context.ledger().lost(client));
        passes(60).await;
        assert!(soak.missed().is_empty(), "nor where all have left before the line could come");
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_that_one_was_shown_who_came_later_settles_nothing() {
        let soak = Soak::begin().await;
        soak.context.ledger().lost(1);
        soak.context.ledger().opened(1, soak.context.ledger_ms(), false);
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
        soak.context.recorder.stalls().add(now.checked_sub(Duration::from_millis(300)).unwrap(), now);
        soak.shows(0, "end", None);
        soak.ends_with(&["a"]);
        assert!(soak.missed().is_empty());

        let soak = Soak::begin().await;
        soak.ends_with(&["a"]);
        soak.context.stop.request(crate::journal::EndReason::Signal, "enough");
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
        (0..=LINES_MAX).for_each(|n| soak.shows(0, "log", Some(&n.to_string())));
        soak.shows(0, "end", None);
        soak.ends_with(&["a"]);
        assert!(soak.missed().is_empty(), "there are more than are remembered");

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
            let watch = soak.context.board.watch(&run).unwrap();
            soak.context.hold_against_streams(&run, &watch, &["a"], soak.due);
        }
        assert_eq!(WAITING_MAX, soak.context.runs_waiting());
        let watched = |run: usize| Arc::strong_count(&soak.context.board.watch(&run.to_string()).unwrap()) > 2;
        assert!(watched(0) && !watched(WAITING_MAX));
        passes(60).await;
        soak.context.settle_ledger();
        assert_eq!((0, false), (soak.context.runs_waiting(), watched(0)));
    }
}
