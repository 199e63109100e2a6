//! Connections of requests and streams to the gateway: TCP, TLS and proxies.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use http::{
    HeaderMap, HeaderValue, Request, Uri, header,
    uri::{PathAndQuery, Scheme},
};
use hyper::{
    rt::{Read, Write},
    service::Service,
};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::{
        legacy::connect::{Connected, Connection, proxy::Tunnel},
        proxy::matcher::{Intercept, Matcher},
    },
    rt::TokioIo,
    service::TowerToHyperService,
};
use rustls::ClientConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::sleep,
};

use super::access::{GatewayAccess, is_loopback};
use crate::tcp::{CONNECT_TIMEOUT, TcpConnector};

pub(super) const USER_AGENT: &str = concat!("s2-harness/", env!("CARGO_PKG_VERSION"));

/// A carrier for the bytes of a connection.
pub(super) trait Wire: Read + Write + Connection + Send + Unpin {}
impl<T: Read + Write + Connection + Send + Unpin> Wire for T {}

/// A connection, as hyper uses it.
pub(super) type Link = TokioIo<CountedConnection>;

/// A connection that counts its traffic. It has tokio's traits, since hyper's do not say how much was read.
pub(super) struct CountedConnection {
    wire: TokioIo<Box<dyn Wire>>,
    traffic: Traffic,
    is_to_a_proxy: bool,
}

/// The traffic of a connection. Clones belong to the same connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Traffic(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Whether anything was written since the last byte was read.
    is_awaited: AtomicBool,
    /// Number of reads that followed a write.
    replies: AtomicU64,
}

impl Traffic {
    /// Whether the peer replied before, and has sent nothing since the last byte was written.
    pub(super) fn was_in_use_and_is_silent(&self) -> bool {
        self.was_in_use() && self.0.is_awaited.load(Ordering::Relaxed)
    }

    /// Whether the peer replied before.
    pub(super) fn was_in_use(&self) -> bool {
        self.0.replies.load(Ordering::Relaxed) > 0
    }

    fn wrote(&self, polled: &Poll<io::Result<usize>>) {
        if matches!(polled, Poll::Ready(Ok(1..))) {
            self.0.is_awaited.store(true, Ordering::Relaxed);
        }
    }

    fn read(&self, bytes: usize) {
        if bytes > 0 && self.0.is_awaited.swap(false, Ordering::Relaxed) {
            self.0.replies.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl CountedConnection {
    pub(super) fn is_http2(&self) -> bool {
        self.wire.inner().connected().is_negotiated_h2()
    }
}

impl Connection for CountedConnection {
    fn connected(&self) -> Connected {
        self.wire.inner().connected().proxy(self.is_to_a_proxy).extra(self.traffic.clone())
    }
}

impl AsyncRead for CountedConnection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.wire).poll_read(cx, buf);
        this.traffic.read(buf.filled().len() - before);
        polled
    }
}

impl AsyncWrite for CountedConnection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.wire).poll_write(cx, bytes);
        this.traffic.wrote(&polled);
        polled
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().wire).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().wire).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.wire).poll_write_vectored(cx, slices);
        this.traffic.wrote(&polled);
        polled
    }
}

/// The proxies on the way of requests.
#[derive(Clone, Default)]
pub(super) struct Proxies {
    /// The authority that the fault proxy passes bytes on to, and the proxy.
    tunnel: Option<(String, Arc<Matcher>)>,
    /// The environment's. Requests to this machine never go through these.
    system: Option<Arc<Matcher>>,
    /// Whether requests to this machine do, too, in tests.
    has_no_exception: bool,
}

impl Proxies {
    /// The proxies on the way to a gateway, and to the other places that its dialect names.
    pub(super) fn of(access: &GatewayAccess) -> Self {
        let tunnel = access.tunnel().map(|proxy| Arc::new(Matcher::builder().https(proxy).build()));
        let tunnel = access.authority().zip(tunnel);
        Self { tunnel, system: Some(Arc::new(Matcher::from_system())), has_no_exception: false }
    }

    /// These alone, for any URL.
    #[cfg(test)]
    pub(super) fn always(matcher: Matcher) -> Self {
        Self { tunnel: None, system: Some(Arc::new(matcher)), has_no_exception: true }
    }

    fn intercept(&self, uri: &Uri) -> Option<Intercept> {
        if let Some((authority, tunnel)) = &self.tunnel
            && uri.scheme() == Some(&Scheme::HTTPS)
            && authority_of(uri).as_ref() == Some(authority)
        {
            return tunnel.intercept(uri);
        }
        let system = self.system.as_ref()?;
        if !self.has_no_exception && is_loopback(&uri.to_string()) { None } else { system.intercept(uri) }
    }
}

