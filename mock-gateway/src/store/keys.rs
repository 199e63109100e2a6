//! Names under which data is kept.

/// The names of all keys, each with the gateway's prefix.
#[derive(Clone)]
pub(super) struct Keys {
    prefix: String,
    /// A hash: `owner`, who may write, and `commits`, how often something was written.
    pub(super) claim: String,
    /// A stream: the event log. The entry of an event has its sequence as its time.
    pub(super) events: String,
    /// A set: the ids of the runs that have not ended.
    pub(super) live: String,
    /// A list: the ids of the runs that have ended and are still kept, the oldest first.
    pub(super) ended: String,
    /// A list: the versions, the oldest first.
    pub(super) versions: String,
    /// A hash: plans by workspace.
    pub(super) plans: String,
    /// A hash: privacy settings by workspace.
    pub(super) privacy: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        let key = |name: &str| format!("{prefix}:{name}");
        Self {
            claim: key("claim"),
            events: key("events"),
            live: key("runs:live"),
            ended: key("runs:ended"),
            versions: key("versions"),
            plans: key("workspaces:plan"),
            privacy: key("workspaces:privacy"),
            prefix: prefix.to_owned(),
        }
    }

    /// Before the id of a run in the name of its hash.
    pub(super) fn run_prefix(&self) -> String {
        format!("{}:run:", self.prefix)
    }

    /// A hash: a run but for its log lines.
    pub(super) fn run(&self, id: &str) -> String {
        format!("{}:run:{id}", self.prefix)
    }

    /// A list: a run's log lines.
    pub(super) fn run_logs(&self, id: &str) -> String {
        format!("{}:run:{id}:logs", self.prefix)
    }
}
