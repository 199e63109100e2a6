//! Gateways that do not do their part. Every wait on the wire runs out at the time that it should, so that one that is
//! there and does nothing holds nobody; and a stream that is cut is told from one that is closed.
//!
//! The sockets are real, and the clock is tokio's paused one: where nothing else is left to happen, it goes on to the
//! next timer at once.

use std::{future::Future, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
    time::sleep,
};

use super::{Client, Connection, Ended, GatewayAccess, Streams, Trouble};
use crate::catalog::CallName;
use crate::clock;

const OPEN_STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: open\n\n";

fn access(listener: &TcpListener) -> GatewayAccess {
    GatewayAccess::of_test(format!("http://{}", listener.local_addr().unwrap()))
}

/// A gateway that does `answers` with each connection, once the request's head is there, for as long as the set lives.
async fn hostile<F>(answers: impl Fn(TcpStream) -> F + Send + 'static) -> (GatewayAccess, JoinSet<()>)
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let access = access(&listener);
    let mut listening = JoinSet::new();
    listening.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            let _ = socket.read(&mut head).await;
            connections.spawn(answers(socket));
        }
    });
    (access, listening)
}

/// Says nothing, and never hangs up.
async fn silence(socket: TcpStream) -> std::io::Result<()> {
    let _held = socket;
    std::future::pending().await
}

/// Returns the outcome, and the time that it took, rounded to the second.
async fn seconds<T>(of: impl Future<Output = T>) -> (T, u64) {
    let begun = clock::now();
    let outcome = of.await;
    (outcome, begun.elapsed().as_secs_f64().round() as u64)
}

fn trouble<T: std::fmt::Debug>(outcome: Result<T, Trouble>) -> String {
    outcome.unwrap_err().text
}

async fn open(access: &GatewayAccess) -> Connection {
    Streams::new(access).unwrap().open(CallName::LogsStream, "/api/runs/logs/stream", "s2-soak", None).await.unwrap()
}

