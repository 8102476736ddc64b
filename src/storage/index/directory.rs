//! The directory that the search library writes to: every file sealed, under a random name, with a key of its own.
//!
//! Nothing is committed but by writing the catalog: data files are brought to the disk first, then the catalog that names
//! them replaces the old one. What no catalog names is removed at the next opening.

use super::IndexError;
use super::catalog::{CATALOG, Catalog, Entry, hex};
use super::pages::{Identity, PageCache, PageWriter, SealedFile, cache_limit, lock, sealed_length};
use crate::crypto::secret::{Key, random};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, Directory, DirectoryLock, FileHandle, Lock, TerminatingWrite, WatchCallback, WatchHandle,
    WritePtr,
};

/// The file whose replacement commits.
const COMMIT: &str = "meta.json";

/// A directory of sealed files. Clones are the same directory.
#[derive(Clone)]
pub(super) struct SealedDirectory(Arc<Inner>);

struct Inner {
    path: PathBuf,
    key: Key,
    store: [u8; 16],
    state: Mutex<State>,
    cache: Arc<PageCache>,
    /// Counts the commits, so that a reader can tell that it is behind.
    generation: AtomicU64,
    full: AtomicBool,
    locks: Mutex<BTreeSet<PathBuf>>,
    unlocked: Condvar,
}

#[derive(Default)]
struct State {
    catalog: Catalog,
    open: BTreeMap<String, Arc<SealedFile>>,
    writing: BTreeSet<String>,
    /// Written, but not yet known to be on the disk itself.
    unsynced: BTreeSet<String>,
    /// No longer in the catalog, still on the disk until the catalog without them is.
    doomed: Vec<[u8; 16]>,
    /// Nothing is written any more.
    is_closed: bool,
}

