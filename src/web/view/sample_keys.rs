//! Made-up keys of Alice and Bob for the tests of the pages.

use super::sample::{FINGERPRINT, HOSTILE, shell};
use super::*;

/// The owner's keys: one in use, one kept for reading, and a code that was just made.
pub(super) fn keys() -> KeysPage {
    let key = KeyView {
        address: "alice@example.org".into(),
        current: true,
        use_words: "In use: it signs what you send, and those you write to are told of it.".into(),
        fingerprint: FINGERPRINT.into(),
        dates_words: "Made on 3 Mar 2025; it ends on 3 Mar 2027.".into(),
        algorithm: "Ed25519".into(),
        copy_words: "None yet".into(),
        has_copy: false,
        published: vec![format!("keys.example gives the key to whoever asks for {HOSTILE}.")],
        is_published: true,
    };
    let older = KeyView { current: false, use_words: HOSTILE.into(), ..key.clone() };
    KeysPage {
        shell: shell("Keys", Spot::Keys, "/keys", ""),
        trouble: HOSTILE.into(),
        keys: vec![key, older],
        without: vec!["alice@work.example".into()],
        needs_copy: true,
        copied_words: String::new(),
        setup: Some(SetupCode {
            address: "alice@example.org".into(),
            groups: ["1234", "5678", "9012"].iter().cycle().take(9).map(ToString::to_string).collect(),
        }),
        senders: vec!["alice@example.org".into(), "alice@work.example".into()],
        invitations: vec![invitation()],
    }
}

/// A contact whose key changed.
pub(super) fn contact() -> ContactPage {
    let key = |fingerprint: &str| ContactKey {
        fingerprint: fingerprint.into(),
        grouped: FINGERPRINT.into(),
        ways: vec!["Came with their messages, 3 Mar 2025 to 4 May 2025, in 41 messages.".into()],
        qr: Qr::of_fingerprint(fingerprint),
    };
    ContactPage {
        shell: shell("Bob Marlow", Spot::Contacts, "/contacts/bob%40example.net", ""),
        trouble: String::new(),
        heading: HOSTILE.into(),
        address: "bob@example.net".into(),
        initials: "BM".into(),
        hue: 5,
        picture: "/avatars/0123456789abcdef".into(),
        icon: "warning",
        caution: true,
        trust_words: "They wrote with a different key than the one you rely on.".into(),
        advice: "They read and answered your last 12 private messages.".into(),
        habits: vec![("Private messages from them", "41".into()), ("Their program", HOSTILE.into())],
        used: Some(key("0123456789ABCDEF0123456789ABCDEF01234567")),
        waiting: Some(key("89ABCDEF0123456789ABCDEF0123456701234567")),
        own: Some(key("FEDCBA9876543210FEDCBA9876543210FEDCBA98")),
        found: vec![FoundKey {
            key: key("CCCCBBBBCCCCDDDDAAAABBBBCCCCDDDDAAAABBBB"),
            words: "It cannot be used: it expired on 2025-03-03.".into(),
            choosable: true,
        }],
        look_words: "Servers were asked on 3 Mar 2025.".into(),
        others: vec![key("AAAABBBBCCCCDDDDAAAABBBBCCCCDDDDAAAABBBB")],
        history: vec![Decided {
            day: "3 Mar 2025".into(),
            words: "You checked the key: compared by you.".into(),
            fingerprint: FINGERPRINT.into(),
        }],
        invitations: vec![invitation()],
        invites: true,
    }
}

/// An invitation that waits.
fn invitation() -> InvitationView {
    let link =
        "OPENPGP4FPR:0123456789ABCDEF0123456789ABCDEF01234567#a=alice%40example.org&n=&i=number12&s=secret12";
    let step = |words: &str, done, next| InvitationStep { words: words.into(), done, next };
    InvitationView {
        address: "bob@example.net".into(),
        words: HOSTILE.into(),
        caution: false,
        icon: "clock",
        steps: vec![step("You made the invitation.", true, false), step(HOSTILE, false, true)],
        link: link.into(),
        qr: Qr::of_invitation(link),
        limits: "It is good once, for bob@example.net alone, until 3 Mar 2025.".into(),
    }
}
