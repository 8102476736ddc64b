//! Alice lets her store be unlocked from afar; what lies readable on the disk for it, and who gets in.

use super::*;
use crate::crypto::passphrase::Cost;
use crate::crypto::recovery::RecoveryKey;
use crate::crypto::secret::SecretText;
use crate::engine::failure::Kind;
use crate::engine::remote_access::devices;
use std::path::Path;
use std::sync::Arc;

const WORDS: &str = "seven quiet herons";

fn words() -> SecretText {
    SecretText::new(WORDS.into())
}

async fn set(app: &App, key: &str, value: &str) {
    settings::set(app, key, value).await.unwrap();
}

fn on_disk(app: &App) -> Option<UnlockOnion> {
    app.data.unlock_onion().unwrap()
}

/// A store with codes, an onion address and a device, and the secret of the codes.
async fn store() -> (tempfile::TempDir, Vault, Arc<App>, Secret) {
    let home = tempfile::tempdir().unwrap();
    let vault = Vault::new(&home.path().join("data"));
    let app = vault.create(&words(), Some(Cost::MINIMUM)).await.unwrap();
    let secret = set_codes_up(&app).await;
    set(&app, onion::WANTED, "on").await;
    devices::add(&app, "Phone").await.unwrap();
    (home, vault, app, secret)
}

async fn set_codes_up(app: &App) -> Secret {
    factor::begin(app).await.unwrap();
    let row = remote_access::factor(&mut app.reader.get().await.unwrap(), true).await.unwrap().unwrap();
    let secret = Secret::from_bytes(&row.secret).unwrap();
    factor::confirm(app, &secret.code(app.now())).await.unwrap();
    secret
}

#[tokio::test]
async fn it_is_off_and_wants_codes_and_an_onion_address() {
    let home = tempfile::tempdir().unwrap();
    let vault = Vault::new(&home.path().join("data"));
    let app = vault.create(&words(), Some(Cost::MINIMUM)).await.unwrap();
    assert_eq!(settings::get(&app, WANTED).await.unwrap(), "off");
    assert_eq!(settings::set(&app, WANTED, "on").await.unwrap_err().kind, Kind::Refused, "no onion address");
    set(&app, onion::WANTED, "on").await;
    assert_eq!(settings::set(&app, WANTED, "on").await.unwrap_err().kind, Kind::Refused, "no codes");
    set_codes_up(&app).await;
    set(&app, WANTED, "on").await;
    assert!(!standing(&app).await.unwrap().ready, "nobody could find it");
    assert!(on_disk(&app).is_none() && plan(&vault).unwrap().is_none());
    let phone = devices::add(&app, "Phone").await.unwrap();
    let standing = standing(&app).await.unwrap();
    assert!(standing.ready && standing.wanted);
    let address = standing.address.unwrap();
    assert_ne!(Some(&address), onion::address(&app).await.unwrap().as_ref(), "an address of its own");
    assert_eq!(phone.unlock_address, Some(format!("http://{address}/")));
    let line = phone.unlock_auth_private.unwrap();
    assert_eq!(
        line,
        format!("{}:descriptor:x25519:{}", address.trim_end_matches(".onion"), phone.key),
        "with the one key of the device"
    );
    assert_eq!(plan(&vault).unwrap().unwrap().address(), address);
    assert_eq!(on_disk(&app).unwrap().clients.len(), 1);
}

#[tokio::test]
async fn the_key_lies_on_the_disk_only_while_all_that_it_needs_is_there() {
    let (_home, _vault, app, _) = store().await;
    assert!(on_disk(&app).is_none(), "nobody asked for it");
    set(&app, WANTED, "on").await;
    let first = on_disk(&app).unwrap();
    for (key, off, on) in
        [(onion::WANTED, "off", "on"), ("tor.mode", "off", "embedded"), ("network.offline", "on", "off")]
    {
        set(&app, key, off).await;
        assert!(on_disk(&app).is_none(), "{key}");
        let standing = standing(&app).await.unwrap();
        assert!(standing.wanted && !standing.ready && !standing.words.is_empty(), "{standing:?}");
        set(&app, key, on).await;
        assert_eq!(on_disk(&app), Some(first.clone()), "{key}: it is back where it was");
    }
    factor::forget(&app).await.unwrap();
    assert!(on_disk(&app).is_none(), "without codes");
    set_codes_up(&app).await;
    assert_eq!(on_disk(&app), Some(first.clone()));
    set(&app, WANTED, "off").await;
    assert!(on_disk(&app).is_none());
    assert_eq!(address(&app).await.unwrap(), None, "its key is forgotten");
    set(&app, WANTED, "on").await;
    assert_ne!(on_disk(&app).unwrap().secret, first.secret, "a new one is not the old one");
}

