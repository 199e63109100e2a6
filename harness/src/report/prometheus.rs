//! The state of a soak, for a Prometheus that scrapes it while it is played.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::text::encode,
    metrics::{family::Family, gauge::Gauge as Number},
    registry::{Registry, Unit as Units},
};

use super::number::seconds;
use crate::{
    catalog::Unit,
    history::{History, Scope},
    journal::{Counter, Gauge, Timing},
    judge::Judgement,
    results::{Results, Row, Status},
};

type Numbers = Family<Vec<(&'static str, String)>, Number<f64, AtomicU64>>;

pub(crate) const PROMETHEUS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The results, counters, gauges and latencies as `OpenMetrics`. All are gauges: a session that takes over goes on with
/// the counts of the one before it.
pub(crate) fn prometheus_text(results: &Results, duration_ms: u64, history: &History) -> String {
    let labels = [("suite".into(), results.suite.name().into())];
    let mut registry = Registry::with_prefix_and_labels("s2", labels.into_iter());
    for (name, help, ms) in [
        ("scenario", "How far the scenario has come", history.timeline.scenario_ms()),
        ("scenario_planned", "How long the scenario is", duration_ms),
    ] {
        let number = Number::<f64, AtomicU64>::default();
        number.set(seconds(ms));
        registry.register_with_unit(name, help, Units::Seconds, number);
    }
    judgements(&mut registry, results);

    let counters = Numbers::default();
    for counter in Counter::ALL {
        set(&counters, &[("name", counter.name())], count(history.totals.counter(*counter, Scope::All)));
    }
    registry.register("counter", "What was counted so far, by the journal's names", counters);

    let gauges = Numbers::default();
    for (gauge, total) in Gauge::ALL.iter().filter_map(|gauge| Some((gauge, history.totals.gauge(*gauge)?))) {
        set(&gauges, &[("name", gauge.name())], total.last);
    }
    registry.register("gauge", "What was sampled last, by the journal's names, which say the unit", gauges);

    let latencies = Numbers::default();
    for (timing, of) in Timing::ALL.iter().filter_map(|t| Some((t.name(), history.totals.quantiles(*t, Scope::All)?))) {
        for (quantile, ms) in [("0.5", of.p50_ms), ("0.95", of.p95_ms), ("0.99", of.p99_ms), ("1", of.max_ms)] {
            set(&latencies, &[("name", timing), ("quantile", quantile)], ms / 1_000.0);
        }
    }
    let help = "Quantiles of latencies so far, nearest-rank";
    registry.register_with_unit("latency", help, Units::Seconds, latencies);

    let mut text = String::new();
    // A string is never full.
    let _ = encode(&mut text, &registry);
    text
}

fn judgements(registry: &mut Registry, results: &Results) {
    let [values, targets, samples, promised, statuses]: [Numbers; 5] = Default::default();
    for Row { judgement, status } in &results.rows {
        let (kind, name) = (judgement.kind.name(), judgement.name.as_str());
        let labels = [("kind", kind), ("name", name)];
        let with_unit = [("kind", kind), ("name", name), ("unit", unit(judgement))];
        if let Some(value) = judgement.value {
            set(&values, &with_unit, value);
        }
        set(&targets, &with_unit, judgement.target.limit());
        set(&samples, &labels, count(judgement.samples));
        set(&promised, &labels, count(judgement.promised));
        for (word, _) in Status::WORDS {
            let is_it = if status.word() == word { 1.0 } else { 0.0 };
            set(&statuses, &[("kind", kind), ("name", name), ("verdict", word)], is_it);
        }
    }
    registry.register("judgement_value", "The value as it stands, in the unit that the label says", values);
    registry.register("judgement_target", "What it is held against", targets);
    registry.register("judgement_samples", "Samples that it rests on so far", samples);
    registry.register("judgement_promised", "Samples that the plan promised", promised);
    registry.register(
        "judgement_verdict",
        "1 for the status, 0 for the others; pending until nothing can change it",
        statuses,
    );
}

fn set(of: &Numbers, labels: &[(&'static str, &str)], value: f64) {
    let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    of.get_or_create(&labels).set(value);
}

const fn unit(judgement: &Judgement) -> &'static str {
    match judgement.unit {
        Unit::Percent => "percent",
        Unit::Millis => "milliseconds",
        Unit::Seconds => "seconds",
        Unit::Count => "count",
        Unit::YesNo => "bool",
    }
}

fn count(n: u64) -> f64 {
    n as f64
}
