//! A gateway with every habit at once, in Node: two workers, streams of runs alone that repeat neither what happened before nor
//! the run's id, versions of three numbers, personal data refused, a paged search, metrics elsewhere. A dialect describes it.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    end::left_within,
    reds::reds,
    soak::{AnyError, Left, Soak},
};

const GATEWAY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/runtimes/cluster.mjs");
/// Two hours at this pace are a minute; beyond the limit something hangs.
const PACE: f64 = 120.0;
const LIMIT: Duration = Duration::from_secs(240);

/// All that this gateway is to be told of.
const DIALECT: &str = r#"
[calls.metrics]
path = "METRICS"
[calls.create_run]
path = "/api/agents/{agent}/run"
body = '{"message": "{message}", "name": "{name}"}'
yes = [202]
id = "/run_id"
personal_data = "refused"
[calls.start_run]
part_of = "create_run"
[calls.logs_stream]
absent = "each run has a stream of its own, and there is no other"
[calls.guard_stream]
absent = "each run has a stream of its own, and there is no other"
[calls.publish]
version_form = "1.0.{seconds}"
[calls.search]
path = "/api/registry/agents?q={text}&page={page}"
[calls.redis_restart]
absent = "its store is its own"
[calls.gateway_restart]
absent = "nobody may"
[calls.latency]
absent = "nobody may"
[events]
ignore = ["connected"]
replay_on_run_streams = "no"
[metrics.absent]
process_resident_memory_bytes = "its metrics are about runs and streams"
process_open_fds = "its metrics are about runs and streams"
process_start_time_seconds = "its metrics are about runs and streams"
"#;
const SETTINGS: &str = r#"
[w6_light_chaos.redis_restart]
lever = "none"
reason = "its store is its own"
[w6_light_chaos.gateway_restart]
lever = "proxy"
[w6_light_chaos.latency]
lever = "proxy"
# Its heap warms up as that of any Node gateway: what holds of the mock does not hold here.
[drift]
"#;

/// The cluster; it ends with this.
struct Cluster {
    process: Child,
    url: String,
    metrics: String,
}

impl Cluster {
    /// None where this machine has no Node.
    fn start() -> Result<Option<Self>, AnyError> {
        if Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            eprintln!("skipped: there is no `node` on this machine, so no soak was played at a cluster of Node");
            return Ok(None);
        }
        let mut command = Command::new("node");
        let mut process = command.arg(GATEWAY).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let stdout = process.stdout.take().ok_or("it has no output")?;
        let mut urls = String::new();
        BufReader::new(stdout).read_line(&mut urls)?;
        let (url, metrics) = urls.trim().split_once(' ').ok_or("the cluster did not start")?;
        Ok(Some(Self { process, url: url.to_owned(), metrics: metrics.to_owned() }))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It ends its workers. It was ours to start, and is ours to wait for.
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let _ = self.process.wait();
    }
}

fn leave(suite: &'static str) -> Result<Option<Left>, AnyError> {
    let Some(cluster) = Cluster::start()? else { return Ok(None) };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node_cluster").join(suite);
    fs::create_dir_all(folder.with_extension("d"))?;
    let dialect = folder.with_extension("d").join("gateway.toml");
    fs::write(&dialect, DIALECT.replace("METRICS", &cluster.metrics))?;
    let settings = format!("dialect = {:?}\n{SETTINGS}", dialect.display().to_string());
    let gateway_url = Some(cluster.url.clone());
    let soak = Soak { folder, suite, pace: PACE, settings, gateway_url, token: "", log: "info" };
    left_within(LIMIT, soak.start()?).map(Some)
}

pub(crate) fn goes_through_preflight() -> Result<(), AnyError> {
    let Some(left) = leave("preflight")? else { return Ok(()) };
    if left.status.success() { Ok(()) } else { Err(fs::read_to_string(left.folder.join("stdout"))?.into()) }
}

pub(crate) fn plays_the_two_hours() -> Result<(), AnyError> {
    let Some(left) = leave("full")? else { return Ok(()) };
    let results = left.results()?;
    if left.status.success() {
        Ok(())
    } else {
        Err(format!("{}: {:#?}", left.folder.display(), reds(&results)?).into())
    }
}
