//! Keys, those who hold them, and devices that share them.

use clap::Subcommand;
use std::path::PathBuf;

/// Keys.
#[derive(Subcommand)]
pub(in crate::cli) enum Key {
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
pub(in crate::cli) enum Device {
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
#[derive(Subcommand)]
pub(in crate::cli) enum SetupMessage {
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
#[derive(Subcommand)]
pub(in crate::cli) enum Peer {
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
#[derive(Subcommand)]
pub(in crate::cli) enum Recovery {
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
