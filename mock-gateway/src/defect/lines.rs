//! Effects of defects and oddities on the log lines of a run: on its streams, and in its record.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use super::{Defect, Faults};
use crate::clock;
use crate::runs::LogLine;

/// How often a run logs an equal line.
const EQUAL_LINES: usize = 3;
/// Characters of a long line, and of what the record or the streams keep of it.
const LONG_LINE_CHARS: usize = 3_000;
const KEPT_CHARS: usize = 2_048;
/// Lines that a record keeps at most, the last ones.
const RECORD_TAIL: usize = 2;

const NO_END_SHARE: f64 = 0.04;
const LONG_RUNS_SHARE: f64 = 0.025;
/// Lines of a long run beyond the ordinary ones, and which of them are on no stream.
const LONG_RUN_LINES: usize = 1_200;
const LONG_RUN_LOSES_EVERY: usize = 50;
const LATE_END: Duration = Duration::from_secs(4);

/// All streams stand still for the last part of each cycle.
const STALL_EVERY: Duration = Duration::from_secs(10);
const STALL: Duration = Duration::from_millis(1_200);

impl Faults {
    /// The moment that the copies of an equal line share; none where a line is logged once.
    pub(crate) fn shared_moment(&self) -> Option<Timestamp> {
        let is_shared = self.has(Defect::EqualLines);
        is_shared.then(|| {
            let now = self.wall(clock::wall());
            Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
        })
    }

    /// How often a run logs its second line.
    pub(crate) fn copies_of_line(&self) -> usize {
        if self.has(Defect::EqualLines) { EQUAL_LINES } else { 1 }
    }

    /// A line as the run logs it.
    pub(crate) fn lengthened(&self, line: String) -> String {
        let is_long = self.has(Defect::RecordCut) || self.has(Defect::CutOnStreams);
        let lacks = if is_long { LONG_LINE_CHARS.saturating_sub(line.chars().count()) } else { 0 };
        let filler = "; and so it went on, item by item".chars().cycle();
        line.chars().chain(filler.take(lacks)).collect()
    }

    /// A line as the run's record has it.
    pub(crate) fn recorded(&self, line: &str) -> String {
        let line = if self.has(Defect::RecordCut) { cut(line) } else { Cow::Borrowed(line) };
        if self.has(Defect::PrefixedRecord) {
            return format!("{} INFO {line}", clock::rfc3339_millis(clock::wall()));
        }
        line.into_owned()
    }

    /// A line as the streams tell it.
    pub(crate) fn streamed<'a>(&self, line: &'a str) -> Cow<'a, str> {
        if self.has(Defect::CutOnStreams) { cut(line) } else { Cow::Borrowed(line) }
    }

    /// The line that a run logs together with another one; none where an event is a line.
    pub(crate) fn second_of_batch(&self, line: &str) -> Option<String> {
        self.has(Defect::BatchedLines).then(|| format!("{line}, as planned"))
    }

    /// Drops what a run's record does not keep.
    pub(crate) fn shorten_record(&self, lines: &mut Vec<LogLine>) {
        if self.has(Defect::RecordTail) {
            lines.drain(..lines.len().saturating_sub(RECORD_TAIL));
        }
    }

    /// Whether no stream is told that a run has ended.
    pub(crate) fn hides_end(&self) -> bool {
        self.strikes(Defect::NoEnd, NO_END_SHARE)
    }

    /// Returns the time from a run's end to the event that reports it.
    pub(crate) fn end_told_after(&self) -> Option<Duration> {
        self.has(Defect::LateEnd).then_some(LATE_END)
    }

    /// How many lines a run logs beyond the ordinary ones.
    pub(crate) fn further_lines(&self) -> usize {
        if self.strikes(Defect::LongRunsLose, LONG_RUNS_SHARE) { LONG_RUN_LINES } else { 0 }
    }

    /// Whether a further line is on no stream.
    pub(crate) fn loses_further_line(&self, number: usize) -> bool {
        number.is_multiple_of(LONG_RUN_LOSES_EVERY)
    }

    /// Waits while all streams stand still.
    pub(super) async fn stand_still(&self) {
        if self.has(Defect::StallingWrites)
            && let Some(until) = stalled_until(self.born, clock::now())
        {
            sleep_until(until).await;
        }
    }
}

/// The end of the stall that a moment falls into.
fn stalled_until(born: Instant, now: Instant) -> Option<Instant> {
    let age = now.saturating_duration_since(born);
    let cycle = Duration::from_nanos(u64::try_from(age.as_nanos() % STALL_EVERY.as_nanos()).unwrap_or(0));
    (cycle >= STALL_EVERY - STALL).then(|| now + (STALL_EVERY - cycle))
}

fn cut(line: &str) -> Cow<'_, str> {
    match line.char_indices().nth(KEPT_CHARS) {
        Some((end, _)) => Cow::Owned(format!("{}…", &line[..end])),
        None => Cow::Borrowed(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn streams_stand_still_for_twelve_percent_of_the_time() {
        let born = clock::now();
        let is_stalled = |ms: u64| stalled_until(born, born + Duration::from_millis(ms));
        let stalled = (0..20_000).filter(|ms| is_stalled(*ms).is_some()).count();
        assert_eq!((stalled, is_stalled(8_799)), (2_400, None));
        assert_eq!(is_stalled(8_800), Some(born + STALL_EVERY));
    }
}
