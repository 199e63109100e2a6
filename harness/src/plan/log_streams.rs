//! The workspace log streams: what each is called, and which of them asks for content codings.

/// Which of so many asks for content codings, as a browser does: the last, so that there is one that does not.
#[must_use]
pub const fn asks_as_a_browser(number: usize, streams: usize) -> bool {
    streams > 1 && number + 1 == streams
}

/// The name of stream `number` of `streams`.
#[must_use]
pub fn log_stream_name(number: usize, streams: usize) -> String {
    if asks_as_a_browser(number, streams) {
        return format!("{number} (asks for gzip, deflate, br as a browser does)");
    }
    number.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_several_streams_asks_as_a_browser_does_and_says_so() {
        assert!(!asks_as_a_browser(0, 1) && asks_as_a_browser(1, 2) && !asks_as_a_browser(0, 2));
        assert_eq!("18", log_stream_name(18, 20));
        assert_eq!("19 (asks for gzip, deflate, br as a browser does)", log_stream_name(19, 20));
    }
}
