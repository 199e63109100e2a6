//! A soak as a user plays it: this binary again, as the runner, with the environment that points it at a gateway.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use s2_harness::journal::{LatencyHistogram, Record, Timing};
use serde_json::Value;
use testkit::{AnyError, GatewayProcess, Left, Soak, reds};

use crate::{gateway::Says, row::METRICS_URL};

/// A soak takes a minute. Beyond the limit something hangs.
const LIMIT: Duration = Duration::from_secs(600);

/// What is played, how fast.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    /// Scenario seconds in a second.
    pub(crate) pace: f64,
}

/// The whole two hours in a minute.
pub(crate) const FULL: Suite = Suite { name: "full", pace: 120.0 };

/// What is played at a gateway, besides the suite.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    /// Whether the gateway's process is known.
    pub(crate) knows_pid: bool,
    /// Settings that differ from `tests/soak.toml`'s, as TOML.
    pub(crate) settings: String,
    /// What differs from the contract, as TOML.
    pub(crate) dialect: String,
}

impl Scene {
    /// The default of everything.
    pub(crate) const fn plain() -> Self {
        Self { knows_pid: true, settings: String::new(), dialect: String::new() }
    }
}

/// What was said of a gateway.
#[derive(Debug)]
pub(crate) struct Said {
    /// Everything that is not green, by name, as the results have it.
    pub(crate) reds: BTreeMap<String, Value>,
    /// How late the starts were that were planned: the p99.
    pub(crate) lateness_p99_ms: Option<f64>,
    /// The same and more, in words.
    pub(crate) lateness: Vec<String>,
    /// What a person would have read.
    pub(crate) output: String,
}

/// Plays a suite against a gateway.
pub(crate) fn play(gateway: &GatewayProcess, scene: &Scene, suite: Suite, folder: &Path) -> Result<Said, AnyError> {
    let Says { url, metrics_url, ca_file } = Says::of(gateway)?;
    let soak = Soak {
        folder: folder.to_owned(),
        suite: suite.name,
        pace: suite.pace,
        settings: scene.settings.clone(),
        gateway_url: Some(url.to_owned()),
        token: "",
        log: "info",
    };
    let mut command = soak.command()?;
    if !scene.dialect.is_empty() {
        let dialect = folder.join("gateway.toml");
        fs::write(&dialect, scene.dialect.replace(METRICS_URL, metrics_url))?;
        command.env("S2_DIALECT", dialect);
    }
    if let Some(file) = ca_file {
        command.env("S2_CA_FILE", file);
    }
    let pid = if scene.knows_pid { gateway.child.id().to_string() } else { "off".to_owned() };
    command.env("S2_GATEWAY_PID", pid);
    let left = soak.start_by(command)?.left_within(LIMIT)?;
    let output = left.output()?;
    let results = left.results().map_err(|error| format!("no results: {error}\n{output}"))?;
    let reds = reds(&results)?;
    let says_so = !left.status.success();
    if says_so == reds.is_empty() {
        return Err(format!("{} with these reds: {:?}\n{output}", left.status, reds.keys()).into());
    }
    Ok(Said { reds, lateness_p99_ms: lateness_p99_ms(&left)?, lateness: lateness(&results), output })
}

/// What the results note about how late starts were.
fn lateness(results: &Value) -> Vec<String> {
    let checks = results["harness"].as_array().into_iter().flatten();
    let notes = checks
        .filter(|check| check["name"] == "load_delivered")
        .filter_map(|check| check["evidence"]["notes"].as_array());
    notes.flatten().filter_map(|note| Some(note.as_str()?.to_owned())).collect()
}

/// The p99 of how late planned starts were, by the journal.
#[expect(clippy::cast_precision_loss, reason = "a histogram holds an hour at most")]
fn lateness_p99_ms(left: &Left) -> Result<Option<f64>, AnyError> {
    let mut lateness = LatencyHistogram::new();
    for record in left.journal()? {
        let Record::Interval(interval) = serde_json::from_value(record)? else { continue };
        if let Some(timing) = interval.timings.get(&Timing::StartLateness) {
            lateness.merge(&timing.histogram);
        }
    }
    Ok((!lateness.is_empty()).then(|| lateness.quantile_us(0.99) as f64 / 1_000.0))
}
