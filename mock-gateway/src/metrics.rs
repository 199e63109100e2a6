//! Measurements of the gateway on itself, and its Prometheus text.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::defect::HeapReading;
use crate::process::ProcessReading;

/// Upper bounds of the histograms' buckets in seconds. The targets a harness judges by (0.2 and 0.3 s) are among them,
/// so that a quantile on the right side of its target is seen to be.
const BOUNDS_S: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Maximum number of workspaces whose log messages are counted apart. Those of further ones are counted in the sum alone.
const WORKSPACES_MAX: usize = 64;

/// Counters and histograms. Gauges are not here: they are read from what they count, when they are asked for.
#[derive(Default)]
pub(crate) struct Metrics {
    pub(crate) runs_started: Counter,
    pub(crate) streams_opened: Counter,
    pub(crate) messages_sent: Counter,
    /// The events sent over the log streams of each workspace, those of single runs left out.
    log_messages: Mutex<BTreeMap<Arc<str>, Arc<Counter>>>,
    pub(crate) judge: Histogram,
    pub(crate) shield: Histogram,
    pub(crate) stream_write: Histogram,
}

/// Values that are counted elsewhere, at one moment.
pub(crate) struct Gauges {
    pub(crate) runs_under_way: usize,
    pub(crate) runs_waiting: usize,
    pub(crate) streams_open: usize,
    /// None where the system does not tell: then the names are not there either, rather than 0.
    pub(crate) process: Option<ProcessReading>,
    /// None where there is no runtime with a heap.
    pub(crate) heap: Option<HeapReading>,
}

/// A number that only rises.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Durations by bucket.
#[derive(Default)]
pub(crate) struct Histogram(Mutex<Buckets>);

#[derive(Clone, Copy, Default)]
struct Buckets {
    /// Not cumulated; what exceeds the last bound is in `count` only.
    counts: [u64; BOUNDS_S.len()],
    count: u64,
    sum_s: f64,
}

impl Histogram {
    pub(crate) fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let mut buckets = self.0.lock().expect("no holder panics");
        if let Some(index) = BOUNDS_S.iter().position(|bound| seconds <= *bound) {
            buckets.counts[index] += 1;
        }
        buckets.count += 1;
        buckets.sum_s += seconds;
    }

    fn write(&self, text: &mut Exposition, name: &str, help: &str) {
        let buckets = *self.0.lock().expect("no holder panics");
        text.head(name, "histogram", help);
        let mut cumulated = 0;
        for (bound, count) in BOUNDS_S.iter().zip(buckets.counts) {
            cumulated += count;
            text.line(format_args!("{name}_bucket{{le=\"{bound}\"}} {cumulated}"));
        }
        text.line(format_args!("{name}_bucket{{le=\"+Inf\"}} {}", buckets.count));
        text.line(format_args!("{name}_sum {}", buckets.sum_s));
        text.line(format_args!("{name}_count {}", buckets.count));
    }
}

/// The text under construction.
struct Exposition(String);

impl Exposition {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        self.line(format_args!("{name} {value}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a String takes all that is written");
    }
}

impl Metrics {
    /// The counter of the events sent over a workspace's log streams.
    pub(crate) fn log_messages(&self, workspace: &Arc<str>) -> Arc<Counter> {
        let mut counters = self.log_messages.lock().expect("no holder panics");
        if counters.len() >= WORKSPACES_MAX && !counters.contains_key(workspace) {
            return Arc::default();
        }
        Arc::clone(counters.entry(Arc::clone(workspace)).or_default())
    }

    /// The Prometheus text exposition, version 0.0.4.
    pub(crate) fn exposition(&self, gauges: &Gauges) -> String {
        let mut text = Exposition(String::with_capacity(6 << 10));
        text.single("runs_started_total", "counter", "Runs started.", self.runs_started.get());
        text.single("runs_concurrent_gauge", "gauge", "Runs under way.", gauges.runs_under_way as u64);
        text.single("run_queue_depth", "gauge", "Runs created or queued.", gauges.runs_waiting as u64);
        text.single("sse_active_connections", "gauge", "Streams open now.", gauges.streams_open as u64);
        text.single("sse_connections_total", "counter", "Streams opened.", self.streams_opened.get());
        text.single("sse_messages_total", "counter", "Events sent over streams.", self.messages_sent.get());
        text.head(
            "sse_log_messages_total",
            "counter",
            "Of these, events on the log streams of a workspace, for the first 64 workspaces.",
        );
        for (workspace, sent) in &*self.log_messages.lock().expect("no holder panics") {
            let workspace = workspace.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            text.line(format_args!("sse_log_messages_total{{workspace=\"{workspace}\"}} {}", sent.get()));
        }
        if let Some(process) = &gauges.process {
            text.single("process_resident_memory_bytes", "gauge", "Resident memory.", process.resident_bytes);
            if let Some(open_fds) = process.open_fds {
                text.single("process_open_fds", "gauge", "Open file descriptors.", open_fds);
            }
            text.single("process_start_time_seconds", "gauge", "Start, Unix time.", process.start_time_s);
        }
        if let Some(heap) = &gauges.heap {
            text.single("nodejs_heap_size_used_bytes", "gauge", "Heap in use.", heap.used_bytes);
            text.single("nodejs_heap_size_total_bytes", "gauge", "Heap taken from the system.", heap.committed_bytes);
            text.line(format_args!("nodejs_gc_duration_seconds_count{{kind=\"major\"}} {}", heap.full_collections));
        }
        self.judge.write(&mut text, "sentinel_judge_duration_seconds", "How long the judge took over a run.");
        self.shield.write(&mut text, "shield_decision_duration_seconds", "How long the shield took over a run.");
        self.stream_write.write(
            &mut text,
            "sse_write_duration_seconds",
            "From an event's creation to its hand-over to a connection.",
        );
        text.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulated_and_what_exceeds_them_all_is_counted() {
        let histogram = Histogram::default();
        for millis in [1, 2, 200, 60_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let mut text = Exposition(String::new());
        histogram.write(&mut text, "x", "Help.");
        let text = text.0;
        for line in [
            "# TYPE x histogram",
            "x_bucket{le=\"0.001\"} 1",
            "x_bucket{le=\"0.0025\"} 2",
            "x_bucket{le=\"0.2\"} 3",
            "x_bucket{le=\"10\"} 3",
            "x_bucket{le=\"+Inf\"} 4",
            "x_count 4",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn what_the_system_does_not_tell_is_left_out() {
        let gauges = Gauges { runs_under_way: 1, runs_waiting: 2, streams_open: 3, process: None, heap: None };
        let text = Metrics::default().exposition(&gauges);
        assert!(text.contains("\nsse_active_connections 3\n"));
        assert!(!text.contains("process_resident_memory_bytes"));
    }
}
