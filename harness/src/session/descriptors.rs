//! The session's own file descriptors: as many as the machine allows, and a clear message when none is left.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit on open descriptors to what the process may have.
pub(crate) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // Where it cannot be raised, [`too_few`] reports streams that do not fit.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

/// Descriptors that a session needs beside its workspace streams: for its files, requests, and streams of runs.
const BESIDE_STREAMS: u64 = 40;

/// Why the streams of a plan cannot be opened; none where they can. Through the fault proxy a stream takes three
/// descriptors: its own, and the two sides of the proxy.
pub(super) fn too_few(streams: u32, has_proxy: bool) -> Option<String> {
    let needed = u64::from(streams) * if has_proxy { 3 } else { 1 } + BESIDE_STREAMS;
    let limit = getrlimit(Resource::Nofile).current?;
    let way = if has_proxy { ", each with two more in the fault proxy," } else { "" };
    (limit < needed).then(|| {
        format!(
            "{streams} streams{way} and what is beside them need {needed} file descriptors, and this process may have {limit}: \
             raise the hard limit (`ulimit -Hn`, LimitNOFILE of a service, --ulimit nofile of a container), or have fewer \
             streams ([w2_sse_churn] streams)"
        )
    })
}

/// The message where something failed because this process has no descriptor left.
pub(super) fn exhausted(trouble: &str) -> String {
    let limit = getrlimit(Resource::Nofile).current;
    let limit = limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
    format!(
        "the session has used up its file descriptors (the limit is {limit}): {trouble}; that is no fault of the \
         gateway's, and `ulimit -n` raises it"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_that_have_no_descriptors_are_named_with_the_limit() {
        raise_limit();
        let limit = u32::try_from(getrlimit(Resource::Nofile).current.unwrap().min(1 << 31)).unwrap();
        assert_eq!((None, None), (too_few(20, true), too_few(limit / 4, true)));
        let why = too_few(limit, false).unwrap();
        let needed = u64::from(limit) + BESIDE_STREAMS;
        assert!(why.contains(&format!("need {needed} file descriptors, and this process may have {limit}")), "{why}");
        assert!(
            why.contains("ulimit -Hn") && too_few(limit / 2, false).is_none() && too_few(limit / 2, true).is_some()
        );
    }

    #[test]
    fn the_limit_is_as_high_as_it_may_be() {
        raise_limit();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
    }
}
