//! The record: what is written reads back, torn anywhere; histograms keep their promise.

use std::{collections::BTreeMap, fs, path::Path};

use proptest::prelude::*;

use super::{
    Buckets, Counter, Cycles, End, EndReason, Exemplar, Finding, Gauge, GaugeSummary, Header, Incident, Interval,
    JOURNAL_VERSION, LatencyHistogram, ReadError, Reader, Record, Source, TEXT_CHARS_MAX, Timing, TimingRecord, Torn,
    Writer, clip,
};
use crate::{
    catalog::{Chaos, Phase, Suite, Workload},
    plan::{Plan, Scenario},
};

pub(super) fn header() -> Record {
    Record::Header(Box::new(Header {
        version: JOURNAL_VERSION,
        harness: "0.1.0".into(),
        started_at: "2026-11-23T10:00:00Z".into(),
        started_monotonic_ms: Some(1_000),
        nonce: "5eed".into(),
        gateway_url: "http://127.0.0.1:3000".into(),
        embedded: true,
        plan: Plan::new(Suite::Smoke, &Scenario::default(), 1, 30.0),
        settings: BTreeMap::from([("runs.per_minute".into(), "3".into())]),
        routes: BTreeMap::new(),
    }))
}

fn end() -> Record {
    Record::End(End { at_ms: 900_000, ended_at: "2026-11-23T10:15:00Z".into(), reason: EndReason::Played })
}

/// Numbers that a decimal of seventeen digits brings back exactly whichever way it is read.
fn number() -> impl Strategy<Value = f64> {
    (-1_000_000_000_i64..1_000_000_000).prop_map(|n| n as f64 / 8.0)
}

fn histogram() -> impl Strategy<Value = LatencyHistogram> {
    prop::collection::vec(0..4_000_000_000_u64, 0..20).prop_map(|values| {
        let mut histogram = LatencyHistogram::new();
        values.into_iter().for_each(|value| histogram.record(value));
        histogram
    })
}

prop_compose! {
    fn timing()(histogram in histogram(), at_ms: u64, value_us: u64, subject in ".{0,20}") -> TimingRecord {
        TimingRecord { histogram, worst: vec![Exemplar { at_ms, value_us, subject }] }
    }
}

prop_compose! {
    fn interval()(
        from_ms: u64,
        to_ms: u64,
        phase in prop::sample::select(Phase::ALL),
        gateway_life in prop::option::of(".{0,12}"),
        session_life: u32,
        counters in prop::collection::btree_map(prop::sample::select(Counter::ALL), any::<u64>(), 0..6),
        gauges in prop::collection::btree_map(prop::sample::select(Gauge::ALL), (number(), number(), any::<u64>()), 0..6),
        timings in prop::collection::btree_map(prop::sample::select(Timing::ALL), timing(), 0..3),
        sources in prop::collection::btree_map(
            prop::sample::select(Source::ALL), (prop::collection::vec(number(), 0..5), prop::collection::vec(any::<u64>(), 0..6)), 0..3,
        ),
        other_events in prop::collection::btree_map(".{0,12}", any::<u64>(), 0..3),
        cycles in prop::collection::btree_map(prop::sample::select(Workload::ALL), (any::<u64>(), any::<u64>()), 0..4),
    ) -> Interval {
        let gauge = |(min, max, count)| GaugeSummary { min, max, last: max, count };
        let buckets = |(bounds_seconds, counts)| Buckets { bounds_seconds, counts };
        let played = |(started, finished)| Cycles { started, finished };
        Interval {
            from_ms,
            to_ms,
            phase,
            gateway_life,
            session_life,
            counters,
            gauges: gauges.into_iter().map(|(name, of)| (name, gauge(of))).collect(),
            timings,
            sources: sources.into_iter().map(|(name, of)| (name, buckets(of))).collect(),
            other_events,
            cycles: cycles.into_iter().map(|(name, of)| (name, played(of))).collect(),
        }
    }
}

