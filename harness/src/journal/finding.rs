//! Events at a moment, with their evidence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::catalog::{Chaos, Workload};

/// An event. [`clip`](super::clip()) cuts a gateway's texts, and [`Finding::recordable`] all texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, IntoStaticStr)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Finding {
    /// A readiness probe was not answered 200.
    NotReady {
        /// The status, or the error.
        answer: String,
    },
    /// A run did not end in success.
    RunFailed { run: String, answer: String },
    /// A run had not ended when the soak did, long after its timeout.
    RunUnended {
        run: String,
        /// How it stood, and its age.
        answer: String,
    },
    /// A request of W1 to W5 failed or was answered other than expected.
    RequestFailed {
        workload: Workload,
        /// Method and path.
        route: String,
        /// The run, version or stream that it was about.
        subject: String,
        /// The status and the start of the body, or the error.
        answer: String,
    },
    /// S2 could not read an answer: a limit of S2's.
    AnswerUnread {
        /// Method and path.
        route: String,
        /// The run, version or stream that it was about.
        subject: String,
        /// The status, and what S2 could not read.
        answer: String,
    },
    /// An event was larger than the limit, and S2 skipped it.
    EventOversized { stream: String, bytes: u64, beginning: String },
    /// A stream ended, and S2 had not closed it.
    StreamDropped { stream: String, answer: String },
    /// An attempt to come back did not open a stream.
    ReconnectFailed {
        stream: String,
        /// Which attempt since it was lost, from 1.
        attempt: u32,
        /// The status, or the error.
        answer: String,
    },
    /// An event was delivered again to the same client.
    EventDuplicated {
        stream: String,
        /// The run that it was about.
        run: String,
        /// The id it had this time.
        id: String,
        /// Whether the id was the same as before, or a new one.
        same_id: bool,
        /// The log line, or what kind of event it was.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        line: String,
        /// Who had it how often: the other clients, or the run's record.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        why: String,
    },
    /// A client missed an event that others got; or a run's log line was not on its own stream, or on none of the
    /// workspace's.
    EventMissed {
        stream: String,
        /// The run that it was about.
        run: String,
        /// The id it had at one who saw it; the line, where nobody did.
        id: String,
        /// How many clients saw it; 0 where only the run has it.
        seen_by: u32,
        /// The log line, or what kind of event it was, where `id` does not say it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        line: String,
        /// Who had it and who had not, where that is not the rule.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        why: String,
    },
    /// A published version appeared in search; every later pulse looks for it again.
    VersionFound {
        /// Of which pulse, from 0.
        pulse: u32,
        version: String,
    },
    /// A published version did not appear in search while we looked.
    VersionNotFound {
        /// Slug and version.
        version: String,
        /// How long we looked.
        waited_ms: u64,
        /// The answer to the last search.
        answer: String,
    },
    /// An earlier version is no longer found.
    VersionLost {
        /// Slug and version.
        version: String,
        /// From which workspace.
        workspace: String,
        /// The answer to the search.
        answer: String,
    },
    /// A search did not show a version, and did not show all that it found either.
    SearchCut {
        /// Slug and version.
        version: String,
        /// Whether it had just been published.
        is_new: bool,
        /// From which workspace.
        workspace: String,
        /// Why it may be there all the same, and which setting would tell.
        why: String,
        /// The answer to the search.
        answer: String,
    },
    /// A tampered manifest was not rejected.
    TamperAccepted {
        /// Slug and version.
        version: String,
        /// The status and the start of the body.
        answer: String,
    },
    /// A prompt injection was not refused.
    InjectionAccepted {
        probe: String,
        run: String,
        /// The status and the start of the body.
        answer: String,
    },
    /// A prompt injection was accepted with its run, which did not succeed: whether it was blocked is unknown.
    InjectionUnclear {
        probe: String,
        run: String,
        /// How the run ended.
        answer: String,
    },
    /// A run with personal data was refused, and the dialect does not say that this is how such data is protected.
    PiiRefused {
        probe: String,
        /// The status and the start of the body.
        answer: String,
    },
    /// Personal data showed.
    PiiLeaked {
        probe: String,
        run: String,
        /// Where it showed.
        place: String,
    },
    /// A canary showed after the toggle to hash-only.
    PlaintextLeaked {
        run: String,
        /// Where it showed.
        place: String,
    },
    /// A source of measurements did not answer as it should.
    SourceFailed { source: String, answer: String },
    /// The metrics lack a name that a KPI lives on.
    MetricMissing { name: String },
    /// The gateway's process is another than before, and began within the soak.
    GatewayRestarted { before: String, after: String },
    /// Another process answered than before, and it had begun before the soak: several answer in turn.
    OtherProcess { before: String, after: String },
    /// Several processes answer `/metrics` in turn, told apart by their starts and by what they have counted.
    SeveralAnswer {
        /// How many answered lately.
        processes: u32,
    },
    /// The processes whose memory, descriptors and processor time are read.
    ProcessesRead { root: String, how: String },
    /// How long calls took before anything was added to them.
    RoundTripsBefore {
        /// The chaos that adds to them.
        chaos: Chaos,
        /// The fastest round trip of each call, real microseconds; none where none was answered.
        fastest_us: Vec<Option<u64>>,
    },
    /// Chaos was asked for.
    ChaosInjected { chaos: Chaos, accepted: bool, answer: String },
    /// The observed effect of chaos.
    ChaosSeen { chaos: Chaos, effective: bool, evidence: String },
    /// The gateway was well again after chaos.
    ChaosRecovered {
        chaos: Chaos,
        /// From a restart's effect, or its injection where none was seen (for latency: from its planned end), to ready
        /// and every stream back, real milliseconds.
        recovery_ms: u64,
    },
    /// The gateway was not well again while we looked.
    ChaosNotRecovered {
        chaos: Chaos,
        /// How long we looked, real milliseconds.
        waited_ms: u64,
        /// The remaining fault.
        answer: String,
    },
    /// The window of a chaos event closed.
    WindowClosed {
        chaos: Chaos,
        /// When it opened, scenario milliseconds.
        from_ms: u64,
    },
    /// A sign of life.
    Heartbeat {
        /// When it was due.
        due_ms: u64,
        /// Workspace log streams open.
        open_streams: u32,
        runs_started: u64,
    },
    /// A worker panicked.
    WorkerPanicked {
        worker: String,
        /// How often so far.
        count: u32,
        message: String,
    },
    /// A worker was not restarted any more.
    WorkerGaveUp { worker: String },
    /// A worker ended as planned.
    WorkerDone { worker: String },
    /// Something stopped the session.
    Fatal {
        /// What, on what, and what would help.
        message: String,
    },
    /// Nothing was played between two moments.
    Hole {
        /// From, scenario milliseconds.
        from_ms: u64,
        /// To, scenario milliseconds.
        to_ms: u64,
        why: String,
        /// Cycles cut off, by workload. They are played again, and count as begun only then.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        cut: BTreeMap<Workload, u64>,
    },
    /// The session itself stood still: its process was stopped, or got no processor.
    Stalled {
        /// For how long, real milliseconds, up to the moment of the incident.
        stalled_ms: u64,
    },
}
