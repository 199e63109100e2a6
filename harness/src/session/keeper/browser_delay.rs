//! The delay with which the stream that asks as a browser does shows events, compared with the others.

use tokio::time::Instant;

use crate::{
    clock,
    gateway::LogEvent,
    journal::Timing,
    plan::log_stream_name,
    session::Context,
    streams::{content_hash, event_hash},
};

/// Maximum number of streams, evenly spread, whose later showings of an event count: to hash its content takes time.
const COMPARED: usize = 16;

/// The connection of the stream while it lives: also where its keeper is dropped midway.
#[derive(Debug)]
pub(super) struct OpenAsABrowser(Context);

impl OpenAsABrowser {
    pub(super) fn begin(context: &Context) -> Self {
        context.shared_streams.as_a_browser.opened(clock::now());
        Self(context.clone())
    }
}

impl Drop for OpenAsABrowser {
    fn drop(&mut self) {
        let closed = clock::now();
        for first in self.0.shared_streams.as_a_browser.closed() {
            held_back(&self.0, first, closed);
        }
    }
}

/// The workspace log stream `client` shows an event: the one that asks as a browser does, or another.
pub(super) fn compare_with_browser(
    context: &Context,
    (client, is_browser): (usize, bool),
    is_first: bool,
    log: &LogEvent,
    arrived: Instant,
) {
    let content = || event_hash(&log.stamp, content_hash(&log.unstamped));
    let browser = &context.shared_streams.as_a_browser;
    if is_browser {
        if let Some(first) = browser.shows(content()) {
            held_back(context, first, arrived);
        }
    } else if is_first {
        browser.is_owed(content(), arrived);
    } else if is_compared(client, context.schedule.plan.scenario.streams.count as usize) {
        browser.is_shown_again(content(), arrived);
    }
}

const fn is_compared(client: usize, streams: usize) -> bool {
    client.is_multiple_of(streams.div_ceil(COMPARED))
}

fn held_back(context: &Context, first: Instant, shown: Instant) {
    let streams = context.schedule.plan.scenario.streams.count as usize;
    let stream = format!("stream {}", log_stream_name(streams.saturating_sub(1), streams));
    let took = context.recorder.between(first, shown);
    context.recorder.time_of(Timing::ShownAsABrowser, took, context.recorder.mark(), &stream);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_sixteen_streams_are_compared_evenly_spread() {
        let compared = |streams: usize| (0..streams).filter(move |client| is_compared(*client, streams));
        for streams in [2, 16, 20, 1_000, 10_000] {
            assert!((1..=COMPARED).contains(&compared(streams).count()), "{streams}");
        }
        assert_eq!((16, Some(9_375)), (compared(10_000).count(), compared(10_000).next_back()));
    }
}
