//! A stream's bytes, put in order before they are parsed: whole events with the fields of the event-stream format.
//!
//! `eventsource-client` gives up on a stream for content that the format ignores: an event with nothing but an unknown
//! field, bytes that are no text. The events that it parsed in the same read are then lost, so the events of a stream
//! would depend on the cuts between its bytes. It also bounds neither a line nor an event. So here events are held
//! until they are whole, ignored lines become empty comments, names of events wait for data, and retry delays take
//! effect at once.
//!
//! An event that is larger than the limit is skipped and reported. The stream is cut if the event seems to have no end.
//!
//! The format: <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::Stream;
use launchdarkly_sdk_transport::TransportError;

use super::{KnownEvents, Oversized, plain_event::plain_event, response_meta::ResponseMeta};

/// Beginning of an oversized event that is kept, to identify it.
const BEGINNING_BYTES_MAX: usize = 512;
/// An event of more than this multiple of the limit has no end that is worth waiting for.
const ENDLESS: usize = 32;
/// A comment that marks a known event. Comments of the gateway are passed without their text.
pub(super) const KNOWN: &[u8] = b"k";
const KNOWN_MARK: &[u8] = b":k\n";
const MARKS: &[u8] = b":k\n:k\n:k\n:k\n:k\n:k\n:k\n:k\n";
/// Maximum length of a line in an oversized event, except for data.
const SHORT_LINE_BYTES_MAX: usize = 4 * 1024;
/// Maximum number of skipped events that wait to be handed out.
const OVERSIZED_MAX: usize = 64;

/// The chunks of an event stream, put in order.
#[derive(Debug)]
pub(super) struct EventLines<S> {
    chunks: S,
    lines: EventBuffer,
}

impl<S> EventLines<S> {
    /// The lines of these chunks, with events of up to `event_bytes_max` bytes. Retry delays, skipped events and known
    /// events go to `meta`: the parser gets a [mark](KNOWN_MARK) in place of each known event.
    pub(super) fn of(
        chunks: S,
        meta: ResponseMeta,
        event_bytes_max: usize,
        known_events: Option<Arc<KnownEvents>>,
    ) -> Self {
        let lines = EventBuffer { meta, is_first: true, event_bytes_max, known_events, ..EventBuffer::default() };
        Self { chunks, lines }
    }
}

impl<S: Stream<Item = Result<Bytes, TransportError>> + Unpin> Stream for EventLines<S> {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            // The events before it were passed on with its chunk.
            if this.lines.is_endless() {
                let bytes = this.lines.event_bytes_max.saturating_mul(ENDLESS);
                let text = format!("an event of over {bytes} bytes; the stream was cut");
                return Poll::Ready(Some(Err(TransportError::new(io::Error::new(io::ErrorKind::InvalidData, text)))));
            }
            let Some(chunk) = ready!(Pin::new(&mut this.chunks).poll_next(cx)?) else {
                return Poll::Ready(Some(this.lines.rest()).filter(|rest| !rest.is_empty()).map(Ok));
            };
            let passed = this.lines.take_in(chunk);
            if !passed.is_empty() {
                return Poll::Ready(Some(Ok(passed)));
            }
        }
    }
}

#[derive(Debug, Default)]
struct EventBuffer {
    meta: ResponseMeta,
    event_bytes_max: usize,
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// Whether the rest of that line is passed over.
    is_cut: bool,
    /// The ended lines of the event so far, in a form that the parser accepts.
    event: Vec<u8>,
    /// Size of the event as it came.
    event_bytes: usize,
    /// Known data of the event, if it is larger than the limit.
    oversized: Option<Oversized>,
    /// Whether no line has ended yet: a byte-order mark may stand before the first.
    is_first: bool,
    /// Whether a carriage return was last: a line feed after it ends no line of its own.
    is_after_cr: bool,
    name: String,
    /// The event's id, where it has one of its own.
    id: Option<String>,
    has_data: bool,
    known_events: Option<Arc<KnownEvents>>,
    /// The id of the last known event, which the parser has not seen.
    known_id: Option<String>,
    /// Whether an event has given an id.
    has_id: bool,
}

