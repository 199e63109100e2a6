//! The lines of a stream, on their way to the parser: what it would stumble over is mended or bounded here.
//!
//! `eventsource-client` drops a `retry:` that comes without an event, takes a block of fields that it does not know for an
//! error, wants comments to be UTF-8, and gathers lines until a blank one comes, however many there are. The standard has
//! it otherwise: HTML, section 9.2.6, "Interpreting an event stream".

use std::{io, time::Duration};

/// No line is longer, and no event; a stream that does not come to the end of one is cut.
pub(super) const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// The longest name of a field that anything is done with: `event`, `retry`.
pub(super) const NAME_BYTES_MAX: usize = 5;
/// A longer number is no number of milliseconds.
const RETRY_BYTES_MAX: usize = 32;

const BOM: [u8; 3] = *b"\xef\xbb\xbf";

/// Passes on the lines that carry an event, each ended by a line feed, and of comments that there was one.
#[derive(Debug, Default)]
pub(super) struct Lines {
    at: At,
    /// Bytes of a byte-order mark that have come, at the very beginning.
    bom: Option<usize>,
    /// The name of the field, or the value of a `retry:`, as far as it has come.
    held: Vec<u8>,
    after_cr: bool,
    line_bytes: usize,
    event_bytes: usize,
    retry: Option<Duration>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In the name of a field.
    #[default]
    Name,
    /// In a value that is passed on.
    Kept,
    /// In a comment, or in a value that nobody asks for.
    Dropped,
    /// In the value of a `retry:`.
    Retry,
}

