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
                self.sample(context, pid, &view, [Gauge::GatewayRss, Gauge::GatewayFds, Gauge::GatewayCpu], mark);
                if let (Some(open_fds), Some(own_fds)) = (view.open_fds.map(descriptors), self.own_fds) {
                    context.recorder.gauge(Gauge::GatewayFdSurplus, open_fds - own_fds, mark);
                }
                note_life(context, format!("pid {pid}, started {}", view.started_s));
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

/// Takes down which life of the gateway's this is.
pub(super) fn note_life(context: &Context, life: String) {
    if let Some(before) = context.recorder.gateway_life(&life) {
        context.recorder.incident(Finding::GatewayRestarted { before, after: life });
    }
}
