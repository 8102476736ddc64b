//! The arguments, as `interface.md` fixes them.

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

/// How the server is reached from elsewhere.
#[derive(Args, Default)]
pub(super) struct Remote {
    /// Also publish the onion service, whatever the settings say
    #[arg(long)]
    pub(super) onion: bool,
    /// Where the remote door listens for PageKite or another web server, which answers --remote-host by TLS
    #[arg(long, value_name = "ADDR:PORT", requires = "remote_host")]
    pub(super) remote_listen: Option<String>,
    /// The name that it answers
    #[arg(long, value_name = "NAME", requires = "remote_listen")]
    pub(super) remote_host: Option<String>,
    /// A name of which everything below leads there, too: content of mail gets names of its own below it
    #[arg(long, value_name = "NAME", requires = "remote_listen")]
    pub(super) remote_content: Option<String>,
}

#[derive(Subcommand)]
pub(super) enum RemoteAccess {
    /// How it stands
    Status,
    /// The second factor: begin, confirm, forget
    #[command(subcommand)]
    Factor(Factor),
    /// Make new spare codes and print them this once
    Codes,
    /// Sessions: list, name, end
    #[command(subcommand)]
    Session(Session),
    /// Your devices elsewhere: list, add, remove
    #[command(subcommand)]
    Device(RemoteDevice),
    /// Passkeys: list, name, remove; they are added in the browser
    #[command(subcommand)]
    Passkey(Passkey),
    /// Make a new onion address; the one before leads nowhere
    Address,
}

#[derive(Subcommand)]
pub(super) enum Factor {
    /// Make a secret for a program that shows codes; it counts once confirmed
    Begin,
    /// Say that the program has it, by the code that it shows; prints spare codes this once
    Confirm {
        /// The code of this moment
        code: String,
    },
    /// Let nobody in from afar
    Forget,
}

#[derive(Subcommand)]
pub(super) enum Session {
    /// Who is signed in from afar
    List,
    /// Call one something else
    Name {
        /// Which
        id: String,
        /// The name
        name: String,
    },
    /// Sign one out
    End {
        /// Which
        id: String,
    },
}

#[derive(Subcommand)]
pub(super) enum Passkey {
    /// All of them
    List,
    /// Call one something else
    Name {
        /// Which
        name: String,
        /// The new name
        new: String,
    },
    /// Remove one, and end the sessions that were begun with it
    Remove {
        /// Which
        name: String,
    },
}

#[derive(Subcommand)]
pub(super) enum RemoteDevice {
    /// All of them
    List,
    /// Add one, and print this once what it needs to find the onion address
    Add {
        /// What to call it
        name: String,
    },
    /// Remove one, and sign it out
    Remove {
        /// Which
        name: String,
    },
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

#[derive(Subcommand)]
pub(super) enum Account {
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
pub(super) struct AccountAdd {
    /// The address
    pub(super) email: String,
    /// The owner's name in From
    #[arg(long, default_value = "")]
    pub(super) name: String,
    /// Where mail is fetched
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) imap: Option<String>,
    /// How that connection is protected
    #[arg(long, value_name = "tls|starttls|none")]
    pub(super) imap_security: Option<Security>,
    /// Where mail is fetched by POP3 (not there yet)
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) pop3: Option<String>,
    /// How that connection is protected (not there yet)
    #[arg(long, value_name = "tls|starttls|none")]
    pub(super) pop3_security: Option<Security>,
    /// Where mail is handed in
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) smtp: Option<String>,
    /// How that connection is protected
    #[arg(long, value_name = "tls|starttls|none")]
    pub(super) smtp_security: Option<Security>,
    /// The name the servers know the owner by; otherwise the address
    #[arg(long)]
    pub(super) user: Option<String>,
    /// A file whose first line is the password; otherwise a prompt
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,
    /// A CA for this account's servers
    #[arg(long, value_name = "PEM")]
    pub(super) ca_file: Option<PathBuf>,
    /// Whether to ask correspondents for encryption (Autocrypt)
    #[arg(long, value_name = "mutual|nopreference", default_value = "mutual")]
    pub(super) prefer_encrypt: String,
    /// How its servers are reached: from this machine, or through Tor alone; they are found through Tor in any case
    #[arg(long, value_name = "direct|tor", default_value = "direct")]
    pub(super) route: String,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Security {
    /// TLS from the first byte
    Tls,
    /// TLS before the login, or no login
    Starttls,
    /// Clear text
    None,
}

impl Security {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Starttls => "starttls",
            Self::None => "none",
        }
    }
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

