//! The calls of the contract, one method each.

use std::{fmt, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, header};
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use super::{
    GatewayAccess, Manifest, NewRun, Secret,
    access::{Way, hide},
    dialect::{CallName, Dialect, Fill, fill_json, is_absolute},
    headers, retry_after,
    search::{self, PageStart},
    tls::{REFUSED, cause_of},
};
use crate::{clock, journal::clip};

/// How long a connection may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Who asks.
pub(super) const USER_AGENT: &str = concat!("s2-harness/", env!("CARGO_PKG_VERSION"));
/// How long a request may take, from its first byte to the last of its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a readiness probe may take: what does not say that it is ready within two seconds is not.
const READY_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections kept for the next request.
const IDLE_CONNECTIONS_MAX: usize = 4;
/// Connections that nobody used for so long are closed: a burst must not look like a leak of the gateway's.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer is read up to here. There may be one for each run that is under way.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Metrics are read up to here.
const METRICS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Talks to one gateway.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    workspace: String,
    token: Option<Secret>,
    dialect: Arc<Dialect>,
    /// Whom requests are for, where they go to a proxy.
    host: Option<HeaderValue>,
}

/// The client cannot be built: the harness's own trouble, not the gateway's.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The token cannot be sent.
    #[error("S2_TOKEN cannot be sent as a header: it holds a line break or a character outside ASCII")]
    Token,
    /// The HTTP client cannot be built.
    #[error("cannot set up an HTTP client: {0}")]
    Http(#[from] reqwest::Error),
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}; without certificates on this machine, S2_CA_FILE may name some")]
    Tls(#[from] rustls::Error),
}

/// What came of a call.
pub type Outcome = Result<Answer, Trouble>;

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body, whole.
    pub body: Bytes,
    /// Where it points to instead, as far as it says so.
    pub location: Option<String>,
    /// How long it asks to wait before the next request.
    pub retry_after: Option<Duration>,
}

/// No whole answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What went wrong, in words.
    pub text: String,
}

impl Answer {
    /// Whether the status is one of these.
    #[must_use]
    pub fn is(&self, statuses: &[u16]) -> bool {
        statuses.contains(&self.status)
    }

    /// The body as JSON; `None` where it is none.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as text, with a mark for each byte that is none.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = &self.body[..self.body.len().min(1_024)];
        let text = clip(&String::from_utf8_lossy(start));
        write!(f, "{}", self.status)?;
        if let Some(location) = &self.location {
            write!(f, " to '{}'", clip(location))?;
        }
        if text.is_empty() { Ok(()) } else { write!(f, " {text}") }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Trouble {
    /// Whether the gateway's certificate was refused: it is there, and the text says what would help.
    #[must_use]
    pub fn is_a_refused_certificate(&self) -> bool {
        self.text.contains(REFUSED)
    }

    fn of(error: &reqwest::Error) -> Self {
        let what = if error.is_connect() {
            "no connection"
        } else if error.is_timeout() {
            "timed out"
        } else if error.is_body() || error.is_decode() {
            "the answer broke off"
        } else {
            "the request failed"
        };
        // reqwest's own text repeats the URL; the innermost cause says what happened.
        Self { text: clip(&format!("{what}: {}", cause_of(error))) }
    }
}

impl Client {
    /// A client for the gateway.
    ///
    /// # Errors
    /// Where the token cannot be a header, or the HTTP client not be built.
    pub fn new(access: &GatewayAccess) -> Result<Self, ClientError> {
        headers::check(&access.dialect, access.token.as_ref())?;
        Ok(Self {
            http: http_client(access)?,
            dialect: Arc::clone(&access.dialect),
            base: access.base(),
            host: access.host(),
            workspace: access.workspace.clone(),
            token: access.token.clone(),
        })
    }

    /// The same client, speaking for another workspace.
    #[must_use]
    pub fn for_workspace(&self, workspace: &str) -> Self {
        Self { workspace: workspace.to_owned(), ..self.clone() }
    }

    /// The workspace that this client speaks for.
    #[must_use]
    pub fn workspace(&self) -> &str {
        &self.workspace
    }

    /// How the gateway spells the contract.
    #[must_use]
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// Whether the gateway has a call, by itself.
    #[must_use]
    pub fn has(&self, call: CallName) -> bool {
        self.dialect.has(call)
    }

    /// Is it alive, and what time has it?
    pub async fn health(&self) -> Outcome {
        self.call(CallName::Health, &[]).await
    }

    /// Whether it can serve, with a timeout of two seconds.
    pub async fn ready(&self) -> Outcome {
        let request = self.request(CallName::Ready, &[])?;
        self.send(request.timeout(READY_TIMEOUT), BODY_BYTES_MAX).await
    }

