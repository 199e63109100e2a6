//! Gateways whose answers are none, or too much of one.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use mock_gateway::Config;
use s2_harness::clock;
use testkit::AnyError;
use tokio::time::Instant;

use crate::{
    front::{Asked, answer, behaviour},
    scene::{self, Played},
};

/// Plays at a gateway that answers so who asks after a run.
fn asked_after_a_run(trial: &str, says: Vec<u8>) -> Result<Played, AnyError> {
    let says = Arc::new(says);
    let odd = behaviour(move |asked: Asked| {
        let says = Arc::clone(&says);
        async move { if asked.is_after_a_run() { asked.say(says.as_slice()).await } else { asked.pass().await } }
    });
    let played = scene::play(trial, odd)?;
    played.to_its_end()?;
    played.red(&["run_success"])?;
    Ok(played)
}

pub(crate) fn garbage_is_said_to_be_no_http(trial: &str) -> Result<(), AnyError> {
    let played = asked_after_a_run(trial, b"\x00\xff\x1b[2J garbage\n\n".to_vec())?;
    played.red(&["error_rate_steady"])?;
    played.found("request_failed", &["GET /api/runs/{id}", "invalid HTTP"])
}

pub(crate) fn a_page_of_html_is_said_to_be_no_json(trial: &str) -> Result<(), AnyError> {
    let page = answer("200 OK", "text/html", "<!doctype html><title>Welcome to nginx!</title>");
    asked_after_a_run(trial, page)?.found("run_failed", &["an answer that is no JSON: 200 <!doctype html>"])
}

