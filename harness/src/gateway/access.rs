//! The place of a gateway, and how it is opened.

use std::{net::SocketAddr, sync::Arc};

use http::HeaderValue;

use super::{dialect::Dialect, local_port::LocalPort, tls::Trust, token::Token};
use crate::tcp::{is_this_machine, sources_to};

/// The place of a gateway, and how it is opened.
#[derive(Debug, Clone)]
pub struct GatewayAccess {
    /// Scheme, host and port, without a slash at the end, without user or password.
    pub(crate) url: String,
    pub(crate) token: Option<Token>,
    pub(crate) workspace: String,
    /// The gateway's process, where it is on this machine and known.
    pub(crate) pid: Option<u32>,
    /// Its port on this machine, by which its process is found where `pid` names none.
    pub(crate) listens_at: Option<LocalPort>,
    /// Whether it is the embedded mock gateway.
    pub(crate) embedded: bool,
    pub(crate) dialect: Arc<Dialect>,
    pub(crate) trust: Trust,
    /// The fault proxy before it: connections go there instead, and with TLS they are tunnelled through it.
    pub(crate) by_way_of: Option<SocketAddr>,
}

impl GatewayAccess {
    /// A gateway of a test's: no token, the built-in dialect.
    #[cfg(test)]
    pub(crate) fn of_test(url: String) -> Self {
        Self {
            url,
            token: None,
            workspace: "s2-soak".into(),
            pid: None,
            listens_at: None,
            embedded: false,
            dialect: Arc::new(crate::settings::built_in_dialect()),
            trust: Trust::default(),
            by_way_of: None,
        }
    }

    /// The URL that requests are sent to.
    pub(crate) fn base(&self) -> String {
        match (self.by_way_of, url::Url::parse(&self.url)) {
            (Some(proxy), Ok(url)) if !self.has_tls() => format!("http://{proxy}{}", url.path().trim_end_matches('/')),
            _ => self.url.clone(),
        }
    }

    /// The host that requests are for, where they go to another.
    pub(crate) fn host(&self) -> Option<HeaderValue> {
        self.by_way_of.filter(|_| !self.has_tls())?;
        HeaderValue::from_str(&self.authority()?).ok()
    }

    /// Whether it speaks TLS: a proxy then sees bytes only.
    pub(crate) fn has_tls(&self) -> bool {
        self.url.starts_with("https:")
    }

    /// Number of addresses of this machine from which connections to the gateway come.
    pub(crate) fn source_addresses(&self) -> u8 {
        let url = url::Url::parse(&self.url).ok();
        url.as_ref().and_then(url::Url::host_str).map_or(1, sources_to)
    }

    /// The URL of the proxy that connections ask for a tunnel.
    pub(super) fn tunnel(&self) -> Option<String> {
        self.by_way_of.filter(|_| self.has_tls()).map(|proxy| format!("http://{proxy}"))
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> Option<String> {
        let url = url::Url::parse(&self.url).ok()?;
        Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
    }
}

/// Whether a URL names this machine. Requests to it never go through a proxy of the environment's.
pub(super) fn is_loopback(url: &str) -> bool {
    let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| is_this_machine(&host))
}
