//! A day, in two minutes: what a session takes does not grow with the length of the soak.

use std::{fs, thread, time::Duration};

use serde_json::Value;
use testkit::{AnyError, Left, memory_bytes};

use crate::unkillable::scene::{Play, end_reason};

/// At pace 720 the rates of two hours would be thousands of requests a second: fewer of each, and all of them.
const DAY: Play = Play {
    suite: "smoke",
    pace: 720.0,
    settings: r#"
[suites]
smoke_duration = "24h"
full_duration = "24h"
heartbeat_every = "1h"
snapshot_every = "1h"
[w1_realistic_runs]
per_minute = 1
[w2_sse_churn]
churn_every = "1h"
[w3_registry_pulse]
every = "2h"
tamper_every = "6h"
[w4_safety_probes]
every = "1h"
[w5_privacy_slice]
every = "2h"
[w6_light_chaos]
redis_restart_at = "6h"
gateway_restart_at = "12h"
latency_at = "18h"
[availability]
every = "1m"
[metrics]
every = "1m"
"#,
};
/// One for ten scenario seconds.
const INTERVALS_MAX: usize = 24 * 360;
/// Between looks at the session's process.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What the memory may grow by after the warm-up: one in so many bytes.
const GROWTH_PART: u64 = 20;

/// What the session's process has at a moment.
#[derive(Debug, Clone, Copy)]
struct Look {
    memory_bytes: u64,
    descriptors: usize,
}

impl Look {
    fn at(pid: u32) -> Option<Self> {
        Some(Self {
            memory_bytes: memory_bytes(pid)?,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count(),
        })
    }
}

/// The least that there was of something in some looks: what comes and goes is no growth.
fn floor<T: Ord>(looks: &[Look], of: impl Fn(&Look) -> T) -> Result<T, AnyError> {
    looks.iter().map(of).min().ok_or_else(|| "the session was hardly looked at".into())
}

/// The middle of what there was of something in some looks.
fn usual<T: Ord>(looks: &[Look], of: impl Fn(&Look) -> T) -> Result<T, AnyError> {
    let mut all: Vec<T> = looks.iter().map(of).collect();
    all.sort_unstable();
    let middle = all.len() / 2;
    all.into_iter().nth(middle).ok_or_else(|| "the session was hardly looked at".into())
}

pub(crate) fn a_day_leaves_memory_and_descriptors_as_they_were() -> Result<(), AnyError> {
    let mut scene = DAY.start("flat")?;
    let session = scene.session()?;
    // Streams are opened, and pools filled, and every kind of answer met, within the first hours.
    scene.wait_until_recorded(6 * 3_600_000)?;
    let mut looks = Vec::new();
    while scene.playing.ended()?.is_none() {
        looks.extend(Look::at(session));
        thread::sleep(LOOK_EVERY);
    }
    let left = scene.end()?;
    assert_eq!("played", end_reason(&left)?);

    // The last of the looks may be at a session that closes down.
    let looks = &looks[..looks.len().saturating_sub(8)];
    let quarter = looks.len() / 4;
    let (early, late) = (&looks[..quarter], &looks[looks.len() - quarter..]);
    let [memory, memory_late] = [floor(early, |look| look.memory_bytes)?, floor(late, |look| look.memory_bytes)?];
    // Streams that are away at a moment of a churn are fewer by chance; the least of later must not be more than the usual
    // of before.
    let descriptors = usual(early, |look| look.descriptors)?;
    let descriptors_late = floor(late, |look| look.descriptors)?;
    println!(
        "memory {memory} then {memory_late} bytes, descriptors {descriptors} then {descriptors_late}, {} looks",
        looks.len()
    );
    assert!(memory_late <= memory + memory / GROWTH_PART, "memory grew from {memory} to {memory_late} bytes");
    assert!(descriptors_late <= descriptors, "descriptors grew from {descriptors} to {descriptors_late}");
    sizes(&left)
}

/// Whether the journal is as long as the number of its intervals says: there is one for ten scenario seconds at most,
/// each takes the same early and late, and nothing else takes much.
fn sizes(left: &Left) -> Result<(), AnyError> {
    let (intervals, others): (Vec<_>, Vec<_>) =
        left.journal()?.into_iter().partition(|record| record["record"] == "interval");
    let bytes = |records: &[Value]| records.iter().map(|record| record.to_string().len()).sum::<usize>();
    let quarter = intervals.len() / 4;
    let [early, late] = [&intervals[..quarter], &intervals[intervals.len() - quarter..]].map(bytes);
    let (count, others) = (intervals.len(), bytes(&others));
    println!(
        "{count} intervals, {early} bytes in the first quarter, {late} in the last; {others} bytes of other records"
    );
    assert!((1_000..=INTERVALS_MAX).contains(&count), "there are {count} intervals");
    assert!(late <= early + early / 10, "intervals grew: a quarter of them from {early} to {late} bytes");
    assert!(others < early, "what is no interval takes {others} bytes");
    Ok(())
}
