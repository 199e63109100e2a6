//! Opens a stream that is kept, and opens it again.

use std::{pin::pin, time::Duration};

use rand::RngExt;

use super::Keeper;
use crate::{
    clock,
    gateway::{Connection, NOT_THERE, Refusal, TOO_EARLY},
    journal::{Counter, Finding, Timing},
    session::StartPoint,
};

/// No attempt waits longer for its turn.
pub(super) const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(30);
/// The least that a gateway's `retry:` is taken for.
pub(super) const RETRY_MIN: Duration = Duration::from_secs(1);
/// A stream that was refused before the start of its run is tried so often after it before that is an error, with this
/// delay at first and twice as long each time.
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
            && !self.context.shared_streams.earliness().is_of_use()
        {
            first.until_run_is_under_way().await;
        }
        self.context.calls.gate.pass().await;
        self.life.rest = None;
        // What is lost in a window comes back on that window's account, however late.
        let mark = self
            .life
            .lost
            .map_or_else(|| self.context.recorder.mark(), |(lost, _)| StartPoint { at: clock::now(), ..lost });
        let streams = &self.context.calls.streams;
        let streams = if self.kept.as_a_browser { streams.as_a_browser() } else { streams.clone() };
        // The stream of a run may leave out whose events it shows.
        let streams = match self.kept.run {
            Some(_) => streams,
            None => streams.with_known_events(self.context.shared_streams.known_events()),
        };
        let workspace = self.context.calls.client.workspace();
        let last_id = self.life.last_id.get();
        let opening = pin!(streams.open(self.kept.call, &self.kept.path, workspace, last_id.as_deref()));
        let opened = match self.kept.run {
            Some(_) => opening.await,
            None => self.context.shared_streams.opening_pace.open(opening).await,
        };
        if let Err(refusal) = &opened
            && self.is_no_error(refusal).await
        {
            return None;
        }
        if self.kept.workload.counts_in_error_rate() {
            self.context.recorder.count(Counter::Requests, mark);
        }
        if self.life.lost.is_some() {
            self.context.recorder.count(Counter::ReconnectAttempts, mark);
        }
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
        if let Some(first) = self.first {
            first.has_opened();
        }
        if std::mem::take(&mut self.life.tries_after_start) > 0 {
            self.context.shared_streams.earliness().opened_only_after_start();
        }
        self.context.recorder.count(Counter::StreamsOpened, mark);
        if let Some((lost, _)) = self.life.lost.take() {
            self.context.recorder.count(Counter::ReconnectsOk, mark);
            self.context.recorder.time(Timing::StreamAway, lost, &self.kept.name);
        }
        if let Some(client) = self.kept.client {
            // One that has seen events is owed what came since, whether or not the gateway gave it an id.
            let has_asked =
                self.life.has_seen_events && !self.context.calls.client.dialect().events.ids_are_the_connections;
            self.context.deliveries.stream_opened(client, has_asked);
        }
        if let Some(back) = self.life.back.take() {
            // Whoever waited may have stopped waiting.
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
        self.life.retry_after = refusal.retry_after;
        if refusal.is_out_of_descriptors {
            self.context.calls.stop_without_descriptors(&refusal.answer);
        }
        let counts = self.kept.workload.counts_in_error_rate();
        if counts {
            self.context.recorder.add(Counter::RequestsThrottled, u64::from(refusal.is_throttled), mark);
            self.context.calls.request_failed(self.kept.workload, self.route(), &self.kept.name, &refusal.answer, mark);
        }
        let attempt = self.life.lost.map_or(0, |(_, attempts)| attempts);
        if !counts {
            let (source, answer) = (self.route().to_owned(), refusal.answer.clone());
            self.context.recorder.incident_since(Finding::SourceFailed { source, answer }, mark);
        }
        if attempt > 0 {
            let finding = Finding::ReconnectFailed { stream: self.kept.name.clone(), attempt, answer: refusal.answer };
            self.context.recorder.incident_since(finding, mark);
        }
        if self.life.lost.is_none() {
            // A first opening that fails is no reconnect, but the next attempt waits all the same.
            let asked = self.life.retry_after.take();
            tokio::time::sleep(self.reconnect_delay(0, asked)).await;
        }
    }

    /// One to two seconds at first, as the plan says; doubled from the second attempt on, 30 s at most. What a gateway asks
    /// for, by `retry:` (up to 30 s) or `Retry-After` (up to two minutes), is a floor.
    fn reconnect_delay(&self, attempts: u32, asked: Option<Duration>) -> Duration {
        let streams = &self.context.schedule.plan.scenario.streams;
        let (low, high) = (streams.reconnect_delay_min, streams.reconnect_delay_max);
        let jittered = low + high.saturating_sub(low).mul_f64(rand::rng().random_range(0.0..=1.0));
        let backed_off = jittered.saturating_mul(2_u32.saturating_pow(attempts.min(6)));
        backed_off.min(RECONNECT_DELAY_MAX).max(asked.unwrap_or_default())
    }
}
