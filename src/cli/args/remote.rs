//! Reaching the server from elsewhere.

use clap::{Args, Subcommand};

/// How the server is reached from elsewhere.
#[derive(Args, Default)]
pub(in crate::cli) struct Remote {
    /// Also publish the onion service, whatever the settings say
    #[arg(long)]
    pub(in crate::cli) onion: bool,
    /// Where the remote door listens for PageKite or another web server, which answers --remote-host by TLS
    #[arg(long, value_name = "ADDR:PORT", requires = "remote_host")]
    pub(in crate::cli) remote_listen: Option<String>,
    /// The name that it answers
    #[arg(long, value_name = "NAME", requires = "remote_listen")]
    pub(in crate::cli) remote_host: Option<String>,
    /// A name of which everything below leads there, too: content of mail gets names of its own below it
    #[arg(long, value_name = "NAME", requires = "remote_listen")]
    pub(in crate::cli) remote_content: Option<String>,
}

#[derive(Subcommand)]
pub(in crate::cli) enum RemoteAccess {
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
pub(in crate::cli) enum Factor {
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
pub(in crate::cli) enum Session {
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
pub(in crate::cli) enum Passkey {
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
pub(in crate::cli) enum RemoteDevice {
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
