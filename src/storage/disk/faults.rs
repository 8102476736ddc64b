//! A disk that stops, fills up or loses power at a chosen step. For tests, per thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

#[derive(Default)]
struct Disk {
    /// Steps until the disk fails; none: it does not.
    fuel: Option<usize>,
    /// How many steps fail from then on.
    failing: usize,
    failed: bool,
    /// What is certain to outlive a power cut: contents by inode, names by directory.
    watched: Option<PathBuf>,
    contents: BTreeMap<u64, Vec<u8>>,
    names: BTreeMap<OsString, u64>,
}

thread_local! {
    static DISK: RefCell<Disk> = RefCell::default();
}

/// From the `after`-th step on, `failing` steps fail as if the disk were full (`usize::MAX`: as if killed).
pub(crate) fn fail(after: usize, failing: usize) {
    DISK.with_borrow_mut(|disk| (disk.fuel, disk.failing, disk.failed) = (Some(after), failing, false));
}

/// The disk is well again. Says whether it had failed.
pub(crate) fn heal() -> bool {
    DISK.with_borrow_mut(|disk| {
        disk.fuel = None;
        disk.failed
    })
}

/// From now on, remembers what in this directory has really reached the disk.
pub(crate) fn watch(directory: &Path) {
    DISK.with_borrow_mut(|disk| {
        disk.watched = Some(directory.to_path_buf());
        disk.contents.clear();
        disk.names.clear();
    });
}

/// Writes to `to` what a power cut would have left of the watched directory at worst.
pub(crate) fn after_power_cut(to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    DISK.with_borrow(|disk| {
        for (name, inode) in &disk.names {
            let content = disk.contents.get(inode).cloned().unwrap_or_default();
            std::fs::write(to.join(name), content).unwrap();
        }
    });
}

pub(super) fn step() -> io::Result<()> {
    DISK.with_borrow_mut(|disk| match &mut disk.fuel {
        None => Ok(()),
        Some(0) if disk.failing == 0 => Ok(()),
        Some(0) => {
            disk.failing -= 1;
            disk.failed = true;
            Err(io::ErrorKind::StorageFull.into())
        }
        Some(fuel) => {
            *fuel -= 1;
            Ok(())
        }
    })
}

pub(super) fn torn_write(file: &File, offset: u64, half: &[u8]) {
    // Once killed, nothing more is written; the very write that was interrupted leaves its first half.
    let first = DISK.with_borrow(|disk| disk.failing == usize::MAX - 1 || disk.failing < 1000);
    if first {
        file.write_all_at(half, offset).unwrap();
    }
}

pub(super) fn synced(file: &File) {
    DISK.with_borrow_mut(|disk| {
        if disk.watched.is_some() {
            let metadata = file.metadata().unwrap();
            let mut content = vec![0; usize::try_from(metadata.len()).unwrap()];
            file.read_exact_at(&mut content, 0).unwrap();
            disk.contents.insert(metadata.ino(), content);
        }
    });
}

pub(super) fn names_synced(directory: &Path) {
    DISK.with_borrow_mut(|disk| {
        if disk.watched.as_deref() == Some(directory) {
            let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
            disk.names = entries.map(|entry| (entry.file_name(), entry.metadata().unwrap().ino())).collect();
        }
    });
}
