//! Messages of our own, from a draft to exact bytes (RFC 5322, RFC 2045 ff., RFC 3676). Nothing that the writer did
//! not say goes in: no program name, no time zone. No field can smuggle in another.

use std::fmt::Write as _;

use super::address::Person;
use super::message::people;
use super::text;

mod header;

/// Lines of text are wrapped here, softly.
const TEXT_WIDTH: usize = 72;
/// Longest line that any server must take (RFC 5321 §4.5.3.1.6), without its line break.
const LINE_MAX: usize = 998;

/// A message being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// Who writes.
    pub from: Person,
    /// Where answers should go, if not there.
    pub reply_to: Vec<Person>,
    /// To whom.
    pub to: Vec<Person>,
    /// Who gets a copy.
    pub cc: Vec<Person>,
    /// Who gets a hidden copy.
    pub bcc: Vec<Person>,
    /// The subject.
    pub subject: String,
    /// The text, one line per paragraph or line as typed.
    pub body: String,
    /// The message it answers, without angle brackets.
    pub in_reply_to: Option<String>,
    /// The thread above it, without angle brackets.
    pub references: Vec<String>,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// Its own id, without angle brackets.
    pub message_id: String,
    /// When it is sent, in seconds since 1970.
    pub date: i64,
}

/// A file that goes along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// Its type, `type/subtype`.
    pub content_type: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// The draft as a message, with Bcc: the copy that its writer keeps. Lines end with CRLF, all bytes are ASCII (but for
/// addresses that are not).
#[must_use]
pub fn to_bytes(draft: &Draft) -> Vec<u8> {
    let mut out = String::new();
    header::people(&mut out, "From", std::slice::from_ref(&draft.from));
    header::people(&mut out, "Reply-To", &draft.reply_to);
    header::people(&mut out, "To", &draft.to);
    header::people(&mut out, "Cc", &draft.cc);
    header::people(&mut out, "Bcc", &draft.bcc);
    header::text(&mut out, "Subject", &draft.subject);
    header::text(&mut out, "Date", &date(draft.date));
    header::ids(&mut out, "Message-ID", std::slice::from_ref(&draft.message_id));
    header::ids(&mut out, "In-Reply-To", draft.in_reply_to.as_slice());
    header::ids(&mut out, "References", &draft.references);
    out.push_str("MIME-Version: 1.0\r\n");
    let mut out = out.into_bytes();
    let text = text_part(&draft.body);
    if draft.attachments.is_empty() {
        out.extend(text);
        return out;
    }
    let parts: Vec<Vec<u8>> = std::iter::once(text).chain(draft.attachments.iter().map(file_part)).collect();
    let boundary = boundary(draft, &parts);
    out.extend(format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n").bytes());
    for part in parts {
        out.extend(format!("--{boundary}\r\n").bytes());
        out.extend(part);
        if !out.ends_with(b"\r\n") {
            out.extend(b"\r\n");
        }
    }
    out.extend(format!("--{boundary}--\r\n").bytes());
    out
}

/// The bytes to hand to a server: exactly the same without the Bcc fields.
#[must_use]
pub fn without_bcc(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    let mut in_bcc = false;
    while !rest.is_empty() {
        let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(length);
        if matches!(line, b"\r\n" | b"\n") {
            out.extend_from_slice(rest);
            break;
        }
        if !matches!(line.first(), Some(b' ' | b'\t')) {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii();
            in_bcc = name.eq_ignore_ascii_case(b"bcc") || name.eq_ignore_ascii_case(b"resent-bcc");
        }
        if !in_bcc {
            out.extend_from_slice(line);
        }
        rest = after;
    }
    out
}

/// A new Message-ID, without angle brackets, that tells nothing but the domain.
#[must_use]
pub fn new_message_id(random: [u8; 16], domain: &str) -> String {
    let domain = idna::domain_to_ascii(domain.trim()).unwrap_or_default();
    let sound =
        !domain.is_empty() && domain.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    let domain = if sound { domain.as_str() } else { "message.invalid" };
    format!("{}@{domain}", data_encoding::BASE32_DNSSEC.encode(&random))
}

/// People as typed: `Alice <alice@example.org>, bob@example.org`.
///
/// # Errors
/// The piece that is no address, as typed.
pub fn parse_people(text: &str) -> Result<Vec<Person>, String> {
    let oneline: String = text.chars().map(|c| if c == '\n' || c == '\r' { ',' } else { c }).collect();
    let mut people = people::parse(oneline.as_bytes(), None);
    for person in &mut people {
        if person.address.is_empty() {
            return Err(person.name.clone());
        }
        match sendable(&person.address) {
            Some(address) => person.address = address,
            None => return Err(person.address.clone()),
        }
    }
    if people.is_empty() && !text.trim_matches([',', ';', ' ', '\n', '\r', '\t']).is_empty() {
        return Err(text.trim().to_owned());
    }
    Ok(people)
}

/// The address with its domain in ASCII; `None` if no server would take it.
fn sendable(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let quoted = local.strip_prefix('"').and_then(|local| local.strip_suffix('"'));
    let local_is_sound = match quoted {
        Some(inner) => inner.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\') || c == ' '),
        None => {
            local.chars().all(atom)
                && !local.starts_with('.')
                && !local.ends_with('.')
                && !local.contains("..")
        }
    };
    let literal = domain.strip_prefix('[').and_then(|domain| domain.strip_suffix(']'));
    let domain = match literal {
        Some(inner) => inner
            .chars()
            .all(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '.' | 'I' | 'P' | 'v'))
            .then(|| domain.to_owned()),
        None => idna::domain_to_ascii(domain).ok().filter(|domain| is_domain(domain)),
    }?;
    (local_is_sound && !local.is_empty() && local.len() <= 64 && domain.len() <= 255)
        .then(|| format!("{local}@{domain}"))
}

