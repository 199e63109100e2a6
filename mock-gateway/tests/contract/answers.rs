//! What defects and habits do to answers on the wire, each seen as a client sees it.

use std::sync::Arc;

use http::{Method, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use mock_gateway::{Config, Defect, MockGateway};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use uuid::Uuid;

use crate::caller::{Caller, DEADLINE, eventually, quick, start, unzipped};

const WORKSPACE_LOGS: &str = "/api/runs/logs/stream";

async fn with(defect: Defect) -> (MockGateway, Caller) {
    start(Config { defects: defect.into(), ..quick() }).await
}

#[tokio::test]
async fn every_json_answer_is_gzip_and_metrics_and_streams_are_not() {
    let (gateway, caller) = with(Defect::GzipUnasked).await;
    let id = caller.create("hello").await;
    for path in ["/health", "/nowhere", &format!("/api/runs/{id}")] {
        let answer = caller.get(path).await;
        assert_eq!(answer.headers["content-encoding"], "gzip", "{path}");
        answer.json();
    }
    assert!(caller.get("/metrics").await.headers.get("content-encoding").is_none());
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    assert!(logs.headers.get("content-encoding").is_none());
    caller.start_run(&id).await;
    logs.until("end").await;
    gateway.shutdown().await;
}

#[tokio::test]
async fn what_goes_wrong_is_200_with_a_code() {
    let (gateway, caller) = with(Defect::CodedErrors).await;
    let gone = caller.get("/nowhere").await;
    assert_eq!((gone.status, gone.json()["code"].clone()), (StatusCode::OK, json!(40_400)));
    let health = caller.get("/health").await;
    assert_eq!((health.status, health.json().get("code").cloned()), (StatusCode::OK, None));
    gateway.shutdown().await;
}

#[tokio::test]
async fn one_run_in_ten_has_a_large_record_each_time_it_is_read() {
    let (gateway, caller) = with(Defect::LargeRecord).await;
    for number in 0..20_u128 {
        let id = Uuid::from_u128(number).to_string();
        caller.post("/api/runs", &caller.run(&id, "hello")).await;
        for _ in 0..2 {
            let answer = caller.get(&format!("/api/runs/{id}")).await;
            assert_eq!(answer.json()["id"], *id);
            assert_eq!(answer.text.len() >= 1_200_000, number % 10 == 0, "{number}: {} bytes", answer.text.len());
        }
    }
    gateway.shutdown().await;
}

#[tokio::test]
async fn some_gets_find_the_connection_closed_that_they_are_sent_on_and_none_does_on_its_first() {
    let (gateway, caller) = with(Defect::StaleConnection).await;
    let mut lost = 0;
    for _ in 0..1_000 {
        lost += u32::from(caller.try_send(Method::GET, "/health", Vec::new()).await.is_none());
    }
    assert!((3..=6).contains(&lost), "{lost} of 1,000");
    for _ in 0..500 {
        // A caller has connections of its own.
        assert_eq!(Caller::new(&gateway, "w").get("/health").await.status, StatusCode::OK);
        assert_eq!(caller.post("/api/workspace/plan", &json!({})).await.status, StatusCode::BAD_REQUEST);
    }
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_create_that_says_200_and_error_has_created_nothing() {
    let (gateway, caller) = with(Defect::OkWithError).await;
    let mut refused = 0;
    for number in 0..100_u128 {
        let id = Uuid::from_u128(number).to_string();
        let answer = caller.post("/api/runs", &caller.run(&id, "hello")).await;
        let is_there = caller.get(&format!("/api/runs/{id}")).await.status == StatusCode::OK;
        if answer.status == StatusCode::CREATED {
            assert!(is_there);
            continue;
        }
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({ "error": "internal error" })));
        assert!(!is_there);
        refused += 1;
    }
    assert!((4..=6).contains(&refused), "{refused} of 100");
    gateway.shutdown().await;
}

#[tokio::test]
async fn the_clock_of_health_has_no_fractions() {
    let (gateway, caller) = with(Defect::ClockInSeconds).await;
    let answer = caller.get("/health").await.json();
    let time = answer["time"].as_str().unwrap();
    assert!(time.len() == "2026-11-28T10:00:00Z".len() && time.ends_with('Z'), "{time}");
    assert_eq!(time.parse::<jiff::Timestamp>().unwrap().subsec_nanosecond(), 0);
    gateway.shutdown().await;
}

