//! Accepted settings can be planned, at every corner of their ranges.

use super::*;

/// Keys with the least and the most that they may be, or nearly that where another key limits them.
const KEYS: [(&str, &str, [&str; 2]); 9] = [
    ("suites", "full_duration", ["\"2h\"", "\"7days\""]),
    ("suites", "snapshot_every", ["\"1m\"", "\"2h\""]),
    ("w1_realistic_runs", "per_minute", ["1", "120000"]),
    ("w1_realistic_runs", "own_stream_percent", ["0", "100"]),
    ("w2_sse_churn", "streams", ["2", "20000"]),
    ("w2_sse_churn", "churn_every", ["\"10s\"", "\"14m\""]),
    ("w2_sse_churn", "churn_percent", ["1", "30"]),
    ("w3_registry_pulse", "every", ["\"10s\"", "\"7m\""]),
    ("availability", "every", ["\"100ms\"", "\"1m\""]),
];
/// A header of a journal has other parts beside its plan.
const PLAN_BYTES_MAX: usize = 7 * 1_024;

/// A file that chooses the least or the most of each key by a bit of the corner's number.
fn file(corner: usize) -> String {
    let mut tables = BTreeMap::<&str, String>::new();
    for (n, (table, key, values)) in KEYS.iter().enumerate() {
        *tables.entry(table).or_default() += &format!("{key} = {}\n", values[corner >> n & 1]);
    }
    tables.into_iter().map(|(table, lines)| format!("[{table}]\n{lines}")).collect()
}

#[test]
fn every_corner_is_a_plan_that_a_journal_holds_and_whose_last_cycle_is_known() {
    for corner in 0..1 << KEYS.len() {
        let file = file(corner);
        let pace = ["1", "720"][corner.count_ones() as usize % 2];
        let environment = Environment::new("/nonexistent/s2".into(), [("S2_PACE", pace)]);
        let settings = Settings::load(&environment, &file).unwrap_or_else(|error| panic!("{error}\n{file}"));
        for suite in [Suite::Smoke, Suite::Full] {
            let plan = settings.plan_of(suite);
            let json = serde_json::to_string(&plan).unwrap();
            assert!(json.len() < PLAN_BYTES_MAX, "{} bytes\n{file}", json.len());
            assert_eq!(plan, serde_json::from_str(&json).unwrap(), "{file}");
            assert_eq!(Ok(()), plan.check(), "{file}");
            let per_minute = u64::from(settings.scenario.runs.per_minute);
            assert_eq!(plan.runs.count(), plan.duration_ms * per_minute / 60_000, "{file}");
            let last = plan.runs.count().checked_sub(1).and_then(|last| plan.runs.get(last));
            assert!(last.is_some_and(|run| run.at_ms < plan.duration_ms), "{file}");
            let churns = (plan.churns.get(0), plan.churns.count().checked_sub(1).and_then(|n| plan.churns.get(n)));
            for churn in [churns.0, churns.1].into_iter().flatten() {
                assert!(churn.at_ms < plan.duration_ms, "{file}");
                assert!((1..settings.scenario.streams.count as usize).contains(&churn.streams.len()), "{file}");
            }
            let unpromised: Vec<Kpi> =
                plan.promises.iter().filter(|(_, samples)| *samples == 0).map(|(kpi, _)| kpi).collect();
            assert!(unpromised.is_empty(), "no verdict on {unpromised:?}\n{file}");
        }
    }
}
