//! Effects of chaos on the gateway, and the times of their ends.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock;

/// Added latency that one call may ask for at most.
pub(crate) const LATENCY_MAX: Duration = Duration::from_secs(60);

/// Maximum duration of added latency.
pub(crate) const LATENCY_DURATION_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The disturbances in force. Each ends by itself.
#[derive(Default)]
pub(crate) struct Chaos(Mutex<Disturbances>);

#[derive(Default)]
struct Disturbances {
    latency: Option<(Instant, Duration)>,
    store_down_until: Option<Instant>,
    warming_until: Option<Instant>,
}

impl Chaos {
    /// From now on every answer is `delay` later, for `duration`. Replaces what was asked for before.
    pub(crate) fn add_latency(&self, delay: Duration, duration: Duration) {
        self.lock().latency = Some((clock::now() + duration.min(LATENCY_DURATION_MAX), delay.min(LATENCY_MAX)));
    }

    pub(crate) fn take_store_down(&self, duration: Duration) {
        self.lock().store_down_until = Some(clock::now() + duration);
    }

    /// The gateway listens again, and is ready only after `duration`.
    pub(crate) fn warm_up(&self, duration: Duration) {
        self.lock().warming_until = Some(clock::now() + duration);
    }

    /// How much later a request that arrives now is answered.
    pub(crate) fn latency(&self) -> Option<Duration> {
        let (until, delay) = self.lock().latency?;
        (clock::now() < until).then_some(delay)
    }

    pub(crate) fn is_store_down(&self) -> bool {
        let now = clock::now();
        self.lock().store_down_until.is_some_and(|until| now < until)
    }

    /// Whether the gateway can serve.
    pub(crate) fn is_ready(&self) -> bool {
        let now = clock::now();
        let warming = self.lock().warming_until.is_some_and(|until| now < until);
        !warming && !self.is_store_down()
    }

    /// Whether a disturbance is in force, or was within the last `after`.
    pub(crate) fn is_recent(&self, after: Duration) -> bool {
        let now = clock::now();
        let Disturbances { latency, store_down_until, warming_until } = &*self.lock();
        let latency_until = latency.map(|(until, _)| until);
        [latency_until, *store_down_until, *warming_until].into_iter().flatten().any(|until| now < until + after)
    }

    fn lock(&self) -> MutexGuard<'_, Disturbances> {
        self.0.lock().expect("no holder panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_disturbance_ends_by_itself() {
        let chaos = Chaos::default();
        assert!(chaos.is_ready());
        chaos.add_latency(Duration::from_millis(150), Duration::from_secs(3));
        chaos.take_store_down(Duration::from_secs(1));
        chaos.warm_up(Duration::from_secs(2));
        assert_eq!(chaos.latency(), Some(Duration::from_millis(150)));
        assert!(chaos.is_store_down());

        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!chaos.is_store_down());
        assert!(!chaos.is_ready());

        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(chaos.is_ready());

        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(chaos.latency(), None);
        assert!(chaos.is_recent(Duration::from_millis(1)));
        assert!(!chaos.is_recent(Duration::ZERO));
    }
}
