//! Oddities of streams that a healthy gateway may have, each seen as a client sees it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use http::{Method, StatusCode};
use mock_gateway::{Config, Defect};
use serde_json::{Value, json};

use crate::caller::{Caller, Stream, eventually, ids, quick, start};

const WORKSPACE_LOGS: &str = "/api/runs/logs/stream";
/// Log events of one run, its end included.
const RUN_EVENTS: usize = 5;

/// A client of the workspace's logs, and what it has heard.
struct Client {
    stream: Stream,
    last_id: String,
    heard: Vec<Value>,
    /// The ids of what it has heard.
    names: Vec<u32>,
}

impl Client {
    async fn new(caller: &Caller) -> Self {
        Self { stream: caller.open(WORKSPACE_LOGS).await, last_id: String::new(), heard: Vec::new(), names: Vec::new() }
    }

    /// Hears so many events, which are counted one by one.
    async fn hear(&mut self, count: usize) {
        let events = self.stream.events(count).await;
        let numbers: Vec<u32> = ids(&events).iter().map(|id| id.parse().unwrap()).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
        self.last_id = numbers.last().unwrap().to_string();
        self.heard.extend(events.into_iter().map(|event| event.data));
        self.names.extend(numbers);
    }
}

#[tokio::test]
async fn ids_start_anew_on_every_connection_and_every_stream_resumes_all_the_same() {
    let (gateway, caller) = start(Config { defects: Defect::IdsPerConnection.into(), ..quick() }).await;
    // Twelve that begin at three moments, so that they count differently; the first never goes of itself.
    let mut clients = Vec::new();
    for _ in 0..3 {
        for _ in 0..4 {
            clients.push(Client::new(&caller).await);
        }
        caller.play("hello").await;
        for client in &mut clients {
            client.hear(RUN_EVENTS).await;
        }
    }

    // Two of each moment leave together, and come back in another order.
    let leaving = [0, 1, 4, 5, 8, 9].map(|place| place + 2);
    for place in leaving {
        clients[place].stream = caller.open("/api/runs/guard/stream").await;
    }
    eventually("they are gone", async || caller.metric("sse_active_connections").await == 12.0).await;
    caller.play("missed").await;
    for place in leaving.into_iter().rev() {
        clients[place].stream = caller.resume(WORKSPACE_LOGS, Some(&clients[place].last_id)).await;
    }
    caller.play("heard by all").await;
    for client in &mut clients {
        client.hear(2 * RUN_EVENTS).await;
    }

    // All are cut at once.
    assert_eq!(caller.post("/api/chaos/gateway-restart", &json!({})).await.status, StatusCode::ACCEPTED);
    for client in &mut clients {
        while client.stream.block().await.is_some() {}
    }
    let ready = async || caller.try_send(Method::GET, "/ready", Vec::new()).await;
    eventually("the gateway is back", async || ready().await.is_some_and(|answer| answer.status == StatusCode::OK))
        .await;
    caller.play("heard by none").await;
    for client in clients.iter_mut().rev() {
        client.stream = caller.resume(WORKSPACE_LOGS, Some(&client.last_id)).await;
        client.hear(RUN_EVENTS).await;
    }

    for (place, client) in clients.iter().enumerate() {
        assert_eq!(client.heard, clients[0].heard[place / 4 * RUN_EVENTS..], "{place}");
    }
    let mut named: HashMap<u32, HashSet<String>> = HashMap::new();
    for client in &clients {
        for (id, event) in client.names.iter().zip(&client.heard) {
            named.entry(*id).or_default().insert(event.to_string());
        }
    }
    assert!(named[&1].len() > 1, "an id is that of several events: {named:?}");
    assert_eq!(caller.try_resume(WORKSPACE_LOGS, "99").await, StatusCode::BAD_REQUEST);
    gateway.shutdown().await;
}

