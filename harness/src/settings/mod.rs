//! File and environment to validated settings. The only place that reads the environment.
//!
//! `tests/soak.toml` holds what is to be played and what it is held against; the environment says what differs by
//! place. [`Settings::load`] checks all of it and reports every problem at once.

mod baseline;
#[cfg(test)]
mod corner_tests;
mod dialect;
mod dialect_calls;
mod dialect_events;
mod dialect_limits;
mod dialect_metrics;
#[cfg(test)]
mod dialect_tests;
mod drift;
mod environment;
mod levers;
mod place;
mod problem;
mod scenario;
mod spans;
mod table;
#[cfg(test)]
mod tests;
mod token;
mod trust;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use dialect::{built_in_dialect, load_dialect};
pub use drift::Drift;
pub use environment::{ATTACH, Environment, ROLE, SUITE};
pub use place::{EnvSettings, GatewaySettings};
use problem::Problems;
pub use problem::{Problem, SettingsError};
use table::TableReader;

use crate::{
    catalog::{Chaos, Kpi, Suite},
    gateway::{Dialect, GatewayAccess, Trust},
    judge::Targets,
    plan::{Lever, Plan, Scenario, Unsupported},
    results::Waivers,
};

/// The file, relative to the package, that is read unless `S2_CONFIG` names another.
const FILE: &str = "tests/soak.toml";
/// The pace of `rehearsal`, and of nothing else.
const REHEARSAL_PACE: f64 = 120.0;
/// The pace of `smoke` on the mock, unless `S2_PACE` says otherwise.
const SMOKE_PACE_ON_MOCK: f64 = 30.0;

/// Everything that may be set, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The load to play: durations, intervals and rates.
    pub scenario: Scenario,
    /// The limits that values are compared with.
    pub targets: Targets,
    /// When the growth of memory means something.
    pub drift: Drift,
    /// KPIs that are not judged, and why.
    pub waivers: BTreeMap<Kpi, String>,
    /// How that gateway spells the contract. The mock speaks it as it stands.
    pub dialect: Arc<Dialect>,
    /// How that gateway is disturbed.
    pub levers: BTreeMap<Chaos, Lever>,
    /// The settings from the environment.
    pub env: EnvSettings,
    /// Where rates, targets and waivers were read.
    pub source: Source,
}

/// Where rates, targets and waivers were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// The copy inside the binary: there was no file where one is looked for.
    BuiltIn,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::BuiltIn => write!(f, "{FILE} as built in"),
        }
    }
}

impl Settings {
    /// Reads and checks all settings. `built_in` is the text that stands in for `tests/soak.toml` where a test binary
    /// runs without its sources.
    ///
    /// # Errors
    /// With every problem there is: values out of bounds, unknown keys and variables, moments that make no sense
    /// together, a file that is not there.
    pub fn load(environment: &Environment, built_in: &str) -> Result<Self, SettingsError> {
        let problems = RefCell::new(Problems::default());
        let env = place::read(environment, &mut problems.borrow_mut());
        let (source, text) = read(environment, built_in, &mut problems.borrow_mut());
        let name = file_name(&source, environment.folder());
        let table = text.parse::<toml::Table>().unwrap_or_else(|e| {
            problems.borrow_mut().add(&name, "", format!("is not TOML: {}", e.to_string().trim_end()));
            toml::Table::new()
        });
        let mut file = TableReader::new(&name, table, &problems);
        let (scenario, levers) = scenario::scenario(&mut file);
        let dialect = dialect_named(environment, &mut file, &problems);
        let mut targets = scenario::targets(file.table("targets"));
        let max_regression_percent = baseline::max_regression_percent(file.table("baseline"));
        if let Some(earlier) = baseline::read(environment, &mut problems.borrow_mut()) {
            targets.compare_with(earlier.with_limit(max_regression_percent));
        }
        let drift = drift::drift(file.table("drift"), &mut targets);
        let waivers = scenario::waivers(file.table("waive"));
        file.done();
        problems.into_inner().none()?;
        Ok(Self { scenario, targets, drift, waivers, dialect, levers, env, source })
    }

    /// Scenario seconds in a real second. `rehearsal` has a pace of its own, which nothing changes.
    #[must_use]
    pub fn pace_for(&self, suite: Suite) -> f64 {
        match suite {
            Suite::Rehearsal => REHEARSAL_PACE,
            Suite::Smoke if self.env.gateway.is_none() => self.env.pace.unwrap_or(SMOKE_PACE_ON_MOCK),
            Suite::Smoke | Suite::Full => self.env.pace.unwrap_or(1.0),
        }
    }

    /// The gateway of yours that the suite plays on; `None` where it plays on the mock.
    #[must_use]
    pub fn gateway_for(&self, suite: Suite) -> Option<&GatewaySettings> {
        self.env.gateway.as_ref().filter(|_| suite != Suite::Rehearsal)
    }

