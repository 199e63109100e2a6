//! One connection: taken from a client, joined to one of the upstream's, carried both ways until its end.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tokio::{
    net::TcpStream,
    sync::{Semaphore, watch},
    try_join,
};

use super::{
    counters::AtomicCounters,
    fault::{RULES_OUTLIVE_CONNECTIONS, Rules},
    pump::{DelayStats, DirectionEnd, Pump},
    tunnel::{self, ConnectMode},
    upstream::Upstream,
};

/// What a connection is carried by.
#[derive(Debug)]
pub(super) struct ConnectionContext {
    /// What all connections look at; here, it is there as long as one of them is.
    pub(super) rules: watch::Sender<Rules>,
    pub(super) upstream: Upstream,
    pub(super) approach: ConnectMode,
    pub(super) tally: AtomicCounters,
    /// What delay lines share.
    pub(super) line_bytes: Arc<Semaphore>,
}

/// It was cut, or one side reset it: whoever is left is to see a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Cut,
    Reset,
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
    let connected = tokio::select! {
        biased;
        () = cut(&mut all_cuts, accepted.cuts) => None,
        connected = connecting => Some(connected),
    };
    let mut upstream = match connected {
        Some(Ok(upstream)) => upstream,
        Some(Err(error)) => {
            means.tally.upstream_failed.add(1);
            tracing::debug!("the fault proxy cannot connect to its upstream: {error}");
            return reset(&client);
        }
        None => {
            means.tally.cut.add(1);
            return reset(&client);
        }
    };

    let carried = tokio::select! {
        biased;
        () = cut(&mut all_cuts, accepted.cuts) => Err(Broken::Cut),
        carried = carry(&mut client, &mut upstream, means, &rules, seed) => carried,
    };
    if let Err(broken) = carried {
        match broken {
            Broken::Cut => means.tally.cut.add(1),
            Broken::Reset => means.tally.reset.add(1),
        }
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

/// Carries both ways. One may end before the other: a request that is over, an answer that is not.
async fn carry(
    client: &mut TcpStream,
    upstream: &mut TcpStream,
    means: &ConnectionContext,
    rules: &watch::Receiver<Rules>,
    seed: u64,
) -> Result<(), Broken> {
    let tally = &means.tally;
    let (from_client, to_client) = client.split();
    let (from_upstream, to_upstream) = upstream.split();
    let pump = |halves, passed, lateness| Pump::new(halves, passed, lateness, rules.clone(), &means.line_bytes);
    let mut requests = pump((from_client, to_upstream), &tally.to_upstream, None);
    let lateness = DelayStats { delayed: &tally.delayed, seed };
    let mut answers = pump((from_upstream, to_client), &tally.to_clients, Some(lateness));

    // The system tells of a reset only once, be it to a read or to a write. Where it told a write, reads see an end in
    // good order, which it is not.
    let upstream_is_gone = AtomicBool::new(false);
    let requests = async {
        let is_told = match requests.run().await {
            DirectionEnd::InOrder => requests.close().await,
            DirectionEnd::SourceReset => return Err(Broken::Reset),
            DirectionEnd::SinkGone => false,
        };
        // What it sent before it went still comes to the client.
        upstream_is_gone.fetch_or(!is_told, Relaxed);
        Ok(())
    };
    let answers = async {
        match answers.run().await {
            DirectionEnd::InOrder if !upstream_is_gone.load(Relaxed) && answers.close().await => Ok(()),
            DirectionEnd::InOrder | DirectionEnd::SourceReset | DirectionEnd::SinkGone => Err(Broken::Reset),
        }
    };
    try_join!(requests, answers)?;
    if upstream_is_gone.into_inner() { Err(Broken::Reset) } else { Ok(()) }
}
