//! Snapshots: consistent copies of the database, each under a key of its own, so that tags, accounts and settings
//! survive a lost or damaged database. What must not go back in time (tokens, sessions) is in none of them.
//!
//! Their keys lie in a sealed list, kept twice like the vault. A list that is there and does not open is never taken for
//! an empty one: writing over it would lose the keys of all generations.

use super::app::App;
use super::failure::Failure;
use super::{outbox, restore};
use crate::crypto::seal;
use crate::crypto::secret::Key;
use crate::storage::data_dir::DataDir;
use crate::storage::database::{self, DatabaseError, Writer};
use crate::storage::disk::{self, DiskError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A larger database than this is copied once a day only, in bytes.
const SMALL: u64 = 32 << 20;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
/// No list of ours is nearly as long.
const LONGEST_LIST: usize = 1 << 20;
const AAD: &[u8] = b"mailkeep snapshots";

/// The list of snapshots with their keys, oldest first; sealed in two files beside them.
#[derive(Default, Serialize, Deserialize)]
struct List(Vec<Snapshot>);

#[derive(Clone, Serialize, Deserialize)]
struct Snapshot {
    file: String,
    key: String,
    made_at: i64,
}

/// Which older snapshots stay when a new one is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Older {
    Spaced,
    None,
}

fn copies(directory: &Path) -> [PathBuf; 2] {
    ["list", "list.copy"].map(|name| directory.join(name))
}

/// One copy of the list: none, one that opens, or one that does not.
fn read_copy(path: &Path, wrapping: &Key) -> Result<Option<Result<List, seal::BrokenSeal>>, DiskError> {
    match disk::read_small(path, LONGEST_LIST) {
        Ok(sealed) => {
            let list = seal::unwrap(wrapping, AAD, &sealed)
                .and_then(|plain| serde_json::from_slice(&plain).map_err(|_| seal::BrokenSeal));
            Ok(Some(list))
        }
        Err(error) if error.is_not_there() => Ok(None),
        Err(error) if error.is_damage() => Ok(Some(Err(seal::BrokenSeal))),
        Err(error) => Err(error),
    }
}

fn read(directory: &Path, wrapping: &Key) -> Result<List, Failure> {
    let mut is_broken = false;
    for path in copies(directory) {
        match read_copy(&path, wrapping)? {
            Some(Ok(list)) => return Ok(list),
            Some(Err(_)) => is_broken = true,
            None => {}
        }
    }
    if is_broken {
        return Err(Failure::damaged(
            "The list of snapshots does not open; `mailkeep check --repair` begins a new one",
        ));
    }
    Ok(List::default())
}

fn write(directory: &Path, wrapping: &Key, list: &List) -> Result<(), Failure> {
    let plain =
        zeroize::Zeroizing::new(serde_json::to_vec(list).map_err(|e| Failure::failed(e.to_string()))?);
    for path in copies(directory) {
        disk::replace(&path, &seal::wrap(wrapping, AAD, &plain))?;
    }
    Ok(())
}

fn key_of(snapshot: &Snapshot) -> Option<Key> {
    let bytes = data_encoding::HEXLOWER.decode(snapshot.key.as_bytes()).ok()?;
    Some(Key::from_bytes(bytes.try_into().ok()?))
}

/// Makes a snapshot when the database changed since the last one and that is an hour old (a day, where the database is
/// large), or when there is none.
///
/// # Errors
/// When the disk fails; the older snapshots stay as they are.
pub async fn make_if_due(app: &App) -> Result<(), Failure> {
    let list = read(&app.data.snapshots(), &app.snapshots)?;
    if let Some(last) = list.0.last() {
        let size = fs::metadata(app.data.database()).map_or(0, |m| m.len());
        let due = if size <= SMALL { HOUR } else { DAY };
        // A clock that was set back must not keep us from making any.
        let is_young = (0..due).contains(&app.now().saturating_sub(last.made_at));
        if is_young || !changed_since(&app.data, last.made_at) {
            return Ok(());
        }
    }
    make(app).await
}

/// Whether the database or its log was written to at that second or later.
fn changed_since(data: &DataDir, at: i64) -> bool {
    let database = data.database();
    [database.with_file_name("database-wal"), database].iter().any(|path| {
        let written = fs::metadata(path).and_then(|m| m.modified()).ok();
        let written = written.and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        written.is_some_and(|t| t.as_secs().cast_signed() >= at)
    })
}

