//! The unchanged output of client libraries of six languages. Each file was captured from the library that its name names.
//! All of them count the same runs, streams and verdicts.

use super::*;

/// Checks the content of all files: five runs in two series, five streams in two series, a judge that took 0.05 s once and
/// 0.7 s once. No line is unread. Only the given names are unusable.
fn check(text: &str, unusable: &[&str]) {
    let read = Exposition::read(text).unwrap();
    assert_eq!(UnreadLines::default(), read.unread);
    assert!(!read.is_cut);
    assert_eq!(unusable, read.unusable.keys().collect::<Vec<_>>());
    assert_eq!((Some(5.0), Some(5.0)), (read.value("runs_started_total"), read.value("sse_active_connections")));
    let judge = [(0.005, 0.0), (0.1, 1.0), (0.3, 1.0), (f64::INFINITY, 2.0)];
    assert_eq!(Some(judge.as_slice()), read.histograms.get("sentinel_judge_duration_seconds").map(Vec::as_slice));
}

/// It is a summary in most of them.
const WRITES: &str = "sse_write_duration_seconds";

#[test]
fn node() {
    check(include_str!("fixtures/node-prom-client-15.1.3.txt"), &[WRITES]);
    let text = include_str!("fixtures/node-prom-client-15.1.3.openmetrics.txt");
    check(text, &[WRITES]);
    let read = Exposition::read(text).unwrap();
    assert_eq!(Some(7.0), read.value("sse_connections"), "it is `sse_connections_total` there");
    assert_eq!((Some(7.0), true), (read.value("sse_connections_total"), read.value("process_open_fds").is_some()));
}

#[test]
fn python() {
    check(include_str!("fixtures/python-prometheus_client-0.26.0.txt"), &["queue_runs", WRITES]);
    let text = include_str!("fixtures/python-prometheus_client-0.26.0.openmetrics.txt");
    check(text, &["queue_runs", WRITES]);
    let read = Exposition::read(text).unwrap();
    assert_eq!(Some(3.0), read.value("run.queue.depth"), "a name that only quotes can write");
    assert_eq!((Some(1.0), Some(1.0)), (read.value("build_info"), read.value("state")));
    assert_eq!(Some(1_795_922_252.38), read.value("process_start_time_seconds"));
}

#[test]
fn go() {
    check(include_str!("fixtures/go-client_golang-1.14.0.txt"), &[WRITES]);
    check(include_str!("fixtures/go-client_golang-1.14.0.openmetrics.txt"), &[WRITES]);
}

#[test]
fn cpp() {
    let text = include_str!("fixtures/cpp-prometheus-cpp-1.0.1.txt");
    let read = Exposition::read(text).unwrap();
    // It writes the line feed of a help text as it is.
    assert_eq!(
        "line 2: a value that is no number in `Since the start, a \\ and a \"quote\".`",
        read.unread.to_string()
    );
    let rest: Vec<&str> = text.lines().filter(|line| !line.starts_with("Since")).collect();
    check(&rest.join("\n"), &[WRITES]);
    assert_eq!((Some(5.0), Some(2.0)), (read.value("runs_started_total"), read.value("run_queue_depth")));
}

#[test]
fn ruby() {
    check(include_str!("fixtures/ruby-prometheus-client-mmap-0.16.2.txt"), &[]);
}

#[test]
fn rust() {
    use prometheus_client::{
        encoding::text::encode,
        metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
        registry::Registry,
    };
    let label = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let mut registry = Registry::default();
    let started = Family::<Vec<(String, String)>, Counter>::default();
    registry.register("runs_started", "Runs started", started.clone());
    started.get_or_create(&label("agent", "a")).inc_by(3);
    started.get_or_create(&label("agent", "b \"c\" \\d\n{e},")).inc_by(2);
    let streams = Family::<Vec<(String, String)>, Gauge>::default();
    registry.register("sse_active_connections", "Streams open now", streams.clone());
    streams.get_or_create(&label("route", "/api/runs/{id}/logs/stream")).set(4);
    streams.get_or_create(&label("route", "a")).set(1);
    let judge = Histogram::new([0.005, 0.1, 0.3]);
    registry.register("sentinel_judge_duration_seconds", "Judge", judge.clone());
    judge.observe(0.05);
    judge.observe(0.7);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    check(&text, &[]);
}
