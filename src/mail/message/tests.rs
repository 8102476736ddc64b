//! Stories of messages, whole and broken.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::mail::part::Risk;
use crate::mail::text;

/// One line per part: number, depth, type, role, name, decoded bytes.
fn outline(message: &Message) -> String {
    let mut out = String::new();
    for part in &message.parts {
        let depth = std::iter::successors(part.parent, |n| message.part(*n)?.parent).count();
        let name = part.name.as_deref().unwrap_or("-");
        writeln!(
            out,
            "{}{} {} {:?} {name} {}",
            "  ".repeat(depth),
            part.n,
            part.content_type,
            part.role,
            part.bytes
        )
        .unwrap();
    }
    out
}

fn kinds(message: &Message) -> Vec<Kind> {
    message.kinds().into_iter().collect()
}

#[test]
fn html_may_name_its_own_charset() {
    let letter = |body: &[u8]| [b"Content-Type: text/html\n\n", body].concat();
    let cases: &[(&[u8], &str)] = &[
        (b"<meta charset=\"iso-8859-2\"><p>P\xf8\xedklad</p>", "P\u{159}\u{ed}klad"),
        (
            b"<META http-equiv='Content-Type' content='text/html; charset=Shift_JIS'><p>\x82\xb1</p>",
            "\u{3053}",
        ),
        // Converted on the way; the old name was left standing.
        ("<meta charset=iso-8859-2><p>Př</p>".as_bytes(), "Př"),
        (b"<meta charset=utf-16><p>plain</p>", "plain"),
        (b"<meta charset=no-such><p>caf\xe9</p>", "café"),
    ];
    for (body, word) in cases {
        let html = parse(&letter(body)).html().unwrap().to_owned();
        assert!(html.contains(word), "{html:?} has {word}");
    }
}

#[test]
fn what_cannot_be_read_at_the_root_of_related_parts_is_passed_over() {
    let raw = b"Content-Type: multipart/related; boundary=b; start=\"<s>\"\n\n\
        --b\nContent-Type: application/smil\nContent-ID: <s>\n\n<smil/>\n\
        --b\nContent-Type: text/plain\n\nSee you at eight\n\
        --b\nContent-Type: image/jpeg\n\nx\n--b--\n";
    assert_eq!(parse(raw).plain().unwrap().trim(), "See you at eight");
}

#[test]
fn a_name_in_capitals_has_a_kind_too() {
    let letter = |name: &str| {
        parse(format!("Content-Type: application/octet-stream; name=\"{name}\"\n\nx").as_bytes())
    };
    assert!(letter("INVOICE.PDF").parts.iter().all(Part::is_document));
    assert!(letter("IMG_1.JPG").parts.iter().all(Part::is_image));
    assert!(letter("MEETING.ICS").parts.iter().all(Part::is_calendar));
}

#[test]
fn a_reaction_is_read_and_not_downloaded() {
    let raw = "Content-Type: text/plain; charset=utf-8\nContent-Disposition: reaction\n\n\u{1f44d}\n";
    let message = parse(raw.as_bytes());
    assert_eq!(message.plain().unwrap_or_default().trim(), "\u{1f44d}");
    assert_eq!(message.attachments().count(), 0);
}

