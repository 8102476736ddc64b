//! Stories about the engine with an open store of Alice's and no servers.

mod index;
mod invitations;
mod lookup;
mod outbox;
mod private;
mod repair;

use super::app::App;
use super::receive::{Incoming, Origin, receive};
use super::vault::Vault;
use crate::crypto::passphrase::Cost;
use crate::crypto::secret::SecretText;
use crate::mail::ids::MessageNumber;
use crate::storage::database::messages::{self, MessageRow};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// Alice's data directory and her passphrase.
struct Alice {
    home: TempDir,
    vault: Vault,
    words: SecretText,
}

impl Alice {
    /// A new store, open.
    async fn new() -> (Self, Arc<App>) {
        let home = TempDir::new().unwrap();
        let vault = Vault::new(&home.path().join("data"));
        let words = SecretText::new("seven quiet herons".into());
        let app = vault.create(&words, Some(Cost::MINIMUM)).await.unwrap();
        (Self { home, vault, words }, app)
    }

    async fn open(&self) -> Arc<App> {
        self.vault.unlock(&self.words).await.unwrap()
    }

    /// Locks the store and opens it again.
    async fn again(&self) -> Arc<App> {
        self.vault.lock().await;
        self.open().await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.vault.path().join(name)
    }
}

fn letter(subject: &str) -> Vec<u8> {
    format!("From: bob@lab.test\r\nTo: alice@lab.test\r\nSubject: {subject}\r\n\r\nAbout {subject}.\r\n")
        .into_bytes()
}

/// Bob's letter arrives.
async fn arrives(app: &Arc<App>, subject: &str) -> MessageNumber {
    let origin = Origin::Local { role: "inbox".into(), tags: vec!["orchard".into()] };
    let incoming = Incoming { raw: letter(subject), received_at: 1_700_000_000, origin };
    receive(app, vec![incoming]).await.unwrap().numbers[0]
}

async fn row(app: &App, number: MessageNumber) -> Option<MessageRow> {
    messages::by_numbers(&mut app.reader.get().await.unwrap(), &[number]).await.unwrap().pop()
}

async fn count(app: &Arc<App>, query: &str) -> u64 {
    super::search::count(app, query).await.unwrap().1
}

/// Flips a bit of a file.
fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn pack(alice: &Alice) -> PathBuf {
    alice.path("packs/00000001.pack")
}
