//! Bytes to a message. The only user of `mail-parser`; never fails, never panics, whatever the bytes.
//!
//! Nothing is lost by what is not understood here: the bytes themselves stay stored.

use super::address::Person;
use super::part::{Disposition, Part, TransferEncoding, risk, safe_name};
use super::query::Kind;
use super::text::unflow;
use mail_parser::{Address, HeaderName, HeaderValue, MessageParser, MimeHeaders, PartType};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// How many header fields are kept.
const MOST_HEADERS: usize = 1000;
/// How much of one header field is kept, in bytes.
const LONGEST_HEADER: usize = 64 << 10;
/// How many parts are kept.
const MOST_PARTS: usize = 1000;
/// How many people of one field are kept.
const MOST_PEOPLE: usize = 2000;
/// How many references are kept: the first and the last ones.
const MOST_REFERENCES: usize = 100;
/// How often a message may hold messages or multiparts before it is not taken apart any more.
const MOST_NESTING: usize = 400;
/// How much text of a message is kept, in bytes.
const LONGEST_TEXT: usize = 16 << 20;

/// A message, understood as far as it can be.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Message-ID, without angle brackets.
    pub message_id: Option<String>,
    /// In-Reply-To, without angle brackets.
    pub in_reply_to: Vec<String>,
    /// References, without angle brackets, oldest first.
    pub references: Vec<String>,
    /// The Date field, UTC seconds.
    pub date: Option<i64>,
    /// From.
    pub from: Vec<Person>,
    /// Sender.
    pub sender: Vec<Person>,
    /// Reply-To.
    pub reply_to: Vec<Person>,
    /// To.
    pub to: Vec<Person>,
    /// Cc.
    pub cc: Vec<Person>,
    /// Bcc.
    pub bcc: Vec<Person>,
    /// Subject, decoded.
    pub subject: String,
    /// List-Id, without angle brackets and words.
    pub list_id: Option<String>,
    /// All header fields in order: the name as written, the value decoded and unfolded.
    pub headers: Vec<(String, String)>,
    /// All parts that hold something, in order.
    pub parts: Vec<Part>,
    html: Option<String>,
    plain: Option<String>,
    kinds: BTreeSet<Kind>,
}

impl Message {
    /// The Date field, or when it was received where that is missing or lies after it.
    #[must_use]
    pub fn effective_date(&self, received_at: i64) -> i64 {
        self.date.filter(|date| *date <= received_at && *date > -2_208_988_800).unwrap_or(received_at)
    }

    /// The HTML that is to be shown, if there is any.
    #[must_use]
    pub fn html(&self) -> Option<&str> {
        self.html.as_deref()
    }

    /// The plain text that is to be shown, paragraphs joined where the sender broke them for the way.
    #[must_use]
    pub fn plain(&self) -> Option<String> {
        self.plain.clone()
    }

    /// Parts that are offered as files.
    pub fn attachments(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.is_attachment)
    }

    /// The part that a `cid:` address means.
    #[must_use]
    pub fn inline_by_content_id(&self, id: &str) -> Option<&Part> {
        let id = id.trim().trim_start_matches("cid:").trim_matches(['<', '>']);
        self.parts.iter().find(|part| part.content_id.as_deref() == Some(id))
    }

    /// What kinds of things it holds.
    #[must_use]
    pub fn kinds(&self) -> BTreeSet<Kind> {
        self.kinds.clone()
    }
}

fn parser() -> &'static MessageParser {
    static PARSER: OnceLock<MessageParser> = OnceLock::new();
    PARSER.get_or_init(|| {
        MessageParser::new()
            .with_mime_headers()
            .with_date_headers()
            .with_address_headers()
            .with_message_ids()
            .default_header_text()
    })
}

/// Understands a message.
#[must_use]
pub fn parse(raw: &[u8]) -> Message {
    let start = mbox_line(raw);
    let (bytes, shift) = readable(raw.get(start..).unwrap_or_default());
    let shift = start as i64 - shift;
    // Offsets are 32 bits wide, and a message taken apart too deep would be taken apart for ever.
    if bytes.len() > u32::MAX as usize || nesting(&bytes) > MOST_NESTING {
        return flat(&bytes, shift);
    }
    // The parser says that it never panics. Should it, the message is still shown.
    match std::panic::catch_unwind(|| parser().parse(bytes.as_ref()).map(|parsed| understood(&parsed, shift))) {
        Ok(Some(message)) => message,
        _ => flat(&bytes, shift),
    }
}

/// The length of a first line that an mbox or a mail program left in front.
fn mbox_line(raw: &[u8]) -> usize {
    let quoted = raw.strip_prefix(b">").unwrap_or(raw);
    if !quoted.starts_with(b"From ") {
        return 0;
    }
    raw.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1)
}

