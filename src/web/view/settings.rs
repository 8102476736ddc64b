//! Settings: accounts, appearance, writing, the passphrase, tokens for programs.

use askama::Template;

use super::{AccountForm, RemoteSettings, Shell};

/// `/settings`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/settings.html")]
pub struct SettingsPage {
    /// What surrounds it; its `theme` and `density` are what the forms show as chosen.
    pub shell: Shell,
    /// The accounts.
    pub accounts: Vec<AccountView>,
    /// The form for one more account.
    pub form: AccountForm,
    /// Whether nothing goes out that is not encrypted.
    pub secure: bool,
    /// Whether a key of the owner's is in no copy yet.
    pub needs_copy: bool,
    /// What is put under each message.
    pub signature: String,
    /// What went wrong with the passphrase; empty for nothing.
    pub passphrase_trouble: String,
    /// "A recovery sheet was made on 3 Mar 2025."
    pub recovery_words: String,
    /// Whether the passphrase may be forgotten.
    pub recoverable: bool,
    /// "Nobody gets in from afar."
    pub afar_words: String,
    /// What went wrong with a token; empty for nothing.
    pub token_trouble: String,
    /// Tokens that were made.
    pub tokens: Vec<TokenView>,
    /// The token that was just made: shown this once.
    pub new_token: Option<NewToken>,
    /// Pictures from other servers, Tor, and what was decided about senders.
    pub remote: RemoteSettings,
}

/// One account.
#[derive(Debug, Clone, Default)]
pub struct AccountView {
    /// The address.
    pub address: String,
    /// The owner's name in mail from it.
    pub name: String,
    /// Whether its mail is kept private whenever the other side can read it.
    pub prefers_private: bool,
    /// "imap.example.org, port 993, TLS".
    pub imap_words: String,
    /// "smtp.example.org, port 465, TLS".
    pub smtp_words: String,
    /// "18,220 messages, up to date since 12:04".
    pub state_words: String,
    /// Whether all is well.
    pub ok: bool,
}

/// A token that a program may use.
#[derive(Debug, Clone, Default)]
pub struct TokenView {
    /// Its name.
    pub name: String,
    /// "read", "write", "admin".
    pub scope: String,
    /// "made 3 Mar, last used yesterday".
    pub used_words: String,
}

/// A token, shown once.
#[derive(Debug, Clone, Default)]
pub struct NewToken {
    /// Its name.
    pub name: String,
    /// The token.
    pub token: String,
}
