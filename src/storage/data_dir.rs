//! Names, permissions and lock of every file we own.

use super::disk::{self, DiskError, On};
use crate::crypto::vault::{self, Vault, VaultError};
use rustix::fs::{FlockOperation, Mode};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// There is already a store, or something else.
    #[error("{} already holds a store or other files; nothing was changed", .path.display())]
    NotEmpty {
        /// The data directory.
        path: PathBuf,
    },
    /// There is none.
    #[error("{} holds no store; `mailkeep init` makes one", .path.display())]
    NoStore {
        /// The data directory.
        path: PathBuf,
    },
    /// Another user's directory is never used: they could read or swap what we write.
    #[error("{} belongs to another user; choose a directory of your own", .path.display())]
    NotOurs {
        /// The data directory.
        path: PathBuf,
    },
    /// Another Mailkeep has it open.
    #[error("{} is in use by a running Mailkeep", .path.display())]
    InUse {
        /// The data directory.
        path: PathBuf,
    },
    /// Neither copy of the vault can be read.
    #[error("both copies of the vault in {} are unusable: {source}", .path.display())]
    Vault {
        /// The data directory.
        path: PathBuf,
        /// What is wrong with the first.
        source: VaultError,
    },
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// A directory that holds a store: mode 0700, ours, with known names in it that tell nothing.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    handle: File,
}

/// While this lives, no other process gets the lock. The system drops it with the process, however that ends.
#[derive(Debug)]
#[must_use = "the lock is given back when this is dropped"]
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough while a process that is just being started still has a copy of the file.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

const OWNER_ONLY: Mode = Mode::RWXU;
/// The longest path that fits a socket address, with room to spare.
const MAX_SOCKET_PATH: usize = 100;

impl DataDir {
    /// Makes the directory of a new store. What exists must be empty, or left over from such a beginning.
    ///
    /// # Errors
    /// [`DataDirError`]: not empty, not ours, or the disk says no.
    pub fn create(path: &Path) -> Result<Self, DataDirError> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).on(parent)?;
        }
        make_directory(path)?;
        for entry in std::fs::read_dir(path).on(path)? {
            let entry = entry.on(path)?.path();
            if !is_left_of_creating(&entry)? {
                return Err(DataDirError::NotEmpty { path: path.into() });
            }
        }
        let directory = Self::check(path)?;
        directory.make_subdirectories()?;
        disk::sync_directory(&directory.root)?;
        if let Some(parent) = directory.root.parent() {
            disk::sync_directory(parent)?;
        }
        Ok(directory)
    }

    /// Opens the directory of a store, and closes it to others where it stood open to them.
    ///
    /// # Errors
    /// [`DataDirError`]: no store, not ours, or the disk says no.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        if !Self::holds_store(path) {
            return Err(DataDirError::NoStore { path: path.into() });
        }
        let directory = Self::check(path)?;
        match directory.make_subdirectories() {
            // What is there can still be read.
            Err(DiskError::ReadOnly { .. }) | Ok(()) => Ok(directory),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether there is a store, judged by its vault alone.
    #[must_use]
    pub fn holds_store(path: &Path) -> bool {
        path.join("vault").exists() || path.join("vault.copy").exists()
    }

    fn check(path: &Path) -> Result<Self, DataDirError> {
        let root = std::path::absolute(path).on(path)?;
        let handle = File::open(&root).on(&root)?;
        let metadata = handle.metadata().on(&root)?;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(DataDirError::NotOurs { path: root });
        }
        if metadata.mode() & 0o077 != 0 {
            rustix::fs::fchmod(&handle, OWNER_ONLY).on(&root)?;
        }
        Ok(Self { root, handle })
    }

    fn make_subdirectories(&self) -> Result<(), DiskError> {
        [self.packs(), self.index(), self.pictures(), self.snapshots(), self.tmp()]
            .iter()
            .try_for_each(|path| make_directory(path))
    }

    /// The directory itself, as an absolute path.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The encrypted database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("database")
    }

    /// What the Tor inside keeps: its guards and the public directory, nothing of the owner's. Made when it first starts.
    #[must_use]
    pub fn tor(&self) -> PathBuf {
        self.root.join("tor")
    }

    /// The packs and their key tables.
    #[must_use]
    pub fn packs(&self) -> PathBuf {
        self.root.join("packs")
    }

    /// The search index.
    #[must_use]
    pub fn index(&self) -> PathBuf {
        self.root.join("index")
    }

    /// Sealed copies of pictures from elsewhere.
    #[must_use]
    pub fn pictures(&self) -> PathBuf {
        self.root.join("pictures")
    }

    /// Sealed copies of the database.
    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    /// What is needed for a moment only. Sealed too.
    #[must_use]
    pub fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Where the running server is reached by the command line.
    ///
    /// A socket's address has room for about 100 bytes; where the directory's name is longer, this is a detour
    /// through the open directory, good in this process for as long as the `DataDir` lives.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        use std::os::fd::AsRawFd;
        let direct = self.root.join("socket");
        if direct.as_os_str().len() <= MAX_SOCKET_PATH {
            direct
        } else {
            PathBuf::from(format!("/proc/self/fd/{}/socket", self.handle.as_raw_fd()))
        }
    }

    /// Empties the directory for temporary files; call it once the lock is held.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn clear_tmp(&self) -> Result<(), DiskError> {
        let tmp = self.tmp();
        for entry in std::fs::read_dir(&tmp).on(&tmp)? {
            let path = entry.on(&tmp)?.path();
            if path.is_dir() {
                std::fs::remove_dir_all(&path).on(&path)?;
            } else {
                disk::remove(&path)?;
            }
        }
        Ok(())
    }

    /// Takes the lock that whoever changes the store must hold.
    ///
    /// # Errors
    /// [`DataDirError::InUse`] where another process holds it.
    pub fn lock(&self) -> Result<Lock, DataDirError> {
        let path = self.root.join("lock");
        let file = match disk::open_or_create(&path) {
            // On a read-only disk there is nothing to write, but still one reader at a time.
            Err(DiskError::ReadOnly { .. }) => disk::open_to_read(&path)?,
            other => other?,
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock { file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(DataDirError::InUse { path: self.root.clone() }),
            Err(error) => Err(DiskError::new(&path, error.into()).into()),
        }
    }

    /// Writes the vault, twice: the second copy only once the first is safe.
    ///
    /// # Errors
    /// [`DiskError`]; the old vault is then still there, in one copy at least.
    pub fn write_vault(&self, vault: &Vault) -> Result<(), DiskError> {
        let bytes = vault.to_bytes();
        disk::replace(&self.vault_file(), &bytes)?;
        disk::replace(&self.vault_copy(), &bytes)
    }

    /// Reads the vault. A copy that is damaged, gone or behind is mended from the other.
    ///
    /// # Errors
    /// [`DataDirError::Vault`] where neither copy is good, [`DataDirError::NoStore`] where there is none.
    pub fn read_vault(&self) -> Result<Vault, DataDirError> {
        let first = read_vault_file(&self.vault_file())?;
        let second = read_vault_file(&self.vault_copy())?;
        let (vault, mend) = match (first, second) {
            (Ok(first), second) => {
                let mend = (second.as_ref() != Ok(&first)).then(|| self.vault_copy());
                (first, mend)
            }
            (Err(_), Ok(second)) => (second, Some(self.vault_file())),
            (Err(source), Err(_)) => {
                return Err(if Self::holds_store(&self.root) {
                    DataDirError::Vault { path: self.root.clone(), source }
                } else {
                    DataDirError::NoStore { path: self.root.clone() }
                });
            }
        };
        if let Some(file) = mend
            && let Err(error) = disk::replace(&file, &vault.to_bytes())
        {
            tracing::warn!(%error, "A copy of the vault could not be mended");
        }
        Ok(vault)
    }

    /// How many bytes can still be written.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn free_bytes(&self) -> Result<u64, DiskError> {
        let statistics = rustix::fs::fstatvfs(&self.handle).on(&self.root)?;
        Ok(statistics.f_bavail.saturating_mul(statistics.f_frsize))
    }

    fn vault_file(&self) -> PathBuf {
        self.root.join("vault")
    }

    fn vault_copy(&self) -> PathBuf {
        self.root.join("vault.copy")
    }
}

