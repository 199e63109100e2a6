//! An earlier run, and the KPIs that moved since: by more than the noise of both, and by more than is allowed.
//!
//! A KPI has moved where the ranges of its true values ([`Range`]) lie apart, since another soak of the same gateway
//! has other values. Where one of the two has no range, the noise is not known, and the comparison says so.
//!
//! # The regression limit
//!
//! With `max_regression` a KPI that is worse by more than that share is red, although its target is met, where its
//! ranges lie apart. The share is one
//! - of the old value; where more is better, of the lack to 100 % (from 99 % to 98 % failures have doubled);
//! - of the target, where a share of the old value would mean nothing: for an old value of 0; for drifts and the
//!   slowest of a few, whose old value is an accident; and where there is no range, so that the value may be all noise.
//!
//! Verdicts of a stored journal depend on the journal, targets, waivers, and the baseline of the run that judges.

use serde::{Deserialize, Serialize};

use crate::{
    catalog::{Kpi, RegressionBase, Suite, Target, Unit},
    journal::clip,
    judge::{
        Fault, Judgement, Note, Range, Verdict,
        stats::{
            as_value,
            confidence::{self, TAIL},
        },
    },
    plan::Plan,
};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Baseline {
    name: String,
    results: BaselineResults,
    max_regression_percent: Option<f64>,
}