impl SealedDirectory {
    /// Opens the index in `path`, which is made if it is not there, and removes what a crash left behind.
    pub(super) fn open(
        path: &Path,
        key: &Key,
        store: [u8; 16],
        cache_bytes: usize,
    ) -> Result<Self, IndexError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let mut catalog = Catalog::read(path, key, &store)?.unwrap_or_default();
        let mut present = BTreeSet::new();
        let known: BTreeSet<String> = catalog.files.values().map(|entry| hex(&entry.name)).collect();
        for found in fs::read_dir(path)? {
            let found = found?;
            let name = found.file_name().to_string_lossy().into_owned();
            if known.contains(&name) {
                present.insert(name);
            } else if name != CATALOG && found.file_type()?.is_file() {
                fs::remove_file(found.path())?;
            }
        }
        // Files that were being deleted. One that is still needed is missed by whoever opens it.
        catalog.files.retain(|_, entry| present.contains(&hex(&entry.name)));
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            key: key.clone(),
            store,
            state: Mutex::new(State { catalog, ..State::default() }),
            cache: Arc::new(PageCache::new(cache_limit(cache_bytes))),
            generation: AtomicU64::new(0),
            full: AtomicBool::new(false),
            locks: Mutex::new(BTreeSet::new()),
            unlocked: Condvar::new(),
        })))
    }

    /// How many commits there were since opening.
    pub(super) fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    /// Whether a seal was found broken.
    pub(super) fn is_broken(&self) -> bool {
        self.0.cache.is_broken()
    }

    /// Whether the last attempt to write found no room.
    pub(super) fn is_full(&self) -> bool {
        self.0.full.load(Ordering::Relaxed)
    }

    /// The bytes that the index takes on disk.
    pub(super) fn bytes(&self) -> u64 {
        let catalog = fs::metadata(self.0.path.join(CATALOG)).map_or(0, |data| data.len());
        let state = lock(&self.0.state);
        catalog + state.catalog.files.values().map(|entry| sealed_length(entry.length)).sum::<u64>()
    }

    /// Opens every page of every file in the catalog; files that a merge takes away meanwhile are passed over.
    pub(super) fn verify(&self) -> io::Result<()> {
        let names: Vec<String> = lock(&self.0.state).catalog.files.keys().cloned().collect();
        for name in names {
            match self.sealed_file(&name) {
                Ok(Some(file)) => file.verify()?,
                Ok(None) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound && !self.names(&name) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    self.0.cache.set_broken();
                    return Err(e);
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn names(&self, name: &str) -> bool {
        lock(&self.0.state).catalog.files.contains_key(name)
    }

    /// Refuses every further write: a merge that still runs must not reach into an index that was opened anew.
    pub(super) fn close(&self) {
        lock(&self.0.state).is_closed = true;
    }

    fn path_of(&self, name: &[u8; 16]) -> PathBuf {
        self.0.path.join(hex(name))
    }

    fn noted<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(e) = &result
            && matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        {
            self.0.full.store(true, Ordering::Relaxed);
        }
        result
    }

    /// Makes what the catalog says durable, then lets go of the files it no longer names.
    fn persist(&self, state: &mut State) -> io::Result<()> {
        if state.is_closed {
            return Err(closed());
        }
        for name in &state.unsynced {
            if let Some(file) = state.open.get(name) {
                self.noted(file.sync())?;
            }
        }
        let written = self.noted(state.catalog.write(&self.0.path, &self.0.key, &self.0.store));
        let written = match written {
            // Nothing committed needs the doomed files, and they may be just the room that the catalog lacks.
            Err(_) if !state.doomed.is_empty() => {
                self.unlink(state);
                self.noted(state.catalog.write(&self.0.path, &self.0.key, &self.0.store))
            }
            other => other,
        };
        written?;
        state.unsynced.clear();
        self.unlink(state);
        self.0.full.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn unlink(&self, state: &mut State) {
        for name in state.doomed.drain(..) {
            if let Err(e) = fs::remove_file(self.path_of(&name))
                && e.kind() != io::ErrorKind::NotFound
            {
                // Its key is gone, and the next opening tries again.
                tracing::warn!(error = %e.kind(), "a deleted index file could not be removed");
            }
        }
    }

    fn start(&self, name: &str, path: &Path) -> Result<FileWriter, OpenWriteError> {
        let mut state = lock(&self.0.state);
        if state.is_closed {
            return Err(OpenWriteError::wrap_io_error(closed(), path.to_owned()));
        }
        let exists = state.catalog.files.contains_key(name) || state.catalog.small.contains_key(name);
        if exists || state.writing.contains(name) {
            return Err(OpenWriteError::FileAlreadyExists(path.to_owned()));
        }
        let entry = Entry { name: random(), key: Key::random(), length: 0 };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.path_of(&entry.name));
        let file = self.noted(file).map_err(|e| OpenWriteError::wrap_io_error(e, path.to_owned()))?;
        state.writing.insert(name.to_owned());
        let pages = PageWriter::new(file, &entry.key, entry.identity(self.0.store));
        Ok(FileWriter { directory: self.clone(), name: name.to_owned(), entry, pages: Some(pages) })
    }

    fn finished(&self, name: &str, mut entry: Entry, file: fs::File, length: u64) {
        entry.length = length;
        let identity = Identity { store: self.0.store, name: entry.name };
        let file = SealedFile::new(file, &entry.key, identity, length, Arc::clone(&self.0.cache));
        let mut state = lock(&self.0.state);
        state.writing.remove(name);
        state.unsynced.insert(name.to_owned());
        state.open.insert(name.to_owned(), Arc::new(file));
        state.catalog.files.insert(name.to_owned(), entry);
    }

    fn abandoned(&self, name: &str, entry: &Entry) {
        let mut state = lock(&self.0.state);
        state.writing.remove(name);
        state.doomed.push(entry.name);
        self.unlink(&mut state);
    }

    fn sealed_file(&self, name: &str) -> io::Result<Option<Arc<SealedFile>>> {
        let mut state = lock(&self.0.state);
        if let Some(file) = state.open.get(name) {
            return Ok(Some(Arc::clone(file)));
        }
        let Some(entry) = state.catalog.files.get(name).cloned() else { return Ok(None) };
        let file = fs::File::open(self.path_of(&entry.name))?;
        if file.metadata()?.len() != sealed_length(entry.length) {
            self.0.cache.set_broken();
            return Err(io::Error::new(io::ErrorKind::InvalidData, crate::crypto::seal::BrokenSeal));
        }
        let identity = entry.identity(self.0.store);
        let file =
            Arc::new(SealedFile::new(file, &entry.key, identity, entry.length, Arc::clone(&self.0.cache)));
        state.open.insert(name.to_owned(), Arc::clone(&file));
        Ok(Some(file))
    }
}

impl fmt::Debug for SealedDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedDirectory")
    }
}

