//! Header fields as they go out: folded, in ASCII, with nothing in them that could begin another field.

use std::fmt::Write as _;

use crate::mail::address::Person;

/// Lines are folded before they get longer than this (RFC 5322 §2.1.1).
const WIDTH: usize = 76;
/// A word longer than this cannot be folded and is encoded instead.
const WORD_MAX: usize = 900;

/// A field being written, folded on the way.
struct Line<'a> {
    out: &'a mut String,
    width: usize,
    is_empty: bool,
}

impl<'a> Line<'a> {
    fn new(out: &'a mut String, name: &str) -> Self {
        out.push_str(name);
        out.push(':');
        Self { out, width: name.len() + 1, is_empty: true }
    }

    /// Adds a piece that is never torn, after a blank or in a new line.
    fn piece(&mut self, piece: &str) {
        if !self.is_empty && self.width + 1 + piece.len() > WIDTH {
            self.out.push_str("\r\n");
            self.width = 0;
        }
        self.out.push(' ');
        self.out.push_str(piece);
        self.width += 1 + piece.len();
        self.is_empty = false;
    }

    fn end(self) {
        self.out.push_str("\r\n");
    }
}

/// A field of free text.
pub(super) fn text(out: &mut String, name: &str, value: &str) {
    let value = one_line(value);
    let mut line = Line::new(out, name);
    if needs_encoding(&value) {
        for word in encoded_words(&value, name.len() + 2) {
            line.piece(&word);
        }
    } else {
        for word in value.split(' ').filter(|word| !word.is_empty()) {
            line.piece(word);
        }
    }
    line.end();
}

/// A field of people; none, no field.
pub(super) fn people(out: &mut String, name: &str, people: &[Person]) {
    let people: Vec<Vec<String>> = people.iter().map(person).filter(|pieces| !pieces.is_empty()).collect();
    if people.is_empty() {
        return;
    }
    let mut line = Line::new(out, name);
    for (index, pieces) in people.iter().enumerate() {
        for (at, piece) in pieces.iter().enumerate() {
            let is_end = at + 1 == pieces.len() && index + 1 < people.len();
            line.piece(&if is_end { format!("{piece},") } else { piece.clone() });
        }
    }
    line.end();
}

/// A field of message ids; none, no field.
pub(super) fn ids(out: &mut String, name: &str, ids: &[String]) {
    let ids = ids.iter().map(|id| {
        id.chars()
            .filter(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>'))
            .take(WORD_MAX)
            .collect::<String>()
    });
    let ids: Vec<String> = ids.filter(|id| !id.is_empty()).collect();
    if ids.is_empty() {
        return;
    }
    let mut line = Line::new(out, name);
    for id in ids {
        line.piece(&format!("<{id}>"));
    }
    line.end();
}

/// Content-Type and Content-Disposition of a file.
pub(super) fn file(out: &mut String, kind: &str, name: &str) {
    let name = one_line(name);
    let mut line = Line::new(out, "Content-Type");
    line.piece(kind);
    line.end();
    let mut line = Line::new(out, "Content-Disposition");
    if name.is_empty() {
        line.piece("attachment");
    } else if name.is_ascii() && name.len() <= 60 && !name.contains("=?") {
        line.piece("attachment;");
        line.piece(&format!("filename=\"{}\"", quoted(&name)));
    } else {
        line.piece("attachment;");
        let pieces = extended(&name);
        for (at, piece) in pieces.iter().enumerate() {
            let number = if pieces.len() == 1 { String::new() } else { format!("*{at}") };
            let charset = if at == 0 { "utf-8''" } else { "" };
            let end = if at + 1 == pieces.len() { "" } else { ";" };
            line.piece(&format!("filename{number}*={charset}{piece}{end}"));
        }
    }
    line.end();
}

/// Whether it is `type/subtype` and nothing else.
pub(super) fn is_type(text: &str) -> bool {
    let token = |text: &str| {
        !text.is_empty()
            && text.len() <= 100
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&^_.+-".contains(c))
    };
    // A multipart would need a boundary, which a file has not.
    text.split_once('/').is_some_and(|(kind, subtype)| {
        token(kind) && token(subtype) && !kind.eq_ignore_ascii_case("multipart")
    })
}

fn person(person: &Person) -> Vec<String> {
    let address: String = person
        .address
        .trim()
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '<' | '>' | ',' | ';'))
        .collect();
    let address = match address.rsplit_once('@') {
        Some((local, domain)) if !domain.is_ascii() => {
            format!("{local}@{}", idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_owned()))
        }
        _ => address,
    };
    if address.is_empty() {
        return Vec::new();
    }
    let name = one_line(&person.name);
    if name.is_empty() {
        return vec![if address.contains(['"', ' ', ':', '(']) { format!("<{address}>") } else { address }];
    }
    let mut pieces = if needs_encoding(&name) {
        encoded_words(&name, 1)
    } else if name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '\'')) {
        name.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    } else {
        vec![format!("\"{}\"", quoted(&name))]
    };
    pieces.push(format!("<{address}>"));
    pieces
}

/// Line breaks and other control characters become blanks.
fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.trim().to_owned()
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn needs_encoding(text: &str) -> bool {
    !text.is_ascii() || text.contains("=?") || text.split(' ').any(|word| word.len() > WORD_MAX)
        // Folding would lose them.
        || text.contains("  ")
}

/// Encoded words (RFC 2047) of at most 75 characters, each of whole characters; the first leaves room for `used`.
fn encoded_words(text: &str, used: usize) -> Vec<String> {
    let high = text.chars().filter(|c| !c.is_ascii()).count();
    let as_base64 = high * 3 > text.chars().count();
    let mut words = Vec::new();
    let mut piece = String::new();
    let mut room = 63usize.saturating_sub(used);
    let mut length = 0;
    for c in text.chars() {
        let cost = if as_base64 { c.len_utf8() } else { q_length(c) };
        let full = if as_base64 { (length + cost).div_ceil(3) * 4 } else { length + cost } > room;
        if full && !piece.is_empty() {
            words.push(encoded_word(&piece, as_base64));
            piece.clear();
            (length, room) = (0, 62);
        }
        piece.push(c);
        length += cost;
    }
    if !piece.is_empty() {
        words.push(encoded_word(&piece, as_base64));
    }
    words
}

fn q_length(c: char) -> usize {
    if c == ' ' || c.is_ascii_alphanumeric() { 1 } else { 3 * c.len_utf8() }
}

fn encoded_word(piece: &str, as_base64: bool) -> String {
    if as_base64 {
        return format!("=?utf-8?B?{}?=", data_encoding::BASE64.encode(piece.as_bytes()));
    }
    let mut out = String::from("=?utf-8?Q?");
    for byte in piece.bytes() {
        match byte {
            b' ' => out.push('_'),
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            // Writing to a String cannot fail.
            byte => write!(out, "={byte:02X}").unwrap_or_default(),
        }
    }
    out.push_str("?=");
    out
}

/// Percent-encoded pieces that fit into a line each (RFC 2231).
fn extended(name: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for c in name.chars() {
        let mut code = String::new();
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') {
            code.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                write!(code, "%{byte:02X}").unwrap_or_default();
            }
        }
        match pieces.last_mut() {
            Some(last) if last.len() + code.len() <= 50 => last.push_str(&code),
            _ => pieces.push(code),
        }
    }
    pieces
}
