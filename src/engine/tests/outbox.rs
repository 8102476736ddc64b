//! Messages on their way out, with servers that are away or say no.

use super::*;
use crate::engine::outbox::{Entry, flush, list, queue, retry};
use crate::engine::{restore, settings, snapshots};
use crate::mail::address::Person;
use crate::mail::compose::Draft;
use crate::mail::ids::MessageId;
use crate::storage::database::{accounts, commit};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// Alice has an account whose servers are on this port of this machine.
async fn account(app: &Arc<App>, port: u16) {
    let server = serde_json::json!({"host": "127.0.0.1", "port": port, "security": "none"});
    let all = serde_json::json!({"imap": server, "smtp": server, "user": "alice", "password": "wrong"});
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await.unwrap();
    accounts::put(&mut c, "alice@lab.test", "Alice", &all.to_string()).await.unwrap();
    commit(c).await.unwrap();
}

async fn sends(app: &Arc<App>, subject: &str) -> MessageId {
    let row = accounts::list(&mut app.reader.get().await.unwrap()).await.unwrap().remove(0);
    let person = |name: &str| Person { name: name.into(), address: format!("{name}@lab.test") };
    let draft = Draft {
        from: person("alice"),
        to: vec![person("bob")],
        subject: subject.into(),
        message_id: format!("{subject}@lab.test"),
        ..Draft::default()
    };
    let wishes = crate::engine::outgoing::Wishes {
        encrypt: crate::engine::outgoing::Wish::Auto,
        sign: true,
        came_private: false,
        own_copy: true,
    };
    queue(app, &row, &draft, None, wishes, None).await.unwrap().id
}

async fn entry(app: &Arc<App>, id: MessageId) -> Entry {
    list(app).await.unwrap().into_iter().find(|entry| entry.id == id).unwrap()
}

#[tokio::test]
async fn a_message_that_cannot_be_read_any_more_does_not_keep_the_others() {
    let (alice, app) = Alice::new().await;
    settings::set(&app, "writing.undo-seconds", "0").await.unwrap();
    account(&app, 1).await;
    let damaged = sends(&app, "damaged").await;
    let later = sends(&app, "later").await;
    let number = messages::known(&mut app.reader.get().await.unwrap(), &[damaged]).await.unwrap()[&damaged];
    flip(&pack(&alice), row(&app, number).await.unwrap().place.offset as usize + 20);
    flush(&app, false).await.unwrap();
    let ended = entry(&app, damaged).await;
    assert_eq!((ended.state.as_str(), ended.attempts), ("failed", 0));
    assert!(ended.words.contains("cannot be read"), "{}", ended.words);
    let tried = entry(&app, later).await;
    assert_eq!((tried.state.as_str(), tried.attempts), ("queued", 1));
    assert!(tried.recipients[0].reply.contains("does not answer"), "{:?}", tried.recipients);
}

/// A submission server that lets nobody in.
async fn refusing() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            stream.write_all(b"220 lab.test\r\n").await.unwrap();
            let mut line = String::new();
            while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                let answer: &[u8] = match line.get(..4).unwrap_or_default() {
                    "EHLO" => b"250-lab.test\r\n250 AUTH PLAIN LOGIN\r\n",
                    "AUTH" => b"535 5.7.8 that is not the password\r\n",
                    _ => b"221 bye\r\n",
                };
                if stream.write_all(answer).await.is_err() {
                    break;
                }
                line.clear();
            }
        }
    });
    port
}

#[tokio::test]
async fn a_wrong_password_ends_an_entry_at_once_and_a_retry_begins_anew() {
    let (_alice, app) = Alice::new().await;
    settings::set(&app, "writing.undo-seconds", "0").await.unwrap();
    account(&app, refusing().await).await;
    let id = sends(&app, "refused").await;
    flush(&app, false).await.unwrap();
    let ended = entry(&app, id).await;
    assert_eq!((ended.state.as_str(), ended.attempts), ("failed", 1), "{}", ended.words);
    assert!(ended.words.contains("that is not the password"), "{}", ended.words);
    assert!(ended.words.contains("send it again"), "{}", ended.words);
    assert_eq!(count(&app, "in:inbox \"that is not the password\"").await, 1, "the notice says why");
    retry(&app, &id.to_string()).await.unwrap();
    let again = entry(&app, id).await;
    assert_eq!(
        (again.state.as_str(), again.attempts, again.recipients[0].state.as_str()),
        ("queued", 0, "queued")
    );
}

#[tokio::test]
async fn what_waited_when_a_snapshot_was_made_does_not_go_out_of_a_restored_store() {
    let (alice, app) = Alice::new().await;
    account(&app, 1).await;
    let id = sends(&app, "perhaps sent").await;
    assert_eq!(entry(&app, id).await.state, "waiting");
    snapshots::make(&app).await.unwrap();
    drop(app);
    alice.vault.lock().await;
    std::fs::remove_file(alice.path("database")).unwrap();
    restore::mend_database(&alice.vault, &alice.words).await.unwrap().unwrap();
    let app = alice.open().await;
    let held = entry(&app, id).await;
    assert_eq!((held.state.as_str(), held.next_attempt), ("failed", None));
    assert!(held.words.contains("may already have gone out"), "{}", held.words);
    flush(&app, true).await.unwrap();
    assert_eq!(entry(&app, id).await.attempts, 0);
}
