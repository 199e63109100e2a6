//! The gateway `weir`: opened by a key in a header of its own, with limits that mean wait, and little else: no metrics, no
//! clock, no privacy, no registry; ids that are each connection's on its one stream.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::response::Response;
use serde_json::{Value, json};

use crate::server::{Asked, answer};

pub(crate) const KEY: &str = "weir-key-canary-77a0";

pub(crate) const DIALECT: &str = r#"
extends = "BASE"

[headers]
Authorization = ""
X-API-Key = "{token}"

[calls.create_run]
body = '{"id": "{id}", "agent": "{agent}", "name": "{name}", "workspace_id": "{workspace}", "input": {"message": "{message}"}}'
wait = [409, 429]
id = "/id"
"#;

/// What the dialect extends: dialects may stand on one another.
pub(crate) const BASE: &str = r#"
[calls.health]
absent = "it has no clock to show"
[calls.metrics]
absent = "it keeps no count"
[calls.set_plan]
absent = "its plans are sold elsewhere"
[calls.toggle_privacy]
absent = "it keeps nothing anyway"
[calls.publish]
absent = "it has no registry"
[calls.search]
absent = "it has no registry"
[calls.guard_stream]
absent = "its guard is silent"
[calls.run_guard_stream]
absent = "its guard is silent"
[calls.run_logs_stream]
absent = "there is one stream for all"
[calls.redis_restart]
absent = "nobody may"
[calls.gateway_restart]
absent = "nobody may"
[calls.latency]
absent = "nobody may"
[events]
ids = "connection"
"#;

pub(crate) const LEVERS: &str = r#"
[w6_light_chaos.redis_restart]
lever = "none"
reason = "nobody may touch its store"
[w6_light_chaos.gateway_restart]
lever = "proxy"
[w6_light_chaos.latency]
lever = "proxy"
"#;

/// Of so many runs that are created the first is told to wait.
const LIMITED_EVERY: u64 = 7;

pub(crate) async fn speak(asked: Asked) -> Response {
    static CREATED: AtomicU64 = AtomicU64::new(0);
    if asked.header("x-api-key") != KEY && asked.path.first().is_some_and(|first| first == "api") {
        return answer(401, &json!({ "error": "no key" }));
    }
    let workspace = asked.header("x-workspace-id");
    match asked.call() {
        ("POST", path) if path == ["api", "runs"] => {
            let turn = CREATED.fetch_add(1, Ordering::Relaxed);
            if turn.is_multiple_of(LIMITED_EVERY) {
                let status = if turn.is_multiple_of(2) { 409 } else { 429 };
                return answer(status, &json!({ "error": "as many runs as your plan allows" }));
            }
            let (status, told) = asked.ask("POST", "/api/runs", &workspace, Some(&asked.body)).await;
            answer(status, &if status == 201 { told["run"].clone() } else { told })
        }
        ("GET", path) if path == ["api", "runs", "logs", "stream"] => {
            let write = |number: u64, _: &str, data: &Value| {
                format!("id: {number}\nevent: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
            };
            asked.stream("/api/runs/logs/stream", &workspace, None, write).await
        }
        (method, path)
            if path == ["ready"]
                || path == ["api", "safety", "check"]
                || (path.len() >= 3 && path[1] == "agents")
                || (path.len() >= 3 && path[1] == "runs" && *path.last().unwrap_or(&"") != "stream") =>
        {
            let body = (method == "POST").then_some(&asked.body);
            let (status, told) = asked.ask(method, &format!("/{}", path.join("/")), &workspace, body).await;
            answer(status, &told)
        }
        _ => answer(404, &json!({ "error": "weir has no such thing" })),
    }
}
