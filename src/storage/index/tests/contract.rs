//! What the search library expects of a directory, asked of its own in memory and of ours.

use super::super::directory::SealedDirectory;
use super::super::pages::PAGE;
use super::*;
use proptest::prelude::*;
use std::io::Write;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{Directory, INDEX_WRITER_LOCK, META_LOCK, RamDirectory, TerminatingWrite};
use tantivy::{HasLen, directory::FileSlice};

fn both(ask: impl Fn(&dyn Directory)) {
    ask(&RamDirectory::create());
    let alice = Alice::new();
    ask(&sealed(&alice));
}

fn sealed(alice: &Alice) -> SealedDirectory {
    SealedDirectory::open(&alice.path(), &alice.key, STORE, 1 << 20).unwrap()
}

fn put(directory: &dyn Directory, name: &str, bytes: &[u8]) {
    let mut file = directory.open_write(Path::new(name)).unwrap();
    file.write_all(bytes).unwrap();
    file.terminate().unwrap();
}

fn slice(directory: &dyn Directory, name: &str) -> FileSlice {
    directory.open_read(Path::new(name)).unwrap()
}

#[test]
fn what_was_written_is_read_back() {
    both(|directory| {
        for length in [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE, 3 * PAGE + 7] {
            let bytes: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let name = length.to_string();
            put(directory, &name, &bytes);
            let file = slice(directory, &name);
            assert_eq!(file.len(), length);
            assert_eq!(file.read_bytes().unwrap().as_slice(), bytes);
        }
    });
}

#[test]
fn a_file_is_written_once() {
    both(|directory| {
        let name = Path::new("once");
        assert!(!directory.exists(name).unwrap());
        let file = directory.open_write(name).unwrap();
        assert!(directory.exists(name).unwrap());
        assert!(matches!(directory.open_write(name), Err(OpenWriteError::FileAlreadyExists(_))));
        file.terminate().unwrap();
        assert!(matches!(directory.open_write(name), Err(OpenWriteError::FileAlreadyExists(_))));
    });
}

#[test]
fn a_file_dropped_before_its_end_was_never_there() {
    both(|directory| {
        let mut file = directory.open_write(Path::new("half")).unwrap();
        file.write_all(b"half of it").unwrap();
        drop(file);
        assert!(!directory.exists(Path::new("half")).unwrap());
        put(directory, "half", b"all of it");
        assert_eq!(slice(directory, "half").read_bytes().unwrap().as_slice(), b"all of it");
    });
}

#[test]
fn a_deleted_file_stays_readable_to_those_who_have_it_open() {
    both(|directory| {
        put(directory, "gone", &[7; 2 * PAGE]);
        let file = slice(directory, "gone");
        directory.delete(Path::new("gone")).unwrap();
        assert!(!directory.exists(Path::new("gone")).unwrap());
        assert!(matches!(directory.open_read(Path::new("gone")), Err(OpenReadError::FileDoesNotExist(_))));
        assert!(matches!(directory.delete(Path::new("gone")), Err(DeleteError::FileDoesNotExist(_))));
        assert_eq!(file.read_bytes().unwrap().as_slice(), [7; 2 * PAGE]);
    });
}

#[test]
fn small_files_are_replaced_as_a_whole() {
    both(|directory| {
        for name in ["meta.json", ".managed.json"] {
            let name = Path::new(name);
            assert!(matches!(directory.atomic_read(name), Err(OpenReadError::FileDoesNotExist(_))));
            directory.atomic_write(name, b"first").unwrap();
            directory.atomic_write(name, b"second").unwrap();
            assert_eq!(directory.atomic_read(name).unwrap(), b"second");
            assert!(directory.exists(name).unwrap());
        }
    });
}

#[test]
fn a_lock_is_held_by_one_at_a_time_and_freed_when_dropped() {
    both(|directory| {
        let held = directory.acquire_lock(&INDEX_WRITER_LOCK).unwrap();
        assert!(matches!(directory.acquire_lock(&INDEX_WRITER_LOCK), Err(LockError::LockBusy)));
        drop(held);
        drop(directory.acquire_lock(&INDEX_WRITER_LOCK).unwrap());
        let held = directory.acquire_lock(&META_LOCK).unwrap();
        let other = directory.box_clone();
        let waiting = std::thread::spawn(move || drop(other.acquire_lock(&META_LOCK).unwrap()));
        drop(held);
        waiting.join().unwrap();
    });
}

