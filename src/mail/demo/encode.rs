//! How text travels: encoded words, quoted-printable, base64, wrapped lines.

use data_encoding::BASE64;
use encoding_rs::{Encoding, UTF_8};

/// The encoding of that name, UTF-8 if there is none.
pub(super) fn charset(label: &str) -> &'static Encoding {
    Encoding::for_label(label.as_bytes()).unwrap_or(UTF_8)
}

/// A header's text: as it is if it is ASCII, else in encoded words (RFC 2047), folded.
pub(super) fn header_text(text: &str, charset: &'static Encoding) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut words = Vec::new();
    let mut piece = String::new();
    for c in text.chars() {
        piece.push(c);
        if charset.encode(&piece).0.len() > 36 {
            words.push(encoded_word(&piece, charset));
            piece.clear();
        }
    }
    if !piece.is_empty() {
        words.push(encoded_word(&piece, charset));
    }
    words.join("\r\n ")
}

fn encoded_word(text: &str, charset: &'static Encoding) -> String {
    let (bytes, used, _) = charset.encode(text);
    format!("=?{}?B?{}?=", used.name().to_ascii_lowercase(), BASE64.encode(&bytes))
}

/// A name and address.
pub(super) fn mailbox(name: &str, address: &str) -> String {
    if name.is_empty() {
        address.to_owned()
    } else if name.is_ascii() {
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-'));
        if is_plain { format!("{name} <{address}>") } else { format!("\"{name}\" <{address}>") }
    } else {
        format!("{} <{address}>", header_text(name, UTF_8))
    }
}

/// A text as the body of a part: its bytes on the wire, the charset and the transfer encoding to be named.
pub(super) fn text_body(text: &str, wanted: &'static Encoding) -> (Vec<u8>, String, &'static str) {
    let (mut bytes, mut used, unfit) = wanted.encode(text);
    if unfit {
        (bytes, used, _) = UTF_8.encode(text);
    }
    let name = used.name().to_ascii_lowercase();
    let has_long_lines = bytes.split(|byte| *byte == b'\n').any(|line| line.len() > 900);
    if bytes.is_ascii() && !has_long_lines {
        let name = if text.is_ascii() { "us-ascii".to_owned() } else { name };
        return (bytes.into_owned(), name, "7bit");
    }
    let foreign = bytes.iter().filter(|byte| !byte.is_ascii()).count();
    if foreign * 5 < bytes.len() {
        (quoted_printable(&bytes).into_bytes(), name, "quoted-printable")
    } else {
        (base64_lines(&bytes).into_bytes(), name, "base64")
    }
}

/// Base64 in lines of 76 (RFC 2045 §6.8).
pub(super) fn base64_lines(bytes: &[u8]) -> String {
    bytes.chunks(57).map(|line| BASE64.encode(line) + "\r\n").collect()
}

/// Quoted-printable (RFC 2045 §6.7) of a text with CRLF line ends.
fn quoted_printable(bytes: &[u8]) -> String {
    let mut out = String::new();
    let mut column = 0;
    let mut rest = bytes.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte == b'\r' && rest.peek() == Some(&b'\n') {
            rest.next();
            out.push_str("\r\n");
            column = 0;
            continue;
        }
        let ends_line = matches!(rest.peek(), None | Some(b'\r'));
        let is_plain = matches!(byte, b'!'..=b'<' | b'>'..=b'~') || byte == b' ' && !ends_line;
        let width = if is_plain { 1 } else { 3 };
        if column + width > 75 {
            out.push_str("=\r\n");
            column = 0;
        }
        if is_plain {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("={byte:02X}"));
        }
        column += width;
    }
    out
}

/// Lines of at most 72 characters where there are blanks to break at, with CRLF; set-in and quoted lines stay as they are.
///
/// With `flowed`, broken lines end with a blank (RFC 3676).
pub(super) fn wrap(text: &str, flowed: bool) -> String {
    let mut out = String::new();
    for line in text.lines() {
        if line.starts_with([' ', '>', '-', '|']) || line.chars().count() <= 72 {
            out.push_str(line);
        } else {
            wrap_line(line, flowed, &mut out);
        }
        out.push_str("\r\n");
    }
    out
}

fn wrap_line(line: &str, flowed: bool, out: &mut String) {
    let mut column = 0;
    for word in line.split(' ') {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > 72 {
            out.push_str(if flowed { " \r\n" } else { "\r\n" });
            column = 0;
        }
        if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
}

/// Text inside HTML.
pub(super) fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
