//! A stream's bytes, put in order before they are parsed: whole events, of the fields that the event-stream format knows.
//!
//! `eventsource-client` gives up on a stream for what the format has a reader pass over: an event with nothing but a field
//! that it does not know, bytes that are no text. What it had parsed of the same read is then lost, so that what a stream
//! has shown would depend on how its bytes were cut. And it bounds neither a line nor an event. So here an event is held
//! until it is whole, what says nothing becomes an empty comment, the name of an event waits for its data, and a
//! delay that is asked for is told at once.
//!
//! An event that is larger than the limit is skipped: its data are passed over as they come, and that is told. The stream goes
//! on, unless the event seems to have no end: then the stream is cut.
//!
//! The format: <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::Stream;
use launchdarkly_sdk_transport::TransportError;

use super::{EventContent, KnownEvents, Oversized, plain_event::plain_event, response_meta::ResponseMeta};

/// Of an event that is too large so much is kept of the beginning of its data, to say which it was.
const BEGINNING_BYTES_MAX: usize = 512;
/// An event of more than so many times the limit has no end that is worth waiting for.
const ENDLESS: usize = 32;
/// The parser takes it for a comment. Comments of the gateway are passed without their text.
pub(super) const KNOWN: &[u8] = b"k";
const KNOWN_MARK: &[u8] = b":k\n";
const MARKS: &[u8] = b":k\n:k\n:k\n:k\n:k\n:k\n:k\n:k\n";
/// In an event that is too large, no line but one of data is longer.
const SHORT_LINE_BYTES_MAX: usize = 4 * 1024;

/// The chunks of an event stream, in order.
#[derive(Debug)]
pub(super) struct EventLines<S> {
    chunks: S,
    lines: EventBuffer,
    meta: ResponseMeta,
}

impl<S> EventLines<S> {
    /// The lines of these chunks, with events of up to `event_bytes_max` bytes. Retry delays and skipped events go to `meta`, and so do
    /// known events: the parser gets a [mark](KNOWN_MARK) in place of each.
    pub(super) fn of(
        chunks: S,
        meta: ResponseMeta,
        event_bytes_max: usize,
        known_events: Option<Arc<KnownEvents>>,
    ) -> Self {
        let lines = EventBuffer { is_first: true, event_bytes_max, known_events, ..EventBuffer::default() };
        Self { chunks, meta, lines }
    }
}

impl<S: Stream<Item = Result<Bytes, TransportError>> + Unpin> Stream for EventLines<S> {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            // What came before it was passed on with the chunk that it is in.
            if this.lines.is_endless() {
                let bytes = this.lines.event_bytes_max.saturating_mul(ENDLESS);
                let text = format!("an event of over {bytes} bytes; the stream was cut");
                return Poll::Ready(Some(Err(TransportError::new(io::Error::new(io::ErrorKind::InvalidData, text)))));
            }
            let passed = match ready!(Pin::new(&mut this.chunks).poll_next(cx)) {
                Some(Ok(chunk)) => {
                    let (bytes, passed) = (chunk.len(), this.lines.take_in(chunk));
                    this.meta.came(
                        bytes,
                        this.lines.retry_ms.take(),
                        this.lines.skipped.drain(..),
                        this.lines.known.drain(..),
                    );
                    passed
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => match this.lines.rest() {
                    rest if rest.is_empty() => return Poll::Ready(None),
                    rest => rest,
                },
            };
            if !passed.is_empty() {
                return Poll::Ready(Some(Ok(passed)));
            }
        }
    }
}

#[derive(Debug, Default)]
struct EventBuffer {
    event_bytes_max: usize,
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// Whether the rest of that line is passed over.
    is_cut: bool,
    /// The event so far, in the form that no parser stumbles over; the line that has not ended aside.
    event: Vec<u8>,
    /// Its bytes as they came.
    event_bytes: usize,
    /// Known data of the event, if it is larger than the limit.
    oversized: Option<Oversized>,
    /// Events that were larger, and are not told yet.
    skipped: Vec<Oversized>,
    /// Whether no line has ended yet: a byte-order mark may stand before the first.
    is_first: bool,
    /// Whether a carriage return was last: a line feed after it ends no line of its own.
    is_after_cr: bool,
    /// The event's name, as far as it is known.
    name: String,
    /// The event's id, where it has one of its own.
    id: Option<String>,
    /// The delay that was asked for, and not told yet.
    retry_ms: Option<u64>,
    has_data: bool,
    /// Events that need not be parsed.
    known_events: Option<Arc<KnownEvents>>,
    /// Those that came, and were not handed out yet.
    known: Vec<Arc<EventContent>>,
    /// The id of the last of them, of which the parser does not know.
    known_id: Option<String>,
    /// Whether an event has given an id.
    has_id: bool,
}

impl EventBuffer {
    /// Takes in some bytes; the events that they complete, and the comments. In place of an event that is known there is a mark.
    fn take_in(&mut self, chunk: Bytes) -> Bytes {
        let mut passed = Passed::of(&chunk);
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            if self.is_between_events() {
                rest = self.take_plain_events(rest, &mut passed);
                if rest.is_empty() {
                    break;
                }
            }
            let end = memchr::memchr2(b'\n', b'\r', rest);
            let (piece, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            rest = after;
            self.give_known_id(passed.bytes());
            self.take_piece(piece, end, passed.bytes());
        }
        passed.into_bytes(&chunk)
    }

