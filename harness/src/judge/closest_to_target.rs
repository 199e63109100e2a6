//! Which KPIs are nearest to their targets: what to look at while a soak goes on.

use crate::{
    catalog::{Kpi, Target, Unit},
    judge::{Judgement, Verdicts, verdict::assessment::lacking},
    plan::Unsupported,
};

impl Judgement {
    /// How much of what the target allows is used up: 1 is at the target, and more is beyond it. Of a share that is to be
    /// 99.9 % at least, it is the part of the 0.1 % that was lost. None without a value.
    #[must_use]
    pub fn used_up(&self) -> Option<f64> {
        let value = self.value?;
        let (taken, allowed) = match self.target {
            Target::AtMost(limit) | Target::Below(limit) => (value, limit),
            Target::AtLeast(limit) if self.unit == Unit::Percent => (100.0 - value, 100.0 - limit),
            // What is to come is still to be counted.
            Target::AtLeast(limit) => (limit - value, limit),
        };
        // Where nothing is allowed, something is infinitely much.
        let used = if allowed > 0.0 {
            taken / allowed
        } else if taken > 0.0 {
            f64::INFINITY
        } else {
            0.0
        };
        Some(used.max(0.0))
    }

    /// How many samples are still to come until there are enough for a verdict that is good.
    #[must_use]
    pub fn samples_lacking(&self) -> u64 {
        lacking(self.samples, self.promised)
    }
}

/// The KPIs that have used up most of what their targets allow, the nearest first; those that are missed come before all.
/// What is waived is left out, and so is what has no value yet.
#[must_use]
pub fn nearest<'a>(verdicts: &'a Verdicts, waived: &Unsupported, count_max: usize) -> Vec<&'a Judgement> {
    let is_judged =
        |judgement: &&Judgement| Kpi::from_name(&judgement.name).is_some_and(|kpi| !waived.kpis.contains_key(&kpi));
    let judged = verdicts.kpis.iter().filter(is_judged);
    let mut by_use: Vec<(f64, &Judgement)> = judged.filter_map(|kpi| Some((kpi.used_up()?, kpi))).collect();
    // Stable: of those that are equally near, the order is that of the table.
    by_use.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    by_use.into_iter().take(count_max).map(|(_, judgement)| judgement).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Suite;
    use crate::judge::fixtures::{
        sick::{diagnosis, starved_from},
        soak::Soak,
    };

    fn of(value: Option<f64>, unit: Unit, target: Target) -> Judgement {
        let healthy = Soak::healthy(Suite::Smoke).judge();
        Judgement { value, unit, target, ..healthy.kpi(Kpi::Availability).unwrap().clone() }
    }

    #[test]
    fn what_is_used_up_is_a_part_of_what_is_allowed() {
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
            assert_eq!(Some(used), of(Some(value), unit, target).used_up(), "{value} against {target:?}");
        }
        assert_eq!(None, of(None, Unit::Millis, Target::AtMost(1.0)).used_up());
    }

    #[test]
    fn the_nearest_come_first_and_what_is_missed_before_all() {
        let verdicts = &diagnosis(Kpi::StartToLogP99).verdicts;
        let names = |waived: &Unsupported| {
            nearest(verdicts, waived, 3).iter().map(|judgement| judgement.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(["start_to_log_p95", "start_to_log_p99", "shield_p95"], *names(&Unsupported::default()));
        let waived = Unsupported { kpis: [(Kpi::StartToLogP99, "why".to_owned())].into(), ..Unsupported::default() };
        assert!(!names(&waived).contains(&"start_to_log_p99".to_owned()));
        assert!(
            nearest(&starved_from(0), &Unsupported::default(), 3).iter().all(|judgement| judgement.value.is_some())
        );
        assert_eq!(0, nearest(verdicts, &Unsupported::default(), 0).len());
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
