//! First run in four steps, and the door after it.

use askama::Template;

use super::shell::{Notice, Theme};

/// Step 1: the passphrase.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "pages/setup_passphrase.html")]
pub struct SetupPassphrase {
    /// The form token.
    pub csrf: String,
    /// Light, dark, or what the system says.
    pub theme: Theme,
    /// The one-time code from the terminal must be given (any listener but loopback).
    pub asks_code: bool,
    /// What must be put right; empty for nothing.
    pub trouble: String,
}

/// Step 2: address and password.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "pages/setup_account.html")]
pub struct SetupAccount {
    /// The form token.
    pub csrf: String,
    /// Light, dark, or what the system says.
    pub theme: Theme,
    /// The form.
    pub form: AccountForm,
}

/// Step 3: whether mail is kept private.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "pages/setup_privacy.html")]
pub struct SetupPrivacy {
    /// The form token.
    pub csrf: String,
    /// The account.
    pub address: String,
    /// Light, dark, or what the system says.
    pub theme: Theme,
}

/// Step 4: mail is arriving.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "pages/setup_done.html")]
pub struct SetupDone {
    /// The form token.
    pub csrf: String,
    /// Light, dark, or what the system says.
    pub theme: Theme,
    /// The account.
    pub address: String,
    /// "1,204 of 18,220 messages are here."
    pub words: String,
    /// Messages here.
    pub arrived: u64,
    /// Messages on the server; nought while that is not known.
    pub expected: u64,
}

/// The form of an account, in set-up and in settings.
#[derive(Debug, Clone, Default)]
pub struct AccountForm {
    /// The address.
    pub address: String,
    /// The owner's name.
    pub name: String,
    /// What to sign in with, when it is not the address.
    pub user: String,
    /// The server mail is read from.
    pub imap_host: String,
    /// Its port.
    pub imap_port: String,
    /// `tls`, `starttls`, `none`.
    pub imap_security: String,
    /// The server mail is sent by.
    pub smtp_host: String,
    /// Its port.
    pub smtp_port: String,
    /// `tls`, `starttls`, `none`.
    pub smtp_security: String,
    /// Whether the servers are reached through Tor alone.
    pub by_tor: bool,
    /// "Found in example.org's own settings."; empty when nothing was looked for.
    pub found_words: String,
    /// What must be put right; empty for nothing.
    pub trouble: String,
    /// Whether the servers start open.
    pub servers_open: bool,
    /// Whether the form sits in settings, where "find servers" needs a script.
    pub in_settings: bool,
}

impl AccountForm {
    /// Whether a security of that name is chosen for reading; TLS unless something was said.
    #[must_use]
    pub fn imap_is(&self, security: &str) -> bool {
        chosen(&self.imap_security, security)
    }

    /// Whether a security of that name is chosen for sending; TLS unless something was said.
    #[must_use]
    pub fn smtp_is(&self, security: &str) -> bool {
        chosen(&self.smtp_security, security)
    }
}

fn chosen(set: &str, security: &str) -> bool {
    if set.is_empty() { security == "tls" } else { set == security }
}

/// The door: `/unlock`. One password field, one button.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "pages/unlock.html")]
pub struct UnlockPage {
    /// The form token.
    pub csrf: String,
    /// Light, dark, or what the system says.
    pub theme: Theme,
    /// Where to go once it is open; empty for the inbox.
    pub back: String,
    /// "That is not the passphrase.", "It was locked after 30 minutes."
    pub notice: Option<Notice>,
}