#[test]
fn a_letter_with_everything_is_understood() {
    let raw = include_bytes!("../../../tests/data/messages/everything.eml");
    let message = parse(raw);
    assert_eq!(message.subject, "Fotos vom Grünen Hügel");
    assert_eq!(message.from, [Person { name: "Alice Liddell".into(), address: "alice@example.org".into() }]);
    assert_eq!(message.to.len(), 2);
    assert_eq!(message.date, Some(1_715_942_400));
    assert_eq!(message.message_id.as_deref(), Some("photos@example.org"));
    assert_eq!(message.references, ["first@example.org", "second@example.org"]);
    assert_eq!(message.list_id.as_deref(), Some("photos.example.org"));
    assert_eq!(
        outline(&message),
        "1 multipart/mixed Container - 1609\n  \
           2 multipart/related Container - 736\n    \
             3 multipart/alternative Container - 401\n      \
               4 text/plain Body - 74\n      \
               5 text/html Body - 98\n    \
             6 image/png Inline hill.png 67\n  \
           7 application/pdf Attachment Übersicht.pdf 9\n  \
           8 message/rfc822 Attachment Earlier letter.eml 101\n  \
           9 text/calendar Attachment invite.ics 65\n  \
           10 application/ms-tnef Attachment winmail.dat 4\n  \
           11 text/plain BodyAndAttachment fix.patch 25\n"
    );
    assert_eq!(
        message.plain().unwrap(),
        "Lieber Bob, dies ist eine lange Zeile, die weich umbrochen war.\n\n> Zitat\n\n--- a/tea\n+++ b/tea\n+more"
    );
    assert!(message.html().unwrap().contains("cid:hill@example.org"));
    assert!(message.html().unwrap().contains("<pre style=\"white-space: pre-wrap\">--- a/tea"));
    assert_eq!(message.inline_by_content_id("hill@example.org").map(|part| part.n), Some(6));
    assert_eq!(kinds(&message), [Kind::Attachment, Kind::Document, Kind::Calendar]);
    assert_eq!(message.part(7).unwrap().decoded(raw).as_ref(), b"%PDF-1.4\n");
    let nested = parse(&message.part(8).unwrap().decoded(raw));
    assert_eq!(
        (nested.subject.as_str(), nested.plain().as_deref()),
        ("Earlier letter", Some("The first one."))
    );
    assert!(!message.is_cut);
}

#[test]
fn bodies_are_chosen_as_a_reader_would() {
    // Each: the entity, the plain text, the HTML.
    let part = |kind: &str, text: &str| format!("--b\nContent-Type: {kind}\n\n{text}\n");
    let multi = |kind: &str, parts: &[String]| {
        format!("Content-Type: multipart/{kind}; boundary=b\n\n{}--b--\n", parts.concat())
    };
    let cases = [
        (String::from("\nHello"), Some("Hello"), None),
        (String::from("Content-Type: text/html\n\n<p>Hello"), None, Some("<p>Hello")),
        (multi("alternative", &[part("text/plain", "T"), part("text/html", "H")]), Some("T"), Some("H")),
        (multi("alternative", &[part("text/html", "H"), part("text/plain", "T")]), Some("T"), Some("H")),
        (multi("alternative", &[part("text/html", "H")]), None, Some("H")),
        (
            multi(
                "alternative",
                &[part("text/plain", "T"), part("text/x-amp-html", "A"), part("text/html", "H")],
            ),
            Some("T"),
            Some("H"),
        ),
        (multi("mixed", &[part("text/plain", "T"), part("text/plain", "F")]), Some("T\n\nF"), None),
        (
            multi("mixed", &[part("text/html", "H"), part("text/plain", "<F")]),
            None,
            Some("H<pre style=\"white-space: pre-wrap\">&lt;F</pre>"),
        ),
        (
            multi("mixed", &[part("text/plain; name=a.txt", "T"), part("text/plain; name=b.txt", "F")]),
            Some("T"),
            None,
        ),
        (
            multi(
                "signed; protocol=\"application/pgp-signature\"",
                &[part("text/plain", "T"), part("application/pgp-signature", "S")],
            ),
            Some("T"),
            None,
        ),
        (
            multi(
                "encrypted",
                &[part("application/pgp-encrypted", "Version: 1"), part("application/octet-stream", "C")],
            ),
            None,
            None,
        ),
        (String::from("Content-Type: image/png\n\nx"), None, None),
    ];
    for (raw, plain, html) in cases {
        let message = parse(raw.as_bytes());
        assert_eq!(message.plain().as_deref(), plain, "{raw}");
        assert_eq!(message.html(), html, "{raw}");
    }
}

