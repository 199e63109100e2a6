//! What every trial needs: a gateway, a soak that plays at it, moments to wait for, and what must hold of every soak.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use s2_harness::clock;
use serde_json::Value;
use testkit::{AnyError, GatewayProcess, Left, Playing, Soak, command_line, memory_peak_bytes, session_of};

use crate::unkillable::gateway;

/// Must be found nowhere.
const TOKEN: &str = "token-canary-4b1d";
/// Four times what a session has that nobody disturbs.
const MEMORY_BYTES_MAX: u64 = 128_000_000;
/// By then anything has happened that will, on any machine.
const LIMIT: Duration = Duration::from_secs(120);

/// A soak, under way.
pub(crate) struct Scene {
    pub(crate) playing: Playing,
    /// Keeps the gateway there.
    _gateway: GatewayProcess,
}

/// What is played: a suite at a pace, with these settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Play {
    pub(crate) suite: &'static str,
    pub(crate) pace: f64,
    pub(crate) settings: &'static str,
}

impl Play {
    /// The soak, at a gateway of its own.
    pub(crate) fn soak(self, name: &str) -> Result<(Soak, GatewayProcess), AnyError> {
        let gateway = gateway::start(TOKEN)?;
        Ok((self.soak_at(name, Some(gateway.ready_line.clone())), gateway))
    }

    /// The soak, at a gateway.
    pub(crate) fn soak_at(self, name: &str, gateway_url: Option<String>) -> Soak {
        self.soak_in(Path::new(env!("CARGO_TARGET_TMPDIR")).join("unkillable").join(name), gateway_url)
    }

    fn soak_in(self, folder: PathBuf, gateway_url: Option<String>) -> Soak {
        let Self { suite, pace, settings } = self;
        Soak { folder, suite, pace, settings: settings.to_owned(), gateway_url, token: TOKEN, log: "info" }
    }

    /// The soak in a folder, at a gateway of its own.
    pub(crate) fn soak_on(self, folder: PathBuf) -> Result<(Soak, GatewayProcess), AnyError> {
        let gateway = gateway::start(TOKEN)?;
        Ok((self.soak_in(folder, Some(gateway.ready_line.clone())), gateway))
    }

    /// Starts it in a folder, at a gateway of its own.
    pub(crate) fn start_in(self, folder: PathBuf) -> Result<Scene, AnyError> {
        let (soak, gateway) = self.soak_on(folder)?;
        Ok(Scene::of(soak.start()?, gateway))
    }

    /// Starts it, at a gateway of its own.
    pub(crate) fn start(self, name: &str) -> Result<Scene, AnyError> {
        let (soak, gateway) = self.soak(name)?;
        Ok(Scene { playing: soak.start()?, _gateway: gateway })
    }
}

impl Scene {
    /// A soak that was started otherwise, and the gateway that it plays at.
    pub(crate) const fn of(playing: Playing, gateway: GatewayProcess) -> Self {
        Self { playing, _gateway: gateway }
    }

    /// The journal as far as it is written.
    pub(crate) fn journal(&self) -> String {
        journal(&self.playing.out())
    }

    /// Waits until the record has come to a scenario moment.
    pub(crate) fn wait_until_recorded(&self, at_ms: u64) -> Result<(), AnyError> {
        wait(&format!("the record at {at_ms} ms"), || (reached_ms(&self.journal()) >= at_ms).then_some(()))
    }

    /// The session's process, once there is one.
    pub(crate) fn session(&self) -> Result<u32, AnyError> {
        wait("a session", || session_of(&self.playing.out()))
    }

