//! Scrapes, every ten seconds of scenario: the gateway's metrics, both processes, the gateway's clock. Holds the safety
//! layer's stream open, whose events say how long judge and shield took where no histogram does.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::{
    clock_jump::jump,
    place::CycleCursor,
    process_watch::ProcessWatch,
    scrape::{Intake, ScrapeContext},
};
use crate::{
    catalog::{CallName, Phase, Workload},
    clock,
    gateway::time_of,
    journal::{Finding, Gauge, Timing},
    plan::millis,
    session::{ClockReading, Context, Fatal, StartPoint, StreamSpec, TaskGroup, Worker, keep},
};

/// Scrapes under way at once. At a high pace one may take longer than the time to the next.
const UNDER_WAY_MAX: usize = 32;

/// Scenario time between two requests to collect garbage: sixty in two hours. A full collection stops the gateway for
/// some milliseconds, or for a second if its heap is large; at this rate that is no disturbance.
const COLLECT_EVERY_MS: u64 = 120_000;

/// The scrapes.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    place: CycleCursor,
    scrapes: TaskGroup,
    /// Held by each scrape under way.
    under_way: Arc<()>,
    state: Arc<Mutex<MetricsState>>,
}

#[derive(Debug, Default)]
struct MetricsState {
    processes: ProcessWatch,
    intake: Intake,
    guard_is_open: bool,
    /// The gateway's clock less ours when it was last read, microseconds.
    clock_offset_us: Option<i64>,
}

impl Worker for Metrics {
    fn name(&self) -> &'static str {
        Workload::Metrics.name()
    }

    fn background_tasks(&self) -> Option<&TaskGroup> {
        Some(&self.scrapes)
    }

    fn play(&self, context: Context) -> BoxFuture<'_, Result<(), Fatal>> {
        Box::pin(async move {
            self.keep_guard_stream(&context);
            let every_ms = millis(context.schedule.plan.scenario.metrics_every).max(1);
            self.place.skip_to(context.schedule.first_tick(every_ms));
            while let due_ms = self.place.next() as u64 * every_ms
                && due_ms < context.schedule.plan.duration_ms
                && let Some(mark) = self.place.begin(&context, Workload::Metrics, due_ms).await
            {
                self.scrape_aside(&context, mark, due_ms % COLLECT_EVERY_MS < every_ms);
            }
            let _ = context.schedule.until(context.schedule.plan.duration_ms).await;
            if !context.schedule.stop.is_requested() {
                // The gains of the histograms since the last scrape belong to the soak.
                scrape(&context, &self.state, context.recorder.mark(), false).await;
            }
            self.state.lock().intake.finish(&context);
            Ok(())
        })
    }
}

impl Metrics {
    fn scrape_aside(&self, context: &Context, mark: StartPoint, collects: bool) {
        let (one, state, under_way) = (context.clone(), Arc::clone(&self.state), Arc::clone(&self.under_way));
        // With too many under way nothing is scraped, and the cycle stays unfinished: the workload's trial says so.
        if Arc::strong_count(&under_way) > UNDER_WAY_MAX + 1 {
            return;
        }
        self.scrapes.play(context, Workload::Metrics, async move {
            scrape(&one, &state, mark, collects).await;
            one.recorder.cycle_finished(Workload::Metrics, mark);
            drop(under_way);
        });
    }

    /// Opens the safety layer's stream, once: a restarted worker finds it there.
    fn keep_guard_stream(&self, context: &Context) {
        let has_stream = context.calls.client.has(CallName::GuardStream);
        if !has_stream || std::mem::replace(&mut self.state.lock().guard_is_open, true) {
            return;
        }
        let one = context.clone();
        self.scrapes.play(context, Workload::Metrics, async move {
            let kept = StreamSpec {
                name: "guard".into(),
                path: one.calls.client.stream_path(CallName::GuardStream, None),
                call: CallName::GuardStream,
                workload: Workload::Metrics,
                client: None,
                as_a_browser: false,
                run: None,
            };
            // The sender lives as long as the stream is kept, and sends no orders.
            let (_orders, mut ordered) = mpsc::channel(1);
            keep(&one, &kept, &mut ordered, None, &mut |_, event| {
                let timing = match event.kind.as_str() {
                    "judge.verdict" => Timing::JudgeEvent,
                    "shield.decision" => Timing::ShieldEvent,
                    _ => return true,
                };
                if let Some(duration_ms) = event.duration_ms {
                    let took = std::time::Duration::from_secs_f64((duration_ms / 1_000.0).min(3_600.0));
                    one.recorder.time_of(timing, took, one.recorder.mark(), &event.run_id);
                }
                true
            })
            .await;
        });
    }
}

