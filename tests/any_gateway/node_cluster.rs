//! A gateway with every habit at once, in Node: two workers, streams of runs alone that repeat neither what happened before nor
//! the run's id, versions of three numbers, personal data refused, a paged search, metrics elsewhere. A dialect describes it.

use std::{fs, path::Path, time::Duration};

use testkit::{AnyError, Left, Soak, reds};

use crate::node::Node;

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
# Its heap warms up as that of any Node gateway, and each of its streams has another one behind it: what holds of the mock does
# not hold here.
[drift]
"#;

fn leave(suite: &'static str) -> Result<Left, AnyError> {
    let cluster = Node::start(&[GATEWAY])?;
    let (url, metrics) = cluster.ready_line.split_once(' ').ok_or("the cluster did not start")?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node_cluster").join(suite);
    fs::create_dir_all(folder.with_extension("d"))?;
    let dialect = folder.with_extension("d").join("gateway.toml");
    fs::write(&dialect, DIALECT.replace("METRICS", metrics))?;
    let settings = format!("dialect = {:?}\n{SETTINGS}", dialect.display().to_string());
    let gateway_url = Some(url.to_owned());
    let soak = Soak { folder, suite, pace: PACE, settings, gateway_url, token: "", log: "info" };
    soak.start()?.left_within(LIMIT)
}

pub(crate) fn goes_through_preflight() -> Result<(), AnyError> {
    let left = leave("preflight")?;
    if left.status.success() { Ok(()) } else { Err(fs::read_to_string(left.folder.join("stdout"))?.into()) }
}

pub(crate) fn plays_the_two_hours() -> Result<(), AnyError> {
    let left = leave("full")?;
    let results = left.results()?;
    if left.status.success() {
        Ok(())
    } else {
        Err(format!("{}: {:#?}", left.folder.display(), reds(&results)?).into())
    }
}
