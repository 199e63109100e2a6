//! W6: restarts and added latency, each proven to have had its effect, and the way back measured.

use std::{sync::OnceLock, time::Duration};

use futures_util::future::BoxFuture;
use tokio::{sync::watch, time::Instant};

use super::{
    added_latency::{latency, latency_lasts},
    lever::{self, Pulled},
    place::CycleCursor,
    readiness::{LOOK_EVERY, given_up, not_ready},
    restart_effect::RestartLook,
    round_trips::{RoundTrips, undisturbed},
};
use crate::{
    catalog::{CallName, Chaos, Phase, Workload},
    clock::{self, micros},
    journal::{Finding, clip},
    plan::{Lever, PlannedChaos, millis},
    session::{Context, Fatal, ResumeState, TaskGroup, Worker},
};

/// A latency that lasts no longer than this is not measured any more: timing the calls takes a while, too.
const MEASURED_WITHIN: Duration = Duration::from_secs(3);

/// W6.
#[derive(Debug, Default)]
pub(super) struct LightChaos {
    place: CycleCursor,
    windows: TaskGroup,
}

impl Worker for LightChaos {
    fn name(&self) -> &'static str {
        Workload::Chaos.name()
    }

    fn background_tasks(&self) -> Option<&TaskGroup> {
        Some(&self.windows)
    }

    fn play(&self, context: Context) -> BoxFuture<'_, Result<(), Fatal>> {
        Box::pin(async move {
            self.place.again();
            // An event that would come after the plan's end, because the gateway never came back, is not played.
            while let Some(planned) = context.schedule.plan.chaos.get(self.place.next())
                && context.schedule.until(planned.at_ms).await
                && context.schedule.clock.now_ms() < context.schedule.plan.duration_ms
                && let Some(cycle) = self.place.begin(&context, Workload::Chaos, planned.at_ms).await
            {
                self.disturb(&context, planned).await;
                self.place.finish(&context, Workload::Chaos, cycle);
            }
            self.windows.over().await;
            Ok(())
        })
    }
}

/// The stage of an event when a session begins with it.
#[derive(Debug)]
enum EventStage {
    /// It is to be injected.
    Due,
    /// It was injected by the session before, which may have seen its effect.
    Injected { at: Instant, is_seen: bool, before: RoundTrips },
    /// The session before saw how it ended, at a scenario moment.
    Over(u64),
}

impl LightChaos {
    /// Goes on after the events that were played.
    pub(super) fn after(resumed: &ResumeState) -> Self {
        Self { place: CycleCursor::at(resumed.finished(Workload::Chaos)), ..Self::default() }
    }

    async fn disturb(&self, context: &Context, planned: &PlannedChaos) {
        let chaos = planned.chaos;
        let settle_ms = millis(context.schedule.plan.scenario.chaos.settle);
        let (injected, before) = match stage(context, chaos).await {
            EventStage::Over(at_ms) => {
                let _window = OpenWindow::open(context, chaos);
                let ends_ms = (at_ms + settle_ms).min(context.schedule.plan.window_ends_ms(planned));
                let _ = context.schedule.until(ends_ms).await;
                return;
            }
            EventStage::Injected { at, is_seen, before } => (Some((at, is_seen)), before),
            EventStage::Due if chaos == Chaos::Latency => (None, undisturbed(context).await),
            EventStage::Due => (None, RoundTrips::default()),
        };
        let restarts = chaos != Chaos::Latency;
        let mut look = RestartLook::before(context, planned, injected.is_none() && restarts).await;
        let window = OpenWindow::open(context, chaos);
        // While S2 has the gateway down, or is about to, due requests wait.
        context.calls.gate.hold(restarts);
        let (effect, mut effect_seen) = watch::channel(None);
        if injected.is_none() && !restarts {
            context.recorder.incident(Finding::RoundTripsBefore { chaos, fastest_us: before.fastest_us() });
        }
        let (injected_at, is_seen) = injected.unwrap_or_else(|| (clock::now(), false));
        let well_again = async {
            let done = OnceLock::new();
            // A restart shows while it is under way: a command may end only when the gateway is back.
            let watched = async {
                if !restarts {
                    return None;
                }
                Some(look.until_back(context, injected_at, is_seen, (&done, &effect)).await)
            };
            let pulled = async {
                let accepted = if injected.is_some() { Some(true) } else { inject(context, chaos).await };
                done.get_or_init(|| (clock::now(), accepted));
                accepted
            };
            let (accepted, watched) = tokio::join!(pulled, watched);
            // A restart may cut the connection of its own answer.
            if accepted.unwrap_or(restarts) {
                let recovered = match watched {
                    Some(recovered) => recovered,
                    None => latency(context, before, injected_at, is_seen).await,
                };
                context.calls.gate.hold(false);
                match recovered {
                    // Before the effect a gateway works as ever: the recovery begins with the effect.
                    Ok(()) => self.streams_back(context, chaos, (*effect.borrow()).unwrap_or(injected_at)),
                    Err(still) => not_recovered(context, chaos, injected_at, &still),
                }
            }
            context.calls.gate.hold(false);
        };
        tokio::pin!(well_again);
        let ends_ms = window_ends_ms(context, planned, injected_at);
        let window_over = async {
            let mut ends_ms = ends_ms;
            if restarts && let Ok(seen) = effect_seen.wait_for(Option::is_some).await {
                let seen_ms = seen.map_or(0, |at| context.schedule.clock.at_ms(at));
                ends_ms = ends_ms.max(context.schedule.plan.restart_window_ends_ms(seen_ms));
            }
            context.schedule.until(ends_ms).await
        };
        tokio::select! {
            biased;
            () = &mut well_again => {}
            _ = window_over => {
                // The window is over, the wait for the gateway is not: its users suffer from its failures now.
                drop(window);
                return well_again.await;
            }
        }
        // Two scenario minutes to settle, then the window closes. The recovery is measured above, in real time.
        let _ = context.schedule.until(context.schedule.clock.now_ms() + settle_ms).await;
        drop(window);
    }