fn authority_of(uri: &Uri) -> Option<String> {
    Some(format!("{}:{}", uri.host()?, uri.port_u16().unwrap_or(standard_port(uri))))
}

/// Connects to a gateway, or to the proxy before it.
#[derive(Clone)]
pub(super) struct Connector {
    direct: HttpsConnector<TcpConnector>,
    tls: Arc<ClientConfig>,
    proxies: Proxies,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A proxy's URL may hold a password.
        f.write_str("Connector")
    }
}

impl Connector {
    pub(super) fn new(tls: ClientConfig, proxies: Proxies) -> Self {
        let tls = Arc::new(tls);
        Self { direct: HttpsConnector::from((TcpConnector::new(), Arc::clone(&tls))), tls, proxies }
    }

    /// Connects to the host of a URL, through the proxy for the URL. The error is the connection's or a timeout.
    pub(super) async fn connect(&self, uri: &Uri) -> io::Result<Link> {
        let proxy = self.proxies.intercept(uri);
        let connecting = async {
            let (wire, is_to_a_proxy): (Box<dyn Wire>, bool) = match proxy {
                Some(proxy) if uri.scheme() == Some(&Scheme::HTTPS) => {
                    let tunnelled = HttpsConnector::from((self.tunnel(&proxy), Arc::clone(&self.tls)));
                    let wire = TowerToHyperService::new(tunnelled).call(uri.clone()).await.map_err(io::Error::other)?;
                    (Box::new(wire), false)
                }
                Some(proxy) => (self.directly(proxy.uri()).await?, true),
                None => (self.directly(uri).await?, false),
            };
            Ok(TokioIo::new(CountedConnection { wire: TokioIo::new(wire), is_to_a_proxy, traffic: Traffic::default() }))
        };
        // The timer comes first: the connector's own error says only that a deadline has elapsed.
        tokio::select! {
            biased;
            () = sleep(CONNECT_TIMEOUT) => Err(io::Error::new(io::ErrorKind::TimedOut, "connecting timed out")),
            wire = connecting => wire,
        }
    }

    /// Gives a request the form in which it is sent over a connection that was made for it. Its URL must name a host.
    pub(super) fn prepare<B>(&self, request: &mut Request<B>, link: &Link) -> io::Result<()> {
        let uri = request.uri().clone();
        self.authorize(request);
        // HTTP/2 and proxies take scheme, host and path from the whole URL.
        if !link.inner().is_http2() {
            request.headers_mut().insert(header::HOST, host(&uri)?);
            if !link.inner().is_to_a_proxy {
                *request.uri_mut() = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")).into();
            }
        }
        Ok(())
    }

    /// Adds the password of the proxy that reads the request.
    pub(super) fn authorize<B>(&self, request: &mut Request<B>) {
        if request.uri().scheme() == Some(&Scheme::HTTP)
            && let Some(proxy) = self.proxies.intercept(request.uri())
            && let Some(password) = proxy.basic_auth()
        {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, password.clone());
        }
    }

    async fn directly(&self, to: &Uri) -> io::Result<Box<dyn Wire>> {
        let stream = TowerToHyperService::new(self.direct.clone()).call(to.clone()).await.map_err(io::Error::other)?;
        // A connection without TLS takes no room for its state.
        Ok(match stream {
            MaybeHttpsStream::Http(stream) => Box::new(stream),
            stream @ MaybeHttpsStream::Https(_) => Box::new(stream),
        })
    }

    fn tunnel(&self, proxy: &Intercept) -> Tunnel<HttpsConnector<TcpConnector>> {
        let headers = HeaderMap::from_iter([(header::USER_AGENT, HeaderValue::from_static(USER_AGENT))]);
        let tunnel = Tunnel::new(proxy.uri().clone(), self.direct.clone()).with_headers(headers);
        match proxy.basic_auth() {
            Some(password) => tunnel.with_auth(password.clone()),
            None => tunnel,
        }
    }
}

impl tower::Service<Uri> for Connector {
    type Response = Link;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Link>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(&uri).await })
    }
}

fn standard_port(uri: &Uri) -> u16 {
    if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 }
}

/// Host and port, without the port that the scheme stands for.
fn host(uri: &Uri) -> io::Result<HeaderValue> {
    let name = uri.host().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the URL names no host"))?;
    let host = match uri.port_u16() {
        Some(port) if port != standard_port(uri) => format!("{name}:{port}"),
        _ => name.to_owned(),
    };
    HeaderValue::try_from(host).map_err(io::Error::other)
}
