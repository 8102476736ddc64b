//! The small pages: contacts, the way out, errors, keys of the keyboard.

use askama::Template;

use super::Shell;
use super::shell::Theme;

/// People one wrote with: `/contacts`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/contacts.html")]
pub struct ContactsPage {
    /// What surrounds it.
    pub shell: Shell,
    /// Them.
    pub contacts: Vec<Contact>,
    /// How many there are in all, in words.
    pub count_words: String,
    /// Where the page before leads.
    pub newer: Option<String>,
    /// Where the page after leads.
    pub older: Option<String>,
}

/// Somebody one wrote with.
#[derive(Debug, Clone, Default)]
pub struct Contact {
    /// The name; empty when only the address is known.
    pub name: String,
    /// The address.
    pub address: String,
    /// Letters of the round mark.
    pub initials: String,
    /// Its hue, 0 to 11.
    pub hue: u8,
    /// Where their picture lies; empty where the letters are all there is.
    pub picture: String,
    /// "41 messages".
    pub count_words: String,
    /// "same key", "different key"; empty where no key is known.
    pub key_words: &'static str,
    /// "3 Mar".
    pub date_words: String,
    /// RFC 3339.
    pub date_iso: String,
}

impl Contact {
    /// The class that gives the round mark its colour.
    #[must_use]
    pub const fn hue_class(&self) -> u8 {
        self.hue % 12
    }

    /// The name, or else the address.
    #[must_use]
    pub fn shown(&self) -> &str {
        if self.name.is_empty() { &self.address } else { &self.name }
    }

    /// Their page.
    #[must_use]
    pub fn href(&self) -> String {
        format!("/contacts/{}", super::encoded(&self.address))
    }

    /// A new message to this address.
    #[must_use]
    pub fn write_href(&self) -> String {
        format!("/compose?to={}", super::encoded(&self.address))
    }
}

/// Where a link in a message goes, before one goes there: `/leave`.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "pages/leave.html")]
pub struct LeavePage {
    /// Light, dark, or what the system says.
    pub theme: Theme,
    /// Whether it leads to a new message, not out.
    pub writes: bool,
    /// The address, whole, http or https only; or the path of the new message.
    pub href: String,
    /// Its beginning, up to the host.
    pub before: String,
    /// The host, or whom the new message is to: what counts.
    pub host: String,
    /// The rest.
    pub after: String,
    /// "The message showed another address: bank.example."; empty for nothing.
    pub caution: String,
}

/// Something did not work: 403, 404, 500 and the like.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "pages/error.html")]
pub struct ErrorPage {
    /// Light, dark, or what the system says.
    pub theme: Theme,
    /// The status, shown small.
    pub status: u16,
    /// "Nothing is here".
    pub heading: String,
    /// What happened, what was not lost.
    pub words: String,
    /// What to do: label and address.
    pub action: Option<(String, String)>,
}

/// The keys of the keyboard: `/keyboard`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/keyboard.html")]
pub struct KeyboardPage {
    /// What surrounds it.
    pub shell: Shell,
}
