//! Made-up remote access of Alice for the tests of the pages.

use super::sample::{HOSTILE, shell};
use super::*;

const ADDRESS: &str = "5jfgyy7ctrjavpxvkb5rglwf7gkuo5vox27hxescd3vgsfcg2iwfmxqd.onion";

const UNLOCK: &str = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion";

fn afar(title: &str) -> Shell {
    Shell { afar: true, ..shell(title, Spot::Settings, "/settings/remote", "") }
}

/// Before anything was set up, and when all is in use.
pub(super) fn pages() -> [(&'static str, RemoteAccessPage); 2] {
    let before = RemoteAccessPage {
        shell: shell("From afar", Spot::Settings, "/settings/remote", ""),
        trouble: HOSTILE.into(),
        onion_words: "Off.".into(),
        unlock: UnlockView { words: "Off.".into(), ..UnlockView::default() },
        ..RemoteAccessPage::default()
    };
    let device = |name: &str, words: &str| DeviceView { name: name.into(), words: words.into() };
    let passkey = |name: &str, words: &str| PasskeyView { name: name.into(), words: words.into() };
    let session = |name: &str, is_this| SessionView {
        id: "0a1b2c3d4e5f".into(),
        name: name.into(),
        words: "since 12:04, last used 12:31, by mail.alice.example".into(),
        is_this,
    };
    let after = RemoteAccessPage {
        shell: afar("From afar"),
        trouble: String::new(),
        factor_words: "3 Mar 2025".into(),
        spare_codes: 9,
        unlock: UnlockView {
            wanted: true,
            address: UNLOCK.into(),
            words: "Announced whenever Mailkeep runs and is locked.".into(),
            ready: true,
            possible: true,
        },
        wanted: true,
        address: ADDRESS.into(),
        onion_words: "Reachable.".into(),
        onion_trouble: false,
        is_on: true,
        restricted: true,
        devices: vec![
            device("Phone", "has a key, last used yesterday"),
            device(HOSTILE, "has no key, never used"),
        ],
        passkeys: vec![
            passkey("YubiKey", "for mail.alice.example, last used yesterday"),
            passkey(HOSTILE, "for mail.alice.example, not used yet"),
        ],
        can_add_passkey: true,
        offer_address: true,
        sessions: vec![session("Phone", true), session(HOSTILE, false)],
    };
    [("remote", before), ("remote-in-use", after)]
}

/// The secret.
pub(super) fn factor() -> FactorPage {
    FactorPage {
        shell: shell("Set codes up", Spot::Settings, "/settings/remote", ""),
        trouble: HOSTILE.into(),
        secret: "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ".into(),
        seen: "0a1b2c".into(),
        qr: Qr::of_secret(
            "otpauth://totp/Mailkeep:from%20afar?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Mailkeep",
        ),
    }
}

/// The spare codes.
pub(super) fn codes() -> SpareCodesPage {
    let codes = (0..10).map(|n| format!("k{n}cd-4efg-h5jk-mn6p")).collect();
    SpareCodesPage { shell: afar("Spare codes"), codes, day: "3 Mar 2025".into() }
}

/// A device.
pub(super) fn device() -> DevicePage {
    let key = "AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPQ";
    let address = format!("http://{ADDRESS}/enter/mfrggzdfmztwq2lknnwg23tpobyxe43u");
    DevicePage {
        shell: shell("Phone", Spot::Settings, "/settings/remote", ""),
        name: HOSTILE.into(),
        address_qr: Qr::of_secret(&address),
        address,
        key: key.into(),
        key_qr: Qr::of_secret(key),
        line: format!("{}:descriptor:x25519:{key}", ADDRESS.trim_end_matches(".onion")),
        unlock_address: format!("http://{UNLOCK}/"),
        unlock_line: format!("{}:descriptor:x25519:{key}", UNLOCK.trim_end_matches(".onion")),
    }
}

/// The unlock address: its form, what it says to whoever does not get in, and to whoever does.
pub(super) fn unlocking() -> ([(&'static str, UnlockAfarPage); 2], UnlockedAfarPage) {
    let page = UnlockAfarPage { csrf: "c2FtcGxl".into(), ..UnlockAfarPage::default() };
    let notice = Some(Notice { words: HOSTILE.into(), trouble: true });
    let pages = [("unlock-afar", page.clone()), ("unlock-afar-wrong", UnlockAfarPage { notice, ..page })];
    (pages, UnlockedAfarPage { address: format!("http://{ADDRESS}/"), ..UnlockedAfarPage::default() })
}

/// The way in.
pub(super) fn doors() -> [(&'static str, SignInPage); 2] {
    let page = SignInPage { csrf: "c2FtcGxl".into(), back: HOSTILE.into(), ..SignInPage::default() };
    let notice = Some(Notice { words: HOSTILE.into(), trouble: true });
    [
        ("sign-in", page.clone()),
        ("sign-in-known", SignInPage { notice, is_known: true, by_passkey: true, ..page }),
    ]
}
