//! An invitation to compare keys, as `/keys` and a contact's page show it.

use super::Qr;

/// An invitation, made or taken up.
#[derive(Debug, Clone, Default)]
pub struct InvitationView {
    /// The other side.
    pub address: String,
    /// What it waits for, or how it ended, in a sentence.
    pub words: String,
    /// Whether that calls for caution.
    pub caution: bool,
    /// The name of the picture beside it.
    pub icon: &'static str,
    /// What happens one after the other.
    pub steps: Vec<InvitationStep>,
    /// The link of one that can be used; empty otherwise.
    pub link: String,
    /// The same as a code to be scanned.
    pub qr: Option<Qr>,
    /// "It is good once, for bob@example.net alone, until 3 Mar 2025."
    pub limits: String,
}

impl InvitationView {
    /// Their page, where its steps are.
    #[must_use]
    pub fn href(&self) -> String {
        format!("/contacts/{}#invitation", super::encoded(&self.address))
    }
}

/// One step of it.
#[derive(Debug, Clone, Default)]
pub struct InvitationStep {
    /// "Their program asks for your key."
    pub words: String,
    /// Whether it is done.
    pub done: bool,
    /// Whether it is the one that is waited for.
    pub next: bool,
}
