//! The proxy: its listener, and the faults that it is given.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, instrument::WithSubscriber};

use super::{
    connection::{self, ConnectionContext},
    counters::Counters,
    fault::{AddedLatency, Rules},
    line::SHARED_BYTES,
    tunnel::ConnectMode,
    upstream::Upstream,
};
use crate::clock;

/// Connections that may be open at once beside those of streams.
pub const CONNECTIONS_MAX: usize = 1_024;

/// A pause after a failed accept: out of descriptors, for one, is not over a microsecond later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A TCP proxy before one upstream, and what is done to its connections. Dropping it ends it, but only
/// [`shutdown`](Self::shutdown) waits until it has ended.
#[derive(Debug)]
pub struct FaultProxy {
    local_addr: SocketAddr,
    reception: Arc<Reception>,
}

/// Takes clients in.
#[derive(Debug)]
struct Reception {
    means: Arc<ConnectionContext>,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
    closing: CancellationToken,
    seed: u64,
}

impl FaultProxy {
    /// Listens on a free port of 127.0.0.1, and connects each client to `upstream`: a host and a port, of which the
    /// host is looked up anew for each. `approach` says whether clients ask for that. Proxies of the same seed roll the same
    /// dice, connection by connection. Beyond `connections_max` open connections one more is reset, and counted: if it waited,
    /// that would look like a gateway that is slow.
    ///
    /// # Errors
    /// An upstream that is not a host and a port, or no port to listen on. That the upstream is there is not asked.
    pub async fn start(upstream: &str, approach: ConnectMode, seed: u64, connections_max: usize) -> io::Result<Self> {
        let means = Arc::new(ConnectionContext {
            rules: watch::Sender::new(Rules::default()),
            upstream: Upstream::new(upstream)?,
            approach,
            counters: Counters::default(),
            line_bytes: Arc::new(Semaphore::new(SHARED_BYTES)),
        });
        let bind = async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            listener.local_addr().map(|local_addr| (listener, local_addr))
        };
        let (listener, local_addr) = bind.await.map_err(|e| {
            let help = "are there descriptors and ports left?";
            io::Error::new(e.kind(), format!("the fault proxy cannot listen on a free port of 127.0.0.1: {e}; {help}"))
        })?;
        let (tasks, closing) = (TaskTracker::new(), CancellationToken::new());
        let room = Arc::new(Semaphore::new(connections_max));
        let reception = Arc::new(Reception { means, room, tasks, closing, seed });
        let receiving = Arc::clone(&reception);
        reception.play(async move { receiving.receive(listener).await });
        Ok(Self { local_addr, reception })
    }

    /// Number of further connections that are accepted.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        self.reception.room.available_permits()
    }

    /// Where clients connect to.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Bytes from the gateway arrive later, bytes to it do not: so +150 ms is +150 ms an answer. The end of an answer is
    /// delayed as well, in good order or as a reset. An exchange of several flights is delayed by each: a TLS handshake, a body that
    /// waits for `100 Continue`. Setting up a connection is not delayed, since it ends at the proxy. Takes the place of a
    /// latency that stands.
    ///
    /// A delay and not a brake: each chunk has its own time of release, and up to [`LINE_BYTES_MAX`] of a connection
    /// are on their way at once.
    ///
    /// [`LINE_BYTES_MAX`]: super::LINE_BYTES_MAX
    pub fn delay(&self, latency: AddedLatency) {
        self.reception.means.rules.send_modify(|rules| rules.latency = Some(latency));
    }

    /// The gateway cannot be reached for this time, as if its process were gone: open connections are cut, and new ones are
    /// reset as soon as they are made. Both sides see a reset, because an end in good order would make a cut stream look like
    /// a finished one. (New connections are not refused by the kernel, as they would be if nobody listened: nobody could
    /// count that, and another process could take the port.) Takes the place of an outage that stands.
    pub fn go_dark(&self, lasts: Duration) {
        self.reception.means.rules.send_modify(|rules| rules.go_dark(clock::now() + lasts));
    }

    /// Nothing is done any more. What is held back goes out at once.
    pub fn clear(&self) {
        self.reception.means.rules.send_modify(Rules::clear);
    }

    /// Returns the counters of its activity so far.
    pub fn counters(&self) -> &Counters {
        &self.reception.means.counters
    }

    /// For tests: what must have ended with it.
    #[cfg(test)]
    pub(super) fn parts(&self) -> (TaskTracker, Arc<ConnectionContext>) {
        (self.reception.tasks.clone(), Arc::clone(&self.reception.means))
    }

    /// Stops listening, closes every connection, and waits until all of its tasks have ended. What a connection holds
    /// is lost.
    pub async fn shutdown(self) {
        self.reception.closing.cancel();
        self.reception.tasks.close();
        self.reception.tasks.wait().await;
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.reception.closing.cancel();
    }
}

impl Reception {
    fn play(&self, task: impl Future<Output = ()> + Send + 'static) {
        let closing = self.closing.clone();
        // Boxed: the block below holds the task twice, as a captured value and as the future that it awaits.
        let task = Box::pin(task);
        let task = async move {
            closing.run_until_cancelled(task).await;
        };
        self.tasks.spawn(task.in_current_span().with_current_subscriber());
    }

    async fn receive(&self, listener: TcpListener) {
        for number in 0_u64.. {
            let client = loop {
                match listener.accept().await {
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
        let counters = &self.means.counters;
        counters.accepted.add(1);
        let rules = self.means.rules.subscribe();
        let admitted = if rules.borrow().refuses(clock::now()) {
            Err(&counters.refused_dark)
        } else {
            Arc::clone(&self.room).try_acquire_owned().map_err(|_| &counters.refused_at_bound)
        };
        let permit = match admitted {
            Ok(permit) => permit,
            Err(refused) => {
                refused.add(1);
                counters.ended.add(1);
                return connection::reset(&client);
            }
        };
        let open = Open { means: Arc::clone(&self.means), _permit: permit };
        let seed = self.seed.wrapping_add(number);
        self.play(async move { connection::serve(client, &open.means, rules, seed).await });
    }
}

/// A connection, until it has ended, however it ends.
struct Open {
    means: Arc<ConnectionContext>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.means.counters.ended.add(1);
    }
}
