//! The KPIs and workloads that are not judged, with the reasons.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    catalog::{Kpi, Workload},
    judge::Judged,
    plan::Unsupported,
};

/// The waivers of a suite: by the settings, and for features that the gateway does not support.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waivers {
    settings: BTreeMap<Kpi, String>,
    unsupported: Unsupported,
}

impl Waivers {
    pub(crate) const fn new(settings: BTreeMap<Kpi, String>, unsupported: Unsupported) -> Self {
        Self { settings, unsupported }
    }

    /// The reason of a waiver. The reason in the settings is the team's own, and comes first.
    pub(crate) fn reason(&self, kind: Judged, name: &str) -> Option<&str> {
        let Self { settings, unsupported } = self;
        let reason = match kind {
            Judged::Kpi => {
                let kpi = Kpi::from_name(name)?;
                settings.get(&kpi).or_else(|| unsupported.kpis.get(&kpi))
            }
            Judged::Workload => unsupported.workloads.get(&Workload::from_name(name)?),
            Judged::Harness => None,
        };
        reason.map(String::as_str)
    }

    /// The names and the reasons of all waivers: those of the settings first, in the order of the names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let Self { settings, unsupported } = self;
        let by_settings: BTreeMap<&str, &String> = settings.iter().map(|(kpi, reason)| (kpi.name(), reason)).collect();
        let kpis = unsupported.kpis.iter().filter(|(kpi, _)| !settings.contains_key(kpi));
        let kpis = kpis.map(|(kpi, reason)| (kpi.name(), reason));
        let workloads = unsupported.workloads.iter().map(|(workload, reason)| (workload.name(), reason));
        let chaos = unsupported.chaos.iter().map(|(chaos, reason)| (chaos.name(), reason));
        by_settings.into_iter().chain(kpis).chain(workloads).chain(chaos).map(|(name, reason)| (name, reason.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Chaos;

    fn waivers() -> Waivers {
        let why = |text: &str| text.to_owned();
        let unsupported = Unsupported {
            kpis: [(Kpi::RssDrift, why("no pid")), (Kpi::QueueDrift, why("no queue"))].into(),
            workloads: [(Workload::Registry, why("no registry"))].into(),
            chaos: [(Chaos::RedisRestart, why("no redis"))].into(),
            ..Unsupported::default()
        };
        Waivers::new([(Kpi::RssDrift, why("a cache")), (Kpi::JudgeP95, why("no judge"))].into(), unsupported)
    }

    #[test]
    fn the_settings_reason_comes_first() {
        let waivers = waivers();
        assert_eq!(Some("a cache"), waivers.reason(Judged::Kpi, "rss_drift"));
        assert_eq!(Some("no queue"), waivers.reason(Judged::Kpi, "queue_drift"));
        assert_eq!(None, waivers.reason(Judged::Kpi, "fd_drift"));
        let listed = [
            ("judge_p95", "no judge"),
            ("rss_drift", "a cache"),
            ("queue_drift", "no queue"),
            (Workload::Registry.name(), "no registry"),
            (Chaos::RedisRestart.name(), "no redis"),
        ];
        assert_eq!(listed, *waivers.iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_name_is_waived_only_for_its_own_kind() {
        let waivers = waivers();
        assert_eq!(Some("no registry"), waivers.reason(Judged::Workload, Workload::Registry.name()));
        for (kind, name) in [(Judged::Workload, "rss_drift"), (Judged::Harness, "rss_drift"), (Judged::Kpi, "none")] {
            assert_eq!(None, waivers.reason(kind, name), "{kind:?} {name}");
        }
    }
}
