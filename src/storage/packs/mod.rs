//! The mail itself: append-only packs of sealed records, each under a key of its own in the pack's key table.
//!
//! `00000001.pack` holds the records, `00000001.keys` and `00000001.keys2` are two copies of its key table.
//! A record is read, verified and destroyed by itself; what was appended is never written over. Nothing here
//! knows the database: the packs, the vault and the passphrase are enough to get every message back.

mod files;
mod key_table;
mod record;
mod scan;
mod writer;

pub use record::{MAX_RAW_BYTES, Prepared, Record, RecordMeta};
pub use scan::Scan;

use crate::crypto::secret::Key;
use crate::crypto::vault::StoreId;
use crate::storage::disk::{self, DiskError, On};
use files::{Files, HEADER, Loaded};
use key_table::{Entry, Fate, Table};
use lru::LruCache;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use writer::Writer;

/// So many key tables are held in memory, whatever the size of the mailbox.
const OPEN_PACKS: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// Where a record lies. No place is ever given to a second record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordPlace {
    /// The pack's number.
    pub pack: u32,
    /// Where it begins in the pack's file, in bytes.
    pub offset: u32,
    /// How many bytes it takes there.
    pub length: u32,
}

/// Why a record cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Its bytes, or the key table's bytes about it, are not what was written.
    #[error("the stored message at {}:{} is damaged", .0.pack, .0.offset)]
    Damaged(RecordPlace),
    /// Its key is gone for ever, as somebody asked for.
    #[error("the stored message at {}:{} was deleted for ever", .0.pack, .0.offset)]
    Destroyed(RecordPlace),
    /// Nothing was ever stored there.
    #[error("no message is stored at {}:{}", .0.pack, .0.offset)]
    Missing(RecordPlace),
    /// The pack's file is gone, with everything in it: a disk that is not mounted, most likely.
    #[error("the pack {0:08}.pack is not there; see whether the disk with the packs is mounted")]
    Gone(u32),
    /// The store was closed meanwhile.
    #[error("the store is locked")]
    Closed,
    /// No message is that long.
    #[error("{bytes} bytes are more than a message may have")]
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// What [`Packs::mend`] found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MendReport {
    /// Packs looked at.
    pub packs: usize,
    /// Key tables of which a copy was gone or damaged and was written anew.
    pub tables_mended: usize,
    /// Key tables of which neither copy says anything; nothing was changed there.
    pub tables_lost: usize,
    /// Packs whose first 64 bytes were damaged and were written anew.
    pub headers_mended: usize,
}

/// What [`Packs::hurt`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hurt {
    /// Packs of which a copy of the key table is damaged or gone.
    pub tables: Vec<u32>,
    /// Packs whose first 64 bytes are damaged.
    pub headers: Vec<u32>,
}

/// All packs of a store. Every method may be called from any thread at any time.
pub struct Packs {
    files: Files,
    writer: Mutex<Writer>,
    open: Mutex<LruCache<u32, Arc<OpenPack>>>,
}

/// A pack that is being read.
struct OpenPack {
    path: PathBuf,
    /// None where only key tables are left of the pack.
    file: Option<File>,
    table: RwLock<Table>,
}

impl Packs {
    /// Opens the packs in a directory. Nothing is changed yet, so this works on a read-only disk too;
    /// what a crash has left behind is tidied by the next append.
    ///
    /// # Errors
    /// [`PackError::Disk`].
    pub fn open(directory: &Path, key: &Key, store_id: StoreId) -> Result<Self, PackError> {
        let files = Files::new(directory.to_path_buf(), key.clone(), store_id);
        let last = files.numbers()?.last().copied().unwrap_or(0);
        Ok(Self { files, writer: Mutex::new(Writer::new(last)), open: Mutex::new(LruCache::new(OPEN_PACKS)) })
    }

    /// Gives no pack up to `number` to new messages unless its files are here: the database knows messages there, and the
    /// disk with the packs may merely be away.
    pub fn go_on_after(&self, number: u32) {
        self.writer().go_on_after(number);
    }

    /// Refuses every further change. Whoever still holds these packs after the store was locked must not write into
    /// files that others have opened anew.
    pub fn close(&self) {
        self.writer().close();
    }

    /// Compresses and appends messages; see [`append_prepared`](Self::append_prepared).
    #[cfg(test)]
    fn append(&self, records: &[(RecordMeta, &[u8])]) -> Result<Vec<RecordPlace>, PackError> {
        let prepared =
            records.iter().map(|(meta, raw)| Prepared::new(meta, raw)).collect::<Result<_, _>>()?;
        self.append_prepared(prepared)
    }

