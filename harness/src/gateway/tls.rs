//! The certificates that are trusted: those that the machine trusts, and those of a private authority. Requests and
//! streams share one configuration, so that no gateway is trusted by one and refused by the other.

use std::{error::Error, fmt, io, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use rustls_platform_verifier::Verifier;

use crate::{journal::TEXT_CHARS_MAX, tcp::causes};

/// The certificates that are trusted.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// Beyond those that the machine trusts.
    authorities: Vec<CertificateDer<'static>>,
    /// Whether any certificate is accepted, and so is anybody in between.
    accepts_any: bool,
}

/// No certificates can be read from a text: its content, and a remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCertificates {
    /// Nothing in it begins as PEM does.
    #[error(
        "is not PEM, which begins with `-----BEGIN CERTIFICATE-----`; `openssl x509 -inform der -in FILE` turns DER into it"
    )]
    NotPem,
    /// It is PEM, of other things.
    #[error("has no certificate in it; it should have `-----BEGIN CERTIFICATE-----`, and what follows")]
    None,
    /// Something that should be a certificate is none.
    #[error("has a certificate in it, number {number}, that cannot be read ({why}); was the file cut?")]
    Broken {
        /// From 1.
        number: usize,
        /// The fault.
        why: String,
    },
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the bytes of the certificates.
        let authorities = self.authorities.len();
        f.debug_struct("Trust").field("authorities", &authorities).field("verifies", &self.verifies()).finish()
    }
}

impl Trust {
    /// Trusts all parties that the machine trusts, and the owners of these certificates in PEM.
    pub(crate) fn with_authorities(pem: &[u8]) -> Result<Self, NoCertificates> {
        if !pem.windows(PEM_BEGINS.len()).any(|window| window == PEM_BEGINS) {
            return Err(NoCertificates::NotPem);
        }
        let mut authorities = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let number = authorities.len() + 1;
            let broken = |why: String| NoCertificates::Broken { number, why };
            let certificate = certificate.map_err(|e| broken(e.to_string()))?;
            RootCertStore::empty().add(certificate.clone()).map_err(|e| broken(e.to_string()))?;
            authorities.push(certificate);
        }
        if authorities.is_empty() { Err(NoCertificates::None) } else { Ok(Self { authorities, accepts_any: false }) }
    }

    pub(crate) fn without_verifying(self) -> Self {
        Self { accepts_any: true, ..self }
    }

    pub(crate) const fn verifies(&self) -> bool {
        !self.accepts_any
    }

    pub(super) fn tls(&self) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match self.accepts_any {
            true => Arc::new(Anybody(Arc::clone(&provider))),
            false => Arc::new(Verifier::new_with_extra_roots(self.authorities.iter().cloned(), Arc::clone(&provider))?),
        };
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        // "Dangerous" is any verifier without a fixed list of roots; the machine's checks everything.
        let mut config = config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

const PEM_BEGINS: &[u8] = b"-----BEGIN ";

/// Accepts any certificate. Signatures are not checked either: the oldest certificates cannot even be read for that,
/// and a key that belongs to nobody proves nothing.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The text of an error's innermost cause, and the remedy for a certificate that was refused. The remedy comes last,
/// and the cause is cut before it: a certificate may be of a hundred hosts.
pub(super) fn cause_of(error: &(dyn Error + 'static)) -> String {
    let cause = causes(error).last().unwrap_or(error).to_string();
    let Some(help) = causes(error).find_map(refused).map(help_with) else { return cause };
    let chars_max = TEXT_CHARS_MAX - BEFORE_CAUSE_CHARS_MAX - help.len();
    match cause.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…; {help}", &cause[..end]),
        None => format!("{cause}; {help}"),
    }
}

/// Characters of a text before the cause, with those that join the cause to the remedy.
const BEFORE_CAUSE_CHARS_MAX: usize = 24;

/// The reason why a certificate was refused, if an error has one. An `io::Error` does not name its content as source.
pub(super) fn refused<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CertificateError> {
    if let Some(held) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return refused(held);
    }
    match error.downcast_ref::<TlsError>()? {
        TlsError::InvalidCertificate(why) => Some(why),
        _ => None,
    }
}

fn help_with(why: &CertificateError) -> &'static str {
    use CertificateError as E;
    match why {
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            "S2_GATEWAY_URL must name the host as the certificate does"
        }
        E::Expired | E::ExpiredContext { .. } | E::NotValidYet | E::NotValidYetContext { .. } => {
            "renew it, if this machine's clock is right"
        }
        E::Revoked => "it was revoked: the gateway needs another",
        // `openssl req -x509` makes such a certificate by default. Only its text distinguishes the error.
        E::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "an authority's own certificate (CA:TRUE) is no server's: it should sign one for the gateway"
        }
        // Unknown issuers, and errors in the machine's own words.
        _ => "S2_CA_FILE names a file of certificates to trust, beyond the machine's",
    }
}
