//! Checked settings from file and environment. No other place reads the environment.
//!
//! `tests/soak.toml` has the load and the limits; the environment has the settings that differ by place.
//! [`Settings::load`] reports all problems at once.

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

use std::{collections::BTreeMap, fmt, fs, io, path::PathBuf, sync::Arc, time::Duration};

pub use dialect::built_in_dialect;
#[cfg(test)]
pub(crate) use dialect_tests::load_dialect;
pub use environment::{ATTACH, Environment, ROLE, SUITE};
pub use place::{EnvSettings, GatewaySettings};
use problem::Problems;
pub use problem::SettingsError;
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
    /// A compressed soak of less real time does not judge growth that depends on real time.
    pub min_real_time: Duration,
    /// KPIs that are not judged, with reasons.
    pub waivers: BTreeMap<Kpi, String>,
    /// The gateway's form of the contract. The mock has the contract's own.
    pub dialect: Arc<Dialect>,
    /// The levers that disturb the gateway.
    pub levers: BTreeMap<Chaos, Lever>,
    /// The settings from the environment.
    pub env: EnvSettings,
    /// The source of rates, targets and waivers.
    pub source: Source,
}

/// The source of rates, targets and waivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// The copy in the binary: there was no file.
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
    /// Reads and checks all settings. `built_in` replaces `tests/soak.toml` where a test binary runs without its
    /// sources.
    ///
    /// # Errors
    /// With all problems: values out of bounds, unknown keys and variables, contradictory moments, a missing file.
    pub fn load(environment: &Environment, built_in: &str) -> Result<Self, SettingsError> {
        let problems = Problems::default();
        let env = place::read(environment, &problems);
        let (source, name, text) = read(environment, built_in, &problems);
        let table = text.parse::<toml::Table>().unwrap_or_else(|e| {
            problems.add(&name, "", format!("is not TOML: {}", e.to_string().trim_end()));
            toml::Table::new()
        });
        let mut file = TableReader::new(&name, table, &problems);
        let (scenario, levers) = scenario::scenario(&mut file);
        let dialect = dialect_named(environment, &mut file, &problems);
        let mut targets = scenario::targets(file.table("targets"));
        let max_regression_percent = file.within("baseline", baseline::max_regression_percent);
        if let Some(earlier) = baseline::read(environment, &problems) {
            targets.compare_with(earlier.with_limit(max_regression_percent));
        }
        let min_real_time = file.within("drift", |table| drift::drift(table, &mut targets));
        let waivers = scenario::waivers(file.table("waive"));
        file.done();
        problems.none()?;
        Ok(Self { scenario, targets, min_real_time, waivers, dialect, levers, env, source })
    }

    /// Scenario seconds in a real second. The pace of `rehearsal` is fixed.
    #[must_use]
    pub fn pace_for(&self, suite: Suite) -> f64 {
        match suite {
            Suite::Rehearsal => REHEARSAL_PACE,
            Suite::Smoke if self.env.gateway.is_none() => self.env.pace.unwrap_or(SMOKE_PACE_ON_MOCK),
            Suite::Smoke | Suite::Full => self.env.pace.unwrap_or(1.0),
        }
    }

    /// The user's gateway that the suite plays on; `None` for the mock.
    #[must_use]
    pub fn gateway_for(&self, suite: Suite) -> Option<&GatewaySettings> {
        self.env.gateway.as_ref().filter(|_| suite != Suite::Rehearsal)
    }

    /// The access to a suite's gateway, without its token, which is read later.
    pub fn access_for(&self, suite: Suite, gateway: GatewaySettings) -> GatewayAccess {
        let GatewaySettings { url, pid, listens_at } = gateway;
        let is_yours = self.gateway_for(suite).is_some();
        GatewayAccess {
            url,
            token: None,
            workspace: self.env.workspace.clone(),
            pid,
            listens_at,
            embedded: !is_yours,
            dialect: if is_yours { Arc::clone(&self.dialect) } else { Arc::new(built_in_dialect()) },
            trust: self.trust_for(suite),
            by_way_of: None,
        }
    }

    /// The certificates that are trusted; the mock has none.
    #[must_use]
    pub fn trust_for(&self, suite: Suite) -> Trust {
        self.gateway_for(suite).map(|_| self.env.trust.clone()).unwrap_or_default()
    }

    /// The levers of a suite's gateway; none of the mock, which is disturbed by its own calls.
    #[must_use]
    pub fn levers_for(&self, suite: Suite) -> BTreeMap<Chaos, Lever> {
        self.gateway_for(suite).map(|_| self.levers.clone()).unwrap_or_default()
    }

    /// Unsupported workloads, chaos events and KPIs of a suite: its gateway lacks a feature that they need.
    #[must_use]
    pub fn unsupported_for(&self, suite: Suite) -> Unsupported {
        let Some(gateway) = self.gateway_for(suite) else { return Unsupported::default() };
        let mut unsupported = self.dialect.unsupported(gateway.pid.is_some() || gateway.listens_at.is_some());
        if suite.has_chaos() {
            levers::add_unsupported(&self.levers, &self.dialect, &mut unsupported);
        }
        let scenario = &self.scenario;
        let duration = if suite == Suite::Smoke { scenario.smoke_duration } else { scenario.full_duration };
        for kpi in Kpi::of(suite) {
            if let Some(why) = drift::why_not_judged(kpi, self.pace_for(suite), duration, self.min_real_time) {
                // A missing feature says more.
                unsupported.kpis.entry(kpi).or_insert(why);
            }
        }
        unsupported
    }

    /// The waivers of a suite: those set, and those for features that its gateway lacks.
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
fn dialect_named(environment: &Environment, file: &mut TableReader<'_>, problems: &Problems) -> Arc<Dialect> {
    let of_file = file.text("dialect");
    let named = environment.value("S2_DIALECT").map(str::to_owned).or(of_file);
    let read = named.and_then(|named| dialect::read(&named, environment.folder(), problems));
    Arc::new(read.unwrap_or_else(built_in_dialect))
}

/// Reads the file and its name, relative below the current folder. Only the file that `S2_CONFIG` names must exist.
fn read(environment: &Environment, built_in: &str, problems: &Problems) -> (Source, String, String) {
    let (named, folder) = (environment.value("S2_CONFIG"), environment.folder());
    let path = folder.join(named.unwrap_or(FILE));
    let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
    match fs::read_to_string(&path) {
        Ok(text) => (Source::File(path), name, text),
        Err(e) if named.is_none() && e.kind() == io::ErrorKind::NotFound => {
            (Source::BuiltIn, Source::BuiltIn.to_string(), built_in.to_owned())
        }
        Err(e) => {
            let why = if named.is_some() { "; S2_CONFIG names it" } else { "" };
            problems.add(&name, "", format!("{e}{why}"));
            (Source::File(path), name, String::new())
        }
    }
}
