//! The certificate of a gateway that speaks TLS. It is made when the gateway starts, and signed by nobody but itself.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

/// The acceptor that a connection begins with, and the certificate that a client has to trust for that.
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    /// The certificate, as a file has it.
    pub(crate) pem: String,
}

/// TLS for this address and `localhost`, over which HTTP/2 is offered and nothing else.
pub(crate) fn http2_only(address: IpAddr) -> Tls {
    let hosts = [address.to_string(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(hosts).expect("an address is a name that a certificate may have");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("it is a key that was just made");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has these versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key);
    let mut config = config.expect("the key is that of the certificate");
    config.alpn_protocols = vec![b"h2".to_vec()];
    let lines: Vec<String> = STANDARD
        .encode(made.cert.der())
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
    Tls { acceptor: TlsAcceptor::from(Arc::new(config)), pem }
}
