//! Latency of requests and probes beside busy threads of the workspace streams.

use std::{path::Path, thread, time::Duration};

use mock_gateway::{Config, MockGateway};
use tokio::{runtime, task};

use super::{play, tests::config, tests::short};
use crate::{
    clock::micros,
    gateway::GatewayAccess,
    journal::{EndReason, LatencyHistogram, Reader, Record, Timing},
    session::{RunFolder, Stop},
};

/// Time for which the only stream thread is occupied before it does anything else, as by ten thousand streams.
const BUSY: Duration = Duration::from_millis(200);

fn recorded(folder: &RunFolder, timing: Timing) -> LatencyHistogram {
    let mut journal = Reader::open(&folder.journal()).unwrap();
    let mut all = LatencyHistogram::new();
    while let Some(record) = journal.next_record().unwrap() {
        let Record::Interval(interval) = record else { continue };
        if let Some(timing) = interval.timings.get(&timing) {
            all.merge(&timing.histogram);
        }
    }
    all
}

/// Plays ten minutes in five seconds, with one thread for the streams.
async fn play_beside(out: &Path, is_busy: bool) -> RunFolder {
    let streams = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    if is_busy {
        streams.spawn(async {
            loop {
                thread::sleep(BUSY);
                task::yield_now().await;
            }
        });
    }
    let gateway = MockGateway::start(Config::default()).await.unwrap();
    let mut config = config(out, &gateway.url(), &short(10));
    config.gateway = GatewayAccess { workspace: "tests".into(), ..GatewayAccess::of_test(gateway.url()) };
    config.stream_runtime = Some(streams.handle().clone());
    assert_eq!(play(config.clone(), Stop::default()).await, EndReason::Played);
    gateway.shutdown().await;
    streams.shutdown_background();
    config.folder
}

#[tokio::test]
async fn busy_streams_delay_neither_requests_nor_probes() {
    let out = tempfile::tempdir().unwrap();
    let without = play_beside(&out.path().join("without"), false).await;
    let with = play_beside(&out.path().join("with"), true).await;
    let lateness = recorded(&with, Timing::ReadLateness).quantile_us(0.5);
    assert!(lateness >= micros(BUSY) / 4, "the streams were not busy: read {lateness} µs late");
    for timing in [Timing::Request, Timing::ReadyRoundTrip] {
        let [without, with] = [&without, &with].map(|folder| recorded(folder, timing));
        let medians = [&without, &with].map(|latency| latency.quantile_us(0.5));
        println!("{timing:?}: median {} µs without busy streams, {} µs beside them", medians[0], medians[1]);
        assert!(without.len() >= 10 && with.len() >= 10, "{timing:?}: {} and {} samples", without.len(), with.len());
        // On the thread of the streams each would wait for half of its turn at least.
        assert!(medians[1] < micros(BUSY) / 2, "{timing:?} waits for the streams: {medians:?} µs");
    }
}
