//! Stories about mail that is odd, broken or hostile.

use super::*;
use proptest::prelude::*;

fn from_text(text: &str) -> Message {
    parse(text.replace('\n', "\r\n").as_bytes())
}

#[test]
fn alices_plain_message_is_understood() {
    let message = from_text(
        "From: Alice =?utf-8?q?B=C3=A4r?= <alice@lab.test>\nTo: bob@lab.test, \"Carol, C.\" <carol@lab.test>\nSubject: =?utf-8?b?R3LD?= =?utf-8?b?vMOfZQ==?=\n\
         Message-ID: <1@lab.test>\nIn-Reply-To: Bob's message of Monday <0@lab.test>\nReferences: <a@x> junk <b@x>\nDate: Thu, 1 Jan 1970 00:01:00 +0000\n\nHello\n",
    );
    assert_eq!(message.from[0].name, "Alice Bär");
    assert_eq!(message.to[1].name, "Carol, C.");
    assert_eq!(message.subject, "Grüße");
    assert_eq!(message.message_id.as_deref(), Some("1@lab.test"));
    assert_eq!(message.in_reply_to, ["0@lab.test"]);
    assert_eq!(message.references, ["a@x", "b@x"]);
    assert_eq!(message.effective_date(1000), 60);
    assert_eq!(message.effective_date(10), 10, "a date in the future is not believed");
    assert_eq!(message.plain().as_deref(), Some("Hello\n"));
    assert_eq!(message.attachments().count(), 0);
}

#[test]
fn raw_letters_in_headers_are_read_and_the_body_is_not_moved_by_it() {
    let mut raw = b"From: bob@lab.test\r\nSubject: caf\xe9\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nhi\r\n--x\r\nContent-Type: application/octet-stream; name=\"a.bin\"\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n".to_vec();
    raw.extend_from_slice(b"AAECAw==\r\n--x--\r\n");
    let message = parse(&raw);
    assert_eq!(message.subject, "café");
    let part = message.attachments().next().unwrap();
    assert_eq!(part.name.as_deref(), Some("a.bin"));
    assert_eq!(&*part.decoded(&raw), [0, 1, 2, 3]);
}

#[test]
fn calendars_cards_and_messages_within_are_files() {
    let raw = "From: a@lab.test\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n\nhi\n--x\nContent-Type: text/calendar; name=meet.ics\n\nBEGIN:VCALENDAR\n--x\nContent-Type: text/vcard; name=\"../bob.vcf\"\nContent-Disposition: attachment\n\nBEGIN:VCARD\n--x\nContent-Type: message/rfc822\n\nSubject: inner\nFrom: c@lab.test\n\ninside\n--x--\n".replace('\n', "\r\n");
    let message = parse(raw.as_bytes());
    let names: Vec<_> = message.attachments().map(|p| p.name.clone().unwrap_or_default()).collect();
    assert_eq!(names, ["meet.ics", "bob.vcf", "inner.eml"]);
    assert!(message.kinds().contains(&Kind::Calendar) && message.kinds().contains(&Kind::Attachment));
    let inner = message.attachments().last().unwrap();
    assert!(inner.decoded(raw.as_bytes()).starts_with(b"Subject: inner"));
}

#[test]
fn a_picture_within_the_text_is_no_attachment() {
    let raw = "From: a@lab.test\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=x\n\n--x\nContent-Type: text/html\n\n<img src=\"cid:logo@x\">\n--x\nContent-Type: image/png\nContent-ID: <logo@x>\nContent-Transfer-Encoding: base64\n\niVBORw==\n--x--\n";
    let message = from_text(raw);
    assert_eq!(message.attachments().count(), 0);
    assert!(message.inline_by_content_id("cid:logo@x").is_some());
    assert!(message.kinds().contains(&Kind::Image) && !message.kinds().contains(&Kind::Attachment));
}

#[test]
fn thousands_of_messages_within_messages_end() {
    let mut raw = String::from("From: eve@lab.test\r\nSubject: deep\r\n");
    for _ in 0..20_000 {
        raw.push_str("Content-Type: message/rfc822\r\n\r\n");
    }
    assert_eq!(parse(raw.as_bytes()).subject, "deep");
    let mut raw = String::from("From: eve@lab.test\r\n");
    for n in 0..20_000 {
        raw.push_str(&format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n"));
    }
    assert_eq!(parse(raw.as_bytes()).from.len(), 1);
}

#[test]
fn long_reference_lists_keep_their_first_and_last() {
    let all: String = (0..400).map(|n| format!("<{n}@x> ")).collect();
    let message = from_text(&format!("References: {all}\n\nx\n"));
    assert_eq!(message.references.len(), 100);
    assert_eq!((message.references[0].as_str(), message.references[99].as_str()), ("0@x", "399@x"));
}

#[test]
fn nothing_is_something_too() {
    for raw in [&b""[..], b"\r\n", b"\0\0\0", b"no header at all", b"From x\n", b":\n:\n", b"Subject", b"Content-Type: multipart/mixed\n\n--\n"] {
        let message = parse(raw);
        assert!(message.parts.len() <= 2, "{raw:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(raw: Vec<u8>) {
        let message = parse(&raw);
        for part in &message.parts {
            part.decoded(&raw);
        }
    }

    #[test]
    fn no_damage_to_a_real_message_makes_it_panic(at in 0_usize..400, byte: u8, cut in 0_usize..400) {
        let mut raw = b"From: a@lab.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"x\"\r\nSubject: =?utf-8?q?a?=\r\n\r\n--x\r\nContent-Type: text/plain; charset=iso-2022-jp; format=flowed\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na =\r\n=41 \x1b$B\r\n--x\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeAoKeAo=\r\n--x--\r\n".to_vec();
        let len = raw.len();
        raw[at % len] = byte;
        raw.truncate(len - cut % len);
        let message = parse(&raw);
        for part in &message.parts {
            part.decoded(&raw);
        }
    }

    #[test]
    fn base64_and_quoted_printable_undo_what_was_done(bytes: Vec<u8>) {
        prop_assert_eq!(base64(data_encoding::BASE64_MIME.encode(&bytes).as_bytes()), bytes.clone());
        let encoded: String = bytes.iter().map(|b| format!("={b:02X}")).collect();
        prop_assert_eq!(quoted_printable(encoded.as_bytes()), bytes);
    }
}