    /// Whether an answer to [`ready`](Self::ready) says that it is.
    #[must_use]
    pub fn says_ready(&self, answer: &Answer) -> bool {
        self.is_yes(CallName::Ready, answer)
    }

    /// Whether a call was answered as it should be.
    #[must_use]
    pub fn is_yes(&self, call: CallName, answer: &Answer) -> bool {
        self.dialect.call(call).is_some_and(|spec| answer.is(&spec.yes))
    }

    /// What it tells about itself.
    pub async fn metrics(&self) -> Outcome {
        self.send(self.request(CallName::Metrics, &[])?, METRICS_BYTES_MAX).await
    }

    /// Sets the workspace's plan.
    pub async fn set_plan(&self, plan: &str) -> Outcome {
        self.call(CallName::SetPlan, &[("plan", json!(plan))]).await
    }

    /// From now on the workspace's runs are stored as they are, or as a hash only.
    pub async fn toggle_privacy(&self, store_plain: bool) -> Outcome {
        let fill = [("store_plain", json!(store_plain)), ("hash_only", json!(!store_plain))];
        self.call(CallName::TogglePrivacy, &fill).await
    }

    /// Creates a run.
    pub async fn create_run(&self, run: &NewRun) -> Outcome {
        self.call(CallName::CreateRun, &run.fill()).await
    }

    /// Starts a run.
    pub async fn start_run(&self, id: &str) -> Outcome {
        self.call(CallName::StartRun, &[("id", json!(id))]).await
    }

    /// Looks at a run.
    pub async fn run(&self, id: &str) -> Outcome {
        self.call(CallName::Run, &[("id", json!(id))]).await
    }

    /// Looks at an agent.
    pub async fn agent(&self, slug: &str) -> Outcome {
        self.call(CallName::Agent, &[("slug", json!(slug))]).await
    }

    /// Publishes a version.
    pub async fn publish(&self, manifest: &Manifest) -> Outcome {
        self.call(CallName::Publish, &manifest.fill()).await
    }

    /// Searches versions: the first page.
    pub async fn search(&self, text: &str) -> Outcome {
        self.search_page(text, text, "", &PageStart::default()).await
    }

    /// Asks whether the safety layer is up.
    pub async fn safety_check(&self) -> Outcome {
        self.call(CallName::SafetyCheck, &[]).await
    }

    /// Asks the gateway's runtime to collect its garbage.
    pub async fn collect_garbage(&self) -> Outcome {
        self.call(CallName::CollectGarbage, &[]).await
    }

    /// Asks for chaos: a restart, or added latency.
    pub async fn chaos(&self, what: CallName, delay_ms: u64, duration_ms: u64) -> Outcome {
        self.call(what, &[("delay_ms", json!(delay_ms)), ("duration_ms", json!(duration_ms))]).await
    }

    /// Makes any call of the contract.
    pub async fn attempt(&self, call: CallName, fill: &Fill<'_>) -> Outcome {
        self.call(call, fill).await
    }

    /// The same, at a link that an earlier answer gave.
    pub(super) async fn attempt_at(&self, call: CallName, fill: &Fill<'_>, link: &str) -> Outcome {
        self.send(self.request_at(call, fill, Some(link))?, BODY_BYTES_MAX).await
    }

    /// A request as it would be sent, for people: method and URL, headers but for what opens the gateway, body.
    #[must_use]
    pub fn shown(&self, call: CallName, fill: &Fill<'_>) -> String {
        let request = self.request(call, fill).map(reqwest::RequestBuilder::build);
        let request = match request {
            Ok(Ok(request)) => request,
            Ok(Err(e)) => return format!("{call}: {e}"),
            Err(trouble) => return trouble.text,
        };
        let mut text = format!("{} {}", request.method(), request.url());
        for (name, value) in request.headers() {
            let value = if value.is_sensitive() { "***" } else { value.to_str().unwrap_or("(no text)") };
            text.push_str(&format!("\n{name}: {value}"));
        }
        if let Some(body) = request.body().and_then(reqwest::Body::as_bytes) {
            text.push('\n');
            text.push_str(&String::from_utf8_lossy(body));
        }
        hide(self.token.as_ref(), text)
    }

    /// The path of a stream, of a run where it is one's.
    #[must_use]
    pub fn stream_path(&self, stream: CallName, run: Option<&str>) -> String {
        let fill = [("id", json!(run.unwrap_or_default())), ("workspace", json!(self.workspace))];
        self.dialect.call(stream).map_or_else(String::new, |spec| spec.path.fill(&fill, segment))
    }

    async fn call(&self, call: CallName, fill: &Fill<'_>) -> Outcome {
        self.send(self.request(call, fill)?, BODY_BYTES_MAX).await
    }

