//! Settings from the environment: the gateway's place and token, the folder of results.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    str::FromStr,
};

use tracing_subscriber::EnvFilter;

use super::{
    environment::{Environment, PLACE},
    problem::Problems,
    token, trust,
};
use crate::gateway::{LocalPort, TokenSource, Trust};

/// A slower soak takes longer than a working day; in a faster one a scenario second is shorter than the wire's
/// latencies.
const PACE: RangeInclusive<f64> = 0.1..=1_000.0;
const OUT: &str = "target/soak";
const PID: &str = "S2_GATEWAY_PID";
const WORKSPACE: &str = "s2-soak";
/// Workspaces travel in headers and queries.
const WORKSPACE_CHARS_MAX: usize = 64;

/// A gateway of yours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewaySettings {
    /// Scheme, host, port and perhaps a path, without a slash at the end, without user or password.
    pub url: String,
    /// Its process, where it is named.
    pub pid: Option<u32>,
    /// The port on this machine by which its process can be found.
    pub listens_at: Option<LocalPort>,
}

/// The settings from the environment.
#[derive(Debug, Clone, PartialEq)]
pub struct EnvSettings {
    /// The gateway that `smoke` and `full` play on; without one, the mock.
    pub gateway: Option<GatewaySettings>,
    /// The source of the gateway's token.
    pub token: Option<TokenSource>,
    /// The certificates that are trusted.
    pub trust: Trust,
    /// The file of certificates that are trusted beyond the machine's; absolute.
    pub ca_file: Option<PathBuf>,
    /// The workspace that the soak plays in.
    pub workspace: String,
    /// The pace of `smoke` and `full`, where it is set.
    pub pace: Option<f64>,
    /// Where results go; absolute.
    pub out: PathBuf,
    /// Where a plan's dice come from.
    pub seed: u64,
    /// The log filter, in the syntax of `EnvFilter`.
    pub log_filter: Option<String>,
    /// The stored journal to judge again instead of playing; absolute.
    pub journal: Option<PathBuf>,
    /// Where the live page is served, if it is.
    pub live: Option<SocketAddr>,
}

pub(super) fn read(environment: &Environment, problems: &Problems) -> EnvSettings {
    environment.check(problems);
    let is_off = environment.get(PID) == Some("off");
    let right = "a process id, or off to go by the gateway's metrics";
    let pid =
        if is_off { None } else { checked(environment, PID, problems, |value| number(value, right, |pid| *pid > 0)) };
    if (pid.is_some() || is_off) && environment.get("S2_GATEWAY_URL").is_none() {
        let what = "is set, but S2_GATEWAY_URL is not; the mock's process is known, so unset it, or set both";
        problems.add(PLACE, PID, what);
    }
    let (trust, ca_file) = trust::read(environment, problems);
    EnvSettings {
        gateway: checked(environment, "S2_GATEWAY_URL", problems, url).map(|url| {
            let listens_at = LocalPort::of(&url).filter(|_| LocalPort::TELLS_WHO_LISTENS && !is_off);
            GatewaySettings { url, pid, listens_at }
        }),
        token: token::read(environment, problems),
        trust,
        ca_file,
        workspace: checked(environment, "S2_WORKSPACE", problems, workspace).unwrap_or_else(|| WORKSPACE.into()),
        pace: checked(environment, "S2_PACE", problems, |value| {
            number(value, "a number from 0.1 to 1000", |pace| PACE.contains(pace))
        }),
        out: environment.folder().join(environment.get("S2_OUT").unwrap_or(OUT)),
        seed: checked(environment, "S2_SEED", problems, |value| number(value, "a whole number, 0 or more", |_| true))
            .unwrap_or(1),
        log_filter: checked(environment, "S2_LOG", problems, log_filter),
        journal: environment.path("S2_JOURNAL"),
        live: checked(environment, "S2_LIVE", problems, live),
    }
}

impl EnvSettings {
    /// Adds these settings to `shown`, for the journal's header.
    pub(super) fn show(&self, shown: &mut BTreeMap<String, String>) {
        let gateway = self.gateway.as_ref();
        let by_port = || gateway?.listens_at.as_ref().map(|_| "of who listens".to_owned());
        let settings = [
            ("gateway", Some(gateway.map_or("the embedded mock", |gateway| &gateway.url).to_owned())),
            ("gatewayPid", gateway.and_then(|gateway| gateway.pid).map(|pid| pid.to_string()).or_else(by_port)),
            ("token", Some(self.token.as_ref().map_or_else(|| "none".to_owned(), TokenSource::describe))),
            ("caFile", self.ca_file.as_ref().map(|file| file.display().to_string())),
            ("tlsVerify", (!self.trust.verifies()).then(|| "off".to_owned())),
            ("workspace", Some(self.workspace.clone())),
            ("pace", self.pace.map(|pace| pace.to_string())),
            ("out", Some(self.out.display().to_string())),
            ("seed", Some(self.seed.to_string())),
            ("log", self.log_filter.clone()),
            ("live", self.live.map(|live| live.to_string())),
        ];
        shown.extend(settings.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
}

/// The checked value of a variable; none where it is not set, empty (a problem of its own) or wrong.
fn checked<T>(
    environment: &Environment,
    name: &str,
    problems: &Problems,
    check: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    check(environment.value(name)?).map_err(|what| problems.add(PLACE, name, what)).ok()
}

fn number<T: FromStr>(value: &str, right: &str, is_right: impl FnOnce(&T) -> bool) -> Result<T, String> {
    value.parse().ok().filter(is_right).ok_or_else(|| format!("is {value:?}; it should be {right}"))
}

/// No problem repeats a part of a URL with a password in it.
fn url(value: &str) -> Result<String, String> {
    let right = "it should look like http://localhost:3000";
    let url = url::Url::parse(value).map_err(|e| format!("is not a URL ({e}); {right}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user or password in it, which would show in logs; put the token into S2_TOKEN".into());
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("is {value:?}; S2 speaks http and https, so {right}"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("has a query or fragment, which would end up in the middle of every request; {right}"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn workspace(value: &str) -> Result<String, String> {
    let is_right = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if value.len() <= WORKSPACE_CHARS_MAX && value.chars().all(is_right) {
        Ok(value.to_owned())
    } else {
        Err(format!("is {value:?}; it should be up to {WORKSPACE_CHARS_MAX} of the characters A–Z a–z 0–9 - _ ."))
    }
}

/// A port alone is one of the loopback interface; for any other interface its address is needed.
fn live(value: &str) -> Result<SocketAddr, String> {
    let here = |port: &str| Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port.parse().ok()?));
    let bare = value.strip_prefix("localhost:").or(value.strip_prefix(':')).unwrap_or(value);
    let right = "it should be an address and a port, 127.0.0.1:0 for any free one that only this machine sees";
    value.parse().ok().or_else(|| here(bare)).ok_or_else(|| format!("is {value:?}; {right}"))
}

fn log_filter(value: &str) -> Result<String, String> {
    let filter = EnvFilter::try_new(value);
    filter.map_err(|e| format!("is {value:?}, which is no log filter ({e}); `debug` or `info,s2_harness=debug` is"))?;
    Ok(value.to_owned())
}
