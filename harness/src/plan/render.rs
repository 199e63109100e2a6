//! The plan as a person reads it.

use std::fmt;

use super::{Plan, PlannedChurn, Recurring, Regular};
use crate::catalog::Workload;

/// Moments that are listed in full.
const LISTED_MAX: u64 = 12;
/// Churns that are, one line each, and the streams of one of them.
const CHURNS_LISTED_MAX: u64 = 48;
const STREAMS_LISTED_MAX: usize = 12;
/// Of a longer list, this number of the first items is shown, and the last.
const FIRST_LISTED: u64 = 3;

/// A moment of scenario time as `T+45:00` (minutes and seconds).
#[must_use]
pub fn moment(at_ms: u64) -> String {
    let seconds = at_ms / 1_000;
    format!("T+{:02}:{:02}", seconds / 60, seconds % 60)
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.duration_ms / 60_000;
        writeln!(f, "{}: {minutes} min of scenario at pace {}, seed {}", self.suite, self.pace, self.seed)?;
        writeln!(f)?;
        for workload in Workload::of(self.suite) {
            let cycles = self.cycles(workload);
            let unit = if cycles == 1 { "cycle" } else { "cycles" };
            writeln!(f, "{workload:<20} {cycles:>5} {unit:<6}  {}", self.when(workload))?;
        }
        writeln!(f, "{:<20} {:>5}         {}", "heartbeat", self.heartbeats_ms.count(), moments(&self.heartbeats_ms))?;
        writeln!(f, "{:<20} {:>5}         {}", "snapshot", self.snapshots_ms.count(), moments(&self.snapshots_ms))?;
        writeln!(f)?;
        writeln!(f, "samples promised")?;
        for (kpi, samples) in self.promises.iter() {
            writeln!(f, "  {kpi:<24} {samples:>6}")?;
        }
        Ok(())
    }
}

impl Plan {
    fn when(&self, workload: Workload) -> String {
        match workload {
            Workload::Runs => {
                let own = self.runs.own_streams(0..self.runs.count());
                let agents = self.scenario.runs.agents.iter().map(|(agent, _)| agent);
                let agents: Vec<String> =
                    agents.map(|agent| format!("{agent} {}", self.runs.of_agent(agent))).collect();
                let moment_of = |number| Some(moment(self.runs.get(number)?.at_ms));
                let when = list(self.runs.count(), LISTED_MAX, ", ", moment_of);
                format!("{when}; {own} with a stream of their own; {}", agents.join(", "))
            }
            Workload::Churn => {
                let line = |number| self.churns.get(number).map(|churn| churn_line(&churn));
                let next_line = format!("\n{:35}", "");
                let churns = list(self.churns.count(), CHURNS_LISTED_MAX, &next_line, line);
                format!("T+00:00 opens {}{next_line}{churns}", self.scenario.streams.count)
            }
            Workload::Registry => list(self.pulses.count(), LISTED_MAX, ", ", |number| {
                let pulse = self.pulses.get(number)?;
                let tampered = if pulse.tampered { " and a tampered manifest" } else { "" };
                Some(format!("{}{tampered}", moment(pulse.at_ms)))
            }),
            Workload::Safety => moments(&self.safety_ms),
            Workload::Privacy => moments(&self.privacy_ms),
            Workload::Availability => format!("every {:?}", self.scenario.availability_every),
            Workload::Metrics => format!("every {:?}", self.scenario.metrics_every),
            Workload::Chaos => {
                let events = self.chaos.iter().map(|event| format!("{} {}", moment(event.at_ms), event.chaos));
                events.collect::<Vec<_>>().join(", ")
            }
        }
    }
}

fn churn_line(churn: &PlannedChurn) -> String {
    let closed = churn.streams.len();
    let streams: Vec<String> = churn.streams.iter().take(STREAMS_LISTED_MAX).map(u32::to_string).collect();
    let more = if closed > streams.len() { format!(" … ({closed} streams)") } else { String::new() };
    format!("{} closes {}{more}", moment(churn.at_ms), streams.join(" "))
}

fn moments(sequence: &Recurring<Regular>) -> String {
    list(sequence.count(), LISTED_MAX, ", ", |number| sequence.get(number).map(moment))
}

/// Up to `max` items in full, else the first few and the last. There may be millions.
fn list(count: u64, max: u64, between: &str, item: impl Fn(u64) -> Option<String>) -> String {
    let join = |numbers: std::ops::Range<u64>| numbers.filter_map(&item).collect::<Vec<_>>().join(between);
    if count <= max {
        return join(0..count);
    }
    format!("{}{between}… {}", join(0..FIRST_LISTED), join(count - 1..count))
}
