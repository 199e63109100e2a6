//! The plan as a person reads it.

use std::fmt;

use super::{Arrivals, Moments, Plan};
use crate::catalog::Workload;

/// Moments that are listed in full.
const LISTED_MAX: u64 = 12;

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
        writeln!(f, "{:<20} {:>5}         {}", "heartbeat", self.heartbeats_ms.len(), list(&self.heartbeats_ms))?;
        writeln!(f, "{:<20} {:>5}         {}", "snapshot", self.snapshots_ms.len(), list(&self.snapshots_ms))?;
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
                let agents = self.scenario.runs.agents.iter().map(|(agent, _)| {
                    let count = self.runs.of_agent(agent);
                    format!("{agent} {count}")
                });
                let agents: Vec<String> = agents.collect();
                format!("{}; {own} with a stream of their own; {}", arrivals(&self.runs), agents.join(", "))
            }
            Workload::Churn => {
                let churns = self.churns.iter().map(|churn| {
                    let streams: Vec<String> = churn.streams.iter().map(u32::to_string).collect();
                    format!("{} closes {}", moment(churn.at_ms), streams.join(" "))
                });
                let churns: Vec<String> = churns.collect();
                format!(
                    "T+00:00 opens {}\n{:35}{}",
                    self.scenario.streams.count,
                    "",
                    churns.join(&format!("\n{:35}", ""))
                )
            }
            Workload::Registry => {
                let pulses = self.pulses.iter().map(|pulse| {
                    let tampered = if pulse.tampered { " and a tampered manifest" } else { "" };
                    format!("{}{tampered}", moment(pulse.at_ms))
                });
                pulses.collect::<Vec<_>>().join(", ")
            }
            Workload::Chaos => {
                let events = self.chaos.iter().map(|event| format!("{} {}", moment(event.at_ms), event.chaos));
                events.collect::<Vec<_>>().join(", ")
            }
            other => match self.moments(other) {
                Moments::Of(runs) => arrivals(runs),
                Moments::At(moments_ms) => list(&moments_ms),
                Moments::Every(every) => format!("every {every:?}"),
            },
        }
    }
}

/// The moments of arrivals, of which there may be millions.
fn arrivals(runs: &Arrivals) -> String {
    let last = runs.count().saturating_sub(1);
    let numbers =
        if last > LISTED_MAX { (0..LISTED_MAX).chain([last]).collect() } else { (0..=last).collect::<Vec<_>>() };
    let moments_ms: Vec<u64> = numbers.into_iter().filter_map(|number| runs.get(number)).map(|run| run.at_ms).collect();
    list(&moments_ms)
}

/// Up to a dozen moments in full, else the first three and the last.
fn list(moments_ms: &[u64]) -> String {
    let shown = |moments: &[u64]| moments.iter().map(|at| moment(*at)).collect::<Vec<_>>().join(", ");
    match moments_ms {
        [first @ .., last] if first.len() as u64 >= LISTED_MAX => {
            format!("{}, … {}", shown(&first[..3]), moment(*last))
        }
        all => shown(all),
    }
}
