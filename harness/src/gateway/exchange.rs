//! One request and its answer: connections that are kept, time limits, content codings, and one repetition of a request that
//! was sent on a connection which the gateway was just closing.

use std::{error::Error, fmt, io, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time::timeout;

use super::{
    ClientError, GatewayAccess, Trouble,
    connect::{Connector, Proxies, Traffic},
    decode::Decoder,
    json_cost,
};

/// Connections kept for the next request.
const IDLE_CONNECTIONS_MAX: usize = 4;
/// Connections that nobody used for so long are closed: a burst must not look like a leak of the gateway's.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// JSON may take so many times its size in memory, of a body of this size at least.
const PARSED_BYTES_PER_BYTE: usize = 16;
const PARSED_FROM_BYTES_MIN: usize = 8 * 1024 * 1024;
/// The setting that limits the amount of data that is read.
const LIMIT: &str = "`limits.answer_size` in the dialect sets the limit";

/// Sends requests.
#[derive(Clone)]
pub(super) struct Exchange {
    connector: Connector,
    kept: legacy::Client<Connector, Full<Bytes>>,
    /// Makes a new connection for each request: a repetition must not meet the next connection that is just being closed.
    fresh: legacy::Client<Connector, Full<Bytes>>,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exchange")
    }
}

/// A received answer.
pub(super) struct Received {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Decoded; or why it could not be read, a limit of S2's.
    pub(super) body: Result<Bytes, String>,
    /// Why the request was sent once more, if it was.
    pub(super) repeated: Option<String>,
}

impl Exchange {
    /// Sends requests to a gateway, and to where its dialect leads.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub(super) fn new(access: &GatewayAccess) -> Result<Self, ClientError> {
        let connector = Connector::new(access.trust.tls()?, Proxies::of(access));
        let client = |idle_connections_max| {
            legacy::Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
                .pool_max_idle_per_host(idle_connections_max)
                .build(connector.clone())
        };
        let (kept, fresh) = (client(IDLE_CONNECTIONS_MAX), client(0));
        Ok(Self { connector, kept, fresh })
    }

    /// Sends a request and reads its answer, no more of its body than `body_bytes_max`, in no more time than `limit`.
    ///
    /// # Errors
    /// Where no whole answer came.
    pub(super) async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        body_bytes_max: usize,
        limit: Duration,
    ) -> Result<Received, Trouble> {
        self.connector.authorize(&mut request);
        let exchanged = timeout(limit, async {
            let mut repeated = None;
            let response = match self.kept.request(request.clone()).await {
                Err(error) if may_repeat(request.method(), &error) => {
                    repeated = Some(Trouble::of(&error).text);
                    self.fresh.request(request).await
                }
                outcome => outcome,
            };
            let (head, body) = response.map_err(|error| Trouble::of(&error))?.into_parts();
            let body = read(Response::from_parts(head.clone(), body), body_bytes_max).await?;
            Ok(Received { status: head.status, headers: head.headers, body, repeated })
        });
        let late = |_| Trouble::new(format!("timed out: no whole answer within {} s", limit.as_secs_f64()));
        exchanged.await.map_err(late)?
    }
}

/// Whether a request may be sent once more that came to nothing: where the gateway has not begun to answer, and either it
/// was kept from looking at the request, or the connection had been used before and looking at it twice does no harm. A server
/// may close a connection that is idle at any moment (RFC 9112, section 9.3.1), also when a request is on its way.
fn may_repeat(method: &Method, error: &legacy::Error) -> bool {
    let Some(connected) = error.connect_info() else { return false };
    let mut extras = http::Extensions::new();
    connected.get_extras(&mut extras);
    let Some(traffic) = extras.get::<Traffic>() else { return false };
    if let Some(error) = inner::<h2::Error>(error) {
        let is_unseen = error.reason() == Some(h2::Reason::REFUSED_STREAM) || error.is_go_away() && error.is_remote();
        return traffic.was_in_use() && (is_unseen || error.is_io() && method.is_idempotent());
    }
    let is_of_the_connection = inner::<hyper::Error>(error)
        .is_some_and(|error| error.is_incomplete_message() || error.is_canceled() || error.is_closed())
        || inner::<io::Error>(error).is_some_and(is_a_hang_up);
    is_of_the_connection && method.is_idempotent() && traffic.was_in_use_and_is_silent()
}

fn is_a_hang_up(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(
        error.kind(),
        E::ConnectionReset | E::ConnectionAborted | E::BrokenPipe | E::UnexpectedEof | E::NotConnected
    )
}

/// An error of a kind, among the causes of an error.
fn inner<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// The body of an answer, or why it could not be read.
async fn read(response: Response<Incoming>, body_bytes_max: usize) -> Result<Result<Bytes, String>, Trouble> {
    let (head, mut incoming) = response.into_parts();
    let mut decoder = match Decoder::of(&head.headers) {
        Ok(decoder) => decoder,
        Err(unknown) => return Ok(Err(unknown.to_string())),
    };
    let mut body = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        let frame =
            frame.map_err(|error| Trouble::new(format!("the answer broke off: {}", super::tls::cause_of(&error))))?;
        let Ok(chunk) = frame.into_data() else { continue };
        decoder.feed(chunk);
        loop {
            match decoder.next() {
                Ok(Some(piece)) if body.len() + piece.len() > body_bytes_max => {
                    return Ok(Err(too_large(body_bytes_max)));
                }
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => break,
                Err(broken) => return Ok(Err(broken.to_string())),
            }
        }
    }
    if !decoder.is_complete() {
        return Err(Trouble::new("the answer broke off: its content coding is not complete".to_owned()));
    }
    let parsed_bytes_max = body_bytes_max.max(PARSED_FROM_BYTES_MIN).saturating_mul(PARSED_BYTES_PER_BYTE);
    if json_cost::of(&body) > parsed_bytes_max {
        let megabytes = parsed_bytes_max / 1024 / 1024;
        return Ok(Err(format!("a body that is too large: its JSON takes over {megabytes} MiB of memory; {LIMIT}")));
    }
    Ok(Ok(body.freeze()))
}

fn too_large(body_bytes_max: usize) -> String {
    format!("a body that is too large: over {body_bytes_max} bytes; {LIMIT}")
}
