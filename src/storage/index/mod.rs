//! The search index: sealed on disk, found again by words, people, headers, kinds, dates and sizes.
//!
//! One document per message, known by its number. Tags, folders and threads are not in here: they are sets of numbers that
//! the caller holds and that are combined with the query at search time. An index that is lost or damaged is simply built anew.

mod analyser;
mod catalog;
mod directory;
mod document;
mod leaves;
mod pages;
mod schema;
mod searcher;
mod translate;
mod writer;

#[cfg(test)]
mod tests;

use crate::crypto::secret::Key;
use crate::mail::address::Person;
use crate::mail::ids::MessageNumber;
use crate::mail::query::{Kind, Leaf, Query};
use directory::SealedDirectory;
use pages::lock;
use roaring::RoaringBitmap;
use schema::Fields;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tantivy::store::Compressor;
use tantivy::{IndexReader, IndexSettings, ReloadPolicy, Searcher, TantivyError};
use translate::Translator;
use writer::Writer;

/// What can go wrong with the index.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Something in it cannot be opened, or it has another form: wipe it and build it anew.
    #[error("the search index is damaged or of another version, and has to be built anew")]
    Damaged,
    /// The disk is full; what was committed is still there.
    #[error("no room is left on the disk for the search index")]
    Full,
    /// The disk does not do what it should.
    #[error("the search index could not be read or written: {0}")]
    Io(#[from] io::Error),
    /// The search library refused.
    #[error("the search library refused")]
    Library(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl IndexError {
    fn of(error: TantivyError, directory: &SealedDirectory) -> Self {
        if directory.is_broken() {
            return Self::Damaged;
        }
        if directory.is_full() {
            return Self::Full;
        }
        match error {
            TantivyError::DataCorruption(_)
            | TantivyError::IncompatibleIndex(_)
            | TantivyError::SchemaError(_)
            | TantivyError::OpenReadError(tantivy::directory::error::OpenReadError::FileDoesNotExist(_)) => {
                Self::Damaged
            }
            TantivyError::IoError(e) => Self::Io(io::Error::new(e.kind(), e)),
            other => Self::Library(Box::new(other)),
        }
    }
}

/// What of a message is indexed.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    /// The message.
    pub number: MessageNumber,
    /// Its effective date, UTC seconds.
    pub date: i64,
    /// Its size in bytes.
    pub size: u64,
    /// The subject, decoded.
    pub subject: &'a str,
    /// From whom.
    pub from: &'a [Person],
    /// To whom.
    pub to: &'a [Person],
    /// Copies to whom.
    pub cc: &'a [Person],
    /// Blind copies to whom.
    pub bcc: &'a [Person],
    /// The text that a reader sees.
    pub body: &'a str,
    /// The names of its attachments.
    pub filenames: &'a [String],
    /// The mailing list it came by, or nothing.
    pub list: &'a str,
    /// All headers, decoded.
    pub headers: &'a [(String, String)],
    /// What kinds of message it is.
    pub kinds: &'a BTreeSet<Kind>,
}

/// In which order messages are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Newest date first; of two of one date, the higher number.
    Newest,
    /// The other way round.
    Oldest,
    /// What fits best first; where two fit alike, the newer.
    Relevance,
}

/// A page of what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How many messages there are in all.
    pub total: u64,
    /// Those of this page, in order.
    pub numbers: Vec<MessageNumber>,
}

/// An open index. Searches go on while it is written to.
pub struct Index {
    directory: SealedDirectory,
    fields: Fields,
    reader: IndexReader,
    /// The commit that the reader shows; held while it is brought up to date.
    shown: Mutex<u64>,
    writer: Mutex<Writer>,
}

impl Index {
    /// Opens the index in `path`, or makes an empty one there. Nobody else may have it open.
    ///
    /// # Errors
    /// [`IndexError::Damaged`] if it has to be wiped and built anew; others where the disk fails.
    pub fn open(path: &Path, key: &Key, store_id: [u8; 16], cache_bytes: usize) -> Result<Self, IndexError> {
        let directory = SealedDirectory::open(path, key, store_id, cache_bytes)?;
        let (schema, fields) = schema::schema();
        let open = || {
            let index = if tantivy::Index::exists(&directory)? {
                tantivy::Index::open(directory.clone())?
            } else {
                let settings = IndexSettings {
                    docstore_compression: Compressor::None,
                    docstore_compress_dedicated_thread: false,
                    ..IndexSettings::default()
                };
                tantivy::Index::create(directory.clone(), schema.clone(), settings)?
            };
            let mut index = index;
            if index.schema() != schema {
                return Err(TantivyError::SchemaError("another schema".to_owned()));
            }
            index.set_tokenizers(schema::tokenizers());
            let reader = index
                .reader_builder()
                .reload_policy(ReloadPolicy::Manual)
                .doc_store_cache_num_blocks(1)
                .try_into()?;
            let writer = Writer::new(index, directory.clone(), fields)?;
            Ok((reader, writer))
        };
        let (reader, writer) = open().map_err(|e| IndexError::of(e, &directory))?;
        let shown = Mutex::new(directory.generation());
        Ok(Self { directory, fields, reader, shown, writer: Mutex::new(writer) })
    }

