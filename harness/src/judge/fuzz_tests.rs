//! Whole journals with damage done to them, read and judged as those do that follow one or judge it again: every judge
//! comes to a verdict, every value is a number, and nothing takes more memory than a whole journal does.
//!
//! `PROPTEST_CASES=100000 cargo test --release -p s2-harness --lib judge::fuzz` plays more of them.

use std::{collections::BTreeMap, sync::LazyLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::{prelude::*, sample::Index};

use super::{Targets, Verdict, judge};
use crate::{
    catalog::{Chaos, Suite, Workload},
    fuzzing::{cases, within},
    history::History,
    journal::{
        Finding, Gauge, GaugeSummary, ReadError, Record, Timing, TimingRecord,
        fuzz_tests::{all_but_endless, any_json, crafted_histogram, read},
    },
    judge::fixtures::soak::Soak,
    report::{TerminalLook, failure_text, kpi_table, snapshot_json},
    results::{Results, Waivers},
};

/// A history and its verdicts: room for the histograms of four phases, a few of them merged for a judge.
const JUDGE_BYTES: usize = 28 * 1024 * 1024;

/// The lines of a short soak, and of a whole one, with trouble in them.
static SMOKE: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| lines(Suite::Smoke, 8));
static FULL: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| lines(Suite::Full, 120));

fn lines(suite: Suite, intervals: usize) -> Vec<Vec<u8>> {
    let mut soak = Soak::healthy(suite);
    soak.intervals.truncate(intervals);
    let text = || "what it was".to_owned();
    let troubles = [
        Finding::NotReady { answer: text() },
        Finding::RequestFailed { workload: Workload::Runs, route: text(), subject: text(), answer: text() },
        Finding::ReconnectFailed { stream: text(), attempt: 2, answer: text() },
        Finding::EventDuplicated { stream: text(), run: text(), id: text(), same_id: true, line: text(), why: text() },
        Finding::EventMissed { stream: text(), run: text(), id: text(), seen_by: 3, line: text(), why: text() },
        Finding::VersionNotFound { version: text(), waited_ms: 30_000, answer: text() },
        Finding::SourceFailed { source: "GET /metrics".into(), answer: text() },
        Finding::MetricMissing { name: "run_queue_depth".into() },
        Finding::GatewayRestarted { before: text(), after: text() },
        Finding::OtherProcess { before: text(), after: text() },
        Finding::SeveralAnswer { processes: 4 },
        Finding::ProcessesRead { root: text(), how: text() },
        Finding::ChaosNotRecovered { chaos: Chaos::Latency, waited_ms: 60_000, answer: text() },
        Finding::Hole { from_ms: 60_000, to_ms: 90_000, why: text(), cut: [(Workload::Runs, 3)].into() },
        Finding::WorkerPanicked { worker: Workload::Churn.name().into(), count: 1, message: text() },
        Finding::Fatal { message: text() },
    ];
    troubles.into_iter().for_each(|trouble| soak.happens(120_000, trouble));
    soak.records().map(|record| serde_json::to_vec(&record).unwrap()).collect()
}

/// Judges what was read.
fn judged(records: &[Record]) -> Result<(), TestCaseError> {
    let Some(Record::Header(header)) = records.first() else {
        prop_assert!(records.is_empty(), "the first is a header");
        return Ok(());
    };
    let (plan, targets) = (&header.plan, Targets::default());
    let (verdicts, snapshot) = within(JUDGE_BYTES, || {
        let mut history = History::new(plan, &targets.sample_limits());
        records.iter().for_each(|record| history.absorb(record));
        let snapshot = snapshot_json(&history, &BTreeMap::new(), 0, "");
        (judge(plan, &targets, &history), snapshot)
    })?;
    for judgement in verdicts.iter() {
        let evidence = &judgement.evidence;
        let offenders = evidence.first.iter().chain(&evidence.worst).filter_map(|offender| offender.value);
        let values = evidence.by_phase.iter().map(|of| of.value).chain(offenders).chain(judgement.value);
        for value in values {
            prop_assert!(value.is_finite(), "{judgement:?}");
        }
        prop_assert!(judgement.verdict != Verdict::Unproven || !judgement.reason.is_empty(), "{judgement:?}");
        prop_assert!(!failure_text(judgement, plan.suite, "a folder").is_empty());
    }
    let results = Results::new(plan.suite, verdicts, &Waivers::default(), |_| true);
    prop_assert!(!kpi_table(&results, TerminalLook::PLAIN).is_empty() && !snapshot.is_empty());
    Ok(())
}

fn gauge_value() -> impl Strategy<Value = f64> {
    let extremes = vec![f64::MAX, f64::MIN, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 5e-324, 1e300, -1.0];
    prop_oneof![prop::sample::select(extremes), prop::num::f64::ANY, 1e8..3e8_f64]
}

