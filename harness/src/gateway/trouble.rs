//! Why no answer of the gateway came, or none that S2 could read.

use std::{error::Error, fmt, io};

use rustix::io::Errno;

use super::tls::{cause_of, refused};
use crate::journal::clip;

/// No answer came, or none that S2 could read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The problem, in words.
    pub text: String,
    /// The kind of trouble.
    pub kind: TroubleKind,
}

/// The kind of trouble that kept an answer from S2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TroubleKind {
    /// No answer came, or not all of it.
    NoAnswer,
    /// The gateway did answer, and S2 could not read it: a limit of S2's, and nobody's error.
    Unread,
    /// The gateway's certificate was refused: it is there, and the text says what would help.
    CertificateRefused,
    /// This process has no file descriptor left: no fault of the gateway's.
    OutOfDescriptors,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Trouble {
    /// No answer, and why, in words.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), kind: TroubleKind::NoAnswer }
    }

    pub(super) fn of(error: &hyper_util::client::legacy::Error) -> Self {
        let what = if error.is_connect() { "no connection" } else { "the request failed" };
        // The innermost cause says what happened.
        let text = clip(&format!("{what}: {}", cause_of(error)));
        Self { text, kind: TroubleKind::of(error) }
    }
}

impl TroubleKind {
    /// The kind of the causes of an error.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if refused(error).is_some() {
                return Self::CertificateRefused;
            }
            cause = error.source();
        }
        if is_out_of_descriptors(error) { Self::OutOfDescriptors } else { Self::NoAnswer }
    }
}

/// Whether an error, or one of its causes, says that this process has no file descriptor left.
#[must_use]
pub(crate) fn is_out_of_descriptors(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let code = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
        if code == Some(Errno::MFILE.raw_os_error()) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no connection")]
    struct NoConnection(#[source] io::Error);

    #[test]
    fn the_kind_is_that_of_the_innermost_cause() {
        let of = |code| TroubleKind::of(&NoConnection(io::Error::from_raw_os_error(code)));
        assert_eq!(TroubleKind::OutOfDescriptors, of(Errno::MFILE.raw_os_error()));
        // As `tempfile` wraps an error with the path.
        let wrapped = io::Error::other(NoConnection(io::Error::from_raw_os_error(Errno::MFILE.raw_os_error())));
        assert!(is_out_of_descriptors(&wrapped));
        assert_eq!(TroubleKind::NoAnswer, of(Errno::CONNREFUSED.raw_os_error()));
        assert_eq!(TroubleKind::NoAnswer, TroubleKind::of(&io::Error::other("Too many open files (os error 24)")));
    }
}
