//! Whether metrics are fresh: an exporter that repeats itself says nothing about the gateway behind it.

use std::time::Duration;

use tokio::time::Instant;

use crate::gateway::Exposition;

/// The counter that moves with every run that is started.
const HEARTBEAT: &str = "runs_started_total";
/// Minimum number of runs started since the counter last moved. The counter may lag behind by a few.
const RUNS_MIN: u64 = 3;
/// Minimum time since then: metrics may be updated only every few seconds.
const LAG_MAX: Duration = Duration::from_secs(15);

/// The scrape that last brought something new.
#[derive(Debug, Default)]
pub(super) struct Freshness(Option<LastScrape>);

#[derive(Debug)]
struct LastScrape {
    pulse: LastSeen,
    /// Runs that had been started when it was asked for.
    runs: u64,
    at: Instant,
}

/// The data that must not stand still.
#[derive(Debug, PartialEq)]
enum LastSeen {
    Counter(f64),
    /// Where the counter is missing, everything.
    Whole(Exposition),
}

impl Freshness {
    /// Takes in a scrape that was requested at `at`, when `runs` runs had been started. Returns why it is stale, if it
    /// is: runs were started since the metrics last moved, and long ago.
    pub(super) fn stale(&mut self, exposition: &Exposition, runs: u64, at: Instant) -> Option<String> {
        let pulse = exposition.value(HEARTBEAT).map_or_else(|| LastSeen::Whole(exposition.clone()), LastSeen::Counter);
        match &self.0 {
            Some(last) if last.pulse == pulse => {
                let (started, stood) = (runs.saturating_sub(last.runs), at.saturating_duration_since(last.at));
                (started >= RUNS_MIN && stood >= LAG_MAX).then(|| {
                    let what = match pulse {
                        LastSeen::Counter(value) => format!("{HEARTBEAT} has stood at {value}"),
                        LastSeen::Whole(_) => "nothing in it has changed".to_owned(),
                    };
                    format!("{what} for {} s, while {started} runs were started", stood.as_secs())
                })
            }
            _ => {
                self.0 = Some(LastScrape { pulse, runs, at });
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn metrics(text: &str) -> Exposition {
        Exposition::read(text).unwrap()
    }

    /// Of scrapes a number of seconds after the first, with so many runs started: which are stale.
    fn stale(scrapes: &[(u64, u64, &str)]) -> Vec<bool> {
        let (begun, mut freshness) = (clock::now(), Freshness::default());
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        scrapes.iter().map(|(s, runs, text)| freshness.stale(&metrics(text), *runs, at(*s)).is_some()).collect()
    }

    #[test]
    fn a_counter_that_stands_while_runs_are_started_is_stale_until_it_moves() {
        let scrapes = [
            (0, 2, "runs_started_total 2"),
            (10, 5, "runs_started_total 2"),
            (20, 5, "runs_started_total 2"),
            (30, 6, "runs_started_total 6"),
            (40, 9, "runs_started_total 6"),
        ];
        assert_eq!(stale(&scrapes), [false, false, true, false, false]);
    }

    #[test]
    fn metrics_that_stand_while_nothing_happens_are_not_stale() {
        let scrapes = [(0, 2, "runs_started_total 2"), (600, 4, "runs_started_total 2")];
        assert_eq!(stale(&scrapes), [false, false]);
    }

    #[test]
    fn a_counter_that_was_reset_by_a_restart_lives() {
        let scrapes = [(0, 50, "runs_started_total 50"), (60, 53, "runs_started_total 3")];
        assert_eq!(stale(&scrapes), [false, false]);
    }

    #[test]
    fn without_the_counter_any_change_is_a_sign_of_life() {
        let scrapes = [(0, 0, "a 1"), (60, 9, "a 1"), (70, 9, "a 2"), (80, 10, "a 2")];
        assert_eq!(stale(&scrapes), [false, true, false, false]);
    }

    #[test]
    fn what_is_stale_says_since_when_and_why() {
        let mut freshness = Freshness::default();
        let begun = clock::now();
        assert_eq!(None, freshness.stale(&metrics("runs_started_total 12"), 12, begun));
        let said = freshness.stale(&metrics("runs_started_total 12"), 20, begun + Duration::from_secs(31));
        let expected = "runs_started_total has stood at 12 for 31 s, while 8 runs were started";
        assert_eq!(Some(expected), said.as_deref());
    }
}
