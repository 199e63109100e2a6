//! Whose certificates are trusted: those that the machine trusts, and those of a private authority. Requests and streams
//! are set up by the same configuration, so that no gateway is trusted by one and refused by the other.

use std::{error::Error, fmt, io, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use rustls_platform_verifier::Verifier;

use crate::journal::TEXT_CHARS_MAX;

/// Whose certificates are trusted.
#[derive(Clone, PartialEq, Eq)]
pub struct Trust {
    /// Beyond those that the machine trusts.
    authorities: Vec<CertificateDer<'static>>,
    verifies: bool,
}

/// No certificates can be read from a text: what it is instead, and what would help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCertificates {
    /// There is nothing in it that begins as PEM does.
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
        /// The fault of the certificate.
        why: String,
    },
}

impl Default for Trust {
    fn default() -> Self {
        Self { authorities: Vec::new(), verifies: true }
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Certificates are long, and nobody reads them as numbers.
        let Self { authorities, verifies } = self;
        f.debug_struct("Trust").field("authorities", &authorities.len()).field("verifies", verifies).finish()
    }
}

impl Trust {
    /// Trusts all parties that the machine trusts, and the owners of these certificates in PEM.
    ///
    /// # Errors
    /// Where there is none in it, or one that cannot be read.
    pub fn with_authorities(pem: &[u8]) -> Result<Self, NoCertificates> {
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
        if authorities.is_empty() { Err(NoCertificates::None) } else { Ok(Self { authorities, verifies: true }) }
    }

    /// The same, where certificates are not looked at: any is accepted, and so is anybody in between.
    #[must_use]
    pub fn without_verifying(self) -> Self {
        Self { verifies: false, ..self }
    }

    /// Whether certificates are looked at.
    #[must_use]
    pub const fn verifies(&self) -> bool {
        self.verifies
    }

    /// TLS that trusts so, for requests and streams alike.
    pub(super) fn tls(&self) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = if self.verifies {
            Arc::new(Verifier::new_with_extra_roots(self.authorities.iter().cloned(), Arc::clone(&provider))?)
        } else {
            Arc::new(Anybody(Arc::clone(&provider)))
        };
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        // "Dangerous" is any verifier but one with a fixed list of roots; the machine's checks all that there is to check.
        let mut config = config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

const PEM_BEGINS: &[u8] = b"-----BEGIN ";

/// Accepts whatever it is shown. Signatures are not looked at either: the oldest certificates cannot even be read for that,
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

/// The text of an error's innermost cause; where that is a certificate that was refused, with what would help. The help
/// comes last, and the cause is cut before it: a certificate may be of a hundred hosts.
pub(super) fn cause_of(error: &(dyn Error + 'static)) -> String {
    let (mut cause, mut help) = (error, None);
    loop {
        help = help.or_else(|| refused(cause).map(help_with));
        match cause.source() {
            Some(inner) => cause = inner,
            None => break,
        }
    }
    let cause = cause.to_string();
    let Some(help) = help else { return cause };
    let chars_max = TEXT_CHARS_MAX - BEFORE_CAUSE_CHARS_MAX - help.len();
    match cause.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…; {help}", &cause[..end]),
        None => format!("{cause}; {help}"),
    }
}

/// Of a text that is told, what stands before the cause, with what joins it to the help, has no more characters.
const BEFORE_CAUSE_CHARS_MAX: usize = 24;

/// Why a certificate was refused, where an error says so. An `io::Error` does not name what it holds as its source.
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
        // What `openssl req -x509` makes unless told otherwise. Only by its text is it told from others.
        E::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "an authority's own certificate (CA:TRUE) is no server's: it should sign one for the gateway"
        }
        // Unknown issuers, and what the machine says in words of its own.
        _ => "S2_CA_FILE names a file of certificates to trust, beyond the machine's",
    }
}
