//! Conditions that the search library has no query for: sets of numbers, prefixes, and phrases that end in a prefix.
//!
//! Each is worked out per segment into a bit per document, exactly and without a limit on how many words a prefix has.

use super::schema::NUMBER;
use roaring::RoaringBitmap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use tantivy::index::{InvertedIndexReader, SegmentReader};
use tantivy::postings::{BlockSegmentPostings, Postings, SegmentPostings, TermInfo};
use tantivy::query::{
    BitSetDocSet, ConstScorer, EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{BitSet, DocId, DocSet, Score, TERMINATED, TantivyError, Term};

/// Documents decided in one go, before anything is scored.
#[derive(Clone)]
pub(super) enum Leaf {
    /// Messages with these numbers.
    Numbers(Arc<RoaringBitmap>),
    /// Any term of the field that begins so.
    Prefix(Field, String),
    /// These words one after the other, then one that begins with the last.
    PhrasePrefix(Field, Vec<String>, String),
}

/// Says how often something matched without saying what.
impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Numbers(_) => "Numbers",
            Self::Prefix(..) => "Prefix",
            Self::PhrasePrefix(..) => "PhrasePrefix",
        })
    }
}

impl Query for Leaf {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for Leaf {
    fn scorer(&self, reader: &SegmentReader, _: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let found = match self {
            Self::Numbers(numbers) => with_numbers(reader, numbers)?,
            Self::Prefix(field, prefix) => with_prefix(reader, *field, prefix)?,
            Self::PhrasePrefix(field, words, prefix) => with_phrase(reader, *field, words, prefix)?,
        };
        Ok(match found {
            Some(found) => Box::new(ConstScorer::new(BitSetDocSet::from(found), 0.0)),
            None => Box::new(EmptyScorer),
        })
    }

    fn explain(&self, _: &SegmentReader, _: DocId) -> tantivy::Result<Explanation> {
        Err(TantivyError::InvalidArgument("scores are not explained".to_owned()))
    }
}

/// All documents but those that a query matches.
///
/// The library's own exclusion asks phrases for documents out of order, which they do not allow; so this one decides all first.
#[derive(Clone)]
pub(super) struct Not(pub(super) Arc<dyn Query>);

impl fmt::Debug for Not {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Not")
    }
}

impl Query for Not {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        let unscored = match scoring.searcher() {
            Some(searcher) => EnableScoring::disabled_from_searcher(searcher),
            None => EnableScoring::disabled_from_schema(scoring.schema()),
        };
        Ok(Box::new(NotWeight(self.0.weight(unscored)?)))
    }
}

struct NotWeight(Box<dyn Weight>);

impl Weight for NotWeight {
    fn scorer(&self, reader: &SegmentReader, _: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let mut left = BitSet::with_max_value_and_full(reader.max_doc());
        self.0.for_each_no_score(reader, &mut |docs| docs.iter().for_each(|doc| left.remove(*doc)))?;
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(left), 0.0)))
    }

    fn explain(&self, _: &SegmentReader, _: DocId) -> tantivy::Result<Explanation> {
        Err(TantivyError::InvalidArgument("scores are not explained".to_owned()))
    }
}

fn with_numbers(reader: &SegmentReader, numbers: &RoaringBitmap) -> tantivy::Result<Option<BitSet>> {
    let column = reader.fast_fields().u64(NUMBER)?;
    let (Some(least), Some(most)) = (numbers.min(), numbers.max()) else { return Ok(None) };
    if column.max_value() < u64::from(least) || column.min_value() > u64::from(most) {
        return Ok(None);
    }
    let mut found = BitSet::with_max_value(reader.max_doc());
    let mut buffer = [0; 256];
    let mut start = 0;
    while start < reader.max_doc() {
        let count = (reader.max_doc() - start).min(256);
        let (here, _) = buffer.split_at_mut(count as usize);
        column.values.get_range(u64::from(start), here);
        for (doc, number) in (start..).zip(here.iter()) {
            if u32::try_from(*number).is_ok_and(|number| numbers.contains(number)) {
                found.insert(doc);
            }
        }
        start += count;
    }
    Ok(Some(found))
}

/// Hands each term that begins with `prefix` to `each`.
fn for_each_term(
    index: &InvertedIndexReader,
    prefix: &str,
    mut each: impl FnMut(&TermInfo) -> tantivy::Result<()>,
) -> tantivy::Result<()> {
    let range = index.terms().range().ge(prefix.as_bytes());
    // With both ends known, only those blocks of the dictionary are opened.
    let range = match after(prefix) {
        Some(after) => range.lt(after),
        None => range,
    };
    let mut terms = range.into_stream()?;
    while terms.advance() {
        if terms.key().starts_with(prefix.as_bytes()) {
            each(terms.value())?;
        }
    }
    Ok(())
}

/// The first term that comes after all terms with a prefix.
fn after(prefix: &str) -> Option<Vec<u8>> {
    let mut end = prefix.as_bytes().to_vec();
    // Text has no byte 255, so the last one can always be raised.
    let last = end.last_mut()?;
    *last = last.checked_add(1)?;
    Some(end)
}

