//! The one task that writes: changes in order, each lasting before it takes effect and is told.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::Write;
use super::claim::{Claim, Standing};
use super::commands::Commands;
use super::link::{Link, State};
use super::load::{LoadError, Loaded, load};
use super::open::told;
use crate::change::Change;
use crate::core::Core;
use crate::event::Event;
use crate::player;

/// Changes that are written as one. Redis syncs its file once for all of them.
const BATCH_MAX: usize = 64;

/// How often an idle writer looks whether Redis is still there.
const CHECK_EVERY: Duration = Duration::from_millis(100);

/// Between two attempts to connect: from the shortest, doubled up to the longest.
const RECONNECT_PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

/// Time for Redis to take the changes that still wait when the gateway's front has closed.
const DRAIN_MAX: Duration = Duration::from_millis(500);

/// Writes what it is handed, until the gateway closes.
pub(crate) struct Writer {
    claim: Claim,
    link: Arc<Link>,
    queue: mpsc::Receiver<Write>,
    connection: MultiplexedConnection,
    /// Changes that are being written. They stay the same until they are written: a commit is sent again as it was.
    batch: Vec<Stamped>,
}

/// A change with what it needs, ready to be written.
struct Stamped {
    change: Change,
    event: Option<Event>,
    commands: Commands,
    done: oneshot::Sender<()>,
}

/// Why the writer stopped for now, or for good.
enum Stop {
    Away(String),
    Taken,
}

impl From<LoadError> for Stop {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Redis(e) => Self::Away(told(&e)),
            LoadError::Unreadable { .. } => Self::Away(error.to_string()),
        }
    }
}

impl From<redis::RedisError> for Stop {
    fn from(error: redis::RedisError) -> Self {
        Self::Away(told(&error))
    }
}

impl Writer {
    pub(super) fn new(
        claim: Claim,
        link: Arc<Link>,
        queue: mpsc::Receiver<Write>,
        connection: MultiplexedConnection,
    ) -> Self {
        Self { claim, link, queue, connection, batch: Vec::new() }
    }

    /// Writes until the front has closed, and a little longer if something still waits.
    pub(crate) async fn run(mut self, core: Arc<Core>) {
        let drained = async {
            core.front_closed.cancelled().await;
            sleep(DRAIN_MAX).await;
        };
        tokio::select! {
            () = self.write_through(&core) => {}
            () = drained => {}
        }
    }

    async fn write_through(&mut self, core: &Arc<Core>) {
        while let Err(stop) = self.write(core).await {
            let Stop::Away(reason) = stop else { return self.give_up(core) };
            self.link.down(State::Away(reason));
            // Nothing can come on them now, and what comes later may be less than it seems.
            core.log.cut_all();
            if self.reconnect(core).await.is_err() {
                return self.give_up(core);
            }
        }
    }

    fn give_up(&self, core: &Core) {
        self.link.down(State::Taken);
        core.closing.cancel();
    }

    /// Writes for as long as Redis is there.
    async fn write(&mut self, core: &Arc<Core>) -> Result<(), Stop> {
        loop {
            if self.batch.is_empty() && !self.fill_batch(core).await? {
                return Ok(());
            }
            let commands = self.batch.iter().map(|stamped| &stamped.commands);
            let standing = self.claim.commit(&mut self.connection, commands).await?;
            if self.stand(core, standing).await? {
                self.settle_batch(core);
            }
        }
    }

    /// Waits for changes. None ever come when this says so.
    async fn fill_batch(&mut self, core: &Arc<Core>) -> Result<bool, Stop> {
        let mut writes = Vec::new();
        loop {
            let is_closing = self.queue.is_closed();
            tokio::select! {
                biased;
                () = core.front_closed.cancelled(), if !is_closing => self.queue.close(),
                taken = self.queue.recv_many(&mut writes, BATCH_MAX) => {
                    self.batch.extend(writes.into_iter().map(|write| self.claim.stamp(write, core)));
                    return Ok(taken > 0);
                }
                // Without traffic, nobody else would notice.
                () = sleep(CHECK_EVERY) => {
                    let standing = self.claim.check(&mut self.connection).await?;
                    self.stand(core, standing).await?;
                }
            }
        }
    }

    /// Does what the claim's standing asks for. Says whether it held before.
    async fn stand(&mut self, core: &Arc<Core>, standing: Standing) -> Result<bool, Stop> {
        match standing {
            Standing::Held => Ok(true),
            Standing::Lost => self.start_over(core).await.map(|()| false),
            Standing::Taken => Err(Stop::Taken),
        }
    }

    /// Goes on with what Redis still has, and gives it the runs that are played.
    async fn start_over(&mut self, core: &Arc<Core>) -> Result<(), Stop> {
        let loaded = load(&mut self.connection, &self.claim.keys).await?;
        core.take_over(loaded);
        let mut played = Commands::default();
        for run in core.runs.look_at_live(|run| Commands::of_run(run, &self.claim.keys)) {
            played.append(run);
        }
        self.claim.renew(&mut self.connection, &played).await?;
        Ok(())
    }

    fn settle_batch(&mut self, core: &Arc<Core>) {
        for Stamped { change, event, done, .. } in self.batch.drain(..) {
            core.settle(change);
            if let Some(event) = event {
                core.log.tell(event);
            }
            // Whoever waited may have gone.
            _ = done.send(());
        }
    }

    /// Connects again, and looks after the claim. An error is that another has taken it.
    async fn reconnect(&mut self, core: &Arc<Core>) -> Result<(), ()> {
        let (mut pause, longest) = RECONNECT_PAUSES;
        loop {
            match self.try_reconnect(core).await {
                Ok(()) => {
                    self.link.up(self.connection.clone());
                    return Ok(());
                }
                Err(Stop::Taken) => return Err(()),
                Err(Stop::Away(reason)) => self.link.down(State::Away(reason)),
            }
            sleep(pause).await;
            pause = (2 * pause).min(longest);
        }
    }

    async fn try_reconnect(&mut self, core: &Arc<Core>) -> Result<(), Stop> {
        self.connection = self.claim.connect().await?;
        let standing = self.claim.check(&mut self.connection).await?;
        self.stand(core, standing).await?;
        Ok(())
    }
}

impl Claim {
    /// Gives a change's event its id, and both the commands that they need.
    fn stamp(&self, Write { change, draft, done }: Write, core: &Core) -> Stamped {
        let mut commands = Commands::of_change(&change, &core.runs, &self.keys);
        let event = draft.map(|draft| core.log.stamp(draft));
        if let Some(event) = &event {
            commands.append(Commands::of_event(event, self.event_capacity, &self.keys));
        }
        Stamped { change, event, commands, done }
    }
}

impl Core {
    /// Goes on with what is kept, runs that were under way included.
    pub(crate) fn take_over(self: &Arc<Self>, loaded: Loaded) {
        let Loaded { runs, versions, plans, privacy, sequence } = loaded;
        self.log.go_on_after(sequence);
        self.registry.replace(versions);
        self.workspaces.forget();
        plans.iter().for_each(|(workspace, plan)| self.workspaces.set_plan(workspace, plan));
        privacy.into_iter().for_each(|(workspace, privacy)| self.workspaces.set_privacy(&workspace, privacy));
        for run in self.runs.replace(runs) {
            self.tasks.spawn(player::play(Arc::clone(self), run));
        }
    }
}
