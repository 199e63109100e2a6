//! How many soaks are played side by side: as many as a machine of two cores has room for on a good day, and fewer once it was
//! too slow for them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// So many always have room.
const LEAST: u32 = 2;

/// Room for soaks.
pub(crate) struct Room {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    playing: u32,
    limit: u32,
    /// How often the limit was lowered.
    lowered: u32,
}

/// A soak's place, until it is dropped.
pub(crate) struct Place<'a> {
    room: &'a Room,
    lowered: u32,
}

impl Room {
    pub(crate) const fn of(limit: u32) -> Self {
        Self { state: Mutex::new(State { playing: 0, limit, lowered: 0 }), changed: Condvar::new() }
    }

    /// Waits for a place.
    pub(crate) fn enter(&self) -> Place<'_> {
        let is_full = |state: &mut State| state.playing >= state.limit;
        let mut state = self.changed.wait_while(self.lock(), is_full).unwrap_or_else(PoisonError::into_inner);
        state.playing += 1;
        Place { room: self, lowered: state.lowered }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// The machine was too slow for so many: a third fewer from now on, unless that was said already since this one began.
    pub(crate) fn was_one_too_many(&self) {
        let mut state = self.room.lock();
        if state.lowered == self.lowered && state.limit > LEAST {
            state.limit = (state.limit * 2 / 3).max(LEAST);
            state.lowered += 1;
            eprintln!("the machine is too slow for so many soaks: {} side by side from now on", state.limit);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.room.lock().playing -= 1;
        self.room.changed.notify_all();
    }
}
