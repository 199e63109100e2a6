//! Sums up measurements, and writes them to the journal: intervals as they end, incidents as they happen.

mod timings;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use tokio::time::Instant;

use super::{Stalls, Stop, reserve::DiskReserve};
use crate::{
    catalog::{Phase, Workload},
    clock::Clock,
    gateway::Token,
    history::History,
    journal::{
        Buckets, Counter, EndReason, Finding, Gauge, GaugeSummary, Incident, Interval, OTHER_TYPES, Record, Source,
        Timing, WriteError, Writer,
    },
};

/// Incidents of each kind that an interval keeps; the rest is counted.
const INCIDENTS_OF_A_KIND_MAX: u32 = 8;
/// The worst samples of each timing that an interval names.
const EXEMPLARS_MAX: usize = 3;
/// Types of events that the dialect does not use for runs, and that an interval names.
const OTHER_TYPES_MAX: usize = 16;

/// The start of a measurement, which belongs to the chaos window in which it started, if any.
#[derive(Debug, Clone, Copy)]
pub struct StartPoint {
    /// The time.
    pub at: Instant,
    /// The phase.
    pub phase: Phase,
}

/// Takes in measurements. Clones write to the same journal.
#[derive(Debug, Clone)]
pub struct Recorder {
    /// The scenario's clock.
    pub(super) clock: Clock,
    stop: Stop,
    /// The absences of S2.
    pub stalls: Stalls,
    /// The index of the current phase in [`Phase::ALL`]. Set under the lock of `state`, and read without it.
    phase: Arc<AtomicUsize>,
    /// The token, which is kept out of all records.
    token: Option<Token>,
    /// A worker that panics while it holds the lock leaves sums that are at worst one short.
    state: Arc<Mutex<RecorderState>>,
}

#[derive(Debug)]
struct RecorderState {
    writer: Writer,
    reserve: DiskReserve,
    history: History,
    /// When the last window closed, if there was one.
    calm_since: Option<Instant>,
    from_ms: u64,
    session_life: u32,
    gateway_life: Option<String>,
    intervals: BTreeMap<Phase, Interval>,
    incidents: BTreeMap<&'static str, u32>,
    /// Events that streams delivered since [`Recorder::read_late`] was called.
    events_since_look: u64,
    /// The end was written: a later record, from a task that does not know that, is dropped.
    is_over: bool,
}

impl Recorder {
    /// A recorder into an open journal. `history` takes in every record as it is written. In a later life of the
    /// session it has the earlier measurements, and the recorder goes on from now. The token is taken out of every
    /// text: a gateway may repeat it.
    pub(super) fn new(
        clock: Clock,
        stop: Stop,
        token: Option<Token>,
        (writer, reserve): (Writer, DiskReserve),
        history: History,
    ) -> Self {
        let session_life = history.timeline.hole_count;
        let state = RecorderState {
            writer,
            reserve,
            calm_since: None,
            from_ms: if session_life > 0 { clock.now_ms() } else { 0 },
            session_life,
            gateway_life: history.timeline.gateway_life.clone(),
            history,
            intervals: BTreeMap::new(),
            incidents: BTreeMap::new(),
            events_since_look: 0,
            is_over: false,
        };
        let state = Arc::new(Mutex::new(state));
        Self { clock, stop, stalls: Stalls::default(), phase: Arc::default(), token, state }
    }

    /// Returns the time between two moments, less the time in which the harness stood still.
    pub fn between(&self, from: Instant, to: Instant) -> Duration {
        to.saturating_duration_since(from).saturating_sub(self.stalls.within(from, to))
    }

    /// The phase now.
    pub fn phase(&self) -> Phase {
        Phase::ALL[self.phase.load(Ordering::Acquire)]
    }

    /// Opens a window, or closes it with [`Phase::Steady`].
    pub fn set_phase(&self, phase: Phase) {
        let mut state = self.state.lock();
        self.phase.store(phase as usize, Ordering::Release);
        state.calm_since = Some(crate::clock::now());
    }