fn is_domain(domain: &str) -> bool {
    domain.split('.').all(|label| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    })
}

/// In UTC, so that nobody learns where the writer is.
fn date(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// A line that no part holds. It is made from the message's id, so that the same draft gives the same bytes.
fn boundary(draft: &Draft, parts: &[Vec<u8>]) -> String {
    let letters: String = draft.message_id.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
    // `=_` can occur neither in quoted-printable nor in base64.
    let mut boundary = format!("=_{letters}");
    while boundary.len() < 60
        && parts.iter().any(|part| memchr::memmem::find(part, boundary.as_bytes()).is_some())
    {
        boundary.push('x');
    }
    boundary
}

fn text_part(body: &str) -> Vec<u8> {
    let clean: String = body.replace("\r\n", "\n").chars().filter_map(sound_char).collect();
    let wrapped = flow(&clean);
    let mut out = String::from("Content-Type: text/plain; charset=utf-8; format=flowed\r\n");
    encoded_text(&mut out, &wrapped, true);
    out.into_bytes()
}

/// The last field of a text part, its transfer encoding, the blank line and the text. `as_it_is` says that it need not be
/// encoded if it is ASCII.
pub(in crate::mail) fn encoded_text(out: &mut String, text: &str, as_it_is: bool) {
    let high = text.chars().filter(|c| !c.is_ascii()).count();
    if as_it_is && high == 0 && text.split("\r\n").all(|line| line.len() <= LINE_MAX) {
        out.push_str("Content-Transfer-Encoding: 7bit\r\n\r\n");
        out.push_str(text);
    } else if high * 4 < text.chars().count() {
        out.push_str("Content-Transfer-Encoding: quoted-printable\r\n\r\n");
        quoted_printable(out, text);
    } else {
        encoded_bytes(out, text.as_bytes());
    }
}

/// The same for any bytes: base64.
pub(in crate::mail) fn encoded_bytes(out: &mut String, bytes: &[u8]) {
    out.push_str("Content-Transfer-Encoding: base64\r\n\r\n");
    base64(out, bytes);
}

fn sound_char(c: char) -> Option<char> {
    match c {
        '\r' => Some('\n'),
        '\n' | '\t' => Some(c),
        c if c.is_control() => None,
        c => Some(c),
    }
}

/// Wraps text for the wire: long lines softly, quotes with their marks (RFC 3676 §4).
fn flow(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 32);
    for line in text.trim_end_matches('\n').split('\n') {
        if line == "-- " {
            out.push_str("-- \r\n");
            continue;
        }
        let depth = text::quote_depth(line);
        flow_line(&mut out, depth, text::unquoted(line).trim_end_matches(' '));
    }
    out
}

