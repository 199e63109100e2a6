//! Behaviour of gateways towards requests as browsers send them: compression, and HTTP/2 only.

use std::time::Duration;

use mock_gateway::{Config, Defect, MockGateway};
use tokio::time::timeout;
use uuid::Uuid;

use super::{Client, Connection, GatewayAccess, NewRun, StreamEvent, Streams, Trust};
use crate::catalog::CallName;

const PATIENCE: Duration = Duration::from_secs(10);

fn with(defect: Defect) -> Config {
    Config { defects: defect.into(), ..Config::default() }
}

async fn gateway(config: Config) -> (MockGateway, GatewayAccess) {
    let gateway = MockGateway::start(config).await.unwrap();
    let access = GatewayAccess::of_test(gateway.url());
    (gateway, access)
}

async fn open(streams: &Streams, access: &GatewayAccess) -> Connection {
    let path = Client::new(access).unwrap().stream_path(CallName::LogsStream, None);
    streams.open(CallName::LogsStream, &path, &access.workspace, None).await.unwrap()
}

/// Plays a run; its id.
async fn play(access: &GatewayAccess) -> String {
    let client = Client::new(access).unwrap();
    let (id, agent) = (Uuid::new_v4().to_string(), "demo-enricher".to_owned());
    let run = NewRun { id: id.clone(), agent, name: "a run".into(), message: "hello".into() };
    assert_eq!(201, client.create_run(&run).await.unwrap().status);
    assert_eq!(200, client.start_run(&id).await.unwrap().status);
    id
}

/// Reads the events up to the end of a run.
async fn until_end(connection: &mut Connection) -> Vec<StreamEvent> {
    let mut events: Vec<StreamEvent> = Vec::new();
    while events.last().is_none_or(|event| event.content.name != "end") {
        events.push(timeout(PATIENCE, connection.next()).await.expect("an event before the deadline").unwrap());
    }
    events
}

#[tokio::test]
async fn a_stream_that_is_flushed_after_every_event_shows_a_browser_each_before_there_is_another() {
    // The next line is twenty seconds away: one that came with it would be too late.
    let run_duration = Duration::from_secs(60)..=Duration::from_secs(60);
    let (gateway, access) = gateway(Config { run_duration, ..with(Defect::FlushedStreams) }).await;
    let mut browser = open(&Streams::new(&access).unwrap().as_a_browser(), &access).await;
    for _ in 0..3 {
        let id = play(&access).await;
        let event = timeout(PATIENCE, browser.next()).await.expect("an event before the deadline").unwrap();
        assert!(event.content.data.contains(&id) && event.content.data.contains("starts"), "{event:?}");
    }
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_compressor_that_holds_events_back_does_so_to_whoever_asks_as_a_browser_and_to_nobody_else() {
    let (gateway, access) = gateway(with(Defect::CompressedStreams)).await;
    let streams = Streams::new(&access).unwrap();
    let (mut browser, mut other) = (open(&streams.as_a_browser(), &access).await, open(&streams, &access).await);
    play(&access).await;
    until_end(&mut other).await;
    assert!(timeout(Duration::from_millis(1), browser.next()).await.is_err());
    // What is held back comes when the stream ends.
    let (shown, ()) = tokio::join!(until_end(&mut browser), gateway.shutdown());
    assert_eq!(5, shown.len());
}

#[tokio::test]
async fn a_gateway_that_speaks_http2_over_tls_and_nothing_else_is_spoken_to_so() {
    let (gateway, stranger) = gateway(with(Defect::Http2Only)).await;
    let trust = Trust::with_authorities(gateway.certificate().unwrap().as_bytes()).unwrap();
    let access = GatewayAccess { trust, ..stranger.clone() };
    let mut logs = open(&Streams::new(&access).unwrap(), &access).await;
    let id = play(&access).await;
    assert!(until_end(&mut logs).await.iter().all(|event| event.content.data.contains(&id)));
    let trouble = Client::new(&stranger).unwrap().ready().await.unwrap_err();
    assert!(trouble.text.contains("S2_CA_FILE"), "{}", trouble.text);
    gateway.shutdown().await;
}
