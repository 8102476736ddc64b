//! What helps when the passphrase is forgotten or the machine lost: `/settings/recovery`, its sheet, and the door for shares.

use askama::Template;

use super::{Notice, Qr, Shell, Theme};

/// `/settings/recovery`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/recovery.html")]
pub struct RecoveryPage {
    /// What surrounds it.
    pub shell: Shell,
    /// What went wrong with what was just asked for; empty for nothing.
    pub trouble: String,
    /// When the sheet was made: "3 Mar 2025"; empty for never.
    pub made_words: String,
    /// Whether there are keys to copy.
    pub has_keys: bool,
    /// Whether a copy holds them all.
    pub copied: bool,
    /// When the newest copy was made: "3 Mar 2025"; empty for never.
    pub copied_words: String,
    /// "On 3 Mar 2025, among Bob and Carol; any 2 of them give it back." Empty where it was not split.
    pub split_words: String,
    /// Who can be asked to hold a share.
    pub holders: Vec<HolderView>,
    /// How many shares are to be needed.
    pub need: String,
}

/// Somebody who can be asked to hold a share.
#[derive(Debug, Clone, Default)]
pub struct HolderView {
    /// The address.
    pub address: String,
    /// The name, or the address again.
    pub name: String,
    /// Whether their key was compared.
    pub verified: bool,
    /// Whether they are chosen.
    pub chosen: bool,
}

/// The sheet, shown this once.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/recovery_sheet.html")]
pub struct RecoverySheet {
    /// What surrounds it on the screen.
    pub shell: Shell,
    /// The addresses whose mail it opens.
    pub addresses: Vec<String>,
    /// The name of the store, in groups of four.
    pub store: String,
    /// "3 Mar 2025".
    pub day: String,
    /// The recovery key in groups of four.
    pub groups: Vec<String>,
    /// The same for a camera.
    pub qr: Option<Qr>,
    /// The owner's keys: address, and fingerprint in groups.
    pub keys: Vec<(String, String)>,
}

/// `/unlock/shares`: the door for who has shares of the recovery key.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/unlock_shares.html")]
pub struct SharesPage {
    /// The form token.
    pub csrf: String,
    /// Light, dark or as the system.
    pub theme: Theme,
    /// What was typed.
    pub shares: String,
    /// What to say.
    pub notice: Option<Notice>,
}