/// A file that is gone counts as damaged: the other copy may be whole.
fn read_vault_file(path: &Path) -> Result<Result<Vault, VaultError>, DiskError> {
    match disk::read_small(path, vault::MAX_BYTES) {
        Ok(bytes) => Ok(Vault::from_bytes(&bytes)),
        Err(DiskError::NotThere { .. } | DiskError::Other { .. }) => Ok(Err(VaultError::Damaged)),
        Err(error) => Err(error),
    }
}

/// Whether this may be what a store that was stopped while being made has left: it holds nothing yet.
fn is_left_of_creating(path: &Path) -> Result<bool, DiskError> {
    let name = path.file_name().unwrap_or_default();
    if ["packs", "index", "pictures", "snapshots", "tmp"].iter().any(|known| name == *known) && path.is_dir()
    {
        return Ok(std::fs::read_dir(path).on(path)?.next().is_none());
    }
    Ok(name == "lock" || name == "vault.new")
}

/// Makes a directory with mode 0700, whatever the umask says; it is well if it is there.
fn make_directory(path: &Path) -> Result<(), DiskError> {
    match rustix::fs::mkdir(path, OWNER_ONLY) {
        Ok(()) => rustix::fs::chmod(path, OWNER_ONLY).on(path),
        Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(error) => Err(DiskError::new(path, error.into())),
    }
}

/// Keeps the memory of this process, and the secrets in it, out of core dumps and from other processes of the same user.
///
/// # Errors
/// [`std::io::Error`] where the system refuses.
pub fn harden_process() -> std::io::Result<()> {
    use rustix::process::{DumpableBehavior, Resource, Rlimit};
    rustix::process::umask(Mode::from_raw_mode(0o077));
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(())
}

#[cfg(test)]
mod tests;
