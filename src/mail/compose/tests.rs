//! What is written is read back as it was meant.

use super::*;
use crate::mail::message::parse;

fn person(name: &str, address: &str) -> Person {
    Person { name: name.to_owned(), address: address.to_owned() }
}

fn draft(body: &str) -> Draft {
    Draft {
        from: person("Alice Liddell", "alice@example.org"),
        to: vec![person("", "bob@example.com")],
        subject: "Tea".to_owned(),
        body: body.to_owned(),
        message_id: "one@example.org".to_owned(),
        date: 1_715_942_400,
        ..Draft::default()
    }
}

fn assert_sound(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.is_ascii());
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "bare line break in {text}");
    assert!(text.split("\r\n").all(|line| line.len() <= LINE_MAX));
}

#[test]
fn a_short_letter_is_exactly_this() {
    let bytes = to_bytes(&draft("Dear Bob,\n\ntea at five?\n\n-- \nAlice"));
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        "From: Alice Liddell <alice@example.org>\r\nTo: bob@example.com\r\nSubject: Tea\r\n\
         Date: Fri, 17 May 2024 10:40:00 +0000\r\nMessage-ID: <one@example.org>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8; format=flowed\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
         Dear Bob,\r\n\r\ntea at five?\r\n\r\n-- \r\nAlice\r\n"
    );
}

#[test]
fn what_is_written_is_read_back() {
    let bodies = [
        "Plain.",
        "Grüße aus Wien, und zwar sehr herzliche, lange und ausführliche Grüße, die über eine Zeile hinausgehen.",
        "早上好，鲍勃。今天下午五点喝茶吗？",
        "A long line of words that goes on and on, well beyond the width at which lines are wrapped on the wire.",
        "> quoted long line of words that goes on and on, well beyond the width at which lines are wrapped on wires\n\nYes.",
        ">     if a > b:\n>         return a\n>  > and a mark of the writer's own",
        "From here on\n indented\n>quote without a blank",
        "-- \nAlice",
        "-- and this is a line that begins like a signature but is not one because it goes on and on and on for long",
        "",
        &"x".repeat(5000),
        &"é ".repeat(3000),
    ];
    for body in bodies {
        let mut draft = draft(body);
        draft.attachments = vec![Attachment {
            name: "cat.txt".to_owned(),
            content_type: "text/plain".to_owned(),
            bytes: b"Miau".into(),
        }];
        for attachments in [0, 1] {
            draft.attachments.truncate(attachments);
            let bytes = to_bytes(&draft);
            assert_sound(&bytes);
            let expected = body.replace("\n>quote", "\n> quote");
            assert_eq!(parse(&bytes).plain().unwrap().trim_end(), expected.trim_end(), "{body}");
        }
    }
}

#[test]
fn headers_are_read_back_whatever_is_in_them() {
    let mut draft = draft("Hello");
    draft.subject = "Grüße \u{1f375} und noch viel mehr Text, damit es mehrere Wörter werden: äöüß".repeat(3);
    draft.from = person("Liddell, \"Alice\"", "alice@example.org");
    draft.to = (0..500).map(|n| person("Böb Builder", &format!("bob{n}@example.com"))).collect();
    draft.cc = vec![person("=?utf-8?q?no?=", "cc@example.com"), person("a.b (c)", "d@bücher.example")];
    draft.bcc = vec![person("", "secret@example.com")];
    draft.references = (0..50).map(|n| format!("{n}@example.org")).collect();
    draft.in_reply_to = Some("49@example.org".to_owned());
    let bytes = to_bytes(&draft);
    assert_sound(&bytes);
    assert!(bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 79));
    let message = parse(&bytes);
    assert_eq!(message.subject, draft.subject);
    assert_eq!(message.from, [draft.from]);
    assert_eq!(message.to, draft.to);
    assert_eq!(
        message.cc,
        [person("=?utf-8?q?no?=", "cc@example.com"), person("a.b (c)", "d@xn--bcher-kva.example")]
    );
    assert_eq!(message.bcc, draft.bcc);
    assert_eq!(message.references, draft.references);
    assert_eq!(message.in_reply_to, ["49@example.org"]);
    assert_eq!(message.message_id.as_deref(), Some("one@example.org"));
    assert_eq!(message.date, Some(draft.date));
}

