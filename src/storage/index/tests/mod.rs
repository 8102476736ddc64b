//! Stories about the index as a whole.

mod contract;
mod damage;
mod naive;
mod stories;

use super::*;
use tempfile::TempDir;

/// A store of Alice's, somewhere.
pub(super) const STORE: [u8; 16] = *b"store of alice 1";

/// A message as the tests write it down.
#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    pub(super) number: u32,
    pub(super) date: i64,
    pub(super) size: u64,
    pub(super) subject: String,
    pub(super) from: Vec<Person>,
    pub(super) to: Vec<Person>,
    pub(super) cc: Vec<Person>,
    pub(super) bcc: Vec<Person>,
    pub(super) body: String,
    pub(super) filenames: Vec<String>,
    pub(super) list: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) kinds: BTreeSet<Kind>,
}

impl Message {
    pub(super) fn document(&self) -> Document<'_> {
        Document {
            number: MessageNumber(self.number),
            date: self.date,
            size: self.size,
            subject: &self.subject,
            from: &self.from,
            to: &self.to,
            cc: &self.cc,
            bcc: &self.bcc,
            body: &self.body,
            filenames: &self.filenames,
            list: &self.list,
            headers: &self.headers,
            kinds: &self.kinds,
        }
    }
}

pub(super) fn person(name: &str, address: &str) -> Person {
    Person { name: name.to_owned(), address: address.to_owned() }
}

/// Alice's index, with what is needed to open it again.
pub(super) struct Alice {
    pub(super) dir: TempDir,
    pub(super) key: Key,
}

impl Alice {
    pub(super) fn new() -> Self {
        Self { dir: TempDir::new().unwrap(), key: Key::random() }
    }

    pub(super) fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("index")
    }

    pub(super) fn open(&self) -> Index {
        self.try_open().unwrap()
    }

    pub(super) fn try_open(&self) -> Result<Index, IndexError> {
        Index::open(&self.path(), &self.key, STORE, 32 << 20)
    }

    pub(super) fn files(&self) -> Vec<std::path::PathBuf> {
        let mut files: Vec<_> =
            std::fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

pub(super) fn add(index: &Index, messages: &[Message]) {
    let documents: Vec<_> = messages.iter().map(Message::document).collect();
    index.add(&documents).unwrap();
}

pub(super) fn no_sets(_: &Leaf) -> Option<Arc<RoaringBitmap>> {
    None
}

pub(super) fn everybody() -> RoaringBitmap {
    (0..100_000).collect()
}

pub(super) fn text(field: crate::mail::query::TextField, text: &str) -> Query {
    Query::Leaf(Leaf::Text { field, text: text.to_owned(), prefix: false })
}

pub(super) fn anywhere(word: &str) -> Query {
    text(crate::mail::query::TextField::Any, word)
}

pub(super) fn find(index: &Index, query: &Query) -> Vec<u32> {
    let found = index.search(query, &no_sets, &everybody(), Order::Oldest, 0, 1000).unwrap();
    assert_eq!(found.total as usize, found.numbers.len());
    found.numbers.into_iter().map(|number| number.0).collect()
}