#[test]
fn kinds_are_told_by_what_is_really_there() {
    let with = |header: &str, body: &str| {
        format!("Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHi\n--b\n{header}\n\n{body}\n--b--\n")
    };
    for (raw, expected) in [
        (String::from("\nHi"), vec![]),
        (with("Content-Type: image/png; name=cat.png", "x"), vec![Kind::Attachment, Kind::Image]),
        (with("Content-Type: application/pgp-keys; name=k.asc", "x"), vec![Kind::Attachment, Kind::Key]),
        (
            with(
                "Content-Type: text/plain\nContent-Disposition: attachment; filename=k.asc",
                "-----BEGIN PGP PUBLIC KEY BLOCK-----",
            ),
            vec![Kind::Attachment, Kind::Key],
        ),
        (
            with("Content-Type: application/octet-stream; name=letter.odt", "x"),
            vec![Kind::Attachment, Kind::Document],
        ),
        (with("Content-Type: text/calendar; method=REQUEST", "x"), vec![Kind::Attachment, Kind::Calendar]),
        (
            String::from(
                "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nHi\n--b\nContent-Type: text/calendar\n\nx\n--b--",
            ),
            vec![Kind::Calendar],
        ),
        (
            String::from(
                "Content-Type: multipart/signed; boundary=b\n\n--b\n\nHi\n--b\nContent-Type: application/pgp-signature; name=signature.asc\n\nx\n--b--",
            ),
            vec![Kind::Signed],
        ),
        (
            String::from(
                "Content-Type: multipart/encrypted; boundary=b\n\n--b\nContent-Type: application/pgp-encrypted\n\nx\n--b\nContent-Type: application/octet-stream\n\nx\n--b--",
            ),
            vec![Kind::Encrypted],
        ),
        (
            String::from(
                "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n\nx",
            ),
            vec![Kind::Encrypted, Kind::Attachment],
        ),
        (String::from("\nHi\n-----BEGIN PGP MESSAGE-----\n\nx"), vec![Kind::Encrypted]),
        (String::from("\n> -----BEGIN PGP MESSAGE-----\n\nx"), vec![]),
        (String::from("\n-----BEGIN PGP SIGNED MESSAGE-----\n\nx"), vec![Kind::Signed]),
    ] {
        let mut expected = expected;
        expected.sort();
        assert_eq!(kinds(&parse(raw.as_bytes())), expected, "{raw}");
    }
}

#[test]
fn raw_eight_bit_headers_follow_the_body() {
    let message = parse(b"Subject: \xc4\xe3\xba\xc3\nFrom: \xb0\xa2\xc0\xef <a@x>\nContent-Type: text/plain; charset=gb2312\n\n\xc4\xe3");
    assert_eq!(
        (message.subject.as_str(), message.from[0].name.as_str(), message.plain().as_deref()),
        ("你好", "阿里", Some("你"))
    );
    assert_eq!(parse(b"Subject: caf\xe9\n\n").subject, "café");
    assert_eq!(parse("Subject: café ✓\n\n".as_bytes()).subject, "café ✓");
}

#[test]
fn dates_are_read_as_far_as_they_make_sense() {
    for (written, seconds) in [
        ("Fri, 17 May 2024 12:40:00 +0200", Some(1_715_942_400)),
        ("17 May 24 10:40 GMT", Some(1_715_942_400)),
        ("Fri, 17 May 2024 10:40:00 (UTC)", Some(1_715_942_400)),
        ("Fri, 17 May 2024 10:40:00", Some(1_715_942_400)),
        ("17-May-2024 10:40:00", Some(1_715_942_400)),
        ("2024-05-17 10:40:00+00:00", Some(1_715_942_400)),
        ("Fri May 17 10:40:00 2024", Some(1_715_942_400)),
        ("Fri, May 17 10:40:00 EDT 2024", Some(1_715_956_800)),
        ("Fri, 17 May 2024 10:40 EDT", Some(1_715_956_800)),
        ("yesterday", None),
        ("", None),
        ("Fri, 99 May 2024 99:99:99 +0000", None),
    ] {
        assert_eq!(parse(format!("Date: {written}\n\n").as_bytes()).date, seconds, "{written}");
    }
    let message = parse(b"Date: Fri, 17 May 2024 10:40:00 +0000\n\n");
    assert_eq!(message.effective_date(2_000_000_000), 1_715_942_400);
    assert_eq!(message.effective_date(1_000_000_000), 1_000_000_000);
    assert_eq!(parse(b"").effective_date(5), 5);
}

