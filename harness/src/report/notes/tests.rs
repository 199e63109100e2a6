//! Every note and reason in words.

use std::time::Duration;

use super::{note_text, reason_text, words::as_setting};
use crate::{
    catalog::{Chaos, Kpi, Phase, SampleSource, Unit, Workload},
    history::{ProcessChange, Relapse, Violation},
    journal::{EndReason, Gauge, Source},
    judge::{
        By, ClockDoubt, Fault, Growth, HistogramGap, LateDoubt, LateEvents, LatePart, LateStarts, LifeGrowth, Note,
        Range, RetainedBy, SourceFailure, TrendLine, UnprovenReason, UntimedCause,
    },
    snapshots::assert_snapshot,
};

fn failure(times: u64, is_in_windows: bool) -> SourceFailure {
    SourceFailure { source: "GET /health".into(), answer: "404 not found".into(), times, is_in_windows }
}

fn life(by: By, retained_by: RetainedBy) -> LifeGrowth {
    let line = TrendLine { from_minute: 10, to_minute: 119, start: 20e6, end: 24.56e6 };
    LifeGrowth {
        is_over_all: false,
        base_min_bytes: Some(16e6),
        minutes: Some((0, 119)),
        floors: 99,
        growth: Some(Growth { line, by }),
        retained_by,
        resident_bytes: [Some(80e6), Some(90e6)],
        may_be_garbage: false,
    }
}

fn lives() -> Vec<Note> {
    let by = |by| life(by, RetainedBy::Resident);
    let retained = |retained_by| life(By::Floors, retained_by);
    let lives = [
        by(By::Floors),
        by(By::Ends),
        by(By::Teeth(3)),
        by(By::Least(1)),
        by(By::Least(2)),
        by(By::OneTooth),
        LifeGrowth { may_be_garbage: true, ..by(By::Floors) },
        LifeGrowth { base_min_bytes: Some(160e6), ..by(By::Floors) },
        LifeGrowth { is_over_all: true, base_min_bytes: None, ..by(By::Floors) },
        LifeGrowth { floors: 4, growth: None, ..by(By::Floors) },
        LifeGrowth { minutes: None, growth: None, ..by(By::Floors) },
        retained(RetainedBy::Heap),
        retained(RetainedBy::HeapAndRest),
        retained(RetainedBy::HeapFloors),
        LifeGrowth { resident_bytes: [None, Some(90e6)], ..retained(RetainedBy::Requested) },
    ];
    lives.into_iter().map(Note::Life).collect()
}

