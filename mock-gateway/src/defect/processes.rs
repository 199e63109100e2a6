//! Several processes behind one address. Those that answer `/metrics` in turn are only counted as several; a worker that
//! leaks is a real process.

use std::io::{BufRead, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::sleep;

use super::{Defect, Faults};
use crate::core::Core;
use crate::metrics::{Gauges, Metrics};

/// How many there may be.
pub(crate) const PROCESSES: usize = 4;
/// The second of two began so many seconds before the first, and has so many bytes and descriptors more.
const OLDER_S: u64 = 60;
const MORE_BYTES: u64 = 9_000_000;
const MORE_FDS: u64 = 7;
/// Counts that each of several workers had before: verdicts of 10 ms, and of 1 s.
const HAD_COUNTED: [(usize, usize); PROCESSES] = [(10, 40), (900, 3), (55, 12), (300, 0)];
/// A worker of a size that is usual for one, and how much of it the leaking one gains in how long.
const WORKER_BYTES: u64 = 60_000_000;
const LEAKED_SHARE: f64 = 0.4;
const LEAKED_WITHIN: Duration = Duration::from_secs(60);
const LEAKED_BYTES: usize = 64 << 10;

const PAUSE: Duration = Duration::from_millis(120);
const PAUSE_EVERY: Duration = Duration::from_secs(1);

/// The first argument of a process that is a worker.
const WORKER: &str = "mock-gateway-worker";

/// Whose turn it is.
#[derive(Default)]
pub(super) struct Turns {
    counting: AtomicUsize,
    telling: AtomicUsize,
}

impl Faults {
    /// Which process counts what happens now; the first where there is no other.
    pub(crate) fn counts(&self) -> usize {
        self.whose_turn(&self.turns.counting)
    }

    /// Which process is asked for its metrics now.
    pub(crate) fn tells(&self) -> usize {
        self.whose_turn(&self.turns.telling)
    }

    /// Returns the values that are counted elsewhere, as a process sees them.
    pub(crate) fn seen_by(&self, process: usize, mut gauges: Gauges) -> Gauges {
        let processes = self.processes();
        if processes == 1 {
            return gauges;
        }
        // Each has its part; the first ones have one more where they are odd.
        let part = |whole: usize| (whole + processes - 1 - process) / processes;
        gauges.streams_open = part(gauges.streams_open);
        gauges.runs_under_way = part(gauges.runs_under_way);
        gauges.runs_waiting = part(gauges.runs_waiting);
        if let Some(reading) = &mut gauges.process {
            reading.open_fds = reading.open_fds.map(|open| part(open as usize) as u64);
            if process > 0 && self.has(Defect::TwoProcesses) {
                reading.start_time_s -= OLDER_S;
                reading.resident_bytes += MORE_BYTES;
                reading.open_fds = reading.open_fds.map(|open| open + MORE_FDS);
            }
            if self.has(Defect::OneWorkerLeaks) {
                let share = self.born.elapsed().as_secs_f64() / LEAKED_WITHIN.as_secs_f64() * LEAKED_SHARE;
                let leaked = if process > 0 { WORKER_BYTES as f64 * share } else { 0.0 };
                reading.resident_bytes += WORKER_BYTES + leaked as u64;
            }
        }
        gauges
    }

    /// Adds the counts that the processes had before the gateway was asked for the first time.
    pub(crate) fn had_counted(&self, metrics: &[Metrics; PROCESSES]) {
        if self.has(Defect::SeveralWorkers) {
            for (process, (fast, slow)) in metrics.iter().zip(HAD_COUNTED) {
                for histogram in [&process.judge, &process.shield] {
                    (0..fast).for_each(|_| histogram.observe(Duration::from_millis(10)));
                    (0..slow).for_each(|_| histogram.observe(Duration::from_secs(1)));
                }
            }
        }
    }

    /// The worker leaves memory behind, and sometimes a descriptor.
    pub(super) fn worker_leaks(&self, also_a_descriptor: bool) {
        if let Some(worker) = self.worker.lock().expect("no holder panics").get_or_insert_with(Worker::start) {
            worker.tell(if also_a_descriptor { "both" } else { "memory" });
        }
    }

    fn processes(&self) -> usize {
        if self.has(Defect::SeveralWorkers) {
            PROCESSES
        } else if self.has(Defect::TwoProcesses) || self.has(Defect::OneWorkerLeaks) {
            2
        } else {
            1
        }
    }

    fn whose_turn(&self, turns: &AtomicUsize) -> usize {
        match self.processes() {
            1 => 0,
            processes => turns.fetch_add(1, Ordering::Relaxed) % processes,
        }
    }
}

/// Makes the gateway stand still now and then, where that is one of its oddities: as a runtime does that stops the world.
pub(crate) fn pause(core: &Arc<Core>) {
    if !core.faults.has(Defect::FdRace) {
        return;
    }
    let closing = core.closing.clone();
    let pauses = async {
        loop {
            sleep(PAUSE_EVERY).await;
            // The whole thread, which is the whole gateway.
            std::thread::sleep(PAUSE);
        }
    };
    core.tasks.spawn(async move {
        let _: Option<()> = closing.run_until_cancelled(pauses).await;
    });
}

/// A worker, once it was needed; none where it could not be started.
pub(super) type MaybeWorker = Mutex<Option<Option<Worker>>>;

/// A process of this program that leaks what it is told to.
pub(super) struct Worker(Child);

impl Worker {
    fn start() -> Option<Self> {
        let mut command = Command::new(std::env::current_exe().ok()?);
        let child = command.arg(WORKER).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().ok()?;
        Some(Self(child))
    }

    fn tell(&mut self, what: &str) {
        if let Some(input) = &mut self.0.stdin {
            // One that is gone leaks no more.
            let _ = writeln!(input, "{what}");
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Is a worker until its parent is gone, where this process was started as one. Whoever starts a gateway with the defect
/// `worker-leak` calls this first of all.
pub fn work_if_asked() -> bool {
    if std::env::args().nth(1).as_deref() != Some(WORKER) {
        return false;
    }
    let (mut memory, mut sockets) = (Vec::new(), Vec::new());
    for order in std::io::stdin().lock().lines().map_while(Result::ok) {
        // Not zeros: those would be promised by the system, and not be resident.
        memory.push(vec![1_u8; LEAKED_BYTES]);
        if order == "both" {
            sockets.extend(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok());
        }
    }
    std::hint::black_box((&memory, &sockets));
    true
}
