//! The gateway is disturbed. The effect must be visible, and the gateway must become ready again.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::checks::{Check, LOOK_EVERY, PATIENCE};
use crate::{
    catalog::{CallName, Chaos},
    clock,
    gateway::{Connection, dialect::chaos_fill},
    plan::millis,
};

/// Between looks for the effect of a restart, which may be short.
const RESTART_LOOK_EVERY: Duration = Duration::from_millis(50);

impl Check<'_> {
    async fn is_ready(&self) -> bool {
        self.client.ready().await.is_ok_and(|answer| self.client.says_ready(&answer))
    }

    /// Disturbs the gateway, and waits until it is ready again.
    pub(super) async fn disturb(&mut self, call: CallName) -> Option<()> {
        // Without readiness now, the gateway's recovery could not be seen.
        if !self.is_ready().await {
            self.call(CallName::Ready, &[]).await?;
            let what = "the gateway does not say that it is ready, so nothing was disturbed";
            return self.fail(what, &["calls.ready.yes"], None);
        }
        let stream = self.stream_to_be_cut(call).await;
        let added_ms = millis(self.settings.scenario.chaos.latency_added);
        self.call(call, &chaos_fill(added_ms, 2_000)).await?;
        let accepted_at = clock::now();
        if call != CallName::Latency {
            self.restart_shows(call, stream, accepted_at).await?;
        }
        let limit: Instant = clock::now() + PATIENCE;
        let mut in_a_row = 0;
        while in_a_row < 3 && clock::now() < limit {
            in_a_row = if self.is_ready().await { in_a_row + 1 } else { 0 };
            sleep(LOOK_EVERY).await;
        }
        if in_a_row < 3 {
            let what = format!("the gateway was not ready again within {} s", PATIENCE.as_secs());
            self.wrong(what, &["calls.ready.path", "calls.ready.yes"], None);
        }
        Some(())
    }

    /// A stream that a restart drops; none if the gateway does not open any.
    async fn stream_to_be_cut(&self, call: CallName) -> Option<Connection> {
        if call == CallName::Latency || !self.dialect().has(CallName::LogsStream) {
            return None;
        }
        self.connect(CallName::LogsStream, None).await.ok()
    }

    /// Waits for the effect of a restart: a soak plays only restarts with a visible effect.
    async fn restart_shows(
        &mut self,
        call: CallName,
        mut stream: Option<Connection>,
        accepted_at: Instant,
    ) -> Option<()> {
        let limit = self.dialect().limits.restart_effect;
        let lost = async {
            while self.is_ready().await {
                sleep(RESTART_LOOK_EVERY).await;
            }
            "readiness was lost"
        };
        let cut = async {
            match &mut stream {
                Some(stream) => while stream.next().await.is_ok() {},
                None => std::future::pending().await,
            }
            "a stream was cut"
        };
        let shown = tokio::select! {
            what = lost => Some(what),
            what = cut => Some(what),
            () = sleep(limit) => None,
        };
        let waited_ms = millis(clock::now().saturating_duration_since(accepted_at));
        let came = shown.map_or_else(|| "nothing was seen".to_owned(), |what| format!("{what} after {waited_ms} ms"));
        self.attempts.came("(what the restart does)".to_owned(), came);
        if shown.is_some() {
            return Some(());
        }
        let chaos = if call == CallName::RedisRestart { Chaos::RedisRestart } else { Chaos::GatewayRestart };
        let what = format!(
            "the restart was accepted, and within {} s neither was readiness lost nor did a stream drop",
            limit.as_secs()
        );
        let hint = format!(
            "if it takes longer: [limits] restart_effect; if nothing of it can be seen from outside, in soak.toml: \
             [w6_light_chaos.{chaos}] lever = \"none\" and a reason"
        );
        self.fail(what, &["limits.restart_effect"], Some(hint))
    }
}
