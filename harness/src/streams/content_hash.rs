//! The content hash of lines and events: XXH3, 64 bits.

use twox_hash::XxHash3_64;

/// The content hash of a text.
pub fn content_hash(text: &str) -> u64 {
    XxHash3_64::oneshot(text.as_bytes())
}

/// The content hash of an event: of its timestamp, seeded with the content hash of the rest of its data.
pub fn event_hash(stamp: &str, unstamped_hash: u64) -> u64 {
    XxHash3_64::oneshot_with_seed(unstamped_hash, stamp.as_bytes())
}

/// The hash of the n-th event of a content.
pub(super) fn nth_hash(content: u64, number: u32) -> u64 {
    XxHash3_64::oneshot_with_seed(content, &number.to_le_bytes())
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

    #[test]
    fn an_event_is_its_timestamp_and_its_data() {
        let hash = |stamp, unstamped| event_hash(stamp, content_hash(unstamped));
        assert_eq!(hash("noon", "a"), hash("noon", "a"));
        assert_ne!(hash("noon", "a"), hash("noon", "b"));
        assert_ne!(hash("noon", "a"), hash("later", "a"));
        assert_ne!(hash("no", "ona"), hash("noon", "a"));
        assert_ne!(nth_hash(hash("noon", "a"), 2), nth_hash(hash("noon", "a"), 3));
    }
}
