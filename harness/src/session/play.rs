//! From the first probe to the last record.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use tokio::task::JoinSet;
use tracing::{Instrument, instrument::WithSubscriber};
use uuid::Uuid;

use super::{
    Board, Context, FATAL_TARGET, Gate, Ledger, Recorder, SessionConfig, Stop, artifacts, log, preflight,
    supervisor::supervise,
};
use crate::{
    clock::{Clock, wall_now},
    gateway::{Client, Streams},
    journal::{Counter, End, EndReason, Finding, Header, JOURNAL_VERSION, Record, Writer},
    judge::Digest,
    workload,
};

/// An interval of the journal, scenario time.
const INTERVAL_MS: u64 = 10_000;
/// No session outlives its plan by more than the longest run timeout and this.
const OVERTIME: Duration = Duration::from_secs(60);
/// After a stop was asked for, workers have so long to end by themselves.
const STOP_LIMIT: Duration = Duration::from_secs(3);
/// At the end, events that some clients still lack are waited for so long.
const LEDGER_LIMIT: Duration = Duration::from_secs(11);

/// Plays a session to its end, in good order, and says why it ended. Everything else it has to say is in its folder.
pub async fn play(config: SessionConfig, stop: Stop) -> EndReason {
    let scenario_clock = Arc::new(OnceLock::new());
    if let Err(error) = artifacts::make_folders(&config) {
        stop.request(EndReason::Fatal, error.to_string());
        return EndReason::Fatal;
    }
    let dispatch = log::open(&config.folder.log(), config.log_filter.as_deref(), Arc::clone(&scenario_clock));
    play_logged(config, stop, scenario_clock).with_subscriber(dispatch).await
}

pub(super) async fn play_logged(config: SessionConfig, stop: Stop, scenario_clock: Arc<OnceLock<Clock>>) -> EndReason {
    tracing::info!(
        "{} against {}: seed {}, pace {}",
        config.plan.suite,
        config.gateway.url,
        config.plan.seed,
        config.plan.pace
    );
    // What asked it to stop before it began says why; the gateway may be another's.
    let ready = tokio::select! {
        biased;
        () = stop.requested() => None,
        ready = prepare(&config, &stop) => Some(ready),
    };
    // The scenario begins when the gateway is there; a session that never begins has a record all the same.
    let clock = Clock::start(config.plan.pace);
    let _ = scenario_clock.set(clock.clone());
    let header = header(&config, &clock);
    let writer = match Writer::open(&config.folder.journal()) {
        Ok(writer) => writer,
        Err(error) => {
            tracing::error!(target: FATAL_TARGET, "{error}");
            stop.request(EndReason::Fatal, error.to_string());
            return EndReason::Fatal;
        }
    };
    let digest = Digest::new(&config.plan, &config.targets);
    let recorder = Recorder::new(clock.clone(), stop.clone(), writer, digest);
    recorder.write(Record::Header(Box::new(header.clone())));
    match ready {
        None => {}
        Some(Err(message)) => stop.request(EndReason::Fatal, message),
        Some(Ok((client, streams))) => {
            let context = context(&config, &clock, &recorder, &stop, client, streams);
            play_plan(&config, &header, &context).await;
        }
    }
    conclude(&config, &header, &recorder, &stop)
}

async fn prepare(config: &SessionConfig, stop: &Stop) -> Result<(Client, Streams), String> {
    let client = Client::new(&config.gateway).map_err(|e| e.to_string())?;
    let streams = Streams::new(&config.gateway).map_err(|e| e.to_string())?;
    preflight::wait_until_ready(config, &client, stop).await?;
    preflight::prepare(config, &client).await;
    Ok((client, streams))
}

pub(super) fn header(config: &SessionConfig, clock: &Clock) -> Header {
    Header {
        version: JOURNAL_VERSION,
        harness: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: clock.started_at().to_string(),
        gateway_url: config.gateway.url.clone(),
        embedded: config.gateway.embedded,
        plan: config.plan.clone(),
        settings: config.shown.clone(),
    }
}

fn context(
    config: &SessionConfig,
    clock: &Clock,
    recorder: &Recorder,
    stop: &Stop,
    client: Client,
    streams: Streams,
) -> Context {
    let nonce = Uuid::new_v4().simple().to_string();
    Context {
        plan: Arc::new(config.plan.clone()),
        access: Arc::new(config.gateway.clone()),
        clock: clock.clone(),
        recorder: recorder.clone(),
        stop: stop.clone(),
        closing: stop.child(),
        gate: Gate::default(),
        board: Arc::new(Board::default()),
        ledger: Arc::new(Mutex::new(Ledger::new(config.plan.scenario.streams.count as usize))),
        client,
        streams,
        nonce: nonce[..8].into(),
    }
}

