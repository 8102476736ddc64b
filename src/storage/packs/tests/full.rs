//! A disk that is really full: a small filesystem where we may mount one, else a limit on the size of files.

use super::*;
use std::process::Command;

const DIRECTORY: &str = "MAILKEEP_TEST_FULL_DIRECTORY";

/// Appends until the disk is full; what was stored before and what is read after must be whole.
fn fill(directory: &Path) -> (Packs, Vec<(RecordPlace, u32)>) {
    let packs = Packs::open(directory, &key(), STORE).unwrap();
    let mut promised = Vec::new();
    for first in (0..).step_by(50) {
        match append(&packs, first..first + 50) {
            Ok(places) => promised.extend(places.into_iter().zip(first..)),
            Err(PackError::Disk(DiskError::Full { .. })) => break,
            Err(error) => panic!("{error}"),
        }
    }
    // Once more, and reading goes on.
    assert!(matches!(append(&packs, 7_000_000..7_000_050), Err(PackError::Disk(DiskError::Full { .. }))));
    for (place, number) in &promised {
        assert_eq!(number_at(&packs, *place), *number);
    }
    assert_eq!(scanned(&packs).len(), promised.len());
    (packs, promised)
}

#[test]
fn a_full_filesystem_is_said_and_space_given_back_is_used() {
    let place = tempfile::tempdir().unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=300k", "tmpfs"]).arg(place.path()).output();
    if !mounted.is_ok_and(|mounted| mounted.status.success()) {
        eprintln!("skipped: a small filesystem cannot be mounted here");
        return;
    }
    let ballast = place.path().join("ballast");
    let directory = place.path().join("packs");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(&ballast, vec![1; 100_000]).unwrap();
    let outcome = std::panic::catch_unwind(|| {
        let (packs, promised) = fill(&directory);
        assert!(!promised.is_empty());
        std::fs::remove_file(&ballast).unwrap();
        let later = append(&packs, 7_000_000..7_000_050).unwrap();
        assert_eq!(number_at(&packs, later[49]), 7_000_049);
        let packs = Packs::open(&directory, &key(), STORE).unwrap();
        assert_eq!(scanned(&packs).len(), promised.len() + 50);
        assert_eq!(packs.mend().unwrap().tables_mended, 0);
    });
    assert!(Command::new("umount").arg(place.path()).status().unwrap().success());
    outcome.unwrap();
}

/// Not a test by itself: runs where no file may be longer than the shell allows.
#[test]
fn filling_under_a_limit() {
    if let Ok(directory) = std::env::var(DIRECTORY) {
        assert!(!fill(Path::new(&directory)).1.is_empty());
    }
}

#[test]
fn a_limit_on_the_size_of_files_is_a_full_disk() {
    let store = Store::new();
    let limited = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 400; exec \"$0\" --exact \"$1\""])
        .arg(std::env::current_exe().unwrap())
        .arg("storage::packs::tests::full::filling_under_a_limit")
        .env(DIRECTORY, store.directory.path())
        .output()
        .unwrap();
    assert!(limited.status.success(), "{}", String::from_utf8_lossy(&limited.stdout));
    let packs = store.open();
    let before = scanned(&packs).len();
    append(&packs, 7_000_000..7_000_050).unwrap();
    assert_eq!(scanned(&packs).len(), before + 50);
}
