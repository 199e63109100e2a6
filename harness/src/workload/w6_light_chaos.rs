//! W6: restarts and added latency, each proven to have had its effect, and the way back measured.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::json;
use tokio::time::Instant;

use super::place::Place;
use crate::{
    clock::{self, micros},
    gateway::Outcome,
    journal::{Finding, clip},
    plan::{Chaos, Phase, PlannedChaos, Workload, millis},
    session::{Context, Fatal, Side, Worker},
};

/// How long a restart may take to show: readiness lost, or streams dropped.
const EFFECT_LIMIT: Duration = Duration::from_secs(5);
/// How long a gateway is waited for before it is given up.
const RECOVERY_LIMIT: Duration = Duration::from_secs(120);
/// The same, when the plan is over: a little longer than the target.
const RECOVERY_LIMIT_AFTERWARDS: Duration = Duration::from_secs(35);
/// Between looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Answers in a row that make a gateway ready again: one may come from before the restart.
const READY_IN_A_ROW: u32 = 3;
/// Round trips of which the fastest stands for a call's latency at one time: a busy moment makes none faster.
const ROUND_TRIPS: usize = 3;
/// How often the latency before is measured, where it is not small.
const ROUNDS_MAX: usize = 5;
/// Of the latency asked for, this share must be seen.
const LATENCY_SHARE_MIN: f64 = 0.8;

/// W6.
#[derive(Debug, Default)]
pub(super) struct LightChaos {
    place: Place,
    windows: Side,
}

impl Worker for LightChaos {
    fn name(&self) -> &'static str {
        Workload::Chaos.name()
    }

    fn beside(&self) -> Option<&Side> {
        Some(&self.windows)
    }

    fn play(&self, context: Context) -> BoxFuture<'_, Result<(), Fatal>> {
        Box::pin(async move {
            while let Some(planned) = context.plan.chaos.get(self.place.next()) {
                // What would come after the plan's end, because the gateway never came back, is not played any more.
                if !context.until(planned.at_ms).await || context.clock.now_ms() >= context.plan.duration_ms {
                    break;
                }
                self.place.advance();
                let due = self.place.due(context.clock.instant(planned.at_ms));
                let cycle = context.recorder.cycle_started(Workload::Chaos, due);
                self.disturb(&context, planned).await;
                context.recorder.cycle_finished(Workload::Chaos, cycle);
                self.place.is_free();
            }
            self.windows.over().await;
            Ok(())
        })
    }
}

impl LightChaos {
    async fn disturb(&self, context: &Context, planned: &PlannedChaos) {
        let chaos = planned.chaos;
        let before = if chaos == Chaos::Latency { undisturbed(context).await } else { RoundTrips::default() };
        context.recorder.set_phase(Phase::from(chaos));
        // While the gateway is down by our own hand, what is due waits.
        let restarts = chaos != Chaos::Latency;
        context.gate.hold(restarts);
        let dropped_before = context.board.log_streams_dropped();
        let open_before = context.board.log_streams_open();
        let window = Window(context);
        let injected_at = clock::now();
        let accepted = inject(context, chaos).await;
        let well_again = async {
            // A restart may well cut the connection that its own answer should have come by.
            if accepted.unwrap_or(restarts) {
                let recovered = if restarts {
                    restart(context, chaos, injected_at, dropped_before, open_before).await
                } else {
                    latency(context, before, injected_at).await
                };
                context.gate.hold(false);
                match recovered {
                    Ok(()) => self.streams_back(context, chaos, injected_at),
                    Err(still) => not_recovered(context, chaos, injected_at, &still),
                }
            }
            context.gate.hold(false);
        };
        tokio::pin!(well_again);
        let ends_ms = context.plan.window_ends_ms(planned);
        tokio::select! {
            biased;
            () = &mut well_again => {}
            _ = context.until(ends_ms) => {
                // The window is over, the wait for the gateway is not: what it does now, it does to its users.
                drop(window);
                return well_again.await;
            }
        }
        // Two scenario minutes to settle, then the window closes. The way back is measured above, on real time.
        let settle_ms = millis(context.plan.scenario.chaos.settle);
        let _ = context.until(context.clock.now_ms() + settle_ms).await;
        drop(window);
    }

