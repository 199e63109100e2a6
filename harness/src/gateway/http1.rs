//! HTTP/1.1 (RFC 9112) for one request on a connection of its own, whose answer may last for hours.
//!
//! hyper holds 16 KiB of buffers for each connection: with ten thousand streams, that is most of a session's memory.
//! Here the buffer is the thread's, and a silent connection holds none. `httparse`, hyper's parser, reads the head.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::Stream;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::io::poll_read_buf;

use super::connect::CountedConnection;

/// Maximum length of a head. At most twice this is read at once.
pub(super) const READ_BYTES_MAX: usize = 16 * 1024;
/// Usual length of a head.
const HEAD_BYTES: usize = 2 * 1024;
const HEADERS_MAX: usize = 100;
/// Maximum size of the data around a chunk, or after the last chunk; bytes.
const CHUNK_EXTRA_BYTES_MAX: usize = 16 * 1024;

thread_local! {
    /// The read buffer of this thread. Its memory is reused after the pieces split off it are dropped.
    static READ: RefCell<BytesMut> = RefCell::new(BytesMut::with_capacity(2 * READ_BYTES_MAX));
}

/// Sends a request without a body, and reads the head of its answer.
pub(super) async fn exchange<B>(mut link: CountedConnection, request: &Request<B>) -> io::Result<Response<Http1Body>> {
    link.write_all(&written(request)).await?;
    link.flush().await?;
    let mut read = BytesMut::with_capacity(HEAD_BYTES);
    loop {
        if let Some((mut response, length)) = head(&read)? {
            read.advance(length);
            if response.status().is_informational() {
                continue;
            }
            let framing = Framing::of(&response)?;
            *response.body_mut() = Http1Body { link: Some(link), rest: read.freeze(), framing };
            return Ok(response);
        }
        if read.len() >= READ_BYTES_MAX {
            return Err(wrong("message head is too large"));
        }
        if link.read_buf(&mut read).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "connection closed before message completed"));
        }
    }
}

fn written<B>(request: &Request<B>) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri()).into_bytes();
    for (name, value) in request.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// The head at the beginning, and its length; none where it is not complete.
fn head(bytes: &[u8]) -> io::Result<Option<(Response<Http1Body>, usize)>> {
    let mut lines = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut lines);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(wrong("message head is too large")),
        Err(error) => return Err(wrong(format!("invalid head: {error}"))),
    };
    let mut response = Response::new(Http1Body::default());
    *response.status_mut() = StatusCode::from_u16(parsed.code.unwrap_or(0)).map_err(wrong)?;
    let headers = response.headers_mut();
    for line in parsed.headers.iter() {
        let name = HeaderName::try_from(line.name).map_err(wrong)?;
        headers.append(name, HeaderValue::try_from(line.value).map_err(wrong)?);
    }
    Ok(Some((response, length)))
}

fn wrong(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// The body of an answer as it comes. The connection is closed when this is dropped.
#[derive(Default)]
pub(super) struct Http1Body {
    /// None after the end of the body.
    link: Option<CountedConnection>,
    /// Bytes that were read and not handed out yet.
    rest: Bytes,
    framing: Framing,
}

/// The end of a body.
#[derive(Debug, Default, PartialEq, Eq)]
enum Framing {
    #[default]
    UntilClose,
    /// Number of bytes that are still to come.
    Length(u64),
    Chunked(Chunk),
}

/// A place in a chunk.
#[derive(Debug, PartialEq, Eq)]
enum Chunk {
    /// In the line before the data: the size so far, whether it has a digit and is over, and the line's length.
    Size { size: u64, has_digit: bool, is_over: bool, length: usize },
    /// In the data: number of bytes that are still to come.
    Data(u64),
    /// After the data.
    End,
    /// After the last chunk: length of the line, and of the trailer so far.
    Trailer { line: usize, length: usize },
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Data(Bytes),
    /// More has to be read.
    Unread,
    Over,
}

const CHUNK: Chunk = Chunk::Size { size: 0, has_digit: false, is_over: false, length: 0 };

impl Framing {
    /// The framing of the answer to a request other than HEAD (RFC 9112, section 6.3).
    fn of<B>(response: &Response<B>) -> io::Result<Self> {
        if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            return Ok(Self::Length(0));
        }
        let codings = values(response.headers(), &header::TRANSFER_ENCODING);
        if let Some(last) = codings.last() {
            let is_chunked = last.eq_ignore_ascii_case("chunked");
            return Ok(if is_chunked { Self::Chunked(CHUNK) } else { Self::UntilClose });
        }
        let lengths = values(response.headers(), &header::CONTENT_LENGTH);
        let Some(first) = lengths.first() else { return Ok(Self::UntilClose) };
        let is_number = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
        let length = first.parse().ok().filter(|_| is_number && lengths.iter().all(|length| length == first));
        length.map(Self::Length).ok_or_else(|| wrong("invalid content-length parsed"))
    }

    /// Takes the next piece of the bytes that were read.
    fn take(&mut self, rest: &mut Bytes) -> io::Result<Piece> {
        match self {
            Self::Length(0) => Ok(Piece::Over),
            _ if rest.is_empty() => Ok(Piece::Unread),
            Self::UntilClose => Ok(Piece::Data(std::mem::take(rest))),
            Self::Length(left) => Ok(Piece::Data(split(rest, left))),
            Self::Chunked(chunk) => chunk.take(rest),
        }
    }

    /// The error for a connection that is closed at this point; none if it may be closed.
    fn ended_early(&self) -> Option<io::Error> {
        let text = "end of file before message length reached";
        (*self != Self::UntilClose).then(|| io::Error::new(io::ErrorKind::UnexpectedEof, text))
    }
}

