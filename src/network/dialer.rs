//! The one door: every connection that leaves the process is opened here, with a purpose, a route, time-outs and an
//! entry in the network log. It never falls back from TLS to clear text, or from Tor to a direct connection.

#[cfg(test)]
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::address_guard;
use super::log::Log;
pub use super::log::{Entry, Purpose, Route, Rule};
pub use arti::BadConfig;
pub use arti::onion::{ClientKey, OnionKey, Service, leaves_a_thread};
pub use error::DialError;
use policy::Policy;
pub use socks::{BadProxy, Proxy};
pub use stream::Stream;
use stream::{Inner, Pipe};
pub use tls::BadCa;
use tls::Trust;
pub use tor::{ANNOUNCED, Tor, TorReport, TorState};

mod arti;
mod direct;
mod error;
mod policy;
#[cfg(test)]
mod rigged;
mod socks;
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
    /// Whether all that this clone opens goes through Tor, whatever the policy says.
    by_tor: bool,
}

struct Shared {
    trust: RwLock<Trust>,
    log: Log,
    policy: Policy,
    tor: RwLock<tor::Used>,
    tor_news: Arc<watch::Sender<TorReport>>,
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
        Self::following(None, extra_ca)
    }

    /// The same; where there was another door before, its Tor goes on as this one's, and so does its log.
    ///
    /// # Errors
    /// If one of the texts holds no certificate; the other door keeps its Tor then.
    pub fn following(before: Option<&Self>, extra_ca: &[Vec<u8>]) -> Result<Self, BadCa> {
        let trust = RwLock::new(Trust::new(extra_ca)?);
        let (log, tor, tor_news) = match before {
            Some(before) => (before.log(), before.give_tor(), Arc::clone(&before.shared.tor_news)),
            None => (Vec::new(), tor::Used::default(), Arc::new(watch::Sender::new(TorReport::resting()))),
        };
        let door = Self {
            by_tor: false,
            shared: Arc::new(Shared {
                trust,
                log: Log::default(),
                policy: Policy::default(),
                tor: RwLock::new(tor),
                tor_news,
                isolation: tor::Isolation::new(),
                #[cfg(test)]
                rigged: rigged::Rigged::default(),
            }),
        };
        door.go_on_from(log);
        Ok(door)
    }

    /// The same door; where `by_tor` says so, all that is opened by this clone goes through Tor.
    #[must_use]
    pub fn through_tor(&self, by_tor: bool) -> Self {
        Self { shared: Arc::clone(&self.shared), by_tor: self.by_tor || by_tor }
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

    /// The last connections, oldest first.
    #[must_use]
    pub fn log(&self) -> Vec<Entry> {
        self.shared.log.entries()
    }

    /// Lets the log go on from that of an earlier start.
    pub fn go_on_from(&self, earlier: Vec<Entry>) {
        self.shared.log.go_on_from(earlier);
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
        let rule = self.rule(call.purpose);
        let by_tor = self.by_tor || is_onion(&call.host) || rule != Rule::Direct;
        let route = if by_tor { Route::Tor } else { Route::Direct };
        // Taken before the switches are looked at: what they cut from now on is cut.
        let cut = self.shared.policy.cut(route);
        let terms = Terms {
            purpose: call.purpose,
            host: call.host.clone(),
            port: call.port,
            route,
            shared: Arc::clone(&self.shared),
        };
        let mut waiting = Waiting { terms: &terms, is_over: false };
        let result = match rule {
            Rule::Never => Err(DialError::Never { host: call.host.clone(), purpose: call.purpose }),
            // Also what is being opened ends when a switch says that it should not be there.
            Rule::Direct | Rule::Tor => tokio::select! {
                opened = self.try_open(&call, &terms) => opened,
                () = cut.cancelled() => Err(if self.is_offline() {
                    DialError::Offline { host: call.host.clone() }
                } else {
                    DialError::Cut { host: call.host.clone() }
                }),
            },
        };
        waiting.is_over = true;
        drop(waiting);
        terms.log(result.as_ref().err());
        let (inner, config) = result?;
        Ok(Stream { inner, config, terms, cut: Box::pin(cut.cancelled_owned()) })
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
        if is_clear && self.shared.policy.secure.load(Ordering::Relaxed) {
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
        let pipe = match terms.route {
            Route::Direct => Pipe::Tcp(self.reach(call).await?),
            Route::Tor => self.reach_by_tor(call).await?,
        };
        if let Pipe::Tcp(tcp) = &pipe
            && let Err(error) = tcp.set_nodelay(true)
        {
            tracing::debug!(%error, "A connection keeps its delay");
        }
        let inner = match call.security {
            Security::Tls => Inner::Tls(Box::new(handshake(pipe, &config, terms).await?)),
            Security::StartTls | Security::None => Inner::Plain(pipe),
        };
        Ok((inner, config))
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

/// A connection that is being opened. Where nobody waits for it to the end, the log has it all the same.
struct Waiting<'a> {
    terms: &'a Terms,
    is_over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.terms.note(format!("{} did not answer for as long as was waited.", self.terms.host));
        }
    }
}

impl Terms {
    fn log(&self, error: Option<&DialError>) {
        self.note(error.map_or_else(|| "connected".to_owned(), ToString::to_string));
    }

    fn note(&self, outcome: String) {
        self.shared.log.push(Entry {
            at: whole_second(jiff::Timestamp::now()),
            purpose: self.purpose,
            host: self.host.clone(),
            port: self.port,
            route: self.route,
            outcome,
        });
    }
}

fn whole_second(at: jiff::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_second(at.as_second()).unwrap_or(at)
}

async fn handshake(
    pipe: Pipe,
    config: &Arc<rustls::ClientConfig>,
    terms: &Terms,
) -> Result<TlsStream<Pipe>, DialError> {
    let (host, port) = (terms.host.clone(), terms.port);
    let name = ascii_name(&host)
        .and_then(|ascii| ServerName::try_from(ascii).ok())
        .ok_or_else(|| DialError::NameNotFound { host: host.clone() })?;
    match timeout(CONNECT_LIMIT, TlsConnector::from(Arc::clone(config)).connect(name, pipe)).await {
        Err(_) => Err(DialError::TimedOut { host, port }),
        Ok(Err(error)) => Err(tls::explain(&error, host, port)),
        Ok(Ok(stream)) => Ok(stream),
    }
}

/// By its name as it would be looked up: what is typed with other dots and letters may become one.
fn is_onion(host: &str) -> bool {
    let Some(host) = ascii_name(host) else { return false };
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

#[cfg(test)]
mod tests;
