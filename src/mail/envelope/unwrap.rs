//! One whole message of a payload and the message it came in, with the header section that counts (RFC 9788 §4).

use super::entity::{Entity, Field, line_feeds, put};
use super::layer::{Layer, outermost};
use super::legacy;
use super::protection::Protection;
use crate::mail::message::{self, transfer};
use crate::mail::part::Encoding;

/// A message as it was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwrapped {
    /// The message, for [`message::parse`] and all that reads messages.
    pub raw: Vec<u8>,
    /// What is known of its header.
    pub protection: Protection,
    /// The values of the `Autocrypt-Gossip` fields in the root of the payload; none where it was not encrypted.
    pub gossip: Vec<String>,
}

/// How a payload carries the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Not at all.
    None,
    /// `hp="clear"`, or `hp="cipher"`, which says that its sender hid something (RFC 9788 §2.1.1).
    Stated { cipher: bool },
    /// `protected-headers="v1"` of Memory Hole and Autocrypt.
    Marked,
    /// The payload is a message of its own (RFC 8551 §3.1).
    Wrapped,
}

/// Fields that servers write on the way. They speak of the journey, so those of the outer message hold, and a payload has
/// no say in them.
const TRACE: &[&str] = &[
    "Return-Path",
    "Received",
    "Received-SPF",
    "Delivered-To",
    "Envelope-To",
    "X-Original-To",
    "Authentication-Results",
    "DKIM-Signature",
    "ARC-Seal",
    "ARC-Message-Signature",
    "ARC-Authentication-Results",
];

/// Fields that programs and lists write outside of a message that was sealed before, and that send no answer anywhere.
const BESIDE: &[&str] = &[
    "Autocrypt",
    "Auto-Submitted",
    "List-Archive",
    "List-Help",
    "List-Id",
    "List-Owner",
    "List-Post",
    "List-Subscribe",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Precedence",
];

/// The message of a payload. `payload` is the innermost MIME entity, header and body; `outer_raw` the message it came in;
/// `sealed` says that one of the layers was encryption.
///
/// Where the payload carries the header, nothing but its date and what servers wrote is taken from outside: no recipient,
/// no thread and no place to answer. A payload in one of the older ways that carries a subject and no From says nothing
/// about the rest, which is then taken from outside and counts as unprotected. What was added to encrypted payloads for
/// programs that know no protected header is left out.
#[must_use]
pub fn unwrapped(outer_raw: &[u8], payload: &[u8], sealed: bool) -> Unwrapped {
    let payload = line_feeds(payload);
    let outer = Entity::message(outer_raw);
    let root = Entity::read(&payload);
    match mode(&payload, &root) {
        Mode::None => plain(&outer, &root, sealed),
        Mode::Wrapped => {
            let body = transfer::decode(root.body, encoding(&root)).into_owned();
            let body = line_feeds(&body);
            whole(&outer, &Entity::message(&body), false, sealed, sealed)
        }
        mode => {
            let stated = matches!(mode, Mode::Stated { .. });
            let hides = sealed && mode != Mode::Stated { cipher: false };
            if !sealed {
                return whole(&outer, &root, stated, hides, sealed);
            }
            let shown =
                if stated { legacy::without_elements(&payload) } else { legacy::without_part(&payload) };
            whole(&outer, &Entity::read(&shown), stated, hides, sealed)
        }
    }
}

fn mode(payload: &[u8], root: &Entity<'_>) -> Mode {
    let kind = root.content_type();
    match kind.param("hp").map(str::to_ascii_lowercase).as_deref() {
        Some("cipher") => return Mode::Stated { cipher: true },
        Some("clear") => return Mode::Stated { cipher: false },
        _ => {}
    }
    if kind.param("protected-headers").is_some_and(|version| version.eq_ignore_ascii_case("v1")) {
        return Mode::Marked;
    }
    if kind.value == "message/rfc822" && root.structured("content-disposition").value != "attachment" {
        let body = transfer::decode(Entity::read(payload).body, encoding(root)).into_owned();
        let inner = Entity::message(&body);
        let is_layer = !matches!(outermost(&body, &message::parse(&body)), Layer::None);
        if inner.has("from") && inner.content_type().param("hp").is_none() && !is_layer {
            return Mode::Wrapped;
        }
    }
    Mode::None
}

pub(super) fn encoding(entity: &Entity<'_>) -> Encoding {
    match entity.structured("content-transfer-encoding").value.as_str() {
        "base64" => Encoding::Base64,
        "quoted-printable" => Encoding::QuotedPrintable,
        _ => Encoding::Identity,
    }
}

fn is_one_of(field: &Field, names: &[&str]) -> bool {
    names.iter().any(|name| field.is(name))
}

/// The header lay outside: its fields with the content of the payload.
fn plain(outer: &Entity<'_>, root: &Entity<'_>, sealed: bool) -> Unwrapped {
    let is_gossip = |field: &Field| field.is("autocrypt-gossip");
    let is_outer = |field: &&Field| !field.is_content() && !field.is("hp-outer") && !is_gossip(field);
    let mut fields: Vec<&Field> = outer.fields.iter().filter(is_outer).collect();
    fields.extend(root.fields.iter().filter(|field| field.is_content()));
    finish(&fields, root, Protection::none(outer), sealed)
}

/// The header lies inside.
fn whole(outer: &Entity<'_>, root: &Entity<'_>, stated: bool, hides: bool, sealed: bool) -> Unwrapped {
    let protection = Protection::read(outer, root, stated, hides);
    let is_partial = !stated && !root.has("from");
    let missing = |field: &Field| !root.has(&field.name);
    let is_kept = |field: &&Field| {
        is_one_of(field, TRACE)
            || missing(field)
                && (is_one_of(field, BESIDE)
                    || field.is("date")
                    || is_partial
                        && !field.is_structural()
                        && !field.is("hp-outer")
                        && !field.is("autocrypt-gossip"))
    };
    let is_mine = |field: &&Field| !is_one_of(field, TRACE) && !field.is("hp-outer");
    let mut fields: Vec<&Field> = outer.fields.iter().filter(is_kept).collect();
    fields.extend(root.fields.iter().filter(is_mine));
    finish(&fields, root, protection, sealed)
}

fn finish(fields: &[&Field], root: &Entity<'_>, protection: Protection, sealed: bool) -> Unwrapped {
    let mut raw = Vec::with_capacity(root.body.len() + 4096);
    for field in fields {
        put(&mut raw, field);
    }
    if !fields.iter().any(|field| field.is("mime-version")) {
        raw.extend_from_slice(b"MIME-Version: 1.0\r\n");
    }
    raw.extend_from_slice(b"\r\n");
    raw.extend_from_slice(root.body);
    let gossip = if sealed { root.all("autocrypt-gossip").map(Field::text).collect() } else { Vec::new() };
    Unwrapped { raw, protection, gossip }
}

/// The message with the From of the outer one: for where they differ and no good signature is bound to the one inside
/// (RFC 9788 §4.4). `raw` is that of [`Unwrapped`].
#[must_use]
pub fn with_outer_from(raw: &[u8], outer_raw: &[u8]) -> Vec<u8> {
    let outer = Entity::message(outer_raw);
    let inside = Entity::read(raw);
    let mut out = Vec::with_capacity(raw.len() + 256);
    for field in outer.all("from").chain(inside.fields.iter().filter(|field| !field.is("from"))) {
        put(&mut out, field);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(inside.body);
    out
}