fn finding() -> impl Strategy<Value = Finding> {
    let text = || ".{0,30}";
    let chaos = prop::sample::select(Chaos::ALL);
    let workload = prop::sample::select(Workload::ALL);
    prop_oneof![
        text().prop_map(|answer| Finding::NotReady { answer }),
        (text(), text()).prop_map(|(run, answer)| Finding::RunFailed { run, answer }),
        (text(), text()).prop_map(|(run, answer)| Finding::RunUnended { run, answer }),
        (workload, text(), text(), text()).prop_map(|(workload, route, subject, answer)| Finding::RequestFailed {
            workload,
            route,
            subject,
            answer
        }),
        (text(), any::<u32>(), text()).prop_map(|(stream, attempt, answer)| Finding::ReconnectFailed {
            stream,
            attempt,
            answer
        }),
        (text(), text(), text(), any::<bool>()).prop_map(|(stream, run, id, same_id)| Finding::EventDuplicated {
            stream,
            run,
            id,
            same_id,
            line: String::new(),
            why: String::new(),
        }),
        (text(), any::<u64>(), text()).prop_map(|(version, waited_ms, answer)| Finding::VersionNotFound {
            version,
            waited_ms,
            answer
        }),
        (chaos, any::<bool>(), text()).prop_map(|(chaos, accepted, answer)| Finding::ChaosInjected {
            chaos,
            accepted,
            answer
        }),
        (any::<u64>(), any::<u32>(), any::<u64>()).prop_map(|(due_ms, open_streams, runs_started)| {
            Finding::Heartbeat { due_ms, open_streams, runs_started }
        }),
        (any::<u64>(), any::<u64>(), text(), any::<u64>()).prop_map(|(from_ms, to_ms, why, runs)| Finding::Hole {
            from_ms,
            to_ms,
            why,
            cut: [(Workload::Runs, runs)].into(),
        }),
        any::<u64>().prop_map(|stalled_ms| Finding::Stalled { stalled_ms }),
        (any::<u32>(), text()).prop_map(|(pulse, version)| Finding::VersionFound { pulse, version }),
        proptest::collection::vec(any::<Option<u64>>(), 0..4)
            .prop_map(|fastest_us| Finding::RoundTripsBefore { chaos: Chaos::Latency, fastest_us }),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        interval().prop_map(|interval| Record::Interval(Box::new(interval))),
        (any::<u64>(), prop::sample::select(Phase::ALL), finding())
            .prop_map(|(at_ms, phase, finding)| Record::Incident(Incident { at_ms, phase, finding })),
    ]
}

fn write(path: &Path, records: &[Record]) {
    let mut writer = Writer::resume(path).unwrap().0;
    records.iter().for_each(|record| writer.append(record).unwrap());
    writer.sync().unwrap();
}