async fn scrape(context: &Context, state: &Arc<Mutex<MetricsState>>, mark: StartPoint, collects: bool) {
    let is_collected = collects && collect_garbage(context, mark).await;
    look_at_processes(context, state, mark, is_collected).await;
    context.recorder.gauge(Gauge::OpenStreams, context.kept_streams_open() as f64, mark);
    let runs = context.shared_runs.runs_started();
    let ask = async {
        if !context.calls.client.has(CallName::Metrics) {
            return None;
        }
        let outcome = context.calls.client.metrics().await;
        Some((outcome, count_connections(context, state).await))
    };
    let (metrics, ()) = tokio::join!(ask, read_clock(context, state, mark));
    if let Some((outcome, connections)) = metrics {
        let mut state = state.lock();
        // Processes that can be seen need no metrics for that.
        let by_metrics = (!state.processes.are_seen).then_some(connections);
        state.intake.take_in(context, outcome, ScrapeContext { runs, by_metrics, mark, is_collected });
    }
}

/// Connections of S2 during the request for the metrics, if the metrics speak for the gateway's processes.
async fn count_connections(context: &Context, state: &Arc<Mutex<MetricsState>>) -> Option<usize> {
    if state.lock().processes.are_seen {
        return None;
    }
    let (one, state) = (context.clone(), Arc::clone(state));
    // Ten thousand take a while.
    tokio::task::spawn_blocking(move || state.lock().processes.connections(&one)).await.ok().flatten()
}

/// Asks the gateway to collect its garbage, if it has a call for that and nothing disturbs it; whether it did.
async fn collect_garbage(context: &Context, mark: StartPoint) -> bool {
    let Some(spec) = context.calls.client.dialect().call(CallName::CollectGarbage) else { return false };
    if mark.phase != Phase::Steady {
        return false;
    }
    let answer = match context.calls.client.collect_garbage().await {
        Ok(answer) if answer.is(&spec.yes) => return true,
        Ok(answer) => answer.to_string(),
        Err(trouble) => trouble.text,
    };
    context.recorder.incident_since(Finding::SourceFailed { source: spec.route.clone(), answer }, mark);
    false
}

/// Looks at the processes, which may keep a thread for a while: not one that measures.
async fn look_at_processes(context: &Context, state: &Arc<Mutex<MetricsState>>, mark: StartPoint, is_collected: bool) {
    let (one, state) = (context.clone(), Arc::clone(state));
    let looking = tokio::task::spawn_blocking(move || state.lock().processes.look(&one, mark, is_collected));
    if let Err(error) = looking.await
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}

/// The gateway's clock less ours: what `/health` says, against the middle of the round trip (Cristian's algorithm).
async fn read_clock(context: &Context, state: &Mutex<MetricsState>, mark: StartPoint) {
    let Some(spec) = context.calls.client.dialect().call(CallName::Health) else { return };
    let failed = |answer: String| {
        context.recorder.incident_since(Finding::SourceFailed { source: spec.route.clone(), answer }, mark);
    };
    let sent = clock::wall_now();
    let outcome = context.calls.client.health().await;
    let received = clock::wall_now();
    let answer = match outcome {
        Ok(answer) if answer.is(&spec.yes) => answer,
        Ok(answer) => return failed(answer.to_string()),
        Err(trouble) => return failed(trouble.text),
    };
    let Some(time) = answer.json().as_ref().and_then(|json| spec.find("time", json)).and_then(time_of) else {
        return failed(format!("{answer} (expected a `time`, RFC 3339)"));
    };
    let clock = &context.gateway_clock;
    let ClockReading { offset_us, unsure_us, step_us, is_sound } = clock.read(time, sent, received);
    let before_us = state.lock().clock_offset_us.replace(offset_us);
    if let Some(jump) = before_us.and_then(|before_us| jump(before_us, offset_us, unsure_us)) {
        failed(format!("{}, but its clock jumped {jump}", answer.status));
    }
    let ms = |us: i64| us as f64 / 1_000.0;
    context.recorder.gauge(Gauge::ClockStep, step_us as f64 / 1_000.0, mark);
    if is_sound {
        context.recorder.gauge(Gauge::ClockOffset, ms(offset_us), mark);
        let unset_ms = ms(offset_us) + context.schedule.clock.own_shift_ms();
        context.recorder.gauge(Gauge::UnsetClockOffset, unset_ms, mark);
    }
    // Bounds of the reading by which events are timed from now on.
    for bound_us in clock.bounds_us().into_iter().flatten() {
        context.recorder.gauge(Gauge::ClockBounds, ms(bound_us), mark);
    }
}