    /// How a gateway is spoken to that a suite plays on. Its token is still to be read.
    pub fn access_for(&self, suite: Suite, gateway: GatewaySettings) -> GatewayAccess {
        let GatewaySettings { url, pid, listens_at } = gateway;
        GatewayAccess {
            url,
            token: None,
            workspace: self.env.workspace.clone(),
            pid,
            listens_at,
            embedded: self.gateway_for(suite).is_none(),
            dialect: self.dialect_for(suite),
            trust: self.trust_for(suite),
            by_way_of: None,
        }
    }

    /// How the gateway that a suite plays on spells the contract.
    #[must_use]
    pub fn dialect_for(&self, suite: Suite) -> Arc<Dialect> {
        match self.gateway_for(suite) {
            Some(_) => Arc::clone(&self.dialect),
            None => Arc::new(built_in_dialect()),
        }
    }

    /// Whose certificates are trusted of the gateway that a suite plays on: the mock has none.
    #[must_use]
    pub fn trust_for(&self, suite: Suite) -> Trust {
        if self.gateway_for(suite).is_some() { self.env.trust.clone() } else { Trust::default() }
    }

    /// How a suite's gateway is disturbed: the mock by its own calls.
    #[must_use]
    pub fn levers_for(&self, suite: Suite) -> BTreeMap<Chaos, Lever> {
        if self.gateway_for(suite).is_some() { self.levers.clone() } else { BTreeMap::new() }
    }

    /// Unsupported workloads, chaos events and KPIs of a suite: its gateway lacks a feature that they need.
    #[must_use]
    pub fn unsupported_for(&self, suite: Suite) -> Unsupported {
        let Some(gateway) = self.gateway_for(suite) else { return Unsupported::default() };
        let mut unsupported = self.dialect.unsupported(gateway.process_is_known());
        if suite.has_chaos() {
            levers::add_unsupported(&self.levers, &self.dialect, &mut unsupported);
        }
        let scenario = &self.scenario;
        let duration = if suite == Suite::Smoke { scenario.smoke_duration } else { scenario.full_duration };
        for kpi in Kpi::of(suite) {
            if let Some(why) = self.drift.why_not_judged(kpi, self.pace_for(suite), duration) {
                // What it lacks altogether says more.
                unsupported.kpis.entry(kpi).or_insert(why);
            }
        }
        unsupported
    }

    /// The waivers of a suite: of these settings, and for what its gateway does not support.
    #[must_use]
    pub fn waivers_for(&self, suite: Suite) -> Waivers {
        Waivers::new(self.waivers.clone(), self.unsupported_for(suite))
    }

    /// The plan of a suite.
    #[must_use]
    pub fn plan_of(&self, suite: Suite) -> Plan {
        Plan::new(suite, &self.scenario, self.env.seed, self.pace_for(suite)).without(self.unsupported_for(suite))
    }

    /// The settings for readers of a journal, without secrets.
    #[must_use]
    pub fn without_secrets(&self) -> BTreeMap<String, String> {
        let mut shown = BTreeMap::from([("config".to_owned(), self.source.to_string())]);
        self.env.show(&mut shown);
        if let Some(baseline) = self.targets.baseline() {
            shown.insert("baseline".to_owned(), baseline.name().to_owned());
        }
        for (kpi, reason) in &self.waivers {
            shown.insert(format!("waive.{kpi}"), reason.clone());
        }
        shown
    }
}

/// `S2_DIALECT`, else `dialect` in the file, else the contract.
fn dialect_named(environment: &Environment, file: &mut TableReader<'_>, problems: &RefCell<Problems>) -> Arc<Dialect> {
    let of_file = file.text("dialect");
    let named = environment.get("S2_DIALECT").filter(|name| !name.is_empty()).map(str::to_owned).or(of_file);
    let read = named.and_then(|named| dialect::read(&named, environment.folder(), problems));
    Arc::new(read.unwrap_or_else(built_in_dialect))
}

/// The file that `S2_CONFIG` names must be there; the usual one may be missing.
fn read(environment: &Environment, built_in: &str, problems: &mut Problems) -> (Source, String) {
    let named = environment.get("S2_CONFIG").filter(|name| !name.is_empty());
    let path = environment.folder().join(named.unwrap_or(FILE));
    match fs::read_to_string(&path) {
        Ok(text) => (Source::File(path), text),
        Err(e) if named.is_none() && e.kind() == io::ErrorKind::NotFound => (Source::BuiltIn, built_in.to_owned()),
        Err(e) => {
            let why = if named.is_some() { "; S2_CONFIG names it" } else { "" };
            problems.add(&file_name(&Source::File(path.clone()), environment.folder()), "", format!("{e}{why}"));
            (Source::File(path), String::new())
        }
    }
}

/// A file as a person would name it: relative where it is below the current folder.
fn file_name(source: &Source, folder: &Path) -> String {
    match source {
        Source::File(path) => path.strip_prefix(folder).unwrap_or(path).display().to_string(),
        Source::BuiltIn => source.to_string(),
    }
}