/// Keys.
#[derive(clap::Subcommand)]
pub(super) enum Key {
    /// All keys: yours, then those of others
    List,
    /// Make a key for an address of yours
    Make { email: String },
    /// Make a new key for an address that has one; the old one vouches for it and is kept for reading
    Renew { email: String },
    /// Hand a key out, armoured: yours, or the one known of a correspondent
    Export {
        email: String,
        /// With its secret half: whoever has it can read your mail
        #[arg(long)]
        secret: bool,
    },
    /// Hand out the revocation certificate of a key of yours: published, it takes the key back for ever
    Revocation { email: String },
    /// Take keys in from a file
    Import {
        file: PathBuf,
        /// What opens a secret key that is locked
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Write an encrypted copy of all your keys, which your passphrase opens
    Backup { file: PathBuf },
    /// Look for the keys of an address, through Tor: in the directory of its domain, and at the key servers of
    /// `lookup.servers`
    Lookup { email: String },
    /// Hand your key to the key servers of `lookup.servers`, through Tor; each writes you a mail to be confirmed
    Publish { email: String },
    /// Ask the key servers to remove it again
    Unpublish { email: String },
    /// Where your keys are published, and what is still waited for
    Publications,
    /// Confirm what the mail of a key server asks about, where you began it
    Confirm {
        /// The message
        id: String,
    },
    /// Write your keys as a Web Key Directory, for the web server of your own domain
    WkdExport { dir: PathBuf },
    /// Move a key to or from another program (Autocrypt Setup Message)
    #[command(subcommand)]
    SetupMessage(SetupMessage),
}

/// The owner's devices.
#[derive(Subcommand)]
pub(super) enum Device {
    /// All devices
    List,
    /// Ask your other devices to let this one in
    Pair {
        /// The account; needed only where there are several
        email: Option<String>,
    },
    /// Devices that ask to be let in here
    Requests,
    /// Let the request of a device go on to the comparison
    Accept {
        /// The device
        id: String,
    },
    /// Say what the new device shows; another string ends the pairing
    Confirm {
        /// The device
        id: String,
        /// The three numbers that the new device shows
        #[arg(long)]
        sas: Option<String>,
    },
    /// Show a code that lets a new device in, once and within ten minutes
    Code {
        /// The account; needed only where there are several
        email: Option<String>,
    },
    /// Let this new device in by the code that another one shows
    Join {
        /// The code; without it, it is asked for on the terminal, or read from standard input
        code: Option<String>,
        /// The account; told by the code where it is left out
        #[arg(long)]
        email: Option<String>,
    },
    /// End the pairing that goes on
    Cancel {
        /// The account; all of them where none is named
        email: Option<String>,
    },
    /// Call a device by another name, on all devices
    Name {
        /// The device
        id: String,
        /// Its name
        name: String,
    },
    /// Remove a device for good
    Remove {
        /// The device
        id: String,
    },
}

/// Autocrypt Setup Messages.
#[derive(clap::Subcommand)]
pub(super) enum SetupMessage {
    /// Send yourself a message with your key, and print the code that opens it
    Make { email: String },
    /// Take the key of such a message in
    Open {
        id: String,
        /// A file with the code
        #[arg(long, value_name = "FILE")]
        code_file: PathBuf,
    },
}

/// Correspondents and their keys.
#[derive(clap::Subcommand)]
pub(super) enum Peer {
    /// All who have a key
    List,
    /// What is known of one, and what was decided
    Show { email: String },
    /// Say that you compared this fingerprint with its owner
    Verify { email: String, fingerprint: String },
    /// Use the newer key that waits
    Accept {
        email: String,
        /// The key with this fingerprint instead, which `key lookup` found
        #[arg(long, value_name = "FINGERPRINT")]
        key: Option<String>,
    },
    /// Keep the old key
    Keep { email: String },
    /// Make a link by which one person compares keys with you (SecureJoin)
    Invite {
        /// The address that they write from
        email: String,
        /// The account to invite from; otherwise the first
        #[arg(long, default_value = "")]
        from: String,
    },
    /// Invitations made and taken up, and how far they are
    Invitations,
    /// Take up such a link, of Mailkeep or Delta Chat
    Join {
        link: String,
        /// The account to answer with; otherwise the first
        #[arg(long, default_value = "")]
        from: String,
    },
}

/// The recovery key.
#[derive(clap::Subcommand)]
pub(super) enum Recovery {
    /// Make one and print it this once; the one before opens nothing any more
    Make,
    /// Split it into shares to be kept by several people, and print them
    Split {
        /// How many shares give it back
        #[arg(long, value_name = "K", default_value_t = crate::engine::recovery::NEED)]
        need: u8,
        /// How many shares to make
        #[arg(long, value_name = "N", default_value_t = crate::engine::recovery::OF)]
        of: u8,
        /// A file with the recovery key; otherwise a prompt
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
    },
    /// Join shares, and print the key
    Join {
        /// Files with a share each, or the letters that brought them
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}
