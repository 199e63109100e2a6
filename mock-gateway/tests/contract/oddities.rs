//! Oddities of streams that a healthy gateway may have, each seen as a client sees it.

use std::collections::{HashMap, HashSet};

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