    /// A call's request, with its places filled.
    fn request(&self, call: CallName, fill: &Fill<'_>) -> Result<reqwest::RequestBuilder, Trouble> {
        self.request_at(call, fill, None)
    }

    /// The same, at a link from an earlier answer where there is one.
    fn request_at(
        &self,
        call: CallName,
        fill: &Fill<'_>,
        link: Option<&str>,
    ) -> Result<reqwest::RequestBuilder, Trouble> {
        let Some(spec) = self.dialect.call(call) else {
            return Err(Trouble { text: format!("the dialect {} has no {call}", self.dialect.name) });
        };
        let fill: Vec<(&str, Value)> = fill.iter().cloned().chain([("workspace", json!(self.workspace))]).collect();
        let path = spec.path.fill(&fill, segment);
        // What is elsewhere, as metrics on a port of their own are, is not the gateway that the token opens.
        let is_elsewhere = is_absolute(&path);
        let mut url = if is_elsewhere { path } else { format!("{}{path}", self.base) };
        if call == CallName::Search {
            url = search::without_empty_cursor(url, &spec.path.to_string());
        }
        if let Some(link) = link {
            url = search::followed(&url, link)?;
        }
        let token = self.token.as_ref().filter(|_| !is_elsewhere);
        let headers = headers::of(&self.dialect.headers, &spec.headers, &self.workspace, token);
        let mut request = self.http.request(spec.method.clone(), url).headers(headers);
        if let Some(host) = self.host.as_ref().filter(|_| !is_elsewhere) {
            request = request.header(header::HOST, host);
        }
        Ok(match &spec.body {
            Some(body) => request.json(&fill_json(body, &fill)),
            None => request.header(header::CONTENT_TYPE, "application/json"),
        })
    }

    async fn send(&self, request: reqwest::RequestBuilder, body_bytes_max: usize) -> Outcome {
        let response = request.send().await.map_err(|e| Trouble::of(&e))?;
        let status = response.status().as_u16();
        let token = self.token.as_ref();
        let location = location_of(response.headers()).map(|location| hide(token, location));
        let retry_after = retry_after::asked(response.headers(), clock::wall_now());
        let mut chunks = response.bytes_stream();
        let mut body = BytesMut::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|e| Trouble::of(&e))?;
            if body.len() + chunk.len() > body_bytes_max {
                return Err(Trouble { text: format!("{status}, with a body of over {body_bytes_max} bytes") });
            }
            body.extend_from_slice(&chunk);
        }
        let body = body.freeze();
        // A page that repeats the request's headers must not bring the token into a journal.
        let redacted = token.and_then(|token| token.redact(&String::from_utf8_lossy(&body)));
        Ok(Answer { status, body: redacted.map_or(body, Bytes::from), location, retry_after })
    }
}

fn http_client(access: &GatewayAccess) -> Result<reqwest::Client, ClientError> {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(access.trust.tls()?)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
        .tcp_nodelay(true)
        // The contract knows no redirects: one is an answer like any other that was not expected.
        .redirect(Policy::none());
    let builder = match access.way() {
        Way::Direct => builder.no_proxy(),
        Way::Tunnel(proxy) => builder.proxy(reqwest::Proxy::https(proxy)?),
        Way::System => builder,
    };
    Ok(builder.build()?)
}

/// Where an answer points to. A character that is no text is passed over.
pub(super) fn location_of(headers: &HeaderMap) -> Option<String> {
    headers.get(header::LOCATION).map(|location| String::from_utf8_lossy(location.as_bytes()).into_owned())
}

/// Text as one segment of a path or one value of a query.
pub(super) fn segment(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(status: u16, body: &[u8]) -> String {
        let body = Bytes::copy_from_slice(body);
        Answer { status, body, location: None, retry_after: None }.to_string()
    }

    #[test]
    fn an_answer_is_shown_on_one_short_line_whatever_its_body_is() {
        assert_eq!("500 {\"error\":\"no worker\"}", shown(500, b"{\"error\":\"no worker\"}\n"));
        assert_eq!("204", shown(204, b" \r\n"));
        assert_eq!("502 \\u{1b}[2Jok\\n\\ntest full ... ok", shown(502, b"\x1b[2Jok\n\ntest full ... ok"));
        // What is no text is marked, and a character that the cut goes through is no reason to stumble.
        assert_eq!("200 \u{fffd}\u{fffd}a", shown(200, &[0xff, 0xc0, b'a']));
        let long = "é".repeat(5_000_000);
        assert!(shown(200, long.as_bytes()).chars().count() < 300);
        assert!(shown(200, &long.as_bytes()[1..]).chars().count() < 300);
        assert!(shown(200, &vec![0; 10_000_000]).len() < 2_000);
    }
}