#[tokio::test]
async fn metrics_are_on_a_port_of_their_own_also_after_a_restart() {
    let (gateway, caller) = with(Defect::MetricsElsewhere).await;
    let elsewhere = Caller::at(gateway.metrics_url().replace("/metrics", ""), "w");
    assert_eq!(caller.get("/metrics").await.status, StatusCode::NOT_FOUND);
    assert_eq!(elsewhere.get("/health").await.status, StatusCode::NOT_FOUND);
    assert_eq!(elsewhere.metric("sse_active_connections").await, 0.0);
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    assert_eq!(elsewhere.metric("sse_active_connections").await, 1.0);
    caller.post("/api/chaos/gateway-restart", &json!({})).await;
    while logs.block().await.is_some() {}
    eventually("both are back", async || {
        let are_there = [(&caller, "/ready"), (&elsewhere, "/metrics")].map(|(caller, path)| async move {
            caller.try_send(Method::GET, path, Vec::new()).await.is_some_and(|answer| answer.status == StatusCode::OK)
        });
        let [ready, metrics] = are_there;
        ready.await && metrics.await
    })
    .await;
    gateway.shutdown().await;
}

/// A client's TLS that offers this protocol, and trusts the gateway.
async fn connect(gateway: &MockGateway, protocol: &str) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(gateway.certificate().unwrap().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.into()];
    let host = gateway.address().ip().into();
    TlsConnector::from(Arc::new(config)).connect(host, TcpStream::connect(gateway.address()).await?).await
}

#[tokio::test]
async fn requests_and_streams_are_answered_by_http2_over_tls_and_by_nothing_else() {
    let (gateway, _) = with(Defect::Http2Only).await;
    assert!(gateway.url().starts_with("https://"));
    assert!(connect(&gateway, "http/1.1").await.is_err());
    let wire = connect(&gateway, "h2").await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(wire)).await.unwrap();
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let get = |path: &str| {
        let request = hyper::Request::get(format!("{}{path}", gateway.url())).header("x-workspace-id", "w");
        request.body(Empty::<Bytes>::new()).unwrap()
    };
    let mut logs = sender.send_request(get(WORKSPACE_LOGS)).await.unwrap().into_body();
    assert_eq!(logs.frame().await.unwrap().unwrap().into_data().unwrap(), ": open\n\n");
    let health = sender.send_request(get("/health")).await.unwrap();
    assert_eq!((health.status(), health.version()), (StatusCode::OK, http::Version::HTTP_2));
    gateway.shutdown().await;
    let to_the_end = async { while let Some(Ok(_)) = logs.frame().await {} };
    timeout(DEADLINE, to_the_end).await.expect("the stream ends with the gateway");
}

/// The workspace's logs, asked for in gzip, as they are on the wire.
async fn open_zipped(gateway: &MockGateway) -> Incoming {
    let request = hyper::Request::get(format!("{}{WORKSPACE_LOGS}", gateway.url()))
        .header("x-workspace-id", "w")
        .header("accept-encoding", "gzip, deflate, br");
    let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let answer = client.request(request.body(Empty::<Bytes>::new()).unwrap()).await.expect("an answer");
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    answer.into_body()
}

/// What comes of a body up to so many bytes of text.
async fn text_of(body: &mut Incoming, bytes_min: usize) -> String {
    let mut zipped = Vec::new();
    loop {
        let frame = timeout(DEADLINE, body.frame()).await.expect("something comes before the deadline");
        zipped.extend_from_slice(&frame.unwrap().unwrap().into_data().unwrap());
        let text = unzipped(&zipped);
        if text.len() >= bytes_min {
            return String::from_utf8(text).unwrap();
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_asked_for_in_gzip_is_held_back_and_the_others_are_not() {
    let (gateway, caller) = with(Defect::CompressedStreams).await;
    let mut zipped = open_zipped(&gateway).await;
    let mut plain = caller.open(WORKSPACE_LOGS).await;
    caller.play("hello").await;
    plain.until("end").await;
    assert!(timeout(std::time::Duration::from_millis(1), zipped.frame()).await.is_err());
    for _ in 0..25 {
        caller.play("hello").await;
    }
    let text = text_of(&mut zipped, 16 * 1024).await;
    assert!(text.starts_with(": open\n\nid: 000000000001\n") && text.ends_with("\n\n"), "{text}");
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_stream_that_is_asked_for_in_gzip_may_be_flushed_after_every_event() {
    let (gateway, caller) = with(Defect::FlushedStreams).await;
    let mut zipped = open_zipped(&gateway).await;
    caller.play("hello").await;
    let text = text_of(&mut zipped, 500).await;
    assert!(text.starts_with(": open\n\nid: 000000000001\nevent: log\n"), "{text}");
    gateway.shutdown().await;
}
