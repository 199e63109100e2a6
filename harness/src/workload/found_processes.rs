//! For the preflight: which processes a soak would read, and whether several answer for their metrics.

use std::collections::BTreeMap;

use super::{
    gateway_process::{GatewayProcess, ProcessLookup},
    instances::{Instances, ProcessCounts, Scraped},
    process::ProcessReader,
    process_watch::Starts,
    scrape::STARTED,
};
use crate::{
    catalog::Phase,
    clock,
    gateway::{Exposition, LocalPort},
    session::StartPoint,
};

/// The processes of a gateway whose memory and descriptors a soak would read, in words.
pub(crate) fn found_processes(pid: Option<u32>, port: Option<LocalPort>) -> String {
    let mut gateway = GatewayProcess::at(pid, port);
    match gateway.look(&mut ProcessReader::default()) {
        ProcessLookup::Seen(view) => {
            let (root, name) = (view.root, &view.name);
            let descendants = match view.processes() - 1 {
                1 => "1 descendant".to_owned(),
                n => format!("{n} descendants"),
            };
            let megabytes = view.rss_bytes as f64 / 1_000_000.0;
            let fds = view.open_fds.map_or_else(
                || "descriptors cannot be counted (another user's process?)".to_owned(),
                |open| format!("{open} open descriptors"),
            );
            format!("gateway process {root} ({name}), {descendants}: {megabytes:.1} MB ({}), {fds}", view.measure)
        }
        ProcessLookup::Gone(pid) => {
            format!("there is no process {pid}, which S2_GATEWAY_PID names; the metrics speak for it")
        }
        ProcessLookup::Away | ProcessLookup::Unseen => gateway.why_unseen().unwrap_or_else(|| {
            "the gateway is on another machine, or S2_GATEWAY_PID is off: the metrics speak for its process".to_owned()
        }),
    }
}

/// Scrapes that follow each other closely, and how many processes answered them.
#[derive(Debug, Default)]
pub(crate) struct Answering {
    starts: Starts,
    instances: Instances,
}

impl Answering {
    pub(crate) fn take_in(&mut self, exposition: &Exposition) {
        let started_s = exposition.value(STARTED).map(|started_s| self.starts.known(started_s));
        let mark = StartPoint { at: clock::now(), phase: Phase::Steady };
        let counted = ProcessCounts::of(exposition);
        let _ = self.instances.take_in(started_s, false, Scraped { counted, gauges: BTreeMap::new(), mark });
    }

    /// How many processes answered in turn; `None` if it was one, as far as can be seen.
    pub(crate) fn several(&mut self) -> Option<usize> {
        let _ = self.instances.finish();
        Some(self.instances.count()).filter(|count| *count > 1 && self.instances.are_several)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn several(texts: &[&str]) -> Option<usize> {
        let mut answering = Answering::default();
        texts.iter().for_each(|text| answering.take_in(&Exposition::read(text).unwrap()));
        answering.several()
    }

    #[test]
    fn several_that_answer_in_turn_are_counted() {
        let [one, two] = [
            "process_start_time_seconds 5\nruns_started_total 7",
            "process_start_time_seconds 5\nruns_started_total 9",
        ];
        assert_eq!(None, several(&[one, one, one, one]));
        assert_eq!(None, several(&[one, one, two, two]), "it has counted two more");
        assert_eq!(Some(2), several(&[one, two, one, two]));
        let other = "process_start_time_seconds 99\nruns_started_total 7";
        assert_eq!(Some(2), several(&[one, other, one, other]));
    }

    #[test]
    fn who_is_nowhere_is_said_to_be_nowhere() {
        assert!(found_processes(None, None).contains("on another machine"));
        #[cfg(target_os = "linux")]
        assert!(found_processes(Some(std::process::id()), None).contains(" MB ("));
    }
}
