//! Stories about data directories.

use super::*;
use crate::crypto::passphrase::Cost;
use crate::crypto::secret::SecretText;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::LazyLock;
use tempfile::TempDir;

static VAULTS: LazyLock<[Vault; 2]> = LazyLock::new(|| {
    ["one", "two"].map(|words| Vault::create(&SecretText::new(words.into()), Cost::MINIMUM).0)
});

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn store() -> (TempDir, DataDir) {
    let place = tempfile::tempdir().unwrap();
    let directory = DataDir::create(&place.path().join("of/alice")).unwrap();
    directory.write_vault(&VAULTS[0]).unwrap();
    (place, directory)
}

#[test]
fn all_that_is_made_is_for_the_owner_only() {
    let (_place, directory) = store();
    let lock = directory.lock().unwrap();
    assert_eq!(mode(directory.root()), 0o700);
    for entry in fs::read_dir(directory.root()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
    drop(lock);
}

#[test]
fn a_directory_that_stands_open_is_closed() {
    let (_place, directory) = store();
    fs::set_permissions(directory.root(), Permissions::from_mode(0o755)).unwrap();
    DataDir::open(directory.root()).unwrap();
    assert_eq!(mode(directory.root()), 0o700);
}

#[test]
fn an_existing_store_or_anything_else_is_not_touched() {
    let (place, directory) = store();
    assert!(matches!(DataDir::create(directory.root()), Err(DataDirError::NotEmpty { .. })));
    let letters = place.path().join("letters");
    fs::create_dir(&letters).unwrap();
    fs::write(letters.join("to bob"), "Hello").unwrap();
    assert!(matches!(DataDir::create(&letters), Err(DataDirError::NotEmpty { .. })));
    assert!(matches!(DataDir::open(&letters), Err(DataDirError::NoStore { .. })));
    assert_eq!(fs::read_dir(&letters).unwrap().count(), 1);
    assert!(matches!(DataDir::open(&place.path().join("nowhere")), Err(DataDirError::NoStore { .. })));
    let empty = place.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let stopped = DataDir::create(&empty).unwrap();
    assert_eq!(mode(&empty), 0o700);
    // Stopped before it had a vault, it is made once more; with mail in it, it never is.
    let lock = stopped.lock().unwrap();
    DataDir::create(&empty).unwrap();
    drop(lock);
    fs::write(stopped.packs().join("00000001.pack"), "mail").unwrap();
    assert!(matches!(DataDir::create(&empty), Err(DataDirError::NotEmpty { .. })));
}

#[test]
fn another_users_directory_is_refused() {
    let (_place, directory) = store();
    if std::os::unix::fs::chown(directory.root(), Some(12345), None).is_err() {
        eprintln!("skipped: only root can give a directory away");
        return;
    }
    assert!(matches!(DataDir::open(directory.root()), Err(DataDirError::NotOurs { .. })));
}

#[test]
fn one_holds_the_lock_and_the_next_gets_it() {
    let (_place, directory) = store();
    let held = directory.lock().unwrap();
    assert!(matches!(DataDir::open(directory.root()).unwrap().lock(), Err(DataDirError::InUse { .. })));
    drop(held);
    let again = directory.lock().unwrap();
    drop(again);
}

/// Not a test by itself: holds the lock until killed.
#[test]
fn holding_the_lock_until_killed() {
    if let Ok(root) = std::env::var("MAILKEEP_TEST_LOCK_DIRECTORY") {
        let _lock = DataDir::open(Path::new(&root)).unwrap().lock().unwrap();
        println!("locked");
        // Until whoever started it has gone, at the latest.
        let _ = std::io::stdin().read_line(&mut String::new());
    }
}

#[test]
fn a_killed_process_leaves_no_lock_behind() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let (_place, directory) = store();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "storage::data_dir::tests::holding_the_lock_until_killed", "--nocapture"])
        .env("MAILKEEP_TEST_LOCK_DIRECTORY", directory.root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("locked")));
    assert!(matches!(directory.lock(), Err(DataDirError::InUse { .. })));
    child.kill().unwrap();
    child.wait().unwrap();
    let lock = directory.lock().unwrap();
    drop(lock);
}

