//! One connection of a stream. The session reconnects: a silent reconnect would falsify its measurements.

use std::{collections::VecDeque, pin::Pin, sync::Arc, time::Duration};

use eventsource_client::{Client as _, ClientBuilder, Error, ReconnectOptions, SSE};
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue, header};
use tokio::time::{Instant, Sleep, timeout};

use super::{
    ClientError, Dialect, EventContent, GatewayAccess, KnownEvents, StreamEvent, Token, TroubleKind,
    decode::BROWSER_CODINGS, event_lines::KNOWN, event_parts::parts, headers, response_meta::ResponseMeta,
    secret::Secret, tls::cause_of, transport::Transport,
};
use crate::{catalog::CallName, clock, journal::clip};

/// Maximum wait for the start of an answer that is quoted.
const EXPLAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum wait for each further piece of the start of an answer, and maximum size of the start.
const EXPLAIN_MORE_TIMEOUT: Duration = Duration::from_millis(100);
const EXPLAIN_BYTES_MAX: usize = 1_024;

/// Statuses for "no such stream now": No Content, which ends it by the format of event streams; Not Found; Gone.
pub const NOT_THERE: [u16; 3] = [204, 404, 410];
/// Statuses of a stream that is opened before its run is started: Bad Request, Not Found, Conflict, Too Early.
pub const TOO_EARLY: [u16; 4] = [400, 404, 409, 425];
/// Status of an answer that refuses a token (RFC 9110, section 15.5.2).
const UNAUTHORIZED: u16 = 401;

/// Opens streams.
#[derive(Debug, Clone)]
pub struct Streams {
    transport: Transport,
    /// The accepted content codings.
    codings: &'static str,
    base: String,
    token: Option<Token>,
    dialect: Arc<Dialect>,
    known_events: Option<Arc<KnownEvents>>,
}

/// An open stream.
pub struct Connection {
    meta: ResponseMeta,
    /// The pointer to the log lines of an event that carries several.
    lines: String,
    /// Lines of an event that were not handed out yet.
    parts: VecDeque<StreamEvent>,
    /// Maximum time without an item, comments included.
    idle_max: Duration,
    /// Arrival of the last item.
    heard_at: Instant,
    /// Fires no later than `idle_max` after the last item. An event does not reset it: a later check costs less.
    idle_timer: Pin<Box<Sleep>>,
    events: ParsedItems,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

/// The stream did not open: the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status and the start of the body, the content type, or the error.
    pub(crate) answer: String,
    /// The status, where an answer came.
    pub(crate) status: Option<u16>,
    pub(crate) is_throttled: bool,
    /// Whether the request was not sent because this process has no file descriptor left.
    pub(crate) is_out_of_descriptors: bool,
    /// Time that the answer asks to wait before the next attempt.
    pub(crate) retry_after: Option<Duration>,
}

/// The end of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// In words.
    pub(crate) answer: String,
    /// Whether the gateway ended it as HTTP ends an answer.
    pub(crate) in_good_order: bool,
    /// Whether S2 ended it, because nothing came any more, not even a comment.
    pub(crate) is_ours: bool,
    /// Time since the last item.
    pub(crate) silent_for: Duration,
}

impl Streams {
    /// Streams of the gateway. They stay open for hours: timeouts are on the head and on silence, not on the whole.
    pub(crate) fn new(access: &GatewayAccess) -> Result<Self, ClientError> {
        Ok(Self {
            transport: Transport::new(access)?,
            codings: "identity",
            base: access.base(),
            token: access.token.clone(),
            dialect: Arc::clone(&access.dialect),
            known_events: None,
        })
    }

    /// The same streams, with the content codings that a browser accepts.
    pub(crate) fn as_a_browser(&self) -> Self {
        Self { codings: BROWSER_CODINGS, ..self.clone() }
    }

    /// The same streams. Known events are not parsed, unless an event carries several lines.
    pub(crate) fn with_known_events(&self, known_events: &Arc<KnownEvents>) -> Self {
        let is_a_line = self.dialect.events.lines.is_empty();
        Self { known_events: is_a_line.then(|| Arc::clone(known_events)), ..self.clone() }
    }

