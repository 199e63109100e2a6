//! The gateway `orchard`: a run is created and started in one call, under an id of the gateway's; runs are wrapped; events
//! have their type inside; metrics are JSON.

use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::{Asked, answer};

pub(crate) const DIALECT: &str = r#"
[headers]
X-Workspace-ID = ""
X-Space = "{workspace}"

[calls.health]
path = "/v2/ping"
time = "/now"
[calls.ready]
path = "/v2/up"
yes = [204]
[calls.metrics]
path = "/v2/stats"
[calls.set_plan]
absent = "every space has all there is"
[calls.toggle_privacy]
method = "PUT"
path = "/v2/workspace/privacy"
body = '{"hashOnly": "{hash_only}"}'
yes = [204]
[calls.get_agent]
path = "/v2/agents/{slug}"
[calls.create_run]
path = "/v2/agents/{agent}/run"
body = '{"prompt": "{message}", "label": "{name}"}'
yes = [200]
refused = [422]
id = "/run_id"
[calls.start_run]
part_of = "create_run"
[calls.get_run]
path = "/v2/runs/{id}"
status = "/run/state"
output = "/run/result"
logs = "/run/log"
message = "/text"
[calls.logs_stream]
path = "/v2/events"
[calls.run_logs_stream]
path = "/v2/runs/{id}/events"
[calls.guard_stream]
path = "/v2/guard"
[calls.run_guard_stream]
absent = "the guard speaks of all runs at once"
[calls.publish]
path = "/v2/agents/{slug}/publish"
body = '{"release": "{version}", "proof": "{signature}"}'
yes = [200]
refused = [409]
[calls.search]
path = "/v2/catalog?query={text}"
hits = "/items"
slug = "/agent/slug"
version = "/release"
[calls.safety_check]
absent = "its safety layer is never down without the gateway"
[calls.redis_restart]
absent = "its store is its own"
[calls.gateway_restart]
path = "/v2/admin/restart"
body = ""
yes = [202]
[calls.latency]
absent = "it has no such thing"

[run_states]
waiting = []
under_way = ["in-progress"]
success = ["complete"]
failure = ["stopped"]

[events]
type = "/kind"
run_id = "/run/id"
timestamp = "/at"
message = "/text"
status = "/state"
duration_ms = "/took_ms"
log = ["line"]
end = ["done"]
verdict = ["judged"]
decision = ["shielded"]

[metrics]
format = "json"
[metrics.names]
runs_started_total = "/runs/started"
runs_concurrent_gauge = "/runs/under_way"
run_queue_depth = "/runs/waiting"
sse_active_connections = "/streams/open"
process_resident_memory_bytes = "/process/memory"
process_open_fds = "/process/fds"
process_start_time_seconds = "/process/since"
[metrics.absent]
sse_connections_total = "not counted"
sse_messages_total = "not counted"
sentinel_judge_duration_seconds = "no histograms"
shield_decision_duration_seconds = "no histograms"
sse_write_duration_seconds = "no histograms"
"#;

/// The levers of its soak: one of each kind that it allows.
pub(crate) const LEVERS: &str = r#"
[w6_light_chaos.redis_restart]
lever = "none"
reason = "its store is its own"
[w6_light_chaos.latency]
lever = "proxy"
jitter = "5ms"
"#;

fn state(word: &str) -> &'static str {
    match word {
        "completed" => "complete",
        "failed" | "canceled" => "stopped",
        _ => "in-progress",
    }
}

fn event(id: &str, data: &Value) -> String {
    let kind = match data["type"].as_str() {
        Some("log") => "line",
        Some("end") => "done",
        Some("judge.verdict") => "judged",
        Some("shield.decision") => "shielded",
        _ => "other",
    };
    let data = json!({
        "kind": kind, "run": { "id": data["run_id"] }, "at": data["timestamp"], "text": data["message"],
        "state": data["status"].as_str().map(state), "took_ms": data["duration_ms"],
    });
    format!("id: {id}\ndata: {data}\n\n")
}

