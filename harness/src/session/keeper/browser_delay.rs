//! How much later than the others the stream that asks as a browser does shows events.

use tokio::time::Instant;

use crate::{
    clock,
    gateway::LogEvent,
    journal::Timing,
    plan::log_stream_name,
    session::Context,
    streams::{content_hash, event_hash},
};

/// The connection of the stream, for as long as it lives: also where its keeper is dropped in the middle.
#[derive(Debug)]
pub(super) struct OpenAsABrowser(Context);

impl OpenAsABrowser {
    pub(super) fn begin(context: &Context) -> Self {
        context.shared_streams.as_a_browser().opened(clock::now());
        Self(context.clone())
    }
}

impl Drop for OpenAsABrowser {
    fn drop(&mut self) {
        let Self(context) = self;
        let closed = clock::now();
        for first in context.shared_streams.as_a_browser().closed() {
            held_back(context, first, closed);
        }
    }
}

/// A workspace log stream shows an event, be it the one that asks as a browser does or another.
pub(super) fn compare_with_browser(
    context: &Context,
    is_browser: bool,
    is_first: bool,
    log: &LogEvent,
    arrived: Instant,
) {
    let content = || event_hash(&log.stamp, content_hash(&log.unstamped));
    let browser = context.shared_streams.as_a_browser();
    if is_browser {
        if let Some(first) = browser.shows(content()) {
            held_back(context, first, arrived);
        }
    } else if is_first {
        browser.is_owed(content(), arrived);
    }
}

fn held_back(context: &Context, first: Instant, shown: Instant) {
    let streams = context.schedule.plan.scenario.streams.count as usize;
    let stream = format!("stream {}", log_stream_name(streams.saturating_sub(1), streams));
    let took = context.recorder.between(first, shown);
    context.recorder.time_of(Timing::ShownAsABrowser, took, context.recorder.mark(), &stream);
}
