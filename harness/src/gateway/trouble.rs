//! The reasons why no answer of the gateway came, or none that S2 could read.

use std::{error::Error, io};

use rustix::io::Errno;

use super::tls::{cause_of, refused};
use crate::{journal::clip, tcp::causes};

/// A client cannot be built: the harness's own trouble, not the gateway's.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The token cannot be sent.
    #[error("S2_TOKEN cannot be sent as a header: it holds a line break or a character outside ASCII")]
    Token,
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}; without certificates on this machine, S2_CA_FILE may name some")]
    Tls(#[from] rustls::Error),
}

/// No answer came, or none that S2 could read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Trouble {
    pub(crate) text: String,
    pub(crate) kind: TroubleKind,
}

/// The kind of trouble that kept an answer from S2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TroubleKind {
    /// No answer came, or not all of it.
    NoAnswer,
    /// The gateway did answer, and a limit of S2's kept it from reading the answer: no error.
    Unread,
    /// The gateway's certificate was refused. The text names a remedy.
    CertificateRefused,
    /// This process has no file descriptor left.
    OutOfDescriptors,
}

impl Trouble {
    /// The trouble that no answer came, with its reason.
    pub(crate) fn new(text: impl Into<String>) -> Self {
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
        if causes(error).any(|cause| refused(cause).is_some()) {
            return Self::CertificateRefused;
        }
        if is_out_of_descriptors(error) { Self::OutOfDescriptors } else { Self::NoAnswer }
    }
}

/// Whether an error, or one of its causes, says that this process has no file descriptor left.
pub(crate) fn is_out_of_descriptors(error: &(dyn Error + 'static)) -> bool {
    let mut codes = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()?.raw_os_error());
    codes.any(|code| code == Errno::MFILE.raw_os_error())
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
