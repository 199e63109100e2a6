//! Coordinated omission: a gateway that stalls for ten seconds shows in the quantiles as its users would have felt it,
//! each from the moment that he came. Held against arithmetic: the plan says who came when, and how long was left.

use std::{fs, path::Path, thread, time::Duration};

use s2_harness::{
    clock::wall_now,
    journal::{Reader, Record},
    plan::Plan,
};
use testkit::{AnyError, GatewayProcess};

use crate::{
    gateway,
    soak::{self, Scene, Suite},
};

/// How long the gateway does nothing.
const STALL: Duration = Duration::from_secs(10);
/// When it begins, scenario time: well within the smoke test's quarter of an hour.
const STALL_AT_MS: u64 = 5 * 60_000;
/// Thirty scenario seconds in one: a run every two thirds of a second, and a stall that is a third of the test.
const PACE: f64 = 30.0;
/// What a run may take that nobody holds up, and a process to be stopped and to go on.
const SLACK_MS: f64 = 1_500.0;
/// Between looks at the journal.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// By then a session has begun, on any machine.
const BEGIN_LIMIT: u32 = 3_000;

/// When the gateway stood still, in real milliseconds since the scenario began.
#[derive(Debug, Clone, Copy)]
struct Stalled {
    from_ms: f64,
    to_ms: f64,
}

pub(crate) fn a_stall_is_felt_by_all_who_came_meanwhile(trial: &str, folder: &Path) -> Result<(), AnyError> {
    // The journal of an earlier run of this trial is not the one to wait for.
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let gateway = gateway::start(trial)?;
    let smoke = Suite { name: "smoke", pace: PACE };
    let (said, stalled) = thread::scope(|scope| {
        let soak = scope.spawn(|| soak::play(&gateway, &Scene::plain(), smoke, folder));
        let stalled = stall(&gateway, folder);
        let said = soak.join().map_err(|_| "the soak panicked")?;
        Ok::<_, AnyError>((said?, stalled?))
    })?;
    let (plan, stalled) = stalled;
    let wrong: Vec<String> = [("start_to_log_p95", 0.95), ("start_to_log_p99", 0.99)]
        .into_iter()
        .filter_map(|(kpi, quantile)| {
            let expected_ms = felt_ms(&plan, stalled, quantile);
            let value_ms = said.reds.get(kpi).and_then(|red| red["value"].as_f64());
            let is_right = value_ms.is_some_and(|ms| (expected_ms - 50.0..expected_ms + SLACK_MS).contains(&ms));
            (!is_right).then(|| format!("{kpi} is {value_ms:?} ms, and users felt {expected_ms:.0} ms"))
        })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}\n{stalled:?}\n{}", wrong.join("\n"), said.output).into()) }
}

/// Stops the gateway's process for a while, once the scenario has come to the moment; when that was.
fn stall(gateway: &GatewayProcess, folder: &Path) -> Result<(Plan, Stalled), AnyError> {
    let journal = folder.join("out/latest-smoke/journal.ndjson");
    let (plan, began) = (0..BEGIN_LIMIT)
        .find_map(|_| {
            thread::sleep(LOOK_EVERY);
            match Reader::open(&journal).ok()?.next_record().ok()?? {
                Record::Header(header) => Some((header.plan, header.started_at)),
                _ => None,
            }
        })
        .ok_or("the session did not begin")?;
    let began: jiff::Timestamp = began.parse()?;
    let since_began = || wall_now().duration_since(began).as_secs_f64() * 1_000.0;
    #[expect(clippy::cast_precision_loss, reason = "minutes")]
    let begins_ms = STALL_AT_MS as f64 / PACE;
    thread::sleep(Duration::from_secs_f64((begins_ms - since_began()).max(0.0) / 1_000.0));
    let from_ms = since_began();
    gateway::stop_for(gateway, STALL)?;
    Ok((plan, Stalled { from_ms, to_ms: since_began() }))
}

/// The quantile of what users felt, by nearest rank: who came while the gateway stood still waited until it went on, and
/// the others did not wait.
fn felt_ms(plan: &Plan, stalled: Stalled, quantile: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "minutes")]
    let came_ms = plan.runs.iter().map(|run| run.at_ms as f64 / PACE);
    let is_held = |came_ms: f64| (stalled.from_ms..stalled.to_ms).contains(&came_ms);
    let mut felt: Vec<f64> = came_ms.map(|came| if is_held(came) { stalled.to_ms - came } else { 0.0 }).collect();
    felt.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a rank among a few dozen"
    )]
    let rank = (quantile * felt.len() as f64).ceil() as usize;
    felt[rank.max(1) - 1]
}
