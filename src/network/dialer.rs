//! The one door: every connection that leaves the process is opened here, with a purpose, a route, time-outs and an
//! entry in the network log. It never falls back from TLS to clear text, or from Tor to a direct connection.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::address_guard;
use super::log::Log;
pub use super::log::{Entry, Purpose, Route};
pub use error::DialError;
use stream::Inner;
pub use stream::Stream;
pub use tls::BadCa;
use tls::Trust;
pub use tor::{BadProxy, Proxy, TorState};

mod error;
#[cfg(test)]
mod rigged;
mod stream;
mod tls;
mod tor;

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
    secure: AtomicBool,
    tor: RwLock<Option<Proxy>>,
    /// Purposes that go direct although the policy says Tor, because the owner said so in words.
    direct: RwLock<HashSet<Purpose>>,
    isolation: tor::Isolation,
    #[cfg(test)]
    rigged: rigged::Rigged,
}

/// One wish for a connection.
struct Call<'a> {
    purpose: Purpose,
    host: String,
    port: u16,
    security: Security,
    account_ca: Option<&'a [u8]>,
    only_public: bool,
    /// The name that a circuit through Tor is kept for.
    circuit: &'a str,
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
                secure: AtomicBool::new(false),
                tor: RwLock::default(),
                direct: RwLock::default(),
                isolation: tor::Isolation::new(),
                #[cfg(test)]
                rigged: rigged::Rigged::default(),
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

    /// Lets nothing out in clear text, whatever an account says, or lets the accounts say.
    pub fn set_secure(&self, secure: bool) {
        self.shared.secure.store(secure, Ordering::Relaxed);
    }

    /// Says where Tor listens; `None` where there is none, and then nothing that needs it goes out.
    pub fn set_tor(&self, proxy: Option<Proxy>) {
        *self.shared.tor.write().unwrap_or_else(PoisonError::into_inner) = proxy;
    }

    fn tor(&self) -> Option<Proxy> {
        self.shared.tor.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the proxy whether it is there.
    pub async fn tor_state(&self) -> TorState {
        if self.is_offline() && self.tor().is_some() {
            return TorState::Silent;
        }
        tor::state(self.tor().as_ref()).await
    }

    /// Lets a purpose go direct although the policy says Tor: only where the owner said so in words.
    pub fn set_direct(&self, purpose: Purpose, direct: bool) {
        let mut all = self.shared.direct.write().unwrap_or_else(PoisonError::into_inner);
        if direct {
            all.insert(purpose);
        } else {
            all.remove(&purpose);
        }
    }

    /// The route that a purpose takes.
    #[must_use]
    pub fn route(&self, purpose: Purpose) -> Route {
        let direct = &self.shared.direct;
        if self.shared.tor_for_everything.load(Ordering::Relaxed) {
            Route::Tor
        } else if direct.read().unwrap_or_else(PoisonError::into_inner).contains(&purpose) {
            Route::Direct
        } else {
            purpose.route()
        }
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
        let circuit = host.trim();
        let host = circuit.to_owned();
        self.open(Call { purpose, host, port, security, account_ca, only_public: false, circuit }).await
    }

    /// Connects to a server that somebody else named: a public name with public addresses, looked up once, or not
    /// looked up here at all where the way leads through Tor.
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
        self.connect_apart(purpose, host, port, security, host, true).await
    }

    /// The same with a circuit kept for `circuit`, such as the domain that is asked about; `only_public` is false
    /// for a server that the owner named.
    pub(super) async fn connect_apart(
        &self,
        purpose: Purpose,
        host: &str,
        port: u16,
        security: Security,
        circuit: &str,
        only_public: bool,
    ) -> Result<Stream, DialError> {
        let host = host.to_owned();
        self.open(Call { purpose, host, port, security, account_ca: None, only_public, circuit }).await
    }

    async fn open(&self, call: Call<'_>) -> Result<Stream, DialError> {
        let terms = Terms {
            purpose: call.purpose,
            host: call.host.clone(),
            port: call.port,
            route: if is_onion(&call.host) { Route::Tor } else { self.route(call.purpose) },
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
        let is_clear = call.security == Security::None && !is_onion(&call.host);
        if is_clear && self.shared.secure.load(Ordering::Relaxed) {
            return Err(DialError::InClear { host: host() });
        }
        if call.only_public && !address_guard::is_public_name(&call.host) {
            return Err(DialError::NotPublic { host: host() });
        }
        let config = self
            .shared
            .trust
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .config(call.account_ca)
            .map_err(|BadCa| DialError::BadCa { host: host() })?;
        let tcp = match terms.route {
            Route::Direct => self.reach(call).await?,
            Route::Tor => self.reach_by_tor(call).await?,
        };
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, "A connection keeps its delay");
        }
        let inner = match call.security {
            Security::Tls => Inner::Tls(Box::new(handshake(tcp, &config, terms).await?)),
            Security::StartTls | Security::None => Inner::Plain(tcp),
        };
        Ok((inner, config))
    }

    /// Hands the name to Tor as it is. Without Tor nothing happens.
    async fn reach_by_tor(&self, call: &Call<'_>) -> Result<TcpStream, DialError> {
        let host = || call.host.clone();
        let proxy = self.tor().ok_or_else(|| DialError::NoTor { host: host(), purpose: call.purpose })?;
        let name = ascii_name(&call.host).ok_or_else(|| DialError::NameNotFound { host: host() })?;
        tor::reach(&proxy, &self.shared.isolation, call.purpose, (&name, call.port), call.circuit).await
    }

    /// Looks the name up once and connects to the first address that answers.
    async fn reach(&self, call: &Call<'_>) -> Result<TcpStream, DialError> {
        let (host, port) = (call.host.clone(), call.port);
        let addresses = self.addresses(call).await?;
        let share = CONNECT_LIMIT / u32::try_from(addresses.len().clamp(1, 4)).unwrap_or(1);
        let mut last = DialError::NameNotFound { host: host.clone() };
        for address in addresses.into_iter().take(4) {
            last = match timeout(share, self.walk(address)).await {
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
        let ascii = ascii_name(&call.host).ok_or_else(|| DialError::NameNotFound { host: host() })?;
        let found = match timeout(CONNECT_LIMIT, self.look_up(ascii, call.port)).await {
            Err(_) => return Err(DialError::TimedOut { host: host(), port: call.port }),
            Ok(Err(_)) => return Err(DialError::NameNotFound { host: host() }),
            Ok(Ok(found)) => found,
        };
        if call.only_public && !found.iter().all(|address| address_guard::is_public_address(address.ip())) {
            return Err(DialError::NotPublic { host: host() });
        }
        Ok(found)
    }

    /// The one place that asks the system for addresses.
    async fn look_up(&self, name: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        #[cfg(test)]
        if let Some(found) = self.shared.rigged.look_up(&name, port) {
            return Ok(found);
        }
        Ok(tokio::net::lookup_host((name, port)).await?.collect())
    }

    /// The one place that connects to an address.
    async fn walk(&self, address: SocketAddr) -> io::Result<TcpStream> {
        #[cfg(test)]
        let address = self.shared.rigged.way(address)?;
        TcpStream::connect(address).await
    }

    /// What tests put in place of the resolver and the roads.
    #[cfg(test)]
    pub(super) fn rigged(&self) -> &rigged::Rigged {
        &self.shared.rigged
    }

    /// Lets a name lead to a scripted server.
    #[cfg(test)]
    pub(super) fn pin(&self, host: &str, port: u16, to: SocketAddr) {
        self.shared.rigged.pin(host, port, to);
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

#[cfg(test)]
mod tests;
