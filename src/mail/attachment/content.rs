//! What a file is by its bytes.

use super::kind::Kind;
use super::{archive, name};
use crate::mail::part::{Risk, extension, is_dangerous_ending, risk, safe_name};
use memchr::memmem;

/// A text is told from other bytes by so many of its first ones.
const HEAD: usize = 8 << 10;

/// What was seen in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its kind.
    pub kind: Kind,
    /// What it is, with its article: "a Windows program".
    pub words: &'static str,
    /// Its media type, where pictures and the like are told apart; empty otherwise.
    pub media_type: &'static str,
    /// The most telling of what would run once it is unpacked: the name of a program in it.
    pub holds: Option<String>,
    /// Whether it, or a part of it, is locked by a password, so that nothing can look inside.
    pub locked: bool,
    /// Whether it is an archive that was looked into, and all that it holds may be opened without a thought.
    pub holds_plain: bool,
}

impl Content {
    const fn new(kind: Kind, words: &'static str) -> Self {
        Self { kind, words, media_type: "", holds: None, locked: false, holds_plain: false }
    }

    const fn of(kind: Kind) -> Self {
        Self::new(kind, kind.words())
    }
}

/// What `bytes` are; `None` where nothing tells. Never fails; looks at the whole only where an archive or an old office
/// document calls for it, and then once.
#[must_use]
pub fn by_content(bytes: &[u8]) -> Option<Content> {
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    if head.is_empty() {
        return None;
    }
    program(bytes, head).or_else(|| container(bytes, head)).or_else(|| known(head)).or_else(|| words(head))
}

fn program(bytes: &[u8], head: &[u8]) -> Option<Content> {
    let at = |offset: usize, mark: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(mark));
    let is = |mark: &[u8]| head.starts_with(mark);
    // Many a text begins with MZ; none has such a header.
    if is(b"MZ") && head.get(..64).is_some_and(|first| first.contains(&0)) {
        return Some(Content::new(Kind::Program, "a Windows program"));
    }
    if is(b"\x7fELF") {
        return Some(Content::new(Kind::Program, "a Linux program"));
    }
    if [b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"]
        .iter()
        .any(|m| is(*m))
    {
        return Some(Content::new(Kind::Program, "a macOS program"));
    }
    if is(b"\xca\xfe\xba\xbe") || is(b"dex\n") {
        return Some(Content::new(Kind::Program, "a Java or Android program"));
    }
    if is(b"\x4c\0\0\0\x01\x14\x02\0") {
        return Some(Content::new(Kind::Shortcut, "a Windows shortcut"));
    }
    if is(b"ITSF") {
        return Some(Content::new(Kind::Program, "a Windows help file"));
    }
    if is(b"!<arch>\ndebian") || is(b"\xed\xab\xee\xdb") || is(b"xar!") || is(b"MSCF") {
        return Some(Content::new(Kind::Program, "an installer"));
    }
    let tail = bytes.len().saturating_sub(512);
    if at(32_769, b"CD001")
        || at(34_817, b"BEA01")
        || at(34_817, b"NSR0")
        || is(b"vhdxfile")
        || is(b"conectix")
        || at(tail, b"conectix")
        || at(tail, b"koly")
        || is(b"QFI\xfb")
    {
        return Some(Content::of(Kind::Disk));
    }
    None
}

/// What holds other files: zip and what is built on it, old office documents, packed files.
fn container(bytes: &[u8], head: &[u8]) -> Option<Content> {
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Some(zip(bytes));
    }
    if head.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        let names = |name: &str| {
            let wide: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
            memmem::find(bytes, &wide).is_some()
        };
        let mut content = Content::of(Kind::OldOffice);
        if names("_VBA_PROJECT") || names("Macros") {
            content = Content::of(Kind::Macros);
        } else if names("EncryptedPackage") {
            content.locked = true;
            content.words = "an office document with a password";
        } else if names("__substg1.0") || names("__nameid_version1.0") {
            content = Content::new(Kind::Message, "an Outlook message");
        }
        return Some(content);
    }
    let packed = [
        (&b"\x1f\x8b"[..], "a gzip archive"),
        (b"BZh", "a bzip2 archive"),
        (b"\xfd7zXZ\0", "an xz archive"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"Rar!\x1a\x07", "a RAR archive"),
    ];
    if let Some((_, words)) = packed.iter().find(|(mark, _)| head.starts_with(mark)) {
        return Some(Content::new(Kind::Archive, words));
    }
    if bytes.get(257..).is_some_and(|rest| rest.starts_with(b"ustar")) {
        let mut content = Content::new(Kind::Archive, "a tar archive");
        content.holds = archive::list(bytes)
            .ok()
            .and_then(|list| dangerous(list.entries.iter().map(|e| e.name.as_str())));
        return Some(content);
    }
    None
}