#[tokio::test]
async fn a_new_address_or_a_device_less_makes_a_new_key() {
    let (_home, _vault, app, _) = store().await;
    devices::add(&app, "Laptop").await.unwrap();
    devices::remember(&app, "Library").await.unwrap();
    set(&app, WANTED, "on").await;
    let first = on_disk(&app).unwrap();
    assert_eq!(first.clients.len(), 2);
    let before = onion::address(&app).await.unwrap();
    onion::renew(&app).await.unwrap();
    assert_ne!(onion::address(&app).await.unwrap(), before);
    let second = on_disk(&app).unwrap();
    assert!(second.secret != first.secret && second.clients == first.clients);
    devices::remove(&app, "Library").await.unwrap();
    assert_eq!(on_disk(&app), Some(second.clone()), "that one never found it");
    devices::remove(&app, "Laptop").await.unwrap();
    let third = on_disk(&app).unwrap();
    assert!(third.secret != second.secret && third.clients == [first.clients[0]]);
    devices::remove(&app, "Phone").await.unwrap();
    assert!(on_disk(&app).is_none(), "nobody is left who finds it");
}

#[tokio::test]
async fn whatever_lies_there_is_brought_in_line_when_the_store_is_opened() {
    let (_home, vault, app, _) = store().await;
    set(&app, WANTED, "on").await;
    let ours = on_disk(&app).unwrap();
    let file = app.data.root().join("unlock-onion");
    for bytes in [b"".to_vec(), UnlockOnion { clients: vec![[9; 32]], ..ours.clone() }.to_bytes().to_vec()] {
        vault.lock().await;
        std::fs::write(&file, bytes).unwrap();
        let app = vault.unlock(&words()).await.unwrap();
        assert_eq!(on_disk(&app), Some(ours.clone()));
    }
    let app = vault.app().unwrap();
    set(&app, WANTED, "off").await;
    vault.lock().await;
    std::fs::write(&file, ours.to_bytes()).unwrap();
    vault.unlock(&words()).await.unwrap();
    assert!(!file.exists(), "left of something that broke off");
}

fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), found);
        } else if entry.file_type().unwrap().is_file() {
            found.push((entry.path().display().to_string(), std::fs::read(entry.path()).unwrap()));
        }
    }
}

#[tokio::test]
async fn one_file_tells_of_this_address_and_of_nothing_else() {
    let (home, vault, app, secret) = store().await;
    let laptop = devices::add(&app, "Laptop").await.unwrap();
    set(&app, WANTED, "on").await;
    let unlock = on_disk(&app).unwrap();
    let main = onion::key(&app).await.unwrap();
    let forms = |bytes: &[u8]| {
        vec![
            bytes.to_vec(),
            data_encoding::HEXLOWER.encode(bytes).into_bytes(),
            data_encoding::BASE32_NOPAD.encode(bytes).into_bytes(),
            data_encoding::BASE32_NOPAD.encode(bytes).to_lowercase().into_bytes(),
            data_encoding::BASE64_NOPAD.encode(bytes).into_bytes(),
        ]
    };
    // What that file may tell, and what no file may.
    let mut there = forms(&*unlock.secret);
    unlock.clients.iter().for_each(|key| there.extend(forms(key)));
    let mut nowhere = forms(main.key.expose());
    nowhere.extend(forms(secret.expose()));
    let plain = |text: &str| text.trim_end_matches(".onion").as_bytes().to_vec();
    nowhere.extend([&main.address, &laptop.key, "Laptop", WORDS, "remote.unlock"].map(plain));
    nowhere.push(plain(&address(&app).await.unwrap().unwrap()));
    vault.lock().await;
    let mut found = Vec::new();
    files(home.path(), &mut found);
    let holds = |bytes: &[u8], needle: &Vec<u8>| bytes.windows(needle.len()).any(|window| window == needle);
    let mut tells = 0;
    for (path, bytes) in &found {
        for needle in &nowhere {
            assert!(!holds(bytes, needle), "{path} tells {needle:?}");
        }
        let told = there.iter().filter(|needle| holds(bytes, needle)).count();
        if path.ends_with("/unlock-onion") {
            tells = told;
        } else {
            assert_eq!(told, 0, "{path}");
        }
    }
    assert_eq!(tells, 3, "the test's own eyes work: one key and two halves");
}

