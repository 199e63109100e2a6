//! The end of a soak that is being played.

use std::{thread, time::Duration};

use s2_harness::clock;

use crate::soak::{AnyError, Left, Playing};

/// Between looks at the runner.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Waits for the runner's end; an error where something hangs.
pub(crate) fn left_within(limit: Duration, mut playing: Playing) -> Result<Left, AnyError> {
    let began = clock::now();
    loop {
        if let Some(left) = playing.ended()? {
            return Ok(left);
        }
        if clock::now().saturating_duration_since(began) > limit {
            return Err(format!("{} was not over within {} s", playing.out().display(), limit.as_secs()).into());
        }
        thread::sleep(LOOK_EVERY);
    }
}
