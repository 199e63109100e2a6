//! An event of a workspace log stream is entered in the ledger, and its way here is timed.

use std::time::Duration;

use super::{Keeper, browser_delay::compare_with_browser};
use crate::{
    clock,
    gateway::{LogEvent, StreamEvent},
    journal::{Counter, Finding, Timing, clip},
    session::Entered,
    streams::DeliveryKind,
};

impl Keeper<'_> {
    /// Enters an event of a workspace log stream in the ledger and for its run, and records its delivery time.
    pub(super) fn enter(
        &self,
        client: usize,
        event: &StreamEvent,
        log: &LogEvent,
        opened_at: jiff::Timestamp,
    ) -> Entered {
        let mark = self.context.recorder.mark_at(event.arrived);
        // Ids are a few dozen characters; of a longer one the start tells it apart well enough.
        let id = &clip(event.content.id.as_deref().unwrap_or_default());
        let got = log.delivery(id);
        let entered = self.context.deliveries.enter(client, &got, event.arrived);
        let delivered = entered.delivered;
        compare_with_browser(self.context, self.kept.as_a_browser, delivered.is_first, log, event.arrived);
        if let DeliveryKind::Again { same_id } = delivered.sighting {
            self.context.recorder.count(Counter::EventsDuplicated, mark);
            self.context.recorder.incident(Finding::EventDuplicated {
                stream: self.kept.name.clone(),
                run: clip(&log.run_id),
                id: clip(id),
                same_id,
                line: clip(got.line()),
                why: String::new(),
            });
        }
        let first_shown = if got.is_end() { Timing::EndFirstShown } else { Timing::LineFirstShown };
        let first_shown = delivered.is_first.then_some(first_shown);
        self.context.recorder.delivered(mark, self.on_its_way(event, log, opened_at), first_shown, &log.run_id);
        entered
    }

    /// The time between the writing of an event and its arrival here; none where it is unknown.
    pub(super) fn on_its_way(
        &self,
        event: &StreamEvent,
        log: &LogEvent,
        opened_at: jiff::Timestamp,
    ) -> Option<Duration> {
        let written_at = log.timestamp.filter(is_told_finely)?;
        // Without the gateway's clock, told finely, nothing can be said of how long an event was on its way.
        let written_us = written_at.as_microsecond() - self.context.shared_gateway.clock().fine_offset_us()?;
        // What was written before the stream opened was replayed, and says nothing about how long writing takes.
        if written_us < opened_at.as_microsecond() {
            return None;
        }
        let waited = clock::now().saturating_duration_since(event.arrived);
        let arrived_us = clock::wall_now().as_microsecond() - i64::try_from(waited.as_micros()).unwrap_or(0);
        let took = Duration::from_micros(u64::try_from(arrived_us - written_us).unwrap_or(0));
        let written = event.arrived.checked_sub(took).unwrap_or(event.arrived);
        Some(self.context.recorder.between(written, event.arrived))
    }
}

/// Whether a time says more than the second. One that does not says nothing of milliseconds; and of those that do, one that
/// happens to be whole is not missed.
fn is_told_finely(at: &jiff::Timestamp) -> bool {
    at.subsec_nanosecond() != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_told_to_the_second_times_nothing() {
        let is_fine = |time: &str| is_told_finely(&time.parse().unwrap());
        assert!(!is_fine("2026-11-23T10:00:07Z") && !is_fine("2026-11-23T10:00:07.000Z"));
        assert!(is_fine("2026-11-23T10:00:07.001Z") && is_fine("1969-12-31T23:59:59.999999Z"));
    }
}
