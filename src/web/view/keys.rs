//! The owner's keys: `/keys`.

use askama::Template;

use super::{InvitationView, Shell};

/// `/keys`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/keys.html")]
pub struct KeysPage {
    /// What surrounds it.
    pub shell: Shell,
    /// What went wrong with what was just asked for; empty for nothing.
    pub trouble: String,
    /// The keys, those in use first.
    pub keys: Vec<KeyView>,
    /// Addresses of the owner's that have none.
    pub without: Vec<String>,
    /// Whether no copy was put in a safe place since a key was made.
    pub needs_copy: bool,
    /// When the newest copy was made: "3 Mar 2025"; empty for never.
    pub copied_words: String,
    /// A Setup Message that was just made.
    pub setup: Option<SetupCode>,
    /// The addresses that one can invite from, each with a key or about to have one.
    pub senders: Vec<String>,
    /// Invitations that wait for somebody.
    pub invitations: Vec<InvitationView>,
}

/// A key of the owner's.
#[derive(Debug, Clone, Default)]
pub struct KeyView {
    /// The address it is kept for.
    pub address: String,
    /// Whether it is the one in use.
    pub current: bool,
    /// "In use: it signs what you send, and others are told of it."
    pub use_words: String,
    /// Its fingerprint in groups of four.
    pub fingerprint: String,
    /// "Made 3 Mar 2025. It ends 3 Mar 2027 and is made to last longer by itself."
    pub dates_words: String,
    /// Its algorithm in words.
    pub algorithm: String,
    /// "A copy was made on 3 Mar 2025."
    pub copy_words: String,
    /// Whether a copy was made.
    pub has_copy: bool,
    /// Where it is published, in sentences.
    pub published: Vec<String>,
    /// Whether it is published somewhere, or about to be.
    pub is_published: bool,
}

impl KeyView {
    /// Where its public half is saved from.
    #[must_use]
    pub fn public_href(&self) -> String {
        format!("/keys/public?address={}", super::encoded(&self.address))
    }
}

/// The code of a Setup Message, shown this once.
#[derive(Debug, Clone, Default)]
pub struct SetupCode {
    /// The address whose key it opens.
    pub address: String,
    /// Nine groups of four digits.
    pub groups: Vec<String>,
}
