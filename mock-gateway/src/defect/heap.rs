//! The heap of a runtime with a garbage collector, as its client library would show it. The mock itself is native.
//!
//! Names are those of Node's `prom-client`. The heap's memory is real; what of it is garbage is only counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use super::{Defect, leaks::Ballast};
use crate::core::Core;

const BREATH: Duration = Duration::from_millis(100);
/// Full collections come so often.
const COLLECTION_BREATHS: usize = 20;
const LIVE_BYTES: usize = 8 << 20;
/// Memory that the heap takes from the system in a minute, if nothing makes it collect earlier.
const LAZY_BYTES_A_MINUTE: usize = 24 << 20;
/// Memory that a runtime takes in its first minute.
const WARM_UP_BYTES_A_MINUTE: usize = 40 << 20;
/// Memory that leaks in a minute, hidden below the garbage.
const LEAK_BYTES_A_MINUTE: usize = 16 << 20;
/// Memory that the heap of a gateway that leaks below its garbage has taken from the system at once.
const ROOMY_BYTES: usize = 48 << 20;
const BREATHS_A_MINUTE: usize = 600;

/// The heap as the metrics show it; nothing where it was never filled.
#[derive(Default)]
pub(super) struct Heap {
    used: AtomicUsize,
    committed: AtomicUsize,
    collections: AtomicUsize,
}

/// The heap at one moment.
pub(crate) struct HeapReading {
    pub(crate) used_bytes: u64,
    pub(crate) committed_bytes: u64,
    pub(crate) full_collections: u64,
}

impl Heap {
    pub(super) fn read(&self) -> Option<HeapReading> {
        let of = |number: &AtomicUsize| number.load(Ordering::Relaxed) as u64;
        (of(&self.committed) > 0).then(|| HeapReading {
            used_bytes: of(&self.used),
            committed_bytes: of(&self.committed),
            full_collections: of(&self.collections),
        })
    }

    fn set(&self, used: usize, committed: usize, collections: usize) {
        self.used.store(used, Ordering::Relaxed);
        self.committed.store(committed, Ordering::Relaxed);
        self.collections.store(collections, Ordering::Relaxed);
    }
}

/// Fills the heap, where that is one of the gateway's oddities or defects.
pub(crate) fn fill(core: &Arc<Core>) {
    let has = |defect| core.faults.has(defect);
    let (is_lazy, leaks) = (has(Defect::LazyHeap), has(Defect::LeakBelowGarbage));
    let warms_up = has(Defect::RuntimeWarmUp);
    if !is_lazy && !leaks && !warms_up {
        return;
    }
    let (of, closing) = (Arc::clone(core), core.closing.clone());
    core.tasks.spawn(async move {
        let filling = async {
            let mut memory = Ballast::new();
            for breath in 0.. {
                let grown = |a_minute: usize| a_minute / BREATHS_A_MINUTE * breath;
                let committed = if leaks {
                    ROOMY_BYTES
                } else {
                    LIVE_BYTES + grown(if warms_up { WARM_UP_BYTES_A_MINUTE } else { LAZY_BYTES_A_MINUTE })
                };
                let live = LIVE_BYTES + if leaks { grown(LEAK_BYTES_A_MINUTE) } else { 0 };
                let garbage = committed.saturating_sub(live) * (breath % COLLECTION_BREATHS) / COLLECTION_BREATHS;
                memory.touch(committed);
                // A runtime that says nothing of its heap shows its resident memory alone.
                if !warms_up {
                    of.faults.heap().set(live + garbage, committed, breath / COLLECTION_BREATHS);
                }
                sleep(BREATH).await;
            }
        };
        closing.run_until_cancelled(filling).await;
    });
}
