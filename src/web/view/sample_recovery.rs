//! Made-up recovery of Alice for the tests of the pages.

use super::sample::{FINGERPRINT, HOSTILE, shell};
use super::*;

/// The steps, before any was done and after all were.
pub(super) fn pages() -> [(&'static str, RecoveryPage); 2] {
    let bob = HolderView {
        address: "bob@example.net".into(),
        name: "Bob Marlow".into(),
        verified: true,
        chosen: true,
    };
    let carol = HolderView { name: HOSTILE.into(), verified: false, chosen: false, ..bob.clone() };
    let before = RecoveryPage {
        shell: shell("If the passphrase is lost", Spot::Settings, "/settings/recovery", ""),
        trouble: HOSTILE.into(),
        made_words: String::new(),
        has_keys: true,
        copied: false,
        copied_words: String::new(),
        split_words: String::new(),
        holders: Vec::new(),
        need: "3".into(),
    };
    let after = RecoveryPage {
        trouble: String::new(),
        made_words: "3 Mar 2025".into(),
        copied: true,
        copied_words: "4 Mar 2025".into(),
        split_words: "Split on 4 Mar 2025 among Bob and Carol. Any 2 of them give it back.".into(),
        holders: vec![bob, carol],
        ..before.clone()
    };
    [("recovery", before), ("recovery-done", after)]
}

/// The sheet.
pub(super) fn sheet() -> RecoverySheet {
    let groups: Vec<String> =
        ["4X7Q", "2M9F", "8W3K", "6T1Z"].iter().cycle().take(14).map(ToString::to_string).collect();
    RecoverySheet {
        shell: shell("Recovery sheet", Spot::Settings, "/settings/recovery", ""),
        addresses: vec!["alice@example.org".into(), HOSTILE.into()],
        store: "3F2A 91C0 77B1 0D4E".into(),
        day: "3 Mar 2025".into(),
        qr: Qr::of_recovery_key(&groups.join(" ")),
        groups,
        keys: vec![("alice@example.org".into(), FINGERPRINT.into())],
    }
}

/// The door for shares.
pub(super) fn doors() -> [(&'static str, SharesPage); 1] {
    let notice = Some(Notice { words: HOSTILE.into(), trouble: true });
    [("shares", SharesPage { csrf: "c2FtcGxl".into(), theme: Theme::Auto, shares: HOSTILE.into(), notice })]
}
