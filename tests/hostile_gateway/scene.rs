//! A soak at a hostile gateway, and what must hold of each, whatever the gateway does: the session ends in good order,
//! its memory stays bounded, and its token shows nowhere.

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use mock_gateway::Config;
use s2_harness::clock;
use serde_json::Value;
use testkit::{AnyError, Left, Playing, Soak, command_line, memory_peak_bytes, session_of};
use tokio::runtime::Runtime;

use crate::front::{Behaviour, Front};

/// The token of every soak here. It must be found nowhere but in the environment and on the wire.
pub(crate) const TOKEN: &str = "token-canary-5f1c9a77e03b";
/// No soak here takes longer.
const LIMIT: Duration = Duration::from_secs(120);

/// Four scenario minutes in eight seconds: every workload twice, but the slow ones.
const SETTINGS: &str = r#"
[suites]
smoke_duration = "4m"
heartbeat_every = "1m"
snapshot_every = "2m"
[w1_realistic_runs]
per_minute = 12
timeout = "4s"
[w2_sse_churn]
streams = 4
churn_every = "70s"
reconnect_delay_min = "200ms"
reconnect_delay_max = "400ms"
[w3_registry_pulse]
first_at = "20s"
every = "90s"
[w4_safety_probes]
first_at = "40s"
every = "2m"
[w5_privacy_slice]
first_at = "30s"
every = "4m"
toggle_delay = "400ms"
[availability]
every = "3s"
"#;
const PACE: f64 = 30.0;

/// What an odd gateway must not turn red, as long as it is well.
pub(crate) const OF_STREAMS_AND_REQUESTS: [&str; 10] = [
    "availability",
    "run_success",
    "error_rate_steady",
    "sse_reconnect_success",
    "sse_reconnect_rate",
    "sse_duplicates",
    "sse_gaps",
    "injections_blocked",
    "pii_masked",
    "plaintext_leaks",
];

/// All hostile gateways, on two threads.
static GATEWAYS: LazyLock<Runtime> = LazyLock::new(|| {
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    threads.worker_threads(2).enable_all().build().expect("a machine that runs tests has room for two threads")
});

/// What a soak at a hostile gateway has left, and what was measured of it.
pub(crate) struct Played {
    pub(crate) left: Left,
    pub(crate) journal: Vec<Value>,
    pub(crate) results: Value,
    pub(crate) memory_peak_bytes: u64,
    pub(crate) took: Duration,
}

/// Where a trial's soak leaves what it leaves.
pub(crate) fn folder(trial: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile_gateway").join(trial.replace("::", "-"))
}

/// The soak of a trial.
pub(crate) fn soak(trial: &str, gateway_url: &str) -> Soak {
    Soak {
        folder: folder(trial),
        suite: "smoke",
        pace: PACE,
        settings: SETTINGS.to_owned(),
        gateway_url: Some(gateway_url.to_owned()),
        token: TOKEN,
        log: "debug",
    }
}

/// Plays something while a gateway behaves so.
pub(crate) fn at<T>(
    behaves: Behaviour,
    behind: Config,
    plays: impl FnOnce(&str) -> Result<T, AnyError>,
) -> Result<T, AnyError> {
    let front = GATEWAYS.block_on(Front::start(behaves, behind))?;
    let played = plays(&front.url);
    GATEWAYS.block_on(front.shutdown());
    played
}

/// Plays a soak at a gateway that behaves so.
pub(crate) fn play(trial: &str, behaves: Behaviour) -> Result<Played, AnyError> {
    at(behaves, Config::default(), |url| watch_own(&soak(trial, url)))
}

/// Plays a soak by this very binary.
pub(crate) fn watch_own(soak: &Soak) -> Result<Played, AnyError> {
    watch(soak, soak.start()?)
}

/// Keeps an eye on the processes of a soak, and holds what must hold of every one.
pub(crate) fn watch(soak: &Soak, playing: Playing) -> Result<Played, AnyError> {
    let began = clock::now();
    let mut seen = Seen::default();
    let left = playing.watch(LIMIT, |playing| seen.look(playing))?;
    let took = clock::now().saturating_duration_since(began);
    holds(&seen, &left).map_err(|wrong| format!("{wrong}\n{}", soak.folder.display()))?;
    let (journal, results) = (left.journal()?, left.results()?);
    println!("{}: {} MiB at most, {} s", soak.folder.display(), seen.memory_peak_bytes >> 20, took.as_secs());
    Ok(Played { left, journal, results, memory_peak_bytes: seen.memory_peak_bytes, took })
}

/// What was seen of a soak's processes while they were there.
#[derive(Debug, Default)]
struct Seen {
    session: Option<u32>,
    memory_peak_bytes: u64,
    shows_token: bool,
}

