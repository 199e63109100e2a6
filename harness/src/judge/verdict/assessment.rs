//! The rule of verdicts, in one place: what is proven, what is not, and what too little was seen of.

use crate::{
    catalog::{Target, Unit},
    history::Violation,
    judge::{Evidence, Judged, Judgement, Note, Range, Reason, Verdict},
};

/// With under so many of a hundred promised samples, nothing good is proven.
const SAMPLES_PERCENT_MIN: u128 = 90;

/// The findings of a judge, before the verdict.
#[derive(Debug, Clone)]
pub(in crate::judge) struct Assessment {
    pub(in crate::judge) kind: Judged,
    pub(in crate::judge) name: &'static str,
    pub(in crate::judge) unit: Unit,
    pub(in crate::judge) target: Target,
    pub(in crate::judge) value: Option<f64>,
    /// Where the true value lies; none where nobody can say.
    pub(in crate::judge) range: Option<Range>,
    /// Whether the upper end of the range is no more than the greatest sample.
    pub(in crate::judge) range_is_open: bool,
    pub(in crate::judge) samples: u64,
    pub(in crate::judge) promised: u64,
    /// Whether one bad sample is proof, however few there are.
    pub(in crate::judge) one_is_proof: bool,
    /// Why a judgement is red although value and samples do not say so.
    pub(in crate::judge) fault: Option<Reason>,
    /// Why what was seen does not decide it, however many samples there are: what S2 could not see, and the setting that would
    /// let it. Proof of bad is proof all the same.
    pub(in crate::judge) undecided: Vec<Reason>,
    /// Why there is too little, where the judge knows more than the story of the session says.
    pub(in crate::judge) lack: Vec<Reason>,
    pub(in crate::judge) evidence: Evidence,
}

impl Assessment {
    pub(in crate::judge) fn new(
        kind: Judged,
        name: &'static str,
        unit: Unit,
        target: Target,
        sample_name: &str,
    ) -> Self {
        Self {
            kind,
            name,
            unit,
            target,
            value: None,
            range: None,
            range_is_open: false,
            samples: 0,
            promised: 0,
            one_is_proof: false,
            fault: None,
            undecided: Vec::new(),
            lack: Vec::new(),
            evidence: Evidence { sample_name: sample_name.to_owned(), ..Evidence::default() },
        }
    }

    /// Takes over what went wrong, in order of time: when it did first, and a few more.
    pub(in crate::judge) fn offenders(&mut self, mut offenders: Vec<Violation>) {
        self.evidence.first = offenders.first().cloned();
        self.evidence.worst = if offenders.len() > 1 { offenders.split_off(1) } else { offenders };
    }

    /// Notes a blind spot. Where it is large, nothing good is proven.
    pub(in crate::judge) fn unproven_where(&mut self, is_large: bool, note: Note) {
        if is_large {
            self.undecided.push(note.clone().into());
        }
        self.evidence.notes.push(note);
    }

    /// The verdict. Proof of bad comes first, then too few samples, then the target. `explain` says why there are too few, from
    /// what the judge knows of that.
    pub(in crate::judge) fn into_judgement(self, explain: impl FnOnce(Vec<Reason>) -> Vec<Reason>) -> Judgement {
        let is_met = self.value.is_some_and(|value| self.target.is_met_by(value));
        let is_missed = self.value.is_some() && !is_met;
        let (verdict, reason) = if let Some(fault) = self.fault {
            (Verdict::Fail, vec![fault])
        } else if is_missed && self.one_is_proof {
            (Verdict::Fail, Vec::new())
        } else if !self.undecided.is_empty() {
            (Verdict::Unproven, self.undecided)
        } else if self.value.is_none() || self.samples == 0 || is_too_few(self.samples, self.promised) {
            let mut lack = self.lack;
            if lack.is_empty() && self.samples == 0 {
                lack.push("the record has none".to_owned().into());
            }
            (Verdict::Unproven, explain(lack))
        } else if is_met {
            (Verdict::Pass, Vec::new())
        } else {
            (Verdict::Fail, Vec::new())
        };
        Judgement {
            kind: self.kind,
            name: self.name.to_owned(),
            verdict,
            value: self.value.filter(|value| value.is_finite()),
            range: self.range.filter(|range| range.is_finite() && self.value.is_some_and(f64::is_finite)),
            range_is_open: self.range_is_open && self.range.is_some_and(Range::is_finite),
            unit: self.unit,
            target: self.target,
            samples: self.samples,
            promised: self.promised,
            reason,
            evidence: of_numbers(self.evidence),
        }
    }
}

/// Removes values that are not finite numbers: they cannot be written, and are no values.
fn of_numbers(mut evidence: Evidence) -> Evidence {
    evidence.by_phase.retain(|of| of.value.is_finite());
    for offender in evidence.first.iter_mut().chain(&mut evidence.worst) {
        offender.value = offender.value.filter(|value| value.is_finite());
    }
    evidence
}

/// Whether samples are under nine tenths of what was promised.
pub(in crate::judge) fn is_too_few(samples: u64, promised: u64) -> bool {
    u128::from(samples) * 100 < u128::from(promised) * SAMPLES_PERCENT_MIN
}

/// How many samples are lacking until they are not [too few](is_too_few).
pub(in crate::judge) fn lacking(samples: u64, promised: u64) -> u64 {
    let needed = (u128::from(promised) * SAMPLES_PERCENT_MIN).div_ceil(100);
    u64::try_from(needed).unwrap_or(u64::MAX).saturating_sub(samples)
}

/// A part of a whole in percent; none of nothing.
pub(in crate::judge) fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64 * 100.0)
}
