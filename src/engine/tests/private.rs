//! Private mail in the store: opened, found, and gone when it is deleted.

use super::*;
use crate::crypto::openpgp::{self, SecretKey};
use crate::engine::{keyring, search, tags};
use crate::mail::address::Person;
use crate::mail::autocrypt::Header;
use crate::mail::compose::{self, Draft};
use crate::mail::envelope;
use crate::storage::database;

/// A private message from Bob, sealed to Alice and signed by Bob, as it comes.
fn sealed(bob: &SecretKey, alice: &openpgp::Certificate, subject: &str, body: &str, now: i64) -> Vec<u8> {
    sealed_with(bob, alice, (subject, body), now, "")
}

/// The same with a further field of the header, inside only.
fn sealed_with(
    bob: &SecretKey,
    alice: &openpgp::Certificate,
    (subject, body): (&str, &str),
    now: i64,
    field: &str,
) -> Vec<u8> {
    let person = |name: &str| Person { name: name.into(), address: format!("{name}@lab.test") };
    let draft = Draft {
        from: person("bob"),
        to: vec![person("alice")],
        subject: subject.into(),
        body: body.into(),
        message_id: format!("{subject}@lab.test"),
        date: now,
        ..Draft::default()
    };
    let wrapped = envelope::protected(&compose::to_bytes(&draft), true, true, &[]).unwrap();
    let payload = [field.as_bytes(), &wrapped.payload].concat();
    let (armoured, _) = openpgp::seal(&payload, std::slice::from_ref(alice), &[], Some(bob), now).unwrap();
    envelope::encrypted(&wrapped.outer, &armoured)
}

/// Alice's store, her key, and Bob's.
async fn with_keys() -> (Alice, Arc<App>, SecretKey, SecretKey) {
    let (alice, app) = Alice::new().await;
    app.claim("alice@lab.test");
    let now = app.now();
    let (hers, _) = SecretKey::generate("alice@lab.test", now - 100).unwrap();
    let (his, _) = SecretKey::generate("bob@lab.test", now - 100).unwrap();
    (alice, app, hers, his)
}

async fn comes(app: &Arc<App>, raw: Vec<u8>) -> MessageNumber {
    let origin = Origin::Local { role: "inbox".into(), tags: Vec::new() };
    receive(app, vec![Incoming { raw, received_at: app.now(), origin }]).await.unwrap().numbers[0]
}