    /// Waits in the background until every stream is back; then records the duration of the recovery.
    fn streams_back(&self, context: &Context, chaos: Chaos, injected_at: Instant) {
        let ready_at = clock::now();
        let one = context.clone();
        self.windows.play(context, Workload::Chaos, async move {
            // Streams of single runs come with the runs, and are not waited for.
            let is_kept = one.calls.client.has(CallName::LogsStream);
            let all = if is_kept { one.schedule.plan.scenario.streams.count as usize } else { 0 };
            // Nor are streams that a churn has just closed: with many churns some client is always away.
            while one.shared_streams.log_streams_well() < all {
                if given_up(&one, ready_at) {
                    let still = format!("{} of {all} streams are back", one.shared_streams.log_streams_well());
                    return not_recovered(&one, chaos, injected_at, &still);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
            // Latency lasts as long as requested: the recovery begins after that.
            let asked = if chaos == Chaos::Latency { latency_lasts(&one) } else { Duration::ZERO };
            // While no session was there, the gateway could not bring back the streams of the session before.
            let recovery_ms = micros(one.recorder.between(injected_at + asked, clock::now().max(ready_at))) / 1_000;
            one.recorder.incident(Finding::ChaosRecovered { chaos, recovery_ms });
            tracing::info!("{chaos}: well again after {recovery_ms} ms");
        });
    }
}

/// The stage of an event. An event whose effect the session before did not see is injected again, because unseen chaos
/// proves nothing. The rest of an added latency is waited for first.
async fn stage(context: &Context, chaos: Chaos) -> EventStage {
    let resumed = context.schedule.resumed.chaos(chaos);
    if let Some(over_ms) = resumed.over_ms {
        return EventStage::Over(over_ms);
    }
    if matches!(context.levers.get(&chaos), Some(Lever::Proxy { .. })) {
        // The effect of the proxy of the session before ended with it.
        return EventStage::Due;
    }
    let Some(at) = resumed.accepted_ms.map(|at_ms| context.schedule.clock.instant(at_ms)) else {
        return EventStage::Due;
    };
    let is_seen = resumed.seen.is_some_and(|(_, is_effective, _)| is_effective);
    if chaos != Chaos::Latency {
        // A gateway that is down still shows the effect.
        let is_down = not_ready(context).await.is_some();
        let before = RoundTrips::default();
        return if is_seen || is_down { EventStage::Injected { at, is_seen, before } } else { EventStage::Due };
    }
    let ends_at = at + latency_lasts(context);
    let left = ends_at.saturating_duration_since(clock::now());
    match resumed.fastest_us.as_deref().and_then(|fastest_us| RoundTrips::of(context, fastest_us)) {
        Some(before) if is_seen || left > MEASURED_WITHIN => EventStage::Injected { at, is_seen, before },
        _ => {
            tokio::select! {
                () = context.schedule.stop.requested() => {}
                () = tokio::time::sleep_until(ends_at) => {}
            }
            EventStage::Due
        }
    }
}

/// The latest end of an event's window. An event that is injected again has the planned time from then on.
fn window_ends_ms(context: &Context, planned: &PlannedChaos, injected_at: Instant) -> u64 {
    let at_ms =
        if context.schedule.resumed.is_there() { context.schedule.clock.at_ms(injected_at) } else { planned.at_ms };
    context.schedule.plan.window_ends_ms(&PlannedChaos { at_ms: at_ms.max(planned.at_ms), chaos: planned.chaos })
}

/// An open window. When it closes, for any reason, no request is held any more.
struct OpenWindow<'a> {
    context: &'a Context,
    chaos: Chaos,
    from_ms: u64,
}

impl<'a> OpenWindow<'a> {
    /// Opens the window of an event, whose phase begins.
    fn open(context: &'a Context, chaos: Chaos) -> Self {
        context.recorder.set_phase(Phase::from(chaos));
        Self { context, chaos, from_ms: context.schedule.clock.now_ms() }
    }
}

impl Drop for OpenWindow<'_> {
    fn drop(&mut self) {
        let Self { context, chaos, from_ms } = *self;
        context.calls.gate.hold(false);
        context.recorder.incident(Finding::WindowClosed { chaos, from_ms });
        context.recorder.set_phase(Phase::Steady);
    }
}

/// Injects chaos. Returns whether that was done; `None` if it is unknown.
async fn inject(context: &Context, chaos: Chaos) -> Option<bool> {
    let mark = context.recorder.mark();
    let Pulled { accepted, answer } = lever::pull(context, chaos, latency_lasts(context)).await;
    tracing::info!("chaos {chaos}: {answer}");
    let finding = Finding::ChaosInjected { chaos, accepted: accepted == Some(true), answer: clip(&answer) };
    context.recorder.incident_since(finding, mark);
    accepted
}

fn not_recovered(context: &Context, chaos: Chaos, injected_at: Instant, still: &str) {
    let waited_ms = millis(clock::now().saturating_duration_since(injected_at));
    context.recorder.incident(Finding::ChaosNotRecovered { chaos, waited_ms, answer: clip(still) });
}
