//! A front before a well gateway: lets requests through, and answers some itself, byte for byte as it likes.

use std::{future::Future, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use mock_gateway::{Config, MockGateway};
use serde_json::Value;
use testkit::AnyError;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// No request of the harness has a longer head or body.
const REQUEST_BYTES_MAX: u64 = 1 << 20;
/// What is written at once of a flood.
const FLOOD_STEP_BYTES: usize = 64 << 10;

/// What a front does with a request.
pub(crate) type Answering = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;
/// Says what it does.
pub(crate) type Behaviour = Arc<dyn Fn(Asked) -> Answering + Send + Sync>;

/// A behaviour from a function.
pub(crate) fn behaviour<F>(answers: impl Fn(Asked) -> F + Send + Sync + 'static) -> Behaviour
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    Arc::new(move |asked| Box::pin(answers(asked)))
}

/// A front, and the gateway behind it.
pub(crate) struct Front {
    /// Where the front listens.
    pub(crate) url: String,
    gateway: MockGateway,
    listening: JoinSet<()>,
}

impl Front {
    pub(crate) async fn start(behaves: Behaviour, behind: Config) -> Result<Self, AnyError> {
        let gateway = MockGateway::start(behind).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (url, behind) = (format!("http://{}", listener.local_addr()?), gateway.address());
        let mut listening = JoinSet::new();
        listening.spawn(accept(listener, behaves, behind));
        Ok(Self { url, gateway, listening })
    }

    pub(crate) async fn shutdown(mut self) {
        self.listening.shutdown().await;
        self.gateway.shutdown().await;
    }
}

/// Takes what comes, until the front dies; a connection carries one request.
async fn accept(listener: TcpListener, behaves: Behaviour, behind: SocketAddr) {
    let (death, mut died) = watch::channel(false);
    let death = Arc::new(death);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            _ = died.wait_for(|is_dead| *is_dead) => break,
        };
        let Ok((socket, _)) = accepted else { continue };
        let (behaves, death) = (Arc::clone(&behaves), Arc::clone(&death));
        connections.spawn(async move {
            if let Ok(asked) = Asked::read(socket, behind, death).await {
                // Whoever has had enough hangs up, as is its right.
                let _ = behaves(asked).await;
            }
        });
    }
}

/// A request, and the connection that it came by.
pub(crate) struct Asked {
    /// Method and path, without a query: `GET /ready`.
    pub(crate) call: String,
    /// The request's head and body as they came.
    pub(crate) request: Vec<u8>,
    socket: BufReader<TcpStream>,
    behind: SocketAddr,
    death: Arc<watch::Sender<bool>>,
}