#[tokio::test]
async fn who_has_both_is_let_in_and_nobody_else() {
    let (_home, vault, app, secret) = store().await;
    set(&app, WANTED, "on").await;
    let recovery: RecoveryKey = crate::engine::recovery::make(&vault, &words()).await.unwrap();
    let spare = factor::renew_spare_codes(&app).await.unwrap().spare_codes;
    let now = app.now() + 600;
    assert!(vault.admit(&words(), &secret.code(now), now).await.unwrap().is_none(), "it is unlocked already");
    vault.lock().await;
    drop(app);
    let code = secret.code(now);
    let wrong = SecretText::new("seven quiet geese".into());
    for (what, passphrase, code) in [
        ("a wrong passphrase", &wrong, code.as_str()),
        ("a wrong code", &words(), "000000"),
        ("no code", &words(), ""),
        ("a spare code", &words(), spare[0].as_str()),
        ("the recovery key", &recovery.to_text(), code.as_str()),
        ("no passphrase", &SecretText::default(), code.as_str()),
        ("an old code", &words(), secret.code(now - 600).as_str()),
    ] {
        assert!(vault.admit(passphrase, code, now).await.unwrap().is_none(), "{what}");
        assert!(vault.app().is_none());
    }
    let admitted =
        vault.admit(&words(), &code, now).await.unwrap().expect("both are right, and the code is new");
    assert!(vault.app().is_none(), "the code is used before the store is unlocked");
    drop(admitted);
    assert!(vault.admit(&words(), &code, now).await.unwrap().is_none(), "it was used");
    let (later, next) = (now + 30, secret.code(now + 30));
    let admitted = vault.admit(&words(), &next, later).await.unwrap().unwrap();
    let app = vault.let_in(admitted).await.unwrap();
    assert!(Arc::ptr_eq(&vault.app().unwrap(), &app));
    let row = remote_access::factor(&mut app.reader.get().await.unwrap(), false).await.unwrap().unwrap();
    assert_eq!(row.last_step, later / 30, "nor does it work at the mailbox");
}

#[tokio::test]
async fn without_codes_or_switched_off_no_code_is_right() {
    let (_home, vault, app, secret) = store().await;
    let now = app.now() + 600;
    vault.lock().await;
    assert!(vault.admit(&words(), &secret.code(now), now).await.unwrap().is_none(), "switched off");
    let app = vault.unlock(&words()).await.unwrap();
    set(&app, WANTED, "on").await;
    factor::forget(&app).await.unwrap();
    vault.lock().await;
    for code in ["", "000000", secret.code(now).as_str()] {
        assert!(vault.admit(&words(), code, now).await.unwrap().is_none(), "no codes: {code:?}");
    }
}

#[tokio::test]
async fn of_many_who_show_one_code_at_once_one_gets_in() {
    let (_home, vault, app, secret) = store().await;
    set(&app, WANTED, "on").await;
    let now = app.now() + 600;
    vault.lock().await;
    let (passphrase, code) = (words(), secret.code(now));
    let admitted = futures_util::future::join_all(
        (0..4).map(async |_| vault.admit(&passphrase, &code, now).await.unwrap().is_some()),
    )
    .await;
    assert_eq!(admitted.iter().filter(|admitted| **admitted).count(), 1, "{admitted:?}");
}

#[tokio::test]
async fn whoever_looks_after_it_hears_of_visits_and_has_the_tor_handed_on() {
    let (_home, vault, app, _) = store().await;
    set(&app, WANTED, "on").await;
    vault.lock().await;
    drop(app);
    let mut visits = vault.visits();
    let aside = vault.open_aside(&words()).await.unwrap();
    set(&aside.app, WANTED, "off").await;
    assert!(!visits.has_changed().unwrap());
    aside.close().await;
    assert!(visits.has_changed().unwrap());
    visits.borrow_and_update();
    assert!(plan(&vault).unwrap().is_none());
    let tor = Tor::Embedded { folder: DataDir::open(vault.path()).unwrap().tor(), config: String::new() };
    let porch = vault.porch(tor).unwrap();
    assert_eq!(porch.tor_inside().as_deref(), Some(""));
    let app = vault.unlock(&words()).await.unwrap();
    assert_eq!((porch.tor_inside(), app.dialer.tor_inside().as_deref()), (None, Some("")));
}
