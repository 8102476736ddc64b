//! The sealed form of one index file: pages of 32 KiB, each sealed by itself under the file's own key.
//!
//! What a page is sealed to: the store, the file's random name, the page's number, and for the last page an end mark with
//! the whole length. So pages can be neither swapped nor cut off nor added, and a reader opens only those it needs.

use crate::crypto::seal::{OVERHEAD, Sealer};
use crate::crypto::secret::Key;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tantivy::HasLen;
use tantivy::directory::{FileHandle, OwnedBytes};

/// Plain bytes in a page; the last one may hold fewer.
pub(super) const PAGE: usize = 32 * 1024;
/// Slices up to this size are copied out of their page, so that a few bytes do not keep a whole page in memory.
const COPIED: usize = 4 * 1024;

/// Takes a lock; a panic elsewhere while it was held leaves nothing half done in what we guard.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many pages a file of `length` plain bytes has: at least one, for the end mark.
pub(super) fn page_count(length: u64) -> u64 {
    length.div_ceil(PAGE as u64).max(1)
}

/// How many bytes such a file takes on disk.
pub(super) fn sealed_length(length: u64) -> u64 {
    length + page_count(length) * OVERHEAD as u64
}

/// Who a sealed file is: the store it belongs to and its random name.
#[derive(Clone, Copy)]
pub(super) struct Identity {
    /// The store.
    pub(super) store: [u8; 16],
    /// The file's name on disk, before it is written as hex.
    pub(super) name: [u8; 16],
}

impl Identity {
    /// The associated data of a page; `end` is the file's whole length on its last page.
    fn aad(&self, page: u64, end: Option<u64>) -> [u8; 49] {
        let mut aad = [0; 49];
        let parts: [&[u8]; 5] = [
            &self.store,
            &self.name,
            &page.to_be_bytes(),
            &[u8::from(end.is_some())],
            &end.unwrap_or(0).to_be_bytes(),
        ];
        let mut rest = aad.as_mut_slice();
        for part in parts {
            let (here, after) = rest.split_at_mut(part.len());
            here.copy_from_slice(part);
            rest = after;
        }
        aad
    }
}

/// The pages opened last, of all files together, up to a number of bytes.
pub(super) struct PageCache {
    pages: Mutex<Opened>,
    limit: usize,
    next_file: AtomicU64,
    broken: AtomicBool,
}

struct Opened {
    by_place: lru::LruCache<(u64, u64), OwnedBytes>,
    bytes: usize,
}

impl PageCache {
    /// A cache that holds up to `limit` plain bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            pages: Mutex::new(Opened { by_place: lru::LruCache::unbounded(), bytes: 0 }),
            limit,
            next_file: AtomicU64::new(0),
            broken: AtomicBool::new(false),
        }
    }

    /// Whether a seal was ever found broken.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Remembers that a seal was broken, since the library that asked for the page may hide why it failed.
    pub(super) fn set_broken(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    fn get(&self, place: (u64, u64)) -> Option<OwnedBytes> {
        lock(&self.pages).by_place.get(&place).cloned()
    }

    fn put(&self, place: (u64, u64), page: OwnedBytes) {
        let mut pages = lock(&self.pages);
        pages.bytes += page.len();
        if let Some(old) = pages.by_place.put(place, page) {
            pages.bytes -= old.len();
        }
        while pages.bytes > self.limit {
            let Some((_, old)) = pages.by_place.pop_lru() else { break };
            pages.bytes -= old.len();
        }
    }

    fn forget(&self, file: u64, count: u64) {
        let mut pages = lock(&self.pages);
        if count <= pages.by_place.len() as u64 {
            for page in 0..count {
                if let Some(old) = pages.by_place.pop(&(file, page)) {
                    pages.bytes -= old.len();
                }
            }
        } else {
            let places: Vec<_> = pages.by_place.iter().map(|(place, _)| *place).collect();
            for place in places.into_iter().filter(|(id, _)| *id == file) {
                if let Some(old) = pages.by_place.pop(&place) {
                    pages.bytes -= old.len();
                }
            }
        }
    }
}

/// A finished file, open for reading. It stays readable after its name is gone from the disk.
pub(super) struct SealedFile {
    file: File,
    sealer: Sealer,
    identity: Identity,
    length: u64,
    id: u64,
    cache: Arc<PageCache>,
}

impl SealedFile {
    /// Takes over a file of `length` plain bytes.
    pub(super) fn new(file: File, key: &Key, identity: Identity, length: u64, cache: Arc<PageCache>) -> Self {
        let id = cache.next_file.fetch_add(1, Ordering::Relaxed);
        Self { file, sealer: Sealer::new(key), identity, length, id, cache }
    }

