//! Scrapes, every ten seconds of scenario: the gateway's metrics, both processes, the gateway's clock. Holds the safety
//! layer's stream open, whose events say how long judge and shield took where no histogram does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::future::BoxFuture;
use tokio::{
    sync::{Semaphore, mpsc},
    time::Instant,
};

use super::{
    clock_jump::jump,
    freshness::Freshness,
    place::Place,
    process_watch::{ProcessWatch, Starts, began_within, note_life},
    tally::Tallies,
};
use crate::{
    clock,
    gateway::{Answer, CallName, Exposition, Outcome, Unusable, heap::Heap, time_of},
    journal::{Counter, Finding, Gauge, Source, Timing, clip},
    plan::{Phase, Workload, millis},
    session::{Context, Fatal, Kept, Mark, Side, Worker},
};

/// Scrapes under way at once. At a high pace one may take longer than the time to the next.
const UNDER_WAY_MAX: usize = 32;

/// Scenario time between two requests to collect garbage: sixty in two hours. A full collection stops the gateway for some
/// milliseconds, for a second where its heap is large; so rarely that is no disturbance.
const COLLECT_EVERY_MS: u64 = 120_000;

/// Metrics without which a KPI has no source, and the gauge that each feeds.
const GAUGES: [(&str, Gauge); 2] =
    [("run_queue_depth", Gauge::GatewayQueueDepth), ("runs_concurrent_gauge", Gauge::GatewayRunsConcurrent)];

/// When the process that answers began: by it one is told from another.
const STARTED: &str = "process_start_time_seconds";
const RSS: &str = "process_resident_memory_bytes";

/// The scrapes.
#[derive(Debug)]
pub(super) struct Metrics {
    place: Place,
    scrapes: Side,
    room: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    processes: ProcessWatch,
    starts: Starts,
    collections: Collections,
    /// Histograms as they stood, by source.
    tallies: BTreeMap<Source, Tallies>,
    /// The latest scrape that was taken in: an earlier one that comes later is passed over.
    latest: Option<Instant>,
    /// Whether the metrics live.
    freshness: Freshness,
    /// Names that were missing from the scrape before, so that each is said once.
    missing: BTreeSet<&'static str>,
    /// Names of which nothing could be taken from the scrape before, likewise.
    unusable: BTreeSet<String>,
    /// Whether there was more in it than is looked at, likewise.
    was_cut: bool,
    guard_is_open: bool,
    /// The gateway's clock less ours when it was last read, microseconds.
    clock_offset_us: Option<i64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let state = State {
            processes: ProcessWatch::new(),
            starts: Starts::default(),
            collections: Collections::default(),
            tallies: BTreeMap::new(),
            latest: None,
            freshness: Freshness::default(),
            missing: BTreeSet::new(),
            unusable: BTreeSet::new(),
            was_cut: false,
            guard_is_open: false,
            clock_offset_us: None,
        };
        Self {
            place: Place::default(),
            scrapes: Side::default(),
            room: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
            state: Arc::new(Mutex::new(state)),
        }
    }
}

impl Worker for Metrics {
    fn name(&self) -> &'static str {
        Workload::Metrics.name()
    }

    fn beside(&self) -> Option<&Side> {
        Some(&self.scrapes)
    }

    fn play(&self, context: Context) -> BoxFuture<'_, Result<(), Fatal>> {
        Box::pin(async move {
            self.keep_guard_stream(&context);
            let every_ms = millis(context.plan.scenario.metrics_every).max(1);
            self.place.skip_to(context.first_tick(every_ms));
            loop {
                let due_ms = self.place.next() as u64 * every_ms;
                if due_ms >= context.plan.duration_ms || !context.until(due_ms).await {
                    break;
                }
                self.place.advance();
                let mark = context.recorder.cycle_started(Workload::Metrics, context.due(due_ms));
                self.scrape_aside(&context, mark, due_ms % COLLECT_EVERY_MS < every_ms);
            }
            let _ = context.until(context.plan.duration_ms).await;
            if !context.stop.is_requested() {
                // What the histograms gained since the last scrape belongs to the soak.
                scrape(&context, &self.state, context.recorder.mark(), false).await;
            }
            Ok(())
        })
    }
}

