//! Requests and streams to gateways whose certificates a private authority signed, nobody signed, or another host's are.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::{Client, GatewayAccess, Streams, Trust};
use crate::catalog::CallName;
use crate::proxy::{CONNECTIONS_MAX, ConnectMode, FaultProxy};

/// A private authority: its certificate as a file has it, and what signs in its name.
struct Authority {
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    key: Vec<u8>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        // Authorities of one name would be taken for one another.
        params.distinguished_name.push(DnType::CommonName, uuid::Uuid::new_v4().to_string());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let der = params.self_signed(&key).unwrap().der().clone();
        let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(&der));
        Self { pem, der, key: key.serialize_der(), issuer: Issuer::new(params, key) }
    }

    fn trusted(&self) -> Trust {
        Trust::with_authorities(self.pem.as_bytes()).unwrap()
    }

    /// Returns an acceptor that shows a certificate of these hosts, signed by the authority.
    fn shows(&self, hosts: &[&str]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let leaf = CertificateParams::new(hosts).unwrap().signed_by(&key, &self.issuer).unwrap();
        acceptor(leaf.der().clone(), key.serialize_der())
    }
}

fn acceptor(certificate: CertificateDer<'static>, key: Vec<u8>) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(key).unwrap();
    TlsAcceptor::from(Arc::new(server.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap()))
}

/// Answers one request: a stream where it asks for one, else 200.
async fn answer(socket: TcpStream, tls: TlsAcceptor) -> std::io::Result<()> {
    let mut wire = tls.accept(socket).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(wire.read_u8().await?);
    }
    let is_stream = head.starts_with(b"GET /api/runs/logs/stream");
    let kind = if is_stream { "content-type: text/event-stream" } else { "content-length: 0" };
    wire.write_all(format!("HTTP/1.1 200 OK\r\n{kind}\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    wire.shutdown().await
}

/// A gateway that shows such a certificate: its port, and what plays it.
async fn serve(tls: TlsAcceptor) -> (u16, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut gateway = JoinSet::new();
    gateway.spawn(async move {
        loop {
            // Whoever refuses the certificate hangs up: that is the client's to tell.
            let _ = answer(listener.accept().await.unwrap().0, tls.clone()).await;
        }
    });
    (port, gateway)
}

/// The URL of a gateway whose certificate an authority signed that nobody knows.
pub(crate) async fn stranger() -> (String, JoinSet<()>) {
    let (port, gateway) = serve(Authority::new().shows(&["127.0.0.1"])).await;
    (format!("https://127.0.0.1:{port}"), gateway)
}

/// How a request and a stream fare at a gateway that shows such a certificate, under a name of this machine.
async fn fare(tls: TlsAcceptor, host: &str, trust: Trust) -> [Result<(), String>; 2] {
    let (port, _gateway) = serve(tls).await;
    fare_at(&GatewayAccess { trust, ..GatewayAccess::of_test(format!("https://{host}:{port}")) }).await
}

async fn fare_at(access: &GatewayAccess) -> [Result<(), String>; 2] {
    let request = Client::new(access).unwrap().ready().await.map(|answer| assert_eq!(200, answer.status));
    let streams = Streams::new(access).unwrap();
    let stream = streams.open(CallName::LogsStream, "/api/runs/logs/stream", "s2-soak", None).await;
    [request.map_err(|trouble| trouble.text), stream.map(drop).map_err(|refusal| refusal.answer)]
}

/// That both were refused, and say so with this in it.
fn assert_refused(fared: [Result<(), String>; 2], said: &[&str]) {
    for (fared, began) in fared.into_iter().zip(["no connection: ", "connection lost: "]) {
        let text = fared.unwrap_err();
        assert!(text.starts_with(&format!("{began}invalid peer certificate: ")), "{text}");
        for part in said {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_its_file_is_named() {
    let authority = Authority::new();
    let another = Authority::new();
    for host in ["127.0.0.1", "localhost"] {
        let tls = authority.shows(&["127.0.0.1", "localhost"]);
        assert_eq!([Ok(()), Ok(())], fare(tls, host, authority.trusted()).await, "{host}");
    }
    // Also where it is the second of a file.
    let both = Trust::with_authorities(format!("{}{}", another.pem, authority.pem).as_bytes()).unwrap();
    assert_eq!([Ok(()), Ok(())], fare(authority.shows(&["127.0.0.1"]), "127.0.0.1", both).await);
}

#[tokio::test]
async fn a_private_authority_is_refused_where_no_file_names_it_and_what_would_help_is_said() {
    let authority = Authority::new();
    for trust in [Trust::default(), Authority::new().trusted()] {
        let fared = fare(authority.shows(&["127.0.0.1"]), "127.0.0.1", trust).await;
        assert_refused(fared, &["UnknownIssuer; S2_CA_FILE names a file of certificates to trust"]);
    }
}

#[tokio::test]
async fn a_certificate_of_another_host_is_refused_even_from_a_trusted_authority() {
    let authority = Authority::new();
    let hosts: Vec<String> = (0..30).map(|n| format!("another-{n}.example")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    // However many hosts it is of, what would help is not cut off.
    for shown in [&hosts[..1], &hosts] {
        let fared = fare(authority.shows(shown), "127.0.0.1", authority.trusted()).await;
        assert_refused(fared, &["another-0.example", "; S2_GATEWAY_URL must name the host as the certificate does"]);
    }
}

#[tokio::test]
async fn any_certificate_is_accepted_where_none_is_looked_at() {
    let authority = Authority::new();
    for hosts in [["127.0.0.1"], ["another.example"]] {
        for trust in [Trust::default(), authority.trusted()] {
            let trust = trust.without_verifying();
            assert_eq!([Ok(()), Ok(())], fare(authority.shows(&hosts), "127.0.0.1", trust).await, "{hosts:?}");
        }
    }
}

#[tokio::test]
async fn an_authority_that_shows_its_own_certificate_is_told_to_sign_one() {
    let authority = Authority::new();
    let tls = acceptor(authority.der.clone(), authority.key.clone());
    assert_refused(fare(tls, "127.0.0.1", authority.trusted()).await, &["it should sign one for the gateway"]);
}

#[tokio::test]
async fn requests_and_streams_go_through_the_fault_proxy_and_still_know_the_gateway_by_its_certificate() {
    let (authority, another) = (Authority::new(), Authority::new());
    let (port, _gateway) = serve(authority.shows(&["localhost"])).await;
    let proxy = FaultProxy::start(&format!("127.0.0.1:{port}"), ConnectMode::Tunnel, 7, CONNECTIONS_MAX).await.unwrap();
    let access = |trust| GatewayAccess {
        trust,
        by_way_of: Some(proxy.local_addr()),
        ..GatewayAccess::of_test(format!("https://localhost:{port}"))
    };
    assert_eq!([Ok(()), Ok(())], fare_at(&access(authority.trusted())).await);
    let counters = proxy.counters();
    assert_eq!((2, 0), (counters.accepted.get(), counters.upstream_failed.get()));
    assert!(counters.bytes_to_upstream.get() > 0 && counters.bytes_to_clients.get() > 0, "{counters:?}");
    assert_refused(fare_at(&access(another.trusted())).await, &["UnknownIssuer"]);
    // What is done to connections is done to these.
    proxy.go_dark(std::time::Duration::from_secs(3_600));
    assert!(fare_at(&access(authority.trusted())).await.iter().all(Result::is_err));
}
