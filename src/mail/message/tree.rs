//! The MIME tree (RFC 2046 §5.1): one pass over the lines, with a bounded stack of open multiparts. Bodies are only
//! measured, not decoded.

use super::fields::{self, Block, Lines};
use super::params::{self, Structured};
use super::{encoded, transfer};
use crate::mail::attachment::name::tricks;
use crate::mail::part::{self, Disposition, Encoding, Part, Role};

/// At most so many parts are told apart; the last one holds the rest.
const PARTS_MAX: usize = 1000;
/// A multipart deeper than this is shown as it lies there.
const DEPTH_MAX: usize = 50;
/// What is longer is no structured value.
const VALUE_MAX: usize = 64 << 10;
const BOUNDARY_MAX: usize = 8 << 10;

/// A message taken apart.
pub(super) struct Tree<'a> {
    /// The header block of the message itself.
    pub(super) top: Block<'a>,
    pub(super) parts: Vec<Part>,
    /// A multipart did not end, or there were more parts than are kept.
    pub(super) is_cut: bool,
}

/// A multipart whose end was not seen yet.
struct Open {
    boundary: Vec<u8>,
    /// Its place in the list of parts.
    index: usize,
    is_digest: bool,
}

/// A delimiter line, found.
struct Delimiter {
    line: usize,
    next: usize,
    level: usize,
    closes: bool,
}

/// Takes the message apart whose header begins at `start`.
pub(super) fn read(raw: &[u8], start: usize) -> Tree<'_> {
    let mut walk = Walk { raw, lines: Lines::new(raw), open: Vec::new(), parts: Vec::new() };
    let (top, mut next) = walk.entity(start);
    while let Some(at) = next {
        if walk.parts.len() >= PARTS_MAX {
            return Tree { top, parts: walk.finish(), is_cut: true };
        }
        next = walk.entity(at).1;
    }
    let is_cut = !walk.open.is_empty();
    Tree { top, parts: walk.finish(), is_cut }
}

struct Walk<'a> {
    raw: &'a [u8],
    lines: Lines<'a>,
    open: Vec<Open>,
    parts: Vec<Part>,
}

impl<'a> Walk<'a> {
    /// Reads the entity that begins at `start`. Gives its header, and where the next entity begins.
    fn entity(&mut self, start: usize) -> (Block<'a>, Option<usize>) {
        let block = fields::read(self.raw, self.lines, start, |line| delimiter(&self.open, line).is_some());
        let in_digest = self.open.last().is_some_and(|open| open.is_digest);
        let kind = params::parse(bounded(block.first("content-type")), None);
        let index = self.parts.len();
        let mut part = describe(&block, &kind, in_digest);
        part.n = u32::try_from(index + 1).unwrap_or(u32::MAX);
        part.parent = self.open.last().and_then(|open| self.parts.get(open.index)).map(|parent| parent.n);
        part.header = start..block.body;
        part.body = block.body..self.raw.len();
        // What ends with the next delimiter of an enclosing multipart.
        let mut current = Some(index);
        if part.is_multipart() && self.open.len() < DEPTH_MAX {
            let boundary = kind.param("boundary").map(|boundary| boundary.trim_end().as_bytes().to_vec());
            let boundary = boundary.or_else(|| self.guess_boundary(block.body));
            if let Some(boundary) = boundary.filter(|it| !it.is_empty() && it.len() <= BOUNDARY_MAX) {
                self.open.push(Open { boundary, index, is_digest: part.content_type == "multipart/digest" });
                current = None;
            }
        }
        self.parts.push(part);
        let next = self.next_entity(block.body, current);
        (block, next)
    }

    /// Goes on to the next delimiter that begins an entity, closing what ends on the way.
    fn next_entity(&mut self, from: usize, mut current: Option<usize>) -> Option<usize> {
        let mut at = from;
        while !self.open.is_empty() {
            let found = self.next_delimiter(at)?;
            let end = self.lines.before_line_break(found.line, from);
            for ended in self.open.iter().skip(found.level + 1).map(|open| open.index).chain(current) {
                if let Some(part) = self.parts.get_mut(ended) {
                    part.body.end = end.max(part.body.start);
                }
            }
            self.open.truncate(found.level + 1);
            if !found.closes {
                return Some(found.next);
            }
            // The epilogue: it ends with the multipart, which ends with the next delimiter around it.
            current = self.open.pop().map(|open| open.index);
            at = found.next;
        }
        None
    }

    fn next_delimiter(&self, from: usize) -> Option<Delimiter> {
        let mut at = from;
        loop {
            let dashes = self.lines.next_dashes(at)?;
            let (line, next) = self.lines.line(dashes)?;
            if let Some((level, closes)) = delimiter(&self.open, line) {
                return Some(Delimiter { line: dashes, next, level, closes });
            }
            at = next;
        }
    }

    /// For a multipart that does not name its boundary: the first line that looks like one and has a field after it.
    fn guess_boundary(&self, body: usize) -> Option<Vec<u8>> {
        let mut at = body;
        for _ in 0..20 {
            at = self.lines.next_dashes(at)?;
            let (line, next) = self.lines.line(at)?;
            let (following, _) = self.lines.line(next)?;
            let is_field = fields::field_name(following).is_some_and(|name| {
                name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-"))
            });
            if line.len() > 6 && is_field {
                return line.get(2..).map(|boundary| boundary.trim_ascii_end().to_vec());
            }
            at = next;
        }
        None
    }

