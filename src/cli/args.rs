//! The arguments, as `interface.md` fixes them.

mod accounts;
mod keys;
mod remote;

pub(super) use accounts::{Account, AccountAdd, Security};
pub(super) use keys::{Device, Key, Peer, Recovery, SetupMessage};
pub(super) use remote::{Factor, Passkey, Remote, RemoteAccess, RemoteDevice, Session};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// Self-hosted webmail for one person: encrypted at rest, searched in milliseconds, private by construction.
#[derive(Parser)]
#[command(name = "mailkeep", version, propagate_version = true, max_term_width = 100)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Args)]
pub(super) struct Global {
    /// The data directory; otherwise MAILKEEP_DATA, otherwise ~/.local/share/mailkeep
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// A file whose first line is the passphrase; otherwise MAILKEEP_PASSPHRASE_FILE, otherwise a prompt
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) passphrase_file: Option<PathBuf>,
    /// Answer with one JSON value
    #[arg(long, global = true, overrides_with = "json")]
    pub(super) json: bool,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make an empty encrypted store
    Init,
    /// Change the passphrase
    #[command(subcommand)]
    Passphrase(Passphrase),
    /// A key that opens the store without the passphrase: make, split, join
    #[command(subcommand)]
    Recovery(Recovery),
    /// Lock the running server
    Lock,
    /// Run the server in the foreground
    Serve {
        /// Where to listen; port 0 picks a free one
        #[arg(long, default_value = "127.0.0.1:7677", value_name = "ADDR:PORT")]
        listen: String,
        /// Open the first page in the browser
        #[arg(long)]
        open: bool,
        /// How it is reached from elsewhere
        #[command(flatten)]
        remote: Remote,
    },
    /// A throw-away store filled with sample mail, served; gone when it ends
    Demo {
        /// Where to listen; port 0 picks a free one
        #[arg(long, default_value = "127.0.0.1:7677", value_name = "ADDR:PORT")]
        listen: String,
    },
    /// Accounts: add, list, check, prefer, route, remove
    #[command(subcommand)]
    Account(Account),
    /// One full pass in both directions, then end
    Sync {
        /// Only this account
        email: Option<String>,
    },
    /// Take in an mbox, a Maildir, one message in a file, or a directory of these
    Import {
        /// Where the mail lies
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// A tag for all of it
        #[arg(long)]
        tag: Option<String>,
    },
    /// Write mail to files
    Export {
        /// Where to; must not exist
        path: PathBuf,
        /// In which form
        #[arg(long)]
        format: Format,
        /// What
        #[arg(long, default_value = "*")]
        query: String,
    },
    /// Search
    Search {
        /// The query
        #[arg(allow_hyphen_values = true)]
        query: String,
        /// How many rows
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// How many rows to leave out
        #[arg(long, default_value_t = 0)]
        offset: usize,
        /// In which order
        #[arg(long, default_value = "newest")]
        sort: Sort,
        /// One row for each thread
        #[arg(long)]
        threads: bool,
    },
    /// Count what a query finds
    Count {
        /// The query
        #[arg(allow_hyphen_values = true)]
        query: String,
    },
    /// Show a message
    Show {
        /// Its id
        #[arg(allow_hyphen_values = true)]
        id: String,
        /// The stored bytes
        #[arg(long, group = "form")]
        raw: bool,
        /// The readable text
        #[arg(long, group = "form")]
        text: bool,
        /// The sanitised HTML document
        #[arg(long, group = "form")]
        html: bool,
    },
    /// Change tags on all messages found: tag +work -inbox -- from:bob
    Tag {
        /// +tag or -tag, several
        #[arg(allow_hyphen_values = true, value_name = "+TAG|-TAG", required = true)]
        changes: Vec<String>,
        /// The query; also everything after --
        #[arg(long, required = true, allow_hyphen_values = true)]
        query: String,
    },
    /// Remove for ever what is in the trash
    Delete {
        /// The messages' ids
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Leave the mailing list that a message came from
    Unsubscribe {
        /// The message's id
        id: String,
    },
    /// Queue a message
    Send(Box<Send>),
    /// The queue: list, flush, retry, cancel
    #[command(subcommand)]
    Outbox(Outbox),
    /// Senders: list, set, forget
    #[command(subcommand)]
    Sender(Sender),
    /// Reading mail from afar: status, factor, codes, session, device, address
    #[command(subcommand)]
    Remote(RemoteAccess),
    /// The network: status, log
    #[command(subcommand)]
    Network(Network),
    /// Read everything and verify every seal
    Check {
        /// Mend what can be mended
        #[arg(long)]
        repair: bool,
    },
    /// Backups (not there yet)
    Backup {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        rest: Vec<String>,
    },
    /// Keys: list, make, export, import, backup, setup-message
    #[command(subcommand)]
    Key(Key),
    /// Correspondents and their keys: list, show, verify, accept, keep, invite, join, invitations
    #[command(subcommand)]
    Peer(Peer),
    /// Your devices: list, pair, requests, accept, confirm, code, join, cancel, name, remove
    #[command(subcommand)]
    Device(Device),
    /// API tokens: create, list, revoke
    #[command(subcommand)]
    Token(Token),
    /// Settings: get, set
    #[command(subcommand)]
    Config(Config),
    /// How everything is
    Status,
}

#[derive(Subcommand)]
pub(super) enum Passphrase {
    /// Change it; the old one is asked for as always
    Change {
        /// A file whose first line is the new passphrase
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: PathBuf,
    },
}