fn with_prefix(reader: &SegmentReader, field: Field, prefix: &str) -> tantivy::Result<Option<BitSet>> {
    let index = reader.inverted_index(field)?;
    let mut found: Option<BitSet> = None;
    let mut reused: Option<BlockSegmentPostings> = None;
    for_each_term(&index, prefix, |term| {
        let found = found.get_or_insert_with(|| BitSet::with_max_value(reader.max_doc()));
        let postings = match &mut reused {
            Some(postings) => {
                index.reset_block_postings_from_terminfo(term, postings)?;
                postings
            }
            None => reused.insert(index.read_block_postings_from_terminfo(term, IndexRecordOption::Basic)?),
        };
        while !postings.docs().is_empty() {
            for doc in postings.docs() {
                found.insert(*doc);
            }
            postings.advance();
        }
        Ok(())
    })?;
    Ok(found)
}

/// A document that has the words before the last, and where the last one would have to stand.
struct Candidate {
    doc: DocId,
    /// A piece of [`Candidates::ends`].
    ends: Range<usize>,
}

#[derive(Default)]
struct Candidates {
    documents: Vec<Candidate>,
    ends: Vec<u32>,
}

fn with_phrase(
    reader: &SegmentReader,
    field: Field,
    words: &[String],
    prefix: &str,
) -> tantivy::Result<Option<BitSet>> {
    let index = reader.inverted_index(field)?;
    let Some(ending) = with_prefix(reader, field, prefix)? else { return Ok(None) };
    let Some(candidates) = phrase_ends(&index, field, words, &ending)? else { return Ok(None) };
    let Candidates { documents, ends } = candidates;
    let mut found = BitSet::with_max_value(reader.max_doc());
    let mut undecided = BitSet::with_max_value(reader.max_doc());
    for candidate in &documents {
        undecided.insert(candidate.doc);
    }
    let mut positions = Vec::new();
    for_each_term(&index, prefix, |term| {
        let mut postings =
            index.read_postings_from_terminfo(term, IndexRecordOption::WithFreqsAndPositions)?;
        let mut decide = |candidate: &Candidate, postings: &mut SegmentPostings, undecided: &mut BitSet| {
            postings.positions(&mut positions);
            let ends = ends.get(candidate.ends.clone()).unwrap_or_default();
            if positions.iter().any(|at| ends.binary_search(at).is_ok()) {
                found.insert(candidate.doc);
                undecided.remove(candidate.doc);
            }
        };
        // Whichever is fewer leads: the documents of the term, or those with the words before it.
        if (term.doc_freq as usize) < documents.len() {
            while postings.doc() != TERMINATED {
                let doc = postings.doc();
                if undecided.contains(doc)
                    && let Ok(at) = documents.binary_search_by_key(&doc, |candidate| candidate.doc)
                    && let Some(candidate) = documents.get(at)
                {
                    decide(candidate, &mut postings, &mut undecided);
                }
                postings.advance();
            }
        } else {
            for candidate in &documents {
                if !undecided.contains(candidate.doc) {
                    continue;
                }
                if postings.doc() < candidate.doc {
                    postings.seek(candidate.doc);
                }
                if postings.doc() == candidate.doc {
                    decide(candidate, &mut postings, &mut undecided);
                }
            }
        }
        Ok(())
    })?;
    Ok(Some(found))
}

/// Where the phrase of `words` ends in each document that has it and is in `among`.
fn phrase_ends(
    index: &InvertedIndexReader,
    field: Field,
    words: &[String],
    among: &BitSet,
) -> tantivy::Result<Option<Candidates>> {
    let mut all: Vec<SegmentPostings> = Vec::with_capacity(words.len());
    for word in words {
        let term = Term::from_field_text(field, word);
        match index.read_postings(&term, IndexRecordOption::WithFreqsAndPositions)? {
            Some(postings) => all.push(postings),
            None => return Ok(None),
        }
    }
    let Some((first, others)) = all.split_first_mut() else { return Ok(None) };
    let mut found = Candidates::default();
    let (mut ends, mut positions) = (Vec::new(), Vec::new());
    let mut doc = first.doc();
    'documents: while doc != TERMINATED {
        if !among.contains(doc) {
            doc = first.advance();
            continue;
        }
        for other in others.iter_mut() {
            let here = if other.doc() < doc { other.seek(doc) } else { other.doc() };
            if here > doc {
                doc = if here == TERMINATED { TERMINATED } else { first.seek(here) };
                continue 'documents;
            }
        }
        first.positions_with_offset(1, &mut ends);
        for other in others.iter_mut() {
            other.positions(&mut positions);
            ends.retain(|end| positions.binary_search(end).is_ok());
            ends.iter_mut().for_each(|end| *end += 1);
        }
        if !ends.is_empty() {
            let start = found.ends.len();
            found.ends.extend_from_slice(&ends);
            found.documents.push(Candidate { doc, ends: start..found.ends.len() });
        }
        doc = first.advance();
    }
    Ok(Some(found))
}
