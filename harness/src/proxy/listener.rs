//! The proxy: its listener, and the faults that it is given.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, instrument::WithSubscriber};

use super::{
    connection::{self, ConnectionContext},
    counters::{AtomicCounters, Counters},
    error::ProxyError,
    fault::{Fault, Rules},
    line::SHARED_BYTES,
    tunnel::ConnectMode,
    upstream::Upstream,
};
use crate::clock;

/// Connections that may be open at once. One more is reset, and counted: if it waited, that would look like a gateway
/// that is slow.
pub const CONNECTIONS_MAX: usize = 1_024;

/// A pause after a failed accept: out of descriptors, for one, is not over a microsecond later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A TCP proxy before one upstream, and what is done to its connections. Dropping it ends it, but only
/// [`shutdown`](Self::shutdown) waits until it has ended.
#[derive(Debug)]
pub struct FaultProxy {
    local_addr: SocketAddr,
    means: Arc<ConnectionContext>,
    tasks: TaskTracker,
    closing: CancellationToken,
}

impl FaultProxy {
    /// Listens on a free port of 127.0.0.1, and connects each client to `upstream`: a host and a port, of which the
    /// host is looked up anew for each. `approach` says whether clients ask for that. Proxies of the same seed roll the same dice, connection by connection.
    ///
    /// # Errors
    /// An upstream that is not a host and a port, or no port to listen on. That the upstream is there is not asked.
    pub async fn start(upstream: &str, approach: ConnectMode, seed: u64) -> Result<Self, ProxyError> {
        Self::bounded(upstream, approach, seed, CONNECTIONS_MAX).await
    }

    /// The same, with room for so many connections.
    pub(super) async fn bounded(
        upstream: &str,
        approach: ConnectMode,
        seed: u64,
        connections_max: usize,
    ) -> Result<Self, ProxyError> {
        let upstream = Upstream::new(upstream)?;
        let listen = |source| ProxyError::Listen { source };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(listen)?;
        let local_addr = listener.local_addr().map_err(listen)?;
        let line_bytes = Arc::new(Semaphore::new(SHARED_BYTES));
        let proxy = Self {
            local_addr,
            means: Arc::new(ConnectionContext {
                rules: watch::Sender::new(Rules::default()),
                upstream,
                approach,
                tally: AtomicCounters::default(),
                line_bytes,
            }),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        };
        let reception = Reception {
            listener,
            means: Arc::clone(&proxy.means),
            room: Arc::new(Semaphore::new(connections_max)),
            tasks: proxy.tasks.clone(),
            closing: proxy.closing.clone(),
            seed,
        };
        proxy.play(async move { reception.receive().await });
        let means = Arc::clone(&proxy.means);
        proxy.play(async move { lift(&means.rules).await });
        Ok(proxy)
    }

    fn play(&self, task: impl Future<Output = ()> + Send + 'static) {
        let closing = self.closing.clone();
        let task = async move {
            closing.run_until_cancelled(task).await;
        };
        self.tasks.spawn(task.in_current_span().with_current_subscriber());
    }

    /// Where clients connect to.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Does something to all connections, to those that are open, too, and to what they hold. A fault of a kind that
    /// stands takes its place.
    pub fn set(&self, fault: Fault) {
        self.means.rules.send_modify(|rules| rules.set(fault, clock::now()));
    }

    /// Nothing is done any more. What is held back goes out at once.
    pub fn clear(&self) {
        self.means.rules.send_modify(Rules::clear);
    }

    /// The faults that stand: none that was cleared, is over, or was for once.
    #[must_use]
    pub fn standing(&self) -> Vec<Fault> {
        self.means.rules.borrow().standing()
    }

    /// What it has done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.means.tally.counters()
    }

    /// For tests: what must have ended with it.
    #[cfg(test)]
    pub(super) fn parts(&self) -> (TaskTracker, Arc<ConnectionContext>) {
        (self.tasks.clone(), Arc::clone(&self.means))
    }

    /// Stops listening, closes every connection, and waits until all of its tasks have ended. What a connection holds
    /// is lost.
    pub async fn shutdown(self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

/// Takes clients in.
struct Reception {
    listener: TcpListener,
    means: Arc<ConnectionContext>,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
    closing: CancellationToken,
    seed: u64,
}

impl Reception {
    async fn receive(self) {
        for number in 0_u64.. {
            let client = loop {
                match self.listener.accept().await {
                    Ok((client, _)) => break client,
                    Err(error) => {
                        tracing::debug!("the fault proxy cannot accept a connection: {error}");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            };
            self.admit(client, number);
        }
    }

    fn admit(&self, client: TcpStream, number: u64) {
        let tally = &self.means.tally;
        tally.accepted.add(1);
        let rules = self.means.rules.subscribe();
        let refused = if rules.borrow().refuses() { Some(&tally.refused_dark) } else { None };
        let (refused, permit) = match (refused, Arc::clone(&self.room).try_acquire_owned()) {
            (None, Ok(permit)) => (None, Some(permit)),
            (None, Err(_)) => (Some(&tally.refused_at_bound), None),
            (Some(refused), _) => (Some(refused), None),
        };
        let open = Open { means: Arc::clone(&self.means), _permit: permit };
        if let Some(refused) = refused {
            refused.add(1);
            return connection::reset(&client);
        }
        let (closing, seed) = (self.closing.clone(), self.seed.wrapping_add(number));
        let served = async move {
            closing.run_until_cancelled(connection::serve(client, &open.means, rules, seed)).await;
        };
        self.tasks.spawn(served.in_current_span().with_current_subscriber());
    }
}

/// A connection, until it has ended, however it ends.
struct Open {
    means: Arc<ConnectionContext>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.means.tally.ended.add(1);
    }
}

/// Makes it light again when a darkness is over.
async fn lift(rules: &watch::Sender<Rules>) {
    let mut seen = rules.subscribe();
    loop {
        let dark = seen.borrow_and_update().dark;
        let ends_at = dark.and_then(|dark| dark.ends_at());
        tokio::select! {
            changed = seen.changed() => if changed.is_err() { return },
            () = sleep_until(ends_at.unwrap_or_else(clock::now)), if ends_at.is_some() => {
                rules.send_if_modified(|rules| rules.lift(dark));
            }
        }
    }
}