#[derive(Args)]
pub(super) struct Send {
    /// The account to send from; otherwise the first
    #[arg(long, default_value = "")]
    pub(super) from: String,
    /// To
    #[arg(long, required = true, num_args = 1..)]
    pub(super) to: Vec<String>,
    /// Cc
    #[arg(long, num_args = 1..)]
    pub(super) cc: Vec<String>,
    /// Bcc
    #[arg(long, num_args = 1..)]
    pub(super) bcc: Vec<String>,
    /// Subject
    #[arg(long, allow_hyphen_values = true)]
    pub(super) subject: String,
    /// The text
    #[arg(long, value_name = "FILE")]
    pub(super) body_file: PathBuf,
    /// Files to attach
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(super) attach: Vec<PathBuf>,
    /// The message it answers
    #[arg(long, value_name = "ID")]
    pub(super) reply_to_id: Option<String>,
    /// Whether to encrypt
    #[arg(long, default_value = "auto")]
    pub(super) encrypt: Encrypt,
    /// Whether to sign
    #[arg(long)]
    pub(super) sign: Option<Sign>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Encrypt {
    /// As the recommendation says
    Auto,
    /// Or do not send at all
    Yes,
    /// In clear
    No,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Sign {
    /// Signed
    Yes,
    /// Not signed
    No,
}

#[derive(Subcommand)]
pub(super) enum Outbox {
    /// The queue
    List,
    /// Try all that is due, and wait
    Flush,
    /// Make an entry due now
    Retry {
        /// Which
        id: String,
    },
    /// Take an entry back; it becomes a draft
    Cancel {
        /// Which
        id: String,
    },
}

#[derive(Subcommand)]
pub(super) enum Sender {
    /// What was decided about senders
    List,
    /// Decide about a sender
    Set {
        /// The address
        address: String,
        /// Whether pictures from other servers are always fetched
        #[arg(long, value_name = "always|ask")]
        pictures: Option<Pictures>,
        /// Which view of their mail comes first
        #[arg(long, value_name = "html|text|usual")]
        view: Option<View>,
    },
    /// Forget what was decided about a sender
    Forget {
        /// The address
        address: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Pictures {
    /// Whenever a message is opened
    Always,
    /// Only when asked for
    Ask,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum View {
    /// As it was designed
    Html,
    /// Its text
    Text,
    /// As for everybody
    Usual,
}

#[derive(Subcommand)]
pub(super) enum Network {
    /// Every connection that left, the newest first
    Log {
        /// How many
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Tor, and which way things go
    Status,
}

#[derive(Subcommand)]
pub(super) enum Token {
    /// Make a token; it is printed this once
    Create {
        /// What to call it
        name: String,
        /// What it may do
        #[arg(long)]
        scope: Scope,
    },
    /// All tokens
    List,
    /// Revoke one
    Revoke {
        /// Which
        name: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Scope {
    /// Look
    Read,
    /// Look, tag, write and send
    Write,
    /// Everything
    Admin,
}

#[derive(Subcommand)]
pub(super) enum Config {
    /// A setting, or all
    Get {
        /// Which
        key: Option<String>,
    },
    /// Set one
    Set {
        /// Which
        key: String,
        /// To what
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Format {
    /// One file, mboxrd
    Mbox,
    /// A Maildir
    Maildir,
    /// A directory with a file for each message
    Eml,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Sort {
    /// Newest first
    Newest,
    /// Oldest first
    Oldest,
    /// Best match first
    Relevance,
}

/// Makes `tag +a -b --json -- QUERY` what the parser of arguments can tell apart: options that hold for every command go in
/// front of `tag`, and the query behind `--` becomes its option, because tags themselves may begin with a hyphen.
pub(super) fn forward(arguments: Vec<OsString>) -> Vec<OsString> {
    let Some(at) = arguments.iter().position(|a| a == "tag") else { return arguments };
    let mut rest = arguments.into_iter();
    let mut before: Vec<OsString> = rest.by_ref().take(at).collect();
    let mut after: Vec<OsString> = rest.by_ref().take(1).collect();
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy();
        if text == "--" {
            let query: Vec<String> = rest.by_ref().map(|word| word.to_string_lossy().into_owned()).collect();
            after.insert(1, format!("--query={}", query.join(" ")).into());
            break;
        }
        if text == "--json" || text.starts_with("--data=") || text.starts_with("--passphrase-file=") {
            before.push(argument);
        } else if text == "--data" || text == "--passphrase-file" {
            before.push(argument);
            before.extend(rest.next());
        } else {
            after.push(argument);
        }
    }
    before.into_iter().chain(after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(forward(words.split(' ').map(OsString::from).collect()))
    }

    #[test]
    fn tags_may_begin_with_a_hyphen_and_options_stand_anywhere() {
        let arguments = parse("mailkeep tag +work -inbox --json --data /x -- from:bob -is:unread").unwrap();
        assert!(arguments.global.json);
        assert_eq!(arguments.global.data, Some("/x".into()));
        let Command::Tag { changes, query } = arguments.command else { panic!("another command") };
        assert_eq!(changes, ["+work", "-inbox"]);
        assert_eq!(query, "from:bob -is:unread");
        assert!(parse("mailkeep tag +work").is_err());
    }

    #[test]
    fn a_query_may_begin_with_a_hyphen_and_options_follow_it() {
        let arguments = parse("mailkeep search -is:unread --json --limit 3").unwrap();
        assert!(arguments.global.json);
        let Command::Search { query, limit, .. } = arguments.command else { panic!("another command") };
        assert_eq!((query.as_str(), limit), ("-is:unread", 3));
        assert!(parse("mailkeep search --json hello").unwrap().global.json);
    }

    #[test]
    fn the_arguments_are_sound() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }
}
