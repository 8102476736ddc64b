//! Which parts are the text of a message, which are offered beside it, and of what kinds that makes the message.

use std::collections::{BTreeSet, HashSet};

use super::{charset, transfer};
use crate::mail::part::{Disposition, Encoding, Part, Role};
use crate::mail::query::Kind;
use crate::mail::text;

/// At most so much text of one message is decoded; the rest can still be downloaded.
const TEXT_MAX: usize = 16 << 20;
/// At most so many parts make up the text.
const PIECES_MAX: usize = 100;

/// The text of a message.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    /// The text as plain text; `None` if some of it is only there as HTML.
    pub(super) plain: Option<String>,
    /// The text as HTML; `None` if all of it is only there as plain text.
    pub(super) html: Option<String>,
    /// There is more text than is decoded.
    pub(super) is_cut: bool,
}

/// Places in the list of parts that make up the text, once for each form.
#[derive(Default)]
struct Shown {
    html: Vec<usize>,
    plain: Vec<usize>,
}

/// Gives every part its role, and decodes the text.
pub(super) fn read(parts: &mut [Part], raw: &[u8], near: Option<&str>) -> Body {
    let mut chooser = Chooser { children: children(parts), parts, pieces: 0 };
    let mut shown = Shown::default();
    chooser.visit(0, &mut shown);
    let mut budget = TEXT_MAX;
    let mut is_cut = false;
    let mut decoded: Vec<(usize, String)> = Vec::new();
    for index in shown.html.iter().chain(&shown.plain) {
        if decoded.iter().any(|(known, _)| known == index) {
            continue;
        }
        let Some(part) = parts.get(*index) else { continue };
        let body = part.raw_body(raw);
        is_cut |= body.len() > budget;
        let body = body.get(..budget).unwrap_or(body);
        budget -= body.len();
        let label = part.charset.as_deref();
        let bytes = transfer::decode(body, part.encoding);
        let within = label.is_none().then(|| label_within(part, &bytes)).flatten();
        let text = match label.or(within.as_deref()) {
            Some(label) => charset::decode(&bytes, Some(label)),
            None => charset::undeclared(&bytes, near).into_owned(),
        };
        decoded.push((*index, lines(text, part)));
    }
    let text = |index: &usize| decoded.iter().find(|(known, _)| known == index).map_or("", |(_, text)| text);
    let is_html = |index: &usize| parts.get(*index).is_some_and(|part| part.content_type == "text/html");
    let plain = (!shown.plain.iter().any(is_html) && !shown.plain.is_empty())
        .then(|| join_plain(shown.plain.iter().map(text)));
    let html = shown
        .html
        .iter()
        .any(is_html)
        .then(|| join_html(shown.html.iter().map(|index| (is_html(index), text(index)))));
    if let Some(html) = &html {
        mark_inline(parts, html);
    }
    Body { plain, html, is_cut }
}

/// The charset that HTML names of itself (`<meta charset=…>`) where the message names none. What is UTF-8 by its bytes was
/// converted on the way, and the old name was left standing.
fn label_within(part: &Part, bytes: &[u8]) -> Option<String> {
    const LOOKED_AT: usize = 1024;
    let is_utf8 = !bytes.is_ascii() && std::str::from_utf8(bytes).is_ok();
    if part.content_type != "text/html" || is_utf8 {
        return None;
    }
    let head = String::from_utf8_lossy(bytes.get(..LOOKED_AT).unwrap_or(bytes)).to_ascii_lowercase();
    let (_, meta) = head.split_once("<meta")?;
    let (_, value) = meta.split_once("charset")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start_matches(['"', '\'', ' ']);
    let label: String =
        value.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_:.".contains(*c)).collect();
    // What could be read so far is not written in a charset of two bytes a letter.
    (charset::is_known(&label) && !label.starts_with("utf-16")).then_some(label)
}

/// One kind of line break, no other control characters in plain text, and flowed text (RFC 3676) unwrapped.
fn lines(text: String, part: &Part) -> String {
    let is_html = part.content_type == "text/html";
    let is_wanted = |c: char| matches!(c, '\n' | '\t') || if is_html { c != '\0' } else { !c.is_control() };
    let text = if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text };
    let text =
        if text.chars().all(is_wanted) { text } else { text.chars().filter(|c| is_wanted(*c)).collect() };
    if part.flowed && !is_html { text::unflow(&text, part.delsp) } else { text }
}

fn join_plain<'a>(pieces: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for piece in pieces {
        if !out.is_empty() && !piece.is_empty() {
            let missing = 2usize.saturating_sub(out.bytes().rev().take_while(|byte| *byte == b'\n').count());
            out.extend(std::iter::repeat_n('\n', missing));
        }
        out.push_str(piece);
    }
    out
}

