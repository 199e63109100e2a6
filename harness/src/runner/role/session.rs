//! The role of the session: takes its locks, plays the plan, and exits.

use std::{num::NonZero, thread, time::Duration};

use tokio::{
    runtime::{Handle, Runtime},
    task::JoinSet,
};

use super::{
    super::{attach::LIVES_MAX, folder::AttachFolder, follow, lock::Lock},
    Embedded, RoleError,
    turn::{self, GatewayLock},
    watch::{self, Signals},
};
use crate::{
    gateway::{GatewayAccess, Token},
    journal::EndReason,
    report::RunFolder,
    session::{self, SessionConfig, Stop, Workers},
    settings::{Environment, GatewaySettings, Settings, built_in_dialect},
};

/// Tries for the session's lock: a process that looks whether a session lives holds it for a moment.
const LOCK_TRIES: u32 = 40;
const LOCK_TRY_EVERY: Duration = Duration::from_millis(50);
/// Workspace streams for each thread, if the cores allow: at five events a second each the thread is a quarter busy.
const STREAMS_PER_THREAD: u32 = 5_000;
/// Threads for the rest: with one, a thousand runs a second start 70 ms late.
const THREADS: usize = 2;
/// Threads for blocking work (names, files, pages). Each keeps a heap of its own, which looks like a leak.
const BLOCKING_THREADS_MAX: usize = 3;

pub(super) fn play(environment: &Environment, embedded: &Embedded, folder: &AttachFolder) -> Result<(), RoleError> {
    let Some(_life) = take_life(folder)? else {
        // Another session plays already.
        return Ok(());
    };
    session::raise_limit();
    let settings = Settings::load(environment, embedded.soak_toml)?;
    let run = folder.run_folder()?.ok_or_else(|| RoleError::NoRunFolder(folder.path().display().to_string()))?;
    let gateway = access(&settings, folder)?;
    let count = settings.plan_of(folder.suite()).scenario.streams.count;
    let (streams, others) = (runtime(stream_threads(count))?, runtime(THREADS)?);
    let players = (embedded.workers, streams.handle().clone());
    others.block_on(attended(settings, gateway, run, folder, players))
}

/// Threads for workspace streams, up to half of the cores. In a runtime of their own they delay no probe.
fn stream_threads(streams: u32) -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    (streams.div_ceil(STREAMS_PER_THREAD) as usize).clamp(1, (cores / 2).max(1))
}

fn runtime(threads: usize) -> Result<Runtime, RoleError> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(threads).max_blocking_threads(BLOCKING_THREADS_MAX).enable_all();
    runtime.build().map_err(RoleError::Runtime)
}

fn take_life(folder: &AttachFolder) -> Result<Option<Lock>, RoleError> {
    for _ in 0..LOCK_TRIES {
        if let Some(lock) = Lock::try_exclusive(&folder.file(AttachFolder::SESSION_LOCK))? {
            return Ok(Some(lock));
        }
        thread::sleep(LOCK_TRY_EVERY);
    }
    Ok(None)
}

fn access(settings: &Settings, folder: &AttachFolder) -> Result<GatewayAccess, RoleError> {
    let gateway = match settings.gateway_for(folder.suite()) {
        Some(yours) => yours.clone(),
        None => {
            let address = folder.gateway_address()?;
            let address = address.ok_or_else(|| RoleError::NoGateway(folder.path().display().to_string()))?;
            GatewaySettings { url: address.url, pid: Some(address.pid), listens_at: None }
        }
    };
    Ok(settings.access_for(folder.suite(), gateway))
}

/// Plays under a watch for signals, and for processes that still wait.
async fn attended(
    settings: Settings,
    mut gateway: GatewayAccess,
    run: RunFolder,
    folder: &AttachFolder,
    (workers, stream_runtime): (Workers, Handle),
) -> Result<(), RoleError> {
    let stop = Stop::default();
    let mut watches = JoinSet::new();
    let signals = Signals::listen().map_err(RoleError::Signals)?;
    watches.spawn(watch::over_session(folder.clone(), stop.clone(), signals));

    // The embedded gateway has no other users.
    let turn = match gateway.embedded {
        true => None,
        false => Some(turn::take(&gateway.url, folder, &run, &stop).await?),
    };
    if let Some(GatewayLock::Taken(why)) = &turn {
        stop.request(EndReason::Fatal, why);
    }
    if let Some(source) = settings.env.token.clone() {
        match Token::open(source).await {
            Ok(token) => gateway.token = Some(token),
            Err(error) => stop.request(EndReason::Fatal, error.to_string()),
        }
    }
    let lives = folder.lives()?;
    if lives > LIVES_MAX {
        stop.request(EndReason::Fatal, format!("{LIVES_MAX} sessions died one after another, and no other plays on"));
    }
    let suite = folder.suite();
    let config = SessionConfig {
        plan: settings.plan_of(suite),
        routes: gateway.dialect.routes_other_than(&built_in_dialect()),
        gateway,
        folder: run,
        shown: settings.without_secrets(),
        levers: settings.levers_for(suite),
        waivers: settings.waivers_for(suite),
        targets: settings.targets,
        workers,
        log_filter: settings.env.log_filter,
        live: settings.env.live,
        stream_runtime: Some(stream_runtime),
    };
    let token = config.gateway.token.clone();
    // A session that is stopped before its start leaves a journal with the reason, too.
    let journal = config.folder.journal();
    let reason = session::play(config, stop.clone()).await;
    if reason != EndReason::Played {
        let why = stop.why().map(|(_, message)| message).unwrap_or_default();
        // A gateway may have echoed the token.
        let why = if let Some(token) = token { token.hide(why) } else { why };
        eprintln!("the session ended early ({reason:?}): {why}");
        if !follow::has_end(&journal) {
            // Else a waiting process starts another session, which comes no further. If this cannot be written, the
            // maximum number of lives ends it.
            let _ = folder.write(AttachFolder::CANNOT_GO_ON, &why);
        }
    }
    watches.shutdown().await;
    Ok(())
}