#[test]
fn references_are_ids_each_once_and_not_too_many() {
    let message = parse(b"References: <a@x> rubbish <b@x>\n <a@x>\n\t<c\n @x> <broken <d@x>\nIn-Reply-To: Alice's letter <c@x>\n\n");
    assert_eq!(message.references, ["a@x", "b@x", "c@x", "d@x"]);
    assert_eq!(message.in_reply_to, ["c@x"]);
    let many: String = (0..100_000).map(|n| format!("<{n}@x>\n ")).collect();
    let message = parse(format!("References: {many}\n\n").as_bytes());
    assert_eq!(message.references.len(), 100);
    assert_eq!((message.references[0].as_str(), message.references[1].as_str()), ("0@x", "99901@x"));
    assert_eq!(parse(b"Message-ID: no.brackets@x\n\n").message_id.as_deref(), Some("no.brackets@x"));
}

#[test]
fn broken_messages_lose_nothing() {
    // A multipart that was cut off.
    let message = parse(
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHello\n--b\nContent-Type: image/png\n\nhalf",
    );
    assert!(message.is_cut);
    assert_eq!(
        outline(&message),
        "1 multipart/mixed Container - 44\n  2 text/plain Body - 5\n  3 image/png Attachment - 4\n"
    );
    // The boundary never comes, is not named, is named differently, or is another's beginning.
    assert_eq!(
        parse(b"Content-Type: multipart/mixed; boundary=b\n\nHello").plain().as_deref(),
        Some("Hello")
    );
    assert_eq!(
        parse(
            b"Content-Type: multipart/mixed\n\n--frontier\nContent-Type: text/plain\n\nHello\n--frontier--"
        )
        .plain()
        .as_deref(),
        Some("Hello")
    );
    assert_eq!(
        parse(b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHello\n--bb\nworld --b\n--b--")
            .plain()
            .as_deref(),
        Some("Hello\n--bb\nworld --b")
    );
    // An inner multipart that never ends does not swallow what follows the outer delimiter.
    let message = parse(b"Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/alternative; boundary=i\n\n--i\n\nOne\n--o\n\nTwo\n--o--");
    assert_eq!(message.plain().as_deref(), Some("One\n\nTwo"));
    // A part without even a blank line.
    assert_eq!(parse(b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n--b\n\nHello\n--b--").plain().as_deref(), Some("Hello"));
    // From an mbox; with carriage returns only; with NULs; nothing but text; nothing.
    assert_eq!(parse(b"From alice@x Fri May 17\nSubject: Tea\n\nHi").subject, "Tea");
    assert_eq!(parse(b"Subject: Tea\rTo: bob@y\r\rHi\rBob").plain().as_deref(), Some("Hi\nBob"));
    assert_eq!(parse(b"Subject: T\0ea\n\nH\0i").subject, "T ea");
    assert_eq!(parse(b"Just some words").plain().as_deref(), Some("Just some words"));
    assert_eq!(parse(b"").plain().as_deref(), Some(""));
}

#[test]
fn huge_and_deep_messages_are_bounded() {
    let subject = [b"Subject: ".as_slice(), &b"x".repeat(10 << 20), b"\nFrom: a@x\n\nHi"].concat();
    let message = parse(&subject);
    assert!(message.subject.len() <= FIELD_MAX);
    assert_eq!(message.from.len(), 1);
    let fields = [b"X-Field: y\n".repeat(100_000), b"\nHi".to_vec()].concat();
    assert_eq!(parse(&fields).headers.len(), 1000);
    let mut deep = String::new();
    for level in 0..1000 {
        write!(deep, "Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n").unwrap();
    }
    let message = parse(format!("{deep}\nHi").as_bytes());
    assert!(message.parts.len() <= 60 && message.plain().unwrap().ends_with("Hi"));
    let nested = "Content-Type: message/rfc822\n\n".repeat(100_000);
    assert_eq!(parse(nested.as_bytes()).parts.len(), 1);
    let wide = format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\nx\n".repeat(100_000));
    let message = parse(wide.as_bytes());
    assert!(message.is_cut && message.parts.len() == 1000);
    let dashes = format!("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n{}", "--\n".repeat(1_000_000));
    assert_eq!(parse(dashes.as_bytes()).parts.len(), 2);
}

#[test]
fn a_part_knows_where_it_lies() {
    let raw = b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nX: y\r\n\r\nHi\r\n\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\nS\r\n--b--\r\n";
    let message = parse(raw);
    assert_eq!(message.part(2).unwrap().raw_whole(raw), b"X: y\r\n\r\nHi\r\n");
    assert_eq!(message.part(3).unwrap().raw_body(raw), b"S");
    assert_eq!(message.attachments().count(), 0);
}

#[test]
fn risks_are_seen_in_what_the_sender_wrote() {
    let raw = "Content-Type: application/octet-stream; name*=utf-8''photo%E2%80%AEgpj.scr\n\nMZ";
    let message = parse(raw.as_bytes());
    let part = message.attachments().next().unwrap();
    assert_eq!((part.name.as_deref(), part.risk), (Some("photogpj.scr"), Risk::Danger));
}

fn fixtures() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    walk(Path::new("tests/data/messages"), &mut files);
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), files),
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    files.sort();
}