/// Makes a snapshot now, then forgets those that are no longer needed.
///
/// # Errors
/// When the disk fails; the older snapshots stay as they are.
pub async fn make(app: &App) -> Result<(), Failure> {
    let _turn = app.snapshotting.lock().await;
    let writer = app.writer.lock().await;
    let list = read(&app.data.snapshots(), &app.snapshots)?;
    make_in(&app.data.snapshots(), &app.snapshots, &writer, list, app.now(), Older::Spaced).await
}

/// Makes a new snapshot and forgets all others: what was deleted for ever is in none that is left, nor in a database that
/// was put aside.
///
/// # Errors
/// When the disk fails.
pub async fn renew(app: &App) -> Result<(), Failure> {
    let _turn = app.snapshotting.lock().await;
    let writer = app.writer.lock().await;
    // All older ones go, so it is no loss where their list does not open.
    make_in(&app.data.snapshots(), &app.snapshots, &writer, List::default(), app.now(), Older::None).await?;
    restore::forget_damaged(&app.data)
}

/// Makes a snapshot of a database that is about to get new tables.
///
/// # Errors
/// When the disk fails; then nothing was changed.
pub(super) async fn before_migrating(data: &DataDir, wrapping: &Key, key: &Key) -> Result<(), Failure> {
    let Some(writer) = database::before_migrating(&data.database(), key).await? else { return Ok(()) };
    let made = match read(&data.snapshots(), wrapping) {
        Ok(list) => {
            let now = jiff::Timestamp::now().as_second();
            make_in(&data.snapshots(), wrapping, &writer, list, now, Older::Spaced).await
        }
        Err(error) => Err(error),
    };
    writer.close().await;
    made
}

async fn make_in(
    directory: &Path,
    wrapping: &Key,
    writer: &Writer,
    mut list: List,
    now: i64,
    older: Older,
) -> Result<(), Failure> {
    let name = data_encoding::HEXLOWER.encode(&crate::crypto::secret::random::<8>());
    let key = Key::random();
    let path = directory.join(&name);
    if let Err(error) = writer.copy_to(&path, &key).await {
        drop(fs::remove_file(&path));
        return Err(error.into());
    }
    disk::settle(&path)?;
    let key = data_encoding::HEXLOWER.encode(key.expose());
    list.0.push(Snapshot { file: name, key, made_at: now });
    let keep = if older == Older::None { [list.0.len() - 1].into() } else { spaced(&list.0, now) };
    let mut at = 0..;
    list.0.retain(|_| at.next().is_some_and(|at| keep.contains(&at)));
    write(directory, wrapping, &list)?;
    sweep(directory, &list);
    Ok(())
}

/// Which snapshots stay: the newest; for the last hour, day and week the youngest that is older than that; and the oldest
/// younger one each time, which becomes it.
fn spaced(list: &[Snapshot], now: i64) -> BTreeSet<usize> {
    let mut keep = BTreeSet::from([list.len().saturating_sub(1)]);
    for span in [HOUR, DAY, WEEK] {
        let is_older = |snapshot: &Snapshot| now.saturating_sub(snapshot.made_at) >= span;
        keep.extend(list.iter().rposition(is_older));
        keep.extend(list.iter().position(|snapshot| !is_older(snapshot)));
    }
    keep
}

/// Removes what no list names: the old, and what a kill has left of a snapshot that was being made.
fn sweep(directory: &Path, list: &List) {
    let names: BTreeSet<&str> = list.0.iter().map(|snapshot| snapshot.file.as_str()).collect();
    for path in copies(directory) {
        if let Err(error) = disk::discard_successor(&path) {
            tracing::warn!(%error, "What was left of an old list of snapshots could not be removed");
        }
    }
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !names.contains(&*name)
            && !name.starts_with("list")
            && let Err(error) = fs::remove_file(entry.path())
        {
            tracing::warn!(%error, "An old snapshot could not be removed");
        }
    }
}

