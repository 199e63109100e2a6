use super::{History, Scope, ViolationKind};
use crate::{
    catalog::{Suite, Workload},
    journal::{Counter, Finding, Record, Timing},
    judge::{fixtures::soak::Soak, judge},
};

fn soak() -> Soak {
    let mut soak = Soak::healthy(Suite::Full);
    let answer = "503 Service Unavailable".to_owned();
    soak.happens(20 * 60_000, Finding::NotReady { answer });
    soak
}

fn history<'a>(records: impl Iterator<Item = &'a Record>) -> History {
    let soak = soak();
    let mut history = History::of(&soak.header(), &soak.targets.sample_limits());
    records.for_each(|record| history.absorb(record));
    history
}

#[test]
fn counts_and_samples_of_several_journals_add_up() {
    let records: Vec<Record> = soak().records().collect();
    let one = history(records.iter());
    let all = history(records.iter().chain(&records).chain(&records));
    for counter in Counter::ALL {
        assert_eq!(
            3 * one.totals.counter(*counter, Scope::All),
            all.totals.counter(*counter, Scope::All),
            "{counter:?}"
        );
    }
    for timing in Timing::ALL {
        let samples = |history: &History| history.totals.histogram(*timing, Scope::All).len();
        assert_eq!(3 * samples(&one), samples(&all), "{timing:?}");
    }
    for workload in Workload::of(Suite::Full) {
        assert_eq!(3 * one.cycles(workload).finished, all.cycles(workload).finished, "{workload}");
    }
    let not_ready = |history: &History| history.violations.count(ViolationKind::NotReady, Scope::All);
    assert_eq!((1, 3), (not_ready(&one), not_ready(&all)));
    assert_eq!(one.timeline.scenario_ms(), all.timeline.scenario_ms());
}

#[test]
fn it_does_not_matter_which_of_two_journals_is_read_first() {
    let records: Vec<Record> = soak().records().collect();
    let (even, odd): (Vec<_>, Vec<_>) = records.iter().enumerate().partition(|(n, _)| n % 2 == 0);
    let of = |parts: [&[(usize, &Record)]; 2]| history(parts.into_iter().flatten().map(|(_, record)| *record));
    let (one, other) = (of([&even, &odd]), of([&odd, &even]));
    let verdicts = |history: &History| judge(&soak().plan, &soak().targets, history);
    assert_eq!(verdicts(&one), verdicts(&other));
}
