//! Changes of the state, one at a time. A change is made lasting, then takes effect, then is published.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::core::Core;
use crate::player;
use crate::registry::Version;
use crate::runs::{LogLine, Status};
use crate::workspaces::Privacy;

/// One thing that happens.
pub(crate) enum Change {
    /// A run was created; it is among the runs already, and not yet seen.
    Created(Arc<str>),
    /// A run was started, and is to be played.
    Queued(Arc<str>),
    Begun(Arc<str>, Timestamp),
    Logged(Arc<str>, LogLine),
    Judged(Arc<str>),
    Shielded(Arc<str>),
    Ended(Arc<str>, Outcome),
    /// A version was published; it is in the registry already, and not yet shown.
    Published(Box<Version>),
    /// A workspace has a plan.
    Planned(String, String),
    /// A workspace's privacy was toggled.
    Toggled(String, Privacy),
    /// Nothing but that something is told.
    Nothing,
}

/// How a run ended.
pub(crate) struct Outcome {
    pub(crate) status: Status,
    pub(crate) output: Option<Value>,
    pub(crate) at: Timestamp,
}

impl Core {
    /// Lets a change take effect. It is lasting by now: nothing that is seen can be lost.
    pub(crate) fn settle(self: &Arc<Self>, change: Change) {
        match change {
            Change::Created(run) => _ = self.runs.change(&run, |run| run.is_kept = true),
            Change::Queued(run) => _ = self.tasks.spawn(player::play(Arc::clone(self), run)),
            Change::Begun(run, at) => {
                self.runs.change(&run, |run| {
                    run.status = Status::Running;
                    run.started_at = Some(at);
                });
            }
            Change::Logged(run, line) => {
                self.runs.change(&run, |run| {
                    run.logs.push(line);
                    self.faults.shorten_record(&mut run.logs);
                });
            }
            Change::Judged(run) => _ = self.runs.change(&run, |run| run.judged = true),
            Change::Shielded(run) => _ = self.runs.change(&run, |run| run.shielded = true),
            Change::Ended(run, Outcome { status, output, at }) => self.runs.finish(&run, status, output, at),
            Change::Published(version) => self.registry.show(&version),
            Change::Planned(workspace, plan) => self.workspaces.set_plan(&workspace, &plan),
            Change::Toggled(workspace, privacy) => self.workspaces.set_privacy(&workspace, privacy),
            Change::Nothing => {}
        }
    }
}
