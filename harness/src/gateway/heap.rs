//! The heap of a gateway's runtime, by the names that the usual client libraries give its metrics.
//!
//! A garbage collector takes memory back when it has to, not when it could. Resident memory therefore has garbage in it, and
//! only the runtime can tell that from memory that is in use.

/// Sums of the heap's metrics in one scrape.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Heap {
    /// Bytes in use, garbage among them.
    pub used: Option<f64>,
    /// Bytes that the runtime has taken from the system for its heap.
    pub committed: Option<f64>,
    /// Bytes that the last full collection left, where the runtime reports them itself.
    pub live: Option<f64>,
    /// Full collections so far.
    pub collections: Option<f64>,
}

/// A part of the heap that a metric adds to, or takes away from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeapPart {
    Used,
    Committed,
    /// Bytes that were given back to the system, of those committed.
    Released,
    /// Memory that the collector frees, although it is not in the heap.
    External,
    Live,
    Collections,
}

/// A metric of a client library.
struct Name {
    name: &'static str,
    part: HeapPart,
    /// The label and the values that it must have; any where there is none.
    label: Option<(&'static [&'static str], &'static [&'static str])>,
}

const fn all(name: &'static str, part: HeapPart) -> Name {
    Name { name, part, label: None }
}

const fn of(
    name: &'static str,
    part: HeapPart,
    label: &'static [&'static str],
    values: &'static [&'static str],
) -> Name {
    Name { name, part, label: Some((label, values)) }
}

/// Labels that say which memory of a JVM it is: Prometheus' own client and Micrometer, OpenTelemetry.
const AREA: &[&str] = &["area", "jvm_memory_type", "type"];
const HEAP: &[&str] = &["heap"];
/// Collectors of a JVM that collect all of the heap, or that tell what is left of it.
const FULL_GC: &[&str] = &[
    "G1 Old Generation",
    "MarkSweepCompact",
    "PS MarkSweep",
    "ConcurrentMarkSweep",
    "ZGC Cycles",
    "ZGC Major Cycles",
    "Shenandoah Cycles",
];

/// The contract's own names, for a dialect to map others to. A gateway need not have them.
pub const OF_CONTRACT: [&str; 4] =
    ["heap_used_bytes", "heap_committed_bytes", "heap_live_bytes", "heap_collections_total"];

const NAMES: &[Name] = &[
    all("heap_used_bytes", HeapPart::Used),
    all("heap_committed_bytes", HeapPart::Committed),
    all("heap_live_bytes", HeapPart::Live),
    all("heap_collections_total", HeapPart::Collections),
    // Node: prom-client. Buffers are outside V8's heap, and freed by its collector.
    all("nodejs_heap_size_used_bytes", HeapPart::Used),
    all("nodejs_heap_size_total_bytes", HeapPart::Committed),
    all("nodejs_external_memory_bytes", HeapPart::External),
    of("nodejs_gc_duration_seconds_count", HeapPart::Collections, &["kind"], &["major"]),
    // Node: OpenTelemetry.
    all("v8js_memory_heap_used_bytes", HeapPart::Used),
    all("v8js_memory_heap_limit_bytes", HeapPart::Committed),
    of("v8js_gc_duration_seconds_count", HeapPart::Collections, &["v8js_gc_type"], &["major"]),
    // JVM: Prometheus' client since 1.0, Micrometer; before 1.0; OpenTelemetry.
    of("jvm_memory_used_bytes", HeapPart::Used, AREA, HEAP),
    of("jvm_memory_committed_bytes", HeapPart::Committed, AREA, HEAP),
    of("jvm_memory_bytes_used", HeapPart::Used, AREA, HEAP),
    of("jvm_memory_bytes_committed", HeapPart::Committed, AREA, HEAP),
    of("jvm_gc_collection_seconds_count", HeapPart::Collections, &["gc"], FULL_GC),
    of("jvm_gc_pause_seconds_count", HeapPart::Collections, &["action"], &["end of major GC"]),
    of("jvm_gc_duration_seconds_count", HeapPart::Collections, &["jvm_gc_action", "action"], &["end of major GC"]),
    // Go: client_golang.
    all("go_memstats_heap_alloc_bytes", HeapPart::Used),
    all("go_memstats_heap_sys_bytes", HeapPart::Committed),
    all("go_memstats_heap_released_bytes", HeapPart::Released),
    all("go_gc_heap_live_bytes", HeapPart::Live),
    all("go_gc_duration_seconds_count", HeapPart::Collections),
    // .NET: prometheus-net, OpenTelemetry.
    all("dotnet_total_memory_bytes", HeapPart::Used),
    of("dotnet_collection_count_total", HeapPart::Collections, &["generation"], &["2", "gen2"]),
    all("process_runtime_dotnet_gc_objects_size_bytes", HeapPart::Used),
    all("process_runtime_dotnet_gc_committed_memory_size_bytes", HeapPart::Committed),
    of("process_runtime_dotnet_gc_collections_count_total", HeapPart::Collections, &["generation"], &["2", "gen2"]),
    all("dotnet_gc_last_collection_memory_committed_size_bytes", HeapPart::Committed),
    of("dotnet_gc_collections_total", HeapPart::Collections, &["gc_heap_generation"], &["gen2"]),
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
    pub fn absorb<'a>(&mut self, name: &str, value: f64, label: impl Fn(&str) -> Option<&'a str>) {
        let has = |(labels, values): (&[&str], &[&str])| {
            labels.iter().filter_map(|name| label(name)).any(|is| values.contains(&is))
        };
        let Some(known) = NAMES.iter().find(|known| known.name == name && known.label.is_none_or(&has)) else { return };
        if !value.is_finite() || value < 0.0 {
            return;
        }
        let sum = match known.part {
            HeapPart::Used => self.heap.used.get_or_insert(0.0),
            HeapPart::Committed => self.heap.committed.get_or_insert(0.0),
            HeapPart::Live => self.heap.live.get_or_insert(0.0),
            HeapPart::Collections => self.heap.collections.get_or_insert(0.0),
            HeapPart::External => &mut self.external,
            HeapPart::Released => &mut self.released,
        };
        *sum += value;
    }

    /// The heap; none where nothing is known of it.
    #[must_use]
    pub fn heap(self) -> Option<Heap> {
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
