//! A Redis server that a test starts, ends, and starts again where it was.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    ops::Range,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{AnyError, wait};

/// A server answers by then, on any machine.
const LIMIT: Duration = Duration::from_secs(60);
/// Below the ports that the system gives to connections, so that one stays free while its server is away.
const PORTS: Range<u16> = 20_000..32_000;
/// Ports that [`free_port`] has given: a server that is away may come back to its own.
static GIVEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());

/// Which of the acknowledged data a Redis server has when it starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// All.
    Everything,
    /// All but the last second, at worst. For tests that do not end the server.
    EverySecond,
    /// None.
    Nothing,
}

/// A Redis server in a folder of its own. It ends when this is dropped.
#[derive(Debug)]
pub struct RedisServer {
    keeps: Keeps,
    folder: TempDir,
    port: u16,
    child: Child,
}

impl RedisServer {
    /// Starts a server, and waits until it answers.
    ///
    /// # Errors
    ///
    /// There is no `redis-server`, or it does not answer; then the error has its log.
    pub fn start(keeps: Keeps) -> Result<Self, AnyError> {
        loop {
            match Self::start_on(keeps, free_port()?) {
                // Another process has taken the port meanwhile.
                Err(error) if error.to_string().contains("Address already in use") => {}
                started => return started,
            }
        }
    }

    fn start_on(keeps: Keeps, port: u16) -> Result<Self, AnyError> {
        let folder = tempfile::tempdir()?;
        let mut server = Self { keeps, child: spawn(keeps, &folder, port)?, folder, port };
        server.wait_for_answer()?;
        Ok(server)
    }

    /// Where it listens: `redis://127.0.0.1:…`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Sends a signal to it.
    ///
    /// # Errors
    ///
    /// The process has ended.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Ends it by a signal, and waits for its end.
    ///
    /// # Errors
    ///
    /// Those of [`Self::signal`].
    pub fn end(&mut self, signal: Signal) -> io::Result<ExitStatus> {
        self.signal(signal)?;
        self.child.wait()
    }

    /// Starts it again on the same port with the data that it has kept, and waits until it answers.
    ///
    /// # Errors
    ///
    /// Those of [`Self::start`].
    pub fn start_again(&mut self) -> Result<(), AnyError> {
        self.child = spawn(self.keeps, &self.folder, self.port)?;
        self.wait_for_answer()
    }

    fn wait_for_answer(&mut self) -> Result<(), AnyError> {
        let (child, port) = (&mut self.child, self.port);
        let answered = wait("redis-server answers", LIMIT, || match child.try_wait() {
            Ok(None) => answers(port).then_some(Ok(())),
            Ok(Some(status)) => Some(Err(status.to_string())),
            Err(error) => Some(Err(error.to_string())),
        });
        answered.and_then(|answered| Ok(answered?)).map_err(|error| {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            format!("redis-server does not answer: {error}\n{log}").into()
        })
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // A server that has ended cannot be killed, and has been waited for.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

fn spawn(keeps: Keeps, folder: &TempDir, port: u16) -> Result<Child, AnyError> {
    let (append, sync) = match keeps {
        Keeps::Everything => ("yes", "always"),
        Keeps::EverySecond => ("yes", "everysec"),
        Keeps::Nothing => ("no", "no"),
    };
    let spawned = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no", "--save", ""])
        .args(["--appendonly", append, "--appendfsync", sync, "--logfile", "log", "--dir"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    spawned.map_err(|error| format!("cannot start redis-server: {error}").into())
}

fn answers(port: u16) -> bool {
    let ping = || -> io::Result<[u8; 5]> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    ping().is_ok_and(|answer| answer == *b"+PONG")
}

/// A port that nobody listens on, and that this process is given once.
///
/// # Errors
///
/// Every port of the range is taken.
pub fn free_port() -> Result<u16, AnyError> {
    // Test binaries that run side by side begin at different ports.
    let start = (Uuid::new_v4().as_u128() % PORTS.len() as u128) as usize;
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let is_free = |port: &u16| !given.contains(port) && TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let port = PORTS.cycle().skip(start).take(PORTS.len()).find(is_free).ok_or("no port is free")?;
    given.push(port);
    Ok(port)
}
