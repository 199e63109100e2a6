//! The heap of the gateway's runtime, as a scrape shows it.

use crate::{
    gateway::heap::Heap,
    journal::Gauge,
    session::{Context, StartPoint},
};

/// Records a heap. `is_collected`: a full collection ended since the scrape before, so what is in use is needed.
pub(super) fn take_in_heap(context: &Context, heap: Heap, is_collected: bool, mark: StartPoint) {
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

/// Full collections as they were last counted, by the process that counted them.
#[derive(Debug, Default)]
pub(super) struct Collections(Vec<(Option<String>, f64)>);

impl Collections {
    /// Maximum number of processes that are remembered. The one that was seen the longest ago is forgotten first.
    const PROCESSES_MAX: usize = 16;

    /// Whether a collection ended since this process was asked last.
    pub(super) fn have_ended(&mut self, process: Option<String>, count: Option<f64>) -> bool {
        let Some(count) = count else { return false };
        let known = self.0.iter().position(|(other, _)| *other == process);
        let before = known.map(|at| self.0.remove(at).1);
        self.0.insert(0, (process, count));
        self.0.truncate(Self::PROCESSES_MAX);
        before.is_some_and(|before| count > before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_has_ended_where_the_count_of_one_process_rose() {
        let mut collections = Collections::default();
        let mut asked = |process: &str, count| collections.have_ended(Some(process.to_owned()), Some(count));
        assert!(!asked("a", 3.0), "it is not known when these ended");
        assert!(!asked("b", 7.0), "another process has counted more");
        assert!(!asked("a", 3.0) && asked("a", 4.0) && !asked("b", 7.0));
        assert!(!collections.have_ended(None, None));
    }
}
