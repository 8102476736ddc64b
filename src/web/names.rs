//! The names a door is reached by: which of them a request may ask for, and where pages and message content have their
//! places below them (`threats.md` §12). The local door has the names of this machine; the remote one has those that it was
//! given, and shares none with it.

use super::listener::Way;
use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

/// The names of a door.
pub(super) enum Names {
    /// Those of this machine, each with its port.
    Home {
        /// `host:port`, as requests name it.
        hosts: BTreeSet<String>,
        /// The port.
        port: u16,
    },
    /// Those that somebody elsewhere uses.
    Afar(RwLock<Vec<AfarName>>),
}

/// A name that somebody elsewhere uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AfarName {
    /// What requests name as their host, in lower case.
    host: String,
    /// The name below which content has names of its own, where there is one.
    content: Option<String>,
    /// Whether it is reached by TLS.
    secure: bool,
}

impl AfarName {
    /// An onion service. Tor protects it; every name below it leads to it as well.
    #[must_use]
    pub fn onion(address: &str) -> Self {
        Self {
            host: address.to_ascii_lowercase(),
            content: Some(address.to_ascii_lowercase()),
            secure: false,
        }
    }

    /// An onion service without names below it.
    #[must_use]
    pub fn bare_onion(address: &str) -> Self {
        Self { content: None, ..Self::onion(address) }
    }

    /// A name that something before us answers by TLS, and where all names below `content` lead to us as well.
    #[must_use]
    pub fn proxied(host: &str, content: Option<&str>) -> Self {
        Self { host: host.to_ascii_lowercase(), content: content.map(str::to_ascii_lowercase), secure: true }
    }

    const fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// The address of its first page.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}://{}/", self.scheme(), self.host)
    }
}

/// A capability in a host name, and the address of that host.
pub(super) struct Named<'a> {
    pub(super) capability: &'a str,
    pub(super) base: String,
}

