//! Header fields: addresses, encoded words, dates, identifiers, parameters, each on any bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailkeep_fuzz::mail::message;

/// The first byte chooses which field the rest is the value of.
const FIELDS: [&str; 14] = [
    "From", "To", "Cc", "Bcc", "Reply-To", "Sender", "Mail-Followup-To", "Subject", "Date", "Message-ID", "References",
    "In-Reply-To", "List-Id", "Content-Type",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, value)) = bytes.split_first() else { return };
    let name = FIELDS[usize::from(*first) % FIELDS.len()];
    let mut raw = format!("{name}: ").into_bytes();
    raw.extend_from_slice(value);
    raw.extend_from_slice(b"\r\n\r\ntext\r\n");
    let message = message::parse(&raw);
    let clean = |what: &str, text: &str| assert!(!text.chars().any(|c| matches!(c, '\0' | '\r' | '\n')), "{what} {text:?}");
    clean("subject", &message.subject);
    let people = [&message.from, &message.to, &message.cc, &message.bcc, &message.reply_to, &message.sender, &message.followup_to];
    for person in people.into_iter().flatten() {
        clean("name", &person.name);
        clean("address", &person.address);
    }
    for id in message.references.iter().chain(&message.in_reply_to).chain(&message.message_id) {
        clean("identifier", id);
    }
    assert!(message.references.len() <= 100);
    assert!(message.date.is_none_or(|date| date.unsigned_abs() < 1 << 40), "{:?}", message.date);
    clean("list", message.list_id.as_deref().unwrap_or_default());
});