impl EventBuffer {
    /// Takes in some bytes. Returns the events that they complete, or a mark for a known event, and the comments.
    fn take_in(&mut self, chunk: Bytes) -> Bytes {
        self.meta.lock().bytes += chunk.len() as u64;
        let mut passed = Passed::of(&chunk);
        let mut rest = &chunk[..];
        loop {
            if self.is_between_events() {
                rest = self.take_plain_events(rest, &mut passed);
            }
            if rest.is_empty() {
                break;
            }
            let end = memchr::memchr2(b'\n', b'\r', rest);
            let (piece, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            rest = after;
            self.give_known_id(passed.bytes());
            self.take_piece(piece, end, passed.bytes());
        }
        passed.into_bytes(&chunk)
    }

    /// Takes in the plain events at the beginning. Returns the bytes after them.
    fn take_plain_events<'a>(&mut self, mut rest: &'a [u8], passed: &mut Passed<'_>) -> &'a [u8] {
        while let Some(event) = plain_event(rest, self.event_bytes_max) {
            rest = &rest[event.length..];
            // An event without an id of its own has the last one.
            let may_be_known = event.has_id || !self.has_id;
            self.has_id |= event.has_id;
            let known = self.known_events.as_ref().zip(event.fields.filter(|_| may_be_known));
            if let Some(known) = known.and_then(|(known, fields)| known.find(&fields)) {
                self.known_id = known.id.clone().or(self.known_id.take());
                self.meta.lock().known.push_back(known);
                passed.mark();
                continue;
            }
            if self.known_id.is_some() {
                self.give_known_id(passed.bytes());
            }
            passed.pass(event.length, rest);
        }
        rest
    }

    /// Passes the id of the last known event, which the parser has not seen.
    fn give_known_id(&mut self, passed: &mut Vec<u8>) {
        if let Some(id) = self.known_id.take() {
            write_field(passed, "id", &id);
        }
    }

    /// Takes in a line up to its end at `end`, or a part of a line.
    fn take_piece(&mut self, piece: &[u8], end: Option<usize>, passed: &mut Vec<u8>) {
        let is_after_cr = std::mem::replace(&mut self.is_after_cr, piece.ends_with(b"\r"));
        if is_after_cr && piece == b"\n" {
            return;
        }
        self.extend(&piece[..end.unwrap_or(piece.len())]);
        if end.is_some() {
            // Taken, so that the memory of a long line is not kept for hours.
            let line = std::mem::take(&mut self.line);
            if !std::mem::take(&mut self.is_cut) {
                self.pass(&line, passed);
            }
        }
    }

    /// Whether nothing is held of an event or of a line.
    fn is_between_events(&self) -> bool {
        let holds_nothing = self.line.is_empty() && self.event.is_empty() && self.name.is_empty() && self.id.is_none();
        let is_clean = !self.is_cut && !self.has_data && self.oversized.is_none() && self.event_bytes == 0;
        holds_nothing && is_clean && !self.is_first && !self.is_after_cr
    }

    /// Adds to the line that has not ended yet, as far as there is room.
    fn extend(&mut self, text: &[u8]) {
        if self.is_cut {
            self.event_bytes += if self.oversized.is_some() { text.len() } else { 0 };
            return;
        }
        let room = match &self.oversized {
            Some(_) => SHORT_LINE_BYTES_MAX,
            None => self.event_bytes_max.saturating_sub(self.event_bytes),
        };
        let (fits, rest) = text.split_at(text.len().min(room.saturating_sub(self.line.len()) + 1));
        self.line.extend_from_slice(fits);
        if self.line.len() <= room {
            return;
        }
        let taken = std::mem::take(&mut self.line);
        self.is_cut = true;
        // A comment is no part of an event, however long.
        if taken.first() != Some(&b':') {
            let bytes = if self.event.is_empty() { &taken } else { &self.event };
            let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(BEGINNING_BYTES_MAX)]).into_owned();
            self.oversized.get_or_insert_with(|| Oversized { beginning, ..Oversized::default() });
            self.event = Vec::new();
            self.event_bytes += taken.len() + rest.len();
        }
    }

    fn is_endless(&self) -> bool {
        self.oversized.is_some() && self.event_bytes > self.event_bytes_max.saturating_mul(ENDLESS)
    }

    fn pass(&mut self, line: &[u8], passed: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(line);
        let mark = if std::mem::take(&mut self.is_first) { "\u{feff}" } else { "" };
        let text = text.strip_prefix(mark).unwrap_or(&text);
        if text.is_empty() {
            return self.end_event(passed);
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                self.has_data = true;
                if self.oversized.is_none() {
                    write_field(&mut self.event, field, value);
                }
            }
            "id" if !value.contains('\0') => (self.id, self.has_id) = (Some(value.to_owned()), true),
            "event" => value.clone_into(&mut self.name),
            // A delay takes effect at once, also without an event. The parser heeds it with an event only.
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                // A value too large for the number is the longest delay.
                self.meta.lock().retry = Some(Duration::from_millis(value.parse().unwrap_or(u64::MAX)));
            }
            // A comment, or a line that is ignored like one: a sign of life.
            _ => return passed.extend_from_slice(b":\n"),
        }
        self.event_bytes += line.len();
    }

    /// Ends an event. Without data it is none, and its name is forgotten. Its id stays in effect.
    fn end_event(&mut self, passed: &mut Vec<u8>) {
        let (name, id) = (std::mem::take(&mut self.name), self.id.take());
        if let Some(id) = &id {
            write_field(passed, "id", id);
        }
        let has_data = std::mem::take(&mut self.has_data);
        if let Some(oversized) = self.oversized.take() {
            let bytes = self.event_bytes as u64;
            let mut meta = self.meta.lock();
            meta.oversized.push_back(Oversized { bytes, id, name, ..oversized });
            meta.oversized.truncate(OVERSIZED_MAX);
            // A comment wakes the reader.
            passed.extend_from_slice(b":\n");
        } else {
            passed.append(&mut self.event);
            if has_data && !name.is_empty() {
                write_field(passed, "event", &name);
            }
        }
        self.event = Vec::new();
        self.event_bytes = 0;
        passed.push(b'\n');
    }

    /// The start of an event that the end of the stream cut off. It is enough to show the parser that there is one.
    fn rest(&mut self) -> Bytes {
        let mut rest = std::mem::take(&mut self.event);
        if !std::mem::take(&mut self.line).is_empty() || std::mem::take(&mut self.is_cut) {
            rest.push(b':');
        }
        rest.into()
    }
}

