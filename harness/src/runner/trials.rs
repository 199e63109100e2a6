//! The trials: one for each workload, KPI and check of each suite.

use std::{collections::BTreeMap, sync::Arc};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::{
    catalog::{HarnessCheck, Kpi, Suite, Workload},
    judge::Judged,
    results::Waivers,
};

/// The subject of a trial. CI reports and nextest's filters rely on its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) suite: Suite,
    pub(super) kind: Judged,
    pub(super) name: &'static str,
    pub(super) kpi: Option<Kpi>,
}

impl Subject {
    /// Every trial of a suite.
    fn of(suite: Suite) -> impl Iterator<Item = Self> {
        let subject = move |kind, name, kpi| Self { suite, kind, name, kpi };
        let workloads = Workload::of(suite).map(move |workload| subject(Judged::Workload, workload.name(), None));
        let kpis = Kpi::of(suite).map(move |kpi| subject(Judged::Kpi, kpi.name(), Some(kpi)));
        let checks = HarnessCheck::of(suite).map(move |check| subject(Judged::Harness, check.name(), None));
        workloads.chain(kpis).chain(checks)
    }

    pub(super) fn all() -> impl Iterator<Item = Self> {
        Suite::ALL.iter().copied().flat_map(Self::of)
    }

    pub(super) fn is_about_fatal_errors(&self) -> bool {
        self.kind == Judged::Harness && self.name == HarnessCheck::NoFatalErrors.name()
    }

    pub(super) fn trial_name(&self) -> String {
        self.kind.trial_name(self.suite, self.name)
    }
}

/// Waits for the outcome of a subject.
pub(super) type Ask = dyn Fn(Subject) -> Result<(), String> + Send + Sync;

/// For trials that are listed or filtered, and never run.
pub(super) fn ask_nothing() -> Arc<Ask> {
    Arc::new(|_| Ok(()))
}

/// The trials. With `is_flagged` waived ones carry the flag of ignored ones, so that nextest leaves them out.
pub(super) fn trials(waivers: &BTreeMap<Suite, Waivers>, is_flagged: bool, ask: &Arc<Ask>) -> Vec<Trial> {
    let trial = |subject: Subject| {
        let excuse = excuse(subject, waivers.get(&subject.suite));
        let is_ignored = (is_flagged && excuse.is_some()) || subject.suite.is_ignored_by_default();
        trial(subject, excuse, is_ignored, Arc::clone(ask))
    };
    Subject::all().map(trial).collect()
}

/// A trial that asks, unless it has an excuse. `--ignored` asks for `full`, and does not undo a waiver.
pub(super) fn trial(subject: Subject, excuse: Option<String>, is_ignored: bool, ask: Arc<Ask>) -> Trial {
    let run = move || match excuse {
        Some(reason) => Ok(Completion::ignored_with(reason)),
        None => ask(subject).map(|()| Completion::Completed).map_err(Failed::from),
    };
    Trial::ignorable_test(subject.trial_name(), run).with_ignored_flag(is_ignored)
}

/// The reason why a subject is not judged, if it is waived.
pub(super) fn excuse(subject: Subject, waivers: Option<&Waivers>) -> Option<String> {
    waivers?.reason(subject.kind, subject.name).map(|reason| format!("waived: {reason}"))
}

/// The suites that these arguments will play.
pub(super) fn suites_to_play(args: &Arguments, waivers: &BTreeMap<Suite, Waivers>) -> Vec<Suite> {
    let is_played = |(subject, trial): &(Subject, Trial)| {
        excuse(*subject, waivers.get(&subject.suite)).is_none()
            && !args.is_filtered_out(trial)
            && !args.is_ignored(trial)
    };
    let all = Subject::all().zip(trials(waivers, true, &ask_nothing()));
    let mut suites: Vec<Suite> = all.filter(is_played).map(|(subject, _)| subject.suite).collect();
    suites.dedup();
    suites
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Unsupported;

    fn args(line: &str) -> Arguments {
        Arguments::from_iter(std::iter::once("soak").chain(line.split_whitespace()))
    }

    fn suites(line: &str, waived: &[Kpi]) -> Vec<Suite> {
        suites_to_play(&args(line), &waived_everywhere(waived))
    }

    fn waived_everywhere(waived: &[Kpi]) -> BTreeMap<Suite, Waivers> {
        let kpis: BTreeMap<Kpi, String> = waived.iter().map(|kpi| (*kpi, "because".to_owned())).collect();
        let waivers = Waivers::new(kpis, Unsupported::default());
        Suite::ALL.iter().map(|suite| (*suite, waivers.clone())).collect()
    }

    #[test]
    fn every_workload_kpi_and_check_of_each_suite_has_a_name() {
        let names: Vec<String> = Subject::all().map(|subject| subject.trial_name()).collect();
        crate::snapshots::assert_snapshot("trial_names", &names.join("\n"));
    }

    #[test]
    fn full_is_played_only_when_it_is_asked_for() {
        assert_eq!(suites("", &[]), [Suite::Smoke, Suite::Rehearsal]);
        assert_eq!(suites("--ignored", &[]), [Suite::Full]);
        assert_eq!(suites("--include-ignored", &[]), Suite::ALL);
    }

    #[test]
    fn a_filter_plays_only_the_suites_of_the_trials_it_selects() {
        assert_eq!(suites("smoke::kpi::availability --exact", &[]), [Suite::Smoke]);
        assert_eq!(suites("rss_drift", &[]), [Suite::Rehearsal]);
        assert_eq!(suites("--skip smoke", &[]), [Suite::Rehearsal]);
        assert_eq!(suites("no::such::trial", &[]), []);
    }

    #[test]
    fn a_waived_kpi_is_ignored_and_never_judged_even_when_ignored_trials_are_asked_for() {
        assert_eq!(suites("rss_drift --include-ignored", &[Kpi::RssDrift]), []);
        assert_eq!(suites("--ignored", &[Kpi::RssDrift]), [Suite::Full]);

        let ask: Arc<Ask> = Arc::new(|subject| Err(format!("{} was judged", subject.trial_name())));
        for is_listed in [true, false] {
            let trials = trials(&waived_everywhere(&[Kpi::RssDrift]), is_listed, &ask);
            let mut of_kpi = trials.iter().filter(|trial| trial.name().contains("rss_drift"));
            assert_eq!(is_listed, of_kpi.all(Trial::has_ignored_flag));
            let conclusion = libtest_mimic::run(&args("rss_drift --include-ignored --quiet"), trials);
            assert_eq!((conclusion.num_ignored, conclusion.num_failed, conclusion.num_passed), (2, 0, 0));
        }
    }
}
