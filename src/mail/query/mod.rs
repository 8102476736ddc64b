//! The search language: text to a [`Query`] tree, and back.
//!
//! A query that cannot be understood is an error that points at the place; it is never read as something else.

mod parse;
mod print;
#[cfg(test)]
mod tests;
mod time;
mod value;

use crate::mail::words::Needle;

pub use parse::{MAX_CHARS, MAX_DEPTH, parse};

/// Why a query cannot be understood, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {}: {message}", at.saturating_add(1))]
pub struct QueryError {
    /// How many characters stand before the place; people are told one more.
    pub at: usize,
    /// What is wrong there and what would be right, in one line.
    pub message: String,
}

/// What is asked for. The same text gives the same tree in the search box, on the command line and in the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// `*`: every message.
    All,
    /// All of these; never empty.
    And(Vec<Self>),
    /// Any of these; never empty.
    Or(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// One condition.
    Leaf(Leaf),
}

/// One condition of a query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Leaf {
    /// Words in a field.
    Text {
        /// Where.
        field: TextField,
        /// What, as typed (not yet split into words).
        text: String,
        /// `word*`: the last word is a prefix.
        prefix: bool,
    },
    /// Somebody in one of the address headers: a word of the name or address, a whole address, or a domain.
    Person {
        /// Which headers.
        field: PersonField,
        /// What, as typed.
        text: String,
        /// `word*`: the last word is a prefix.
        prefix: bool,
    },
    /// `header:NAME:value`; without a value, the header is there at all.
    Header {
        /// The header's name in lower case.
        name: String,
        /// Words of its value, as typed; empty when not asked for.
        value: String,
    },
    /// `tag:`, `in:` and those `is:` that are tags (`is:unread`, `is:starred`, `is:replied`, `is:draft`, `is:sent`): the tag's name in lower case.
    Tag(String),
    /// `account:` an address.
    Account(String),
    /// `folder:` a folder's name on the server.
    Folder(String),
    /// `thread:ID`: the id of any message in it.
    Thread(String),
    /// `id:MESSAGE-ID`, without angle brackets.
    InternetMessageId(String),
    /// What kind of message it is.
    Kind(Kind),
    /// Effective date within `[from, until)`, UTC seconds; `None` is open.
    Date {
        /// First second that counts.
        from: Option<i64>,
        /// First second that counts no more.
        until: Option<i64>,
    },
    /// `larger:`: more than so many bytes.
    Larger(u64),
    /// `smaller:`: fewer than so many bytes.
    Smaller(u64),
}

/// Which text of a message is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextField {
    /// No field given: subject, body, people, file names.
    Any,
    /// `subject:`
    Subject,
    /// `body:`
    Body,
    /// `filename:`
    Filename,
    /// `list:`
    List,
}

/// Which address headers are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PersonField {
    /// `from:`
    From,
    /// `to:`
    To,
    /// `cc:`
    Cc,
    /// `bcc:`
    Bcc,
    /// `with:`: any of the four.
    With,
}

/// Kinds of messages that `is:` and `has:` ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `is:encrypted`
    Encrypted,
    /// `is:signed`
    Signed,
    /// `has:attachment`
    Attachment,
    /// `has:image`
    Image,
    /// `has:document`
    Document,
    /// `has:calendar`
    Calendar,
    /// `has:key`
    Key,
}

impl Query {
    /// All conditions, negated ones included, from left to right.
    pub fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        let mut waiting = vec![self];
        std::iter::from_fn(move || {
            loop {
                match waiting.pop()? {
                    Self::All => {}
                    Self::And(all) | Self::Or(all) => waiting.extend(all.iter().rev()),
                    Self::Not(not) => waiting.push(not),
                    Self::Leaf(leaf) => return Some(leaf),
                }
            }
        })
    }
}

/// What to mark in a message that was found: the words asked for in its text, not those ruled out.
pub fn needles(query: &Query) -> Vec<Needle> {
    let mut needles = Vec::new();
    let mut waiting = vec![query];
    while let Some(next) = waiting.pop() {
        match next {
            Query::And(all) | Query::Or(all) => waiting.extend(all.iter().rev()),
            Query::Leaf(Leaf::Text {
                field: TextField::Any | TextField::Subject | TextField::Body,
                text,
                prefix,
            }) => needles.extend(Needle::new(text, *prefix).filter(|needle| !needles.contains(needle))),
            Query::All | Query::Not(_) | Query::Leaf(_) => {}
        }
    }
    needles
}
