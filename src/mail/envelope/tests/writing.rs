//! Messages sealed and signed, and read again.

use proptest::prelude::*;

use super::*;
use crate::mail::address::Person;
use crate::mail::autocrypt::{DraftState, Gossip, Header};
use crate::mail::compose::{self, Attachment, Draft};

const ARMOR: &str = "-----BEGIN PGP MESSAGE-----\n\nwcDM\n-----END PGP MESSAGE-----\n";

fn person(name: &str, address: &str) -> Person {
    Person { name: name.to_owned(), address: address.to_owned() }
}

fn draft(subject: &str, body: &str) -> Draft {
    Draft {
        from: person("Alice", "alice@example.org"),
        to: vec![person("Bob", "bob@example.org")],
        cc: vec![person("Carol", "carol@example.org")],
        bcc: vec![person("Dave", "dave@example.org")],
        subject: subject.to_owned(),
        body: body.to_owned(),
        message_id: "tea@example.org".to_owned(),
        references: vec!["before@example.org".to_owned()],
        date: 1_737_367_200,
        ..Draft::default()
    }
}

fn string(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn what_is_sealed_shows_only_what_it_must() {
    let raw = compose::to_bytes(&draft("Tea at five", "At my place."));
    let raw = with_field(&raw, "", "");
    let raw = string(&raw).replacen(
        "Subject:",
        "Comments: secret\r\nKeywords: secret\r\nSecure-Join-Auth: secret\r\nAutocrypt: addr=a@x; keydata=AQ==\r\nSubject:",
        1,
    );
    let gossip = [Gossip { address: "carol@example.org".into(), keydata: vec![1, 2, 3] }];
    let made = protected(raw.as_bytes(), true, false, &gossip).unwrap();
    let (outer, payload) = (string(&made.outer), string(&made.payload));
    assert!(
        outer.contains("Subject: [...]\r\n") && outer.contains("Message-ID: <tea@example.org>\r\n"),
        "{outer}"
    );
    assert!(outer.contains("Autocrypt: addr=a@x") && !payload.contains("Autocrypt: "), "{payload}");
    for secret in ["Tea", "secret", "Bcc", "dave", "Content-", "MIME-Version", "HP-Outer", "Gossip"] {
        assert!(!outer.contains(secret), "{secret} in {outer}");
    }
    assert!(!payload.contains("dave") && !payload.contains("MIME-Version"), "{payload}");
    for inside in [
        "Subject: Tea at five\r\n",
        "Comments: secret\r\n",
        "Secure-Join-Auth: secret\r\n",
        "HP-Outer: Subject: [...]\r\n",
        "HP-Outer: From: Alice <alice@example.org>\r\n",
        "HP-Outer: References: <before@example.org>\r\n",
        "Autocrypt-Gossip: addr=carol@example.org; keydata=\r\n AQID\r\n",
        "; format=flowed;\r\n hp=\"cipher\"\r\n",
    ] {
        assert!(payload.contains(inside), "{inside:?} not in {payload}");
    }
    assert!(!payload.contains("HP-Outer: Comments") && !payload.contains("HP-Outer: Autocrypt"));
    assert_eq!(protected(made.payload.as_slice(), true, false, &[]), Err(Flaw::Already));
    assert_eq!(protected(&encrypted(&made.outer, ARMOR), true, false, &[]), Err(Flaw::Already));
    let large = [Gossip { address: "carol@example.org".into(), keydata: vec![0; 9000] }];
    assert_eq!(protected(raw.as_bytes(), true, false, &large), Err(Flaw::GossipTooLarge));
}

#[test]
fn a_draft_keeps_its_hidden_recipients_and_its_state() {
    let raw = compose::to_bytes(&draft("Tea", "Soon"));
    let made = protected_draft(&raw, &[]).unwrap();
    assert!(!string(&made.outer).contains("dave"));
    let state = DraftState { encrypt: true, is_reply_to_encrypted: true, by_choice: false };
    let message = message::parse(&draft_encrypted(&made.outer, ARMOR, state));
    assert_eq!(DraftState::parse(message.header(DraftState::NAME).unwrap()), Ok(state));
    let found = unwrapped(&draft_encrypted(&made.outer, ARMOR, state), &made.payload, true);
    let message = message::parse(&found.raw);
    assert_eq!(message.bcc[0].address, "dave@example.org");
    assert_eq!(found.protection.state("subject"), FieldState::Confidential);
}

#[test]
fn what_is_written_is_a_layer_when_read() {
    let made = protected(&compose::to_bytes(&draft("Tea", "Hi")), true, false, &[]).unwrap();
    let raw = encrypted(&made.outer, ARMOR);
    let body = ARMOR.replace('\n', "\r\n").into_bytes();
    assert_eq!(outermost(&raw, &message::parse(&raw)), Layer::Encrypted { body, mended: false });
    let made =
        protected(&compose::to_bytes(&draft("Tea", "Long line \nwith blank \nFrom here")), false, true, &[])
            .unwrap();
    let raw = signed(&made.outer, &made.payload, "sig\n", "pgp-sha512");
    let expected = Layer::Signed { signed: made.payload.clone(), signature: b"sig\r\n".to_vec() };
    assert_eq!(outermost(&raw, &message::parse(&raw)), expected);
    let signature = vec![7; 300];
    let raw = signed_unobtrusively(&made.outer, &made.payload, &signature);
    let expected = Layer::Unobtrusive { signed: made.payload.clone(), signatures: vec![signature] };
    assert_eq!(outermost(&raw, &message::parse(&raw)), expected);
    let message = message::parse(&raw);
    assert_eq!(message.plain().unwrap(), "Long line\nwith blank\nFrom here\n", "{}", string(&raw));
    assert_eq!(message.subject, "Tea", "programs without OpenPGP read it all");
    assert_eq!(unwrapped(&raw, &made.payload, false).protection.state("subject"), FieldState::Signed);
}

#[test]
fn what_is_signed_in_the_clear_survives_every_server() {
    let long = "Long words, and long lines that are broken softly with a blank at their ends. ".repeat(3);
    for body in [long.as_str(), "Grüße", "日本語", "-- \nAlice", "From me \n> \n>From you"] {
        let made = protected(&compose::to_bytes(&draft("Tea", body)), false, false, &[]).unwrap();
        let payload = string(&made.payload);
        assert!(payload.is_ascii());
        for line in payload.split("\r\n") {
            assert!(
                !line.ends_with([' ', '\t']) && !line.starts_with("From ") && line.len() <= 998,
                "{line:?}"
            );
        }
        let read = message::parse(&unwrapped(&made.outer, &made.payload, false).raw);
        assert_eq!(read.plain(), message::parse(&compose::to_bytes(&draft("Tea", body))).plain());
    }
    let high = "From: ä@example.org\r\nSubject: x\r\n\r\nHi\r\n";
    assert_eq!(protected(high.as_bytes(), false, false, &[]), Err(Flaw::NotSafe));
    assert!(protected(high.as_bytes(), true, false, &[]).is_ok());
    let mbox = "From: a@x\r\nContent-Type: text/plain\r\n\r\nFrom now on\r\n";
    let made = protected(mbox.as_bytes(), false, false, &[]).unwrap();
    assert_eq!(text(&message::parse(&made.payload)), "From now on\n");
    assert!(!string(&made.payload).contains("From now"));
}

#[test]
fn old_programs_find_the_subject_in_the_text_and_new_ones_do_not() {
    let files =
        [Attachment { name: "a.txt".into(), content_type: "text/plain".into(), bytes: b"file".to_vec() }];
    for (subject, attachments) in
        [("Tea", &files[..0]), ("Tee mit Grüßen an alle", &files[..]), ("日本", &files[..])]
    {
        let mut draft = draft(subject, "Hi Bob\n\nAlice");
        draft.attachments = attachments.to_vec();
        let raw = compose::to_bytes(&draft);
        let made = protected(&raw, true, true, &[]).unwrap();
        let old = message::parse(&made.payload);
        assert!(
            text(&old).starts_with(&format!("Subject: {subject}\n\nHi Bob")),
            "{}",
            string(&made.payload)
        );
        let found = unwrapped(&encrypted(&made.outer, ARMOR), &made.payload, true);
        let new = message::parse(&found.raw);
        assert_eq!((text(&new), new.subject.as_str()), (text(&message::parse(&raw)), subject));
        assert_eq!(
            new.attachments().map(|part| part.text(&found.raw)).collect::<Vec<_>>().len(),
            attachments.len()
        );
    }
    let html = "From: a@x\r\nSubject: 1 < 2\r\nContent-Type: text/html\r\n\r\n<html><body class=x><p>Hi</body></html>";
    let made = protected(html.as_bytes(), true, true, &[]).unwrap();
    assert!(message::parse(&made.payload).html().unwrap().contains("<pre>Subject: 1 &lt; 2</pre>"));
    let read = message::parse(&unwrapped(&made.outer, &made.payload, true).raw);
    assert_eq!(
        read.html().map(|html| html.replace(['\r', '\n'], "")).as_deref(),
        Some("<html><body class=x><p>Hi</body></html>")
    );
    let plain = protected(html.replace("1 < 2", "[...]").as_bytes(), true, true, &[]).unwrap();
    assert!(
        !string(&plain.payload).contains("hp-legacy-display"),
        "nothing is hidden, so nothing is repeated"
    );
}

#[test]
fn a_key_travels_to_the_next_program_with_words_for_people() {
    let raw = setup_message("alice@example.org", ARMOR, "17", "setup@example.org", 1_737_367_200);
    let message = message::parse(&raw);
    assert_eq!(message.header("Autocrypt-Setup-Message"), Some("v1"));
    assert_eq!(message.from[0].address, message.to[0].address);
    assert!(text(&message).contains("It begins with 17."), "{}", text(&message));
    let part = message.parts.iter().find(|part| part.content_type == "application/autocrypt-setup").unwrap();
    assert_eq!(part.name.as_deref(), Some("autocrypt-setup-message.html"));
    assert!(part.text(&raw).contains(&ARMOR.trim_end().replace('\n', "\r\n")));
    assert_eq!(outermost(&raw, &message), Layer::None);
    let file = key_attachment("-----BEGIN PGP PUBLIC KEY BLOCK-----\n", "AB/../CD");
    assert_eq!(
        (file.name.as_str(), file.content_type.as_str()),
        ("OpenPGP key ABCD.asc", "application/pgp-keys")
    );
}

#[test]
fn a_field_stays_one_field() {
    let key = Header { address: "alice@example.org".into(), mutual: true, keydata: vec![9; 200] };
    let outer = with_field(b"From: alice@example.org\r\n", Header::NAME, &key.to_field().unwrap());
    let message = message::parse(&[outer.as_slice(), b"\r\nHi"].concat());
    assert_eq!(Header::parse(message.header(Header::NAME).unwrap()), Ok(key));
    let outer = with_field(b"", "X", "a\r\nBcc: eve@x\n\n\rBcc: eve@x\n");
    let message = message::parse(&[outer.as_slice(), b"\r\nHi"].concat());
    assert_eq!(message.headers.len(), 1, "{:?}", message.headers);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_message_survives_seal_and_signature(
        subject in "[ -~äß日\u{1f600}]{0,120}",
        body in "([ -~\u{e4}\u{65e5}]{0,90}\n){0,12}",
        name in "[a-zA-Z ,.\"ü]{0,30}",
        file in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300)),
        cipher in any::<bool>(),
        display in any::<bool>(),
    ) {
        let mut draft = draft(&subject, &body);
        draft.to[0].name = name;
        draft.attachments = file
            .map(|bytes| Attachment { name: "f.bin".into(), content_type: "application/octet-stream".into(), bytes })
            .into_iter()
            .collect();
        let sent = compose::without_bcc(&compose::to_bytes(&draft));
        let before = message::parse(&sent);
        let made = protected(&sent, cipher, display, &[]).unwrap();
        let raw = if cipher {
            encrypted(&made.outer, ARMOR)
        } else if display {
            signed(&made.outer, &made.payload, "sig", "pgp-sha512")
        } else {
            signed_unobtrusively(&made.outer, &made.payload, &[1, 2, 3])
        };
        match outermost(&raw, &message::parse(&raw)) {
            Layer::Encrypted { mended, .. } => prop_assert!(cipher && !mended),
            Layer::Signed { signed, .. } | Layer::Unobtrusive { signed, .. } => {
                prop_assert!(!cipher);
                prop_assert_eq!(&signed, &made.payload);
            }
            other => prop_assert!(false, "{:?}", other),
        }
        let found = unwrapped(&raw, &made.payload, cipher);
        let after = message::parse(&found.raw);
        prop_assert_eq!(&after.subject, &before.subject);
        prop_assert_eq!((&after.from, &after.to, &after.cc, &after.bcc), (&before.from, &before.to, &before.cc, &before.bcc));
        prop_assert_eq!((&after.message_id, &after.references, after.date), (&before.message_id, &before.references, before.date));
        prop_assert_eq!(after.plain(), before.plain());
        let files = |message: &Message, raw: &[u8]| {
            message.attachments().map(|part| part.decoded(raw).into_owned()).collect::<Vec<_>>()
        };
        prop_assert_eq!(files(&after, &found.raw), files(&before, &sent));
        prop_assert!(found.protection.stated);
        let hidden = cipher && before.subject != HIDDEN_SUBJECT;
        prop_assert_eq!(found.protection.state("subject") == FieldState::Confidential, hidden);
        prop_assert!(found.protection.state("to") == FieldState::Signed);
    }
}
