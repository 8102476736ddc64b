//! What a message says: headers, people, dates, text and parts, read from its bytes. Never fails, never panics, is
//! bounded in time and memory, and loses nothing, since the bytes stay where they are.

use std::collections::{BTreeSet, HashSet};

use mail_parser::DateTime;

use super::address::Person;
use super::part::{Part, Role};
use super::query::Kind;

mod body;
pub(in crate::mail) mod charset;
pub(in crate::mail) mod encoded;
pub(in crate::mail) mod fields;
pub(in crate::mail) mod params;
pub(in crate::mail) mod people;
#[cfg(test)]
mod tests;
pub(in crate::mail) mod transfer;
mod tree;

/// At most so many bytes of one header field are read as text.
const FIELD_MAX: usize = 64 << 10;
/// At most so many bytes of header text are kept.
const HEADERS_MAX: usize = 2 << 20;
/// At most so many references are kept: the first and the last ones.
const REFERENCES_MAX: usize = 100;
/// What is longer is no Message-ID.
const ID_MAX: usize = 998;
/// More than this is not taken apart; it is a file, not a message.
const MESSAGE_MAX: usize = 1 << 30;

/// A message, understood.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Its Message-ID without angle brackets.
    pub message_id: Option<String>,
    /// The messages it answers, without angle brackets.
    pub in_reply_to: Vec<String>,
    /// The thread above it, oldest first, each once: the first and the last 99.
    pub references: Vec<String>,
    /// Its Date, in seconds since 1970.
    pub date: Option<i64>,
    /// Who it is from; several only if it says so.
    pub from: Vec<Person>,
    /// From holds characters that cannot be seen or turn the letters around them; they are left out of the names.
    pub from_hides: bool,
    /// Who sent it for them.
    pub sender: Vec<Person>,
    /// Where answers should go.
    pub reply_to: Vec<Person>,
    /// Where answers to all should go (`Mail-Followup-To`).
    pub followup_to: Vec<Person>,
    /// To whom it is.
    pub to: Vec<Person>,
    /// Who got a copy.
    pub cc: Vec<Person>,
    /// Who got a hidden copy; only seen in one's own mail.
    pub bcc: Vec<Person>,
    /// Its subject; empty when there is none.
    pub subject: String,
    /// The identifier of the mailing list it came from (RFC 2919).
    pub list_id: Option<String>,
    /// Its header fields in order: name as written, value decoded and unfolded.
    pub headers: Vec<(String, String)>,
    /// All parts in order, containers included; part `n` is at `n - 1`.
    pub parts: Vec<Part>,
    /// It ends before it should, or has more parts than are told apart.
    pub is_cut: bool,
    /// Its text is longer than is shown.
    pub is_text_cut: bool,
    body: body::Body,
    kinds: BTreeSet<Kind>,
}

/// Understands a message. Never fails and never panics, whatever the bytes; what makes no sense is left out.
#[must_use]
pub fn parse(raw: &[u8]) -> Message {
    let raw = raw.get(..MESSAGE_MAX).unwrap_or(raw);
    let mut tree = tree::read(raw, skip_envelope_lines(raw));
    let near = declared_charset(&tree.parts);
    let body = body::read(&mut tree.parts, raw, near.as_deref());
    let top = &tree.top;
    let near = near.as_deref();
    // One field of each name is allowed; of more than a few nobody will miss the rest.
    let people =
        |name| top.all(name).take(20).flat_map(|value| people::parse(value, near)).collect::<Vec<_>>();
    let mut message = Message {
        message_id: top.first("message-id").and_then(message_id),
        in_reply_to: references(top.all("in-reply-to")),
        references: references(top.all("references")),
        date: top.first("date").and_then(date),
        from: people("from"),
        from_hides: top.all("from").take(20).any(|value| people::has_hidden(value, near)),
        sender: people("sender"),
        reply_to: people("reply-to"),
        followup_to: people("mail-followup-to"),
        to: people("to"),
        cc: people("cc"),
        bcc: people("bcc"),
        subject: top.first("subject").map(|value| encoded::decode(bounded(value), near)).unwrap_or_default(),
        list_id: top.first("list-id").and_then(list_id),
        headers: Vec::with_capacity(top.fields.len()),
        kinds: body::kinds(&tree.parts, raw, body.plain.as_deref()),
        parts: tree.parts,
        is_cut: tree.is_cut,
        is_text_cut: body.is_cut,
        body,
    };
    let mut room = HEADERS_MAX;
    for field in &top.fields {
        let value = bounded(field.value);
        let Some(left) = room.checked_sub(value.len() + field.name.len()) else { break };
        room = left;
        message.headers.push((field.name.to_owned(), encoded::decode(value, near)));
    }
    message
}