impl Chunk {
    fn take(&mut self, rest: &mut Bytes) -> io::Result<Piece> {
        loop {
            if let Self::Data(left) = self {
                let data = split(rest, left);
                if *left == 0 {
                    *self = Self::End;
                }
                return Ok(if data.is_empty() { Piece::Unread } else { Piece::Data(data) });
            }
            if rest.is_empty() {
                return Ok(Piece::Unread);
            }
            let byte = rest.get_u8();
            if self.is_over_after(byte)? {
                return Ok(Piece::Over);
            }
        }
    }

    /// Takes a byte that is no data. Returns whether it was the last.
    fn is_over_after(&mut self, byte: u8) -> io::Result<bool> {
        match self {
            Self::Size { size: 0, has_digit: true, .. } if byte == b'\n' => {
                *self = Self::Trailer { line: 0, length: 0 };
            }
            Self::Size { size, has_digit: true, .. } if byte == b'\n' => *self = Self::Data(*size),
            Self::Size { size, has_digit, is_over, length } => {
                *length += 1;
                match char::from(byte).to_digit(16).filter(|_| !*is_over) {
                    Some(digit) => {
                        let larger = size.checked_mul(16).and_then(|size| size.checked_add(u64::from(digit)));
                        *size = larger.ok_or_else(|| wrong("invalid chunk size: overflow"))?;
                        *has_digit = true;
                    }
                    // A chunk extension, which does not affect the data.
                    None if *is_over || (*has_digit && matches!(byte, b';' | b' ' | b'\t' | b'\r')) => *is_over = true,
                    None => return Err(wrong("invalid chunk size line")),
                }
                if *length > CHUNK_EXTRA_BYTES_MAX {
                    return Err(wrong("chunk size line is too long"));
                }
            }
            Self::End if byte == b'\n' => *self = CHUNK,
            Self::End if byte == b'\r' => {}
            Self::End | Self::Data(_) => return Err(wrong("invalid chunk body: it is longer than its size")),
            Self::Trailer { line: 0, .. } if byte == b'\n' => return Ok(true),
            Self::Trailer { line, length } => {
                *length += 1;
                if *length > CHUNK_EXTRA_BYTES_MAX {
                    return Err(wrong("the trailer is too long"));
                }
                match byte {
                    b'\n' => *line = 0,
                    b'\r' => {}
                    _ => *line += 1,
                }
            }
        }
        Ok(false)
    }
}

/// Splits off the bytes that are left of a length.
fn split(rest: &mut Bytes, left: &mut u64) -> Bytes {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
    *left -= length as u64;
    rest.split_to(length)
}

/// The values of a header that is a list, in order.
fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    let lines = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
    lines.flat_map(|line| line.split(',')).map(str::trim).collect()
}

impl Stream for Http1Body {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            let Some(link) = &mut this.link else { return Poll::Ready(None) };
            let failed = match this.framing.take(&mut this.rest) {
                Ok(Piece::Data(data)) => return Poll::Ready(Some(Ok(data))),
                Ok(Piece::Over) => None,
                Err(error) => Some(error),
                Ok(Piece::Unread) => {
                    // An empty rest would keep the buffer alive.
                    this.rest = Bytes::new();
                    match ready!(read(link, cx)) {
                        Ok(bytes) if bytes.is_empty() => this.framing.ended_early(),
                        Ok(bytes) => {
                            this.rest = bytes;
                            continue;
                        }
                        Err(error) => Some(error),
                    }
                }
            };
            this.link = None;
            return Poll::Ready(failed.map(Err));
        }
    }
}

