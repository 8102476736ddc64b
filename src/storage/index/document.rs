//! A message on its way into the index.

use super::Document;
use super::analyser::SEPARATOR;
use super::pages::lock;
use super::schema::Fields;
use crate::mail::address::Person;
use crate::mail::query::Kind;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tantivy::schema::Field;
use tantivy::schema::document::{ReferenceValue, ReferenceValueLeaf, Value};

/// So many bytes of text may wait for the indexing thread; the library itself would let ten thousand messages pile up.
const WAITING: usize = 4 << 20;

/// Headers whose words are in fields of their own.
pub(super) const OWN_FIELD: [&str; 5] = ["from", "to", "cc", "bcc", "subject"];
/// Headers that are signatures, keys and traces: found by name, not by word.
const NAME_ONLY: [&str; 12] = [
    "received",
    "x-received",
    "dkim-signature",
    "domainkey-signature",
    "x-google-dkim-signature",
    "autocrypt",
    "autocrypt-gossip",
    "openpgp",
    "face",
    "x-face",
    "x-gm-message-state",
    "x-ms-exchange-antispam-messagedata",
];

/// Whether the words of this header are left out.
pub(super) fn is_name_only(name: &str) -> bool {
    NAME_ONLY.contains(&name)
        || name.starts_with("arc-")
        || name.starts_with("x-ms-exchange-antispam-messagedata")
}

/// How a kind is written in the index.
pub(super) const fn kind_term(kind: Kind) -> &'static str {
    match kind {
        Kind::Encrypted => "encrypted",
        Kind::Signed => "signed",
        Kind::Attachment => "attachment",
        Kind::Image => "image",
        Kind::Document => "document",
        Kind::Calendar => "calendar",
        Kind::Key => "key",
    }
}

/// One message as the library wants it: numbers, and pieces of one text.
pub(super) struct Mail {
    fields: Fields,
    number: u64,
    date: i64,
    size: u64,
    text: String,
    pieces: Vec<(Field, Range<usize>)>,
    /// Given back when the library drops the message after indexing it.
    _permit: Permit,
}

impl Mail {
    /// Copies out of `document` what is indexed; waits while too much else is still to be indexed.
    pub(super) fn new(document: &Document<'_>, fields: Fields, budget: &Arc<Budget>) -> Self {
        let size = document.body.len()
            + document.headers.iter().map(|(n, v)| n.len() + v.len() + 2).sum::<usize>()
            + 1024;
        let permit = budget.take(size);
        let mut mail = Self {
            fields,
            number: u64::from(document.number.0),
            date: document.date,
            size: document.size,
            text: String::with_capacity(size),
            pieces: Vec::with_capacity(24),
            _permit: permit,
        };
        mail.push(fields.body, &[document.body]);
        mail.push(fields.subject, &[document.subject]);
        mail.push(fields.meta, &[document.subject]);
        let people = [
            (fields.from, document.from),
            (fields.to, document.to),
            (fields.cc, document.cc),
            (fields.bcc, document.bcc),
        ];
        for (field, people) in people {
            for person in people {
                mail.push_person(field, person);
            }
        }
        for name in document.filenames {
            mail.push(fields.filename, &[name]);
            mail.push(fields.meta, &[name]);
        }
        mail.push(fields.list, &[document.list]);
        mail.push_headers(document.headers);
        for kind in document.kinds {
            mail.push(fields.kind, &[kind_term(*kind)]);
        }
        mail
    }

    fn push(&mut self, field: Field, parts: &[&str]) {
        let start = self.text.len();
        for part in parts {
            self.text.push_str(part);
        }
        if self.text.len() > start {
            self.pieces.push((field, start..self.text.len()));
        }
    }

    fn push_person(&mut self, field: Field, person: &Person) {
        let name = person.name.replace(SEPARATOR, " ");
        self.push(field, &[&name, "\0", &person.address]);
        self.push(self.fields.meta, &[&person.name]);
        self.push(self.fields.meta, &[&person.address]);
    }

    fn push_headers(&mut self, headers: &[(String, String)]) {
        let start = self.text.len();
        for (name, value) in headers {
            let name = name.to_ascii_lowercase();
            if name.contains(SEPARATOR) {
                continue;
            }
            self.text.push_str(&name);
            self.text.push(SEPARATOR);
            if !OWN_FIELD.contains(&name.as_str()) && !is_name_only(&name) {
                for part in value.split(SEPARATOR) {
                    self.text.push_str(part);
                    self.text.push(' ');
                }
            }
            self.text.push(SEPARATOR);
        }
        if self.text.len() > start {
            self.pieces.push((self.fields.header, start..self.text.len()));
        }
    }
}

impl tantivy::Document for Mail {
    type Value<'a> = MailValue<'a>;
    type FieldsValuesIter<'a> = std::vec::IntoIter<(Field, MailValue<'a>)>;

    fn iter_fields_and_values(&self) -> Self::FieldsValuesIter<'_> {
        let mut values = Vec::with_capacity(self.pieces.len() + 3);
        values.push((self.fields.number, MailValue::Number(self.number)));
        values.push((self.fields.date, MailValue::Date(self.date)));
        values.push((self.fields.size, MailValue::Number(self.size)));
        let texts =
            self.pieces.iter().filter_map(|(field, range)| Some((*field, self.text.get(range.clone())?)));
        values.extend(texts.map(|(field, text)| (field, MailValue::Text(text))));
        values.into_iter()
    }
}

/// One value of a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum MailValue<'a> {
    /// A number or size.
    Number(u64),
    /// Seconds of the effective date.
    Date(i64),
    /// A text to be split into words.
    Text(&'a str),
}

impl<'a> Value<'a> for MailValue<'a> {
    type ArrayIter = std::iter::Empty<Self>;
    type ObjectIter = std::iter::Empty<(&'a str, Self)>;

    fn as_value(&self) -> ReferenceValue<'a, Self> {
        ReferenceValue::Leaf(match *self {
            Self::Number(number) => ReferenceValueLeaf::U64(number),
            Self::Date(date) => ReferenceValueLeaf::I64(date),
            Self::Text(text) => ReferenceValueLeaf::Str(text),
        })
    }
}

/// How much text waits to be indexed.
#[derive(Default)]
pub(super) struct Budget {
    waiting: Mutex<usize>,
    less: Condvar,
}

impl Budget {
    /// Waits for room, but not for ever: where the indexing thread is gone, the library says so when it is handed the message.
    fn take(self: &Arc<Self>, bytes: usize) -> Permit {
        let waiting = lock(&self.waiting);
        let is_too_much = |waiting: &mut usize| *waiting > 0 && *waiting + bytes > WAITING;
        let waited = self.less.wait_timeout_while(waiting, Duration::from_secs(30), is_too_much);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *waiting += bytes;
        Permit { budget: Arc::clone(self), bytes }
    }
}

/// Room for one message among those that wait.
struct Permit {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        *lock(&self.budget.waiting) -= self.bytes;
        self.budget.less.notify_all();
    }
}
