//! The mock gateway as a whole: started, stubbed, shut down.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::DropGuard;
use wiremock::{Mock, MockServer};

use crate::config::Config;
use crate::core::Core;
use crate::defect::{self, Defect};
use crate::front::{self, Port};
use crate::routes;
use crate::store::{self, OpenError, Opened, State};

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}: {source}; is another gateway running there? (port 0 lets the system choose)")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// The state in Redis is not available.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The defect is one of a store in memory.
    #[error(
        "the defect {} is one of the store in memory, and would do nothing with a Redis: take away what Redis keeps instead",
        .0.name()
    )]
    DefectOfMemory(Defect),
}

/// Why the gateway stopped serving although nobody shut it down.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its port was taken during a restart, and was not given back in time.
    #[error("cannot listen on {address} again after a restart: {source}")]
    Listen {
        /// The address that it had.
        address: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// Another gateway was started with the same Redis.
    #[error("another gateway has taken over what is kept in Redis; each needs one of its own, or another prefix")]
    StoreTaken,
}

/// A mock gateway that is serving. Dropping it closes it; [`shutdown`](Self::shutdown) also waits until it is closed.
pub struct MockGateway {
    address: SocketAddr,
    /// Where the metrics are, if they have a port of their own.
    metrics_address: Option<SocketAddr>,
    /// The certificate that clients have to trust, in PEM, if it speaks TLS.
    certificate: Option<String>,
    core: Arc<Core>,
    server: JoinHandle<io::Result<()>>,
    _closing: DropGuard,
}

impl fmt::Debug for MockGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address and no more: the configuration holds the token.
        f.debug_struct("MockGateway").field("address", &self.address).finish_non_exhaustive()
    }
}

impl MockGateway {
    /// Starts a gateway within the current tokio runtime. When this returns, it accepts connections.
    ///
    /// With a Redis, it goes on with what is kept there.
    ///
    /// # Errors
    /// When the address cannot be listened on, or the Redis cannot be used within 5 s.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let address = config.listen;
        let failed = move |source| StartError::Listen { address, source };
        if let Some(defect) = config.defects.iter().find(|defect| config.redis.is_some() && defect.is_of_memory()) {
            return Err(StartError::DefectOfMemory(defect));
        }
        // The address first, so that nothing is taken from a gateway that is still there; but nobody waits for us yet.
        let socket = front::bind(config.listen).map_err(failed)?;
        let Opened { store, found } = store::open(&config).await?;
        let listener = front::listen(socket).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;

        let (restarts, restarts_wanted) = mpsc::channel(1);
        let core = Arc::new(Core::new(config, store, restarts));
        if let Some((loaded, writer)) = found {
            core.take_over(loaded);
            core.tasks.spawn(writer.run(Arc::clone(&core)));
        }
        if core.stubs.requests_are_recorded() {
            // Requests are recorded by the stubs' server, so it has to be there before the first one.
            core.stubs.server().await;
        }
        defect::breathe(&core);
        defect::pause(&core);
        defect::fill_heap(&core);
        let tls = core.faults.speaks_http2_only().then(|| front::http2_only(address.ip()));
        let (acceptor, certificate) = tls.map(|tls| (tls.acceptor, tls.pem)).unzip();
        let mut ports = vec![Port { listener, router: routes::router(Arc::clone(&core)), tls: acceptor }];
        let mut metrics_address = None;
        if core.faults.has_metrics_elsewhere() {
            let any = SocketAddr::new(address.ip(), 0);
            let failed = |source| StartError::Listen { address: any, source };
            let listener = front::bind(any).and_then(front::listen).map_err(failed)?;
            metrics_address = Some(listener.local_addr().map_err(failed)?);
            ports.push(Port { listener, router: routes::metrics_router(Arc::clone(&core)), tls: None });
        }
        let front = front::serve(ports, Arc::clone(&core), restarts_wanted);
        // However it ends.
        let closed = core.front_closed.clone().drop_guard();
        let server = core.tasks.spawn(async move {
            let _closed = closed;
            front.await
        });
        let closing = core.closing.clone().drop_guard();
        Ok(Self { address, metrics_address, certificate, core, server, _closing: closing })
    }

    /// Where it listens, before, during and after a restart.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL, without a trailing slash: `http://127.0.0.1:3000`.
    pub fn url(&self) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The URL of its metrics.
    pub fn metrics_url(&self) -> String {
        self.metrics_address.map_or_else(|| self.url(), |address| format!("http://{address}")) + "/metrics"
    }

    /// The certificate that its clients have to trust, in PEM; none where it speaks no TLS, as it does unless it is told to.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// Mounts a stub over any route, streams included. Stubs win over the built-in routes, and among each other as
    /// wiremock says.
    pub async fn mount(&self, stub: Mock) {
        self.server().await.register(stub).await;
    }

    /// The server of the stubs, for what [`mount`](Self::mount) cannot do: scoped stubs, verifying, resetting the
    /// requests recorded. Its own address is not the gateway's. Do not reset it: that forgets how to tell that no stub
    /// matched.
    pub async fn server(&self) -> &MockServer {
        self.core.stubs.server().await
    }

    /// Every request received, in order; `None` unless [`Config::record_requests`] is set.
    pub async fn received_requests(&self) -> Option<Vec<wiremock::Request>> {
        if !self.core.stubs.requests_are_recorded() {
            return None;
        }
        self.server().await.received_requests().await
    }

    /// Waits until the gateway serves no more: never, unless it could not come back from a restart, or lost its store
    /// to another gateway.
    ///
    /// # Errors
    /// When its port was taken during a restart, and was not given back in time; when another gateway was started with
    /// the same Redis.
    pub async fn closed(&mut self) -> Result<(), ServeError> {
        match (&mut self.server).await {
            Ok(_) if self.core.store.state() == State::Taken => Err(ServeError::StoreTaken),
            Ok(served) => served.map_err(|source| ServeError::Listen { address: self.address, source }),
            Err(join) => std::panic::resume_unwind(join.into_panic()),
        }
    }

    /// Closes the gateway in good order: no new connections, answers under way are finished, streams are ended, runs
    /// are given up, or left to the next gateway where a Redis keeps them. Returns when every task has ended.
    ///
    /// # Panics
    /// When the expectations of a stub were not met.
    pub async fn shutdown(self) {
        self.core.closing.cancel();
        self.core.tasks.close();
        self.core.tasks.wait().await;
    }
}
