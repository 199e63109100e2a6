//! Effects of defects and habits on answers: their coding, their size, the connection that they come by, the clock and the
//! metrics that they report.

use std::io::Write;

use axum::body::{Body, to_bytes};
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{Stream, StreamExt, future, stream};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::{Defect, Faults};
use crate::clock;

const STALE_CONNECTION_SHARE: f64 = 0.005;
const OK_WITH_ERROR_SHARE: f64 = 0.05;
/// One run in so many has a large record.
const LARGE_RECORD_EVERY: u128 = 10;
const LARGE_RECORD_BYTES: usize = 1_200_000;
/// Bytes that a compressor of streams holds back. They are some seconds of the events of a compressed soak, and minutes of
/// the events of a quiet workspace.
const HELD_BACK_BYTES: usize = 16 * 1024;

impl Faults {
    /// The answer with the status and in the coding that it has on the wire.
    pub(crate) async fn encode(&self, response: Response) -> Response {
        let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|value| value == "application/json");
        let status = response.status();
        let is_coded = self.has(Defect::CodedErrors) && !status.is_success();
        if !is_json || !is_coded && !self.has(Defect::GzipUnasked) {
            return response;
        }
        let (mut head, body) = response.into_parts();
        // No bound: it is an answer of ours, which is in memory already.
        let mut body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        if is_coded {
            let mut json: Value = serde_json::from_slice(&body).unwrap_or_default();
            json["code"] = (u32::from(status.as_u16()) * 100).into();
            (head.status, body) = (StatusCode::OK, json.to_string().into());
            head.headers.remove(CONTENT_LENGTH);
        }
        if self.has(Defect::GzipUnasked) {
            head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            body = Gzip::new(0).end_with(&body);
        }
        Response::from_parts(head, Body::from(body))
    }

    /// Whether a request finds the connection being closed that it was sent on, which had a request before.
    pub(crate) fn is_stale(&self, method: &Method) -> bool {
        method == Method::GET && self.strikes(Defect::StaleConnection, STALE_CONNECTION_SHARE)
    }

    /// Whether a run is not created, by an answer that says 200.
    pub(crate) fn creates_nothing(&self) -> bool {
        self.strikes(Defect::OkWithError, OK_WITH_ERROR_SHARE)
    }

    /// Makes the record of a run large. Which runs these are is in their ids: a record is as large each time it is read.
    pub(crate) fn enlarge(&self, id: &str, run: &mut Value) {
        let is_large = Uuid::try_parse(id).is_ok_and(|id| id.as_u128().is_multiple_of(LARGE_RECORD_EVERY));
        if self.has(Defect::LargeRecord) && is_large {
            run["trace"] = "0123456789abcdef".repeat(LARGE_RECORD_BYTES / 16).into();
        }
    }

    /// The time as /health tells it.
    pub(crate) fn tell_time(&self, wall: Timestamp) -> String {
        let time = self.health_clock(wall);
        if self.has(Defect::ClockInSeconds) { format!("{time:.0}") } else { clock::rfc3339_millis(time) }
    }

    /// Whether the metrics have a port of their own.
    pub(crate) fn has_metrics_elsewhere(&self) -> bool {
        self.has(Defect::MetricsElsewhere)
    }

    /// Whether the gateway speaks HTTP/2 over TLS, and nothing else.
    pub(crate) fn speaks_http2_only(&self) -> bool {
        self.has(Defect::Http2Only)
    }

    /// The metrics' text in another spelling that the format allows.
    pub(super) fn respell(&self, text: String) -> String {
        if self.has(Defect::GaugesVanish) {
            return without_gauges_at_zero(&text);
        }
        let (braces, blanks) = (self.has(Defect::MetricsEmptyBraces), self.has(Defect::MetricsBlanks));
        if !braces && !blanks {
            return text;
        }
        let lines = text.lines().map(|line| match line.rsplit_once(' ') {
            Some((series, value)) if !line.starts_with('#') => {
                let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
                let labels = labels.strip_suffix('}').unwrap_or(labels);
                match (labels.is_empty(), blanks) {
                    (true, _) if braces => format!("{name}{{}} {value}\n"),
                    (true, true) => format!("{name} \t {value}\n"),
                    (false, true) => format!("{name} {{ \t{} , }}\t{value}\n", labels.replacen('=', " = ", 1)),
                    _ => format!("{line}\n"),
                }
            }
            _ => format!("{line}\n"),
        });
        lines.collect()
    }

    /// The coding of a stream that was asked for with these headers; none where it is sent as it is.
    pub(crate) fn codes_stream(&self, headers: &HeaderMap) -> Option<Gzip> {
        let asked = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let takes_gzip = asked.flat_map(|value| value.split(',')).any(|coding| coding.trim() == "gzip");
        let held_back = if self.has(Defect::CompressedStreams) { HELD_BACK_BYTES } else { 0 };
        let is_coded = self.has(Defect::CompressedStreams) || self.has(Defect::FlushedStreams);
        (takes_gzip && is_coded).then(|| Gzip::new(held_back))
    }
}

