//! Snapshots: consistent copies of the database, each under a key of its own, so that tags, accounts and settings
//! survive a lost or damaged database. What must not go back in time (tokens, sessions) is in none of them.

use super::app::App;
use super::failure::Failure;
use crate::crypto::seal;
use crate::crypto::secret::Key;
use crate::storage::{database, disk};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// How many generations are kept.
const KEPT: usize = 3;
/// A larger database than this is copied once a day only, in bytes.
const SMALL: u64 = 32 << 20;
const AAD: &[u8] = b"mailkeep snapshots";

/// The list of snapshots with their keys; sealed in a file beside them.
#[derive(Default, Serialize, Deserialize)]
struct List(Vec<Snapshot>);

#[derive(Clone, Serialize, Deserialize)]
struct Snapshot {
    file: String,
    key: String,
    made_at: i64,
}

fn read(directory: &Path, wrapping: &Key) -> List {
    fs::read(directory.join("list"))
        .ok()
        .and_then(|sealed| seal::unwrap(wrapping, AAD, &sealed).ok())
        .and_then(|plain| serde_json::from_slice(&plain).ok())
        .unwrap_or_default()
}

fn write(app: &App, list: &List) -> Result<(), Failure> {
    let plain =
        zeroize::Zeroizing::new(serde_json::to_vec(list).map_err(|e| Failure::failed(e.to_string()))?);
    disk::replace(&app.data.snapshots().join("list"), &seal::wrap(&app.snapshots, AAD, &plain))?;
    Ok(())
}

fn key_of(snapshot: &Snapshot) -> Option<Key> {
    let bytes = data_encoding::HEXLOWER.decode(snapshot.key.as_bytes()).ok()?;
    Some(Key::from_bytes(bytes.try_into().ok()?))
}

/// Makes a snapshot when the last one is a day old, or an hour where the database is small, or when there is none.
///
/// # Errors
/// When the disk fails; the older snapshots stay as they are.
pub async fn make_if_due(app: &App) -> Result<(), Failure> {
    let list = read(&app.data.snapshots(), &app.snapshots);
    let size = fs::metadata(app.data.database()).map_or(0, |m| m.len());
    let age = list.0.last().map_or(i64::MAX, |last| app.now().saturating_sub(last.made_at));
    // A small database is copied in a moment, so the copy may as well be of today's state.
    let due = if size <= SMALL { 0 } else { 24 * 3600 };
    let changed = fs::metadata(app.data.database().with_file_name("database-wal")).is_ok_and(|m| m.len() > 0);
    if age > due && (changed || list.0.is_empty()) { make(app).await } else { Ok(()) }
}

/// Makes a snapshot now, then forgets the oldest.
///
/// # Errors
/// When the disk fails; the older snapshots stay as they are.
pub async fn make(app: &App) -> Result<(), Failure> {
    make_and_keep(app, KEPT).await
}

async fn make_and_keep(app: &App, kept: usize) -> Result<(), Failure> {
    let directory = app.data.snapshots();
    let mut list = read(&directory, &app.snapshots);
    let name = data_encoding::HEXLOWER.encode(&crate::crypto::secret::random::<8>());
    let key = Key::random();
    let path = directory.join(&name);
    {
        let writer = app.writer.lock().await;
        if let Err(error) = writer.copy_to(&path, &key).await {
            drop(fs::remove_file(&path));
            return Err(error.into());
        }
    }
    disk::settle(&path)?;
    list.0.push(Snapshot {
        file: name,
        key: data_encoding::HEXLOWER.encode(key.expose()),
        made_at: app.now(),
    });
    let old = list.0.split_off(0);
    let (gone, kept) = old.split_at(old.len().saturating_sub(kept));
    list.0 = kept.to_vec();
    write(app, &list)?;
    for snapshot in gone {
        if let Err(error) = fs::remove_file(directory.join(&snapshot.file)) {
            tracing::warn!(%error, "An old snapshot could not be removed");
        }
    }
    Ok(())
}

/// Makes a new snapshot and forgets all others: what was deleted for ever is in none that is left.
///
/// # Errors
/// When the disk fails.
pub async fn renew(app: &App) -> Result<(), Failure> {
    make_and_keep(app, 1).await
}

/// Copies the newest snapshot that opens to `target`, as the database under `database_key`. False when there is none.
///
/// # Errors
/// When the disk fails.
pub async fn restore(
    directory: &Path,
    wrapping: &Key,
    target: &Path,
    database_key: &Key,
) -> Result<bool, Failure> {
    for snapshot in read(directory, wrapping).0.iter().rev() {
        let Some(key) = key_of(snapshot) else { continue };
        let path = directory.join(&snapshot.file);
        if !path.exists() {
            continue;
        }
        match restore_one(&path, &key, target, database_key).await {
            Ok(()) => return Ok(true),
            Err(error) => tracing::warn!(%error, "A snapshot does not open; an older one is tried"),
        }
    }
    Ok(false)
}

async fn restore_one(path: &Path, key: &Key, target: &Path, database_key: &Key) -> Result<(), Failure> {
    let (reader, writer) = database::open(path, key).await?;
    let complaints = database::integrity(&mut *reader.get().await?).await?;
    if !complaints.is_empty() {
        return Err(Failure::damaged("the snapshot is damaged"));
    }
    let copied = writer.copy_to(target, database_key).await;
    reader.close().await;
    writer.close().await;
    Ok(copied?)
}

/// The background task: looks every ten minutes whether it is time for a snapshot.
///
/// # Errors
/// When the disk fails; the supervisor starts it again.
pub async fn run(app: std::sync::Arc<App>, stop: tokio_util::sync::CancellationToken) -> Result<(), Failure> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(std::time::Duration::from_secs(600)) => make_if_due(&app).await?,
        }
    }
}
