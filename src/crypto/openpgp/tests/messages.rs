//! Messages: sealed, signed, opened, checked.

use super::super::policy::time;
use super::*;
use sequoia_openpgp::Profile;
use sequoia_openpgp::crypto::KeyPair;
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::serialize::stream::{Armorer, LiteralWriter, Message, Signer};
use sequoia_openpgp::types::{HashAlgorithm, SignatureType};
use std::io::Write;

fn pair(key: &SecretKey) -> KeyPair {
    key.cert().primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap()
}

/// A detached signature over `bytes` as another program may make it.
fn signature(bytes: &[u8], key: &SecretKey, hash: HashAlgorithm, made: i64) -> Vec<u8> {
    let signature = SignatureBuilder::new(SignatureType::Binary)
        .set_hash_algo(hash)
        .set_signature_creation_time(time(made))
        .unwrap()
        .sign_message(&mut pair(key), bytes)
        .unwrap();
    Packet::from(signature).to_vec().unwrap()
}

fn verdict(bytes: &[u8], signature: &[u8], signers: &[Certificate], now: i64) -> Verdict {
    let mut found = verify_detached(bytes, signature, signers, now).unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0).verdict
}

#[test]
fn alice_writes_to_bob_and_keeps_a_copy() {
    let (alice, bob) = (ALICE.certificate(), BOB.certificate());
    let own = [alice.clone()];
    let (message, key) = seal(b"Lunch at one?", std::slice::from_ref(&bob), &own, Some(&ALICE), NOW).unwrap();
    assert!(message.starts_with("-----BEGIN PGP MESSAGE-----\n"), "{message}");
    for reader in [&*ALICE, &*BOB] {
        let keys = [reader.clone()];
        let opened = unseal(message.as_bytes(), &keys, None, &own, NOW).unwrap();
        assert_eq!(opened.plain, b"Lunch at one?");
        assert_eq!(opened.session_key, key);
        assert_eq!(opened.opened_by, Some(reader.fingerprint()));
        assert!(!opened.weak);
        assert_eq!(opened.recipients, [bob.key_ids()[1].clone(), alice.key_ids()[1].clone()]);
        let [signature] = opened.signatures.as_slice() else { panic!("{opened:?}") };
        assert_eq!(signature.verdict, Verdict::Good);
        assert_eq!(signature.signer, Some(alice.fingerprint()));
        // Signed by the primary key itself.
        assert_eq!(signature.issuers, [alice.key_ids()[0].clone()]);
        assert_eq!(signature.issuer, Some(alice.fingerprint()));
        assert_eq!(signature.made_at, Some(NOW));
        assert_eq!(signature.intended, [bob.fingerprint(), alice.fingerprint()]);
        assert!(signature.algorithm.ends_with(", SHA512"), "{}", signature.algorithm);
    }
    let (carol, _) = SecretKey::generate("carol@example.org", NOW).unwrap();
    let Err(UnsealError::NoKey { recipients }) = unseal(message.as_bytes(), &[carol], None, &[], NOW) else {
        panic!("Carol reads along")
    };
    assert_eq!(recipients.len(), 2);
}

#[test]
fn text_around_the_armour_and_carriage_returns_do_no_harm() {
    let (message, key) = seal(b"Hello", &[BOB.certificate()], &[], None, NOW).unwrap();
    let wrapped = format!("Dear Bob,\r\n\r\n{}\r\n-- \r\nA footer", message.replace('\n', "\r\n"));
    let opened = unseal(wrapped.as_bytes(), std::slice::from_ref(&*BOB), None, &[], NOW).unwrap();
    assert_eq!((opened.plain.as_slice(), opened.signatures.len()), (b"Hello".as_slice(), 0));
    let binary = dearmored(&message);
    assert_eq!(unseal(&binary, std::slice::from_ref(&*BOB), None, &[], NOW).unwrap().plain, b"Hello");
    let with_key = unseal(&binary, &[], Some(&key), &[], NOW).unwrap();
    assert_eq!((with_key.plain.as_slice(), with_key.opened_by), (b"Hello".as_slice(), None));
    // A session key of another message is no harm where the real key is there.
    let (_, other) = seal(b"Hello", &[BOB.certificate()], &[], None, NOW).unwrap();
    assert!(unseal(&binary, &[], Some(&other), &[], NOW).is_err());
    assert!(unseal(&binary, std::slice::from_ref(&*BOB), Some(&other), &[], NOW).is_ok());
}

#[test]
fn mail_stays_readable_and_its_signatures_true_when_keys_expire() {
    let own = [ALICE.certificate()];
    let (message, _) = seal(b"Hello", &[BOB.certificate()], &own, Some(&ALICE), NOW).unwrap();
    let opened =
        unseal(message.as_bytes(), std::slice::from_ref(&*BOB), None, &own, NOW + LIFETIME + DAY).unwrap();
    assert_eq!(verdicts(&opened.signatures), [Verdict::GoodThen("the key has expired since".into())]);
    // An expired key does not sign, nor is it encrypted to.
    let late = NOW + LIFETIME + DAY;
    assert!(seal(b"Hello", &own, &[], None, late).is_err());
    assert!(sign_detached(b"Hello", &ALICE, late).is_err());
}

