//! The one door: every connection that leaves the process is opened here, with a purpose, a route, time-outs and an
//! entry in the network log. It never falls back from TLS to clear text, or from Tor to a direct connection.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::address_guard;
use super::log::Log;
pub use super::log::{Entry, Purpose, Route};
pub use tls::BadCa;
use tls::Trust;

mod tls;

/// How long a connection or a handshake may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS after a few words in clear; without it nothing goes on.
    StartTls,
    /// Clear text, because the owner said so.
    None,
}

/// Why no connection came to be. Printed, it is one sentence for the owner.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DialError {
    /// The owner switched the network off.
    #[error("Mailkeep is offline: {host} was not asked. Switch it online again in the network settings.")]
    Offline {
        /// The server.
        host: String,
    },
    /// It has to go through Tor, and there is none.
    #[error("{host} may only be reached through Tor ({purpose}), and Tor is not there, so it was not asked.")]
    NoTor {
        /// The server.
        host: String,
        /// What for.
        purpose: Purpose,
    },
    /// The name has no address.
    #[error("No server is known by the name {host}. Check the spelling and the connection to the Internet.")]
    NameNotFound {
        /// The server.
        host: String,
    },
    /// Nobody answers there.
    #[error(
        "{host} does not answer on port {port} ({why}). Check the name and the port, or try again later."
    )]
    Unreachable {
        /// The server.
        host: String,
        /// Its port.
        port: u16,
        /// The system's word for it.
        why: String,
    },
    /// It took too long.
    #[error("{host} did not answer in time on port {port}. Check the port, or try again later.")]
    TimedOut {
        /// The server.
        host: String,
        /// Its port.
        port: u16,
    },
    /// The server could not prove who it is.
    #[error(
        "The certificate of {host} {why}. If this is your own server, give the certificate of its authority with the account."
    )]
    Certificate {
        /// The server.
        host: String,
        /// What is wrong with it.
        why: String,
    },
    /// What answers does not speak TLS, or not with us.
    #[error("No secure connection to {host} on port {port}: {why}. Check the port and the kind of security.")]
    Handshake {
        /// The server.
        host: String,
        /// Its port.
        port: u16,
        /// What went wrong.
        why: String,
    },
    /// Words in clear came where only TLS may follow.
    #[error(
        "Somebody spoke into the connection to {host} before it was secure. It was ended; no password was sent."
    )]
    Injected {
        /// The server.
        host: String,
    },
    /// The name or its addresses are none that a stranger may send us to.
    #[error("{host} is not a public server, so it was not asked.")]
    NotPublic {
        /// The server.
        host: String,
    },
    /// The CA that was given cannot be used.
    #[error("The CA given for {host} holds no usable certificate. Give a file in PEM form.")]
    BadCa {
        /// The server.
        host: String,
    },
}

impl DialError {
    /// Whether the same may work later without anybody doing anything.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::Offline { .. }
                | Self::NoTor { .. }
                | Self::NameNotFound { .. }
                | Self::Unreachable { .. }
                | Self::TimedOut { .. }
                | Self::Injected { .. }
        )
    }
}

/// Opens connections. Clones share their log, their switches and their trust.
#[derive(Clone)]
pub struct Dialer {
    shared: Arc<Shared>,
}

struct Shared {
    trust: RwLock<Trust>,
    log: Log,
    offline: AtomicBool,
    tor_for_everything: AtomicBool,
    #[cfg(test)]
    pinned: std::sync::Mutex<Vec<(String, u16, SocketAddr)>>,
}

/// One wish for a connection.
struct Call<'a> {
    purpose: Purpose,
    host: String,
    port: u16,
    security: Security,
    account_ca: Option<&'a [u8]>,
    only_public: bool,
}

impl Dialer {
    /// A dialer that trusts the built-in roots and the certificates in these PEM texts.
    ///
    /// # Errors
    /// If one of the texts holds no certificate.
    pub fn new(extra_ca: &[Vec<u8>]) -> Result<Self, BadCa> {
        Ok(Self {
            shared: Arc::new(Shared {
                trust: RwLock::new(Trust::new(extra_ca)?),
                log: Log::default(),
                offline: AtomicBool::new(false),
                tor_for_everything: AtomicBool::new(false),
                #[cfg(test)]
                pinned: std::sync::Mutex::default(),
            }),
        })
    }

    /// Trusts these PEM texts beside the built-in roots from now on, instead of those given before.
    ///
    /// # Errors
    /// If one of the texts holds no certificate; then nothing changes.
    pub fn set_extra_ca(&self, extra_ca: &[Vec<u8>]) -> Result<(), BadCa> {
        let trust = Trust::new(extra_ca)?;
        *self.shared.trust.write().unwrap_or_else(PoisonError::into_inner) = trust;
        Ok(())
    }