/// One thing that is done to the lines of a journal.
#[derive(Debug, Clone)]
enum Damage {
    /// A byte is another.
    Flipped(Index, Index, u8),
    /// A line ends early, and the next begins at once.
    Cut(Index, Index),
    /// A line comes again somewhere else.
    Doubled(Index, Index),
    /// The start of one line, and the end of another.
    Spliced(Index, Index, Index, Index),
    /// One of a line's numbers is another.
    Number(Index, Index, String),
    /// One of a line's values, number or text, is something else.
    Value(Index, Index, String),
    /// A histogram holds other bytes.
    Packed(Index, Vec<u8>),
    /// A histogram has some of its bytes changed.
    Repacked(Index, Index, u8),
}

fn number() -> impl Strategy<Value = String> {
    let words = ["0", "-1", "-0.0", "1e308", "-1e308", "1e999", "5e-324", "0.5", "null", "18446744073709551615"];
    let more =
        ["18446744073709551616", "9223372036854775807", "9007199254740993", "4294967295", "4294967296", "4000000000"];
    let words = [&words[..], &more].concat();
    prop_oneof![
        3 => prop::sample::select(words).prop_map(str::to_owned),
        1 => any::<u64>().prop_map(|number| number.to_string()),
        1 => any::<f64>().prop_filter("JSON has no others", |n| n.is_finite()).prop_map(|number| format!("{number:e}")),
    ]
}

fn is_of_a_number(byte: u8) -> bool {
    byte.is_ascii_digit() || b".eE+-".contains(&byte)
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    let byte = || prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:0129eE.-+\\un\n".to_vec())];
    prop_oneof![
        (at(), at(), byte()).prop_map(|(line, at, to)| Damage::Flipped(line, at, to)),
        (at(), at()).prop_map(|(line, at)| Damage::Cut(line, at)),
        (at(), at()).prop_map(|(line, to)| Damage::Doubled(line, to)),
        (at(), at(), at(), at()).prop_map(|(a, from, b, to)| Damage::Spliced(a, from, b, to)),
        (at(), at(), number()).prop_map(|(line, at, to)| Damage::Number(line, at, to)),
        (at(), at(), any_json()).prop_map(|(line, at, to)| Damage::Value(line, at, to)),
        (at(), crafted_histogram()).prop_map(|(at, to)| Damage::Packed(at, to)),
        (at(), at(), byte()).prop_map(|(at, byte, to)| Damage::Repacked(at, byte, to)),
    ]
}

impl Damage {
    fn done_to(&self, lines: &mut Vec<Vec<u8>>) {
        match self {
            Self::Flipped(line, at, to) => {
                let line = line.get_mut(lines);
                let at = at.index(line.len());
                line[at] = *to;
            }
            Self::Cut(line, at) => {
                let line = line.get_mut(lines);
                line.truncate(at.index(line.len()).max(1));
            }
            Self::Doubled(line, to) => {
                let line = line.get(lines).clone();
                lines.insert(to.index(lines.len()), line);
            }
            Self::Spliced(a, from, b, to) => {
                let end = b.get(lines).clone();
                let line = a.get_mut(lines);
                line.truncate(from.index(line.len()).max(1));
                line.extend_from_slice(&end[to.index(end.len())..]);
            }
            Self::Number(line, at, to) => {
                replace(line.get_mut(lines), *at, to, is_of_a_number);
            }
            Self::Value(line, at, to) => replace(line.get_mut(lines), *at, to, |byte| !b"{}[],:".contains(&byte)),
            Self::Packed(at, to) => repack(lines, *at, |_| to.clone()),
            Self::Repacked(at, byte, to) => repack(lines, *at, |mut bytes| {
                let at = byte.index(bytes.len().max(1));
                bytes.get_mut(at).into_iter().for_each(|byte| *byte = *to);
                bytes
            }),
        }
    }
}

/// Replaces one of the runs of such bytes.
fn replace(line: &mut Vec<u8>, at: Index, to: &str, is_part: impl Fn(u8) -> bool) {
    let starts: Vec<usize> = (1..line.len()).filter(|n| is_part(line[*n]) && !is_part(line[*n - 1])).collect();
    if starts.is_empty() {
        return;
    }
    let start = *at.get(&starts);
    let end = (start..line.len()).find(|n| !is_part(line[*n])).unwrap_or(line.len());
    line.splice(start..end, to.bytes());
}

