//! A real Redis and a real gateway in front of it, each a process that can be restarted, and the one who restarts them: this
//! test's process, asked by the command that a lever runs.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, ExitCode, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use mock_gateway::{Config, MockGateway};
use rustix::process::{Pid, Signal, kill_process};
use testkit::{AnyError, Keeps, RedisServer, free_port, own_binary, wait};

/// Set where this binary is to be the gateway: port, and URL of the Redis.
const BE_THE_GATEWAY: &str = "REAL_CHAOS_BE_THE_GATEWAY";
/// By then anything has happened that will, on any machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Both processes. They end with this.
pub(crate) struct Plant {
    /// None once they have ended.
    processes: Arc<Mutex<Option<Processes>>>,
    control: String,
    url: String,
}

struct Processes {
    redis: RedisServer,
    gateway: Child,
    gateway_port: u16,
}

impl Plant {
    pub(crate) fn start(keeps: Keeps) -> Result<Self, AnyError> {
        let (redis, gateway_port) = (RedisServer::start(keeps)?, free_port()?);
        let gateway = start_gateway(gateway_port, &redis.url())?;
        let processes = Arc::new(Mutex::new(Some(Processes { redis, gateway, gateway_port })));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let control = listener.local_addr()?.to_string();
        let asked = Arc::clone(&processes);
        thread::spawn(move || {
            // It ends with the test's process. An order at a time: there is nothing to do beside.
            for order in listener.incoming().flatten() {
                let mut order = BufReader::new(order);
                let mut what = String::new();
                let done = order.read_line(&mut what).map_err(AnyError::from).and_then(|_| {
                    match asked.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                        Some(processes) => processes.restart(what.trim()),
                        None => Err("they have ended".into()),
                    }
                });
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
        // The thread has them, too.
        self.processes.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        // A gateway that has ended cannot be killed, and has been waited for.
        let _ = self.gateway.kill().and_then(|()| self.gateway.wait());
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
                self.redis.end(Signal::TERM)?;
                self.redis.start_again()?;
            }
            "gateway" => {
                terminate(&mut self.gateway)?;
                self.gateway = start_gateway(self.gateway_port, &self.redis.url())?;
            }
            other => return Err(format!("nothing here is called {other:?}").into()),
        }
        Ok(())
    }
}

fn terminate(child: &mut Child) -> Result<(), AnyError> {
    kill_process(Pid::from_child(child), Signal::TERM)?;
    wait("the gateway ends", LIMIT, || child.try_wait().transpose())?.map(drop).map_err(AnyError::from)
}

/// A gateway that listens.
fn start_gateway(port: u16, redis_url: &str) -> Result<Child, AnyError> {
    let mut child = own_binary()?
        .env(BE_THE_GATEWAY, format!("{port} {redis_url}"))
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
    let (_, value) = std::env::vars_os().find(|(name, _)| name == BE_THE_GATEWAY)?;
    let value = value.to_string_lossy().into_owned();
    let (port, redis_url) = value.split_once(' ')?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().ok()?;
    let served = runtime.block_on(async {
        let mut end = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let listen = (Ipv4Addr::LOCALHOST, port.parse::<u16>()?).into();
        let redis = Some(redis_url.to_owned());
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