impl Message {
    /// When the message counts as sent: its Date, or when it was received if that is missing or in the future.
    #[must_use]
    pub fn effective_date(&self, received_at: i64) -> i64 {
        self.date.filter(|date| *date <= received_at).unwrap_or(received_at)
    }

    /// The text as HTML, with plain pieces of it as `<pre>`; not sanitised. `None` if nothing of it is HTML.
    #[must_use]
    pub fn html(&self) -> Option<&str> {
        self.body.html.as_deref()
    }

    /// The text as plain text, flowed lines joined; `None` if there is none or some of it is only there as HTML.
    #[must_use]
    pub fn plain(&self) -> Option<String> {
        self.body.plain.clone()
    }

    /// The parts offered for download, nested messages, calendars and address cards among them. Not the images that
    /// the HTML shows, nor signatures.
    pub fn attachments(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.is_offered())
    }

    /// The part that `cid:` means in the HTML.
    #[must_use]
    pub fn inline_by_content_id(&self, cid: &str) -> Option<&Part> {
        let mut found = self.parts.iter().filter(|part| part.content_id.as_deref() == Some(cid));
        found.find(|part| !part.is_multipart() && part.role != Role::Cipher)
    }

    /// A part by its number.
    #[must_use]
    pub fn part(&self, n: u32) -> Option<&Part> {
        usize::try_from(n).ok()?.checked_sub(1).and_then(|at| self.parts.get(at))
    }

    /// The value of the first header field of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// What kinds of message this is.
    #[must_use]
    pub fn kinds(&self) -> BTreeSet<Kind> {
        self.kinds.clone()
    }
}

/// The lines that mbox files and some servers put before the first field.
pub(in crate::mail) fn skip_envelope_lines(raw: &[u8]) -> usize {
    let lines = fields::Lines::new(raw);
    let mut at = if raw.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    for _ in 0..10 {
        let Some((line, next)) = lines.line(at) else { break };
        let is_blank_lead =
            line.is_empty() && lines.line(next).is_some_and(|(next, _)| fields::field_name(next).is_some());
        if line.starts_with(b"From ") || line.starts_with(b">From ") || is_blank_lead {
            at = next;
        } else {
            break;
        }
    }
    at
}

/// The first charset that a text of the message declares and that says anything about high bytes.
fn declared_charset(parts: &[Part]) -> Option<String> {
    let labels = parts
        .iter()
        .filter(|part| part.content_type.starts_with("text/"))
        .filter_map(|part| part.charset.as_ref());
    labels
        .take(20)
        .find(|label| {
            !label.eq_ignore_ascii_case("utf-8")
                && !label.eq_ignore_ascii_case("us-ascii")
                && charset::is_known(label)
        })
        .cloned()
}

pub(in crate::mail) fn bounded(value: &[u8]) -> &[u8] {
    value.get(..FIELD_MAX).unwrap_or(value)
}

/// The text between the first angle brackets; all of it where there are none.
fn message_id(raw: &[u8]) -> Option<String> {
    let first = ids(raw).next();
    first.or_else(|| id(raw.trim_ascii().strip_prefix(b"<").unwrap_or(raw)))
}

