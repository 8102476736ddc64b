//! Which Tor there is, how it is, and the way through it. Where it is not there nothing goes direct instead.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use futures_util::FutureExt;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::arti::onion::{OnionKey, Service};
use super::arti::{Arti, BadConfig};
use super::stream::Pipe;
use super::{Call, DialError, Dialer, Entry, Proxy, Purpose, Route, ascii_name, socks, whole_second};
use crate::crypto::secret::random;

/// The Tor that is to be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tor {
    /// None.
    #[default]
    Off,
    /// One that the owner runs.
    Socks(Proxy),
    /// The one inside this program, which starts when something needs it.
    Embedded {
        /// Where it keeps guards and directory; made when it starts.
        folder: PathBuf,
        /// What the owner adds to its configuration, as arti's TOML; empty for nothing.
        config: String,
    },
    /// One that cannot be used; why, as part of a sentence.
    Unusable(String),
}

impl Tor {
    /// Whether the Tor inside can be configured with this text.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check(config: &str) -> Result<(), BadConfig> {
        Arti::configure(&PathBuf::from("/"), config).map(drop)
    }
}

/// How Tor is, as far as that can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TorState {
    /// The owner wants none.
    Off,
    /// A SOCKS5 proxy answers where Tor should.
    Answers,
    /// Nothing answers there, or something else.
    Silent,
    /// The one inside has not been needed yet.
    Resting,
    /// It is starting.
    Starting,
    /// It is there.
    Ready,
    /// It gets no further, or got lost.
    Stuck,
}

impl TorState {
    /// Whether it is worth asking for something through it now. A Tor that is stuck mends itself, and is asked then.
    #[must_use]
    pub const fn is_hopeful(self) -> bool {
        matches!(self, Self::Answers | Self::Resting | Self::Starting | Self::Ready)
    }
}

/// How Tor is, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TorReport {
    /// How it is.
    pub state: TorState,
    /// How far the one inside has come, of 100, while it starts.
    pub percent: Option<u8>,
    /// A sentence or two.
    pub words: String,
    /// Why it gets no further, as part of a sentence.
    pub(super) why: Option<String>,
}

impl TorReport {
    pub(super) fn new(state: TorState, words: impl Into<String>) -> Self {
        Self { state, percent: None, words: words.into(), why: None }
    }

    pub(super) fn resting() -> Self {
        Self::new(TorState::Resting, "Tor starts when something needs it.")
    }

    pub(super) fn stuck(why: &str) -> Self {
        let words = format!("Tor is not there: {why}. What may only go through Tor is not asked for.");
        Self { why: Some(why.to_owned()), ..Self::new(TorState::Stuck, words) }
    }
}

/// What keeps a connection through Tor apart from others: two that differ in either share no circuit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Apart {
    pub(super) purpose: String,
    pub(super) circuit: String,
}

/// Makes these. Random for each start, so that circuits of two runs have nothing in common either.
pub(super) struct Isolation([u8; 16]);

impl Isolation {
    pub(super) fn new() -> Self {
        Self(random())
    }

    fn apart(&self, purpose: Purpose, circuit: &str) -> Apart {
        Apart { purpose: self.word("purpose", purpose.as_str()), circuit: self.word("circuit", circuit) }
    }

    fn word(&self, kind: &str, of: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(kind);
        hash.update([0]);
        hash.update(of.to_ascii_lowercase());
        data_encoding::HEXLOWER.encode(&hash.finalize()).chars().take(32).collect()
    }
}

/// What the log says of an address that is announced from now on.
pub const ANNOUNCED: &str = "announced";
/// The port of a service, as the log names it.
const SERVICE_PORT: u16 = 80;

/// The Tor that is used, and the one inside where it has been needed.
#[derive(Default)]
pub(super) struct Used {
    tor: Tor,
    inside: Option<Arc<Arti>>,
}

impl Used {
    /// Ends the Tor inside, whoever still waits for it.
    fn rest(&mut self) {
        if let Some(inside) = self.inside.take() {
            inside.end();
        }
    }
}

