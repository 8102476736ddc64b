//! Accounts and their servers.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(in crate::cli) enum Account {
    /// Add an account after a real login to both servers; servers that are not given are found
    Add(Box<AccountAdd>),
    /// All accounts
    List,
    /// Log in to the servers of one account or all
    Check {
        /// Only this one
        email: Option<String>,
    },
    /// Say whether its mail is kept private whenever the other side can read it (Autocrypt)
    Prefer {
        /// Which
        email: String,
        /// Whether to ask correspondents for encryption
        #[arg(value_name = "mutual|nopreference")]
        prefer_encrypt: String,
    },
    /// Say how its servers are reached: from this machine, or through Tor alone
    Route {
        /// Which
        email: String,
        /// By which route
        #[arg(value_name = "direct|tor")]
        route: String,
    },
    /// Remove an account; the servers keep their mail
    Remove {
        /// Which
        email: String,
        /// Keep its mail here
        #[arg(long)]
        keep_mail: bool,
    },
}

#[derive(Args)]
pub(in crate::cli) struct AccountAdd {
    /// The address
    pub(in crate::cli) email: String,
    /// The owner's name in From
    #[arg(long, default_value = "")]
    pub(in crate::cli) name: String,
    /// Where mail is fetched
    #[arg(long, value_name = "HOST:PORT")]
    pub(in crate::cli) imap: Option<String>,
    /// How that connection is protected
    #[arg(long, value_name = "tls|starttls|none")]
    pub(in crate::cli) imap_security: Option<Security>,
    /// Where mail is fetched by POP3 (not there yet)
    #[arg(long, value_name = "HOST:PORT")]
    pub(in crate::cli) pop3: Option<String>,
    /// How that connection is protected (not there yet)
    #[arg(long, value_name = "tls|starttls|none")]
    pub(in crate::cli) pop3_security: Option<Security>,
    /// Where mail is handed in
    #[arg(long, value_name = "HOST:PORT")]
    pub(in crate::cli) smtp: Option<String>,
    /// How that connection is protected
    #[arg(long, value_name = "tls|starttls|none")]
    pub(in crate::cli) smtp_security: Option<Security>,
    /// The name the servers know the owner by; otherwise the address
    #[arg(long)]
    pub(in crate::cli) user: Option<String>,
    /// A file whose first line is the password; otherwise a prompt
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) password_file: Option<PathBuf>,
    /// A CA for this account's servers
    #[arg(long, value_name = "PEM")]
    pub(in crate::cli) ca_file: Option<PathBuf>,
    /// Whether to ask correspondents for encryption (Autocrypt)
    #[arg(long, value_name = "mutual|nopreference", default_value = "mutual")]
    pub(in crate::cli) prefer_encrypt: String,
    /// How its servers are reached: from this machine, or through Tor alone; they are found through Tor in any case
    #[arg(long, value_name = "direct|tor", default_value = "direct")]
    pub(in crate::cli) route: String,
}

#[derive(Clone, Copy, ValueEnum)]
pub(in crate::cli) enum Security {
    /// TLS from the first byte
    Tls,
    /// TLS before the login, or no login
    Starttls,
    /// Clear text
    None,
}

impl Security {
    pub(in crate::cli) const fn word(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Starttls => "starttls",
            Self::None => "none",
        }
    }
}
