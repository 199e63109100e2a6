//! One connection: taken from a client, joined to one of the upstream's, carried both ways until its end.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use rand::SeedableRng;
use rand_pcg::Pcg64;
use tokio::{
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

/// Resources that carry a connection.
#[derive(Debug)]
pub(super) struct ConnectionContext {
    /// Rules that all connections read. Since they are part of this, they exist as long as any connection.
    pub(super) rules: watch::Sender<Rules>,
    pub(super) upstream: Upstream,
    pub(super) approach: ConnectMode,
    pub(super) counters: Counters,
    /// Bytes that the delay lines share.
    pub(super) line_bytes: Arc<Semaphore>,
}

/// Serves a client until both directions have ended. `rules` are those of when it was accepted: what has changed since,
/// it follows.
pub(super) async fn serve(mut client: TcpStream, means: &ConnectionContext, rules: watch::Receiver<Rules>, seed: u64) {
    let accepted = *rules.borrow();
    let mut all_cuts = rules.clone();
    // Events are small and come one by one; Nagle would hold them back. Failing that, they are late, not lost.
    let _ = client.set_nodelay(true);

    let connecting = async {
        match means.approach {
            ConnectMode::Straight => means.upstream.connect().await,
            ConnectMode::Tunnel => {
                tunnel::asked_for(&mut client).await?;
                let upstream = means.upstream.connect().await?;
                tunnel::granted(&mut client).await?;
                Ok(upstream)
            }
        }
    };
    let counters = &means.counters;
    let connected = tokio::select! {
        biased;
        () = cut(&mut all_cuts, accepted.cuts) => Err(&counters.cut),
        connected = connecting => connected.map_err(|error| {
            tracing::debug!("the fault proxy cannot connect to its upstream: {error}");
            &counters.upstream_failed
        }),
    };
    let mut upstream = match connected {
        Ok(upstream) => upstream,
        Err(count) => {
            count.add(1);
            return reset(&client);
        }
    };

    let carried = tokio::select! {
        biased;
        () = cut(&mut all_cuts, accepted.cuts) => Err(&counters.cut),
        carried = carry(&mut client, &mut upstream, means, &rules, seed) => carried,
    };
    if let Err(count) = carried {
        count.add(1);
        reset(&client);
        reset(&upstream);
    }
}

/// Waits until connections of that count are cut.
async fn cut(rules: &mut watch::Receiver<Rules>, cuts: u64) {
    rules.wait_for(|rules| rules.cuts != cuts).await.expect(RULES_OUTLIVE_CONNECTIONS);
}

/// Makes the end of a connection a reset. What the kernel has not sent yet is dropped.
pub(super) fn reset(stream: &TcpStream) {
    // Failing that, it ends in good order, which is still an end.
    let _ = stream.set_zero_linger();
}

/// Carries both ways. One may end before the other: a request that is over, an answer that is not. Where one side resets the
/// connection, whoever is left is to see a reset, and that is counted.
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

    // The system tells of a reset only once, be it to a read or to a write. Where it told a write, reads see an end in
    // good order, which it is not.
    let upstream_is_gone = AtomicBool::new(false);
    let requests = async {
        let is_told = match requests.run().await {
            DirectionEnd::InOrder => requests.close().await,
            DirectionEnd::SourceReset => return Err(reset),
            DirectionEnd::SinkGone => false,
        };
        // What it sent before it went still comes to the client.
        upstream_is_gone.fetch_or(!is_told, Relaxed);
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
