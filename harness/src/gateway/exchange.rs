//! One request and its answer: connections that are kept, time limits, content codings, and one repetition of a request
//! that was sent on a connection which the gateway was just closing.

use std::{error::Error, io, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time::timeout;

use super::{
    Answer, ClientError, GatewayAccess, Outcome, Trouble,
    connect::{Connector, Proxies, Traffic},
    decode::Decoder,
    headers, json_cost, retry_after,
    tls::cause_of,
};
use crate::{clock, tcp::causes};

const IDLE_CONNECTIONS_MAX: usize = 4;
/// Time after which an unused connection is closed: a burst must not look like a leak of the gateway's.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// Memory that JSON may take, as a multiple of the size of its body, for a body of this size at least.
const PARSED_BYTES_PER_BYTE: usize = 16;
const PARSED_FROM_BYTES_MIN: usize = 8 * 1024 * 1024;
/// The setting that limits the amount of data that is read.
const LIMIT: &str = "`limits.answer_size` in the dialect sets the limit";

#[derive(Debug, Clone)]
pub(super) struct Exchange {
    connector: Connector,
    kept: legacy::Client<Connector, Full<Bytes>>,
    /// Makes a new connection for each request: a repetition must not meet another closing connection.
    fresh: legacy::Client<Connector, Full<Bytes>>,
}

impl Exchange {
    /// Sends requests to a gateway, and to the other places that its dialect names.
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

    /// Sends a request and reads its answer, with a body of at most `body_bytes_max` decoded bytes, within `limit`.
    pub(super) async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        body_bytes_max: usize,
        limit: Duration,
    ) -> Outcome {
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
            let (body, unread) = match read(&head.headers, body, body_bytes_max).await? {
                Ok(body) => (body, None),
                Err(why) => (Bytes::new(), Some(why)),
            };
            Ok(Answer {
                location: headers::location(&head.headers),
                retry_after: retry_after::asked(&head.headers, clock::wall_now()),
                unread,
                repeated,
                ..Answer::new(head.status.as_u16(), body)
            })
        });
        let late = |_| Trouble::new(format!("timed out: no whole answer within {} s", limit.as_secs_f64()));
        exchanged.await.map_err(late)?
    }
}

/// Whether a failed request may be sent once more: the gateway has not begun to answer, and either it cannot have
/// looked at the request, or the connection had been used before and a second look does no harm. A server may close an
/// idle connection at any moment (RFC 9112, section 9.3.1), also while a request is on its way.
fn may_repeat(method: &Method, error: &legacy::Error) -> bool {
    let Some(connected) = error.connect_info() else { return false };
    let mut extras = http::Extensions::new();
    connected.get_extras(&mut extras);
    let Some(traffic) = extras.get::<Traffic>() else { return false };
    if let Some(error) = cause::<h2::Error>(error) {
        let is_unseen = error.reason() == Some(h2::Reason::REFUSED_STREAM) || error.is_go_away() && error.is_remote();
        return traffic.was_in_use() && (is_unseen || error.is_io() && method.is_idempotent());
    }
    let is_of_the_connection = cause::<hyper::Error>(error)
        .is_some_and(|error| error.is_incomplete_message() || error.is_canceled() || error.is_closed())
        || cause::<io::Error>(error).is_some_and(is_a_hang_up);
    is_of_the_connection && method.is_idempotent() && traffic.was_in_use_and_is_silent()
}

fn is_a_hang_up(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(
        error.kind(),
        E::ConnectionReset | E::ConnectionAborted | E::BrokenPipe | E::UnexpectedEof | E::NotConnected
    )
}

/// An error of a type, among the causes of an error.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The decoded body of an answer, or the reason why S2 could not read it.
async fn read(
    headers: &HeaderMap,
    mut incoming: Incoming,
    body_bytes_max: usize,
) -> Result<Result<Bytes, String>, Trouble> {
    let mut decoder = match Decoder::of(headers) {
        Ok(decoder) => decoder,
        Err(unknown) => return Ok(Err(unknown.to_string())),
    };
    let mut body = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| Trouble::new(format!("the answer broke off: {}", cause_of(&error))))?;
        let Ok(chunk) = frame.into_data() else { continue };
        decoder.feed(chunk);
        loop {
            match decoder.next() {
                Ok(Some(piece)) if body.len() + piece.len() > body_bytes_max => {
                    return Ok(Err(format!("a body that is too large: over {body_bytes_max} bytes; {LIMIT}")));
                }
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => break,
                Err(broken) => return Ok(Err(broken.to_string())),
            }
        }
    }
    if !decoder.is_complete() {
        return Err(Trouble::new("the answer broke off: its content coding is not complete"));
    }
    let parsed_bytes_max = body_bytes_max.max(PARSED_FROM_BYTES_MIN).saturating_mul(PARSED_BYTES_PER_BYTE);
    if json_cost::of(&body) > parsed_bytes_max {
        let megabytes = parsed_bytes_max / 1024 / 1024;
        return Ok(Err(format!("a body that is too large: its JSON takes over {megabytes} MiB of memory; {LIMIT}")));
    }
    Ok(Ok(body.freeze()))
}
