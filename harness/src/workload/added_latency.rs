//! Added latency: measured while it lasts, and waited for until it is gone.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    lever,
    readiness::{given_up, not_ready},
    round_trips::{ROUND_TRIPS, RoundTrips, calls, round_trips, show},
};
use crate::{
    catalog::{CallName, Chaos},
    journal::Finding,
    plan::millis,
    session::Context,
};

/// Minimum share of the requested latency that must be seen.
const LATENCY_SHARE_MIN: f64 = 0.8;

/// Measures the latency that was really added, unless that was seen; then waits until it is gone.
pub(super) async fn latency(
    context: &Context,
    before: RoundTrips,
    injected_at: Instant,
    is_seen: bool,
) -> Result<(), String> {
    let asked = context.schedule.plan.scenario.chaos.latency_added;
    if !is_seen {
        look_at_latency(context, &before).await;
    }
    let ends_at = injected_at + latency_lasts(context);
    tokio::select! {
        () = context.schedule.stop.requested() => return Ok(()),
        () = tokio::time::sleep_until(ends_at) => {}
    }
    lever::release(context, Chaos::Latency);
    loop {
        let now = round_trips(context).await;
        let (call, still) = now.most_over(&before);
        // A fast answer may be an error.
        let answer = not_ready(context).await;
        if answer.is_none() && still.is_some_and(|still| still < asked / 2) {
            return Ok(());
        }
        if given_up(context, ends_at) {
            let (now, before) = (show(now.0[call]), show(before.0[call]));
            let slow = || format!("{} still takes {now}; before, it took {before}", route_of(context, call));
            let ready = context.calls.client.dialect().route(CallName::Ready);
            return Err(answer.map_or_else(slow, |answer| format!("{ready}: {answer}")));
        }
    }
}

/// Says what latency was really added.
async fn look_at_latency(context: &Context, before: &RoundTrips) {
    let asked = context.schedule.plan.scenario.chaos.latency_added;
    let enough = asked.mul_f64(LATENCY_SHARE_MIN);
    let held_before = lever::bytes_held_back(context);
    let during = round_trips(context).await;
    // Every answer should be late, so the call with the least increase is the evidence.
    let (call, _) = during.least_over(before);
    let held_back = lever::bytes_held_back(context).zip(held_before).map_or(0, |(now, before)| now - before);
    let effective = during.prove_added(enough, before, held_back);
    let also = match (effective, held_back) {
        (false, _) => format!("; +{} ms would be enough", millis(enough)),
        (true, 0) => String::new(),
        (true, bytes) => format!("; the fault proxy held back {bytes} bytes"),
    };
    let evidence = format!(
        "fastest round trip of {ROUND_TRIPS} of {}, the least delayed of {} calls: {} before, {} during; +{} ms \
         asked for{also}",
        route_of(context, call),
        before.0.len(),
        show(before.0[call]),
        show(during.0[call]),
        millis(asked)
    );
    context.recorder.incident(Finding::ChaosSeen { chaos: Chaos::Latency, effective, evidence });
}

/// The route of one of the calls that are timed.
fn route_of(context: &Context, number: usize) -> &str {
    calls(context).nth(number).map_or("", |call| context.calls.client.dialect().route(call))
}

/// Returns the requested duration of the added latency, in real time.
pub(super) fn latency_lasts(context: &Context) -> Duration {
    context.schedule.clock.real(millis(context.schedule.plan.scenario.chaos.latency_duration))
}
