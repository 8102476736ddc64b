//! The few things we ask of the disk, and what to say when it refuses.
//!
//! All that must survive a crash goes through here, so that tests can stop the disk at any step.

use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The disk said no.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// No space, or a quota or limit is used up.
    #[error("the disk is full: {} could not be written; free some space and try again", .path.display())]
    Full {
        /// Which file.
        path: PathBuf,
    },
    /// The file or its directory belongs to somebody else.
    #[error("no permission for {}; see who owns it", .path.display())]
    NoPermission {
        /// Which file.
        path: PathBuf,
    },
    /// The filesystem is mounted read-only.
    #[error("{} cannot be changed: the disk is read-only", .path.display())]
    ReadOnly {
        /// Which file.
        path: PathBuf,
    },
    /// There is no such file.
    #[error("{} is not there", .path.display())]
    NotThere {
        /// Which file.
        path: PathBuf,
    },
    /// Anything else, in the words of the operating system.
    #[error("{}: {source}", .path.display())]
    Other {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl DiskError {
    /// Sorts what the operating system said about a file.
    #[must_use]
    pub fn new(path: &Path, source: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let path = path.to_path_buf();
        match source.kind() {
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => Self::Full { path },
            Kind::PermissionDenied => Self::NoPermission { path },
            Kind::ReadOnlyFilesystem => Self::ReadOnly { path },
            Kind::NotFound => Self::NotThere { path },
            _ => Self::Other { path, source },
        }
    }

    /// Whether the file itself is hurt: sectors that cannot be read back, a length no file of ours has, or no file at all.
    /// All else (too many open files, no permission, no memory) says nothing about what the file holds.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        let Self::Other { source, .. } = self else { return false };
        matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::IsADirectory)
            || source.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
    }

    /// Whether it is only that the file is not there.
    #[must_use]
    pub const fn is_not_there(&self) -> bool {
        matches!(self, Self::NotThere { .. })
    }
}

/// Says of which file an error of the operating system speaks.
pub(crate) trait On<T> {
    /// Turns the error into a [`DiskError`] on `path`.
    fn on(self, path: &Path) -> Result<T, DiskError>;
}

impl<T> On<T> for io::Result<T> {
    fn on(self, path: &Path) -> Result<T, DiskError> {
        self.map_err(|source| DiskError::new(path, source))
    }
}

impl<T> On<T> for rustix::io::Result<T> {
    fn on(self, path: &Path) -> Result<T, DiskError> {
        self.map_err(|source| DiskError::new(path, source.into()))
    }
}

/// Only the owner may read and write our files, whatever the umask says.
const OWNER_ONLY: Mode = Mode::RUSR.union(Mode::WUSR);

/// Opens a file for reading.
pub(crate) fn open_to_read(path: &Path) -> Result<File, DiskError> {
    open(path, OFlags::RDONLY)
}

/// Opens a file for reading and writing.
pub(crate) fn open_to_write(path: &Path) -> Result<File, DiskError> {
    open(path, OFlags::RDWR)
}

/// Opens a file for reading and writing and makes it, mode 0600, where it is not there.
pub(crate) fn open_or_create(path: &Path) -> Result<File, DiskError> {
    step().on(path)?;
    let file = open(path, OFlags::RDWR | OFlags::CREATE)?;
    rustix::fs::fchmod(&file, OWNER_ONLY).on(path)?;
    Ok(file)
}

fn open(path: &Path, flags: OFlags) -> Result<File, DiskError> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::open(path, flags, OWNER_ONLY).on(path)?.into())
}

/// Writes all of `bytes` at a place in a file.
pub(crate) fn write_at(file: &File, path: &Path, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
    if let Err(stopped) = step() {
        let (half, _) = bytes.split_at(bytes.len() / 2);
        torn_write(file, offset, half);
        return Err(stopped).on(path);
    }
    file.write_all_at(bytes, offset).on(path)
}

/// Cuts (or extends) a file.
pub(crate) fn set_length(file: &File, path: &Path, length: u64) -> Result<(), DiskError> {
    step().on(path)?;
    file.set_len(length).on(path)
}

