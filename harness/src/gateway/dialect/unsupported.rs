//! Unsupported parts of a soak: the gateway lacks a feature that they need.

use super::Dialect;
use crate::{
    catalog::{CallName, Kpi, Need, Workload},
    plan::Unsupported,
};

use CallName::{LogsStream, Publish, RunLogsStream, TogglePrivacy};
use Need::Call;

/// Workloads that need one of some calls.
const WORKLOADS: [(Workload, &[CallName]); 3] = [
    (Workload::Churn, &[LogsStream, RunLogsStream]),
    (Workload::Registry, &[Publish]),
    (Workload::Privacy, &[TogglePrivacy]),
];

impl Dialect {
    /// The parts that cannot be judged, with the reasons. `process_is_known`: the gateway's process can be watched.
    pub(crate) fn unsupported(&self, process_is_known: bool) -> Unsupported {
        let workspace_stream = self.absence(LogsStream).is_some();
        let run_streams = self.absence(RunLogsStream).is_some();
        let mut unsupported = Unsupported { workspace_stream, run_streams, ..Unsupported::default() };
        for kpi in Kpi::ALL {
            let missing = kpi.spec().needs.iter().find_map(|group| self.all_absent(group, process_is_known));
            unsupported.kpis.extend(missing.map(|why| (*kpi, why)));
        }
        if !unsupported.kpis.contains_key(&Kpi::TamperedManifests)
            && self.call(Publish).is_some_and(|spec| !spec.has_place("signature"))
        {
            let why =
                format!("the dialect {} publishes without a {{signature}}: nothing can be tampered with", self.name);
            unsupported.kpis.insert(Kpi::TamperedManifests, why);
        }
        for (workload, calls) in WORKLOADS {
            let needs: Vec<Need> = calls.iter().map(|call| Call(*call)).collect();
            unsupported.workloads.extend(self.all_absent(&needs, false).map(|why| (workload, why)));
        }
        unsupported
    }

    /// The reasons why all of a group are absent; `None` where one is there.
    fn all_absent(&self, group: &[Need], process_is_known: bool) -> Option<String> {
        let reasons = group.iter().map(|need| self.why_absent(*need, process_is_known)).collect::<Option<Vec<_>>>()?;
        Some(reasons.join("; "))
    }

    fn why_absent(&self, need: Need, process_is_known: bool) -> Option<String> {
        let name = &self.name;
        match need {
            Call(call) => self.absence(call).map(|why| format!("the dialect {name} has no {call}: {why}")),
            Need::Metric(metric) => {
                let no_metrics = self.absence(CallName::Metrics);
                let why = no_metrics.or_else(|| self.metrics.absent.get(metric).map(String::as_str))?;
                Some(format!("the dialect {name} has no {metric}: {why}"))
            }
            Need::Process if process_is_known => None,
            Need::Process => {
                Some("the gateway's process is not known: S2_GATEWAY_PID names none, and none is looked for".to_owned())
            }
        }
    }

    pub(crate) fn has(&self, call: CallName) -> bool {
        self.call(call).is_some()
    }
}
