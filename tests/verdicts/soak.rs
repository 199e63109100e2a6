//! A soak as a user plays it: this binary again, as the runner, with the environment that points it at a gateway.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    gateway::{AnyError, GatewayProcess, Says},
    reds::reds,
    rows::METRICS_URL,
};

/// Set where the binary is to be the soak.
pub(crate) const ROLE: &str = "VERDICTS_PLAY_THE_SOAK";
/// What is played, how fast.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    /// Scenario seconds in a second.
    pub(crate) pace: f64,
}

/// The mock is native: its memory neither warms up nor has garbage, and a compressed soak may judge it.
const MEMORY_OF_MOCK: &str = "\n[drift]\nmin_real_time = \"0s\"\nrss_base_min = \"32 MB\"\n";

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
pub(crate) fn play(gateway: &GatewayProcess, scene: &Scene, suite: Suite, out: &Path) -> Result<Said, AnyError> {
    let Says { url, metrics_url, ca_file } = Says::of(gateway)?;
    if out.exists() {
        fs::remove_dir_all(out)?;
    }
    fs::create_dir_all(out)?;
    let mut command = Command::new(std::env::current_exe()?);
    // What the caller's environment says of a gateway or a test run is not for this one.
    for (name, _) in std::env::vars_os() {
        let is_foreign = name
            .to_str()
            .is_some_and(|name| ["S2_", "NEXTEST", "GITHUB_"].iter().any(|prefix| name.starts_with(prefix)));
        if is_foreign {
            command.env_remove(name);
        }
    }
    let settings = out.join("soak.toml");
    let of_memory = if scene.settings.contains("[drift]") { "" } else { MEMORY_OF_MOCK };
    fs::write(&settings, format!("{}{of_memory}", scene.settings))?;
    command.env("S2_CONFIG", settings);
    if !scene.dialect.is_empty() {
        let dialect = out.join("gateway.toml");
        fs::write(&dialect, scene.dialect.replace(METRICS_URL, metrics_url))?;
        command.env("S2_DIALECT", dialect);
    }
    command
        .args(["--include-ignored", &format!("{}::", suite.name), "--color", "never"])
        .env(ROLE, "1")
        .env("S2_OUT", out)
        .env("S2_PACE", suite.pace.to_string())
        .env("S2_GATEWAY_URL", url);
    if let Some(file) = ca_file {
        command.env("S2_CA_FILE", file);
    }
    let pid = if scene.knows_pid { gateway.child.id().to_string() } else { "off".to_owned() };
    command.env("S2_GATEWAY_PID", pid);
    let played = command.output()?;
    let output = [played.stdout, played.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).join("\n");
    let results = results(out, suite).map_err(|error| format!("no results: {error}\n{output}"))?;
    let reds = reds(&results)?;
    let says_so = !played.status.success();
    if says_so == reds.is_empty() {
        return Err(format!("{} with these reds: {:?}\n{output}", played.status, reds.keys()).into());
    }
    let lateness = lateness(&results);
    Ok(Said { reds, lateness_p99_ms: lateness_p99_ms(&lateness), lateness, output })
}

fn results(out: &Path, suite: Suite) -> Result<Value, AnyError> {
    let folder = out.join(format!("latest-{}", suite.name));
    let is_results = |path: &PathBuf| path.to_string_lossy().contains("-results-");
    let mut files = fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let path = files.find(is_results).ok_or_else(|| format!("{} has none", folder.display()))?;
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// What the results note about how late starts were.
fn lateness(results: &Value) -> Vec<String> {
    let checks = results["harness"].as_array().into_iter().flatten();
    let notes = checks
        .filter(|check| check["name"] == "load_delivered")
        .filter_map(|check| check["evidence"]["notes"].as_array());
    notes.flatten().filter_map(|note| Some(note.as_str()?.to_owned())).collect()
}

/// `the p99 of lateness is 3.1 ms over 413 starts`, as the results say it.
fn lateness_p99_ms(lateness: &[String]) -> Option<f64> {
    let (_, rest) = lateness.iter().find_map(|note| note.split_once("the p99 of lateness is "))?;
    rest.split_once(" ms")?.0.replace(',', "").parse().ok()
}
