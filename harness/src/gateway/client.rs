//! The calls of the contract, one method each.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};

use super::{
    Answer, ClientError, GatewayAccess, Manifest, NewRun, Outcome, Token, Trouble, TroubleKind,
    connect::USER_AGENT,
    decode::BROWSER_CODINGS,
    denial,
    dialect::{CodeSays, Dialect, Fill, chaos_fill, fill_json, is_absolute},
    exchange::{Exchange, Received},
    headers, retry_after,
    search::{self, PageStart},
    secret::Secret,
};
use crate::catalog::CallName;
use crate::{clock, journal::clip};

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
    /// A client for the gateway.
    ///
    /// # Errors
    /// Where the token cannot be a header, or the HTTP client not be built.
    pub fn new(access: &GatewayAccess) -> Result<Self, ClientError> {
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
        // Its status is all that counts.
        self.authorized(CallName::Ready, &[], None, READY_TIMEOUT).await
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

    /// Requests the metrics that the gateway reports about itself.
    pub async fn metrics(&self) -> Outcome {
        self.call(CallName::Metrics, &[]).await
    }

    /// Sets the workspace's plan.
    pub async fn set_plan(&self, plan: &str) -> Outcome {
        self.call(CallName::SetPlan, &[("plan", json!(plan))]).await
    }

    /// From now on the workspace's runs are stored as they are, or as a hash only.
    pub async fn toggle_privacy(&self, store_plain: bool) -> Outcome {
        let spec = self.dialect.call(CallName::TogglePrivacy);
        let fill = spec.map(|spec| spec.storage(store_plain)).unwrap_or_default();
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
        self.call(what, &chaos_fill(delay_ms, duration_ms)).await
    }

    /// Makes any call of the contract.
    pub async fn attempt(&self, call: CallName, fill: &Fill<'_>) -> Outcome {
        self.call(call, fill).await
    }

    /// The same, at a link that an earlier answer gave.
    pub(super) async fn attempt_at(&self, call: CallName, fill: &Fill<'_>, link: &str) -> Outcome {
        self.exchange(call, fill, Some(link)).await
    }

    /// A request as it would be sent, for people: method and URL, headers but for what opens the gateway, body.
    #[must_use]
    pub fn describe(&self, call: CallName, fill: &Fill<'_>) -> String {
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

    /// The path of a stream, of a run where it is one's.
    #[must_use]
    pub fn stream_path(&self, stream: CallName, run: Option<&str>) -> String {
        let fill = [("id", json!(run.unwrap_or_default())), ("workspace", json!(self.workspace))];
        self.dialect.call(stream).map_or_else(String::new, |spec| spec.path.fill(&fill, segment))
    }

    async fn call(&self, call: CallName, fill: &Fill<'_>) -> Outcome {
        self.exchange(call, fill, None).await
    }

    async fn exchange(&self, call: CallName, fill: &Fill<'_>, link: Option<&str>) -> Outcome {
        let answer = self.authorized(call, fill, link, REQUEST_TIMEOUT).await?;
        match &answer.unread {
            // What S2 would look for may be in it.
            Some(_) if self.is_yes(call, &answer) => {
                Err(Trouble { text: answer.to_string(), kind: TroubleKind::Unread })
            }
            _ => {
                let is_denial = self.is_yes(call, &answer) && denial::is_denial(&self.dialect, call, &answer.body);
                Ok(Answer { is_denial: is_denial || answer.is_denial, ..answer })
            }
        }
    }

    /// An answer as the code in its body has it.
    fn by_its_code(&self, call: CallName, answer: Answer) -> Answer {
        let says = if call == CallName::Metrics { CodeSays::Nothing } else { self.dialect.codes.read(&answer.body) };
        match says {
            CodeSays::Nothing => answer,
            CodeSays::Status { status, code } => Answer { status, code: Some((code, answer.status)), ..answer },
            CodeSays::No => Answer { is_denial: true, ..answer },
        }
    }

    /// Sends a request, and once more where the token was refused and its source has another: what was refused was not done.
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

    /// A call's request, with its places filled; at a link from an earlier answer where there is one.
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
        // What is elsewhere, as metrics on a port of their own are, is not the gateway that the token opens.
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
        let Received { status, headers, body, repeated } =
            self.http.send(request.map(Full::new), body_bytes_max, limit).await?;
        let (body, unread) = match body {
            Ok(body) => (body, None),
            Err(why) => (Bytes::new(), Some(why)),
        };
        let answer = Answer {
            status: status.as_u16(),
            body,
            location: location_of(&headers),
            retry_after: retry_after::asked(&headers, clock::wall_now()),
            unread,
            repeated,
            is_denial: false,
            code: None,
        };
        Ok(self.by_its_code(call, answer))
    }
}

/// A URL as people write it, in the form in which it is sent.
pub(super) fn uri(url: &str) -> Result<http::Uri, String> {
    let url = url::Url::parse(url).map_err(|e| format!("'{}' is no URL: {e}", clip(url)))?;
    url.as_str().parse().map_err(|e| format!("'{}' is no URL: {e}", clip(url.as_str())))
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
