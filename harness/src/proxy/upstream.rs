//! The upstream: a host and a port, looked up anew for each connection.

use std::io;

use http::Uri;
use tokio::{net::TcpStream, time::timeout};

use crate::tcp::{CONNECT_TIMEOUT, TcpConnector};

#[derive(Debug, Clone)]
pub(super) struct Upstream {
    connector: TcpConnector,
    uri: Uri,
}

impl Upstream {
    /// The upstream at `authority`, a host and a port.
    pub(super) fn new(authority: &str) -> io::Result<Self> {
        let uri = Uri::builder().scheme("http").authority(authority).path_and_query("/").build();
        let uri =
            uri.map_err(|e| io::Error::other(format!("the fault proxy's upstream {authority:?} is no host: {e}")))?;
        Ok(Self { connector: TcpConnector::new(), uri })
    }

    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        let connected = timeout(CONNECT_TIMEOUT, self.connector.connect(self.uri.clone())).await?;
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
