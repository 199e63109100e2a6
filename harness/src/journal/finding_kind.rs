//! The kind of a finding, and whether all of a kind are kept.

use super::Finding;

impl Finding {
    /// The kind, as the journal writes it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NotReady { .. } => "not_ready",
            Self::RunFailed { .. } => "run_failed",
            Self::RunUnended { .. } => "run_unended",
            Self::RequestFailed { .. } => "request_failed",
            Self::AnswerUnread { .. } => "answer_unread",
            Self::EventOversized { .. } => "event_oversized",
            Self::StreamDropped { .. } => "stream_dropped",
            Self::ReconnectFailed { .. } => "reconnect_failed",
            Self::EventDuplicated { .. } => "event_duplicated",
            Self::EventMissed { .. } => "event_missed",
            Self::VersionFound { .. } => "version_found",
            Self::VersionNotFound { .. } => "version_not_found",
            Self::VersionLost { .. } => "version_lost",
            Self::SearchCut { .. } => "search_cut",
            Self::TamperAccepted { .. } => "tamper_accepted",
            Self::InjectionAccepted { .. } => "injection_accepted",
            Self::InjectionUnclear { .. } => "injection_unclear",
            Self::PiiRefused { .. } => "pii_refused",
            Self::PiiLeaked { .. } => "pii_leaked",
            Self::PlaintextLeaked { .. } => "plaintext_leaked",
            Self::SourceFailed { .. } => "source_failed",
            Self::MetricMissing { .. } => "metric_missing",
            Self::GatewayRestarted { .. } => "gateway_restarted",
            Self::OtherProcess { .. } => "other_process",
            Self::SeveralAnswer { .. } => "several_answer",
            Self::ProcessesRead { .. } => "processes_read",
            Self::RoundTripsBefore { .. } => "round_trips_before",
            Self::ChaosInjected { .. } => "chaos_injected",
            Self::ChaosSeen { .. } => "chaos_seen",
            Self::ChaosRecovered { .. } => "chaos_recovered",
            Self::ChaosNotRecovered { .. } => "chaos_not_recovered",
            Self::WindowClosed { .. } => "window_closed",
            Self::Heartbeat { .. } => "heartbeat",
            Self::WorkerPanicked { .. } => "worker_panicked",
            Self::WorkerGaveUp { .. } => "worker_gave_up",
            Self::WorkerDone { .. } => "worker_done",
            Self::Fatal { .. } => "fatal",
            Self::Hole { .. } => "hole",
            Self::Stalled { .. } => "stalled",
        }
    }

    /// Whether it is kept however many of its kind there are. The plan or a limit bounds how many of these there can be.
    #[must_use]
    pub const fn is_always_kept(&self) -> bool {
        matches!(
            self,
            Self::VersionFound { .. }
                | Self::RoundTripsBefore { .. }
                | Self::ChaosInjected { .. }
                | Self::ChaosSeen { .. }
                | Self::ChaosRecovered { .. }
                | Self::ChaosNotRecovered { .. }
                | Self::WindowClosed { .. }
                | Self::Heartbeat { .. }
                | Self::WorkerPanicked { .. }
                | Self::WorkerGaveUp { .. }
                | Self::WorkerDone { .. }
                | Self::Fatal { .. }
                | Self::Hole { .. }
        )
    }
}
