//! A sign of life, every five minutes of scenario.

use futures_util::future::BoxFuture;

use super::place::CycleCursor;
use crate::{
    journal::Finding,
    report::heartbeat_line,
    session::{Context, Fatal, HEARTBEAT_TARGET, Worker},
};

/// The heartbeat.
#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    place: CycleCursor,
}

impl Worker for Heartbeat {
    fn name(&self) -> &'static str {
        "heartbeat"
    }

    fn play(&self, context: Context) -> BoxFuture<'_, Result<(), Fatal>> {
        Box::pin(async move {
            while let Some(due_ms) = context.schedule.plan.heartbeats_ms.get(self.place.next() as u64)
                && context.schedule.until(due_ms).await
            {
                self.place.advance();
                if context.schedule.resumed.has_beaten(due_ms) {
                    continue;
                }
                let open_streams = u32::try_from(context.kept_streams_open()).unwrap_or(u32::MAX);
                let runs_started = context.shared_runs.runs_started();
                let line = heartbeat_line(due_ms / 60_000, u64::from(open_streams), runs_started);
                let live = context.live_url.as_deref().map_or_else(String::new, |url| format!(", live at {url}"));
                tracing::info!(target: HEARTBEAT_TARGET, "{line}{live}");
                context.recorder.incident(Finding::Heartbeat { due_ms, open_streams, runs_started });
            }
            Ok(())
        })
    }
}