    /// Removes the index in `path`, if there is one. It must not be open.
    ///
    /// # Errors
    /// Where the disk fails.
    pub fn wipe(path: &Path) -> Result<(), IndexError> {
        let remove = |path: &Path| match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        };
        // Without its catalog the rest is noise already.
        remove(&path.join(catalog::CATALOG))?;
        let found = match std::fs::read_dir(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found?,
        };
        for found in found {
            let found = found?;
            if found.file_type()?.is_file() {
                remove(&found.path())?;
            }
        }
        catalog::sync_directory(path)?;
        Ok(())
    }

    /// Adds messages, best in the order of their numbers; they are found after [`Self::commit`]. One that was added before is
    /// replaced.
    ///
    /// # Errors
    /// After any error, everything since the last commit is undone: go on from [`Self::position`].
    pub fn add(&self, documents: &[Document<'_>]) -> Result<(), IndexError> {
        lock(&self.writer).add(documents)
    }

    /// Takes messages out with the next commit. Their words stay on the disk until [`Self::purge_deleted`] or a merge.
    ///
    /// # Errors
    /// After any error, everything since the last commit is undone.
    pub fn delete(&self, numbers: &[MessageNumber]) -> Result<(), IndexError> {
        lock(&self.writer).delete(numbers)
    }

    /// Makes all changes durable and findable, and says up to which number messages are indexed.
    ///
    /// # Errors
    /// After any error, everything since the last commit is undone.
    pub fn commit(&self) -> Result<u32, IndexError> {
        let mut writer = lock(&self.writer);
        writer.commit()?;
        self.show_newest()?;
        Ok(writer.position())
    }

    /// What the next commit is to be known by: a word without blanks, kept inside the sealed index with the commit.
    pub fn sign_next(&self, sign: &str) {
        lock(&self.writer).sign_next(sign);
    }

    /// What the last commit is known by, if it was given a sign.
    pub fn sign(&self) -> Option<String> {
        lock(&self.writer).sign()
    }

    /// Refuses every further write; what is committed can still be searched.
    pub fn close(&self) {
        self.directory.close();
    }

    /// Opens every page of every file.
    ///
    /// # Errors
    /// [`IndexError::Damaged`] if a seal is broken; others where the disk fails.
    pub fn verify(&self) -> Result<(), IndexError> {
        let verified = self.directory.verify();
        if self.directory.is_broken() { Err(IndexError::Damaged) } else { Ok(verified?) }
    }

    /// The highest number that was ever added and committed.
    pub fn position(&self) -> u32 {
        lock(&self.writer).position()
    }

    /// Commits, then rewrites what still holds words of deleted messages; afterwards those are gone from the disk, and the keys
    /// of the old files with them.
    ///
    /// # Errors
    /// After any error, words of deleted messages may be left: call it again.
    pub fn purge_deleted(&self) -> Result<(), IndexError> {
        lock(&self.writer).purge()?;
        self.show_newest()
    }

    /// Finds messages: those of `alive` that `query` asks for, from `offset` on, at most `limit` of them. `sets` says which numbers
    /// a tag, account, folder, thread or message id stands for.
    ///
    /// # Errors
    /// [`IndexError::Damaged`] if something needed cannot be opened.
    pub fn search(
        &self,
        query: &Query,
        sets: &dyn Fn(&Leaf) -> Option<Arc<RoaringBitmap>>,
        alive: &RoaringBitmap,
        order: Order,
        offset: usize,
        limit: usize,
    ) -> Result<Found, IndexError> {
        let searcher = self.searcher()?;
        let query = Translator { fields: self.fields, sets, scoring: order == Order::Relevance }.query(query);
        searcher::page(&searcher, query.as_ref(), alive, order, offset, limit).map_err(|e| self.error(e))
    }

    /// All numbers that [`Self::search`] would find.
    ///
    /// # Errors
    /// As there.
    pub fn matching(
        &self,
        query: &Query,
        sets: &dyn Fn(&Leaf) -> Option<Arc<RoaringBitmap>>,
        alive: &RoaringBitmap,
    ) -> Result<RoaringBitmap, IndexError> {
        let searcher = self.searcher()?;
        let query = Translator { fields: self.fields, sets, scoring: false }.query(query);
        searcher::matching(&searcher, query.as_ref(), alive).map_err(|e| self.error(e))
    }

    /// How many bytes it takes on disk.
    pub fn bytes(&self) -> u64 {
        self.directory.bytes()
    }

    /// What is committed; a merge may have replaced segments since somebody last looked.
    fn searcher(&self) -> Result<Searcher, IndexError> {
        self.show_newest()?;
        Ok(self.reader.searcher())
    }

    fn show_newest(&self) -> Result<(), IndexError> {
        let mut shown = lock(&self.shown);
        let newest = self.directory.generation();
        if *shown != newest {
            self.reader.reload().map_err(|e| self.error(e))?;
            *shown = newest;
        }
        Ok(())
    }

    fn error(&self, error: TantivyError) -> IndexError {
        IndexError::of(error, &self.directory)
    }

    /// Waits until nothing is being merged.
    #[cfg(test)]
    fn settle(&self) -> Result<(), IndexError> {
        lock(&self.writer).settle()
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.directory.close();
    }
}
