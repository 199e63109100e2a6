//! The session's own file descriptors: as many as the machine allows, and a clear message when none is left.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit on open descriptors to what the process may have.
pub(crate) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // Where it cannot be raised it stays, and what does not fit is said.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
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
    fn the_limit_is_as_high_as_it_may_be() {
        raise_limit();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
    }
}
