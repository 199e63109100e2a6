//! The source of a [`Finding::SourceFailed`](super::Finding::SourceFailed) that is a process.

/// The prefix of the name of such a source. A route begins with a method.
const PROCESS: &str = "process ";

/// The source that is the process of this id.
pub(crate) fn process_source(pid: u32) -> String {
    format!("{PROCESS}{pid}")
}

/// Whether a source is a process.
pub(crate) fn is_process_source(source: &str) -> bool {
    source.strip_prefix(PROCESS).is_some_and(|pid| pid.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_a_route() {
        assert!(is_process_source(&process_source(4_711)));
        // As journals of every version have it.
        assert_eq!("process 4711", process_source(4_711));
        for route in ["GET /metrics", "process", "process /metrics", ""] {
            assert!(!is_process_source(route), "{route}");
        }
    }
}