fn of_time() -> Vec<Note> {
    let relapse = |last_ms, answer| {
        let (well_ms, since_ms) = (4_504_000, 4_520_000);
        Note::Relapsed {
            chaos: Chaos::GatewayRestart,
            relapse: Relapse { well_ms, unready: 5, since_ms, last_ms, answer, is_over: true },
        }
    };
    let change = |at_ms| ProcessChange { at_ms, before: "pid 1".into(), after: "pid 2".into(), is_asked: false };
    let (lower_ms, source) = (0.1, Source::SseWrite);
    let bounded = HistogramGap::Between { lower_ms, upper_ms: Some(500.0) };
    let unbounded = HistogramGap::Between { lower_ms, upper_ms: None };
    let few = HistogramGap::Few { samples: 3, promised: 9 };
    let scrapes = vec![Note::MetricsLack { names: vec!["a".into(), "b".into()], answer: None }, Note::NeverScraped];
    vec![
        Note::CyclesUnfinished { started: 3, finished: 2 },
        Note::WorkerPanicked { panics: 2, last_ms: 3_100_000 },
        Note::StartsMissing { workload: Workload::Runs, started: 350, planned: 357 },
        Note::RequestsThrottled { requests: 12 },
        Note::StartLateness { p99_ms: 3.07, starts: 413 },
        Note::StartsLate { late: 1, starts: 52, limit_ms: 100.5, latest_ms: 166.4 },
        Note::ReadLateness { p99_ms: 812.4, events: 903_000 },
        Note::SessionStoodStill { until_ms: 1_800_000, stalled_ms: 1_350 },
        Note::HolesInPlan { holes_ms: 60_001, percent: 0.84 },
        Note::WindowsOpenLonger { expected: 90, planned: 100 },
        Note::WindowNotCounted { phase: Phase::GatewayRestart, first_counted_ms: 4_680_000 },
        Note::RestartsUnasked { changes: vec![change(1_870_000)], more: 0 },
        Note::RestartsUnasked { changes: vec![change(60_000), change(120_000)], more: 3 },
        relapse(4_520_000, None),
        relapse(4_550_000, Some("503".into())),
        Note::FirstLinesUnseen { runs: 4 },
        Note::ByHistogram { source, lower_ms, upper_ms: Some(50.0) },
        Note::ByHistogram { source, lower_ms, upper_ms: None },
        Note::ByEvents { source, gap: bounded },
        Note::ByEvents { source: Source::Judge, gap: unbounded },
        Note::ByEvents { source: Source::Shield, gap: few },
        Note::NeitherDecides { source, gap: few, scrapes, events: 7 },
        Note::NeitherDecides { source: Source::Judge, gap: HistogramGap::Empty, scrapes: Vec::new(), events: 0 },
        Note::HistogramMalformed { source, intervals: 2 },
        Note::EventsArrived { p99_ms: 5.4, ready_p99_ms: Some(0.2) },
        Note::EventsArrived { p99_ms: 5.6, ready_p99_ms: None },
        Note::EventsUntimed { cause: None, ready_p99_ms: Some(2.6) },
        Note::EventsUntimed { cause: Some(UntimedCause::Source(failure(3, false))), ready_p99_ms: None },
        Note::EventsUntimed { cause: Some(UntimedCause::CoarseClock { step_ms: 1_000.0 }), ready_p99_ms: None },
        Note::ArrivalsUnclear(ClockDoubt::Unknown),
        Note::ArrivalsUnclear(ClockDoubt::SeldomRead { read: 80, minutes: 109 }),
        Note::ArrivalsUnclear(ClockDoubt::Moves { slack_ms: 640.2 }),
        Note::LateArrivalsNoProof(LateDoubt::FewEvents { timed: 12_000, promised: 14_400 }),
        Note::LateArrivalsNoProof(LateDoubt::NoRoundTrip),
        Note::LateArrivalsNoProof(LateDoubt::NoStart),
        Note::LateArrivalsNoProof(LateDoubt::OtherClock { quick_ms: 412.0, start_ms: 200.0 }),
        Note::LateArrivalsNoProof(LateDoubt::Explained { late_ms: 412.0, ready_ms: 350.0, slack_ms: 4.0 }),
        Note::EventsHeldBack { stream: "19".into() },
        Note::OwnClockSet,
        Note::ClockOffsets { least_ms: -3.6, greatest_ms: 4.4 },
        Note::ClockInSteps { step_ms: 1_000.0 },
        Note::ClockReadingsApart { minutes: 20 },
    ]
}

fn of_counts() -> Vec<Note> {
    let run = |subject: &str, answer: Option<&str>| {
        let (subject, answer) = (subject.to_owned(), answer.map(str::to_owned));
        Violation { at_ms: 0, phase: Phase::Steady, subject, value: None, answer }
    };
    let (source, answer) = ("GET /metrics".to_owned(), "404 not found".to_owned());
    let (runs, lines, streams) = (3, 80, 5);
    vec![
        Note::ProbesUnheard { probes: 4 },
        Note::RequestsRepeated { requests: 4 },
        Note::RunsUnread { runs },
        Note::RunsUnended { runs, first: vec![run("run a", Some("still under way")), run("run b", None)] },
        Note::StreamsClosed { streams },
        Note::StreamsSilent { streams },
        Note::ClosedAtOneAge { streams, low_us: 239_600_000, median_us: 240_300_000, high_us: 242_000_000 },
        Note::AnswersUnread { answers: 2 },
        Note::ErrorsByRoute { routes: vec![("POST /api/runs".into(), 5), ("GET /ready".into(), 1)] },
        Note::IncidentsMissing { samples: 2 },
        Note::EventsOversized { deliveries: 2 },
        Note::EventsNotCompared { events: 14, types: vec![("ping".into(), 12), (String::new(), 2)], more_types: 0 },
        Note::EventsNotCompared { events: 14, types: vec![("ping".into(), 12)], more_types: 2 },
        Note::LinesRepeated { lines },
        Note::RepetitionsUndecided { lines },
        Note::EventsForgotten { events: 900 },
        Note::RunsCompared { comparisons: 300, succeeded: 310 },
        Note::RunsUncompared { runs },
        Note::RecordsEmpty { runs },
        Note::RecordsShorter { runs },
        Note::LinesLoose { lines },
        Note::LinesUndecided { lines },
        Note::EndsNeverShown { runs },
        Note::LinesNotReplayed { lines },
        Note::RunsHalfShown { runs },
        Note::LivesInTurn { lives: 2 },
        Note::LivesInSequence { changes: 7 },
        Note::GarbageUnknown { rise_percent: 12.34 },
        Note::ProcessesRead { read: vec!["node: 1 process".into(), "node: 2 processes".into()], most: Some(2.0) },
        Note::ProcessesRead { read: vec!["node: 1 process".into()], most: None },
        Note::MetricsInTurn { processes: 2, source: SampleSource::ProcessEach },
        Note::MetricsInTurn { processes: 2, source: SampleSource::ProcessSum },
        Note::MetricsInTurn { processes: 2, source: SampleSource::MetricsHistogram },
        Note::SourceFailed(failure(1, true)),
        Note::SourceFailed(failure(12, false)),
        Note::ScrapesFailed { source, answer: answer.clone(), failed: 700, scrapes: 720 },
        Note::MetricsLack { names: vec!["run_queue_depth".into()], answer: Some(answer) },
        Note::ComparedWith { baseline: "then.json".into(), started_at: "2026-11-22T10:00:00Z".into() },
        Note::PaceDiffers { then: 120.0, now: 0.1234567 },
        Note::LengthDiffers { then_minutes: 60.0, now_minutes: 120.0 },
        Note::BaselineUnended,
    ]
}

