//! Form of runs and privacy settings in Redis: texts, so that anyone can read them there.

use std::borrow::Cow;
use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock;
use crate::defect::Slips;
use crate::runs::{LogLine, Run, Status};
use crate::workspaces::Privacy;

/// The data that is kept is not from a mock gateway, or is of another version.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("it has no field {0:?}")]
    Lacks(&'static str),
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    #[error("it has a time out of range")]
    Time(#[from] jiff::Error),
}

/// A run as it was created; that never changes.
#[derive(Serialize, Deserialize)]
struct Creation<'a> {
    agent: Cow<'a, str>,
    name: Cow<'a, str>,
    workspace: Cow<'a, str>,
    input: Cow<'a, Value>,
    message: Cow<'a, str>,
    slips: Cow<'a, Slips>,
    shield_action: Cow<'a, str>,
    after: u64,
    created_at_us: i64,
}

/// The fields of a run's hash.
pub(super) fn run_fields(run: &Run) -> Vec<(&'static str, String)> {
    let creation = Creation {
        agent: run.agent.as_str().into(),
        name: run.name.as_str().into(),
        workspace: (*run.workspace).into(),
        input: Cow::Borrowed(&run.input),
        message: run.message.as_str().into(),
        slips: Cow::Borrowed(&run.slips),
        shield_action: Cow::Borrowed(&run.shield_action),
        after: run.after,
        created_at_us: run.created_at.as_microsecond(),
    };
    let mut fields = vec![("creation", json(&creation)), ("status", json(&run.status))];
    fields.extend(run.started_at.map(|at| ("started_at_us", micros(at))));
    fields.extend(run.completed_at.map(|at| ("completed_at_us", micros(at))));
    fields.extend(run.output.as_ref().map(|output| ("output", json(output))));
    fields.extend(run.judged.then(|| ("judged", "true".into())));
    fields.extend(run.shielded.then(|| ("shielded", "true".into())));
    fields
}

/// A run from its hash and its log lines.
pub(super) fn run_of(id: &str, fields: &HashMap<String, String>, logs: &[String]) -> Result<Run, Unreadable> {
    let field = |name: &'static str| fields.get(name).ok_or(Unreadable::Lacks(name));
    let time = |name: &str| -> Result<Option<Timestamp>, Unreadable> {
        let Some(micros) = fields.get(name) else { return Ok(None) };
        Ok(Some(Timestamp::from_microsecond(serde_json::from_str(micros)?)?))
    };
    let creation: Creation<'_> = serde_json::from_str(field("creation")?)?;
    let status: Status = serde_json::from_str(field("status")?)?;
    Ok(Run {
        id: id.into(),
        agent: creation.agent.into_owned(),
        name: creation.name.into_owned(),
        workspace: creation.workspace.into(),
        status,
        input: creation.input.into_owned(),
        message: creation.message.into_owned(),
        slips: creation.slips.into_owned(),
        shield_action: creation.shield_action.into_owned().into(),
        output: fields.get("output").map(|output| serde_json::from_str(output)).transpose()?,
        logs: logs.iter().map(|line| serde_json::from_str(line)).collect::<Result<Vec<LogLine>, _>>()?,
        judged: fields.contains_key("judged"),
        shielded: fields.contains_key("shielded"),
        after: creation.after,
        is_kept: true,
        created: clock::from_unix_micros(creation.created_at_us),
        created_at: Timestamp::from_microsecond(creation.created_at_us)?,
        started_at: time("started_at_us")?,
        completed_at: time("completed_at_us")?,
    })
}

#[derive(Serialize, Deserialize)]
struct PrivacyRecord {
    hash_only: bool,
    from_us: i64,
    hash_only_before: bool,
}

pub(super) fn privacy(privacy: &Privacy) -> String {
    let Privacy { hash_only, from, hash_only_before } = *privacy;
    json(&PrivacyRecord { hash_only, from_us: clock::to_unix_micros(from), hash_only_before })
}

pub(super) fn privacy_of(record: &str) -> Result<Privacy, Unreadable> {
    let PrivacyRecord { hash_only, from_us, hash_only_before } = serde_json::from_str(record)?;
    Ok(Privacy { hash_only, from: clock::from_unix_micros(from_us), hash_only_before })
}

pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("records have string keys only")
}

pub(super) fn micros(at: Timestamp) -> String {
    at.as_microsecond().to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_reads_back_as_it_was_written() {
        let at = Timestamp::from_microsecond(1_764_000_000_500_001).unwrap();
        let run = Run {
            id: "1".into(),
            agent: "demo-enricher".into(),
            name: "a run".into(),
            workspace: "w".into(),
            status: Status::Completed,
            input: json!({ "message": "hello", "metadata": { "n": 0.1 } }),
            message: "hello".into(),
            slips: Slips { guard: Some("hello".into()), ..Slips::default() },
            shield_action: "mask".into(),
            output: Some(json!({ "summary": "done" })),
            logs: vec![LogLine { level: "info".into(), message: "a \"line\"".into() }],
            judged: true,
            shielded: true,
            after: 7,
            is_kept: true,
            created: clock::now(),
            created_at: at,
            started_at: Some(at),
            completed_at: Some(at),
        };
        let fields = run_fields(&run);
        let named = fields.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
        let logs: Vec<_> = run.logs.iter().map(json).collect();
        let read = run_of("1", &named, &logs).unwrap();
        assert_eq!(read.to_json(), run.to_json());
        assert_eq!(run_fields(&read), fields);
        assert!(run_of("1", &HashMap::new(), &[]).is_err());
    }

    #[test]
    fn a_toggle_that_is_to_take_effect_does_so_in_another_process() {
        let until = clock::now() + std::time::Duration::from_secs(60);
        let read = privacy_of(&privacy(&Privacy { hash_only: true, from: until, hash_only_before: false })).unwrap();
        assert!(read.hash_only && !read.hash_only_before && read.from > clock::now());
    }
}
