//! The visible effects of a restart: readiness lost, streams dropped, reads of the API that fail; and its end.

use std::{
    convert::Infallible,
    future::Future,
    pin::{Pin, pin},
    sync::OnceLock,
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::{
    readiness::{LOOK_EVERY, given_up, not_ready},
    restart_reads::RestartReads,
};
use crate::{
    catalog::{CallName, Chaos},
    clock,
    journal::Finding,
    plan::{PlannedChaos, millis},
    session::Context,
};

/// Answers in a row that make a gateway ready again: one may come from before the restart.
const READY_IN_A_ROW: u32 = 3;
/// Maximum time for which requests are held for a restart that was accepted and has not shown.
const HELD_BEFORE_EFFECT: Duration = Duration::from_secs(5);

/// The observations of a restart.
pub(super) struct RestartLook {
    chaos: Chaos,
    limit: Duration,
    dropped_before: u64,
    open_before: usize,
    reads: RestartReads,
    ready_in_a_row: u32,
    /// The first observed loss of readiness, and the first observed failure of the reads.
    lost: Option<String>,
    failed: Option<String>,
}

/// When a restart was done and whether it was accepted, once known.
pub(super) type Done = OnceLock<(Instant, Option<bool>)>;

impl RestartLook {
    /// Observes the state before a restart. Reads are observed only if the restart is still to be injected.
    pub(super) async fn before(context: &Context, planned: &PlannedChaos, with_reads: bool) -> Self {
        let reads = if with_reads { RestartReads::answered_now(context).await } else { RestartReads::default() };
        Self {
            chaos: planned.chaos,
            // One event may have held up the next.
            limit: context.schedule.plan.effect_limit(
                planned.at_ms.max(context.schedule.clock.now_ms()),
                context.calls.client.dialect().limits.restart_effect,
            ),
            dropped_before: context.shared_streams.log_streams_dropped(),
            open_before: context.shared_streams.log_streams_open(),
            reads,
            ready_in_a_row: 0,
            lost: None,
            failed: None,
        }
    }

    /// Waits for the effect of the restart, unless it was seen, and then for the gateway to be ready again; the
    /// remaining fault if it is not. `effect` receives the time of the effect, or of the end of the wait for it.
    pub(super) async fn until_back(
        &mut self,
        context: &Context,
        injected_at: Instant,
        is_seen: bool,
        (done, effect): (&Done, &watch::Sender<Option<Instant>>),
    ) -> Result<(), String> {
        let mut is_recorded = is_seen;
        let mut shown_at = is_seen.then_some(injected_at);
        let reads = std::mem::take(&mut self.reads);
        // At the same time: a gateway may hold a read for as long as its store is away, and say that it is not ready.
        let mut looking = pin!(reads.look(context, injected_at));
        loop {
            let answer = alongside(looking.as_mut(), not_ready(context)).await;
            let took_ms = millis(clock::now().saturating_duration_since(injected_at));
            self.look(answer.as_ref(), took_ms);
            if shown_at.is_none() && self.lost.is_none() {
                self.failed = reads.failed();
            }
            let dropped = context.shared_streams.log_streams_dropped().saturating_sub(self.dropped_before);
            let effective = is_seen || self.lost.is_some() || self.failed.is_some() || self.is_cut(dropped);
            if effective && shown_at.is_none() {
                shown_at = Some(clock::now());
                // It may have gone on serving until now: from here on it is down, and earlier answers do not count.
                context.calls.gate.hold(true);
                self.ready_in_a_row = 0;
                reads.start_over();
            }
            // A restart that was not done has no effect; one that is being done may still have one.
            let waited = match done.get() {
                Some((_, Some(false))) if !effective => return Ok(()),
                Some((at, _)) => clock::now().saturating_duration_since(*at),
                None => Duration::ZERO,
            };
            let is_waited_for = waited < self.limit;
            if shown_at.is_none() && waited >= HELD_BEFORE_EFFECT {
                // It goes on serving, so its users go on, too.
                context.calls.gate.hold(false);
            }
            if effective || !is_waited_for {
                effect.send_if_modified(|told| {
                    told.is_none() && told.replace(shown_at.unwrap_or_else(clock::now)).is_none()
                });
            }
            // The first sign is often a dropped stream; further signs are awaited until the gateway is ready again.
            let is_ready = self.ready_in_a_row >= READY_IN_A_ROW;
            let is_back = is_ready && reads.not_back().is_none() && done.get().is_some();
            if !is_recorded && ((effective && is_back) || !is_waited_for) {
                is_recorded = true;
                let evidence = self.evidence(dropped, effective);
                context.recorder.incident(Finding::ChaosSeen { chaos: self.chaos, effective, evidence });
            }
            if is_back && (effective || !is_waited_for) {
                return Ok(());
            }
            if given_up(context, shown_at.unwrap_or(injected_at)) {
                let route = |call| context.calls.client.dialect().route(call);
                return Err(match (answer, reads.not_back()) {
                    (Some(answer), _) => format!("{}: {answer}", route(CallName::Ready)),
                    (None, Some(read)) if is_ready => {
                        format!("{}: still fails, and the gateway says that it is ready", route(read))
                    }
                    (None, _) => format!("{}: 200, but not three times in a row", route(CallName::Ready)),
                });
            }
            alongside(looking.as_mut(), tokio::time::sleep(LOOK_EVERY)).await;
        }
    }

    /// Whether at least half of the streams dropped: a few may be closed at any time.
    fn is_cut(&self, dropped: u64) -> bool {
        dropped > 0 && dropped.saturating_mul(2) >= self.open_before as u64
    }

    /// Takes in a look at readiness.
    fn look(&mut self, not_ready: Option<&String>, took_ms: u64) {
        self.ready_in_a_row = if not_ready.is_none() { self.ready_in_a_row + 1 } else { 0 };
        if let (None, Some(answer)) = (&self.lost, not_ready) {
            self.lost = Some(format!("readiness was lost after {took_ms} ms ({answer})"));
        }
    }

    fn evidence(&self, dropped: u64, effective: bool) -> String {
        let streams = format!("{dropped} of {} streams dropped", self.open_before);
        let mut seen: Vec<String> = self.lost.iter().chain(&self.failed).cloned().collect();
        seen.push(streams);
        if self.lost.is_none() {
            seen.push("readiness was never lost".to_owned());
        }
        if !effective {
            seen.push(format!("an effect was waited for {} s", self.limit.as_secs()));
        }
        seen.join("; ")
    }
}

/// Returns the outcome of a future, and observes the reads meanwhile.
async fn alongside<T>(looking: Pin<&mut impl Future<Output = Infallible>>, of: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        outcome = of => outcome,
        never = looking => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn readiness_is_looked_at_while_a_read_hangs() {
        let mut look = RestartLook {
            chaos: Chaos::RedisRestart,
            limit: Duration::from_secs(60),
            dropped_before: 0,
            open_before: 20,
            reads: RestartReads::default(),
            ready_in_a_row: 0,
            lost: None,
            failed: None,
        };
        let mut looking = pin!(std::future::pending());
        let ready = alongside(looking.as_mut(), async { "503 warming up" });
        let answer = tokio::time::timeout(Duration::from_secs(2), ready).await.expect("it does not wait for the read");
        look.look(Some(&answer.to_owned()), 4);
        assert_eq!(Some("readiness was lost after 4 ms (503 warming up)"), look.lost.as_deref());
    }
}
