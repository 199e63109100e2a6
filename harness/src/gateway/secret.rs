//! Text that is never shown, and is removed from records: a gateway may repeat a request.

use std::fmt;

/// Text that replaces a secret.
const HIDDEN: &str = "***";
/// Number of characters at the end of a text that make the start of a secret. Fewer may be anything.
const CUT_CHARS_MIN: usize = 4;
/// Mark at the place where a text was cut.
const CUT: char = '…';

/// Text that is never shown. It is removed from records, and not from input: a token may have another meaning.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A text without the secret; none if the text does not contain it. Its characters may be escaped, and its end cut.
    pub(crate) fn redact(&self, text: &str) -> Option<String> {
        let (mut redacted, mut rest, mut is_there) = (String::new(), text, false);
        while let Some(c) = rest.chars().next() {
            let found = self.begins(rest);
            match found {
                Some(_) => redacted.push_str(HIDDEN),
                None => redacted.push(c),
            }
            rest = &rest[found.unwrap_or(c.len_utf8())..];
            is_there |= found.is_some();
        }
        is_there.then_some(redacted)
    }

    /// The length of the secret at the beginning of a text, if it is there; bytes.
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
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// The size of a character at the beginning of a text, if it is there: as text, JSON (RFC 8259, section 7) or URL (RFC
/// 3986, 2.1).
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