/// Reads the available bytes; none where the peer has closed.
fn read(link: &mut CountedConnection, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
    READ.with_borrow_mut(|buffer| {
        buffer.reserve(READ_BYTES_MAX);
        let read = ready!(poll_read_buf(Pin::new(link), cx, buffer))?;
        Poll::Ready(Ok(buffer.split_to(read).freeze()))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fuzzing::cases;

    /// The data of a body that comes in these pieces, and whether it is over, or its fault.
    fn body(mut framing: Framing, pieces: &[&[u8]]) -> (Vec<u8>, Result<bool, String>) {
        let mut data = Vec::new();
        for piece in pieces {
            let mut rest = Bytes::copy_from_slice(piece);
            loop {
                match framing.take(&mut rest) {
                    Ok(Piece::Data(part)) => data.extend_from_slice(&part),
                    Ok(Piece::Unread) => break,
                    Ok(Piece::Over) => return (data, Ok(true)),
                    Err(error) => return (data, Err(error.to_string())),
                }
            }
        }
        (data, framing.ended_early().map_or(Ok(true), |_| Ok(false)))
    }

    fn chunked(text: &str) -> (Vec<u8>, Result<bool, String>) {
        body(Framing::Chunked(CHUNK), &[text.as_bytes()])
    }

    proptest! {
        #![proptest_config(cases(200))]

        #[test]
        fn a_body_is_the_same_however_it_is_cut(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            cuts in prop::collection::vec(0..400_usize, 0..8),
        ) {
            let mut text = Vec::new();
            for (n, chunk) in chunks.iter().enumerate() {
                let extension = ["", ";a=1", " ; b=\"c\""][n % 3];
                text.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
                text.extend_from_slice(chunk);
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(b"0\r\nchecksum: 7\r\n\r\n");
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|ends| &text[ends[0]..ends[1]]).collect();
            prop_assert_eq!((chunks.concat(), Ok(true)), body(Framing::Chunked(CHUNK), &pieces));
            prop_assert_eq!((text.clone(), Ok(true)), body(Framing::UntilClose, &pieces));
            prop_assert_eq!((text.clone(), Ok(true)), body(Framing::Length(text.len() as u64), &pieces));
        }

        #[test]
        fn no_bytes_make_it_panic(text: Vec<u8>, length: u64) {
            for framing in [Framing::UntilClose, Framing::Length(length), Framing::Chunked(CHUNK)] {
                let (data, _) = body(framing, &[&text]);
                prop_assert!(data.len() <= text.len());
            }
            let _ = head(&text);
        }
    }

    #[test]
    fn a_body_that_is_cut_is_no_body() {
        assert_eq!((b"abc".to_vec(), Ok(false)), chunked("3\r\nabc\r\n"));
        assert_eq!((b"ab".to_vec(), Ok(false)), chunked("3\r\nab"));
        assert_eq!((b"abc".to_vec(), Ok(false)), chunked("3\r\nabc\r\n0\r\n"));
        assert_eq!((b"ab".to_vec(), Ok(false)), body(Framing::Length(3), &[b"ab"]));
    }

    #[test]
    fn a_body_that_is_not_chunked_as_it_says_is_wrong() {
        for text in ["x\r\n", "\r\n", "-1\r\n", "3\r\nabcd\r\n", "11112222333344445\r\n", " 3\r\nabc\r\n"] {
            assert!(chunked(text).1.is_err(), "{text:?}: {:?}", chunked(text));
        }
        assert!(chunked(&format!("1;{}", "x".repeat(CHUNK_EXTRA_BYTES_MAX))).1.is_err());
        assert!(chunked(&format!("0\r\n{}", "x: y\r\n".repeat(CHUNK_EXTRA_BYTES_MAX))).1.is_err());
    }

    #[test]
    fn a_body_ends_where_the_head_says() {
        let framing = |lines: &str| {
            let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
            Framing::of(&head(text.as_bytes()).unwrap().unwrap().0).map_err(|error| error.to_string())
        };
        assert_eq!(Ok(Framing::UntilClose), framing(""));
        assert_eq!(Ok(Framing::Length(7)), framing("Content-Length: 7\r\n"));
        assert_eq!(Ok(Framing::Length(7)), framing("Content-Length: 7, 7\r\ncontent-length: 7\r\n"));
        assert_eq!(Ok(Framing::Chunked(CHUNK)), framing("content-length: 7\r\ntransfer-encoding: gzip, Chunked\r\n"));
        assert_eq!(Ok(Framing::UntilClose), framing("transfer-encoding: gzip\r\n"));
        for wrong in ["content-length: 7, 8\r\n", "content-length: +7\r\n", "content-length:\r\n"] {
            assert_eq!(Err("invalid content-length parsed".to_owned()), framing(wrong), "{wrong}");
        }
    }
}
