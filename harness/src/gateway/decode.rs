//! Content codings (RFC 9110, section 8.4.1): gzip, deflate and brotli, decoded as the bytes come.
//!
//! A decoder returns pieces of at most [`PIECE_BYTES_MAX`] from the bytes so far. So a reader can stop at its own
//! limit, however much a few bytes expand to, and an event stream shows an event as soon as its last byte is there.

use std::{collections::VecDeque, io};

use bytes::{Buf, Bytes};
use compression_codecs::{
    BrotliDecoder, DecodeV2, DeflateDecoder, GzipDecoder, ZlibDecoder,
    core::util::{PartialBuffer, WriteBuffer},
};
use http::{HeaderMap, header};

/// The codings that a browser asks for.
pub(super) const BROWSER_CODINGS: &str = "gzip, deflate, br";
const PIECE_BYTES_MAX: usize = 16 * 1024;
/// One coding over another is rare; more are an attack.
const CODINGS_MAX: usize = 3;

/// The reason why a body cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecodeError {
    #[error("a body in the encoding '{0}', which S2 does not decode (it decodes gzip, deflate and br)")]
    Unknown(String),
    /// The bytes are not in the coding that the header names.
    #[error("a body that is not in the encoding '{encoding}' that it is said to be in ({why})")]
    Broken { encoding: String, why: String },
}

/// Decodes one body. A body without a coding passes through it.
pub(super) struct Decoder {
    encoding: String,
    /// The codings that bytes go through in this order, the outermost first.
    stages: VecDeque<Coding>,
    /// The output, if there is no stage.
    plain: Bytes,
}

impl Decoder {
    /// A decoder for a body with these headers, if all codings are known.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, DecodeError> {
        let lines = headers.get_all(header::CONTENT_ENCODING).iter();
        let encoding =
            lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect::<Vec<_>>().join(", ");
        let names = encoding.split(',').map(|name| name.trim().to_ascii_lowercase());
        let names: Vec<String> = names.filter(|name| !name.is_empty() && name != "identity").collect();
        let unknown = || DecodeError::Unknown(encoding.clone());
        if names.len() > CODINGS_MAX {
            return Err(unknown());
        }
        // The header lists them in the order in which they were applied.
        let stages = names.iter().rev().map(|name| Coding::of(name)).collect::<Option<_>>().ok_or_else(unknown)?;
        Ok(Self { encoding, stages, plain: Bytes::new() })
    }

    /// Takes in the next bytes of the body, after [`next`](Self::next) has returned all pieces of the bytes before.
    pub(super) fn feed(&mut self, chunk: Bytes) {
        match self.stages.front_mut() {
            Some(stage) => stage.feed(chunk),
            None => self.plain = chunk,
        }
    }

    /// The next piece of the decoded bytes; none where more bytes are needed.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, DecodeError> {
        let Some(last) = self.stages.len().checked_sub(1) else {
            return Ok(Some(std::mem::take(&mut self.plain)).filter(|plain| !plain.is_empty()));
        };
        self.pull(last).map_err(|why| DecodeError::Broken { encoding: self.encoding.clone(), why: why.to_string() })
    }

    /// Whether the body ended where its coding ends.
    pub(super) fn is_complete(&self) -> bool {
        self.stages.iter().all(|stage| stage.is_over || !stage.has_begun)
    }

    fn pull(&mut self, stage: usize) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(piece) = self.stages[stage].next()? {
                return Ok(Some(piece));
            }
            let Some(outer) = stage.checked_sub(1) else { return Ok(None) };
            let Some(piece) = self.pull(outer)? else { return Ok(None) };
            self.stages[stage].feed(piece);
        }
    }
}

struct Coding {
    /// None until the first byte decides: `deflate` is zlib's format, and some send the bare one.
    codec: Option<Box<dyn DecodeV2 + Send + Sync>>,
    input: Bytes,
    /// Whether the codec may have more output for the input so far.
    may_have_more: bool,
    has_begun: bool,
    is_over: bool,
    /// Whether another member may follow the first.
    has_members: bool,
    /// Whether decoding nothing flushes the codec and shows the end: brotli needs that, and zlib fails.
    is_flushed_by_decoding: bool,
}