impl Asked {
    async fn read(socket: TcpStream, behind: SocketAddr, death: Arc<watch::Sender<bool>>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        let mut socket = BufReader::new(socket);
        let mut request = Vec::new();
        let mut limited = (&mut socket).take(REQUEST_BYTES_MAX);
        while !request.ends_with(b"\r\n\r\n") {
            if limited.read_until(b'\n', &mut request).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let head = String::from_utf8_lossy(&request).into_owned();
        let length = header_of(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        limited.read_exact(&mut body).await?;
        request.extend(body);
        let call = head.split(['?', ' ']).take(2).collect::<Vec<_>>().join(" ");
        Ok(Self { call, request, socket, behind, death })
    }

    /// The value of one of its headers.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        header_of(&String::from_utf8_lossy(&self.request), name)
    }

    /// Whether it asks for the log stream of a workspace.
    pub(crate) fn is_workspace_stream(&self) -> bool {
        self.call == "GET /api/runs/logs/stream"
    }

    /// Whether it asks after a run.
    pub(crate) fn is_after_a_run(&self) -> bool {
        let id = self.call.strip_prefix("GET /api/runs/");
        id.is_some_and(|id| !id.contains('/'))
    }

    /// Its body, where that is JSON.
    pub(crate) fn json(&self) -> Value {
        let body = self.request.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(0, |at| at + 4);
        serde_json::from_slice(&self.request[body..]).unwrap_or_default()
    }

    /// Lets it through.
    pub(crate) async fn pass(mut self) -> io::Result<()> {
        let mut gateway = self.send_on("HTTP/1.1").await?;
        tokio::io::copy_bidirectional(&mut gateway, &mut self.socket).await.map(drop)
    }

    /// Lets it through, and writes what is answered, past its head, in the pieces that `pieces` makes of it, a while
    /// apart.
    pub(crate) async fn pass_in_pieces(
        mut self,
        head: &str,
        pause: Duration,
        mut pieces: impl FnMut(&[u8]) -> Vec<Vec<u8>>,
    ) -> io::Result<()> {
        // Of an older client a gateway thinks that it knows no chunks: what comes is the body as it is.
        let mut gateway = BufReader::new(self.send_on("HTTP/1.0").await?);
        let mut line = String::new();
        while gateway.read_line(&mut line).await? > 0 && line != "\r\n" {
            line.clear();
        }
        self.socket.write_all(head.as_bytes()).await?;
        loop {
            let read = tokio::select! {
                read = gateway.fill_buf() => read?,
                hung_up = hung_up(&mut self.socket) => return hung_up,
            };
            if read.is_empty() {
                return self.socket.shutdown().await;
            }
            let (length, pieces) = (read.len(), pieces(read));
            gateway.consume(length);
            for piece in pieces {
                self.socket.write_all(&piece).await?;
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Answers with these bytes, and hangs up.
    pub(crate) async fn say(mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.socket.write_all(bytes.as_ref()).await?;
        self.socket.shutdown().await
    }

    /// Answers with these bytes, and then says nothing more, for as long as anybody listens.
    pub(crate) async fn say_and_stay(mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.socket.write_all(bytes.as_ref()).await?;
        hung_up(&mut self.socket).await
    }

    /// Answers with these bytes, one by one, a second apart.
    pub(crate) async fn say_slowly(mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        for byte in bytes.as_ref() {
            self.socket.write_all(&[*byte]).await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        hung_up(&mut self.socket).await
    }

    /// Answers with these bytes, and then with the same again and again, so many bytes in all.
    pub(crate) async fn flood(mut self, head: impl AsRef<[u8]>, of: &[u8], bytes: usize) -> io::Result<()> {
        self.socket.write_all(head.as_ref()).await?;
        let step = of.repeat(FLOOD_STEP_BYTES / of.len());
        for _ in 0..bytes / step.len() {
            self.socket.write_all(&step).await?;
        }
        self.socket.shutdown().await
    }

    /// Dies: nobody listens any more, and every connection is cut.
    pub(crate) fn die(self) {
        self.death.send_replace(true);
    }

    /// Sends it on to the gateway behind, in the words of such a version of HTTP.
    async fn send_on(&self, version: &str) -> io::Result<TcpStream> {
        let mut gateway = TcpStream::connect(self.behind).await?;
        let line_end = self.request.windows(2).position(|bytes| bytes == b"\r\n").unwrap_or(0);
        let line = String::from_utf8_lossy(&self.request[..line_end]).replace("HTTP/1.1", version);
        gateway.write_all(format!("{line}\r\nconnection: close").as_bytes()).await?;
        gateway.write_all(&self.request[line_end..]).await?;
        Ok(gateway)
    }
}

/// Comes back when the one who asked hangs up. It has nothing more to say.
async fn hung_up(socket: &mut BufReader<TcpStream>) -> io::Result<()> {
    while socket.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}

fn header_of(head: &str, name: &str) -> Option<String> {
    let of_name = |line: &str| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    };
    head.lines().find_map(of_name)
}

/// An answer with a body of known length.
pub(crate) fn answer(status: &str, content_type: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n");
    [format!("{head}connection: close\r\n\r\n").as_bytes(), body].concat()
}

/// The head of a stream without an end.
pub(crate) const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
