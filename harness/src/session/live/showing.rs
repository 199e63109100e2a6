//! Contents of the live page, computed at most once for all viewers.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{task, time::Instant};

use super::super::{Recorder, SessionConfig, artifacts::Evaluation};
use crate::{
    clock,
    journal::Header,
    report::{FileInput, live_html, live_json, prometheus_text},
    results::{Results, Stage},
};

/// Minimum time between two computations of the contents.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A soak for viewers. Pages are drawn on threads of their own: a scheduler that draws lets streams wait.
#[derive(Debug)]
pub(in super::super) struct Showing {
    config: SessionConfig,
    header: Header,
    recorder: Recorder,
    /// The last contents, and their time.
    shown: Mutex<Option<(Instant, LiveUpdate)>>,
}

/// Changes since a viewer last looked.
#[derive(Debug, Clone)]
pub(super) struct LiveUpdate {
    /// Version of the record that it includes.
    pub(super) version: u64,
    pub(super) json: Arc<str>,
}

impl Showing {
    pub(in super::super) fn new(config: SessionConfig, header: Header, recorder: Recorder) -> Self {
        Self { config, header, recorder, shown: Mutex::default() }
    }

    pub(super) async fn page(self: Arc<Self>) -> String {
        task::spawn_blocking(move || self.draw(live_html).1).await.unwrap_or_default()
    }

    /// Returns the update since a version of the record; none if nothing is new.
    pub(super) async fn update(self: Arc<Self>, seen: Option<u64>) -> Option<LiveUpdate> {
        let version = self.recorder.with_history(|history| history.charts.version());
        if seen == Some(version) {
            return None;
        }
        let update = task::spawn_blocking(move || self.fresh(version)).await.ok()?;
        (seen != Some(update.version)).then_some(update)
    }

    /// Returns the present contents. The last contents are used again if they are of this version or of a moment ago.
    fn fresh(&self, version: u64) -> LiveUpdate {
        let mut shown = self.shown.lock();
        let now = clock::now();
        if let Some((at, known)) = &*shown
            && (known.version >= version || now.saturating_duration_since(*at) < LOOK_EVERY)
        {
            return known.clone();
        }
        let (version, json) = self.draw(live_json);
        let update = LiveUpdate { version, json: json.into() };
        *shown = Some((now, update.clone()));
        update
    }

    /// Draws the soak, and gives the version of the record. It draws from a copy, so that no measurement waits for it.
    fn draw(&self, page: fn(&FileInput<'_>) -> String) -> (u64, String) {
        let (evaluation, series, timeline) = self.recorder.with_history(|history| {
            let evaluation = Evaluation::of(&self.config, history, Stage::Playing);
            (evaluation, history.charts.clone(), history.timeline.clone())
        });
        (series.version(), page(&evaluation.with(&self.config, &self.header, (&series, &timeline))))
    }

    pub(super) async fn prometheus(self: Arc<Self>) -> String {
        let scrape = move || {
            let SessionConfig { plan, targets, waivers, .. } = &self.config;
            self.recorder.with_history(|history| {
                let results = Results::of(plan, targets, history, waivers, Stage::Playing);
                prometheus_text(&results, plan.duration_ms, history)
            })
        };
        task::spawn_blocking(scrape).await.unwrap_or_default()
    }
}
