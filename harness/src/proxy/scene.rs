//! For tests: a proxy, a client and an upstream, on real sockets.

use std::{future::Future, io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::{CONNECTIONS_MAX, ConnectMode, Counters, FaultProxy};

/// Maximum time to wait for an event. An event that has not happened by then does not happen.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time after which missing bytes are not on their way. A time that is too short makes a test weaker, and not red.
const A_WHILE: Duration = Duration::from_millis(100);

/// Waits for what must happen.
pub(super) async fn soon<T>(what: &str, happens: impl Future<Output = T>) -> T {
    timeout(PATIENCE, happens).await.unwrap_or_else(|_| panic!("it never happened: {what}"))
}

pub(super) struct Scene {
    pub(super) proxy: FaultProxy,
    pub(super) listener: TcpListener,
}

/// Both ends of a connection.
pub(super) struct Pair {
    pub(super) client: TcpStream,
    pub(super) upstream: TcpStream,
}

impl Scene {
    pub(super) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy =
            FaultProxy::start(&listener.local_addr().unwrap().to_string(), ConnectMode::Straight, 7, CONNECTIONS_MAX)
                .await
                .unwrap();
        Self { proxy, listener }
    }

    pub(super) async fn connect(&self) -> TcpStream {
        let client = soon("the proxy is connected to", TcpStream::connect(self.proxy.local_addr())).await.unwrap();
        client.set_nodelay(true).unwrap();
        client
    }

    pub(super) async fn accept(&self) -> TcpStream {
        let upstream = soon("the proxy connects", self.listener.accept()).await.unwrap().0;
        upstream.set_nodelay(true).unwrap();
        upstream
    }

    pub(super) async fn pair(&self) -> Pair {
        let client = self.connect().await;
        Pair { client, upstream: self.accept().await }
    }

    /// Waits until the counters say so.
    pub(super) async fn until(&self, what: &str, holds: impl Fn(&Counters) -> bool) {
        let looking = async {
            while !holds(self.proxy.counters()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        if timeout(PATIENCE, looking).await.is_err() {
            panic!("it never happened: {what}; {:?}", self.proxy.counters());
        }
    }
}

impl Pair {
    /// Sends from here to there, and waits for it to arrive.
    pub(super) async fn ask(&mut self, text: &str) {
        self.client.write_all(text.as_bytes()).await.unwrap();
        expect(&mut self.upstream, text).await;
    }

    /// The same, the other way.
    pub(super) async fn answer(&mut self, text: &str) {
        self.upstream.write_all(text.as_bytes()).await.unwrap();
        expect(&mut self.client, text).await;
    }
}

/// Reads just this.
pub(super) async fn expect(from: &mut TcpStream, text: &str) {
    let mut read = vec![0; text.len()];
    soon("bytes arrive", from.read_exact(&mut read)).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&read), text);
}

/// Nothing comes, not even an end.
pub(super) async fn expect_nothing(from: &mut TcpStream) {
    let came = timeout(A_WHILE, from.read_u8()).await;
    assert!(came.is_err(), "{came:?}");
}

pub(super) async fn expect_end(from: &mut TcpStream) {
    assert_eq!(soon("the connection ends", from.read(&mut [0])).await.unwrap(), 0);
}

pub(super) async fn expect_reset(from: &mut TcpStream) {
    let read = soon("the connection is reset", from.read(&mut [0])).await;
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

/// Ends a connection with a reset.
pub(super) fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
}

/// Writes until no more is taken for a while, but no more than so much; how much was taken.
pub(super) async fn write_until_stuck(to: &mut TcpStream, most: usize) -> usize {
    let mut taken = 0;
    while taken < most {
        match timeout(A_WHILE, to.write(&[7; 64 * 1_024])).await {
            Ok(written) => taken += written.unwrap(),
            Err(_) => break,
        }
    }
    taken
}

/// Returns the maximum number of bytes that the system holds of a connection: a sender's and a receiver's buffer.
pub(super) fn kernel_buffers_max() -> usize {
    let largest = |file: &str| -> usize {
        let sizes = std::fs::read_to_string(format!("/proc/sys/net/ipv4/{file}"));
        // Where that cannot be read, what Linux takes by default on a large machine.
        sizes.ok().and_then(|sizes| sizes.split_whitespace().last()?.parse().ok()).unwrap_or(32 << 20)
    };
    largest("tcp_rmem") + largest("tcp_wmem")
}
