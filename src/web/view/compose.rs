//! Writing: the composer on a page of its own and at the foot of a thread.

use askama::Template;

use super::{Forecast, Shell};

/// Writing on a page of its own: `/compose`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/compose.html")]
pub struct ComposePage {
    /// What surrounds it.
    pub shell: Shell,
    /// "New message", "Reply", "Forward", "Draft".
    pub heading: String,
    /// The form.
    pub composer: Composer,
}

/// The form of a message that is being written.
#[derive(Debug, Clone, Default)]
pub struct Composer {
    /// The draft's id; empty before it is saved for the first time.
    pub draft: String,
    /// The message this answers; empty for none.
    pub reply: String,
    /// The message this forwards; empty for none.
    pub forward: String,
    /// The draft on a server that this goes on from; empty for none.
    pub edit: String,
    /// The token of this form: sent twice, it sends one message.
    pub once: String,
    /// Whether it is the short form at the foot of a thread.
    pub inline: bool,
    /// The same on a page of its own; only for the short form.
    pub full_href: String,
    /// The addresses one can write from.
    pub from: Vec<SenderChoice>,
    /// To, as typed.
    pub to: String,
    /// Cc, as typed.
    pub cc: String,
    /// Bcc, as typed.
    pub bcc: String,
    /// The subject.
    pub subject: String,
    /// The text, with quote and signature.
    pub body: String,
    /// Files that are already there.
    pub kept: Vec<Kept>,
    /// The message that is answered, also where a draft goes on with the answer; empty for none.
    pub answers: String,
    /// `auto`, `yes` or `no`: whether it is to be private.
    pub wish: &'static str,
    /// What it answers or passes on came in private.
    pub came_private: bool,
    /// What will happen to it.
    pub forecast: Forecast,
    /// What else is put to it: "Your signature is put under it."; empty for nothing.
    pub note: String,
    /// "Saved 12:04"; empty before.
    pub saved_words: String,
    /// What must be put right before it can go out; empty for nothing.
    pub trouble: String,
    /// People one wrote with, as `Name <address>`, to complete while typing.
    pub people: Vec<String>,
}

impl Composer {
    /// Whether the lines for copies start open.
    #[must_use]
    pub const fn has_copies(&self) -> bool {
        !self.cc.is_empty() || !self.bcc.is_empty()
    }
}

/// An address one can write from.
#[derive(Debug, Clone, Default)]
pub struct SenderChoice {
    /// The address, as sent in the form.
    pub address: String,
    /// `Alice <alice@example.org>`.
    pub shown: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

/// A file that already belongs to the draft.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// Its number within the draft.
    pub n: u32,
    /// Its name.
    pub name: String,
    /// "1.2 MB".
    pub size_words: String,
}
