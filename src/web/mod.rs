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
mod once;
mod pages;
mod router;
mod static_files;
pub mod view;
mod words;

pub use listener::serve;

use crate::crypto::secret::{Key, random};
use crate::engine::vault::Vault;
use auth::Sessions;
use content::Grants;
use once::Once;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

/// What every handler may use.
pub struct Web {
    vault: Arc<Vault>,
    sessions: Sessions,
    grants: Grants,
    once: Once,
    throttle: auth::Throttle,
    /// `host:port` values that requests may name.
    hosts: BTreeSet<String>,
    port: u16,
    /// The name of the session cookie; it tells stores on one machine apart.
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
        Arc::new(Self {
            vault,
            sessions: Sessions::default(),
            grants: Grants::default(),
            once: Once::default(),
            throttle: auth::Throttle::default(),
            hosts: names,
            port,
            cookie: format!("mailkeep-{name}"),
            setup_code,
            process_key: Key::random(),
        })
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
