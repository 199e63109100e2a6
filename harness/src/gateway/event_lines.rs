//! A stream's bytes, put in order before they are parsed: whole lines, of the fields that the event-stream format knows.
//!
//! `eventsource-client` gives up on a stream for what the format has a reader pass over: an event with nothing but a field
//! that it does not know, bytes that are no text. What it had parsed of the same read is then lost, so that what a stream
//! has shown would depend on how its bytes were cut. And it bounds neither a line nor an event. So here a line is held
//! until it is whole, what says nothing becomes an empty comment, the name of an event waits for its data, and a
//! delay that is asked for is told at once.
//!
//! The format: <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::Stream;
use launchdarkly_sdk_transport::TransportError;

use super::told::Told;

/// No event is longer; a stream that does not come to the end of one is cut.
pub(super) const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// The chunks of an event stream, in order.
#[derive(Debug)]
pub(super) struct EventLines<S> {
    chunks: S,
    lines: Lines,
    told: Told,
}

impl<S> EventLines<S> {
    /// The lines of these chunks. What they say beyond events is told there.
    pub(super) fn of(chunks: S, told: Told) -> Self {
        Self { chunks, told, lines: Lines { is_first: true, ..Lines::default() } }
    }
}

impl<S: Stream<Item = Result<Bytes, TransportError>> + Unpin> Stream for EventLines<S> {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            // What came before it was passed on with the chunk that it is in.
            if this.lines.is_too_long {
                let text = format!("an event of over {EVENT_BYTES_MAX} bytes; the stream was cut");
                return Poll::Ready(Some(Err(TransportError::new(io::Error::new(io::ErrorKind::InvalidData, text)))));
            }
            let passed = match ready!(Pin::new(&mut this.chunks).poll_next(cx)) {
                Some(Ok(chunk)) => {
                    let passed = this.lines.take_in(&chunk);
                    this.told.came(chunk.len(), this.lines.retry_ms.take());
                    passed
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                // The parser is to know that the stream broke off in a line, and needs no more than its start for that.
                None if !this.lines.line.is_empty() => {
                    this.lines.line = Vec::new();
                    Bytes::from_static(b":")
                }
                None => return Poll::Ready(None),
            };
            if !passed.is_empty() {
                return Poll::Ready(Some(Ok(passed)));
            }
        }
    }
}

#[derive(Debug, Default)]
struct Lines {
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// Bytes of the event so far, that line aside.
    event_bytes: usize,
    is_too_long: bool,
    /// Whether no line has ended yet: a byte-order mark may stand before the first.
    is_first: bool,
    /// Whether a carriage return was last: a line feed after it ends no line of its own.
    is_after_cr: bool,
    /// The event's name, as far as it is known.
    name: String,
    /// The delay that was asked for, and not told yet.
    retry_ms: Option<u64>,
    has_data: bool,
}

impl Lines {
    /// Takes in some bytes; the lines that they complete.
    fn take_in(&mut self, chunk: &[u8]) -> Bytes {
        let mut passed = Vec::new();
        for piece in chunk.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (text, end) = match piece {
                [text @ .., end @ (b'\n' | b'\r')] => (text, Some(*end)),
                text => (text, None),
            };
            if std::mem::replace(&mut self.is_after_cr, end == Some(b'\r')) && piece == b"\n" {
                continue;
            }
            if self.event_bytes + self.line.len() + text.len() > EVENT_BYTES_MAX {
                self.is_too_long = true;
                break;
            }
            self.line.extend_from_slice(text);
            if end.is_some() {
                // Taken, so that a long line does not leave its room behind for hours.
                let line = std::mem::take(&mut self.line);
                self.pass(&line, &mut passed);
            }
        }
        passed.into()
    }

    /// Passes a line on, in the form that no parser stumbles over.
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
                write_field(passed, field, value);
            }
            "id" if !value.contains('\0') => write_field(passed, field, value),
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
        if std::mem::take(&mut self.has_data) && !self.name.is_empty() {
            write_field(passed, "event", &self.name);
        }
        self.name = String::new();
        self.event_bytes = 0;
        passed.push(b'\n');
    }
}

fn write_field(passed: &mut Vec<u8>, field: &str, value: &str) {
    for part in [field, ": ", value, "\n"] {
        passed.extend_from_slice(part.as_bytes());
    }
}
