//! The share of the budget of its target that a KPI has used, and the number of samples that it lacks.

use crate::{
    catalog::{Target, Unit},
    judge::{Judgement, verdict::assessment::SAMPLES_PERCENT_MIN},
};

impl Judgement {
    /// The used part of what the target allows: 1 is at the target, and more is beyond it. For a share that must be at
    /// least 99.9 %, it is the lost part of the 0.1 %. None without a value.
    pub(crate) fn budget_used(&self) -> Option<f64> {
        let value = self.value?;
        let (taken, allowed) = match self.target {
            Target::AtMost(limit) | Target::Below(limit) => (value, limit),
            Target::AtLeast(limit) if self.unit == Unit::Percent => (100.0 - value, 100.0 - limit),
            // Of a count the lack is used.
            Target::AtLeast(limit) => (limit - value, limit),
        };
        // Where nothing is allowed, the use of anything is infinite.
        Some(match (allowed > 0.0, taken > 0.0) {
            (true, _) => (taken / allowed).max(0.0),
            (false, true) => f64::INFINITY,
            (false, false) => 0.0,
        })
    }

    /// The number of samples that are lacking for a good verdict.
    pub(crate) fn samples_lacking(&self) -> u64 {
        let needed = (u128::from(self.promised) * SAMPLES_PERCENT_MIN).div_ceil(100);
        u64::try_from(needed).unwrap_or(u64::MAX).saturating_sub(self.samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::{Kpi, Suite},
        judge::fixtures::soak::Soak,
    };

    fn of(value: Option<f64>, unit: Unit, target: Target) -> Judgement {
        let healthy = Soak::healthy(Suite::Smoke).judge();
        Judgement { value, unit, target, ..healthy.kpi(Kpi::Availability).unwrap().clone() }
    }

    #[test]
    fn what_is_budget_used_is_a_part_of_what_is_allowed() {
        for (value, unit, target, used) in [
            (600.0, Unit::Millis, Target::AtMost(1_200.0), 0.5),
            (1_800.0, Unit::Millis, Target::AtMost(1_200.0), 1.5),
            (1.0, Unit::Percent, Target::Below(1.0), 1.0),
            (0.0, Unit::Count, Target::AtMost(0.0), 0.0),
            (1.0, Unit::Count, Target::AtMost(0.0), f64::INFINITY),
            (-2.0, Unit::Count, Target::AtMost(5.0), 0.0),
            (98.0, Unit::Percent, Target::AtLeast(96.0), 0.5),
            (100.0, Unit::Percent, Target::AtLeast(100.0), 0.0),
            (99.9, Unit::Percent, Target::AtLeast(100.0), f64::INFINITY),
            (15.0, Unit::Count, Target::AtLeast(20.0), 0.25),
        ] {
            assert_eq!(Some(used), of(Some(value), unit, target).budget_used(), "{value} against {target:?}");
        }
        assert_eq!(None, of(None, Unit::Millis, Target::AtMost(1.0)).budget_used());
    }

    #[test]
    fn samples_are_lacking_until_a_verdict_may_be_good() {
        for (samples, promised, lacks) in
            [(0, 100, 90), (89, 100, 1), (90, 100, 0), (200, 100, 0), (0, 0, 0), (0, 1, 1)]
        {
            let judgement = Judgement { samples, promised, ..of(None, Unit::Count, Target::AtMost(0.0)) };
            assert_eq!(lacks, judgement.samples_lacking(), "{samples} of {promised}");
            assert_eq!(
                lacks > 0,
                crate::judge::verdict::assessment::is_too_few(samples, promised),
                "{samples} of {promised}"
            );
        }
    }
}
