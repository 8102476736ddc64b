//! A contact: how one writes with them, and what is known of their key: `/contacts/{address}`.

use askama::Template;

pub use super::qr::Qr;
use super::{InvitationView, Shell};

/// `/contacts/{address}`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/contact.html")]
pub struct ContactPage {
    /// What surrounds it.
    pub shell: Shell,
    /// What went wrong with what was just asked for; empty for nothing.
    pub trouble: String,
    /// The name; the address where there is none.
    pub heading: String,
    /// The address.
    pub address: String,
    /// Letters of the round mark.
    pub initials: String,
    /// Its hue, 0 to 11.
    pub hue: u8,
    /// Where their picture lies; empty where the letters are all there is.
    pub picture: String,
    /// The name of the picture beside what is said of their key.
    pub icon: &'static str,
    /// Whether that calls for caution.
    pub caution: bool,
    /// "The same key since 3 Mar 2025."
    pub trust_words: String,
    /// What will happen to a message to them, and why.
    pub advice: String,
    /// How they write: "Private messages from them", "41".
    pub habits: Vec<(&'static str, String)>,
    /// The key that is used for them.
    pub used: Option<ContactKey>,
    /// The newer key that waits for a decision.
    pub waiting: Option<ContactKey>,
    /// The owner's own key, for comparing.
    pub own: Option<ContactKey>,
    /// Keys that servers named.
    pub found: Vec<FoundKey>,
    /// When servers were asked, and what came of it; empty for never.
    pub look_words: String,
    /// Other keys that were said to be theirs.
    pub others: Vec<ContactKey>,
    /// What was decided, the newest first.
    pub history: Vec<Decided>,
    /// Invitations to compare keys with them, made or taken up.
    pub invitations: Vec<InvitationView>,
    /// Whether an invitation may be made or taken up: not to the owner, nor before there is an account.
    pub invites: bool,
}

impl ContactPage {
    /// The class that gives the round mark its colour.
    #[must_use]
    pub const fn hue_class(&self) -> u8 {
        self.hue % 12
    }

    /// All mail with them.
    #[must_use]
    pub fn mail_href(&self) -> String {
        format!("/search?q={}", super::encoded(&format!("with:{}", self.address)))
    }

    /// A new message to them.
    #[must_use]
    pub fn write_href(&self) -> String {
        format!("/compose?to={}", super::encoded(&self.address))
    }

    /// Where decisions about their key go.
    #[must_use]
    pub fn key_href(&self) -> String {
        format!("/contacts/{}/key", super::encoded(&self.address))
    }

    /// Where an invitation for them is asked for.
    #[must_use]
    pub fn invite_href(&self) -> String {
        format!("/contacts/{}/invite", super::encoded(&self.address))
    }

    /// Where an invitation of theirs goes.
    #[must_use]
    pub fn join_href(&self) -> String {
        format!("/contacts/{}/join", super::encoded(&self.address))
    }

    /// Where one asks for a key to be looked for.
    #[must_use]
    pub fn look_href(&self) -> String {
        format!("/contacts/{}/look", super::encoded(&self.address))
    }

    /// Where the key that is used for them is saved from.
    #[must_use]
    pub fn public_href(&self) -> String {
        format!("/keys/public?address={}", super::encoded(&self.address))
    }
}

/// A key that is or was said to be somebody's.
#[derive(Debug, Clone, Default)]
pub struct ContactKey {
    /// Its fingerprint, in one piece.
    pub fingerprint: String,
    /// In groups of four.
    pub grouped: String,
    /// How it came: "Came with their messages on 3 Mar 2025, last on 4 May 2025."
    pub ways: Vec<String>,
    /// For scanning with another program.
    pub qr: Option<Qr>,
}

/// A key that servers named.
#[derive(Debug, Clone, Default)]
pub struct FoundKey {
    /// It.
    pub key: ContactKey,
    /// What is to be said of it: "It is the one you rely on.", or why it cannot be used.
    pub words: String,
    /// Whether the owner may choose it.
    pub choosable: bool,
}

/// Something that was decided about a key.
#[derive(Debug, Clone, Default)]
pub struct Decided {
    /// "3 Mar 2025".
    pub day: String,
    /// "You chose to rely on another key: accepted by you."
    pub words: String,
    /// The key, in groups of four.
    pub fingerprint: String,
}
