//! From the first probe to the last record.

use std::{
    fs,
    sync::{Arc, OnceLock},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{task::JoinSet, time::MissedTickBehavior};
use tracing::instrument::WithSubscriber;

use super::{
    Calls, Context, Deliveries, FATAL_TARGET, Gate, GatewayClock, Handles, Schedule, SessionConfig, SharedRuns, Stop,
    artifacts,
    begin::{StartedSession, begin},
    calls::WAIT_LIMIT,
    checkpoint::Checkpoint,
    descriptors,
    live::{Live, Showing},
    log,
    output_files::{last_files, write_all, write_down},
    ports,
    running_workers::RunningWorkers,
};
use crate::{
    clock::{self, Clock, wall_now},
    gateway::{Client, Streams},
    journal::{End, EndReason, Finding, Record},
    plan::{Lever, millis},
    proxy::{CONNECTIONS_MAX, ConnectMode, FaultProxy},
    streams::Ledger,
};

/// An interval of the journal, scenario time.
const INTERVAL_MS: u64 = 10_000;
/// Time between checkpoints, real time: a session that is killed loses no more than this.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// No session outlives its plan by more than the longest run timeout and this: the last request may have to wait.
pub(crate) const OVERTIME: Duration = WAIT_LIMIT.saturating_add(Duration::from_secs(60));
/// Time that workers have to end by themselves after a request to stop.
const STOP_LIMIT: Duration = Duration::from_secs(3);
/// Maximum time to wait at the end for events that some clients still lack.
const LEDGER_LIMIT: Duration = Duration::from_secs(11);

/// Plays a session to its end, in good order, and gives the reason of the end. Everything else is in its folder.
pub async fn play(config: SessionConfig, stop: Stop) -> EndReason {
    let scenario_clock = Arc::new(OnceLock::new());
    if let Err(error) = artifacts::make_folders(&config) {
        stop.request(EndReason::Fatal, error.to_string());
        return EndReason::Fatal;
    }
    let (filter, token) = (config.log_filter.as_deref(), config.gateway.token.clone());
    let dispatch = log::open(&config.folder.log(), filter, Arc::clone(&scenario_clock), token);
    play_logged(config, stop, scenario_clock).with_subscriber(dispatch).await
}

pub(super) async fn play_logged(
    mut config: SessionConfig,
    stop: Stop,
    scenario_clock: Arc<OnceLock<Clock>>,
) -> EndReason {
    let (plan, url) = (&config.plan, &config.gateway.url);
    tracing::info!("{} against {url}: seed {}, pace {}", plan.suite, plan.seed, plan.pace);
    if !config.gateway.trust.verifies() {
        tracing::warn!(
            "S2_TLS_VERIFY=off: no certificate is looked at, and whoever stands between here and {url} can read the token \
             and forge every answer; S2_CA_FILE names certificates to trust instead"
        );
    }
    let proxy = put_proxy_before(&mut config).await;
    let proxy = proxy.unwrap_or_else(|message| {
        stop.request(EndReason::Fatal, message);
        None
    });
    let streams = config.plan.scenario.streams.count;
    let ports = ports::too_few(streams, config.gateway.source_addresses(), proxy.is_some());
    let lacks: Vec<String> = [descriptors::too_few(streams, proxy.is_some()), ports].into_iter().flatten().collect();
    if !lacks.is_empty() {
        stop.request(EndReason::Fatal, lacks.join("; "));
    }
    let begun = match begin(config, &stop).await {
        Ok(begun) => begun,
        Err(message) => {
            tracing::error!(target: FATAL_TARGET, "{message}");
            stop.request(EndReason::Fatal, message);
            return EndReason::Fatal;
        }
    };
    let _ = scenario_clock.set(begun.recorder.clock.clone());
    let live = show(&begun).await;
    if let Some(gateway) = begun.gateway.clone() {
        play_plan(&begun, &context(&begun, &stop, proxy.clone(), live.as_ref(), gateway)).await;
    }
    if let Some(proxy) = proxy.and_then(Arc::into_inner) {
        proxy.shutdown().await;
    }
    let reason = finish(&begun, &stop);
    if let Some(live) = live {
        live.shutdown().await;
        // A file that stays names an address without a page, which a look shows.
        let _ = fs::remove_file(begun.config.folder.live_url());
    }
    reason
}

/// Serves the live page, if the settings ask for it, and writes its address. The soak goes on without one.
async fn show(begun: &StartedSession) -> Option<Live> {
    let StartedSession { config, header, recorder, .. } = begun;
    let at = config.live?;
    let live = Live::start(at, Showing::new(config.clone(), header.clone(), recorder.clone())).await;
    let live = live.inspect_err(|error| {
        tracing::error!("S2_LIVE: no live page at {at}: {error}; 127.0.0.1:0 is any free port of this machine");
    });
    let live = live.ok()?;
    tracing::info!("the live page is at {}", live.url);
    if let Err(error) = artifacts::replace(&config.folder.live_url(), &format!("{}\n", live.url)) {
        tracing::error!("{error}");
    }
    Some(live)
}

/// Puts the fault proxy between S2 and the gateway, where a lever needs it. Everything goes through it then, from the
/// first probe on, so that its cost is always the same.
async fn put_proxy_before(config: &mut SessionConfig) -> Result<Option<Arc<FaultProxy>>, String> {
    if !config.levers.values().any(|lever| matches!(lever, Lever::Proxy { .. })) || config.plan.chaos.is_empty() {
        return Ok(None);
    }
    let upstream = config.gateway.authority().ok_or("the gateway's URL names no host")?;
    let approach = if config.gateway.has_tls() { ConnectMode::Tunnel } else { ConnectMode::Straight };
    let connections_max = CONNECTIONS_MAX + config.plan.scenario.streams.count as usize;
    let proxy = FaultProxy::start(&upstream, approach, config.plan.seed, connections_max).await;
    let proxy = proxy.map_err(|e| e.to_string())?;
    tracing::info!("the fault proxy at {} stands before {upstream}", proxy.local_addr());
    config.gateway.by_way_of = Some(proxy.local_addr());
    Ok(Some(Arc::new(proxy)))
}

fn context(
    begun: &StartedSession,
    stop: &Stop,
    proxy: Option<Arc<FaultProxy>>,
    live: Option<&Live>,
    (client, streams): (Client, Streams),
) -> Context {
    let StartedSession { config, header, recorder, resumed, .. } = begun;
    let clients = config.plan.scenario.streams.count as usize;
    let runs_per_second = f64::from(config.plan.scenario.runs.per_minute) / 60.0 * config.plan.pace;
    let ledger = if resumed.is_there() { Ledger::taking_over(clients) } else { Ledger::new(clients) };
    let ledger = ledger.with_room(runs_per_second);
    let gate = Gate::default();
    let settle_ms = millis(config.plan.scenario.chaos.settle);
    // Where S2 may have brought the gateway down, requests wait until W6 knows.
    gate.hold(matches!(resumed.window(recorder.clock.now_ms(), settle_ms), Some((_, true))));
    let runs_started = recorder.with_history(|history| history.totals.runs_started());
    let schedule = Schedule {
        plan: Arc::new(config.plan.clone()),
        clock: recorder.clock.clone(),
        stop: stop.clone(),
        closing: stop.token.child_token(),
        began: if resumed.is_there() { clock::now() } else { recorder.clock.instant(0) },
        resumed: Arc::clone(resumed),
    };
    Handles {
        schedule,
        calls: Calls { client, streams, gate, recorder: recorder.clone(), stop: stop.clone() },
        recorder: recorder.clone(),
        deliveries: Deliveries::new(
            (recorder, stop),
            (ledger, clients),
            config.gateway.dialect.events.has_ends(),
            config.gateway.dialect.gives_run_ids(),
        )
        .into(),
        shared_runs: Arc::new(SharedRuns::with_runs_started(runs_started)),
        shared_streams: Arc::default(),
        gateway_clock: GatewayClock::default(),
        exposition: Mutex::default(),
        levers: config.levers.clone(),
        proxy,
        access: config.gateway.clone(),
        nonce: header.nonce.clone(),
        live_url: live.map(|live| live.url.clone()),
        stream_runtime: config.stream_runtime.clone(),
    }
    .into()
}

/// Starts the workers, and records their measurements until all are done or a stop was asked for.
async fn play_plan(begun: &StartedSession, context: &Context) {
    let config = &begun.config;
    let mut crew = RunningWorkers::start(config, context);
    let mut drawing = JoinSet::new();
    let (clock, stop) = (&context.schedule.clock, &context.schedule.stop);
    let deadline = clock.instant(config.plan.duration_ms) + config.plan.scenario.runs.timeout + OVERTIME;
    let is_due = |at_ms: &u64| !(begun.resumed.is_there() && config.folder.snapshot(at_ms / 60_000).exists());
    let mut snapshots = config.plan.snapshots_ms.iter().filter(is_due).peekable();
    let mut next_flush_ms = (clock.now_ms() / INTERVAL_MS + 1) * INTERVAL_MS;
    let mut checkpoints = tokio::time::interval(CHECKPOINT_EVERY);
    checkpoints.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let next_snapshot_ms = snapshots.peek().copied().unwrap_or(u64::MAX);
        let next_ms = next_flush_ms.min(next_snapshot_ms);
        tokio::select! {
            biased;
            () = stop.requested() => break,
            () = tokio::time::sleep_until(deadline) => {
                stop.request(EndReason::Deadline, "the plan is over, and something still does not end");
            }
            () = clock.until(next_ms) => {
                context.recorder.flush();
                next_flush_ms = (clock.now_ms() / INTERVAL_MS + 1) * INTERVAL_MS;
                if next_ms == next_snapshot_ms {
                    snapshots.next();
                    write_down(begun, context, next_snapshot_ms / 60_000, &mut drawing);
                }
            }
            _ = checkpoints.tick() => {
                let checkpoint =
                    Checkpoint { unwritten: context.recorder.unwritten(), last_ids: context.shared_streams.last_ids() };
                if let Err(error) = checkpoint.write(&config.folder.checkpoint()) {
                    tracing::debug!("no checkpoint: {error}");
                }
            }
            // Workers are supervised and do not panic themselves.
            over = crew.playing.join_next() => if over.is_none() { break },
        }
    }
    if stop.is_requested() {
        let over = async { while crew.playing.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_LIMIT, over).await.is_err() {
            tracing::error!("some workers did not end within {} s of being asked to", STOP_LIMIT.as_secs());
        }
        crew.playing.shutdown().await;
    } else {
        settle_last(context).await;
        context.recorder.flush();
        for minute in snapshots {
            write_down(begun, context, minute / 60_000, &mut drawing);
        }
    }
    context.deliveries.settle();
    context.schedule.closing.cancel();
    let closed = async {
        for side in crew.all.iter().filter_map(|worker| worker.background_tasks()) {
            side.over().await;
        }
    };
    // The last report is drawn when all is over; an earlier one must not come after it.
    let drawn = async { while drawing.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_LIMIT, async { tokio::join!(closed, drawn) }).await.is_err() {
        tracing::error!("some streams did not close within {} s of being asked to", STOP_LIMIT.as_secs());
    }
}