    /// Kills the session with SIGKILL, and waits for the one that takes over. What was recorded before, and how long
    /// nobody was there.
    pub(crate) fn kill_session(&self) -> Result<(String, Duration), AnyError> {
        let pid = self.session()?;
        assert!(!holds_token(&command_line(pid)), "the token is in the session's command line");
        let memory_bytes = memory_peak_bytes(pid).unwrap_or(0);
        assert!(memory_bytes < MEMORY_BYTES_MAX, "the session has had {memory_bytes} bytes resident");
        let recorded = self.journal();
        signal(pid, Signal::KILL)?;
        let killed = clock::now().into_std();
        wait("another session", || session_of(&self.playing.out()).filter(|other| *other != pid))?;
        Ok((recorded, killed.elapsed()))
    }

    /// Waits for the runner's end, and holds what must hold of every soak.
    pub(crate) fn end(mut self) -> Result<Left, AnyError> {
        let left = wait("the runner's end", || self.playing.ended().transpose())??;
        let leaks = left.files()?.into_iter().filter(|(_, text)| holds_token(text));
        let leaks: Vec<PathBuf> = leaks.map(|(path, _)| path).collect();
        if !leaks.is_empty() {
            return Err(format!("the token is in {leaks:?}").into());
        }
        Ok(left)
    }
}

/// Sends a signal to a process that was started here.
pub(crate) fn signal(pid: u32, signal: Signal) -> Result<(), AnyError> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or("no process has that id")?;
    Ok(kill_process(pid, signal)?)
}

/// Waits for a condition.
pub(crate) fn wait<T>(what: &str, condition: impl FnMut() -> Option<T>) -> Result<T, AnyError> {
    testkit::wait(what, LIMIT, condition)
}

/// How long something took that began at a moment; an error where that is too long.
pub(crate) fn within(limit: Duration, began: Instant, what: &str) -> Result<(), AnyError> {
    let took = began.elapsed();
    if took <= limit { Ok(()) } else { Err(format!("{what} took {took:?}").into()) }
}

/// The newest journal below a folder, as far as it is written.
pub(crate) fn journal(out: &Path) -> String {
    let folders = fs::read_dir(out).into_iter().flatten().flatten().map(|entry| entry.path());
    let journals = folders.filter(|path| !path.is_symlink()).map(|path| path.join("journal.ndjson"));
    journals.filter_map(|path| fs::read_to_string(path).ok()).max_by_key(String::len).unwrap_or_default()
}

/// How far a journal reaches, scenario milliseconds.
fn reached_ms(journal: &str) -> u64 {
    let records = journal.lines().rev().take(8).filter_map(|line| serde_json::from_str::<Value>(line).ok());
    records.filter_map(|record| record["to_ms"].as_u64().filter(|_| record["record"] == "interval")).max().unwrap_or(0)
}

/// The incidents of a kind.
pub(crate) fn incidents(left: &Left, kind: &str) -> Result<Vec<Value>, AnyError> {
    Ok(left.journal()?.into_iter().filter(|record| record["kind"] == kind).collect())
}

/// What a soak says of its end.
pub(crate) fn end_reason(left: &Left) -> Result<String, AnyError> {
    let end = left.journal()?.pop().filter(|record| record["record"] == "end");
    Ok(end.ok_or("the journal has no end")?["reason"].as_str().unwrap_or_default().to_owned())
}

/// Of each judgement that is not green, the name and all that is said of it.
pub(crate) fn reds(left: &Left) -> Result<BTreeMap<String, Value>, AnyError> {
    Ok(testkit::reds(&left.results()?)?)
}

/// Fails where other judgements are red than these.
pub(crate) fn only_red(left: &Left, allowed: &[&str]) -> Result<(), AnyError> {
    // A machine that is busy with the trials beside this one starts late, and says so: that is nobody else's red.
    let allowed: BTreeSet<&str> = allowed.iter().copied().chain(["load_delivered"]).collect();
    let reds = reds(left)?;
    let wrong: Vec<&Value> = reds.iter().filter(|(name, _)| !allowed.contains(name.as_str())).map(|(_, r)| r).collect();
    if wrong.is_empty() { Ok(()) } else { Err(format!("red, and should not be: {wrong:#?}").into()) }
}

fn holds_token(text: &[u8]) -> bool {
    text.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes())
}