/// Waits until the content of a file is on the disk.
pub(crate) fn sync(file: &File, path: &Path) -> Result<(), DiskError> {
    step().on(path)?;
    file.sync_data().on(path)?;
    synced(file);
    Ok(())
}

/// Waits until the names in a directory are on the disk.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), DiskError> {
    step().on(directory)?;
    File::open(directory).on(directory)?.sync_all().on(directory)?;
    names_synced(directory);
    Ok(())
}

/// Puts a small file in place of another in one step, and wipes what the old one held.
///
/// After a crash either the old or the new content is there. On copy-on-write filesystems and flash the old
/// bytes may live on below us; the documentation says so.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let fresh = successor(path);
    discard(&fresh)?;
    let file = open_or_create(&fresh)?;
    let written = write_at(&file, &fresh, 0, bytes).and_then(|()| sync(&file, &fresh));
    if let Err(error) = written {
        discard(&fresh)?;
        return Err(error);
    }
    let old = open_to_write(path);
    step().on(path)?;
    std::fs::rename(&fresh, path).on(path)?;
    sync_directory(directory)?;
    match old {
        Ok(old) => wipe(&old, path),
        Err(error) if error.is_not_there() => Ok(()),
        Err(error) => {
            tracing::warn!(%error, "What a file held before it was replaced could not be wiped");
            Ok(())
        }
    }
}

/// The name that a file is written under before it takes the place of `path`.
fn successor(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// Removes what a crash may have left of a [`replace`]. It holds sealed keys like the file itself, so it is
/// wiped like it.
pub(crate) fn discard_successor(path: &Path) -> Result<(), DiskError> {
    discard(&successor(path))
}

/// Overwrites a small file and removes it, with what a crash may have left of a [`replace`]; it is well if there is none.
pub(crate) fn destroy(path: &Path) -> Result<(), DiskError> {
    discard(&successor(path))?;
    discard(path)?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

fn discard(path: &Path) -> Result<(), DiskError> {
    match open_to_write(path) {
        Ok(file) => {
            remove(path)?;
            wipe(&file, path)
        }
        Err(error) if error.is_not_there() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Overwrites a file that has no name any more. One that still has a name somewhere is left alone.
fn wipe(file: &File, path: &Path) -> Result<(), DiskError> {
    let metadata = file.metadata().on(path)?;
    if metadata.nlink() > 0 {
        return Ok(());
    }
    let zeros = [0; 4096];
    let mut offset = 0;
    while offset < metadata.len() {
        write_at(file, path, offset, &zeros)?;
        offset += zeros.len() as u64;
    }
    sync(file, path)
}

/// Removes a file; it is well if there is none.
pub(crate) fn remove(path: &Path) -> Result<(), DiskError> {
    step().on(path)?;
    match std::fs::remove_file(path).on(path) {
        Err(error) if !error.is_not_there() => Err(error),
        _ => Ok(()),
    }
}

/// Reads a whole file of at most `limit` bytes.
pub(crate) fn read_small(path: &Path, limit: usize) -> Result<Vec<u8>, DiskError> {
    use io::Read;
    let mut bytes = Vec::new();
    let file = open_to_read(path)?;
    file.take(limit as u64 + 1).read_to_end(&mut bytes).on(path)?;
    if bytes.len() > limit {
        let too_long = io::Error::new(io::ErrorKind::InvalidData, "it is longer than it can be");
        return Err(too_long).on(path);
    }
    Ok(bytes)
}

#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "in tests the disk can be stopped here")]
const fn step() -> io::Result<()> {
    Ok(())
}
#[cfg(not(test))]
const fn torn_write(_: &File, _: u64, _: &[u8]) {}
#[cfg(not(test))]
const fn synced(_: &File) {}
#[cfg(not(test))]
const fn names_synced(_: &Path) {}

#[cfg(test)]
use faults::{names_synced, step, synced, torn_write};
#[cfg(test)]
pub(crate) mod faults;

/// Makes a file that somebody else wrote (SQLite) ours: mode 0600, on the disk, name and all.
pub(crate) fn settle(path: &Path) -> Result<(), DiskError> {
    let file = open_to_write(path)?;
    rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR).on(path)?;
    sync(&file, path)?;
    path.parent().map_or(Ok(()), sync_directory)
}
