//! Reads of the API that need a gateway's store, observed while it restarts: if its readiness does not depend on the
//! store, they show that the store is away, and when it is back.

use std::{convert::Infallible, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::readiness::LOOK_EVERY;
use crate::{catalog::CallName, clock, plan::millis, session::Context};

/// Reads in a row that must fail before that is a sign of a restart: one or two may fail at any time.
const FAILED_IN_A_ROW: u32 = 3;
/// Reads in a row that must be answered before the store is back.
const ANSWERED_IN_A_ROW: u32 = 3;
/// Maximum duration of a read. A read that takes longer has failed.
const READ_LIMIT: Duration = Duration::from_secs(2);
const READS: [CallName; 2] = [CallName::Agent, CallName::Search];

/// The reads that were answered before the restart.
#[derive(Debug, Default)]
pub(super) struct RestartReads(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    reads: Vec<Read>,
    /// The first read that failed too often in a row, in words.
    failed: Option<String>,
}

#[derive(Debug)]
struct Read {
    call: CallName,
    failed_in_a_row: u32,
    answered_in_a_row: u32,
}

impl RestartReads {
    /// The reads that are answered now.
    pub(super) async fn answered_now(context: &Context) -> Self {
        let mut answered = Vec::new();
        for call in READS.into_iter().filter(|call| context.calls.client.has(*call)) {
            if failure(context, call).await.is_none() {
                answered.push(call);
            }
        }
        Self::of(&answered)
    }

    fn of(calls: &[CallName]) -> Self {
        let read = |call: &CallName| Read { call: *call, failed_in_a_row: 0, answered_in_a_row: 0 };
        Self(Mutex::new(State { reads: calls.iter().map(read).collect(), failed: None }))
    }

    /// Observes the reads, one after the other, without end.
    pub(super) async fn look(&self, context: &Context, injected_at: Instant) -> Infallible {
        loop {
            let calls: Vec<CallName> = self.0.lock().reads.iter().map(|read| read.call).collect();
            for call in calls {
                let failure = failure(context, call).await;
                let took_ms = millis(clock::now().saturating_duration_since(injected_at));
                self.take_in(call, failure, context.calls.client.dialect().route(call), took_ms);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn take_in(&self, call: CallName, failure: Option<String>, route: &str, took_ms: u64) {
        let mut state = self.0.lock();
        let Some(read) = state.reads.iter_mut().find(|read| read.call == call) else { return };
        let Some(answer) = failure else {
            (read.failed_in_a_row, read.answered_in_a_row) = (0, read.answered_in_a_row + 1);
            return;
        };
        (read.failed_in_a_row, read.answered_in_a_row) = (read.failed_in_a_row + 1, 0);
        if read.failed_in_a_row >= FAILED_IN_A_ROW && state.failed.is_none() {
            state.failed =
                Some(format!("{route} failed {FAILED_IN_A_ROW} times in a row after {took_ms} ms ({answer})"));
        }
    }

    /// The first read that failed too often in a row, and how.
    pub(super) fn failed(&self) -> Option<String> {
        self.0.lock().failed.clone()
    }

    /// From here on the store is away: earlier answers do not count.
    pub(super) fn start_over(&self) {
        self.0.lock().reads.iter_mut().for_each(|read| read.answered_in_a_row = 0);
    }

    /// The first read that is not answered again yet.
    pub(super) fn not_back(&self) -> Option<CallName> {
        self.0.lock().reads.iter().find(|read| read.answered_in_a_row < ANSWERED_IN_A_ROW).map(|read| read.call)
    }
}

/// How a read fails; `None` if it is answered as it should be. A request to wait is no sign of a restart.
async fn failure(context: &Context, call: CallName) -> Option<String> {
    let client = &context.calls.client;
    let read = async {
        match call {
            CallName::Agent => client.agent(context.schedule.agent()).await,
            _ => client.search(context.schedule.agent()).await,
        }
    };
    match tokio::time::timeout(READ_LIMIT, read).await {
        Ok(Ok(answer)) if client.is_yes(call, &answer) || answer.status == 429 => None,
        Ok(Ok(answer)) => Some(answer.to_string()),
        Ok(Err(trouble)) => Some(trouble.text),
        Err(_) => Some(format!("no answer within {} s", READ_LIMIT.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_back_when_every_read_is_answered_three_times_in_a_row() {
        let reads = RestartReads::of(&READS);
        let answered = |call| reads.take_in(call, None, "GET /x", 1);
        let fails = |call, ms| reads.take_in(call, Some("503".to_owned()), "GET /x", ms);
        for _ in 0..5 {
            READS.into_iter().for_each(answered);
        }
        assert_eq!((None, None), (reads.not_back(), reads.failed()));
        // A restart that shows otherwise: what was answered before it says nothing.
        reads.start_over();
        for _ in 0..3 {
            answered(CallName::Agent);
        }
        for ms in [10, 60] {
            fails(CallName::Search, ms);
        }
        assert_eq!((Some(CallName::Search), None), (reads.not_back(), reads.failed()), "two may fail at any time");
        fails(CallName::Search, 110);
        fails(CallName::Agent, 120);
        assert_eq!(Some("GET /x failed 3 times in a row after 110 ms (503)"), reads.failed().as_deref());
        for _ in 0..3 {
            assert!(reads.not_back().is_some());
            READS.into_iter().for_each(answered);
        }
        assert_eq!(None, reads.not_back());
    }

    #[test]
    fn where_no_read_was_answered_before_none_is_waited_for() {
        assert_eq!(None, RestartReads::of(&[]).not_back());
    }
}
