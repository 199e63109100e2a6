//! What streams delivered of a run, compared with the run's own record.
//!
//! - [`Lines`]: the log lines that streams delivered, with multiplicity, in bounded memory.
//! - [`compare`]: those lines against the lines of the record.
//! - `alike`: when two different texts are the same line, because one of the two is cut or has a prefix.
//!
//! One content hash serves all comparisons: XXH3 (64 bits). It is stable across builds and machines, which the standard
//! library's hasher does not promise.

mod alike;
mod compare;
mod lines;

pub use compare::{LineComparison, RepeatedLine, compare};
pub use lines::Lines;

/// The content hash of a text.
#[must_use]
pub fn content_hash(text: &str) -> u64 {
    twox_hash::XxHash3_64::oneshot(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_hash_is_xxh3_of_64_bits() {
        // Known values of the reference implementation. Other builds compare theirs with these.
        assert_eq!(0x2d06_8005_38d3_94c2, content_hash(""));
        assert_eq!(0xe6c6_32b6_1e96_4e1f, content_hash("a"));
    }
}
