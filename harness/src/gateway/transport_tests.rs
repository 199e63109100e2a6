//! The data that a stream sends and accepts: heads, TLS, proxies, and no more at once than there is room for.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use http::Request;
use hyper_util::client::proxy::matcher::Matcher;
use launchdarkly_sdk_transport::{ByteStream, HttpTransport, TransportError};
use rustls::{ClientConfig, RootCertStore, ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{
    GatewayAccess, Secret, Streams, Token,
    connect::{Connector, Proxies},
    headers,
    http1::READ_BYTES_MAX,
    response_meta::ResponseMeta,
    transport::Transport,
};
use crate::catalog::CallName;

/// A listener that nobody has come to by then is one that nobody comes to.
const PATIENCE: Duration = Duration::from_secs(10);
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

fn access(url: String) -> GatewayAccess {
    GatewayAccess { token: Some(Token::fixed(Secret::new("sesame"))), ..GatewayAccess::of_test(url) }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// Reads a head, byte for byte, so that nothing of what comes after it is lost.
async fn head_of(wire: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(wire.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

/// Answers one request with these bytes and hangs up; gives the request's head.
async fn answer(mut wire: impl AsyncRead + AsyncWrite + Unpin, answer: impl AsRef<[u8]>) -> String {
    let head = head_of(&mut wire).await;
    // A reader that has had enough hangs up before all is written.
    let _ = wire.write_all(answer.as_ref()).await;
    let _ = wire.shutdown().await;
    head
}

async fn stream(transport: &Transport, url: &str) -> Result<ByteStream, TransportError> {
    transport.request(Request::get(url).body(None).unwrap()).await.map(http::Response::into_body)
}

async fn body(transport: &Transport, url: &str) -> Vec<Bytes> {
    stream(transport, url).await.unwrap().map(Result::unwrap).collect().await
}

/// Why a stream does not open that is answered with these bytes.
async fn refused(scheme: &str, bytes: impl AsRef<[u8]> + Send + 'static) -> String {
    let (listener, address) = listen().await;
    let mut listening = JoinSet::new();
    listening.spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let _ = socket.read(&mut [0; 4_096]).await;
        let _ = socket.write_all(bytes.as_ref()).await;
    });
    let streams = Streams::new(&access(format!("{scheme}://{address}"))).unwrap();
    streams.open(CallName::LogsStream, "/api/runs/logs/stream", "s2-soak", None).await.unwrap_err().answer
}

/// A key and a certificate for this machine that nobody vouches for, and a client that trusts just that one.
fn stranger() -> (TlsAcceptor, ClientConfig) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let chain = vec![made.cert.der().clone()];
    let server = server.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    (TlsAcceptor::from(Arc::new(server)), client.with_root_certificates(roots).with_no_client_auth())
}

#[tokio::test]
async fn a_flood_is_read_in_pieces_no_larger_than_the_bound() {
    let event = format!("data: {}\n\n", "x".repeat(1_000));
    // With a content length, bytes are handed out as they are read, and not in chunks of the answer.
    let length = 8_000 * event.len();
    let head = HEAD.replace("\r\n\r\n", &format!("\r\ncontent-length: {length}\r\n\r\n"));
    let flood = head + &event.repeat(8_000);
    let (listener, address) = listen().await;
    let mut listening = JoinSet::new();
    listening.spawn(async move { answer(listener.accept().await.unwrap().0, flood).await });
    let url = format!("http://{address}");
    let chunks = body(&Transport::new(&access(url.clone())).unwrap(), &url).await;
    assert_eq!(length, chunks.iter().map(Bytes::len).sum::<usize>());
    // A chunk is a piece of the read buffer, and the start of an event that the one before it ended in.
    let largest = chunks.iter().map(Bytes::len).max();
    assert!(largest <= Some(2 * READ_BYTES_MAX + event.len()), "{largest:?} bytes at once");
}

#[tokio::test]
async fn a_head_that_does_not_end_is_refused_at_the_bound() {
    let head = format!("HTTP/1.1 200 OK\r\nx-long: {}", "x".repeat(READ_BYTES_MAX));
    assert_eq!("connection lost: message head is too large", refused("http", head).await);
}

#[tokio::test]
async fn what_a_gateway_says_in_place_of_a_stream_is_read_however_it_comes() {
    let body = r#"{"error":"this gateway has no such call"}"#;
    for pad in 1_900..2_050 {
        let head = format!("HTTP/1.1 404 Not Found\r\ncontent-length: {}\r\nx-pad: ", body.len());
        let answer = format!("{head}{}\r\n\r\n{body}", "x".repeat(pad - head.len()));
        assert_eq!(format!("404 {body}"), refused("http", answer).await, "{pad}");
    }
}

#[tokio::test]
async fn a_stream_is_asked_for_with_token_and_user_agent_at_the_path_alone() {
    let (listener, address) = listen().await;
    let mut listening = JoinSet::new();
    listening.spawn(async move { answer(listener.accept().await.unwrap().0, HEAD).await });
    let streams = Streams::new(&access(format!("http://{address}"))).unwrap();
    streams.open(CallName::LogsStream, "/api/runs/logs/stream?a=b", "s2-soak", Some("17")).await.unwrap();
    let head = listening.join_next().await.unwrap().unwrap();
    assert!(head.starts_with("get /api/runs/logs/stream?a=b http/1.1\r\n"), "{head}");
    let host = format!("host: {address}");
    for header in ["authorization: bearer sesame", "user-agent: s2-harness/", "last-event-id: 17", host.as_str()] {
        assert_eq!(1, head.matches(&format!("\r\n{header}")).count(), "{header} in {head}");
    }
}

#[tokio::test]
async fn a_gateway_that_speaks_no_tls_where_it_should_is_told_so() {
    let answer = refused("https", "HTTP/1.1 400 Bad Request\r\n\r\n").await;
    assert_eq!("connection lost: received corrupt message of type InvalidContentType", answer);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (listener, address) = listen().await;
    let (tls, _) = stranger();
    let mut listening = JoinSet::new();
    listening.spawn(async move { tls.accept(listener.accept().await.unwrap().0).await.map(drop) });
    let streams = Streams::new(&access(format!("https://{address}"))).unwrap();
    let answer = streams.open(CallName::LogsStream, "/api/runs/logs/stream", "s2-soak", None).await.unwrap_err().answer;
    assert!(answer.starts_with("connection lost: invalid peer certificate: UnknownIssuer"), "{answer}");
    assert!(listening.join_next().await.unwrap().unwrap().is_err());
}

#[tokio::test]
async fn a_stream_over_tls_goes_through_a_proxy_that_does_not_see_the_token() {
    let (gateway, address) = listen().await;
    let (proxy, proxy_address) = listen().await;
    let (tls, trust) = stranger();
    let mut listening = JoinSet::new();
    listening.spawn(async move {
        let socket = gateway.accept().await.unwrap().0;
        answer(tls.accept(socket).await.unwrap(), format!("{HEAD}data: 1\n\n")).await
    });
    listening.spawn(async move {
        let (mut client, _) = proxy.accept().await.unwrap();
        let head = head_of(&mut client).await;
        let to = head.split(' ').nth(1).unwrap();
        let mut gateway = TcpStream::connect(to).await.unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let _ = copy_bidirectional(&mut client, &mut gateway).await;
        head
    });
    let proxies = Matcher::builder().https(format!("http://ali:baba@{proxy_address}")).build();
    let url = format!("https://{address}");
    let access = access(url.clone());
    let headers =
        headers::of(&access.dialect.headers, &[], "s2-soak", access.token.as_ref().map(Token::current).as_ref());
    let transport = Transport::over(Connector::new(trust, Proxies::always(proxies)), &access).unwrap();
    let transport = transport.for_stream(headers, &ResponseMeta::default(), None);
    assert_eq!(b"data: 1\n\n"[..], body(&transport, &format!("{url}/logs")).await.concat());
    drop(transport);
    let mut heads = timeout(PATIENCE, listening.join_all()).await.expect("the proxy was asked");
    heads.sort_unstable();
    assert!(heads[0].starts_with(&format!("connect {address} http/1.1\r\n")), "{heads:?}");
    assert!(heads[0].contains("\r\nproxy-authorization: basic ywxpomjhyme=\r\n"), "{heads:?}");
    assert!(!heads[0].contains("sesame"));
    assert!(heads[1].starts_with("get /logs http/1.1\r\n") && heads[1].contains("bearer sesame"), "{heads:?}");
    assert!(!heads[1].contains("proxy-authorization"));
}

#[tokio::test]
async fn a_proxy_is_asked_for_the_whole_url_of_a_stream_without_tls_where_it_is_to_be_asked() {
    let (proxy, proxy_address) = listen().await;
    let (gateway, address) = listen().await;
    let mut listening = JoinSet::new();
    listening.spawn(async move {
        let proxied = answer(proxy.accept().await.unwrap().0, format!("{HEAD}data: 1\n\n")).await;
        (proxied, answer(gateway.accept().await.unwrap().0, format!("{HEAD}data: 2\n\n")).await)
    });
    let proxies = Matcher::builder().http(format!("http://ali:baba@{proxy_address}")).no("127.0.0.1").build();
    let url = "http://gateway.invalid:4000";
    let transport =
        Transport::over(Connector::new(stranger().1, Proxies::always(proxies)), &access(url.into())).unwrap();
    assert_eq!(b"data: 1\n\n"[..], body(&transport, &format!("{url}/logs")).await.concat());
    assert_eq!(b"data: 2\n\n"[..], body(&transport, &format!("http://{address}/logs")).await.concat());
    let (proxied, direct) = timeout(PATIENCE, listening.join_next()).await.expect("both were asked").unwrap().unwrap();
    assert!(proxied.starts_with("get http://gateway.invalid:4000/logs http/1.1\r\n"), "{proxied}");
    for header in ["host: gateway.invalid:4000", "proxy-authorization: basic ywxpomjhyme="] {
        assert!(proxied.contains(&format!("\r\n{header}\r\n")), "{header} in {proxied}");
    }
    assert!(direct.starts_with("get /logs http/1.1\r\n") && !direct.contains("proxy-authorization"), "{direct}");
}
