//! A note in words, and why a judgement is not green.

use std::time::Duration;

use super::{
    super::rounded,
    fault::fault,
    growth,
    phrase::{in_brackets, joined, stood_still, whole},
    unproven_reason::unproven_reason,
};
use crate::{
    catalog::SampleSource,
    history::{ProcessChange, Violation},
    journal::Source,
    judge::{ClockDoubt, HistogramGap, LateDoubt, Note, SourceFailure, UntimedCause},
    plan::moment,
};

pub(in crate::report) fn note_text(note: &Note) -> String {
    match note {
        Note::CyclesUnfinished { started, finished } => format!("{started} were started and {finished} finished"),
        Note::WorkerPanicked { panics, last_ms } => {
            format!("its worker panicked {panics} times, the last time at {}", moment(*last_ms))
        }
        Note::StartsMissing { workload, started, planned } => format!("{workload} started {started} of {planned}"),
        Note::RequestsThrottled { requests } => {
            format!("{requests} times a request was throttled (409, 429)")
        }
        Note::StartLateness { p99_ms, starts } => {
            format!("the p99 of lateness is {p99_ms:.1} ms over {starts} starts")
        }
        Note::StartsLate { late, starts, limit_ms, latest_ms } => {
            format!("{late} of {starts} starts were more than {limit_ms} ms late, {latest_ms:.0} ms at most")
        }
        Note::ReadLateness { p99_ms, events } => {
            format!(
                "one in a hundred of {events} events was read {p99_ms:.0} ms late: the threads of the streams were busy"
            )
        }
        Note::SessionStoodStill { until_ms, stalled_ms } => stood_still(*until_ms, *stalled_ms),
        Note::HolesInPlan { holes_ms, percent } => {
            format!("{} s of the scenario, {percent:.1} %, were not played", holes_ms.div_ceil(1_000))
        }

        Note::WindowsOpenLonger { expected, planned } => {
            format!("chaos windows were open for longer than planned: {expected} samples are expected, not {planned}")
        }
        Note::WindowNotCounted { phase, first_counted_ms } => {
            let first = moment(*first_counted_ms);
            format!("what is in the {phase} window counts for nothing here; the first that does: {first}")
        }
        Note::RestartsUnasked { changes, more } => {
            let told = |of: &ProcessChange| format!("{}: {}, before: {}", moment(of.at_ms), of.after, of.before);
            let told = joined(changes, "; ", told);
            let more = if *more == 0 { String::new() } else { format!("; and {more} more") };
            format!("the gateway's process was another, and no chaos had asked for it: {told}{more}")
        }
        Note::Relapsed { chaos, relapse } => format!("after {chaos} the gateway {relapse}"),

        Note::FirstLinesUnseen { runs } => format!(
            "the first log line of {runs} runs came before their own stream was open, which does not replay it; they count \
             with the moment when the stream opened, which is later"
        ),
        Note::ByHistogram { source, lower_ms, upper_ms } => {
            let at_most = upper_ms.map_or_else(String::new, |upper_ms| format!(", at most {upper_ms} ms"));
            format!("by the gateway's own histogram, {source}: more than {lower_ms} ms{at_most}")
        }
        Note::ByEvents { source, gap } => format!("by {}: {}", events(*source), gap_text(*source, *gap)),
        Note::NeitherDecides { source, gap, scrapes, events: said } => {
            let scrapes = in_brackets((!scrapes.is_empty()).then(|| joined(scrapes, "; ", note_text)));
            let gap = gap_text(*source, *gap);
            format!("{gap}{scrapes}, and {said} {} say how long they took", events(*source))
        }
        Note::HistogramMalformed { source, intervals } => format!("{source} made no sense in {intervals} intervals"),
        Note::EventsArrived { p99_ms, ready_p99_ms } => {
            let (p99, round_trips) = (whole(*p99_ms), round_trips(*ready_p99_ms));
            format!("events arrived within {p99} of their time at p99 (steady, clock offset taken out){round_trips}")
        }
        Note::EventsUntimed { cause, ready_p99_ms } => untimed(cause.as_ref(), *ready_p99_ms),
        Note::ArrivalsUnclear(doubt) => unclear(*doubt),
        Note::LateArrivalsNoProof(doubt) => no_proof(*doubt),
        Note::EventsHeldBack { stream } => format!(
            "stream {stream} shows events late (see sse_write_p99): those that it lacks may be held back from it, and come \
             once there are more"
        ),

        Note::ProbesUnheard { probes } => {
            format!(
                "{probes} probes without an answer are not counted: the harness itself stood still while they waited"
            )
        }
        Note::RequestsRepeated { requests } => format!(
            "{requests} were sent once more, as browsers do: the gateway closed the connection just when they were sent"
        ),
        Note::RunsUnread { runs } => format!(
            "the record of {runs} runs could not be read, so nobody can say how they ended: a limit of S2's, which the \
             record names (`limits.answer_size` in the dialect, where it is the size)"
        ),
        Note::RunsUnended { runs, first } => {
            let named = |run: &Violation| match &run.answer {
                Some(answer) => format!("{} {answer}", run.subject),
                None => run.subject.clone(),
            };
            format!(
                "{runs} runs had not ended when the soak did ({}), with no chaos in between: a gateway that never ends some of \
                 its runs runs out of something in time. If runs may take that long, a longer `timeout` in \
                 [w1_realistic_runs] says so",
                joined(first, ", ", named)
            )
        }
        Note::StreamsClosed { streams } => format!("{streams} streams were closed in good order, which is no drop"),
        Note::StreamsSilent { streams } => format!(
            "S2 closed {streams} streams itself, since nothing came on them for [limits] stream_idle, which is no drop"
        ),
        Note::ClosedAtOneAge { streams, low_us, median_us, high_us } => {
            let [low, median, high] = [low_us, median_us, high_us].map(|us| Duration::from_micros(*us));
            format!(
                "{streams} streams were closed in good order at the same age ({:.0} s to {:.0} s): if that is how long the \
                 gateway lets a stream live, the dialect says so with [limits] connection_age = \"{}\"",
                low.as_secs_f64(),
                high.as_secs_f64(),
                as_setting(median)
            )
        }
        Note::AnswersUnread { answers } => {
            format!("{answers} answers could not be read, a limit of S2's, and count as no error")
        }
        Note::ErrorsByRoute { routes } => {
            let routes = joined(routes, ", ", |(route, count)| format!("{route} {count}"));
            format!("by route, of those on record: {routes}")
        }
        Note::IncidentsMissing { samples } => {
            format!("{samples} have no incident: the record had no room, or the request failed")
        }

        Note::EventsOversized { deliveries } => format!(
            "{deliveries} deliveries of events were skipped and not compared: they are larger than `limits.event_size` in \
             the dialect allows"
        ),
        Note::EventsNotCompared { events, types, more_types } => {
            let shown = joined(types, ", ", |(kind, count)| match kind.as_str() {
                "" => format!("without type and data {count}"),
                kind => format!("`{kind}` {count}"),
            });
            let further = if *more_types == 0 { String::new() } else { format!(" and {more_types} further types") };
            format!(
                "{events} events of types that the dialect does not use for runs were not compared: {shown}{further} ([events] \
                 ignore silences them)"
            )
        }
        Note::LinesRepeated { lines } => {
            format!("{lines} log lines came again with the same time under other ids, as often as their runs have them")
        }
        Note::RepetitionsUndecided { lines } => format!(
            "{lines} log lines came again with the same time under other ids, and no complete record says how often \
             their runs have them: calls.get_run.logs and calls.get_run.message must lead to all log lines of a run"
        ),
        Note::EventsForgotten { events } => {
            format!("the ledger forgot {events} events before every client had passed them")
        }
        Note::RunsCompared { comparisons, succeeded } => format!(
            "{comparisons} comparisons of streams with the record of a run, of {succeeded} runs that succeeded; none where a \
             chaos window or a pause of the harness interfered"
        ),
        Note::RunsUncompared { runs } => format!(
            "{runs} runs were not compared with their records: more ran at once than the harness watches, or a log \
             line had no message (events.message)"
        ),
        Note::RecordsEmpty { runs } => format!(
            "the records of {runs} runs have no log lines (calls.get_run.logs): a line that no stream showed goes unseen"
        ),
        Note::RecordsShorter { runs } => format!(
            "the records of {runs} runs have fewer lines than the streams showed: a record may keep some of them only"
        ),
        Note::LinesLoose { lines } => {
            format!("{lines} log lines were matched loosely: the record, or the stream, has them cut or with a prefix")
        }
        Note::LinesUndecided { lines } => format!(
            "{lines} log lines of records are on no stream, and as many lines of streams are in no record: does \
             calls.get_run.message lead to the text that events.message has?"
        ),
        Note::EndsNeverShown { runs } => format!(
            "{runs} runs ended, and no stream showed any end: events.end names the type of that event, and events.end = [] \
             says that there is none"
        ),
        Note::LinesNotReplayed { lines } => format!(
            "{lines} log lines came while their run's own stream was not open; it replays nothing ([events] \
             replay_on_run_streams = \"no\"), so they were not compared"
        ),
        Note::RunsHalfShown { runs } => format!(
            "the own stream of {runs} runs lacks lines from while it was not open; whether that is a loss [events] \
             replay_on_run_streams says: \"no\" where it delivers only what happens while it is open, else \"yes\""
        ),

        Note::Life(life) => growth::life(life),
        Note::LivesInTurn { lives } => {
            format!("several processes answer in turn, and each is judged apart; {lives} were seen")
        }
        Note::LivesInSequence { changes } => format!("the process was another {changes} times"),
        Note::GarbageUnknown { rise_percent } => growth::garbage_unknown(*rise_percent),
        Note::ProcessesRead { read, most } => {
            let most = most.map_or_else(String::new, |most| format!("; at most {most:.0} processes"));
            format!("read from the processes of this machine: {}{most}", read.join("; then "))
        }
        Note::MetricsInTurn { processes, source } => {
            let how = match source {
                SampleSource::ProcessEach => "each is judged by itself",
                SampleSource::ProcessSum | SampleSource::MetricsGauge => "the last values of all are added up",
                SampleSource::MetricsHistogram | SampleSource::Session => "what each has counted is kept apart",
            };
            format!("{processes} processes answered the metrics in turn; {how}")
        }
        Note::OwnClockSet => "our own clock was set meanwhile; what counts is the lesser drift".to_owned(),
        Note::ClockOffsets { least_ms, greatest_ms } => {
            format!("offset from {least_ms:.0} ms to {greatest_ms:.0} ms")
        }
        Note::ClockInSteps { step_ms } => format!(
            "GET /health tells the time in steps of {step_ms:.0} ms: its clock is seen to move where that is by more than a \
             step, and a step less is counted"
        ),
        Note::ClockReadingsApart { minutes } => {
            format!("readings are that far apart within {minutes} single minutes: do several clocks answer?")
        }

        Note::SourceFailed(failure) => source_text(failure),
        Note::ScrapesFailed { source, answer, failed, scrapes } => {
            format!("{source} answered {answer} ({failed} of {scrapes} scrapes)")
        }
        Note::MetricsLack { names, answer } => {
            format!("the metrics lack {}{}", names.join(", "), in_brackets(answer.clone()))
        }
        Note::NeverScraped => "the metrics were never scraped".to_owned(),

        Note::ComparedWith { baseline, started_at } => {
            format!("compared with {baseline}, of a soak that began at {started_at}")
        }
        Note::PaceDiffers { then, now } => format!("pace {} then, {} now", rounded(*then), rounded(*now)),
        Note::LengthDiffers { then_minutes, now_minutes } => {
            format!("{} minutes planned then, {} now", rounded(*then_minutes), rounded(*now_minutes))
        }
        Note::BaselineUnended => "the earlier run had not ended when its results were written".to_owned(),

        Note::Unproven(reason) => unproven_reason(reason),
        Note::Fault(of) => fault(of),
    }
}