impl Lines {
    /// What is passed on of a chunk.
    ///
    /// # Errors
    /// Where a line or an event is longer than there is room for.
    pub(super) fn pass(&mut self, chunk: &[u8]) -> io::Result<Vec<u8>> {
        let mut passed = Vec::with_capacity(chunk.len() + NAME_BYTES_MAX);
        for byte in chunk {
            let is_second_half = self.after_cr && *byte == b'\n';
            self.after_cr = *byte == b'\r';
            if is_second_half || self.is_bom(*byte) {
                continue;
            }
            if matches!(byte, b'\n' | b'\r') {
                self.end_line(&mut passed);
            } else {
                self.line_bytes += 1;
                self.take(*byte, &mut passed);
            }
            if self.line_bytes.max(self.event_bytes) > EVENT_BYTES_MAX {
                let text = format!("an event of over {EVENT_BYTES_MAX} bytes; the stream was cut");
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
        }
        Ok(passed)
    }

    /// The delay before coming back that was last asked for.
    pub(super) const fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Whether a byte is one of a mark at the very beginning. Where it turns out that there is none, what looked like one
    /// belongs to a name that no field has.
    fn is_bom(&mut self, byte: u8) -> bool {
        let seen = self.bom.unwrap_or(0);
        if BOM.get(seen) == Some(&byte) {
            self.bom = Some(seen + 1);
            return true;
        }
        if (1..BOM.len()).contains(&seen) {
            self.held.extend(&BOM[..seen]);
            self.line_bytes += seen;
        }
        self.bom = Some(BOM.len());
        false
    }

    fn take(&mut self, byte: u8, passed: &mut Vec<u8>) {
        match self.at {
            At::Name if byte == b':' => {
                self.at = match self.held.as_slice() {
                    b"" => {
                        passed.extend(b":\n");
                        At::Dropped
                    }
                    b"retry" => At::Retry,
                    name if is_of_event(name) => {
                        passed.extend(name);
                        passed.push(b':');
                        self.event_bytes += name.len() + 1;
                        At::Kept
                    }
                    _ => At::Dropped,
                };
                self.held.clear();
            }
            At::Name if self.held.len() < NAME_BYTES_MAX => self.held.push(byte),
            At::Name => self.at = At::Dropped,
            At::Kept => {
                self.event_bytes += 1;
                passed.push(byte);
            }
            At::Retry if self.held.len() < RETRY_BYTES_MAX => self.held.push(byte),
            At::Retry | At::Dropped => {}
        }
    }

    fn end_line(&mut self, passed: &mut Vec<u8>) {
        match self.at {
            At::Name if self.line_bytes == 0 => {
                self.event_bytes = 0;
                passed.push(b'\n');
            }
            // A name alone is a field without a value.
            At::Name if is_of_event(&self.held) => {
                self.event_bytes += self.held.len();
                passed.extend(&self.held);
                passed.push(b'\n');
            }
            At::Retry => self.retry = milliseconds(&self.held).or(self.retry),
            At::Kept => passed.push(b'\n'),
            At::Name | At::Dropped => {}
        }
        self.held.clear();
        self.at = At::Name;
        self.line_bytes = 0;
    }
}

fn is_of_event(name: &[u8]) -> bool {
    matches!(name, b"data" | b"event" | b"id")
}

/// Digits and nothing else; more than there is a number for is as long as can be.
fn milliseconds(value: &[u8]) -> Option<Duration> {
    let digits = value.strip_prefix(b" ").unwrap_or(value);
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
    Some(Duration::from_millis(number.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use eventsource_client::SSE;
    use futures_util::StreamExt;
    use http::Request;
    use launchdarkly_sdk_transport::{ByteStream, HttpTransport, ResponseFuture};
    use proptest::prelude::*;

    use super::*;

    /// What is passed on of some chunks, and the last `retry:`.
    fn pass<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (String, Option<u64>) {
        let mut lines = Lines::default();
        let passed: Vec<u8> = chunks.into_iter().flat_map(|chunk| lines.pass(chunk).unwrap()).collect();
        let retry_ms = lines.retry().map(|retry| u64::try_from(retry.as_millis()).unwrap());
        (String::from_utf8(passed).unwrap(), retry_ms)
    }

    fn pass_whole(text: &str) -> (String, Option<u64>) {
        pass([text.as_bytes()])
    }

    const STREAM: &str = "\u{feff}: open\n\nid: 7\nevent: log\ndata: {\"a\":1}\nretry: 4000\n\ndata\nid\n\n";
    const PASSED: &str = ":\n\nid: 7\nevent: log\ndata: {\"a\":1}\n\ndata\nid\n\n";

    #[test]
    fn lines_end_as_they_like_and_come_in_whatever_pieces() {
        for line_end in ["\n", "\r\n", "\r"] {
            let stream = STREAM.replace('\n', line_end);
            let whole = (PASSED.to_owned(), Some(4_000));
            assert_eq!(whole, pass_whole(&stream), "{line_end:?}");
            assert_eq!(whole, pass(stream.as_bytes().chunks(1)), "{line_end:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_one_at_the_beginning_only() {
        assert_eq!("data: 1\n\n", pass_whole("\u{feff}data: 1\n\n").0);
        assert_eq!("\ndata: 2\n", pass_whole("\n\u{feff}data: 1\ndata: 2\n").0);
        let half = [&BOM[..2], b"data: 1\ndata: 2\n"].concat();
        assert_eq!("data: 2\n", pass(half.chunks(1)).0);
    }

    #[test]
    fn a_retry_is_heard_with_an_event_or_without_one_and_the_last_counts() {
        assert_eq!(("\n".to_owned(), Some(5_000)), pass_whole("retry: 5000\n\n"));
        assert_eq!(Some(7), pass_whole("retry:5000\nretry:7\n").1);
        assert_eq!(Some(5_000), pass_whole("retry: 5000\nretry: soon\nretry:\nretry\nretry: -1\n").1);
        assert!(pass_whole(&format!("retry: {}\n", "9".repeat(400))).1 > Some(1 << 60));
    }

    #[test]
    fn fields_that_nobody_knows_are_passed_over_and_comments_are_but_signs_of_life() {
        assert_eq!("\ndata: 1\n", pass_whole("ping\nfoo: bar\ndatum: 1\ndat: 2\n\ndata: 1\n").0);
        let comment = [b": \xff\xfe".as_slice(), b"\n", b":\n"];
        assert_eq!(":\n:\n", pass(comment).0);
    }

    #[test]
    fn what_does_not_end_is_bounded_whatever_its_lines_end_with() {
        for endless in ["data: xxxxxxxxxxxx\n", "data: xxxxxxxxxxxx\r\n", "id: xxxxxxx\r", "x", ": xxxxx", "retry: 1"] {
            let mut lines = Lines::default();
            let flood = endless.repeat(2 * EVENT_BYTES_MAX / endless.len());
            let passed = flood.as_bytes().chunks(4_096).try_for_each(|chunk| lines.pass(chunk).map(drop));
            let text = passed.unwrap_err().to_string();
            assert!(text.starts_with("an event of over 1048576 bytes"), "{endless:?}: {text}");
        }
        let mut lines = Lines::default();
        let events = "data: xxxxxxxxxxxx\r\n\r\n".repeat(EVENT_BYTES_MAX / 8);
        assert!(events.as_bytes().chunks(4_096).all(|chunk| lines.pass(chunk).is_ok()), "events that end may go on");
    }

    /// Answers with these chunks.
    #[derive(Clone)]
    struct Says(Vec<Vec<u8>>);

    impl HttpTransport for Says {
        fn request(&self, _: Request<Option<bytes::Bytes>>) -> ResponseFuture {
            let chunks = self.0.clone().into_iter().map(|chunk| Ok(chunk.into()));
            let body: ByteStream = Box::pin(futures_util::stream::iter(chunks));
            Box::pin(async { Ok(http::Response::new(body)) })
        }
    }

    /// The events that the parser makes of some chunks: id, name and data.
    async fn parsed(chunks: Vec<Vec<u8>>) -> Vec<(Option<String>, String, String)> {
        use eventsource_client::{Client as _, ClientBuilder, ReconnectOptions};
        let client = ClientBuilder::for_url("http://127.0.0.1/").unwrap();
        let client = client.reconnect(ReconnectOptions::reconnect(false).build()).build_with_transport(Says(chunks));
        let events = client.stream().filter_map(async |event| match event {
            Ok(SSE::Event(event)) => Some((event.id, event.event_type, event.data)),
            _ => None,
        });
        events.collect().await
    }

    proptest! {
        #[test]
        fn the_parser_makes_the_same_of_a_stream_however_it_is_cut_and_ended(
            events in prop::collection::vec(("[a-z0-9]{1,8}", "[a-z.]{1,8}", "[ -~]{1,40}"), 0..6),
            line_end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
            piece in 1_usize..40,
        ) {
            let text: String = events
                .iter()
                .map(|(id, name, data)| format!(": c\nid: {id}\nretry: 9\nwhat: else\nevent: {name}\ndata: {data}\n\n"))
                .collect();
            let text = format!("\u{feff}{text}").replace('\n', line_end);
            let mut lines = Lines::default();
            let chunks = text.as_bytes().chunks(piece).map(|chunk| lines.pass(chunk).unwrap()).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let expected: Vec<_> =
                events.iter().map(|(id, name, data)| (Some(id.clone()), name.clone(), data.clone())).collect();
            prop_assert_eq!(expected, runtime.block_on(parsed(chunks)));
        }
    }
}
