//! Appending: the one pack that still grows, and how a batch becomes durable.
//!
//! A batch is written in this order: records, sync, first key table, sync, second key table, sync. A crash in
//! between leaves bytes in the pack that no table names (cut off later), or a batch that is whole but was
//! never acknowledged (kept); never two tables that are torn at once.

use super::files::{Files, HEADER};
use super::key_table::{Entry, Fate, to_chunks};
use super::record::Prepared;
use super::{PackError, RecordPlace};
use crate::crypto::secret::Key;
use crate::storage::disk;
use std::fs::File;

const PACK_BYTES: u32 = 64 << 20;
/// Records are gathered to writes of about this size.
const WRITE_BYTES: usize = 4 << 20;

/// What only one thread at a time may do.
pub(super) struct Writer {
    tail: Option<Tail>,
    /// The highest number given to a pack.
    last: u32,
    /// A pack that has grown to this size is closed.
    pack_bytes: u32,
    is_closed: bool,
}

/// The pack that grows. All three files are known to be sound up to their ends.
struct Tail {
    number: u32,
    pack: File,
    tables: [File; 2],
    end: u32,
    tables_end: u64,
}

/// A batch that is on the disk.
pub(super) struct Appended {
    pub(super) places: Vec<RecordPlace>,
    pub(super) entries: Vec<(u32, Entry)>,
}

impl Writer {
    pub(super) const fn new(last: u32) -> Self {
        Self { tail: None, last, pack_bytes: PACK_BYTES, is_closed: false }
    }

    #[cfg(test)]
    pub(super) const fn set_pack_bytes(&mut self, pack_bytes: u32) {
        self.pack_bytes = pack_bytes;
    }

    pub(super) const fn last(&self) -> u32 {
        self.last
    }

    pub(super) fn go_on_after(&mut self, number: u32) {
        if self.last < number {
            (self.last, self.tail) = (number + 1, None);
        }
    }

    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.tail = None;
    }

    pub(super) const fn is_open(&self) -> Result<(), PackError> {
        if self.is_closed { Err(PackError::Closed) } else { Ok(()) }
    }

    /// Forgets what it knows of a pack whose files were changed in other ways.
    pub(super) fn forget(&mut self, number: u32) {
        self.tail.take_if(|tail| tail.number == number);
    }

    /// Appends a batch to one pack; all of it is durable on return, or nothing of it.
    pub(super) fn append(&mut self, files: &Files, records: Vec<Prepared>) -> Result<Appended, PackError> {
        let total: usize = records.iter().map(Prepared::sealed_length).sum();
        let total = u32::try_from(total)
            .ok()
            .filter(|total| total.checked_add(HEADER).is_some())
            .ok_or(PackError::TooLarge { bytes: total })?;
        let mut tail = match self.tail.take() {
            Some(tail) => tail,
            None => self.recover(files)?,
        };
        if tail.end > HEADER && tail.end.checked_add(total).is_none_or(|end| end > self.pack_bytes) {
            compact_table(files, tail.number);
            tail = self.create(files, self.last + 1)?;
        }
        match tail.append(files, records) {
            Ok(appended) => {
                self.tail = Some(tail);
                Ok(appended)
            }
            // The tail is not kept: what is true is read from the disk next time.
            Err(error) => {
                if let Err(error) = tail.roll_back(files) {
                    tracing::warn!(%error, "What was left of a failed batch could not be cut off yet");
                }
                Err(error)
            }
        }
    }

    /// Makes the newest pack fit for appending after whatever happened to the last process.
    fn recover(&mut self, files: &Files) -> Result<Tail, PackError> {
        if self.last == 0 {
            return self.create(files, 1);
        }
        let number = self.last;
        let loaded = files.load(number)?;
        let path = files.pack(number);
        let pack = match disk::open_to_write(&path) {
            Ok(pack) => Some(pack),
            Err(error) if error.is_not_there() => None,
            Err(error) => return Err(error.into()),
        };
        let length = pack.as_ref().map(|pack| file_length(pack, &path)).transpose()?.unwrap_or(0);
        let end = loaded.table.end().unwrap_or(HEADER);
        if length <= u64::from(HEADER) && loaded.table.is_blank() {
            return self.create(files, number);
        }
        // No offset may ever be given to a second message: where it is not certain that nothing that was
        // acknowledged lies behind the end, the pack is left as it is and another one begun.
        let Some(pack) =
            pack.filter(|_| loaded.one_clean && length >= u64::from(end) && end < self.pack_bytes)
        else {
            return self.create(files, number + 1);
        };
        let mut tables_end = loaded.bytes;
        if !loaded.healthy {
            files.rewrite(number, &loaded.table)?;
            tables_end = files.load(number)?.bytes;
        }
        if length > u64::from(end) {
            disk::set_length(&pack, &path, end.into())?;
            disk::sync(&pack, &path)?;
        }
        let [first, second] = files.tables(number);
        let tables = [disk::open_to_write(&first)?, disk::open_to_write(&second)?];
        Ok(Tail { number, pack, tables, end, tables_end })
    }

    fn create(&mut self, files: &Files, number: u32) -> Result<Tail, PackError> {
        let path = files.pack(number);
        let [first, second] = files.tables(number);
        let tables = [disk::open_or_create(&first)?, disk::open_or_create(&second)?];
        disk::set_length(&tables[0], &first, 0)?;
        disk::set_length(&tables[1], &second, 0)?;
        let pack = disk::open_or_create(&path)?;
        disk::write_at(&pack, &path, 0, &files.header(number))?;
        disk::sync(&pack, &path)?;
        disk::sync_directory(&files.directory)?;
        self.last = number;
        Ok(Tail { number, pack, tables, end: HEADER, tables_end: 0 })
    }
}

