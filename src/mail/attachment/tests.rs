//! What is said about attachments, as a table: what comes, under which name and type, and what is said of it.

use super::{Kind, Verdict, archive, by_content, calendar, card, look};
use crate::mail::message::parse;
use crate::mail::part::Risk;
use crate::mail::sender::SenderStanding;
use std::io::Write;

fn judged(media_type: &str, name: &str, bytes: &[u8], sender: SenderStanding) -> Verdict {
    let raw = format!(
        "From: mallory@example.org\r\nMIME-Version: 1.0\r\nContent-Type: {media_type}\r\n\
         Content-Disposition: attachment; filename*=utf-8''{}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
        name.bytes().map(|b| format!("%{b:02x}")).collect::<String>(),
        data_encoding::BASE64.encode(bytes)
    );
    let message = parse(raw.as_bytes());
    look(&message.parts[0], raw.as_bytes(), sender)
}

fn padded(start: &[u8]) -> Vec<u8> {
    let mut bytes = start.to_vec();
    bytes.resize(start.len().max(600), 0);
    bytes
}

fn zip(names: &[&str]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in names {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(b"x").unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn disk() -> Vec<u8> {
    let mut bytes = vec![0; 40_000];
    bytes[32_769..32_774].copy_from_slice(b"CD001");
    bytes
}

fn ole(wide: &str) -> Vec<u8> {
    let mut bytes = padded(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
    bytes.extend(wide.encode_utf16().flat_map(u16::to_le_bytes));
    bytes
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0";
const OFFICE: &[&str] = &["[Content_Types].xml", "word/document.xml"];

#[test]
fn kinds_are_told_by_content_whatever_the_name() {
    let macros = [OFFICE, &["word/vbaProject.bin"]].concat();
    for (bytes, kind) in [
        (PNG.to_vec(), Some(Kind::Picture)),
        (b"GIF89a\x01\0\x01\0\0\0\0".to_vec(), Some(Kind::Picture)),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0".to_vec(), Some(Kind::Picture)),
        (b"%PDF-1.7\n%\xe2\xe3".to_vec(), Some(Kind::Pdf)),
        (b"\n\n%PDF-1.4".to_vec(), Some(Kind::Pdf)),
        (padded(b"MZ\x90\0"), Some(Kind::Program)),
        (b"MZ is how this note begins, and it is a text.".to_vec(), Some(Kind::Text)),
        (padded(b"\x7fELF\x02\x01\x01"), Some(Kind::Program)),
        (padded(b"\xcf\xfa\xed\xfe"), Some(Kind::Program)),
        (padded(b"\x4c\0\0\0\x01\x14\x02\0"), Some(Kind::Shortcut)),
        (b"[InternetShortcut]\r\nURL=file://evil.example/x".to_vec(), Some(Kind::Shortcut)),
        (b"[Desktop Entry]\nExec=sh".to_vec(), Some(Kind::Shortcut)),
        (disk(), Some(Kind::Disk)),
        (b"#!/bin/sh\nrm -rf ~".to_vec(), Some(Kind::Script)),
        (b"@echo off\r\ndel *".to_vec(), Some(Kind::Script)),
        (b"<!DOCTYPE html><p>x".to_vec(), Some(Kind::WebPage)),
        (b"\xef\xbb\xbf  <HTML><body>".to_vec(), Some(Kind::WebPage)),
        (b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'>".to_vec(), Some(Kind::WebPage)),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>".to_vec(), Some(Kind::Drawing)),
        (b"<?xml version='1.0'?><!-- x --><svg/>".to_vec(), Some(Kind::Drawing)),
        (b"<?xml version='1.0'?><invoice/>".to_vec(), Some(Kind::Xml)),
        (b"BEGIN:VCALENDAR\r\n".to_vec(), Some(Kind::Calendar)),
        (b"begin:vcard\r\n".to_vec(), Some(Kind::Card)),
        (b"-----BEGIN PGP PUBLIC KEY BLOCK-----".to_vec(), Some(Kind::Key)),
        (b"{\\rtf1\\ansi".to_vec(), Some(Kind::OldOffice)),
        (zip(&["a.txt"]), Some(Kind::Archive)),
        (zip(OFFICE), Some(Kind::Office)),
        (zip(&macros), Some(Kind::Macros)),
        (zip(&["META-INF/MANIFEST.MF", "A.class"]), Some(Kind::Program)),
        (ole("WordDocument"), Some(Kind::OldOffice)),
        (ole("_VBA_PROJECT"), Some(Kind::Macros)),
        (b"\x1f\x8b\x08\0\0\0".to_vec(), Some(Kind::Archive)),
        (b"7z\xbc\xaf\x27\x1c\0\x04".to_vec(), Some(Kind::Archive)),
        (b"Rar!\x1a\x07\x01\0".to_vec(), Some(Kind::Archive)),
        (b"a;b\n1;2\n".to_vec(), Some(Kind::Text)),
        (b"\xff\xfeh\0i\0".to_vec(), Some(Kind::Text)),
        ((1_u8..=255).cycle().take(3000).collect(), None),
        (vec![0; 100], None),
        (Vec::new(), None),
    ] {
        let seen = by_content(&bytes).map(|content| content.kind);
        assert_eq!(seen, kind, "{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(40)]));
    }
}

#[test]
fn risk_and_words_follow_from_content_name_and_type() {
    let exe = padded(b"MZ\x90\0");
    let html = b"<html><script>alert(1)</script>".to_vec();
    let octets = "application/octet-stream";
    for (media_type, name, bytes, risk, words) in [
        ("image/png", "cat.png", PNG.to_vec(), Risk::None, ""),
        ("image/jpeg", "cat.jpg", PNG.to_vec(), Risk::None, ""),
        ("application/pdf", "plan.pdf", b"%PDF-1.4".to_vec(), Risk::None, ""),
        ("text/csv", "sums.csv", b"a,b".to_vec(), Risk::None, ""),
        (octets, "letter.docx", zip(OFFICE), Risk::None, ""),
        ("text/x-patch", "fix.patch", b"--- a\n+++ b\n".to_vec(), Risk::None, ""),
        ("image/png", "cat.png", exe.clone(), Risk::Danger, "but it is a Windows program"),
        (octets, "cat", exe.clone(), Risk::Danger, "It is a program"),
        (octets, "invoice.pdf.exe", exe, Risk::Danger, "two endings"),
        ("application/pdf", "bill.pdf", html.clone(), Risk::Danger, "but it is a web page"),
        ("text/html", "bill.html", html.clone(), Risk::Caution, "ask for passwords"),
        ("image/png", "logo.png", b"<svg onload=x>".to_vec(), Risk::Danger, "but it is a drawing (SVG)"),
        ("text/plain", "run.txt", b"#!/bin/sh\n".to_vec(), Risk::Danger, "but it is a script"),
        (octets, "run.sh", b"#!/bin/sh\n".to_vec(), Risk::Danger, "It is a script"),
        (octets, "sums.xlsm", zip(&[OFFICE, &["word/vbaProject.bin"]].concat()), Risk::Danger, "macros"),
        (octets, "sums.docx", zip(&[OFFICE, &["word/vbaProject.bin"]].concat()), Risk::Danger, "macros"),
        ("application/msword", "a.doc", ole("WordDocument"), Risk::Caution, "old format"),
        ("application/msword", "a.doc", ole("EncryptedPackage"), Risk::Caution, "locked with a password"),
        ("application/zip", "a.zip", zip(&["a.txt"]), Risk::Caution, "only if you expected it"),
        (
            "application/zip",
            "a.zip",
            zip(&["b/setup.exe"]),
            Risk::Danger,
            "It holds a file that can run on your computer: setup.exe",
        ),
        ("application/zip", "a.zip", zip(&["bill.pdf.js"]), Risk::Danger, "bill.pdf.js"),
        (octets, "a.iso", disk(), Risk::Danger, "disk image"),
        (octets, "a.lnk", padded(b"\x4c\0\0\0\x01\x14\x02\0"), Risk::Danger, "shortcut"),
        ("image/jpeg", "annexe\u{202e}gpj.exe", PNG.to_vec(), Risk::Danger, "read as something else"),
        ("application/pdf", "invoice.pdf      .html", html, Risk::Danger, "out of sight"),
    ] {
        let verdict = judged(media_type, name, &bytes, SenderStanding::Known);
        let said = format!("{} {}", verdict.difference, verdict.reasons.join(" "));
        assert_eq!(verdict.risk, risk, "{media_type} {name}: {said}");
        assert!(said.contains(words), "{media_type} {name}: {said:?}");
        assert_eq!(verdict.risk == Risk::None, said.trim().is_empty(), "{name}: {said}");
    }
}

#[test]
fn a_stranger_turns_caution_into_a_warning_and_leaves_plain_files_alone() {
    for sender in [SenderStanding::FirstTime, SenderStanding::LookAlike] {
        let verdict = judged("text/html", "a.html", b"<html><body>", sender);
        assert_eq!(verdict.risk, Risk::Danger);
        assert!(verdict.reasons.last().unwrap().contains("sender"), "{:?}", verdict.reasons);
        let verdict = judged("image/png", "cat.png", PNG, sender);
        assert_eq!((verdict.risk, verdict.reasons.len()), (Risk::None, 0));
    }
}

#[test]
fn an_archive_of_plain_files_from_a_stranger_is_a_caution_and_any_other_a_warning() {
    let first = SenderStanding::FirstTime;
    for (bytes, sender, risk) in [
        (zip(&["photos/", "photos/cat.jpg", "plan.pdf", "a.txt"]), first, Risk::Caution),
        (zip(&["a.txt"]), SenderStanding::LookAlike, Risk::Danger),
        (zip(&["cat.jpg", "b/setup.exe"]), first, Risk::Danger),
        (zip(&["cat.jpg", "bill.html"]), first, Risk::Danger),
        (zip(&["more.zip"]), first, Risk::Danger),
        (zip(&["invoice\u{2024}pdf"]), first, Risk::Danger),
        (locked(), first, Risk::Danger),
        (b"PK\x03\x04".to_vec(), first, Risk::Danger),
        (b"7z\xbc\xaf\x27\x1c\0\x04".to_vec(), first, Risk::Danger),
    ] {
        let verdict = judged("application/zip", "a.zip", &bytes, sender);
        assert_eq!(verdict.risk, risk, "{:?} {sender:?}", archive::list(&bytes));
        assert!(verdict.reasons.last().unwrap().contains("sender"), "{:?}", verdict.reasons);
    }
    let verdict = judged("application/pdf", "a.pdf", &zip(&["a.txt"]), first);
    assert!(verdict.difference.contains("a zip archive"), "{verdict:?}");
}

fn locked() -> Vec<u8> {
    let mut bytes = zip(&["a.txt"]);
    // The flag in the entry itself and in the directory.
    for (mark, flags) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        let at = memchr::memmem::find(&bytes, mark).unwrap();
        bytes[at + flags] |= 1;
    }
    bytes
}

#[test]
fn locked_archives_say_so() {
    let bytes = locked();
    let verdict = judged("application/zip", "a.zip", &bytes, SenderStanding::Known);
    assert!(verdict.reasons.join(" ").contains("locked with a password"), "{:?}", verdict.reasons);
    assert!(archive::list(&bytes).unwrap().entries[0].locked);
}

#[test]
fn archives_are_listed_and_broken_ones_end_in_a_sentence() {
    let names: Vec<String> = (0..1_200).map(|n| format!("folder/file-{n}")).collect();
    let bytes = zip(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let listing = archive::list(&bytes).unwrap();
    assert_eq!((listing.entries.len(), listing.total), (archive::ENTRIES_MAX, 1_200));
    assert_eq!(listing.notes, ["Only the first 1000 of 1200 entries are listed."]);
    let evil = archive::list(&zip(&["../../etc/passwd", "cat\u{202e}gpj.exe"])).unwrap();
    assert_eq!(evil.entries[1].name, "catgpj.exe");
    assert_eq!(evil.entries[1].risk, Risk::Danger);
    for end in (0..bytes.len()).step_by(997) {
        // Whatever comes of it, it ends.
        drop(archive::list(&bytes[..end]));
    }
    assert!(archive::list(b"PK\x03\x04").is_err());
    assert!(archive::list(b"neither").is_err());
}

#[test]
fn calendars_become_fields() {
    let text = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VTIMEZONE\r\nTZID:W. Europe Standard Time\r\n\
        BEGIN:STANDARD\r\nDTSTART:16010101T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\n\
        END:VTIMEZONE\r\nBEGIN:VEVENT\r\nSUMMARY:Heron\\, count\r\n\
        DTSTART;TZID=W. Europe Standard Time:20250603T100000\r\nDURATION:PT90M\r\n\
        ATTENDEE;CN=\"Alice A\";PARTSTAT=DECLINED:MAILTO:alice@lab.test\r\nRRULE:FREQ=WEEKLY;COUNT=3\r\n\
        END:VEVENT\r\nBEGIN:VTODO\r\nSUMMARY:Boots\r\nDUE;VALUE=DATE:20250602\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";
    let calendar = calendar::read(text.as_bytes()).unwrap();
    assert_eq!((calendar.method.as_str(), calendar.total), ("request", 2));
    let [event, task] = calendar.events.as_slice() else { panic!("{calendar:?}") };
    assert_eq!(event.summary, "Heron, count");
    let start = event.start.as_ref().unwrap();
    // Ten in the morning in Berlin is eight in UTC, in June.
    assert_eq!((start.time, start.at), (Some((10, 0)), Some(1_748_937_600)), "{start:?}");
    assert_eq!(event.end.as_ref().unwrap().at, Some(1_748_937_600 + 90 * 60));
    assert_eq!(event.attendees[0].name, "Alice A");
    assert_eq!(
        (event.attendees[0].address.as_str(), event.attendees[0].answer.as_str()),
        ("alice@lab.test", "declined")
    );
    assert_eq!(event.repeats, "FREQ=WEEKLY;COUNT=3");
    assert!(task.is_task);
    assert_eq!(task.end.as_ref().map(|end| (end.day, end.time)), Some(((2025, 6, 2), None)));
    for broken in ["", "BEGIN:VCALENDAR", "hello", "BEGIN:VCALENDAR\r\nDTSTART:99999999T999999Z\r\n"] {
        drop(calendar::read(broken.as_bytes()));
    }
    assert!(calendar::read(b"hello").is_err());
}

#[test]
fn cards_become_fields() {
    let text = "BEGIN:VCARD\r\nVERSION:2.1\r\nN:Okafor;Carol\r\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Carol =C3=93kafor\r\n\
        TEL;CELL:+234 1 555\r\nEMAIL;INTERNET:carol@lab.test\r\nADR;HOME:;;3 Quay;Lagos;;;NG\r\n\
        PHOTO;ENCODING=BASE64;TYPE=JPEG:/9j/4AAQ\r\nEND:VCARD\r\nBEGIN:VCARD\r\nVERSION:4.0\r\nFN:Dora\r\nBDAY:19900203\r\nEND:VCARD\r\n";
    let cards = card::read(text.as_bytes()).unwrap();
    assert_eq!(cards.len(), 2, "{cards:?}");
    assert_eq!(cards[0].name, "Carol Ókafor");
    let field = |at: usize, name: &str| {
        cards[at].fields.iter().find(|(label, _)| label == name).map(|(_, text)| text.as_str())
    };
    assert_eq!(field(0, "Phone"), Some("+234 1 555"));
    assert_eq!(field(0, "Address"), Some("carol@lab.test"));
    assert_eq!(field(0, "Post"), Some("3 Quay, Lagos, NG"));
    assert_eq!(field(0, "Picture"), Some("not shown"));
    assert_eq!(field(1, "Birthday"), Some("1990-02-03"));
    assert!(card::read(b"hello").is_err());
}
