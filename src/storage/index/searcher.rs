//! Walks over what a query matches: counts it, keeps the page that is asked for, or collects all of it.

use super::schema::{DATE, NUMBER};
use super::{Found, Order};
use crate::mail::ids::MessageNumber;
use roaring::RoaringBitmap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use tantivy::fastfield::Column;
use tantivy::index::SegmentReader;
use tantivy::query::{EnableScoring, Query};
use tantivy::{COLLECT_BLOCK_BUFFER_LEN, DocId, Searcher};

/// All numbers that are matched and alive.
pub(super) fn matching(
    searcher: &Searcher,
    query: &dyn Query,
    alive: &RoaringBitmap,
) -> tantivy::Result<RoaringBitmap> {
    let mut numbers = Vec::new();
    let weight = query.weight(EnableScoring::disabled_from_searcher(searcher))?;
    for reader in searcher.segment_readers() {
        let segment = Segment::open(reader)?;
        weight.for_each_no_score(reader, &mut |docs| {
            segment.for_each_alive(docs, alive, |_, number| numbers.push(number));
        })?;
    }
    numbers.sort_unstable();
    Ok(numbers.into_iter().collect())
}

/// The page from `offset` on of what is matched and alive, and how many there are in all.
pub(super) fn page(
    searcher: &Searcher,
    query: &dyn Query,
    alive: &RoaringBitmap,
    order: Order,
    offset: usize,
    limit: usize,
) -> tantivy::Result<Found> {
    let mut best = Best::new(offset.saturating_add(limit));
    let mut total = 0;
    if order == Order::Relevance {
        let weight = query.weight(EnableScoring::enabled_from_searcher(searcher))?;
        for reader in searcher.segment_readers() {
            let segment = Segment::open(reader)?;
            let dates = reader.fast_fields().i64(DATE)?;
            weight.for_each(reader, &mut |doc, score| {
                segment.for_each_alive(&[doc], alive, |_, number| {
                    total += 1;
                    best.offer((rank(score), dates.values.get_val(doc), number));
                });
            })?;
        }
    } else {
        let weight = query.weight(EnableScoring::disabled_from_searcher(searcher))?;
        for reader in searcher.segment_readers() {
            let segment = Segment::open(reader)?;
            let dates = reader.fast_fields().i64(DATE)?;
            weight.for_each_no_score(reader, &mut |docs| {
                segment.for_each_alive(docs, alive, |doc, number| {
                    total += 1;
                    let date = dates.values.get_val(doc);
                    // The oldest first is the newest first with both keys turned round.
                    best.offer(if order == Order::Oldest { (0, !date, !number) } else { (0, date, number) });
                });
            })?;
        }
    }
    let numbers = best
        .into_ordered()
        .skip(offset)
        .map(|(_, _, number)| MessageNumber(if order == Order::Oldest { !number } else { number }));
    Ok(Found { total, numbers: numbers.collect() })
}

/// Scores as numbers that order alike; they are never negative.
fn rank(score: f32) -> u32 {
    score.max(0.0).to_bits()
}

type Key = (u32, i64, u32);

/// The greatest keys offered, as many as wanted.
struct Best {
    wanted: usize,
    least_first: BinaryHeap<Reverse<Key>>,
}

impl Best {
    fn new(wanted: usize) -> Self {
        Self { wanted, least_first: BinaryHeap::new() }
    }

    fn offer(&mut self, key: Key) {
        if self.least_first.len() < self.wanted {
            self.least_first.push(Reverse(key));
        } else if let Some(mut least) = self.least_first.peek_mut()
            && least.0 < key
        {
            *least = Reverse(key);
        }
    }

    fn into_ordered(self) -> impl Iterator<Item = Key> {
        self.least_first.into_sorted_vec().into_iter().map(|Reverse(key)| key)
    }
}

/// What is needed of a segment to tell messages apart.
struct Segment<'a> {
    reader: &'a SegmentReader,
    numbers: Column<u64>,
}

impl<'a> Segment<'a> {
    fn open(reader: &'a SegmentReader) -> tantivy::Result<Self> {
        Ok(Self { reader, numbers: reader.fast_fields().u64(NUMBER)? })
    }

    fn for_each_alive(&self, docs: &[DocId], alive: &RoaringBitmap, mut each: impl FnMut(DocId, u32)) {
        let mut buffer = [0; COLLECT_BLOCK_BUFFER_LEN];
        for docs in docs.chunks(buffer.len()) {
            let (numbers, _) = buffer.split_at_mut(docs.len());
            self.numbers.values.get_vals(docs, numbers);
            let kept = self.reader.alive_bitset();
            for (doc, number) in docs.iter().zip(numbers.iter()) {
                let Ok(number) = u32::try_from(*number) else { continue };
                if alive.contains(number) && kept.is_none_or(|kept| kept.is_alive(*doc)) {
                    each(*doc, number);
                }
            }
        }
    }
}
