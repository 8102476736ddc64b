//! Reaching the mail from afar: `/settings/remote` and what it shows once, and the way in at the remote door.

use askama::Template;

use super::{Notice, Qr, Shell, Theme};

/// `/settings/remote`.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "pages/remote_access.html")]
pub struct RemoteAccessPage {
    /// What surrounds it.
    pub shell: Shell,
    /// What went wrong with what was just asked for; empty for nothing.
    pub trouble: String,
    /// The unlock address.
    pub unlock: UnlockView,
    /// When the second factor was set up: "3 Mar 2025"; empty where there is none.
    pub factor_words: String,
    /// How many spare codes are left.
    pub spare_codes: i64,
    /// Whether the onion service is wanted.
    pub wanted: bool,
    /// Its address, `….onion`; empty where none was made.
    pub address: String,
    /// How it stands, in a sentence.
    pub onion_words: String,
    /// Whether that is trouble.
    pub onion_trouble: bool,
    /// Whether it is on, by the settings or by how Mailkeep was started.
    pub is_on: bool,
    /// Whether only devices with a key find it.
    pub restricted: bool,
    /// The owner's devices elsewhere.
    pub devices: Vec<DeviceView>,
    /// The passkeys.
    pub passkeys: Vec<PasskeyView>,
    /// Whether one can be added here: under a name that is reached by TLS.
    pub can_add_passkey: bool,
    /// Whether a device was just removed that still knows the address.
    pub offer_address: bool,
    /// The sessions that live.
    pub sessions: Vec<SessionView>,
}

/// The unlock address.
#[derive(Debug, Clone, Default)]
pub struct UnlockView {
    /// Whether it is wanted.
    pub wanted: bool,
    /// Its address, `….onion`; empty where there is none.
    pub address: String,
    /// How it stands, in a sentence.
    pub words: String,
    /// Whether it is announced when it is needed.
    pub ready: bool,
    /// Whether it can be switched on: there are an onion address and codes.
    pub possible: bool,
}

/// A device elsewhere.
#[derive(Debug, Clone, Default)]
pub struct DeviceView {
    /// What the owner calls it.
    pub name: String,
    /// "has a key, last seen yesterday".
    pub words: String,
}

/// A passkey.
#[derive(Debug, Clone, Default)]
pub struct PasskeyView {
    /// What the owner calls it.
    pub name: String,
    /// "for mail.example.org, last used yesterday".
    pub words: String,
}

/// A remote session.
#[derive(Debug, Clone, Default)]
pub struct SessionView {
    /// By which it is ended.
    pub id: String,
    /// What the owner calls it.
    pub name: String,
    /// "since 12:04, last used 12:31, by alice.example".
    pub words: String,
    /// Whether it is the one that looks at the page.
    pub is_this: bool,
}

/// The secret of a second factor, shown until a code proves that it arrived.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/remote_factor.html")]
pub struct FactorPage {
    /// What surrounds it.
    pub shell: Shell,
    /// What went wrong with the code; empty for nothing.
    pub trouble: String,
    /// The secret in groups of four.
    pub secret: String,
    /// For a camera.
    pub qr: Option<Qr>,
    /// What shows that the secret was seen.
    pub seen: String,
}

/// Spare codes, shown this once.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/remote_codes.html")]
pub struct SpareCodesPage {
    /// What surrounds it.
    pub shell: Shell,
    /// The codes.
    pub codes: Vec<String>,
    /// "3 Mar 2025".
    pub day: String,
}

/// What a device needs, shown this once.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/remote_device.html")]
pub struct DevicePage {
    /// What surrounds it.
    pub shell: Shell,
    /// What the owner calls it.
    pub name: String,
    /// The address by which it comes in.
    pub address: String,
    /// The same for a camera.
    pub address_qr: Option<Qr>,
    /// The key, as Tor Browser asks for it.
    pub key: String,
    /// The same for a camera.
    pub key_qr: Option<Qr>,
    /// The line of a file for Tor.
    pub line: String,
    /// The address by which it unlocks; empty where there is none.
    pub unlock_address: String,
    /// The same line for that one.
    pub unlock_line: String,
}

/// The one page of the unlock address.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "pages/unlock_afar.html")]
pub struct UnlockAfarPage {
    /// The form token.
    pub csrf: String,
    /// Light, dark or as the system.
    pub theme: Theme,
    /// What to say.
    pub notice: Option<Notice>,
}

/// What it says once the store is unlocked.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "pages/unlocked_afar.html")]
pub struct UnlockedAfarPage {
    /// Light, dark or as the system.
    pub theme: Theme,
    /// The address of the mailbox; empty where it has none any more.
    pub address: String,
}

/// The way in at the remote door.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "pages/sign_in.html")]
pub struct SignInPage {
    /// The form token.
    pub csrf: String,
    /// Light, dark or as the system.
    pub theme: Theme,
    /// Where to go on afterwards.
    pub back: String,
    /// What to say.
    pub notice: Option<Notice>,
    /// Whether the browser is one that is known.
    pub is_known: bool,
    /// Whether a passkey can be used here: under a name that is reached by TLS.
    pub by_passkey: bool,
}

/// The remote door while the store is locked: nothing is asked.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "pages/locked_afar.html")]
pub struct LockedPage {
    /// Light, dark or as the system.
    pub theme: Theme,
}