/// Opens both copies of the list and every page of every snapshot; gives what is wrong, in words.
///
/// # Errors
/// When the disk fails.
pub(super) async fn verify(app: &App) -> Result<Vec<String>, Failure> {
    let _turn = app.snapshotting.lock().await;
    let directory = app.data.snapshots();
    let mut problems = Vec::new();
    for path in copies(&directory) {
        if let Some(Err(_)) = read_copy(&path, &app.snapshots)? {
            problems.push("A copy of the list of snapshots is damaged".to_owned());
        }
    }
    let Ok(list) = read(&directory, &app.snapshots) else { return Ok(problems) };
    for snapshot in &list.0 {
        let path = directory.join(&snapshot.file);
        let words = format!("The snapshot of {} is damaged", super::search::rfc3339(snapshot.made_at));
        let Some(key) = key_of(snapshot).filter(|_| path.exists()) else {
            problems.push(words);
            continue;
        };
        match database::inspect(&path, &key).await {
            Ok(complaints) if complaints.is_empty() => {}
            Ok(_) | Err(DatabaseError::Damaged) => problems.push(words),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(problems)
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
    let list = match read(directory, wrapping) {
        Err(error) if error.kind == super::failure::Kind::Damaged => {
            tracing::warn!(%error, "No snapshot can be opened");
            return Ok(false);
        }
        other => other?,
    };
    for snapshot in list.0.iter().rev() {
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
    if !database::inspect(path, key).await?.is_empty() {
        return Err(Failure::damaged("the snapshot is damaged"));
    }
    let fresh = target.with_extension("restoring");
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut left = fresh.as_os_str().to_owned();
        left.push(suffix);
        disk::remove(Path::new(&left))?;
    }
    let (reader, writer) = database::open(path, key).await?;
    let copied = writer.copy_to(&fresh, database_key).await;
    reader.close().await;
    writer.close().await;
    copied?;
    // It takes the database's place only when nothing in it goes out by itself any more.
    let (reader, writer) = database::open(&fresh, database_key).await?;
    let held = hold_outbox(&writer).await;
    reader.close().await;
    writer.close().await;
    held?;
    disk::settle(&fresh)?;
    fs::rename(&fresh, target).map_err(|e| DiskError::new(target, e))?;
    Ok(disk::settle(target)?)
}

/// What waited in the outbox when the snapshot was made may have gone out since: the owner decides.
async fn hold_outbox(writer: &Writer) -> Result<(), Failure> {
    let mut c = writer.begin().await?;
    database::outbox::hold_all(&mut c, outbox::MAYBE_SENT_BEFORE).await?;
    // An invitation that was used since would be good again.
    database::invitations::remove_before(&mut c, i64::MAX).await?;
    Ok(database::commit(c).await?)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn made_at(times: &[i64]) -> Vec<Snapshot> {
        let one =
            |made_at: &i64| Snapshot { file: made_at.to_string(), key: String::new(), made_at: *made_at };
        times.iter().map(one).collect()
    }

    #[test]
    fn of_a_month_of_hourly_snapshots_a_few_stay_spaced_over_two_weeks() {
        let mut list = Vec::new();
        for hour in 0..24 * 30 {
            let now = hour * HOUR;
            list.extend(made_at(&[now]));
            let keep = spaced(&list, now);
            list =
                list.iter().enumerate().filter(|(at, _)| keep.contains(at)).map(|(_, s)| s.clone()).collect();
            assert!(list.len() <= 7, "{}", list.len());
            for span in [HOUR, DAY, WEEK] {
                let oldest_wanted = now - 2 * span;
                let is_there = list.iter().any(|s| s.made_at <= now - span && s.made_at >= oldest_wanted);
                assert!(is_there || now < span, "one between {span} and twice that, at hour {hour}");
            }
        }
    }

    #[test]
    fn either_copy_of_the_list_is_enough_and_a_broken_one_is_never_taken_for_an_empty_one() {
        let home = tempfile::tempdir().unwrap();
        let (directory, key) = (home.path(), Key::random());
        assert!(read(directory, &key).unwrap().0.is_empty());
        write(directory, &key, &List(made_at(&[7]))).unwrap();
        let flip = |path: &Path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[40] ^= 1;
            fs::write(path, bytes).unwrap();
        };
        let [first, second] = copies(directory);
        flip(&first);
        assert_eq!(read(directory, &key).unwrap().0[0].made_at, 7);
        flip(&second);
        assert!(read(directory, &key).is_err());
        flip(&first);
        fs::remove_file(&second).unwrap();
        assert_eq!(read(directory, &key).unwrap().0[0].made_at, 7);
    }
}