    /// Brings what was written to the disk itself.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn broken(&self) -> io::Error {
        self.cache.set_broken();
        io::Error::new(io::ErrorKind::InvalidData, crate::crypto::seal::BrokenSeal)
    }

    /// Opens every page as it lies on the disk, whatever the cache holds of it.
    pub(super) fn verify(&self) -> io::Result<()> {
        (0..page_count(self.length)).try_for_each(|number| self.open_page(number).map(drop))
    }

    fn read(&self, range: Range<u64>) -> io::Result<OwnedBytes> {
        if range.start > range.end || range.end > self.length {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "read beyond the end of an index file"));
        }
        if range.is_empty() {
            return Ok(OwnedBytes::empty());
        }
        let size = PAGE as u64;
        let (first, last) = (range.start / size, (range.end - 1) / size);
        if first == last {
            let from = usize_of(range.start - first * size)?;
            let until = usize_of(range.end - first * size)?;
            let page = self.page(first, true)?;
            if page.len() < until {
                return Err(self.broken());
            }
            let slice = page.slice(from..until);
            return Ok(if slice.len() <= COPIED { OwnedBytes::new(slice.to_vec()) } else { slice });
        }
        // A range that would push most other pages out is not worth keeping.
        let keep = range.end - range.start <= self.cache.limit as u64 / 4;
        let mut bytes = Vec::with_capacity(usize_of(range.end - range.start)?);
        for number in first..=last {
            let page = self.page(number, keep)?;
            let start = number * size;
            let from = usize_of(range.start.saturating_sub(start))?;
            let until = usize_of((range.end - start).min(size))?;
            bytes.extend_from_slice(page.as_slice().get(from..until).ok_or_else(|| self.broken())?);
        }
        Ok(OwnedBytes::new(bytes))
    }

    fn page(&self, number: u64, keep: bool) -> io::Result<OwnedBytes> {
        if let Some(page) = self.cache.get((self.id, number)) {
            return Ok(page);
        }
        let page = self.open_page(number)?;
        if keep {
            self.cache.put((self.id, number), page.clone());
        }
        Ok(page)
    }

    fn open_page(&self, number: u64) -> io::Result<OwnedBytes> {
        let start = number * PAGE as u64;
        let plain = usize_of((self.length - start).min(PAGE as u64))?;
        let is_last = number + 1 == page_count(self.length);
        let mut sealed = vec![0; plain + OVERHEAD];
        self.file
            .read_exact_at(&mut sealed, number * (PAGE + OVERHEAD) as u64)
            .map_err(|e| if e.kind() == io::ErrorKind::UnexpectedEof { self.broken() } else { e })?;
        let aad = self.identity.aad(number, is_last.then_some(self.length));
        let mut page = self.sealer.open(number, &aad, &sealed).map_err(|_| self.broken())?;
        Ok(OwnedBytes::new(std::mem::take(&mut *page)))
    }
}

impl Drop for SealedFile {
    fn drop(&mut self) {
        self.cache.forget(self.id, page_count(self.length));
    }
}

impl fmt::Debug for SealedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedFile({} bytes)", self.length)
    }
}

impl HasLen for SealedFile {
    fn len(&self) -> usize {
        usize_of(self.length).unwrap_or(usize::MAX)
    }
}

impl FileHandle for SealedFile {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        self.read(range.start as u64..range.end as u64)
    }
}

fn usize_of(number: u64) -> io::Result<usize> {
    usize::try_from(number).map_err(io::Error::other)
}

/// Writes a sealed file from beginning to end.
pub(super) struct PageWriter {
    file: File,
    sealer: Sealer,
    identity: Identity,
    page: Vec<u8>,
    number: u64,
    length: u64,
    failed: bool,
}

impl PageWriter {
    /// Starts a file under a fresh key.
    pub(super) fn new(file: File, key: &Key, identity: Identity) -> Self {
        let page = Vec::with_capacity(PAGE);
        Self { file, sealer: Sealer::new(key), identity, page, number: 0, length: 0, failed: false }
    }

    fn put_page(&mut self, end: Option<u64>) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier write to this index file failed"));
        }
        // Until this page is known to be written, none may be: sealing its number again would use a nonce twice.
        self.failed = true;
        let aad = self.identity.aad(self.number, end);
        self.file.write_all(&self.sealer.seal(self.number, &aad, &self.page))?;
        self.failed = false;
        self.number += 1;
        self.page.clear();
        Ok(())
    }

    /// Writes the last page and hands back the file with its plain length.
    pub(super) fn finish(mut self) -> io::Result<(File, u64)> {
        self.put_page(Some(self.length))?;
        Ok((self.file, self.length))
    }
}

impl Write for PageWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        // A full page waits until more comes, because the last page is sealed differently.
        if self.page.len() == PAGE {
            self.put_page(None)?;
        }
        let (taken, _) = bytes.split_at(bytes.len().min(PAGE - self.page.len()));
        self.page.extend_from_slice(taken);
        self.length += taken.len() as u64;
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps the type of the cache's limit honest where a zero would make every page be opened again and again.
pub(super) fn cache_limit(bytes: usize) -> usize {
    NonZeroUsize::new(bytes).map_or(PAGE, NonZeroUsize::get).max(PAGE)
}
