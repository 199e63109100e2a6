//! Checks a plan that was read from a journal: could it have been drawn? Judges and waiting processes rely on a plan.
//! They divide by its pace, keep a minimum for each of its minutes, and make room for each of its windows.

use std::time::Duration;

use super::{Plan, PlannedChurn, Recurring, SHARES_MAX, SOAK_MAX, STREAMS_MAX, Scenario, millis};
use crate::catalog::Chaos;

/// Maximum pace.
const PACE_MAX: f64 = 1_000_000.0;
/// Minimum pace: a day takes three years.
const PACE_MIN: f64 = 0.001;
/// Minimum time from one computed moment to the next.
const EVERY_MS_MIN: u64 = 1_000;

/// A fault of a plan that no settings make. Times are milliseconds of the scenario.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// Nothing can be played at this pace.
    #[error("its pace is {0}; it must be a number from {PACE_MIN} to {PACE_MAX}")]
    Pace(f64),
    /// A part and its duration, longer than a week.
    #[error("{0} is {1} ms; nothing takes longer than a week")]
    Long(&'static str, u64),
    /// A part that is due after the end of the soak: its time, and that of the end.
    #[error("{0} is due at {1} ms, and the soak is over at {2} ms")]
    Late(&'static str, u64, u64),
    /// A part that recurs too often, and the time from one to the next.
    #[error("{0} comes every {1} ms; nothing comes more often than every {EVERY_MS_MIN} ms")]
    Dense(&'static str, u64),
    /// More streams than a session holds.
    #[error("it holds {0} streams; there may be {STREAMS_MAX}")]
    Streams(u32),
    /// Agents whose shares make a deck that is too large.
    #[error("the shares of its agents add up to {0}; there may be {SHARES_MAX}")]
    Shares(u64),
    /// The time of a churn of missing streams.
    #[error("the churn at {0} ms closes streams that there are not")]
    Churn(u64),
    /// One disturbance has one window.
    #[error("{0} comes more than once")]
    Chaos(Chaos),
}

impl Plan {
    /// Checks whether settings could have made this plan.
    ///
    /// # Errors
    /// The first fault that is found.
    pub fn check(&self) -> Result<(), PlanError> {
        if !(PACE_MIN..=PACE_MAX).contains(&self.pace) {
            return Err(PlanError::Pace(self.pace));
        }
        let lengths = durations(&self.scenario).into_iter().map(|(name, duration)| (name, millis(duration)));
        let mut lengths = [("the soak", self.duration_ms)].into_iter().chain(lengths);
        if let Some((name, length_ms)) = lengths.find(|(_, length_ms)| *length_ms > millis(SOAK_MAX)) {
            return Err(PlanError::Long(name, length_ms));
        }
        let shares = self.runs.shares();
        if shares > SHARES_MAX {
            return Err(PlanError::Shares(shares));
        }
        self.check_moments()?;
        let count = self.scenario.streams.count;
        if count > STREAMS_MAX {
            return Err(PlanError::Streams(count));
        }
        self.check_churns()?;
        for (n, event) in self.chaos.iter().enumerate() {
            if self.chaos[..n].iter().any(|other| other.chaos == event.chaos) {
                return Err(PlanError::Chaos(event.chaos));
            }
        }
        Ok(())
    }

    fn check_moments(&self) -> Result<(), PlanError> {
        let duration_ms = self.duration_ms;
        let check = |name, latest_ms: Option<u64>, every_ms: Option<u64>| match (latest_ms, every_ms) {
            (Some(at_ms), _) if at_ms > duration_ms => Err(PlanError::Late(name, at_ms, duration_ms)),
            (Some(_), Some(every_ms)) if every_ms < EVERY_MS_MIN => Err(PlanError::Dense(name, every_ms)),
            _ => Ok(()),
        };
        check("a run", self.runs.last_ms(), None)?;
        for event in &self.chaos {
            check(event.chaos.name(), Some(event.at_ms), None)?;
        }
        check("a churn", self.churns.latest_ms(), self.churns.every_ms())?;
        check("a pulse", self.pulses.latest_ms(), self.pulses.every_ms())?;
        let moments = [
            ("a safety probe", &self.safety_ms),
            ("a privacy slice", &self.privacy_ms),
            ("a heartbeat", &self.heartbeats_ms),
            ("a snapshot", &self.snapshots_ms),
        ];
        moments.into_iter().try_for_each(|(name, moments)| check(name, moments.latest_ms(), moments.every_ms()))
    }

    fn check_churns(&self) -> Result<(), PlanError> {
        let count = self.scenario.streams.count;
        match &self.churns {
            Recurring::Listed(churns) => {
                let is_wrong = |churn: &&PlannedChurn| {
                    churn.streams.len() > count as usize || churn.streams.iter().any(|stream| *stream >= count)
                };
                churns.iter().find(is_wrong).map_or(Ok(()), |churn| Err(PlanError::Churn(churn.at_ms)))
            }
            Recurring::Computed(rule) if rule.streams > count || rule.closed > rule.streams => {
                Err(PlanError::Churn(rule.when.first_ms))
            }
            Recurring::Computed(_) => Ok(()),
        }
    }
}

/// All durations of a scenario.
fn durations(scenario: &Scenario) -> [(&'static str, Duration); 24] {
    let Scenario { runs, streams, registry, safety, privacy, chaos, .. } = scenario;
    [
        ("smoke_duration", scenario.smoke_duration),
        ("full_duration", scenario.full_duration),
        ("heartbeat_every", scenario.heartbeat_every),
        ("snapshot_every", scenario.snapshot_every),
        ("warm_up", scenario.warm_up),
        ("availability_every", scenario.availability_every),
        ("metrics_every", scenario.metrics_every),
        ("runs.timeout", runs.timeout),
        ("streams.churn_every", streams.churn_every),
        ("streams.reconnect_delay_min", streams.reconnect_delay_min),
        ("streams.reconnect_delay_max", streams.reconnect_delay_max),
        ("registry.pulse.first_at", registry.pulse.first_at),
        ("registry.pulse.every", registry.pulse.every),
        ("registry.tamper_every", registry.tamper_every),
        ("safety.first_at", safety.first_at),
        ("safety.every", safety.every),
        ("privacy.pulse.first_at", privacy.pulse.first_at),
        ("privacy.pulse.every", privacy.pulse.every),
        ("privacy.toggle_delay", privacy.toggle_delay),
        ("chaos.redis_restart_at", chaos.redis_restart_at),
        ("chaos.gateway_restart_at", chaos.gateway_restart_at),
        ("chaos.latency_at", chaos.latency_at),
        ("chaos.latency_duration", chaos.latency_duration),
        ("chaos.settle", chaos.settle),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::Suite,
        plan::{PlannedChaos, Regular},
    };

    fn plan(suite: Suite) -> Plan {
        Plan::new(suite, &Scenario::default(), 1, 120.0)
    }

    fn wrong(change: impl FnOnce(&mut Plan)) -> String {
        let mut plan = plan(Suite::Full);
        change(&mut plan);
        plan.check().unwrap_err().to_string()
    }

    #[test]
    fn a_plan_that_settings_make_is_in_order() {
        for suite in Suite::ALL {
            assert_eq!(Ok(()), plan(*suite).check());
        }
    }

    #[test]
    fn a_plan_that_no_settings_make_is_told_by_what_is_wrong_with_it() {
        for pace in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300, f64::MIN_POSITIVE] {
            assert!(wrong(|plan| plan.pace = pace).starts_with("its pace is"), "{pace}");
        }
        assert_eq!(
            "the soak is 18446744073709551615 ms; nothing takes longer than a week",
            wrong(|plan| plan.duration_ms = u64::MAX)
        );
        assert!(wrong(|plan| plan.scenario.warm_up = Duration::MAX).starts_with("warm_up is"));
        assert!(wrong(|plan| plan.scenario.chaos.settle = Duration::MAX).starts_with("chaos.settle is"));
        assert_eq!(
            "redis_restart is due at 18446744073709551615 ms, and the soak is over at 7200000 ms",
            wrong(|plan| plan.chaos[0].at_ms = u64::MAX)
        );
        assert_eq!(
            "it holds 4000000000 streams; there may be 20000",
            wrong(|p| p.scenario.streams.count = 4_000_000_000)
        );
        assert_eq!(
            "the churn at 300000 ms closes streams that there are not",
            wrong(|p| p.churns = Recurring::Listed(vec![PlannedChurn { at_ms: 300_000, streams: vec![20] }]))
        );
        let churns = wrong(|plan| {
            let Recurring::Computed(rule) = &mut plan.churns else { panic!("{:?}", plan.churns) };
            rule.streams = 21;
        });
        assert_eq!("the churn at 300000 ms closes streams that there are not", churns);
        let moments = |first_ms, every_ms, count| Recurring::Computed(Regular { first_ms, every_ms, count });
        assert_eq!(
            "a heartbeat comes every 1 ms; nothing comes more often than every 1000 ms",
            wrong(|plan| plan.heartbeats_ms = moments(0, 1, 7_000_000))
        );
        assert_eq!(
            "a snapshot is due at 18446744073709551615 ms, and the soak is over at 7200000 ms",
            wrong(|plan| plan.snapshots_ms = moments(0, 60_000, u64::MAX))
        );
        assert_eq!(
            "latency comes more than once",
            wrong(|p| p.chaos = vec![PlannedChaos { at_ms: 0, chaos: Chaos::Latency }; 9])
        );
    }
}
