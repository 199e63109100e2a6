//! One scrape of the gateway's metrics, and what is taken of it.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::{
    fewest::Fewest,
    freshness::Freshness,
    heap_intake::{Collections, take_in_heap},
    instances::{Gains, Instances, ProcessCounts, Scraped},
    process_watch::{Starts, began_within, note_life},
};
use crate::{
    catalog::CallName,
    clock,
    gateway::{Exposition, Outcome, Unusable},
    journal::{Counter, Finding, Gauge, Source, clip},
    session::{Context, StartPoint},
};

/// Metrics without which a KPI has no source, and the gauge that each feeds.
const GAUGES: [(&str, Gauge); 2] =
    [("run_queue_depth", Gauge::GatewayQueueDepth), ("runs_concurrent_gauge", Gauge::GatewayRunsConcurrent)];

/// When the process that answers began: by it one is told from another.
pub(super) const STARTED: &str = "process_start_time_seconds";
const RSS: &str = "process_resident_memory_bytes";

/// Facts that were known at the request for the metrics.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScrapeContext {
    /// Runs that the gateway had accepted the start of.
    pub(super) runs: u64,
    /// Where the metrics speak for the gateway's processes: the connections that we held meanwhile, as far as that is known.
    pub(super) by_metrics: Option<Option<usize>>,
    pub(super) mark: StartPoint,
    /// Whether the gateway has just collected its garbage.
    pub(super) is_collected: bool,
}

/// The data of all scrapes so far.
#[derive(Debug, Default)]
pub(super) struct Intake {
    starts: Starts,
    instances: Instances,
    collections: Collections,
    /// How many processes the journal was told to answer in turn.
    told_processes: usize,
    /// The latest scrape that was taken in: an earlier one that comes later is passed over.
    latest: Option<Instant>,
    /// Our connections, and our open streams, at the last scrapes.
    connections: Fewest,
    streams: Fewest,
    /// When the scrape that was taken in last was answered.
    answered: Option<Instant>,
    /// Whether the metrics live.
    freshness: Freshness,
    /// Names that were missing from the scrape before, so that each is said once.
    missing: BTreeSet<&'static str>,
    /// Names of which nothing could be taken from the scrape before, likewise.
    unusable: BTreeSet<String>,
    /// Whether there was more in it than is looked at, likewise.
    was_cut: bool,
}

impl Intake {
    /// Takes in an answer.
    pub(super) fn take_in(&mut self, context: &Context, outcome: Outcome, asked: ScrapeContext) {
        let mark = asked.mark;
        context.recorder.count(Counter::Scrapes, mark);
        self.streams.push(clock::now(), context.shared_streams.take_least_streams_open());
        let exposition = match outcome {
            Ok(answer) if context.calls.client.is_yes(CallName::Metrics, &answer) => {
                match Exposition::of(&answer, &context.calls.client.dialect().metrics) {
                    Some(exposition) => exposition,
                    None => return scrape_failed(context, format!("{answer} (no metrics in it)"), mark),
                }
            }
            Ok(answer) => return scrape_failed(context, answer.to_string(), mark),
            Err(trouble) => return scrape_failed(context, trouble.text, mark),
        };
        if self.latest.is_some_and(|latest| latest >= mark.at) {
            return context.recorder.count(Counter::ScrapesOk, mark);
        }
        self.latest = Some(mark.at);
        if let Some(stale) = self.freshness.stale(&exposition, asked.runs, mark.at) {
            return scrape_failed(context, format!("200, but {stale}"), mark);
        }
        context.recorder.count(Counter::ScrapesOk, mark);
        tell_unusable(context, &exposition, self, mark);
        let mut missing = BTreeSet::new();
        // Of two scrapes under way at once nobody knows which was answered first: counts of one process may seem to fall.
        let is_after = self.answered.is_none_or(|answered| mark.at >= answered);
        self.answered = Some(clock::now());
        if is_after {
            self.tell_apart(context, &exposition, asked, &mut missing);
        } else if self.instances.are_several() {
            *context.exposition.lock() = Some(exposition);
            return;
        } else {
            missing.extend(self.missing.get(STARTED));
        }
        if let Some(heap) = exposition.heap {
            let ended = self.collections.have_ended(self.instances.name(), heap.collections) || asked.is_collected;
            take_in_heap(context, heap, ended, mark);
        }
        if let Some(bytes) = exposition.value(RSS).filter(|_| asked.is_collected && asked.by_metrics.is_some()) {
            context.recorder.gauge(Gauge::GatewayRssCollected, bytes, mark);
        }
        if let Some(Some(connections)) = asked.by_metrics {
            self.connections.push(clock::now(), connections);
        }
        let ours = self.ours(asked);
        take_in_gauges(context, &exposition, &self.instances, ours, &mut missing, mark);
        missing.extend(
            Source::ALL.iter().map(|source| source.name()).filter(|name| !exposition.histograms.contains_key(*name)),
        );
        missing.retain(|name| !context.calls.client.dialect().metrics.absent.contains_key(*name));
        for name in missing.difference(&self.missing) {
            context.recorder.incident_since(Finding::MetricMissing { name: (*name).to_owned() }, mark);
        }
        self.missing = missing;
        *context.exposition.lock() = Some(exposition);
    }

    /// Of ours, what the gateway's counts are held against. A sum over several processes has values of earlier scrapes in it.
    fn ours(&self, asked: ScrapeContext) -> Ours {
        let scrapes = if self.instances.are_several() { 2 * self.instances.count() } else { 1 };
        let fewest = |of: &Fewest| of.over(scrapes, asked.mark.at);
        Ours {
            streams: fewest(&self.streams),
            connections: asked.by_metrics.map(|known| known.and_then(|_| fewest(&self.connections))),
        }
    }

