//! The samples of the gateway's processes, where they can be seen, and of our own.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{
    gateway_process::{GatewayProcess, ProcessLookup},
    own_sockets::OwnSockets,
    process::ProcessReader,
    process_tree::{MemoryMeasure, TreeView},
};
use crate::{
    clock,
    journal::{Finding, Gauge, process_source},
    session::{Context, StartPoint},
};

/// Watches both.
#[derive(Debug, Default)]
pub(super) struct ProcessWatch {
    processes: ProcessReader,
    gateway: Option<GatewayProcess>,
    own_processor: Processor,
    processor: Processor,
    /// The last entry in the journal about the reading of the gateway's processes.
    told: Option<(u32, MemoryMeasure, bool)>,
    sockets: OwnSockets,
    /// Open descriptors of S2 at the last look, if the system does not say which of them are connections.
    own_fds: Option<usize>,
    /// Whether the gateway's processes were seen at the last look, or are merely away. Else its metrics speak for them.
    pub(super) are_seen: bool,
}

impl ProcessWatch {
    /// Takes a sample of each. `is_collected`: the gateway has just collected its garbage.
    pub(super) fn look(&mut self, context: &Context, mark: StartPoint, is_collected: bool) {
        let own = std::process::id();
        self.own_fds = None;
        match self.processes.look(own) {
            Some(view) => {
                self.own_fds = view.open_fds.map(|open| open.saturating_sub(of_proxy(context)));
                let cpu_ms = BTreeMap::from([((own, view.started_s), view.cpu_ms)]);
                let cpu = self.own_processor.percent(clock::now(), cpu_ms);
                let gauges = [Gauge::HarnessRss, Gauge::HarnessFds, Gauge::HarnessCpu];
                sample(context, gauges, (view.rss_bytes, view.open_fds, cpu), mark);
            }
            None => not_there(context, own, mark),
        }
        self.sockets.begin(of_proxy(context));
        let gateway = self.gateway.get_or_insert_with(|| GatewayProcess::new(&context.access));
        let sight = gateway.look(&mut self.processes);
        self.are_seen = matches!(sight, ProcessLookup::Seen(_) | ProcessLookup::Away);
        match sight {
            ProcessLookup::Seen(view) => self.of_gateway(context, view, is_collected, mark),
            ProcessLookup::Gone(pid) => not_there(context, pid, mark),
            // The watchers of readiness and streams report it.
            ProcessLookup::Away | ProcessLookup::Unseen => {}
        }
    }

    fn of_gateway(&mut self, context: &Context, view: TreeView, is_collected: bool, mark: StartPoint) {
        // Workers that come and go are no other gateway.
        note_life(context, format!("pid {}, started {}", view.root, view.started_s), true);
        self.tell_how(context, &view);
        context.recorder.gauge(Gauge::GatewayProcesses, view.processes() as f64, mark);
        let cpu = self.processor.percent(clock::now(), view.cpu_ms);
        let gauges = [Gauge::GatewayRss, Gauge::GatewayFds, Gauge::GatewayCpu];
        sample(context, gauges, (view.rss_bytes, view.open_fds, cpu), mark);
        if is_collected {
            context.recorder.gauge(Gauge::GatewayRssCollected, view.rss_bytes as f64, mark);
        }
        if let (Some(open_fds), Some(connections)) = (view.open_fds, self.connections(context)) {
            context.recorder.gauge(Gauge::HarnessConnections, connections as f64, mark);
            context.recorder.gauge(Gauge::GatewayFdSurplus, open_fds as f64 - connections as f64, mark);
        }
    }

    /// Records how the gateway is read, if that has changed: a short-lived child is no change.
    fn tell_how(&mut self, context: &Context, view: &TreeView) {
        let (measure, counts) = match self.told {
            Some((root, measure, counts)) if root == view.root => {
                (measure.max(view.measure), counts && view.open_fds.is_some())
            }
            _ => (view.measure, view.open_fds.is_some()),
        };
        let now = Some((view.root, measure, counts));
        if self.told != now {
            self.told = now;
            let descriptors = if counts { "" } else { "; descriptors of one of its processes cannot be counted" };
            let (root, how) = (format!("pid {} ({})", view.root, view.name), format!("{measure}{descriptors}"));
            tracing::info!("the gateway's memory and descriptors are read from {root}: {how}");
            context.recorder.incident(Finding::ProcessesRead { root, how });
        }
    }