/// Starts the workers, and writes down what they measure until all are done or a stop was asked for.
async fn play_plan(config: &SessionConfig, header: &Header, context: &Context) {
    let all = workload::workers(config.plan.suite);
    let mut workers = JoinSet::new();
    for worker in &all {
        let played = supervise(Arc::clone(worker), context.clone());
        workers.spawn(played.in_current_span().with_current_subscriber());
    }
    let (clock, stop) = (&context.clock, &context.stop);
    let deadline = clock.instant(config.plan.duration_ms) + config.plan.scenario.runs.timeout + OVERTIME;
    let mut snapshots = config.plan.snapshots_ms.iter().copied().peekable();
    let mut next_flush_ms = INTERVAL_MS;
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
                    write_down(config, header, context, next_snapshot_ms / 60_000);
                }
            }
            // Workers are supervised and do not panic themselves.
            over = workers.join_next() => if over.is_none() { break },
        }
    }
    if stop.is_requested() {
        let over = async { while workers.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_LIMIT, over).await.is_err() {
            tracing::error!("some workers did not end within {} s of being asked to", STOP_LIMIT.as_secs());
        }
        workers.shutdown().await;
    } else {
        settle_last(context).await;
        context.recorder.flush();
        for minute in snapshots {
            write_down(config, header, context, minute / 60_000);
        }
    }
    context.settle_ledger();
    context.closing.cancel();
    let closed = async {
        for side in all.iter().filter_map(|worker| worker.beside()) {
            side.over().await;
        }
    };
    if tokio::time::timeout(STOP_LIMIT, closed).await.is_err() {
        tracing::error!("some streams did not close within {} s of being asked to", STOP_LIMIT.as_secs());
    }
}

/// Gives the streams time to bring what they still owe. Comes back as soon as nothing is owed.
async fn settle_last(context: &Context) {
    let settled = async {
        loop {
            context.settle_ledger();
            if context.ledger().outstanding() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    // What is still lacking then has been missed, and was just said to be.
    let _ = tokio::time::timeout(LEDGER_LIMIT, settled).await;
}

/// Writes a snapshot and the results. A file that cannot be written does not stop the soak: the journal is the record.
fn write_down(config: &SessionConfig, header: &Header, context: &Context, minute: u64) {
    let exposition = context.board.exposition();
    // Rendered under the recorder's lock, written outside it: a slow disk must not look like a slow gateway.
    let (snapshot, results) = context.recorder.with_digest(|digest| {
        (artifacts::snapshot(digest, exposition.as_ref(), minute), artifacts::results(config, header, digest))
    });
    for (path, text) in [(config.folder.snapshot(minute), snapshot), (config.folder.results(), results)] {
        if let Err(error) = artifacts::replace(&path, &text) {
            tracing::error!("{error}");
        }
    }
}

/// The last records, and the results as they stand for good.
fn conclude(config: &SessionConfig, header: &Header, recorder: &Recorder, stop: &Stop) -> EndReason {
    let (reason, message) = stop.why().unwrap_or((EndReason::Played, "the plan was played to its end".into()));
    if reason == EndReason::Fatal {
        tracing::error!(target: FATAL_TARGET, "{message}");
        recorder.incident(Finding::Fatal { message });
    } else {
        tracing::info!("{message}");
    }
    recorder.flush();
    let at_ms = recorder.clock().now_ms();
    recorder.write(Record::End(End { at_ms, ended_at: wall_now().to_string(), reason }));
    if let Err(error) = recorder.sync() {
        tracing::error!("{error}");
    }
    let results = recorder.with_digest(|digest| artifacts::results(config, header, digest));
    if let Err(error) = artifacts::replace(&config.folder.results(), &results) {
        tracing::error!("{error}");
    }
    reason
}

impl Context {
    /// Takes down what the ledger is certain of by now.
    pub(crate) fn settle_ledger(&self) {
        let now_ms = self.ledger_ms();
        let (settled, evicted) = {
            let mut ledger = self.ledger();
            (ledger.settle(now_ms), ledger.take_evicted())
        };
        let mark = self.recorder.mark();
        self.recorder.add(Counter::EventsMissed, settled.missed.len() as u64, mark);
        self.recorder.add(Counter::EventsDuplicated, settled.repeated.len() as u64, mark);
        self.recorder.add(Counter::LedgerEvicted, evicted, mark);
        for missed in settled.missed {
            tracing::debug!("stream {} missed event {} of run {}", missed.client, missed.id, missed.run);
            self.recorder.incident(Finding::EventMissed {
                stream: missed.client.to_string(),
                run: crate::journal::clip(&missed.run),
                id: crate::journal::clip(&missed.id),
                seen_by: missed.seen_by,
            });
        }
        for repeated in settled.repeated {
            self.recorder.incident(Finding::EventDuplicated {
                stream: repeated.client.to_string(),
                run: crate::journal::clip(&repeated.run),
                id: crate::journal::clip(&repeated.id),
                same_id: true,
            });
        }
    }
}