#[test]
fn a_detached_signature_is_over_every_byte() {
    let (alice, text) = ([ALICE.certificate()], b"Content-Type: text/plain\r\n\r\nHello\r\n");
    let binary = sign_detached(text, &ALICE, NOW).unwrap();
    let armored = sign_detached_armored(text, &ALICE, NOW).unwrap();
    assert!(armored.starts_with("-----BEGIN PGP SIGNATURE-----\n"));
    for signature in [binary.as_slice(), armored.as_bytes()] {
        assert_eq!(verdict(text, signature, &alice, NOW), Verdict::Good);
        assert_eq!(verdict(&text[1..], signature, &alice, NOW), Verdict::Bad);
        assert_eq!(verdict(text, signature, &[BOB.certificate()], NOW), Verdict::Unknown);
    }
    assert_eq!(verify_detached(text, b"no signature", &alice, NOW), Err(UnsealError::Damaged));
    assert_eq!(verify_detached(text, b"", &alice, NOW), Err(UnsealError::Damaged));
    assert!(verify_detached(text, &alice[0].bytes(), &alice, NOW).is_err());
}

#[test]
fn signatures_are_judged_by_hash_and_by_time() {
    let (alice, text) = ([ALICE.certificate()], b"Hello");
    let judged = |hash, made| verdict(text, &signature(text, &ALICE, hash, made), &alice, NOW + 10 * DAY);
    assert_eq!(judged(HashAlgorithm::SHA256, NOW + DAY), Verdict::Good);
    assert_eq!(judged(HashAlgorithm::SHA1, NOW + DAY), Verdict::Weak);
    // Before the key was made.
    assert_eq!(judged(HashAlgorithm::SHA256, NOW - DAY), Verdict::NotLive);
    assert_eq!(judged(HashAlgorithm::SHA256, NOW + 10 * DAY + 3600), Verdict::Good);
    assert_eq!(judged(HashAlgorithm::SHA256, NOW + 12 * DAY), Verdict::FromFuture);
    let late = signature(text, &ALICE, HashAlgorithm::SHA256, NOW + LIFETIME + DAY);
    assert_eq!(verdict(text, &late, &alice, NOW + LIFETIME + 2 * DAY), Verdict::Expired);
    // Where the key is not known, a weak signature is weak all the same.
    let weak = signature(text, &ALICE, HashAlgorithm::SHA1, NOW);
    assert_eq!(verdict(text, &weak, &[], NOW), Verdict::Weak);
}

#[test]
fn a_revoked_key_vouches_for_nothing_or_for_what_was_before() {
    use sequoia_openpgp::types::ReasonForRevocation;
    let text = b"Hello";
    let made = signature(text, &ALICE, HashAlgorithm::SHA512, NOW + DAY);
    let judged = |reason, when| {
        let mut signer = pair(&ALICE);
        let revocation = sequoia_openpgp::cert::CertRevocationBuilder::new()
            .set_signature_creation_time(time(when))
            .unwrap()
            .set_reason_for_revocation(reason, b"")
            .unwrap()
            .build(&mut signer, ALICE.cert(), None)
            .unwrap();
        let alice = Certificate::of(ALICE.cert().clone().insert_packets([revocation]).unwrap().0);
        verdict(text, &made, &[alice], NOW + 10 * DAY)
    };
    let since = Verdict::GoodThen("the key has been revoked since".into());
    assert_eq!(judged(ReasonForRevocation::KeyRetired, NOW + 2 * DAY), since);
    assert_eq!(judged(ReasonForRevocation::KeyRetired, NOW), Verdict::Revoked);
    assert_eq!(judged(ReasonForRevocation::KeyCompromised, NOW + 2 * DAY), Verdict::Revoked);
}

/// Programs that renew a key send only the newest self-signature: an older message must not lose its signature for that.
#[test]
fn a_renewed_key_still_stands_for_old_mail() {
    let text = b"Hello";
    let made = signature(text, &ALICE, HashAlgorithm::SHA512, NOW + DAY);
    let renewed = ALICE.extended(NOW + 2 * LIFETIME, NOW + 20 * DAY).unwrap().certificate();
    let header = renewed.for_autocrypt("alice@example.org", NOW + 30 * DAY).unwrap();
    let newest = [Certificate::parse(&header).unwrap()];
    assert_eq!(verdict(text, &made, &newest, NOW + 30 * DAY), Verdict::Good);
    assert_eq!(verdict(b"Hullo", &made, &newest, NOW + 30 * DAY), Verdict::Bad);
    let before = signature(text, &ALICE, HashAlgorithm::SHA512, NOW - DAY);
    assert_eq!(verdict(text, &before, &newest, NOW + 30 * DAY), Verdict::NotLive);
}

