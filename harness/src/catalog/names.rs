//! The names that users rely on: suites, workloads, checks on the harness itself, chaos events, phases.

/// Declares an enum whose variants have one stable name each, used in trial names, files and settings alike.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// Every variant, in the order in which they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The variant of that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}
pub(crate) use named;

named! {
    /// A soak that can be asked for by name.
    Suite {
        /// Fifteen minutes of scenario, W1 to W5.
        Smoke = "smoke",
        /// The whole two hours, compressed, always against the embedded mock gateway.
        Rehearsal = "rehearsal",
        /// The whole two hours.
        Full = "full",
    }
}

impl Suite {
    /// Whether the suite disturbs the gateway (W6) and judges what only two hours can show.
    pub(crate) const fn has_chaos(self) -> bool {
        !matches!(self, Self::Smoke)
    }

    /// Whether the suite plays only when it is asked for (`-- --ignored`).
    pub(crate) const fn is_ignored_by_default(self) -> bool {
        matches!(self, Self::Full)
    }
}

named! {
    /// The repeated task of one worker of the session.
    Workload {
        /// Runs from create to end, by an open model.
        Runs = "w1_realistic_runs",
        /// Workspace log streams that come and go.
        Churn = "w2_sse_churn",
        /// Publishing and searching.
        Registry = "w3_registry_pulse",
        /// Prompt injections and personal data.
        Safety = "w4_safety_probes",
        /// Hash-only runs with a canary.
        Privacy = "w5_privacy_slice",
        /// Restarts and added latency.
        Chaos = "w6_light_chaos",
        /// `/ready`, every second.
        Availability = "availability",
        /// `/metrics`, both processes, the gateway's clock.
        Metrics = "metrics",
    }
}

impl Workload {
    /// The workloads that the suite plays.
    pub fn of(suite: Suite) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |w| suite.has_chaos() || *w != Self::Chaos)
    }

    /// Whether its requests count in the error rates. Probes and scrapes must not dilute them.
    pub(crate) const fn counts_in_error_rate(self) -> bool {
        !matches!(self, Self::Chaos | Self::Availability | Self::Metrics)
    }

    /// Whether its cycles are samples of a moment, which cannot be made later: probes and scrapes.
    pub(crate) const fn is_of_moments(self) -> bool {
        matches!(self, Self::Availability | Self::Metrics)
    }
}

named! {
    /// A check on the harness itself: a verdict on a gateway is worth as much as these checks.
    HarnessCheck {
        /// Nothing stopped the session.
        NoFatalErrors = "no_fatal_errors",
        /// Every planned heartbeat, on time.
        Heartbeats = "heartbeats",
        /// The plan was played to its end.
        FullDuration = "full_duration",
        /// Planned starts happened, on time.
        LoadDelivered = "load_delivered",
        /// The harness's own memory is flat.
        SelfDrift = "self_drift",
    }
}

impl HarnessCheck {
    /// The checks that the suite makes.
    pub fn of(suite: Suite) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |c| suite.has_chaos() || *c != Self::SelfDrift)
    }
}

named! {
    /// A disturbance.
    Chaos {
        /// The store behind the gateway restarts.
        RedisRestart = "redis_restart",
        /// The gateway restarts.
        GatewayRestart = "gateway_restart",
        /// Every answer is later.
        Latency = "latency",
    }
}

named! {
    /// Where a moment lies: outside chaos windows, or in a named one.
    Phase {
        /// Outside chaos windows.
        Steady = "steady",
        /// In the window of the store's restart.
        RedisRestart = "redis_restart",
        /// In the window of the gateway's restart.
        GatewayRestart = "gateway_restart",
        /// In the window of the added latency.
        Latency = "latency",
    }
}

impl From<Chaos> for Phase {
    fn from(chaos: Chaos) -> Self {
        match chaos {
            Chaos::RedisRestart => Self::RedisRestart,
            Chaos::GatewayRestart => Self::GatewayRestart,
            Chaos::Latency => Self::Latency,
        }
    }
}
