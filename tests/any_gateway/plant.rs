//! A real Redis and a real gateway in front of it, each a process that can be restarted, and the one who restarts them: this
//! test's process, asked by the command that a lever runs.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use mock_gateway::{Config, MockGateway};
use rustix::process::{Pid, Signal, kill_process};
use s2_harness::clock;

use crate::soak::{AnyError, forget_surroundings};

/// Set where this binary is to be the gateway: port and Redis.
const BE_THE_GATEWAY: &str = "REAL_CHAOS_BE_THE_GATEWAY";
/// By then anything has happened that will, on any machine.
const LIMIT: Duration = Duration::from_secs(60);
/// Between looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Below the ports that the system gives to connections, so that one stays free while whoever has it is away.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Whether Redis has what it acknowledged when it starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeps {
    Everything,
    Nothing,
}

/// Both processes. They end with this.
pub(crate) struct Plant {
    processes: Arc<Mutex<Processes>>,
    control: String,
    url: String,
}

struct Processes {
    redis: Child,
    gateway: Child,
    folder: PathBuf,
    keeps: Keeps,
    redis_port: u16,
    gateway_port: u16,
}

impl Plant {
    pub(crate) fn start(folder: &Path, keeps: Keeps) -> Result<Self, AnyError> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        let (redis_port, gateway_port) = (free_port()?, free_port()?);
        let redis = start_redis(folder, keeps, redis_port)?;
        let gateway = start_gateway(gateway_port, redis_port)?;
        let processes = Processes { redis, gateway, folder: folder.to_owned(), keeps, redis_port, gateway_port };
        let processes = Arc::new(Mutex::new(processes));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let control = listener.local_addr()?.to_string();
        let asked = Arc::clone(&processes);
        thread::spawn(move || {
            // It ends with the test's process. An order at a time: there is nothing to do beside.
            for order in listener.incoming().flatten() {
                let mut order = BufReader::new(order);
                let mut what = String::new();
                let done = order
                    .read_line(&mut what)
                    .map_err(AnyError::from)
                    .and_then(|_| asked.lock().unwrap_or_else(PoisonError::into_inner).restart(what.trim()));
                let said = done.map_or_else(|e| format!("failed: {e}"), |()| "done".to_owned());
                let _ = order.get_mut().write_all(said.as_bytes());
            }
        });
        Ok(Self { processes, control, url: format!("http://127.0.0.1:{gateway_port}") })
    }

    /// Where the gateway listens, whichever process it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where to ask for a restart.
    pub(crate) fn control(&self) -> &str {
        &self.control
    }
}

impl Drop for Plant {
    fn drop(&mut self) {
        let mut processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        let Processes { redis, gateway, .. } = &mut *processes;
        // They were ours to start. One that has ended cannot be killed, and has been waited for.
        for child in [gateway, redis] {
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}

impl Processes {
    /// Ends one with SIGTERM, waits for its end, and starts it again where it was.
    fn restart(&mut self, what: &str) -> Result<(), AnyError> {
        match what {
            "both" => {
                self.restart("redis")?;
                self.restart("gateway")?;
            }
            "redis" => {
                terminate(&mut self.redis)?;
                self.redis = start_redis(&self.folder, self.keeps, self.redis_port)?;
            }
            "gateway" => {
                terminate(&mut self.gateway)?;
                self.gateway = start_gateway(self.gateway_port, self.redis_port)?;
            }
            other => return Err(format!("nothing here is called {other:?}").into()),
        }
        Ok(())
    }
}

fn terminate(child: &mut Child) -> Result<(), AnyError> {
    kill_process(Pid::from_child(child), Signal::TERM)?;
    let began = clock::now().into_std();
    while child.try_wait()?.is_none() {
        if began.elapsed() > LIMIT {
            return Err("it did not end".into());
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

fn free_port() -> Result<u16, AnyError> {
    let start = std::process::id() as u16;
    let ports = PORTS.cycle().skip(usize::from(start) % PORTS.len()).take(PORTS.len());
    let mut free = ports.filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    static GIVEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let port = free.find(|port| !given.contains(port)).ok_or("no port is free")?;
    given.push(port);
    Ok(port)
}

/// A Redis that answers.
fn start_redis(folder: &Path, keeps: Keeps, port: u16) -> Result<Child, AnyError> {
    let append = if keeps == Keeps::Everything { "yes" } else { "no" };
    let mut child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no", "--save", "", "--dir"])
        .arg(folder)
        .args(["--appendonly", append, "--appendfsync", "always", "--logfile", "redis.log"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|e| {
            format!("cannot start redis-server: {e}; this test needs a real one: apt-get install redis-server")
        })?;
    let began = clock::now().into_std();
    while !answers(port) {
        if child.try_wait()?.is_some() || began.elapsed() > LIMIT {
            let log = fs::read_to_string(folder.join("redis.log")).unwrap_or_default();
            return Err(format!("redis-server does not answer:\n{log}").into());
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(child)
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

/// A gateway that listens.
fn start_gateway(port: u16, redis_port: u16) -> Result<Child, AnyError> {
    let mut command = Command::new(std::env::current_exe()?);
    forget_surroundings(&mut command);
    let mut child = command
        .env(BE_THE_GATEWAY, format!("{port} {redis_port}"))
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("its output was asked for")?).read_line(&mut line)?;
    if line.trim() == "listening" {
        return Ok(child);
    }
    let status = child.wait()?;
    Err(format!("the gateway did not start: {status}").into())
}

/// Is the gateway, where the environment asks for it, until it is told to end: as `mock-gateway --redis` is.
pub(crate) fn served() -> Option<ExitCode> {
    let (_, ports) = std::env::vars_os().find(|(name, _)| name == BE_THE_GATEWAY)?;
    let ports = ports.to_string_lossy().into_owned();
    let (port, redis_port) = ports.split_once(' ')?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().ok()?;
    let served = runtime.block_on(async {
        let mut end = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let listen = (Ipv4Addr::LOCALHOST, port.parse::<u16>()?).into();
        let redis = Some(format!("redis://127.0.0.1:{redis_port}"));
        let gateway = MockGateway::start(Config { listen, redis, ..Config::default() }).await?;
        println!("listening");
        end.recv().await;
        gateway.shutdown().await;
        Ok::<(), AnyError>(())
    });
    Some(match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the gateway: {error}");
            ExitCode::FAILURE
        }
    })
}

/// Is the command of a lever, where this binary is called as one: asks for a restart, and is over when that is done.
pub(crate) fn pulled_lever() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some("restart") {
        return None;
    }
    let (what, control) = (arguments.next()?, arguments.next()?);
    let ask = || -> io::Result<String> {
        let mut control = TcpStream::connect(control)?;
        writeln!(control, "{what}")?;
        let mut said = String::new();
        control.read_to_string(&mut said)?;
        Ok(said)
    };
    let said = ask().unwrap_or_else(|e| format!("failed: {e}"));
    println!("{what}: {said}");
    Some(if said == "done" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
