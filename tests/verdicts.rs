//! The matrix: every KPI turns red for its own defect, and only for it; and a healthy gateway stays green, however odd.
//!
//! Each soak is a whole one: a gateway in a process of its own, and this binary again as the runner that plays two
//! compressed hours at it, with all its roles and files. A trial is a row; rows that have nothing to do with each other share
//! a soak (`group`).

#[path = "verdicts/busy.rs"]
mod busy;
#[path = "verdicts/dialects.rs"]
mod dialects;
#[path = "verdicts/gateway.rs"]
mod gateway;
#[path = "verdicts/group.rs"]
mod group;
#[path = "verdicts/readme.rs"]
mod readme;
#[path = "verdicts/room.rs"]
mod room;
#[path = "verdicts/row.rs"]
mod row;
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

use group::Group;
use libtest_mimic::{Arguments, Trial};
use room::Room;
use row::{GONE, Row};
use rows::{AFRESH, DEFECTS, ODDITIES, STARVED};
use s2_harness::workload;
use serde_json::Value;
use soak::Said;
use testkit::{AnyError, no_gateway, play_if_asked, trial};

/// Soaks wait more than they work: so many side by side leave a machine of two cores room.
const SIDE_BY_SIDE: u32 = 10;
/// Between the first of them. Soaks that begin at one moment do all that they do at one moment, down to the churn, and the
/// machine is too slow for each of them.
const STAGGER: Duration = Duration::from_secs(3);
/// The trial of a gateway that stands still for a while.
const STALL: &str = "stall::a_stall_is_felt_by_all_who_came_meanwhile";
/// The trial of a machine that is busy otherwise. It takes a quarter of an hour, and is played when the rule of lateness changes.
const BUSY: &str = "busy::smoke_is_green_on_a_busy_machine";
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
    if mock_gateway::work_if_asked() {
        return ExitCode::SUCCESS;
    }
    if let Some(code) = play_if_asked(no_gateway, workload::workers) {
        return code;
    }
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(gateway::ROLE) {
        let soak = args.next().unwrap_or_default();
        let groups = group::all(all());
        let group = groups.iter().find(|group| group.name == soak);
        let served = if group.is_some() || [STALL, BUSY].contains(&soak.as_str()) {
            gateway::serve(group.map(AsRef::as_ref))
        } else {
            Err(format!("no soak is called {soak:?}").into())
        };
        return served.unwrap_or_else(|error: AnyError| {
            eprintln!("the gateway of {soak}: {error}");
            ExitCode::FAILURE
        });
    }
    let groups = group::all(all());
    let mut args = Arguments::from_args();
    let (begun, held) = (Arc::new(AtomicU32::new(0)), groups.clone());
    let others = [
        trial(STALL, || stall::a_stall_is_felt_by_all_who_came_meanwhile(STALL, &out(STALL))),
        trial(BUSY, || busy::smoke_is_green(BUSY, &out(BUSY))).with_ignored_flag(true),
        trial("room::the_limit_falls_at_once_and_rises_slowly", room::the_limit_falls_at_once_and_rises_slowly),
        trial("readme::the_table_is_the_matrix", readme::the_table_is_the_matrix),
        trial("group::no_two_rows_of_a_soak_turn_red_the_same", move || {
            group::no_two_rows_of_a_soak_turn_red_the_same(&held)
        }),
    ];
    let rows = groups.iter().flat_map(|group| (0..group.rows.len()).map(move |nth| (group, nth)));
    let rows = rows.map(|(group, nth)| {
        let (begun, group) = (Arc::clone(&begun), Arc::clone(group));
        trial(group.rows[nth].0.clone(), move || hold(&group, nth, &begun))
    });
    let trials: Vec<Trial> = rows.chain(others).collect();
    // A trial whose soak is being played for another waits for it, and there is room for so many soaks as there is.
    args.test_threads = args.test_threads.or(Some(trials.len()));
    libtest_mimic::run(&args, trials).exit_code()
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