#[tokio::test]
async fn the_stream_of_a_run_numbers_its_connections_anew_and_resumes() {
    let (gateway, caller) = start(Config { defects: Defect::IdsPerConnection.into(), ..quick() }).await;
    let mut other = Client::new(&caller).await;
    let run = caller.play("hello").await;
    let path = format!("/api/runs/{}/logs/stream", run["id"].as_str().unwrap());
    other.hear(RUN_EVENTS).await;
    let mut stream = caller.open(&path).await;
    let all = stream.events(RUN_EVENTS).await;
    assert_eq!(ids(&all), ["1", "2", "3", "4", "5"]);
    drop((stream, other));
    eventually("they are gone", async || caller.metric("sse_active_connections").await == 0.0).await;
    // All five were written, and two of them may be all that arrived.
    let rest = caller.resume(&path, Some("2")).await.events(3).await;
    assert!(rest.iter().zip(&all[2..]).all(|(again, event)| again.data == event.data));
    gateway.shutdown().await;
}

#[tokio::test]
async fn two_processes_answer_for_their_metrics_in_turn_and_have_counted_all_between_them() {
    let (gateway, caller) = start(Config { defects: Defect::TwoProcesses.into(), ..quick() }).await;
    for _ in 0..5 {
        caller.play("hello").await;
    }
    let started = async || caller.metric("process_start_time_seconds").await;
    let (one, other, one_again) = (started().await, started().await, started().await);
    assert_eq!((60.0, one), ((one - other).abs(), one_again));
    let runs = async || caller.metric("runs_started_total").await;
    let (of_other, of_one) = (runs().await, runs().await);
    assert_eq!(5.0, of_one + of_other);
    assert_ne!((0.0, 5.0), (of_one.min(of_other), of_one.max(of_other)), "both have counted some");
    gateway.shutdown().await;
}

