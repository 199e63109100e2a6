//! The listener: accepts connections on each port, and can go away for a while and come back, as a restarting gateway does.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::future::join_all;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{self, Served};
use crate::core::Core;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1_024;

/// Time for connections to finish their current work when the gateway closes.
const CLOSING_GRACE: Duration = Duration::from_secs(2);

/// How often, and how long, coming back to one's own port is tried.
const REBIND_PAUSE: Duration = Duration::from_millis(20);
const REBIND_ATTEMPTS_MAX: u32 = 500;

/// A pause after a failed accept: out of descriptors, for one, is not over a microsecond later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Takes an address without listening on it. Until it is listened on, connections to it are refused.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections of before the restart may linger on the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// A port that is listened on.
pub(crate) struct Port {
    pub(crate) listener: TcpListener,
    pub(crate) router: Router,
    /// Where HTTP/2 over TLS is spoken, and nothing else.
    pub(crate) tls: Option<TlsAcceptor>,
}

/// Serves the ports until the gateway closes; restarts whenever `restarts` says so.
///
/// # Errors
/// When an address cannot be listened on again after a restart.
pub(crate) async fn serve(mut ports: Vec<Port>, core: Arc<Core>, mut restarts: mpsc::Receiver<()>) -> io::Result<()> {
    loop {
        let connections = Connections::new(core.config.connection_capacity);
        tokio::select! {
            _ = join_all(ports.iter().map(|port| accept(port, &core, &connections))) => {}
            () = core.closing.cancelled() => {
                drop(ports);
                connections.close().await;
                return Ok(());
            }
            _ = restarts.recv() => {}
        }

        let mut sockets = Vec::new();
        for Port { listener, router, tls } in ports {
            let address = listener.local_addr()?;
            drop(listener);
            // The port is taken again at once, and only listened on later: in between nobody else can get it.
            sockets.push((rebind(address).await?, router, tls));
        }
        connections.cut().await;
        if core.closing.run_until_cancelled(sleep(core.faults.downtime(core.config.restart_downtime))).await.is_none() {
            return Ok(());
        }
        // What was asked for meanwhile was this restart.
        while restarts.try_recv().is_ok() {}
        if core.faults.forgets_events() {
            core.log.forget();
        }
        core.chaos.warm_up(core.config.restart_warmup);
        let listening = sockets
            .into_iter()
            .map(|(socket, router, tls)| Ok(Port { listener: socket.listen(BACKLOG)?, router, tls }));
        ports = listening.collect::<io::Result<_>>()?;
    }
}

/// Listens for the first time.
pub(crate) fn listen(socket: TcpSocket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)
}

async fn rebind(address: SocketAddr) -> io::Result<TcpSocket> {
    for _ in 1..REBIND_ATTEMPTS_MAX {
        if let Ok(socket) = bind(address) {
            return Ok(socket);
        }
        sleep(REBIND_PAUSE).await;
    }
    bind(address)
}

/// Accepts connections, for ever.
async fn accept(port: &Port, core: &Core, connections: &Connections) {
    let served = Served {
        router: port.router.clone(),
        tls: port.tls.clone(),
        faults: Arc::clone(&core.faults),
        closing: core.closing.clone(),
        requests: connections.tasks.clone(),
    };
    loop {
        let permit = Arc::clone(&connections.permits).acquire_owned().await.expect("the semaphore is never closed");
        let Ok((stream, _)) = port.listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (served, cut) = (served.clone(), connections.cut.child_token());
        connections.tasks.spawn(async move {
            connection::serve(stream, served, cut).await;
            drop(permit);
        });
    }
}

/// The connections between two restarts.
struct Connections {
    permits: Arc<Semaphore>,
    tasks: TaskTracker,
    cut: CancellationToken,
}

impl Connections {
    fn new(capacity: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(capacity)), tasks: TaskTracker::new(), cut: CancellationToken::new() }
    }

    /// Drops them all, and waits until they are gone.
    async fn cut(&self) {
        self.cut.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Lets them finish what they are at, within a bound.
    async fn close(&self) {
        self.tasks.close();
        // What is left after the grace is cut.
        let _ = timeout(CLOSING_GRACE, self.tasks.wait()).await;
        self.cut().await;
    }
}
