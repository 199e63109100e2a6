//! Soaks at gateways of other shapes, and what must be waived of each, and nothing else.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use serde_json::Value;
use testkit::{AnyError, GatewayProcess, Left, Soak, own_binary, reds, serve};

use crate::{
    burrow, orchard,
    server::{Shaped, client, speaks},
    weir,
};

/// Two hours at this pace are a minute; beyond this something hangs.
const PACE: f64 = 120.0;
const LIMIT: Duration = Duration::from_secs(180);

/// Set where this binary is to be a gateway: to the name of its shape.
const BE_THE_GATEWAY: &str = "ANY_GATEWAY_BE_THE_GATEWAY";

/// A gateway of a shape, and what is said of it.
struct Shape {
    name: &'static str,
    dialect: String,
    levers: &'static str,
    token: &'static str,
    /// What its events of chaos say that they were brought about by.
    pulls: &'static [&'static str],
}

/// What stands in no suite's results: plays the lever of a command, where this binary is called as one.
pub(crate) fn pulled_lever() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some("pull-lever") {
        return None;
    }
    let (behind, what) = (arguments.next()?, arguments.next()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let asked = runtime.block_on(async {
        client()?.post(format!("{behind}/api/chaos/{what}")).json(&serde_json::json!({})).send().await
    });
    println!("{what}: {asked:?}");
    Some(if asked.is_ok_and(|answer| answer.status().is_success()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Is a gateway, where the environment asks for one, until the parent hangs up.
pub(crate) fn served() -> Option<ExitCode> {
    let (_, name) = std::env::vars_os().find(|(name, _)| name == BE_THE_GATEWAY)?;
    let speaks = match name.to_str() {
        Some("orchard") => speaks(orchard::speak),
        Some("burrow") => speaks(burrow::speak),
        _ => speaks(weir::speak),
    };
    let started = async {
        let gateway = Shaped::start(speaks).await?;
        Ok((gateway.urls(), async move { gateway.shutdown().await }))
    };
    Some(serve(started))
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("any_gateway").join(name)
}

/// What a soak at a gateway of this shape has left: the whole of `full`, compressed, or the preflight.
fn leave(shape: &Shape, trial: &str, suite: &'static str) -> Result<Left, AnyError> {
    // In a process of its own, so that its memory and descriptors are its own.
    let gateway = GatewayProcess::spawn(own_binary()?.env(BE_THE_GATEWAY, shape.name))?;
    let (url, behind) = gateway.ready_line.split_once(' ').ok_or("the gateway did not start")?;
    let folder = folder(&format!("{}-{trial}", shape.name));
    let dialects = folder.with_extension("dialects");
    fs::create_dir_all(&dialects)?;
    fs::write(dialects.join("dialect.toml"), shape.dialect.replace("BASE", "base.toml"))?;
    fs::write(dialects.join("base.toml"), weir::BASE)?;
    let program = std::env::current_exe()?.display().to_string();
    let levers = shape.levers.replace("PROGRAM", &program).replace("BEHIND", behind);
    let soak = Soak {
        folder,
        suite,
        pace: PACE,
        settings: format!("dialect = {:?}\n{levers}", dialects.join("dialect.toml").display().to_string()),
        gateway_url: Some(url.to_owned()),
        token: shape.token,
        log: "info",
    };
    let left = soak.start()?.left_within(LIMIT)?;
    drop(gateway);
    for (path, bytes) in left.files()? {
        let is_there =
            !shape.token.is_empty() && bytes.windows(shape.token.len()).any(|it| it == shape.token.as_bytes());
        if is_there {
            return Err(format!("the token is in {}", path.display()).into());
        }
    }
    Ok(left)
}

/// Tries every call in the gateway's dialect.
fn goes_through_preflight(shape: &Shape) -> Result<(), AnyError> {
    let left = leave(shape, "preflight", "preflight")?;
    let said = left.output()?;
    if left.status.success() && said.contains("test preflight::create_run") { Ok(()) } else { Err(said.into()) }
}

/// Plays `full`, compressed; the results.
fn play(shape: &Shape) -> Result<Value, AnyError> {
    let left = leave(shape, "full", "full")?;
    let folder = &left.folder;
    let results = left.results()?;
    if !left.status.success() {
        let reds: Vec<String> = reds(&results)?.values().map(Value::to_string).collect();
        return Err(
            format!("{}: {}; {}\n{}", folder.display(), left.status, results["fatalError"], reds.join("\n")).into()
        );
    }
    for lever in shape.pulls {
        let is_it = |record: &Value| {
            record["kind"] == "chaos_injected" && record["answer"].as_str().unwrap_or("").contains(lever)
        };
        if !left.journal()?.iter().any(is_it) {
            return Err(format!("no event of chaos was brought about by {lever:?}").into());
        }
    }
    Ok(results)
}

fn names(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().filter_map(|it| Some(it["name"].as_str()?.to_owned())).collect()
}

/// Holds that these are waived, each for a reason, and no other.
fn waived(results: &Value, expected: &[&str]) -> Result<(), AnyError> {
    let all = names(&results["waived"]);
    let expected: BTreeSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
    if all != expected {
        return Err(format!("waived are {all:?}, and should be {expected:?}").into());
    }
    let bare =
        results["waived"].as_array().into_iter().flatten().find(|it| it["reason"].as_str().unwrap_or("").len() < 10);
    bare.map_or(Ok(()), |it| Err(format!("waived without a reason: {it}").into()))
}

fn orchard() -> Shape {
    Shape {
        name: "orchard",
        dialect: orchard::DIALECT.to_owned(),
        levers: orchard::LEVERS,
        token: "",
        pulls: &["POST /v2/admin/restart: 202", "the fault proxy: every answer 150 ms later, give or take 5 ms"],
    }
}

fn burrow() -> Shape {
    Shape {
        name: "burrow",
        dialect: burrow::DIALECT.to_owned(),
        levers: burrow::LEVERS,
        token: "",
        pulls: &["exit status: 0, and said: gateway-restart", "the fault proxy: every answer 150 ms later"],
    }
}

fn weir() -> Shape {
    Shape {
        name: "weir",
        dialect: weir::DIALECT.to_owned(),
        levers: weir::LEVERS,
        token: weir::KEY,
        pulls: &["connections cut, and none for 2000 ms", "the fault proxy: every answer 150 ms later"],
    }
}

pub(crate) fn orchard_goes_through_preflight() -> Result<(), AnyError> {
    goes_through_preflight(&orchard())
}

pub(crate) fn burrow_goes_through_preflight() -> Result<(), AnyError> {
    goes_through_preflight(&burrow())
}

pub(crate) fn weir_goes_through_preflight() -> Result<(), AnyError> {
    goes_through_preflight(&weir())
}

/// What a newcomer starts with: no dialect at all, or one with mistakes in it.
pub(crate) fn preflight_says_which_line_would_have_to_change() -> Result<(), AnyError> {
    let mistaken = orchard::DIALECT
        .replace("time = \"/now\"", "time = \"/time\"")
        .replace("yes = [204]\n[calls.metrics]", "yes = [200]\n[calls.metrics]")
        .replace("status = \"/run/state\"", "status = \"/state\"")
        .replace(
            "under_way = [\"in-progress\"]\nsuccess = [\"complete\"]",
            "under_way = [\"in-progress\"]\nsuccess = [\"done\"]",
        )
        .replace("run_id = \"/run/id\"", "run_id = \"/id\"")
        .replace("hits = \"/items\"", "hits = \"/hits\"")
        .replace("refused = [422]", "refused = [418]");
    let shape = Shape { dialect: mistaken, ..orchard() };
    let said = preflight_says(
        &shape,
        "mistaken",
        &[
            "there is no time at \"/time\"",
            "it may be at \"/now\"",
            "204 is none of the statuses that mean yes, [200]",
            "calls.ready.yes (",
            "there is no status at \"/state\"",
            "it may be at \"/run/state\"",
            "no event names the run",
            "it may be at \"/run/id\"",
            "there is no hits at \"/hits\"",
            "it may be at \"/items\"",
            "a prompt injection was answered 422, none of the statuses that refuse, [418]",
        ],
    )?;
    // The line is that of the file.
    let line = shape.dialect.lines().position(|line| line == "status = \"/state\"").ok_or("the mistake is made")? + 1;
    let place = format!("dialect.toml:{line})");
    if !said.contains(&place) {
        return Err(format!("{place} is not said:\n{said}").into());
    }
    Ok(())
}

/// What can only be seen where the rest is right.
pub(crate) fn preflight_says_what_is_not_told_and_what_is_not_counted() -> Result<(), AnyError> {
    let mistaken = orchard::DIALECT
        .replace("status = \"/state\"\nduration_ms", "status = \"/status\"\nduration_ms")
        .replace("/runs/waiting", "/runs/queued")
        .replace("\"{hash_only}\"", "\"{store_plain}\"");
    let shape = Shape { dialect: mistaken, ..orchard() };
    let says = [
        "the run's end does not say how it ended",
        "events.status (",
        "it may be at \"/state\"",
        "there is no run_queue_depth",
        "metrics.names.run_queue_depth (",
        "\"/runs/waiting\" (",
        "or, if the gateway has none: metrics.absent.run_queue_depth = \"why\"",
        "what the run was told stands there in plain text, and hash-only was asked for",
        "calls.toggle_privacy.body (",
    ];
    preflight_says(&shape, "silent", &says)?;
    let shape = Shape { dialect: format!("{}[events]\nids = \"stream\"\n", weir::DIALECT), ..weir() };
    preflight_says(&shape, "ids", &["stands for two events, one on each of two connections", "events.ids ("]).map(drop)
}

/// What preflight says in this dialect, all of this among it.
fn preflight_says(shape: &Shape, trial: &str, all: &[&str]) -> Result<String, AnyError> {
    let said = leave(shape, trial, "preflight")?.output()?;
    match all.iter().find(|says| !said.contains(**says)) {
        Some(says) => Err(format!("{says:?} is not said:\n{said}").into()),
        None => Ok(said),
    }
}

pub(crate) fn orchard_plays_the_two_hours() -> Result<(), AnyError> {
    waived(&play(&orchard())?, &["redis_restart"])
}

pub(crate) fn burrow_plays_the_two_hours() -> Result<(), AnyError> {
    let registry = ["publish_search_delay", "registry_consistency", "tampered_manifests", "w3_registry_pulse"];
    waived(
        &play(&burrow())?,
        &[&registry[..], &["judge_p95", "shield_p95", "fd_drift", "sse_connection_drift"]].concat(),
    )
}

pub(crate) fn weir_plays_the_two_hours() -> Result<(), AnyError> {
    let results = play(&weir())?;
    if results["summary"]["requestsThrottled"].as_u64() < Some(10) {
        return Err(format!("it was told to wait {} times only", results["summary"]["requestsThrottled"]).into());
    }
    let registry = ["publish_search_delay", "registry_consistency", "tampered_manifests", "w3_registry_pulse"];
    // Its process is found by who listens on its port.
    let metrics = ["sse_connection_drift", "queue_drift", "clock_drift", "sse_write_p99"];
    let others = ["judge_p95", "shield_p95", "plaintext_leaks", "w5_privacy_slice", "redis_restart"];
    waived(&results, &[&registry[..], &metrics, &others].concat())
}