impl Seen {
    fn look(&mut self, playing: &Playing) {
        self.session = self.session.or_else(|| session_of(&playing.out()));
        for pid in self.session.into_iter().chain([playing.runner.id()]) {
            self.shows_token |= contains(&command_line(pid), TOKEN);
        }
        let peak = self.session.and_then(memory_peak_bytes);
        self.memory_peak_bytes = self.memory_peak_bytes.max(peak.unwrap_or(0));
    }
}

/// What must hold whatever the gateway does.
fn holds(seen: &Seen, left: &Left) -> Result<(), AnyError> {
    if seen.memory_peak_bytes == 0 {
        return Err("the session was never seen".into());
    }
    if seen.memory_peak_bytes > MEMORY_BYTES_MAX {
        let [peak, most] = [seen.memory_peak_bytes, MEMORY_BYTES_MAX].map(|bytes| bytes >> 20);
        return Err(format!("the session took {peak} MiB, and should take {most} at most").into());
    }
    if seen.shows_token {
        return Err("the token is in a command line".into());
    }
    for (path, bytes) in left.files()? {
        if contains(&bytes, TOKEN) {
            return Err(format!("the token is in {}", path.display()).into());
        }
    }
    let journal = left.journal()?;
    let last = journal.last().ok_or("the journal is empty")?;
    if last["record"] != "end" {
        return Err(format!("the journal's last record is no end: {last}").into());
    }
    let summary = &left.results()?["summary"];
    if summary["endedAt"].is_null() {
        return Err("the results are not those of the end".into());
    }
    if left.status.success() != (summary["verdict"] == "pass") {
        return Err(format!("the runner said {}, and the results {}", left.status, summary["verdict"]).into());
    }
    let panicked = journal.iter().find(|record| record["kind"] == "worker_panicked");
    panicked.map_or(Ok(()), |panicked| Err(format!("a worker panicked: {panicked}").into()))
}

impl Played {
    /// Whether an incident of a kind says all of this.
    pub(crate) fn found(&self, kind: &str, says: &[&str]) -> Result<(), AnyError> {
        let of_kind: Vec<String> =
            self.journal.iter().filter(|record| record["kind"] == kind).map(ToString::to_string).collect();
        if of_kind.iter().any(|incident| says.iter().all(|text| incident.contains(text))) {
            return Ok(());
        }
        let few = of_kind.iter().take(5).map(String::as_str).collect::<Vec<_>>().join("\n");
        Err(format!("no {kind} says {says:?}, but {} others do, among them\n{few}", of_kind.len()).into())
    }

    /// Whether these KPIs are red for what they are about.
    pub(crate) fn red(&self, kpis: &[&str]) -> Result<(), AnyError> {
        let green = kpis.iter().find(|kpi| self.verdict(kpi) != "fail");
        green.map_or(Ok(()), |kpi| Err(format!("{kpi} is {}, and should fail", self.verdict(kpi)).into()))
    }

    /// Whether a KPI is unproven for a reason that says this.
    pub(crate) fn unproven(&self, kpi: &str, says: &str) -> Result<(), AnyError> {
        let judgement = self.judgement(kpi);
        let is_right = judgement["verdict"] == "unproven"
            && judgement["reason"].as_str().is_some_and(|reason| reason.contains(says));
        if is_right { Ok(()) } else { Err(format!("{kpi} should be unproven for {says}: {judgement}").into()) }
    }

    /// Whether these KPIs are green.
    pub(crate) fn green(&self, kpis: &[&str]) -> Result<(), AnyError> {
        let red = kpis.iter().find(|kpi| self.verdict(kpi) != "pass");
        red.map_or(Ok(()), |kpi| Err(format!("{kpi} should be green: {}", self.judgement(kpi)).into()))
    }

    /// Whether the plan was played to its end, whatever came of it.
    pub(crate) fn to_its_end(&self) -> Result<(), AnyError> {
        let (reason, fatal) = (&self.results["summary"]["endReason"], &self.results["fatalError"]);
        if reason == "played" && fatal.is_null() {
            return Ok(());
        }
        Err(format!("the session ended as {reason}, with {fatal}").into())
    }

    fn judgement(&self, kpi: &str) -> &Value {
        let kpis = self.results["kpis"].as_array();
        kpis.into_iter().flatten().find(|judgement| judgement["name"] == kpi).unwrap_or(&Value::Null)
    }

    fn verdict(&self, kpi: &str) -> &str {
        self.judgement(kpi)["verdict"].as_str().unwrap_or("missing")
    }
}

/// The session of a well gateway takes 22 MiB in a build without optimisation. A hostile one may make it take what is read
/// of answers at a time: 4 MiB of metrics and their twenty thousand series, 1 MiB for each of two dozen runs, or of an
/// event on each of as many streams.
pub(crate) const WELL_BYTES_MAX: u64 = 40 << 20;
/// See [`WELL_BYTES_MAX`].
const MEMORY_BYTES_MAX: u64 = 96 << 20;

pub(crate) fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
