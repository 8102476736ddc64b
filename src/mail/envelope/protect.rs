//! The payload of a message that is to be sealed or signed, and what stays outside: header protection by RFC 9788 with
//! its baseline policy, which hides the subject and leaves out Comments and Keywords.

use super::entity::{Entity, Field, crlf, folded, put};
use super::legacy::{apply, main_parts};
use super::protection::HIDDEN_SUBJECT;
use crate::mail::autocrypt::{Gossip, Header};
use crate::mail::compose;
use crate::mail::message;
use crate::mail::part::{Encoding, Part};

/// Longest line that any server must take (RFC 5321 §4.5.3.1.6), without its line break.
const LINE_MAX: usize = 998;

/// A message in two halves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    /// What is encrypted or signed: a MIME entity, lines ended by CRLF, 7-bit where it is to be signed in the clear.
    pub payload: Vec<u8>,
    /// The header section that stays outside, without the fields that describe the content and without the blank line.
    pub outer: Vec<u8>,
}

/// Why a message cannot be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is sealed or signed already.
    #[error("the message is protected already")]
    Already,
    /// It has bytes or lines that a server may change, which would break a signature in the clear.
    #[error("the message holds bytes or lines that would not survive the way")]
    NotSafe,
    /// A key that goes along is too large for a field.
    #[error("a key of another recipient is too large to go along")]
    GossipTooLarge,
}

/// Makes the payload of a finished message, as [`compose::to_bytes`] makes them. `cipher` says that it will be encrypted;
/// without it nothing is hidden, and `legacy_display` and `gossip` mean nothing. `legacy_display` repeats the subject in
/// the text, for recipients whose program may not know protected headers. Bcc goes neither inside nor outside; an
/// `Autocrypt` field goes only outside, where it is looked for.
///
/// # Errors
/// Why the message cannot be protected.
pub fn protected(
    raw: &[u8],
    cipher: bool,
    legacy_display: bool,
    gossip: &[Gossip],
) -> Result<Protected, Flaw> {
    shape(raw, cipher, legacy_display, gossip, false)
}

/// The same for a draft, which is encrypted to its writer alone: Bcc is kept inside, where the writer finds it again.
///
/// # Errors
/// As for [`protected`].
pub fn protected_draft(raw: &[u8], gossip: &[Gossip]) -> Result<Protected, Flaw> {
    shape(raw, true, false, gossip, true)
}

/// A header section with one more field. `value` may be folded, as the fields of Autocrypt are; what is no folding becomes
/// one, so that it stays one field.
#[must_use]
pub fn with_field(outer: &[u8], name: &str, value: &str) -> Vec<u8> {
    let mut out = outer.to_vec();
    let value = folded(format!(" {}", value.trim_ascii()).as_bytes());
    put(&mut out, &Field { name: name.to_owned(), value });
    out
}

fn shape(
    raw: &[u8],
    cipher: bool,
    legacy_display: bool,
    gossip: &[Gossip],
    keeps_bcc: bool,
) -> Result<Protected, Flaw> {
    let raw = crlf(raw);
    let message = Entity::message(&raw);
    let kind = message.content_type();
    let is_layer = matches!(kind.value.as_str(), "multipart/encrypted" | "multipart/signed");
    if is_layer || kind.param("hp").is_some() || kind.param("protected-headers").is_some() {
        return Err(Flaw::Already);
    }
    let is_bcc = |field: &Field| field.is("bcc") || field.is("resent-bcc");
    let mut inside: Vec<Field> = Vec::new();
    let mut outer = Vec::new();
    let mut recorded: Vec<Field> = Vec::new();
    for field in message.fields.iter().filter(|field| !field.is_structural() && !field.is("hp-outer")) {
        if is_bcc(field) && !keeps_bcc {
            continue;
        }
        if field.is(Header::NAME) {
            put(&mut outer, field);
            continue;
        }
        inside.push(field.clone());
        let shown = if is_bcc(field) { None } else { policy(field, cipher) };
        if let Some(shown) = shown {
            put(&mut outer, &shown);
            recorded.push(shown);
        }
    }
    let mut payload = Vec::with_capacity(raw.len() + 2048);
    for field in &inside {
        put(&mut payload, field);
    }
    if cipher {
        for one in gossip {
            let value = one.to_field().ok_or(Flaw::GossipTooLarge)?;
            payload.extend_from_slice(format!("{}: {value}\r\n", Gossip::NAME).as_bytes());
        }
        for field in &recorded {
            payload.extend_from_slice(b"HP-Outer: ");
            put(&mut payload, field);
        }
    }
    let subject = inside.iter().find(|field| field.is("subject")).map(Field::text).unwrap_or_default();
    let hides_subject = !subject.is_empty() && subject != HIDDEN_SUBJECT;
    let display = (cipher && legacy_display && hides_subject).then(|| format!("Subject: {subject}"));
    let hp = if cipher { "cipher" } else { "clear" };
    payload.extend_from_slice(&content(&raw, &message, hp, display.as_deref(), !cipher));
    if !cipher && !survives(&payload) {
        return Err(Flaw::NotSafe);
    }
    Ok(Protected { payload, outer })
}

