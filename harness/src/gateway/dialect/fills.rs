//! The values for the places of calls that can be written in several ways.

use serde_json::{Value, json};

use super::Spec;

impl Spec {
    /// The values of a privacy toggle, as flags and as the gateway's word.
    #[must_use]
    pub fn storage(&self, store_plain: bool) -> [(&'static str, Value); 3] {
        let word = &self.habits.storage[usize::from(!store_plain)];
        [("store_plain", json!(store_plain)), ("hash_only", json!(!store_plain)), ("storage", json!(word))]
    }
}

/// The values of added latency, in milliseconds and in seconds.
#[must_use]
pub fn chaos_fill(delay_ms: u64, duration_ms: u64) -> [(&'static str, Value); 4] {
    [
        ("delay_ms", json!(delay_ms)),
        ("duration_ms", json!(duration_ms)),
        ("delay_seconds", seconds(delay_ms)),
        ("duration_seconds", seconds(duration_ms)),
    ]
}

/// A number of seconds, written without a fraction where it is whole: some gateways accept integers only.
fn seconds(ms: u64) -> Value {
    let seconds = ms as f64 / 1_000.0;
    if ms.is_multiple_of(1_000) { json!(ms / 1_000) } else { json!(seconds) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_written_in_milliseconds_and_in_seconds() {
        let values = chaos_fill(250, 120_000).map(|(_, value)| value.to_string());
        assert_eq!(["250", "120000", "0.25", "120"].map(str::to_owned), values);
    }

    #[test]
    fn the_word_of_a_toggle_is_that_of_the_dialect() {
        let dialect = crate::settings::built_in_dialect();
        let mut toggle = dialect.call(super::super::CallName::TogglePrivacy).unwrap().clone();
        toggle.habits.storage = ["on", "off"].map(str::to_owned);
        let written = |store_plain| toggle.storage(store_plain).map(|(_, value)| value);
        assert_eq!([json!(true), json!(false), json!("on")], written(true));
        assert_eq!([json!(false), json!(true), json!("off")], written(false));
    }
}
