//! The three files of a pack, and what their key tables say when read together.

use super::PackError;
use super::key_table::{Entry, Fate, Parsed, Table, parse};
use super::record::ALIGNMENT;
use crate::crypto::secret::Key;
use crate::crypto::vault::StoreId;
use crate::storage::disk::{self, DiskError, On};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A pack's file opens with this much that is no record. It is the same for all time, so it can be mended.
pub(super) const HEADER: u32 = 64;
/// No key table is longer; what is, was not made by us.
const MAX_TABLE_BYTES: usize = 256 << 20;

/// Higher numbers are not ours: 64 PiB of mail would have to come before them.
const MAX_NUMBER: u32 = 1 << 30;

/// Where the packs lie, and the keys and names that all of them share.
pub(super) struct Files {
    pub(super) directory: PathBuf,
    key: Key,
    store_id: StoreId,
}

/// Both copies of a key table, merged.
pub(super) struct Loaded {
    pub(super) table: Table,
    /// Both copies are there, whole, and the same.
    pub(super) healthy: bool,
    /// At least one copy is whole to its end. A crash never leaves two that are not.
    pub(super) one_clean: bool,
    /// How many bytes the first copy has.
    pub(super) bytes: u64,
    pub(super) chunks: usize,
}

impl Files {
    pub(super) const fn new(directory: PathBuf, key: Key, store_id: StoreId) -> Self {
        Self { directory, key, store_id }
    }

    /// The numbers of all packs of which any file is left.
    pub(super) fn numbers(&self) -> Result<BTreeSet<u32>, DiskError> {
        let mut numbers = BTreeSet::new();
        for entry in std::fs::read_dir(&self.directory).on(&self.directory)? {
            let name = entry.on(&self.directory)?.file_name();
            let name = name.to_string_lossy();
            if let Some((number, "pack" | "keys" | "keys2")) = name.split_once('.')
                && let Ok(number) = number.parse()
                && number <= MAX_NUMBER
            {
                numbers.insert(number);
            }
        }
        Ok(numbers)
    }

    pub(super) fn pack(&self, number: u32) -> PathBuf {
        self.directory.join(format!("{number:08}.pack"))
    }

    pub(super) fn tables(&self, number: u32) -> [PathBuf; 2] {
        ["keys", "keys2"].map(|extension| self.directory.join(format!("{number:08}.{extension}")))
    }

    pub(super) const fn key(&self) -> &Key {
        &self.key
    }

    pub(super) fn header(&self, number: u32) -> [u8; HEADER as usize] {
        let mut header = [0; HEADER as usize];
        let number = number.to_be_bytes();
        let content = b"mkpack1\n".iter().chain(&self.store_id).chain(&number);
        for (to, from) in header.iter_mut().zip(content) {
            *to = *from;
        }
        header
    }

    /// Ties a record to its place.
    pub(super) fn record_aad(&self, number: u32, offset: u32) -> Vec<u8> {
        let mut aad = self.aad(b"pack record", number);
        aad.extend_from_slice(&offset.to_be_bytes());
        aad
    }

    /// Ties a chunk of a key table to its pack.
    pub(super) fn table_aad(&self, number: u32) -> Vec<u8> {
        self.aad(b"pack keys", number)
    }

    fn aad(&self, what: &[u8], number: u32) -> Vec<u8> {
        [what, &self.store_id, &number.to_be_bytes()].concat()
    }

    /// Reads and merges both copies of a key table. Copies that are gone or damaged only make it less healthy.
    pub(super) fn load(&self, number: u32) -> Result<Loaded, DiskError> {
        let [first, second] = self.tables(number);
        let (first, second) = (read_copy(&first)?, read_copy(&second)?);
        let same = first.is_some() && first == second;
        let bytes = first.as_ref().map_or(0, Vec::len) as u64;
        let read = |copy: Option<Vec<u8>>| {
            copy.map_or_else(Parsed::default, |copy| parse(&copy, &self.key, &self.table_aad(number)))
        };
        let mut parsed = read(first);
        let mut one_clean = parsed.clean;
        if !same {
            let other = read(second);
            one_clean |= other.clean;
            parsed.table.merge(other.table);
        }
        let (mut table, chunks) = (parsed.table, parsed.chunks);
        if !one_clean {
            self.mark_lost(number, &mut table)?;
        }
        Ok(Loaded { table, healthy: same && parsed.clean, one_clean, bytes, chunks })
    }

    /// Where both copies are damaged, what lies behind the last known record may have been acknowledged. It
    /// is named lost, so that writing the table anew, which makes it look whole, cannot free those offsets.
    fn mark_lost(&self, number: u32, table: &mut Table) -> Result<(), DiskError> {
        let path = self.pack(number);
        let length = match std::fs::metadata(&path).on(&path) {
            Ok(metadata) => u32::try_from(metadata.len()).unwrap_or(u32::MAX),
            Err(error) if error.is_not_there() => 0,
            Err(error) => return Err(error),
        };
        let end = table.end().unwrap_or(HEADER);
        if let Some(length) = length.checked_sub(end).filter(|length| *length > 0) {
            let length = length.checked_next_multiple_of(ALIGNMENT).unwrap_or(length);
            table.insert(end, Entry { length, fate: Fate::Lost });
        }
        Ok(())
    }

    /// Whether a copy of a key table is damaged or gone. What a crash leaves is no damage: a batch that only one copy
    /// of the pack that `grows` has whole, or two whole copies that differ.
    pub(super) fn is_hurt(&self, number: u32, grows: bool) -> Result<bool, DiskError> {
        let [first, second] = self.tables(number);
        let (Some(first), Some(second)) = (read_copy(&first)?, read_copy(&second)?) else { return Ok(true) };
        let aad = self.table_aad(number);
        let [one, other] = [&first, &second].map(|copy| parse(copy, &self.key, &aad).clean);
        let is_torn = grows && (first.starts_with(&second) || second.starts_with(&first)) && (one || other);
        Ok(!(one && other || is_torn))
    }

    /// Writes a key table anew, the second copy once the first is safe.
    pub(super) fn rewrite(&self, number: u32, table: &Table) -> Result<(), PackError> {
        let bytes = table.to_bytes(&self.key, &self.table_aad(number));
        for path in self.tables(number) {
            disk::replace(&path, &bytes)?;
        }
        Ok(())
    }
}

/// A copy that is gone, or that the disk cannot read back, is for the other one to make good.
fn read_copy(path: &Path) -> Result<Option<Vec<u8>>, DiskError> {
    match disk::read_small(path, MAX_TABLE_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(DiskError::NotThere { .. }) => Ok(None),
        Err(error) if error.is_damage() => {
            tracing::warn!(%error, "A copy of a key table cannot be read");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
