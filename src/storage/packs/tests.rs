//! Stories about packs.

mod basics;
mod corpora;
mod crash;
mod damage;
mod full;
mod kill;

use super::*;
use tempfile::TempDir;

/// A store's packs in a directory of their own.
struct Store {
    directory: TempDir,
    key: Key,
}

impl Store {
    fn new() -> Self {
        Self { directory: directory(), key: key() }
    }

    fn open(&self) -> Packs {
        Packs::open(self.directory.path(), &self.key, STORE).unwrap()
    }

    fn with_small_packs(&self, bytes: u32) -> Packs {
        let packs = self.open();
        packs.writer().set_pack_bytes(bytes);
        packs
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

const STORE: StoreId = [9; 16];

/// In memory where that can be had: these stories wait for the disk many thousand times.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn key() -> Key {
    Key::from_bytes([5; 32])
}

fn alices(uid: u32) -> RecordMeta {
    RecordMeta {
        received_at: 1_700_000_000,
        account: "alice@example.org".into(),
        folder: "INBOX".into(),
        role: "inbox".into(),
        uid,
        uid_validity: 3,
        tags: vec!["unread".into()],
    }
}

/// The message with this number: always the same, of varied length, half of it hard to compress.
fn message(number: u32) -> Vec<u8> {
    let mut raw = format!("From: bob@example.org\r\nSubject: Number {number}\r\n\r\n").into_bytes();
    let mut state = number.wrapping_mul(2_654_435_761) | 1;
    for _ in 0..number % 1500 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        raw.push((state >> 24) as u8);
    }
    raw
}

fn append(packs: &Packs, numbers: impl IntoIterator<Item = u32>) -> Result<Vec<RecordPlace>, PackError> {
    let records: Vec<_> = numbers.into_iter().map(|number| (alices(number), message(number))).collect();
    let borrowed: Vec<_> = records.iter().map(|(meta, raw)| (meta.clone(), raw.as_slice())).collect();
    packs.append(&borrowed)
}

/// Reads a place and says which message it is.
#[track_caller]
fn number_at(packs: &Packs, place: RecordPlace) -> u32 {
    let record = packs.read(place).unwrap();
    let number = record.meta.uid;
    assert_eq!(record, Record { meta: alices(number), raw: message(number) });
    number
}

/// The numbers of all messages that a scan finds; it must find no damage.
#[track_caller]
fn scanned(packs: &Packs) -> Vec<u32> {
    packs
        .scan(None)
        .map(|(place, record)| {
            let number = record.unwrap().meta.uid;
            assert_eq!(number_at(packs, place), number);
            number
        })
        .collect()
}