/// The output for a chunk. It is copied only if it is neither the chunk itself nor marks alone.
struct Passed<'a> {
    chunk: &'a [u8],
    /// Bytes passed from the beginning of the chunk, if nothing else was passed so far.
    whole: usize,
    /// Number of marks passed, if nothing else was passed so far.
    marks: usize,
    bytes: Vec<u8>,
}

impl<'a> Passed<'a> {
    const fn of(chunk: &'a [u8]) -> Self {
        Self { chunk, whole: 0, marks: 0, bytes: Vec::new() }
    }

    /// The bytes passed so far, to be added to.
    fn bytes(&mut self) -> &mut Vec<u8> {
        self.bytes.extend_from_slice(&self.chunk[..std::mem::take(&mut self.whole)]);
        self.bytes.extend(KNOWN_MARK.iter().cycle().take(KNOWN_MARK.len() * std::mem::take(&mut self.marks)));
        &mut self.bytes
    }

    /// Passes an event of this length, before the rest of the chunk, as it came.
    fn pass(&mut self, length: usize, rest: &[u8]) {
        let from = self.chunk.len() - rest.len() - length;
        let event = &self.chunk[from..from + length];
        if self.bytes.is_empty() && self.marks == 0 && self.whole == from {
            self.whole += length;
        } else {
            self.bytes().extend_from_slice(event);
        }
    }

    fn mark(&mut self) {
        if self.bytes.is_empty() && self.whole == 0 && self.marks < MARKS.len() / KNOWN_MARK.len() {
            self.marks += 1;
        } else {
            self.bytes().extend_from_slice(KNOWN_MARK);
        }
    }

    fn into_bytes(mut self, chunk: &Bytes) -> Bytes {
        if self.whole == chunk.len() {
            chunk.clone()
        } else if self.bytes.is_empty() && self.marks > 0 {
            Bytes::from_static(&MARKS[..self.marks * KNOWN_MARK.len()])
        } else {
            std::mem::take(self.bytes()).into()
        }
    }
}

fn write_field(passed: &mut Vec<u8>, field: &str, value: &str) {
    for part in [field, ": ", value, "\n"] {
        passed.extend_from_slice(part.as_bytes());
    }
}