impl Names {
    fn afar(all: &RwLock<Vec<AfarName>>) -> Vec<AfarName> {
        all.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn find(&self, host: &str) -> Option<AfarName> {
        match self {
            Self::Home { .. } => None,
            Self::Afar(all) => Self::afar(all).into_iter().find(|name| name.host == host),
        }
    }

    /// Adds a name, or takes it away.
    pub(super) fn change(&self, name: &AfarName, there: bool) {
        if let Self::Afar(all) = self {
            let mut all = all.write().unwrap_or_else(PoisonError::into_inner);
            all.retain(|other| other.host != name.host);
            if there {
                all.push(name.clone());
            }
        }
    }

    /// Whether this name, or one below for content, is reached by this way: who comes by one learns of no name of another.
    pub(super) fn is_reached(&self, host: &str, way: Way) -> bool {
        let Self::Afar(all) = self else { return way == Way::Home };
        let leads = |name: &AfarName| {
            let below = |content: &String| host.strip_suffix(content).is_some_and(|host| host.ends_with('.'));
            name.secure == (way == Way::Port)
                && (name.host == host || name.content.as_ref().is_some_and(below))
        };
        way != Way::Home && Self::afar(all).iter().any(leads)
    }

    /// Whether pages are served under this name.
    pub(super) fn has(&self, host: &str) -> bool {
        match self {
            Self::Home { hosts, .. } => hosts.contains(host),
            Self::Afar(_) => self.find(host).is_some(),
        }
    }

    /// Whether `origin` is that of our pages under this name. Somebody may have put TLS before the local door.
    pub(super) fn is_origin(&self, origin: &str, host: &str) -> bool {
        match self {
            Self::Home { .. } => origin == format!("http://{host}") || origin == format!("https://{host}"),
            Self::Afar(_) => {
                self.find(host).is_some_and(|name| origin == format!("{}://{host}", name.scheme()))
            }
        }
    }

    /// The origin of our pages under this name.
    pub(super) fn origin(&self, host: &str) -> String {
        let scheme = self.find(host).map_or("http", |name| name.scheme());
        format!("{scheme}://{host}")
    }

    /// Whether cookies under this name may only go by TLS.
    pub(super) fn is_secure(&self, host: &str) -> bool {
        self.find(host).is_some_and(|name| name.secure)
    }

    /// The capability in a host name, if it is a content host's.
    pub(super) fn capability<'a>(&self, host: &'a str) -> Option<Named<'a>> {
        let below = |parent: &str| {
            let capability = host.strip_suffix(parent)?.strip_suffix('.')?;
            (!capability.is_empty() && capability.bytes().all(|b| b.is_ascii_alphanumeric()))
                .then_some(capability)
        };
        match self {
            Self::Home { port, .. } => {
                let capability = below(&format!("localhost:{port}"))?;
                Some(Named { capability, base: format!("http://{host}") })
            }
            Self::Afar(all) => Self::afar(all).iter().find_map(|name| {
                let capability = below(name.content.as_deref()?)?;
                Some(Named { capability, base: format!("{}://{host}", name.scheme()) })
            }),
        }
    }

    /// The address of a content host for pages under this name; none where it has no names below it.
    pub(super) fn content(&self, host: &str, capability: &str) -> Option<String> {
        match self {
            Self::Home { port, .. } => {
                // Browsers resolve *.localhost to this machine by themselves, for pages that are on this machine.
                let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
                let is_here = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
                is_here.then(|| format!("http://{capability}.localhost:{port}"))
            }
            Self::Afar(_) => {
                let name = self.find(host)?;
                Some(format!("{}://{capability}.{}", name.scheme(), name.content.as_deref()?))
            }
        }
    }

    /// Where pages under this name may have frames and pictures from, for their content policy.
    pub(super) fn frames(&self, host: &str) -> String {
        match self {
            Self::Home { port, .. } => format!("http://*.localhost:{port}"),
            Self::Afar(_) => self.content(host, "*").unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> Names {
        Names::Home { hosts: ["localhost:7677".to_owned(), "127.0.0.1:7677".to_owned()].into(), port: 7677 }
    }

    fn afar() -> Names {
        Names::Afar(RwLock::new(vec![
            AfarName::onion("ABCD.onion"),
            AfarName::proxied("mail.alice.test", None),
            AfarName::proxied("post.alice.test", Some("frames.alice.test")),
        ]))
    }

    #[test]
    fn the_doors_share_no_name() {
        let (home, afar) = (home(), afar());
        for host in
            ["localhost:7677", "127.0.0.1:7677", "cap.localhost:7677", "evil.test", "", "mail.alice.test:80"]
        {
            assert!(!afar.has(host) && afar.capability(host).is_none(), "{host}");
        }
        for host in ["abcd.onion", "mail.alice.test", "cap.abcd.onion", "cap.frames.alice.test"] {
            assert!(!home.has(host) && home.capability(host).is_none(), "{host}");
        }
        assert!(afar.has("abcd.onion") && afar.has("mail.alice.test") && home.has("localhost:7677"));
    }

    #[test]
    fn content_has_names_below_the_page() {
        let afar = afar();
        assert_eq!(afar.content("abcd.onion", "cap").as_deref(), Some("http://cap.abcd.onion"));
        assert_eq!(afar.content("mail.alice.test", "cap"), None, "by path");
        assert_eq!(afar.content("post.alice.test", "cap").as_deref(), Some("https://cap.frames.alice.test"));
        assert_eq!(afar.frames("abcd.onion"), "http://*.abcd.onion");
        assert_eq!(afar.frames("mail.alice.test"), "");
        let named = afar.capability("cap.frames.alice.test").unwrap();
        assert_eq!((named.capability, named.base.as_str()), ("cap", "https://cap.frames.alice.test"));
        for host in ["abcd.onion", ".abcd.onion", "a.b.abcd.onion", "cap.mail.alice.test", "capabcd.onion"] {
            assert!(afar.capability(host).is_none(), "{host}");
        }
        assert_eq!(home().content("127.0.0.1:7677", "cap").as_deref(), Some("http://cap.localhost:7677"));
        assert_eq!(home().content("192.0.2.1:7677", "cap"), None);
    }

    #[test]
    fn a_name_is_reached_by_its_own_way_alone() {
        let (home, afar) = (home(), afar());
        for (way, names) in [
            (Way::Onion, ["abcd.onion", "cap.abcd.onion"]),
            (Way::Port, ["mail.alice.test", "cap.frames.alice.test"]),
        ] {
            for name in names {
                for other in [Way::Home, Way::Onion, Way::Port] {
                    assert_eq!(afar.is_reached(name, other), way == other, "{name} by {other:?}");
                }
            }
        }
        assert!(
            home.is_reached("localhost:7677", Way::Home) && !home.is_reached("localhost:7677", Way::Port)
        );
        assert!(!afar.is_reached("xabcd.onion", Way::Onion) && !afar.is_reached("", Way::Port));
    }

    #[test]
    fn only_our_own_origin_is_ours() {
        let afar = afar();
        assert!(afar.is_origin("http://abcd.onion", "abcd.onion"));
        assert!(afar.is_origin("https://mail.alice.test", "mail.alice.test"));
        for (origin, host) in [
            ("https://abcd.onion", "abcd.onion"),
            ("http://mail.alice.test", "mail.alice.test"),
            ("http://cap.abcd.onion", "abcd.onion"),
            ("null", "abcd.onion"),
            ("https://post.alice.test", "mail.alice.test"),
        ] {
            assert!(!afar.is_origin(origin, host), "{origin}");
        }
        assert!(afar.is_secure("mail.alice.test") && !afar.is_secure("abcd.onion"));
    }

    #[test]
    fn an_address_that_was_given_up_is_no_name_any_more() {
        let afar = afar();
        afar.change(&AfarName::onion("abcd.onion"), false);
        afar.change(&AfarName::onion("efgh.onion"), true);
        assert!(!afar.has("abcd.onion") && afar.has("efgh.onion"));
        assert!(afar.capability("cap.abcd.onion").is_none());
    }
}
