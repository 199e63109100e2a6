//! The outcome of a call: an answer with any status, or no answer.

use std::{fmt, time::Duration};

use bytes::Bytes;
use serde_json::Value;

use super::Trouble;
use crate::journal::clip;

/// The outcome of a call.
pub type Outcome = Result<Answer, Trouble>;

/// An answer, whatever its status.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    pub(crate) location: Option<String>,
    /// Time that the answer asks to wait before the next request.
    pub(crate) retry_after: Option<Duration>,
    /// Why S2 could not read its body; the body is empty then.
    pub(crate) unread: Option<String>,
    /// Why the request was sent once more, if it was.
    pub(crate) repeated: Option<String>,
    /// Whether its status means yes and its body says no.
    pub(crate) is_denial: bool,
    /// Where a code in the body stands for the status: that code, and the status that was sent.
    pub(crate) code: Option<(String, u16)>,
}

impl Answer {
    /// An answer with nothing but a body.
    pub(crate) fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), ..Self::default() }
    }

    /// Whether the status is one of these, and the body does not say the opposite.
    pub(crate) fn is(&self, statuses: &[u16]) -> bool {
        statuses.contains(&self.status) && !self.is_denial
    }

    /// The status that was sent, whatever a code in the body stands for.
    pub(crate) fn sent_status(&self) -> u16 {
        self.code.as_ref().map_or(self.status, |(_, status)| *status)
    }

    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as text, with a mark for each byte that is not UTF-8.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = &self.body[..self.body.len().min(1_024)];
        let text = clip(&String::from_utf8_lossy(start));
        write!(f, "{}", self.status)?;
        if let Some((code, status)) = &self.code {
            write!(f, " (code {} of a {status})", clip(code))?;
        }
        if let Some(location) = &self.location {
            write!(f, " to '{}'", clip(location))?;
        }
        match &self.unread {
            Some(why) => write!(f, ", with {}", clip(why)),
            None if text.is_empty() => Ok(()),
            None => write!(f, " {text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(status: u16, body: &[u8]) -> String {
        let body = Bytes::copy_from_slice(body);
        Answer::new(status, body).to_string()
    }

    #[test]
    fn an_answer_is_shown_on_one_short_line_whatever_its_body_is() {
        assert_eq!("500 {\"error\":\"no worker\"}", shown(500, b"{\"error\":\"no worker\"}\n"));
        assert_eq!("204", shown(204, b" \r\n"));
        assert_eq!("502 \\u{1b}[2Jok\\n\\ntest full ... ok", shown(502, b"\x1b[2Jok\n\ntest full ... ok"));
        // What is no text is marked, and a character that the cut goes through is no reason to stumble.
        assert_eq!("200 \u{fffd}\u{fffd}a", shown(200, &[0xff, 0xc0, b'a']));
        let long = "é".repeat(5_000_000);
        assert!(shown(200, long.as_bytes()).chars().count() < 300);
        assert!(shown(200, &long.as_bytes()[1..]).chars().count() < 300);
        assert!(shown(200, &vec![0; 10_000_000]).len() < 2_000);
    }
}
