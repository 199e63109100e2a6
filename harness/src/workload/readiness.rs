//! Whether the gateway is ready, and how long that is waited for after a disturbance.

use std::time::Duration;

use tokio::time::Instant;

use crate::{clock, session::Context};

/// Maximum time to wait for a gateway before it is given up.
const RECOVERY_LIMIT: Duration = Duration::from_secs(120);
/// The same, when the plan is over: a little longer than the target.
const RECOVERY_LIMIT_AFTERWARDS: Duration = Duration::from_secs(35);
/// Between looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Returns the answer of a gateway that is not ready; none if it is ready.
pub(super) async fn not_ready(context: &Context) -> Option<String> {
    match context.calls.client.ready().await {
        Ok(answer) if context.calls.client.says_ready(&answer) => None,
        Ok(answer) => Some(answer.to_string()),
        Err(trouble) => Some(trouble.text),
    }
}

/// Whether a gateway that was waited for since a moment is given up: after the limit, or sooner if the plan is over.
pub(super) fn given_up(context: &Context, since: Instant) -> bool {
    let waited = clock::now().saturating_duration_since(since);
    let plan_is_over = context.schedule.clock.now_ms() >= context.schedule.plan.duration_ms;
    waited >= if plan_is_over { RECOVERY_LIMIT_AFTERWARDS } else { RECOVERY_LIMIT }
        || context.schedule.stop.is_requested()
}
