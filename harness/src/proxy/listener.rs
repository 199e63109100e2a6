//! The proxy: its listener and its faults.

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

/// Maximum number of open connections beside those of streams.
pub const CONNECTIONS_MAX: usize = 1_024;

/// Pause after a failed accept, which may be due to a lack of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A TCP proxy before one upstream, with faults of its connections. Dropping it ends it, but only
/// [`shutdown`](Self::shutdown) waits for the end.
#[derive(Debug)]
pub struct FaultProxy {
    local_addr: SocketAddr,
    reception: Arc<Reception>,
}

#[derive(Debug)]
struct Reception {
    means: Arc<ConnectionContext>,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
    closing: CancellationToken,
    seed: u64,
}

impl FaultProxy {
    /// Listens on a free port of 127.0.0.1, and connects each client to `upstream`: a host and a port. The host is
    /// looked up anew for each client, and need not be there at the start. `approach` is the way of clients. Proxies of
    /// the same seed draw the same delays, connection by connection. A connection beyond `connections_max` is reset and
    /// counted: a wait would look like a slow gateway.
    pub async fn start(upstream: &str, approach: ConnectMode, seed: u64, connections_max: usize) -> io::Result<Self> {
        let means = Arc::new(ConnectionContext {
            rules: watch::Sender::new(Rules::default()),
            upstream: Upstream::new(upstream)?,
            approach,
            counters: Counters::default(),
            line_bytes: Arc::new(Semaphore::new(SHARED_BYTES)),
        });
        let bound = TcpListener::bind("127.0.0.1:0").await;
        let (listener, local_addr) = bound.and_then(|bound| bound.local_addr().map(|at| (bound, at))).map_err(|e| {
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

    /// The address that clients connect to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Delays bytes from the gateway, and not bytes to it: so +150 ms is +150 ms an answer. The end of an answer is
    /// delayed as well, in good order or as a reset. Several flights are delayed one by one: a TLS handshake, a body
    /// that waits for `100 Continue`. Connecting is not delayed: it ends at the proxy. Replaces the present latency.
    ///
    /// The bandwidth stays: each chunk has its time of release, and a connection holds up to [`super::LINE_BYTES_MAX`].
    pub(crate) fn delay(&self, latency: AddedLatency) {
        self.reception.means.rules.send_modify(|rules| rules.latency = Some(latency));
    }

    /// Makes the gateway unreachable for this time, as if its process were gone: open connections are cut, and new ones
    /// are reset as soon as they are made. Both sides see a reset, because an end in good order would make a cut stream
    /// look like a finished one. (The kernel does not refuse new connections, as it does without a listener: that could
    /// not be counted, and another process could take the port.) Replaces the present outage.
    pub(crate) fn go_dark(&self, lasts: Duration) {
        self.reception.means.rules.send_modify(|rules| rules.go_dark(clock::now() + lasts));
    }

    /// Ends all faults. Held bytes are written at once.
    pub(crate) fn clear(&self) {
        self.reception.means.rules.send_modify(Rules::clear);
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.reception.means.counters
    }

    /// For tests: the parts that must have ended with it.
    #[cfg(test)]
    pub(super) fn parts(&self) -> (TaskTracker, Arc<ConnectionContext>) {
        (self.reception.tasks.clone(), Arc::clone(&self.reception.means))
    }

    /// Stops listening, closes every connection, and waits for the end of all tasks. Held bytes are lost.
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
        // Boxed, since the block below holds the task twice: captured, and awaited.
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

struct Open {
    means: Arc<ConnectionContext>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.means.counters.ended.add(1);
    }
}
