//! The fields of the search language, and what the value of each may be.

use super::time::{Now, Period, SHAPES};
use super::{Kind, Leaf, PersonField, TextField};
use crate::mail::words::words;

/// What stands before the colon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Text(TextField),
    Person(PersonField),
    Header(String),
    Tag,
    Account,
    Folder,
    Thread,
    Id,
    Is,
    Has,
    Before,
    After,
    Date,
    Larger,
    Smaller,
}

/// What stands after it.
#[derive(Clone, Debug, Default)]
pub(super) struct Value {
    pub(super) text: String,
    /// Followed by `*`.
    pub(super) prefix: bool,
}

/// All names, as the error for an unknown one lists them.
pub(super) const NAMES: &str = "from, to, cc, bcc, with, subject, body, filename, list, header, tag, in, account, folder, \
     thread, id, is, has, before, after, date, larger, smaller";

/// The field of that name, except `header:`, which brings a name of its own.
pub(super) fn field(name: &str) -> Option<Field> {
    Some(match name.to_ascii_lowercase().as_str() {
        "from" => Field::Person(PersonField::From),
        "to" => Field::Person(PersonField::To),
        "cc" => Field::Person(PersonField::Cc),
        "bcc" => Field::Person(PersonField::Bcc),
        "with" => Field::Person(PersonField::With),
        "subject" => Field::Text(TextField::Subject),
        "body" => Field::Text(TextField::Body),
        "filename" => Field::Text(TextField::Filename),
        "list" => Field::Text(TextField::List),
        "tag" | "in" => Field::Tag,
        "account" => Field::Account,
        "folder" => Field::Folder,
        "thread" => Field::Thread,
        "id" => Field::Id,
        "is" => Field::Is,
        "has" => Field::Has,
        "before" => Field::Before,
        "after" => Field::After,
        "date" => Field::Date,
        "larger" => Field::Larger,
        "smaller" => Field::Smaller,
        _ => return None,
    })
}

/// The condition that a field and its value make; the error says what is wrong with the value.
pub(super) fn leaf(field: &Field, value: Value, now: Now) -> Result<Leaf, String> {
    let Value { text, prefix } = value;
    if prefix && !matches!(field, Field::Text(_) | Field::Person(_)) {
        return Err(
            "`*` stands for the rest of a word only in text and names; here the whole value is needed"
                .to_owned(),
        );
    }
    match field {
        Field::Text(field) => wordy(&text).map(|()| Leaf::Text { field: *field, text, prefix }),
        Field::Person(field) => wordy(&text).map(|()| Leaf::Person { field: *field, text, prefix }),
        Field::Header(name) => wordy(&text).map(|()| Leaf::Header { name: name.clone(), value: text }),
        Field::Tag => filled(text.trim().to_lowercase(), "the name of a tag").map(Leaf::Tag),
        Field::Account => filled(text.trim().to_owned(), "the address of an account").map(Leaf::Account),
        Field::Folder => filled(text, "the name of a folder").map(Leaf::Folder),
        Field::Thread => filled(text.trim().to_owned(), "the id of a message").map(Leaf::Thread),
        Field::Id => filled(bare_id(&text), "a Message-ID").map(Leaf::InternetMessageId),
        Field::Is => is(&text),
        Field::Has => has(&text),
        Field::Before => now.period(&text).map(|period| Leaf::Date { from: None, until: Some(period.from) }),
        Field::After => now.period(&text).map(|period| Leaf::Date { from: Some(period.from), until: None }),
        Field::Date => date(&text, now),
        Field::Larger => size(&text).map(Leaf::Larger),
        Field::Smaller => size(&text).map(Leaf::Smaller),
    }
}

fn wordy(text: &str) -> Result<(), String> {
    match words(text).next() {
        Some(_) => Ok(()),
        None => Err(format!("there is no word in `{}` to look for", shortened(text))),
    }
}

fn filled(text: String, what: &str) -> Result<String, String> {
    if text.is_empty() { Err(format!("{what} is missing")) } else { Ok(text) }
}

fn bare_id(text: &str) -> String {
    let mut id = text.trim();
    while let Some(inner) = id.strip_prefix('<').and_then(|id| id.strip_suffix('>')) {
        id = inner.trim();
    }
    id.to_owned()
}

fn is(text: &str) -> Result<Leaf, String> {
    let value = text.to_ascii_lowercase();
    match value.as_str() {
        "unread" | "starred" | "replied" | "draft" | "sent" => Ok(Leaf::Tag(value)),
        "encrypted" => Ok(Leaf::Kind(Kind::Encrypted)),
        "signed" => Ok(Leaf::Kind(Kind::Signed)),
        "read" => Err("for what was read, write `-is:unread`".to_owned()),
        _ => Err(format!(
            "`is:` knows unread, starred, replied, draft, sent, encrypted and signed, but not `{}`",
            shortened(text)
        )),
    }
}

fn has(text: &str) -> Result<Leaf, String> {
    Ok(Leaf::Kind(match text.to_ascii_lowercase().as_str() {
        "attachment" => Kind::Attachment,
        "image" => Kind::Image,
        "document" => Kind::Document,
        "calendar" => Kind::Calendar,
        "key" => Kind::Key,
        _ => {
            return Err(format!(
                "`has:` knows attachment, image, document, calendar and key, but not `{}`",
                shortened(text)
            ));
        }
    }))
}

fn date(text: &str, now: Now) -> Result<Leaf, String> {
    let Some((first, last)) = text.split_once("..") else {
        let Period { from, until, goes_on } = now.period(text)?;
        return Ok(Leaf::Date { from: Some(from), until: until.filter(|_| !goes_on) });
    };
    let end = |text: &str| if text.is_empty() { Ok(None) } else { now.period(text).map(Some) };
    let (first, last) = (end(first)?, end(last)?);
    if first.is_none() && last.is_none() {
        return Err(format!("`..` has a time on neither side: write {SHAPES}"));
    }
    let (from, until) = (first.map(|period| period.from), last.and_then(|period| period.until));
    if from.zip(until).is_some_and(|(from, until)| until <= from) {
        return Err("this stretch of time ends before it begins".to_owned());
    }
    Ok(Leaf::Date { from, until })
}

/// `5M`, `10k`, `1.5G` or plain bytes; a k is 1024.
fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 7] = [
        ("kb", 1 << 10),
        ("k", 1 << 10),
        ("mb", 1 << 20),
        ("m", 1 << 20),
        ("gb", 1 << 30),
        ("g", 1 << 30),
        ("b", 1),
    ];
    let lower = text.to_ascii_lowercase();
    let (number, unit) = UNITS
        .iter()
        .find_map(|(suffix, unit)| Some((lower.strip_suffix(suffix)?, *unit)))
        .unwrap_or((lower.as_str(), 1));
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    bytes(whole, part, unit).ok_or_else(|| {
        format!("`{}` is no size: write `10k`, `5M`, `1G` or a number of bytes", shortened(text))
    })
}

fn bytes(whole: &str, part: &str, unit: u64) -> Option<u64> {
    let number = |digits: &str| {
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<u64>().ok()).flatten()
    };
    let scale = 10_u64.checked_pow(u32::try_from(part.len()).ok()?)?;
    let rest = number(part)?.checked_mul(unit)?.checked_div(scale)?;
    number(whole)?.checked_mul(unit)?.checked_add(rest)
}

/// A piece of a query as an error message may show it: short and on one line.
pub(super) fn shortened(text: &str) -> String {
    let mut shown: String =
        text.chars().take(40).map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
    if text.chars().nth(40).is_some() {
        shown.push('…');
    }
    shown
}
