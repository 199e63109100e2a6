//! A caller of the gateway: requests, answers, streams, and waiting for a condition.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mock_gateway::{Config, MockGateway};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::backend::Backend;

/// Long enough for a busy machine; nothing waits for it to pass.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

#[expect(clippy::disallowed_methods, reason = "the one home of reading time in these tests")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A gateway whose runs are over soon.
pub(crate) fn quick() -> Config {
    Config {
        run_duration: Duration::from_millis(20)..=Duration::from_millis(60),
        judge_duration: Duration::from_millis(5)..=Duration::from_millis(15),
        shield_duration: Duration::from_millis(1)..=Duration::from_millis(5),
        privacy_delay: Duration::from_millis(20),
        restart_downtime: Duration::from_millis(300),
        ..Config::default()
    }
}

/// A gateway over what this test binary puts behind it, which stays for as long as there are callers.
pub(crate) async fn start(config: Config) -> (MockGateway, Caller) {
    let (backend, config) = Backend::of(config);
    let gateway = MockGateway::start(config).await.unwrap();
    let caller = Caller { _backend: Some(Arc::new(backend)), ..Caller::new(&gateway, "w") };
    (gateway, caller)
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }
}

#[derive(Clone)]
pub(crate) struct Caller {
    base: String,
    pub(crate) workspace: String,
    token: Option<String>,
    client: Client<HttpConnector, Full<Bytes>>,
    _backend: Option<Arc<Backend>>,
}

impl Caller {
    pub(crate) fn new(gateway: &MockGateway, workspace: &str) -> Self {
        Self::at(gateway.url(), workspace)
    }

    /// A caller of a gateway that is elsewhere.
    pub(crate) fn at(base: String, workspace: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { base, workspace: workspace.into(), token: None, client, _backend: None }
    }

    pub(crate) fn of_workspace(&self, workspace: &str) -> Self {
        Self { workspace: workspace.into(), ..self.clone() }
    }

    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        last_event_id: Option<&str>,
        body: Vec<u8>,
    ) -> Result<hyper::Response<Incoming>, hyper_util::client::legacy::Error> {
        let mut request = hyper::Request::builder().method(method).uri(format!("{}{path}", self.base));
        if !self.workspace.is_empty() {
            request = request.header("x-workspace-id", &self.workspace);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        self.client.request(request.body(Full::from(body)).unwrap()).await
    }

    /// None when there was no answer.
    pub(crate) async fn try_send(&self, method: Method, path: &str, body: Vec<u8>) -> Option<Answer> {
        let response = self.request(method, path, None, body).await.ok()?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        let is_gzip = parts.headers.get("content-encoding").is_some_and(|coding| coding == "gzip");
        let body = if is_gzip { unzipped(&body) } else { body.to_vec() };
        Some(Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(body).unwrap() })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.try_send(Method::GET, path, Vec::new()).await.expect("an answer")
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.try_send(Method::POST, path, body.to_string().into_bytes()).await.expect("an answer")
    }

    pub(crate) async fn create(&self, message: &str) -> String {
        let id = Uuid::new_v4().to_string();
        let answer = self.post("/api/runs", &self.run(&id, message)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        id
    }

    /// What creates a run.
    pub(crate) fn run(&self, id: &str, message: &str) -> Value {
        json!({
            "id": id,
            "agent": "demo-enricher",
            "name": "a run",
            "workspace_id": self.workspace,
            "input": { "message": message, "metadata": { "source": "test" } },
        })
    }

    pub(crate) async fn start_run(&self, id: &str) {
        let answer = self.post(&format!("/api/runs/{id}/start"), &json!({})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }

    pub(crate) async fn read_run(&self, id: &str) -> Value {
        self.get(&format!("/api/runs/{id}")).await.json()
    }

    /// Creates and starts a run, and gives it as it is when it has ended.
    pub(crate) async fn play(&self, message: &str) -> Value {
        let id = self.create(message).await;
        self.start_run(&id).await;
        self.ended(&id).await
    }

    // Without `eventually`: the future has to be Send, so that runs can be played side by side.
    pub(crate) async fn ended(&self, id: &str) -> Value {
        let asked = async {
            loop {
                let run = self.read_run(id).await;
                if !run["completed_at"].is_null() {
                    return run;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, asked).await.expect("the run ends before the deadline")
    }

    pub(crate) async fn open(&self, path: &str) -> Stream {
        self.resume(path, None).await
    }

    pub(crate) async fn resume(&self, path: &str, last_event_id: Option<&str>) -> Stream {
        let response = self.request(Method::GET, path, last_event_id, Vec::new()).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        let (parts, body) = response.into_parts();
        Stream { headers: parts.headers, body, unread: String::new() }
    }

    /// The status with which a stream's resumption is answered.
    pub(crate) async fn try_resume(&self, path: &str, last_event_id: &str) -> StatusCode {
        self.request(Method::GET, path, Some(last_event_id), Vec::new()).await.expect("an answer").status()
    }

    /// A metric's value, by its name as it stands in the text.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").await.text;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) data: Value,
}

/// A stream, read piece by piece.
pub(crate) struct Stream {
    pub(crate) headers: HeaderMap,
    body: Incoming,
    unread: String,
}

impl Stream {
    /// The next block, comments included; none at the stream's end, whether in good order or not.
    pub(crate) async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.find("\n\n") {
                let rest = self.unread.split_off(end + 2);
                return Some(std::mem::replace(&mut self.unread, rest));
            }
            let frame = timeout(DEADLINE, self.body.frame()).await.expect("something comes before the deadline");
            let data = frame?.ok()?.into_data().unwrap();
            self.unread.push_str(std::str::from_utf8(&data).unwrap());
        }
    }

    pub(crate) async fn event(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            if !block.starts_with(':') {
                return Some(parse(&block));
            }
        }
    }

    pub(crate) async fn events(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.event().await.expect("another event"));
        }
        events
    }

    /// Up to and with the event of this kind.
    pub(crate) async fn until(&mut self, kind: &str) -> Vec<Event> {
        let mut events: Vec<Event> = Vec::new();
        while events.last().is_none_or(|event| event.kind != kind) {
            events.push(self.event().await.expect("another event"));
        }
        events
    }
}

/// What is known by now of a text in gzip, which may go on.
pub(crate) fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    decoder.write_all(bytes).unwrap();
    decoder.flush().unwrap();
    std::mem::take(decoder.get_mut())
}

pub(crate) fn parse(block: &str) -> Event {
    let field = |name: &str| {
        let value = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.unwrap_or_else(|| panic!("no {name} in {block}")).to_owned()
    };
    Event { id: field("id"), kind: field("event"), data: serde_json::from_str(&field("data")).unwrap() }
}

pub(crate) fn ids(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.id.as_str()).collect()
}

/// Asks again and again until it is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let asked = async {
        while !is_so().await {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(DEADLINE, asked).await.is_ok(), "not before the deadline: {what}");
}
