//! One scrape of the gateway's metrics, and its samples.

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

/// Start of the process that answers, which distinguishes it from others.
pub(super) const STARTED: &str = "process_start_time_seconds";
const RSS: &str = "process_resident_memory_bytes";
const SSE: &str = "sse_active_connections";

/// Facts that were known at the request for the metrics.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScrapeContext {
    /// Runs whose start the gateway had accepted.
    pub(super) runs: u64,
    /// If the metrics speak for the gateway's processes: the connections that S2 held meanwhile, if known.
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
    /// Number of processes that answer in turn, as last recorded.
    told_processes: usize,
    /// The latest scrape that was taken in. An earlier one that is answered later is ignored.
    latest: Option<Instant>,
    /// Connections and open streams of S2 at the last scrapes.
    connections: Fewest,
    streams: Fewest,
    /// When the scrape that was taken in last was answered.
    answered: Option<Instant>,
    freshness: Freshness,
    /// Names that were missing from the scrape before, so that each is reported once.
    missing: BTreeSet<&'static str>,
    /// Names whose values were unusable in the scrape before, for the same reason.
    unusable: BTreeSet<String>,
    /// Whether the scrape before had too many series, for the same reason.
    was_cut: bool,
}

impl Intake {
    /// Takes in an answer.
    pub(super) fn take_in(&mut self, context: &Context, outcome: Outcome, asked: ScrapeContext) {
        let mark = asked.mark;
        context.recorder.count(Counter::Scrapes, mark);
        self.streams.push(clock::now(), context.shared_streams.take_least_streams_open());
        let answer = match outcome {
            Ok(answer) if context.calls.client.is_yes(CallName::Metrics, &answer) => answer,
            Ok(answer) => return scrape_failed(context, answer.to_string(), mark),
            Err(trouble) => return scrape_failed(context, trouble.text, mark),
        };
        let Some(exposition) = Exposition::of(&answer, &context.calls.client.dialect().metrics) else {
            return scrape_failed(context, format!("{answer} (no metrics in it)"), mark);
        };
        if self.latest.is_some_and(|latest| latest >= mark.at) {
            return context.recorder.count(Counter::ScrapesOk, mark);
        }
        self.latest = Some(mark.at);
        if let Some(stale) = self.freshness.stale(&exposition, asked.runs, mark.at) {
            return scrape_failed(context, format!("200, but {stale}"), mark);
        }
        context.recorder.count(Counter::ScrapesOk, mark);
        self.report_unusable(context, &exposition, mark);
        let mut missing = BTreeSet::new();
        // The order of two scrapes under way at once is unknown: counts of one process may seem to fall.
        let is_after = self.answered.is_none_or(|answered| mark.at >= answered);
        self.answered = Some(clock::now());
        if is_after {
            self.tell_apart(context, &exposition, asked, &mut missing);
        } else if self.instances.are_several {
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
        self.take_in_gauges(context, &exposition, asked, &mut missing);
        let sources = Source::ALL.iter().map(|source| source.name());
        missing.extend(sources.filter(|name| !exposition.histograms.contains_key(*name)));
        missing.retain(|name| !context.calls.client.dialect().metrics.absent.contains_key(*name));
        for name in missing.difference(&self.missing) {
            context.recorder.incident_since(Finding::MetricMissing { name: (*name).to_owned() }, mark);
        }
        self.missing = missing;
        *context.exposition.lock() = Some(exposition);
    }

    /// Takes in the scrapes that were held back, when no further scrape comes.
    pub(super) fn finish(&mut self, context: &Context) {
        record(context, self.instances.finish());
    }

    /// Finds out which process answered, and takes in its counts.
    fn tell_apart(
        &mut self,
        context: &Context,
        exposition: &Exposition,
        asked: ScrapeContext,
        missing: &mut BTreeSet<&'static str>,
    ) {
        let mark = asked.mark;
        // All its counts are of the soak if it began within it.
        let started_s = exposition.value(STARTED).map(|started_s| self.starts.known(started_s));
        let offset_us = context.gateway_clock.offset_us().unwrap_or(0);
        let is_of_soak = started_s.is_some_and(|started_s| began_within(context, started_s, offset_us));
        let part = |name: &&'static str| Some((*name, exposition.value(name)?));
        let gauges: BTreeMap<&'static str, f64> = PARTS.iter().filter_map(part).collect();
        let counted = ProcessCounts::of(exposition);
        record(context, self.instances.take_in(started_s, is_of_soak, Scraped { counted, gauges, mark }));
        if asked.by_metrics.is_some() {
            match self.instances.name() {
                Some(name) => note_life(context, name, is_of_soak && !self.instances.are_several),
                None => missing.extend([STARTED]),
            }
        }
        let processes = if self.instances.are_several { self.instances.count() } else { 1 };
        if std::mem::replace(&mut self.told_processes, processes) != processes && self.instances.are_several {
            let count = u32::try_from(processes).unwrap_or(u32::MAX);
            context.recorder.incident_since(Finding::SeveralAnswer { processes: count }, mark);
        }
    }

    /// Reports unusable metrics, once while they stay unusable. A KPI that uses one of these names lacks it. A
    /// duplicate series is wrong for any metric, and is always reported. Any other fault is reported only if a KPI uses
    /// the metric: a value that is not a number may be right elsewhere.
    fn report_unusable(&mut self, context: &Context, exposition: &Exposition, mark: StartPoint) {
        let known = std::mem::replace(&mut self.unusable, exposition.unusable.keys().cloned().collect());
        for (name, why) in exposition.unusable.iter().filter(|(name, _)| !known.contains(*name)) {
            if *why == Unusable::Twice || is_used(name) {
                scrape_failed(context, format!("200, but {} {why}: nothing of it is taken", clip(name)), mark);
            }
        }
        if exposition.is_cut && !self.was_cut {
            let series = Exposition::SERIES_MAX;
            scrape_failed(context, format!("200, but with over {series} series: the others are not looked at"), mark);
        }
        self.was_cut = exposition.is_cut;
    }

    fn take_in_gauges(
        &self,
        context: &Context,
        exposition: &Exposition,
        asked: ScrapeContext,
        missing: &mut BTreeSet<&'static str>,
    ) {
        let (instances, mark) = (&self.instances, asked.mark);
        // S2's counts to compare with. A sum over several processes has values of earlier scrapes.
        let scrapes = if instances.are_several { 2 * instances.count() } else { 1 };
        let fewest = |of: &Fewest| of.over(scrapes, mark.at);
        let whole = |name: &str| {
            let value = exposition.value(name)?;
            let sum = if instances.are_several && PARTS.contains(&name) { instances.sum(name) } else { None };
            Some(sum.unwrap_or(value))
        };
        let mut sample = |name: &'static str, gauge: Gauge, less: usize| match whole(name) {
            Some(value) => context.recorder.gauge(gauge, value - less as f64, mark),
            None => missing.extend([name]),
        };
        for (name, gauge) in GAUGES {
            sample(name, gauge, 0);
        }
        let streams = fewest(&self.streams);
        let is_counted = counts_streams(whole(SSE), exposition.empty_gauges.contains(SSE), streams);
        if is_counted {
            sample(SSE, Gauge::GatewaySse, 0);
            if let Some(streams) = streams {
                sample(SSE, Gauge::GatewaySseSurplus, streams);
            }
        }
        if let Some(known) = asked.by_metrics {
            sample(RSS, Gauge::GatewayRss, 0);
            sample("process_open_fds", Gauge::GatewayFds, 0);
            if let Some(connections) = known.and_then(|_| fewest(&self.connections)) {
                context.recorder.gauge(Gauge::HarnessConnections, connections as f64, mark);
                sample("process_open_fds", Gauge::GatewayFdSurplus, connections);
            }
        }
        if !is_counted {
            missing.insert(SSE);
        }
    }
}

