//! The connection to Redis, as the rest of the gateway sees it: there or not.

use std::sync::{Mutex, MutexGuard};

use redis::aio::MultiplexedConnection;

/// Where the store stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Up,
    /// Not now; and why not.
    Away(String),
    /// Another gateway writes to it.
    Taken,
}

/// Set by the writer, read by all.
pub(super) struct Link(Mutex<(State, Option<MultiplexedConnection>)>);

impl Link {
    pub(super) fn new(connection: MultiplexedConnection) -> Self {
        Self(Mutex::new((State::Up, Some(connection))))
    }

    pub(super) fn state(&self) -> State {
        self.lock().0.clone()
    }

    /// A connection to read by, while there is one.
    pub(super) fn connection(&self) -> Option<MultiplexedConnection> {
        self.lock().1.clone()
    }

    pub(super) fn up(&self, connection: MultiplexedConnection) {
        *self.lock() = (State::Up, Some(connection));
    }

    pub(super) fn down(&self, state: State) {
        *self.lock() = (state, None);
    }

    fn lock(&self) -> MutexGuard<'_, (State, Option<MultiplexedConnection>)> {
        self.0.lock().expect("no holder panics")
    }
}