fn read(path: &Path) -> (Vec<Record>, Option<Torn>) {
    let mut reader = Reader::open(path).unwrap();
    let mut records = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        records.push(record);
    }
    (records, reader.torn())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_back_equal(records in prop::collection::vec(record(), 0..8)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.ndjson");
        let records: Vec<Record> = [header()].into_iter().chain(records).chain([end()]).collect();
        write(&path, &records);
        prop_assert_eq!(read(&path), (records, None));
    }

    #[test]
    fn a_journal_cut_at_any_byte_reads_up_to_its_last_whole_line(
        records in prop::collection::vec(record(), 1..4), share in 0.0..1.0_f64,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.ndjson");
        let records: Vec<Record> = [header()].into_iter().chain(records).collect();
        write(&path, &records);
        let whole = fs::read(&path).unwrap();
        let cut = (whole.len() as f64 * share) as usize;
        fs::write(&path, &whole[..cut]).unwrap();

        let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
        let rest = cut - whole[..cut].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let torn = (rest > 0).then_some(Torn { line_number: lines as u64 + 1, bytes: rest });
        prop_assert_eq!(read(&path), (records[..lines].to_vec(), torn));
    }

    #[test]
    fn a_quantile_is_the_nearest_rank_to_a_thousandth(
        mut values in prop::collection::vec(1..3_600_000_000_u64, 1..400), quantile in 0.0..=1.0_f64,
    ) {
        let mut histogram = LatencyHistogram::new();
        values.iter().for_each(|value| histogram.record(*value));
        values.sort_unstable();
        let rank = ((quantile * values.len() as f64).ceil() as usize).clamp(1, values.len());
        let (exact, found) = (values[rank - 1], histogram.quantile_us(quantile));
        prop_assert!(found >= exact, "{found} for {exact}: stricter, never laxer");
        prop_assert!(found - exact <= exact / 1_000 + 1, "{found} for {exact}");
    }

    #[test]
    fn a_histogram_says_the_same_however_it_is_held(samples in prop::collection::vec(1..5_000_000_u64, 0..600)) {
        let (mut sparse, mut with_capacity) = (LatencyHistogram::new(), LatencyHistogram::with_capacity());
        for value_us in samples {
            sparse.record(value_us);
            with_capacity.record(value_us);
        }
        prop_assert_eq!(&sparse, &with_capacity);
        let read: LatencyHistogram = serde_json::from_str(&serde_json::to_string(&sparse).unwrap()).unwrap();
        prop_assert_eq!(&read, &with_capacity);
        let says = |of: &LatencyHistogram| {
            (of.len(), of.max_us(), [0.0, 0.5, 0.95, 0.99, 1.0].map(|q| of.quantile_us(q)), of.count_above(1_000_000))
        };
        prop_assert_eq!(says(&sparse), says(&with_capacity));
    }

    #[test]
    fn histograms_merged_are_one_histogram_of_all_samples(
        a in prop::collection::vec(0..u64::MAX, 0..50), b in prop::collection::vec(0..5_000_000_u64, 0..50),
    ) {
        let of = |values: &[u64]| {
            let mut histogram = LatencyHistogram::new();
            values.iter().for_each(|value| histogram.record(*value));
            histogram
        };
        let mut merged = of(&a);
        merged.merge(&of(&b));
        prop_assert_eq!(merged, of(&[a, b].concat()));
    }

    #[test]
    fn text_from_outside_is_one_short_line_without_control_characters(text in "\\PC{0,300}|.{0,300}") {
        let clipped = clip(&text);
        prop_assert!(!clipped.chars().any(char::is_control));
        prop_assert!(clipped.chars().count() <= TEXT_CHARS_MAX * 8 + 1);
    }
}

#[test]
fn a_line_that_was_torn_is_read_once_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.ndjson");
    write(&path, &[header(), end()]);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();

    let mut reader = Reader::open(&path).unwrap();
    assert_eq!(Some(header()), reader.next_record().unwrap());
    assert_eq!(None, reader.next_record().unwrap());
    assert!(reader.torn().is_some());

    fs::write(&path, &whole).unwrap();
    assert_eq!(Some(end()), reader.next_record().unwrap());
    assert_eq!(None, reader.torn());
}

#[test]
fn a_gauge_that_is_not_a_number_does_not_make_its_journal_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.ndjson");
    let mut interval = Interval::empty(0, 10_000, Phase::Steady);
    interval.gauges.insert(Gauge::GatewayRss, GaugeSummary::of(f64::NAN));
    interval.gauges.insert(Gauge::GatewayFds, GaugeSummary::of(f64::INFINITY));
    interval.gauges.insert(Gauge::ClockOffset, GaugeSummary::of(-3.5));
    write(&path, &[header(), Record::Interval(Box::new(interval)), end()]);

    let (records, torn) = read(&path);
    assert_eq!((3, None), (records.len(), torn));
    let Record::Interval(interval) = &records[1] else { panic!("an interval was written") };
    assert!(interval.gauges[&Gauge::GatewayRss].last.is_nan());
    assert!(interval.gauges[&Gauge::GatewayFds].last.is_nan());
    assert_eq!(-3.5, interval.gauges[&Gauge::ClockOffset].last);
}

#[test]
fn a_journal_of_another_version_is_refused_with_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.ndjson");
    let line = serde_json::to_string(&header()).unwrap().replacen("\"version\":1", "\"version\":9", 1);
    fs::write(&path, line + "\n").unwrap();
    let error = Reader::open(&path).unwrap().next_record().unwrap_err();
    assert!(matches!(error, ReadError::Version(_, 9)), "{error}");
    assert!(error.to_string().contains("version 9") && error.to_string().contains("version 1"), "{error}");
}

#[test]
fn a_whole_line_that_is_no_record_is_an_error_with_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.ndjson");
    write(&path, &[header()]);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text + "{\"record\":\"interval\"}\n").unwrap();
    let mut reader = Reader::open(&path).unwrap();
    reader.next_record().unwrap();
    let error = reader.next_record().unwrap_err().to_string();
    assert!(error.contains("line 2"), "{error}");
}
