//! What the network log page shows: for what, where to, by which route, with which outcome.
//!
//! Bounded, and in memory; the engine keeps it sealed from one start to the next. It never holds anything that was said over a
//! connection.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// How many connections the log remembers.
pub const CAPACITY: usize = 1000;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Reading mail on the owner's server.
    Imap,
    /// Handing mail to the owner's server.
    Submission,
    /// Finding the servers of the owner's address.
    Autoconfig,
    /// Asking for somebody's certificate.
    KeyLookup,
    /// Publishing the owner's certificate.
    KeyPublication,
    /// Asking for somebody's picture.
    Avatar,
    /// A picture that a message wants from elsewhere.
    RemoteImage,
    /// Leaving a mailing list by one click.
    Unsubscribe,
    /// The key behind a DKIM signature.
    Dkim,
    /// Announcing the onion address of the mailbox.
    OnionAddress,
    /// Announcing the onion address by which a locked store is unlocked.
    UnlockAddress,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Imap,
        Self::Submission,
        Self::Autoconfig,
        Self::KeyLookup,
        Self::KeyPublication,
        Self::Avatar,
        Self::RemoteImage,
        Self::Unsubscribe,
        Self::Dkim,
        Self::OnionAddress,
        Self::UnlockAddress,
    ];

    /// The words of the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Submission => "submission",
            Self::Autoconfig => "autoconfig",
            Self::KeyLookup => "key lookup",
            Self::KeyPublication => "key publication",
            Self::Avatar => "avatar",
            Self::RemoteImage => "remote image",
            Self::Unsubscribe => "unsubscribe",
            Self::Dkim => "dkim",
            Self::OnionAddress => "onion address",
            Self::UnlockAddress => "unlock address",
        }
    }

    /// The policy: what the owner may choose for this purpose, and first what holds until they do. Their own servers are
    /// reached directly, everybody else by Tor or not at all.
    #[must_use]
    pub const fn rules(self) -> &'static [Rule] {
        match self {
            Self::Imap | Self::Submission => &[Rule::Direct, Rule::Tor],
            Self::RemoteImage => &[Rule::Tor, Rule::Direct, Rule::Never],
            Self::Autoconfig
            | Self::KeyLookup
            | Self::KeyPublication
            | Self::Avatar
            | Self::Unsubscribe
            | Self::Dkim => &[Rule::Tor, Rule::Never],
            Self::OnionAddress | Self::UnlockAddress => &[Rule::Tor],
        }
    }

    /// What holds until the owner chooses.
    #[must_use]
    pub const fn rule(self) -> Rule {
        match self.rules() {
            [first, ..] => *first,
            [] => Rule::Never,
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Purpose {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What becomes of the connections of a purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// They go from this machine to the server.
    Direct,
    /// They go through the Tor network, or not at all.
    Tor,
    /// They are not made.
    Never,
}

impl Rule {
    /// The word of the settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Tor => "tor",
            Self::Never => "never",
        }
    }

    /// Reads that word.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        [Self::Direct, Self::Tor, Self::Never].into_iter().find(|rule| rule.as_str() == word)
    }
}

/// The way a connection takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// From this machine to the server.
    Direct,
    /// Through the Tor network. Where Tor is not there, nothing goes direct instead.
    Tor,
}

/// One connection that was made, tried or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was tried.
    #[serde(serialize_with = "rfc3339", deserialize_with = "from_rfc3339")]
    pub at: Timestamp,
    /// What for.
    pub purpose: Purpose,
    /// The server's name as it was asked for.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// By which route.
    pub route: Route,
    /// `connected` or, of an address of one's own, `announced`; else the sentence that says why not.
    pub outcome: String,
}

fn rfc3339<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

fn from_rfc3339<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

impl<'de> Deserialize<'de> for Purpose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let known = Self::ALL.into_iter().find(|purpose| purpose.as_str() == word);
        known.ok_or_else(|| D::Error::custom("no purpose"))
    }
}

/// The last connections, oldest first.
#[derive(Debug, Default)]
pub(super) struct Log(Mutex<VecDeque<Entry>>);

impl Log {
    pub(super) fn push(&self, entry: Entry) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == CAPACITY {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// Goes on from the connections of an earlier start.
    pub(super) fn go_on_from(&self, mut earlier: Vec<Entry>) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        earlier.extend(entries.drain(..));
        let too_many = earlier.len().saturating_sub(CAPACITY);
        entries.extend(earlier.into_iter().skip(too_many));
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_forgets_the_oldest() {
        let log = Log::default();
        for port in 0..1500 {
            log.push(Entry {
                at: Timestamp::UNIX_EPOCH,
                purpose: Purpose::KeyLookup,
                host: "keys.example".into(),
                port,
                route: Route::Tor,
                outcome: "connected".into(),
            });
        }
        let entries = log.entries();
        assert_eq!(entries.len(), CAPACITY);
        assert_eq!(entries[0].port, 500);
        assert_eq!(
            serde_json::to_string(&entries[0]).unwrap(),
            r#"{"at":"1970-01-01T00:00:00Z","purpose":"key lookup","host":"keys.example","port":500,"route":"tor","outcome":"connected"}"#
        );
        let kept = serde_json::to_string(&entries).unwrap();
        let next = Log::default();
        next.push(Entry { port: 9999, ..entries[0].clone() });
        next.go_on_from(serde_json::from_str(&kept).unwrap());
        assert_eq!((next.entries().len(), next.entries()[0].port), (CAPACITY, 501));
        assert_eq!(next.entries().last().unwrap().port, 9999);
    }
}
