//! Where the state is kept: in memory only, or in a Redis that outlives the process.
//!
//! In memory, a [change](Change) takes effect at once and is told at once. With a Redis, one task writes the changes
//! down in order, and only when Redis has acknowledged a change does it take effect and is its event handed out. What
//! calls read is memory all the same: this process is the only one that writes, and where Redis turns out to have lost
//! something, memory is replaced by what Redis still has. Only replay is read from Redis, at every opening of a stream.
//!
//! In reading order:
//! - `keys`: what is kept under which name;
//! - `record`: what a run, a version, a privacy setting look like there;
//! - `commands`: the commands that make a change lasting;
//! - `claim`: that one process writes, that each of its commits counts once, and that loss is noticed;
//! - `load`: everything that is kept, as a process finds it; `replay`: the events after one;
//! - `link`: the connection, as the rest of the gateway sees it;
//! - `open`: how a process gets hold of what is kept; `writer`: the task that writes.
//!
//! # What holds
//! - **One gateway a Redis** (and prefix). A gateway that starts takes the claim; one that was there before cannot write
//!   any more, not even what was on its way when it was killed, and closes with an error.
//! - **Nothing acknowledged is lost**, by the gateway's end, by signal or kill, nor by that of Redis, as far as Redis
//!   keeps it: that takes `appendonly yes` and `appendfsync always`.
//! - **At its start**, a gateway tries for 5 s to reach its Redis, and then ends with an error; one that is started again
//!   while Redis is away has to be started once more.
//! - **While Redis is away**, `/ready` and all calls that need the store answer 503, streams are cut, and runs wait
//!   where they are. It is asked after ten times a second, so that its going is noticed without traffic; one that
//!   accepts connections and answers nothing is away after 2 s. It is connected to again within 250 ms of its return.
//! - **What Redis has lost is lost**: the gateway goes on with what there is. Runs that are played go on and are written
//!   down anew, without the events that are gone; ids go on ascending, since they keep up with the clock. An older state
//!   that Redis comes back with is gone on from as by a new process: what had happened since may happen again.
//! - **Bounds**: 1,024 changes wait to be written, and whoever has a further one waits, too; a caller waits 1.5 s for
//!   its change and then gets a 503, though the change may still be made later. When its front has closed, a gateway gives
//!   Redis 500 ms to take what is still waiting.

mod claim;
mod commands;
mod keys;
mod link;
mod load;
mod open;
mod record;
mod replay;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::change::Change;
use crate::core::Core;
use crate::event::Draft;
use keys::Keys;
use link::Link;
pub(crate) use link::State;
pub use open::OpenError;
pub(crate) use open::{Opened, open};

/// Maximum time that a caller waits for its change to be lasting.
const CALLER_WAITS_MAX: Duration = Duration::from_millis(1_500);

/// Maximum time that it still waits when the gateway closes.
const CLOSING_CALLER_WAITS_MAX: Duration = Duration::from_millis(400);

/// The store cannot be reached, or not in time.
#[derive(Debug)]
pub(crate) struct Away;

/// Where the state is kept.
pub(crate) enum Store {
    Memory,
    Redis(Box<Redis>),
}

/// The store as the gateway's parts see it: a queue to the writer, and a connection to read by.
pub(crate) struct Redis {
    queue: mpsc::Sender<Write>,
    link: Arc<Link>,
    keys: Keys,
}

/// A change on its way to Redis, and what is to be told of it.
pub(crate) struct Write {
    change: Change,
    draft: Option<Draft>,
    done: oneshot::Sender<()>,
}

impl Store {
    /// Where the store stands; it is always up where it is memory.
    pub(crate) fn state(&self) -> State {
        match self {
            Self::Memory => State::Up,
            Self::Redis(redis) => redis.link.state(),
        }
    }

    /// Room for a change, if there is some now. Whoever has it can make sure that what is changed here, at once, is
    /// written down, too.
    pub(crate) fn room(&self) -> Result<Room, Away> {
        match self {
            Self::Memory => Ok(Room::Memory),
            Self::Redis(redis) => redis.queue.clone().try_reserve_owned().map(Room::Redis).map_err(|_| Away),
        }
    }

    async fn room_in_time(&self) -> Result<Room, Away> {
        match self {
            Self::Memory => Ok(Room::Memory),
            Self::Redis(redis) => redis.queue.clone().reserve_owned().await.map(Room::Redis).map_err(|_| Away),
        }
    }
}

/// Room for one change.
pub(crate) enum Room {
    Memory,
    Redis(mpsc::OwnedPermit<Write>),
}

impl Room {
    /// Hands the change over. In memory, it has taken effect when this returns.
    pub(crate) fn write(self, core: &Arc<Core>, change: Change, draft: Option<Draft>) -> Pending {
        match self {
            Self::Memory => {
                core.settle(change);
                if let Some(draft) = draft {
                    core.log.publish(draft);
                }
                Pending::Done
            }
            Self::Redis(permit) => {
                let (done, is_done) = oneshot::channel();
                permit.send(Write { change, draft, done });
                Pending::Sent(is_done)
            }
        }
    }
}

/// A change that was handed over.
#[must_use = "it may not be lasting yet"]
pub(crate) enum Pending {
    Done,
    Sent(oneshot::Receiver<()>),
}

impl Pending {
    /// Waits until the change is lasting and has taken effect, however long that takes.
    pub(crate) async fn lasting(self) -> Result<(), Away> {
        match self {
            Self::Done => Ok(()),
            Self::Sent(is_done) => is_done.await.map_err(|_| Away),
        }
    }

    /// Waits as long as a caller does.
    pub(crate) async fn in_time(self, core: &Core) -> Result<(), Away> {
        let Self::Sent(is_done) = self else { return Ok(()) };
        let closing = async {
            core.closing.cancelled().await;
            sleep(CLOSING_CALLER_WAITS_MAX).await;
        };
        tokio::select! {
            done = timeout(CALLER_WAITS_MAX, is_done) => done.map_err(|_| Away)?.map_err(|_| Away),
            () = closing => Err(Away),
        }
    }
}

impl Core {
    /// Makes a change lasting, lets it take effect, tells of it; waits for the store as long as it takes.
    ///
    /// # Errors
    /// When the gateway writes no more.
    pub(crate) async fn commit(self: &Arc<Self>, change: Change, draft: Option<Draft>) -> Result<(), Away> {
        self.store.room_in_time().await?.write(self, change, draft).lasting().await
    }

    /// The same, for whoever does not wait for it.
    pub(crate) fn commit_apart(self: &Arc<Self>, change: Change, draft: Option<Draft>) {
        if let Store::Memory = self.store {
            _ = Room::Memory.write(self, change, draft);
            return;
        }
        let core = Arc::clone(self);
        self.tasks.spawn(async move {
            // Without a writer there is nobody left to tell.
            let commit = core.commit(change, draft);
            _ = core.closing.run_until_cancelled(commit).await;
        });
    }
}
