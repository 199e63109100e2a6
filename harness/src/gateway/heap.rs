//! The heap of a gateway's runtime, by the metrics of the usual client libraries.
//!
//! Resident memory contains garbage until the collector must free it. Only the runtime can tell it from memory in use.

use HeapPart::{Collections, Committed, External, Live, Released, Used};

/// Sums of the heap's metrics in one scrape.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Heap {
    /// Bytes in use, garbage among them.
    pub(crate) used: Option<f64>,
    /// Bytes that the runtime has from the system for its heap.
    pub(crate) committed: Option<f64>,
    /// Bytes that the last full collection left, if the runtime reports them itself.
    pub(crate) live: Option<f64>,
    pub(crate) collections: Option<f64>,
}

/// A part of the heap that a metric adds to or subtracts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeapPart {
    Used,
    Committed,
    /// Committed bytes that were given back to the system.
    Released,
    /// Memory outside the heap that the collector frees.
    External,
    Live,
    Collections,
}

/// Labels for the kind of a JVM's memory: Prometheus' own client and Micrometer, OpenTelemetry.
const AREA: &[&str] = &["area", "jvm_memory_type", "type"];
const HEAP: &[&str] = &["heap"];
/// Collectors of a JVM that collect all of the heap, or report its rest.
const FULL_GC: &[&str] = &[
    "G1 Old Generation",
    "MarkSweepCompact",
    "PS MarkSweep",
    "ConcurrentMarkSweep",
    "ZGC Cycles",
    "ZGC Major Cycles",
    "Shenandoah Cycles",
];

/// The contract's own names, to which a dialect may map others. A gateway need not have them.
pub const OF_CONTRACT: [&str; 4] =
    ["heap_used_bytes", "heap_committed_bytes", "heap_live_bytes", "heap_collections_total"];

/// The metrics of client libraries: name, part, labels, and the values of which one of the labels must have one.
const NAMES: &[(&str, HeapPart, &[&str], &[&str])] = &[
    ("heap_used_bytes", Used, &[], &[]),
    ("heap_committed_bytes", Committed, &[], &[]),
    ("heap_live_bytes", Live, &[], &[]),
    ("heap_collections_total", Collections, &[], &[]),
    // Node: prom-client. Buffers are outside V8's heap, and freed by its collector.
    ("nodejs_heap_size_used_bytes", Used, &[], &[]),
    ("nodejs_heap_size_total_bytes", Committed, &[], &[]),
    ("nodejs_external_memory_bytes", External, &[], &[]),
    ("nodejs_gc_duration_seconds_count", Collections, &["kind"], &["major"]),
    // Node: OpenTelemetry.
    ("v8js_memory_heap_used_bytes", Used, &[], &[]),
    ("v8js_memory_heap_limit_bytes", Committed, &[], &[]),
    ("v8js_gc_duration_seconds_count", Collections, &["v8js_gc_type"], &["major"]),
    // JVM: Prometheus' client since 1.0, Micrometer; before 1.0; OpenTelemetry.
    ("jvm_memory_used_bytes", Used, AREA, HEAP),
    ("jvm_memory_committed_bytes", Committed, AREA, HEAP),
    ("jvm_memory_bytes_used", Used, AREA, HEAP),
    ("jvm_memory_bytes_committed", Committed, AREA, HEAP),
    ("jvm_gc_collection_seconds_count", Collections, &["gc"], FULL_GC),
    ("jvm_gc_pause_seconds_count", Collections, &["action"], &["end of major GC"]),
    ("jvm_gc_duration_seconds_count", Collections, &["jvm_gc_action", "action"], &["end of major GC"]),
    // Go: client_golang.
    ("go_memstats_heap_alloc_bytes", Used, &[], &[]),
    ("go_memstats_heap_sys_bytes", Committed, &[], &[]),
    ("go_memstats_heap_released_bytes", Released, &[], &[]),
    ("go_gc_heap_live_bytes", Live, &[], &[]),
    ("go_gc_duration_seconds_count", Collections, &[], &[]),
    // .NET: prometheus-net, OpenTelemetry.
    ("dotnet_total_memory_bytes", Used, &[], &[]),
    ("dotnet_collection_count_total", Collections, &["generation"], &["2", "gen2"]),
    ("process_runtime_dotnet_gc_objects_size_bytes", Used, &[], &[]),
    ("process_runtime_dotnet_gc_committed_memory_size_bytes", Committed, &[], &[]),
    ("process_runtime_dotnet_gc_collections_count_total", Collections, &["generation"], &["2", "gen2"]),
    ("dotnet_gc_last_collection_memory_committed_size_bytes", Committed, &[], &[]),
    ("dotnet_gc_collections_total", Collections, &["gc_heap_generation"], &["gen2"]),
];

