//! A conversation with an IMAP server: RFC 3501 with the extensions that make it quick (CONDSTORE, MOVE, UIDPLUS,
//! SPECIAL-USE, NAMESPACE, IDLE).
//!
//! The server is not trusted: everything it says is bounded in size, number and time. The owner's data never goes
//! into a command but as a quoted string or a literal, so no line break in it can begin a command of its own. Once a
//! command is broken off (dropped in the middle, timed out), the session is of no further use and says so.

use std::time::Duration;

use super::dialer::{DialError, Security};
use crate::crypto::secret::SecretText;
use crate::mail::ids::{Uid, UidValidity};

mod append;
mod command;
mod connect;
mod fetch;
mod flags;
mod folders;
mod idle;
mod names;
mod response;
mod select;
mod session;

pub use append::Appended;
pub use fetch::{Fetched, Meta};
pub use flags::{FlagState, Flags};
pub use folders::{Folder, Role};
pub use idle::IdleOutcome;
pub use names::{decode_folder, encode_folder, keyword_for_tag, tag_for_keyword};
pub use select::Selected;
pub use session::Session;

/// Where to log in, and as whom.
#[derive(Clone, Debug)]
pub struct Login {
    /// The server's name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// The name the server knows the owner by.
    pub user: String,
    /// Their password.
    pub password: SecretText,
    /// A CA for this account alone, in PEM form.
    pub ca: Option<Vec<u8>>,
    /// Whether it is reached through Tor alone.
    pub by_tor: bool,
}

/// How much and how long is borne with a server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long to wait for the next byte.
    pub silence: Duration,
    /// How long one command may take in all.
    pub command: Duration,
    /// How many responses one command may bring …
    pub responses: usize,
    /// … and how many bytes, the bodies of messages that were asked for apart.
    pub response_bytes: u64,
    /// How much of that is kept in memory until the command has ended.
    pub kept_bytes: usize,
    /// A message larger than this is fetched in pieces of this size.
    pub piece_bytes: usize,
    /// A message larger than this is not fetched at all.
    pub message_bytes: u64,
    /// How long one IDLE lasts before it is renewed.
    pub idle_renewal: Duration,
    /// How often a server without IDLE is asked for news.
    pub poll: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(60),
            command: Duration::from_secs(30 * 60),
            responses: 4_000_000,
            response_bytes: 512 << 20,
            kept_bytes: 64 << 20,
            piece_bytes: 4 << 20,
            message_bytes: 200 << 20,
            idle_renewal: Duration::from_secs(9 * 60),
            poll: Duration::from_secs(120),
        }
    }
}

/// UIDs from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UidRange {
    /// The lowest.
    pub first: Uid,
    /// The highest.
    pub last: Uid,
}

impl UidRange {
    /// Every UID there can be.
    pub const ALL: Self = Self { first: Uid(1), last: Uid(u32::MAX) };

    /// Whether a UID is in it.
    #[must_use]
    pub fn contains(&self, uid: Uid) -> bool {
        (self.first..=self.last).contains(&uid)
    }
}

/// What went wrong with a server. Printed, it is one sentence for the owner.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ImapError {
    /// There is no connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The name or the password is wrong, or the server lets nobody in.
    #[error("{host} refused the login: {words}. Check the user name and the password.")]
    Refused {
        /// The server.
        host: String,
        /// What it said.
        words: String,
        /// Whether it said that it may work later.
        temporary: bool,
    },
    /// The connection cannot be made secure, so no password was sent.
    #[error(
        "{host} offers no encryption (STARTTLS), so no password was sent. Choose tls if the server has a port for it."
    )]
    NoTls {
        /// The server.
        host: String,
    },
    /// The server knows no way to log in that we know.
    #[error("{host} allows no login by password here. Choose tls or starttls, or ask the provider.")]
    NoLogin {
        /// The server.
        host: String,
    },
    /// The connection broke.
    #[error("The connection to {host} was lost: {words}. It will be tried again.")]
    Lost {
        /// The server.
        host: String,
        /// The server's farewell, or how it ended.
        words: String,
    },
    /// The server says nothing more.
    #[error("{host} stopped answering. It will be tried again.")]
    TimedOut {
        /// The server.
        host: String,
    },
    /// The server said no to a command.
    #[error("{host} said no: {words}")]
    No {
        /// The server.
        host: String,
        /// What it said.
        words: String,
        /// The word in brackets before that, in capitals: `NONEXISTENT`, `OVERQUOTA`, `TRYCREATE`;
        /// or `BAD`, if it did not even understand the command.
        code: Option<String>,
    },
    /// The server does not keep to the protocol.
    #[error("{host} gave an answer that cannot be understood: {what}")]
    Protocol {
        /// The server.
        host: String,
        /// What it was about.
        what: String,
    },
    /// The server sends a message in a way that ends the connection. Step over it: asking again ends the same way.
    #[error("{host} cannot hand out the message {}: {what}", uid.map_or_else(|| "asked for".to_owned(), |uid| uid.to_string()))]
    UnreadableMessage {
        /// The server.
        host: String,
        /// Which message, if the server said.
        uid: Option<Uid>,
        /// What was wrong with it.
        what: String,
    },
    /// We were asked for something that IMAP cannot say.
    #[error("That cannot be said to a mail server: {what}")]
    NotSayable {
        /// What it was.
        what: String,
    },
}

impl ImapError {
    /// Whether the same may work later without anybody doing anything.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Dial(error) => error.is_temporary(),
            Self::Refused { temporary, .. } => *temporary,
            Self::Lost { .. } | Self::TimedOut { .. } => true,
            Self::No { code, .. } => code
                .as_deref()
                .is_some_and(|code| matches!(code, "UNAVAILABLE" | "INUSE" | "LIMIT" | "SERVERBUG")),
            Self::NoTls { .. }
            | Self::NoLogin { .. }
            | Self::Protocol { .. }
            | Self::UnreadableMessage { .. }
            | Self::NotSayable { .. } => false,
        }
    }

    /// Whether the session can still be used.
    #[must_use]
    pub const fn leaves_session_usable(&self) -> bool {
        matches!(self, Self::No { .. } | Self::NotSayable { .. })
    }
}

/// The place of a message that was just stored, where the server tells (RFC 4315).
type Stored = (UidValidity, Uid);

#[cfg(test)]
mod tests;
