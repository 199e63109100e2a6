//! The gateway `burrow`: no stream shows more than one run, and ids are numbered from 1 on each connection; no guard, no
//! registry, metrics under other names and without histograms; it is restarted by a command.

use axum::response::Response;
use serde_json::{Value, json};

use crate::server::{Asked, answer};

pub(crate) const DIALECT: &str = r#"
[calls.set_plan]
absent = "it has no plans"
[calls.toggle_privacy]
path = "/api/workspace/privacy"
[calls.create_run]
path = "/api/jobs"
body = '{"run_id": "{id}", "worker": "{agent}", "title": "{name}", "text": "{message}"}'
yes = [202]
refused = [403]
id = "/run_id"
[calls.start_run]
path = "/api/jobs/{id}/go"
body = ""
yes = [204]
[calls.get_run]
path = "/api/jobs/{id}"
status = "/phase"
output = "/answer"
logs = "/lines"
message = ""
[calls.logs_stream]
absent = "each run has a stream of its own, and there is no other"
[calls.run_logs_stream]
path = "/api/jobs/{id}/lines"
[calls.guard_stream]
absent = "its guard is silent"
[calls.run_guard_stream]
absent = "its guard is silent"
[calls.get_agent]
absent = "workers are nobody's to see"
[calls.publish]
absent = "it has no registry"
[calls.search]
absent = "it has no registry"
[calls.redis_restart]
absent = "nobody may"
[calls.gateway_restart]
absent = "nobody may"
[calls.latency]
absent = "nobody may"

[run_states]
waiting = ["new"]
under_way = ["busy"]
success = ["done"]
failure = ["broken"]

[events]
run_id = "/job"
timestamp = "/ms"
message = "/line"
status = "/phase"
ids = "connection"

[metrics.names]
runs_started_total = "burrow_jobs_total"
run_queue_depth = "burrow_jobs_waiting"
sse_active_connections = "burrow_streams"
[metrics.absent]
runs_concurrent_gauge = "not counted"
sse_connections_total = "not counted"
sse_messages_total = "not counted"
sentinel_judge_duration_seconds = "no histograms"
shield_decision_duration_seconds = "no histograms"
sse_write_duration_seconds = "no histograms"
"#;

/// The levers of its soak; a program restarts what is behind `BEHIND`.
pub(crate) const LEVERS: &str = r#"
[w6_light_chaos.redis_restart]
lever = "command"
program = "PROGRAM"
arguments = ["pull-lever", "BEHIND", "redis-restart"]
[w6_light_chaos.gateway_restart]
lever = "command"
program = "PROGRAM"
arguments = ["pull-lever", "BEHIND", "gateway-restart"]
timeout = "20s"
[w6_light_chaos.latency]
lever = "proxy"
[waive]
fd_drift = "three descriptors for each stream, and streams come and go with runs: it cannot be told from growth in a minute"
sse_connection_drift = "streams come and go twenty at a time, and in a minute the two counts are never of one moment"
"#;

fn phase(word: &str) -> &'static str {
    match word {
        "created" | "queued" => "new",
        "completed" => "done",
        "failed" | "canceled" => "broken",
        _ => "busy",
    }
}

fn event(number: u64, data: &Value) -> String {
    let kind = data["type"].as_str().unwrap_or_default();
    let time = data["timestamp"].as_str().and_then(|time| time.parse::<jiff::Timestamp>().ok());
    // Milliseconds are as fine as it gets here; what makes events of one millisecond differ is their number in the run.
    let data = json!({
        "job": data["run_id"], "ms": time.map(jiff::Timestamp::as_millisecond), "line": data["message"],
        "phase": data["status"].as_str().map(phase), "number": number,
    });
    format!("id: {number}\nevent: {kind}\ndata: {data}\n\n")
}

pub(crate) async fn speak(asked: Asked) -> Response {
    let workspace = asked.header("x-workspace-id");
    match asked.call() {
        ("POST", path) if path == ["api", "jobs"] => {
            let input = json!({ "message": asked.body["text"], "metadata": {} });
            let body = json!({
                "id": asked.body["run_id"], "agent": asked.body["worker"], "name": asked.body["title"],
                "workspace_id": workspace, "input": input,
            });
            let (status, told) = asked.ask("POST", "/api/runs", &workspace, Some(&body)).await;
            match status {
                201 => answer(202, &json!({ "run_id": asked.body["run_id"], "phase": "new" })),
                400 => answer(403, &told),
                other => answer(other, &told),
            }
        }
        ("POST", path) if path.len() == 4 && path[3] == "go" => {
            let start = format!("/api/runs/{}/start", path[2]);
            let (status, told) = asked.ask("POST", &start, &workspace, Some(&json!({}))).await;
            answer(if status == 200 { 204 } else { status }, &told)
        }
        ("GET", path) if path.len() == 3 && path[1] == "jobs" => {
            let (status, run) = asked.ask("GET", &format!("/api/runs/{}", path[2]), &workspace, None).await;
            let lines = run["logs"].as_array().cloned().unwrap_or_default();
            let lines: Vec<&Value> = lines.iter().map(|line| &line["message"]).collect();
            let phase = run["status"].as_str().map(phase);
            answer(
                status,
                &json!({ "run_id": run["id"], "phase": phase, "answer": run["output"], "lines": lines, "text": run["input"] }),
            )
        }
        ("GET", path) if path.len() == 4 && path[3] == "lines" => {
            let of_run = format!("/api/runs/{}/logs/stream", path[2]);
            asked.stream(&of_run, &workspace, None, |number, _, data| event(number, data)).await
        }
        ("POST", path) if path == ["api", "workspace", "privacy"] => {
            let (status, told) = asked.ask("POST", "/api/privacy/toggle", &workspace, Some(&asked.body)).await;
            answer(status, &told)
        }
        ("GET", path) if path == ["metrics"] => {
            let (_, text) = asked.ask_text("GET", "/metrics", &workspace, None).await;
            let of =
                |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap_or("0");
            let process = text.lines().filter(|line| line.starts_with("process_")).collect::<Vec<_>>().join("\n");
            let ours = format!(
                "burrow_jobs_total {}\nburrow_jobs_waiting {}\nburrow_streams {}\n{process}\n",
                of("runs_started_total"),
                of("run_queue_depth"),
                of("sse_active_connections")
            );
            Response::new(ours.into())
        }
        (method, path) if path == ["ready"] || path == ["health"] || path == ["api", "safety", "check"] => {
            let (status, told) = asked.ask(method, &format!("/{}", path.join("/")), &workspace, None).await;
            answer(status, &told)
        }
        _ => answer(404, &json!({ "error": "burrow has no such thing" })),
    }
}