/// Reads the heap's metrics out of a scrape, sample by sample.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeapReader {
    heap: Heap,
    external: f64,
    released: f64,
}

impl HeapReader {
    /// Takes in a sample; `label` gives the value of a label.
    pub(crate) fn absorb<'a>(&mut self, name: &str, value: f64, label: impl Fn(&str) -> Option<&'a str>) {
        let has = |labels: &[&str], values: &[&str]| {
            labels.iter().filter_map(|name| label(name)).any(|is| values.contains(&is))
        };
        let known =
            NAMES.iter().find(|(of, _, labels, values)| *of == name && (labels.is_empty() || has(labels, values)));
        let Some((_, part, ..)) = known.filter(|_| value.is_finite() && value >= 0.0) else { return };
        *match part {
            Used => self.heap.used.get_or_insert(0.0),
            Committed => self.heap.committed.get_or_insert(0.0),
            Live => self.heap.live.get_or_insert(0.0),
            Collections => self.heap.collections.get_or_insert(0.0),
            External => &mut self.external,
            Released => &mut self.released,
        } += value;
    }

    /// The heap, if anything is known of it.
    pub(crate) fn heap(self) -> Option<Heap> {
        let Heap { used, committed, live, collections } = self.heap;
        (used.is_some() || live.is_some()).then(|| Heap {
            used: used.map(|used| used + self.external),
            committed: committed.map(|committed| (committed + self.external - self.released).max(0.0)),
            live,
            collections,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, labels and value.
    type Sample<'a> = (&'a str, &'a [(&'a str, &'a str)], f64);

    fn read(samples: &[Sample<'_>]) -> Option<Heap> {
        let mut reader = HeapReader::default();
        for (name, labels, value) in samples {
            let label = |wanted: &str| labels.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
            reader.absorb(name, *value, label);
        }
        reader.heap()
    }

    #[test]
    fn node_counts_its_buffers_and_only_major_collections() {
        let samples: &[Sample<'_>] = &[
            ("nodejs_heap_size_used_bytes", &[], 7e6),
            ("nodejs_heap_size_total_bytes", &[], 9e6),
            ("nodejs_external_memory_bytes", &[], 2e6),
            ("nodejs_gc_duration_seconds_count", &[("kind", "minor")], 40.0),
            ("nodejs_gc_duration_seconds_count", &[("kind", "major")], 3.0),
        ];
        let heap = Heap { used: Some(9e6), committed: Some(11e6), live: None, collections: Some(3.0) };
        assert_eq!(Some(heap), read(samples));
    }

    #[test]
    fn a_jvm_is_asked_for_its_heap_only_whoever_names_it() {
        for (used, label) in [
            ("jvm_memory_used_bytes", "area"),
            ("jvm_memory_bytes_used", "area"),
            ("jvm_memory_used_bytes", "jvm_memory_type"),
        ] {
            let samples: &[Sample<'_>] = &[
                (used, &[(label, "heap"), ("id", "G1 Eden Space")], 10e6),
                (used, &[(label, "heap"), ("id", "G1 Old Gen")], 5e6),
                (used, &[(label, "nonheap"), ("id", "Metaspace")], 30e6),
                ("jvm_gc_collection_seconds_count", &[("gc", "G1 Young Generation")], 9.0),
            ];
            assert_eq!(Some(Heap { used: Some(15e6), ..Heap::default() }), read(samples), "{used} {label}");
        }
    }

    #[test]
    fn go_gives_back_what_it_released() {
        let samples: &[Sample<'_>] = &[
            ("go_memstats_heap_alloc_bytes", &[], 4e6),
            ("go_memstats_heap_sys_bytes", &[], 12e6),
            ("go_memstats_heap_released_bytes", &[], 3e6),
            ("go_gc_duration_seconds_count", &[], 60.0),
        ];
        let heap = Heap { used: Some(4e6), committed: Some(9e6), live: None, collections: Some(60.0) };
        assert_eq!(Some(heap), read(samples));
    }

    #[test]
    fn python_and_whoever_says_nothing_of_a_heap_have_none() {
        assert_eq!(None, read(&[("python_gc_collections_total", &[("generation", "2")], 3.0)]));
        assert_eq!(
            None,
            read(&[("go_gc_duration_seconds_count", &[], 3.0), ("nodejs_external_memory_bytes", &[], 1.0)])
        );
        assert_eq!(None, read(&[("heap_used_bytes", &[], f64::NAN)]));
    }
}