    /// Switches the network off or on. Connections that are open stay open.
    pub fn set_offline(&self, offline: bool) {
        self.shared.offline.store(offline, Ordering::Relaxed);
    }

    /// Whether the network is switched off.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.shared.offline.load(Ordering::Relaxed)
    }

    /// Sends everything through Tor, or only what the policy says.
    pub fn set_tor_for_everything(&self, tor: bool) {
        self.shared.tor_for_everything.store(tor, Ordering::Relaxed);
    }

    /// The route that a purpose takes.
    #[must_use]
    pub fn route(&self, purpose: Purpose) -> Route {
        if self.shared.tor_for_everything.load(Ordering::Relaxed) { Route::Tor } else { purpose.route() }
    }

    /// The last connections, oldest first.
    #[must_use]
    pub fn log(&self) -> Vec<Entry> {
        self.shared.log.entries()
    }

    /// Connects to a server that the owner named. With [`Security::StartTls`] the stream is still in clear: the
    /// protocol calls [`Stream::upgrade`] before it says anything that matters.
    ///
    /// # Errors
    /// Says why there is no connection.
    pub async fn connect(
        &self,
        purpose: Purpose,
        host: &str,
        port: u16,
        security: Security,
        account_ca: Option<&[u8]>,
    ) -> Result<Stream, DialError> {
        let host = host.trim().to_owned();
        self.open(Call { purpose, host, port, security, account_ca, only_public: false }).await
    }

    /// Connects by TLS to a server that somebody else named: a public name with public addresses, looked up once.
    ///
    /// # Errors
    /// Says why there is no connection.
    pub async fn connect_public(
        &self,
        purpose: Purpose,
        host: &str,
        port: u16,
        security: Security,
    ) -> Result<Stream, DialError> {
        let host = host.to_owned();
        self.open(Call { purpose, host, port, security, account_ca: None, only_public: true }).await
    }

    async fn open(&self, call: Call<'_>) -> Result<Stream, DialError> {
        let terms = Terms {
            purpose: call.purpose,
            host: call.host.clone(),
            port: call.port,
            route: self.route(call.purpose),
            shared: Arc::clone(&self.shared),
        };
        let result = self.try_open(&call, &terms).await;
        terms.log(result.as_ref().err());
        let (inner, config) = result?;
        Ok(Stream { inner, config, terms })
    }

    async fn try_open(
        &self,
        call: &Call<'_>,
        terms: &Terms,
    ) -> Result<(Inner, Arc<rustls::ClientConfig>), DialError> {
        let host = || call.host.clone();
        if self.is_offline() {
            return Err(DialError::Offline { host: host() });
        }
        if terms.route == Route::Tor || is_onion(&call.host) {
            return Err(DialError::NoTor { host: host(), purpose: call.purpose });
        }
        let config = self
            .shared
            .trust
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .config(call.account_ca)
            .map_err(|BadCa| DialError::BadCa { host: host() })?;
        let tcp = self.reach(call).await?;
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, "A connection keeps its delay");
        }
        let inner = match call.security {
            Security::Tls => Inner::Tls(Box::new(handshake(tcp, &config, terms).await?)),
            Security::StartTls | Security::None => Inner::Plain(tcp),
        };
        Ok((inner, config))
    }

    /// Looks the name up once and connects to the first address that answers.
    async fn reach(&self, call: &Call<'_>) -> Result<TcpStream, DialError> {
        let (host, port) = (call.host.clone(), call.port);
        let addresses = self.addresses(call).await?;
        let share = CONNECT_LIMIT / u32::try_from(addresses.len().clamp(1, 4)).unwrap_or(1);
        let mut last = DialError::NameNotFound { host: host.clone() };
        for address in addresses.into_iter().take(4) {
            last = match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => {
                    DialError::Unreachable { host: host.clone(), port, why: plain_reason(&error) }
                }
                Err(_) => DialError::TimedOut { host: host.clone(), port },
            };
        }
        Err(last)
    }

    async fn addresses(&self, call: &Call<'_>) -> Result<Vec<SocketAddr>, DialError> {
        let host = || call.host.clone();
        if call.only_public && !address_guard::is_public_name(&call.host) {
            return Err(DialError::NotPublic { host: host() });
        }
        #[cfg(test)]
        if let Some(address) = self.pinned(&call.host, call.port) {
            return Ok(vec![address]);
        }
        let ascii = ascii_name(&call.host).ok_or_else(|| DialError::NameNotFound { host: host() })?;
        let found = match timeout(CONNECT_LIMIT, tokio::net::lookup_host((ascii, call.port))).await {
            Err(_) => return Err(DialError::TimedOut { host: host(), port: call.port }),
            Ok(Err(_)) => return Err(DialError::NameNotFound { host: host() }),
            Ok(Ok(found)) => found,
        };
        let found: Vec<SocketAddr> = found.collect();
        if call.only_public && !found.iter().all(|address| address_guard::is_public_address(address.ip())) {
            return Err(DialError::NotPublic { host: host() });
        }
        Ok(found)
    }

    /// Lets a name lead to a scripted server.
    #[cfg(test)]
    pub(super) fn pin(&self, host: &str, port: u16, to: SocketAddr) {
        self.shared.pinned.lock().unwrap().push((host.to_owned(), port, to));
    }

    #[cfg(test)]
    fn pinned(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let pinned = self.shared.pinned.lock().unwrap();
        pinned.iter().find(|(name, number, _)| name == host && *number == port).map(|(_, _, to)| *to)
    }
}