    /// Appends a batch. When this returns, all of it has reached the disk.
    ///
    /// A batch costs three waits for the disk whatever its length, and lies in memory and in one pack: let it
    /// have some megabytes.
    ///
    /// # Errors
    /// [`PackError`]; then nothing was appended, and once there is space again the next append works.
    pub fn append_prepared(&self, records: Vec<Prepared>) -> Result<Vec<RecordPlace>, PackError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let mut writer = self.writer();
        writer.is_open()?;
        let appended = writer.append(&self.files, records);
        let Ok(appended) = appended else {
            // Recovery may keep entries that no reader has heard of.
            self.open_packs().pop(&writer.last());
            return appended.map(|appended| appended.places);
        };
        if let Some(first) = appended.places.first()
            && let Some(open) = self.open_packs().get(&first.pack)
        {
            let mut table = open.table.write().unwrap_or_else(PoisonError::into_inner);
            for (offset, entry) in appended.entries {
                table.insert(offset, entry);
            }
        }
        Ok(appended.places)
    }

    /// Reads and verifies one record.
    ///
    /// # Errors
    /// [`PackError`]: damaged, destroyed, missing, or the disk says no.
    pub fn read(&self, place: RecordPlace) -> Result<Record, PackError> {
        let pack = self.open_pack(place.pack)?;
        let key = pack.key_of(place)?;
        let file = pack.file.as_ref().ok_or(PackError::Gone(place.pack))?;
        // Looked at first, so that a table that promises too much cannot make us take memory for it.
        if pack.length()? < u64::from(place.offset) + u64::from(place.length) {
            return Err(PackError::Damaged(place));
        }
        let mut sealed = vec![0; place.length as usize];
        match file.read_exact_at(&mut sealed, place.offset.into()).on(&pack.path) {
            // A sector that cannot be read back is damage like any other.
            Err(error) if error.is_damage() => return Err(PackError::Damaged(place)),
            other => other?,
        }
        let aad = self.files.record_aad(place.pack, place.offset);
        record::open(&key, &aad, sealed).ok_or(PackError::Damaged(place))
    }

    /// Destroys records for ever: their keys are gone from both key tables when this returns.
    /// Destroying what is destroyed is well.
    ///
    /// # Errors
    /// [`PackError::Disk`]; then some may be destroyed and others not, and it can be asked again.
    /// [`PackError::Damaged`] where neither copy of the key table can be read.
    pub fn destroy(&self, places: &[RecordPlace]) -> Result<(), PackError> {
        let mut packs: BTreeMap<u32, Vec<RecordPlace>> = BTreeMap::new();
        for place in places {
            packs.entry(place.pack).or_default().push(*place);
        }
        let mut writer = self.writer();
        writer.is_open()?;
        for (number, places) in packs {
            writer.forget(number);
            let destroyed = self.destroy_in(number, &places);
            // Also after a failure: the first copy may already say "destroyed", and that wins.
            self.forget_keys(number, &places);
            destroyed?;
        }
        Ok(())
    }

    fn destroy_in(&self, number: u32, places: &[RecordPlace]) -> Result<(), PackError> {
        let Loaded { mut table, one_clean, .. } = self.files.load(number)?;
        for place in places {
            if table.is_blank() && !one_clean {
                return Err(PackError::Damaged(*place));
            }
            // Where the tables are whole, what they do not name was never there.
            if !one_clean || table.get(place.offset).is_some_and(|entry| entry.length == place.length) {
                table.insert(place.offset, Entry { length: place.length, fate: Fate::Destroyed });
            }
        }
        self.files.rewrite(number, &table)
    }

    fn forget_keys(&self, number: u32, places: &[RecordPlace]) {
        if let Some(open) = self.open_packs().pop(&number) {
            let mut table = open.table.write().unwrap_or_else(PoisonError::into_inner);
            for place in places {
                table.insert(place.offset, Entry { length: place.length, fate: Fate::Destroyed });
            }
        }
    }

    /// Reads every record that lies after `from` (all, without it), in the order of their places. Destroyed
    /// ones are passed over; stretches of a pack that no key table names any more come as [`PackError::Damaged`].
    #[must_use]
    pub fn scan(&self, from: Option<RecordPlace>) -> Scan<'_> {
        Scan::new(self, from)
    }

    /// The place of the last record, for a later [`scan`](Self::scan) from there.
    #[cfg(test)]
    fn end(&self) -> Result<Option<RecordPlace>, PackError> {
        for number in self.files.numbers()?.into_iter().rev() {
            let pack = self.open_pack(number)?;
            let table = pack.table.read().unwrap_or_else(PoisonError::into_inner);
            if let Some((offset, entry)) = table.iter().next_back() {
                return Ok(Some(RecordPlace { pack: number, offset, length: entry.length }));
            }
        }
        Ok(None)
    }

    /// Looks at both copies of every key table and at every header, and changes nothing.
    ///
    /// # Errors
    /// [`PackError::Disk`].
    pub fn hurt(&self) -> Result<Hurt, PackError> {
        let writer = self.writer();
        let mut hurt = Hurt::default();
        for number in self.files.numbers()? {
            if self.files.is_hurt(number, number == writer.last())? {
                hurt.tables.push(number);
            }
            match disk::open_to_read(&self.files.pack(number)) {
                Ok(pack) if !self.header_is_right(number, &pack)? => hurt.headers.push(number),
                Err(error) if !error.is_not_there() => return Err(error.into()),
                _ => {}
            }
        }
        Ok(hurt)
    }

    /// Writes damaged copies of key tables, and damaged headers, anew from what is left.
    ///
    /// # Errors
    /// [`PackError::Disk`].
    pub fn mend(&self) -> Result<MendReport, PackError> {
        let mut writer = self.writer();
        writer.is_open()?;
        let mut report = MendReport::default();
        for number in self.files.numbers()? {
            report.packs += 1;
            for table in self.files.tables(number) {
                disk::discard_successor(&table)?;
            }
            let loaded = self.files.load(number)?;
            if !loaded.healthy {
                // A table of which nothing opens may be whole and only our key wrong: never write over that.
                if loaded.table.is_blank() && !loaded.one_clean {
                    report.tables_lost += 1;
                } else {
                    writer.forget(number);
                    self.files.rewrite(number, &loaded.table)?;
                    self.open_packs().pop(&number);
                    report.tables_mended += 1;
                }
            }
            report.headers_mended += usize::from(self.mend_header(number)?);
        }
        Ok(report)
    }

    fn mend_header(&self, number: u32) -> Result<bool, PackError> {
        let path = self.files.pack(number);
        let pack = match disk::open_to_read(&path) {
            Ok(pack) => pack,
            Err(error) if error.is_not_there() => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        if self.header_is_right(number, &pack)? {
            return Ok(false);
        }
        let pack = disk::open_to_write(&path)?;
        disk::write_at(&pack, &path, 0, &self.files.header(number))?;
        disk::sync(&pack, &path)?;
        Ok(true)
    }

    fn header_is_right(&self, number: u32, pack: &File) -> Result<bool, PackError> {
        let mut header = [0; HEADER as usize];
        match pack.read_exact_at(&mut header, 0) {
            Ok(()) => Ok(header == self.files.header(number)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(DiskError::new(&self.files.pack(number), error).into()),
        }
    }

    /// A pack for reading, from the cache or the disk.
    ///
    /// The cache stays locked while a key table is read: an append that ends meanwhile then finds the table in
    /// the cache and adds to it, so that no table in the cache ever lacks what is on the disk.
    fn open_pack(&self, number: u32) -> Result<Arc<OpenPack>, PackError> {
        let mut cache = self.open_packs();
        if let Some(open) = cache.get(&number) {
            return Ok(Arc::clone(open));
        }
        let path = self.files.pack(number);
        let file = match disk::open_to_read(&path) {
            Ok(file) => Some(file),
            Err(error) if error.is_not_there() => None,
            Err(error) => return Err(error.into()),
        };
        let table = RwLock::new(self.files.load(number)?.table);
        let open = Arc::new(OpenPack { path, file, table });
        if open.file.is_some() {
            cache.put(number, Arc::clone(&open));
        }
        Ok(open)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_packs(&self) -> MutexGuard<'_, LruCache<u32, Arc<OpenPack>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Packs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packs").field("directory", &self.files.directory).finish_non_exhaustive()
    }
}

impl OpenPack {
    fn key_of(&self, place: RecordPlace) -> Result<Key, PackError> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        match table.get(place.offset) {
            Some(Entry { fate: Fate::Destroyed, .. }) => Err(PackError::Destroyed(place)),
            Some(Entry { fate: Fate::Lost, .. }) => Err(PackError::Damaged(place)),
            Some(Entry { length, fate: Fate::Live(key) }) if *length == place.length => Ok(key.clone()),
            _ if self.file.is_none() => Err(PackError::Gone(place.pack)),
            Some(_) => Err(PackError::Missing(place)),
            None if self.length()? > u64::from(place.offset) => Err(PackError::Damaged(place)),
            None => Err(PackError::Missing(place)),
        }
    }

    fn length(&self) -> Result<u64, DiskError> {
        self.file.as_ref().map_or(Ok(0), |file| Ok(file.metadata().on(&self.path)?.len()))
    }
}

#[cfg(test)]
mod tests;