    /// Whether no window has been open since a moment.
    pub fn is_calm_since(&self, at: Instant) -> bool {
        let state = self.state.lock();
        self.phase() == Phase::Steady && state.calm_since.is_none_or(|since| since <= at)
    }

    /// Whether no chaos window and no stall of the harness lies between a mark and now.
    pub fn was_calm_since(&self, mark: StartPoint) -> bool {
        self.stalls.within(mark.at, crate::clock::now()).is_zero() && self.is_calm_since(mark.at)
    }

    /// A beginning, now.
    pub fn mark(&self) -> StartPoint {
        self.mark_at(crate::clock::now())
    }

    /// A beginning at a moment, in the phase of now.
    pub fn mark_at(&self, at: Instant) -> StartPoint {
        StartPoint { at, phase: self.phase() }
    }

    /// A beginning, now, on the account of the window in which something began before, if anything did.
    pub(super) fn mark_since(&self, since: Option<StartPoint>) -> StartPoint {
        let now = self.mark();
        StartPoint { at: now.at, ..since.unwrap_or(now) }
    }

    /// Counts one.
    pub fn count(&self, counter: Counter, since: StartPoint) {
        self.add(counter, 1, since);
    }

    /// Counts several.
    pub fn add(&self, counter: Counter, n: u64, since: StartPoint) {
        if n > 0 {
            *self.interval(since).counters.entry(counter).or_default() += n;
        }
    }

    /// Counts an event that is of no type that the dialect uses for runs.
    pub fn other_event(&self, kind: &str, since: StartPoint) {
        let kind = &*self.hide(kind);
        let kinds = &mut self.interval(since).other_events;
        let has_room = kinds.len() < OTHER_TYPES_MAX || kinds.contains_key(kind);
        let kind = if has_room { kind } else { OTHER_TYPES };
        *kinds.entry(kind.to_owned()).or_default() += 1;
    }

    /// Takes a sample of a gauge. What is not a finite number is no sample.
    pub fn gauge(&self, gauge: Gauge, value: f64, since: StartPoint) {
        if value.is_finite() {
            let gauges = &mut self.interval(since).gauges;
            gauges.entry(gauge).and_modify(|summary| summary.add(value)).or_insert_with(|| GaugeSummary::of(value));
        }
    }

    /// Takes in what one of the gateway's histograms gained.
    pub fn source(&self, source: Source, gained: &Buckets, since: StartPoint) {
        let sources = &mut self.interval(since).sources;
        let kept = sources.entry(source).or_default();
        if kept.bounds_seconds == gained.bounds_seconds {
            for (sum, n) in kept.counts.iter_mut().zip(&gained.counts) {
                *sum += n;
            }
        } else if kept.total() < gained.total() {
            // Bounds that changed within an interval: a new build of the gateway. What says more is kept.
            *kept = gained.clone();
        }
    }

    /// A cycle of a workload begins; it was due at `due`.
    pub fn cycle_started(&self, workload: Workload, due: Instant) -> StartPoint {
        let now = crate::clock::now();
        let mark = self.mark_at(now);
        if !matches!(workload, Workload::Availability | Workload::Metrics) {
            self.time_of(Timing::StartLateness, now.saturating_duration_since(due), mark, workload.name());
        }
        self.interval(mark).cycles.entry(workload).or_default().started += 1;
        mark
    }

    /// A cycle was played to its end.
    pub fn cycle_finished(&self, workload: Workload, since: StartPoint) {
        self.interval(since).cycles.entry(workload).or_default().finished += 1;
    }

    /// The gateway's process is this one from now on. Gives the one before, if it was another.
    pub fn gateway_life(&self, life: &str) -> Option<String> {
        let mut state = self.state.lock();
        if state.gateway_life.as_deref() == Some(life) {
            return None;
        }
        if state.gateway_life.is_some() {
            // An interval is of one life.
            self.end_interval(&mut state);
        }
        state.gateway_life.replace(life.to_owned())
    }

    /// Records that something happened now, in the phase of now.
    pub(crate) fn incident(&self, finding: Finding) {
        self.incident_since(finding, self.mark());
    }