/// Whether the gateway's gauge of open streams counts them. Without a series, a 0 is wrong while S2 holds streams.
fn counts_streams(whole: Option<f64>, is_empty: bool, held: Option<usize>) -> bool {
    !is_empty || whole != Some(0.0) || held.is_none_or(|streams| streams == 0)
}

fn record(context: &Context, gains: Gains) {
    for (source, gained, mark) in gains {
        context.recorder.source(source, &gained, mark);
    }
}

/// Whether a KPI uses a metric.
fn is_used(name: &str) -> bool {
    GAUGES.iter().any(|(gauge, _)| *gauge == name)
        || Source::ALL.iter().any(|source| source.name() == name)
        || [SSE, RSS, "process_open_fds", STARTED].contains(&name)
}

/// Gauges of which each process has a part. With several processes the sum of their last values counts: which of them
/// has a stream or a run is chance.
const PARTS: [&str; 4] = ["run_queue_depth", "runs_concurrent_gauge", SSE, "process_open_fds"];

fn scrape_failed(context: &Context, answer: String, mark: StartPoint) {
    let source = context.calls.client.dialect().route(CallName::Metrics).to_owned();
    let finding = Finding::SourceFailed { source, answer: clip(&answer) };
    context.recorder.incident_since(finding, mark);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_of_streams_without_a_series_counts_only_while_no_stream_is_open() {
        assert!(!counts_streams(Some(0.0), true, Some(20)), "a gauge that is never set");
        assert!(counts_streams(Some(0.0), true, Some(0)) && counts_streams(Some(0.0), true, None));
        assert!(counts_streams(Some(0.0), false, Some(20)), "a series that says 0 is the gateway's own count");
        assert!(counts_streams(Some(7.0), true, Some(20)), "another process has a series");
    }
}