/// Where a soak leaves what it leaves.
fn out(soak: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("verdicts").join(soak.replace("::", "-"))
}

/// Holds what is said of a row against what should be, and plays its soak before if nobody did.
fn hold(group: &Group, nth: usize, begun: &AtomicU32) -> Result<(), AnyError> {
    let said = group.played.get_or_init(|| {
        let before = begun.fetch_add(1, Ordering::Relaxed);
        // A wait for nothing but time: that is what sets them apart.
        thread::sleep(if before < SIDE_BY_SIDE { STAGGER * before } else { Duration::ZERO });
        play(group).map_err(|error| error.to_string())
    });
    let said = said.as_ref().map_err(String::as_str)?;
    let mut wrong = differences(&group.rows[nth].1, &said.reds);
    let others = others(group, &said.reds);
    wrong.extend(others.iter().map(|name| format!("{name} is {}, and no row says so", said.reds[name]["verdict"])));
    if wrong.is_empty() {
        return Ok(());
    }
    let all: Vec<&str> = group.rows.iter().map(|(trial, _)| trial.as_str()).collect();
    let shared = if all.len() > 1 { format!("one soak for {}\n", all.join(", ")) } else { String::new() };
    Err(format!("{}\n{shared}{}\n{}", wrong.join("\n"), out(&group.name).display(), said.output).into())
}

/// Plays the soak of some rows, more than once where the machine is too slow or a defect's dice left too few samples.
fn play(group: &Group) -> Result<Said, AnyError> {
    let (out, scene) = (out(&group.name), group.scene()?);
    let mut tries = 0;
    loop {
        tries += 1;
        let place = ROOM.enter();
        let gateway = gateway::start(&group.name)?;
        let said = soak::play(&gateway, &scene, soak::FULL, &out)?;
        let rows_are_right = group.rows.iter().all(|(_, row)| differences(row, &said.reds).is_empty());
        let others = others(group, &said.reds);
        // The dice of a defect left too few samples: the next soak has to prove what this one could not.
        let is_by_chance = |name: &String| said.reds[name]["verdict"] == "unproven" && group.may_be_unproven(name);
        let is_unlucky = rows_are_right && others.iter().all(is_by_chance);
        let was_busy = said.lateness_p99_ms.is_none_or(|ms| ms > LATENESS_P99_MS_MAX);
        let is_slow = was_busy || MACHINE.iter().any(|check| said.reds.contains_key(*check));
        let is_right = rows_are_right && others.is_empty();
        if !is_slow {
            place.went_well();
        }
        if is_right || !(is_slow || is_unlucky) || tries == TRIES_MAX {
            return Ok(said);
        }
        if is_slow {
            place.was_one_too_many();
        }
    }
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
                Some(red) => wrong.extend(lacks(row, name, red).map(|lack| format!("{name}: {lack}"))),
            }
        }
    }
    wrong
}

/// The names of everything that is red, and no row of the soak says so.
fn others(group: &Group, reds: &BTreeMap<String, Value>) -> Vec<String> {
    let expected = group.expected();
    reds.keys().filter(|name| !expected.contains(name.as_str())).cloned().collect()
}

/// Every text in a value.
fn texts(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::String(text) => Box::new(std::iter::once(text.as_str())),
        Value::Array(values) => Box::new(values.iter().flat_map(texts)),
        Value::Object(fields) => Box::new(fields.values().flat_map(texts)),
        _ => Box::new(std::iter::empty()),
    }
}

/// What a red one should say, and does not.
fn lacks(row: &Row, name: &str, red: &Value) -> Option<String> {
    if let Some((_, text)) = row.says.iter().find(|(of, text)| *of == name && !texts(red).any(|t| t.contains(text))) {
        return Some(format!("nothing says {text:?}: {red}"));
    }
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