/// Headers with raw 8-bit letters that are no UTF-8 are read as Windows-1252, the most common of what they may be.
/// Gives the bytes to parse, and by how much the body moved.
fn readable(raw: &[u8]) -> (Cow<'_, [u8]>, i64) {
    let end = header_end(raw);
    let (header, body) = raw.split_at_checked(end).unwrap_or((raw, &[]));
    let nuls = header.contains(&0);
    if !nuls && std::str::from_utf8(header).is_ok() {
        return (Cow::Borrowed(raw), 0);
    }
    let mut out = Vec::with_capacity(raw.len() + 64);
    for line in header.split_inclusive(|b| *b == b'\n') {
        match std::str::from_utf8(line) {
            Ok(_) => out.extend(line.iter().filter(|b| **b != 0)),
            Err(_) => {
                let (text, _, _) = encoding_rs::WINDOWS_1252.decode(line);
                out.extend(text.bytes().filter(|b| *b != 0));
            }
        }
    }
    let moved = out.len() as i64 - header.len() as i64;
    out.extend_from_slice(body);
    (Cow::Owned(out), moved)
}

fn header_end(raw: &[u8]) -> usize {
    let mut at = 0;
    for line in raw.split_inclusive(|b| *b == b'\n') {
        at += line.len();
        if line == b"\n" || line == b"\r\n" {
            return at;
        }
    }
    raw.len()
}

/// How often the bytes speak of multiparts and messages within.
fn nesting(bytes: &[u8]) -> usize {
    let mut count = 0;
    for line in bytes.split(|b| *b == b'\n') {
        let line = line.get(..line.len().min(200)).unwrap_or(line);
        let holds = |what: &[u8]| line.windows(what.len()).any(|w| w.eq_ignore_ascii_case(what));
        if line.iter().any(|b| *b == b'/') && (holds(b"multipart/") || holds(b"message/")) {
            count += 1;
        }
    }
    count
}

/// A message that is not taken apart: its headers, and its body as text.
fn flat(bytes: &[u8], shift: i64) -> Message {
    let end = header_end(bytes);
    let (header, body) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
    let header = header.get(..header.len().min(1 << 20)).unwrap_or(header);
    let parsed = std::panic::catch_unwind(|| parser().parse_headers(header).map(|parsed| understood(&parsed, shift)));
    let mut message = parsed.ok().flatten().unwrap_or_default();
    let body = body.get(..body.len().min(LONGEST_TEXT)).unwrap_or(body);
    message.parts.clear();
    message.html = None;
    message.plain = Some(String::from_utf8_lossy(body).into_owned());
    message
}

fn clip(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

/// A header's value without controls, unfolded.
fn tidy(text: &str) -> String {
    let text = clip(text, LONGEST_HEADER);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\r' | '\n' | '\t' => out.push(' '),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out.trim().to_owned()
}

fn people(address: Option<&Address<'_>>) -> Vec<Person> {
    let person = |addr: &mail_parser::Addr<'_>| Person {
        name: tidy(addr.name.as_deref().unwrap_or_default()),
        address: tidy(addr.address.as_deref().unwrap_or_default()),
    };
    let Some(address) = address else { return Vec::new() };
    let all: Vec<Person> = match address {
        Address::List(list) => list.iter().take(MOST_PEOPLE).map(person).collect(),
        Address::Group(groups) => groups.iter().flat_map(|g| g.addresses.iter()).take(MOST_PEOPLE).map(person).collect(),
    };
    all.into_iter().filter(|p| !p.name.is_empty() || !p.address.is_empty()).collect()
}

/// The ids `<…>` of a field as it was written; words around them are no ids.
fn ids(value: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for piece in value.split('<').skip(1) {
        let Some((id, _)) = piece.split_once('>') else { continue };
        let id: String = id.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
        if !id.is_empty() && id.len() <= 1000 && !found.contains(&id) {
            found.push(id);
        }
        if found.len() > 5 * MOST_REFERENCES {
            break;
        }
    }
    if found.len() > MOST_REFERENCES {
        let tail = found.split_off(found.len() - (MOST_REFERENCES - 1));
        found.truncate(1);
        found.extend(tail);
    }
    found
}

