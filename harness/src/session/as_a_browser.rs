//! One of the workspace log streams accepts content codings, as a browser does, and is compared with the others.
//!
//! Proxies before a gateway compress for clients that accept it, and a compressor that is not flushed after every event
//! holds events back until its buffer is full. Other clients never see that. So one stream accepts it, and each event
//! that another stream shows while it is open is timed until it shows it too: by one clock, S2's, and over one network.
//! The time begins when the latest of several other streams that show the event before it does so, since a gateway
//! writes to thousands of streams one after another. An event that it has not shown when its connection ends is held
//! back at least until then.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// Maximum number of events that the stream has not shown yet, which are proof enough; the oldest are dropped first.
const PENDING_MAX: usize = 8_192;
/// Time after the opening in which events that another stream shows are not owed: they may have been sent before.
const OPENING_MARGIN: Duration = Duration::from_secs(2);

/// Maximum time from the first showing to the latest that counts: a slow stream, or one that comes back, excuses no more.
const WRITTEN_WITHIN: Duration = Duration::from_millis(250);

/// Delay of the stream that asks as a browser does, compared with the others.
#[derive(Debug, Default)]
pub(super) struct AsABrowser(Mutex<BrowserState>);

#[derive(Debug, Default)]
struct BrowserState {
    /// Time of its last opening; none while it is away.
    open_since: Option<Instant>,
    /// When another stream showed an event, first and latest, by the event's content.
    pending: HashMap<u64, (Instant, Instant)>,
    order: VecDeque<(u64, Instant)>,
}

impl AsABrowser {
    pub(super) fn opened(&self, now: Instant) {
        self.0.lock().open_since = Some(now);
    }

    /// Its connection is over. Gives the times at which others showed the events that it has not shown.
    pub(super) fn closed(&self) -> Vec<Instant> {
        let mut state = self.0.lock();
        state.open_since = None;
        state.order.clear();
        state.pending.drain().map(|(_, (_, latest))| latest).collect()
    }

    pub(super) fn is_owed(&self, content: u64, first: Instant) {
        let mut state = self.0.lock();
        let owes = state.open_since.is_some_and(|since| first.saturating_duration_since(since) >= OPENING_MARGIN);
        if !owes || state.pending.contains_key(&content) {
            return;
        }
        state.pending.insert(content, (first, first));
        state.order.push_back((content, first));
        if state.order.len() > PENDING_MAX
            && let Some((oldest, first)) = state.order.pop_front()
            && state.pending.get(&oldest).is_some_and(|(pending, _)| *pending == first)
        {
            state.pending.remove(&oldest);
        }
    }

    /// A further stream shows an event.
    pub(super) fn is_shown_again(&self, content: u64, at: Instant) {
        if let Some((first, latest)) = self.0.lock().pending.get_mut(&content) {
            *latest = at.min(*first + WRITTEN_WITHIN).max(*latest);
        }
    }

    /// It shows an event. Gives the time at which another stream showed it before, if it owed it.
    pub(super) fn shows(&self, content: u64) -> Option<Instant> {
        self.0.lock().pending.remove(&content).map(|(_, latest)| latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn an_event_that_another_stream_shows_is_owed_from_two_seconds_after_the_opening_on() {
        let (browser, opened) = (AsABrowser::default(), clock::now());
        let after = |ms: u64| opened + Duration::from_millis(ms);
        browser.is_owed(1, opened);
        assert_eq!(None, browser.shows(1), "it was not open");
        browser.opened(opened);
        browser.is_owed(1, after(1_999));
        browser.is_owed(2, after(2_000));
        browser.is_owed(3, after(2_100));
        assert_eq!([None, Some(after(2_000)), None], [browser.shows(1), browser.shows(2), browser.shows(2)]);
        assert_eq!(vec![after(2_100)], browser.closed());
        browser.is_owed(4, after(9_000));
        assert_eq!(Vec::<Instant>::new(), browser.closed(), "it was away");
    }

    #[test]
    fn what_thousands_of_streams_are_shown_one_after_another_is_late_from_the_latest_on() {
        let (browser, opened) = (AsABrowser::default(), clock::now());
        let after = |ms: u64| opened + Duration::from_millis(ms);
        browser.opened(opened);
        browser.is_owed(1, after(3_000));
        browser.is_shown_again(1, after(3_200));
        browser.is_shown_again(1, after(3_100));
        assert_eq!(Some(after(3_200)), browser.shows(1));
        browser.is_shown_again(1, after(3_300));
        assert_eq!(None, browser.shows(1), "it has shown it before that one");
        browser.is_owed(2, after(4_000));
        browser.is_shown_again(2, after(4_200));
        assert_eq!(vec![after(4_200)], browser.closed());
    }

    #[test]
    fn one_slow_stream_does_not_excuse_it() {
        let (browser, opened) = (AsABrowser::default(), clock::now());
        browser.opened(opened);
        let first = opened + OPENING_MARGIN;
        browser.is_owed(1, first);
        browser.is_shown_again(1, first + Duration::from_secs(3));
        assert_eq!(Some(first + WRITTEN_WITHIN), browser.shows(1));
    }

    #[test]
    fn what_is_owed_is_bounded_and_the_oldest_goes_first() {
        let (browser, opened) = (AsABrowser::default(), clock::now());
        browser.opened(opened);
        for content in 0..2 * PENDING_MAX as u64 {
            browser.is_owed(content, opened + OPENING_MARGIN);
        }
        assert_eq!(None, browser.shows(0));
        assert!(browser.shows(2 * PENDING_MAX as u64 - 1).is_some());
        assert_eq!(PENDING_MAX - 1, browser.closed().len());
        // Equal events count once.
        browser.opened(opened);
        for number in 0..4 * PENDING_MAX as u64 {
            browser.is_owed(number / 2, opened + OPENING_MARGIN + Duration::from_nanos(number));
        }
        assert_eq!(PENDING_MAX, browser.closed().len());
    }
}
