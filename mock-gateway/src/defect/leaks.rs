//! Growing resources: memory and descriptors that are real, and counts that are never taken back.

use std::future::pending;
use std::hint::black_box;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::sleep;

use super::{Defect, heap::Heap};
use crate::core::Core;

const LEAKED_BYTES: usize = 64 << 10;

/// Resources that are left behind for as long as the gateway lives. They have no bound, so they are leaks.
#[derive(Default)]
pub(super) struct Leaks {
    memory: Mutex<Vec<Vec<u8>>>,
    sockets: Mutex<Vec<UdpSocket>>,
    pub(super) waiting: Count,
    pub(super) streams: Count,
    /// Streams that were taken off the count once more.
    pub(super) gone: Count,
    pub(super) heap: Heap,
}

#[derive(Default)]
pub(super) struct Count(AtomicUsize);

impl Count {
    pub(super) fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Leaks {
    pub(super) fn leak_memory(&self) {
        // Not zeros: those would be promised by the system, and not be resident.
        self.memory.lock().expect("no holder panics").push(vec![1; LEAKED_BYTES]);
    }

    pub(super) fn leak_descriptor(&self) {
        // Where there are no more to be had, the leak has done its work.
        if let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) {
            self.sockets.lock().expect("no holder panics").push(socket);
        }
    }

    /// Pieces of memory and sockets.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.memory.lock().expect("no holder panics").len(), self.sockets.lock().expect("no holder panics").len())
    }
}

const BREATH: Duration = Duration::from_millis(100);

/// Of the memory at the time: from 8 % under the mean to 8 % over it, and back.
const SAWTOOTH_SHARE: f64 = 0.16;
const SAWTOOTH_BREATHS: u32 = 30;

const WARM_UP_SHARE: f64 = 0.25;
const WARM_UP_BREATHS: u32 = 40;

/// Makes the gateway's memory rise and fall, where that is one of its oddities.
pub(crate) fn breathe(core: &Arc<Core>) {
    let (is_sawtooth, is_warm_up) = (core.faults.has(Defect::Sawtooth), core.faults.has(Defect::WarmUpGrowth));
    if !is_sawtooth && !is_warm_up {
        return;
    }
    let (of, closing) = (Arc::clone(core), core.closing.clone());
    core.tasks.spawn(async move {
        // Where the system does not tell, nothing moves.
        let resident = || of.gauges().process.map_or(0.0, |process| process.resident_bytes as f64);
        let sawtooth = async {
            if is_sawtooth {
                loop {
                    drop(Ballast::new().rise(resident() * SAWTOOTH_SHARE, SAWTOOTH_BREATHS).await);
                }
            }
        };
        let warm_up = async {
            if is_warm_up {
                let _held = Ballast::new().rise(resident() * WARM_UP_SHARE, WARM_UP_BREATHS).await;
                pending::<()>().await;
            }
        };
        closing.run_until_cancelled(async { tokio::join!(sawtooth, warm_up) }).await;
    });
}

/// Memory that becomes resident page by page, and goes back to the system when it is dropped.
pub(super) struct Ballast {
    pages: Vec<u8>,
    resident_bytes: usize,
}

impl Ballast {
    /// More than allocators keep for themselves when it is freed: 32 MiB is glibc's most.
    const CAPACITY_BYTES: usize = 64 << 20;
    /// The smallest page there is.
    const PAGE_BYTES: usize = 4 << 10;

    pub(super) fn new() -> Self {
        Self { pages: vec![0; Self::CAPACITY_BYTES], resident_bytes: 0 }
    }

    /// Evenly to so many bytes, within so many breaths.
    async fn rise(mut self, bytes: f64, breaths: u32) -> Self {
        for breath in 1..=breaths {
            sleep(BREATH).await;
            self.touch((bytes * f64::from(breath) / f64::from(breaths)) as usize);
        }
        self
    }

    pub(super) fn touch(&mut self, bytes: usize) {
        let bytes = bytes.min(self.pages.len());
        while self.resident_bytes < bytes {
            self.pages[self.resident_bytes] = 1;
            self.resident_bytes += Self::PAGE_BYTES;
        }
        black_box(&mut self.pages);
    }
}
