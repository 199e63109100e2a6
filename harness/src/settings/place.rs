//! Settings that come from the environment: where the gateway is, what opens it, where results go.

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

/// Slower than real time makes a soak longer than a working day; faster leaves a second of scenario less than the wire's
/// own latencies.
const PACE: RangeInclusive<f64> = 0.1..=1_000.0;
/// Where results go by default.
const OUT: &str = "target/soak";
const PID: &str = "S2_GATEWAY_PID";
/// The workspace of the soak by default.
const WORKSPACE: &str = "s2-soak";
/// Workspaces travel in headers and queries.
const WORKSPACE_CHARS_MAX: usize = 64;

/// A gateway of yours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewaySettings {
    /// Scheme, host, port and perhaps a path, without a slash at the end, without user or password.
    pub url: String,
    /// Its process, where that is named.
    pub pid: Option<u32>,
    /// Where it listens on this machine, if its process can be found by that.
    pub listens_at: Option<LocalPort>,
}

impl GatewaySettings {
    /// Whether its process can be looked at.
    #[must_use]
    pub const fn process_is_known(&self) -> bool {
        self.pid.is_some() || self.listens_at.is_some()
    }
}

/// The settings from the environment.
#[derive(Debug, Clone, PartialEq)]
pub struct EnvSettings {
    /// The gateway that `smoke` and `full` play on; without one, the mock.
    pub gateway: Option<GatewaySettings>,
    /// The source of the gateway's token.
    pub token: Option<TokenSource>,
    /// Whose certificates are trusted, where that gateway speaks TLS.
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
    /// The stored journal that is judged again instead of playing anything; absolute.
    pub journal: Option<PathBuf>,
    /// Where the live page is served, if it is.
    pub live: Option<SocketAddr>,
}

pub(super) fn read(environment: &Environment, problems: &mut Problems) -> EnvSettings {
    environment.check(problems);
    let is_off = environment.get(PID) == Some("off");
    let right = "a process id, or off to go by the gateway's metrics";
    let pid = if is_off { None } else { number::<u32>(environment, PID, right, problems, |pid| *pid > 0) };
    if (pid.is_some() || is_off) && environment.get("S2_GATEWAY_URL").is_none() {
        problems.add(
            PLACE,
            PID,
            "is set, but S2_GATEWAY_URL is not; the mock's process is known, so unset it, or set both",
        );
    }
    let pace = "a number from 0.1 to 1000";
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
        pace: number::<f64>(environment, "S2_PACE", pace, problems, |pace| PACE.contains(pace)),
        out: environment.folder().join(environment.get("S2_OUT").unwrap_or(OUT)),
        seed: number(environment, "S2_SEED", "a whole number, 0 or more", problems, |_| true).unwrap_or(1),
        log_filter: checked(environment, "S2_LOG", problems, log_filter),
        journal: environment
            .get("S2_JOURNAL")
            .filter(|path| !path.is_empty())
            .map(|path| environment.folder().join(path)),
        live: checked(environment, "S2_LIVE", problems, live),
    }
}

impl EnvSettings {
    /// Adds these settings to `shown`, for the journal's header.
    pub(super) fn show(&self, shown: &mut BTreeMap<String, String>) {
        let mut say = |name: &str, value: String| drop(shown.insert(name.to_owned(), value));
        match &self.gateway {
            Some(gateway) => {
                say("gateway", gateway.url.clone());
                match (gateway.pid, &gateway.listens_at) {
                    (Some(pid), _) => say("gatewayPid", pid.to_string()),
                    (None, Some(_)) => say("gatewayPid", "of who listens".to_owned()),
                    (None, None) => {}
                }
            }
            None => say("gateway", "the embedded mock".to_owned()),
        }
        say("token", self.token.as_ref().map_or_else(|| "none".to_owned(), TokenSource::describe));
        if let Some(file) = &self.ca_file {
            say("caFile", file.display().to_string());
        }
        if !self.trust.verifies() {
            say("tlsVerify", "off".to_owned());
        }
        say("workspace", self.workspace.clone());
        if let Some(pace) = self.pace {
            say("pace", pace.to_string());
        }
        say("out", self.out.display().to_string());
        say("seed", self.seed.to_string());
        if let Some(filter) = &self.log_filter {
            say("log", filter.clone());
        }
        if let Some(live) = self.live {
            say("live", live.to_string());
        }
    }
}

/// A variable's value, if it is set, not empty (a problem of its own) and right.
fn checked<T>(
    environment: &Environment,
    name: &str,
    problems: &mut Problems,
    check: fn(&str) -> Result<T, String>,
) -> Option<T> {
    let value = environment.get(name).filter(|value| !value.is_empty())?;
    check(value).map_err(|what| problems.add(PLACE, name, what)).ok()
}

fn number<T: FromStr>(
    environment: &Environment,
    name: &str,
    right: &str,
    problems: &mut Problems,
    is_right: impl Fn(&T) -> bool,
) -> Option<T> {
    let value = environment.get(name).filter(|value| !value.is_empty())?;
    let number = value.parse().ok().filter(is_right);
    if number.is_none() {
        problems.add(PLACE, name, format!("is {value:?}; it should be {right}"));
    }
    number
}

/// Not a word of a URL with a password in it is repeated.
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

/// A port alone is one of this machine, which nobody else reaches: who wants to be seen from elsewhere says so.
fn live(value: &str) -> Result<SocketAddr, String> {
    let here = |port: &str| Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port.parse().ok()?));
    let bare = value.strip_prefix("localhost:").or(value.strip_prefix(':')).unwrap_or(value);
    value.parse().ok().or_else(|| here(bare)).ok_or_else(|| {
        format!(
            "is {value:?}; it should be an address and a port, 127.0.0.1:0 for any free one that only this machine sees"
        )
    })
}

fn log_filter(value: &str) -> Result<String, String> {
    let filter = EnvFilter::try_new(value);
    filter.map_err(|e| format!("is {value:?}, which is no log filter ({e}); `debug` or `info,s2_harness=debug` is"))?;
    Ok(value.to_owned())
}
