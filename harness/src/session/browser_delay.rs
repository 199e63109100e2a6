//! How much later than the others the stream that asks as a browser does shows events.

use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::time::Instant;

use super::Context;
use crate::{clock, gateway::LogEvent, journal::Timing, plan::log_stream_name};

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
            context.held_back(first, closed);
        }
    }
}

impl Context {
    /// A workspace log stream shows an event, be it the one that asks as a browser does or another.
    pub(super) fn hold_against_browser(&self, is_browser: bool, is_first: bool, log: &LogEvent, arrived: Instant) {
        let mut hasher = DefaultHasher::new();
        (&log.stamp, &log.unstamped).hash(&mut hasher);
        let content = hasher.finish();
        let browser = self.shared_streams.as_a_browser();
        if is_browser {
            if let Some(first) = browser.shows(content) {
                self.held_back(first, arrived);
            }
        } else if is_first {
            browser.is_owed(content, arrived);
        }
    }

    fn held_back(&self, first: Instant, shown: Instant) {
        let streams = self.plan.scenario.streams.count as usize;
        let stream = format!("stream {}", log_stream_name(streams.saturating_sub(1), streams));
        let took = self.recorder.between(first, shown);
        self.recorder.time_of(Timing::ShownAsABrowser, took, self.recorder.mark(), &stream);
    }
}