#[test]
fn a_damaged_lost_or_older_copy_of_the_vault_is_mended() {
    let (_place, directory) = store();
    let files = [directory.vault_file(), directory.vault_copy()];
    for file in &files {
        for damage in [None, Some(b"".as_slice()), Some(&[7; 100_000]), Some(&[7; 1_000_000])] {
            match damage {
                None => fs::remove_file(file).unwrap(),
                Some(bytes) => fs::write(file, bytes).unwrap(),
            }
            assert_eq!(DataDir::open(directory.root()).unwrap().read_vault().unwrap(), VAULTS[0]);
            assert!(files.iter().all(|file| fs::read(file).unwrap() == VAULTS[0].to_bytes()));
        }
    }
    // Stopped between the copies, while the passphrase was changed: the first one counts.
    fs::write(&files[0], VAULTS[1].to_bytes()).unwrap();
    assert_eq!(directory.read_vault().unwrap(), VAULTS[1]);
    assert_eq!(fs::read(&files[1]).unwrap(), VAULTS[1].to_bytes());
}

#[test]
fn a_vault_lost_in_both_copies_is_said() {
    let (_place, directory) = store();
    fs::write(directory.vault_file(), b"nothing").unwrap();
    fs::write(directory.vault_copy(), b"nothing").unwrap();
    assert!(matches!(directory.read_vault(), Err(DataDirError::Vault { .. })));
    fs::remove_file(directory.vault_file()).unwrap();
    fs::remove_file(directory.vault_copy()).unwrap();
    assert!(matches!(directory.read_vault(), Err(DataDirError::NoStore { .. })));
}

#[test]
fn a_change_of_the_vault_stopped_at_any_step_leaves_one_that_opens() {
    for step in 0.. {
        let (_place, directory) = store();
        disk::faults::fail(step, usize::MAX);
        let outcome = directory.write_vault(&VAULTS[1]);
        let stopped = disk::faults::heal();
        let read = directory.read_vault().unwrap();
        if outcome.is_ok() {
            assert_eq!(read, VAULTS[1]);
        }
        assert!(VAULTS.contains(&read));
        assert!(directory.write_vault(&VAULTS[1]).is_ok(), "and the next change works");
        if !stopped {
            assert!(step > 10);
            return;
        }
    }
}

#[test]
fn what_the_disk_refuses_is_said_in_words() {
    use std::io::{Error, ErrorKind};
    let path = Path::new("/data/database");
    for (kind, words) in [
        (ErrorKind::StorageFull, "the disk is full"),
        (ErrorKind::QuotaExceeded, "the disk is full"),
        (ErrorKind::PermissionDenied, "no permission"),
        (ErrorKind::ReadOnlyFilesystem, "read-only"),
        (ErrorKind::NotFound, "is not there"),
    ] {
        let said = DiskError::new(path, Error::from(kind)).to_string();
        assert!(said.contains(words) && said.contains("/data/database"), "{said}");
    }
}

#[test]
fn a_socket_can_be_bound_however_long_the_path() {
    let place = tempfile::tempdir().unwrap();
    let directory = DataDir::create(&place.path().join("long".repeat(40))).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(directory.socket()).unwrap();
    assert!(directory.root().join("socket").exists());
    std::os::unix::net::UnixStream::connect(directory.socket()).unwrap();
    drop(socket);
}

#[test]
fn temporary_files_go_and_free_space_is_told() {
    let (_place, directory) = store();
    fs::create_dir(directory.tmp().join("old")).unwrap();
    fs::write(directory.tmp().join("old/file"), b"sealed").unwrap();
    fs::write(directory.tmp().join("file"), b"sealed").unwrap();
    directory.clear_tmp().unwrap();
    assert_eq!(fs::read_dir(directory.tmp()).unwrap().count(), 0);
    assert!(directory.free_bytes().unwrap() > 0);
}

/// Not a test by itself: it changes the whole process.
#[test]
fn hardened() {
    if std::env::var("MAILKEEP_TEST_HARDEN").is_ok() {
        harden_process().unwrap();
        let limits = fs::read_to_string("/proc/self/limits").unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
        assert_eq!(
            rustix::process::dumpable_behavior().unwrap(),
            rustix::process::DumpableBehavior::NotDumpable
        );
        // The detour for long socket paths still works.
        a_socket_can_be_bound_however_long_the_path();
    }
}

#[test]
fn a_hardened_process_leaves_no_core() {
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "storage::data_dir::tests::hardened"])
        .env("MAILKEEP_TEST_HARDEN", "1")
        .status()
        .unwrap();
    assert!(status.success());
}
