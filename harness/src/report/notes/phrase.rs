//! Parts of sentences that several notes have.

use super::super::number;
use crate::plan::moment;

pub(super) fn stood_still(until_ms: u64, stalled_ms: u64) -> String {
    let (seconds, until) = (number::seconds(stalled_ms), moment(until_ms));
    format!("the session stood still for {seconds:.1} s, to {until}: it was stopped, or got no processor")
}

/// Whole milliseconds, at least one: delays are not known more precisely.
pub(super) fn whole(ms: f64) -> String {
    format!("{:.0} ms", ms.max(1.0))
}

pub(super) fn in_brackets(text: Option<String>) -> String {
    text.map_or_else(String::new, |text| format!(" ({text})"))
}

pub(super) fn joined<T>(of: &[T], by: &str, text: impl Fn(&T) -> String) -> String {
    of.iter().map(text).collect::<Vec<_>>().join(by)
}