/// The ids between angle brackets.
fn ids(raw: &[u8]) -> impl Iterator<Item = String> {
    let mut rest = raw;
    std::iter::from_fn(move || {
        loop {
            let open = memchr::memchr(b'<', rest)?;
            let inner = rest.get(open + 1..)?;
            // An id that was never closed ends where the next one begins.
            let end = memchr::memchr2(b'>', b'<', inner)?;
            let closed = inner.get(end) == Some(&b'>');
            rest = inner.get(if closed { end + 1 } else { end }..)?;
            if let Some(id) = inner.get(..end).filter(|_| closed).and_then(id) {
                return Some(id);
            }
        }
    })
}

fn id(raw: &[u8]) -> Option<String> {
    if raw.len() > ID_MAX * 2 {
        return None;
    }
    let text = charset::undeclared(raw, None);
    let id: String = text.chars().filter(|c| !c.is_whitespace() && !people::is_hidden(*c)).collect();
    (!id.is_empty() && id.len() <= ID_MAX).then_some(id)
}

/// Each id once; of too many the first and the last ones.
fn references<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let mut known = HashSet::new();
    let mut first = None;
    let mut last = std::collections::VecDeque::new();
    for id in values.flat_map(ids) {
        // What falls out of the middle may come again: the set is bounded like the list.
        if !known.insert(id.clone()) {
            continue;
        }
        if first.is_none() {
            first = Some(id);
            continue;
        }
        last.push_back(id);
        if last.len() >= REFERENCES_MAX
            && let Some(fallen) = last.pop_front()
        {
            known.remove(&fallen);
        }
    }
    first.into_iter().chain(last).collect()
}

fn date(raw: &[u8]) -> Option<i64> {
    let text = encoded::decode(raw.get(..200).unwrap_or(raw), None);
    let sound = |date: &DateTime| date.is_valid() || date.second == 60;
    if text.get(..4).is_some_and(|year| year.bytes().all(|digit| digit.is_ascii_digit())) {
        let standard = DateTime::parse_rfc3339(&text.replacen(' ', "T", 1));
        return standard.filter(sound).map(|date| date.to_timestamp());
    }
    let text = usual_order(&text);
    let spaced = text.replace(['-', '/', '.'], " ");
    // As it should be; without a zone; and `17-May-2024 10:00:00`, where the parser takes the hyphen for a zone.
    [format!("{text}\n"), format!("{text} +0000\n"), format!("{spaced} +0000\n")]
        .iter()
        .filter_map(|text| DateTime::parse_rfc822(text))
        .find(sound)
        .map(|date| date.to_timestamp())
}

/// Puts `Fri May 17 10:40:00 2024` and `17 May 2024 10:40 CST` into the words that the parser knows.
fn usual_order(text: &str) -> String {
    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    if let Some(time) = words.iter_mut().find(|word| word.contains(':'))
        && time.matches(':').count() == 1
    {
        time.push_str(":00");
    }
    let is_number = |word: &str| word.parse::<u16>().is_ok();
    if let [day, month, number, time, rest @ ..] = words.as_slice()
        && day.chars().chain(month.chars()).all(|c| c.is_ascii_alphabetic() || c == ',')
        && is_number(number)
        && time.contains(':')
        && let Some(year) = rest.iter().rposition(|word| word.len() == 4 && is_number(word))
    {
        let zone = rest.iter().enumerate().find(|(at, _)| *at != year).map_or("+0000", |(_, zone)| zone);
        return format!("{number} {month} {} {time} {zone}", rest.get(year).map_or("", |year| year));
    }
    words.join(" ")
}

/// What stands between the angle brackets, or all of it.
fn list_id(raw: &[u8]) -> Option<String> {
    let raw = raw.get(..2 * ID_MAX).unwrap_or(raw);
    ids(raw).next().or_else(|| Some(encoded::decode(raw, None))).filter(|id| !id.is_empty())
}