fn flow_line(out: &mut String, depth: usize, content: &str) {
    let width = TEXT_WIDTH.saturating_sub(depth + 1).max(20);
    let mut rest = content;
    loop {
        let (line, after) = match soft_break(rest, width) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        out.extend(std::iter::repeat_n('>', depth));
        let stuffed =
            depth > 0 && !line.is_empty() || line.starts_with([' ', '>']) || line.starts_with("From ");
        if stuffed {
            out.push(' ');
        }
        out.push_str(line);
        out.push_str("\r\n");
        if after.is_empty() {
            return;
        }
        rest = after;
    }
}

/// Where a line is broken: after a space, as late as the width allows, and with words left on both sides.
fn soft_break(line: &str, width: usize) -> Option<usize> {
    if line.len() <= width {
        return None;
    }
    let mut last = None;
    for (count, (at, c)) in line.char_indices().enumerate() {
        if c == ' ' && at > 0 {
            let after = at + 1;
            let goes_on = line.get(after..).is_some_and(|rest| !rest.trim().is_empty());
            // A line that was `-- ` would be taken for the mark of a signature.
            if goes_on && line.get(..after) != Some("-- ") {
                last = Some(after);
            }
        }
        if count >= width && last.is_some() {
            return last;
        }
    }
    // Nothing longer than the width remained after all, or it has no space to break at.
    (line.chars().count() > width).then_some(last).flatten()
}

fn quoted_printable(out: &mut String, text: &str) {
    for line in text.split_inclusive("\r\n") {
        let (content, ending) = match line.strip_suffix("\r\n") {
            Some(content) => (content, "\r\n"),
            None => (line, ""),
        };
        let mut width = 0;
        let count = content.len();
        for (at, byte) in content.bytes().enumerate() {
            let is_last = at + 1 == count;
            let literal =
                matches!(byte, b'!'..=b'<' | b'>'..=b'~') || matches!(byte, b' ' | b'\t') && !is_last;
            let length = if literal { 1 } else { 3 };
            if width + length > 75 {
                out.push_str("=\r\n");
                width = 0;
            }
            if literal {
                out.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                write!(out, "={byte:02X}").unwrap_or_default();
            }
            width += length;
        }
        out.push_str(ending);
    }
}

fn base64(out: &mut String, bytes: &[u8]) {
    for line in bytes.chunks(57) {
        data_encoding::BASE64.encode_append(line, out);
        out.push_str("\r\n");
    }
}

fn file_part(file: &Attachment) -> Vec<u8> {
    let kind = if header::is_type(&file.content_type) {
        file.content_type.as_str()
    } else {
        "application/octet-stream"
    };
    let mut out = String::new();
    header::file(&mut out, kind, &file.name);
    let is_message = kind.eq_ignore_ascii_case("message/rfc822");
    let as_it_is = is_message
        && file.bytes.is_ascii()
        && !file.bytes.contains(&0)
        && file
            .bytes
            .split(|byte| *byte == b'\n')
            .all(|line| line.len() <= LINE_MAX && line.ends_with(b"\r") || line.is_empty());
    if as_it_is {
        // Other encodings are not allowed for messages (RFC 2046 §5.2.1), and not read by all.
        out.push_str("Content-Transfer-Encoding: 7bit\r\n\r\n");
        let mut out = out.into_bytes();
        out.extend_from_slice(&file.bytes);
        return out;
    }
    out.push_str("Content-Transfer-Encoding: base64\r\n\r\n");
    base64(&mut out, &file.bytes);
    out.into_bytes()
}

/// A person as one types them; [`parse_people`] reads it back.
#[must_use]
pub fn write_person(person: &Person) -> String {
    let name: String = person.name.chars().filter(|c| !c.is_control()).collect();
    let name = name.trim();
    if name.is_empty() {
        return person.address.clone();
    }
    if name.chars().all(|c| c.is_alphanumeric() || " -'_".contains(c)) {
        return format!("{name} <{}>", person.address);
    }
    format!("\"{}\" <{}>", name.replace('\\', "\\\\").replace('"', "\\\""), person.address)
}

#[cfg(test)]
mod tests;
