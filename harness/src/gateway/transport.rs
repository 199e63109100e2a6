//! The connections of `eventsource-client`: each stream has one, which its reader drives, and reads and events are
//! bounded. [`ResponseMeta`] has the parts of an answer that are no events.
//!
//! Streams do not use hyper's client, as requests do: it lets a connection's read buffer grow to 400 KiB for good. With
//! streams that stay for hours, the harness would grow with a fault of the gateway.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{
    body::{Body, Incoming},
    client::conn::http2,
};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use launchdarkly_sdk_transport::{ByteStream, HttpTransport, ResponseFuture, TransportError};
use parking_lot::Mutex;
use sync_wrapper::{SyncFuture, SyncStream};
use tokio::time::timeout;

use super::{
    ClientError, GatewayAccess, KnownEvents, Token,
    connect::{Connector, Link, Proxies, USER_AGENT},
    decode::Decoder,
    dialect::{CodeSays, Dialect},
    event_lines::EventLines,
    headers,
    http1::{self, Http1Body, READ_BYTES_MAX},
    response_meta::{Head, ResponseMeta},
    retry_after,
};
use crate::clock;

/// Maximum time until the head of a stream's answer has come, including the time to connect.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum amount of data on its way to a stream over HTTP/2; bytes.
const WINDOW_BYTES: u32 = 64 * 1024;

/// Maximum size of the start of an answer that is searched for a code, and maximum time to read it.
const LOOK_AHEAD_BYTES_MAX: usize = 64 * 1024;
const LOOK_AHEAD_LIMIT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub(super) struct Transport {
    gateway: Arc<Route>,
    /// Headers of the next request. The request takes them, so that an open stream does not keep them.
    headers: Arc<Mutex<HeaderMap>>,
    meta: ResponseMeta,
    known_events: Option<Arc<KnownEvents>>,
}

/// Parts that all streams to a gateway share.
#[derive(Debug)]
struct Route {
    connector: Connector,
    /// The host that requests are for, if they go to a proxy.
    host: Option<HeaderValue>,
    dialect: Arc<Dialect>,
}

impl Transport {
    /// A transport to a gateway, through the proxies that the environment names.
    pub(super) fn new(access: &GatewayAccess) -> Result<Self, ClientError> {
        Self::over(Connector::new(access.trust.tls()?, Proxies::of(access)), access)
    }

    /// A transport over the connections of `connector`.
    pub(super) fn over(connector: Connector, access: &GatewayAccess) -> Result<Self, ClientError> {
        headers::check(&access.dialect, access.token.as_ref().map(Token::current).as_ref())?;
        let gateway = Route { connector, host: access.host(), dialect: Arc::clone(&access.dialect) };
        Ok(Self { gateway: Arc::new(gateway), headers: Arc::default(), meta: Arc::default(), known_events: None })
    }

    /// The same transport for one request with these headers. `meta` records its answer. `known_events` are not parsed.
    pub(super) fn for_stream(
        &self,
        headers: HeaderMap,
        meta: &ResponseMeta,
        known_events: Option<Arc<KnownEvents>>,
    ) -> Self {
        let headers = Arc::new(Mutex::new(headers));
        Self { gateway: Arc::clone(&self.gateway), headers, meta: meta.clone(), known_events }
    }

