//! Chaos that is real: a Redis and a gateway that are really restarted, and latency that is really added, in the two hours,
//! compressed. Nothing that Redis had may be lost; and where Redis loses it, that is found.

use std::{path::Path, time::Duration};

use testkit::{AnyError, Keeps, Left, Soak, reds};

use crate::plant::Plant;

/// Two hours at this pace are a minute and a half; beyond the limit something hangs.
const PACE: f64 = 80.0;
const LIMIT: Duration = Duration::from_secs(240);

/// Levers that restart for real. A churn takes longer than from one to the next, so streams are churned all the time: some
/// client is always away, and feels it where Redis loses what it missed.
const SETTINGS: &str = r#"
[w2_sse_churn]
churn_every = "120s"
[w6_light_chaos.redis_restart]
lever = "command"
program = "PROGRAM"
arguments = ["restart", "redis", "CONTROL"]
timeout = "60s"
[w6_light_chaos.gateway_restart]
lever = "command"
program = "PROGRAM"
arguments = ["restart", "GATEWAY", "CONTROL"]
timeout = "60s"
[w6_light_chaos.latency]
lever = "proxy"
"#;

/// Plays `full`, compressed, at a real gateway on a real Redis.
fn play(name: &str, keeps: Keeps) -> Result<Left, AnyError> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real_chaos").join(name);
    let plant = Plant::start(keeps)?;
    let program = std::env::current_exe()?.display().to_string();
    let soak = Soak {
        folder,
        suite: "full",
        pace: PACE,
        settings: SETTINGS
            .replace("PROGRAM", &program)
            .replace("CONTROL", plant.control())
            .replace("GATEWAY", if keeps == Keeps::Nothing { "both" } else { "gateway" }),
        gateway_url: Some(plant.url().to_owned()),
        token: "",
        log: "info",
    };
    soak.start()?.left_within(LIMIT)
}

pub(crate) fn real_restarts_lose_nothing_that_redis_had() -> Result<(), AnyError> {
    let left = play("keeps", Keeps::Everything)?;
    let reds = reds(&left.results()?)?;
    if !left.status.success() {
        return Err(format!("{}: {}\n{reds:#?}", left.folder.display(), left.status).into());
    }
    // Each was done by what it was to be done by, and had its effect.
    let journal = left.journal()?;
    for says in ["and said: redis: done", "and said: gateway: done", "the fault proxy: every answer 150 ms later"] {
        let is_it = |record: &&serde_json::Value| {
            record["kind"] == "chaos_injected" && record["answer"].as_str().unwrap_or_default().contains(says)
        };
        journal.iter().find(is_it).ok_or_else(|| format!("no event of chaos says {says:?}"))?;
    }
    // Neither a checkpoint, which only a session that takes over needs, nor half a file.
    let mut strays = left.files()?.into_iter().filter_map(|(path, _)| Some(path.file_name()?.to_str()?.to_owned()));
    if let Some(stray) = strays.find(|name| name.starts_with("checkpoint") || name.starts_with(".tmp")) {
        return Err(format!("{stray} was left behind").into());
    }
    let seen = journal.iter().filter(|record| record["kind"] == "chaos_seen" && record["effective"] == true).count();
    if seen == 3 { Ok(()) } else { Err(format!("of three events {seen} had an effect").into()) }
}

/// It loses them twice: a client may have gone away so shortly before that nothing came meanwhile.
pub(crate) fn a_redis_that_loses_its_data_is_found_out() -> Result<(), AnyError> {
    let left = play("loses", Keeps::Nothing)?;
    let reds = reds(&left.results()?)?;
    let gaps = reds.get("sse_gaps").filter(|red| red["verdict"] == "fail");
    gaps.map(drop).ok_or_else(|| format!("{}: sse_gaps is not red, but {reds:#?}", left.folder.display()).into())
}
