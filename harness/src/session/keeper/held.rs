//! Guards that count a stream as open, or as closed by S2, while they live: also if the keeper is dropped midway.

use std::sync::{Arc, atomic::Ordering};

use crate::session::{Context, SharedStreams};

/// A stream that is counted as open.
#[derive(Debug)]
pub struct OpenStreamGuard {
    context: Context,
    client: Option<usize>,
    /// Whether it ended unasked.
    pub(super) unasked: bool,
}

impl OpenStreamGuard {
    /// Counts a stream as open; `client` is its number in the ledger, if it is one of the workspace log streams.
    pub fn begin(context: &Context, client: Option<usize>) -> Self {
        context.shared_streams.stream_opened(client.is_some());
        Self { context: context.clone(), client, unasked: false }
    }
}

impl Drop for OpenStreamGuard {
    fn drop(&mut self) {
        self.context.shared_streams.stream_closed(self.client.is_some(), self.unasked);
        if let Some(client) = self.client {
            self.context.deliveries.stream_lost(client);
        }
    }
}

/// A workspace log stream that S2 closed, and that waits for its turn while this lives.
#[derive(Debug)]
pub(super) struct PendingReconnect(Arc<SharedStreams>);

impl PendingReconnect {
    pub(super) fn begin(shared_streams: &Arc<SharedStreams>) -> Self {
        shared_streams.log_streams_resting.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(shared_streams))
    }
}

impl Drop for PendingReconnect {
    fn drop(&mut self) {
        self.0.log_streams_resting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_we_closed_is_well_until_it_has_been_asked_for_again() {
        let shared_streams = Arc::new(SharedStreams::default());
        (0..2).for_each(|_| shared_streams.stream_opened(true));
        let rest = PendingReconnect::begin(&shared_streams);
        shared_streams.stream_closed(true, false);
        shared_streams.stream_closed(true, true);
        assert_eq!(
            (shared_streams.log_streams_open(), shared_streams.log_streams_well()),
            (0, 1),
            "the gateway has lost the other"
        );
        drop(rest);
        assert_eq!(shared_streams.log_streams_well(), 0, "it was asked for and has not come");
        (0..2).for_each(|_| shared_streams.stream_opened(true));
        assert_eq!(shared_streams.log_streams_well(), 2);
    }

    #[test]
    fn the_fewest_streams_are_those_since_they_were_asked_for_before() {
        let shared_streams = SharedStreams::default();
        (0..5).for_each(|_| shared_streams.stream_opened(true));
        let _ = shared_streams.take_least_streams_open();
        (0..3).for_each(|_| shared_streams.stream_closed(true, false));
        (0..2).for_each(|_| shared_streams.stream_opened(false));
        assert_eq!(shared_streams.take_least_streams_open(), 2, "two were left before others came");
        assert_eq!(shared_streams.take_least_streams_open(), 4);
    }
}
