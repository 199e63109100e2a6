//! One connection of a stream. Coming back is the session's business: a measurement cannot live with silent reconnects.

use std::{pin::Pin, time::Duration};

use eventsource_client::{Client as _, ClientBuilder, Error, ReconnectOptions, SSE};
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, timeout};

use super::{Client, ClientError, GatewayAccess, Secret, transport::Transport};
use crate::{clock, journal::clip};

/// A stream on which nothing comes, not even a comment, is given up after so long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// An answer's start is looked at for what it says, no longer than so long.
const EXPLAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Opens streams.
#[derive(Debug, Clone)]
pub struct Streams {
    transport: Transport,
    base: String,
    token: Option<Secret>,
}

/// An open stream.
pub struct Connection {
    token: Option<Secret>,
    events: Pin<Box<dyn Stream<Item = Result<SSE, Error>> + Send + Sync>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

/// The stream did not open: what was answered instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status and the start of the body, the content type, or the error.
    pub answer: String,
}

/// The stream is over: how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// In words.
    pub answer: String,
    /// Whether the gateway ended it as HTTP ends an answer: it was not cut, and did not fall silent.
    pub in_good_order: bool,
}

/// An event as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamEvent {
    /// The last id that the stream gave.
    pub id: Option<String>,
    /// The event's name; `message` where it has none.
    pub name: String,
    /// Its data.
    pub data: String,
    /// The delay before coming back that the gateway asks for.
    pub retry_ms: Option<u64>,
    /// When it came.
    pub arrived: Instant,
}

impl Streams {
    /// Streams of the gateway.
    ///
    /// # Errors
    /// Where the token cannot be a header, or TLS not be set up.
    pub fn new(access: &GatewayAccess) -> Result<Self, ClientError> {
        // Streams stay open for hours: timeouts are on the head and on silence, not on the whole.
        Ok(Self { transport: Transport::new(access)?, base: access.url.clone(), token: access.token.clone() })
    }

    /// Opens a stream.
    ///
    /// # Errors
    /// What was answered instead of a stream: data about the gateway.
    pub async fn open(&self, path: &str, workspace: &str, last_id: Option<&str>) -> Result<Connection, Refusal> {
        let refused = |e: Error| Refusal { answer: clip(&e.to_string()) };
        let url = format!("{}{path}", self.base);
        let mut client = ClientBuilder::for_url(&url).map_err(refused)?;
        client = client.header("X-Workspace-ID", workspace).map_err(refused)?;
        client = client.reconnect(ReconnectOptions::reconnect(false).retry_initial(false).build()).redirect_limit(0);
        if let Some(id) = last_id {
            client = client.last_event_id(id.to_owned());
        }
        let mut events = client.build_with_transport(self.transport.clone()).stream();
        match events.next().await {
            Some(Ok(SSE::Connected(details))) => {
                let head = details.response();
                let content_type = head.get_header_value("content-type").ok().flatten().unwrap_or_default();
                let is_stream = content_type.split(';').next().is_some_and(|t| t.trim() == "text/event-stream");
                if is_stream {
                    Ok(Connection { token: self.token.clone(), events })
                } else {
                    let answer = format!("{} with content type '{}'", head.status(), clip(content_type));
                    Err(Refusal { answer })
                }
            }
            Some(Ok(_)) | None => Err(Refusal { answer: "no answer".into() }),
            Some(Err(error)) => Err(Refusal { answer: explain(error, self.token.as_ref()).await }),
        }
    }
}

impl Connection {
    /// A connection that is open already, and shows these.
    #[cfg(test)]
    pub(super) fn over(events: Pin<Box<dyn Stream<Item = Result<SSE, Error>> + Send + Sync>>) -> Self {
        Self { token: None, events }
    }

    /// The next event. Comments keep the stream alive and are not shown.
    ///
    /// # Errors
    /// How the stream ended: data about the gateway.
    pub async fn next(&mut self) -> Result<StreamEvent, Ended> {
        loop {
            let item = timeout(IDLE_TIMEOUT, self.events.next()).await;
            let Ok(item) = item else {
                let answer = format!("silent for {} s", IDLE_TIMEOUT.as_secs());
                return Err(Ended { answer, in_good_order: false });
            };
            match item {
                Some(Ok(SSE::Event(event))) => {
                    let redacted = self.token.as_ref().and_then(|token| token.redact(&event.data));
                    return Ok(StreamEvent {
                        id: event.id.filter(|id| !id.is_empty()),
                        name: event.event_type,
                        data: redacted.unwrap_or(event.data),
                        retry_ms: event.retry,
                        arrived: clock::now(),
                    });
                }
                Some(Ok(SSE::Comment(_) | SSE::Connected(_))) => {}
                Some(Err(error)) => {
                    let in_good_order = matches!(error, Error::Eof);
                    return Err(Ended { answer: explain(error, self.token.as_ref()).await, in_good_order });
                }
                None => return Err(Ended { answer: "closed".into(), in_good_order: true }),
            }
        }
    }
}

/// An error in words, with the start of the body where there is one.
async fn explain(error: Error, token: Option<&Secret>) -> String {
    match error {
        Error::UnexpectedResponse(head, body) => {
            let mut chunks = body.into_stream();
            let first = timeout(EXPLAIN_TIMEOUT, chunks.next()).await.ok().flatten();
            let start = first.and_then(Result::ok).unwrap_or_default();
            let start = &start[..start.len().min(1_024)];
            let start = String::from_utf8_lossy(start);
            let redacted = token.and_then(|token| token.redact(&start));
            clip(&format!("{} {}", head.status(), redacted.as_deref().unwrap_or(&start)))
        }
        Error::Eof => "closed by the gateway".into(),
        Error::UnexpectedEof => "closed by the gateway in the middle of an event".into(),
        Error::Transport(error) => {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(inner) = cause.source() {
                cause = inner;
            }
            clip(&format!("connection lost: {cause}"))
        }
        other => clip(&other.to_string()),
    }
}

impl Client {
    /// The path of the logs of a workspace, or of one run.
    #[must_use]
    pub fn logs_path(run: Option<&str>) -> String {
        stream_path(run, "logs")
    }

    /// The path of the safety layer's events of a workspace, or of one run.
    #[must_use]
    pub fn guard_path(run: Option<&str>) -> String {
        stream_path(run, "guard")
    }
}

fn stream_path(run: Option<&str>, what: &str) -> String {
    match run {
        Some(id) => format!("/api/runs/{}/{what}/stream", super::client::segment(id)),
        None => format!("/api/runs/{what}/stream"),
    }
}
