//! Alice reaches her mail from the train, and Mallory does not.

use super::ceremonies::Who;
use super::factor::Second;
use super::passkeys::Shown;
use super::sessions::{Begun, Sessions};
use super::{ask, devices, factor, onion};
use crate::crypto::passphrase::Cost;
use crate::crypto::secret::SecretText;
use crate::crypto::totp::Secret;
use crate::engine::app::App;
use crate::engine::failure::Kind;
use crate::engine::settings;
use crate::engine::vault::Vault;
use crate::storage::database::remote_access;
use std::sync::Arc;

const WORDS: &str = "seven quiet herons";

async fn store() -> (tempfile::TempDir, Vault, Arc<App>) {
    let home = tempfile::tempdir().unwrap();
    let vault = Vault::new(&home.path().join("data"));
    let app = vault.create(&SecretText::new(WORDS.into()), Some(Cost::MINIMUM)).await.unwrap();
    (home, vault, app)
}

/// The code of the half minute that is `steps` away from now. Only 0 and 1 are sure to count however long a test takes to
/// show it.
async fn code(app: &App, pending: bool, steps: i64) -> String {
    let row = remote_access::factor(&mut app.reader.get().await.unwrap(), pending).await.unwrap().unwrap();
    Secret::from_bytes(&row.secret).unwrap().code(app.now() + 30 * steps)
}

async fn admit(vault: &Vault, app: &App, words: &str, code: &str) -> bool {
    let words = SecretText::new(words.into());
    factor::admit(vault, app, &words, &Second::Code(code)).await.unwrap().is_some()
}

async fn with_factor() -> (tempfile::TempDir, Vault, Arc<App>, Vec<String>) {
    let (home, vault, app) = store().await;
    factor::begin(&app).await.unwrap();
    let spare = factor::confirm(&app, &code(&app, true, 0).await).await.unwrap().spare_codes;
    (home, vault, app, spare)
}

#[tokio::test]
async fn nobody_gets_in_before_there_is_a_second_factor_and_a_pending_one_is_none() {
    let (_home, vault, app) = store().await;
    assert!(!admit(&vault, &app, WORDS, "").await);
    assert!(!admit(&vault, &app, WORDS, "000000").await);
    let begun = factor::begin(&app).await.unwrap();
    assert!(begun.address.starts_with("otpauth://totp/"));
    assert!(!admit(&vault, &app, WORDS, &code(&app, true, 0).await).await, "it is not in force yet");
    let wrong = factor::confirm(&app, "12345").await.unwrap_err();
    assert_eq!(wrong.kind, Kind::Refused);
    assert!(factor::standing(&app).await.unwrap().since.is_none());
    assert_eq!(factor::pending(&app).await.unwrap().unwrap().secret, begun.secret, "it can be tried again");
}

#[tokio::test]
async fn a_code_works_once_and_only_with_the_passphrase() {
    let (_home, vault, app, spare) = with_factor().await;
    assert_eq!(factor::standing(&app).await.unwrap().spare_codes, 10);
    let now = code(&app, false, 1).await;
    assert!(!admit(&vault, &app, "wrong horses here", &now).await);
    assert!(!admit(&vault, &app, WORDS, "").await);
    assert!(admit(&vault, &app, WORDS, &now).await, "a wrong passphrase did not use it up");
    assert!(!admit(&vault, &app, WORDS, &now).await, "it was used");
    assert!(!admit(&vault, &app, WORDS, &code(&app, false, 0).await).await, "nor does an older one");
    let code = spare[3].to_uppercase().replace('-', " ");
    assert!(!admit(&vault, &app, "wrong horses here", &code).await);
    assert!(admit(&vault, &app, WORDS, &code).await, "however it is typed");
    assert!(!admit(&vault, &app, WORDS, &code).await);
    assert_eq!(factor::standing(&app).await.unwrap().spare_codes, 9);
    let new = factor::renew_spare_codes(&app).await.unwrap().spare_codes;
    assert!(!admit(&vault, &app, WORDS, &spare[0]).await, "new ones take their place");
    assert!(admit(&vault, &app, WORDS, &new[0]).await);
    factor::forget(&app).await.unwrap();
    assert!(!admit(&vault, &app, WORDS, &new[1]).await);
}

