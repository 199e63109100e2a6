//! When two different texts are the same log line: one of them is cut, or has a prefix that the other lacks.
//!
//! A record may keep the first 2,048 characters of a line, may put the time and the level before it, may fold white
//! space. A text that differs in any other way is another line. The rule applies only to lines without an exact
//! partner, and each line has at most one partner. So it hides no lost line: that leaves a line of the record without
//! any partner.

/// A cut text without any mark of the cut has at least this many characters in common with the whole.
const UNMARKED_CHARS_MIN: usize = 16;
/// A cut text with a mark has at least this many.
const MARKED_CHARS_MIN: usize = 4;
/// Maximum length of the mark of a cut: `… [1,234 more characters]`.
const MARK_CHARS_MAX: usize = 64;
/// Maximum length of a prefix: `2026-11-28T10:00:00.000000+00:00 [worker-3] INFO module.name: `.
const PREFIX_CHARS_MAX: usize = 96;

/// Words that say that something was cut.
const CUT_WORDS: [&str; 8] = ["trunc", "cut", "more", "omitted", "elided", "snip", "chars", "bytes"];

/// A text as it is compared: white space folded, colours of terminals taken out.
pub(super) fn folded(text: &str) -> Vec<char> {
    let mut folded = Vec::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' && chars.next_if_eq(&'[').is_some() {
            // A control sequence ends with a letter.
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else if !c.is_whitespace() {
            folded.push(c);
        } else if folded.last().is_some_and(|last| *last != ' ') {
            folded.push(' ');
        }
    }
    folded.pop_if(|last| *last == ' ');
    folded
}

/// Whether two folded texts are the same line.
pub(super) fn is_alike(one: &[char], other: &[char]) -> bool {
    one == other || begins_within(one, other) || begins_within(other, one)
}

/// Whether `line` begins somewhere in the first characters of `framed`, and goes on alike up to a cut of either.
fn begins_within(line: &[char], framed: &[char]) -> bool {
    let starts = 0..=PREFIX_CHARS_MAX.min(framed.len());
    starts.filter(|start| *start == 0 || !framed[start - 1].is_alphanumeric()).any(|start| {
        let rest = &framed[start..];
        let common = line.iter().zip(rest).take_while(|(a, b)| a == b).count();
        let (line_rest, framed_rest) = (&line[common..], &rest[common..]);
        if line_rest.is_empty() && framed_rest.is_empty() {
            // A whole line behind a prefix.
            return common > 0;
        }
        is_cut(line_rest, common) || is_cut(framed_rest, common)
    })
}

/// Whether a text with this rest ends by a cut, after `common` characters in common with the whole.
fn is_cut(rest: &[char], common: usize) -> bool {
    if rest.is_empty() {
        return common >= UNMARKED_CHARS_MIN;
    }
    common >= MARKED_CHARS_MIN && rest.len() <= MARK_CHARS_MAX && is_mark(&rest.iter().collect::<String>())
}

/// Whether a text says that something was cut: an ellipsis, or words in brackets.
fn is_mark(text: &str) -> bool {
    let text = text.trim();
    let after_ellipsis = text.trim_start_matches(['…', '.']).trim();
    let has_ellipsis = text.starts_with('…') || text.starts_with("...");
    if after_ellipsis.is_empty() {
        return has_ellipsis;
    }
    let lower = after_ellipsis.to_lowercase();
    let is_in_brackets = lower.starts_with(['[', '(', '<', '{', '*']) && lower.ends_with([']', ')', '>', '}', '*']);
    (has_ellipsis || is_in_brackets) && CUT_WORDS.iter().any(|word| lower.contains(word))
        || lower == "[...]"
        || lower == "[…]"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(one: &str, other: &str) -> bool {
        let alike = is_alike(&folded(one), &folded(other));
        assert_eq!(alike, is_alike(&folded(other), &folded(one)), "{one} and {other}");
        alike
    }

    #[test]
    fn a_line_that_is_cut_is_the_same_line() {
        let whole = "a line that goes on and on, item by item, until nobody reads it any more";
        for mark in
            ["", "…", "...", " …", " [truncated]", "... (truncated)", "…[23 more characters]", "<cut>", " [...]"]
        {
            assert!(alike(whole, &format!("{}{mark}", &whole[..40])), "{mark}");
        }
        assert!(alike("step 1 of many", "step 1 of…"));
        assert!(alike(&"é".repeat(3_000), &format!("{}…", "é".repeat(2_048))));
    }

    #[test]
    fn a_line_with_a_prefix_is_the_same_line() {
        for prefix in
            ["INFO ", "[info] ", "2026-11-28T10:00:00.123Z ", "2026-11-28 10:00:00 [worker-3] INFO run.py: ", "info:"]
        {
            assert!(alike("it starts", &format!("{prefix}it starts")), "{prefix}");
            assert!(alike(&"x".repeat(300), &format!("{prefix}{}…", "x".repeat(200))), "cut behind {prefix}");
        }
    }

    #[test]
    fn white_space_and_colours_are_not_compared() {
        assert!(alike("two\r\nlines ", "two\nlines"));
        assert!(alike("a\tb   c", "a b c"));
        assert!(alike("\u{1b}[32mgreen\u{1b}[0m", "green"));
    }

    #[test]
    fn another_line_is_another_line() {
        assert!(!alike("step 1", "step 10"), "a short text is not taken for a cut one");
        assert!(!alike("it starts", "it ends"));
        assert!(!alike("item 49 of 1200 is done", "item 4 of 1200 is done"));
        assert!(!alike("restarts", "starts"), "a prefix ends before a word");
        assert!(!alike("", "a line"));
        assert!(!alike("a line that ends here [done]", "a line that ends here and goes on"), "no mark of a cut");
        assert!(!alike(&"a ".repeat(200), "b"));
    }
}
