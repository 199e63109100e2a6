//! A gateway of a runtime with a garbage collector: Node itself, with a heap as V8 keeps it.

use std::{fs, path::Path, time::Duration};

use serde_json::Value;
use testkit::{AnyError, Left, Soak, reds};

use crate::node::Node;

const GATEWAY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/runtimes/gateway.mjs");
/// Two hours at this pace are two minutes; beyond the limit something hangs.
const PACE: f64 = 60.0;
const LIMIT: Duration = Duration::from_secs(300);
/// It is one process that nobody starts again. It works less than the mock would have to, beside soaks that do.
const SETTINGS: &str = r#"
[w1_realistic_runs]
per_minute = 1
[w2_sse_churn]
streams = 6
[w6_light_chaos.gateway_restart]
lever = "none"
reason = "nobody starts this gateway again"
"#;
const COLLECTS: &str = "[calls.collect_garbage]\nmethod = \"POST\"\npath = \"/debug/gc\"\nyes = [200]\n";

/// Plays `full`, compressed, at the gateway with these flags.
fn play(name: &str, flags: &[&str], settings: &str) -> Result<Left, AnyError> {
    let node = Node::start(&[&["--expose-gc", GATEWAY, "--port", "0", "--parts", "200"], flags].concat())?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("runtime").join(name);
    fs::create_dir_all(folder.with_extension("d"))?;
    let dialect = folder.with_extension("d").join("gateway.toml");
    fs::write(&dialect, COLLECTS)?;
    let soak = Soak {
        folder,
        suite: "full",
        pace: PACE,
        settings: format!("dialect = {:?}\n{SETTINGS}{settings}", dialect.display().to_string()),
        gateway_url: Some(node.ready_line.clone()),
        token: "",
        log: "info",
    };
    soak.start()?.left_within(LIMIT)
}

fn rss_drift(results: &Value) -> Option<&Value> {
    results["kpis"].as_array()?.iter().find(|kpi| kpi["name"] == "rss_drift")
}

/// In two real minutes memory of Node says nothing; all else is green.
pub(crate) fn node_is_green_and_its_memory_is_not_judged_in_two_minutes() -> Result<(), AnyError> {
    let left = play("healthy", &[], "[drift]\n")?;
    let results = left.results()?;
    if !left.status.success() {
        return Err(format!("{}: {:#?}", left.folder.display(), reds(&results)?).into());
    }
    let waived = results["waived"].as_array().ok_or("the results do not say what is waived")?;
    let reason = waived.iter().find(|waived| waived["name"] == "rss_drift").ok_or("memory was judged")?;
    if !reason["reason"].as_str().is_some_and(|reason| reason.starts_with("not judged at pace 60: ")) {
        return Err(format!("another reason: {reason}").into());
    }
    let stdout = fs::read_to_string(left.folder.join("stdout"))?;
    let ignored = stdout.lines().find(|line| line.contains("full::kpi::rss_drift")).unwrap_or_default();
    if !ignored.contains("ignored") || !ignored.contains("not judged at pace 60") {
        return Err(format!("the trial is not ignored with its reason: {ignored:?}").into());
    }
    Ok(())
}

/// What is retained below the garbage is found, by the metrics of the heap.
pub(crate) fn what_node_retains_is_found_below_its_garbage() -> Result<(), AnyError> {
    let judged = "[drift]\nmin_real_time = \"0s\"\n";
    let left = play("leaking", &["--leak-mb-per-hour", "1200"], judged)?;
    let results = left.results()?;
    let drift = rss_drift(&results).ok_or("memory was not judged")?;
    if drift["verdict"] != "fail" || !drift.to_string().contains("on the heap after full collections") {
        return Err(format!("{}: {drift:#}", left.folder.display()).into());
    }
    Ok(())
}