    async fn open(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Decoded>, TransportError> {
        let Route { connector, host, .. } = &*self.gateway;
        request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        request.headers_mut().extend(std::mem::take(&mut *self.headers.lock()));
        let link = connector.connect(request.uri()).await.map_err(TransportError::new)?;
        connector.prepare(&mut request, &link).map_err(TransportError::new)?;
        if let Some(host) = host {
            request.headers_mut().insert(header::HOST, host.clone());
        }
        let response = converse(link, request).await.map_err(TransportError::new)?;
        let (decoder, undecodable) = match Decoder::of(response.headers()) {
            Ok(decoder) => (Some(decoder), None),
            Err(unknown) => (None, Some(unknown.to_string())),
        };
        let retry_after = retry_after::asked(response.headers(), clock::wall_now());
        let response = self.by_its_code(response.map(|chunks| Decoded { chunks, decoder, ahead: None })).await;
        let (status, location) = (response.status().as_u16(), headers::location(response.headers()));
        self.meta.lock().head = Some(Head { status, location, retry_after, undecodable });
        Ok(response)
    }

    /// An answer. If it is no stream, its status is that of the code in its body.
    async fn by_its_code(&self, mut response: Response<Decoded>) -> Response<Decoded> {
        let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_stream = content_type.is_none_or(|of| of.trim_start().to_lowercase().starts_with("text/event-stream"));
        let codes = &self.gateway.dialect.codes;
        if is_stream || codes.code.is_empty() || !response.status().is_success() {
            return response;
        }
        let start = response.body_mut().look_ahead().await;
        if let CodeSays::Status { status, .. } = codes.read(&start)
            && let Ok(status) = StatusCode::from_u16(status)
        {
            *response.status_mut() = status;
        }
        response
    }
}

impl HttpTransport for Transport {
    fn request(&self, request: Request<Option<Bytes>>) -> ResponseFuture {
        let request = request.map(|body| Full::new(body.unwrap_or_default()));
        let transport = self.clone();
        Box::pin(SyncFuture::new(async move {
            let opening = timeout(HEAD_TIMEOUT, transport.open(request));
            let response =
                opening.await.map_err(|_| TransportError::new(io::Error::from(io::ErrorKind::TimedOut)))??;
            let is_stream = response.status().is_success();
            let Self { gateway, meta, known_events, .. } = transport;
            Ok(response.map(|chunks| -> ByteStream {
                // An answer that is no stream is quoted as it is.
                if !is_stream {
                    return Box::pin(SyncStream::new(chunks));
                }
                let event_bytes_max = gateway.dialect.limits.event_bytes_max;
                Box::pin(SyncStream::new(EventLines::of(chunks, meta, event_bytes_max, known_events)))
            }))
        }))
    }
}

/// Sends a request and reads the head of its answer, over the version of HTTP that both sides chose.
async fn converse(link: Link, request: Request<Full<Bytes>>) -> io::Result<Response<Chunks>> {
    if !link.inner().is_http2() {
        return Ok(http1::exchange(link.into_inner(), &request).await?.map(Chunks::Http1));
    }
    // The peer sends no more unread data than these windows hold.
    let mut http2 = http2::Builder::new(TokioExecutor::new());
    http2.timer(TokioTimer::new());
    http2.initial_stream_window_size(WINDOW_BYTES).initial_connection_window_size(WINDOW_BYTES);
    http2.max_header_list_size(READ_BYTES_MAX as u32);
    let (mut sender, connection) = http2.handshake(link).await.map_err(io::Error::other)?;
    let mut connection = Some(Box::new(connection));
    let mut broken = None;
    let mut answering = pin!(sender.send_request(request));
    let response = poll_fn(|cx| {
        if let Err(error) = drive(&mut connection, cx) {
            broken = Some(error);
        }
        answering.as_mut().poll(cx)
    });
    match response.await {
        Ok(response) => Ok(response.map(|body| Chunks::Http2 { connection, body })),
        // The connection's own error says more.
        Err(error) => Err(io::Error::other(broken.unwrap_or(error))),
    }
}

type Http2Connection = Box<http2::Connection<Link, Full<Bytes>, TokioExecutor>>;

/// Reads and writes as far as possible. A connection that is over is dropped.
fn drive(connection: &mut Option<Http2Connection>, cx: &mut Context<'_>) -> hyper::Result<()> {
    match connection.as_mut().map(|open| Pin::new(open).poll(cx)) {
        Some(Poll::Ready(outcome)) => {
            *connection = None;
            outcome
        }
        Some(Poll::Pending) | None => Ok(()),
    }
}

/// The decoded body of an answer; as it came, where the coding is not known.
struct Decoded {
    chunks: Chunks,
    decoder: Option<Decoder>,
    /// The start of the body, if it was read ahead.
    ahead: Option<Bytes>,
}

impl Decoded {
    /// The start of the body, which stays in the body.
    async fn look_ahead(&mut self) -> Vec<u8> {
        let mut start = Vec::new();
        let reading = async {
            while start.len() < LOOK_AHEAD_BYTES_MAX
                && let Some(Ok(piece)) = self.next().await
            {
                start.extend_from_slice(&piece);
            }
        };
        // After this time the code is unknown, and the status stands.
        let _ = timeout(LOOK_AHEAD_LIMIT, reading).await;
        self.ahead = Some(Bytes::from(start.clone()));
        start
    }
}

impl Stream for Decoded {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(piece) = this.ahead.take() {
            return Poll::Ready(Some(Ok(piece)));
        }
        loop {
            if let Some(decoder) = &mut this.decoder
                && let Some(piece) = decoder.next().map_err(TransportError::new).transpose()
            {
                return Poll::Ready(Some(piece));
            }
            match (ready!(Pin::new(&mut this.chunks).poll_next(cx)), &mut this.decoder) {
                (Some(Ok(chunk)), Some(decoder)) => decoder.feed(chunk),
                (item, _) => return Poll::Ready(item),
            }
        }
    }
}

/// The body of an answer as it comes, with its connection, which is closed when this is dropped.
enum Chunks {
    Http1(Http1Body),
    Http2 { connection: Option<Http2Connection>, body: Incoming },
}

impl Stream for Chunks {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let (connection, body) = match self.get_mut() {
            Self::Http1(body) => return Pin::new(body).poll_next(cx).map_err(TransportError::new),
            Self::Http2 { connection, body } => (connection, body),
        };
        // An error of the connection ends the body too, with its reason.
        let _ = drive(connection, cx);
        while let Some(frame) = ready!(Pin::new(&mut *body).poll_frame(cx).map_err(TransportError::new)?) {
            // Frames of trailers are passed over.
            if let Ok(chunk) = frame.into_data() {
                return Poll::Ready(Some(Ok(chunk)));
            }
        }
        Poll::Ready(None)
    }
}