/// One document of several pieces; plain ones keep their lines. Whoever shows it sanitises all of it.
fn join_html<'a>(pieces: impl Iterator<Item = (bool, &'a str)>) -> String {
    let mut out = String::new();
    for (is_html, piece) in pieces {
        if is_html {
            out.push_str(piece);
        } else if !piece.trim().is_empty() {
            let escaped = piece.trim_end().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            out.push_str("<pre style=\"white-space: pre-wrap\">");
            out.push_str(&escaped);
            out.push_str("</pre>");
        }
    }
    out
}

fn children(parts: &[Part]) -> Vec<Vec<usize>> {
    let mut children = vec![Vec::new(); parts.len()];
    for (index, part) in parts.iter().enumerate() {
        let parent = part.parent.and_then(|n| usize::try_from(n).ok()).and_then(|n| n.checked_sub(1));
        if let Some(list) = parent.and_then(|parent| children.get_mut(parent)) {
            list.push(index);
        }
    }
    children
}

struct Chooser<'a> {
    parts: &'a mut [Part],
    children: Vec<Vec<usize>>,
    pieces: usize,
}

impl Chooser<'_> {
    /// Adds what is to be shown of a part. As deep as the tree, which is bounded.
    fn visit(&mut self, index: usize, shown: &mut Shown) {
        let Some(part) = self.parts.get(index) else { return };
        let below = self.children.get(index).cloned().unwrap_or_default();
        match part.content_type.as_str() {
            "multipart/alternative" => self.visit_alternatives(&below, shown),
            "multipart/related" => {
                // The first is the root; where it is none that can be read (a phone's layout), the next that can.
                for child in below {
                    let before = shown.plain.len() + shown.html.len();
                    self.visit(child, shown);
                    if shown.plain.len() + shown.html.len() > before {
                        break;
                    }
                }
            }
            "multipart/encrypted" => {
                for child in below {
                    self.set_role(child, Role::Cipher);
                }
            }
            "multipart/signed" => {
                for child in below {
                    if self.parts.get(child).is_some_and(is_signature) {
                        self.set_role(child, Role::Signature);
                    } else {
                        self.visit(child, shown);
                    }
                }
            }
            _ if part.is_multipart() => {
                for child in below {
                    self.visit(child, shown);
                }
            }
            _ => self.visit_leaf(index, shown),
        }
    }

    fn visit_leaf(&mut self, index: usize, shown: &mut Shown) {
        let is_first = shown.html.is_empty() && shown.plain.is_empty();
        let Some(part) = self.parts.get_mut(index) else { return };
        let is_root = index == 0;
        let is_plain = is_plain_text(&part.content_type);
        let is_text = is_plain || part.content_type == "text/html";
        let in_place = part.disposition == Disposition::Inline && is_plain;
        let wanted =
            part.disposition != Disposition::Attachment && (part.name.is_none() || is_first || in_place);
        if !is_text || !(wanted || is_root) || self.pieces >= PIECES_MAX {
            return;
        }
        self.pieces += 1;
        let is_file = part.name.is_some() && !is_first || part.disposition == Disposition::Attachment;
        part.role = if is_file { Role::BodyAndAttachment } else { Role::Body };
        shown.html.push(index);
        shown.plain.push(index);
    }

    /// Of several forms of one thing the last is the richest (RFC 2046 §5.1.4).
    fn visit_alternatives(&mut self, below: &[usize], shown: &mut Shown) {
        let mut forms: Vec<Shown> = Vec::new();
        for child in below {
            let mut form = Shown::default();
            self.visit(*child, &mut form);
            if form.html.is_empty() && form.plain.is_empty() {
                self.demote(*child);
            } else {
                forms.push(form);
            }
        }
        let has_html = |list: &[usize]| {
            list.iter()
                .any(|index| self.parts.get(*index).is_some_and(|part| part.content_type == "text/html"))
        };
        let html = forms.iter().rposition(|form| has_html(&form.html)).or(forms.len().checked_sub(1));
        let plain = forms.iter().rposition(|form| !has_html(&form.plain)).or(html);
        if let Some(form) = html.and_then(|at| forms.get(at)) {
            shown.html.extend_from_slice(&form.html);
        }
        if let Some(form) = plain.and_then(|at| forms.get(at)) {
            shown.plain.extend_from_slice(&form.plain);
        }
        for (at, form) in forms.iter().enumerate() {
            if Some(at) != html && Some(at) != plain {
                for index in form.html.iter().chain(&form.plain) {
                    self.set_role(*index, Role::Alternative);
                }
            }
        }
    }

    /// What is neither text nor a file among alternatives: an invitation, or a form that only some programs show.
    fn demote(&mut self, index: usize) {
        let Some(part) = self.parts.get_mut(index) else { return };
        if part.role != Role::Attachment || part.disposition == Disposition::Attachment {
            return;
        }
        if part.is_calendar() {
            part.role = Role::Invitation;
        } else if part.content_type.starts_with("text/") && part.name.is_none() {
            part.role = Role::Alternative;
        }
    }

    fn set_role(&mut self, index: usize, role: Role) {
        if let Some(part) = self.parts.get_mut(index).filter(|part| part.role != Role::Container) {
            part.role = role;
        }
    }
}

