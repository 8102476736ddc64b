//! The outbox: what waits, what was put off, what failed and with which words.

use askama::Template;

use super::Shell;

/// `/outbox`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/outbox.html")]
pub struct OutboxPage {
    /// What surrounds it.
    pub shell: Shell,
    /// What waits or failed.
    pub open: Vec<Entry>,
    /// What is done with, kept for thirty days.
    pub ended: Vec<Entry>,
}

/// One message on its way.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// The message itself.
    pub href: String,
    /// The subject; empty when there is none.
    pub subject: String,
    /// "to Bob and Carol".
    pub to_words: String,
    /// "Waits 10 seconds, so that you can call it back".
    pub state_words: String,
    /// `waiting`, `queued`, `sending`, `sent`, `failed`, `cancelled`: chooses the glyph.
    pub state: &'static str,
    /// "4 attempts. Trying again at 14:05."; empty for none.
    pub attempts_words: String,
    /// Since when it waits.
    pub date_words: String,
    /// RFC 3339.
    pub date_iso: String,
    /// Each who is to get it.
    pub recipients: Vec<Recipient>,
    /// Whether it can be tried at once.
    pub can_retry: bool,
    /// Whether it can be called back.
    pub can_cancel: bool,
}

/// One who is to get it.
#[derive(Debug, Clone, Default)]
pub struct Recipient {
    /// The address.
    pub address: String,
    /// "Accepted", "Put off", "Refused".
    pub state_words: String,
    /// What the server said; empty for nothing.
    pub reply: String,
    /// Whether it is trouble.
    pub trouble: bool,
}

impl Entry {
    /// The name of the picture for its state.
    #[must_use]
    pub fn icon(&self) -> &'static str {
        match self.state {
            "sent" => "check",
            "failed" => "warning",
            "cancelled" => "close",
            _ => "clock",
        }
    }
}
