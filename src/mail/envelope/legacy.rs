//! What senders put into encrypted payloads so that programs that know no protected header show it all the same
//! (RFC 9788 §2.1.2 and §5.2, and the older part of Memory Hole). A reader who sees the header need not see it twice.

use std::borrow::Cow;
use std::ops::Range;

use super::entity::{Entity, put};
use crate::mail::message;
use crate::mail::part::{Disposition, Encoding, Part};

const CLASS: &[u8] = b"header-protection-legacy-display";

/// The payload without the lines and the block at the beginning of its texts. Only parts that say so have them.
pub(super) fn without_elements(payload: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memmem::find(&payload.to_ascii_lowercase(), b"hp-legacy-display").is_none() {
        return Cow::Borrowed(payload);
    }
    let tree = message::parse(payload);
    let mut edits: Vec<(Range<usize>, Vec<u8>)> = Vec::new();
    for part in main_parts(&tree.parts) {
        let header = payload.get(part.header.clone()).unwrap_or_default();
        let entity = Entity::read(header);
        if entity.content_type().param("hp-legacy-display") != Some("1") {
            continue;
        }
        let text = part.decoded(payload);
        let kept = if part.content_type == "text/html" { html_without(&text) } else { plain_without(&text) };
        if let Some(kept) = kept {
            edits.push((part.header.start..part.body.end, rewritten(&entity, part, &kept)));
        }
    }
    apply(payload, edits)
}

/// The payload without the part in front of it that repeats the header.
pub(super) fn without_part(payload: &[u8]) -> Cow<'_, [u8]> {
    let tree = message::parse(payload);
    let [root, first, ..] = tree.parts.as_slice() else { return Cow::Borrowed(payload) };
    let entity = Entity::read(payload.get(first.header.clone()).unwrap_or_default());
    let marked = entity
        .content_type()
        .param("protected-headers")
        .is_some_and(|version| version.eq_ignore_ascii_case("v1"));
    let is_display = matches!(first.content_type.as_str(), "text/plain" | "text/rfc822-headers")
        && first.disposition != Disposition::Attachment;
    let next = tree.parts.iter().skip(2).find(|part| part.parent == Some(root.n));
    match next {
        // Up to the next part: that takes the delimiter between them along, and leaves the one before.
        Some(next) if root.content_type == "multipart/mixed" && marked && is_display => {
            apply(payload, vec![(first.header.start..next.header.start, Vec::new())])
        }
        _ => Cow::Borrowed(payload),
    }
}

/// The parts that are the text of the message (RFC 9788 §1.1.2): the first of a multipart, all of the alternatives.
pub(super) fn main_parts(parts: &[Part]) -> Vec<&Part> {
    let mut found = Vec::new();
    let mut wanted: Vec<u32> = parts.first().map(|root| root.n).into_iter().collect();
    // Parts come in the order in which they lie in the message, so one pass goes down all the way.
    for part in parts {
        if !wanted.contains(&part.n) {
            continue;
        }
        if part.is_multipart() {
            let all = part.content_type == "multipart/alternative";
            let below = parts.iter().filter(|child| child.parent == Some(part.n)).map(|child| child.n);
            wanted.extend(below.take(if all { 20 } else { 1 }));
        } else if matches!(part.content_type.as_str(), "text/plain" | "text/html")
            && part.disposition != Disposition::Attachment
        {
            found.push(part);
        }
    }
    found
}

/// What follows the first blank line; nothing to take off where there is none.
fn plain_without(text: &[u8]) -> Option<Vec<u8>> {
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        let length = memchr::memchr(b'\n', rest)? + 1;
        at += length;
        if rest.get(..length)?.trim_ascii().is_empty() {
            return text.get(at..).map(<[u8]>::to_vec);
        }
    }
}

/// The document without the first `div` of that class.
fn html_without(html: &[u8]) -> Option<Vec<u8>> {
    let lower = html.to_ascii_lowercase();
    let class = memchr::memmem::find(&lower, CLASS)?;
    let start = memchr::memmem::rfind(lower.get(..class)?, b"<div")?;
    let opening = lower.get(start..class)?;
    if opening.contains(&b'>') || memchr::memmem::find(opening, b"class").is_none() {
        return None;
    }
    let mut depth = 0usize;
    let mut at = start;
    loop {
        let found = at + memchr::memmem::find(lower.get(at..)?, b"div")?;
        let before = lower.get(..found)?;
        at = found + 3;
        if before.ends_with(b"</") {
            depth = depth.checked_sub(1)?;
        } else if before.ends_with(b"<") {
            depth += 1;
        }
        if depth == 0 {
            let end = at + memchr::memchr(b'>', lower.get(at..)?)? + 1;
            return Some([html.get(..start)?, html.get(end..)?].concat());
        }
    }
}

/// The part with another text. What was encoded for transfer becomes base64, the one form that fits all texts.
fn rewritten(entity: &Entity<'_>, part: &Part, text: &[u8]) -> Vec<u8> {
    let as_it_is = part.encoding == Encoding::Identity;
    let mut out = Vec::with_capacity(text.len() * 4 / 3 + 1024);
    for field in &entity.fields {
        if as_it_is || !field.is("content-transfer-encoding") {
            put(&mut out, field);
        }
    }
    if as_it_is {
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(text);
        return out;
    }
    out.extend_from_slice(b"Content-Transfer-Encoding: base64\r\n\r\n");
    for line in text.chunks(57) {
        out.extend_from_slice(data_encoding::BASE64.encode(line).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// The bytes with some stretches, in order and apart from each other, replaced.
pub(super) fn apply(bytes: &[u8], edits: Vec<(Range<usize>, Vec<u8>)>) -> Cow<'_, [u8]> {
    if edits.is_empty() {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    for (range, instead) in edits {
        out.extend_from_slice(bytes.get(at..range.start).unwrap_or_default());
        out.extend_from_slice(&instead);
        at = range.end;
    }
    out.extend_from_slice(bytes.get(at..).unwrap_or_default());
    Cow::Owned(out)
}
