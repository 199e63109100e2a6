//! An earlier run, and what of it moved: by more than the noise of both, and by more than is allowed.
//!
//! Two values say little, since the same gateway gives others tomorrow. What counts is whether the ranges of their true
//! values ([`Range`]) lie apart. Where one of the two has no range, nobody can say what is noise, and the comparison says
//! just that.
//!
//! # The regression limit
//!
//! With `max_regression` a KPI that is worse by more than that share is red, although its target is met, where its ranges
//! lie apart. The share is one
//! - of the old value; where more is better, of what was missing from 100 % (from 99 % to 98 % failures have doubled);
//! - of the target, where a share of the old value would say nothing: what was 0 has no share; of drifts, and of what is
//!   told by the slowest of a few, the old value is an accident; and where there is no range, the value may be all noise.
//!
//! So what has no range goes red by its value alone, and only by more than a share of the target itself.
//!
//! Verdicts of a stored journal depend on the journal, targets, waivers, and the baseline of whoever judges.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    catalog::{Kpi, RegressionBase, Suite, Target, Unit},
    journal::clip,
    judge::{
        Judgement, Note, Range, Verdict,
        stats::confidence::{self, TAIL},
    },
    plan::Plan,
};

/// The results of an earlier run, and the allowed changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    name: String,
    told: BaselineSummary,
    kpis: BTreeMap<String, BaselineKpi>,
    waived: BTreeSet<String>,
    max_regression_percent: Option<f64>,
}

/// The file is not a results file of S2.
#[derive(Debug, thiserror::Error)]
#[error("is no results file of S2's, such as s2-smoke-results-….json: {0}")]
pub struct BaselineError(#[from] serde_json::Error);

#[derive(Debug, Deserialize)]
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

#[derive(Debug, Deserialize)]
struct BaselineWaiver {
    name: String,
}

/// A KPI as it was then. Results of before there were ranges have none.
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
    pub baseline: String,
    /// When that run began.
    pub started_at: String,
    /// By how much a KPI may be worse, percent; none where no limit is set.
    pub max_regression_percent: Option<f64>,
    /// In what the two runs differ.
    pub(crate) notes: Vec<Note>,
    /// The KPIs that are judged now, in their order.
    pub kpis: Vec<Compared>,
}

/// A KPI then and now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// The KPI's name.
    pub name: String,
    /// Its unit.
    pub unit: Unit,
    /// The target of now; it says which way is better.
    pub target: Target,
    /// The value then.
    pub then: Option<f64>,
    /// Where the true value lay then.
    pub then_range: Option<Range>,
    /// The value now.
    pub now: Option<f64>,
    /// Where the true value lies now.
    pub now_range: Option<Range>,
    /// Now less then, in the unit; none where the two do not compare.
    pub change: Option<f64>,
    /// The same in percent of the value then; none where that was 0.
    pub change_percent: Option<f64>,
    /// How much worse it is, percent of what the regression limit is a share of; none where it is not worse.
    pub worse_percent: Option<f64>,
    /// Whether it moved.
    pub verdict: Change,
    /// Why the two do not compare, or are within noise although their ranges lie apart.
    pub why: Option<String>,
    /// Whether it is worse by more than the regression limit allows.
    pub is_regression: bool,
}

/// Whether a KPI moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// For the worse, by more than the noise of both.
    Worse,
    /// For the better, by more than the noise of both.
    Better,
    /// The ranges overlap, or samples are too few for ranges to tell: nobody can say.
    WithinNoise,
    /// One of the two has no range: nobody can say what is noise.
    NoRange,
    /// The two are not the same thing, or one of them is not known.
    NotComparable,
}

impl Baseline {
    /// The contents of a results file, also of a run that was judged again; `name` is its file name, without folder.
    ///
    /// # Errors
    /// The text is not JSON, or does not have the form of results.
    pub fn from_json(name: &str, text: &str) -> Result<Self, BaselineError> {
        let BaselineResults { mut summary, kpis, waived } = serde_json::from_str(text)?;
        summary.started_at = clip(&summary.started_at);
        Ok(Self {
            name: clip(name),
            told: summary,
            kpis: kpis.into_iter().map(|then| (then.name.clone(), then)).collect(),
            waived: waived.into_iter().map(|waived| waived.name).collect(),
            max_regression_percent: None,
        })
    }

    /// With a limit: by how much a KPI may be worse, percent.
    #[must_use]
    pub fn with_limit(self, max_regression_percent: Option<f64>) -> Self {
        Self { max_regression_percent, ..self }
    }