fn closed() -> io::Error {
    io::Error::other("the index is closed")
}

/// The library's names are short and plain.
fn name_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

impl Directory for SealedDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        match self.sealed_file(&name_of(path)) {
            Ok(Some(file)) => Ok(file),
            Ok(None) => Err(OpenReadError::FileDoesNotExist(path.to_owned())),
            Err(e) => Err(OpenReadError::wrap_io_error(e, path.to_owned())),
        }
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        let name = name_of(path);
        let mut state = lock(&self.0.state);
        state.open.remove(&name);
        state.unsynced.remove(&name);
        if let Some(entry) = state.catalog.files.remove(&name) {
            state.doomed.push(entry.name);
        } else if state.catalog.small.remove(&name).is_none() {
            return Err(DeleteError::FileDoesNotExist(path.to_owned()));
        }
        Ok(())
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        let name = name_of(path);
        let state = lock(&self.0.state);
        Ok(state.catalog.files.contains_key(&name)
            || state.catalog.small.contains_key(&name)
            || state.writing.contains(&name))
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        Ok(BufWriter::new(Box::new(self.start(&name_of(path), path)?)))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let state = lock(&self.0.state);
        let found = state.catalog.small.get(&name_of(path)).cloned();
        found.ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_owned()))
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        let name = name_of(path);
        let mut state = lock(&self.0.state);
        let is_commit = name == COMMIT;
        let before = state.catalog.small.insert(name.clone(), data.to_vec());
        // The library's list of files goes to the disk with the next commit: what no catalog names is removed anyway.
        if !is_commit && state.doomed.is_empty() {
            return Ok(());
        }
        if let Err(e) = self.persist(&mut state) {
            match before {
                Some(before) => state.catalog.small.insert(name, before),
                None => state.catalog.small.remove(&name),
            };
            return Err(e);
        }
        if is_commit {
            self.0.generation.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }

    /// Nothing to do: names reach the disk with the catalog.
    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    /// Locks within this process; the data directory has a lock of its own against others.
    fn acquire_lock(&self, wanted: &Lock) -> Result<DirectoryLock, LockError> {
        let mut held = lock(&self.0.locks);
        while held.contains(&wanted.filepath) {
            if !wanted.is_blocking {
                return Err(LockError::LockBusy);
            }
            held = self.0.unlocked.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        held.insert(wanted.filepath.clone());
        Ok(DirectoryLock::from(Box::new(HeldLock { directory: self.clone(), path: wanted.filepath.clone() })))
    }

    /// Nobody is told of commits; readers compare [`SealedDirectory::generation`].
    fn watch(&self, _: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}

struct HeldLock {
    directory: SealedDirectory,
    path: PathBuf,
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        lock(&self.directory.0.locks).remove(&self.path);
        self.directory.0.unlocked.notify_all();
    }
}

/// A file being written. It enters the catalog when it is terminated; dropped before, it leaves nothing behind.
struct FileWriter {
    directory: SealedDirectory,
    name: String,
    entry: Entry,
    pages: Option<PageWriter>,
}

impl Write for FileWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let pages =
            self.pages.as_mut().ok_or_else(|| io::Error::other("the index file is already closed"))?;
        let written = pages.write(bytes);
        self.directory.noted(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TerminatingWrite for FileWriter {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        let pages = self.pages.take().ok_or_else(closed)?;
        match self.directory.noted(pages.finish()) {
            Ok((file, length)) => {
                self.directory.finished(&self.name, self.entry.clone(), file, length);
                Ok(())
            }
            Err(e) => {
                self.directory.abandoned(&self.name, &self.entry);
                Err(e)
            }
        }
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        if self.pages.take().is_some() {
            self.directory.abandoned(&self.name, &self.entry);
        }
    }
}