    /// Opens a stream: a call of the dialect's, at its path.
    pub(crate) async fn open(
        &self,
        call: CallName,
        path: &str,
        workspace: &str,
        last_id: Option<&str>,
    ) -> Result<Connection, Refusal> {
        let Some(token) = &self.token else { return self.open_with(call, path, workspace, last_id, None).await };
        let secret = token.next();
        let opened = self.open_with(call, path, workspace, last_id, Some(&secret)).await;
        // Once more where the token was refused and its source has another.
        let is_refused = opened.as_ref().is_err_and(|refusal| refusal.status == Some(UNAUTHORIZED));
        match if is_refused { token.after_refusal(&secret).await } else { None } {
            Some(other) => self.open_with(call, path, workspace, last_id, Some(&other)).await,
            None => opened,
        }
    }

    async fn open_with(
        &self,
        call: CallName,
        path: &str,
        workspace: &str,
        last_id: Option<&str>,
        token: Option<&Secret>,
    ) -> Result<Connection, Refusal> {
        let meta = ResponseMeta::default();
        let refused = |answer: String| {
            let head = meta.lock().head.clone();
            let status = head.as_ref().map(|head| head.status);
            let retry_after = head.and_then(|head| head.retry_after);
            Refusal { answer, status, is_throttled: status == Some(429), is_out_of_descriptors: false, retry_after }
        };
        let unsent = |e: Error| refused(clip(&format!("not sent: {e}")));
        let url = format!("{}{path}", self.base);
        let own = self.dialect.call(call).map_or(&[][..], |spec| &spec.headers);
        let mut headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(self.codings))]);
        headers.extend(headers::of(&self.dialect.headers, own, workspace, token));
        let mut client = ClientBuilder::for_url(&url).map_err(unsent)?;
        client = client.reconnect(ReconnectOptions::reconnect(false).retry_initial(false).build()).redirect_limit(0);
        // An id of the connection means something else on the next.
        if let Some(id) = last_id.filter(|_| !self.dialect.events.ids_are_the_connections) {
            client = client.last_event_id(id.to_owned());
        }
        let mut events =
            client.build_with_transport(self.transport.for_stream(headers, &meta, self.known_events.clone())).stream();
        let details = match events.next().await {
            Some(Ok(SSE::Connected(details))) => details,
            Some(Ok(_)) | None => return Err(refused("no answer".into())),
            Some(Err(error)) => {
                let kind = error.source().map(TroubleKind::of);
                let is_out_of_descriptors = kind == Some(TroubleKind::OutOfDescriptors);
                return Err(Refusal { is_out_of_descriptors, ..refused(Box::pin(explain(error, &meta)).await) });
            }
        };
        let head = details.response();
        let undecodable = meta.lock().head.as_ref().and_then(|head| head.undecodable.clone());
        if let Some(why) = undecodable {
            return Err(refused(clip(&format!("{}, with {why}", head.status()))));
        }
        let content_type = head.get_header_value("content-type").ok().flatten().unwrap_or_default();
        if !content_type.split(';').next().is_some_and(|t| t.trim().eq_ignore_ascii_case("text/event-stream")) {
            return Err(refused(format!("{} with content type '{}'", head.status(), clip(content_type))));
        }
        let lines = self.dialect.events.lines.clone();
        Ok(Connection::of(events, meta, lines, self.dialect.limits.stream_idle))
    }
}

type ParsedItems = Pin<Box<dyn Stream<Item = Result<SSE, Error>> + Send + Sync>>;

impl Connection {
    fn of(events: ParsedItems, meta: ResponseMeta, lines: String, idle_max: Duration) -> Self {
        let idle_timer = Box::pin(tokio::time::sleep(idle_max));
        Self { meta, lines, parts: VecDeque::new(), idle_max, heard_at: clock::now(), idle_timer, events }
    }

    /// An open connection with these events.
    #[cfg(test)]
    pub(super) fn over(events: ParsedItems, meta: ResponseMeta) -> Self {
        Self::of(events, meta, String::new(), Duration::from_secs(300))
    }

    /// Whether some lines of an event were not handed out yet.
    pub(crate) fn is_within_an_event(&self) -> bool {
        !self.parts.is_empty()
    }