fn understood(parsed: &mail_parser::Message<'_>, shift: i64) -> Message {
    let raw = parsed.raw_message();
    let written = |header: &mail_parser::Header<'_>| -> String {
        let bytes = raw.get(header.offset_start as usize..header.offset_end as usize).unwrap_or_default();
        String::from_utf8_lossy(bytes.get(..bytes.len().min(LONGEST_HEADER)).unwrap_or(bytes)).into_owned()
    };
    let mut message = Message {
        date: parsed.date().filter(|d| d.is_valid()).map(mail_parser::DateTime::to_timestamp),
        from: people(parsed.from()),
        sender: people(parsed.sender()),
        reply_to: people(parsed.reply_to()),
        to: people(parsed.to()),
        cc: people(parsed.cc()),
        bcc: people(parsed.bcc()),
        subject: tidy(parsed.subject().unwrap_or_default()),
        ..Message::default()
    };
    for header in parsed.headers().iter().take(MOST_HEADERS) {
        let plain = match &header.value {
            HeaderValue::Text(text) => tidy(text),
            HeaderValue::TextList(list) => tidy(&list.join(" ")),
            _ => tidy(&written(header)),
        };
        match &header.name {
            HeaderName::MessageId if message.message_id.is_none() => {
                message.message_id = ids(&written(header)).into_iter().next().or_else(|| {
                    let bare = tidy(&written(header));
                    (!bare.is_empty() && !bare.contains(char::is_whitespace)).then_some(bare)
                });
            }
            HeaderName::InReplyTo if message.in_reply_to.is_empty() => message.in_reply_to = ids(&written(header)),
            HeaderName::References if message.references.is_empty() => message.references = ids(&written(header)),
            HeaderName::ListId => {
                let text = tidy(&written(header));
                let inner = text.rsplit_once('<').map_or(text.as_str(), |(_, rest)| rest.trim_end_matches('>'));
                message.list_id = Some(inner.trim().to_owned()).filter(|l| !l.is_empty());
            }
            _ => {}
        }
        message.headers.push((header.name.as_str().to_owned(), plain));
    }
    take_bodies(parsed, &mut message);
    take_parts(parsed, &mut message, shift);
    message.kinds = kinds(&message, parsed);
    message
}

fn take_bodies(parsed: &mail_parser::Message<'_>, message: &mut Message) {
    let mut plain = String::new();
    let mut html = String::new();
    for part in parsed.html_bodies() {
        if let PartType::Html(text) = &part.body
            && html.len() < LONGEST_TEXT
        {
            html.push_str(clip(text, LONGEST_TEXT));
        }
    }
    for part in parsed.text_bodies() {
        if let PartType::Text(text) = &part.body
            && plain.len() < LONGEST_TEXT
        {
            let kind = part.content_type();
            let attribute = |name: &str| kind.and_then(|t| t.attribute(name)).unwrap_or_default().to_ascii_lowercase();
            if !plain.is_empty() && !plain.ends_with('\n') {
                plain.push('\n');
            }
            let text = clip(text, LONGEST_TEXT);
            if attribute("format") == "flowed" {
                plain.push_str(&unflow(text, attribute("delsp") == "yes"));
            } else {
                plain.push_str(&text.replace("\r\n", "\n"));
            }
        }
    }
    message.html = Some(html).filter(|t| !t.trim().is_empty());
    message.plain = Some(plain).filter(|t| !t.trim().is_empty());
}

fn take_parts(parsed: &mail_parser::Message<'_>, message: &mut Message, shift: i64) {
    let bodies: BTreeSet<u32> = parsed.text_body.iter().chain(&parsed.html_body).copied().collect();
    let mut n = 0;
    for (index, part) in parsed.parts.iter().enumerate().take(4 * MOST_PARTS) {
        if matches!(part.body, PartType::Multipart(_)) || n as usize >= MOST_PARTS {
            continue;
        }
        n += 1;
        let nested = matches!(part.body, PartType::Message(_));
        let content_type = part.content_type().map_or_else(
            || if nested { "message/rfc822".to_owned() } else { "text/plain".to_owned() },
            |t| format!("{}/{}", t.ctype(), t.subtype().unwrap_or("plain")).to_ascii_lowercase(),
        );
        let content_type: String = content_type.chars().filter(|c| c.is_ascii_graphic()).take(100).collect();
        let disposition = match part.content_disposition() {
            Some(d) if d.ctype().eq_ignore_ascii_case("inline") => Disposition::Inline,
            Some(_) => Disposition::Attachment,
            None => Disposition::None,
        };
        let mut name = part.attachment_name().and_then(safe_name);
        if name.is_none() && nested {
            name = nested_name(part);
        }
        let content_id = part.content_id().map(|id| id.trim_matches(['<', '>']).to_owned());
        let shown = bodies.contains(&u32::try_from(index).unwrap_or(u32::MAX)) && disposition != Disposition::Attachment
            && matches!(part.body, PartType::Text(_) | PartType::Html(_));
        let in_html = content_id.as_deref().is_some_and(|id| {
            disposition != Disposition::Attachment && message.html.as_deref().is_some_and(|html| html.contains(id))
        });
        let at = |offset: u32| usize::try_from(i64::from(offset) + shift).unwrap_or(0);
        let encoding = match part.encoding {
            mail_parser::Encoding::None => TransferEncoding::Identity,
            mail_parser::Encoding::QuotedPrintable => TransferEncoding::QuotedPrintable,
            mail_parser::Encoding::Base64 => TransferEncoding::Base64,
        };
        message.parts.push(Part {
            n,
            risk: risk(name.as_deref(), &content_type),
            is_attachment: index > 0 && !shown && !in_html && content_type != "application/pgp-encrypted"
                || index == 0 && !shown && !matches!(part.body, PartType::Text(_) | PartType::Html(_)),
            name,
            content_type,
            disposition,
            content_id,
            bytes: part.len() as u64,
            encoding,
            start: at(part.offset_body),
            end: at(part.offset_end),
        });
    }
}

