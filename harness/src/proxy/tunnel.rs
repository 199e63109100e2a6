//! A tunnel, as clients with TLS ask a proxy for one: `CONNECT` (RFC 9110, section 9.3.6), answered with 200 once the
//! upstream is connected.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const HEAD_BYTES_MAX: usize = 8 * 1_024;
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The answer to a client whose tunnel is open.
pub(super) const GRANTED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";
const NOT_UNDERSTOOD: &[u8] = b"HTTP/1.1 405 Method Not Allowed\r\nallow: CONNECT\r\ncontent-length: 0\r\n\r\n";

/// The way of clients to the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectMode {
    /// They connect to the proxy as if it were the upstream.
    Straight,
    /// They ask the proxy for a tunnel first. It leads to the upstream, whichever host they name.
    Tunnel,
}

/// Reads a client's request for a tunnel, and refuses other requests.
pub(super) async fn asked_for(client: &mut TcpStream) -> io::Result<()> {
    let head = timeout(HEAD_TIMEOUT, read_head(client)).await??;
    if head.starts_with(b"CONNECT ") {
        return Ok(());
    }
    client.write_all(NOT_UNDERSTOOD).await?;
    Err(io::Error::new(io::ErrorKind::InvalidData, "a client did not ask for a tunnel"))
}

/// Reads a head up to its empty line, and not a byte beyond it: the next bytes are for the upstream.
async fn read_head(client: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == HEAD_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a client's head is too long"));
        }
        // A few hundred bytes, once for a connection.
        head.push(client.read_u8().await?);
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::super::{
        CONNECTIONS_MAX, FaultProxy,
        scene::{expect, expect_reset, soon},
    };
    use super::*;
    use tokio::net::TcpListener;

    async fn scene() -> (FaultProxy, TcpListener, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = listener.local_addr().unwrap().to_string();
        let proxy = FaultProxy::start(&upstream, ConnectMode::Tunnel, 7, CONNECTIONS_MAX).await.unwrap();
        let client = TcpStream::connect(proxy.local_addr()).await.unwrap();
        (proxy, listener, client)
    }

    #[tokio::test]
    async fn a_tunnel_leads_to_the_upstream_whichever_host_is_asked_for() {
        let (_proxy, listener, mut client) = scene().await;
        client.write_all(b"CONNECT gateway.example:443 HTTP/1.1\r\nhost: gateway.example:443\r\n\r\n").await.unwrap();
        let (mut upstream, _) = soon("the proxy connects", listener.accept()).await.unwrap();
        expect(&mut client, "HTTP/1.1 200 Connection established\r\n\r\n").await;
        client.write_all(b"hello").await.unwrap();
        expect(&mut upstream, "hello").await;
        upstream.write_all(b"well met").await.unwrap();
        expect(&mut client, "well met").await;
    }

    #[tokio::test]
    async fn what_a_client_sends_before_it_is_answered_is_the_upstreams() {
        let (_proxy, listener, mut client) = scene().await;
        client.write_all(b"CONNECT a:1 HTTP/1.1\r\n\r\nhello").await.unwrap();
        let (mut upstream, _) = soon("the proxy connects", listener.accept()).await.unwrap();
        expect(&mut upstream, "hello").await;
    }

    #[tokio::test]
    async fn what_asks_for_no_tunnel_is_told_so_and_never_comes_to_the_upstream() {
        let (proxy, _listener, mut client) = scene().await;
        client.write_all(b"GET /ready HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        expect(&mut client, "HTTP/1.1 405 Method Not Allowed\r\n").await;
        let counters = proxy.counters();
        assert_eq!((0, 0), (counters.bytes_to_upstream.get(), counters.bytes_to_clients.get()));
    }

    #[tokio::test]
    async fn a_head_without_end_is_bounded() {
        let mut endless = tokio::io::repeat(b'x');
        assert_eq!(io::ErrorKind::InvalidData, read_head(&mut endless).await.unwrap_err().kind());
    }

    #[tokio::test]
    async fn a_client_that_leaves_before_it_has_asked_is_let_go() {
        let (_proxy, _listener, mut client) = scene().await;
        client.write_all(b"CONNECT ").await.unwrap();
        client.shutdown().await.unwrap();
        expect_end_or_reset(&mut client).await;
    }

    async fn expect_end_or_reset(client: &mut TcpStream) {
        let read = soon("the connection ends", client.read(&mut [0])).await;
        assert!(read.is_err() || read.is_ok_and(|read| read == 0));
    }

    #[tokio::test]
    async fn an_upstream_that_is_not_there_resets_the_client_that_asked() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = free.local_addr().unwrap().to_string();
        drop(free);
        let proxy = FaultProxy::start(&upstream, ConnectMode::Tunnel, 7, CONNECTIONS_MAX).await.unwrap();
        let mut client = TcpStream::connect(proxy.local_addr()).await.unwrap();
        client.write_all(b"CONNECT a:1 HTTP/1.1\r\n\r\n").await.unwrap();
        expect_reset(&mut client).await;
    }
}
