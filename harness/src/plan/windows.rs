//! The duration of chaos windows: the planned time, and the limits beyond it.

use std::time::Duration;

use super::{Plan, PlannedChaos, millis};
use crate::catalog::Chaos;

/// Maximum duration of a restart until its window closes, real milliseconds: the target of the recovery.
const DOWNTIME_REAL_MS: f64 = 30_000.0;
/// Maximum planned duration of a restart, scenario milliseconds: at a high pace it covers minutes of scenario.
const DOWNTIME_SCENARIO_MS_MAX: f64 = 6.0 * 60_000.0;
/// Minimum time for a restart to show an effect, real time.
const EFFECT_MIN: Duration = Duration::from_secs(5);

impl Plan {
    /// When the window of an event closes by plan, scenario milliseconds. Promises set this time aside.
    #[must_use]
    pub fn window_ends_ms(&self, event: &PlannedChaos) -> u64 {
        let lasts_ms = match event.chaos {
            Chaos::Latency => millis(self.scenario.chaos.latency_duration),
            Chaos::RedisRestart | Chaos::GatewayRestart => {
                (DOWNTIME_REAL_MS * self.pace).clamp(0.0, DOWNTIME_SCENARIO_MS_MAX) as u64
            }
        };
        event.at_ms + lasts_ms + millis(self.scenario.chaos.settle)
    }

    /// The latest end of the window of a restart whose effect began at a moment, scenario milliseconds. The gateway has
    /// the same real time to come back at every pace, but no more than a quarter of the soak. Later failures are its
    /// own.
    #[must_use]
    pub fn restart_window_ends_ms(&self, effect_at_ms: u64) -> u64 {
        let downtime_ms = (DOWNTIME_REAL_MS * self.pace).clamp(0.0, self.duration_ms as f64 / 4.0) as u64;
        effect_at_ms.saturating_add(downtime_ms).saturating_add(millis(self.scenario.chaos.settle))
    }

    /// Maximum real time to wait for the effect of a restart that is due at a moment, if the gateway may take `asked`.
    ///
    /// A gateway may accept a restart and go on serving for a while. The window is open meanwhile, and must not take
    /// most of a compressed soak: the wait ends with the next event, or after a sixth of the soak if that is later, and
    /// never after the end of the plan.
    #[must_use]
    pub fn effect_limit(&self, at_ms: u64, asked: Duration) -> Duration {
        let real = |scenario_ms: u64| Duration::from_millis(scenario_ms).div_f64(self.pace.max(f64::MIN_POSITIVE));
        let next_ms = self.chaos.iter().map(|event| event.at_ms).filter(|next_ms| *next_ms > at_ms).min();
        let to_next = real(next_ms.unwrap_or(self.duration_ms).saturating_sub(at_ms));
        let to_end = real(self.duration_ms.saturating_sub(at_ms));
        let budget = to_next.max(real(self.duration_ms / 6)).min(to_end);
        asked.min(budget.max(EFFECT_MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catalog::Suite, plan::Scenario};

    #[test]
    fn an_effect_is_waited_for_as_long_as_asked_and_not_beyond_the_budget_of_a_compressed_soak() {
        let asked = Duration::from_secs(60);
        let limits = |pace: f64| {
            let plan = Plan::new(Suite::Full, &Scenario::default(), 1, pace);
            [45, 75, 119].map(|minute| plan.effect_limit(minute * 60_000, asked).as_secs())
        };
        // Events at T+45, T+75 and T+90 of 120 minutes.
        assert_eq!([60, 60, 60], limits(1.0));
        assert_eq!([60, 60, 5], limits(12.0));
        assert_eq!([30, 20, 5], limits(60.0));
        assert_eq!([15, 10, 5], limits(120.0));
        let plan = Plan::new(Suite::Full, &Scenario::default(), 1, 1.0);
        assert_eq!(Duration::from_secs(8), plan.effect_limit(75 * 60_000, Duration::from_secs(8)));
    }

    #[test]
    fn a_gateway_has_the_same_real_time_to_come_back_at_every_pace_and_no_more_than_a_quarter_of_the_soak() {
        let real_seconds = |pace: f64| {
            let plan = Plan::new(Suite::Full, &Scenario::default(), 1, pace);
            (plan.restart_window_ends_ms(0) - 120_000) as f64 / 1_000.0 / pace
        };
        assert_eq!([30.0, 30.0, 15.0], [1.0, 60.0, 120.0].map(real_seconds));
    }
}
