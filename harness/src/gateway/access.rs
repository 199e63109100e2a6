//! Where a gateway is, and what opens it.

use std::fmt;

/// Where the gateway is, and what opens it.
#[derive(Debug, Clone)]
pub struct GatewayAccess {
    /// Scheme, host and port, without a slash at the end, without user or password.
    pub url: String,
    /// The bearer token, where one is needed.
    pub token: Option<Secret>,
    /// The workspace that the soak plays in.
    pub workspace: String,
    /// The gateway's process, where it is on this machine and known.
    pub pid: Option<u32>,
    /// Whether it is the embedded mock gateway.
    pub embedded: bool,
}

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A text without the secret in it: a gateway may repeat what it was sent.
    #[must_use]
    pub fn redact(&self, text: &str) -> Option<String> {
        (!self.0.is_empty() && text.contains(&self.0)).then(|| text.replace(&self.0, "***"))
    }

    /// The text itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