async fn everything(app: &App) -> String {
    database::everything(&mut app.reader.get().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_deleted_private_message_leaves_no_word_in_database_or_index() {
    let (_alice, app, hers, his) = with_keys().await;
    keyring::import(&app, hers.armored().as_bytes().to_vec(), None).await.unwrap();
    let now = app.now();
    let raw = sealed(&his, &hers.certificate(), "zanzibarquince", "the mellowpumpernickel is ready", now);
    let number = comes(&app, raw).await;
    assert_eq!(count(&app, "mellowpumpernickel").await, 1, "what was opened is found");
    let held = everything(&app).await;
    assert!(held.contains("zanzibarquince") && held.contains("mellowpumpernickel"), "a list shows them");
    let key = database::peers::envelope_of(&mut app.reader.get().await.unwrap(), number).await.unwrap();
    let key = key.unwrap().session_key;
    assert!(held.contains(&key) && key.len() > 60);
    tags::apply(&app, &[number], &["trash".into()], &["inbox".into()]).await.unwrap();
    tags::delete(&app, &[number]).await.unwrap();
    let held = everything(&app).await;
    for word in ["zanzibarquince", "mellowpumpernickel", key.as_str()] {
        assert!(!held.contains(word), "{word}");
        assert!(!held.contains(&data_encoding::HEXUPPER.encode(word.as_bytes())), "{word} in bytes");
    }
    assert_eq!(count(&app, "mellowpumpernickel").await + count(&app, "zanzibarquince").await, 0);
    assert!(app.packs.read(row_place(&app).await).is_err(), "its bytes have no key any more");
}

/// Where the first record lay.
async fn row_place(app: &App) -> crate::storage::packs::RecordPlace {
    let rows = messages::after(&mut app.reader.get().await.unwrap(), MessageNumber(0), 1).await.unwrap();
    rows.first()
        .map_or(crate::storage::packs::RecordPlace { pack: 1, offset: 16, length: 1 }, |row| row.place)
}

#[tokio::test]
async fn what_was_closed_is_read_when_its_key_comes() {
    let (_alice, app, hers, his) = with_keys().await;
    let now = app.now();
    let raw = sealed(&his, &hers.certificate(), "quiet harbour", "the herons are back", now);
    let number = comes(&app, raw).await;
    let hits = search::search(&app, "*", search::Sort::Newest, 0, 10).await.unwrap();
    assert_eq!((hits.messages[0].privacy, hits.messages[0].subject.as_str()), ("closed", "[...]"));
    assert_eq!(count(&app, "herons").await, 0);
    keyring::import(&app, hers.armored().as_bytes().to_vec(), None).await.unwrap();
    assert_eq!(count(&app, "herons").await, 1);
    let hits = search::search(&app, "*", search::Sort::Newest, 0, 10).await.unwrap();
    let hit = &hits.messages[0];
    assert_eq!(
        (hit.privacy, hit.subject.as_str()),
        ("unconfirmed", "quiet harbour"),
        "Bob's key is not known"
    );
    keyring::import(&app, his.certificate().armored().into_bytes(), None).await.unwrap();
    let hits = search::search(&app, "*", search::Sort::Newest, 0, 10).await.unwrap();
    assert_eq!((hits.messages[0].privacy, hits.messages[0].assurance), ("private", "same-key"));
    assert_eq!(row(&app, number).await.unwrap().snippet, "the herons are back");
}

#[tokio::test]
async fn mail_stays_readable_when_the_key_is_gone() {
    let (alice, app, hers, his) = with_keys().await;
    keyring::import(&app, hers.armored().as_bytes().to_vec(), None).await.unwrap();
    let now = app.now();
    let raw = sealed(&his, &hers.certificate(), "old letter", "kept for good", now);
    comes(&app, raw).await;
    {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await.unwrap();
        database::keys::forget_own(&mut c).await.unwrap();
        database::commit(c).await.unwrap();
    }
    drop(app);
    let app = alice.again().await;
    assert!(app.keyring.all().is_empty());
    let hits = search::search(&app, "kept", search::Sort::Newest, 0, 10).await.unwrap();
    let id = hits.messages[0].id.to_string();
    let opened = crate::engine::read::open(&app, &id).await.unwrap();
    assert_eq!(opened.text().trim(), "kept for good");
}

#[tokio::test]
async fn however_much_was_closed_all_of_it_is_opened_in_the_background() {
    let (_alice, app, hers, his) = with_keys().await;
    let now = app.now();
    let letters = (0..130).map(|n| {
        let raw = sealed(&his, &hers.certificate(), &format!("letter {n}"), "the herons are back", now + n);
        Incoming { raw, received_at: now, origin: Origin::Local { role: "inbox".into(), tags: Vec::new() } }
    });
    receive(&app, letters.collect()).await.unwrap();
    assert_eq!(count(&app, "herons").await, 0);
    // Something runs in the background: whoever imports does not wait for all.
    let stop = tokio_util::sync::CancellationToken::new();
    let background = app.running.spawn(stop.clone().cancelled_owned());
    keyring::import(&app, hers.armored().as_bytes().to_vec(), None).await.unwrap();
    let first = count(&app, "herons").await;
    assert!(first > 0 && first < 130, "{first} at once");
    // Even after a kill: what is to be done stands in the store.
    stop.cancel();
    background.await.unwrap();
    let judging = tokio::spawn(crate::engine::envelopes::run(Arc::clone(&app), stop.clone()));
    while !database::peers::to_judge(&mut app.reader.get().await.unwrap(), 1).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
        if judging.is_finished() {
            // It was told to stop and ended after a batch: begun again it goes on.
            crate::engine::envelopes::run(Arc::clone(&app), stop.clone()).await.unwrap();
        }
    }
    judging.await.unwrap().unwrap();
    assert_eq!(count(&app, "herons").await, 130);
}

#[tokio::test]
async fn a_letter_that_is_opened_late_still_tells_its_senders_key() {
    let (_alice, app, hers, his) = with_keys().await;
    let header = Header { address: "bob@lab.test".into(), mutual: true, keydata: his.certificate().bytes() };
    let field = format!("Autocrypt: {}\r\n", header.to_field().unwrap());
    let raw = sealed_with(&his, &hers.certificate(), ("late", "hello"), app.now(), &field);
    comes(&app, raw).await;
    let bob = ["bob@lab.test".to_owned()];
    let known = database::peers::of(&mut app.reader.get().await.unwrap(), &bob).await.unwrap();
    assert!(known.get("bob@lab.test").is_none_or(|row| row.public_key.is_none()), "nobody could read it");
    keyring::import(&app, hers.armored().as_bytes().to_vec(), None).await.unwrap();
    let known = database::peers::of(&mut app.reader.get().await.unwrap(), &bob).await.unwrap();
    let told = known.get("bob@lab.test").and_then(|row| row.public_key.clone());
    assert_eq!(told, Some(his.certificate().fingerprint().to_string()));
}
