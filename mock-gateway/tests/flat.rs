//! A gateway without defects is flat: a harness that judges drift has to find none here.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use uuid::Uuid;

type Caller = Client<HttpConnector, Full<Bytes>>;

/// What a harness leaves out of its judgement.
const WARM_UP_S: usize = 5;

/// A gateway in a process of its own, so that only its memory is measured.
struct Gateway {
    child: Child,
    url: String,
}

impl Gateway {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mock-gateway"))
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("mock gateway listening on ").unwrap().to_owned();
        Self { child, url }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Whether or not the test got to its end.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

async fn call(caller: &Caller, method: &str, url: String, body: String) -> String {
    let request = hyper::Request::builder().method(method).uri(&url).header("x-workspace-id", "w");
    let response = caller.request(request.body(Full::from(body)).unwrap()).await.unwrap();
    assert!(response.status().is_success(), "{} of {url}", response.status());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

/// Ten runs and some two hundred requests a second, and twenty streams of which two a second come and go.
async fn load(caller: Caller, url: String) {
    let mut tasks = JoinSet::new();
    for client in 0..20_u64 {
        let (caller, url) = (caller.clone(), url.clone());
        tasks.spawn(async move {
            loop {
                let request = hyper::Request::get(format!("{url}/api/runs/logs/stream")).header("x-workspace-id", "w");
                let response = caller.request(request.body(Full::default()).unwrap()).await.unwrap();
                let mut body = response.into_body();
                let read = async { while body.frame().await.is_some() {} };
                // Over its time, the stream is dropped and opened again.
                let _ = timeout(Duration::from_millis(9_000 + 100 * client), read).await;
            }
        });
    }
    let (runner, base) = (caller.clone(), url.clone());
    tasks.spawn(async move {
        let mut ticks = interval(Duration::from_millis(100));
        loop {
            ticks.tick().await;
            let id = Uuid::new_v4().to_string();
            let run = json!({ "id": id, "agent": "demo-enricher", "name": "load", "workspace_id": "w",
                "input": { "message": format!("run {id}"), "metadata": { "source": "load" } } });
            call(&runner, "POST", format!("{base}/api/runs"), run.to_string()).await;
            call(&runner, "POST", format!("{base}/api/runs/{id}/start"), String::new()).await;
        }
    });
    tasks.spawn(async move {
        let mut ticks = interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            for path in ["/health", "/ready", "/api/agents/demo-scraper", "/api/safety/check"] {
                call(&caller, "GET", format!("{url}{path}"), String::new()).await;
            }
        }
    });
    tasks.join_next().await.unwrap().unwrap();
}

fn metric(text: &str, name: &str) -> f64 {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "takes a minute"]
async fn memory_and_descriptors_are_flat_under_load() {
    let gateway = Gateway::start();
    let caller: Caller = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let mut under_load = JoinSet::new();
    under_load.spawn(load(caller.clone(), gateway.url.clone()));

    let (mut resident, mut descriptors) = (Vec::new(), Vec::new());
    let mut seconds = interval(Duration::from_secs(1));
    for second in 0..60 {
        seconds.tick().await;
        let text = call(&caller, "GET", format!("{}/metrics", gateway.url), String::new()).await;
        if second >= WARM_UP_S {
            resident.push(metric(&text, "process_resident_memory_bytes"));
            descriptors.push(metric(&text, "process_open_fds"));
        }
        if second % 5 == 0 {
            println!(
                "{second:2} s: {:.2} MiB, {} descriptors, {} streams, {} runs, {} messages",
                metric(&text, "process_resident_memory_bytes") / f64::from(1 << 20),
                metric(&text, "process_open_fds"),
                metric(&text, "sse_active_connections"),
                metric(&text, "runs_started_total"),
                metric(&text, "sse_messages_total"),
            );
        }
    }
    if let Ok(stat) = std::fs::read_to_string(format!("/proc/{}/stat", gateway.child.id())) {
        let fields: Vec<_> = stat.split_whitespace().collect();
        println!("{} user and {} system ticks of 10 ms in 60 s", fields[13], fields[14]);
    }
    assert!(under_load.try_join_next().is_none(), "the load went on to the end");

    // Means over ten seconds: single readings of descriptors depend on which streams are just between two connections.
    let mean = |readings: &[f64]| readings.iter().sum::<f64>() / readings.len() as f64;
    let rise = |readings: &[f64]| mean(&readings[readings.len() - 10..]) - mean(&readings[..10]);
    let growth = rise(&resident) / mean(&resident[..10]);
    // Half of what a harness would call a leak.
    assert!(growth < 0.05, "memory rose by {:.1} %", 100.0 * growth);
    assert!(rise(&descriptors) < 3.0, "descriptors rose by {}", rise(&descriptors));
}