    /// Waits, beside the window, until every stream is back; then says how long the way back was.
    fn streams_back(&self, context: &Context, chaos: Chaos, injected_at: Instant) {
        let ready_at = clock::now();
        let one = context.clone();
        self.windows.play(context, Workload::Chaos, async move {
            let all = one.plan.scenario.streams.count as usize;
            while one.board.log_streams_open() < all {
                if given_up(&one, ready_at) {
                    let still = format!("{} of {all} streams are open", one.board.log_streams_open());
                    return not_recovered(&one, chaos, injected_at, &still);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
            // Latency lasts as long as it was asked to: only what comes after is the way back.
            let asked = if chaos == Chaos::Latency { latency_lasts(&one) } else { Duration::ZERO };
            let back_at = clock::now().max(ready_at);
            let took = back_at.saturating_duration_since(injected_at + asked);
            one.recorder.incident(Finding::ChaosRecovered { chaos, recovery_ms: micros(took) / 1_000 });
            tracing::info!("{chaos}: well again after {} ms", micros(took) / 1_000);
        });
    }
}

/// A window that is open. However it comes to be closed, nothing is held after it.
struct Window<'a>(&'a Context);

impl Drop for Window<'_> {
    fn drop(&mut self) {
        self.0.gate.hold(false);
        self.0.recorder.set_phase(Phase::Steady);
    }
}

/// Asks for chaos; whether the gateway said yes. None where it said nothing.
async fn inject(context: &Context, chaos: Chaos) -> Option<bool> {
    let added_ms = millis(context.plan.scenario.chaos.latency_added);
    let (what, body) = match chaos {
        Chaos::RedisRestart => ("redis-restart", json!({})),
        Chaos::GatewayRestart => ("gateway-restart", json!({})),
        Chaos::Latency => ("latency", json!({ "delay": added_ms, "duration": millis(latency_lasts(context)) })),
    };
    let outcome = context.client.chaos(what, &body).await;
    let (accepted, answer) = match outcome {
        Ok(answer) => (Some(answer.is(&[200, 202])), format!("POST /api/chaos/{what}: {answer}")),
        Err(trouble) => (None, format!("POST /api/chaos/{what}: {trouble}")),
    };
    tracing::info!("chaos {chaos}: {answer}");
    let finding = Finding::ChaosInjected { chaos, accepted: accepted == Some(true), answer: clip(&answer) };
    context.recorder.incident(finding);
    accepted
}