#[derive(Debug, thiserror::Error)]
#[error("is no results file of S2's, such as s2-smoke-results-….json: {0}")]
pub(crate) struct BaselineError(#[from] serde_json::Error);

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct BaselineResults {
    summary: BaselineSummary,
    kpis: Vec<BaselineKpi>,
    #[serde(default)]
    waived: Vec<BaselineWaiver>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BaselineSummary {
    suite: Suite,
    started_at: String,
    ended_at: Option<String>,
    pace: f64,
    planned_minutes: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct BaselineWaiver {
    name: String,
}

/// A KPI of the earlier run. Old results have no ranges.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BaselineKpi {
    name: String,
    verdict: Verdict,
    value: Option<f64>,
    unit: Unit,
    samples: u64,
    #[serde(default)]
    range: Option<Range>,
    #[serde(default)]
    range_is_open: bool,
}

/// The changes since an earlier run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The name of the earlier run's results file, without its folder.
    pub(crate) baseline: String,
    pub(crate) started_at: String,
    pub(crate) max_regression_percent: Option<f64>,
    pub(crate) notes: Vec<Note>,
    /// The KPIs that are judged now, in their order.
    pub(crate) kpis: Vec<Compared>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Compared {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) target: Target,
    pub(crate) then: Option<f64>,
    pub(crate) then_range: Option<Range>,
    pub(crate) now: Option<f64>,
    pub(crate) now_range: Option<Range>,
    /// Now less then, in the unit; none where the two do not compare.
    pub(crate) change: Option<f64>,
    /// The same in percent of the value then; none where that was 0.
    pub(crate) change_percent: Option<f64>,
    /// The change for the worse, percent of the base of the regression limit; none where it is not worse.
    pub(crate) worse_percent: Option<f64>,
    pub(crate) verdict: Change,
    /// Why the two do not compare, or are within noise although their ranges lie apart.
    pub(crate) why: Option<String>,
    /// Whether it is worse by more than the regression limit allows.
    pub(crate) is_regression: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Change {
    /// For the worse, by more than the noise of both.
    Worse,
    /// For the better, by more than the noise of both.
    Better,
    /// The ranges overlap, or have too few samples.
    WithinNoise,
    /// One of the two has no range, so the noise is not known.
    NoRange,
    /// The two are different measures, or one of them is not known.
    NotComparable,
}

impl Baseline {
    /// The contents of a results file, also of a run that was judged again; `name` is its file name, without folder.
    ///
    /// # Errors
    /// The text is not JSON, or does not have the form of results.
    pub(crate) fn from_json(name: &str, text: &str) -> Result<Self, BaselineError> {
        let mut results: BaselineResults = serde_json::from_str(text)?;
        results.summary.started_at = clip(&results.summary.started_at);
        Ok(Self { name: clip(name), results, max_regression_percent: None })
    }

    pub(crate) fn with_limit(self, max_regression_percent: Option<f64>) -> Self {
        Self { max_regression_percent, ..self }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The suite that was played: no other compares.
    pub(crate) const fn suite(&self) -> Suite {
        self.results.summary.suite
    }

    /// Compares each KPI, and turns regressions red.
    pub(crate) fn apply(&self, plan: &Plan, judged: &mut [Judgement]) -> Comparison {
        let comparison = Comparison {
            baseline: self.name.clone(),
            started_at: self.results.summary.started_at.clone(),
            max_regression_percent: self.max_regression_percent,
            notes: self.notes(plan),
            kpis: judged.iter().map(|now| self.compare(now)).collect(),
        };
        for (now, compared) in judged.iter_mut().zip(&comparison.kpis) {
            if compared.is_regression && now.verdict == Verdict::Pass {
                now.verdict = Verdict::Fail;
                now.reason = self.regressed(compared).into_iter().collect();
                let (baseline, started_at) = (comparison.baseline.clone(), comparison.started_at.clone());
                let note = Note::ComparedWith { baseline, started_at };
                now.evidence.notes.splice(0..0, std::iter::once(note).chain(comparison.notes.clone()));
            }
        }
        comparison
    }

    /// Why a KPI that meets its target is red.
    fn regressed(&self, compared: &Compared) -> Option<Note> {
        let Compared { unit, target, then, then_range, now, now_range, worse_percent, .. } = *compared;
        let (max_percent, (then, now)) = (self.max_regression_percent?, (then?, now?));
        let (then, now) = ((then, then_range), (now, now_range));
        Some(Fault::Regressed { unit, limit: target.limit(), max_percent, then, now, worse_percent }.into())
    }

    fn notes(&self, plan: &Plan) -> Vec<Note> {
        let BaselineSummary { pace: then, planned_minutes: then_minutes, ref ended_at, .. } = self.results.summary;
        let (now, now_minutes) = (plan.pace, as_value(plan.duration_ms) / 60_000.0);
        let differs = |then: f64, now: f64| (then - now).abs() > 0.001;
        let pace = differs(then, now).then_some(Note::PaceDiffers { then, now });
        let length = differs(then_minutes, now_minutes).then_some(Note::LengthDiffers { then_minutes, now_minutes });
        let unended = ended_at.is_none().then_some(Note::BaselineUnended);
        [pace, length, unended].into_iter().flatten().collect()
    }

    fn compare(&self, now: &Judgement) -> Compared {
        // The last of several, as a map of them would have it.
        let then = self.results.kpis.iter().rfind(|then| then.name == now.name);
        let pair = self.pair(now, then);
        let verdict = pair.as_ref().map_or(Change::NotComparable, Pair::moved);
        let why = match &pair {
            Err(why) => Some(*why),
            Ok(pair) => (verdict == Change::WithinNoise && pair.lies_apart()).then_some("too few samples to say more"),
        };
        let values = pair.as_ref().ok().map(|pair| (pair.then.value, pair.now.value));
        let worse_percent = pair.as_ref().ok().and_then(Pair::worse_percent);
        let exceeds = self.max_regression_percent.zip(worse_percent).is_some_and(|(max, by)| by > max);
        Compared {
            name: now.name.clone(),
            unit: now.unit,
            target: now.target,
            then: then.and_then(|then| then.value),
            then_range: then.and_then(|then| then.range),
            now: now.value,
            now_range: now.range,
            change: values.map(|(then, now)| now - then),
            change_percent: values
                .filter(|(then, _)| *then != 0.0)
                .map(|(then, now)| (now - then) / then.abs() * 100.0),
            worse_percent,
            verdict,
            why: why.map(str::to_owned),
            is_regression: matches!(verdict, Change::Worse | Change::NoRange) && exceeds,
        }
    }

    /// The two sides, or why they do not compare.
    fn pair(&self, now: &Judgement, then: Option<&BaselineKpi>) -> Result<Pair, &'static str> {
        let kpi = Kpi::from_name(&now.name).ok_or("is no KPI")?;
        let then = then.ok_or("was not judged then")?;
        if self.results.waived.iter().any(|waived| waived.name == now.name) {
            return Err("was waived then");
        }
        if then.unit != now.unit {
            return Err("had another unit then");
        }
        let proven = |value: Option<f64>, verdict: Verdict| value.filter(|_| verdict != Verdict::Unproven);
        let value = proven(then.value, then.verdict).ok_or("was unproven then")?;
        let (range, is_open, samples) = (then.range, then.range_is_open, then.samples);
        let then = NoisyValue { value, range, is_open, samples };
        let value = proven(now.value, now.verdict).ok_or("is unproven now")?;
        let (range, is_open, samples) = (now.range, now.range_is_open, now.samples);
        Ok(Pair { kpi, target: now.target, then, now: NoisyValue { value, range, is_open, samples } })
    }
}

#[derive(Debug, Clone, Copy)]
struct NoisyValue {
    value: f64,
    range: Option<Range>,
    is_open: bool,
    samples: u64,
}

/// A KPI of which both values are known, in one unit.
#[derive(Debug, Clone, Copy)]
struct Pair {
    kpi: Kpi,
    target: Target,
    then: NoisyValue,
    now: NoisyValue,
}

impl Pair {
    const fn more_is_better(&self) -> bool {
        matches!(self.target, Target::AtLeast(_))
    }

    fn lies_apart(&self) -> bool {
        let ranges = self.then.range.zip(self.now.range);
        ranges.is_some_and(|(then, now)| then.high < now.low || now.high < then.low)
    }

    fn moved(&self) -> Change {
        let (Some(then), Some(now)) = (self.then.range, self.now.range) else { return Change::NoRange };
        let has_risen = then.high < now.low && self.is_proven(self.then, self.now);
        let has_fallen = now.high < then.low && self.is_proven(self.now, self.then);
        match (has_risen, has_fallen) {
            (false, false) => Change::WithinNoise,
            (true, _) if self.more_is_better() => Change::Better,
            (false, true) if !self.more_is_better() => Change::Better,
            _ => Change::Worse,
        }
    }

    /// Whether the lower of two ranges has a proven end, or else is too far below for chance to explain it.
    fn is_proven(&self, lower: NoisyValue, upper: NoisyValue) -> bool {
        if !lower.is_open {
            return true;
        }
        let ranks = self.kpi.spec().quantile.and_then(|quantile| confidence::ranks(quantile, upper.samples));
        ranks.is_some_and(|ranks| {
            let uppermost = upper.samples - ranks.low + 1;
            ranks.low > 0 && confidence::chance_under(lower.samples, uppermost, upper.samples) <= TAIL
        })
    }

    /// The change for the worse, percent of the base of a regression; none where it is not worse, or the base is 0:
    /// then the target is 0, and missed.
    fn worse_percent(&self) -> Option<f64> {
        let bad = |value: f64| if self.more_is_better() { 100.0 - value } else { value };
        let (then, now) = (bad(self.then.value), bad(self.now.value));
        let has_ranges = self.then.range.is_some() && self.now.range.is_some();
        let is_of_value = has_ranges && then > 0.0 && self.kpi.spec().regression == RegressionBase::OfValue;
        let base = if is_of_value { then } else { bad(self.target.limit()) };
        (now > then && base > 0.0).then(|| (now - then) / base * 100.0)
    }
}
