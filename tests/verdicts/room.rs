//! Number of soaks that are played side by side: as many as a machine of two cores has room for on a good day, and fewer after it
//! was too slow for them. The number rises again by one whenever as many soaks have ended well.

use std::{
    cell::Cell,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use testkit::AnyError;

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
    limit_max: u32,
    /// How often the limit was lowered.
    lowered: u32,
    /// Soaks that have ended well since the limit changed.
    well: u32,
}

/// A soak's place, until it is dropped.
pub(crate) struct Place<'a> {
    room: &'a Room,
    lowered: u32,
    is_well: Cell<bool>,
}

impl Room {
    pub(crate) const fn of(limit: u32) -> Self {
        Self {
            state: Mutex::new(State { playing: 0, limit, limit_max: limit, lowered: 0, well: 0 }),
            changed: Condvar::new(),
        }
    }

    /// Waits for a place.
    pub(crate) fn enter(&self) -> Place<'_> {
        let is_full = |state: &mut State| state.playing >= state.limit;
        let mut state = self.changed.wait_while(self.lock(), is_full).unwrap_or_else(PoisonError::into_inner);
        state.playing += 1;
        Place { room: self, lowered: state.lowered, is_well: Cell::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// The soak ended, and the machine was fast enough for it.
    pub(crate) fn went_well(&self) {
        self.is_well.set(true);
    }

    /// The machine was too slow for so many: a third fewer from now on, unless that was said already since this one began.
    pub(crate) fn was_one_too_many(&self) {
        let mut state = self.room.lock();
        if state.lowered == self.lowered && state.limit > LEAST {
            state.limit = (state.limit * 2 / 3).max(LEAST);
            state.lowered += 1;
            state.well = 0;
            eprintln!("the machine is too slow for so many soaks: {} side by side from now on", state.limit);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.room.lock();
        state.playing -= 1;
        if self.is_well.get() && self.lowered == state.lowered && state.limit < state.limit_max {
            state.well += 1;
            if state.well == state.limit {
                state.limit += 1;
                state.well = 0;
            }
        }
        drop(state);
        self.room.changed.notify_all();
    }
}

/// The limit falls at once, and rises slowly, up to where it began.
pub(crate) fn the_limit_falls_at_once_and_rises_slowly() -> Result<(), AnyError> {
    let room = Room::of(6);
    let limit = || room.lock().limit;
    let (first, second) = (room.enter(), room.enter());
    first.was_one_too_many();
    second.was_one_too_many();
    assert_eq!(4, limit(), "both began before it was lowered");
    drop((first, second));
    let well = || room.enter().went_well();
    (0..3).for_each(|_| well());
    (0..3).for_each(|_| drop(room.enter()));
    assert_eq!(4, limit());
    well();
    assert_eq!(5, limit());
    (0..20).for_each(|_| well());
    assert_eq!((6, 0), (limit(), room.lock().playing));
    Ok(())
}