    fn finish(self) -> Vec<Part> {
        let raw = self.raw;
        let mut parts = self.parts;
        let parents: Vec<u32> = parts.iter().filter_map(|part| part.parent).collect();
        for part in &mut parts {
            if part.is_multipart() && !parents.contains(&part.n) {
                // Nothing is inside that we could find: then it is text as it lies there.
                part.content_type = "text/plain".to_owned();
            }
            if part.is_multipart() {
                part.bytes = part.body.len() as u64;
            } else {
                part.role = Role::Attachment;
                part.bytes = transfer::decoded_length(part.raw_body(raw), part.encoding);
            }
            if part.is_message() && part.name.is_none() {
                part.name = nested_subject(part, raw).and_then(|name| part::safe_name(&name));
            }
        }
        parts
    }
}

/// Which open multipart a line delimits, and whether it ends it. The innermost counts first.
fn delimiter(open: &[Open], line: &[u8]) -> Option<(usize, bool)> {
    let rest = line.strip_prefix(b"--")?;
    for (level, open) in open.iter().enumerate().rev() {
        if let Some(tail) = rest.strip_prefix(open.boundary.as_slice()) {
            let (tail, closes) = match tail.strip_prefix(b"--") {
                Some(tail) => (tail, true),
                None => (tail, false),
            };
            if tail.iter().all(u8::is_ascii_whitespace) {
                return Some((level, closes));
            }
        }
    }
    None
}

fn bounded(value: Option<&[u8]>) -> &[u8] {
    let value = value.unwrap_or_default();
    value.get(..VALUE_MAX).unwrap_or(value)
}

/// What a part's header says about it.
fn describe(block: &Block<'_>, kind: &Structured, in_digest: bool) -> Part {
    let disposition = params::parse(bounded(block.first("content-disposition")), kind.param("charset"));
    // Read again with the charset that it declares itself, where a name has bytes that need one.
    let raw_kind = bounded(block.first("content-type"));
    let again = (!raw_kind.is_ascii()).then(|| params::parse(raw_kind, kind.param("charset")));
    let written_name = disposition
        .param("filename")
        .or_else(|| again.as_ref().unwrap_or(kind).param("name"))
        .or_else(|| disposition.param("name"))
        .filter(|name| !name.is_empty());
    let content_type = content_type(&kind.value, in_digest, written_name.is_some());
    let is_multipart = content_type.starts_with("multipart/");
    let detail = ["protocol", "smime-type", "method"].iter().find_map(|name| kind.param(name));
    Part {
        n: 0,
        parent: None,
        risk: if is_multipart { part::Risk::None } else { part::risk(&content_type, written_name) },
        tricks: written_name.map(tricks).unwrap_or_default(),
        charset: kind.param("charset").filter(|label| !label.is_empty()).map(str::to_owned),
        name: written_name.and_then(part::safe_name),
        disposition: match disposition.value.as_str() {
            "" => Disposition::Unstated,
            // A reaction (RFC 9078) is a word of its sender's, to be read like one.
            "inline" | "reaction" => Disposition::Inline,
            _ => Disposition::Attachment,
        },
        content_id: block.first("content-id").map(content_id).filter(|id| !id.is_empty()),
        // No encoding but the identity means anything around other parts (RFC 2045 §6.4).
        encoding: if is_multipart { Encoding::Identity } else { encoding(block) },
        role: Role::Container,
        bytes: 0,
        flowed: kind.param("format").is_some_and(|format| format.eq_ignore_ascii_case("flowed")),
        delsp: kind.param("delsp").is_some_and(|delsp| delsp.eq_ignore_ascii_case("yes")),
        detail: detail.map(str::to_ascii_lowercase),
        content_type,
        header: 0..0,
        body: 0..0,
    }
}

/// The type as written, or what stands for it where it is missing or makes no sense (RFC 2045 §5.2, RFC 2046 §5.1.5).
fn content_type(written: &str, in_digest: bool, is_named: bool) -> String {
    let sound =
        written.split_once('/').is_some_and(|(kind, subtype)| !kind.is_empty() && !subtype.is_empty());
    let otherwise = match written {
        "" if in_digest => "message/rfc822",
        "html" => "text/html",
        _ if is_named => "application/octet-stream",
        _ => "text/plain",
    };
    if sound { written.to_owned() } else { otherwise.to_owned() }
}

fn encoding(block: &Block<'_>) -> Encoding {
    let value = params::parse(bounded(block.first("content-transfer-encoding")), None).value;
    match value.as_str() {
        "base64" => Encoding::Base64,
        "quoted-printable" => Encoding::QuotedPrintable,
        "x-uuencode" | "x-uue" | "uuencode" => Encoding::Uuencode,
        _ => Encoding::Identity,
    }
}

fn content_id(raw: &[u8]) -> String {
    let raw = raw.get(..1000).unwrap_or(raw);
    encoded::decode(raw, None).trim_matches(['<', '>', ' ']).to_owned()
}

/// The subject of a message inside the message, as a name for it.
fn nested_subject(part: &Part, raw: &[u8]) -> Option<String> {
    let body =
        transfer::decode(part.raw_body(raw).get(..16 << 10).unwrap_or(part.raw_body(raw)), part.encoding);
    let block = fields::read(&body, Lines::new(&body), 0, |_| false);
    let subject = encoded::decode(bounded(block.first("subject")), None);
    Some(subject)
        .filter(|subject| !subject.is_empty())
        .map(|subject| format!("{}.eml", subject.replace(['/', '\\'], " ")))
}
