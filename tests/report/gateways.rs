//! The gateways that reports are of: healthy, with defects, and one that answers markup wherever it may answer anything.

use std::process::ExitCode;

use mock_gateway::{
    Config, Defect, MockGateway,
    wiremock::{Mock, ResponseTemplate, matchers},
};
use serde_json::json;
use testkit::{AnyError, GatewayProcess, own_binary, serve};

/// Set where this binary is to be a gateway: to which.
const BE_THE_GATEWAY: &str = "REPORT_BE_THE_GATEWAY";

/// Where a browser took it for more than text, it would set a flag that a test looks for.
pub(crate) const MARKUP: &str =
    "</script></td><script>window.ran=1</script><img src=x onerror=\"window.ran=1\"><b onclick='window.ran=1'>";

/// Which gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Healthy,
    /// With three defects: now and then, from half of a compressed soak on, and from the gateway's restart on.
    Sick,
    /// Whatever it says is markup.
    Markup,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Sick => "sick",
            Self::Markup => "markup",
        }
    }

    pub(crate) fn start(self) -> Result<GatewayProcess, AnyError> {
        Ok(GatewayProcess::spawn(own_binary()?.env(BE_THE_GATEWAY, self.name()))?)
    }
}

/// Is a gateway, where the environment asks for one.
pub(crate) fn served() -> Option<ExitCode> {
    let (_, name) = std::env::vars_os().find(|(name, _)| name == BE_THE_GATEWAY)?;
    let defects = match name.to_str() {
        Some("sick") => vec![Defect::LoseEvents, Defect::LeakSecondHour, Defect::SilentAfterRestart],
        _ => Vec::new(),
    };
    let is_markup = name == "markup";
    let started = async move {
        let gateway =
            MockGateway::start(Config { defects: defects.into_iter().collect(), ..Config::default() }).await?;
        if is_markup {
            say_markup(&gateway).await;
        }
        Ok((gateway.url(), async move { gateway.shutdown().await }))
    };
    Some(serve(started))
}

/// Markup in every field that a gateway fills, and in bodies that are none of the contract's.
async fn say_markup(gateway: &MockGateway) {
    let text = |status: u16| ResponseTemplate::new(status).set_body_raw(MARKUP, "text/html");
    let run = json!({
        "id": MARKUP, "status": MARKUP, "input": MARKUP, "output": MARKUP, "started_at": MARKUP, "completed_at": MARKUP,
        "logs": [{ "level": MARKUP, "message": MARKUP }],
    });
    let data = json!({
        "type": "log", "run_id": MARKUP, "timestamp": "2026-01-01T00:00:00Z", "level": MARKUP, "message": MARKUP, "status": MARKUP,
    });
    let end = json!({ "type": "end", "run_id": MARKUP, "timestamp": "2026-01-01T00:00:00Z", "status": MARKUP });
    let events = format!(
        "id: {MARKUP}\nevent: log\ndata: {data}\n\nid: {MARKUP}\nevent: {MARKUP}\ndata: {MARKUP}\n\nid: 2{MARKUP}\nevent: end\ndata: {end}\n\n"
    );
    let stream = ResponseTemplate::new(200).set_body_raw(events, "text/event-stream");
    let agents = json!({ "agents": [{ "slug": MARKUP, "version": MARKUP }], "total": MARKUP });
    let metrics = format!("# HELP {MARKUP}\n{MARKUP} 1\nruns_started_total{{agent=\"{MARKUP}\"}} {MARKUP}\n");
    let says = [
        ("GET", r"^/api/runs/logs/stream$", stream.clone()),
        ("GET", r"^/api/runs/guard/stream$", stream.clone()),
        ("GET", r"^/api/runs/[^/]+/(logs|guard)/stream$", stream),
        ("GET", r"^/api/runs/[^/]+$", ResponseTemplate::new(200).set_body_json(run)),
        ("POST", r"^/api/runs/[^/]+/start$", text(500)),
        ("POST", r"^/api/registry/publish$", text(418)),
        ("GET", r"^/api/registry/agents", ResponseTemplate::new(200).set_body_json(agents)),
        ("GET", r"^/api/agents/", text(404)),
        ("GET", r"^/api/safety/check$", text(302).insert_header("location", "/<img/src=x/onerror=window.ran=1>")),
        ("POST", r"^/api/privacy/toggle$", text(400)),
        ("POST", r"^/api/chaos/", text(202)),
        ("GET", r"^/metrics$", ResponseTemplate::new(200).set_body_raw(metrics, "text/plain")),
        ("GET", r"^/health$", ResponseTemplate::new(200).set_body_json(json!({ "ok": true, "time": MARKUP }))),
    ];
    for (method, path, answer) in says {
        gateway.mount(Mock::given(matchers::method(method)).and(matchers::path_regex(path)).respond_with(answer)).await;
    }
}
