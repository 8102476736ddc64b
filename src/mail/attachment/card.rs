//! What address cards say (vCard, RFC 6350 and before): people as plain fields.

use super::calendar::clip;
use crate::mail::message::transfer;
use crate::mail::part::Encoding;
use calcard::vcard::{VCard, VCardEntry, VCardParameterName, VCardProperty, VCardValue};
use calcard::{Entry, Parser};
use serde::{Deserialize, Serialize};

/// At most so many bytes are read.
const BYTES_MAX: usize = 8 << 20;
/// At most so many people are shown.
const CARDS_MAX: usize = 200;
/// At most so many fields of one.
const FIELDS_MAX: usize = 100;

/// Somebody, by a card.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The name.
    pub name: String,
    /// What else is said, in order: what it is, and the text.
    pub fields: Vec<(String, String)>,
}

/// Reads address cards.
///
/// # Errors
/// Why they cannot be read, in a sentence without a full stop.
pub fn read(bytes: &[u8]) -> Result<Vec<Card>, String> {
    let text = String::from_utf8_lossy(bytes.get(..BYTES_MAX).unwrap_or(bytes));
    let mut parser = Parser::new(&text);
    let mut cards = Vec::new();
    for _ in 0..10_000 {
        match parser.entry() {
            Entry::VCard(card) if cards.len() < CARDS_MAX => cards.push(person(&card)),
            Entry::Eof | Entry::TooManyComponents => break,
            _ => {}
        }
    }
    if cards.is_empty() { Err("The contact card is broken".to_owned()) } else { Ok(cards) }
}

fn person(card: &VCard) -> Card {
    let mut person = Card::default();
    let mut formal = String::new();
    for entry in card.entries.iter().take(10 * FIELDS_MAX) {
        let label = match &entry.name {
            VCardProperty::Fn => {
                if person.name.is_empty() {
                    person.name = words(entry, " ");
                }
                continue;
            }
            VCardProperty::N => {
                formal = words(entry, " ");
                continue;
            }
            VCardProperty::Nickname => "Called",
            VCardProperty::Org => "Organisation",
            VCardProperty::Title => "Title",
            VCardProperty::Role => "Role",
            VCardProperty::Email => "Address",
            VCardProperty::Tel => "Phone",
            VCardProperty::Impp => "Messages",
            VCardProperty::Adr => "Post",
            VCardProperty::Bday => "Birthday",
            VCardProperty::Anniversary => "Anniversary",
            VCardProperty::Url => "Website",
            VCardProperty::Note => "Note",
            VCardProperty::Photo => {
                person.fields.push(("Picture".to_owned(), "not shown".to_owned()));
                continue;
            }
            VCardProperty::Key => {
                person.fields.push(("Key".to_owned(), "not imported".to_owned()));
                continue;
            }
            _ => continue,
        };
        let text = words(entry, ", ");
        if !text.is_empty() && person.fields.len() < FIELDS_MAX {
            person.fields.push((label.to_owned(), text));
        }
    }
    if person.name.is_empty() {
        person.name = formal;
    }
    person
}

/// The values of an entry as text; in vCard 2.1 these may be quoted-printable.
fn words(entry: &VCardEntry, between: &str) -> String {
    let text = |value: &VCardValue| match value {
        VCardValue::Component(pieces) => pieces
            .iter()
            .map(String::as_str)
            .filter(|p| !p.trim().is_empty())
            .collect::<Vec<_>>()
            .join(between),
        VCardValue::PartialDateTime(date) => {
            let number = |part: Option<u8>| part.map(|n| format!("{n:02}"));
            let year = date.year.map(|n| format!("{n:04}"));
            [year, number(date.month), number(date.day)].into_iter().flatten().collect::<Vec<_>>().join("-")
        }
        VCardValue::Integer(number) => number.to_string(),
        value => value.as_text().unwrap_or_default().to_owned(),
    };
    let all: Vec<String> =
        entry.values.iter().take(50).map(text).filter(|text| !text.trim().is_empty()).collect();
    let joined = all.join(between);
    let quoted = entry.params.iter().any(|parameter| match &parameter.name {
        VCardParameterName::Other(name) => {
            name.eq_ignore_ascii_case("encoding") || name.eq_ignore_ascii_case("quoted-printable")
        }
        _ => false,
    });
    if quoted && joined.contains('=') {
        let decoded = transfer::decode(joined.as_bytes(), Encoding::QuotedPrintable);
        return clip(&String::from_utf8_lossy(&decoded));
    }
    clip(&joined)
}