fn unproven_reasons() -> Vec<UnprovenReason> {
    let ended = |reason, fatal: Option<&str>| UnprovenReason::EndedEarly {
        at_ms: 750_000,
        reason,
        fatal: fatal.map(str::to_owned),
    };
    let violation = |subject: &str, answer: &str| {
        let at = Violation::at(0, Phase::Steady, subject);
        Violation { answer: Some(answer.to_owned()), ..at }
    };
    let (route, answer) = ("GET /ready".to_owned(), "503".to_owned());
    let (quantile, value_ms, late_ms) = (0.95, 1_250.4, 0.3);
    let (before, from_ms, after, to_ms) = (-2.0, 0, -20.4, 3_600_000);
    vec![
        UnprovenReason::NeverBegan,
        UnprovenReason::EndMissing { reached_ms: 3_000_000 },
        ended(EndReason::Played, None),
        ended(EndReason::Abandoned, None),
        ended(EndReason::Deadline, None),
        ended(EndReason::Signal, Some("asked")),
        ended(EndReason::Fatal, Some("disk full")),
        ended(EndReason::Fatal, None),
        UnprovenReason::NothingPlayed { from_ms: 60_000, to_ms: 120_000, cause: "the session died".into() },
        UnprovenReason::NoSamples,
        UnprovenReason::FewSamples,
        UnprovenReason::RouteAnswered { route, answer, last_ms: 90_000 },
        UnprovenReason::ChaosUnproven(violation("redis_restart", "was never injected")),
        UnprovenReason::LoadThrottled { throttled: 20, requests: 150, percent: 13.3 },
        UnprovenReason::LatenessUnmeasured { measured: 3, started: 52 },
        UnprovenReason::HarnessLate { part: LatePart::Starts, quantile, value_ms, late_ms: 180.0 },
        UnprovenReason::HarnessLate { part: LatePart::Reading, quantile, value_ms, late_ms: 500.0 },
        UnprovenReason::EventsReadLate { late_ms },
        UnprovenReason::LogLinesMissing,
        UnprovenReason::GaugeUnmeasured { gauge: Gauge::GatewayRss },
        UnprovenReason::ClockUnread,
        UnprovenReason::LivesTooShort { lives: 1, minutes_min: 10 },
        UnprovenReason::LivesTooShort { lives: 3, minutes_min: 10 },
        UnprovenReason::CountTooLow { gauge: Gauge::GatewaySseSurplus, before, from_ms, after, to_ms },
        UnprovenReason::CountTooLow { gauge: Gauge::GatewayQueueDepth, before, from_ms, after, to_ms },
        UnprovenReason::AnotherProcess { is_by_metrics: true, fewer: 11.0, connections: 31.0 },
        UnprovenReason::AnotherProcess { is_by_metrics: false, fewer: 11.0, connections: 31.0 },
        UnprovenReason::ProcessesChanged { most: 3, until_ms: 1_200_000 },
        UnprovenReason::SearchesCut { searches: 1, first: violation("a@1", "10 of 37 hits were shown") },
        UnprovenReason::SearchesCut { searches: 2, first: violation("a@1", "10 of 37 hits were shown") },
        UnprovenReason::InjectionsUnclear { injections: 4, first: violation("role play", "the run failed") },
        UnprovenReason::PiiRefused { runs: 1, first: violation("ssn", "400") },
    ]
}

