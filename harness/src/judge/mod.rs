//! Pure functions from plan and journal to verdicts. A stored journal can be judged again, with other targets.
//!
//! Records are folded into a [`History`](crate::history::History), and [`judge`] reads it: one family of KPIs a file.
//!
//! # Drift
//!
//! Memory, descriptors, streams and waiting runs are judged by floors: the least value of each scenario minute, out of
//! chaos windows, after ten minutes of warm-up. A restart of the process begins another life, with its own warm-up;
//! lives are judged apart, and the worst counts. A life with fewer than ten floors is not judged.
//!
//! - Floors that never fall by half the target are judged by a Theil–Sen line, from its first minute to its last.
//! - A Theil–Sen line is level where most floors are. Where the last ten are all over the first three, by more than the
//!   line rises, that counts: a step that stays, or growth that begins late.
//! - Floors that fall have teeth, as a garbage collector makes them. A Theil–Sen line goes through the floors of the
//!   teeth, extended over the life.
//! - With one fall in a life there is one floor, and no line. The least growth that agrees with it counts: from the
//!   beginning to that floor, or from the peak before it to the values after it.
//! - Memory that rises once without a fall is a leak or half a tooth, and the record cannot show which. A healthy tooth
//!   is at most 16 % high and two hours wide (8 % an hour), or as high as one that fell in another life. A lower rise
//!   is no growth, and a note says so; a higher one counts in full. In a life of 75 minutes or less the slowest tooth
//!   takes nothing from the target of 10 %. Counts, and the harness's own memory, have no such allowance.
//!
//! The accuracy over synthetic soaks of two hours on a process of 200 MB, sampled every ten seconds, with the chaos
//! windows of the full plan; in two lives, the gateway's restart at T+75 is one of its process. False alarms are
//! healthy soaks of 1,000 that are not green; leak is the smallest that is found nine times in ten, and limit the leak
//! that the target allows, both in MB an hour (descriptors: in descriptors an hour). Computed in under a minute by
//!
//! ```sh
//! cargo run --release -p s2-harness --example drift_figures
//! ```
//!
//! | two hours of | one life: false alarms | leak | limit | two lives: false alarms | leak | limit |
//! |---|---|---|---|---|---|---|
//! | flat | 0.0 % | 18.2 | 16.0 | 0.0 % | 19.5 | 18.5 |
//! | noise, 0.5 to 1.5 % | 0.0 % | 18.5 | 16.0 | 0.0 % | 20.2 | 18.5 |
//! | noise, 3 % | 0.1 % | 18.5 | 16.0 | 0.0 % | 23.0 | 18.5 |
//! | fast sawtooth, ±8 % | 0.0 % | 17.0 | 16.0 | 0.3 % | 20.0 | 18.5 |
//! | slow wave, ±3 % | 0.0 % | 21.0 | 16.0 | 0.0 % | 24.8 | 18.5 |
//! | a step up of 5 % | 0.0 % | 18.8 | 16.0 | 0.0 % | 20.0 | 18.5 |
//! | two steps down of 3 to 6 % | 0.0 % | 29.8 | 25.8 | 0.0 % | 37.5 | 35.1 |
//! | warm-up of 25 % | 0.0 % | 18.5 | 16.0 | 0.0 % | 20.0 | 18.5 |
//! | slow sawtooth, 1 tooth | 0.0 % | 27.0 | 10.9 | 0.0 % | 42.0 | 18.5 |
//! | slow sawtooth, 2 teeth | 0.0 % | 12.5 | 10.9 | 0.0 % | 37.2 | 18.5 |
//! | slow sawtooth, 3 teeth | 0.0 % | 12.0 | 10.9 | 0.0 % | 25.2 | 18.5 |
//! | slow sawtooth, 4 teeth | 0.0 % | 11.8 | 10.9 | 0.0 % | 20.5 | 18.5 |
//! | the same from the floor, 1 tooth | 0.0 % | 2.5 | 10.9 | 0.0 % | 4.0 | 18.5 |
//! | the same from the floor, 2 teeth | 0.0 % | 12.2 | 10.9 | 0.0 % | 25.8 | 18.5 |
//! | slow with gentle falls, 1 tooth | 0.1 % | 26.8 | 10.9 | 0.0 % | 39.0 | 18.5 |
//! | slow with gentle falls, 3 teeth | 0.0 % | 12.0 | 10.9 | 0.2 % | 23.5 | 18.5 |
//! | slow under fast, 1 tooth | 0.7 % | 26.2 | 10.9 | 0.0 % | 44.2 | 18.5 |
//! | slow under fast, 2 teeth | 0.0 % | 13.5 | 10.9 | 0.0 % | 34.5 | 18.5 |
//! | slow and uneven, 2 teeth | 0.1 % | 15.0 | 10.9 | 0.0 % | 35.5 | 18.5 |
//! | slow and uneven, 4 teeth | 0.0 % | 12.8 | 10.9 | 0.1 % | 23.8 | 18.5 |
//! | descriptors, 0 to 3 more at times | 0.0 % | 3.0 | 2.7 | 0.0 % | 5.0 | 4.6 |
//!
//! One life without a fall has a limit of 16 MB an hour, since a smaller leak is the same series as a healthy tooth of
//! two hours that begins with the soak. With one fall in a life the width of the tooth is unknown, so a leak hides
//! until floors or peaks have risen over half of the life: one tooth, and few teeth in two short lives, hide a larger
//! one. A tooth that begins at its floor and never falls has used up its allowance: a small leak on top shows.
//!
//! # Memory of runtimes with a garbage collector
//!
//! Resident memory of such a runtime holds garbage that nothing has forced its collector to free. `rss_drift` judges
//! memory in use, by the best source: the heap after full collections, by the runtime's own metrics; memory right after
//! collections that S2 requests; or resident memory, of which a process under 160 MB may gain 16 MB.
//!
//! Played at pace 1 with the default plan and load, two hours each, at small gateways on real runtimes (Node 20,
//! CPython 3.11; `tests/runtimes`), fourteen at a time on two processors. The leak is retained on the heap.
//!
//! | source | no leak | 5 MB an hour | 10 MB an hour | 20 MB an hour |
//! |---|---|---|---|---|
//! | Node, metrics of the heap | 2.0 %, pass | 30.7 %, fail | 58.9 %, fail | 105.2 %, fail |
//! | Node, a collection on request | 1.1 %, pass | 33.3 %, fail | 56.9 %, fail | not played |
//! | Node, resident memory | 1.6 %, pass | not played | 24.2 %, fail | 46.9 %, fail |
//! | CPython, resident memory | 2.3 %, pass | 7.7 %, **pass** | 12.5 %, fail | 23.4 %, fail |
//!
//! All else was green. The smallest leak that is found by resident memory is between 5 and 10 MB an hour; by the other
//! two it is 5 MB an hour or less.
//!
//! Memory needs real time. Resident memory in MB by the minute of these soaks:
//!
//! | minute | 0 | 1 | 2 | 5 | 10 | 20 | 30 | 60 | 90 | 119 |
//! |---|---|---|---|---|---|---|---|---|---|---|
//! | Node | 51.4 | 57.5 | 59.4 | 64.8 | 66.1 | 66.1 | 68.1 | 68.1 | 67.8 | 68.2 |
//! | CPython | 24.9 | 27.0 | 28.2 | 30.3 | 31.0 | 33.0 | 33.1 | 34.3 | 34.7 | 35.2 |
//!
//! Node gains a quarter in its first five minutes and 3 % from the tenth to the thirtieth; CPython gains 22 % in five
//! and 7 % from the tenth to the thirtieth. In two hours that are compressed into two minutes (pace 60), with the same
//! runs in a sixtieth of the time, three other healthy gateways drifted by 13.7 % (Node), 8.3 % (a cluster of Node) and
//! 2.9 % (CPython), and the mock, a native process, at pace 120 by 1.4 %. So a soak of less than half an hour of real
//! time (`[drift] min_real_time`) does not judge memory of a gateway other than the embedded mock.
//!
//! Nor does it judge that gateway's descriptors and its count of streams. A gateway that forwards has two or three
//! descriptors for each stream and keeps connections to its backend for its idle limit (5 seconds in Node, 90 in Go and
//! in reqwest); one that notices a closed client at its next comment (15 to 30 seconds) counts streams beyond ours
//! until then. At pace 1 both are over before the end of a minute, whose least value has none of them. At pace 120 they
//! last for many scenario minutes: a healthy cluster of Node in front of an engine "grew" by 13.75 descriptors where
//! the machine stood still.

