//! TCP connections to a gateway or to a proxy: their time limits, their keep-alive, and their source addresses.
//!
//! The addresses of a name, of both families, are tried as by any client.

use std::{
    error::Error,
    io,
    iter::successors,
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use tokio::net::TcpStream;
use tower::Service;

/// Maximum time to establish a connection.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A silent peer is noticed within a minute. A client of the fault proxy cannot notice a silent gateway behind it.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 3;
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(30);
/// Number of addresses of this machine from which connections to itself come. Each has the ports that the system gives to
/// connections, which are 28,232 by default: the first for each peer anew, the others once.
const LOOPBACK_SOURCES: u8 = 4;

type BoxError = Box<dyn Error + Send + Sync>;

/// Makes connections. Once the ports of one source address are used up, connections to this machine come from the next
/// one.
#[derive(Debug, Clone)]
pub(crate) struct TcpConnector {
    /// One for each source address. The first leaves the choice to the system.
    by_source: Arc<[HttpConnector]>,
    /// Index of the source address in use.
    source: Arc<AtomicUsize>,
}

impl TcpConnector {
    /// A connector whose first source address is the system's choice, and whose others are of this machine.
    pub(crate) fn new() -> Self {
        let loopback = (2..=LOOPBACK_SOURCES).map(|host| Some(Ipv4Addr::new(127, 0, 0, host).into()));
        Self::from_sources([None].into_iter().chain(loopback))
    }

    fn from_sources(sources: impl IntoIterator<Item = Option<IpAddr>>) -> Self {
        Self { by_source: sources.into_iter().map(connector).collect(), source: Arc::default() }
    }

    /// Connects to a URL's host and port.
    ///
    /// # Errors
    /// The error of the last source address that was tried.
    pub(crate) async fn connect(&self, to: Uri) -> Result<TokioIo<TcpStream>, BoxError> {
        let sources = if sources_to(to.host().unwrap_or_default()) > 1 { self.by_source.len() } else { 1 };
        let first = self.source.load(Ordering::Relaxed) % sources;
        let mut failed = None;
        for source in (first..sources).chain(0..first) {
            match self.by_source[source].clone().call(to.clone()).await {
                Ok(connected) => {
                    self.source.store(source, Ordering::Relaxed);
                    return Ok(connected);
                }
                Err(error) => {
                    let is_last = !has_no_port_left(&error);
                    failed = Some((source, error));
                    if is_last {
                        break;
                    }
                }
            }
        }
        let (source, error) = failed.ok_or("there is no source address")?;
        if source == 0 || has_no_port_left(&error) {
            return Err(error.into());
        }
        // A name may have an address that only the system's choice reaches: `localhost` may be `::1`.
        match self.by_source[0].clone().call(to).await {
            Ok(connected) => {
                self.source.store(0, Ordering::Relaxed);
                Ok(connected)
            }
            Err(lack) if has_no_port_left(&lack) => Err(error.into()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Service<Uri> for TcpConnector {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(to).await })
    }
}

fn connector(source: Option<IpAddr>) -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    // The addresses of a name share the time.
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_keepalive(Some(KEEPALIVE));
    connector.set_keepalive_interval(Some(KEEPALIVE));
    connector.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
    #[cfg(target_os = "linux")]
    connector.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIMEOUT));
    connector.set_local_address(source);
    connector
}

/// Number of addresses from which connections to a host come. IPv6 has one address of this machine only.
pub(crate) fn sources_to(host: &str) -> u8 {
    let has_several = host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
    if has_several { LOOPBACK_SOURCES } else { 1 }
}

/// Whether a host names this machine.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether a connection failed because every port of its source address is taken.
fn has_no_port_left(error: &(dyn Error + 'static)) -> bool {
    let mut kinds = causes(error).filter_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()));
    kinds.any(|kind| matches!(kind, io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse))
}

/// An error and its causes, outermost first.
pub(crate) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use tokio::net::TcpListener;

    use super::*;

    /// A documentation address, which is none of this machine's: a connection from it fails as if it had no port left.
    const FOREIGN: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));

    async fn listener() -> (TcpListener, Uri) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        (listener, uri)
    }

    async fn source_of_next(connector: &TcpConnector, listener: &TcpListener, uri: &Uri) -> IpAddr {
        // The listener's backlog takes it.
        let _connection = connector.connect(uri.clone()).await.unwrap();
        listener.accept().await.unwrap().1.ip()
    }

    #[tokio::test]
    async fn a_source_address_without_a_port_is_followed_by_the_next() {
        let (listener, uri) = listener().await;
        let second = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        let connector = TcpConnector::from_sources([Some(FOREIGN), Some(second), Some(FOREIGN)]);
        for _ in 0..3 {
            assert_eq!(source_of_next(&connector, &listener, &uri).await, second);
        }
        assert_eq!(connector.source.load(Ordering::Relaxed), 1, "the first one is not tried each time");
    }

    #[tokio::test]
    async fn the_first_source_address_is_the_system_s_choice() {
        let (listener, uri) = listener().await;
        assert_eq!(source_of_next(&TcpConnector::new(), &listener, &uri).await, IpAddr::V4(Ipv4Addr::LOCALHOST));
    }

    #[tokio::test]
    async fn a_connection_that_fails_otherwise_is_not_tried_from_another_address() {
        let (listener, uri) = listener().await;
        drop(listener);
        let connector = TcpConnector::new();
        let error = connector.connect(uri).await.unwrap_err();
        assert!(!has_no_port_left(&*error), "{error:?}");
        assert_eq!(connector.source.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn an_address_that_only_the_first_source_reaches_is_reached_again_after_a_lack_of_ports() {
        let (listener, uri) = listener().await;
        // From an address of IPv6 no address of IPv4 is reached, as `::1` is not from 127.0.0.2.
        let connector = TcpConnector::from_sources([None, Some(IpAddr::V6(Ipv6Addr::LOCALHOST))]);
        connector.source.store(1, Ordering::Relaxed);
        assert_eq!(source_of_next(&connector, &listener, &uri).await, IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert_eq!(connector.source.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn this_machine_has_several_addresses_in_ipv4_only() {
        let sources = ["localhost", "127.0.0.1", "127.1.2.3", "[::1]", "::1", "10.0.0.1", "gateway"].map(sources_to);
        assert_eq!([4, 4, 4, 1, 1, 1, 1], sources);
    }

    #[tokio::test]
    async fn connections_to_elsewhere_have_one_source_address() {
        let connector = TcpConnector::from_sources([Some(FOREIGN), None]);
        let error = connector.connect(Uri::from_static("http://203.0.113.2:9/")).await.unwrap_err();
        assert!(has_no_port_left(&*error), "{error:?}");
    }
}
