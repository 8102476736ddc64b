//! Reading every record, for checks, for rebuilding the database, and for adopting what it never heard of.

use super::files::HEADER;
use super::key_table::Fate;
use super::{PackError, Packs, Record, RecordPlace};
use std::collections::VecDeque;
use std::sync::PoisonError;

/// The records of a store, one after the other. Made by [`Packs::scan`].
pub struct Scan<'a> {
    packs: &'a Packs,
    from: Option<RecordPlace>,
    /// Packs to come; none before the first step.
    numbers: Option<VecDeque<u32>>,
    here: VecDeque<Found>,
}

enum Found {
    Record(RecordPlace),
    /// Bytes that no key table names.
    Gap(RecordPlace),
}

impl<'a> Scan<'a> {
    pub(super) const fn new(packs: &'a Packs, from: Option<RecordPlace>) -> Self {
        Self { packs, from, numbers: None, here: VecDeque::new() }
    }

    fn step(&mut self) -> Result<Option<Found>, (RecordPlace, PackError)> {
        if self.numbers.is_none() {
            let first = self.from.map_or(0, |from| from.pack);
            let numbers = self.packs.files.numbers().map_err(|error| (nowhere(first), error.into()))?;
            self.numbers = Some(numbers.into_iter().filter(|number| *number >= first).collect());
        }
        loop {
            if let Some(found) = self.here.pop_front() {
                return Ok(Some(found));
            }
            let Some(numbers) = &mut self.numbers else { return Ok(None) };
            let Some(number) = numbers.pop_front() else { return Ok(None) };
            let is_last = numbers.is_empty();
            self.here = self.look_into(number, is_last).map_err(|error| (nowhere(number), error))?;
        }
    }

    fn look_into(&self, number: u32, is_last: bool) -> Result<VecDeque<Found>, PackError> {
        let pack = self.packs.open_pack(number)?;
        let table = pack.table.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = VecDeque::with_capacity(table.len());
        let mut end = HEADER;
        for (offset, entry) in table.iter() {
            if offset > end {
                found.push_back(Found::Gap(RecordPlace { pack: number, offset: end, length: offset - end }));
            }
            let place = RecordPlace { pack: number, offset, length: entry.length };
            match entry.fate {
                Fate::Live(_) => found.push_back(Found::Record(place)),
                Fate::Lost => found.push_back(Found::Gap(place)),
                Fate::Destroyed => {}
            }
            end = end.max(offset.saturating_add(entry.length));
        }
        // In the pack that grows, bytes behind the end are what a crash left of a batch nobody was promised.
        let length = u32::try_from(pack.length()?).unwrap_or(u32::MAX);
        if length > end && !is_last {
            found.push_back(Found::Gap(RecordPlace { pack: number, offset: end, length: length - end }));
        }
        if let Some(from) = self.from {
            found.retain(|found| {
                let (Found::Record(place) | Found::Gap(place)) = found;
                *place > from
            });
        }
        Ok(found)
    }
}

impl Iterator for Scan<'_> {
    type Item = (RecordPlace, Result<Record, PackError>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.step() {
                Ok(Some(Found::Gap(place))) => return Some((place, Err(PackError::Damaged(place)))),
                Ok(Some(Found::Record(place))) => match self.packs.read(place) {
                    // Destroyed since we looked.
                    Err(PackError::Destroyed(_)) => {}
                    record => return Some((place, record)),
                },
                Ok(None) => return None,
                Err((place, error)) => {
                    // Where not even the directory can be listed there is nothing to go on with.
                    self.numbers.get_or_insert_default();
                    return Some((place, Err(error)));
                }
            }
        }
    }
}

const fn nowhere(pack: u32) -> RecordPlace {
    RecordPlace { pack, offset: 0, length: 0 }
}
