//! The duration of calls, by the fastest of a few: the latency that was added, and whether it is gone.

use std::time::Duration;

use crate::{
    catalog::CallName,
    clock::{self, micros},
    gateway::Outcome,
    plan::millis,
    session::Context,
};

/// Round trips of which the fastest is a call's latency at one time: a busy moment makes none faster.
pub(super) const ROUND_TRIPS: usize = 3;
/// Maximum number of measurements of the latency before, if it is not small.
const ROUNDS_MAX: usize = 5;
/// Between rounds.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The calls that are timed: the probes, and one that does something.
const CALLS: [CallName; 3] = [CallName::Ready, CallName::Health, CallName::Agent];

/// Those of them that the gateway has.
pub(super) fn calls(context: &Context) -> impl Iterator<Item = CallName> {
    CALLS.into_iter().filter(|call| context.calls.client.has(*call))
}

/// The fastest round trip of each of the [`calls`]; none where none was answered.
#[derive(Debug, Clone, Default)]
pub(super) struct RoundTrips(pub(super) Vec<Option<Duration>>);

impl RoundTrips {
    /// As the journal has them, microseconds.
    pub(super) fn fastest_us(&self) -> Vec<Option<u64>> {
        self.0.iter().map(|took| took.map(micros)).collect()
    }

    /// As the journal had them; `None` if they are of other calls.
    pub(super) fn of(context: &Context, fastest_us: &[Option<u64>]) -> Option<Self> {
        let fastest: Vec<_> = fastest_us.iter().map(|took_us| took_us.map(Duration::from_micros)).collect();
        (fastest.len() == calls(context).count()).then_some(Self(fastest))
    }

    /// The call with the least increase, and the increase; `None` if one was not answered.
    pub(super) fn least_over(&self, before: &Self) -> (usize, Option<Duration>) {
        self.over(before).min_by_key(|(_, over)| *over).expect("there are calls")
    }

    /// Whether `enough` was added: each call takes longer than before by that, or takes that at all if the fault proxy
    /// held bytes back. A gateway that answers in two parts may be faster through the proxy than without: then its
    /// answers are late by the requested time, but later than before by less than that.
    pub(super) fn prove_added(&self, enough: Duration, before: &Self, held_back_bytes: u64) -> bool {
        let is_attested = held_back_bytes > 0 && self.0.iter().all(|took| took.is_some_and(|took| took >= enough));
        is_attested || self.least_over(before).1.is_some_and(|over| over >= enough)
    }

    /// The call with the largest increase. One that was not answered comes first.
    pub(super) fn most_over(&self, before: &Self) -> (usize, Option<Duration>) {
        self.over(before).max_by_key(|(_, over)| over.unwrap_or(Duration::MAX)).expect("there are calls")
    }

    fn over(&self, before: &Self) -> impl Iterator<Item = (usize, Option<Duration>)> {
        let over = self.0.iter().zip(&before.0).map(|(now, before)| Some((*now)?.saturating_sub((*before)?)));
        over.enumerate()
    }
}

/// Times each call before latency is added: again, a few times, until a busy machine would not hide the latency.
pub(super) async fn undisturbed(context: &Context) -> RoundTrips {
    let little = context.schedule.plan.scenario.chaos.latency_added / 5;
    let mut fastest = round_trips(context).await;
    for _ in 1..ROUNDS_MAX {
        if fastest.0.iter().all(|took| took.is_some_and(|took| took < little)) || context.schedule.stop.is_requested() {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
        let again = round_trips(context).await;
        for (fastest, again) in fastest.0.iter_mut().zip(again.0) {
            *fastest = (*fastest).into_iter().chain(again).min();
        }
    }
    fastest
}

/// Times each call a few times, one after another.
pub(super) async fn round_trips(context: &Context) -> RoundTrips {
    let agent = context.schedule.agent();
    let mut round_trips = RoundTrips::default();
    for call in calls(context) {
        round_trips.0.push(match call {
            CallName::Ready => fastest(|| context.calls.client.ready()).await,
            CallName::Health => fastest(|| context.calls.client.health()).await,
            _ => fastest(|| context.calls.client.agent(agent)).await,
        });
    }
    round_trips
}

async fn fastest<F: Future<Output = Outcome>>(call: impl Fn() -> F) -> Option<Duration> {
    let mut took = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let sent = clock::now();
        if call().await.is_ok() {
            took.push(clock::now().saturating_duration_since(sent));
        }
    }
    took.into_iter().min()
}

pub(super) fn show(round_trip: Option<Duration>) -> String {
    round_trip.map_or("no answer".into(), |took| format!("{} ms", millis(took)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(ms: &[u64]) -> RoundTrips {
        RoundTrips(ms.iter().map(|ms| Some(Duration::from_millis(*ms)).filter(|took| !took.is_zero())).collect())
    }

    #[test]
    fn latency_was_added_where_every_call_takes_so_much_longer() {
        let shows = |before: &[u64], during: &[u64], held_back| {
            took(during).prove_added(Duration::from_millis(120), &took(before), held_back)
        };
        assert!(shows(&[1, 2, 41], &[151, 152, 191], 0));
        assert!(!shows(&[1, 2, 41], &[151, 3, 191], 0), "one call is as fast as before");
        assert!(!shows(&[1, 2, 41], &[151, 152, 0], 0), "one call was not answered");
        // In two parts, of which the second waits for what the client acknowledges: by proxy, it does not.
        assert!(!shows(&[41, 41, 41], &[151, 151, 151], 0));
        assert!(shows(&[41, 41, 41], &[151, 151, 151], 900));
        assert!(!shows(&[41, 41, 41], &[151, 45, 151], 900), "whatever the proxy held back, it was not this");
        assert!(!shows(&[41, 41, 41], &[151, 0, 151], 900));
    }
}
