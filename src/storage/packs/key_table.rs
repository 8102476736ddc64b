//! The key table of a pack: where each record lies, how long it is, and the key that opens it.
//!
//! A table's file is a row of chunks, each up to 128 entries sealed under a fresh random key that is wrapped
//! under the store's key for pack tables. Nothing but the order of appending connects the chunks, so damage
//! costs one chunk; and tables are merged by union, where "destroyed" always wins.

use crate::crypto::seal::{WRAP_OVERHEAD, unwrap, wrap};
use crate::crypto::secret::Key;
use std::collections::BTreeMap;

const MAGIC: &[u8; 4] = b"mkk1";
const CHUNK_HEADER: usize = MAGIC.len() + 4;
const ENTRY: usize = 4 + 4 + 32;
const ENTRIES_PER_CHUNK: usize = 128;
const MAX_CHUNK: usize = ENTRIES_PER_CHUNK * ENTRY + WRAP_OVERHEAD;
/// So often a lost chunk border is looked for, so that a forged table cannot make us search for ever.
const MAX_ATTEMPTS: usize = 4096;

/// What a table says about one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) length: u32,
    pub(super) fate: Fate,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is there, and this opens it.
    Live(Key),
    /// Its key was destroyed for ever.
    Destroyed,
    /// Nothing is known of this stretch; perhaps it held acknowledged records. It is never given away again.
    Lost,
}

impl Fate {
    const DESTROYED: [u8; 32] = [0; 32];
    const LOST: [u8; 32] = [0xff; 32];

    /// Of two tables, the one that says the stronger thing is right.
    const fn strength(&self) -> u8 {
        match self {
            Self::Lost => 0,
            Self::Live(_) => 1,
            Self::Destroyed => 2,
        }
    }

    const fn expose(&self) -> &[u8; 32] {
        match self {
            Self::Live(key) => key.expose(),
            Self::Destroyed => &Self::DESTROYED,
            Self::Lost => &Self::LOST,
        }
    }

    const fn from_bytes(bytes: [u8; 32]) -> Self {
        match bytes {
            Self::DESTROYED => Self::Destroyed,
            Self::LOST => Self::Lost,
            key => Self::Live(Key::from_bytes(key)),
        }
    }
}

/// Entries by the offset of their record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table(BTreeMap<u32, Entry>);

/// What could be read of one copy.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) table: Table,
    /// Whether every byte of it made sense.
    pub(super) clean: bool,
    pub(super) chunks: usize,
}