    /// Records that something happened now which began at a mark.
    pub(crate) fn incident_since(&self, finding: Finding, since: StartPoint) {
        let at_ms = self.clock.now_ms();
        let finding = finding.recordable(|text| self.token.as_ref()?.redact(text));
        let mut state = self.state.lock();
        let phase = self.phase_of(since);
        let kind = finding.kind();
        let seen = state.incidents.entry(kind).or_default();
        *seen += 1;
        if *seen > INCIDENTS_OF_A_KIND_MAX && !finding.is_always_kept() {
            *state.interval(phase).counters.entry(Counter::IncidentsDropped).or_default() += 1;
            return;
        }
        self.append(&mut state, Record::Incident(Incident { at_ms, phase, finding }));
    }

    /// Ends the interval, writes it, and begins the next.
    pub fn flush(&self) {
        let mut state = self.state.lock();
        state.incidents.clear();
        self.end_interval(&mut state);
    }

    fn end_interval(&self, state: &mut RecorderState) {
        let to_ms = self.clock.now_ms();
        for interval in state.open_intervals(to_ms) {
            self.append(state, Record::Interval(Box::new(interval)));
        }
        state.intervals.clear();
        state.from_ms = to_ms;
    }

    /// Returns the measurements since the end of the last interval, as intervals that end now.
    pub fn unwritten(&self) -> Vec<Interval> {
        let to_ms = self.clock.now_ms();
        self.state.lock().open_intervals(to_ms)
    }

    /// Writes a record that is neither: the header, the end.
    pub fn write(&self, record: Record) {
        self.append(&mut self.state.lock(), record);
    }

    /// Gives up the room that is kept for the last records: they follow.
    pub(super) fn release_reserve(&self) {
        self.state.lock().reserve.give_up();
    }

    /// Flushes the journal to the disk.
    pub fn sync(&self) -> Result<(), WriteError> {
        self.state.lock().writer.sync()
    }

    /// Reads the history of all records so far.
    pub fn with_history<T>(&self, look: impl FnOnce(&History) -> T) -> T {
        look(&self.state.lock().history)
    }

    fn append(&self, state: &mut RecorderState, record: Record) {
        if state.is_over {
            return;
        }
        state.is_over = matches!(record, Record::End(_));
        if let Err(error) = state.writer.append(&record) {
            // No later measurement would be kept, so the session stops. The record in hand is written if there is room.
            let has_room = matches!(&error, WriteError::Append(_, source) if state.reserve.give_up_for(source));
            let is_written = has_room && state.writer.append(&record).is_ok();
            let lost = if is_written { "" } else { "; the record in hand is lost" };
            self.stop.request(EndReason::Fatal, format!("{error}{lost}"));
        }
        state.history.absorb(&record);
    }

    /// The interval of a measurement that started at a mark.
    fn interval(&self, since: StartPoint) -> MappedMutexGuard<'_, Interval> {
        MutexGuard::map(self.state.lock(), |state| state.interval(self.phase_of(since)))
    }

    /// The phase of a measurement that started at a mark: its chaos window, else the current phase.
    fn phase_of(&self, since: StartPoint) -> Phase {
        if since.phase == Phase::Steady { self.phase() } else { since.phase }
    }

    fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.token.as_ref().and_then(|token| token.redact(text)).map_or(Cow::Borrowed(text), Cow::Owned)
    }
}

impl RecorderState {
    fn interval(&mut self, phase: Phase) -> &mut Interval {
        let (from_ms, session_life) = (self.from_ms, self.session_life);
        let begin = || Interval { session_life, ..Interval::empty(from_ms, from_ms, phase) };
        self.intervals.entry(phase).or_insert_with(begin)
    }

    fn open_intervals(&self, to_ms: u64) -> Vec<Interval> {
        let gateway_life = &self.gateway_life;
        let closed = |interval: &Interval| Interval { to_ms, gateway_life: gateway_life.clone(), ..interval.clone() };
        self.intervals.values().map(closed).collect()
    }
}
