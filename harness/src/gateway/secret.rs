//! Text that is never shown, and how it is taken out of what is recorded: a gateway may repeat what it was sent.

use std::fmt;

/// Text that replaces a secret.
const HIDDEN: &str = "***";
/// So few characters of a secret at the end of a text may be anything.
const CUT_CHARS_MIN: usize = 4;
/// Mark at the place where a text was cut.
const CUT: char = '…';

/// Text that is never shown. It is taken out where a text is recorded, and not before it is read: a token may be a word that
/// a gateway needs for something else, too.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A text without the secret in it, none where it has none. JSON and URLs may write a character with an escape, and a cut
    /// may have left no more than its start.
    #[must_use]
    pub fn redact(&self, text: &str) -> Option<String> {
        let (mut redacted, mut rest, mut is_there) = (String::new(), text, false);
        while let Some(c) = rest.chars().next() {
            if let Some(bytes) = self.begins(rest) {
                redacted.push_str(HIDDEN);
                rest = &rest[bytes..];
                is_there = true;
            } else {
                redacted.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        is_there.then_some(redacted)
    }

    /// How many bytes the secret takes with which a text begins.
    fn begins(&self, text: &str) -> Option<usize> {
        let mut rest = text;
        for (n, c) in self.0.chars().enumerate() {
            match written(rest, c) {
                Some(bytes) => rest = &rest[bytes..],
                None if n >= CUT_CHARS_MIN && (rest.is_empty() || rest.starts_with(CUT)) => break,
                None => return None,
            }
        }
        Some(text.len() - rest.len()).filter(|bytes| *bytes > 0)
    }

    /// The text itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// How many bytes a character takes that a text begins with: as it is, or as JSON (RFC 8259, section 7) or a URL (RFC 3986,
/// section 2.1) may write it.
fn written(text: &str, c: char) -> Option<usize> {
    if text.starts_with(c) {
        return Some(c.len_utf8());
    }
    let of_code = |digits: &str| u32::from_str_radix(digits, 16).is_ok_and(|code| code == u32::from(c));
    if let Some(escaped) = text.strip_prefix('\\') {
        let is_code = || escaped.strip_prefix('u').and_then(|rest| rest.get(..4)).is_some_and(of_code);
        return if escaped.starts_with(c) { Some(1 + c.len_utf8()) } else { is_code().then_some(6) };
    }
    text.strip_prefix('%').and_then(|rest| rest.get(..2)).is_some_and(of_code).then_some(3)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_taken_out_however_it_is_written() {
        let secret = Secret::new("hunter2/x");
        for (text, redacted) in [
            ("Bearer hunter2/x, hunter2/x", "Bearer ***, ***"),
            (r#"401 {"status":"\u0068unter2\/x","n":[{"hunter2\/x":1}]}"#, r#"401 {"status":"***","n":[{"***":1}]}"#),
            ("/login?token=hunter2%2Fx&a=%2f", "/login?token=***&a=%2f"),
            ("hhunter2/xx", "h***x"),
        ] {
            assert_eq!(Some(redacted), secret.redact(text).as_deref());
        }
        for harmless in ["", "hunter is", r#"{"a":"\n"}"#, "\\u0068unter2/y", "hunter2 /x", "%68", "\\u00é", "%é"] {
            assert_eq!(None, secret.redact(harmless), "{harmless}");
        }
        assert_eq!(None, Secret::new("").redact("anything"));
    }

    #[test]
    fn the_start_of_a_secret_that_a_cut_left_is_taken_out_too() {
        let secret = Secret::new("hunter2");
        for (text, redacted) in [
            ("hunter2 is", Some("*** is")),
            ("it is hunter", Some("it is ***")),
            ("it is hunt…", Some("it is ***…")),
            ("it is hun", None),
            ("the hunt is on", None),
        ] {
            assert_eq!(redacted, secret.redact(text).as_deref(), "{text}");
        }
    }
}
