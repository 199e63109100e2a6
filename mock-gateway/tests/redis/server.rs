//! A redis-server in a folder of its own.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use uuid::Uuid;

use crate::caller::{DEADLINE, now};

/// How much of what it acknowledged a Redis has when it starts again.
#[derive(Clone, Copy)]
pub(crate) enum Keeps {
    Everything,
    /// All but the last second, at worst; for tests that do not end it.
    EverySecond,
    Nothing,
}

/// A Redis that ends when this is dropped.
pub(crate) struct RedisServer {
    keeps: Keeps,
    folder: PathBuf,
    port: u16,
    child: Child,
}

impl RedisServer {
    pub(crate) fn start(keeps: Keeps) -> Self {
        let folder = std::env::temp_dir().join(format!("mock-gateway-redis-{}", Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        loop {
            let port = free_port();
            let mut server = Self { keeps, folder: folder.clone(), port, child: spawn(keeps, &folder, port) };
            if server.answers() {
                return server;
            }
            // Somebody else was given the port meanwhile.
            assert!(server.log().contains("Address already in use"), "redis-server does not start:\n{}", server.log());
            // The folder is still needed.
            server.folder = PathBuf::new();
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends it, and waits for its end.
    pub(crate) fn end(&mut self, signal: Signal) {
        self.signal(signal);
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Starts it again where it was, with what it has kept, and waits until it answers.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.keeps, &self.folder, self.port);
        assert!(self.answers(), "redis-server does not start again:\n{}", self.log());
    }

    pub(crate) fn query<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(self.url()).unwrap();
        let mut command = redis::Cmd::new();
        words.iter().for_each(|word| _ = command.arg(*word));
        command.query(&mut client.get_connection().unwrap()).unwrap()
    }

    /// The ids of the events that it has, as they are on the wire.
    pub(crate) fn event_ids(&self) -> Vec<String> {
        let entries: Vec<(String, Vec<String>)> = self.query(&["XRANGE", "mock-gateway:events", "-", "+"]);
        let ids = entries.into_iter().map(|(id, _)| id.strip_suffix("-0").expect("an id of ours").to_owned());
        ids.map(|id| format!("{id:0>12}")).collect()
    }

    /// Waits until it does; not, if it has ended instead.
    fn answers(&mut self) -> bool {
        let since = now();
        while since.elapsed() < DEADLINE {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if ping(self.port).is_some_and(|answer| answer == *b"+PONG") {
                return true;
            }
            sleep(Duration::from_millis(5));
        }
        panic!("redis-server does not answer:\n{}", self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Whether or not the test got to its end, and the server to its own.
        let _ = self.child.kill().and_then(|()| self.child.wait());
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn spawn(keeps: Keeps, folder: &PathBuf, port: u16) -> Child {
    let (append, sync) = match keeps {
        Keeps::Everything => ("yes", "always"),
        Keeps::EverySecond => ("yes", "everysec"),
        Keeps::Nothing => ("no", "no"),
    };
    let spawned = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no", "--save", ""])
        .args(["--appendonly", append, "--appendfsync", sync, "--logfile", "log", "--dir"])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    spawned.unwrap_or_else(|e| match e.kind() {
        ErrorKind::NotFound => {
            panic!("redis-server is not installed, and these tests need a real one: apt-get install redis-server")
        }
        _ => panic!("redis-server cannot be started: {e}"),
    })
}

fn ping(port: u16) -> Option<[u8; 5]> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(DEADLINE)).ok()?;
    stream.write_all(b"PING\r\n").ok()?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).ok()?;
    Some(answer)
}

/// A port that stays free while whoever has it is away: below those that the system gives to connections.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = 20_000 + (Uuid::new_v4().as_u128() % 12_000) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