impl Dialer {
    /// Gives the Tor away as it is, with what runs in it; this door has none from then on.
    pub(super) fn give_tor(&self) -> Used {
        std::mem::take(&mut *self.shared.tor.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the owner adds to the configuration of the Tor inside, where that is the one that may be used now.
    #[must_use]
    pub fn tor_inside(&self) -> Option<String> {
        match self.tor() {
            Tor::Embedded { config, .. } if !self.is_offline() => Some(config),
            _ => None,
        }
    }

    /// Says which Tor is used from now on. The one inside ends where it is another, or none.
    pub fn set_tor(&self, tor: Tor) {
        let mut used = self.shared.tor.write().unwrap_or_else(PoisonError::into_inner);
        if used.tor != tor {
            used.rest();
            *used = Used { tor, inside: None };
            self.shared.tor_news.send_replace(TorReport::resting());
        }
    }

    fn tor(&self) -> Tor {
        self.shared.tor.read().unwrap_or_else(PoisonError::into_inner).tor.clone()
    }

    /// Ends the Tor inside; it starts again when something needs it.
    pub(super) fn rest_tor(&self) {
        self.shared.tor.write().unwrap_or_else(PoisonError::into_inner).rest();
        self.shared.tor_news.send_replace(TorReport::resting());
    }

    /// The Tor inside, which is not running yet where nothing needed it before.
    fn inside(&self, folder: &std::path::Path, config: &str) -> Result<Arc<Arti>, BadConfig> {
        let mut used = self.shared.tor.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(inside) = &used.inside {
            return Ok(Arc::clone(inside));
        }
        let inside = Arc::new(Arti::new(folder, config, Arc::clone(&self.shared.tor_news))?);
        used.inside = Some(Arc::clone(&inside));
        Ok(inside)
    }

    /// How Tor is. Asks a proxy whether it is there, and starts nothing.
    pub async fn tor_report(&self) -> TorReport {
        let tor = self.tor();
        match tor {
            Tor::Off => TorReport::new(
                TorState::Off,
                "Tor is switched off: what may only go through Tor is not asked for.",
            ),
            Tor::Socks(_) if self.is_offline() => TorReport::new(TorState::Silent, "Mailkeep is offline."),
            _ if self.is_offline() => TorReport::new(TorState::Resting, "Mailkeep is offline."),
            Tor::Unusable(why) => TorReport::stuck(&why),
            Tor::Embedded { .. } => self.shared.tor_news.borrow().clone(),
            Tor::Socks(proxy) if socks::answers(&proxy).await => TorReport::new(
                TorState::Answers,
                format!(
                    "A SOCKS proxy answers at {proxy}. Whether Tor is behind it cannot be seen from here."
                ),
            ),
            Tor::Socks(proxy) => TorReport::new(
                TorState::Silent,
                format!(
                    "Nothing answers at {proxy} as Tor does: what may only go through Tor is not asked for."
                ),
            ),
        }
    }

    /// How the Tor inside is, from now on.
    #[must_use]
    pub fn tor_news(&self) -> watch::Receiver<TorReport> {
        self.shared.tor_news.subscribe()
    }

    /// Hands the name to Tor as it is. Without Tor nothing happens.
    pub(super) async fn reach_by_tor(&self, call: &Call<'_>) -> Result<Pipe, DialError> {
        let host = || call.host.clone();
        let no_tor = |why: String| DialError::NoTor { host: host(), purpose: call.purpose, why };
        let name = ascii_name(&call.host).ok_or_else(|| DialError::NameNotFound { host: host() })?;
        let at = (name.trim_end_matches('.'), call.port);
        let apart = self.shared.isolation.apart(call.purpose, call.circuit);
        match self.tor() {
            Tor::Off => Err(no_tor("it is switched off in the settings".into())),
            Tor::Unusable(why) => Err(no_tor(why)),
            Tor::Socks(proxy) => socks::reach(&proxy, call.purpose, at, &apart).await.map(Pipe::Tcp),
            Tor::Embedded { folder, config } => {
                let inside = self.inside(&folder, &config).map_err(|bad| no_tor(bad.to_string()))?;
                inside.reach(call.purpose, at, apart).boxed().await.map(Pipe::Tor)
            }
        }
    }

    /// Announces an onion service. Only the Tor inside can be handed a key in memory.
    ///
    /// # Errors
    /// Says why there is none, in words.
    pub async fn publish(
        &self,
        purpose: Purpose,
        key: &OnionKey,
        clients: Option<&[Vec<u8>]>,
    ) -> Result<Service, String> {
        let published = self.try_publish(key, clients).await;
        self.shared.log.push(Entry {
            at: whole_second(jiff::Timestamp::now()),
            purpose,
            host: key.address(),
            port: SERVICE_PORT,
            route: Route::Tor,
            outcome: published.as_ref().err().cloned().unwrap_or_else(|| ANNOUNCED.to_owned()),
        });
        published
    }

    async fn try_publish(&self, key: &OnionKey, clients: Option<&[Vec<u8>]>) -> Result<Service, String> {
        if self.is_offline() {
            return Err("Mailkeep is offline".to_owned());
        }
        match self.tor() {
            Tor::Embedded { folder, config } => {
                let inside = self.inside(&folder, &config).map_err(|bad| bad.to_string())?;
                inside.publish(key, clients).await
            }
            Tor::Unusable(why) => Err(format!("Tor is not there: {why}")),
            Tor::Off | Tor::Socks(_) => {
                Err("An onion address needs the Tor inside Mailkeep; set tor.mode to embedded".to_owned())
            }
        }
    }
}