impl Coding {
    fn of(name: &str) -> Option<Self> {
        let codec: Option<Box<dyn DecodeV2 + Send + Sync>> = match name {
            "gzip" | "x-gzip" => Some(Box::new(GzipDecoder::new())),
            "br" => Some(Box::new(BrotliDecoder::new())),
            "deflate" => None,
            _ => return None,
        };
        Some(Self {
            codec,
            input: Bytes::new(),
            may_have_more: false,
            has_begun: false,
            is_over: false,
            has_members: name.ends_with("gzip"),
            is_flushed_by_decoding: name == "br",
        })
    }

    fn feed(&mut self, chunk: Bytes) {
        self.has_begun |= !chunk.is_empty();
        self.input = chunk;
    }

    fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if self.input.is_empty() && !self.may_have_more {
                return Ok(None);
            }
            if self.is_over {
                if !self.has_members || self.input.first() != Some(&0x1f) {
                    // Bytes after the end are padding.
                    self.input = Bytes::new();
                    return Ok(None);
                }
                self.codec().reinit()?;
                self.is_over = false;
            }
            let input = self.input.clone();
            let mut read = PartialBuffer::new(&input[..]);
            let mut piece = vec![0; PIECE_BYTES_MAX];
            let mut written = WriteBuffer::new_initialized(&mut piece);
            if input.is_empty() && !self.is_flushed_by_decoding {
                self.codec().flush(&mut written)?;
            } else {
                self.is_over = self.codec().decode(&mut read, &mut written)?;
            }
            let (taken, made) = (read.written_len(), written.written_len());
            self.input.advance(taken);
            self.may_have_more = made == PIECE_BYTES_MAX && !self.is_over;
            if made > 0 {
                piece.truncate(made);
                return Ok(Some(piece.into()));
            }
            if taken == 0 && !self.is_over {
                // The codec makes nothing of these bytes, and would not if asked again.
                self.input = Bytes::new();
                return Ok(None);
            }
        }
    }

    fn codec(&mut self) -> &mut (dyn DecodeV2 + Send + Sync) {
        let first = self.input.first().copied().unwrap_or_default();
        // Zlib's first byte has a lower half of 8 and an upper of 7 at most; no bare block begins so.
        let is_zlib = first & 0x0f == 8 && first >> 4 <= 7;
        let codec = self.codec.get_or_insert_with(|| match is_zlib {
            true => Box::new(ZlibDecoder::new()),
            false => Box::new(DeflateDecoder::new()),
        });
        codec.as_mut()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::*;
    use crate::fuzzing::within;

    /// A text in a coding.
    pub(in super::super) fn encoded(encoding: &str, text: &[u8]) -> Bytes {
        let level = flate2::Compression::default();
        let text = text.to_vec();
        let bytes = match encoding {
            "gzip" | "x-gzip" => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(&text).and_then(|()| encoder.finish())
            }
            "zlib" => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(&text).and_then(|()| encoder.finish())
            }
            "deflate" => {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
                encoder.write_all(&text).and_then(|()| encoder.finish())
            }
            "br" => {
                let mut bytes = Vec::new();
                let parameters = brotli::enc::BrotliEncoderParams::default();
                brotli::BrotliCompress(&mut &text[..], &mut bytes, &parameters).map(|_| bytes)
            }
            _ => Ok(text),
        };
        bytes.unwrap().into()
    }

    fn decoder(encoding: &str) -> Result<Decoder, DecodeError> {
        let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, encoding.parse().unwrap())]);
        Decoder::of(&headers)
    }

    /// Decodes chunks in an encoding. Returns the content, and whether it is complete.
    fn decoded(encoding: &str, chunks: impl IntoIterator<Item = Bytes>) -> Result<(Vec<u8>, bool), DecodeError> {
        let mut decoder = decoder(encoding)?;
        let mut all = Vec::new();
        for chunk in chunks {
            decoder.feed(chunk);
            while let Some(piece) = decoder.next()? {
                assert!(piece.len() <= PIECE_BYTES_MAX || encoding == "identity");
                all.extend_from_slice(&piece);
            }
        }
        Ok((all, decoder.is_complete()))
    }

    const CODINGS: [(&str, &str); 6] = [
        ("gzip", "gzip"),
        ("X-Gzip", "gzip"),
        ("deflate", "zlib"),
        ("deflate", "deflate"),
        ("br", "br"),
        ("identity", "none"),
    ];

    #[test]
    fn every_coding_is_decoded_however_its_bytes_are_cut() {
        let text: Vec<u8> = (0..60_000_u32).flat_map(|n| n.to_le_bytes()).collect();
        for (said, is) in CODINGS {
            let bytes = encoded(is, &text);
            for size in [1, 7, 1_000, bytes.len()] {
                let chunks = bytes.chunks(size).map(|chunk| bytes.slice_ref(chunk));
                let (all, is_complete) = decoded(said, chunks).unwrap();
                assert!(all == text && is_complete, "{said} ({is}) in pieces of {size}");
            }
            let is_whole = decoded(said, [bytes.slice(..bytes.len() - 1)]).unwrap().1;
            assert_eq!(is == "none", is_whole, "{said} ({is}), cut");
            assert_eq!((vec![], true), decoded(said, []).unwrap(), "{said} ({is}), empty");
        }
    }

    #[test]
    fn codings_may_lie_over_one_another_and_gzip_may_have_several_members() {
        let twice = encoded("gzip", &encoded("br", b"once and again"));
        assert_eq!((b"once and again".to_vec(), true), decoded("br, gzip", [twice]).unwrap());
        let members = [encoded("gzip", b"once "), encoded("gzip", b"again"), Bytes::from_static(b"\0\0")].concat();
        assert_eq!((b"once again".to_vec(), true), decoded("gzip", [members.into()]).unwrap());
    }

    #[test]
    fn the_stream_that_asks_for_codings_is_called_by_them() {
        assert!(crate::plan::log_stream_name(1, 2).contains(BROWSER_CODINGS));
    }

    #[test]
    fn what_cannot_be_decoded_is_named_by_its_encoding() {
        for unknown in ["zstd", "compress", "gzip, zstd", "gzip, gzip, gzip, gzip"] {
            assert_eq!(Some(DecodeError::Unknown(unknown.to_owned())), decoder(unknown).err());
        }
        for (said, bytes) in
            [("gzip", &b"{\"plain\": true}"[..]), ("br", b"\xff\xff\xff\xff\xff"), ("deflate", b"\xff\xff")]
        {
            let error = decoded(said, [Bytes::from_static(bytes)]).unwrap_err().to_string();
            assert!(error.contains(&format!("'{said}'")), "{error}");
        }
    }

    #[test]
    fn what_expands_a_thousandfold_takes_no_more_memory_than_is_taken_out_at_once() {
        let bomb = vec![0; 64 * 1024 * 1024];
        for (said, is) in [("gzip", "gzip"), ("deflate", "zlib"), ("br", "br")] {
            let bytes = encoded(is, &bomb);
            let taken = within(24 * 1024 * 1024, || {
                let mut decoder = decoder(said).unwrap();
                decoder.feed(bytes);
                let mut taken = 0;
                while let Some(piece) = decoder.next().unwrap() {
                    taken += piece.len();
                }
                taken
            });
            assert_eq!(bomb.len(), taken.unwrap(), "{said}");
        }
    }

    #[test]
    fn a_piece_that_was_flushed_is_decoded_at_once() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        let mut decoder = decoder("gzip").unwrap();
        for n in 0..100 {
            let text = format!("data: {n}\n\n");
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.flush().unwrap();
            decoder.feed(std::mem::take(encoder.get_mut()).into());
            let mut all = Vec::new();
            while let Some(piece) = decoder.next().unwrap() {
                all.extend_from_slice(&piece);
            }
            assert_eq!(text.as_bytes(), all);
        }
    }
}
