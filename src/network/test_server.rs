//! A server on this machine that says what its script says: for what no real server can be made to do.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

trait Both: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Both for T {}

/// One client's connection, seen from the server.
pub(super) struct Client {
    stream: BufReader<Box<dyn Both>>,
}

impl Client {
    pub(super) async fn say(&mut self, words: impl AsRef<[u8]>) {
        // A client that has gone is not the script's trouble.
        if self.stream.write_all(words.as_ref()).await.is_ok() {
            self.stream.flush().await.ok();
        }
    }

    /// The next line without its end; empty when the client is gone.
    pub(super) async fn hear(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.ok();
        line.trim_end().to_owned()
    }

    pub(super) async fn hear_bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    /// Hears an IMAP command and gives its tag and the rest.
    pub(super) async fn command(&mut self) -> (String, String) {
        let line = self.hear().await;
        let (tag, rest) = line.split_once(' ').unwrap_or((&line, ""));
        (tag.to_owned(), rest.to_owned())
    }

    /// Hears a command that begins like this, and answers it: `TAG` in the answer is the command's tag.
    pub(super) async fn answer(&mut self, beginning: &str, answer: &str) -> String {
        let (tag, rest) = self.command().await;
        assert!(rest.starts_with(beginning), "expected {beginning:?}, heard {rest:?}");
        self.say(answer.replace("TAG", &tag)).await;
        rest
    }

    pub(super) async fn start_tls(self, acceptor: &TlsAcceptor) -> Option<Self> {
        let stream = acceptor.accept(self.stream.into_inner()).await.ok()?;
        Some(Self { stream: BufReader::new(Box::new(stream)) })
    }
}

/// Listens in clear; each connection runs the script.
pub(super) async fn serve<F, R>(script: F) -> SocketAddr
where
    F: Fn(Client) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(script(Client { stream: BufReader::new(Box::new(stream)) }));
        }
    });
    address
}

/// The same under TLS from the first byte.
pub(super) async fn serve_tls<F, R>(identity: &Identity, script: F) -> SocketAddr
where
    F: Fn(Client) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let acceptor = identity.acceptor.clone();
    let script = Arc::new(script);
    serve(move |client| {
        let (acceptor, script) = (acceptor.clone(), Arc::clone(&script));
        async move {
            if let Some(client) = client.start_tls(&acceptor).await {
                script(client).await;
            }
        }
    })
    .await
}

/// A certificate for some names, by a CA of its own or by itself.
pub(super) struct Identity {
    pub(super) acceptor: TlsAcceptor,
    pub(super) ca_pem: Vec<u8>,
}

impl Identity {
    pub(super) fn new(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        Self { acceptor: acceptor(&certificate, &key), ca_pem: authority.pem().into_bytes() }
    }

    /// As `openssl req -x509` makes them: a CA that is also the server.
    pub(super) fn self_signed(name: &str) -> Self {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { acceptor: acceptor(&certificate, &key), ca_pem: certificate.pem().into_bytes() }
    }
}

fn acceptor(certificate: &rcgen::Certificate, key: &KeyPair) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
