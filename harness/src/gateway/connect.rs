//! How a stream comes to the gateway: TCP, TLS and proxies as for requests, on a connection of its own.

use std::{fmt, io, sync::Arc, time::Duration};

use http::{
    HeaderMap, HeaderValue, Request, Uri, header,
    uri::{PathAndQuery, Scheme},
};
use hyper::{
    rt::{Read, Write},
    service::Service,
};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::{
        legacy::connect::{HttpConnector, proxy::Tunnel},
        proxy::matcher::{Intercept, Matcher},
    },
    service::TowerToHyperService,
};
use rustls::ClientConfig;

use super::client::{CONNECT_TIMEOUT, USER_AGENT};

/// A peer that is gone without a word is noticed after a minute, as with requests: reqwest's own settings.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 3;
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(30);

/// What bytes go over.
pub(super) trait Wire: Read + Write + Send + Unpin {}
impl<T: Read + Write + Send + Unpin> Wire for T {}

/// Connects to a gateway, or to the proxy before it.
#[derive(Clone)]
pub(super) struct Connector {
    direct: HttpsConnector<HttpConnector>,
    tls: Arc<ClientConfig>,
    proxies: Option<Arc<Matcher>>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A proxy's URL may hold a password.
        f.write_str("Connector")
    }
}

impl Connector {
    /// Connects with such TLS; through a proxy, where one of `proxies` is for the URL.
    pub(super) fn new(tls: ClientConfig, proxies: Option<Matcher>) -> Self {
        let tls = Arc::new(tls);
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        // Where a name has several addresses, each has its share of the time.
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        http.set_keepalive(Some(KEEPALIVE));
        http.set_keepalive_interval(Some(KEEPALIVE));
        http.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
        #[cfg(target_os = "linux")]
        http.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIMEOUT));
        Self { direct: HttpsConnector::from((http, Arc::clone(&tls))), tls, proxies: proxies.map(Arc::new) }
    }

    /// Connects to where a request goes, and gives the request the form in which it is sent there.
    ///
    /// # Errors
    /// What stood in the way, or that it took longer than the time for a connection.
    pub(super) async fn connect<B>(&self, request: &mut Request<B>) -> io::Result<Box<dyn Wire>> {
        let uri = request.uri().clone();
        request.headers_mut().insert(header::HOST, host(&uri)?);
        let proxy = self.proxies.as_ref().and_then(|proxies| proxies.intercept(&uri));
        let connecting = async {
            let wire: Box<dyn Wire> = match proxy {
                Some(proxy) if uri.scheme() == Some(&Scheme::HTTPS) => {
                    let tunnelled = HttpsConnector::from((self.tunnel(&proxy), Arc::clone(&self.tls)));
                    let wire = TowerToHyperService::new(tunnelled).call(uri.clone()).await.map_err(io::Error::other)?;
                    *request.uri_mut() = path_of(&uri);
                    Box::new(wire)
                }
                Some(proxy) => {
                    // The proxy reads the request: it needs the whole URL, and its password.
                    if let Some(password) = proxy.basic_auth() {
                        request.headers_mut().insert(header::PROXY_AUTHORIZATION, password.clone());
                    }
                    Box::new(self.directly(proxy.uri()).await?)
                }
                None => {
                    *request.uri_mut() = path_of(&uri);
                    Box::new(self.directly(&uri).await?)
                }
            };
            Ok(wire)
        };
        // The timer is looked at first: the connector's own would say no more than that a deadline has elapsed.
        tokio::select! {
            biased;
            () = tokio::time::sleep(CONNECT_TIMEOUT) => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "connecting timed out"))
            }
            wire = connecting => wire,
        }
    }

    async fn directly(&self, to: &Uri) -> io::Result<impl Wire + 'static> {
        TowerToHyperService::new(self.direct.clone()).call(to.clone()).await.map_err(io::Error::other)
    }

    fn tunnel(&self, proxy: &Intercept) -> Tunnel<HttpsConnector<HttpConnector>> {
        let headers = HeaderMap::from_iter([(header::USER_AGENT, HeaderValue::from_static(USER_AGENT))]);
        let tunnel = Tunnel::new(proxy.uri().clone(), self.direct.clone()).with_headers(headers);
        match proxy.basic_auth() {
            Some(password) => tunnel.with_auth(password.clone()),
            None => tunnel,
        }
    }
}

fn path_of(uri: &Uri) -> Uri {
    uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")).into()
}

/// Host and port, without the port that the scheme stands for.
fn host(uri: &Uri) -> io::Result<HeaderValue> {
    let standard = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let name = uri.host().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the URL names no host"))?;
    let host = match uri.port_u16() {
        Some(port) if port != standard => format!("{name}:{port}"),
        _ => name.to_owned(),
    };
    HeaderValue::try_from(host).map_err(io::Error::other)
}
