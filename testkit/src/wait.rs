//! Waits for a condition.

use std::{thread, time::Duration};

use s2_harness::clock;

use crate::AnyError;

/// Between looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits until a condition gives a value.
///
/// # Errors
///
/// It gives none within the limit. The error names the condition.
pub fn wait<T>(condition: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> Result<T, AnyError> {
    let began = clock::now();
    loop {
        if let Some(value) = look() {
            return Ok(value);
        }
        if clock::now().saturating_duration_since(began) > limit {
            return Err(format!("not within {} s: {condition}", limit.as_secs()).into());
        }
        thread::sleep(LOOK_EVERY);
    }
}
