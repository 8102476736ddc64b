//! Layers found, payloads made whole again.

use proptest::prelude::*;

use super::*;
use crate::mail::autocrypt::Gossip;
use crate::mail::reply;

const ARMOR: &str = "-----BEGIN PGP MESSAGE-----\r\n\r\nwcDM\r\n-----END PGP MESSAGE-----\r\n";
const VERSION: &str = "--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n";

fn data() -> String {
    format!("--b\r\nContent-Type: application/octet-stream\r\n\r\n{ARMOR}")
}

fn multipart(kind: &str, parts: &[&str]) -> String {
    format!(
        "From: alice@example.org\r\nContent-Type: multipart/{kind}; boundary=b\r\n\r\n{}--b--\r\n",
        parts.concat()
    )
}

#[test]
fn pgp_mime_is_exactly_two_parts() {
    let whole = "encrypted; protocol=\"application/pgp-encrypted\"";
    let other = "encrypted; protocol=\"application/x-other\"";
    let note = "--b\r\nContent-Type: text/plain\r\n\r\nBuy now\r\n";
    let body = ARMOR.trim_end().as_bytes().to_vec();
    let found = |mended| Layer::Encrypted { body: body.clone(), mended };
    for (kind, parts, expected) in [
        (whole, vec![VERSION, &data()], found(false)),
        ("encrypted", vec![VERSION, &data()], found(true)),
        (whole, vec![VERSION, &data(), note], Layer::None),
        (whole, vec![note, VERSION, &data()], Layer::None),
        (whole, vec![&data(), VERSION], Layer::None),
        (whole, vec![&data()], Layer::None),
        (whole, vec![], Layer::None),
        (other, vec![VERSION, &data()], Layer::None),
        ("mixed", vec![VERSION, &data()], found(true)),
        ("mixed", vec!["--b\r\nContent-Type: text/plain\r\n\r\n\r\n", VERSION, &data()], found(true)),
        // What a person wrote beside it would be lost: then it is no envelope.
        ("mixed", vec![note, VERSION, &data()], Layer::None),
        ("mixed", vec![VERSION, &data(), note], Layer::None),
    ] {
        let raw = multipart(kind, &parts.iter().map(|part| &**part).collect::<Vec<_>>());
        assert_eq!(layer(&raw), expected, "{raw}");
    }
    let coded =
        data().replace("octet-stream\r\n\r\n", "octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    let coded = coded.replace(ARMOR, "wcDM\r\n");
    let raw = multipart(whole, &[VERSION, &coded]);
    assert_eq!(layer(&raw), Layer::Encrypted { body: vec![0xc1, 0xc0, 0xcc], mended: false });
}

#[test]
fn a_signature_covers_the_bytes_as_they_were_sent() {
    let part = "--b\r\nContent-Type: text/plain\r\n\r\nTea? \r\n\r\n";
    let signature = "\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\nsig\r\n";
    let kind = "signed; protocol=\"application/pgp-signature\"; micalg=pgp-sha512";
    let raw = multipart(kind, &[part, signature]);
    let signed = b"Content-Type: text/plain\r\n\r\nTea? \r\n\r\n".to_vec();
    let expected = Layer::Signed { signed, signature: b"sig".to_vec() };
    assert_eq!(layer(&raw), expected);
    assert_eq!(layer(&raw.replace("\r\n", "\n")), expected, "stored with bare line feeds");
    assert_eq!(layer(&multipart(kind, &[part])), Layer::None);
    assert_eq!(layer(&multipart(kind, &[part, part, signature])), Layer::None);
    assert_eq!(layer(&multipart(kind, &[signature, part])), Layer::None);
    let smime =
        raw.replace("protocol=\"application/pgp-signature\"", "protocol=\"application/pkcs7-signature\"");
    let payload = Some(b"Content-Type: text/plain\r\n\r\nTea? \r\n\r\n".to_vec());
    assert_eq!(layer(&smime), Layer::SMime { encrypted: false, payload });
    // A list's footer, or Mallory's text before it: errant, whatever the signature says.
    let wrapped = format!("--o\r\n{}\r\n--o\r\n\r\nfooter\r\n--o--", raw.split_once("\r\n").unwrap().1);
    let raw = format!("From: list@example.org\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n{wrapped}");
    assert_eq!(layer(&raw), Layer::None);
}

#[test]
fn signature_fields_are_passed_over_and_not_signed() {
    let part = "--b\r\nSig: t=p; b=\r\n AQI\r\n D\r\nsig:t=P;b=BAUG\r\nSig: t=c; b=AAAA\r\nContent-Type: text/plain; hp=clear\r\n\r\nTea?\r\n";
    let expected = Layer::Unobtrusive {
        signed: b"Content-Type: text/plain; hp=clear\r\n\r\nTea?".to_vec(),
        signatures: vec![vec![1, 2, 3], vec![4, 5, 6]],
    };
    assert_eq!(layer(&multipart("mixed", &[part])), expected);
    assert_eq!(layer(&multipart("mixed", &[part, "--b\r\n\r\nMore\r\n"])), Layer::None);
    assert_eq!(layer(&multipart("alternative", &[part])), Layer::None);
    let late = part.replace("--b\r\n", "--b\r\nX-First: 1\r\n");
    assert_eq!(layer(&multipart("mixed", &[&late])), Layer::None);
}

#[test]
fn openpgp_in_plain_text_counts_where_it_is_all_there_is() {
    let body = ARMOR.as_bytes().to_vec();
    let plain = |text: &str| layer(&format!("From: a@x\r\nContent-Type: text/plain\r\n\r\n{text}"));
    let found = Layer::InlineEncrypted { body, charset: None };
    assert_eq!(plain(ARMOR), found);
    assert_eq!(plain(&format!("\r\n \r\n{ARMOR}\r\n\r\n")), found);
    assert_eq!(
        plain(&ARMOR.replace("\r\n\r\n", "\r\n\u{a0}\r\n")),
        found,
        "a no-break space in the blank line"
    );
    assert_eq!(plain(&format!("Look:\r\n{ARMOR}")), Layer::None);
    assert_eq!(plain(&format!("{ARMOR}\r\n{ARMOR}")), Layer::None);
    assert_eq!(plain(&format!("> {}", ARMOR.replace("\r\n", "\r\n> "))), Layer::None);
    let html = format!("From: a@x\r\nContent-Type: text/html\r\n\r\n{ARMOR}");
    assert_eq!(layer(&html), Layer::None);
    let signed = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nTea?\n- -----BEGIN PGP SIGNATURE-----\n-----BEGIN PGP SIGNATURE-----\n\nsig\n-----END PGP SIGNATURE-----\n";
    let Layer::InlineSigned { block, before, after, .. } = plain(&format!("I pay.\n{signed}Not.")) else {
        panic!()
    };
    assert_eq!((block.as_slice(), before.as_str(), after.as_str()), (signed.as_bytes(), "I pay.\n", "Not."));
    assert_eq!(plain(&format!("I pay.\n{signed}")).kind(), Kind::PartlySigned);
    assert_eq!(plain(&format!("{signed}\n\n")).kind(), Kind::Signed);
    assert_eq!(plain("-----BEGIN PGP SIGNED MESSAGE-----\n\nTea?\n"), Layer::None);
}

const OUTER: &str = "Received: from mx.example.org\r\nAuthentication-Results: mx.example.org; dkim=pass\r\n\
    Autocrypt: addr=alice@example.org; keydata=AQID\r\nAutocrypt-Gossip: addr=eve@example.org; keydata=AQID\r\n\
    From: Alice <alice@example.org>\r\nTo: bob@example.org, eve@example.org\r\nCc: mallory@example.org\r\n\
    Reply-To: mallory@example.org\r\nMail-Followup-To: mallory@example.org\r\nSender: mallory@example.org\r\n\
    Subject: [...]\r\nDate: Mon, 20 Jan 2025 10:00:00 +0000\r\nMessage-ID: <outer@example.org>\r\n\
    In-Reply-To: <wrong@example.org>\r\nReferences: <wrong@example.org>\r\nList-Id: <tea.example.org>\r\n\
    Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\r\n\r\n--b--\r\n";

#[test]
fn the_header_inside_is_the_header() {
    let payload = "From: Alice <alice@example.org>\r\nTo: bob@example.org\r\nSubject: Tea at five\r\n\
        Message-ID: <inner@example.org>\r\nReferences: <thread@example.org>\r\nReceived: from a lie\r\n\
        Authentication-Results: mx.example.org; dmarc=pass\r\nAutocrypt-Gossip: addr=carol@example.org; keydata=AQID\r\n\
        HP-Outer: From: Alice <alice@example.org>\r\nHP-Outer: To: bob@example.org\r\nHP-Outer: Subject: [...]\r\n\
        Content-Type: text/plain; hp=\"cipher\"\r\n\r\nAt my place.\r\n";
    let (message, found) = opened(OUTER, payload, true);
    assert_eq!(message.subject, "Tea at five");
    assert_eq!(text(&message), "At my place.\n");
    let all = reply::reply(&message, "", &["bob@example.org".to_owned()], true, "");
    assert_eq!((all.to.len(), all.cc.len()), (1, 0), "nobody from outside is written to: {all:?}");
    assert_eq!(all.references, ["thread@example.org", "inner@example.org"]);
    assert!(message.in_reply_to.is_empty() && message.sender.is_empty());
    assert_eq!(message.date, Some(1_737_367_200), "the date falls back");
    assert_eq!(message.list_id.as_deref(), Some("tea.example.org"));
    let values = |name: &str| {
        let mine = message.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        mine.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(values("authentication-results"), ["mx.example.org; dkim=pass"]);
    assert_eq!(values("received"), ["from mx.example.org"]);
    assert!(values("hp-outer").is_empty());
    assert_eq!(values("autocrypt"), ["addr=alice@example.org; keydata=AQID"]);
    let told: Vec<String> = found.gossip.iter().map(|value| Gossip::parse(value).unwrap().address).collect();
    assert_eq!(told, ["carol@example.org"]);
    let protection = found.protection;
    assert!(protection.stated && !protection.inferred);
    assert_eq!(protection.outer_subject.as_deref(), Some("[...]"));
    assert_eq!(protection.from_differs, None);
    for (name, state) in [
        ("Subject", FieldState::Confidential),
        ("From", FieldState::Signed),
        ("To", FieldState::Signed),
        ("Date", FieldState::Unprotected),
        ("Cc", FieldState::Unprotected),
    ] {
        assert_eq!(protection.state(name), state, "{name}");
    }
}

#[test]
fn what_was_hidden_takes_a_seal_and_a_sender_who_says_so() {
    let payload = |hp: &str| {
        format!("From: alice@example.org\r\nSubject: Tea\r\nContent-Type: text/plain; {hp}\r\n\r\nHi\r\n")
    };
    for (hp, sealed, stated, inferred, subject) in [
        ("hp=cipher", true, true, false, FieldState::Confidential),
        ("hp=cipher", false, true, false, FieldState::Signed),
        ("hp=clear", true, true, false, FieldState::Signed),
        ("hp=clear", false, true, false, FieldState::Signed),
        ("protected-headers=v1", true, false, true, FieldState::Confidential),
        ("protected-headers=v1", false, false, true, FieldState::Signed),
        ("charset=utf-8", true, false, false, FieldState::Unprotected),
    ] {
        let (message, found) = opened(OUTER, &payload(hp), sealed);
        assert_eq!((found.protection.stated, found.protection.inferred), (stated, inferred), "{hp}");
        assert_eq!(found.protection.state("subject"), subject, "{hp} {sealed}");
        assert_eq!(message.subject, if stated || inferred { "Tea" } else { "[...]" }, "{hp}");
        assert_eq!(found.protection.is_protected(), message.reply_to.is_empty(), "{hp}");
    }
    assert_eq!(FieldState::Confidential.guard(true), Guard::SignedAndEncrypted);
    assert_eq!(FieldState::Confidential.guard(false).as_str(), "encrypted-only");
    assert_eq!(FieldState::Signed.guard(true).as_str(), "signed-only");
    assert_eq!(FieldState::Signed.guard(false), Guard::Unprotected);
}

#[test]
fn a_payload_without_a_header_takes_the_one_outside_but_no_gossip() {
    let (message, found) = opened(
        OUTER,
        "Content-Type: text/html\r\nAutocrypt-Gossip: addr=c@x; keydata=AQID\r\nX-Stray: 1\r\n\r\n<p>Hi",
        true,
    );
    assert_eq!((message.subject.as_str(), message.to.len(), message.cc.len()), ("[...]", 2, 1));
    assert_eq!(message.html(), Some("<p>Hi"));
    assert_eq!(found.gossip, ["addr=c@x; keydata=AQID"]);
    assert_eq!((message.header("autocrypt-gossip"), message.header("x-stray")), (None, None));
    assert!(opened(OUTER, "Autocrypt-Gossip: addr=c@x; keydata=AQID\r\n\r\nHi", false).1.gossip.is_empty());
    let (message, _) = opened(OUTER, "\r\nSubject: no header, but text", true);
    assert_eq!(
        (message.subject.as_str(), text(&message).as_str()),
        ("[...]", "Subject: no header, but text")
    );
}

#[test]
fn an_older_payload_that_only_hides_its_subject_takes_the_rest_from_outside() {
    let payload = "Subject: Tea\r\nContent-Type: text/plain; protected-headers=\"v1\"\r\n\r\nHi";
    let (message, found) = opened(OUTER, payload, true);
    assert_eq!((message.subject.as_str(), message.from.len(), message.to.len()), ("Tea", 1, 2));
    assert_eq!(found.protection.state("From"), FieldState::Unprotected);
    assert_eq!(found.protection.state("Subject"), FieldState::Confidential);
    assert_eq!(message.header("autocrypt-gossip"), None);
}

#[test]
fn a_whole_message_inside_is_the_message() {
    let inner = "From: Alice <alice@example.org>\r\nSubject: Tea\r\nContent-Type: text/plain\r\n\r\nHi\r\n";
    let (message, found) = opened(OUTER, &format!("Content-Type: message/rfc822\r\n\r\n{inner}"), true);
    assert_eq!((message.subject.as_str(), text(&message).as_str()), ("Tea", "Hi\n"));
    assert!(found.protection.inferred);
    // A signed message that is passed on, or a file, is no wrapper.
    let signed = "From: a@x\r\nContent-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\nAA==\r\n";
    for payload in [
        format!("Content-Type: message/rfc822\r\n\r\n{signed}"),
        format!("Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n{inner}"),
        "Content-Type: message/rfc822\r\n\r\nSubject: from nobody\r\n\r\nHi".to_owned(),
    ] {
        let (message, found) = opened(OUTER, &payload, true);
        assert_eq!(message.subject, "[...]", "{payload}");
        assert!(!found.protection.is_protected());
    }
}

#[test]
fn another_sender_inside_is_told_and_can_be_undone() {
    let payload = "From: The Boss <boss@example.org>\r\nSubject: Pay\r\nContent-Type: text/plain; hp=cipher\r\n\r\nNow.";
    let (message, found) = opened(OUTER, payload, true);
    assert_eq!(message.from[0].address, "boss@example.org");
    let differs = found.protection.from_differs.unwrap();
    assert_eq!(differs, ("alice@example.org".to_owned(), "boss@example.org".to_owned()));
    let message = message::parse(&with_outer_from(&found.raw, OUTER.as_bytes()));
    assert_eq!((message.from.len(), message.from[0].address.as_str()), (1, "alice@example.org"));
    assert_eq!((message.subject.as_str(), text(&message).as_str()), ("Pay", "Now."));
    let same = "From: \"Alice A.\" <ALICE@Example.ORG>\r\nContent-Type: text/plain; hp=cipher\r\n\r\n";
    assert_eq!(opened(OUTER, same, true).1.protection.from_differs, None);
}

#[test]
fn what_repeats_the_header_is_left_out_of_what_was_sealed() {
    let html = "<html><BODY><div class=\"header-protection-legacy-display\"><pre>Subject: Tea</pre><div>x</div></div><p>Hi <b>Bob</b></body>";
    let coded = data_encoding::BASE64.encode(html.as_bytes());
    let payload = format!(
        "From: alice@example.org\r\nSubject: Tea\r\nContent-Type: multipart/mixed; boundary=m; hp=\"cipher\"\r\n\r\n\
         --m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
         --a\r\nContent-Type: text/plain; hp-legacy-display=\"1\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
         Subject: Tea\r\nFrom: alice=\r\n\r\n\r\nHi =C3=A4\r\n\
         --a\r\nContent-Type: text/html; hp-legacy-display=1\r\nContent-Transfer-Encoding: base64\r\n\r\n{coded}\r\n--a--\r\n\
         --m\r\nContent-Type: text/plain; hp-legacy-display=1\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\n\
         Subject: kept\r\n\r\nall of it\r\n--m--\r\n"
    );
    let (message, found) = opened(OUTER, &payload, true);
    assert_eq!(message.html(), Some("<html><BODY><p>Hi <b>Bob</b></body>"));
    assert_eq!(message.plain().as_deref(), Some("Hi ä"));
    let file = message.parts.iter().find(|part| part.name.is_some()).unwrap();
    assert_eq!(file.text(&found.raw), "Subject: kept\r\n\r\nall of it");
    let (message, _) = opened(OUTER, &payload, false);
    assert!(message.html().unwrap().contains("Subject: Tea"), "outside of a seal the mark means nothing");
    let (message, _) = opened(OUTER, &payload.replace("; hp=\"cipher\"", ""), true);
    assert!(message.html().unwrap().contains("Subject: Tea"));
}

#[test]
fn text_without_the_mark_keeps_its_first_lines() {
    for (kind, body, seen) in [
        ("text/plain; hp=cipher", "Subject: Tea\r\n\r\nHi", "Subject: Tea\n\nHi"),
        ("text/plain; hp=cipher; hp-legacy-display=1", "Subject: Tea\r\n\r\nHi", "Hi"),
        ("text/plain; hp=cipher; hp-legacy-display=2", "Subject: Tea\r\n\r\nHi", "Subject: Tea\n\nHi"),
        ("text/plain; hp=cipher; hp-legacy-display=1", "no blank line", "no blank line"),
        (
            "text/html; hp=cipher; hp-legacy-display=1",
            "<p>header-protection-legacy-display",
            "<p>header-protection-legacy-display",
        ),
        (
            "text/html; hp=cipher; hp-legacy-display=1",
            "<div class=header-protection-legacy-display>never",
            "<div class=header-protection-legacy-display>never",
        ),
    ] {
        let payload = format!("From: a@x\r\nSubject: Tea\r\nContent-Type: {kind}\r\n\r\n{body}");
        assert_eq!(text(&opened(OUTER, &payload, true).0), seen, "{kind}");
    }
}

#[test]
fn hostile_payloads_cannot_add_fields_or_take_long() {
    let (message, found) = opened(
        "From: a@x\r\n\r\n",
        "Subject: a\rBcc: eve@x\rContent-Type: text/plain; hp=cipher\r\rHi",
        true,
    );
    assert_eq!((message.subject.as_str(), text(&message).as_str()), ("a", "Hi"), "an old Mac wrote it");
    assert!(found.protection.stated);
    let (message, _) = opened(
        "From: a@x\r\n\r\n",
        "Subject: a\rBcc: eve@x\r\nFrom: a@x\r\nContent-Type: text/plain; hp=cipher\r\n\r\nHi",
        true,
    );
    assert!(message.bcc.is_empty(), "{message:?}");
    for piece in [
        "Sig: t=p; b=AA\r\n",
        "-----BEGIN PGP MESSAGE-----",
        "-----BEGIN PGP SIGNED MESSAGE-----\n",
        "<div class=header-protection-legacy-display>",
        "HP-Outer: Subject: x\r\n",
        "--b\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n",
    ] {
        let long = piece.repeat(30_000);
        let raw =
            format!("From: a@x\r\nContent-Type: multipart/mixed; boundary=b; hp=cipher\r\n\r\n--b\r\n{long}");
        for raw in [raw, format!("Content-Type: text/plain\r\n\r\n{long}"), format!("{long}\r\n\r\n")] {
            layer(&raw);
            opened(&raw, &raw, true);
        }
        opened(
            OUTER,
            &format!("Content-Type: text/html; hp=cipher; hp-legacy-display=1\r\n\r\n{long}"),
            true,
        );
    }
}

/// What messages and payloads are made of, to be thrown together.
const PIECES: &[&str] = &[
    "From: alice@example.org\r\n",
    "To: bob@example.org\r\n",
    "Bcc: carol@example.org\n",
    "Subject: Tea\r\n",
    "HP-Outer: Subject: [...]\r\n",
    "Autocrypt-Gossip: addr=c@x; keydata=AQID\r\n",
    "MIME-Version: 1.0\r\n",
    "Content-Type: multipart/mixed; boundary=b; hp=cipher\r\n",
    "Content-Type: multipart/mixed; boundary=b; protected-headers=v1\r\n",
    "Content-Type: multipart/alternative; boundary=b\r\n",
    "Content-Type: multipart/encrypted; boundary=b\r\n",
    "Content-Type: multipart/signed; boundary=b\r\n",
    "Content-Type: text/html; hp=cipher; hp-legacy-display=1\r\n",
    "Content-Type: text/plain; hp-legacy-display=1; protected-headers=v1\r\n",
    "Content-Type: message/rfc822\r\n",
    "Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n",
    "Content-Type: application/octet-stream\r\n",
    "Content-Type: application/pgp-signature\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Transfer-Encoding: quoted-printable\r\n",
    "Sig: t=p; b=AQID\r\n",
    "<div class=header-protection-legacy-display></div>",
    "-----BEGIN PGP MESSAGE-----\r\n\r\nAA\r\n-----END PGP MESSAGE-----\r\n",
    "-----BEGIN PGP SIGNED MESSAGE-----\n\nTea\n-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n",
    "--b\r\n",
    "--b--\r\n",
    "\r\n",
    "\n",
    "\r",
    " ",
    "\u{a0}",
    "SGk=\r\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_thrown_together_stays_within_bounds(
        outer in proptest::collection::vec(0..PIECES.len(), 0..14),
        payload in proptest::collection::vec(0..PIECES.len(), 0..20),
        sealed in any::<bool>(),
    ) {
        let join = |pieces: Vec<usize>| pieces.into_iter().map(|at| PIECES[at]).collect::<String>();
        let (outer, payload) = (join(outer), join(payload));
        layer(&outer);
        let _next = inner(payload.as_bytes(), &message::parse(payload.as_bytes()));
        let (message, found) = opened(&outer, &payload, sealed);
        prop_assert_eq!(message.header("hp-outer"), None);
        prop_assert!(sealed || found.gossip.is_empty());
        if found.protection.stated {
            let within = message::parse(payload.as_bytes());
            prop_assert_eq!((&message.to, &message.bcc, &message.from), (&within.to, &within.bcc, &within.from));
            prop_assert_eq!(&message.subject, &within.subject);
        }
        if let Ok(made) = protected(outer.as_bytes(), sealed, true, &[]) {
            prop_assert!(message::parse(&made.payload).bcc.is_empty());
            let raw = encrypted(&made.outer, "armor");
            let read = layer(&String::from_utf8_lossy(&raw));
            let is_sound = matches!(read, Layer::Encrypted { mended: false, .. });
            prop_assert!(is_sound);
        }
    }
}
