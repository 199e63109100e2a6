//! The calls of the contract, one method each.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};

use super::{
    Answer, ClientError, GatewayAccess, Manifest, NewRun, Outcome, Token, Trouble, TroubleKind,
    connect::USER_AGENT,
    decode::BROWSER_CODINGS,
    denial,
    dialect::{CodeSays, Dialect, Fill, chaos_fill, fill_json, is_absolute},
    exchange::Exchange,
    headers,
    search::{self, PageStart},
    secret::Secret,
};
use crate::{catalog::CallName, journal::clip};

/// Maximum duration of a request, from its first byte to the last byte of its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum duration of a readiness probe. A gateway that does not report ready within two seconds is not ready.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// Talks to one gateway.
#[derive(Debug, Clone)]
pub struct Client {
    http: Exchange,
    base: String,
    workspace: String,
    token: Option<Token>,
    dialect: Arc<Dialect>,
    /// The host that requests are for, if they go to a proxy.
    host: Option<HeaderValue>,
}

impl Client {
    pub(crate) fn new(access: &GatewayAccess) -> Result<Self, ClientError> {
        headers::check(&access.dialect, access.token.as_ref().map(Token::current).as_ref())?;
        Ok(Self {
            http: Exchange::new(access)?,
            dialect: Arc::clone(&access.dialect),
            base: access.base(),
            host: access.host(),
            workspace: access.workspace.clone(),
            token: access.token.clone(),
        })
    }

    pub(crate) fn for_workspace(&self, workspace: &str) -> Self {
        Self { workspace: workspace.to_owned(), ..self.clone() }
    }

    pub(crate) fn workspace(&self) -> &str {
        &self.workspace
    }

    pub(crate) fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// Whether the gateway has a call, by itself.
    pub(crate) fn has(&self, call: CallName) -> bool {
        self.dialect.has(call)
    }

    pub(crate) async fn health(&self) -> Outcome {
        self.attempt(CallName::Health, &[]).await
    }

    /// Whether it can serve, with a timeout of two seconds.
    pub(crate) async fn ready(&self) -> Outcome {
        // Only its status counts.
        self.authorized(CallName::Ready, &[], None, READY_TIMEOUT).await
    }

    /// Whether an answer to [`ready`](Self::ready) says that it is.
    pub(crate) fn says_ready(&self, answer: &Answer) -> bool {
        self.is_yes(CallName::Ready, answer)
    }

    /// Whether a call was answered as it should be.
    pub(crate) fn is_yes(&self, call: CallName, answer: &Answer) -> bool {
        self.dialect.call(call).is_some_and(|spec| answer.is(&spec.yes))
    }

    pub(crate) async fn metrics(&self) -> Outcome {
        self.attempt(CallName::Metrics, &[]).await
    }

    pub(crate) async fn set_plan(&self, plan: &str) -> Outcome {
        self.attempt(CallName::SetPlan, &[("plan", json!(plan))]).await
    }

    /// Has the workspace's further runs stored as they are, or as a hash only.
    pub(crate) async fn toggle_privacy(&self, store_plain: bool) -> Outcome {
        let spec = self.dialect.call(CallName::TogglePrivacy);
        let fill = spec.map(|spec| spec.storage(store_plain)).unwrap_or_default();
        self.attempt(CallName::TogglePrivacy, &fill).await
    }

    pub(crate) async fn create_run(&self, run: &NewRun) -> Outcome {
        self.attempt(CallName::CreateRun, &run.fill()).await
    }

    pub(crate) async fn start_run(&self, id: &str) -> Outcome {
        self.attempt(CallName::StartRun, &[("id", json!(id))]).await
    }

    pub(crate) async fn run(&self, id: &str) -> Outcome {
        self.attempt(CallName::Run, &[("id", json!(id))]).await
    }

    pub(crate) async fn agent(&self, slug: &str) -> Outcome {
        self.attempt(CallName::Agent, &[("slug", json!(slug))]).await
    }

    pub(crate) async fn publish(&self, manifest: &Manifest) -> Outcome {
        self.attempt(CallName::Publish, &manifest.fill()).await
    }

    /// Searches versions: the first page.
    pub(crate) async fn search(&self, text: &str) -> Outcome {
        self.search_page(text, text, "", &PageStart::default()).await
    }

    /// Reads a page of a search for a text, for an agent and perhaps one of its versions.
    pub(crate) async fn search_page(&self, text: &str, slug: &str, version: &str, start: &PageStart) -> Outcome {
        let paging = self.dialect.call(CallName::Search).map(|spec| spec.habits.paging).unwrap_or_default();
        let cursor = if start.cursor.is_null() { json!("") } else { start.cursor.clone() };
        let mut fill = vec![("text", json!(text)), ("slug", json!(slug)), ("version", json!(version))];
        fill.extend(paging.fill(start.pages_before, start.hits_before, &cursor));
        self.exchange(CallName::Search, &fill, start.link.as_deref()).await
    }

    pub(crate) async fn safety_check(&self) -> Outcome {
        self.attempt(CallName::SafetyCheck, &[]).await
    }

    /// Asks the gateway's runtime to collect its garbage.
    pub(crate) async fn collect_garbage(&self) -> Outcome {
        self.attempt(CallName::CollectGarbage, &[]).await
    }

    /// Asks for chaos: a restart, or added latency.
    pub(crate) async fn chaos(&self, what: CallName, delay_ms: u64, duration_ms: u64) -> Outcome {
        self.attempt(what, &chaos_fill(delay_ms, duration_ms)).await
    }