/// What a connection was opened as.
struct Terms {
    purpose: Purpose,
    host: String,
    port: u16,
    route: Route,
    shared: Arc<Shared>,
}

impl Terms {
    fn log(&self, error: Option<&DialError>) {
        self.shared.log.push(Entry {
            at: whole_second(jiff::Timestamp::now()),
            purpose: self.purpose,
            host: self.host.clone(),
            port: self.port,
            route: self.route,
            outcome: error.map_or_else(|| "connected".to_owned(), ToString::to_string),
        });
    }
}

fn whole_second(at: jiff::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_second(at.as_second()).unwrap_or(at)
}

async fn handshake(
    tcp: TcpStream,
    config: &Arc<rustls::ClientConfig>,
    terms: &Terms,
) -> Result<TlsStream<TcpStream>, DialError> {
    let (host, port) = (terms.host.clone(), terms.port);
    let name = ascii_name(&host)
        .and_then(|ascii| ServerName::try_from(ascii).ok())
        .ok_or_else(|| DialError::NameNotFound { host: host.clone() })?;
    match timeout(CONNECT_LIMIT, TlsConnector::from(Arc::clone(config)).connect(name, tcp)).await {
        Err(_) => Err(DialError::TimedOut { host, port }),
        Ok(Err(error)) => Err(tls::explain(&error, host, port)),
        Ok(Ok(stream)) => Ok(stream),
    }
}

fn is_onion(host: &str) -> bool {
    host.trim_end_matches('.').rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("onion"))
}

fn ascii_name(host: &str) -> Option<String> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || host.len() > 1000 || host.chars().any(|c| c.is_control() || c.is_whitespace()) {
        None
    } else if host.is_ascii() {
        Some(host.to_owned())
    } else {
        idna::domain_to_ascii(host).ok()
    }
}

fn plain_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::NetworkUnreachable => "the network is down".into(),
        io::ErrorKind::HostUnreachable => "no way leads there".into(),
        io::ErrorKind::TimedOut => "it took too long".into(),
        kind => kind.to_string(),
    }
}

enum Inner {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection: clear text or TLS.
pub struct Stream {
    inner: Inner,
    config: Arc<rustls::ClientConfig>,
    terms: Terms,
}

impl Stream {
    /// Whether what is written now is protected by TLS.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        matches!(self.inner, Inner::Tls(_))
    }

    /// Begins TLS on a connection in clear. The caller makes sure that it has read nothing ahead.
    ///
    /// # Errors
    /// If the server does not prove who it is; the connection is then gone.
    pub async fn upgrade(self) -> Result<Self, DialError> {
        let Self { inner, config, terms } = self;
        let inner = match inner {
            Inner::Plain(tcp) => match handshake(tcp, &config, &terms).await {
                Ok(stream) => Inner::Tls(Box::new(stream)),
                Err(error) => {
                    terms.log(Some(&error));
                    return Err(error);
                }
            },
            Inner::Tls(stream) => Inner::Tls(stream),
        };
        Ok(Self { inner, config, terms })
    }

    pub(super) fn injected(self) -> DialError {
        let error = DialError::Injected { host: self.terms.host.clone() };
        self.terms.log(Some(&error));
        error
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().inner {
            Inner::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Inner::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().inner {
            Inner::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Inner::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().inner {
            Inner::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Inner::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().inner {
            Inner::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Inner::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests;