/// `hcp_baseline` (RFC 9788 §3.2.1): what stands outside in place of a field.
fn policy(field: &Field, cipher: bool) -> Option<Field> {
    if !cipher {
        return Some(field.clone());
    }
    if field.is("subject") {
        return Some(Field { name: field.name.clone(), value: format!(" {HIDDEN_SUBJECT}").into_bytes() });
    }
    // What programs tell each other about keys (SecureJoin) is for nobody in between.
    let is_handshake = field.name.get(..11).is_some_and(|name| name.eq_ignore_ascii_case("secure-join"));
    if is_handshake || field.is("comments") || field.is("keywords") { None } else { Some(field.clone()) }
}

/// The fields that describe the content, the blank line, and the content.
fn content(raw: &[u8], message: &Entity<'_>, hp: &str, display: Option<&str>, clear: bool) -> Vec<u8> {
    // The header of the root is written anew, with its parameter; the parts below keep theirs.
    let mut entity = Vec::with_capacity(raw.len());
    let described = message.has("content-type");
    if !described {
        entity.extend_from_slice(format!("Content-Type: text/plain; hp=\"{hp}\"\r\n").as_bytes());
    }
    for field in message.fields.iter().filter(|field| field.is_content()) {
        let mut field = field.clone();
        if field.is("content-type") {
            let end = field.value.trim_ascii_end().len();
            field.value.truncate(end);
            if field.value.ends_with(b";") {
                field.value.pop();
            }
            field.value.extend_from_slice(format!(";\r\n hp=\"{hp}\"").as_bytes());
        }
        put(&mut entity, &field);
    }
    entity.extend_from_slice(b"\r\n");
    entity.extend_from_slice(message.body);
    let tree = message::parse(&entity);
    let mut edits = Vec::new();
    let shown_first: Vec<u32> = main_parts(&tree.parts).iter().map(|part| part.n).collect();
    for part in tree.parts.iter().filter(|part| part.content_type.starts_with("text/")) {
        let display = display.filter(|_| shown_first.contains(&part.n));
        let body = part.raw_body(&entity);
        if display.is_some() || clear && part.encoding == Encoding::Identity && !survives_at_line_ends(body) {
            edits.push((part.header.start..part.body.end, rewritten(&entity, part, display)));
        }
    }
    apply(&entity, edits).into_owned()
}

/// The part with the subject before its text, and encoded so that it survives.
fn rewritten(entity: &[u8], part: &Part, display: Option<&str>) -> Vec<u8> {
    let header = Entity::read(entity.get(part.header.clone()).unwrap_or_default());
    let mut out = Vec::new();
    for field in header.fields.iter().filter(|field| !field.is("content-transfer-encoding")) {
        let mut field = field.clone();
        if display.is_some() && field.is("content-type") {
            field.value.extend_from_slice(b";\r\n hp-legacy-display=\"1\"");
        }
        put(&mut out, &field);
    }
    let text = part.decoded(entity);
    let text = match display {
        Some(display) if part.content_type == "text/html" => html_with(&text, display),
        Some(display) => [format!("{display}\r\n\r\n").as_bytes(), &text].concat(),
        None => text.into_owned(),
    };
    let mut written = String::new();
    match std::str::from_utf8(&text) {
        Ok(text) if !text.contains('\0') && !begins_lines_badly(text.as_bytes()) => {
            compose::encoded_text(&mut written, text, survives_at_line_ends(text.as_bytes()));
        }
        _ => compose::encoded_bytes(&mut written, &text),
    }
    out.extend_from_slice(written.as_bytes());
    out
}

/// RFC 9788 §5.2.2: a block right after the beginning of the body.
fn html_with(html: &[u8], display: &str) -> Vec<u8> {
    let escaped = display.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let block = format!("<div class=\"header-protection-legacy-display\">\r\n<pre>{escaped}</pre></div>\r\n");
    let lower = html.to_ascii_lowercase();
    let body = memchr::memmem::find(&lower, b"<body")
        .and_then(|at| Some(at + memchr::memchr(b'>', lower.get(at..)?)? + 1))
        .unwrap_or(0);
    let (before, after) = html.split_at(body.min(html.len()));
    [before, block.as_bytes(), after].concat()
}

/// Whether no server changes it (RFC 3156 §3): seven bits, lines of bounded length, each ended by CRLF.
fn survives(payload: &[u8]) -> bool {
    payload.is_ascii()
        && !payload.contains(&0)
        && payload.split_inclusive(|byte| *byte == b'\n').all(|line| {
            let content = line.strip_suffix(b"\r\n").unwrap_or(line);
            content.len() <= LINE_MAX && !content.contains(&b'\r') && !content.contains(&b'\n')
        })
}

/// Whether no line ends in a blank or begins like the line between two messages of an mbox file (RFC 3156 §5).
fn survives_at_line_ends(body: &[u8]) -> bool {
    let ends_well = |line: &[u8]| !line.ends_with(b" ") && !line.ends_with(b"\t");
    let mut lines = body.split(|byte| *byte == b'\n');
    lines.all(|line| ends_well(line.strip_suffix(b"\r").unwrap_or(line))) && !begins_lines_badly(body)
}

fn begins_lines_badly(body: &[u8]) -> bool {
    body.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"From "))
}