    /// No further scrape comes: what was held back is taken in.
    pub(super) fn finish(&mut self, context: &Context) {
        record(context, self.instances.finish());
    }

    /// Finds out which process answered, and takes in what it has counted.
    fn tell_apart(
        &mut self,
        context: &Context,
        exposition: &Exposition,
        asked: ScrapeContext,
        missing: &mut BTreeSet<&'static str>,
    ) {
        let mark = asked.mark;
        // What it has counted since it began is of the soak where it began within it.
        let started_s = exposition.value(STARTED).map(|started_s| self.starts.known(started_s));
        let offset_us = context.gateway_clock.offset_us().unwrap_or(0);
        let is_of_soak = started_s.is_some_and(|started_s| began_within(context, started_s, offset_us));
        let part = |name: &&'static str| Some((*name, exposition.value(name)?));
        let gauges: BTreeMap<&'static str, f64> = PARTS.iter().filter_map(part).collect();
        let counted = ProcessCounts::of(exposition);
        let gains = self.instances.take_in(started_s, is_of_soak, Scraped { counted, gauges, mark });
        record(context, gains);
        if asked.by_metrics.is_some() {
            match self.instances.name() {
                Some(name) => note_life(context, name, is_of_soak && !self.instances.are_several()),
                None => {
                    missing.insert(STARTED);
                }
            }
        }
        let processes = if self.instances.are_several() { self.instances.count() } else { 1 };
        if std::mem::replace(&mut self.told_processes, processes) != processes && self.instances.are_several() {
            let count = u32::try_from(processes).unwrap_or(u32::MAX);
            context.recorder.incident_since(Finding::SeveralAnswer { processes: count }, mark);
        }
    }
}

fn record(context: &Context, gains: Gains) {
    for (source, gained, mark) in gains {
        context.recorder.source(source, &gained, mark);
    }
}

/// Reports unusable metrics, once while they stay unusable. A KPI that uses one of these names lacks it. A duplicate series is
/// wrong for any metric, and is always reported. Any other fault is reported only if a KPI uses the metric: a value that is not a
/// number may be right elsewhere.
fn tell_unusable(context: &Context, exposition: &Exposition, state: &mut Intake, mark: StartPoint) {
    let told = std::mem::replace(&mut state.unusable, exposition.unusable.keys().cloned().collect());
    let is_news = |name: &str, why: &Unusable| !told.contains(name) && (*why == Unusable::Twice || is_asked_for(name));
    for (name, why) in exposition.unusable.iter().filter(|(name, why)| is_news(name, why)) {
        scrape_failed(context, format!("200, but {} {why}: nothing of it is taken", clip(name)), mark);
    }
    if exposition.is_cut && !state.was_cut {
        let series = Exposition::SERIES_MAX;
        scrape_failed(context, format!("200, but with over {series} series: the others are not looked at"), mark);
    }
    state.was_cut = exposition.is_cut;
}

/// Whether a KPI lives on a name.
fn is_asked_for(name: &str) -> bool {
    let processes = [RSS, "process_open_fds", STARTED];
    GAUGES.iter().any(|(gauge, _)| *gauge == name)
        || Source::ALL.iter().any(|source| source.name() == name)
        || name == "sse_active_connections"
        || processes.contains(&name)
}

/// Gauges of which each process has a part. Of several processes the sum of their last values counts: which of them has a
/// stream or a run is chance.
const PARTS: [&str; 4] = ["run_queue_depth", "runs_concurrent_gauge", "sse_active_connections", "process_open_fds"];

/// Of ours, what the gateway's counts are held against.
struct Ours {
    streams: Option<usize>,
    /// Where the metrics speak for the gateway's processes, as far as they are known.
    connections: Option<Option<usize>>,
}

fn take_in_gauges(
    context: &Context,
    exposition: &Exposition,
    instances: &Instances,
    ours: Ours,
    missing: &mut BTreeSet<&'static str>,
    mark: StartPoint,
) {
    let mut sample = |name: &'static str, gauge: Gauge, less: f64| match exposition.value(name) {
        Some(value) => {
            let whole = if instances.are_several() && PARTS.contains(&name) { instances.sum(name) } else { None };
            context.recorder.gauge(gauge, whole.unwrap_or(value) - less, mark);
        }
        None => {
            missing.insert(name);
        }
    };
    for (name, gauge) in GAUGES {
        sample(name, gauge, 0.0);
    }
    let less = |held: usize| held as f64;
    sample("sse_active_connections", Gauge::GatewaySse, 0.0);
    if let Some(streams) = ours.streams {
        sample("sse_active_connections", Gauge::GatewaySseSurplus, less(streams));
    }
    if let Some(connections) = ours.connections {
        sample(RSS, Gauge::GatewayRss, 0.0);
        sample("process_open_fds", Gauge::GatewayFds, 0.0);
        if let Some(connections) = connections {
            context.recorder.gauge(Gauge::HarnessConnections, less(connections), mark);
            sample("process_open_fds", Gauge::GatewayFdSurplus, less(connections));
        }
    }
}

fn scrape_failed(context: &Context, answer: String, mark: StartPoint) {
    let source = context.calls.client.dialect().route(CallName::Metrics).to_owned();
    let finding = Finding::SourceFailed { source, answer: clip(&answer) };
    context.recorder.incident_since(finding, mark);
}
