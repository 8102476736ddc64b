//! Why no connection came to be, in words for the owner.

use super::Purpose;

/// Why no connection came to be. Printed, it is one sentence for the owner.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DialError {
    /// The owner switched the network off.
    #[error("Mailkeep is offline: {host} was not asked. Switch it online again in the network settings.")]
    Offline {
        /// The server.
        host: String,
    },
    /// Secure mode lets nothing out in clear text.
    #[error(
        "{host} would be spoken to in clear text, which secure mode does not allow. Choose TLS or STARTTLS for it, or \
         switch secure mode off in the settings."
    )]
    InClear {
        /// The server.
        host: String,
    },
    /// The settings changed while it was opened.
    #[error("{host} was not asked: the way there was just changed. Try again.")]
    Cut {
        /// The server.
        host: String,
    },
    /// It has to go through Tor, and there is none.
    #[error("Tor is not there: {why}. So {host} was not asked ({purpose}).")]
    NoTor {
        /// The server.
        host: String,
        /// What for.
        purpose: Purpose,
        /// Why Tor is not there: part of a sentence.
        why: String,
    },
    /// The owner wants no connections of that kind.
    #[error("{host} was not asked: the network settings say never ({purpose}).")]
    Never {
        /// The server.
        host: String,
        /// What for.
        purpose: Purpose,
    },
    /// The name has no address.
    #[error("No server is known by the name {host}. Check the spelling and the connection to the Internet.")]
    NameNotFound {
        /// The server.
        host: String,
    },
    /// Nobody answers there.
    #[error(
        "{host} does not answer on port {port} ({why}). Check the name and the port, or try again later."
    )]
    Unreachable {
        /// The server.
        host: String,
        /// Its port.
        port: u16,
        /// The system's word for it.
        why: String,
    },
    /// It took too long.
    #[error("{host} did not answer in time on port {port}. Check the port, or try again later.")]
    TimedOut {
        /// The server.
        host: String,
        /// Its port.
        port: u16,
    },
    /// The server could not prove who it is.
    #[error(
        "The certificate of {host} {why}. If this is your own server, give the certificate of its authority with the account."
    )]
    Certificate {
        /// The server.
        host: String,
        /// What is wrong with it.
        why: String,
    },
    /// What answers does not speak TLS, or not with us.
    #[error("No secure connection to {host} on port {port}: {why}. Check the port and the kind of security.")]
    Handshake {
        /// The server.
        host: String,
        /// Its port.
        port: u16,
        /// What went wrong.
        why: String,
    },
    /// Words in clear came where only TLS may follow.
    #[error(
        "Somebody spoke into the connection to {host} before it was secure. It was ended; no password was sent."
    )]
    Injected {
        /// The server.
        host: String,
    },
    /// The name or its addresses are none that a stranger may send us to.
    #[error("{host} is not a public server, so it was not asked.")]
    NotPublic {
        /// The server.
        host: String,
    },
    /// The CA that was given cannot be used.
    #[error("The CA given for {host} holds no usable certificate. Give a file in PEM form.")]
    BadCa {
        /// The server.
        host: String,
    },
}

impl DialError {
    /// Whether the same may work later without anybody doing anything.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::Offline { .. }
                | Self::NoTor { .. }
                | Self::NameNotFound { .. }
                | Self::Unreachable { .. }
                | Self::TimedOut { .. }
                | Self::Injected { .. }
        )
    }
}