    /// Takes in the plain events at the beginning; what comes after them.
    fn take_plain_events<'a>(&mut self, mut rest: &'a [u8], passed: &mut Passed<'_>) -> &'a [u8] {
        while let Some(event) = plain_event(rest, self.event_bytes_max) {
            rest = &rest[event.length..];
            // Without an id of its own an event has the last one.
            let may_be_known = event.has_id || !self.has_id;
            self.has_id |= event.has_id;
            let known = self.known_events.as_ref().zip(event.fields.filter(|_| may_be_known));
            if let Some(known) = known.and_then(|(known, fields)| known.find(&fields)) {
                self.known_id = known.id.clone().or(self.known_id.take());
                self.known.push(known);
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

    /// Takes in a line up to its end at `end`, or a part of one that does not end.
    fn take_piece(&mut self, piece: &[u8], end: Option<usize>, passed: &mut Vec<u8>) {
        let is_after_cr = std::mem::replace(&mut self.is_after_cr, piece.ends_with(b"\r"));
        if is_after_cr && piece == b"\n" {
            return;
        }
        self.extend(&piece[..end.unwrap_or(piece.len())]);
        if end.is_some() {
            // Taken, so that a long line does not leave its room behind for hours.
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
            return self.pass_over(text.len());
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
            let beginning = if self.event.is_empty() { &taken } else { &self.event };
            let beginning =
                String::from_utf8_lossy(&beginning[..beginning.len().min(BEGINNING_BYTES_MAX)]).into_owned();
            self.oversized.get_or_insert_with(|| Oversized { beginning, ..Oversized::default() });
            self.event = Vec::new();
            self.event_bytes += taken.len() + rest.len();
        }
    }

    fn is_endless(&self) -> bool {
        self.oversized.is_some() && self.event_bytes > self.event_bytes_max.saturating_mul(ENDLESS)
    }

    fn pass_over(&mut self, bytes: usize) {
        if self.oversized.is_some() {
            self.event_bytes += bytes;
        }
    }

    /// Takes in a line that has ended.
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
            // It holds at once, with an event or without one, and the parser heeds it with an event only.
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                // More than there is a number for is as long as can be.
                self.retry_ms = Some(value.parse().unwrap_or(u64::MAX));
            }
            // A comment, or what is to be passed over like one. It is a sign of life all the same.
            _ => return passed.extend_from_slice(b":\n"),
        }
        self.event_bytes += line.len();
    }

    /// An event without data is none, and its name is forgotten. Its id holds all the same.
    fn end_event(&mut self, passed: &mut Vec<u8>) {
        let (name, id) = (std::mem::take(&mut self.name), self.id.take());
        if let Some(id) = &id {
            write_field(passed, "id", id);
        }
        let has_data = std::mem::take(&mut self.has_data);
        if let Some(oversized) = self.oversized.take() {
            let bytes = self.event_bytes as u64;
            self.skipped.push(Oversized { bytes, id, name, ..oversized });
            // The reader is to wake, and hear of it.
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

    /// Returns the part of an event that the end of the stream cut off. The parser has to see that there is one. The start of
    /// the event is enough for that.
    fn rest(&mut self) -> Bytes {
        let mut rest = std::mem::take(&mut self.event);
        if !std::mem::take(&mut self.line).is_empty() || std::mem::take(&mut self.is_cut) {
            rest.push(b':');
        }
        rest.into()
    }
}

/// The part of a chunk that is passed on. It is copied only if it is neither the chunk itself nor marks alone.
struct Passed<'a> {
    chunk: &'a [u8],
    /// Bytes passed from the beginning of the chunk, where nothing else was passed so far.
    whole: usize,
    /// Number of marks passed, where nothing else was passed so far.
    marks: usize,
    bytes: Vec<u8>,
}

impl<'a> Passed<'a> {
    const fn of(chunk: &'a [u8]) -> Self {
        Self { chunk, whole: 0, marks: 0, bytes: Vec::new() }
    }

    /// Returns the bytes passed so far, so that more can be added.
    fn bytes(&mut self) -> &mut Vec<u8> {
        self.bytes.extend_from_slice(&self.chunk[..std::mem::take(&mut self.whole)]);
        self.bytes.extend(KNOWN_MARK.iter().cycle().take(KNOWN_MARK.len() * std::mem::take(&mut self.marks)));
        &mut self.bytes
    }

    /// Passes an event of this length, after which the rest of the chunk comes, as it came.
    fn pass(&mut self, length: usize, rest: &[u8]) {
        let from = self.chunk.len() - rest.len() - length;
        let event = &self.chunk[from..from + length];
        if self.bytes.is_empty() && self.marks == 0 && self.whole == from {
            self.whole += length;
        } else {
            self.bytes().extend_from_slice(event);
        }
    }

    /// Passes a mark in place of a known event.
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