/// Mallory binds Alice's signing subkey to a key of his own; only Alice could have signed back.
#[test]
fn a_signing_subkey_that_did_not_sign_back_signs_for_nobody() {
    use sequoia_openpgp::types::KeyFlags;
    let alice = foreign(CipherSuite::Cv25519, Profile::RFC4880, "<alice@example.org>");
    let subkey =
        alice.cert().keys().subkeys().find(|key| key.key().pk_algo().for_signing()).unwrap().key().clone();
    let (mallory, _) = SecretKey::generate("mallory@example.org", NOW - DAY).unwrap();
    let binding = SignatureBuilder::new(SignatureType::SubkeyBinding)
        .set_signature_creation_time(time(NOW - DAY))
        .unwrap()
        .set_key_flags(KeyFlags::empty().set_signing())
        .unwrap()
        .sign_subkey_binding(&mut pair(&mallory), mallory.cert().primary_key().key(), &subkey)
        .unwrap();
    let stolen =
        mallory.certificate().cert().clone().insert_packets([Packet::from(subkey.clone()), binding.into()]);
    let stolen = Certificate::of(stolen.unwrap().0);
    let mut signer = subkey.parts_into_secret().unwrap().into_keypair().unwrap();
    let signature = SignatureBuilder::new(SignatureType::Binary)
        .set_signature_creation_time(time(NOW))
        .unwrap()
        .sign_message(&mut signer, b"Hello")
        .unwrap();
    let signature = Packet::from(signature).to_vec().unwrap();
    assert_eq!(verdict(b"Hello", &signature, &[alice.certificate()], NOW), Verdict::Good);
    assert!(!verdict(b"Hello", &signature, std::slice::from_ref(&stolen), NOW).is_good());
    let found = verify_detached(b"Hello", &signature, &[stolen, alice.certificate()], NOW).unwrap();
    assert_eq!(
        (found[0].verdict.clone(), found[0].signer.clone()),
        (Verdict::Good, Some(alice.fingerprint()))
    );
}

fn signed(text: &[u8], cleartext: bool) -> Vec<u8> {
    let mut sink = Vec::new();
    let mut message = Message::new(&mut sink);
    if !cleartext {
        message = Armorer::new(message).build().unwrap();
    }
    let mut signer = Signer::new(message, pair(&ALICE)).unwrap().creation_time(time(NOW));
    if cleartext {
        signer = signer.cleartext();
    }
    let mut message = signer.build().unwrap();
    if !cleartext {
        message = LiteralWriter::new(message).build().unwrap();
    }
    message.write_all(text).unwrap();
    message.finalize().unwrap();
    sink
}

#[test]
fn only_the_text_within_a_cleartext_block_is_signed() {
    let alice = [ALICE.certificate()];
    let block = String::from_utf8(signed(b"Hello\n- Bob\nFrom here", true)).unwrap();
    let mail = format!("Before\n{block}\nAfter\n");
    let (text, signatures) = verify_cleartext(mail.as_bytes(), &alice, NOW).unwrap();
    assert_eq!(String::from_utf8_lossy(&text).replace("\r\n", "\n").trim_end(), "Hello\n- Bob\nFrom here");
    assert_eq!(verdicts(&signatures), [Verdict::Good]);
    let changed = mail.replace("Hello", "Hullo");
    let (_, signatures) = verify_cleartext(changed.as_bytes(), &alice, NOW).unwrap();
    assert_eq!(verdicts(&signatures), [Verdict::Bad]);
    let quoted = mail.replace("-----BEGIN PGP SIGNED", "> -----BEGIN PGP SIGNED");
    assert_eq!(verify_cleartext(quoted.as_bytes(), &alice, NOW), Err(UnsealError::NotSigned));
    let cut = &mail.as_bytes()[..mail.len() / 2];
    assert_eq!(verify_cleartext(cut, &alice, NOW), Err(UnsealError::NotSigned));
}

#[test]
fn a_signed_message_is_not_an_encrypted_one() {
    let alice = [ALICE.certificate()];
    let message = signed(b"Hello", false);
    let (text, signatures) = verify_message(&message, &alice, NOW).unwrap();
    assert_eq!((text.as_slice(), verdicts(&signatures)), (b"Hello".as_slice(), vec![Verdict::Good]));
    assert_eq!(
        unseal(&message, std::slice::from_ref(&*BOB), None, &alice, NOW).unwrap_err(),
        UnsealError::NotEncrypted
    );
    let (sealed, _) = seal(b"Hello", &[BOB.certificate()], &[], None, NOW).unwrap();
    assert_eq!(verify_message(sealed.as_bytes(), &alice, NOW), Err(UnsealError::NotSigned));
}
