//! Text from outside, made fit for a journal, a log and a report: a gateway may answer anything.

/// Limit of a gateway's text, characters.
pub const TEXT_CHARS_MAX: usize = 240;

/// Text cut to [`TEXT_CHARS_MAX`], on one line, with characters that do not print escaped.
#[must_use]
pub fn clip(text: &str) -> String {
    clip_to(text, TEXT_CHARS_MAX)
}

/// The same of any length.
#[must_use]
pub fn one_line(text: &str) -> String {
    clip_to(text, usize::MAX)
}

/// The same, cut to `chars_max` characters of the original.
pub(crate) fn clip_to(text: &str, chars_max: usize) -> String {
    let mut clipped = String::new();
    for (n, c) in text.trim().chars().enumerate() {
        match c {
            _ if n == chars_max => return clipped + "…",
            _ if c.is_control() || is_unseen(c) => clipped.extend(c.escape_default()),
            _ => clipped.push(c),
        }
    }
    clipped
}

/// Whether a character prints as nothing or turns others around, so that a line could read as another: Unicode's
/// `Default_Ignorable_Code_Point`, the marks of direction, lines and annotations.
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        for (text, clipped) in [
            ("\u{1b}[2J\u{1b}[32mok\u{1b}[0m", "\\u{1b}[2J\\u{1b}[32mok\\u{1b}[0m"),
            ("\u{1b}]8;;http://evil\u{7}here", "\\u{1b}]8;;http://evil\\u{7}here"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("half a line\rtest full::kpi::sse_gaps ... ok", "half a line\\rtest full::kpi::sse_gaps ... ok"),
            ("gone\u{8}\u{8}\u{8}\u{8}here\0", "gone\\u{8}\\u{8}\\u{8}\\u{8}here\\u{0}"),
        ] {
            assert_eq!(clipped, clip(text));
        }
    }

    #[test]
    fn no_line_can_be_forged() {
        for line_end in ["\n", "\r\n", "\r", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}"] {
            let clipped = clip(&format!("500{line_end}test full::kpi::sse_gaps ... ok"));
            assert!(clipped.starts_with("500\\") && clipped.lines().count() == 1, "{clipped}");
        }
    }

    #[test]
    fn what_turns_or_hides_text_is_escaped_and_what_people_write_is_not() {
        for hidden in ['\u{202e}', '\u{2066}', '\u{200b}', '\u{200d}', '\u{feff}', '\u{61c}', '\u{ad}', '\u{e0041}'] {
            let clipped = clip(&format!("a{hidden}b"));
            assert_eq!(format!("a{}b", hidden.escape_default()), clipped);
        }
        for plain in ["Grüße, 世界", "مرحبا", "💓 alive", "a\u{a0}b", "{\"error\":\"C:\\\\x\"}", "e\u{301}"]
        {
            assert_eq!(plain, clip(plain));
        }
    }

    #[test]
    fn ten_megabytes_are_cut_to_a_line() {
        for long in ["x".repeat(10_000_000), "\u{202e}".repeat(3_000_000)] {
            let clipped = clip(&long);
            assert!(clipped.ends_with('…') && clipped.len() < 3_000, "{}", clipped.len());
        }
        assert_eq!("x".repeat(TEXT_CHARS_MAX), clip(&format!("  {} \n", "x".repeat(TEXT_CHARS_MAX))));
    }
}