#[test]
fn no_field_can_begin_another() {
    let evil = "x\r\nBcc: eve@example.net\r\n\r\nbody\0";
    let mut draft = draft("Hello");
    draft.subject = evil.to_owned();
    draft.from = person(evil, evil);
    draft.to = vec![person(evil, "bob@example.com\r\nBcc: eve@example.net")];
    draft.message_id = evil.to_owned();
    draft.in_reply_to = Some(evil.to_owned());
    draft.references = vec![evil.to_owned()];
    draft.attachments = vec![Attachment {
        name: evil.to_owned(),
        content_type: "text/html\r\nX-Evil: 1".to_owned(),
        bytes: vec![],
    }];
    let bytes = to_bytes(&draft);
    assert_sound(&bytes);
    let message = parse(&bytes);
    assert_eq!(message.bcc, []);
    assert!(message.header("x-evil").is_none());
    assert_eq!(message.plain().as_deref(), Some("Hello"));
    assert_eq!(message.part(3).map(|part| part.content_type.as_str()), Some("application/octet-stream"));
}

#[test]
fn files_come_back_as_they_went() {
    let all: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    let inner = to_bytes(&draft("Inside"));
    let mut draft = draft("See below");
    draft.attachments = vec![
        Attachment {
            name: "Kätzchen und ein sehr langer Name, der nicht in eine Zeile passt.jpg".into(),
            content_type: "image/jpeg".into(),
            bytes: all.clone(),
        },
        Attachment { name: "say \"hi\".bin".into(), content_type: "nonsense".into(), bytes: vec![] },
        Attachment { name: "inner.eml".into(), content_type: "message/rfc822".into(), bytes: inner.clone() },
        Attachment {
            name: "eight.eml".into(),
            content_type: "message/rfc822".into(),
            bytes: b"Subject: \xe9\n\nx".into(),
        },
    ];
    let bytes = to_bytes(&draft);
    assert_sound(&bytes);
    let message = parse(&bytes);
    let files: Vec<_> = message
        .attachments()
        .map(|part| (part.name.clone().unwrap(), part.decoded(&bytes).into_owned()))
        .collect();
    assert_eq!(files[0], (draft.attachments[0].name.clone(), all));
    assert_eq!(files[1], ("say _hi_.bin".to_owned(), vec![]));
    assert_eq!(files[2].0, "inner.eml");
    assert_eq!(files[2].1, inner.strip_suffix(b"\r\n").unwrap());
    assert_eq!(files[3].1, b"Subject: \xe9\n\nx");
}

#[test]
fn only_the_hidden_recipients_are_taken_out() {
    let mut draft = draft("Bcc: this is text\n");
    let open = to_bytes(&draft);
    draft.bcc = (0..20).map(|n| person("", &format!("secret{n}@example.com"))).collect();
    assert_eq!(without_bcc(&to_bytes(&draft)), open);
    assert_eq!(without_bcc(b"BCC : a\n b\nTo: c\n\nBcc: d\n"), b"To: c\n\nBcc: d\n");
    assert_eq!(without_bcc(b"To: c\nBcc: d"), b"To: c\n");
}

#[test]
fn people_are_read_as_typed_and_what_is_none_is_named() {
    assert_eq!(
        parse_people("Alice <alice@example.org>, bob@bücher.example;\n\"C, D\" <c@d>").unwrap(),
        [
            person("Alice", "alice@example.org"),
            person("", "bob@xn--bcher-kva.example"),
            person("C, D", "c@d")
        ]
    );
    assert_eq!(parse_people(" , "), Ok(vec![]));
    assert_eq!(parse_people(""), Ok(vec![]));
    for (typed, wrong) in [
        ("alice@example.org, bob", "bob"),
        ("bob@", "bob@"),
        ("@example.org", "@example.org"),
        ("a b c", "a b c"),
        ("Bob <bob@exa mple!.org>", "bob@example!.org"),
        ("bob..x@example.org", "bob..x@example.org"),
        ("ü@example.org", "ü@example.org"),
        ("<>", "<>"),
    ] {
        assert_eq!(parse_people(typed), Err(wrong.to_owned()), "{typed}");
    }
}

#[test]
fn a_message_id_tells_nothing_but_the_domain() {
    assert_eq!(new_message_id([0; 16], "Bücher.example"), "00000000000000000000000000@xn--bcher-kva.example");
    assert_eq!(new_message_id([255; 16], "evil>\r\n").split('@').nth(1), Some("message.invalid"));
}
