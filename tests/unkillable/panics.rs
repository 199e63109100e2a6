//! Workers that panic: once is forgiven, five times is not, and nobody else is touched.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use s2_harness::{
    catalog::Suite,
    session::{BoxFuture, Context, Fatal, ResumeState, TaskGroup, Worker},
    workload,
};
use testkit::{AnyError, Left};

use crate::unkillable::scene::{Play, Scene, incidents, reds as reds_of};

/// Which workers panic how often: `name=times,…`. Only this test's binary knows it.
const PANICS: &str = "UNKILLABLE_PANICS";
/// Every worker of the full suite.
pub(crate) const WORKERS: [&str; 9] = [
    "w1_realistic_runs",
    "w2_sse_churn",
    "w3_registry_pulse",
    "w4_safety_probes",
    "w5_privacy_slice",
    "w6_light_chaos",
    "availability",
    "metrics",
    "heartbeat",
];
/// Twenty minutes with all three events in twenty seconds.
const SHORT: Play = Play {
    suite: "full",
    pace: 60.0,
    settings: "[suites]\nfull_duration = \"20m\"\nwarm_up = \"1m\"\n[w6_light_chaos]\nredis_restart_at = \"3m\"\n\
               gateway_restart_at = \"8m\"\nlatency_at = \"14m\"\nlatency_duration = \"2m\"\nsettle = \"1m\"\n",
};

/// The workers of a suite, some of which panic as the environment says.
pub(crate) fn workers(suite: Suite, past: &ResumeState) -> Vec<Arc<dyn Worker>> {
    let asked = std::env::vars_os().find(|(name, _)| name == PANICS);
    let asked = asked.and_then(|(_, value)| value.into_string().ok()).unwrap_or_default();
    let times = |name: &str| asked.split(',').find_map(|one| one.strip_prefix(name)?.strip_prefix('=')?.parse().ok());
    let shaky = |inner: Arc<dyn Worker>| -> Arc<dyn Worker> {
        match times(inner.name()) {
            Some(left) => Arc::new(Shaky { inner, left: AtomicU32::new(left) }),
            None => inner,
        }
    };
    workload::workers(suite, past).into_iter().map(shaky).collect()
}

/// A worker that panics so often, each time a moment after it has begun to play.
struct Shaky {
    inner: Arc<dyn Worker>,
    left: AtomicU32,
}

impl Worker for Shaky {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn background_tasks(&self) -> Option<&TaskGroup> {
        self.inner.background_tasks()
    }

    fn play(&self, context: Context) -> BoxFuture<'_, Result<(), Fatal>> {
        Box::pin(async move {
            let left = self.left.load(Ordering::Relaxed);
            if left == 0 {
                return self.inner.play(context).await;
            }
            self.left.store(left - 1, Ordering::Relaxed);
            let moment = std::time::Duration::from_millis(120);
            match tokio::time::timeout(moment, self.inner.play(context)).await {
                Ok(played) => played,
                // What the worker was doing is dropped in the middle, as by a panic of its own.
                Err(_) => panic!("a panic for a test"),
            }
        })
    }
}

/// The soak, in which these panic.
fn play(name: &str, panics: &str) -> Result<Left, AnyError> {
    let (soak, gateway) = SHORT.soak(name)?;
    let mut command = soak.command()?;
    command.env(PANICS, panics);
    Scene::of(soak.start_by(command)?, gateway).end()
}

/// What is red of workloads, and of heartbeats.
fn reds(left: &Left) -> Result<Vec<String>, AnyError> {
    // A KPI may have the name of a workload.
    let reds = reds_of(left)?.into_iter().filter(|(_, red)| red["kind"] != "kpi");
    let reds = reds.map(|(name, _)| if name == "heartbeats" { "heartbeat".to_owned() } else { name });
    Ok(reds.filter(|name| WORKERS.contains(&name.as_str())).collect())
}

pub(crate) fn every_worker_may_panic_once() -> Result<(), AnyError> {
    let all: Vec<String> = WORKERS.iter().map(|worker| format!("{worker}=1")).collect();
    let left = play("once", &all.join(","))?;
    assert_eq!(Vec::<String>::new(), reds(&left)?);
    let panicked = incidents(&left, "worker_panicked")?;
    for worker in WORKERS {
        let of_worker: Vec<_> = panicked.iter().filter(|incident| incident["worker"] == worker).collect();
        assert!(of_worker.len() == 1 && of_worker[0]["message"] == "a panic for a test", "{worker}: {of_worker:?}");
    }
    Ok(())
}

pub(crate) fn a_worker_that_panics_five_times(worker: &str) -> Result<(), AnyError> {
    let left = play(&format!("five-{worker}"), &format!("{worker}=5"))?;
    // A heartbeat has no trial of its own as a worker: it beats as planned, or not.
    let expected: Vec<String> = if worker == "heartbeat" { Vec::new() } else { vec![worker.to_owned()] };
    assert_eq!(expected, reds(&left)?);
    assert_eq!(5, incidents(&left, "worker_panicked")?.len());
    Ok(())
}