impl Table {
    pub(super) fn get(&self, offset: u32) -> Option<&Entry> {
        self.0.get(&offset)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it says nothing of any record.
    pub(super) fn is_blank(&self) -> bool {
        self.0.values().all(|entry| entry.fate == Fate::Lost)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (u32, &Entry)> {
        self.0.iter().map(|(offset, entry)| (*offset, entry))
    }

    /// Where the last record ends, if there is one.
    pub(super) fn end(&self) -> Option<u32> {
        self.0.iter().map(|(offset, entry)| offset.saturating_add(entry.length)).max()
    }

    /// Takes an entry in. A destroyed record stays destroyed, whatever is said of it later; a lost one may be found.
    pub(super) fn insert(&mut self, offset: u32, entry: Entry) {
        use std::collections::btree_map::Entry as Place;
        match self.0.entry(offset) {
            Place::Vacant(place) => {
                place.insert(entry);
            }
            Place::Occupied(mut place) => {
                if entry.fate.strength() > place.get().fate.strength() {
                    place.insert(entry);
                }
            }
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (offset, entry) in other.0 {
            self.insert(offset, entry);
        }
    }

    /// The bytes of a file that holds these entries.
    pub(super) fn to_bytes(&self, key: &Key, aad: &[u8]) -> Vec<u8> {
        let entries: Vec<_> = self.iter().collect();
        to_chunks(&entries, key, aad)
    }

    /// How many chunks a freshly written file has.
    pub(super) fn fewest_chunks(&self) -> usize {
        self.len().div_ceil(ENTRIES_PER_CHUNK)
    }
}

/// Seals entries into chunks that can be appended to a table's file.
pub(super) fn to_chunks(entries: &[(u32, &Entry)], key: &Key, aad: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut plain = zeroize::Zeroizing::new(Vec::with_capacity(ENTRIES_PER_CHUNK * ENTRY));
    for chunk in entries.chunks(ENTRIES_PER_CHUNK) {
        plain.clear();
        for (offset, entry) in chunk {
            plain.extend_from_slice(&offset.to_be_bytes());
            plain.extend_from_slice(&entry.length.to_be_bytes());
            plain.extend_from_slice(entry.fate.expose());
        }
        let sealed = wrap(key, aad, &plain);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&u32::try_from(sealed.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(&sealed);
    }
    out
}

/// Reads one copy of a table. Damaged stretches are skipped to the next chunk that opens.
pub(super) fn parse(mut bytes: &[u8], key: &Key, aad: &[u8]) -> Parsed {
    let mut parsed = Parsed { clean: true, ..Parsed::default() };
    let mut attempts = 0;
    while !bytes.is_empty() {
        if let Some((plain, rest)) = open_chunk(bytes, key, aad) {
            parsed.chunks += 1;
            parsed.clean &= take_entries(&plain, &mut parsed.table);
            bytes = rest;
        } else {
            parsed.clean = false;
            attempts += 1;
            let Some(next) = next_magic(bytes).filter(|_| attempts < MAX_ATTEMPTS) else { break };
            bytes = next;
        }
    }
    parsed
}

fn open_chunk<'a>(bytes: &'a [u8], key: &Key, aad: &[u8]) -> Option<(zeroize::Zeroizing<Vec<u8>>, &'a [u8])> {
    let (header, rest) = bytes.split_at_checked(CHUNK_HEADER)?;
    let (magic, length) = header.split_at_checked(MAGIC.len())?;
    let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
    if magic != MAGIC || length > MAX_CHUNK {
        return None;
    }
    let (sealed, rest) = rest.split_at_checked(length)?;
    Some((unwrap(key, aad, sealed).ok()?, rest))
}

fn next_magic(bytes: &[u8]) -> Option<&[u8]> {
    let at = bytes.windows(MAGIC.len()).skip(1).position(|window| window == MAGIC)?;
    bytes.get(at + 1..)
}

fn take_entries(plain: &[u8], table: &mut Table) -> bool {
    let entries = plain.chunks_exact(ENTRY);
    let mut sound = entries.remainder().is_empty();
    for entry in entries {
        match read_entry(entry) {
            Some((offset, entry)) => table.insert(offset, entry),
            None => sound = false,
        }
    }
    sound
}

fn read_entry(bytes: &[u8]) -> Option<(u32, Entry)> {
    let (offset, rest) = bytes.split_first_chunk::<4>()?;
    let (length, key) = rest.split_first_chunk::<4>()?;
    let (offset, length) = (u32::from_be_bytes(*offset), u32::from_be_bytes(*length));
    offset.checked_add(length)?;
    let fate = Fate::from_bytes(key.try_into().ok()?);
    Some((offset, Entry { length, fate }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(count: u32) -> Table {
        let mut table = Table::default();
        for at in 0..count {
            let fate = if at % 7 == 3 { Fate::Destroyed } else { Fate::Live(Key::random()) };
            table.insert(64 + at * 128, Entry { length: 128, fate });
        }
        table
    }

    proptest! {
        #[test]
        fn one_flipped_bit_costs_at_most_one_chunk(count in 0..600_u32, at: prop::sample::Index) {
            let (key, table) = (Key::random(), table(count));
            let mut bytes = table.to_bytes(&key, b"1");
            let parsed = parse(&bytes, &key, b"1");
            prop_assert!(parsed.clean);
            prop_assert_eq!(&parsed.table, &table);
            prop_assert_eq!(parsed.chunks, table.fewest_chunks());
            prop_assert!(parse(&bytes, &key, b"2").table.is_blank());
            if count > 0 {
                let bit = at.index(bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
                let parsed = parse(&bytes, &key, b"1");
                prop_assert!(!parsed.clean);
                prop_assert_eq!(parsed.chunks, table.fewest_chunks() - 1);
                prop_assert!(parsed.table.iter().all(|(offset, entry)| table.get(offset) == Some(entry)));
            }
        }

        #[test]
        fn a_table_cut_short_gives_all_whole_chunks(count in 1..600_u32, cut: prop::sample::Index) {
            let (key, table) = (Key::random(), table(count));
            let bytes = table.to_bytes(&key, b"1");
            let kept = cut.index(bytes.len());
            let parsed = parse(&bytes[..kept], &key, b"1");
            prop_assert_eq!(parsed.chunks, kept / (MAX_CHUNK + CHUNK_HEADER));
        }
    }

    #[test]
    fn destroyed_wins_over_live_and_live_over_lost_in_either_order() {
        let entry = |fate| Entry { length: 64, fate };
        let live = entry(Fate::Live(Key::random()));
        for (weaker, stronger) in [(live.clone(), entry(Fate::Destroyed)), (entry(Fate::Lost), live.clone())]
        {
            for (first, second) in [(&weaker, &stronger), (&stronger, &weaker)] {
                let (mut one, mut other) = (Table::default(), Table::default());
                one.insert(64, first.clone());
                other.insert(64, second.clone());
                one.merge(other);
                assert_eq!(one.get(64), Some(&stronger));
            }
        }
    }

    #[test]
    fn a_table_full_of_false_borders_is_given_up_soon() {
        let bytes = MAGIC.repeat(1 << 20);
        assert!(parse(&bytes, &Key::random(), b"1").table.is_blank());
    }
}
