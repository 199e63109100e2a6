//! Why a proxy cannot be started.

use std::io;

/// Why a proxy cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The upstream makes no sense.
    #[error("the fault proxy's upstream {upstream:?} is not a host and a port, such as localhost:8080: {reason}")]
    Upstream {
        /// As it was given.
        upstream: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nowhere to listen.
    #[error(
        "the fault proxy cannot listen on a free port of 127.0.0.1: {source}; are there descriptors and ports left?"
    )]
    Listen {
        /// What the system said.
        source: io::Error,
    },
}
