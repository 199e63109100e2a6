//! The cycles of each workload: their number, and their moments as a person reads them.

use std::time::Duration;

use super::{
    Plan, PlannedChurn, Regular, millis, moment,
    render::{LISTED_MAX, list, moments},
};
use crate::catalog::Workload;

/// Churns that are listed in full, one line each, and the streams of one of them.
const CHURNS_LISTED_MAX: u64 = 48;
const STREAMS_LISTED_MAX: usize = 12;

impl Plan {
    /// The number of planned cycles of a workload. The opening of W2's streams is its first cycle.
    #[must_use]
    pub fn cycles(&self, workload: Workload) -> u64 {
        match workload {
            Workload::Runs => self.runs.count(),
            Workload::Churn => 1 + self.churns.count(),
            Workload::Registry => self.pulses.count(),
            Workload::Safety => self.safety_ms.count(),
            Workload::Privacy => self.privacy_ms.count(),
            Workload::Chaos => self.chaos.len() as u64,
            Workload::Availability => self.ticks(self.scenario.availability_every),
            Workload::Metrics => self.ticks(self.scenario.metrics_every),
        }
    }

    /// The moments of a workload, as a person reads them.
    pub(super) fn when(&self, workload: Workload) -> String {
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

    /// The number of ticks from 0 on and before the end.
    fn ticks(&self, every: Duration) -> u64 {
        Regular::before(0, millis(every), self.duration_ms).count
    }
}

fn churn_line(churn: &PlannedChurn) -> String {
    let closed = churn.streams.len();
    let streams: Vec<String> = churn.streams.iter().take(STREAMS_LISTED_MAX).map(u32::to_string).collect();
    let more = if closed > streams.len() { format!(" … ({closed} streams)") } else { String::new() };
    format!("{} closes {}{more}", moment(churn.at_ms), streams.join(" "))
}