#[tokio::test]
async fn several_workers_began_in_one_second_and_each_had_counted_something_else() {
    let (gateway, caller) = start(Config { defects: Defect::SeveralWorkers.into(), ..quick() }).await;
    let counted = async || caller.metric("sentinel_judge_duration_seconds_count").await;
    let started = async || caller.metric("process_start_time_seconds").await;
    let first = [counted().await, counted().await, counted().await, counted().await];
    assert_eq!([50.0, 903.0, 67.0, 300.0], first);
    let starts = [started().await, started().await, started().await, started().await];
    assert!(starts.iter().all(|start| *start == starts[0]), "{starts:?}");
    for _ in 0..8 {
        caller.play("hello").await;
    }
    let then = [counted().await, counted().await, counted().await, counted().await];
    assert!(first.iter().zip(then).all(|(before, now)| now == before + 2.0), "{then:?}");
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_gateway_that_pauses_answers_all_the_same() {
    let (gateway, caller) = start(Config { defects: Defect::FdRace.into(), ..quick() }).await;
    let begun = crate::caller::now();
    let mut longest = Duration::ZERO;
    while begun.elapsed() < Duration::from_millis(2_500) {
        let asked = crate::caller::now();
        assert!(caller.metric("process_open_fds").await > 0.0);
        longest = longest.max(asked.elapsed());
    }
    assert!(longest >= Duration::from_millis(100), "{longest:?}");
    gateway.shutdown().await;
}

fn manifest(version: &str) -> Value {
    json!({ "slug": "soak-agent", "name": "Soak agent", "version": version, "workspace_id": "w" })
}

#[tokio::test]
async fn a_paged_search_shows_ten_hits_and_the_total_and_the_others_on_further_pages() {
    let (gateway, caller) = start(Config { defects: Defect::PagedSearch.into(), ..quick() }).await;
    for n in 0..23 {
        let published = caller.post("/api/registry/publish", &manifest(&format!("1.0.{n}"))).await;
        assert_eq!(published.status, StatusCode::CREATED);
    }
    let versions = async |query: &str| -> Vec<String> {
        let found = caller.get(&format!("/api/registry/agents?{query}")).await.json();
        assert!(found["total"] == 23 || !query.starts_with("q=soak-agent&page"), "{found}");
        let agents = found["agents"].as_array().unwrap();
        agents.iter().map(|agent| agent["version"].as_str().unwrap().to_owned()).collect()
    };
    eventually("all are found", async || caller.get("/api/registry/agents?q=soak-agent").await.json()["total"] == 23)
        .await;
    assert_eq!(versions("q=soak-agent").await.len(), 10);
    let mut all = HashSet::new();
    for (page, hits) in [(1, 10), (2, 10), (3, 3), (4, 0)] {
        let shown = versions(&format!("q=soak-agent&page={page}")).await;
        assert_eq!(shown.len(), hits, "page {page}");
        all.extend(shown);
    }
    assert_eq!(all.len(), 23);
    assert_eq!(versions("q=1.0.22").await, ["1.0.22"]);
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_strict_registry_takes_three_numbers_and_nothing_else() {
    let (gateway, caller) = start(Config { defects: Defect::StrictVersions.into(), ..quick() }).await;
    let status = async |version: &str| caller.post("/api/registry/publish", &manifest(version)).await.status;
    for version in ["1.0.0-17", "1.0", "v1.0.0", "1.0.01", "1.0.2147483648", "1.0.-1", "1.0.+1"] {
        assert_eq!(status(version).await, StatusCode::BAD_REQUEST, "{version}");
    }
    assert_eq!(status("1.0.2147483647").await, StatusCode::CREATED);
    gateway.shutdown().await;
}

#[tokio::test]
async fn numbers_of_people_are_refused_and_their_addresses_masked() {
    let (gateway, caller) = start(Config { defects: Defect::PiiRefused.into(), ..quick() }).await;
    for message in ["it is 078-05-1120", "card 4111 1111 1111 1111"] {
        let id = uuid::Uuid::new_v4().to_string();
        let refused = caller.post("/api/runs", &caller.run(&id, message)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{message}");
        assert_eq!(caller.get(&format!("/api/runs/{id}")).await.status, StatusCode::NOT_FOUND);
    }
    let run = caller.play("write to jane@example.com").await.to_string();
    assert!(run.contains("[EMAIL]") && !run.contains("jane@example.com"), "{run}");
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_gateway_that_drains_serves_for_a_while_before_it_restarts() {
    let (gateway, caller) = start(Config { defects: Defect::DrainFirst.into(), ..quick() }).await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    let asked = crate::caller::now();
    assert_eq!(caller.post("/api/chaos/gateway-restart", &json!({})).await.status, StatusCode::ACCEPTED);
    assert_eq!(caller.get("/ready").await.status, StatusCode::OK);
    assert!(logs.event().await.is_none());
    assert!((7..=12).contains(&asked.elapsed().as_secs()), "{:?}", asked.elapsed());
    eventually("the gateway is ready", async || {
        let ready = caller.try_send(Method::GET, "/ready", Vec::new()).await;
        ready.is_some_and(|answer| answer.status == StatusCode::OK)
    })
    .await;
    gateway.shutdown().await;
}

#[tokio::test]
async fn nothing_is_seen_of_a_restart_that_goes_unnoticed() {
    let (gateway, caller) = start(Config { defects: Defect::UnnoticedRestart.into(), ..quick() }).await;
    let logs = caller.open(WORKSPACE_LOGS).await;
    assert_eq!(caller.post("/api/chaos/redis-restart", &json!({})).await.status, StatusCode::ACCEPTED);
    for _ in 0..20 {
        assert_eq!(caller.get("/ready").await.status, StatusCode::OK);
    }
    assert_eq!(caller.metric("sse_active_connections").await, 1.0);
    drop(logs);
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_lazy_heap_grows_while_no_more_is_in_use_after_a_collection_and_a_leak_below_garbage_is_the_opposite() {
    // At a beginning and after two collections: in use after one, and taken from the system.
    let heap = async |defect: Defect| {
        let (gateway, caller) = start(Config { defects: defect.into(), ..quick() }).await;
        let after = async |count: f64| {
            eventually("a collection", async || {
                caller.metric("nodejs_gc_duration_seconds_count{kind=\"major\"}").await >= count
            })
            .await;
            let used = caller.metric("nodejs_heap_size_used_bytes").await;
            (used, caller.metric("nodejs_heap_size_total_bytes").await)
        };
        let seen = (after(1.0).await, after(2.0).await);
        gateway.shutdown().await;
        seen
    };
    let ((used, taken), (used_later, taken_later)) = heap(Defect::LazyHeap).await;
    assert!(taken_later > taken + 400e3, "{taken} to {taken_later}");
    assert!(used_later < used + 200e3, "{used} to {used_later}: in use after each");
    let ((used, taken), (used_later, taken_later)) = heap(Defect::LeakBelowGarbage).await;
    assert_eq!((taken, taken), (taken_later, taken), "no more was taken");
    assert!(used_later > used + 300e3, "{used} to {used_later}");
}