/// A listener whose queue is full: the kernel drops what knocks, as a firewall does.
async fn deaf() -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) = tokio::time::timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
        queued.push(connected.unwrap());
    }
    (listener, queued)
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_come_about_is_given_up_after_5_seconds() {
    let (listener, _queued) = deaf().await;
    let access = access(&listener);
    let (outcome, took) = seconds(Client::new(&access).unwrap().health()).await;
    let text = trouble(outcome);
    assert!(took == 5 && text.contains("no connection"), "{took} s: {text}");

    let streams = Streams::new(&access).unwrap();
    let (opened, took) = seconds(streams.open(CallName::LogsStream, "/api/runs/logs/stream", "s2-soak", None)).await;
    let answer = opened.unwrap_err().answer;
    assert_eq!(("connection lost: connecting timed out", 5), (answer.as_str(), took));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_answers_is_given_up_after_30_seconds_and_a_probe_after_2() {
    let (access, _listening) = hostile(silence).await;
    let client = Client::new(&access).unwrap();
    let (outcome, took) = seconds(client.health()).await;
    let text = trouble(outcome);
    assert!(took == 30 && text.contains("timed out"), "{took} s: {text}");
    let (outcome, took) = seconds(client.start_run("3f2a")).await;
    assert_eq!((true, 30), (trouble(outcome).contains("timed out"), took));
    let (outcome, took) = seconds(client.ready()).await;
    assert_eq!((true, 2), (trouble(outcome).contains("timed out"), took));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_in_drops_is_given_up_after_30_seconds_in_all() {
    let (access, _listening) = hostile(|mut socket| async move {
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await?;
        loop {
            socket.write_all(b"x").await?;
            sleep(Duration::from_secs(4)).await;
        }
    })
    .await;
    let (outcome, took) = seconds(Client::new(&access).unwrap().metrics()).await;
    let text = trouble(outcome);
    assert!(took == 30 && text.contains("timed out"), "{took} s: {text}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_head_does_not_come_is_given_up_after_30_seconds() {
    let (access, _listening) = hostile(silence).await;
    let streams = Streams::new(&access).unwrap();
    let (opened, took) = seconds(streams.open(CallName::LogsStream, "/api/runs/logs/stream", "s2-soak", None)).await;
    let answer = opened.unwrap_err().answer;
    assert!(took == 30 && answer.contains("timed out"), "{took} s: {answer}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_whose_body_does_not_come_is_told_without_it() {
    let (access, _listening) = hostile(|mut socket| async move {
        socket.write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 1000\r\n\r\n").await?;
        silence(socket).await
    })
    .await;
    let streams = Streams::new(&access).unwrap();
    let (opened, took) = seconds(streams.open(CallName::LogsStream, "/api/runs/logs/stream", "s2-soak", None)).await;
    let answer = opened.unwrap_err().answer;
    assert!(took == 2 && answer.starts_with("503"), "{took} s: {answer}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_on_which_nothing_comes_is_given_up_after_the_limit_of_the_dialect() {
    let (access, _listening) = hostile(|mut socket| async move {
        socket.write_all(OPEN_STREAM.as_bytes()).await?;
        silence(socket).await
    })
    .await;
    let mut stream = open(&access).await;
    let (ended, took) = seconds(stream.next()).await;
    let ended = ended.unwrap_err();
    assert_eq!(("silent for 300 s", 300), (ended.answer.as_str(), took));
    assert_eq!((true, false, 300), (ended.is_ours, ended.in_good_order, ended.silent_for.as_secs()));
}

#[tokio::test(start_paused = true)]
async fn comments_alone_keep_a_stream_open_for_as_long_as_they_come() {
    let (access, _listening) = hostile(|mut socket| async move {
        socket.write_all(OPEN_STREAM.as_bytes()).await?;
        for _ in 0..10 {
            sleep(Duration::from_secs(90)).await;
            socket.write_all(b": keep-alive\n\n").await?;
        }
        silence(socket).await
    })
    .await;
    let mut stream = open(&access).await;
    let (ended, took) = seconds(stream.next()).await;
    assert_eq!(("silent for 300 s", 10 * 90 + 300), (ended.unwrap_err().answer.as_str(), took));
}

/// How a stream ended that a gateway writes these pieces of and then hangs up.
async fn ended(body: &'static str) -> Ended {
    let (access, _listening) = hostile(move |mut socket| async move {
        socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            .await?;
        for chunk in body.split_inclusive('|') {
            let chunk = chunk.trim_end_matches('|');
            socket.write_all(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes()).await?;
        }
        Ok(())
    })
    .await;
    let mut stream = open(&access).await;
    loop {
        if let Err(ended) = stream.next().await {
            return ended;
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_closed_in_good_order_is_told_from_one_that_is_cut() {
    // The empty chunk is the end of an answer.
    let closed = ended(": open\n\n|data: {}\n\n||").await;
    assert_eq!((true, "closed by the gateway"), (closed.in_good_order, closed.answer.as_str()));
    for cut in [": open\n\n|data: {}\n\n|", ": open\n\n|data: {}\n|"] {
        let ended = ended(cut).await;
        assert!(!ended.in_good_order, "{cut:?}: {ended:?}");
    }
}

/// Why a stream did not open that is answered so.
async fn refused(answer: &'static str) -> super::Refusal {
    let (access, _listening) =
        hostile(move |mut socket| async move { socket.write_all(answer.as_bytes()).await }).await;
    Streams::new(&access)
        .unwrap()
        .open(CallName::LogsStream, "/api/runs/logs/stream", "s2-soak", None)
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_redirect_is_told_with_where_it_points_to_and_is_not_followed() {
    for (status, reason) in [(301, "Moved"), (302, "Found"), (307, "Temporary"), (308, "Permanent")] {
        let answer =
            format!("HTTP/1.1 {status} {reason}\r\nlocation: /api/runs/logs/stream\r\ncontent-length: 0\r\n\r\n");
        let refusal = refused(answer.leak()).await;
        assert!(refusal.answer.starts_with(&status.to_string()), "{refusal:?}");
        assert!(refusal.answer.ends_with(" to '/api/runs/logs/stream'"), "{refusal:?}");
    }
    let (access, _listening) = hostile(|mut socket| async move {
        socket.write_all(b"HTTP/1.1 302 Found\r\nlocation: /health\r\ncontent-length: 0\r\n\r\n").await
    })
    .await;
    assert_eq!("302 to '/health'", Client::new(&access).unwrap().health().await.unwrap().to_string());
}

#[tokio::test]
async fn a_status_that_nobody_knows_is_told_as_it_is() {
    let refusal = refused("HTTP/1.1 999 Whatever\r\ncontent-length: 4\r\n\r\nnope").await;
    assert!(refusal.answer.starts_with("999") && refusal.answer.ends_with("nope"), "{refusal:?}");
    assert_eq!((false, None), (refusal.is_throttled, refusal.retry_after));
}

#[tokio::test]
async fn a_stream_that_is_refused_tells_when_to_come_back() {
    let refusal = refused("HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\nbusy").await;
    assert_eq!((true, Some(Duration::from_secs(7))), (refusal.is_throttled, refusal.retry_after));
    let refusal = refused("HTTP/1.1 503 Service Unavailable\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\nbusy").await;
    assert_eq!((false, Some(Duration::from_secs(7))), (refusal.is_throttled, refusal.retry_after));
}

#[tokio::test]
async fn a_delay_that_a_stream_asks_for_between_its_events_is_heard() {
    let (access, _listening) = hostile(|mut socket| async move {
        socket.write_all(OPEN_STREAM.as_bytes()).await?;
        socket.write_all(b"retry: 5000\n\n: that was all\n\n").await
    })
    .await;
    let mut stream = open(&access).await;
    assert_eq!((true, Some(Duration::from_secs(5))), (stream.next().await.is_err(), stream.retry()));
}

#[tokio::test]
async fn a_line_that_is_not_utf_8_is_shown_with_marks_and_is_not_the_end_of_a_stream() {
    let (access, _listening) = hostile(|mut socket| async move {
        socket.write_all(OPEN_STREAM.as_bytes()).await?;
        socket.write_all(b"data: \xff\xfe\n\ndata: on\n\n").await?;
        silence(socket).await
    })
    .await;
    let mut stream = open(&access).await;
    assert_eq!("\u{fffd}\u{fffd}", stream.next().await.unwrap().content.data);
    assert_eq!("on", stream.next().await.unwrap().content.data);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_comes_in_drops_is_not_called_silent() {
    let (access, _listening) = hostile(|mut socket| async move {
        socket.write_all(OPEN_STREAM.as_bytes()).await?;
        loop {
            socket.write_all(b"x").await?;
            sleep(Duration::from_secs(10)).await;
        }
    })
    .await;
    let (ended, took) = seconds(open(&access).await.next()).await;
    let ended = ended.unwrap_err();
    let answer = ended.answer;
    assert!(took == 300 && answer.starts_with("no whole event and no comment for 300 s, only "), "{took} s: {answer}");
    assert!(!ended.is_ours, "what stops in the middle of an event is broken");
}

#[tokio::test]
async fn the_token_is_read_as_it_comes_and_is_in_nothing_that_is_recorded() {
    let canary = "token-canary-9c2e";
    let token = super::Token::fixed(super::Secret::new(canary));
    let echoes = [
        "HTTP/1.1 200 OK\r\ncontent-type: Bearer token-canary-9c2e\r\n\r\n",
        "HTTP/1.1 302 Bearer token-canary-9c2e\r\nlocation: /?Bearer+token-canary-9c2e\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 401 No\r\ncontent-length: 99\r\n\r\nnot token-canary-9c2e nor \\u0074oken nor token-canary-9c2",
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nid: token-canary-9c2e\nevent: token-canary-9c2e\n\
         data: {\"message\":\"\\u0074oken-canary-9c2e\"}\n\n",
    ];
    for echo in echoes {
        let (access, _listening) =
            hostile(move |mut socket| async move { socket.write_all(echo.as_bytes()).await }).await;
        let access = GatewayAccess { token: Some(token.clone()), ..access };
        let told = match Streams::new(&access).unwrap().open(CallName::LogsStream, "/", "s2-soak", None).await {
            Ok(mut stream) => {
                let event = stream.next().await.unwrap();
                format!("{} {} {}", event.content.id.as_ref().unwrap(), event.content.name, event.content.data)
            }
            Err(refusal) => refusal.answer,
        };
        assert!(told.contains("oken-canary-9c2"), "{told}");
        let recorded = token.hide(told);
        assert!(recorded.contains("***") && !recorded.contains("oken-canary-9c2"), "{recorded}");
    }
}

#[tokio::test]
async fn the_lines_of_one_event_come_one_after_another_and_the_stream_says_that_more_are_there() {
    let event = "id: 7\ndata: {\"lines\":[{\"text\":\"a\"},{\"text\":\"b\"}]}\n\n";
    let (access, _listening) = hostile(move |mut socket| async move {
        socket.write_all(OPEN_STREAM.as_bytes()).await?;
        socket.write_all(event.as_bytes()).await?;
        silence(socket).await
    })
    .await;
    let mut dialect = crate::settings::built_in_dialect();
    dialect.events.lines = "/lines".into();
    let access = GatewayAccess { dialect: std::sync::Arc::new(dialect), ..access };
    let mut stream = open(&access).await;
    let first = stream.next().await.unwrap();
    assert!(first.content.data.contains("\"a\"") && !first.content.data.contains("\"b\""), "{}", first.content.data);
    assert!(stream.is_within_an_event(), "the second line is there");
    let second = stream.next().await.unwrap();
    assert_eq!((Some("7"), true), (second.content.id.as_deref(), second.content.data.contains("\"b\"")));
    assert!(!stream.is_within_an_event());
}

#[tokio::test]
async fn a_stream_that_is_refused_by_a_code_in_a_200_is_refused_with_the_status_that_it_stands_for() {
    let refused = |code: &'static str| async move {
        let (access, _listening) = hostile(move |mut socket| async move {
            let body = format!("{{\"code\":{code},\"error\":\"gone\"}}");
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length";
            socket.write_all(format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes()).await?;
            silence(socket).await
        })
        .await;
        let mut dialect = crate::settings::built_in_dialect();
        dialect.codes.code = "/code".into();
        dialect.codes.statuses = [("40400".to_owned(), 404), ("42900".to_owned(), 429)].into();
        let access = GatewayAccess { dialect: std::sync::Arc::new(dialect), ..access };
        let streams = Streams::new(&access).unwrap();
        let refusal = streams.open(CallName::LogsStream, "/stream", "w", None).await.unwrap_err();
        (refusal.status, refusal.is_throttled, refusal.answer)
    };
    let (status, is_throttled, answer) = refused("40400").await;
    assert!(status == Some(404) && !is_throttled && answer.contains("gone"), "{status:?} {answer}");
    assert_eq!((Some(429), true), {
        let (status, is_throttled, _) = refused("42900").await;
        (status, is_throttled)
    });
    let (status, _, answer) = refused("1").await;
    assert!(status == Some(200) && answer.contains("content type"), "{status:?} {answer}");
}