mod budget;
mod checks;
#[cfg(test)]
pub(crate) mod fixtures;
mod kpi;
mod stats;
mod verdict;
mod verdicts;

#[cfg(test)]
mod arrivals_tests;
#[cfg(test)]
mod baseline_tests;
#[cfg(test)]
mod drift_tests;
#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod held_back_tests;
#[cfg(test)]
mod lateness_tests;
#[cfg(test)]
mod processes_in_turn_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod range_tests;
#[cfg(test)]
mod recovery_tests;
#[cfg(test)]
mod retained_tests;
#[cfg(test)]
mod stream_habits_tests;
#[cfg(test)]
mod streams_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod told_tests;
#[cfg(test)]
mod undecided_tests;

pub(crate) use kpi::{
    chaos::ChaosReport,
    drift::{DriftTrace, drift_traces},
    is_already_certain, may_be_certain_early,
    scale::TOOTH_PERCENT,
};
pub(crate) use stats::confidence::Range;
pub(crate) use stats::growth::{By, Growth};
#[cfg(test)]
pub(crate) use stats::trend::TrendLine;
pub use verdict::{
    baseline::Comparison,
    judgement::{Judgement, Verdict},
    targets::Targets,
};
pub(crate) use verdict::{
    baseline::{Baseline, Change, Compared},
    fault::{Fault, LateEvents, LateStarts},
    judgement::{Evidence, Judged, PhaseValue},
    note::{ClockDoubt, HistogramGap, LateDoubt, LifeGrowth, Note, RetainedBy, SourceFailure, UntimedCause},
    unproven_reason::{LatePart, UnprovenReason},
};
pub use verdicts::{Verdicts, judge};