fn zip(bytes: &[u8]) -> Content {
    let scan = archive::scan_zip(bytes);
    let has = |test: &dyn Fn(&str) -> bool| scan.names.iter().any(|name| test(name));
    let begins = |start: &str| has(&|name: &str| name.starts_with(start));
    let mut content = Content::new(Kind::Archive, "a zip archive");
    if has(&|name| name.eq_ignore_ascii_case("[Content_Types].xml"))
        && (begins("word/") || begins("xl/") || begins("ppt/"))
    {
        content = Content::of(Kind::Office);
        if has(&|name| name.to_ascii_lowercase().ends_with("vbaproject.bin")) {
            content = Content::of(Kind::Macros);
        }
    } else if begins("mimetype") && (begins("META-INF/") || begins("content.xml")) {
        content = Content::of(Kind::Office);
        if begins("Basic/") {
            content = Content::of(Kind::Macros);
        }
    } else if begins("META-INF/MANIFEST.MF") && has(&|name| name.ends_with(".class")) || begins("classes.dex")
    {
        content = Content::new(Kind::Program, "a Java or Android program");
    } else {
        content.holds = dangerous(scan.names.iter().map(String::as_str));
        let seen = !scan.names.is_empty() && scan.names.len() < archive::ENTRIES_MAX && !scan.locked;
        content.holds_plain = seen && scan.names.iter().all(|name| risk("", Some(name)) == Risk::None);
    }
    content.locked = scan.locked;
    content
}

/// The first name that would run, or that misleads.
fn dangerous<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut names = names.take(archive::ENTRIES_MAX);
    names
        .find(|name| {
            is_dangerous_ending(&extension(name.trim_end_matches(['.', ' '])).to_ascii_lowercase())
                || name::tricks(name).iter().any(|trick| trick.risk() == Risk::Danger)
        })
        .map(|name| {
            let shown = safe_name(name);
            shown.unwrap_or_default().chars().take(80).collect()
        })
}

fn known(head: &[u8]) -> Option<Content> {
    // Readers look for the mark in the first thousand bytes.
    if memmem::find(head.get(..1024).unwrap_or(head), b"%PDF-").is_some() {
        return Some(Content { media_type: "application/pdf", ..Content::of(Kind::Pdf) });
    }
    if head.starts_with(b"{\\rtf") {
        return Some(Content::new(Kind::OldOffice, "a rich text document"));
    }
    let known = infer::get(head)?;
    let kind = match (known.matcher_type(), known.mime_type()) {
        (_, "text/html" | "text/xml" | "text/x-shellscript") => return None,
        (infer::MatcherType::Image, _) => Kind::Picture,
        (infer::MatcherType::Audio, _) => Kind::Sound,
        (infer::MatcherType::Video, _) => Kind::Video,
        (infer::MatcherType::Archive, _) => Kind::Archive,
        // Programs were looked for above, by more than the first two bytes.
        _ => return None,
    };
    let media_type = if kind == Kind::Picture { known.mime_type() } else { "" };
    Some(Content { media_type, ..Content::of(kind) })
}

/// What a text is.
fn words(head: &[u8]) -> Option<Content> {
    let text = match head {
        [0xff, 0xfe, rest @ ..] => encoding_rs::UTF_16LE.decode_without_bom_handling(rest).0.into_owned(),
        [0xfe, 0xff, rest @ ..] => encoding_rs::UTF_16BE.decode_without_bom_handling(rest).0.into_owned(),
        _ if head.contains(&0) => return None,
        _ => String::from_utf8_lossy(head).into_owned(),
    };
    // Bytes that no text has.
    if text.chars().filter(|c| c.is_control() && !c.is_whitespace() && *c != '\u{1b}').count() * 50
        > text.len()
    {
        return None;
    }
    let lower = text.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    let begins = |start: &str| lower.starts_with(start);
    let first = |start: &str| lower.find(start).is_some_and(|at| at < 2_000);
    let is_markup = begins("<");
    let kind = if begins("#!") || begins("@echo off") || begins("<?php") || begins("windows registry editor")
    {
        Kind::Script
    } else if begins("[internetshortcut]") || begins("[desktop entry]") {
        Kind::Shortcut
    } else if begins("begin:vcalendar") {
        Kind::Calendar
    } else if begins("begin:vcard") {
        Kind::Card
    } else if begins("-----begin ") {
        Kind::Key
    } else if is_markup
        && (PAGE.iter().any(|tag| begins(tag)) || first("<html") || first("<script") || first("<body"))
    {
        Kind::WebPage
    } else if is_markup && first("<svg") {
        Kind::Drawing
    } else if begins("<?xml") {
        Kind::Xml
    } else if ["mime-version:", "multipart/related"].iter().all(|mark| lower.contains(mark))
        && lower.contains("text/html")
    {
        Kind::Message
    } else {
        Kind::Text
    };
    Some(Content::of(kind))
}

/// What HTML begins with, beside `<html` itself.
const PAGE: &[&str] = &[
    "<!doctype html",
    "<head",
    "<iframe",
    "<h1",
    "<div",
    "<font",
    "<table",
    "<a ",
    "<style",
    "<title",
    "<b>",
    "<br",
    "<p>",
    "<meta",
    "<form",
    "<img",
    "<link",
    "<object",
    "<embed",
];
