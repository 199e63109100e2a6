//! One connection of a client, carried to the upstream and back until its end.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use rand::SeedableRng;
use rand_pcg::Pcg64;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::{Semaphore, watch},
    try_join,
};

use super::{
    counters::{Count, Counters},
    fault::{RULES_OUTLIVE_CONNECTIONS, Rules},
    pump::{DirectionEnd, Pump},
    tunnel::{self, ConnectMode},
    upstream::Upstream,
};

/// The shared parts of all connections.
#[derive(Debug)]
pub(super) struct ConnectionContext {
    /// The rules exist as long as any connection.
    pub(super) rules: watch::Sender<Rules>,
    pub(super) upstream: Upstream,
    pub(super) approach: ConnectMode,
    pub(super) counters: Counters,
    /// Bytes that the delay lines share.
    pub(super) line_bytes: Arc<Semaphore>,
}

/// Serves a client until both directions have ended. `rules` are those at its acceptance, and are followed.
pub(super) async fn serve(mut client: TcpStream, means: &ConnectionContext, rules: watch::Receiver<Rules>, seed: u64) {
    let (cuts, mut all_cuts) = (rules.borrow().cuts, rules.clone());
    // Nagle's algorithm would hold back small events. If this fails, they are late, not lost.
    let _ = client.set_nodelay(true);

    let counters = &means.counters;
    let mut upstream = None;
    let carrying = async {
        let connected = connect(&mut client, means).await.map_err(|error| {
            tracing::debug!("the fault proxy cannot connect to its upstream: {error}");
            &counters.upstream_failed
        })?;
        carry(&mut client, upstream.insert(connected), means, &rules, seed).await
    };
    let carried = tokio::select! {
        biased;
        () = cut(&mut all_cuts, cuts) => Err(&counters.cut),
        carried = carrying => carried,
    };
    if let Err(count) = carried {
        count.add(1);
        reset(&client);
        upstream.iter().for_each(reset);
    }
}

async fn connect(client: &mut TcpStream, means: &ConnectionContext) -> io::Result<TcpStream> {
    if means.approach == ConnectMode::Straight {
        return means.upstream.connect().await;
    }
    tunnel::asked_for(client).await?;
    let upstream = means.upstream.connect().await?;
    client.write_all(tunnel::GRANTED).await?;
    Ok(upstream)
}

/// Waits until all connections of that count are cut.
async fn cut(rules: &mut watch::Receiver<Rules>, cuts: u64) {
    rules.wait_for(|rules| rules.cuts != cuts).await.expect(RULES_OUTLIVE_CONNECTIONS);
}

/// Makes the end of a connection a reset. Bytes that the kernel has not sent yet are dropped.
pub(super) fn reset(stream: &TcpStream) {
    // If this fails, the connection ends in good order.
    let _ = stream.set_zero_linger();
}

/// Carries both ways. A request may end before its answer. A reset of one side is passed to the other, and counted.
async fn carry<'a>(
    client: &mut TcpStream,
    upstream: &mut TcpStream,
    means: &'a ConnectionContext,
    rules: &watch::Receiver<Rules>,
    seed: u64,
) -> Result<(), &'a Count> {
    let Counters { bytes_to_upstream, bytes_to_clients, bytes_delayed, reset, .. } = &means.counters;
    let (from_client, to_client) = client.split();
    let (from_upstream, to_upstream) = upstream.split();
    let pump = |halves, passed, lateness| Pump::new(halves, passed, lateness, rules.clone(), &means.line_bytes);
    let mut requests = pump((from_client, to_upstream), bytes_to_upstream, None);
    let lateness = (bytes_delayed, Pcg64::seed_from_u64(seed));
    let mut answers = pump((from_upstream, to_client), bytes_to_clients, Some(lateness));

    // The system reports a reset only once, to a read or to a write. After a write saw it, reads see a good end.
    let upstream_is_gone = AtomicBool::new(false);
    let requests = async {
        let was_passed_on = match requests.run().await {
            DirectionEnd::InOrder => requests.close().await,
            DirectionEnd::SourceReset => return Err(reset),
            DirectionEnd::SinkGone => false,
        };
        // The client still gets the bytes that the upstream sent before.
        upstream_is_gone.fetch_or(!was_passed_on, Relaxed);
        Ok(())
    };
    let answers = async {
        match answers.run().await {
            DirectionEnd::InOrder if !upstream_is_gone.load(Relaxed) && answers.close().await => Ok(()),
            DirectionEnd::InOrder | DirectionEnd::SourceReset | DirectionEnd::SinkGone => Err(reset),
        }
    };
    try_join!(requests, answers)?;
    if upstream_is_gone.into_inner() { Err(reset) } else { Ok(()) }
}