impl Metrics {
    fn scrape_aside(&self, context: &Context, mark: Mark, collects: bool) {
        // Without room nothing is scraped, and the cycle stays unfinished: the workload's trial says so.
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else { return };
        let (one, state) = (context.clone(), Arc::clone(&self.state));
        self.scrapes.play(context, Workload::Metrics, async move {
            scrape(&one, &state, mark, collects).await;
            one.recorder.cycle_finished(Workload::Metrics, mark);
            drop(room);
        });
    }

    /// Opens the safety layer's stream, once: a restarted worker finds it there.
    fn keep_guard_stream(&self, context: &Context) {
        if !context.client.has(CallName::GuardStream) || std::mem::replace(&mut lock(&self.state).guard_is_open, true) {
            return;
        }
        let one = context.clone();
        self.scrapes.play(context, Workload::Metrics, async move {
            let kept = Kept {
                name: "guard".into(),
                path: one.client.stream_path(CallName::GuardStream, None),
                call: CallName::GuardStream,
                workload: Workload::Metrics,
                client: None,
                run: None,
            };
            // The sender lives as long as the stream is kept: nobody gives it orders.
            let (_orders, mut ordered) = mpsc::channel(1);
            one.keep(&kept, &mut ordered, None, &mut |_, event| {
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

/// What was known when the metrics were asked for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    /// Runs that the gateway had accepted the start of.
    runs: u64,
    mark: Mark,
    /// Whether the gateway has just collected its garbage.
    is_collected: bool,
}

async fn scrape(context: &Context, state: &Arc<Mutex<State>>, mark: Mark, collects: bool) {
    let is_collected = collects && collect_garbage(context, mark).await;
    look_at_processes(context, state, mark, is_collected).await;
    #[expect(clippy::cast_precision_loss, reason = "streams are few")]
    context.recorder.gauge(Gauge::OpenStreams, context.kept_streams_open() as f64, mark);
    let asked = Asked { runs: context.board.runs_started(), mark, is_collected };
    let has_metrics = context.client.has(CallName::Metrics);
    let ask = async { if has_metrics { Some(context.client.metrics().await) } else { None } };
    let (metrics, ()) = tokio::join!(ask, read_clock(context, state, mark));
    if let Some(metrics) = metrics {
        take_in_metrics(context, state, metrics, asked);
    }
}

/// Asks the gateway to collect its garbage, where it has a call for that and nothing disturbs it: whether it did.
async fn collect_garbage(context: &Context, mark: Mark) -> bool {
    let Some(spec) = context.client.dialect().call(CallName::CollectGarbage) else { return false };
    if mark.phase != Phase::Steady {
        return false;
    }
    let answer = match context.client.collect_garbage().await {
        Ok(answer) if answer.is(&spec.yes) => return true,
        Ok(answer) => answer.to_string(),
        Err(trouble) => trouble.text,
    };
    context.recorder.incident_since(Finding::SourceFailed { source: spec.route.clone(), answer }, mark);
    false
}

/// To find a process, and to count the descriptors of one that has many, keeps a thread for a while: not one that measures.
async fn look_at_processes(context: &Context, state: &Arc<Mutex<State>>, mark: Mark, is_collected: bool) {
    let (one, state) = (context.clone(), Arc::clone(state));
    let looking = tokio::task::spawn_blocking(move || {
        lock(&state).processes.look(&one, mark, is_collected);
    });
    if let Err(error) = looking.await
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}

/// The gateway's clock less ours: what `/health` says, against the middle of the round trip (Cristian's algorithm).
async fn read_clock(context: &Context, state: &Mutex<State>, mark: Mark) {
    let Some(spec) = context.client.dialect().call(CallName::Health) else { return };
    let sent = clock::wall_now();
    let outcome = context.client.health().await;
    let received = clock::wall_now();
    let answer = match outcome {
        Ok(answer) if answer.is(&spec.yes) => {
            let json = answer.json();
            let time = json.as_ref().and_then(|json| spec.find("time", json)).and_then(time_of);
            if let Some(time) = time {
                let middle_us = sent.as_microsecond().midpoint(received.as_microsecond());
                let offset_us = time.as_microsecond() - middle_us;
                let round_trip_us = u64::try_from(received.as_microsecond() - sent.as_microsecond()).unwrap_or(0);
                let before_us = lock(state).clock_offset_us.replace(offset_us);
                if let Some(jump) = before_us.and_then(|before_us| jump(before_us, offset_us, round_trip_us)) {
                    let (source, answer) =
                        (spec.route.clone(), format!("{}, but its clock jumped {jump}", answer.status));
                    context.recorder.incident_since(Finding::SourceFailed { source, answer }, mark);
                }
                #[expect(clippy::cast_precision_loss, reason = "an offset of 2^52 microseconds is 142 years")]
                let ms = |us: i64| us as f64 / 1_000.0;
                if context.board.read_clock(offset_us, round_trip_us) {
                    context.recorder.gauge(Gauge::ClockOffset, ms(offset_us), mark);
                    let unset_ms = ms(offset_us) + context.clock.own_shift_ms();
                    context.recorder.gauge(Gauge::UnsetClockOffset, unset_ms, mark);
                }
                // Of whatever reading events are timed by from now on.
                for bound_us in context.board.clock_bounds_us().into_iter().flatten() {
                    context.recorder.gauge(Gauge::ClockBounds, ms(bound_us), mark);
                }
                return;
            }
            format!("{answer} (expected a `time`, RFC 3339)")
        }
        Ok(answer) => answer.to_string(),
        Err(trouble) => trouble.text,
    };
    context.recorder.incident_since(Finding::SourceFailed { source: spec.route.clone(), answer }, mark);
}

fn take_in_metrics(context: &Context, state: &Mutex<State>, outcome: Outcome, asked: Asked) {
    let mark = asked.mark;
    context.recorder.count(Counter::Scrapes, mark);
    let exposition = match outcome {
        Ok(answer) if context.client.is_yes(CallName::Metrics, &answer) => match read_metrics(context, &answer) {
            Some(exposition) => exposition,
            None => return scrape_failed(context, format!("{answer} (no metrics in it)"), mark),
        },
        Ok(answer) => return scrape_failed(context, answer.to_string(), mark),
        Err(trouble) => return scrape_failed(context, trouble.text, mark),
    };
    let mut state = lock(state);
    if state.latest.is_some_and(|latest| latest >= mark.at) {
        return context.recorder.count(Counter::ScrapesOk, mark);
    }
    state.latest = Some(mark.at);
    if let Some(stale) = state.freshness.stale(&exposition, asked.runs, mark.at) {
        return scrape_failed(context, format!("200, but {stale}"), mark);
    }
    context.recorder.count(Counter::ScrapesOk, mark);
    tell_unusable(context, &exposition, &mut state, mark);
    let mut missing = BTreeSet::new();
    // What it has counted since it began is of the soak where it began within it.
    let started_s = exposition.value(STARTED).map(|started_s| state.starts.known(started_s));
    let offset_us = context.board.clock_offset_us().unwrap_or(0);
    let is_of_soak = started_s.is_some_and(|started_s| began_within(context, started_s, offset_us));
    // What the process itself shows need not be asked of its metrics.
    let by_metrics = state.processes.by_metrics.then_some(state.processes.own_fds);
    if by_metrics.is_some() {
        match started_s {
            Some(started_s) => note_life(context, format!("started {started_s:.0}"), is_of_soak),
            None => {
                missing.insert(STARTED);
            }
        }
    }
    if let Some(heap) = exposition.heap {
        let ended = state.collections.have_ended(started_s, heap.collections) || asked.is_collected;
        take_in_heap(context, heap, ended, mark);
    }
    if let Some(bytes) = exposition.value(RSS).filter(|_| asked.is_collected && by_metrics.is_some()) {
        context.recorder.gauge(Gauge::GatewayRssCollected, bytes, mark);
    }
    take_in_gauges(context, &exposition, by_metrics, &mut missing, mark);
    for source in Source::ALL {
        match exposition.histograms.get(source.name()) {
            Some(buckets) => {
                let tallies = state.tallies.entry(*source).or_default();
                if let Some(gained) = tallies.take_in(started_s, is_of_soak, buckets) {
                    context.recorder.source(*source, &gained, mark);
                }
            }
            None => {
                missing.insert(source.name());
            }
        }
    }
    missing.retain(|name| !context.client.dialect().metrics.absent.contains_key(*name));
    for name in missing.difference(&state.missing) {
        context.recorder.incident_since(Finding::MetricMissing { name: (*name).to_owned() }, mark);
    }
    state.missing = missing;
    drop(state);
    context.board.set_exposition(exposition);
}

/// What cannot be used is said once, while it stays so. A KPI that lives on one of these names lacks it. A series that
/// comes twice is wrong whatever it is of; a number that is none may be right where nobody asks for it.
fn tell_unusable(context: &Context, exposition: &Exposition, state: &mut State, mark: Mark) {
    let told = std::mem::replace(&mut state.unusable, exposition.unusable.keys().cloned().collect());
    let is_news = |name: &str, why: &Unusable| !told.contains(name) && (*why == Unusable::Twice || is_asked_for(name));
    for (name, why) in exposition.unusable.iter().filter(|(name, why)| is_news(name, why)) {
        scrape_failed(context, format!("200, but {} {why}: nothing of it is taken", clip(name)), mark);
    }
    if exposition.is_cut && !state.was_cut {
        let series = Exposition::SERIES_MAX;
        scrape_failed(context, format!("200, but with over {series} series: the others are not looked at"), mark);
    }
    state.was_cut = exposition.is_cut;
}

/// Whether a KPI lives on a name.
fn is_asked_for(name: &str) -> bool {
    let processes = ["process_resident_memory_bytes", "process_open_fds", STARTED];
    GAUGES.iter().any(|(gauge, _)| *gauge == name)
        || Source::ALL.iter().any(|source| source.name() == name)
        || name == "sse_active_connections"
        || processes.contains(&name)
}

/// `is_collected`: a full collection ended since the scrape before, so what is in use is needed.
fn take_in_heap(context: &Context, heap: Heap, is_collected: bool, mark: Mark) {
    let live = heap.live.or(heap.used.filter(|_| is_collected));
    for (gauge, bytes) in [
        (Gauge::GatewayHeapUsed, heap.used),
        (Gauge::GatewayHeapCommitted, heap.committed),
        (Gauge::GatewayHeapLive, live),
    ] {
        if let Some(bytes) = bytes {
            context.recorder.gauge(gauge, bytes, mark);
        }
    }
}

/// Full collections as they were last counted, by the start of the process that counted them.
#[derive(Debug, Default)]
struct Collections(Vec<(Option<f64>, f64)>);

impl Collections {
    /// Processes that are remembered, the latest first.
    const PROCESSES_MAX: usize = 16;

    /// Whether one ended since this process was asked last.
    fn have_ended(&mut self, started_s: Option<f64>, count: Option<f64>) -> bool {
        let Some(count) = count else { return false };
        let known = self.0.iter().position(|(start, _)| *start == started_s);
        let before = known.map(|at| self.0.remove(at).1);
        self.0.insert(0, (started_s, count));
        self.0.truncate(Self::PROCESSES_MAX);
        before.is_some_and(|before| count > before)
    }
}

fn take_in_gauges(
    context: &Context,
    exposition: &Exposition,
    by_metrics: Option<Option<f64>>,
    missing: &mut BTreeSet<&'static str>,
    mark: Mark,
) {
    let mut sample = |name: &'static str, gauge: Gauge, less: f64| match exposition.value(name) {
        Some(value) => context.recorder.gauge(gauge, value - less, mark),
        None => {
            missing.insert(name);
        }
    };
    for (name, gauge) in GAUGES {
        sample(name, gauge, 0.0);
    }
    #[expect(clippy::cast_precision_loss, reason = "streams are few")]
    let ours = context.board.all_streams_open() as f64;
    sample("sse_active_connections", Gauge::GatewaySse, 0.0);
    sample("sse_active_connections", Gauge::GatewaySseSurplus, ours);
    if let Some(own_fds) = by_metrics {
        sample("process_resident_memory_bytes", Gauge::GatewayRss, 0.0);
        sample("process_open_fds", Gauge::GatewayFds, 0.0);
        if let Some(own_fds) = own_fds {
            sample("process_open_fds", Gauge::GatewayFdSurplus, own_fds);
        }
    }
}

/// The metrics under the contract's names, however the gateway calls and writes them.
fn read_metrics(context: &Context, answer: &Answer) -> Option<Exposition> {
    let names = &context.client.dialect().metrics;
    let exposition =
        if names.is_json { Exposition::read_json(&answer.json()?, names) } else { Exposition::read(&answer.text()) };
    exposition.map(|exposition| exposition.under(names))
}

fn scrape_failed(context: &Context, answer: String, mark: Mark) {
    let source = context.client.dialect().route(CallName::Metrics).to_owned();
    let finding = Finding::SourceFailed { source, answer: clip(&answer) };
    context.recorder.incident_since(finding, mark);
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
