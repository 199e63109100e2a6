//! The calls of the contract.

use super::names::{Chaos, named};

named! {
    /// A call of the contract.
    CallName {
        /// Is it alive, and what time has it?
        Health = "health",
        /// Can it serve?
        Ready = "ready",
        /// The gateway's metrics.
        Metrics = "metrics",
        /// Sets a workspace's plan.
        SetPlan = "set_plan",
        /// Hash-only, and back.
        TogglePrivacy = "toggle_privacy",
        /// An agent.
        Agent = "get_agent",
        /// Creates a run.
        CreateRun = "create_run",
        /// Starts one.
        StartRun = "start_run",
        /// Looks at one.
        Run = "get_run",
        /// The logs of every run of a workspace.
        LogsStream = "logs_stream",
        /// The logs of one run.
        RunLogsStream = "run_logs_stream",
        /// The safety layer's events of a workspace.
        GuardStream = "guard_stream",
        /// The same of one run.
        RunGuardStream = "run_guard_stream",
        /// Publishes a version.
        Publish = "publish",
        /// Searches versions.
        Search = "search",
        /// Is the safety layer up?
        SafetyCheck = "safety_check",
        /// Collects the garbage of the gateway's runtime, before memory is read.
        CollectGarbage = "collect_garbage",
        /// Restarts the store.
        RedisRestart = "redis_restart",
        /// Restarts the gateway.
        GatewayRestart = "gateway_restart",
        /// Makes every answer late.
        Latency = "latency",
    }
}

impl CallName {
    /// The call that causes an event.
    pub(crate) const fn of_chaos(chaos: Chaos) -> Self {
        match chaos {
            Chaos::RedisRestart => Self::RedisRestart,
            Chaos::GatewayRestart => Self::GatewayRestart,
            Chaos::Latency => Self::Latency,
        }
    }

    pub(crate) const fn is_stream(self) -> bool {
        matches!(self, Self::LogsStream | Self::RunLogsStream | Self::GuardStream | Self::RunGuardStream)
    }

    pub(crate) const fn is_stream_of_run(self) -> bool {
        matches!(self, Self::RunLogsStream | Self::RunGuardStream)
    }

    pub(crate) const fn is_guard_stream(self) -> bool {
        matches!(self, Self::GuardStream | Self::RunGuardStream)
    }

    /// Whether no gateway can be tested without it.
    pub(crate) const fn is_indispensable(self) -> bool {
        matches!(self, Self::Ready | Self::CreateRun | Self::Run)
    }

    /// The placeholders that its path and body may have, besides the workspace.
    pub(crate) const fn places(self) -> &'static [&'static str] {
        match self {
            Self::SetPlan => &["plan"],
            Self::TogglePrivacy => &["store_plain", "hash_only", "storage"],
            Self::Agent => &["slug"],
            Self::CreateRun => &["id", "agent", "name", "message"],
            Self::StartRun | Self::Run | Self::RunLogsStream | Self::RunGuardStream => &["id"],
            Self::Publish => &["slug", "version", "signature"],
            Self::Search => &["text", "slug", "version", "page", "offset", "limit", "cursor"],
            Self::Latency => &["delay_ms", "duration_ms", "delay_seconds", "duration_seconds"],
            _ => &[],
        }
    }

    /// The names of the JSON pointers into its answer.
    pub(crate) const fn pointers(self) -> &'static [&'static str] {
        match self {
            Self::Health => &["time"],
            Self::CreateRun => &["id"],
            Self::Run => &["status", "output", "logs", "message"],
            Self::Publish => &["version"],
            Self::Search => &["hits", "slug", "version", "total", "next"],
            _ => &[],
        }
    }
}
