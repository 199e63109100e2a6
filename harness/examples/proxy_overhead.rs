//! Cost of the fault proxy while it does nothing: each request's time and bulk throughput, directly and through it.
//!
//! ```sh
//! cargo run --release -p s2-harness --example proxy_overhead
//! ```
//!
//! Both ways take turns in one run, so that a machine that is busy for a while is busy for both. Client and proxy share
//! a runtime, as they do in a session; the server has one of its own. The figures stand in the documentation of
//! `s2_harness::proxy`.

use std::{error::Error, io, net::SocketAddr, thread, time::Duration};

use s2_harness::{
    clock,
    proxy::{CONNECTIONS_MAX, ConnectMode, FaultProxy},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinSet,
    time::sleep,
};

/// Both ways take turns so often.
const ROUNDS: usize = 60;
const WARM_UP_ROUNDS: usize = 3;
const REQUESTS_PER_ROUND: usize = 200;
const BULK_BYTES: usize = 64 * 1_024 * 1_024;
const BUFFER_BYTES: usize = 256 * 1_024;
/// A sender that is no faster than a network card goes on so often.
const LINK_SLICE: Duration = Duration::from_millis(2);

const REQUEST: &[u8] = b"POST /api/runs HTTP/1.1\r\nhost: gateway\r\ncontent-length: 64\r\n\r\n\
    {\"agent\":\"demo\",\"input\":\"0123456789012345678901234567890123456789\"}";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 60\r\n\r\n\
    {\"id\":\"00000000-0000-0000-0000-000000000000\",\"ok\":true,\"n\":1}";

/// Purpose of a connection. The first byte of the connection states it.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Requests = b'r' as isize,
    Bulk = b'b' as isize,
    Gigabit = b'1' as isize,
    TenGigabit = b'2' as isize,
}

/// Output of a network card: bytes per second, and bytes in all.
const GIGABIT: (usize, usize) = (125_000_000, 16 * 1_024 * 1_024);
const TEN_GIGABIT: (usize, usize) = (1_250_000_000, 128 * 1_024 * 1_024);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (tell, told) = oneshot::channel();
    // Its connections are its own, and end with the program.
    thread::spawn(|| serve(tell));
    let direct = told.await?;
    let proxy = FaultProxy::start(&direct.to_string(), ConnectMode::Straight, 1, CONNECTIONS_MAX).await?;
    let ways = [direct, proxy.local_addr()];

    let times = requests(ways).await?;
    let loopback = bulk(ways, Kind::Bulk, BULK_BYTES).await?;
    let gigabit = bulk(ways, Kind::Gigabit, GIGABIT.1).await?;
    let ten_gigabit = bulk(ways, Kind::TenGigabit, TEN_GIGABIT.1).await?;

    println!("{:<36}{:>12}{:>12}{:>16}", "", "directly", "by proxy", "difference");
    for (name, share) in [("request, median", 0.5), ("request, p99", 0.99)] {
        let [direct, proxied] = times.each_ref().map(|seconds| quantile(seconds, share) * 1e6);
        println!("{name:<36}{direct:>9.1} us{proxied:>9.1} us{:>+13.1} us", proxied - direct);
    }
    for (name, rates) in [
        ("bulk, a gigabit link", gigabit),
        ("bulk, a link of ten gigabits", ten_gigabit),
        ("bulk, loopback at its fastest", loopback),
    ] {
        let [direct, proxied] = rates.each_ref().map(|rates| quantile(rates, 0.5) / 1e6);
        let difference = (proxied / direct - 1.0) * 100.0;
        println!("{name:<36}{direct:>7.0} MB/s{proxied:>7.0} MB/s{difference:>+14.1} %");
    }
    proxy.shutdown().await;
    Ok(())
}

/// Seconds of each request, on a kept connection: directly, and by proxy.
async fn requests(ways: [SocketAddr; 2]) -> io::Result<[Vec<f64>; 2]> {
    let mut wires = [connect(ways[0], Kind::Requests).await?, connect(ways[1], Kind::Requests).await?];
    let mut times = [Vec::new(), Vec::new()];
    let mut answer = [0; ANSWER.len()];
    for round in 0..ROUNDS + WARM_UP_ROUNDS {
        for (wire, times) in wires.iter_mut().zip(&mut times) {
            for _ in 0..REQUESTS_PER_ROUND {
                let began = clock::now();
                wire.write_all(REQUEST).await?;
                wire.read_exact(&mut answer).await?;
                if round >= WARM_UP_ROUNDS {
                    times.push((clock::now() - began).as_secs_f64());
                }
            }
        }
    }
    Ok(times)
}

/// Bytes a second of each transfer, on connections of their own: directly, and by proxy.
async fn bulk(ways: [SocketAddr; 2], kind: Kind, bytes: usize) -> io::Result<[Vec<f64>; 2]> {
    let mut rates = [Vec::new(), Vec::new()];
    let mut buffer = vec![0; BUFFER_BYTES];
    for round in 0..ROUNDS / 2 + WARM_UP_ROUNDS {
        for (way, rates) in ways.iter().zip(&mut rates) {
            let mut wire = connect(*way, kind).await?;
            // The first byte says that the connection is there.
            let mut read = wire.read(&mut buffer[..1]).await?;
            let began = clock::now();
            while read < bytes {
                match wire.read(&mut buffer).await? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    n => read += n,
                }
            }
            if round >= WARM_UP_ROUNDS {
                #[expect(clippy::cast_precision_loss, reason = "megabytes")]
                rates.push(read as f64 / (clock::now() - began).as_secs_f64());
            }
        }
    }
    Ok(rates)
}

async fn connect(to: SocketAddr, kind: Kind) -> io::Result<TcpStream> {
    let mut wire = TcpStream::connect(to).await?;
    wire.set_nodelay(true)?;
    wire.write_u8(kind as u8).await?;
    Ok(wire)
}

/// The gateway's side, until the program ends.
fn serve(tell: oneshot::Sender<SocketAddr>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        // Nobody who measures is no reason to fail.
        let _ = tell.send(listener.local_addr()?);
        let mut connections = JoinSet::new();
        loop {
            let (wire, _) = listener.accept().await?;
            connections.spawn(answer(wire));
            while connections.try_join_next().is_some() {}
        }
    })
}

async fn answer(mut wire: TcpStream) -> io::Result<()> {
    wire.set_nodelay(true)?;
    let kind = wire.read_u8().await?;
    if kind == Kind::Requests as u8 {
        let mut request = [0; REQUEST.len()];
        loop {
            wire.read_exact(&mut request).await?;
            wire.write_all(ANSWER).await?;
        }
    }
    let chunk = vec![7; BUFFER_BYTES];
    if kind == Kind::Bulk as u8 {
        for _ in 0..BULK_BYTES / BUFFER_BYTES {
            wire.write_all(&chunk).await?;
        }
        return Ok(());
    }
    let (bytes_per_second, bytes) = if kind == Kind::Gigabit as u8 { GIGABIT } else { TEN_GIGABIT };
    let began = clock::now();
    let mut sent = 0;
    while sent < bytes {
        let allowed = bytes_per_second * usize::try_from((clock::now() - began).as_micros()).unwrap_or(0) / 1_000_000;
        let n = allowed.min(bytes).saturating_sub(sent).min(BUFFER_BYTES);
        wire.write_all(&chunk[..n]).await?;
        sent += n;
        if sent >= allowed {
            sleep(LINK_SLICE).await;
        }
    }
    Ok(())
}

/// The nearest rank.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "thousands"
    )]
    let rank = (values.len() as f64 * share).ceil() as usize;
    values[rank.saturating_sub(1)]
}
