//! Watches of a role: whether a process still waits for it, and signals.

use std::{io, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    clock,
    journal::EndReason,
    runner::{folder::AttachFolder, lock},
    session::Stop,
};

pub(super) const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A session or gateway for which no process has waited this long is abandoned.
pub(super) const ABANDONED_AFTER: Duration = Duration::from_secs(5);

/// SIGINT or SIGTERM.
pub(in crate::runner) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(in crate::runner) fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The name of the next signal.
    pub(in crate::runner) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// Notices that a state has lasted long enough without interruption.
#[derive(Debug, Default)]
pub(super) struct OnEnd {
    since: Option<Instant>,
}

impl OnEnd {
    /// Whether the state has lasted for at least `limit`, now included.
    pub(super) fn lasts(&mut self, is_so: bool, now: Instant, limit: Duration) -> bool {
        if !is_so {
            self.since = None;
            return false;
        }
        now.saturating_duration_since(*self.since.get_or_insert(now)) >= limit
    }
}

/// Asks the session to stop on a signal, on a test run's request, or when no process waits for it.
pub(super) async fn over_session(folder: AttachFolder, stop: Stop, mut signals: Signals) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut nobody = OnEnd::default();
    loop {
        tokio::select! {
            name = signals.next() => stop.request(EndReason::Signal, format!("{name} asked the session to stop")),
            _ = ticks.tick() => {
                if folder.is_asked_to_stop() {
                    stop.request(EndReason::Signal, "the test run was asked to stop");
                }
                let is_free = lock::is_free(&folder.file(AttachFolder::ATTACHED_LOCK));
                if nobody.lasts(is_free, clock::now(), ABANDONED_AFTER) {
                    let seconds = ABANDONED_AFTER.as_secs();
                    let why = format!("nobody has waited for the verdicts for {seconds} s: every test process is gone");
                    stop.request(EndReason::Abandoned, why);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_lasts_only_while_it_is_never_interrupted() {
        let start = clock::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let limit = Duration::from_secs(5);
        let mut state = OnEnd::default();
        assert!(!state.lasts(true, at(0), limit));
        assert!(!state.lasts(true, at(4), limit));
        assert!(!state.lasts(false, at(5), limit));
        assert!(!state.lasts(true, at(6), limit));
        assert!(!state.lasts(true, at(10), limit));
        assert!(state.lasts(true, at(11), limit));
    }
}
