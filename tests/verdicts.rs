//! The matrix: every KPI turns red for its own defect, and only for it; and a healthy gateway stays green, however odd.
//!
//! Each trial is a whole soak: a gateway in a process of its own, and this binary again as the runner that plays two
//! compressed hours at it, with all its roles and files.

#[path = "verdicts/gateway.rs"]
mod gateway;
#[path = "support/gateway.rs"]
mod gateway_process;
#[path = "verdicts/readme.rs"]
mod readme;
#[path = "support/reds.rs"]
mod reds;
#[path = "verdicts/room.rs"]
mod room;
#[path = "verdicts/rows.rs"]
mod rows;
#[path = "verdicts/soak.rs"]
mod soak;
#[path = "verdicts/stall.rs"]
mod stall;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use gateway::AnyError;
use libtest_mimic::{Arguments, Failed, Trial};
use room::Room;
use rows::{AFRESH, DEFECTS, GONE, ODDITIES, Row, STARVED};
use s2_harness::{
    runner::{self, Embedded},
    workload,
};
use serde_json::Value;

/// Soaks wait more than they work: so many side by side leave a machine of two cores room.
const SIDE_BY_SIDE: u32 = 10;
/// Between the first of them. Soaks that begin at one moment do all that they do at one moment, down to the churn, and the
/// machine is too slow for each of them.
const STAGGER: Duration = Duration::from_secs(3);
/// The trial of a gateway that stands still for a while.
const STALL: &str = "stall::a_stall_is_felt_by_all_who_came_meanwhile";
/// What says that the machine was too slow to play the load.
const MACHINE: [&str; 2] = ["load_delivered", "heartbeats"];
/// And so does a start that is later than this, for one in a hundred: on a machine with room it is a few milliseconds.
const LATENESS_P99_MS_MAX: f64 = 20.0;
/// A soak on a machine that was too slow says little about its gateway. Where it says something else than the row, it is
/// played again, this often in all, and each time beside fewer others.
const TRIES_MAX: u32 = 4;
/// Where all of them are played.
static ROOM: Room = Room::of(SIDE_BY_SIDE);

fn main() -> ExitCode {
    if std::env::vars_os().any(|(name, _)| name == soak::ROLE) {
        let gateway = || -> runner::StartingGateway { Box::pin(async { Err("there is one already".to_owned()) }) };
        return runner::main(&Embedded { soak_toml: include_str!("soak.toml"), gateway, workers: workload::workers });
    }
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(gateway::ROLE) {
        let trial = args.next().unwrap_or_default();
        let row = if trial == STALL {
            Some(Row::HEALTHY)
        } else {
            all().find_map(|(name, row)| (name == trial).then_some(row))
        };
        let served =
            row.ok_or_else(|| format!("no trial is called {trial:?}").into()).and_then(|row| gateway::serve(&row));
        return served.unwrap_or_else(|error: AnyError| {
            eprintln!("the gateway of {trial}: {error}");
            ExitCode::FAILURE
        });
    }
    let mut args = Arguments::from_args();
    args.test_threads = args.test_threads.or(Some(SIDE_BY_SIDE as usize));
    let others = [
        trial(STALL, || stall::a_stall_is_felt_by_all_who_came_meanwhile(STALL, &out(STALL))),
        trial("readme::the_table_is_the_matrix", readme::the_table_is_the_matrix),
    ];
    let begun = Arc::new(AtomicU32::new(0));
    let rows = all().map(|(name, row)| {
        let begun = Arc::clone(&begun);
        trial(&name.clone(), move || {
            let before = begun.fetch_add(1, Ordering::Relaxed);
            // A wait for nothing but time: that is what sets them apart.
            thread::sleep(if before < SIDE_BY_SIDE { STAGGER * before } else { Duration::ZERO });
            hold(&name, &row)
        })
    });
    libtest_mimic::run(&args, rows.chain(others).collect()).exit_code()
}

fn trial(name: &str, holds: impl FnOnce() -> Result<(), AnyError> + Send + 'static) -> Trial {
    Trial::test(name, move || holds().map_err(|error| Failed::from(error.to_string())))
}

/// Every row, under its trial's name.
fn all() -> impl Iterator<Item = (String, Row)> {
    let named = |kind: &'static str, rows: &'static [Row]| {
        rows.iter().map(move |row| (format!("{kind}::{}", row.name.replace('-', "_")), *row))
    };
    named("defect", DEFECTS)
        .chain(named("afresh", AFRESH))
        .chain(named("healthy", ODDITIES))
        .chain(named("without", STARVED))
}

/// Where a trial's soak leaves what it leaves.
fn out(trial: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("verdicts").join(trial.replace("::", "-"))
}

/// Plays a row, and holds what is said against what should be.
fn hold(name: &str, row: &Row) -> Result<(), AnyError> {
    let out = out(name);
    let mut tries = 0;
    let (said, wrong) = loop {
        tries += 1;
        let place = ROOM.enter();
        let gateway = gateway::start(name)?;
        let said = soak::play(&gateway, row, soak::FULL, &out)?;
        let wrong = differences(row, &said.reds);
        let was_busy = said.lateness_p99_ms.is_none_or(|ms| ms > LATENESS_P99_MS_MAX);
        let is_slow = was_busy || MACHINE.iter().any(|check| said.reds.contains_key(*check));
        if wrong.is_empty() || !is_slow || tries == TRIES_MAX {
            break (said, wrong);
        }
        place.was_one_too_many();
    };
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("{}\n{}\n{}", wrong.join("\n"), out.display(), said.output).into())
}

/// What is not as the row says, in words.
fn differences(row: &Row, reds: &BTreeMap<String, Value>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (names, verdict) in [(row.fails, "fail"), (row.unproven, "unproven")] {
        for name in names {
            match reds.get(*name) {
                None => wrong.push(format!("{name} is green, and should be {verdict}")),
                Some(red) if red["verdict"] != verdict => {
                    wrong.push(format!("{name} is {}, and should be {verdict}", red["verdict"]));
                }
                Some(red) => wrong.extend(lacks(row, red).map(|lack| format!("{name}: {lack}"))),
            }
        }
    }
    let should = |name: &str| row.fails.iter().chain(row.unproven).any(|other| *other == name);
    wrong.extend(
        reds.iter().filter(|(name, _)| !should(name)).map(|(name, red)| format!("{name} is {}", red["verdict"])),
    );
    wrong
}

/// What a red one should say, and does not.
fn lacks(row: &Row, red: &Value) -> Option<String> {
    if red["verdict"] == "unproven" {
        let reason = red["reason"].as_str().unwrap_or_default();
        let is_told = row.without.first().is_none_or(|call| reason.contains(call) && reason.contains(GONE));
        return (reason.is_empty() || !is_told)
            .then(|| format!("the reason does not say what answered what: {reason}"));
    }
    let first = &red["evidence"]["first"];
    (first["at_ms"].as_u64().is_none() && first["atMs"].as_u64().is_none())
        .then(|| format!("it does not say since when: {red}"))
}