/// The reason why a judgement is not green; none if value and target show it.
pub(crate) fn reason_text(reason: &[Note]) -> Option<String> {
    (!reason.is_empty()).then(|| joined(reason, "; ", note_text))
}

fn source_text(SourceFailure { source, answer, times, is_in_windows }: &SourceFailure) -> String {
    let times = if *times == 1 { "once".to_owned() } else { format!("{times} times") };
    let whence = if *is_in_windows { ", in chaos windows only" } else { "" };
    format!("{source} answered {answer} ({times}{whence})")
}

/// The text for a histogram of the gateway that does not decide.
fn gap_text(source: Source, gap: HistogramGap) -> String {
    match gap {
        HistogramGap::Between { lower_ms, upper_ms } => {
            let upper_ms = upper_ms.unwrap_or(f64::INFINITY);
            format!(
                "{source} puts it between {lower_ms} and {upper_ms} ms, which does not say on which side of the target"
            )
        }
        HistogramGap::Few { samples, promised } => format!("{source} has {samples} samples of {promised}"),
        HistogramGap::Empty => format!("{source} has no samples"),
    }
}

/// The events that say the same as a histogram.
const fn events(source: Source) -> &'static str {
    match source {
        Source::Judge | Source::Shield => "guard events",
        Source::SseWrite => "events",
    }
}

