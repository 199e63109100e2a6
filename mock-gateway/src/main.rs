//! The mock gateway on its own: `cargo run -p mock-gateway -- --port 3000`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU8;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::Arg::{Long, Short};
use lexopt::{Parser, ValueExt};
use mock_gateway::{Call, Config, Defect, Defects, MockGateway};

const USAGE: &str = "\
A mock of the 4Runr Gateway: the whole contract, stateful, on one port.

Usage: mock-gateway [OPTIONS]

Options:
  --port PORT      where to listen; 0 lets the system choose [default: 3000]
  --host ADDRESS   on which address [default: 127.0.0.1]
  --redis URL      keep the state in this Redis, and go on with what is there [default: in memory]
  --redis-prefix PREFIX
                   what all keys in Redis begin with [default: mock-gateway]
  --token TOKEN    the bearer token that every request must carry [default: none is asked for]
  --defect NAME[,NAME]
                   what is wrong with it [default: nothing]
  --certificate FILE
                   where to leave the certificate that clients have to trust, if it speaks TLS
  --threads N      threads that serve it: one leaves the other processors to S2; two serve ten thousand streams in time
                   [default: 1]
  --without CALL   a call of the contract that it does not have, such as 'GET /metrics'; may be said again
  -h, --help       this text
  -V, --version    the version
";

/// Action that the command line asks for.
enum Wanted {
    /// Serve, with the number of threads and the file for the certificate.
    Serve(Box<Config>, usize, Option<PathBuf>),
    Say(String),
}

fn main() -> ExitCode {
    if mock_gateway::work_if_asked() {
        return ExitCode::SUCCESS;
    }
    let (config, threads, certificate) = match parse(Parser::from_env()) {
        Ok(Wanted::Serve(config, threads, certificate)) => (*config, threads, certificate),
        Ok(Wanted::Say(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(e) => {
            eprintln!("mock-gateway: {e}\nTry: mock-gateway --help");
            return ExitCode::from(2);
        }
    };
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = match builder.worker_threads(threads).enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return failed(format_args!("cannot start a runtime: {e}")),
    };
    runtime.block_on(serve(config, certificate.as_deref()))
}

fn parse(mut parser: Parser) -> Result<Wanted, lexopt::Error> {
    let mut host = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut port = 3000;
    let (mut token, mut redis, mut certificate) = (None, None, None);
    let mut redis_prefix = Config::default().redis_prefix;
    let mut defects = Defects::default();
    let mut without = Vec::new();
    let mut threads = NonZeroU8::MIN;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("port") => port = parser.value()?.parse()?,
            Long("host") => host = parser.value()?.parse()?,
            Long("redis") => redis = Some(parser.value()?.string()?),
            Long("redis-prefix") => redis_prefix = parser.value()?.string()?,
            Long("token") => token = Some(parser.value()?.string()?),
            Long("defect") => defects.extend(parser.value()?.parse_with(str::parse::<Defects>)?.iter()),
            Long("certificate") => certificate = Some(PathBuf::from(parser.value()?)),
            Long("threads") => threads = parser.value()?.parse()?,
            Long("without") => without.push(parser.value()?.parse_with(str::parse::<Call>)?),
            Short('h') | Long("help") => return Ok(Wanted::Say(help())),
            Short('V') | Long("version") => {
                return Ok(Wanted::Say(format!("mock-gateway {}\n", env!("CARGO_PKG_VERSION"))));
            }
            _ => return Err(argument.unexpected()),
        }
    }
    let listen = SocketAddr::new(host, port);
    let config = Config { listen, token, redis, redis_prefix, defects, without, ..Config::default() };
    Ok(Wanted::Serve(Box::new(config), threads.get().into(), certificate))
}

fn help() -> String {
    let list = |oddities: bool| -> String {
        let defects = Defect::ALL.iter().filter(|defect| defect.is_oddity() == oddities);
        defects.map(|defect| format!("  {:<27}{}\n", defect.name(), defect.does())).collect()
    };
    format!("{USAGE}\nDefects:\n{}\nHealthy oddities:\n{}", list(false), list(true))
}

async fn serve(config: Config, certificate: Option<&Path>) -> ExitCode {
    let has_metrics_elsewhere = config.defects.contains(Defect::MetricsElsewhere);
    // Before anything is served, so that a signal never finds us unprepared.
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(e) => return failed(format_args!("cannot listen to signals: {e}")),
    };
    let mut gateway = match MockGateway::start(config).await {
        Ok(gateway) => gateway,
        Err(e) => return failed(e),
    };
    if let (Some(path), Some(pem)) = (certificate, gateway.certificate())
        && let Err(e) = std::fs::write(path, pem)
    {
        return failed(format_args!("cannot leave the certificate at {}: {e}", path.display()));
    }
    println!("mock gateway listening on {}", gateway.url());
    if has_metrics_elsewhere {
        println!("its metrics are at {}", gateway.metrics_url());
    }
    tokio::select! {
        () = signals.next() => {
            gateway.shutdown().await;
            ExitCode::SUCCESS
        }
        closed = gateway.closed() => match closed {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => failed(e),
        },
    }
}

fn failed(why: impl std::fmt::Display) -> ExitCode {
    eprintln!("mock-gateway: {why}");
    ExitCode::FAILURE
}

/// SIGINT and SIGTERM, or Ctrl-C where there are no signals.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        // Without a way to hear Ctrl-C, the process is simply ended by it.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
