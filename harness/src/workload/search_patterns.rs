//! Texts that must not show, in every spelling.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::gateway::json_contains;

/// Characters of a text's beginning that must not show: of a canary "canary-" and 8 digits, which no other has.
const BEGINNING_CHARS: usize = 15;
/// Characters of its end that must not show: of a canary the last 12 digits.
const END_CHARS: usize = 12;

/// The texts that are searched for, in lower case.
#[derive(Debug, Clone, Default)]
pub(super) struct SearchPatterns(Vec<String>);

impl SearchPatterns {
    /// The text, and the same without spaces and dashes, which a gateway may have removed.
    pub(super) fn verbatim(text: &str) -> Self {
        let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        Self(vec![text.to_lowercase(), bare.to_lowercase()])
    }

    /// The text, its beginning and its end, each in every spelling that can be read again (a hash cannot): a line that
    /// shows a message may break off in it, or begin in it.
    pub(super) fn readable(text: &str) -> Self {
        let beginning: String = text.chars().take(BEGINNING_CHARS).collect();
        let end: String = text.chars().skip(text.chars().count().saturating_sub(END_CHARS)).collect();
        Self([text, &beginning, &end].into_iter().flat_map(spellings).collect())
    }

    /// Whether one of them is in a text, or in the strings of a text that is JSON with escapes.
    pub(super) fn are_in(&self, text: &str) -> bool {
        let lower = text.to_lowercase();
        let json = || serde_json::from_str(text).is_ok_and(|json| json_contains(&json, &self.0));
        self.0.iter().any(|pattern| lower.contains(pattern.as_str())) || json()
    }
}

/// A text plain, reversed, in hex, and in Base64.
fn spellings(text: &str) -> impl Iterator<Item = String> {
    let hex: String = text.bytes().map(|b| format!("{b:02x}")).collect();
    let reversed: String = text.chars().rev().collect();
    // In a longer text Base64 shifts with its start. Digits that hold only bits of the text are always the same.
    let bytes = text.len();
    let shifted = (0..3).filter_map(move |shift: usize| {
        let encoded = STANDARD.encode([&b"\0\0"[..shift], text.as_bytes()].concat());
        encoded.get((8 * shift).div_ceil(6)..8 * (shift + bytes) / 6).map(str::to_lowercase)
    });
    [text.to_lowercase(), reversed.to_lowercase(), hex].into_iter().chain(shifted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "canary-a937fb500c1d4e6f8a2b91d7e35fc046";

    fn encodings(text: &str) -> [String; 5] {
        let hex: String = text.bytes().map(|b| format!("{b:02X}")).collect();
        // As a part of a longer text, at each of the places that Base64 tells apart.
        let inside = |before: &str| STANDARD.encode(format!("{before}{text}…"));
        [text.to_owned(), text.chars().rev().collect(), hex, inside("so "), inside("say: ")]
    }

    #[test]
    fn a_preview_that_breaks_off_in_the_canary_or_begins_in_it_is_found_however_it_is_written() {
        let patterns = SearchPatterns::readable(CANARY);
        for shows in 15..=CANARY.len() {
            for text in encodings(&CANARY[..shows]) {
                assert!(patterns.are_in(&format!("processing: The code word is {text}…")), "{text}");
            }
        }
        for hidden in 0..=CANARY.len() - 12 {
            for text in encodings(&CANARY[hidden..]) {
                assert!(patterns.are_in(&format!("{{\"tail\":\"…{text}, keep it\"}}")), "{text}");
            }
        }
    }

    #[test]
    fn base64_of_a_cut_canary_is_found_wherever_it_begins() {
        let patterns = SearchPatterns::readable(CANARY);
        for before in ["", "a", "ab", "The code word is "] {
            for cut in [&CANARY[..15], &CANARY[27..], CANARY] {
                let encoded = STANDARD.encode(format!("{before}{cut}"));
                assert!(patterns.are_in(&encoded), "{before}{cut}: {encoded}");
            }
        }
    }

    #[test]
    fn other_canaries_and_cuts_that_show_next_to_nothing_are_not_found() {
        let patterns = SearchPatterns::readable(CANARY);
        for _ in 0..1_000 {
            for text in encodings(&format!("canary-{}", uuid::Uuid::new_v4().simple())) {
                assert!(!patterns.are_in(&text), "{text}");
            }
        }
        for text in ["The code word is canary-…", "canary-a937…", "canary-a937fb5", "privacy-canary", "…35fc046"]
        {
            assert!(!patterns.are_in(text), "{text}");
        }
    }

    #[test]
    fn of_personal_data_only_the_whole_is_looked_for() {
        let patterns = SearchPatterns::verbatim("4111 1111 1000 0019");
        assert!(patterns.are_in("card 4111111110000019") && patterns.are_in("card 4111 1111 1000 0019"));
        assert!(!patterns.are_in("card 4111 1111 1000") && !patterns.are_in("ends in 1000 0019"));
    }
}