/// Gives one of the histograms other bytes.
fn repack(lines: &mut [Vec<u8>], at: Index, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    let key = b"\"histogram\":\"";
    let found = |(n, line): (usize, &Vec<u8>)| {
        let starts = line.windows(key.len()).enumerate().filter(|(_, part)| part == key);
        starts.map(|(at, _)| (n, at + key.len())).collect::<Vec<_>>()
    };
    let all: Vec<(usize, usize)> = lines.iter().enumerate().flat_map(found).collect();
    if all.is_empty() {
        return;
    }
    let (n, start) = *at.get(&all);
    let line = &mut lines[n];
    let Some(end) = line[start..].iter().position(|byte| *byte == b'"').map(|length| start + length) else { return };
    let bytes = change(STANDARD.decode(&line[start..end]).unwrap_or_default());
    line.splice(start..end, STANDARD.encode(bytes).bytes());
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn a_damaged_journal_is_read_as_far_as_it_goes_and_judged(
        is_full in prop::bool::weighted(0.2), damage in prop::collection::vec(damage(), 1..6), torn: Index,
    ) {
        let mut lines = if is_full { FULL.clone() } else { SMOKE.clone() };
        damage.iter().for_each(|damage| damage.done_to(&mut lines));
        let mut bytes = lines.join(&b'\n');
        bytes.push(b'\n');
        let kept = bytes.len() - torn.index(bytes.len()) / 64;
        judged(&read(&bytes[..kept])?.0)?;
    }

    #[test]
    fn a_journal_with_other_numbers_in_it_is_judged(
        is_full in prop::bool::weighted(0.2), numbers in prop::collection::vec((any::<Index>(), any::<Index>(), number()), 1..40),
    ) {
        let mut lines = if is_full { FULL.clone() } else { SMOKE.clone() };
        for (line, at, to) in &numbers {
            // The header's are another matter, and a line that is no record would be the last.
            let line = line.get_mut(&mut lines[1..]);
            let before = line.clone();
            replace(line, *at, to, is_of_a_number);
            if serde_json::from_slice::<Record>(line).is_err() {
                *line = before;
            }
        }
        let mut bytes = lines.join(&b'\n');
        bytes.push(b'\n');
        let (records, error) = read(&bytes)?;
        prop_assert!(error.is_none(), "{error:?}");
        judged(&records)?;
    }

    #[test]
    fn a_gauge_of_any_numbers_over_any_lives_is_judged(
        gauge in prop::sample::select(Gauge::ALL),
        values in prop::collection::vec(gauge_value(), 1..9),
        minutes_per_life in 1..200_usize,
    ) {
        let mut soak = Soak::healthy(Suite::Full);
        for (n, interval) in soak.intervals.iter_mut().enumerate() {
            let value = |more: usize| values[(n + more) % values.len()];
            let summary = GaugeSummary { min: value(0), max: value(1), last: value(2), count: 1 };
            interval.gauges.insert(gauge, summary);
            interval.gateway_life = Some((n / minutes_per_life).to_string());
        }
        judged(&soak.records().collect::<Vec<_>>())?;
    }

    #[test]
    fn a_header_with_other_numbers_in_its_plan_is_a_plan_or_an_error(
        numbers in prop::collection::vec((any::<Index>(), number()), 1..4),
    ) {
        let mut lines = SMOKE.clone();
        numbers.iter().for_each(|(at, to)| replace(&mut lines[0], *at, to, is_of_a_number));
        let mut bytes = lines.join(&b'\n');
        bytes.push(b'\n');
        let (records, error) = read(&bytes)?;
        judged(&records)?;
        let is_about_the_header = |e: &ReadError| {
            matches!(e, ReadError::Plan(..) | ReadError::Version(..) | ReadError::Line(_, 1, _))
        };
        prop_assert!(error.as_ref().is_none_or(is_about_the_header), "{error:?}");
    }
}

#[test]
fn a_plan_of_very_many_disturbances_is_refused_and_takes_no_more_room_than_any_other() {
    let mut soak = Soak::healthy(Suite::Full);
    let event = soak.plan.chaos[0].clone();
    soak.plan.chaos.extend(std::iter::repeat_n(event, 100_000));
    judged(&soak.records().collect::<Vec<_>>()).unwrap();
    let line = soak.records().map(|record| serde_json::to_vec(&record).unwrap()).next();
    let (records, error) = read(&[line.unwrap(), b"\n".to_vec()].concat()).unwrap();
    assert!(records.is_empty() && matches!(error, Some(ReadError::Plan(..))), "{error:?}");
}

#[test]
fn sums_that_no_number_holds_do_not_make_a_judge_stumble() {
    let mut soak = Soak::healthy(Suite::Smoke);
    let waited =
        |answer: &str| Finding::VersionNotFound { version: "v".into(), waited_ms: u64::MAX, answer: answer.into() };
    soak.happens(60_000, waited("200"));
    soak.happens(61_000, waited("404"));
    let mut soak = soak.each(|interval| drop(interval.timings.remove(&Timing::PublishToSearch)));
    let hole = |from_ms, to_ms| Finding::Hole { from_ms, to_ms, why: "nobody".into(), cut: [].into() };
    soak.happens(62_000, hole(0, u64::MAX));
    soak.happens(63_000, hole(1, u64::MAX));
    let endless = TimingRecord { histogram: all_but_endless(2_000_000), worst: Vec::new() };
    soak.minute(3).timings.insert(Timing::PublishToSearch, endless);
    let records: Vec<Record> = soak.records().collect();
    judged(&records).unwrap();
}
