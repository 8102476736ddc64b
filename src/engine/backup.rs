//! A copy of the owner's keys for a safe place: one OpenPGP message that the store's passphrase opens, with this program or
//! any other that knows OpenPGP.

use super::app::App;
use super::failure::{Failure, blocking};
use super::import::plain;
use crate::crypto::openpgp::backup;
use crate::crypto::recovery::RecoveryKey;
use crate::crypto::secret::SecretText;
use crate::storage::database::{commit, keys};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// Makes the copy, armoured.
///
/// # Errors
/// Failed, where there is no key yet; refused, where it is the recovery key that was given for the passphrase; otherwise when
/// the store fails.
pub async fn make(app: &Arc<App>, passphrase: SecretText) -> Result<Vec<u8>, Failure> {
    let all = app.keyring.all();
    if all.is_empty() {
        return Err(Failure::failed("There is no key to keep safe yet; one is made with your first message"));
    }
    // The next recovery key would not open it, and who has the file would look for a passphrase.
    if passphrase.expose().parse::<RecoveryKey>().is_ok() {
        return Err(Failure::refused(
            "The copy is locked by your passphrase, not by the recovery key; set a new passphrase first if you forgot it",
        ));
    }
    let now = app.now();
    let armoured = blocking(move || {
        let secrets: Vec<_> = all.iter().map(|own| own.key.clone()).collect();
        backup::make(&secrets, &passphrase, now)
    })
    .await?;
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    keys::backed_up(&mut c, now).await?;
    commit(c).await?;
    drop(writer);
    super::keyring::learn(app).await?;
    Ok(armoured.into_bytes())
}

/// Writes bytes to a new file that only its owner can read. What is there is never overwritten.
///
/// # Errors
/// Failed, where the file is there already or cannot be written.
pub fn write_new(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let cannot = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::failed(format!(
            "{} is there already and was not touched; name a new file",
            file.display()
        )),
        _ => Failure::failed(format!("Cannot write {}: {}", file.display(), plain(&e))),
    };
    let mut to =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(cannot)?;
    to.write_all(bytes).and_then(|()| to.sync_all()).map_err(cannot)
}
