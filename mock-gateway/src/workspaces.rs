//! What was settled for a workspace: its plan, and whether it may keep plain text.

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
    /// What holds since a moment, or will from it, and what held before.
    hash_only: Option<(Instant, bool)>,
    hash_only_before: bool,
}

impl Workspace {
    fn is_hash_only(&self, now: Instant) -> bool {
        match self.hash_only {
            Some((from, hash_only)) if from <= now => hash_only,
            _ => self.hash_only_before,
        }
    }
}

impl Workspaces {
    pub(crate) fn new(capacity: usize, privacy_delay: Duration) -> Self {
        Self { capacity, privacy_delay, by_id: Mutex::default() }
    }

    pub(crate) fn set_plan(&self, id: &str, plan: &str) -> Result<(), Full> {
        self.settle(id, |workspace| plan.clone_into(&mut workspace.plan))
    }

    /// Takes effect after the privacy delay.
    pub(crate) fn set_hash_only(&self, id: &str, hash_only: bool) -> Result<(), Full> {
        let now = clock::now();
        self.settle(id, |workspace| {
            workspace.hash_only_before = workspace.is_hash_only(now);
            workspace.hash_only = Some((now + self.privacy_delay, hash_only));
        })
    }

    /// Whether a run created now keeps only hashes of what it is given.
    pub(crate) fn is_hash_only(&self, id: &str) -> bool {
        let now = clock::now();
        self.lock().get(id).is_some_and(|workspace| workspace.is_hash_only(now))
    }

    /// Forgets all that was settled; only by a defect.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    fn settle(&self, id: &str, settle: impl FnOnce(&mut Workspace)) -> Result<(), Full> {
        let mut by_id = self.lock();
        if !by_id.contains_key(id) && by_id.len() >= self.capacity {
            return Err(Full);
        }
        settle(by_id.entry(id.to_owned()).or_default());
        Ok(())
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
        assert!(!workspaces.is_hash_only("w"));
        workspaces.set_hash_only("w", true).unwrap();
        assert!(!workspaces.is_hash_only("w"));
        tokio::time::advance(delay).await;
        assert!(workspaces.is_hash_only("w"));
        workspaces.set_hash_only("w", false).unwrap();
        assert!(workspaces.is_hash_only("w"));
        tokio::time::advance(delay).await;
        assert!(!workspaces.is_hash_only("w"));
    }

    #[test]
    fn no_more_workspaces_are_settled_than_allowed() {
        let workspaces = Workspaces::new(1, Duration::ZERO);
        workspaces.set_plan("a", "pro").unwrap();
        assert_eq!(workspaces.set_plan("b", "pro"), Err(Full));
        assert_eq!(workspaces.set_hash_only("a", true), Ok(()));
        assert!(workspaces.is_hash_only("a"));
    }
}
