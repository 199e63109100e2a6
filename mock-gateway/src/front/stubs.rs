//! Stubs: what a test mounts over the built-in routes, by wiremock.
//!
//! A wiremock server is started when it is first asked for. From then on every request is shown to it before the
//! gateway's own routes see it, and the stub that matches answers. Without stubs it is not there, and costs nothing.
//!
//! The built-in routes are not themselves wiremock mocks: wiremock keeps a copy of every request that a mock matched,
//! for as long as the mock is mounted and whether or not requests are recorded. A soak's worth of those would be the
//! very leak that a harness is to find.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::OnceCell;
use wiremock::{Match, Mock, MockServer, ResponseTemplate};

use super::ConnectionCut;
use crate::answer::Refusal;

/// On requests as the stubs see them: which one it is, so that we learn that no stub matched it.
const TICKET: HeaderName = HeaderName::from_static("x-mock-gateway-ticket");

/// After every stub of a test, whatever its priority.
const PRIORITY_LAST: u8 = u8::MAX;

/// Idle connections kept to the stubs' server.
const IDLE_CONNECTIONS_MAX: usize = 8;

/// The outcome of a request that was shown to the stubs.
pub(crate) enum Stubbed {
    Answered(Response),
    /// No stub matched: for the built-in routes.
    Untouched(Request),
}

/// The stubs, once there are any.
pub(crate) struct Stubs {
    record_requests: bool,
    body_bytes_max: usize,
    server: OnceCell<MockServer>,
    client: Client<HttpConnector, Full<Bytes>>,
    tickets: Arc<Tickets>,
}

impl Stubs {
    pub(crate) fn new(record_requests: bool, body_bytes_max: usize) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(HttpConnector::new());
        Self { record_requests, body_bytes_max, server: OnceCell::new(), client, tickets: Arc::default() }
    }

    /// The server that stubs are mounted on.
    pub(crate) async fn server(&self) -> &MockServer {
        self.server.get_or_init(|| self.start()).await
    }

    /// Whether the server of the stubs has to see every request, stubs or not.
    pub(crate) fn requests_are_recorded(&self) -> bool {
        self.record_requests
    }

    async fn start(&self) -> MockServer {
        let builder = MockServer::builder();
        let builder = if self.record_requests { builder } else { builder.disable_request_recording() };
        let server = builder.start().await;
        let last = Mock::given(Unmatched(Arc::clone(&self.tickets)))
            .respond_with(ResponseTemplate::new(StatusCode::NOT_FOUND))
            .with_priority(PRIORITY_LAST);
        server.register(last).await;
        server
    }

    /// Shows a request to the stubs.
    pub(crate) async fn answer(&self, request: Request) -> Stubbed {
        let Some(server) = self.server.get() else { return Stubbed::Untouched(request) };
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, self.body_bytes_max).await else {
            let refusal = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "the body could not be read, or is too large");
            return Stubbed::Answered(refusal.into_response());
        };

        let ticket = self.tickets.draw();
        let mut forwarded = hyper::Request::new(Full::new(body.clone()));
        *forwarded.method_mut() = parts.method.clone();
        *forwarded.uri_mut() = at(server, &parts.uri);
        *forwarded.headers_mut() = end_to_end(&parts.headers);
        forwarded.headers_mut().insert(TICKET, ticket.number.into());
        let answer = async { read(self.client.request(forwarded).await.ok()?).await };
        let answer = answer.await;

        if ticket.is_unmatched() {
            return Stubbed::Untouched(Request::from_parts(parts, Body::from(body)));
        }
        if answer.is_none()
            && let Some(ConnectionCut(cut)) = parts.extensions.get()
        {
            // A stub that answers with an error breaks its connection; then so do we, before there is any answer.
            cut.cancel();
            std::future::pending::<()>().await;
        }
        Stubbed::Answered(answer.unwrap_or_else(|| StatusCode::BAD_GATEWAY.into_response()))
    }
}

async fn read(response: hyper::Response<hyper::body::Incoming>) -> Option<Response> {
    let (parts, body) = response.into_parts();
    // No bound: it is a stub's body, which is in memory already.
    let body = to_bytes(Body::new(body), usize::MAX).await.ok()?;
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = parts.status;
    *answer.headers_mut() = end_to_end(&parts.headers);
    Some(answer)
}

fn at(server: &MockServer, uri: &Uri) -> Uri {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    format!("{}{path}", server.uri()).parse().expect("an address and the path of a URI make a URI")
}

/// The headers without those that speak of one connection only.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}

/// Matches nothing, and is asked last: a request that it is asked about is one that no stub matched.
struct Unmatched(Arc<Tickets>);

impl Match for Unmatched {
    fn matches(&self, request: &wiremock::Request) -> bool {
        let number = request.headers.get(TICKET).and_then(|value| value.to_str().ok()?.parse().ok());
        if let Some(number) = number {
            self.0.mark(number);
        }
        false
    }
}

/// The requests that are at the stubs.
#[derive(Default)]
struct Tickets {
    drawn: AtomicU64,
    open: Mutex<HashMap<u64, Arc<AtomicBool>>>,
}

/// One request at the stubs.
struct Ticket {
    number: u64,
    unmatched: Arc<AtomicBool>,
    tickets: Arc<Tickets>,
}

impl Tickets {
    fn draw(self: &Arc<Self>) -> Ticket {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        let unmatched = Arc::new(AtomicBool::new(false));
        self.open.lock().expect("no holder panics").insert(number, Arc::clone(&unmatched));
        Ticket { number, unmatched, tickets: Arc::clone(self) }
    }

    fn mark(&self, number: u64) {
        if let Some(unmatched) = self.open.lock().expect("no holder panics").get(&number) {
            unmatched.store(true, Ordering::Release);
        }
    }
}

impl Ticket {
    fn is_unmatched(&self) -> bool {
        self.unmatched.load(Ordering::Acquire)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.tickets.open.lock().expect("no holder panics").remove(&self.number);
    }
}
