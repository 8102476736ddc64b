//! Adds, deletes and commits. One thread indexes, one merges; after any failure the writer is back at the last commit.

use super::directory::SealedDirectory;
use super::document::{Budget, Mail};
use super::leaves::Leaf;
use super::schema::Fields;
use super::{Document, IndexError};
use crate::mail::ids::MessageNumber;
use roaring::RoaringBitmap;
use std::sync::Arc;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy, NoMergePolicy};
use tantivy::{IndexWriter, SegmentMeta, TantivyError};

/// Memory for words that are not yet in a segment.
const WORDS_BYTES: usize = 40_000_000;
/// Segments of at least so many messages are left alone, so that a merge is never long nor large.
const LARGEST_MERGED: usize = 200_000;

/// The one writer of an index.
pub(super) struct Writer {
    index: tantivy::Index,
    directory: SealedDirectory,
    fields: Fields,
    budget: Arc<Budget>,
    /// Not there before the first change, and while it is being replaced.
    open: Option<IndexWriter<Mail>>,
    committed: u32,
    added: u32,
    is_changed: bool,
    sign: Option<String>,
    next_sign: Option<String>,
}

impl Writer {
    /// A writer that goes on from what is committed.
    pub(super) fn new(
        index: tantivy::Index,
        directory: SealedDirectory,
        fields: Fields,
    ) -> Result<Self, TantivyError> {
        let payload = index.load_metas()?.payload;
        let payload = payload.unwrap_or_default();
        let (committed, sign) = payload.split_once(' ').unwrap_or((&payload, ""));
        let committed = committed.parse().unwrap_or(0);
        let sign = (!sign.is_empty()).then(|| sign.to_owned());
        let budget = Arc::new(Budget::default());
        Ok(Self {
            index,
            directory,
            fields,
            budget,
            open: None,
            committed,
            added: committed,
            is_changed: false,
            sign,
            next_sign: None,
        })
    }

    pub(super) fn sign_next(&mut self, sign: &str) {
        self.next_sign = Some(sign.to_owned());
    }

    pub(super) fn sign(&self) -> Option<String> {
        self.sign.clone()
    }

    /// The highest number that is committed.
    pub(super) const fn position(&self) -> u32 {
        self.committed
    }

    fn open(&mut self) -> tantivy::Result<&mut IndexWriter<Mail>> {
        if self.open.is_none() {
            let options = IndexWriterOptions::builder()
                .memory_budget_per_thread(WORDS_BYTES)
                .num_worker_threads(1)
                .num_merge_threads(1)
                .build();
            let writer = self.index.writer_with_options(options)?;
            let mut merging = LogMergePolicy::default();
            merging.set_min_num_segments(6);
            merging.set_min_layer_size(2_000);
            merging.set_max_docs_before_merge(LARGEST_MERGED);
            merging.set_del_docs_ratio_before_merge(0.3);
            writer.set_merge_policy(Box::new(merging));
            self.open = Some(writer);
        }
        self.open.as_mut().ok_or_else(|| TantivyError::SystemError("there is no writer".to_owned()))
    }

    /// Adds messages; one that was added before is replaced.
    pub(super) fn add(&mut self, documents: &[Document<'_>]) -> Result<(), IndexError> {
        let again: Vec<_> =
            documents.iter().map(|document| document.number).filter(|n| n.0 <= self.added).collect();
        if !again.is_empty() {
            self.delete(&again)?;
        }
        self.is_changed |= !documents.is_empty();
        let added = self.add_all(documents);
        self.or_back(added)
    }

    fn add_all(&mut self, documents: &[Document<'_>]) -> tantivy::Result<()> {
        let (fields, budget) = (self.fields, Arc::clone(&self.budget));
        let writer = self.open()?;
        for document in documents {
            writer.add_document(Mail::new(document, fields, &budget))?;
        }
        let highest = documents.iter().map(|document| document.number.0).max();
        self.added = self.added.max(highest.unwrap_or(0));
        Ok(())
    }

    /// Takes messages out; with the next commit they are no longer found.
    pub(super) fn delete(&mut self, numbers: &[MessageNumber]) -> Result<(), IndexError> {
        if numbers.is_empty() {
            return Ok(());
        }
        self.is_changed = true;
        let numbers: RoaringBitmap = numbers.iter().map(|number| number.0).collect();
        let query = Box::new(Leaf::Numbers(Arc::new(numbers)));
        let deleted = self.open().and_then(|writer| writer.delete_query(query)).map(|_| ());
        self.or_back(deleted)
    }

    /// Makes everything so far durable and findable.
    pub(super) fn commit(&mut self) -> Result<(), IndexError> {
        if !self.is_changed {
            return Ok(());
        }
        let added = self.added;
        let sign = self.next_sign.take().or_else(|| self.sign.clone());
        let payload = sign.as_deref().map_or_else(|| added.to_string(), |sign| format!("{added} {sign}"));
        let committed = self.open().and_then(|writer| commit(writer, &payload));
        self.or_back(committed)?;
        (self.committed, self.sign) = (added, sign);
        self.is_changed = false;
        Ok(())
    }

    /// Rewrites every segment that still holds deleted messages, until none does.
    pub(super) fn purge(&mut self) -> Result<(), IndexError> {
        self.commit()?;
        let purged = self.purge_segments();
        self.or_back(purged)
    }

    fn purge_segments(&mut self) -> tantivy::Result<()> {
        // Merges under way were begun before the deletion and would bring its words along.
        if let Some(writer) = self.open.take() {
            writer.wait_merging_threads()?;
        }
        let index = self.index.clone();
        let writer = self.open()?;
        // Nothing else may take a segment away from under this.
        writer.set_merge_policy(Box::new(NoMergePolicy));
        // Ids only: while a segment's entry is held, its files are not collected.
        let segments = index.searchable_segment_metas()?;
        let stale: Vec<_> =
            segments.iter().filter(|segment| segment.has_deletes()).map(SegmentMeta::id).collect();
        drop(segments);
        for segment in stale {
            writer.merge(&[segment]).wait()?;
        }
        writer.garbage_collect_files().wait()?;
        self.open = None;
        Ok(())
    }

    /// Waits until nothing is being merged.
    #[cfg(test)]
    pub(super) fn settle(&mut self) -> Result<(), IndexError> {
        let settled = self.open.take().map_or(Ok(()), IndexWriter::wait_merging_threads);
        self.or_back(settled)
    }

    /// After a failure, goes back to the last commit, so that the next call finds a working writer.
    fn or_back(&mut self, result: tantivy::Result<()>) -> Result<(), IndexError> {
        let Err(mut failure) = result else { return Ok(()) };
        // The thread that failed says why only when it is waited for.
        if let Some(mut writer) = self.open.take()
            && let Err(reason) = writer.prepare_commit().map(drop)
        {
            failure = reason;
        }
        self.added = self.committed;
        self.is_changed = false;
        Err(IndexError::of(failure, &self.directory))
    }
}

fn commit(writer: &mut IndexWriter<Mail>, payload: &str) -> tantivy::Result<()> {
    let mut prepared = writer.prepare_commit()?;
    prepared.set_payload(payload);
    prepared.commit().map(|_| ())
}