#[test]
fn only_what_was_committed_is_there_after_a_kill() {
    let alice = Alice::new();
    let directory = sealed(&alice);
    put(&directory, "kept", b"kept");
    directory.atomic_write(Path::new("meta.json"), b"first").unwrap();
    put(&directory, "lost", b"lost");
    directory.atomic_write(Path::new(".managed.json"), b"names both").unwrap();
    let unfinished = directory.open_write(Path::new("unfinished")).unwrap();
    std::mem::forget(unfinished);
    std::mem::forget(directory);
    std::fs::write(alice.path().join("catalog.new"), b"torn").unwrap();

    let directory = sealed(&alice);
    assert_eq!(slice(&directory, "kept").read_bytes().unwrap().as_slice(), b"kept");
    assert_eq!(directory.atomic_read(Path::new("meta.json")).unwrap(), b"first");
    assert!(directory.atomic_read(Path::new(".managed.json")).is_err());
    assert!(!directory.exists(Path::new("lost")).unwrap());
    assert_eq!(alice.files().len(), 2, "the catalog and one file");
}

#[test]
fn a_deleted_file_leaves_the_disk_with_the_next_catalog() {
    let alice = Alice::new();
    let directory = sealed(&alice);
    put(&directory, "old", b"old");
    directory.atomic_write(Path::new("meta.json"), b"old").unwrap();
    assert_eq!(alice.files().len(), 2);
    directory.delete(Path::new("old")).unwrap();
    assert_eq!(alice.files().len(), 2, "the catalog on disk still names it");
    directory.atomic_write(Path::new(".managed.json"), b"[]").unwrap();
    assert_eq!(alice.files().len(), 1);
    drop(directory);
    assert!(!sealed(&alice).exists(Path::new("old")).unwrap());
}

#[test]
fn a_commit_that_fails_changes_nothing() {
    let alice = Alice::new();
    let directory = sealed(&alice);
    directory.atomic_write(Path::new("meta.json"), b"first").unwrap();
    // The new catalog cannot be written where a directory is in its way.
    let way = alice.path().join("catalog.new");
    std::fs::create_dir(&way).unwrap();
    assert!(directory.atomic_write(Path::new("meta.json"), b"second").is_err());
    assert_eq!(directory.atomic_read(Path::new("meta.json")).unwrap(), b"first");
    std::fs::remove_dir(&way).unwrap();
    directory.atomic_write(Path::new("meta.json"), b"third").unwrap();
    drop(directory);
    assert_eq!(sealed(&alice).atomic_read(Path::new("meta.json")).unwrap(), b"third");
}

#[test]
fn another_key_or_store_opens_nothing() {
    let alice = Alice::new();
    sealed(&alice).atomic_write(Path::new("meta.json"), b"first").unwrap();
    let other_key = SealedDirectory::open(&alice.path(), &Key::random(), STORE, 0);
    assert!(matches!(other_key, Err(IndexError::Damaged)));
    let other_store = SealedDirectory::open(&alice.path(), &alice.key, [0; 16], 0);
    assert!(matches!(other_store, Err(IndexError::Damaged)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_range_reads_as_it_would_in_the_clear(
        length in 0_usize..5 * PAGE,
        pieces in proptest::collection::vec(1_usize..PAGE * 2, 1..8),
        ranges in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..40),
        cache in prop::sample::select(vec![0_usize, PAGE, 2 * PAGE, 1 << 20]),
    ) {
        let alice = Alice::new();
        let directory = SealedDirectory::open(&alice.path(), &alice.key, STORE, cache).unwrap();
        let plain: Vec<u8> = (0..length).map(|n| (n * 7 + n / 256) as u8).collect();
        let mut file = directory.open_write(Path::new("file")).unwrap();
        let mut rest = plain.as_slice();
        for piece in pieces.iter().cycle() {
            let (now, later) = rest.split_at((*piece).min(rest.len()));
            file.write_all(now).unwrap();
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        file.terminate().unwrap();
        let read = slice(&directory, "file");
        for (one, other) in &ranges {
            let (one, other) = (one.index(length + 1), other.index(length + 1));
            let range = one.min(other)..one.max(other);
            let read = read.read_bytes_slice(range.clone()).unwrap();
            prop_assert_eq!(read.as_slice(), &plain[range]);
        }
    }
}
