//! The role of the embedded gateway: a process of its own, so that its memory and descriptors are its own.

use tokio::time::{MissedTickBehavior, interval};

use super::{
    super::{
        folder::{AttachFolder, GatewayAddress},
        follow,
        lock::{self, Lock},
    },
    RoleError, StartingGateway,
    watch::{ABANDONED_AFTER, LOOK_EVERY, OnEnd, Signals},
};
use crate::clock;

pub(super) fn play(start: fn() -> StartingGateway, folder: &AttachFolder) -> Result<(), RoleError> {
    let Some(_life) = Lock::try_exclusive(&folder.file(AttachFolder::GATEWAY_LOCK))? else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(RoleError::Runtime)?.block_on(serve(start, folder))
}

async fn serve(start: fn() -> StartingGateway, folder: &AttachFolder) -> Result<(), RoleError> {
    let signals = Signals::listen().map_err(RoleError::Signals)?;
    let gateway = start().await.map_err(RoleError::Gateway)?;
    folder.write_gateway_address(&GatewayAddress { url: gateway.url.clone(), pid: std::process::id() })?;
    let why = until_not_needed(folder, signals).await;
    eprintln!("closing: {why}");
    gateway.stop.await;
    Ok(())
}

async fn until_not_needed(folder: &AttachFolder, mut signals: Signals) -> String {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut nobody = OnEnd::default();
    loop {
        tokio::select! {
            name = signals.next() => return name.to_owned(),
            _ = ticks.tick() => {
                let nobody_plays = lock::is_free(&folder.file(AttachFolder::SESSION_LOCK));
                if nobody_plays && has_ended(folder) {
                    return "the session has ended".to_owned();
                }
                let nobody_is_there = nobody_plays && lock::is_free(&folder.file(AttachFolder::ATTACHED_LOCK));
                if nobody.lasts(nobody_is_there, clock::now(), ABANDONED_AFTER) {
                    return format!("no session and no test process for {} s", ABANDONED_AFTER.as_secs());
                }
            }
        }
    }
}

fn has_ended(folder: &AttachFolder) -> bool {
    folder.run_folder().ok().flatten().is_some_and(|run| follow::has_end(&run.journal()))
}