impl Tail {
    fn append(&mut self, files: &Files, records: Vec<Prepared>) -> Result<Appended, PackError> {
        let path = files.pack(self.number);
        let mut places = Vec::with_capacity(records.len());
        let mut entries = Vec::with_capacity(records.len());
        let mut buffer = Vec::new();
        let mut written = u64::from(self.end);
        let mut offset = self.end;
        for record in records {
            let key = Key::random();
            let sealed = record.seal(&key, &files.record_aad(self.number, offset));
            let length = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
            places.push(RecordPlace { pack: self.number, offset, length });
            entries.push((offset, Entry { length, fate: Fate::Live(key) }));
            offset = offset.saturating_add(length);
            if buffer.len() + sealed.len() > WRITE_BYTES {
                disk::write_at(&self.pack, &path, written, &buffer)?;
                written += buffer.len() as u64;
                buffer.clear();
            }
            if sealed.len() > WRITE_BYTES {
                disk::write_at(&self.pack, &path, written, &sealed)?;
                written += u64::from(length);
            } else {
                buffer.extend_from_slice(&sealed);
            }
        }
        disk::write_at(&self.pack, &path, written, &buffer)?;
        disk::sync(&self.pack, &path)?;

        let named: Vec<_> = entries.iter().map(|(offset, entry)| (*offset, entry)).collect();
        let chunks = to_chunks(&named, files.key(), &files.table_aad(self.number));
        for (table, path) in self.tables.iter().zip(files.tables(self.number)) {
            disk::write_at(table, &path, self.tables_end, &chunks)?;
            disk::sync(table, &path)?;
        }
        self.end = offset;
        self.tables_end += chunks.len() as u64;
        Ok(Appended { places, entries })
    }

    /// Cuts off what a failed batch has left. Tables first: what they name must be there.
    fn roll_back(&self, files: &Files) -> Result<(), PackError> {
        for (table, path) in self.tables.iter().zip(files.tables(self.number)) {
            disk::set_length(table, &path, self.tables_end)?;
            disk::sync(table, &path)?;
        }
        let path = files.pack(self.number);
        disk::set_length(&self.pack, &path, self.end.into())?;
        Ok(disk::sync(&self.pack, &path)?)
    }
}

/// A table that grew message by message has many small chunks; a closed one need not keep them.
fn compact_table(files: &Files, number: u32) {
    let compacted = files.load(number).map_err(PackError::from).and_then(|loaded| {
        if loaded.healthy && loaded.chunks > loaded.table.fewest_chunks() * 2 {
            files.rewrite(number, &loaded.table)
        } else {
            Ok(())
        }
    });
    if let Err(error) = compacted {
        tracing::warn!(%error, "A key table could not be compacted; it stays as it is");
    }
}

fn file_length(file: &File, path: &std::path::Path) -> Result<u64, disk::DiskError> {
    use disk::On;
    Ok(file.metadata().on(path)?.len())
}