fn is_plain_text(content_type: &str) -> bool {
    matches!(
        content_type,
        "text/plain" | "text/markdown" | "text/x-markdown" | "text/enriched" | "text/x-diff" | "text/x-patch"
    )
}

fn is_signature(part: &Part) -> bool {
    matches!(
        part.content_type.as_str(),
        "application/pgp-signature" | "application/pkcs7-signature" | "application/x-pkcs7-signature"
    )
}

/// Images and the like that the HTML refers to by their Content-ID are shown in their place.
fn mark_inline(parts: &mut [Part], html: &str) {
    let used = content_ids(html);
    for part in parts.iter_mut().filter(|part| part.role == Role::Attachment) {
        if part.content_id.as_ref().is_some_and(|id| used.contains(id.as_str())) && !part.is_message() {
            part.role = Role::Inline;
        }
    }
}

fn content_ids(html: &str) -> HashSet<String> {
    let mut used = HashSet::new();
    let mut rest = html.as_bytes();
    while let Some(colon) = memchr::memchr(b':', rest) {
        let (before, after) = rest.split_at(colon + 1);
        rest = after;
        if !before
            .len()
            .checked_sub(4)
            .and_then(|at| before.get(at..))
            .is_some_and(|it| it.eq_ignore_ascii_case(b"cid:"))
        {
            continue;
        }
        let id = after.get(..1000).unwrap_or(after);
        let end = id.iter().position(|byte| matches!(byte, b'"' | b'\'' | b'>' | b')' | b' ' | b'\n'));
        // Every byte is looked at once: the next one is sought behind this one.
        let (id, behind) = after.split_at(end.unwrap_or(id.len()));
        rest = behind;
        let id = super::params::percent_decoded(id);
        used.insert(String::from_utf8_lossy(&id).replace("&amp;", "&"));
        if used.len() >= 1000 {
            break;
        }
    }
    used
}

/// What kinds of message this is; see [`Kind`].
pub(super) fn kinds(parts: &[Part], raw: &[u8], plain: Option<&str>) -> BTreeSet<Kind> {
    let mut kinds = BTreeSet::new();
    for part in parts {
        let is_file = matches!(part.role, Role::Attachment | Role::BodyAndAttachment);
        let kind = part.content_type.as_str();
        let facts = [
            (Kind::Attachment, is_file),
            (
                Kind::Image,
                part.is_image() && (is_file || part.role == Role::Inline && part.bytes >= 10 << 10),
            ),
            (Kind::Document, is_file && part.is_document()),
            (Kind::Calendar, part.is_calendar() && part.role != Role::Body),
            (Kind::Key, is_file && is_key(part, raw)),
            (Kind::Encrypted, kind == "multipart/encrypted" || smime(part) == Some(Kind::Encrypted)),
            (Kind::Signed, kind == "multipart/signed" || smime(part) == Some(Kind::Signed)),
        ];
        kinds.extend(facts.iter().filter(|(_, holds)| *holds).map(|(kind, _)| *kind));
    }
    let has_line = |line: &str| {
        plain.is_some_and(|text| {
            text.match_indices(line).any(|(at, _)| at == 0 || text.as_bytes().get(at - 1) == Some(&b'\n'))
        })
    };
    if has_line("-----BEGIN PGP MESSAGE-----") {
        kinds.insert(Kind::Encrypted);
    }
    if has_line("-----BEGIN PGP SIGNED MESSAGE-----") {
        kinds.insert(Kind::Signed);
    }
    kinds
}

fn smime(part: &Part) -> Option<Kind> {
    if !matches!(part.content_type.as_str(), "application/pkcs7-mime" | "application/x-pkcs7-mime") {
        return None;
    }
    match part.detail.as_deref() {
        Some("signed-data") => Some(Kind::Signed),
        Some("certs-only" | "compressed-data") => None,
        _ => Some(Kind::Encrypted),
    }
}

/// An attached OpenPGP certificate: by its type, or by its first lines where the type is vague.
fn is_key(part: &Part, raw: &[u8]) -> bool {
    if part.content_type == "application/pgp-keys" {
        return true;
    }
    if !matches!(part.extension().as_str(), "asc" | "gpg" | "key" | "pgp" | "pub" | "txt") {
        return false;
    }
    let body = part.raw_body(raw);
    let head = body.get(..4096).unwrap_or(body);
    let head =
        if part.encoding == Encoding::Identity { head.into() } else { transfer::decode(head, part.encoding) };
    memchr::memmem::find(&head, b"-----BEGIN PGP PUBLIC KEY BLOCK-----").is_some()
}