fn faults() -> Vec<Fault> {
    let (stall, kpis) = (Some((60_000, 2_000)), vec![Kpi::StartToLogP95, Kpi::SseWriteP99]);
    let decisive = LateStarts::Decisive { kpis: kpis.clone() };
    let too_many = LateStarts::TooMany { late: 26, starts: 52, percent: 50.0, limit_ms: 100.5 };
    let stood_still = LateStarts::StoodStill { percent: 2.4, stalled_ms: 12_400 };
    let (source, at_most_ms, chaos, message) = (Source::SseWrite, 50.0, Chaos::GatewayRestart, "index".to_owned());
    let arrives = |which| {
        let (p99_ms, late_ms, ready_ms) = (812.4, 412.0, 0.2);
        Fault::EventsArriveLate { source, at_most_ms, p99_ms, which, late_ms, ready_ms }
    };
    let behind = |without_ms| {
        let (stream, late_ms, ready_ms) = ("19".to_owned(), 1_500.0, 2.6);
        Fault::EventsBehind { stream, late_ms, ready_ms, without_ms }
    };
    let (well_ms, since_ms, last_ms) = (4_504_000, 4_520_000, 4_520_000);
    let relapse = Relapse { well_ms, unready: 5, since_ms, last_ms, answer: None, is_over: false };
    let regressed = |unit, now, worse_percent| {
        let then = (256.123_456, Some(Range { low: 250.0, high: 260.0004 }));
        Fault::Regressed { unit, limit: 1_200.0, max_percent: 10.0, then, now: (now, None), worse_percent }
    };
    vec![
        Fault::HeartbeatsMissed,
        Fault::RecordCut { at_ms: 3_000_000 },
        Fault::HolesTooLong { percent: 4.26 },
        Fault::StartsMissed { started: 350, planned: 357 },
        Fault::StartsLate { harm: too_many, stall: None },
        Fault::StartsLate { harm: stood_still, stall },
        Fault::StartsLate { harm: decisive, stall },
        Fault::StreamsReadLate { streams: 20, kpis },
        Fault::WorkerGivenUp { at_ms: 60_000, message: message.clone() },
        Fault::PanicsTooMany { panics: 6, message },
        Fault::CyclesMissed,
        Fault::WorkerUnended,
        Fault::BucketUnbounded { source, lower_ms: 250.0 },
        Fault::EventsSlower { source, at_most_ms, reported_ms: 2_500.4 },
        arrives(LateEvents::OneInTen),
        arrives(LateEvents::OneInHundredOnAll),
        behind(None),
        behind(Some(0.4)),
        Fault::VersionsNotFound { not_found: 1, published: 24 },
        Fault::NotRecovered { chaos, waited_ms: 120_400, answer: "503".into() },
        Fault::RelapsedForGood { chaos, relapse },
        Fault::EventsForeign { events: 1 },
        Fault::WindowMissed { phase: Phase::GatewayRestart, errors: 6, requests: 20, least_percent: 14.54 },
        Fault::WindowsJudgedApart,
        regressed(Unit::Millis, 906.0, Some(253.7)),
        regressed(Unit::Percent, 1.5, None),
    ]
}

#[test]
fn every_reason_tells_a_stranger_what_to_do() {
    let reasons: Vec<Note> =
        unproven_reasons().into_iter().map(Note::from).chain(faults().into_iter().map(Note::from)).collect();
    assert_snapshot("reasons", &reasons.iter().map(note_text).collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_note_tells_a_stranger_what_to_know() {
    let notes = [of_time(), of_counts(), lives()].concat();
    assert_snapshot("notes", &notes.iter().map(note_text).collect::<Vec<_>>().join("\n"));
}

#[test]
fn reasons_follow_one_another() {
    let reasons = [UnprovenReason::LogLinesMissing.into(), Note::NeverScraped, Fault::WindowsJudgedApart.into()];
    let expected = "no run wrote a log line; the metrics were never scraped; the other windows do not make up for that";
    assert_eq!((None, Some(expected.to_owned())), (reason_text(&[]), reason_text(&reasons)));
}

#[test]
fn an_age_is_written_as_a_round_number_where_the_closings_allow_it() {
    for (seconds, expected) in
        [(240, "4m"), (61, "1m"), (9, "9s"), (20, "20s"), (3_601, "1h"), (303, "5m"), (77, "77s")]
    {
        let written = as_setting(Duration::from_secs(seconds));
        let [is, should] = [written.as_str(), expected].map(|text| humantime::parse_duration(text).unwrap());
        assert_eq!(should, is, "{seconds}: {written}");
    }
}
