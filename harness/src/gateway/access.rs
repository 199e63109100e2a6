//! Where a gateway is, and what opens it.

use std::{net::SocketAddr, sync::Arc};

use http::HeaderValue;

use super::{dialect::Dialect, local_port::LocalPort, tls::Trust, token::Token};
use crate::tcp::is_this_machine;

/// Where the gateway is, and what opens it.
#[derive(Debug, Clone)]
pub struct GatewayAccess {
    /// Scheme, host and port, without a slash at the end, without user or password.
    pub url: String,
    /// The bearer token, where one is needed.
    pub token: Option<Token>,
    /// The workspace that the soak plays in.
    pub workspace: String,
    /// The gateway's process, where it is on this machine and known.
    pub pid: Option<u32>,
    /// Where it listens on this machine, so that its process is found by that. What `pid` names comes before.
    pub listens_at: Option<LocalPort>,
    /// Whether it is the embedded mock gateway.
    pub embedded: bool,
    /// How it spells the contract.
    pub dialect: Arc<Dialect>,
    /// Whose certificates are trusted.
    pub trust: Trust,
    /// The fault proxy before it, which passes on every byte: connections go there instead, and with TLS they are tunnelled
    /// through it.
    pub by_way_of: Option<SocketAddr>,
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
    #[must_use]
    pub fn base(&self) -> String {
        match (self.by_way_of, url::Url::parse(&self.url)) {
            (Some(proxy), Ok(url)) if !self.has_tls() => format!("http://{proxy}{}", url.path().trim_end_matches('/')),
            _ => self.url.clone(),
        }
    }

    /// The host that requests are for, where they go to another.
    #[must_use]
    pub fn host(&self) -> Option<HeaderValue> {
        self.by_way_of.filter(|_| !self.has_tls())?;
        HeaderValue::from_str(&self.authority()?).ok()
    }

    /// Whether it speaks TLS. What is said to it then, only it can read: no proxy sees more than bytes.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.url.starts_with("https:")
    }

    /// Whether its URL names this machine.
    pub(crate) fn is_on_this_machine(&self) -> bool {
        is_loopback(&self.url)
    }

    /// How connections come to where requests are sent.
    pub(super) fn way(&self) -> ConnectWay {
        match self.by_way_of {
            Some(proxy) if self.has_tls() => ConnectWay::Tunnel(format!("http://{proxy}")),
            Some(_) => ConnectWay::Direct,
            None if self.is_on_this_machine() => ConnectWay::Direct,
            None => ConnectWay::System,
        }
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> Option<String> {
        let url = url::Url::parse(&self.url).ok()?;
        Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
    }
}

/// How connections come to the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ConnectWay {
    /// Straight.
    Direct,
    /// Through a tunnel that the proxy at this URL is asked for.
    Tunnel(String),
    /// Through the proxies that the environment names, if it does.
    System,
}

/// Whether a URL names this machine. What goes there never goes through a proxy of the environment's.
pub(super) fn is_loopback(url: &str) -> bool {
    let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| is_this_machine(&host))
}
