//! What a restart is seen to do: readiness lost, streams dropped, reads of the API that fail; and when it is over.

use std::{future::Future, pin::Pin, sync::OnceLock, time::Duration};

use tokio::{sync::watch, time::Instant};

use super::readiness::{LOOK_EVERY, given_up, not_ready};
use crate::{
    catalog::{CallName, Chaos},
    clock,
    gateway::Answer,
    journal::Finding,
    plan::{PlannedChaos, millis},
    session::Context,
};

/// Answers in a row that make a gateway ready again: one may come from before the restart.
const READY_IN_A_ROW: u32 = 3;
/// How long requests are held for a restart that was accepted and has not shown.
const HELD_BEFORE_EFFECT: Duration = Duration::from_secs(5);
/// Reads of the API in a row that must fail before a restart: one or two may fail at any time.
const FAILED_IN_A_ROW: u32 = 3;
/// How long a read may take. One that takes longer has failed.
const READ_LIMIT: Duration = Duration::from_secs(2);
/// Reads that need what a gateway stores: where its readiness does not depend on the store, they show its restart.
const READS: [CallName; 2] = [CallName::Agent, CallName::Search];

/// A restart, as it is looked at.
pub(super) struct RestartLook {
    chaos: Chaos,
    limit: Duration,
    dropped_before: u64,
    open_before: usize,
    /// Reads that were answered before the restart.
    reads: Vec<CallName>,
    ready_in_a_row: u32,
    /// What was seen first of readiness, and of the reads.
    lost: Option<String>,
    failed: Option<String>,
    /// The read that failed, while it is not answered again.
    failing: Option<CallName>,
}

/// What was seen of the reads.
enum ReadsSeen {
    /// One has failed, and how.
    Failed(CallName, String),
    /// The one that had failed is answered again.
    Answered,
}

/// Looks at the reads until there is something to be seen.
type LookAtReads<'a> = Pin<Box<dyn Future<Output = ReadsSeen> + Send + 'a>>;

/// When a restart was done and whether it was accepted, once that is known.
pub(super) type Done = OnceLock<(Instant, Option<bool>)>;

impl RestartLook {
    /// Looks at what there is before a restart. Reads are looked at only where it is still to be injected.
    pub(super) async fn before(context: &Context, planned: &PlannedChaos, with_reads: bool) -> Self {
        let mut reads = Vec::new();
        for call in READS.into_iter().filter(|call| with_reads && context.client.has(*call)) {
            if failure(context, call).await.is_none() {
                reads.push(call);
            }
        }
        Self {
            chaos: planned.chaos,
            // One event may have held up the next.
            limit: context.plan.effect_limit(
                planned.at_ms.max(context.clock.now_ms()),
                context.client.dialect().limits.restart_effect,
            ),
            dropped_before: context.board.log_streams_dropped(),
            open_before: context.board.log_streams_open(),
            reads,
            ready_in_a_row: 0,
            lost: None,
            failed: None,
            failing: None,
        }
    }