fn without_gauges_at_zero(text: &str) -> String {
    let gauges: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" gauge")).collect();
    let is_zero = |line: &str| line.trim_end().strip_suffix(" 0").is_some_and(|name| gauges.contains(&name));
    text.split_inclusive('\n').filter(|line| !is_zero(line)).collect()
}

/// A gzip encoder that hands out what it has made whenever so many bytes were put in.
pub(crate) struct Gzip {
    encoder: GzEncoder<Vec<u8>>,
    held_back: usize,
    /// Bytes put in since it last handed out.
    held: usize,
}

impl Gzip {
    fn new(held_back: usize) -> Self {
        Self { encoder: GzEncoder::new(Vec::new(), Compression::fast()), held_back, held: 0 }
    }

    /// Names the coding in an answer's head.
    pub(crate) fn name_in(headers: &mut HeaderMap) {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }

    /// The pieces of a body, encoded.
    pub(crate) fn over<E>(self, pieces: impl Stream<Item = Result<Bytes, E>>) -> impl Stream<Item = Result<Bytes, E>> {
        let mut gzip = Some(self);
        pieces.map(Some).chain(stream::once(future::ready(None))).filter_map(move |piece| {
            future::ready(match piece {
                Some(Ok(bytes)) => gzip.as_mut().and_then(|gzip| gzip.put(&bytes)).map(Ok),
                Some(Err(error)) => Some(Err(error)),
                None => gzip.take().map(|gzip| Ok(gzip.end_with(&[]))),
            })
        })
    }

    fn put(&mut self, bytes: &[u8]) -> Option<Bytes> {
        self.encoder.write_all(bytes).expect("a Vec takes all that is written");
        self.held += bytes.len();
        if self.held < self.held_back {
            return None;
        }
        self.held = 0;
        self.encoder.flush().expect("a Vec takes all that is written");
        Some(std::mem::take(self.encoder.get_mut()).into())
    }

    fn end_with(mut self, bytes: &[u8]) -> Bytes {
        self.encoder.write_all(bytes).expect("a Vec takes all that is written");
        self.encoder.finish().expect("a Vec takes all that is written").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_respelled_and_their_values_stay() {
        let text = "# TYPE a counter\na 1\nb_bucket{le=\"+Inf\"} 2.5\n";
        let told = |defect: Defect| Faults::new(defect.into(), 7).respell(text.to_owned());
        assert_eq!(told(Defect::MetricsEmptyBraces), "# TYPE a counter\na{} 1\nb_bucket{le=\"+Inf\"} 2.5\n");
        let blanks = "# TYPE a counter\na \t 1\nb_bucket { \tle = \"+Inf\" , }\t2.5\n";
        assert_eq!(told(Defect::MetricsBlanks), blanks);
        assert_eq!(told(Defect::GzipUnasked), text);
        let (declared, series) = ("# TYPE a counter\na 0\n# TYPE b gauge\n# TYPE c gauge\n", "b 0\nc 10\n");
        let told = Faults::new(Defect::GaugesVanish.into(), 7).respell(format!("{declared}{series}"));
        assert_eq!(told, format!("{declared}c 10\n"));
    }

    #[test]
    fn a_compressor_hands_out_at_once_or_when_it_is_full() {
        let mut at_once = Gzip::new(0);
        assert!(at_once.put(b"data: 1\n\n").is_some_and(|bytes| !bytes.is_empty()));
        let mut late = Gzip::new(HELD_BACK_BYTES);
        assert!(late.put(&[b'x'; HELD_BACK_BYTES - 1]).is_none());
        assert!(late.put(b"x").is_some_and(|bytes| !bytes.is_empty()));
        assert!(late.put(b"x").is_none(), "it begins anew");
    }
}
