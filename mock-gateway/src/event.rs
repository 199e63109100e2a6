//! An event, from its draft to the bytes on the wire, and whom it concerns.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::clock;
use crate::defect::Reach;

/// Frames take a multiple of this; most of them, once.
const FRAME_STEP_BYTES: usize = 256;

/// The two kinds of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Logs,
    Guard,
}

/// An event that is still to get its id and its time.
pub(crate) struct Draft {
    pub(crate) channel: Channel,
    /// The `event:` field, and `type` in the data.
    pub(crate) kind: &'static str,
    pub(crate) workspace: Arc<str>,
    pub(crate) run: Arc<str>,
    /// Its time, where that is not the moment at which it is logged.
    pub(crate) at: Option<jiff::Timestamp>,
    /// Fields of the data beyond `type`, `run_id` and `timestamp`.
    pub(crate) fields: Map<String, Value>,
}

/// An event as it was logged.
pub(crate) struct Event {
    pub(crate) sequence: u64,
    pub(crate) channel: Channel,
    pub(crate) workspace: Arc<str>,
    pub(crate) run: Arc<str>,
    pub(crate) created: Instant,
    /// The event as it goes over the wire, made once for all streams.
    pub(crate) frame: Bytes,
}

impl Event {
    /// An event that was logged before this process was.
    pub(crate) fn replayed(sequence: u64, audience: (Channel, Arc<str>, Arc<str>), content: &str) -> Self {
        let (channel, workspace, run) = audience;
        let frame = frame(&format!("id: {sequence:012}\n{content}"));
        Self { sequence, channel, workspace, run, created: clock::now(), frame }
    }

    /// The event over the wire under another id.
    pub(crate) fn frame_as(&self, id: &str) -> Bytes {
        frame(&format!("id: {id}\n{}", self.content()))
    }

    /// Its `event:` field.
    pub(crate) fn kind(&self) -> &str {
        let field = self.content().lines().find_map(|line| line.strip_prefix("event: "));
        field.unwrap_or_default()
    }

    /// The event over the wire but for its id.
    pub(crate) fn content(&self) -> &str {
        let text = std::str::from_utf8(&self.frame).expect("a frame is made from text");
        text.split_once('\n').map_or("", |(_, content)| content)
    }
}

/// Which events a stream carries.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Audience {
    pub(crate) channel: Channel,
    pub(crate) workspace: Arc<str>,
    /// One run, or every run of the workspace.
    pub(crate) run: Option<Arc<str>>,
    /// Events that it hears beyond that; none except by a defect.
    pub(crate) reach: Reach,
}

impl Audience {
    pub(crate) fn hears(&self, event: &Event) -> bool {
        self.channel == event.channel
            && (self.workspace == event.workspace || self.reach == Reach::EveryWorkspace)
            && (self.run.as_ref().is_none_or(|run| *run == event.run) || self.reach == Reach::EveryRun)
    }
}

/// A frame in memory of one of a few sizes. Frames come and go for as long as the gateway lives; in sizes all of their
/// own they would leave holes that fit no other, and memory would go on rising for minutes.
pub(crate) fn frame(text: &str) -> Bytes {
    let mut frame = Vec::with_capacity((text.len() + 1).next_multiple_of(FRAME_STEP_BYTES));
    frame.extend_from_slice(text.as_bytes());
    Bytes::from(frame)
}
