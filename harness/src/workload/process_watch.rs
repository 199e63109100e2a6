//! The samples of both processes: the gateway's, where it can be seen, and our own.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{
    gateway_process::{GatewayProcess, Sight},
    process::{ProcessView, Processes},
};
use crate::{
    clock,
    journal::{Finding, Gauge},
    session::{Context, Mark},
};

/// Watches both.
#[derive(Debug)]
pub(super) struct ProcessWatch {
    processes: Processes,
    gateway: Option<GatewayProcess>,
    /// Processor time of a process at its last look.
    processor: BTreeMap<u32, (Instant, u64)>,
    /// Our own open descriptors at the last look.
    pub(super) own_fds: Option<f64>,
    /// Whether the gateway's metrics speak for its process: it was not seen at the last look, and is not merely away.
    pub(super) by_metrics: bool,
}

impl ProcessWatch {
    /// Nothing is looked at yet.
    pub(super) fn new() -> Self {
        let (processes, processor) = (Processes::new(), BTreeMap::new());
        Self { processes, gateway: None, processor, own_fds: None, by_metrics: true }
    }

    /// Takes a sample of each.
    pub(super) fn look(&mut self, context: &Context, mark: Mark) {
        let own = std::process::id();
        self.own_fds = None;
        match self.processes.look(own) {
            Some(view) => {
                // The fault proxy has two for each connection, which are no concern of the gateway's.
                let of_proxy = context.proxy.as_ref().map_or(0, |proxy| 2 * proxy.counters().open);
                #[expect(clippy::cast_precision_loss, reason = "no proxy has 2^52 connections")]
                let of_proxy = of_proxy as f64;
                self.own_fds = view.open_fds.map(|open| descriptors(open) - of_proxy);
                let gauges = [Gauge::HarnessRss, Gauge::HarnessFds, Gauge::HarnessCpu];
                self.sample(context, own, &view, gauges, mark);
            }
            None => not_there(context, own, mark),
        }
        let gateway = self.gateway.get_or_insert_with(|| GatewayProcess::new(&context.access));
        let sight = gateway.look(&mut self.processes);
        self.by_metrics = matches!(sight, Sight::Unseen | Sight::Gone(_));
        match sight {
            Sight::Seen(pid, view) => {
                self.processor.retain(|of, _| *of == own || *of == pid);
                // Who is watched is watched until it is gone.
                note_life(context, format!("pid {pid}, started {}", view.started_s), true);
                self.sample(context, pid, &view, [Gauge::GatewayRss, Gauge::GatewayFds, Gauge::GatewayCpu], mark);
                if let (Some(open_fds), Some(own_fds)) = (view.open_fds.map(descriptors), self.own_fds) {
                    context.recorder.gauge(Gauge::GatewayFdSurplus, open_fds - own_fds, mark);
                }
            }
            Sight::Gone(pid) => not_there(context, pid, mark),
            // Whoever watches readiness and streams says what there is to say.
            Sight::Away | Sight::Unseen => {}
        }
    }

    fn sample(&mut self, context: &Context, pid: u32, view: &ProcessView, [rss, fds, cpu]: [Gauge; 3], mark: Mark) {
        #[expect(clippy::cast_precision_loss, reason = "no process has 2^52 bytes")]
        context.recorder.gauge(rss, view.rss_bytes as f64, mark);
        if let Some(open_fds) = view.open_fds {
            context.recorder.gauge(fds, descriptors(open_fds), mark);
        }
        let now = clock::now();
        if let Some((before, cpu_ms)) = self.processor.insert(pid, (now, view.cpu_ms)) {
            let elapsed_ms = now.saturating_duration_since(before).as_secs_f64() * 1_000.0;
            if elapsed_ms > 0.0 {
                #[expect(clippy::cast_precision_loss, reason = "milliseconds since the last look")]
                let busy_ms = view.cpu_ms.saturating_sub(cpu_ms) as f64;
                context.recorder.gauge(cpu, busy_ms / elapsed_ms * 100.0, mark);
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "no process has 2^52 descriptors")]
const fn descriptors(open: usize) -> f64 {
    open as f64
}

fn not_there(context: &Context, pid: u32, mark: Mark) {
    let answer = "there is no such process, or it cannot be looked at".to_owned();
    context.recorder.incident_since(Finding::SourceFailed { source: format!("process {pid}"), answer }, mark);
}

/// Takes down which life of the gateway's this is, before anything is measured of it.
pub(super) fn note_life(context: &Context, after: String, is_of_soak: bool) {
    if let Some(before) = context.recorder.gateway_life(&after) {
        context.recorder.incident(if is_of_soak {
            Finding::GatewayRestarted { before, after }
        } else {
            Finding::OtherProcess { before, after }
        });
    }
}

/// How far a start that is told again may be off, seconds: it is worked out from when the machine was started, to the second.
const SAME_START_S: f64 = 1.0;
/// Starts that are known again.
const STARTS_MAX: usize = 16;

/// When the processes began that answered so far: by that one is told from another.
#[derive(Debug, Default)]
pub(super) struct Starts(Vec<f64>);

impl Starts {
    /// The start of a process as it was told first. Two that began within a second cannot be told apart.
    pub(super) fn known(&mut self, started_s: f64) -> f64 {
        let known = self.0.iter().position(|other| (other - started_s).abs() <= SAME_START_S);
        let start = known.map_or(started_s, |at| self.0.remove(at));
        if self.0.len() == STARTS_MAX {
            self.0.remove(0);
        }
        self.0.push(start);
        start
    }
}

/// Whether a process began after the soak did, by a clock that is so far ahead of ours.
pub(super) fn began_within(context: &Context, started_s: f64, offset_us: i64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "microseconds since 1970")]
    let now_s = clock::wall_now().as_microsecond().saturating_add(offset_us) as f64 / 1_000_000.0;
    now_s - started_s < clock::now().saturating_duration_since(context.clock.instant(0)).as_secs_f64()
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
    fn a_start_that_is_told_a_second_later_is_the_same() {
        let mut starts = Starts::default();
        let told = [100.0, 101.0, 160.5, 99.0, 161.2, 100.4];
        assert_eq!([100.0, 100.0, 160.5, 100.0, 160.5, 100.0], told.map(|start| starts.known(start)));
        for n in 0..1_000 {
            starts.known(f64::from(n) * 10.0);
        }
        assert_eq!(STARTS_MAX, starts.0.len());
    }

    #[tokio::test]
    async fn what_began_after_the_soak_is_told_from_what_was_there_by_its_own_clock() {
        let out = tempfile::tempdir().unwrap();
        let context = context(&config(out.path(), "http://127.83.0.12:9", &short(2)));
        #[expect(clippy::cast_precision_loss, reason = "microseconds since 1970")]
        let now_s = clock::wall_now().as_microsecond() as f64 / 1_000_000.0;
        assert!(began_within(&context, now_s + 1.0, 0) && !began_within(&context, now_s - 60.0, 0));
        let hour_s = 3_600.0;
        assert!(began_within(&context, now_s + hour_s + 1.0, 3_600_000_000), "its clock is an hour ahead");
        assert!(!began_within(&context, now_s + hour_s - 60.0, 3_600_000_000));
    }
}