/// Waits for a restart to show, and then for the gateway to be ready again; what is still wrong, if it is not.
async fn restart(
    context: &Context,
    chaos: Chaos,
    injected_at: Instant,
    dropped_before: u64,
    open_before: usize,
) -> Result<(), String> {
    let mut lost: Option<String> = None;
    let mut in_a_row = 0;
    let mut said = false;
    loop {
        let answer = match context.client.ready().await {
            Ok(answer) if answer.status == 200 => None,
            Ok(answer) => Some(answer.to_string()),
            Err(trouble) => Some(trouble.text),
        };
        in_a_row = if answer.is_none() { in_a_row + 1 } else { 0 };
        let dropped = context.board.log_streams_dropped().saturating_sub(dropped_before);
        let took_ms = millis(clock::now().saturating_duration_since(injected_at));
        if let (None, Some(answer)) = (&lost, &answer) {
            lost = Some(format!("readiness was lost after {took_ms} ms ({answer})"));
        }
        let effective = lost.is_some() || dropped > 0;
        let waited = clock::now().saturating_duration_since(injected_at);
        // The first sign is often a dropped stream; what else shows is waited for until the gateway is ready again.
        let over = effective && in_a_row >= READY_IN_A_ROW;
        if !said && (over || waited >= EFFECT_LIMIT) {
            said = true;
            let streams = format!("{dropped} of {open_before} streams dropped");
            let evidence = match &lost {
                Some(lost) => format!("{lost}; {streams}"),
                None => format!("{streams}; readiness was never lost"),
            };
            context.recorder.incident(Finding::ChaosSeen { chaos, effective, evidence });
        }
        if in_a_row >= READY_IN_A_ROW && (effective || waited >= EFFECT_LIMIT) {
            return Ok(());
        }
        if given_up(context, injected_at) {
            return Err(format!(
                "GET /ready: {}",
                answer.unwrap_or_else(|| "200, but not three times in a row".into())
            ));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Measures the latency that was really added, and then that it is gone.
async fn latency(context: &Context, before: RoundTrips, injected_at: Instant) -> Result<(), String> {
    let chaos = Chaos::Latency;
    let asked = context.plan.scenario.chaos.latency_added;
    let during = round_trips(context).await;
    // Every answer was to be late, so the call that was slowed down least says what was done.
    let (call, seen) = during.least_over(&before);
    let effective = seen.is_some_and(|seen| seen >= asked.mul_f64(LATENCY_SHARE_MIN));
    let evidence = format!(
        "fastest round trip of {ROUND_TRIPS} of {}, the least delayed of {} calls: {} before, {} during; +{} ms \
         asked for",
        CALLS[call],
        CALLS.len(),
        show(before.0[call]),
        show(during.0[call]),
        millis(asked)
    );
    context.recorder.incident(Finding::ChaosSeen { chaos, effective, evidence });
    let ends_at = injected_at + latency_lasts(context);
    tokio::select! {
        () = context.stop.requested() => return Ok(()),
        () = tokio::time::sleep_until(ends_at) => {}
    }
    loop {
        let now = round_trips(context).await;
        let (call, still) = now.most_over(&before);
        if still.is_some_and(|still| still < asked / 2) {
            return Ok(());
        }
        if given_up(context, ends_at) {
            let (now, before) = (show(now.0[call]), show(before.0[call]));
            return Err(format!("{} still takes {now}; before, it took {before}", CALLS[call]));
        }
    }
}

/// Whether a gateway that was waited for since a moment is given up: after the limit, or sooner if the plan is over.
fn given_up(context: &Context, since: Instant) -> bool {
    let waited = clock::now().saturating_duration_since(since);
    let plan_is_over = context.clock.now_ms() >= context.plan.duration_ms;
    waited >= if plan_is_over { RECOVERY_LIMIT_AFTERWARDS } else { RECOVERY_LIMIT } || context.stop.is_requested()
}

fn latency_lasts(context: &Context) -> Duration {
    context.clock.real(millis(context.plan.scenario.chaos.latency_duration))
}

fn not_recovered(context: &Context, chaos: Chaos, injected_at: Instant, still: &str) {
    let waited_ms = millis(clock::now().saturating_duration_since(injected_at));
    context.recorder.incident(Finding::ChaosNotRecovered { chaos, waited_ms, answer: clip(still) });
}

/// The calls that are timed: the probes, and one that does something.
const CALLS: [&str; 3] = ["GET /ready", "GET /health", "GET /api/agents/{slug}"];

/// The fastest round trip of each of the [`CALLS`]; none where none was answered.
#[derive(Debug, Clone, Copy, Default)]
struct RoundTrips([Option<Duration>; CALLS.len()]);

impl RoundTrips {
    /// The call that takes longer than before by the least, and by how much; none where one was not answered.
    fn least_over(&self, before: &Self) -> (usize, Option<Duration>) {
        self.over(before).min_by_key(|(_, over)| *over).expect("there are calls")
    }

    /// The call that takes longer than before by the most. One that was not answered comes first.
    fn most_over(&self, before: &Self) -> (usize, Option<Duration>) {
        self.over(before).max_by_key(|(_, over)| over.unwrap_or(Duration::MAX)).expect("there are calls")
    }

    fn over(&self, before: &Self) -> impl Iterator<Item = (usize, Option<Duration>)> {
        let over = self.0.into_iter().zip(before.0).map(|(now, before)| Some(now?.saturating_sub(before?)));
        over.enumerate()
    }
}

/// Times each call before anything is added. A machine that is busy at the moment would hide what is added later, so it
/// is timed again, a few times, until it takes far less than that.
async fn undisturbed(context: &Context) -> RoundTrips {
    let little = context.plan.scenario.chaos.latency_added / 5;
    let mut fastest = round_trips(context).await;
    for _ in 1..ROUNDS_MAX {
        if fastest.0.iter().all(|took| took.is_some_and(|took| took < little)) || context.stop.is_requested() {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
        let again = round_trips(context).await;
        for (fastest, again) in fastest.0.iter_mut().zip(again.0) {
            *fastest = (*fastest).into_iter().chain(again).min();
        }
    }
    fastest
}

/// Times each call a few times, one after another.
async fn round_trips(context: &Context) -> RoundTrips {
    let agent = context.plan.runs.first().map_or("demo-enricher", |run| run.agent.as_str());
    RoundTrips([
        fastest(|| context.client.ready()).await,
        fastest(|| context.client.health()).await,
        fastest(|| context.client.agent(agent)).await,
    ])
}

async fn fastest<F: Future<Output = Outcome>>(call: impl Fn() -> F) -> Option<Duration> {
    let mut fastest = None;
    for _ in 0..ROUND_TRIPS {
        let sent = clock::now();
        if call().await.is_ok() {
            let took = clock::now().saturating_duration_since(sent);
            fastest = Some(fastest.map_or(took, |fastest: Duration| fastest.min(took)));
        }
    }
    fastest
}

fn show(round_trip: Option<Duration>) -> String {
    round_trip.map_or("no answer".into(), |took| format!("{} ms", millis(took)))
}