    /// Waits for the restart to show, unless that was seen, and then for the gateway to be ready again; what is still wrong,
    /// if it is not. `effect` is told when the restart shows, or when that is not waited for any longer.
    pub(super) async fn until_back(
        &mut self,
        context: &Context,
        injected_at: Instant,
        is_seen: bool,
        (done, effect): (&Done, &watch::Sender<Option<Instant>>),
    ) -> Result<(), String> {
        let mut is_recorded = is_seen;
        let mut shown_at = is_seen.then_some(injected_at);
        // Beside: a gateway may hold a read for as long as its store is away, while it says that it is not ready.
        let reads = std::mem::take(&mut self.reads);
        let mut reads: Option<LookAtReads<'_>> =
            (!reads.is_empty()).then(|| -> LookAtReads<'_> { Box::pin(failing(context, reads, injected_at)) });
        loop {
            let answer = self.beside(&mut reads, not_ready(context)).await;
            let took_ms = millis(clock::now().saturating_duration_since(injected_at));
            self.look(answer.as_ref(), took_ms);
            match self.failing {
                // Where a read is what shows the restart, the gateway is back when that read is answered.
                Some(call) if reads.is_none() => reads = Some(Box::pin(answered(context, call))),
                None if shown_at.is_some() || self.lost.is_some() => reads = None,
                _ => {}
            }
            let dropped = context.board.log_streams_dropped().saturating_sub(self.dropped_before);
            let effective = is_seen || self.lost.is_some() || self.failed.is_some() || self.is_cut(dropped);
            if effective && shown_at.is_none() {
                shown_at = Some(clock::now());
                // It may have gone on serving until now: from here on it is down, and what it answered before counts for
                // nothing.
                context.gate.hold(true);
                self.ready_in_a_row = 0;
            }
            // What was not done has no effect, and what is being done may still have one.
            let waited = match done.get() {
                Some((_, Some(false))) if !effective => return Ok(()),
                Some((at, _)) => clock::now().saturating_duration_since(*at),
                None => Duration::ZERO,
            };
            let is_waited_for = waited < self.limit;
            if shown_at.is_none() && waited >= HELD_BEFORE_EFFECT {
                // It goes on serving, so its users go on, too: what they have begun would not wait for ever.
                context.gate.hold(false);
            }
            if effective || !is_waited_for {
                effect.send_if_modified(|told| {
                    told.is_none() && told.replace(shown_at.unwrap_or_else(clock::now)).is_none()
                });
            }
            // The first sign is often a dropped stream; what else shows is waited for until the gateway is ready again.
            let is_back = self.ready_in_a_row >= READY_IN_A_ROW && self.failing.is_none() && done.get().is_some();
            if !is_recorded && ((effective && is_back) || !is_waited_for) {
                is_recorded = true;
                let evidence = self.evidence(dropped, effective);
                context.recorder.incident(Finding::ChaosSeen { chaos: self.chaos, effective, evidence });
            }
            if is_back && (effective || !is_waited_for) {
                return Ok(());
            }
            if given_up(context, shown_at.unwrap_or(injected_at)) {
                let route = |call| context.client.dialect().route(call);
                return Err(match (answer, self.failing) {
                    (Some(answer), _) => format!("{}: {answer}", route(CallName::Ready)),
                    (None, Some(read)) => {
                        format!("{}: still fails, and the gateway says that it is ready", route(read))
                    }
                    (None, None) => format!("{}: 200, but not three times in a row", route(CallName::Ready)),
                });
            }
            self.beside(&mut reads, tokio::time::sleep(LOOK_EVERY)).await;
        }
    }

    /// What comes of something, and the reads are looked at meanwhile.
    async fn beside<T>(&mut self, reads: &mut Option<LookAtReads<'_>>, of: impl Future<Output = T>) -> T {
        tokio::pin!(of);
        loop {
            let Some(looked_at) = reads else { return of.await };
            tokio::select! {
                biased;
                outcome = &mut of => return outcome,
                seen = looked_at => {
                    *reads = None;
                    match seen {
                        ReadsSeen::Failed(call, how) => (self.failed, self.failing) = (Some(how), Some(call)),
                        ReadsSeen::Answered => self.failing = None,
                    }
                }
            }
        }
    }

    /// Whether so many streams dropped that it is no coincidence: one or the other may be closed at any time.
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

/// Looks at reads, each by itself, until one has failed so often in a row that it is no coincidence.
async fn failing(context: &Context, reads: Vec<CallName>, injected_at: Instant) -> ReadsSeen {
    let mut failed_in_a_row = vec![0; reads.len()];
    loop {
        for (call, in_a_row) in reads.iter().zip(&mut failed_in_a_row) {
            let failure = failure(context, *call).await;
            *in_a_row = if failure.is_some() { *in_a_row + 1 } else { 0 };
            if let Some(answer) = failure.filter(|_| *in_a_row >= FAILED_IN_A_ROW) {
                let route = context.client.dialect().route(*call);
                let took_ms = millis(clock::now().saturating_duration_since(injected_at));
                let how = format!("{route} failed {FAILED_IN_A_ROW} times in a row after {took_ms} ms ({answer})");
                return ReadsSeen::Failed(*call, how);
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Looks at a read until it is answered as often in a row as readiness has to be.
async fn answered(context: &Context, call: CallName) -> ReadsSeen {
    let mut in_a_row = 0;
    while in_a_row < READY_IN_A_ROW {
        in_a_row = if failure(context, call).await.is_none() { in_a_row + 1 } else { 0 };
        tokio::time::sleep(LOOK_EVERY).await;
    }
    ReadsSeen::Answered
}

/// How a read fails; none where it is answered as it should be.
async fn failure(context: &Context, call: CallName) -> Option<String> {
    let client = &context.client;
    let read = async {
        match call {
            CallName::Agent => client.agent(context.agent()).await,
            _ => client.search(context.agent()).await,
        }
    };
    match tokio::time::timeout(READ_LIMIT, read).await {
        Ok(Ok(answer)) if is_fine(context, call, &answer) => None,
        Ok(Ok(answer)) => Some(answer.to_string()),
        Ok(Err(trouble)) => Some(trouble.text),
        Err(_) => Some(format!("no answer within {} s", READ_LIMIT.as_secs())),
    }
}

/// Whether a read is answered as it should be. To be told to wait is no sign of a restart.
fn is_fine(context: &Context, call: CallName, answer: &Answer) -> bool {
    context.client.is_yes(call, answer) || answer.status == 429
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look() -> RestartLook {
        RestartLook {
            chaos: Chaos::RedisRestart,
            limit: Duration::from_secs(60),
            dropped_before: 0,
            open_before: 20,
            reads: Vec::new(),
            ready_in_a_row: 0,
            lost: None,
            failed: None,
            failing: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn readiness_is_looked_at_while_a_read_hangs() {
        let mut look = look();
        let mut reads: Option<LookAtReads<'_>> = Some(Box::pin(std::future::pending()));
        let ready = look.beside(&mut reads, async { "503 warming up" });
        let answer = tokio::time::timeout(READ_LIMIT, ready).await.expect("it does not wait for the read");
        look.look(Some(&answer.to_owned()), 4);
        assert_eq!(
            (Some("readiness was lost after 4 ms (503 warming up)"), true),
            (look.lost.as_deref(), reads.is_some())
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_fails_meanwhile_is_taken_in() {
        let mut look = look();
        let failed = async { ReadsSeen::Failed(CallName::Agent, "GET /x failed".to_owned()) };
        let mut reads: Option<LookAtReads<'_>> = Some(Box::pin(failed));
        look.beside(&mut reads, tokio::time::sleep(LOOK_EVERY)).await;
        assert_eq!((Some("GET /x failed"), true), (look.failed.as_deref(), reads.is_none()));
        assert_eq!(Some(CallName::Agent), look.failing);
        reads = Some(Box::pin(async { ReadsSeen::Answered }));
        look.beside(&mut reads, tokio::time::sleep(LOOK_EVERY)).await;
        assert_eq!((None, true), (look.failing, look.failed.is_some()));
    }
}