    /// Connections that S2 has held since the last look began.
    pub(super) fn connections(&self, context: &Context) -> Option<usize> {
        self.sockets.held(of_proxy(context)).or(self.own_fds)
    }
}

/// Processor time of processes at their last look.
#[derive(Debug, Default)]
struct Processor(Option<(Instant, CpuTimes)>);

/// Milliseconds by pid and start.
type CpuTimes = BTreeMap<(u32, u64), u64>;

impl Processor {
    /// Load since the last look, percent of one core. The time of a process that has ended since is unknown. A new
    /// process used all its time since, unless it is older than the last look.
    fn percent(&mut self, now: Instant, cpu_ms: CpuTimes) -> Option<f64> {
        let before = self.0.take();
        let percent = before.and_then(|(at, before)| {
            let elapsed_ms = now.saturating_duration_since(at).as_secs_f64() * 1_000.0;
            let is_same = cpu_ms.keys().any(|process| before.contains_key(process));
            let busy_ms = cpu_ms.iter().map(|(process, now_ms)| match before.get(process) {
                Some(before_ms) => now_ms.saturating_sub(*before_ms) as f64,
                None => (*now_ms as f64).min(elapsed_ms),
            });
            (is_same && elapsed_ms > 0.0).then(|| busy_ms.sum::<f64>() / elapsed_ms * 100.0)
        });
        self.0 = Some((now, cpu_ms));
        percent
    }
}

/// Memory, descriptors and processor time, as far as they are known.
fn sample(
    context: &Context,
    [rss, fds, cpu]: [Gauge; 3],
    (rss_bytes, open_fds, busy): (u64, Option<usize>, Option<f64>),
    mark: StartPoint,
) {
    context.recorder.gauge(rss, rss_bytes as f64, mark);
    if let Some(open_fds) = open_fds {
        context.recorder.gauge(fds, open_fds as f64, mark);
    }
    if let Some(busy) = busy {
        context.recorder.gauge(cpu, busy, mark);
    }
}

/// Sockets of the fault proxy, two for each connection: they are not of the gateway.
fn of_proxy(context: &Context) -> usize {
    let open = context.proxy.as_ref().map_or(0, |proxy| proxy.counters().open());
    usize::try_from(open).unwrap_or(usize::MAX).saturating_mul(2)
}

fn not_there(context: &Context, pid: u32, mark: StartPoint) {
    let answer = "there is no such process, or it cannot be looked at".to_owned();
    context.recorder.incident_since(Finding::SourceFailed { source: process_source(pid), answer }, mark);
}

/// Records the process instance of the gateway, before anything is measured of it.
pub(super) fn note_life(context: &Context, after: String, is_of_soak: bool) {
    if let Some(before) = context.recorder.gateway_life(&after) {
        context.recorder.incident(if is_of_soak {
            Finding::GatewayRestarted { before, after }
        } else {
            Finding::OtherProcess { before, after }
        });
    }
}

/// Maximum deviation of a repeated start time, seconds: it is computed from the machine's start, to the second.
const SAME_START_S: f64 = 1.0;
/// Maximum deviation of its fraction, if it has one.
const SAME_FRACTION_S: f64 = 0.02;
/// Starts that are remembered.
const STARTS_MAX: usize = 16;

/// Starts of the processes that answered so far, which distinguish them.
#[derive(Debug, Default)]
pub(super) struct Starts(Vec<f64>);

impl Starts {
    /// The start of a process as first reported. Without fractions, it cannot distinguish starts within a second.
    pub(super) fn known(&mut self, started_s: f64) -> f64 {
        let known = self.0.iter().position(|other| is_same_start(*other, started_s));
        let start = known.map_or(started_s, |at| self.0.remove(at));
        if self.0.len() == STARTS_MAX {
            self.0.remove(0);
        }
        self.0.push(start);
        start
    }
}

fn is_same_start(one_s: f64, other_s: f64) -> bool {
    let apart_s = (one_s - other_s).abs();
    let has_fraction = one_s.fract() != 0.0 || other_s.fract() != 0.0;
    apart_s <= SAME_START_S + SAME_FRACTION_S
        && if has_fraction { (apart_s - apart_s.round()).abs() <= SAME_FRACTION_S } else { apart_s <= SAME_START_S }
}

