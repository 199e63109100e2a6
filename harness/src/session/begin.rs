//! The beginning of a session: of a soak, once its gateway is ready, or of a later life, in the middle of one.

use std::sync::Arc;

use sysinfo::System;
use uuid::Uuid;

use super::{
    Recorder, SessionConfig, Stop, preflight, reserve::DiskReserve, resume_state::ResumeState, takeover::Takeover,
};
use crate::{
    clock::{self, Clock},
    gateway::{Client, Streams},
    history::History,
    journal::{EndReason, Header, JOURNAL_VERSION, Record, Writer},
    plan::millis,
};

/// A session that has a clock and a journal.
pub(super) struct StartedSession {
    pub(super) config: SessionConfig,
    pub(super) header: Header,
    pub(super) recorder: Recorder,
    pub(super) resumed: Arc<ResumeState>,
    /// Clients of the gateway; none if the session is to stop before it has begun to play.
    pub(super) gateway: Option<(Client, Streams)>,
}

/// Begins a soak, or takes over from the session before. The error says why there can be no journal.
pub(super) async fn begin(config: SessionConfig, stop: &Stop) -> Result<StartedSession, String> {
    match Takeover::read(&config.folder, &config.targets).map_err(|e| e.to_string())? {
        Some(takeover) => resume(config, takeover, stop),
        None => start_new(config, stop).await,
    }
}

async fn start_new(config: SessionConfig, stop: &Stop) -> Result<StartedSession, String> {
    // An earlier request to stop has the better reason: the gateway may be another session's.
    let ready = tokio::select! {
        biased;
        () = stop.requested() => None,
        ready = prepare(&config, stop) => Some(ready),
    };
    // The scenario begins when the gateway is there; a session that never begins has a record all the same.
    let clock = Clock::start(config.plan.pace);
    let header = header(&config, &clock);
    // A session that was killed while it wrote its first line has left a part of it.
    let (writer, _) = Writer::resume(&config.folder.journal()).map_err(|e| e.to_string())?;
    let reserve = DiskReserve::keep(config.folder.reserve())?;
    let history = History::of(&header, &config.targets.sample_limits());
    let recorder = Recorder::new(clock, stop.clone(), config.gateway.token.clone(), (writer, reserve), history);
    recorder.write(Record::Header(Box::new(header.clone())));
    let gateway = connected(ready, stop);
    Ok(StartedSession { config, header, recorder, resumed: Arc::default(), gateway })
}

async fn prepare(config: &SessionConfig, stop: &Stop) -> Result<(Client, Streams), String> {
    let (client, streams) = connect(config)?;
    preflight::wait_until_ready(config, &client, stop).await?;
    preflight::prepare(config, &client).await;
    Ok((client, streams))
}

fn connect(config: &SessionConfig) -> Result<(Client, Streams), String> {
    let client = Client::new(&config.gateway).map_err(|e| e.to_string())?;
    let streams = Streams::new(&config.gateway).map_err(|e| e.to_string())?;
    Ok((client, streams))
}

fn connected(ready: Option<Result<(Client, Streams), String>>, stop: &Stop) -> Option<(Client, Streams)> {
    ready?.map_err(|message| stop.request(EndReason::Fatal, message)).ok()
}

/// Goes on where the clock is by now. It does not wait for the gateway, which S2 itself may have brought down.
fn resume(mut config: SessionConfig, takeover: Takeover, stop: &Stop) -> Result<StartedSession, String> {
    let (header, clock) = (takeover.header.clone(), takeover.clock());
    config.plan = header.plan.clone();
    let (writer, history, resumed, [from_ms, to_ms]) =
        takeover.open(&config.folder, &clock).map_err(|e| e.to_string())?;
    tracing::error!(
        "the session before died: life {} takes over at T+{}m, after {} ms of the scenario in which nothing was played",
        resumed.life(),
        to_ms / 60_000,
        to_ms - from_ms
    );
    let reserve = DiskReserve::keep(config.folder.reserve())?;
    let token = config.gateway.token.clone();
    let recorder = Recorder::new(clock.clone(), stop.clone(), token, (writer, reserve), history);
    if let Some((chaos, _)) = resumed.window(to_ms, millis(config.plan.scenario.chaos.settle)) {
        recorder.set_phase(chaos.into());
    }
    // Whatever was on its way meanwhile waited for S2, not for the gateway.
    recorder.stalls.add(clock.instant(from_ms), clock::now());
    let gateway = connected((!stop.is_requested()).then(|| connect(&config)), stop);
    Ok(StartedSession { config, header, recorder, resumed: Arc::new(resumed), gateway })
}

/// Describes the machine that plays the soak. A reader of latencies may need it.
fn machine() -> (String, String) {
    let memory = System::new().map(|mut system| {
        system.refresh_memory();
        format!(", {} MiB of memory", system.total_memory() / (1024 * 1024))
    });
    let name = System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let arch = std::env::consts::ARCH;
    ("machine".to_owned(), format!("{name}, {arch}, {cores} cores{}", memory.unwrap_or_default()))
}

pub(super) fn header(config: &SessionConfig, clock: &Clock) -> Header {
    let nonce = Uuid::new_v4().simple().to_string();
    Header {
        version: JOURNAL_VERSION,
        harness: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: clock.started_at().to_string(),
        started_monotonic_ms: Some(clock::monotonic_ms()),
        nonce: nonce[..8].to_owned(),
        gateway_url: config.gateway.url.clone(),
        embedded: config.gateway.embedded,
        plan: config.plan.clone(),
        settings: config.shown.clone().into_iter().chain([machine()]).collect(),
        routes: config.routes.clone(),
    }
}