/// A nested message goes by its subject.
fn nested_name(part: &mail_parser::MessagePart<'_>) -> Option<String> {
    let subject = part.message().and_then(|m| m.subject()).unwrap_or("message");
    safe_name(&format!("{}.eml", clip(subject, 80)))
}

fn kinds(message: &Message, parsed: &mail_parser::Message<'_>) -> BTreeSet<Kind> {
    let mut kinds = BTreeSet::new();
    let root = parsed.content_type().map(|t| format!("{}/{}", t.ctype(), t.subtype().unwrap_or_default()).to_ascii_lowercase());
    match root.as_deref() {
        Some("multipart/encrypted") => drop(kinds.insert(Kind::Encrypted)),
        Some("multipart/signed") => drop(kinds.insert(Kind::Signed)),
        Some("application/pkcs7-mime" | "application/x-pkcs7-mime") => {
            let signed = parsed.content_type().and_then(|t| t.attribute("smime-type")).is_some_and(|t| t.eq_ignore_ascii_case("signed-data"));
            kinds.insert(if signed { Kind::Signed } else { Kind::Encrypted });
        }
        _ => {}
    }
    let text = message.plain.as_deref().unwrap_or_default();
    if text.contains("-----BEGIN PGP MESSAGE-----") {
        kinds.insert(Kind::Encrypted);
    }
    if text.contains("-----BEGIN PGP SIGNED MESSAGE-----") {
        kinds.insert(Kind::Signed);
    }
    for part in &message.parts {
        let kind = part.content_type.as_str();
        let extension = part.name.as_deref().and_then(|n| n.rsplit_once('.')).map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
        let signature = matches!(kind, "application/pgp-signature" | "application/pkcs7-signature" | "application/x-pkcs7-signature");
        if part.is_attachment && !signature && !(kinds.contains(&Kind::Encrypted) && part.n <= 2) {
            kinds.insert(Kind::Attachment);
        }
        if kind.starts_with("image/") {
            kinds.insert(Kind::Image);
        }
        if matches!(kind, "text/calendar" | "application/ics") || extension == "ics" {
            kinds.insert(Kind::Calendar);
        }
        if kind == "application/pgp-keys" {
            kinds.insert(Kind::Key);
        }
        let document = kind == "application/pdf"
            || kind.contains("officedocument")
            || kind.contains("opendocument")
            || matches!(kind, "application/msword" | "application/vnd.ms-excel" | "application/vnd.ms-powerpoint" | "application/rtf")
            || matches!(extension.as_str(), "pdf" | "doc" | "docx" | "odt" | "xls" | "xlsx" | "ods" | "ppt" | "pptx" | "odp" | "rtf");
        if document {
            kinds.insert(Kind::Document);
        }
    }
    kinds
}

/// Decodes base64 leniently: what is no letter of it is skipped, and a broken end loses only itself.
pub(in crate::mail) fn base64(bytes: &[u8]) -> Vec<u8> {
    let letters: Vec<u8> = bytes.iter().copied().filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')).collect();
    let whole = letters.len() / 4 * 4;
    let (head, tail) = letters.split_at_checked(whole).unwrap_or((&letters, &[]));
    let mut out = data_encoding::BASE64_NOPAD.decode(head).unwrap_or_default();
    let mut specification = data_encoding::Specification::new();
    specification.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    specification.check_trailing_bits = false;
    if tail.len() > 1
        && let Ok(lenient) = specification.encoding()
        && let Ok(rest) = lenient.decode(tail)
    {
        out.extend(rest);
    }
    out
}

/// Decodes quoted-printable leniently: what is no code stays as it is.
pub(in crate::mail) fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|b| *b == b'=') {
        let (before, code) = rest.split_at(at);
        out.extend_from_slice(before);
        let hex = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        match code {
            [_, b'\r', b'\n', after @ ..] | [_, b'\n', after @ ..] => rest = after,
            [_, a, b, after @ ..] if hex(*a).is_some() && hex(*b).is_some() => {
                out.push(hex(*a).unwrap_or(0) << 4 | hex(*b).unwrap_or(0));
                rest = after;
            }
            [equals, after @ ..] => {
                out.push(*equals);
                rest = after;
            }
            [] => break,
        }
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests;