#[tokio::test]
async fn one_of_the_two_alone_lets_nobody_in_nor_does_the_recovery_key() {
    let (_home, vault, app, spare) = with_factor().await;
    let key = crate::engine::recovery::make(&vault, &SecretText::new(WORDS.into())).await.unwrap();
    let key = key.to_text().expose().to_owned();
    let other = crate::crypto::recovery::RecoveryKey::random().to_text().expose().to_owned();
    let mistyped = key.replace(|c: char| c.is_ascii_digit(), "x");
    let passkey = |answer: &'static str| {
        Second::Passkey(Shown {
            ceremony: "none",
            answer,
            who: Who::Stranger,
            origin: "https://mail.alice.test",
        })
    };
    vault.prove(&SecretText::new(WORDS.into())).await.unwrap();
    for words in ["wrong horses here", "", WORDS, &key, &other, &mistyped] {
        for second in
            [Second::Code(""), Second::Code("000000"), Second::Code("x"), passkey(""), passkey("{}")]
        {
            let admitted =
                factor::admit(&vault, &app, &SecretText::new(words.into()), &second).await.unwrap();
            assert!(admitted.is_none(), "one of the two was wrong: {words:?}");
        }
    }
    for (words, code) in [(WORDS, &spare[0]), (key.as_str(), &spare[1]), ("wrong horses here", &spare[2])] {
        assert_eq!(admit(&vault, &app, words, code).await, words == WORDS);
    }
}

#[tokio::test]
async fn of_two_who_show_the_same_code_at_once_one_gets_in() {
    let (_home, vault, app, spare) = with_factor().await;
    let (vault, now) = (Arc::new(vault), code(&app, false, 1).await);
    for code in [now.as_str(), spare[0].as_str()] {
        let both = futures_util::future::join_all((0..8).map(|_| admit(&vault, &app, WORDS, code))).await;
        assert_eq!(both.iter().filter(|admitted| **admitted).count(), 1, "{both:?}");
    }
}

#[tokio::test]
async fn the_recovery_key_opens_nothing_from_afar() {
    let (_home, vault, app, spare) = with_factor().await;
    let key = crate::engine::recovery::make(&vault, &SecretText::new(WORDS.into())).await.unwrap();
    assert!(!admit(&vault, &app, key.to_text().expose(), "").await);
    assert!(!admit(&vault, &app, key.to_text().expose(), &spare[0]).await);
    assert!(admit(&vault, &app, WORDS, &spare[0]).await, "nor does that use a code up");
}

#[tokio::test]
async fn no_copy_of_the_database_lets_anybody_in() {
    let (home, _vault, app, _) = with_factor().await;
    devices::add(&app, "Phone").await.unwrap();
    let (copy, key) = (home.path().join("copy"), crate::crypto::secret::Key::random());
    app.writer.lock().await.copy_to(&copy, &key).await.unwrap();
    let (reader, _writer) = crate::storage::database::open(&copy, &key).await.unwrap();
    let mut c = reader.get().await.unwrap();
    assert!(remote_access::factor(&mut c, false).await.unwrap().is_none());
    assert_eq!(remote_access::spare_codes(&mut c).await.unwrap(), 0);
    assert!(remote_access::devices(&mut c).await.unwrap().is_empty());
    assert!(remote_access::onion(&mut c).await.unwrap().is_some(), "the address stays the owner's");
}

