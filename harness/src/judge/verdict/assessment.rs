//! The one rule of verdicts: which findings prove a KPI good, which prove it bad, and which are too few.

use crate::{
    catalog::{Target, Unit},
    history::Violation,
    judge::{Evidence, Judged, Judgement, Note, Range, UnprovenReason, Verdict, stats::as_value},
};

/// With fewer samples than this share of the promised ones, percent, nothing good is proven.
pub(crate) const SAMPLES_PERCENT_MIN: u128 = 90;

/// The findings of a judge, before the verdict.
#[derive(Debug, Clone)]
pub(crate) struct Assessment {
    pub(crate) kind: Judged,
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) target: Target,
    pub(crate) value: Option<f64>,
    /// The range of the true value; none where it is not known.
    pub(crate) range: Option<Range>,
    /// Whether the upper end of the range is no more than the greatest sample.
    pub(crate) range_is_open: bool,
    pub(crate) samples: u64,
    pub(crate) promised: u64,
    /// Whether one bad sample is proof, however few there are.
    pub(crate) one_is_proof: bool,
    /// Why a judgement is red although value and samples do not say so.
    pub(crate) fault: Vec<Note>,
    /// Why the samples do not decide it, however many there are: the blind spots of S2, and the setting that would
    /// help. Proof of bad is proof all the same.
    pub(crate) undecided: Vec<Note>,
    /// Why there are too few samples, where the judge knows more than the timeline says.
    pub(crate) lack: Vec<Note>,
    pub(crate) evidence: Evidence,
}

impl Assessment {
    pub(crate) fn new(kind: Judged, name: &'static str, unit: Unit, target: Target, sample_name: &str) -> Self {
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
            fault: Vec::new(),
            undecided: Vec::new(),
            lack: Vec::new(),
            evidence: Evidence { sample_name: sample_name.to_owned(), ..Evidence::default() },
        }
    }

    pub(crate) fn is_met(&self) -> bool {
        self.value.is_some_and(|value| self.target.is_met_by(value))
    }

    pub(crate) fn is_missed(&self) -> bool {
        self.value.is_some_and(|value| !self.target.is_met_by(value))
    }

    pub(crate) fn note(&mut self, note: Note) {
        self.evidence.notes.push(note);
    }

    /// Notes a count that is not 0.
    pub(crate) fn note_count(&mut self, count: u64, note: impl FnOnce(u64) -> Note) {
        if count > 0 {
            self.note(note(count));
        }
    }

    /// Withdraws the value: it proves nothing, for this reason.
    pub(crate) fn withdraw(&mut self, why: impl Into<Note>) {
        (self.value, self.lack) = (None, vec![why.into()]);
    }

    /// Makes it red, for this reason, whatever its value is.
    pub(crate) fn fail(&mut self, why: impl Into<Note>) {
        self.fault = vec![why.into()];
    }

    /// Takes over violations in order of time: the first, and a few more.
    pub(crate) fn offenders(&mut self, mut offenders: Vec<Violation>) {
        self.evidence.first = offenders.first().cloned();
        self.evidence.worst = if offenders.len() > 1 { offenders.split_off(1) } else { offenders };
    }

    /// Notes a blind spot. Where it is large, nothing good is proven.
    pub(crate) fn unproven_where(&mut self, is_large: bool, note: Note) {
        if is_large {
            self.undecided.push(note.clone());
        }
        self.note(note);
    }

    /// The verdict. Proof of bad comes first, then too few samples, then the target. `explain` says why there are too
    /// few, from the reasons of the judge.
    pub(crate) fn into_judgement(self, explain: impl FnOnce(Vec<Note>) -> Vec<Note>) -> Judgement {
        let (is_met, is_missed) = (self.is_met(), self.is_missed());
        let (verdict, reason) = if !self.fault.is_empty() {
            (Verdict::Fail, self.fault)
        } else if is_missed && self.one_is_proof {
            (Verdict::Fail, Vec::new())
        } else if !self.undecided.is_empty() {
            (Verdict::Unproven, self.undecided)
        } else if self.value.is_none() || self.samples == 0 || is_too_few(self.samples, self.promised) {
            let mut lack = self.lack;
            if lack.is_empty() && self.samples == 0 {
                lack.push(UnprovenReason::NoSamples.into());
            }
            (Verdict::Unproven, explain(lack))
        } else {
            (if is_met { Verdict::Pass } else { Verdict::Fail }, Vec::new())
        };
        // Values that are not finite numbers cannot be written, and are no values.
        let mut evidence = self.evidence;
        evidence.by_phase.retain(|of| of.value.is_finite());
        for offender in evidence.first.iter_mut().chain(&mut evidence.worst) {
            offender.value = offender.value.filter(|value| value.is_finite());
        }
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
            evidence,
        }
    }
}

pub(crate) fn is_too_few(samples: u64, promised: u64) -> bool {
    u128::from(samples) * 100 < u128::from(promised) * SAMPLES_PERCENT_MIN
}

/// A part of a whole in percent; none of nothing.
pub(crate) fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| as_value(part) / as_value(whole) * 100.0)
}
