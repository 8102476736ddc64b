//! Which certificates are trusted, and in plain words why one is not.

use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::DialError;

/// A text that should hold certificates and does not.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("This holds no usable certificate. Give a file in PEM form.")]
pub struct BadCa;

/// The built-in roots and what the owner added for everything.
pub(super) struct Trust {
    roots: RootCertStore,
    default: Arc<ClientConfig>,
}

impl Trust {
    pub(super) fn new(extra_ca: &[Vec<u8>]) -> Result<Self, BadCa> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for pem in extra_ca {
            add(&mut roots, pem)?;
        }
        let default = configure(roots.clone(), Vec::new())?;
        Ok(Self { roots, default })
    }

    /// What a connection trusts: all of the above, and the CA of its account.
    pub(super) fn config(&self, account_ca: Option<&[u8]>) -> Result<Arc<ClientConfig>, BadCa> {
        let Some(pem) = account_ca else { return Ok(Arc::clone(&self.default)) };
        let mut roots = self.roots.clone();
        let given = add(&mut roots, pem)?;
        configure(roots, given)
    }
}

fn add(roots: &mut RootCertStore, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, BadCa> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).take(1000).collect::<Result<_, _>>().map_err(|_| BadCa)?;
    let (added, _) = roots.add_parsable_certificates(certificates.iter().cloned());
    if added == 0 { Err(BadCa) } else { Ok(certificates) }
}

fn configure(roots: RootCertStore, given: Vec<CertificateDer<'static>>) -> Result<Arc<ClientConfig>, BadCa> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|_| BadCa)?;
    let config = if given.is_empty() {
        builder.with_root_certificates(roots).with_no_client_auth()
    } else {
        let verifier = GivenOrKnown::new(roots, given, provider)?;
        builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
    };
    Ok(Arc::new(config))
}

/// The usual check; but a server that shows the very certificate the owner gave for this account is that server,
/// also if it signed itself, as small servers at home do.
#[derive(Debug)]
struct GivenOrKnown {
    usual: Arc<WebPkiServerVerifier>,
    given: Vec<CertificateDer<'static>>,
}

impl GivenOrKnown {
    fn new(
        roots: RootCertStore,
        given: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, BadCa> {
        let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|_| BadCa)?;
        Ok(Self { usual, given })
    }
}

impl ServerCertVerifier for GivenOrKnown {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.given.iter().any(|given| given.as_ref() == end_entity.as_ref()) {
            return Ok(ServerCertVerified::assertion());
        }
        self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// Turns a failed handshake into a sentence.
pub(super) fn explain(error: &io::Error, host: String, port: u16) -> DialError {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(reason)) => {
            DialError::Certificate { host, why: certificate_words(reason).to_owned() }
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            DialError::Handshake { host, port, why: "what answers there does not speak TLS".into() }
        }
        Some(rustls::Error::AlertReceived(_)) => {
            DialError::Handshake { host, port, why: "the server broke it off".into() }
        }
        Some(rustls::Error::PeerIncompatible(_)) => DialError::Handshake {
            host,
            port,
            why: "the server only knows TLS that is no longer safe".into(),
        },
        Some(_) => DialError::Handshake { host, port, why: "the server's TLS is faulty".into() },
        None => DialError::Handshake { host, port, why: "the connection broke off".into() },
    }
}

const fn certificate_words(reason: &CertificateError) -> &'static str {
    match reason {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "is not valid for that name"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet (is the clock right?)"
        }
        CertificateError::UnknownIssuer => "comes from an authority that is not trusted",
        CertificateError::Revoked => "has been revoked",
        CertificateError::BadEncoding => "cannot be read",
        CertificateError::BadSignature => "is not signed properly",
        _ => "cannot be trusted",
    }
}
