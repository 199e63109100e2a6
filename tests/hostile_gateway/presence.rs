//! Gateways that are not there: at the start, in deed, or any more.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use mock_gateway::Config;
use s2_harness::clock;
use testkit::AnyError;

use crate::{
    front::{Asked, answer, behaviour},
    scene::{self, Played, WELL_BYTES_MAX},
};

pub(crate) fn a_well_gateway_is_green_and_sets_the_measure(trial: &str) -> Result<(), AnyError> {
    let played = scene::play(trial, behaviour(Asked::pass))?;
    played.to_its_end()?;
    played.green(&scene::OF_STREAMS_AND_REQUESTS)?;
    let peak = played.memory_peak_bytes;
    if peak > WELL_BYTES_MAX { Err(format!("{} MiB are no measure", peak >> 20).into()) } else { Ok(()) }
}

/// The session gave up before it began: it says why, where, and what was tried, and so does the person's own output.
fn said_at_once(played: &Played, url: &str, limit: Duration, says: &[&str]) -> Result<(), AnyError> {
    let fatal = played.results["fatalError"].as_str().unwrap_or_default();
    let stdout = std::fs::read_to_string(played.left.folder.join("stdout"))?;
    for text in says.iter().chain(&[url, "GET /ready, tried ", "S2_GATEWAY_URL"]) {
        if !fatal.contains(text) || !stdout.contains(text) {
            return Err(format!("neither of these may lack {text:?}: {fatal}\n{stdout}").into());
        }
    }
    if played.took > limit {
        return Err(format!("it took {} s", played.took.as_secs()).into());
    }
    played.found("fatal", &[url])
}

pub(crate) fn one_that_is_absent_is_said_within_20_s(trial: &str) -> Result<(), AnyError> {
    // A port that was ours a moment ago is nobody's.
    let url = format!("http://{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?);
    let played = scene::watch_own(&scene::soak(trial, &url))?;
    said_at_once(&played, &url, Duration::from_secs(20), &["no connection", "refused"])
}

pub(crate) fn one_that_accepts_and_never_answers_is_said_within_60_s(trial: &str) -> Result<(), AnyError> {
    let silent = behaviour(|asked| asked.say_and_stay(""));
    scene::at(silent, Config::default(), |url| {
        let played = scene::watch_own(&scene::soak(trial, url))?;
        said_at_once(&played, url, Duration::from_secs(60), &["timed out"])
    })
}

pub(crate) fn one_that_dies_half_way_is_played_to_the_end(trial: &str) -> Result<(), AnyError> {
    let probes = AtomicU32::new(0);
    let mortal = behaviour(move |asked: Asked| {
        let dies = asked.call == "GET /ready" && probes.fetch_add(1, Ordering::Relaxed) == 40;
        async move {
            if dies {
                asked.die();
                return Ok(());
            }
            asked.pass().await
        }
    });
    let played = scene::play(trial, mortal)?;
    played.to_its_end()?;
    played.red(&["availability", "error_rate_steady"])?;
    played.found("not_ready", &["no connection"])?;
    played.found("stream_dropped", &["connection lost"])?;
    played.found("reconnect_failed", &["refused"])?;
    played.found("run_failed", &["not created: no connection"])
}

pub(crate) fn one_whose_clock_jumps_a_day_is_said_to(trial: &str) -> Result<(), AnyError> {
    let readings = AtomicU32::new(0);
    let jumpy = behaviour(move |asked: Asked| {
        let is_ahead = asked.call == "GET /health" && readings.fetch_add(1, Ordering::Relaxed) >= 10;
        async move {
            if !is_ahead {
                return asked.pass().await;
            }
            let time = clock::wall_now() + Duration::from_secs(24 * 3_600);
            asked.say(answer("200 OK", "application/json", format!(r#"{{"ok":true,"time":"{time}"}}"#))).await
        }
    });
    let played = scene::play(trial, jumpy)?;
    played.to_its_end()?;
    played.green(&scene::OF_STREAMS_AND_REQUESTS)?;
    played.found("source_failed", &["GET /health", "its clock jumped ahead by 86400 s"])
}
