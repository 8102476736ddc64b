//! The samples of other programs and of those who attack them, each with the layer it has. Only where `MAILKEEP_CORPORA`
//! names a folder of them.

use std::path::PathBuf;

use super::*;

fn corpora() -> Option<PathBuf> {
    let folder = std::env::var_os("MAILKEEP_CORPORA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("not run: MAILKEEP_CORPORA names no folder of mail");
    }
    folder
}

/// The layer in one word.
fn word(layer: &Layer) -> &'static str {
    match layer {
        Layer::None => "none",
        Layer::Encrypted { mended: false, .. } => "encrypted",
        Layer::Encrypted { mended: true, .. } => "mended",
        Layer::Signed { .. } => "signed",
        Layer::Unobtrusive { .. } => "unobtrusive",
        Layer::InlineEncrypted { .. } => "inline encrypted",
        Layer::InlineSigned { .. } if layer.kind() == Kind::Signed => "inline signed",
        Layer::InlineSigned { .. } => "partly signed",
        Layer::SMime { encrypted: true, .. } => "smime encrypted",
        Layer::SMime { encrypted: false, .. } => "smime signed",
    }
}

/// Folder, and for each layer the files of it.
type Files = [(&'static str, &'static [&'static str])];
const LAYERS: &[(&str, &Files)] = &[
    (
        "pgp/comm-central-openpgp/mail/test/browser/openpgp/data/eml",
        &[
            (
                "encrypted",
                &[
                    "enc-to-carol@pgp.icu-revoked.eml",
                    "encrypted-and-signed-alice-to-bob-nonascii.eml",
                    "encrypted-to-alice-as-hidden-recipient.eml",
                    "inner-smime-sig-in-pgp-encrypted.eml",
                    "signed-by-0x3099ff1238852b9f-encrypted-to-0xf231550c4f47e38e-with-key.eml",
                    "signed-by-0x3099ff1238852b9f-encrypted-to-0xf231550c4f47e38e.eml",
                    "signed-by-0xfbfcc82a015e7330-encrypted-to-0xf231550c4f47e38e-multi-from.eml",
                    "signed-by-0xfbfcc82a015e7330-encrypted-to-0xf231550c4f47e38e-with-key.eml",
                    "signed-by-0xfbfcc82a015e7330-encrypted-to-0xf231550c4f47e38e.eml",
                    "signed-encrypted-autocrypt-gossip.eml",
                    "sigspoof-git-commit.eml",
                    "unsigned-encrypted-to-0xf231550c4f47e38e-from-0x3099ff1238852b9f-with-key.eml",
                    "unsigned-encrypted-to-0xf231550c4f47e38e-from-0x3099ff1238852b9f.eml",
                    "unsigned-encrypted-to-0xf231550c4f47e38e-from-0xfbfcc82a015e7330-with-key.eml",
                    "unsigned-encrypted-to-0xf231550c4f47e38e-from-0xfbfcc82a015e7330.eml",
                ],
            ),
            ("inline encrypted", &["bob-enc-inline-nbsp-qp.eml"]),
            (
                "inline signed",
                &[
                    "alice-signed.eml",
                    "alice-utf.eml",
                    "inline-signed-latin1.eml",
                    "inline-signed-utf8.eml",
                    "signed-inline-indented.eml",
                ],
            ),
            ("mended", &["alice-broken-exchange.eml"]),
            (
                "none",
                &[
                    "bob-enc-html-nbsp.eml",
                    "eve-duplicate.eml",
                    "forwarded-eml-signed-by-alice.eml",
                    "fwd-signed.eml",
                    "fwd-unsigned-encrypted.eml",
                    "multiple-signatures.eml",
                    "openpgp__stripped_sig.eml",
                    "partial-encrypt-for-alice-html.eml",
                    "partial-encrypt-for-alice-plaintext.eml",
                    "partial-encrypt-for-carol-html.eml",
                    "partial-encrypt-for-carol-plaintext.eml",
                    "signed-by-0xfbfcc82a015e7330-to-0xf231550c4f47e38e-unencrypted-in-mixed.eml",
                    "signed-with-mailman-footer.eml",
                    "unrelated-and-fake-keys-attached.eml",
                    "unsigned-unencrypted-0x3099ff1238852b9f-autocrypt.eml",
                    "unsigned-unencrypted-from-bob-to-alice.eml",
                    "unsigned-unencrypted-key-0x1f10171bfb881b1c-attached.eml",
                ],
            ),
            (
                "signed",
                &[
                    "bob-to-alice-signed-damaged-signature.eml",
                    "outer-pgp-sig-inner-pgp-enc-sig.eml",
                    "outer-pgp-sig-inner-pgp-enc-with-mixed.eml",
                    "outer-pgp-sig-inner-pgp-enc.eml",
                    "signed-by-0x3099ff1238852b9f-to-0xf231550c4f47e38e-unencrypted-with-key.eml",
                    "signed-by-0x3099ff1238852b9f-to-0xf231550c4f47e38e-unencrypted.eml",
                    "signed-by-0xfbfcc82a015e7330-to-0xf231550c4f47e38e-unencrypted-with-key.eml",
                    "signed-by-0xfbfcc82a015e7330-to-0xf231550c4f47e38e-unencrypted.eml",
                    "signed-mismatch-email-date.eml",
                ],
            ),
            (
                "smime signed",
                &[
                    "dual-signed-uncommon-content-type.eml",
                    "outer-smime-bad-sig-inner-pgp-enc-sig-with-mixed.eml",
                    "outer-smime-bad-sig-inner-pgp-enc-sig.eml",
                    "outer-smime-bad-sig-inner-pgp-enc.eml",
                ],
            ),
            ("unobtrusive", &["unob-signed-by-0x3099ff1238852b9f-to-0xf231550c4f47e38e.eml"]),
        ],
    ),
    (
        "pgp/protected-headers",
        &[
            (
                "encrypted",
                &[
                    "pgpmime-enc+legacy-disp.eml",
                    "pgpmime-layered+legacy-disp.eml",
                    "pgpmime-layered.eml",
                    "pgpmime-sign+enc+legacy-disp.eml",
                    "pgpmime-sign+enc.eml",
                    "unfortunately-complex.eml",
                ],
            ),
            ("signed", &["pgpmime-signed.eml"]),
            (
                "smime encrypted",
                &["smime-enc+legacy-disp.eml", "smime-sign+enc+legacy-disp.eml", "smime-sign+enc.eml"],
            ),
            ("smime signed", &["smime-multipart-signed.eml", "smime-onepart-signed.eml"]),
        ],
    ),
    (
        "pgp/autocrypt-spec/doc/appendix",
        &[
            ("encrypted", &["example-draft.eml", "example-gossip.eml"]),
            (
                "none",
                &[
                    "example-draft-cleartext.eml",
                    "example-gossip-cleartext.eml",
                    "example-setup-message.eml",
                    "example-simple-autocrypt.eml",
                ],
            ),
        ],
    ),
    (
        "pgp/johnny",
        &[
            (
                "inline signed",
                &["assets/valid-signed/eve-pgp-inline.eml", "assets/valid-signed/manager-pgp-inline.eml"],
            ),
            (
                "none",
                &[
                    "03-mime/m1-prepending-text/m1-pgp-inline.eml",
                    "03-mime/m1-prepending-text/m1-pgp-mime.eml",
                    "03-mime/m1-prepending-text/m1-smime.eml",
                    "03-mime/m2-hiding-with-html/m2-pgp-inline.eml",
                    "03-mime/m2-hiding-with-html/m2-pgp-inline2.eml",
                    "03-mime/m2-hiding-with-html/m2-pgp-mime.eml",
                    "03-mime/m2-hiding-with-html/m2-smime-mix.eml",
                ],
            ),
            ("partly signed", &["03-mime/m1-prepending-text/m1-pgp-inline2.eml"]),
            (
                "signed",
                &[
                    "04-id/i1-sender-signer-checks/i1-from-unequals-signer-pgp-mime.eml",
                    "assets/valid-signed/eve-pgp-mime.eml",
                    "assets/valid-signed/manager-pgp-mime.eml",
                ],
            ),
            (
                "smime signed",
                &[
                    "04-id/i1-sender-signer-checks/i1-from-unequals-signer-smime.eml",
                    "assets/valid-signed/eve-smime.eml",
                    "assets/valid-signed/manager-smime.eml",
                ],
            ),
        ],
    ),
    (
        "mime/chatmail-core/test-data/message",
        &[
            (
                "encrypted",
                &[
                    "alice_to_bob_no_intended_recipient_fingerprint.eml",
                    "encrypted-group-without-id.eml",
                    "encrypted-signed.eml",
                    "encrypted_with_received_headers.eml",
                    "group-introduction-no-gossip.eml",
                    "hp_legacy_display.eml",
                    "messed_up_message_id.eml",
                    "protonmail-repaired.eml",
                    "rfc1847_encapsulation.eml",
                    "text_from_alice_encrypted.eml",
                    "text_symmetrically_encrypted.eml",
                    "thunderbird_encrypted_signed.eml",
                    "thunderbird_encrypted_signed_with_pubkey.eml",
                    "thunderbird_encrypted_unsigned.eml",
                    "thunderbird_encrypted_unsigned_with_unencrypted_subject.eml",
                    "thunderbird_with_autocrypt.eml",
                    "thunderbird_with_multiple_autocrypts.eml",
                    "verification-gossip-also-sent-to-from.eml",
                ],
            ),
            ("mended", &["google-workspace-mixed-up.eml", "mixed-up-long.eml", "protonmail-mixed-up.eml"]),
            (
                "none",
                &[
                    "attached-eml.eml",
                    "mailinglist_with_mimepart_footer.eml",
                    "mailinglist_with_mimepart_footer_signed.eml",
                    "ndn_with_attachment.eml",
                    "text_alt_plain_html.eml",
                    "text_plain_iso88591.eml",
                    "yahoo_ndn.eml",
                ],
            ),
            (
                "signed",
                &[
                    "schleuder.eml",
                    "thunderbird_signed_unencrypted.eml",
                    "thunderbird_with_autocrypt_unencrypted.eml",
                    "unencrypted_signed_simple.eml",
                ],
            ),
        ],
    ),
];

#[test]
fn each_sample_has_its_layer() {
    let Some(corpora) = corpora() else { return };
    let mut wrong = Vec::new();
    for (folder, layers) in LAYERS {
        for (expected, files) in *layers {
            for file in *files {
                let raw = std::fs::read(corpora.join(folder).join(file)).unwrap();
                let found = outermost(&raw, &message::parse(&raw));
                if word(&found) != *expected {
                    wrong.push(format!("{folder}/{file}: {} instead of {expected}", word(&found)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn bodies_of_mended_samples_are_openpgp() {
    let Some(corpora) = corpora() else { return };
    for file in [
        "pgp/comm-central-openpgp/mail/test/browser/openpgp/data/eml/alice-broken-exchange.eml",
        "mime/chatmail-core/test-data/message/google-workspace-mixed-up.eml",
        "mime/chatmail-core/test-data/message/mixed-up-long.eml",
    ] {
        let raw = std::fs::read(corpora.join(file)).unwrap();
        let Layer::Encrypted { body, .. } = outermost(&raw, &message::parse(&raw)) else { panic!("{file}") };
        assert!(body.trim_ascii_start().starts_with(b"-----BEGIN PGP MESSAGE-----"), "{file}");
        assert!(body.trim_ascii_end().ends_with(b"-----END PGP MESSAGE-----"), "{file}");
    }
}

#[test]
fn an_unobtrusive_sample_covers_what_the_obtrusive_one_did() {
    let Some(corpora) = corpora() else { return };
    let read = |file: &str| {
        let folder = corpora.join("pgp/comm-central-openpgp/mail/test/browser/openpgp/data/eml");
        let raw = std::fs::read(folder.join(file)).unwrap();
        outermost(&raw, &message::parse(&raw))
    };
    let new = read("unob-signed-by-0x3099ff1238852b9f-to-0xf231550c4f47e38e.eml");
    let old = read("signed-by-0x3099ff1238852b9f-to-0xf231550c4f47e38e-unencrypted.eml");
    let (Layer::Unobtrusive { signed, signatures }, Layer::Signed { signed: before, .. }) = (new, old) else {
        panic!("not both are signed")
    };
    assert_eq!(String::from_utf8(signed).unwrap(), String::from_utf8(before).unwrap());
    assert_eq!(signatures.len(), 1);
}

#[test]
fn payloads_of_the_older_way_are_made_whole() {
    let Some(corpora) = corpora() else { return };
    let folder = corpora.join("pgp/protected-headers");
    for (name, layered) in [
        ("pgpmime-sign+enc", false),
        ("pgpmime-enc+legacy-disp", false),
        ("pgpmime-sign+enc+legacy-disp", false),
        ("pgpmime-layered", true),
        ("pgpmime-layered+legacy-disp", true),
        ("unfortunately-complex", true),
    ] {
        let outer = std::fs::read(folder.join(format!("{name}.eml"))).unwrap();
        let mut payload = std::fs::read(folder.join(format!("{name}.inner"))).unwrap();
        let next = inner(&payload, &message::parse(&payload));
        assert_eq!(matches!(next, Layer::Signed { .. }), layered, "{name}");
        if let Layer::Signed { signed, .. } = next {
            payload = signed;
        }
        let found = unwrapped(&outer, &payload, true);
        let message = message::parse(&found.raw);
        assert_eq!(message.subject, "BarCorp contract signed, let's go!", "{name}");
        assert_eq!(message.from[0].address, "alice@openpgp.example");
        assert_eq!(found.protection.state("subject"), FieldState::Confidential, "{name}");
        assert_eq!(found.protection.state("to"), FieldState::Signed, "{name}");
        assert!(found.protection.inferred && found.protection.from_differs.is_none());
        assert!(found.protection.outer_subject.is_some(), "{name}");
        let shown = message.plain().unwrap();
        assert!(shown.trim_start().starts_with("Hi Bob!"), "{name}: {shown}");
        let (left_out, _) =
            opened(&String::from_utf8_lossy(&outer), &String::from_utf8_lossy(&payload), false);
        assert_eq!(
            left_out.plain().unwrap().starts_with("Subject:"),
            name.contains("legacy") || name.contains("unfort")
        );
        if name == "unfortunately-complex" {
            assert!(message.html().is_some());
        }
    }
}

#[test]
fn no_file_of_any_folder_breaks_reading() {
    let Some(corpora) = corpora() else { return };
    let mut folders = vec![corpora.join("pgp"), corpora.join("mime")];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.metadata().unwrap().len() > 2 << 20 {
                continue;
            }
            let raw = std::fs::read(&path).unwrap();
            let layer = outermost(&raw, &message::parse(&raw));
            if let Layer::Signed { signed, .. } | Layer::Unobtrusive { signed, .. } = &layer {
                let made = unwrapped(&raw, signed, false);
                assert!(!message::parse(&made.raw).parts.is_empty(), "{path:?}");
            }
            let made = unwrapped(&raw, &raw, true);
            let again = message::parse(&made.raw);
            assert!(!again.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("hp-outer")), "{path:?}");
            count += 1;
        }
    }
    assert!(count > 500, "{count} files");
}
