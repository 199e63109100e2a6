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

/// A workspace log stream shows an event: the one that asks as a browser does, or another.
pub(super) fn compare_with_browser(
    context: &Context,
    is_browser: bool,
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
    }
}

fn held_back(context: &Context, first: Instant, shown: Instant) {
    let streams = context.schedule.plan.scenario.streams.count as usize;
    let stream = format!("stream {}", log_stream_name(streams.saturating_sub(1), streams));
    let took = context.recorder.between(first, shown);
    context.recorder.time_of(Timing::ShownAsABrowser, took, context.recorder.mark(), &stream);
}
