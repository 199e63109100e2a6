//! The upstream: a host and a port, looked up anew for each connection.

use std::{io, time::Duration};

use http::Uri;
use hyper::service::Service;
use hyper_util::{client::legacy::connect::HttpConnector, service::TowerToHyperService};
use tokio::{net::TcpStream, time::timeout};

/// Maximum time to look up the name and connect; the same as without the proxy.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A silent upstream is noticed within a minute, for clients that see only the proxy.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 3;
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub(super) struct Upstream {
    connector: HttpConnector,
    uri: Uri,
}

impl Upstream {
    /// The upstream at `authority`, a host and a port.
    pub(super) fn new(authority: &str) -> io::Result<Self> {
        let uri = Uri::builder().scheme("http").authority(authority).path_and_query("/").build();
        let uri =
            uri.map_err(|e| io::Error::other(format!("the fault proxy's upstream {authority:?} is no host: {e}")))?;
        // It tries the addresses of a name, of both families, as a client's own connector does.
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_keepalive(Some(KEEPALIVE));
        connector.set_keepalive_interval(Some(KEEPALIVE));
        connector.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
        #[cfg(target_os = "linux")]
        connector.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIMEOUT));
        Ok(Self { connector, uri })
    }

    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        let connecting = TowerToHyperService::new(self.connector.clone()).call(self.uri.clone());
        let connected = timeout(CONNECT_TIMEOUT, connecting).await?;
        Ok(connected.map_err(io::Error::other)?.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_a_host_and_a_port() {
        for right in ["localhost:8080", "127.0.0.1:1", "[::1]:65535", "gateway.example:443"] {
            assert!(Upstream::new(right).is_ok(), "{right}");
        }
        for wrong in ["", "http://localhost:80", "a b:80"] {
            let error = Upstream::new(wrong).unwrap_err().to_string();
            assert!(error.contains("upstream"), "{wrong}: {error}");
        }
    }
}
