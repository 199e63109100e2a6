//! Where a gateway is, and what opens it.

use std::{fmt, net::SocketAddr, sync::Arc};

use http::HeaderValue;
use serde_json::Value;

use super::{dialect::Dialect, local_port::LocalPort, tls::Trust};

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

    /// How connections come to where requests are sent.
    pub(super) fn way(&self) -> Way {
        match self.by_way_of {
            Some(proxy) if self.has_tls() => Way::Tunnel(format!("http://{proxy}")),
            Some(_) => Way::Direct,
            None if is_loopback(&self.url) => Way::Direct,
            None => Way::System,
        }
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> Option<String> {
        let url = url::Url::parse(&self.url).ok()?;
        Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
    }

    /// A text without the token in it.
    #[must_use]
    pub fn without_token(&self, text: String) -> String {
        hide(self.token.as_ref(), text)
    }
}

/// How connections come to the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
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
    host.is_some_and(|host| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

/// What stands where a secret stood.
const HIDDEN: &str = "***";
/// So few characters of a secret at the end of a text may be anything.
const CUT_CHARS_MIN: usize = 4;

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A text without the secret in it: a gateway may repeat what it was sent. JSON may write it with escapes.
    #[must_use]
    pub fn redact(&self, text: &str) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let plain = text.contains(&self.0).then(|| text.replace(&self.0, HIDDEN));
        let left = plain.as_deref().unwrap_or(text);
        let said = left.contains('\\').then(|| serde_json::from_str::<Value>(left).ok()).flatten();
        let said = said.and_then(|mut json| self.redact_json(&mut json).then(|| json.to_string()));
        said.or(plain)
    }

    /// The start of a longer text without the secret in it, nor the start of it at the end.
    #[must_use]
    pub fn redact_start(&self, text: &str) -> String {
        let redacted = self.redact(text).unwrap_or_else(|| text.to_owned());
        let cut = (CUT_CHARS_MIN..self.0.len()).rev().find(|n| redacted.ends_with(&self.0[..*n]));
        cut.map_or_else(|| redacted.clone(), |n| format!("{}{HIDDEN}", &redacted[..redacted.len() - n]))
    }

    /// Whether there was anything to hide.
    fn redact_json(&self, json: &mut Value) -> bool {
        match json {
            Value::String(text) if text.contains(&self.0) => {
                *text = text.replace(&self.0, HIDDEN);
                true
            }
            Value::Array(items) => items.iter_mut().fold(false, |hid, item| hid | self.redact_json(item)),
            Value::Object(fields) => {
                let named = fields.keys().any(|key| key.contains(&self.0));
                if named {
                    let renamed = std::mem::take(fields).into_iter();
                    *fields = renamed.map(|(key, value)| (key.replace(&self.0, HIDDEN), value)).collect();
                }
                fields.values_mut().fold(named, |hid, value| hid | self.redact_json(value))
            }
            _ => false,
        }
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

/// A text from a gateway without the token in it.
pub(super) fn hide(token: Option<&Secret>, text: String) -> String {
    token.and_then(|token| token.redact(&text)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_taken_out_however_json_writes_it() {
        let secret = Secret::new("hunter2/x");
        for (text, redacted) in [
            ("Bearer hunter2/x, hunter2/x", "Bearer ***, ***"),
            (r#"{"status":"\u0068unter2\/x","n":[{"hunter2\/x":1}]}"#, r#"{"n":[{"***":1}],"status":"***"}"#),
            (r#"["hunter2/x","hunter2\/x"]"#, r#"["***","***"]"#),
        ] {
            assert_eq!(Some(redacted), secret.redact(text).as_deref());
        }
        for harmless in ["", "hunter", r#"{"a":"\n"}"#, "\\u0068unter2/"] {
            assert_eq!(None, secret.redact(harmless), "{harmless}");
        }
        assert_eq!(None, Secret::new("").redact("anything"));
    }

    #[test]
    fn a_secret_that_a_text_breaks_off_in_is_taken_out_too() {
        let secret = Secret::new("hunter2");
        let starts = ["hunter2 is", "it is hunter", "it is hunt", "it is hun"].map(|text| secret.redact_start(text));
        assert_eq!(["*** is", "it is ***", "it is ***", "it is hun"].map(str::to_owned), starts);
    }
}
