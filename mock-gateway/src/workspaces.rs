//! Settings of a workspace: its plan, and whether it may keep plain text.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock;

/// There are as many workspaces as there may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The workspaces of which something was settled; every other one keeps plain text.
pub(crate) struct Workspaces {
    capacity: usize,
    privacy_delay: Duration,
    by_id: Mutex<HashMap<String, Workspace>>,
}

#[derive(Default)]
struct Workspace {
    plan: String,
    privacy: Option<Privacy>,
}

/// Form in which a workspace keeps the inputs of its runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Privacy {
    /// Setting that holds from a moment on: only hashes, or plain text.
    pub(crate) hash_only: bool,
    pub(crate) from: Instant,
    /// Setting that holds until then.
    pub(crate) hash_only_before: bool,
}

impl Privacy {
    fn is_hash_only(&self, now: Instant) -> bool {
        if self.from <= now { self.hash_only } else { self.hash_only_before }
    }
}

impl Workspace {
    fn is_hash_only(&self, now: Instant) -> bool {
        self.privacy.is_some_and(|privacy| privacy.is_hash_only(now))
    }
}

impl Workspaces {
    pub(crate) fn new(capacity: usize, privacy_delay: Duration) -> Self {
        Self { capacity, privacy_delay, by_id: Mutex::default() }
    }

    /// Makes room for a workspace, of which something is to be settled.
    pub(crate) fn admit(&self, id: &str) -> Result<(), Full> {
        let mut by_id = self.lock();
        if !by_id.contains_key(id) && by_id.len() >= self.capacity {
            return Err(Full);
        }
        by_id.entry(id.to_owned()).or_default();
        Ok(())
    }

    pub(crate) fn set_plan(&self, id: &str, plan: &str) {
        plan.clone_into(&mut self.lock().entry(id.to_owned()).or_default().plan);
    }

    pub(crate) fn set_privacy(&self, id: &str, privacy: Privacy) {
        self.lock().entry(id.to_owned()).or_default().privacy = Some(privacy);
    }

    /// Returns the privacy of a workspace after a toggle. The toggle takes effect after the privacy delay.
    pub(crate) fn toggled(&self, id: &str, hash_only: bool) -> Privacy {
        let hash_only_before = self.is_hash_only(id);
        Privacy { hash_only, from: clock::now() + self.privacy_delay, hash_only_before }
    }

    /// Whether a run created now keeps only hashes of what it is given.
    pub(crate) fn is_hash_only(&self, id: &str) -> bool {
        let now = clock::now();
        self.lock().get(id).is_some_and(|workspace| workspace.is_hash_only(now))
    }

    /// Forgets all that was settled: by a defect, or since the store did.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Workspace>> {
        self.by_id.lock().expect("no holder panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_toggle_takes_effect_after_its_delay_and_back_again() {
        let delay = Duration::from_millis(250);
        let workspaces = Workspaces::new(2, delay);
        let toggle = |hash_only| workspaces.set_privacy("w", workspaces.toggled("w", hash_only));
        assert!(!workspaces.is_hash_only("w"));
        toggle(true);
        assert!(!workspaces.is_hash_only("w"));
        tokio::time::advance(delay).await;
        assert!(workspaces.is_hash_only("w"));
        toggle(false);
        assert!(workspaces.is_hash_only("w"));
        tokio::time::advance(delay).await;
        assert!(!workspaces.is_hash_only("w"));
    }

    #[test]
    fn no_more_workspaces_are_settled_than_allowed() {
        let workspaces = Workspaces::new(1, Duration::ZERO);
        assert_eq!(workspaces.admit("a"), Ok(()));
        assert_eq!(workspaces.admit("b"), Err(Full));
        assert_eq!(workspaces.admit("a"), Ok(()));
        workspaces.set_privacy("a", workspaces.toggled("a", true));
        assert!(workspaces.is_hash_only("a"));
    }
}