/// What holds of every message there is.
fn assert_sound(raw: &[u8]) {
    let message = parse(raw);
    assert!(message.headers.len() <= 1100 && message.parts.len() <= 1000 && message.references.len() <= 100);
    assert!(!message.parts.is_empty());
    for (index, part) in message.parts.iter().enumerate() {
        assert_eq!(part.n as usize, index + 1);
        assert!(part.header.start <= part.header.end && part.header.end == part.body.start, "{part:?}");
        assert!(part.body.start <= part.body.end && part.body.end <= raw.len(), "{part:?}");
        assert!(part.parent.is_none_or(|parent| parent < part.n));
        assert!(part.name.as_ref().is_none_or(|name| !name.contains(['/', '\\', '\0']) && !name.is_empty()));
        if !part.is_multipart() {
            assert_eq!(part.decoded(raw).len() as u64, part.bytes, "{part:?}");
        }
        let _ = part.text(raw);
    }
    let shown = [&message.subject].into_iter().chain(message.headers.iter().map(|(_, value)| value));
    for text in shown.chain(message.from.iter().flat_map(|person| [&person.name, &person.address])) {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    if let Some(plain) = message.plain() {
        let rejoined: String = text::blocks(&plain).iter().map(|block| block.text).collect();
        assert_eq!(rejoined, plain);
        assert!(text::snippet(&plain, 100).chars().count() <= 100);
        let _ = crate::mail::reply::reply(&message, &plain, &[], true, "Monday");
    }
    assert!(crate::mail::compose::without_bcc(raw).len() <= raw.len());
}

#[test]
fn all_fixtures_are_sound() {
    let fixtures = fixtures();
    assert!(!fixtures.is_empty());
    fixtures.iter().for_each(|raw| assert_sound(raw));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_message(raw in proptest::collection::vec(any::<u8>(), 0..2000)) {
        assert_sound(&raw);
    }

    #[test]
    fn any_text_is_a_message(raw in "(Subject|From|To|Content-Type|Content-Disposition|References|Date): [ -~é\\r\\n\\t=?*;<>,\"]{0,200}\\r?\\n\\r?\\n[ -~\\r\\n=]{0,200}") {
        assert_sound(raw.as_bytes());
    }

    #[test]
    fn damaged_messages_are_messages(which in any::<prop::sample::Index>(), cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..20)) {
        let fixtures = fixtures();
        let mut raw = fixtures[which.index(fixtures.len())].clone();
        for (place, byte, how) in cuts {
            if raw.is_empty() {
                break;
            }
            let at = place.index(raw.len());
            match how {
                0 => raw[at] = byte,
                1 => { raw.remove(at); }
                2 => raw.insert(at, byte),
                _ => { let tail = raw.split_off(at); raw.extend(tail.iter().skip(usize::from(byte))); }
            }
        }
        assert_sound(&raw);
    }
}