pub(crate) fn half_a_json_is_said_to_be_none(trial: &str) -> Result<(), AnyError> {
    let half = answer("200 OK", "application/json", r#"{"id":"3f2a","status":"comple"#);
    asked_after_a_run(trial, half)?.found("run_failed", &["an answer that is no JSON: 200 {"])
}

pub(crate) fn an_answer_that_is_not_utf_8_is_shown_with_marks(trial: &str) -> Result<(), AnyError> {
    let odd = answer("200 OK", "application/json", b"{\"status\":\"\xff\xfecompleted\"}");
    asked_after_a_run(trial, odd)?.found("run_failed", &["an answer that is no JSON", "\u{fffd}\u{fffd}completed"])
}

pub(crate) fn a_status_of_999_is_told_as_it_is(trial: &str) -> Result<(), AnyError> {
    let played = asked_after_a_run(trial, answer("999 Whatever", "text/plain", "nothing to see here"))?;
    played.red(&["error_rate_steady"])?;
    played.found("request_failed", &["GET /api/runs/{id}", "999 nothing to see here (expected 200)"])
}

pub(crate) fn an_answer_that_breaks_off_is_said_to(trial: &str) -> Result<(), AnyError> {
    let played = asked_after_a_run(trial, b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"status\":".to_vec())?;
    played.red(&["error_rate_steady"])?;
    played.found("request_failed", &["GET /api/runs/{id}", "the answer broke off"])
}

pub(crate) fn an_answer_of_100_mb_is_not_read_to_its_end(trial: &str) -> Result<(), AnyError> {
    let lavish = behaviour(|asked: Asked| async move {
        if !asked.is_after_a_run() {
            return asked.pass().await;
        }
        asked.flood("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", b"x", 100 << 20).await
    });
    let played = scene::play(trial, lavish)?;
    played.to_its_end()?;
    // That is a limit of ours: nobody can say how these runs ended.
    played.unproven("run_success", "`limits.answer_size`")
}

pub(crate) fn endless_redirects_are_told_and_not_followed(trial: &str) -> Result<(), AnyError> {
    let followed = Arc::new(AtomicU32::new(0));
    let circling = {
        let followed = Arc::clone(&followed);
        behaviour(move |asked: Asked| {
            followed.fetch_add(u32::from(asked.call.ends_with("/round")), Ordering::Relaxed);
            async move {
                let to = match asked.call.as_str() {
                    "GET /api/safety/check" | "GET /round" => "/round",
                    "GET /api/runs/guard/stream" | "GET /and/round" => "/and/round",
                    _ => return asked.pass().await,
                };
                asked.say(format!("HTTP/1.1 307 Again\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")).await
            }
        })
    };
    let played = scene::play(trial, circling)?;
    if followed.load(Ordering::Relaxed) > 0 {
        return Err("a redirect was followed".into());
    }
    played.to_its_end()?;
    played.found("request_failed", &["GET /api/safety/check", "307 to '/round' (expected 200 or 204)"])?;
    played.found("source_failed", &["GET /api/runs/guard/stream", "307 to '/and/round'"])
}

/// So many probes of readiness are answered as they should be: two seconds of them, so that a soak begins.
const WELL_PROBES: u32 = 20;

pub(crate) fn one_byte_a_second_is_given_up_in_time(trial: &str) -> Result<(), AnyError> {
    let probes = Arc::new(AtomicU32::new(0));
    let slow = behaviour(move |asked: Asked| {
        let probes = Arc::clone(&probes);
        async move {
            match asked.call.as_str() {
                "GET /metrics" => {
                    asked.say_slowly(answer("200 OK", "text/plain", "runs_started_total 1\n".repeat(9))).await
                }
                "GET /ready" if probes.fetch_add(1, Ordering::Relaxed) >= WELL_PROBES => {
                    asked.say_slowly(answer("200 OK", "text/plain", "ready")).await
                }
                _ => asked.pass().await,
            }
        }
    });
    let played = scene::play(trial, slow)?;
    played.to_its_end()?;
    played.red(&["availability"])?;
    played.found("not_ready", &["timed out"])?;
    played.found("source_failed", &["GET /metrics", "timed out"])
}

/// The requests that a gateway has throttled, with their times, and the wait before each repeat, seconds.
#[derive(Debug, Default)]
struct Throttle {
    told: BTreeMap<String, Instant>,
    stayed_away: Vec<(String, f64)>,
    throttled: u64,
}

impl Throttle {
    /// Whether a request is throttled: each once.
    fn tells(&mut self, who: String) -> bool {
        if let Some(told) = self.told.get(&who) {
            let away = clock::now().saturating_duration_since(*told).as_secs_f64();
            self.stayed_away.push((who, away));
            return false;
        }
        self.told.insert(who, clock::now());
        self.throttled += 1;
        true
    }
}

pub(crate) fn a_429_is_heeded_and_every_one_is_counted(trial: &str) -> Result<(), AnyError> {
    let throttle = Arc::new(Mutex::new(Throttle::default()));
    let busy = {
        let throttle = Arc::clone(&throttle);
        behaviour(move |asked: Asked| {
            // Each run once, and each stream that comes back once.
            let who = match asked.call.as_str() {
                "POST /api/runs" => asked.json()["id"].as_str().map(|id| format!("run {id}")),
                "GET /api/runs/logs/stream" => asked.header("last-event-id").map(|id| format!("stream at {id}")),
                _ => None,
            };
            let is_throttled = who.is_some_and(|who| throttle.lock().expect("nobody panics").tells(who));
            async move {
                if !is_throttled {
                    return asked.pass().await;
                }
                let body = "too many requests";
                let length = body.len();
                let head = format!("HTTP/1.1 429 Too Many Requests\r\nretry-after: 2\r\ncontent-length: {length}");
                asked.say(format!("{head}\r\nconnection: close\r\n\r\n{body}")).await
            }
        })
    };
    let played = scene::at(busy, Config::default(), |url| {
        // Two of a run's seconds are spent on waiting; a machine that is busy too may need the others.
        let mut soak = scene::soak(trial, url);
        soak.settings = soak.settings.replace("timeout = \"4s\"", "timeout = \"20s\"");
        scene::watch_own(&soak)
    })?;
    played.to_its_end()?;
    played.red(&["error_rate_steady", "sse_reconnect_success"])?;
    // Nobody's run fails for it, and nobody's stream is lost.
    played.green(&["run_success", "sse_gaps", "sse_duplicates", "injections_blocked"])?;
    let says = "429, and sent again after the 2 s that it asked for: 429 too many requests";
    played.found("request_failed", &["POST /api/runs", says])?;
    let throttle = throttle.lock().expect("nobody panics");
    let hasty = throttle.stayed_away.iter().find(|(_, away)| *away < 2.0);
    if let Some((who, away)) = hasty {
        return Err(format!("{who} came back after {away:.1} s, and was asked to stay away for 2").into());
    }
    if !["run", "stream"].iter().all(|kind| throttle.stayed_away.iter().any(|(who, _)| who.starts_with(kind))) {
        return Err(format!("not both came back: {:?}", throttle.stayed_away).into());
    }
    let counted = &played.results["summary"]["requestsThrottled"];
    if counted.as_u64() == Some(throttle.throttled) {
        return Ok(());
    }
    Err(format!("{} requests were throttled, and {counted} were counted", throttle.throttled).into())
}
