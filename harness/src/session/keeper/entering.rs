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
        let (recorder, mark) = (&self.context.recorder, self.context.recorder.mark_at(event.arrived));
        // Ids are a few dozen characters; the start of a longer one is distinct enough.
        let id = &clip(event.content.id.as_deref().unwrap_or_default());
        let got = log.delivery(id);
        let entered = self.context.deliveries.enter(client, &got, event.arrived);
        let delivered = entered.delivered;
        compare_with_browser(self.context, (client, self.kept.as_a_browser), delivered.is_first, log, event.arrived);
        if let DeliveryKind::Again { same_id } = delivered.sighting {
            recorder.count(Counter::EventsDuplicated, mark);
            let (stream, run, id, line) = (self.kept.name.clone(), clip(&log.run_id), clip(id), clip(got.line()));
            recorder.incident(Finding::EventDuplicated { stream, run, id, same_id, line, why: String::new() });
        }
        let first_shown = if got.is_end() { Timing::EndFirstShown } else { Timing::LineFirstShown };
        let first_shown = delivered.is_first.then_some(first_shown);
        recorder.delivered(mark, self.on_its_way(event, log, opened_at), first_shown, &log.run_id);
        entered
    }

    /// The time between the writing of an event and its arrival here; none where it is unknown.
    pub(super) fn on_its_way(
        &self,
        event: &StreamEvent,
        log: &LogEvent,
        opened_at: jiff::Timestamp,
    ) -> Option<Duration> {
        let written_at = log.timestamp.filter(is_fine)?;
        // The way of an event can be timed only by a gateway's clock of a fine resolution.
        let written_us = written_at.as_microsecond() - self.context.gateway_clock.fine_offset_us()?;
        // An event from before the opening was replayed, and says nothing about the time that delivery takes.
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

/// Whether a time has fractions of a second. Other times say nothing about milliseconds, and few are whole by chance.
fn is_fine(at: &jiff::Timestamp) -> bool {
    at.subsec_nanosecond() != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_told_to_the_second_times_nothing() {
        let is_fine = |time: &str| is_fine(&time.parse().unwrap());
        assert!(!is_fine("2026-11-23T10:00:07Z") && !is_fine("2026-11-23T10:00:07.000Z"));
        assert!(is_fine("2026-11-23T10:00:07.001Z") && is_fine("1969-12-31T23:59:59.999999Z"));
    }
}
