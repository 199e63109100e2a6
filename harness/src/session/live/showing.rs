//! What the live page shows, worked out at most once for all who look.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{task, time::Instant};

use super::super::{
    Recorder, SessionConfig,
    artifacts::{Evaluation, PageView},
};
use crate::{
    clock,
    journal::Header,
    judge::judge,
    report::{live_html, live_json, prometheus_text},
};

/// What is shown is worked out no more often than this.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A soak, as it can be looked at. Pages are drawn on threads of their own: a scheduler that draws lets streams wait.
#[derive(Debug)]
pub(in super::super) struct Showing {
    config: SessionConfig,
    header: Header,
    recorder: Recorder,
    /// What viewers were shown last, and when that was.
    shown: Mutex<Option<(Instant, LiveUpdate)>>,
}

/// What has changed since a viewer last looked.
#[derive(Debug, Clone)]
pub(super) struct LiveUpdate {
    /// What it is up to.
    pub(super) version: u64,
    pub(super) json: Arc<str>,
}

impl Showing {
    pub(in super::super) fn new(config: SessionConfig, header: Header, recorder: Recorder) -> Self {
        Self { config, header, recorder, shown: Mutex::default() }
    }

    /// The whole page.
    pub(super) async fn page(self: Arc<Self>) -> String {
        task::spawn_blocking(move || self.view().draw(live_html)).await.unwrap_or_default()
    }

    /// What is new since a version of the record; none where nothing is.
    pub(super) async fn update(self: Arc<Self>, seen: Option<u64>) -> Option<LiveUpdate> {
        let version = self.recorder.with_history(|history| history.charts.version());
        if seen == Some(version) {
            return None;
        }
        let update = task::spawn_blocking(move || self.fresh(version)).await.ok()?;
        (seen != Some(update.version)).then_some(update)
    }

    /// What there is to show: what was shown last, where that is of this version or of a moment ago.
    fn fresh(&self, version: u64) -> LiveUpdate {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::now();
        if let Some((at, known)) = &*shown
            && (known.version >= version || now.saturating_duration_since(*at) < LOOK_EVERY)
        {
            return known.clone();
        }
        let view = self.view();
        let update = LiveUpdate { version: view.version(), json: view.draw(live_json).into() };
        *shown = Some((now, update.clone()));
        update
    }

    fn view(&self) -> PageView {
        let (config, header) = (self.config.clone(), self.header.clone());
        self.recorder.with_history(|history| {
            let said = Evaluation::of(&config, history);
            PageView { config, header, said, series: history.charts.clone(), timeline: history.timeline.clone() }
        })
    }

    pub(super) async fn prometheus(self: Arc<Self>) -> String {
        let scrape = move || {
            let plan = &self.config.plan;
            self.recorder.with_history(|history| {
                let verdicts = judge(plan, &self.config.targets, history);
                prometheus_text(plan.suite, plan.duration_ms, history, &verdicts)
            })
        };
        task::spawn_blocking(scrape).await.unwrap_or_default()
    }
}
