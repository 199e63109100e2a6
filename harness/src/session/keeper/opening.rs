//! Opens a stream that is kept, and opens it again.

use std::{pin::pin, time::Duration};

use rand::RngExt;

use super::Keeper;
use crate::{
    gateway::{Connection, NOT_THERE, Refusal, TOO_EARLY},
    journal::{Counter, Finding, Timing},
    session::StartPoint,
};

/// Maximum delay of an attempt.
pub(super) const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(30);
/// Minimum of a gateway's `retry:`.
pub(super) const RETRY_MIN: Duration = Duration::from_secs(1);
/// Further attempts after the start of a run if its stream was refused before; each doubles the delay.
const TRIES_AFTER_START: u32 = 4;
const TRY_AFTER_START: Duration = Duration::from_millis(100);

impl Keeper<'_> {
    /// One attempt to open the stream, after its delay.
    pub(super) async fn open(&mut self) -> Option<Connection> {
        let asked = self.life.retry.max(self.life.retry_after.take());
        if let Some((lost, attempts)) = self.life.lost {
            self.life.lost = Some((lost, attempts + 1));
            tokio::time::sleep(self.reconnect_delay(attempts, asked)).await;
        } else if let Some(first) = self.first.filter(|_| self.life.tries_after_start == 0)
            && !self.context.shared_streams.earliness.is_of_use()
        {
            first.until_run_is_under_way().await;
        }
        self.context.calls.gate.pass().await;
        self.life.rest = None;
        let (context, kept) = (self.context, self.kept);
        // A stream that was lost in a window comes back on that window's account, however late.
        let mark = context.recorder.mark_since(self.life.lost.map(|(lost, _)| lost));
        let streams = &context.calls.streams;
        let streams = if kept.as_a_browser { streams.as_a_browser() } else { streams.clone() };
        let last_id = self.life.last_id.get();
        let (workspace, last_id) = (context.calls.client.workspace(), last_id.as_deref());
        let is_of_run = kept.run.is_some();
        // The stream of a run may leave out the run of its events.
        let streams = if is_of_run { streams } else { streams.with_known_events(&context.shared_streams.known_events) };
        let opening = pin!(streams.open(kept.call, &kept.path, workspace, last_id));
        let opened = if is_of_run { opening.await } else { context.shared_streams.opening_pace.open(opening).await };
        if let Err(refusal) = &opened
            && self.is_no_error(refusal).await
        {
            return None;
        }
        context.recorder.add(Counter::Requests, u64::from(kept.workload.counts_in_error_rate()), mark);
        context.recorder.add(Counter::ReconnectAttempts, u64::from(self.life.lost.is_some()), mark);
        match opened {
            Ok(connection) => {
                self.opened(mark);
                Some(connection)
            }
            Err(refusal) => {
                self.refused(refusal, mark).await;
                None
            }
        }
    }

    fn opened(&mut self, mark: StartPoint) {
        let context = self.context;
        if let Some(first) = self.first {
            first.has_opened();
        }
        if std::mem::take(&mut self.life.tries_after_start) > 0 {
            context.shared_streams.earliness.opened_only_after_start();
        }
        context.recorder.count(Counter::StreamsOpened, mark);
        if let Some((lost, _)) = self.life.lost.take() {
            context.recorder.count(Counter::ReconnectsOk, mark);
            context.recorder.time(Timing::StreamAway, lost, &self.kept.name);
        }
        if let Some(client) = self.kept.client {
            // A stream that has shown events is owed all since then, whether or not the gateway gave it an id.
            let ids_are_the_connections = context.calls.client.dialect().events.ids_are_the_connections;
            context.deliveries.stream_opened(client, self.life.has_seen_events && !ids_are_the_connections);
        }
        if let Some(back) = self.life.back.take() {
            // The task that gave the order may have stopped waiting.
            let _ = back.send(());
        }
    }

    /// Whether a refusal only says that it is too early or too late for the stream of a run.
    async fn is_no_error(&mut self, refusal: &Refusal) -> bool {
        let Some(status) = refusal.status.filter(|_| self.kept.run.is_some()) else { return false };
        if let Some(first) = self.first
            && self.life.connections == 0
            && TOO_EARLY.contains(&status)
        {
            if first.was_refused() {
                tracing::debug!("stream {} refused before the start: {}", self.kept.name, refusal.answer);
                first.until_run_is_under_way().await;
                self.life.tries_after_start = 1;
                return true;
            }
            if (1..=TRIES_AFTER_START).contains(&self.life.tries_after_start) {
                tokio::time::sleep(TRY_AFTER_START * 2_u32.pow(self.life.tries_after_start - 1)).await;
                self.life.tries_after_start += 1;
                return true;
            }
        }
        if NOT_THERE.contains(&status) && self.is_run_over().await {
            if let Some(first) = self.first {
                first.is_gone();
            }
            self.life.is_over = true;
            return true;
        }
        false
    }

    async fn refused(&mut self, refusal: Refusal, mark: StartPoint) {
        let (calls, recorder, kept) = (&self.context.calls, &self.context.recorder, self.kept);
        if refusal.is_out_of_descriptors {
            calls.stop_without_descriptors(&refusal.answer);
        }
        if kept.workload.counts_in_error_rate() {
            recorder.add(Counter::RequestsThrottled, u64::from(refusal.is_throttled), mark);
            calls.request_failed(kept.workload, self.route(), &kept.name, &refusal.answer, mark);
        } else {
            let (source, answer) = (self.route().to_owned(), refusal.answer.clone());
            recorder.incident_since(Finding::SourceFailed { source, answer }, mark);
        }
        if let Some((_, attempt)) = self.life.lost {
            self.life.retry_after = refusal.retry_after;
            let (stream, answer) = (kept.name.clone(), refusal.answer);
            recorder.incident_since(Finding::ReconnectFailed { stream, attempt, answer }, mark);
        } else {
            // A first opening that fails is no reconnect, but the next attempt waits all the same.
            tokio::time::sleep(self.reconnect_delay(0, refusal.retry_after)).await;
        }
    }

    /// One to two seconds at first, as in the plan; doubled from the second attempt on, 30 s at most. A gateway's
    /// `retry:` (up to 30 s) or `Retry-After` (up to two minutes) is a minimum.
    fn reconnect_delay(&self, attempts: u32, asked: Option<Duration>) -> Duration {
        let streams = &self.context.schedule.plan.scenario.streams;
        let (low, high) = (streams.reconnect_delay_min, streams.reconnect_delay_max);
        let jittered = low + high.saturating_sub(low).mul_f64(rand::rng().random_range(0.0..=1.0));
        let backed_off = jittered.saturating_mul(2_u32.saturating_pow(attempts.min(6)));
        backed_off.min(RECONNECT_DELAY_MAX).max(asked.unwrap_or_default())
    }
}