/// Walks real mail where a folder of it is named, and prints what looks wrong.
#[test]
fn real_mail_is_sound() {
    let Some(corpora) = std::env::var_os("MAILKEEP_CORPORA") else { return };
    for name in ["mime", "spam"] {
        let mut files = Vec::new();
        walk(&Path::new(&corpora).join(name), &mut files);
        let mut wrong = 0;
        for file in &files {
            let raw = std::fs::read(file).unwrap();
            let started = std::time::Instant::now();
            assert_sound(&raw);
            let message = parse(&raw);
            let plain = message.plain().unwrap_or_default() + message.html().unwrap_or_default();
            let names =
                message.parts.iter().filter_map(|part| part.name.clone()).collect::<Vec<_>>().join(" ");
            let people =
                message.from.iter().chain(&message.to).map(|it| format!("{it:?}")).collect::<String>();
            for (what, text) in
                [("subject", &message.subject), ("text", &plain), ("name", &names), ("people", &people)]
            {
                if let Some(at) = text.find('\u{fffd}') {
                    wrong += 1;
                    let near: String = text
                        .get(text.floor_char_boundary(at.saturating_sub(30))..)
                        .unwrap()
                        .chars()
                        .take(60)
                        .collect();
                    println!("{}: {what}: {near:?}", file.display());
                }
            }
            if started.elapsed().as_millis() > 2000 {
                println!("{}: slow: {:?} for {} bytes", file.display(), started.elapsed(), raw.len());
            }
        }
        println!("{name}: {} files, {wrong} look wrong", files.len());
    }
}

#[test]
fn the_fixtures_mean_what_their_names_say() {
    let read = |name: &str| parse(&std::fs::read(Path::new("tests/data/messages").join(name)).unwrap());
    let message = read("raw-gb-header.eml");
    assert_eq!(
        (message.subject.as_str(), message.from[0].name.as_str(), message.plain().unwrap().trim_end()),
        ("今天喝茶吗？", "爱丽丝", "下午五点。")
    );
    let message = read("cut-in-the-middle.eml");
    assert!(message.is_cut);
    assert_eq!(message.attachments().map(|part| part.bytes).sum::<u64>(), 13);
    let message = read("no-boundary-named.eml");
    assert_eq!((message.plain().as_deref(), message.html()), (Some("Plain."), Some("<p>Rich.</p>")));
    assert_eq!(read("old-mac-lines.eml").plain().as_deref(), Some("One.\nTwo.\n"));
    assert_eq!(read("from-an-mbox.eml").subject, "From a file of many");
    let message = read("signed-and-nested.eml");
    assert_eq!((message.subject.as_str(), message.to.len()), ("ユニ", 2));
    assert_eq!(
        outline(&message),
        "1 multipart/signed Container - 272\n  2 multipart/digest Container - 76\n    \
         3 message/rfc822 Attachment First.eml 22\n    4 message/rfc822 Attachment Second.eml 23\n  \
         5 application/pgp-signature Signature signature.asc 58\n"
    );
    let message = read("names-of-all-kinds.eml");
    assert_eq!(message.from[0].name, "boss@example.org");
    let files: Vec<_> =
        message.attachments().map(|part| (part.name.as_deref(), part.risk, part.bytes)).collect();
    assert_eq!(
        files,
        [
            (Some("bashrc"), Risk::None, 1),
            (Some("Кот.pdf.exe"), Risk::Danger, 2),
            (Some("Kätzchen.png"), Risk::None, 3),
            (Some("_CON"), Risk::None, 1),
        ]
    );
    let message = read("invitation.eml");
    assert_eq!(message.plain().as_deref(), Some("Tea at five."));
    assert_eq!(kinds(&message), [Kind::Attachment, Kind::Calendar]);
    assert_eq!(
        message.attachments().map(|part| part.role).collect::<Vec<_>>(),
        [Role::Invitation, Role::Attachment]
    );
}