fn untimed(cause: Option<&UntimedCause>, ready_p99_ms: Option<f64>) -> String {
    let cause = cause.map(|cause| match cause {
        UntimedCause::Source(failure) => source_text(failure),
        UntimedCause::CoarseClock { step_ms } => {
            format!("GET /health tells the time in steps of {} only", whole(*step_ms))
        }
    });
    format!("no steady event says how long it was on its way{}{}", in_brackets(cause), round_trips(ready_p99_ms))
}

fn round_trips(p99_ms: Option<f64>) -> String {
    p99_ms.map_or_else(String::new, |p99_ms| format!("; /ready round trips take {} at p99", whole(p99_ms)))
}

fn unclear(doubt: ClockDoubt) -> String {
    let why = match doubt {
        ClockDoubt::Unknown => "nothing says how well the gateway's clock is known".to_owned(),
        ClockDoubt::SeldomRead { read, minutes } => {
            format!("the gateway's clock was read in {read} of {minutes} steady minutes")
        }
        ClockDoubt::Moves { slack_ms } => {
            format!("the gateway's clock moved, or is not known any better than to {}", whole(slack_ms))
        }
    };
    format!("nothing is concluded from arrivals: {why}")
}

fn no_proof(doubt: LateDoubt) -> String {
    let why = match doubt {
        LateDoubt::FewEvents { timed, promised } => format!("{timed} of {promised} events say how long they took"),
        LateDoubt::NoRoundTrip => "no /ready round trip says how far away the gateway is".to_owned(),
        LateDoubt::NoStart => "no run says that its events came after its start".to_owned(),
        LateDoubt::OtherClock { quick_ms, start_ms } => format!(
            "nine in ten seem to take over {}, and half of all runs show their first line {} after they were due: events \
             are not stamped by the clock of /health",
            whole(quick_ms),
            whole(start_ms)
        ),
        LateDoubt::Explained { late_ms, ready_ms, slack_ms } => format!(
            "one in ten is later than {}, of which the network and we may be {}, and the clock {}",
            whole(late_ms),
            whole(ready_ms),
            whole(slack_ms)
        ),
    };
    format!("late arrivals are no proof: {why}")
}

/// A duration as a setting. A rule is a round number, and the closings come a little later.
pub(super) fn as_setting(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().round().max(1.0);
    let nearest = [60.0, 30.0, 10.0, 5.0].into_iter().map(|step: f64| (seconds / step).round() * step);
    let round = nearest.filter(|round| *round > 0.0).find(|round| (seconds - round).abs() <= 0.02 * seconds);
    humantime::format_duration(Duration::from_secs_f64(round.unwrap_or(seconds))).to_string()
}
