//! The browser's door and the scripts' door: pages, message content on host names of its own, and the REST API.

mod api;
mod auth;
mod content;
mod drawn;
mod error;
mod events;
mod extract;
mod files;
mod guard;
mod leave;
mod listener;
mod names;
mod once;
pub mod onion;
mod pages;
mod router;
mod static_files;
pub mod unlock_door;
pub mod view;
mod words;

pub use listener::{Arrivals, Gate, arrivals, serve, serve_remote};
pub use names::AfarName;

use crate::crypto::secret::{Key, random};
use crate::engine::app::App;
use crate::engine::vault::Vault;
use auth::Sessions;
use content::Grants;
use names::Names;
use once::Once;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, RwLock};

/// What every handler may use.
pub struct Web {
    vault: Arc<Vault>,
    sessions: Sessions,
    grants: Grants,
    once: Once,
    throttle: auth::Throttle,
    /// Who is being slowed down at the sign-in of the remote door.
    strangers: auth::Throttle,
    /// What requests may name as their host.
    names: Names,
    /// The name of the session cookie; on one machine it tells stores apart.
    cookie: String,
    /// What whoever sets up the store must know, on anything but loopback.
    setup_code: Option<String>,
    /// Seals the leave page's tokens and derives the form tokens of those who are not signed in.
    process_key: Key,
}

impl Web {
    /// The web floor over a vault, for a listener at `address`; `hosts` are further names it may be reached by.
    #[must_use]
    pub fn new(vault: Arc<Vault>, address: SocketAddr, hosts: &[String]) -> Arc<Self> {
        let port = address.port();
        let mut names: BTreeSet<String> =
            ["localhost", "127.0.0.1", "[::1]"].iter().map(|host| format!("{host}:{port}")).collect();
        names.insert(address.to_string());
        names.extend(hosts.iter().map(|host| host.to_ascii_lowercase()));
        let setup_code = (!address.ip().is_loopback())
            .then(|| data_encoding::BASE32_NOPAD.encode(&random::<5>()).to_lowercase());
        let path = vault.path().to_string_lossy().into_owned();
        let digest = <sha2::Sha256 as sha2::Digest>::digest(path.as_bytes());
        let name: String = data_encoding::HEXLOWER.encode(&digest).chars().take(12).collect();
        Self::with(vault, Names::Home { hosts: names, port }, format!("mailkeep-{name}"), setup_code)
    }

    /// The remote door over the same vault. It shares nothing with the local one: no socket, no name, no cookie, no session, no
    /// capability, no count of guesses; it has neither set-up nor API.
    #[must_use]
    pub fn remote(vault: Arc<Vault>) -> Arc<Self> {
        // From elsewhere nobody is told apart by where on this machine the store lies.
        Self::with(vault, Names::Afar(RwLock::default()), "mailkeep-remote".to_owned(), None)
    }

    fn with(vault: Arc<Vault>, names: Names, cookie: String, setup_code: Option<String>) -> Arc<Self> {
        Arc::new(Self {
            vault,
            sessions: Sessions::default(),
            grants: Grants::default(),
            once: Once::default(),
            throttle: auth::Throttle::default(),
            strangers: auth::Throttle::default(),
            names,
            cookie,
            setup_code,
            process_key: Key::random(),
        })
    }

    /// Answers to a name from now on, or no more.
    pub fn change_name(&self, name: &AfarName, there: bool) {
        self.names.change(name, there);
    }

    /// Whether this is the remote door.
    const fn is_remote(&self) -> bool {
        matches!(self.names, Names::Afar(_))
    }

    /// The name of the session cookie of pages under this host name. By TLS no other host can set it.
    fn cookie(&self, host: &str) -> String {
        let prefix = if self.names.is_secure(host) { "__Host-" } else { "" };
        format!("{prefix}{}", self.cookie)
    }

    /// Whether a session has not ended.
    fn lives(&self, session: &str) -> bool {
        let is_in = |app: Arc<App>| app.remote_access.sessions.lives(session, app.now());
        self.sessions.lives(session) && (!self.is_remote() || self.vault.app().is_some_and(is_in))
    }

    /// The code that set-up asks for; none on loopback.
    #[must_use]
    pub fn setup_code(&self) -> Option<&str> {
        self.setup_code.as_deref()
    }

    /// Forgets everybody: the store was locked.
    pub fn forget(&self) {
        self.sessions.clear();
        self.grants.clear();
        self.once.clear();
    }
}