/// Whether a process began after the soak did, by a clock that is ahead of ours by `offset_us`.
pub(super) fn began_within(context: &Context, started_s: f64, offset_us: i64) -> bool {
    let now_s = clock::wall_now().as_microsecond().saturating_add(offset_us) as f64 / 1_000_000.0;
    now_s - started_s < clock::now().saturating_duration_since(context.schedule.clock.instant(0)).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        journal::{Reader, Record},
        session::tests::{config, context, findings, short},
    };

    #[tokio::test]
    async fn an_interval_is_of_one_life_and_who_began_before_the_soak_has_not_restarted() {
        let out = tempfile::tempdir().unwrap();
        let context = context(&config(out.path(), "http://127.83.0.11:9", &short(2)));
        for (life, is_of_soak, bytes) in
            [("one", false, 1.0), ("other", false, 2.0), ("one", false, 3.0), ("new", true, 4.0)]
        {
            note_life(&context, life.to_owned(), is_of_soak);
            context.recorder.gauge(Gauge::GatewayRss, bytes, context.recorder.mark());
        }
        let folder = config(out.path(), "http://127.83.0.11:9", &short(2)).folder;
        context.recorder.flush();
        let mut journal = Reader::open(&folder.journal()).unwrap();
        let mut seen = Vec::new();
        while let Some(record) = journal.next_record().unwrap() {
            if let Record::Interval(interval) = record {
                let rss = &interval.gauges[&Gauge::GatewayRss];
                seen.push((interval.gateway_life.clone(), rss.min, rss.max));
            }
        }
        let of = |life: &str, bytes: f64| (Some(life.to_owned()), bytes, bytes);
        assert_eq!(seen, [of("one", 1.0), of("other", 2.0), of("one", 3.0), of("new", 4.0)]);
        let other = |before: &str, after: &str| Finding::OtherProcess { before: before.into(), after: after.into() };
        let restarted = Finding::GatewayRestarted { before: "one".into(), after: "new".into() };
        assert_eq!(findings(&folder), [other("one", "other"), other("other", "one"), restarted]);
    }

    #[test]
    fn processor_time_is_of_all_processes_whoever_comes_and_goes() {
        let (begun, mut processor) = (clock::now(), Processor::default());
        let mut percent = |second: u64, cpu_ms: &[(u32, u64)]| {
            let cpu_ms = cpu_ms.iter().map(|(pid, ms)| ((*pid, 1), *ms)).collect();
            processor.percent(begun + std::time::Duration::from_secs(second), cpu_ms)
        };
        assert_eq!(None, percent(0, &[(1, 5_000)]));
        assert_eq!(Some(50.0), percent(10, &[(1, 10_000)]));
        assert_eq!(Some(30.0), percent(20, &[(1, 11_000), (2, 2_000)]), "a worker that has come");
        assert_eq!(Some(20.0), percent(30, &[(1, 13_000)]), "a worker that has gone");
        assert_eq!(Some(100.0), percent(40, &[(1, 13_000), (3, 3_600_000)]), "a worker that was there before");
        assert_eq!(None, percent(50, &[(4, 100)]), "another gateway");
    }

    #[test]
    fn a_start_that_is_told_a_second_later_is_the_same() {
        let mut starts = Starts::default();
        let told = [100.0, 101.0, 160.25, 99.0, 161.25, 160.75];
        assert_eq!([100.0, 100.0, 160.25, 100.0, 160.25, 160.75], told.map(|start| starts.known(start)));
        for n in 0..1_000 {
            starts.known(f64::from(n) * 10.0);
        }
        assert_eq!(STARTS_MAX, starts.0.len());
    }

    #[tokio::test]
    async fn what_began_after_the_soak_is_told_from_what_was_there_by_its_own_clock() {
        let out = tempfile::tempdir().unwrap();
        let context = context(&config(out.path(), "http://127.83.0.12:9", &short(2)));
        let now_s = clock::wall_now().as_microsecond() as f64 / 1_000_000.0;
        assert!(began_within(&context, now_s + 1.0, 0) && !began_within(&context, now_s - 60.0, 0));
        let hour_s = 3_600.0;
        assert!(began_within(&context, now_s + hour_s + 1.0, 3_600_000_000), "its clock is an hour ahead");
        assert!(!began_within(&context, now_s + hour_s - 60.0, 3_600_000_000));
    }
}
