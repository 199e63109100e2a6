//! What the differently shaped gateways of these tests have in common: each speaks its own wire in front, and has the mock
//! behind, which does what a gateway does.

use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    response::Response,
};
use futures_util::StreamExt;
use mock_gateway::{Config, MockGateway};
use serde_json::Value;
use testkit::AnyError;
use tokio::{net::TcpListener, task::JoinSet};

/// No body here is larger.
const BODY_BYTES_MAX: usize = 4 << 20;

/// What a gateway makes of a request.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;
pub(crate) type Speaks = Arc<dyn Fn(Asked) -> Answering + Send + Sync>;

/// A shape, from a function.
pub(crate) fn speaks<F: Future<Output = Response> + Send + 'static>(
    shape: impl Fn(Asked) -> F + Send + Sync + 'static,
) -> Speaks {
    Arc::new(move |asked| Box::pin(shape(asked)))
}

/// A gateway of some shape.
pub(crate) struct Shaped {
    url: String,
    gateway: MockGateway,
    serving: JoinSet<()>,
}

impl Shaped {
    pub(crate) async fn start(speaks: Speaks) -> Result<Self, AnyError> {
        let gateway = MockGateway::start(Config::default()).await?;
        let behind = Behind { client: client()?, address: gateway.address() };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let answer = move |request: Request| {
            let (speaks, behind) = (Arc::clone(&speaks), behind.clone());
            async move { speaks(Asked::read(request, behind).await).await }
        };
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            // It ends with the test.
            let _ = axum::serve(listener, Router::new().fallback(answer)).await;
        });
        Ok(Self { url, gateway, serving })
    }

    /// Where it listens, and where the mock behind it does: for a command that restarts that.
    pub(crate) fn urls(&self) -> String {
        format!("{} {}", self.url, self.gateway.url())
    }

    pub(crate) async fn shutdown(mut self) {
        self.serving.shutdown().await;
        self.gateway.shutdown().await;
    }
}

/// A client that asks the mock.
pub(crate) fn client() -> reqwest::Result<reqwest::Client> {
    // The first caller decides; later ones find it there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A connection that is kept would be a descriptor of this gateway's that nobody asked for.
    reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build()
}

/// The mock behind.
#[derive(Clone)]
pub(crate) struct Behind {
    client: reqwest::Client,
    address: SocketAddr,
}

/// A request as it came.
pub(crate) struct Asked {
    pub(crate) method: String,
    /// The segments of its path.
    pub(crate) path: Vec<String>,
    pub(crate) query: String,
    pub(crate) body: Value,
    headers: http::HeaderMap,
    behind: Behind,
}

impl Asked {
    async fn read(request: Request, behind: Behind) -> Self {
        let (head, body) = request.into_parts();
        let bytes = to_bytes(body, BODY_BYTES_MAX).await.unwrap_or_default();
        let path = head.uri.path().split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Self {
            method: head.method.to_string(),
            path,
            query: head.uri.query().unwrap_or_default().to_owned(),
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            headers: head.headers,
            behind,
        }
    }

    /// Method and the segments of the path, for a `match`.
    pub(crate) fn call(&self) -> (&str, Vec<&str>) {
        (&self.method, self.path.iter().map(String::as_str).collect())
    }

    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    }

    /// Asks the mock; status and JSON.
    pub(crate) async fn ask(&self, method: &str, path: &str, workspace: &str, body: Option<&Value>) -> (u16, Value) {
        let (status, text) = self.ask_text(method, path, workspace, body).await;
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    /// Asks the mock; status and text.
    pub(crate) async fn ask_text(
        &self,
        method: &str,
        path: &str,
        workspace: &str,
        body: Option<&Value>,
    ) -> (u16, String) {
        let Behind { client, address } = &self.behind;
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("tests use methods that there are");
        let mut request = client.request(method, format!("http://{address}{path}")).header("X-Workspace-ID", workspace);
        if let Some(body) = body {
            request = request.json(body);
        }
        match request.send().await {
            Ok(response) => (response.status().as_u16(), response.text().await.unwrap_or_default()),
            Err(_) => (502, "{\"error\":\"nobody behind\"}".to_owned()),
        }
    }

    /// A stream of the mock's, each event written anew: from its number on this connection, its id, its data.
    pub(crate) async fn stream(
        &self,
        path: &str,
        workspace: &str,
        last_id: Option<String>,
        write: impl Fn(u64, &str, &Value) -> String + Send + 'static,
    ) -> Response {
        let Behind { client, address } = &self.behind;
        let mut request = client.get(format!("http://{address}{path}")).header("X-Workspace-ID", workspace);
        if let Some(id) = last_id.filter(|id| !id.is_empty()) {
            request = request.header("Last-Event-ID", id);
        }
        let response = match request.send().await {
            Ok(response) if response.status() == 200 => response,
            Ok(response) => return answer(response.status().as_u16(), &Value::Null),
            Err(_) => return answer(502, &Value::Null),
        };
        let (mut held, mut count) = (String::new(), 0);
        let events = response.bytes_stream().map(move |chunk| {
            held.push_str(&String::from_utf8_lossy(&chunk?));
            let mut written = String::new();
            while let Some(end) = held.find("\n\n") {
                let event: String = held.drain(..end + 2).collect();
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
                match serde_json::from_str(field("data: ")) {
                    Ok(data) => {
                        count += 1;
                        written.push_str(&write(count, field("id: "), &data));
                    }
                    Err(_) => written.push_str(": alive\n\n"),
                }
            }
            Ok::<_, reqwest::Error>(written)
        });
        let head = Response::builder().header("content-type", "text/event-stream; charset=utf-8");
        head.body(Body::from_stream(events)).expect("the head is right")
    }
}

/// An answer of JSON.
pub(crate) fn answer(status: u16, json: &Value) -> Response {
    let head = Response::builder().status(status).header("content-type", "application/json");
    head.body(Body::from(json.to_string())).expect("the head is right")
}
