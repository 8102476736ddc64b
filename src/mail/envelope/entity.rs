//! A MIME entity as header fields and a body, so that it can be put together anew without touching what a field says.

use std::borrow::Cow;

use crate::mail::message::fields::{self, Lines};
use crate::mail::message::params::{self, Structured};
use crate::mail::message::{bounded, encoded, skip_envelope_lines};

/// A header field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// As written.
    pub(super) name: String,
    /// After the colon, encoded, folded with CRLF, without the last line break. No line break in it begins a field.
    pub(super) value: Vec<u8>,
}

impl Field {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// `MIME-Version` and the `Content-` fields: they belong to a layer, not to the message (RFC 9788 §1.1.1).
    pub(super) fn is_structural(&self) -> bool {
        self.is("mime-version") || self.is_content()
    }

    pub(super) fn is_content(&self) -> bool {
        self.name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-"))
    }

    /// The value unfolded and decoded.
    pub(super) fn text(&self) -> String {
        encoded::decode(bounded(&self.value), None)
    }
}

/// Header fields and a body.
#[derive(Clone, Debug)]
pub(super) struct Entity<'a> {
    pub(super) fields: Vec<Field>,
    pub(super) body: &'a [u8],
}

impl<'a> Entity<'a> {
    /// A message as it came, with what servers put before the first field.
    pub(super) fn message(raw: &'a [u8]) -> Self {
        Self::from(raw, skip_envelope_lines(raw))
    }

    /// An entity from inside a layer.
    pub(super) fn read(raw: &'a [u8]) -> Self {
        Self::from(raw, 0)
    }

    fn from(raw: &'a [u8], start: usize) -> Self {
        let block = fields::read(raw, Lines::new(raw), start, |_| false);
        let field =
            |field: &fields::Field<'_>| Field { name: field.name.to_owned(), value: folded(field.value) };
        Self {
            fields: block.fields.iter().map(field).collect(),
            body: raw.get(block.body..).unwrap_or_default(),
        }
    }

    pub(super) fn all<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'b Field> {
        self.fields.iter().filter(move |field| field.is(name))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// Type and parameters of the content.
    pub(super) fn content_type(&self) -> Structured {
        self.structured("content-type")
    }

    pub(super) fn structured(&self, name: &str) -> Structured {
        params::parse(self.all(name).next().map(|field| bounded(&field.value)).unwrap_or_default(), None)
    }
}

/// Writes a field.
pub(super) fn put(out: &mut Vec<u8>, field: &Field) {
    out.extend_from_slice(field.name.as_bytes());
    out.push(b':');
    out.extend_from_slice(&field.value);
    out.extend_from_slice(b"\r\n");
}

/// The value with CRLF at each fold. Whatever breaks a line in it is followed by a blank, so that it stays one field.
pub(super) fn folded(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 8);
    let mut bytes = value.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' | b'\n' => {
                if byte == b'\r' {
                    bytes.next_if_eq(&b'\n');
                }
                out.extend_from_slice(b"\r\n");
                if !matches!(bytes.peek(), Some(b' ' | b'\t')) {
                    out.push(b' ');
                }
            }
            byte => out.push(byte),
        }
    }
    out
}

/// The bytes with CRLF at the end of each line, as signatures cover them.
pub(super) fn crlf(bytes: &[u8]) -> Vec<u8> {
    let bytes = line_feeds(bytes);
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    let mut last = 0u8;
    for &byte in bytes.iter() {
        if byte == b'\n' && last != b'\r' {
            out.push(b'\r');
        }
        out.push(byte);
        last = byte;
    }
    out
}

/// Text in the manner of old Macs, which ends lines with CR alone, with CRLF; any other text as it is.
pub(super) fn line_feeds(bytes: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\n', bytes).is_some() || memchr::memchr(b'\r', bytes).is_none() {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    for &byte in bytes {
        out.push(byte);
        if byte == b'\r' {
            out.push(b'\n');
        }
    }
    Cow::Owned(out)
}
