//! Cost of S2 with many streams or many runs, beside a program that only reads the same bytes:
//!
//! ```sh
//! cargo run --release --example scale
//! ```
//!
//! Each round of a row plays two soaks at one mock gateway, which is a process of its own: one with the row's streams, and one with
//! two streams and the same runs, beside a reader (`reader.rs`) of the row's streams. So both sides read the same events in one run.
//! Processor time is that of the whole process, by `/proc`, between the same moments of both soaks. The table has the medians of the
//! rounds, and their ranges.
//!
//! `-- --rounds 1 --seconds 60 --rows 2,4` measures less. Only on Linux. With `wrk` on the path, the last column says what it sends to
//! the same gateway by core second: it asks for `/ready` as fast as it can, and looks at no answer.
//!
//! # Where the time goes
//!
//! Of a session with 10,000 streams at 50,000 deliveries a second, by `perf`: 55 % in the program, 34 % in the kernel (sockets,
//! epoll, a twelfth of all in switching tasks), 9 % in the allocator, 2 % in reading clocks. In the program no function takes more
//! than a thirtieth: events and their marks 5 %, `eventsource-client` 4 %, the ledger 5 %, of which ids take 3 %. The rest is
//! tokio's and the keepers'. Before, comparing text took 12 % (ids by stream, ends by run, runs by workspace), timers and
//! cancellations that were set up for each event 5 %.
//!
//! Of a stream's memory (8 KiB with what the allocator adds): 2 KiB its task, 2 KiB `eventsource-client` with its headers, 1 KiB
//! the last ids in the ledger, 1 KiB the channel of its churns, half a KiB each the lines of events and the socket.

mod measure;
mod reader;

use std::{process::ExitCode, time::Duration};

use lexopt::prelude::*;
use measure::{Measured, measure};
use mock_gateway::{Config, MockGateway};
use s2_harness::workload;
use testkit::AnyError;

/// The argument with which this program is the gateway.
pub(crate) const GATEWAY: &str = "gateway";
/// With this one, the URL of a gateway and a number of streams it is the reader.
pub(crate) const READER: &str = "reader";

/// Loads that are measured: streams, runs per minute.
const ROWS: [Row; 5] = [
    Row { streams: 20, runs_per_minute: 3 },
    Row { streams: 128, runs_per_minute: 1_200 },
    Row { streams: 1_000, runs_per_minute: 300 },
    Row { streams: 10_000, runs_per_minute: 60 },
    Row { streams: 2, runs_per_minute: 60_000 },
];

/// One row of the table.
#[derive(Debug, Clone, Copy)]
struct Row {
    streams: u32,
    runs_per_minute: u32,
}

fn main() -> ExitCode {
    if let Some(code) = testkit::play_if_asked(testkit::no_gateway, workload::workers) {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [GATEWAY] => testkit::serve(start_gateway()),
        [READER, url, streams] => ended(reader::run(url, streams)),
        _ => ended(bench()),
    }
}

fn ended(outcome: Result<(), AnyError>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scale: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A mock gateway with room for the largest row.
async fn start_gateway() -> Result<(String, impl Future<Output = ()>), AnyError> {
    let config = Config {
        event_log_capacity: 20_000,
        stream_queue_capacity: 2_048,
        stream_capacity: 24_000,
        connection_capacity: 28_000,
        finished_run_capacity: 20_000,
        live_run_capacity: 8_192,
        worker_capacity: 4_096,
        ..Config::default()
    };
    let gateway = MockGateway::start(config).await?;
    Ok((gateway.url(), async move { gateway.shutdown().await }))
}

fn bench() -> Result<(), AnyError> {
    let (mut rounds, mut seconds, mut rows) = (3_usize, 90_u64, (1..=ROWS.len()).collect::<Vec<_>>());
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("rounds") => rounds = arguments.value()?.parse::<usize>()?.max(1),
            Long("seconds") => seconds = arguments.value()?.parse::<u64>()?.max(60),
            Long("rows") => {
                rows =
                    arguments.value()?.parse_with(|text| text.split(',').map(str::parse).collect::<Result<_, _>>())?;
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let duration = Duration::from_secs(seconds);
    println!(
        "| streams | runs a minute | delivered a second | S2, events per core second | reader | S2 to reader | session | per stream | lateness p99 | gateway | S2, requests per core second | wrk |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for (_, row) in ROWS.iter().enumerate().filter(|(n, _)| rows.contains(&(n + 1))) {
        let measured: Vec<Measured> = (0..rounds).map(|_| measure(*row, duration)).collect::<Result<_, _>>()?;
        let of = |value: fn(&Measured) -> f64, digits: usize| spread(measured.iter().map(value).collect(), digits);
        println!(
            "| {} | {} | {} | {} | {} | {} | {} MB, {} % | {} KiB | {} ms | {} % | {} | {} |",
            row.streams,
            row.runs_per_minute,
            of(|it| it.delivered_per_second, 0),
            of(|it| it.session_events_per_core_second, 0),
            of(|it| it.reader_events_per_core_second, 0),
            of(|it| it.session_events_per_core_second / it.reader_events_per_core_second, 2),
            of(|it| it.session_bytes / 1e6, 1),
            of(|it| it.session_processor_percent, 2),
            of(|it| it.bytes_per_stream / 1024.0, 1),
            of(|it| it.lateness_p99_ms, 1),
            of(|it| it.gateway_processor_percent, 0),
            of(|it| it.session_requests_per_core_second, 0),
            of(|it| it.wrk_requests_per_core_second, 0),
        );
    }
    Ok(())
}

/// The median, and the range where there are several.
fn spread(mut values: Vec<f64>, digits: usize) -> String {
    values.sort_by(f64::total_cmp);
    let (low, median, high) = (values[0], values[values.len() / 2], values[values.len() - 1]);
    if values.len() == 1 {
        format!("{median:.digits$}")
    } else {
        format!("{median:.digits$} ({low:.digits$}–{high:.digits$})")
    }
}