pub(crate) async fn speak(asked: Asked) -> Response {
    let space = asked.header("x-space");
    let last_id = Some(asked.header("last-event-id"));
    match asked.call() {
        ("GET", path) if path == ["v2", "ping"] => {
            let (status, health) = asked.ask("GET", "/health", &space, None).await;
            answer(status, &json!({ "now": health["time"] }))
        }
        ("GET", path) if path == ["v2", "up"] => {
            let (status, _) = asked.ask("GET", "/ready", &space, None).await;
            answer(if status == 200 { 204 } else { 503 }, &Value::Null)
        }
        ("GET", path) if path == ["v2", "stats"] => {
            let (status, text) = asked.ask_text("GET", "/metrics", &space, None).await;
            let of = |name: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
                line.and_then(|value| value.trim().parse::<f64>().ok())
            };
            let stats = json!({
                "runs": { "started": of("runs_started_total"), "under_way": of("runs_concurrent_gauge"), "waiting": of("run_queue_depth") },
                "streams": { "open": of("sse_active_connections") },
                "process": {
                    "memory": of("process_resident_memory_bytes"), "fds": of("process_open_fds"),
                    "since": of("process_start_time_seconds"),
                },
            });
            answer(status, &stats)
        }
        ("PUT", path) if path == ["v2", "workspace", "privacy"] => {
            let body = json!({ "workspace_id": space, "storePlain": asked.body["hashOnly"] == false });
            let (status, _) = asked.ask("POST", "/api/privacy/toggle", &space, Some(&body)).await;
            answer(if status == 200 { 204 } else { status }, &Value::Null)
        }
        ("POST", path) if path.len() == 4 && path[3] == "run" => {
            let id = Uuid::new_v4().to_string();
            let input = json!({ "message": asked.body["prompt"], "metadata": {} });
            let body = json!({ "id": id, "agent": path[2], "name": asked.body["label"], "workspace_id": space, "input": input });
            let (status, told) = asked.ask("POST", "/api/runs", &space, Some(&body)).await;
            match status {
                201 => {
                    let (status, _) =
                        asked.ask("POST", &format!("/api/runs/{id}/start"), &space, Some(&json!({}))).await;
                    answer(status, &json!({ "run_id": id, "state": "in-progress" }))
                }
                400 | 403 => answer(422, &told),
                other => answer(other, &told),
            }
        }
        ("GET", path) if path.len() == 3 && path[1] == "runs" => {
            let (status, run) = asked.ask("GET", &format!("/api/runs/{}", path[2]), &space, None).await;
            let lines = run["logs"].as_array().cloned().unwrap_or_default();
            let lines: Vec<Value> = lines.iter().map(|line| json!({ "text": line["message"] })).collect();
            let word = run["status"].as_str().map(state);
            answer(
                status,
                &json!({ "run": { "id": run["id"], "state": word, "result": run["output"], "log": lines, "asked": run["input"] } }),
            )
        }
        ("GET", path) if path == ["v2", "events"] => {
            asked.stream("/api/runs/logs/stream", &space, last_id, |_, id, data| event(id, data)).await
        }
        ("GET", path) if path == ["v2", "guard"] => {
            asked.stream("/api/runs/guard/stream", &space, last_id, |_, id, data| event(id, data)).await
        }
        ("GET", path) if path.len() == 4 && path[3] == "events" => {
            let of_run = format!("/api/runs/{}/logs/stream", path[2]);
            asked.stream(&of_run, &space, last_id, |_, id, data| event(id, data)).await
        }
        ("POST", path) if path.len() == 4 && path[3] == "publish" => {
            let body = json!({
                "slug": path[2], "name": "x", "version": asked.body["release"], "summary": "x", "tags": [], "readme_md": "x",
                "publisher_id": "x", "workspace_id": space, "signature": asked.body["proof"],
            });
            let (status, told) = asked.ask("POST", "/api/registry/publish", &space, Some(&body)).await;
            answer(
                match status {
                    201 => 200,
                    400 | 403 => 409,
                    other => other,
                },
                &told,
            )
        }
        ("GET", path) if path == ["v2", "catalog"] => {
            let query = asked.query.replace("query=", "q=");
            let (status, found) = asked.ask("GET", &format!("/api/registry/agents?{query}"), &space, None).await;
            let hits = found["agents"].as_array().cloned().unwrap_or_default();
            let items: Vec<Value> =
                hits.iter().map(|hit| json!({ "agent": { "slug": hit["slug"] }, "release": hit["version"] })).collect();
            answer(status, &json!({ "items": items }))
        }
        ("GET", path) if path.len() == 3 && path[1] == "agents" => {
            let (status, agent) = asked.ask("GET", &format!("/api/agents/{}", path[2]), &space, None).await;
            answer(status, &agent)
        }
        ("POST", path) if path == ["v2", "admin", "restart"] => {
            let (status, _) = asked.ask("POST", "/api/chaos/gateway-restart", &space, Some(&json!({}))).await;
            answer(if status < 300 { 202 } else { status }, &Value::Null)
        }
        _ => answer(404, &json!({ "error": "orchard has no such thing" })),
    }
}