/// Gives the streams time to bring events that they still owe. Returns as soon as none is owed.
async fn settle_last(context: &Context) {
    let settled = async {
        loop {
            context.deliveries.settle();
            if context.deliveries.is_settled() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    // Events that are still lacking then were missed, and have just been recorded.
    let _ = tokio::time::timeout(LEDGER_LIMIT, settled).await;
}

/// Writes the last records, and the final results.
fn finish(begun: &StartedSession, stop: &Stop) -> EndReason {
    let StartedSession { config, recorder, .. } = begun;
    recorder.release_reserve();
    let (reason, message) = stop.why().unwrap_or((EndReason::Played, "the plan was played to its end".into()));
    if reason == EndReason::Fatal {
        tracing::error!(target: FATAL_TARGET, "{message}");
        recorder.incident(Finding::Fatal { message });
    } else {
        tracing::info!("{message}");
    }
    recorder.flush();
    // Once before the end, while the record can still say that it was not possible.
    write_all(recorder, last_files(begun, |file| !file.is_slow));
    let at_ms = recorder.clock.now_ms();
    recorder.write(Record::End(End { at_ms, ended_at: wall_now().to_string(), reason }));
    if let Err(error) = recorder.sync() {
        tracing::error!("{error}");
    }
    write_all(recorder, last_files(begun, |_| true));
    Checkpoint::remove(&config.folder.checkpoint());
    reason
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::{Chaos, Suite},
        plan::{Plan, Scenario},
        session::tests::{config, short},
    };

    #[tokio::test]
    async fn the_proxy_accepts_all_streams_of_the_plan_and_requests_beside_them() {
        let out = tempfile::tempdir().unwrap();
        let mut scenario = Scenario::default();
        scenario.streams.count = 20_000;
        let mut config = config(out.path(), "http://127.0.0.1:9", &short(2));
        config.plan = Plan::new(Suite::Full, &scenario, 1, 1.0);
        assert!(put_proxy_before(&mut config).await.unwrap().is_none(), "no lever needs it");
        config.levers.insert(Chaos::Latency, Lever::Proxy { jitter: Duration::ZERO });
        let proxy = put_proxy_before(&mut config).await.unwrap().expect("a lever needs it");
        assert_eq!(20_000 + CONNECTIONS_MAX, proxy.room());
        assert_eq!(Some(proxy.local_addr()), config.gateway.by_way_of);
    }
}
