//! The sealed list of index files: which name stands for which file on disk, with that file's key and length.
//!
//! It also holds the few small files that the search library replaces as a whole, so that one rename of one file is the
//! commit. A file whose entry is gone cannot be opened by anybody any more.

use super::IndexError;
use super::pages::Identity;
use crate::crypto::seal::{unwrap, wrap};
use crate::crypto::secret::Key;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use zeroize::Zeroizing;

/// The catalog's name on disk. It says only that there is an index.
pub(super) const CATALOG: &str = "catalog";
const CATALOG_NEW: &str = "catalog.new";
/// The form of everything below: pages, fields, words. A catalog of another version does not open, and the index is built anew.
const VERSION: u32 = 1;
/// No catalog is nearly as large; what is larger is not ours.
const LARGEST: u64 = 64 << 20;

/// A file that is written and closed.
#[derive(Clone)]
pub(super) struct Entry {
    /// Its random name on disk.
    pub(super) name: [u8; 16],
    /// Its own key.
    pub(super) key: Key,
    /// Its plain length.
    pub(super) length: u64,
}

/// Everything the catalog says.
#[derive(Default, Clone)]
pub(super) struct Catalog {
    /// Large files, kept as sealed pages beside the catalog.
    pub(super) files: BTreeMap<String, Entry>,
    /// Small files, kept inside it.
    pub(super) small: BTreeMap<String, Vec<u8>>,
}

/// What a random name looks like on disk.
pub(super) fn hex(name: &[u8; 16]) -> String {
    data_encoding::HEXLOWER.encode(name)
}

fn aad(store: &[u8; 16]) -> Vec<u8> {
    let mut aad = b"mailkeep index catalog ".to_vec();
    aad.extend_from_slice(&VERSION.to_be_bytes());
    aad.extend_from_slice(store);
    aad
}

impl Catalog {
    /// Reads the catalog in `directory`; there is none in a new index.
    pub(super) fn read(directory: &Path, key: &Key, store: &[u8; 16]) -> Result<Option<Self>, IndexError> {
        let file = match File::open(directory.join(CATALOG)) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let mut sealed = Vec::new();
        file.take(LARGEST).read_to_end(&mut sealed)?;
        let plain = unwrap(key, &aad(store), &sealed).map_err(|_| IndexError::Damaged)?;
        Self::decode(&plain).map(Some).ok_or(IndexError::Damaged)
    }

    /// Puts this catalog in the place of the one on disk, whole or not at all.
    pub(super) fn write(&self, directory: &Path, key: &Key, store: &[u8; 16]) -> io::Result<()> {
        let sealed = wrap(key, &aad(store), &self.encode());
        let new = directory.join(CATALOG_NEW);
        let written = write_synced(&new, &sealed)
            // The names of the files it lists reach the disk before it does.
            .and_then(|()| sync_directory(directory))
            .and_then(|()| fs::rename(&new, directory.join(CATALOG)))
            .and_then(|()| sync_directory(directory));
        if written.is_err()
            && let Err(e) = fs::remove_file(&new)
        {
            tracing::debug!(error = %e.kind(), "the unfinished catalog stays until the index is opened again");
        }
        written
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let size: usize = self.files.keys().map(|name| name.len() + 64).sum::<usize>()
            + self.small.iter().map(|(name, bytes)| name.len() + bytes.len() + 16).sum::<usize>()
            + 16;
        // Enough from the start, so that no copy with keys in it is left behind by growing.
        let mut out = Zeroizing::new(Vec::with_capacity(size));
        put(&mut out, &(self.files.len() as u64).to_be_bytes());
        for (name, entry) in &self.files {
            put_long(&mut out, name.as_bytes());
            put(&mut out, &entry.name);
            put(&mut out, entry.key.expose());
            put(&mut out, &entry.length.to_be_bytes());
        }
        put(&mut out, &(self.small.len() as u64).to_be_bytes());
        for (name, bytes) in &self.small {
            put_long(&mut out, name.as_bytes());
            put_long(&mut out, bytes);
        }
        out
    }

    fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut catalog = Self::default();
        for _ in 0..take_number(&mut bytes)? {
            let name = String::from_utf8(take_long(&mut bytes)?.to_vec()).ok()?;
            let entry = Entry {
                name: take(&mut bytes)?,
                key: Key::from_bytes(take(&mut bytes)?),
                length: take_number(&mut bytes)?,
            };
            catalog.files.insert(name, entry);
        }
        for _ in 0..take_number(&mut bytes)? {
            let name = String::from_utf8(take_long(&mut bytes)?.to_vec()).ok()?;
            catalog.small.insert(name, take_long(&mut bytes)?.to_vec());
        }
        bytes.is_empty().then_some(catalog)
    }
}

impl Entry {
    /// Who this file is to its pages.
    pub(super) fn identity(&self, store: [u8; 16]) -> Identity {
        Identity { store, name: self.name }
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Brings the names in a directory to the disk itself.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
}

fn put_long(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, &(bytes.len() as u64).to_be_bytes());
    put(out, bytes);
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    take(bytes).map(u64::from_be_bytes)
}

fn take_long<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_number(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}
