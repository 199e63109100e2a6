//! A machine that is busy otherwise: healthy gateways stay green on it.
//!
//! ```sh
//! cargo test --test verdicts -- --ignored --exact busy::smoke_is_green_on_a_busy_machine --nocapture
//! ```
//!
//! plays [`SOAKS`] healthy smoke tests one after another at a pace of 30, while [`THREADS`] threads do nothing but work, and says
//! of each how late its starts were. The load ends with the test, and after [`LOAD_LIMIT`] whatever happens.

use std::{
    fs,
    hint::black_box,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use s2_harness::clock;
use testkit::AnyError;

use crate::{
    gateway,
    soak::{self, Scene, Suite},
};

/// How many soaks.
const SOAKS: usize = 20;
/// Two for each of two processors.
const THREADS: usize = 4;
/// Twenty soaks of half a minute, and as long again.
const LOAD_LIMIT: Duration = Duration::from_secs(20 * 60);
const SMOKE: Suite = Suite { name: "smoke", pace: 30.0 };

pub(crate) fn smoke_is_green(soak: &str, out: &Path) -> Result<(), AnyError> {
    let is_over = AtomicBool::new(false);
    let reds: Vec<String> = thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| work(&is_over));
        }
        let played = (1..=SOAKS).map(|nth| play(soak, nth, out)).collect::<Result<Vec<_>, _>>();
        is_over.store(true, Ordering::Relaxed);
        played.map(|reds| reds.into_iter().flatten().collect())
    })?;
    if reds.is_empty() { Ok(()) } else { Err(format!("of {SOAKS} not all are green:\n{}", reds.join("\n")).into()) }
}

/// Plays one; what is red.
fn play(soak: &str, nth: usize, out: &Path) -> Result<Option<String>, AnyError> {
    let gateway = gateway::start(soak)?;
    let said = soak::play(&gateway, &Scene::plain(), SMOKE, out)?;
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let names: Vec<&str> = said.reds.keys().map(String::as_str).collect();
    println!("soak {nth}: load average {load}, {}; red: {}", said.lateness.join("; "), names.join(", "));
    Ok((!names.is_empty())
        .then(|| said.reds.values().map(|red| format!("soak {nth}: {red}")).collect::<Vec<_>>().join("\n")))
}

/// Does nothing but work until it is over.
fn work(is_over: &AtomicBool) {
    let began = clock::now();
    let mut n = 0_u64;
    while !is_over.load(Ordering::Relaxed) && clock::now().saturating_duration_since(began) < LOAD_LIMIT {
        for _ in 0..100_000 {
            n = black_box(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
}