    /// Makes any call of the contract.
    pub(crate) async fn attempt(&self, call: CallName, fill: &Fill<'_>) -> Outcome {
        self.exchange(call, fill, None).await
    }

    /// A request as it would be sent, for people: method and URL, headers without the token, body.
    pub(crate) fn describe(&self, call: CallName, fill: &Fill<'_>) -> String {
        let token = self.token.as_ref().map(Token::current);
        let request = match self.request_at(call, fill, None, token.as_ref()) {
            Ok(request) => request,
            Err(trouble) => return trouble.text,
        };
        let mut text = format!("{} {}", request.method(), request.uri());
        for (name, value) in request.headers() {
            let value = if value.is_sensitive() { "***" } else { value.to_str().unwrap_or("(no text)") };
            text.push_str(&format!("\n{name}: {value}"));
        }
        if !request.body().is_empty() {
            text.push('\n');
            text.push_str(&String::from_utf8_lossy(request.body()));
        }
        text
    }

    /// The path of a stream, where there is a run of that run's.
    pub(crate) fn stream_path(&self, stream: CallName, run: Option<&str>) -> String {
        let fill = [("id", json!(run.unwrap_or_default())), ("workspace", json!(self.workspace))];
        self.dialect.call(stream).map_or_else(String::new, |spec| spec.path.fill(&fill, segment))
    }

    /// Makes a call, at a link from an earlier answer where there is one.
    async fn exchange(&self, call: CallName, fill: &Fill<'_>, link: Option<&str>) -> Outcome {
        let mut answer = self.authorized(call, fill, link, REQUEST_TIMEOUT).await?;
        if self.is_yes(call, &answer) {
            // S2 may need a part of the answer that it could not read.
            if answer.unread.is_some() {
                return Err(Trouble { text: answer.to_string(), kind: TroubleKind::Unread });
            }
            answer.is_denial = denial::is_denial(&self.dialect, call, &answer.body);
        }
        Ok(answer)
    }

    /// An answer with the status that the code in its body stands for.
    fn by_its_code(&self, call: CallName, answer: Answer) -> Answer {
        let says = if call == CallName::Metrics { CodeSays::Nothing } else { self.dialect.codes.read(&answer.body) };
        match says {
            CodeSays::Nothing => answer,
            CodeSays::Status { status, code } => Answer { status, code: Some((code, answer.status)), ..answer },
            CodeSays::No => Answer { is_denial: true, ..answer },
        }
    }

    /// Sends a request, and once more where the token was refused and its source has another: the first was not done.
    async fn authorized(&self, call: CallName, fill: &Fill<'_>, link: Option<&str>, limit: Duration) -> Outcome {
        let Some(token) = &self.token else {
            return self.send(call, self.request_at(call, fill, link, None)?, limit).await;
        };
        let secret = token.next();
        let answer = self.send(call, self.request_at(call, fill, link, Some(&secret))?, limit).await?;
        if answer.status != StatusCode::UNAUTHORIZED.as_u16() {
            return Ok(answer);
        }
        match token.after_refusal(&secret).await {
            Some(other) => self.send(call, self.request_at(call, fill, link, Some(&other))?, limit).await,
            None => Ok(answer),
        }
    }

    /// A call's request, with its places filled.
    fn request_at(
        &self,
        call: CallName,
        fill: &Fill<'_>,
        link: Option<&str>,
        token: Option<&Secret>,
    ) -> Result<Request<Bytes>, Trouble> {
        let Some(spec) = self.dialect.call(call) else {
            return Err(Trouble::new(format!("the dialect {} has no {call}", self.dialect.name)));
        };
        let fill: Vec<(&str, Value)> = fill.iter().cloned().chain([("workspace", json!(self.workspace))]).collect();
        let path = spec.path.fill(&fill, segment);
        // The token does not open another place: metrics may be on a port of their own.
        let is_elsewhere = is_absolute(&path);
        let mut url = if is_elsewhere { path } else { format!("{}{path}", self.base) };
        if call == CallName::Search {
            url = search::without_empty_cursor(url, &spec.path.to_string());
        }
        if let Some(link) = link {
            url = search::followed(&url, link)?;
        }
        let body = spec.body.as_ref().map(|body| fill_json(body, &fill).to_string());
        let mut request = Request::new(Bytes::from(body.unwrap_or_default()));
        *request.method_mut() = spec.method.clone();
        *request.uri_mut() = uri(&url).map_err(|why| Trouble::new(format!("not sent: {why}")))?;
        let headers = request.headers_mut();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(BROWSER_CODINGS));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let token = token.filter(|_| !is_elsewhere);
        headers.extend(headers::of(&self.dialect.headers, &spec.headers, &self.workspace, token));
        if let Some(host) = self.host.as_ref().filter(|_| !is_elsewhere) {
            headers.insert(header::HOST, host.clone());
        }
        Ok(request)
    }

    async fn send(&self, call: CallName, request: Request<Bytes>, limit: Duration) -> Outcome {
        let body_bytes_max = self.dialect.limits.answer_bytes_max;
        let answer = self.http.send(request.map(Full::new), body_bytes_max, limit).await?;
        Ok(self.by_its_code(call, answer))
    }
}

/// A URL as people write it, in the form in which it is sent.
fn uri(url: &str) -> Result<http::Uri, String> {
    let url = url::Url::parse(url).map_err(|e| format!("'{}' is no URL: {e}", clip(url)))?;
    url.as_str().parse().map_err(|e| format!("'{}' is no URL: {e}", clip(url.as_str())))
}

/// Text as one segment of a path or one value of a query.
fn segment(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
