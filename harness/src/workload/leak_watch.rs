//! A search for text that must not show, as all its readers share it.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicUsize},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::search_patterns::SearchPatterns;

/// What is watched for, and what has been seen so far.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) patterns: SearchPatterns,
    /// Places in which one of them stood.
    pub(super) shown: Mutex<BTreeSet<String>>,
    /// Places that could not be looked at to their end: without them nobody can say that it showed nowhere.
    pub(super) unseen: Mutex<BTreeSet<String>>,
    /// There is no need to read on.
    pub(super) enough: CancellationToken,
    /// The gateway has answered that the run is started.
    pub(super) is_under_way: CancellationToken,
    /// The run is over.
    pub(super) is_over: CancellationToken,
    /// The run's own log stream has shown its end, or was read completely.
    pub(super) ended: Notify,
    /// Streams that their gateway has ended, and that are to be opened again.
    pub(super) away: AtomicUsize,
}

impl Watched {
    pub(super) fn showed(&self, place: &str) {
        lock(&self.shown).insert(place.to_owned());
    }

    pub(super) fn not_seen(&self, place: &str) {
        lock(&self.unseen).insert(place.to_owned());
    }
}

pub(super) fn lock(places: &Mutex<BTreeSet<String>>) -> MutexGuard<'_, BTreeSet<String>> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}
