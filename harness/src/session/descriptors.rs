//! The session's own file descriptors: as many as the machine allows, and a clear word when they are used up.

use super::ArtifactError;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How the system's error ends that says it: `EMFILE`. An answer of a gateway begins with its status, a trouble of ours
/// does not.
const USED_UP: &str = "(os error 24)";

/// Raises the limit on open descriptors to what the process may have.
pub(crate) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // Where it cannot be raised it stays, and what does not fit is said.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

/// What to say of a request that failed, where it failed because this process has no descriptor left.
pub(super) fn used_up(trouble: &str) -> Option<String> {
    let is_ours = trouble.ends_with(USED_UP) && !trouble.starts_with(|c: char| c.is_ascii_digit());
    is_ours.then(|| said(trouble))
}

/// The same of a file of ours that could not be written.
pub(super) fn used_up_by(error: &ArtifactError) -> Option<String> {
    let error = error.to_string();
    error.contains(USED_UP).then(|| said(&error))
}

fn said(trouble: &str) -> String {
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
    fn descriptors_that_are_used_up_are_ours_whatever_a_gateway_says() {
        assert!(
            used_up("no connection: Too many open files (os error 24)").is_some_and(|said| said.contains("ulimit"))
        );
        assert_eq!(None, used_up("500 Too many open files (os error 24)"));
        assert_eq!(None, used_up("no connection: Connection refused (os error 111)"));
    }

    #[test]
    fn the_limit_is_as_high_as_it_may_be() {
        raise_limit();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
    }
}
