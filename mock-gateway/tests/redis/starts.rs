//! How a gateway starts that is given a Redis, and when it does not.

use std::process::Command;

use mock_gateway::{Config, Defect, MockGateway, StartError};

use crate::caller::{now, quick};
use crate::server::{Keeps, RedisServer, free_port};

fn start(arguments: &[&str]) -> (i32, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_mock-gateway")).args(["--port", "0"]).args(arguments).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

pub(crate) async fn without_its_redis_it_does_not_start_and_says_what_was_tried() {
    let address = format!("127.0.0.1:{}", free_port());
    let since = now();
    let (code, error) = start(&["--redis", &format!("redis://:secret@{address}")]);
    assert_eq!(code, 1);
    assert!(error.contains(&address) && error.contains("tried for 5 s") && error.contains("redis-server"), "{error}");
    assert!(!error.contains("secret"), "{error}");
    assert!(since.elapsed().as_secs() < 15, "{:?}", since.elapsed());
}

pub(crate) async fn what_is_no_address_of_a_redis_is_said_without_repeating_it() {
    for url in ["http://:secret@127.0.0.1", "127.0.0.1:6379", "secret", ""] {
        let (code, error) = start(&["--redis", url]);
        assert_eq!(code, 1, "{url}");
        assert!(error.contains("redis://127.0.0.1:6379") && !error.contains("secret"), "{url}: {error}");
    }
}

pub(crate) async fn what_something_else_has_kept_there_is_left_alone() {
    let redis = RedisServer::start(Keeps::Everything);
    let _: u64 = redis.query(&["RPUSH", "mock-gateway:versions", "not ours"]);
    let started = MockGateway::start(Config { redis: Some(redis.url()), ..quick() }).await;
    let error = started.expect_err("it does not start").to_string();
    assert!(error.contains("mock-gateway:versions") && error.contains("prefix"), "{error}");
    assert_eq!(redis.query::<Vec<String>>(&["LRANGE", "mock-gateway:versions", "0", "-1"]), ["not ours"]);
}

pub(crate) async fn a_defect_that_would_do_nothing_is_refused() {
    let defects = Defect::RestartLosesEvents.into();
    let started = MockGateway::start(Config { redis: Some("redis://127.0.0.1".into()), defects, ..quick() }).await;
    let Err(error @ StartError::DefectOfMemory(_)) = started else { panic!("it does not start") };
    assert!(error.to_string().contains("restart-loses-events"), "{error}");
}

pub(crate) async fn defects_are_those_of_the_gateway_with_a_redis_too() {
    let redis = RedisServer::start(Keeps::EverySecond);
    let defects = [Defect::UnorderedEvents, Defect::RedeliverNewId, Defect::DuplicateEvents].into_iter().collect();
    let config = Config { redis: Some(redis.url()), defects, log_lines: 200, ..quick() };
    let gateway = MockGateway::start(config).await.unwrap();
    let caller = crate::caller::Caller::new(&gateway, "w");
    let mut logs = caller.open(crate::keep::WORKSPACE_LOGS).await;
    for _ in 0..3 {
        caller.play("hello").await;
    }
    let mut seen = logs.until("end").await;
    seen.extend(logs.until("end").await);
    assert!(!seen.is_sorted_by(|a, b| a.id <= b.id), "some are told late");
    let timestamps = |of: &[crate::caller::Event]| of.iter().map(|event| event.data["timestamp"].to_string()).collect();
    let distinct: std::collections::HashSet<String> = timestamps(&seen);
    assert!(distinct.len() < seen.len(), "some are told twice");
    gateway.shutdown().await;
}
