//! Reaching the mail from afar: what a remote session needs (passphrase, and a code or a passkey), which browsers and sessions there are, and
//! the onion service (`threats.md` §12-16). None of it is about the local door.

pub mod ask;
pub mod ceremonies;
pub mod devices;
pub mod factor;
pub mod onion;
pub mod passkeys;
pub mod sessions;
pub mod unlock_onion;

use crate::engine::failure::Failure;
use tokio::sync::watch;

/// What of remote access lives in memory while the store is unlocked.
pub struct RemoteAccess {
    /// The sessions.
    pub sessions: sessions::Sessions,
    /// What browsers were asked of passkeys.
    pub ceremonies: ceremonies::Ceremonies,
    /// How the onion service stands.
    pub onion: watch::Sender<onion::State>,
    /// Changes when the onion service is to be looked at anew: its key, who may find it, whether it is wanted.
    pub(in crate::engine) changed: watch::Sender<()>,
    /// Held while the file of the unlock address is brought in line.
    pub(in crate::engine) settling: tokio::sync::Mutex<()>,
}

impl Default for RemoteAccess {
    fn default() -> Self {
        Self {
            sessions: sessions::Sessions::default(),
            ceremonies: ceremonies::Ceremonies::default(),
            onion: watch::channel(onion::State::Off).0,
            changed: watch::channel(()).0,
            settling: tokio::sync::Mutex::default(),
        }
    }
}

/// A name for a device, a passkey or a session.
///
/// # Errors
/// Usage, where it is none.
fn name(text: &str) -> Result<String, Failure> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
        return Err(Failure::usage("Give it a name of 1 to 60 characters, such as Laptop"));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests;
