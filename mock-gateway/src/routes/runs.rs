//! Runs: created, started, read.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::answer::{JsonBody, Refusal, WorkspaceId, json};
use crate::change::Change;
use crate::clock;
use crate::core::Core;
use crate::event::{Channel, Draft};
use crate::player::millis;
use crate::runs::{AddError, Run, StartError, Status};
use crate::safety;

#[derive(Deserialize)]
pub(super) struct Create {
    id: String,
    agent: String,
    #[serde(default)]
    name: String,
    workspace_id: Option<String>,
    input: Map<String, Value>,
}

pub(super) async fn create(
    State(core): State<Arc<Core>>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Create>,
) -> Result<Response, Refusal> {
    core.expire_waiting_runs();
    if Uuid::try_parse(&body.id).is_err() {
        return Err(bad_request("`id` is not a UUID"));
    }
    let workspace = workspace_of(&headers, body.workspace_id.as_deref())?;
    let Some(message) = body.input.get("message").and_then(Value::as_str) else {
        return Err(bad_request("`input.message` is missing or no text"));
    };
    if core.registry.agent(&body.agent).is_none() {
        return Err(Refusal::new(StatusCode::NOT_FOUND, format!("there is no agent {:?}", body.agent)));
    }
    let id: Arc<str> = body.id.as_str().into();
    if core.faults.refuses_personal(message) {
        return Err(bad_request("the input has personal data"));
    }
    core.faults.hold_creation().await;
    if let Some((refusal, decision)) = refuse_injection(&core, (&workspace, &id), message) {
        core.store.room()?.write(&core, Change::Nothing, decision).in_time(&core).await?;
        if core.faults.runs_refused() {
            run_refused(&core, keep(&core, id, workspace, message, &body)).await?;
        }
        return Err(refusal);
    }

    if core.faults.creates_nothing() {
        return Ok(json(StatusCode::OK, &json!({ "error": "internal error" })));
    }
    let run = keep(&core, id, workspace, message, &body);
    if run.input.to_string().len() > core.config.input_bytes_max {
        let error = format!("`input` is larger than {} bytes", core.config.input_bytes_max);
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error));
    }
    let (room, created) = (core.store.room()?, Change::Created(Arc::clone(&run.id)));
    core.runs.add(run).map_err(|e| match e {
        AddError::Duplicate => Refusal::new(StatusCode::CONFLICT, "there is a run of this id"),
        AddError::Full => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "there are as many runs as there may be"),
    })?;
    room.write(&core, created, None).in_time(&core).await?;
    Ok(json(StatusCode::CREATED, &json!({ "success": true, "run": { "id": body.id, "status": Status::Created } })))
}

pub(super) async fn start(
    State(core): State<Arc<Core>>,
    WorkspaceId(workspace): WorkspaceId,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    core.expire_waiting_runs();
    let room = core.store.room()?;
    let run = core.runs.queue(&id, &workspace).map_err(|e| match e {
        StartError::Unknown => unknown_run(&id),
        StartError::Already(status) => Refusal::new(StatusCode::CONFLICT, format!("the run is {status:?} already")),
    })?;
    core.metrics().runs_started.increment();
    room.write(&core, Change::Queued(run), None).in_time(&core).await?;
    core.faults.hold_start_answer().await;
    Ok(json(StatusCode::OK, &json!({ "success": true, "run": { "id": id, "status": Status::Queued } })))
}

pub(super) async fn read(
    State(core): State<Arc<Core>>,
    WorkspaceId(workspace): WorkspaceId,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    core.expire_waiting_runs();
    let shown = if core.workspaces.is_hash_only(&workspace) { Run::to_json } else { Run::to_json_in_plain };
    let mut run = core.runs.look(&id, &workspace, shown).ok_or_else(|| unknown_run(&id))?;
    core.faults.respell_status(&mut run["status"]);
    core.faults.enlarge(&id, &mut run);
    Ok(json(StatusCode::OK, &run))
}

pub(super) fn unknown_run(id: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, format!("there is no run {id:?}"))
}

fn bad_request(error: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, error)
}

/// The workspace that the run belongs to. Header and body may each name it; a run that they disagree about would be
/// lost to its creator, so it is refused.
fn workspace_of(headers: &HeaderMap, body: Option<&str>) -> Result<Arc<str>, Refusal> {
    let header = headers.get("x-workspace-id").and_then(|value| value.to_str().ok()).filter(|id| !id.is_empty());
    match (header, body.filter(|id| !id.is_empty())) {
        (Some(header), Some(body)) if header != body => {
            Err(bad_request("the header X-Workspace-ID and `workspace_id` name two workspaces"))
        }
        (Some(id), _) | (None, Some(id)) => Ok(id.into()),
        (None, None) => Err(bad_request("neither the header X-Workspace-ID nor `workspace_id` names a workspace")),
    }
}

/// A refusal is a decision of the shield: measured, and to be told as such.
fn refuse_injection(core: &Core, of: (&Arc<str>, &Arc<str>), message: &str) -> Option<(Refusal, Option<Draft>)> {
    let begun = clock::now();
    if !safety::is_injection(message) || core.faults.accepts_injections() {
        return None;
    }
    let duration = begun.elapsed();
    core.metrics().shield.observe(duration);
    let fields = [("action".into(), "block".into()), ("duration_ms".into(), millis(duration))];
    let decision = core.draft(of, Channel::Guard, "shield.decision", Map::from_iter(fields));
    Some((Refusal::new(StatusCode::FORBIDDEN, "the shield refused the input: prompt injection"), decision))
}

/// Runs what was refused; only by a defect.
async fn run_refused(core: &Arc<Core>, run: Run) -> Result<(), Refusal> {
    let (id, workspace) = (Arc::clone(&run.id), Arc::clone(&run.workspace));
    if core.runs.add(run).is_ok() {
        core.commit(Change::Created(Arc::clone(&id)), None).await?;
        if core.runs.queue(&id, &workspace).is_ok() {
            core.commit(Change::Queued(id), None).await?;
        }
    }
    Ok(())
}

/// The run with what may be kept of its input: nothing else of it goes any further than here.
fn keep(core: &Core, id: Arc<str>, workspace: Arc<str>, message: &str, body: &Create) -> Run {
    let hash_only = core.workspaces.is_hash_only(&workspace);
    let rewrite = if hash_only { safety::hashed } else { safety::masked };
    let given = Value::Object(body.input.clone());
    let input = safety::rewrite_strings(&given, &rewrite);
    let shield_action = if !hash_only && input != given { "mask" } else { "allow" }.into();
    Run {
        id,
        agent: body.agent.clone(),
        name: rewrite(&body.name),
        workspace,
        status: Status::Created,
        message: rewrite(message),
        slips: core.faults.slips(message, hash_only),
        input,
        shield_action,
        output: None,
        logs: Vec::new(),
        judged: false,
        shielded: false,
        after: core.log.last_sequence(),
        is_kept: false,
        created: clock::now(),
        created_at: clock::wall(),
        started_at: None,
        completed_at: None,
    }
}