#[tokio::test]
async fn a_device_is_known_by_its_address_until_it_is_removed() {
    let (_home, _vault, app) = store().await;
    let phone = devices::add(&app, " Phone ").await.unwrap();
    let onion = onion::address(&app).await.unwrap().unwrap();
    let token = phone.address.strip_prefix(&format!("http://{onion}/enter/")).unwrap();
    assert_eq!(
        phone.auth_private,
        format!("{}:descriptor:x25519:{}", onion.trim_end_matches(".onion"), phone.key)
    );
    assert_eq!(settings::get(&app, onion::RESTRICTED).await.unwrap(), "on");
    let known = devices::known(&app, token).await.unwrap().unwrap();
    assert_eq!((known.name.as_str(), known.client_key.unwrap().len()), ("Phone", 32));
    assert!(devices::known(&app, "").await.unwrap().is_none());
    assert_eq!(devices::add(&app, "Phone").await.unwrap_err().kind, Kind::Refused, "the name is taken");
    let (other, number) = devices::remember(&app, "Phone").await.unwrap();
    assert_eq!(devices::known(&app, &other).await.unwrap().unwrap().name, "Phone 2");
    let sessions = &app.remote_access.sessions;
    for (secret, device) in [("a", Some(known.number)), ("b", Some(number)), ("c", None)] {
        assert!(sessions.begin(
            &Begun { secret, name: "x", device, passkey: None, host: &onion },
            sessions.moment(),
            app.now()
        ));
    }
    devices::remove(&app, "Phone").await.unwrap();
    assert!(devices::known(&app, token).await.unwrap().is_none());
    let live: Vec<_> = ["a", "b", "c"].map(|secret| sessions.lives(secret, app.now())).into();
    assert_eq!(live, [false, true, false], "its own ends, and that of which nobody knows whose it is");
    assert_eq!(settings::get(&app, onion::RESTRICTED).await.unwrap(), "on", "it does not find it again");
    assert_eq!(devices::remove(&app, "Phone").await.unwrap_err().kind, Kind::NotFound);
}

#[tokio::test]
async fn a_new_address_ends_all_sessions_and_the_key_is_kept() {
    let (_home, vault, app) = store().await;
    let first = onion::key(&app).await.unwrap().address;
    assert_eq!(onion::key(&app).await.unwrap().address, first);
    let sessions = &app.remote_access.sessions;
    let begun = Begun { secret: "a", name: "x", device: None, passkey: None, host: &first };
    assert!(sessions.begin(&begun, sessions.moment(), app.now()));
    let second = onion::renew(&app).await.unwrap().address;
    assert_ne!(first, second);
    assert!(ask::standing(&app).await.unwrap().sessions.is_empty());
    drop(app);
    vault.lock().await;
    let app = vault.unlock(&SecretText::new(WORDS.into())).await.unwrap();
    assert_eq!(onion::key(&app).await.unwrap().address, second);
    vault.lock().await;
}

#[tokio::test]
async fn a_new_passphrase_or_a_new_factor_ends_all_sessions() {
    let (_home, vault, app, _) = with_factor().await;
    let sessions = &app.remote_access.sessions;
    let begun = Begun { secret: "a", name: "x", device: None, passkey: None, host: "h" };
    let begin = || assert!(sessions.begin(&begun, sessions.moment(), app.now()));
    begin();
    factor::begin(&app).await.unwrap();
    assert!(sessions.lives("a", app.now()), "nothing has changed yet");
    factor::confirm(&app, &code(&app, true, 0).await).await.unwrap();
    assert!(!sessions.lives("a", app.now()));
    begin();
    let (old, new) = (SecretText::new(WORDS.into()), SecretText::new("eight loud herons".into()));
    vault.change_passphrase(&old, &new).await.unwrap();
    assert!(!sessions.lives("a", app.now()));
}

#[test]
fn what_ends_sessions_ends_those_that_are_beginning() {
    let sessions = Sessions::default();
    let begun = |secret| Begun { secret, name: "n", device: Some(1), passkey: Some(2), host: "abcd.onion" };
    let ends: [&dyn Fn(); 4] =
        [&|| sessions.end_all(), &|| sessions.end_of_device(7), &|| sessions.end_of_passkey(7), &|| {
            sessions.end_of_host("mail.alice.test")
        }];
    for end in ends {
        let before = sessions.moment();
        end();
        assert!(!sessions.begin(&begun("late"), before, 0));
        assert!(sessions.begin(&begun("anew"), sessions.moment(), 0));
    }
    sessions.end_of_passkey(1);
    sessions.end_of_host("mail.alice.test");
    assert!(sessions.lives("anew", 0));
    sessions.end_of_passkey(2);
    assert!(!sessions.lives("anew", 0) && !sessions.lives("late", 0));
    assert!(sessions.begin(&begun("again"), sessions.moment(), 0));
    sessions.end_of_host("abcd.onion");
    assert!(!sessions.lives("again", 0));
}

