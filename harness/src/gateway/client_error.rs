//! Why a client cannot be built.

/// The client cannot be built: the harness's own trouble, not the gateway's.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The token cannot be sent.
    #[error("S2_TOKEN cannot be sent as a header: it holds a line break or a character outside ASCII")]
    Token,
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}; without certificates on this machine, S2_CA_FILE may name some")]
    Tls(#[from] rustls::Error),
}
