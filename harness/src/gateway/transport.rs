//! `eventsource-client` on `reqwest`: the streams share the requests' TLS, headers and timeouts, and no event grows
//! without bound.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use launchdarkly_sdk_transport::{ByteStream, HttpTransport, ResponseFuture, TransportError};
use sync_wrapper::{SyncFuture, SyncStream};

/// How long the head of a stream's answer may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// No event is longer; a stream that does not come to the end of one is cut.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// Carries streams over a `reqwest` client that has no timeout over the whole answer.
#[derive(Debug, Clone)]
pub(super) struct ReqwestTransport(pub(super) reqwest::Client);

impl HttpTransport for ReqwestTransport {
    fn request(&self, request: http::Request<Option<Bytes>>) -> ResponseFuture {
        let client = self.0.clone();
        Box::pin(SyncFuture::new(async move {
            let request = request.map(Option::unwrap_or_default);
            let request = reqwest::Request::try_from(request).map_err(TransportError::new)?;
            let response = tokio::time::timeout(HEAD_TIMEOUT, client.execute(request)).await;
            let response = response.map_err(|_| TransportError::new(io::Error::from(io::ErrorKind::TimedOut)))?;
            let response = response.map_err(TransportError::new)?;
            let mut head = http::Response::new(());
            *head.status_mut() = response.status();
            *head.headers_mut() = response.headers().clone();
            let mut bound = EventBound::default();
            let chunks = response.bytes_stream().map(move |chunk| {
                let chunk = chunk.map_err(TransportError::new)?;
                bound.pass(&chunk).map_err(TransportError::new)?;
                Ok(chunk)
            });
            let chunks: ByteStream = Box::pin(SyncStream::new(chunks));
            Ok(head.map(|()| chunks))
        }))
    }
}

/// Counts the bytes since the last blank line.
#[derive(Debug, Default)]
struct EventBound {
    event_bytes: usize,
    line_bytes: usize,
}

impl EventBound {
    fn pass(&mut self, chunk: &[u8]) -> io::Result<()> {
        for byte in chunk {
            if matches!(byte, b'\n' | b'\r') {
                // The second of CR LF ends no line of its own, but an event too early forgotten only widens the bound.
                if self.line_bytes == 0 {
                    self.event_bytes = 0;
                }
                self.line_bytes = 0;
            } else {
                self.line_bytes += 1;
                self.event_bytes += 1;
                if self.event_bytes > EVENT_BYTES_MAX {
                    let text = format!("an event of over {EVENT_BYTES_MAX} bytes; the stream was cut");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, text));
                }
            }
        }
        Ok(())
    }
}