#[tokio::test]
async fn a_secret_that_was_not_confirmed_is_soon_forgotten() {
    let (_home, _vault, app) = store().await;
    let old = factor::begin(&app).await.unwrap();
    let secret = remote_access::factor(&mut app.reader.get().await.unwrap(), true).await.unwrap().unwrap();
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await.unwrap();
    remote_access::set_pending(&mut c, &secret.secret, app.now() - 601).await.unwrap();
    crate::storage::database::commit(c).await.unwrap();
    drop(writer);
    assert!(factor::pending(&app).await.unwrap().is_none());
    let late = factor::confirm(&app, &code(&app, true, 0).await).await.unwrap_err();
    assert_eq!(late.kind, Kind::Refused);
    assert_ne!(factor::begin(&app).await.unwrap().secret, old.secret);
    assert!(factor::pending(&app).await.unwrap().is_some());
    factor::drop_pending(&app).await.unwrap();
    assert!(factor::pending(&app).await.unwrap().is_none());
}

#[tokio::test]
async fn the_first_address_is_made_once_and_ends_no_session() {
    let (_home, _vault, app) = store().await;
    let sessions = &app.remote_access.sessions;
    let begun = Begun { secret: "a", name: "x", device: None, passkey: None, host: "mail.alice.test" };
    assert!(sessions.begin(&begun, sessions.moment(), app.now()));
    let asked: Vec<_> = (0..8)
        .map(|_| {
            let app = Arc::clone(&app);
            tokio::spawn(async move { onion::key(&app).await.unwrap().address })
        })
        .collect();
    let mut addresses = std::collections::BTreeSet::new();
    for made in asked {
        addresses.insert(made.await.unwrap());
    }
    assert_eq!(addresses.len(), 1, "{addresses:?}");
    assert!(sessions.lives("a", app.now()));
}

#[test]
fn a_session_ends_of_age_of_idleness_and_when_told() {
    let sessions = Sessions::default();
    let begin = |secret: &str, now| {
        let begun = Begun { secret, name: "n", device: None, passkey: None, host: "h" };
        assert!(sessions.begin(&begun, sessions.moment(), now));
    };
    begin("idle", 0);
    assert!(sessions.touch("idle", 3600 * 23));
    assert!(sessions.touch("idle", 3600 * 46), "it was used");
    assert!(!sessions.touch("idle", 3600 * 71));
    assert!(!sessions.touch("idle", 3600 * 46), "ended is ended");
    begin("old", 0);
    assert!((1..14).all(|n| sessions.touch("old", n * 12 * 3600)));
    assert!(!sessions.touch("old", 14 * 12 * 3600), "after seven days");
    begin("told", 0);
    let ending = sessions.ending("told");
    let id = sessions.list(1)[0].id.clone();
    sessions.rename(&id, "Laptop").unwrap();
    assert_eq!(sessions.list(1)[0].name, "Laptop");
    assert!(sessions.rename(&id, "").is_err() && sessions.rename("none", "x").is_err());
    assert!(!ending.is_cancelled());
    sessions.end(&id).unwrap();
    assert!(ending.is_cancelled() && !sessions.lives("told", 1) && sessions.list(1).is_empty());
    assert!(sessions.end(&id).is_err());
    assert!(sessions.ending("nobody").is_cancelled());
    for n in 0..60 {
        begin(&n.to_string(), n);
    }
    assert_eq!(sessions.list(60).len(), 50, "the oldest give way");
    assert!(!sessions.lives("0", 60) && sessions.lives("59", 60));
}