    /// The name of the results file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The suite that was played: no other compares.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.told.suite
    }

    /// Compares each KPI, and turns those red that are worse than is allowed.
    pub(in crate::judge) fn apply(&self, plan: &Plan, judged: &mut [Judgement]) -> Comparison {
        let comparison = Comparison {
            baseline: self.name.clone(),
            started_at: self.told.started_at.clone(),
            max_regression_percent: self.max_regression_percent,
            notes: self.notes(plan),
            kpis: judged.iter().map(|now| self.compare(now)).collect(),
        };
        for (now, compared) in judged.iter_mut().zip(&comparison.kpis) {
            if compared.is_regression && now.verdict == Verdict::Pass {
                now.verdict = Verdict::Fail;
                now.reason = comparison.reason(compared).into_iter().map(Into::into).collect();
                let (baseline, started_at) = (self.name.clone(), self.told.started_at.clone());
                let note = Note::ComparedWith { baseline, started_at };
                now.evidence.notes.splice(0..0, std::iter::once(note).chain(comparison.notes.clone()));
            }
        }
        comparison
    }

    fn notes(&self, plan: &Plan) -> Vec<Note> {
        let (then, then_minutes) = (self.told.pace, self.told.planned_minutes);
        let now_minutes = plan.duration_ms as f64 / 60_000.0;
        let now = plan.pace;
        let differs = |then: f64, now: f64| (then - now).abs() > 0.001;
        let pace = differs(then, now).then_some(Note::PaceDiffers { then, now });
        let length = differs(then_minutes, now_minutes).then_some(Note::LengthDiffers { then_minutes, now_minutes });
        let unended = self.told.ended_at.is_none().then_some(Note::BaselineUnended);
        [pace, length, unended].into_iter().flatten().collect()
    }

    fn compare(&self, now: &Judgement) -> Compared {
        let then = self.kpis.get(&now.name);
        let found = self.pair(now, then);
        let mut compared = Compared {
            name: now.name.clone(),
            unit: now.unit,
            target: now.target,
            then: then.and_then(|then| then.value),
            then_range: then.and_then(|then| then.range),
            now: now.value,
            now_range: now.range,
            change: None,
            change_percent: None,
            worse_percent: None,
            verdict: Change::NotComparable,
            why: None,
            is_regression: false,
        };
        match found {
            Err(why) => compared.why = Some(why),
            Ok(pair) => {
                compared.verdict = pair.moved();
                let seems_to = compared.verdict == Change::WithinNoise && pair.lies_apart();
                compared.why = seems_to.then(|| "too few samples to say more".to_owned());
                compared.change = Some(pair.now.value - pair.then.value);
                let has_share = pair.then.value != 0.0;
                compared.change_percent =
                    compared.change.filter(|_| has_share).map(|change| change / pair.then.value.abs() * 100.0);
                compared.worse_percent = pair.worse_percent();
                let is_beyond_noise = matches!(compared.verdict, Change::Worse | Change::NoRange);
                let exceeds = self.max_regression_percent.zip(compared.worse_percent).is_some_and(|(max, by)| by > max);
                compared.is_regression = is_beyond_noise && exceeds;
            }
        }
        compared
    }

    /// The two sides, or why they do not compare.
    fn pair(&self, now: &Judgement, then: Option<&BaselineKpi>) -> Result<Pair, String> {
        let kpi = Kpi::from_name(&now.name).ok_or("is no KPI")?;
        let then = then.ok_or("was not judged then")?;
        if self.waived.contains(&now.name) {
            return Err("was waived then".to_owned());
        }
        if then.unit != now.unit {
            return Err("had another unit then".to_owned());
        }
        let value = |value: Option<f64>, verdict: Verdict| value.filter(|_| verdict != Verdict::Unproven);
        let then_value = value(then.value, then.verdict).ok_or("was unproven then")?;
        let now_value = value(now.value, now.verdict).ok_or("is unproven now")?;
        let side = |value, range, is_open, samples| NoisyValue { value, range, is_open, samples };
        Ok(Pair {
            kpi,
            target: now.target,
            then: side(then_value, then.range, then.range_is_open, then.samples),
            now: side(now_value, now.range, now.range_is_open, now.samples),
        })
    }
}

/// A value with its noise.
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

    /// Whether no value is in both ranges.
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

    /// Whether the lower of two ranges ends where it seems to, or else is so far below that chance does not explain it.
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

    /// How much worse, percent of what a regression is a share of; none where it is not worse, or there is nothing to take
    /// a share of: then the target is 0, and red by itself.
    fn worse_percent(&self) -> Option<f64> {
        let bad = |value: f64| if self.more_is_better() { 100.0 - value } else { value };
        let (then, now) = (bad(self.then.value), bad(self.now.value));
        let base = if self.is_of_target() { bad(self.target.limit()) } else { then };
        (now > then && base > 0.0).then(|| (now - then) / base * 100.0)
    }

    /// Whether a regression is a share of the target rather than of the old value.
    fn is_of_target(&self) -> bool {
        let bad_then = if self.more_is_better() { 100.0 - self.then.value } else { self.then.value };
        let has_ranges = self.then.range.is_some() && self.now.range.is_some();
        !has_ranges || bad_then <= 0.0 || self.kpi.spec().regression == RegressionBase::OfTarget
    }
}

impl Comparison {
    /// Why a KPI that meets its target is red.
    fn reason(&self, compared: &Compared) -> Option<String> {
        let (then, now) = compared.then.zip(compared.now)?;
        let unit = compared.unit;
        let format_range = |value: f64, range: Option<Range>| {
            let range = range.map_or_else(
                || "no range".to_owned(),
                |range| format!("{} to {}", format_value(range.low), with_unit(range.high, unit)),
            );
            format!("{} ({range})", with_unit(value, unit))
        };
        Some(format!(
            "the target of {} is met, and the regression limit of {} % is not: {} then, {} now, worse by {:.0} %",
            with_unit(compared.target.limit(), unit),
            format_value(self.max_regression_percent?),
            format_range(then, compared.then_range),
            format_range(now, compared.now_range),
            compared.worse_percent?,
        ))
    }
}

/// A number with three decimals at most.
fn format_value(value: f64) -> String {
    ((value * 1_000.0).round() / 1_000.0).to_string()
}

fn with_unit(value: f64, unit: Unit) -> String {
    let value = format_value(value);
    match unit {
        Unit::Percent => format!("{value} %"),
        Unit::Millis => format!("{value} ms"),
        Unit::Seconds => format!("{value} s"),
        Unit::Count | Unit::YesNo => value,
    }
}
