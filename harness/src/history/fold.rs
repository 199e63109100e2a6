//! The one fold over the records of a journal: the recorder, a follower, a stored journal and a takeover use the same.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    catalog::Workload,
    history::{
        SampleLimits, chart_series::ChartSeries, series::Series, timeline::Timeline, totals::Totals,
        violations::Violations,
    },
    journal::{Cycles, Header, Record},
    plan::Plan,
};

/// A fold over the records of a journal, or of several. It may be fed live, by the session or by a follower of its
/// journal, and judged at any moment.
///
/// Its memory depends on the plan (700 bytes a scenario minute for drift and readiness, and the steps of charts) and is
/// allocated at the beginning; it does not depend on the number of records.
#[derive(Debug, Clone)]
pub struct History {
    limits: SampleLimits,
    /// Whether the gateway is the embedded mock, whose memory is known.
    pub(crate) is_embedded: bool,
    is_untouched: bool,
    /// The gateway's names for the contract's routes, where they differ.
    routes: BTreeMap<String, String>,
    pub(crate) timeline: Timeline,
    pub(crate) totals: Totals,
    pub(crate) series: Series,
    pub(crate) violations: Violations,
    pub(crate) charts: ChartSeries,
}

impl History {
    /// An empty history of a soak that plays `plan`. Of samples over one of the `limits` it keeps the first.
    #[must_use]
    pub fn new(plan: &Plan, limits: &SampleLimits) -> Self {
        Self {
            limits: limits.clone(),
            is_embedded: false,
            is_untouched: true,
            routes: BTreeMap::new(),
            timeline: Timeline::of(plan),
            totals: Totals::new(plan),
            series: Series::new(plan),
            violations: Violations::default(),
            charts: ChartSeries::new(plan),
        }
    }

    /// The history of a soak that has begun with this header.
    #[must_use]
    pub fn of(header: &Header, limits: &SampleLimits) -> Self {
        Self { routes: header.routes.clone(), is_embedded: header.embedded, ..Self::new(&header.plan, limits) }
    }

    /// Takes in one record. The order of intervals does not matter.
    pub fn absorb(&mut self, record: &Record) {
        self.is_untouched &= matches!(record, Record::Header(_));
        self.timeline.absorb(record);
        self.charts.absorb(record);
        match record {
            Record::Header(_) | Record::End(_) => {}
            Record::Interval(interval) => {
                self.totals.absorb(interval, &self.limits);
                self.series.absorb(interval);
            }
            Record::Incident(incident) => {
                let ready = self.route("GET /ready").into_owned();
                self.violations.absorb(incident, &ready);
                self.series.readiness.absorb_incident(incident);
            }
        }
    }

    /// Whether nothing but headers was absorbed.
    pub(crate) const fn is_empty(&self) -> bool {
        self.is_untouched
    }

    /// The gateway's name for a route of the contract. A remark in brackets after the route is kept.
    pub(crate) fn route<'a>(&'a self, of_contract: &'a str) -> Cow<'a, str> {
        let (route, special) = of_contract.split_at(of_contract.find(" (").unwrap_or(of_contract.len()));
        match self.routes.get(route) {
            Some(called) => Cow::Owned(format!("{called}{special}")),
            None => Cow::Borrowed(of_contract),
        }
    }

    /// The cycles of a workload. A cycle that was cut by the death of a session does not count as started.
    pub(crate) fn cycles(&self, workload: Workload) -> Cycles {
        let mut cycles = self.totals.cycles.get(&workload).copied().unwrap_or_default();
        cycles.started = cycles.started.saturating_sub(self.timeline.cut.get(&workload).copied().unwrap_or(0));
        cycles
    }
}
