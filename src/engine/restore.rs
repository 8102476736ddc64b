//! A database that does not open any more: put aside whole, and made anew from the newest good snapshot.

use super::failure::Failure;
use super::snapshots;
use super::vault::Vault;
use crate::crypto::master_key::Use;
use crate::crypto::secret::SecretText;
use crate::storage::data_dir::DataDir;
use crate::storage::database;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the log is copied to before anybody looks at it.
const KEPT_LOG: &str = "-wal.kept";
/// What the name of a database that was put aside begins with.
const DAMAGED: &str = "database.damaged";

/// Whether the database is there and opens; if not, it is put aside and made anew from the newest good snapshot.
/// Gives a sentence on what was done, if anything was.
///
/// # Errors
/// Locked, with a wrong passphrase; otherwise when the disk fails.
pub async fn mend_database(vault: &Vault, passphrase: &SecretText) -> Result<Option<String>, Failure> {
    let (data, master, _) = vault.master(passphrase).await?;
    let path = data.database();
    let key = master.subkey(Use::Database);
    if path.exists() {
        // Looking at a damaged database may end with its log thrown away, which holds the last commits.
        if with(&path, "-wal").exists() {
            fs::copy(with(&path, "-wal"), with(&path, KEPT_LOG)).map_err(|e| cannot(&e))?;
        }
        match database::inspect_with_log(&path, &key).await {
            Ok(complaints) if complaints.is_empty() => return remove(&path, KEPT_LOG).map(|()| None),
            Ok(_) | Err(database::DatabaseError::Damaged) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // Also without a database: its log may be left of a repair that was broken off.
    put_aside(&data)?;
    let restored = snapshots::restore(&data.snapshots(), &master.subkey(Use::Snapshots), &path, &key).await?;
    if !restored {
        let (reader, writer) = database::open(&path, &key).await?;
        reader.close().await;
        writer.close().await;
    }
    Ok(Some(if restored {
        "The database was made anew from its newest snapshot and the packs".to_owned()
    } else {
        "The database was made anew from the packs; there was no snapshot, so accounts, tags and settings are gone".to_owned()
    }))
}

fn cannot(error: &std::io::Error) -> Failure {
    Failure::failed(format!("Cannot put the damaged database aside: {}", super::import::plain(error)))
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Moves the database away with its log, which holds the last commits. The database goes first: while only its log is
/// there, nothing opens the store, and this is called again.
fn put_aside(data: &DataDir) -> Result<(), Failure> {
    let path = data.database();
    let taken = |n: u32| with(&aside(data, n), "").exists() || with(&aside(data, n), "-wal").exists();
    let mut number = 1;
    while taken(number) {
        number += 1;
    }
    if !path.exists() && number > 1 && !with(&aside(data, number - 1), "-wal").exists() {
        // The database of this log was moved there before something broke off.
        number -= 1;
    }
    for (from, to) in [("", ""), (KEPT_LOG, "-wal"), ("-wal", "-wal")] {
        let from = with(&path, from);
        if fs::exists(&from).map_err(|e| cannot(&e))? {
            fs::rename(&from, with(&aside(data, number), to)).map_err(|e| cannot(&e))?;
        }
    }
    remove(&path, "-shm")
}

fn remove(path: &Path, suffix: &str) -> Result<(), Failure> {
    match fs::remove_file(with(path, suffix)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(cannot(&error)),
        _ => Ok(()),
    }
}

fn aside(data: &DataDir, number: u32) -> PathBuf {
    let name = if number == 1 { DAMAGED.to_owned() } else { format!("{DAMAGED}{number}") };
    data.root().join(name)
}

/// Removes databases that were put aside: the one in their place was found sound, or what they know of deleted mail is
/// to be gone.
///
/// # Errors
/// When the disk fails.
pub(super) fn forget_damaged(data: &DataDir) -> Result<(), Failure> {
    let cannot = |e: std::io::Error| {
        Failure::failed(format!("Cannot remove the damaged database: {}", super::import::plain(&e)))
    };
    let names: Vec<OsString> = fs::read_dir(data.root())
        .map_err(cannot)?
        .filter_map(Result::ok)
        .map(|entry| entry.file_name())
        .filter(|name| name.to_string_lossy().starts_with(DAMAGED))
        .collect();
    names.iter().try_for_each(|name| fs::remove_file(data.root().join(name)).map_err(cannot))
}