    /// The delay before a reconnect that the stream last asked for, with or without an event.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.meta.lock().retry
    }

    /// The next item of the parser; none after `idle_max` without one.
    async fn next_item(&mut self) -> Option<Option<Result<SSE, Error>>> {
        loop {
            tokio::select! {
                biased;
                item = self.events.next() => return Some(item),
                () = &mut self.idle_timer => {}
            }
            let deadline = self.heard_at + self.idle_max;
            if clock::now() >= deadline {
                return None;
            }
            self.idle_timer.as_mut().reset(deadline);
        }
    }

    /// The next event. Comments keep the stream alive and are not shown.
    pub(crate) async fn next(&mut self) -> Result<StreamEvent, Ended> {
        loop {
            if let Some(part) = self.parts.pop_front() {
                return Ok(part);
            }
            let skipped = self.meta.lock().oversized.pop_front();
            if let Some(skipped) = skipped {
                let (id, name) = (skipped.id.clone(), skipped.name.clone());
                let event = StreamEvent::at(clock::now(), EventContent { id, name, ..EventContent::default() });
                return Ok(StreamEvent { oversized: Some(skipped), ..event });
            }
            let bytes = self.meta.lock().bytes;
            let item = self.next_item().await;
            let now = clock::now();
            let silent_for = now.saturating_duration_since(std::mem::replace(&mut self.heard_at, now));
            let Some(item) = item else {
                let (seconds, came) = (self.idle_max.as_secs(), self.meta.lock().bytes - bytes);
                let answer = match came {
                    0 => format!("silent for {seconds} s"),
                    _ => format!("no whole event and no comment for {seconds} s, only {came} bytes of one"),
                };
                // A stream that stops in the middle of an event is not idle.
                return Err(Ended { answer, in_good_order: false, is_ours: came == 0, silent_for });
            };
            match item {
                Some(Ok(SSE::Event(event))) => {
                    let id = event.id.filter(|id| !id.is_empty());
                    let (name, data) = (event.event_type, event.data);
                    let event = EventContent { id, name, data, ..EventContent::default() };
                    let mut parts = parts(&self.lines, StreamEvent::at(now, event)).into_iter();
                    if let Some(first) = parts.next() {
                        self.parts.extend(parts);
                        return Ok(first);
                    }
                }
                Some(Ok(SSE::Comment(text))) if text.as_bytes() == KNOWN => {
                    let known = self.meta.lock().known.pop_front();
                    if let Some(known) = known {
                        return Ok(StreamEvent::at(now, known));
                    }
                }
                Some(Ok(SSE::Comment(_) | SSE::Connected(_))) => {}
                Some(Err(error)) => {
                    let in_good_order = matches!(error, Error::Eof);
                    // Boxed: its state is larger than all other state here, and only the last call needs it.
                    let answer = Box::pin(explain(error, &self.meta)).await;
                    return Err(Ended { answer, in_good_order, is_ours: false, silent_for });
                }
                None => return Err(Ended { answer: "closed".into(), in_good_order: true, is_ours: false, silent_for }),
            }
        }
    }
}

/// An error in words, with the start of the body where there is one.
async fn explain(error: Error, meta: &ResponseMeta) -> String {
    let head = meta.lock().head.clone();
    let location = head.as_ref().and_then(|head| head.location.as_ref());
    let to = location.map_or_else(String::new, |to| format!(" to '{}'", clip(to)));
    match error {
        Error::UnexpectedResponse(head, body) => {
            let mut chunks = body.into_stream();
            let mut start = Vec::new();
            let mut patience = EXPLAIN_TIMEOUT;
            while start.len() < EXPLAIN_BYTES_MAX
                && let Ok(Some(Ok(piece))) = timeout(patience, chunks.next()).await
            {
                start.extend_from_slice(&piece);
                patience = EXPLAIN_MORE_TIMEOUT;
            }
            start.truncate(EXPLAIN_BYTES_MAX);
            let start = String::from_utf8_lossy(&start);
            clip(&format!("{}{to} {start}", head.status()))
        }
        Error::MaxRedirectLimitReached(_) => clip(&format!("{}{to}", head.map_or(0, |head| head.status))),
        Error::Eof => "closed by the gateway".into(),
        Error::UnexpectedEof => "closed by the gateway in the middle of an event".into(),
        Error::Transport(error) => clip(&format!("connection lost: {}", cause_of(&error))),
        other => clip(&other.to_string()),
    }
}
