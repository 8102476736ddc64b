//! Keys: their shape, their life, and who vouches for whom.

use super::super::policy::time;
use super::*;
use crate::crypto::secret::SecretText;
use sequoia_openpgp::Profile;
use sequoia_openpgp::crypto::Password;
use sequoia_openpgp::packet::Tag;
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::types::{ReasonForRevocation, SignatureType};

fn tags(bytes: &[u8]) -> Vec<Tag> {
    packets(bytes).iter().map(Packet::tag).collect()
}

fn revoked(key: &SecretKey, reason: ReasonForRevocation, when: i64) -> Certificate {
    let mut signer =
        key.cert().primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let revocation = sequoia_openpgp::cert::CertRevocationBuilder::new()
        .set_signature_creation_time(time(when))
        .unwrap()
        .set_reason_for_revocation(reason, b"")
        .unwrap()
        .build(&mut signer, key.cert(), None)
        .unwrap();
    Certificate::of(key.cert().clone().insert_packets([revocation]).unwrap().0)
}

#[test]
fn a_new_key_has_the_shape_that_autocrypt_asks_for() {
    let alice = ALICE.certificate();
    let header = alice.for_autocrypt("Alice@Example.ORG", NOW).unwrap();
    let five = [Tag::PublicKey, Tag::UserID, Tag::Signature, Tag::PublicSubkey, Tag::Signature];
    assert_eq!(tags(&header), five);
    assert!(header.len() < 800, "{} bytes", header.len());
    assert_eq!(tags(&alice.bytes()), five);
    let Packet::UserID(id) = &packets(&header)[1] else { unreachable!() };
    assert_eq!(id.value(), b"<alice@example.org>");
    assert_eq!(alice.addresses(NOW), ["alice@example.org"]);
    assert_eq!((alice.version(), alice.created()), (4, NOW));
    assert_eq!(alice.expires(NOW), Some(NOW + LIFETIME));
    assert_eq!(alice.key_ids().len(), 2);
    assert_eq!(alice.key_ids()[0], alice.fingerprint().key_id());
    assert!(!alice.is_quantum_safe(NOW));
    assert_eq!(alice.usable(NOW), Ok(()));
}

#[test]
fn a_key_comes_back_as_it_was() {
    let alice = &*ALICE;
    for again in [SecretKey::parse(&alice.bytes(), None), SecretKey::parse(alice.armored().as_bytes(), None)]
    {
        assert_eq!(again.unwrap().bytes(), alice.bytes());
    }
    let certificate = alice.certificate();
    let noise = format!("Here is my key:\n\n{}\nYours, Alice", certificate.armored());
    for bytes in
        [certificate.bytes(), certificate.armored().into_bytes(), noise.into_bytes(), alice.bytes().to_vec()]
    {
        assert_eq!(Certificate::parse(&bytes).as_ref(), Ok(&certificate));
    }
    assert_eq!(SecretKey::parse(&certificate.bytes(), None).unwrap_err(), KeyError::Secret);
    let seen = format!("{alice:?}");
    assert!(seen.len() < 80 && seen.contains(certificate.fingerprint().as_str()), "{seen}");
}

#[test]
fn a_certificate_never_holds_a_secret() {
    let certificate = Certificate::parse(&ALICE.bytes()).unwrap();
    assert!(!certificate.cert().is_tsk());
    assert!(tags(&certificate.bytes()).iter().all(|tag| ![Tag::SecretKey, Tag::SecretSubkey].contains(tag)));
}

#[test]
fn what_is_no_address_gets_no_key() {
    let long = format!("{}@example.org", "a".repeat(255));
    for address in
        ["", "alice", "@example.org", "alice@", "a b@example.org", "<a@example.org>", "a\n@b.org", &long]
    {
        assert_eq!(SecretKey::generate(address, NOW).unwrap_err(), KeyError::NoAddress, "{address}");
    }
    let error = ALICE.certificate().for_autocrypt("bob@example.org", NOW);
    assert_eq!(error, Err(KeyError::NoAddress));
}

#[test]
fn fingerprints_are_read_as_people_write_them() {
    let fingerprint = ALICE.fingerprint();
    assert_eq!(fingerprint.spaced().parse(), Ok(fingerprint.clone()));
    assert_eq!(format!("0x{}", fingerprint.as_str().to_lowercase()).parse(), Ok(fingerprint.clone()));
    assert_eq!(serde_json::to_string(&fingerprint).unwrap(), format!("\"{fingerprint}\""));
    assert!(serde_json::from_str::<Fingerprint>("\"ABCD\"").is_err());
    assert!("ABCD".parse::<KeyId>().is_err() && "Ä".repeat(40).parse::<Fingerprint>().is_err());
}

#[test]
fn a_key_expires_and_is_extended() {
    let later = NOW + LIFETIME + DAY;
    let alice = ALICE.certificate();
    assert_eq!(alice.usable(later), Err(Unusable::Expired(NOW + LIFETIME)));
    assert_eq!(Unusable::Expired(NOW).to_string(), "it expired on 2026-01-01");
    assert!(ALICE.extended(NOW - DAY, NOW).is_err());
    // Even after it has expired.
    for when in [NOW, NOW + DAY, later] {
        let extended = ALICE.extended(later + LIFETIME, when).unwrap();
        let certificate = extended.certificate();
        assert_eq!(certificate.usable(later), Ok(()), "at {when}");
        assert_eq!(certificate.expires(later), Some(later + LIFETIME), "at {when}");
        assert_eq!(packets(&certificate.for_autocrypt("alice@example.org", later).unwrap()).len(), 5);
        // Two signatures of one second contradict each other; that happens only here.
        if when > NOW {
            assert_eq!(alice.merged(&certificate).unwrap().usable(later), Ok(()));
        }
    }
}

#[test]
fn the_revocation_certificate_revokes_for_ever() {
    let (carol, revocation) = SecretKey::generate("carol@example.org", NOW).unwrap();
    let text = String::from_utf8(revocation).unwrap();
    assert!(text.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----\n"), "{text}");
    let packet = packets(&armour::open(text.as_bytes(), armour::Block::Keys).unwrap()).remove(0);
    let revoked = Certificate::of(carol.cert().clone().insert_packets([packet]).unwrap().0);
    assert!(!carol.certificate().is_revoked(NOW));
    assert!(revoked.is_revoked(NOW) && revoked.is_revoked_hard(NOW));
    assert_eq!(revoked.usable(NOW), Err(Unusable::Revoked));
    assert_eq!(revoked.usable(NOW - DAY), Err(Unusable::Revoked));
}

#[test]
fn a_soft_revocation_holds_from_its_day_on() {
    let revoked = revoked(&ALICE, ReasonForRevocation::KeyRetired, NOW + DAY);
    assert!(!revoked.is_revoked(NOW) && revoked.is_revoked(NOW + 2 * DAY));
    assert!(!revoked.is_revoked_hard(NOW + 2 * DAY));
    assert_eq!(revoked.usable(NOW), Ok(()));
}

#[test]
fn a_key_for_signatures_only_is_not_encrypted_to() {
    let (cert, _) = CertBuilder::new()
        .set_creation_time(time(NOW))
        .add_userid("<carol@example.org>")
        .add_signing_subkey()
        .generate()
        .unwrap();
    let carol = Certificate::of(cert);
    assert_eq!(carol.usable(NOW), Err(Unusable::NoEncryptionKey));
    let error = seal(b"Hello", std::slice::from_ref(&carol), &[ALICE.certificate()], None, NOW).unwrap_err();
    let why = Unusable::NoEncryptionKey;
    assert_eq!(error, KeyError::Unusable { fingerprint: carol.fingerprint(), why });
}

#[test]
fn a_locked_key_opens_with_its_password_only() {
    let (cert, _) = CertBuilder::general_purpose(Some("<carol@example.org>"))
        .set_creation_time(time(NOW))
        .set_password(Some(Password::from("correct horse")))
        .generate()
        .unwrap();
    let locked = cert.as_tsk().to_vec().unwrap();
    let words = |text: &str| SecretText::new(text.into());
    assert_eq!(SecretKey::parse(&locked, None).unwrap_err(), KeyError::Locked);
    assert_eq!(SecretKey::parse(&locked, Some(&words("battery"))).unwrap_err(), KeyError::WrongPassword);
    let carol = SecretKey::parse(&locked, Some(&words("correct horse"))).unwrap();
    let (message, _) = seal(b"Hello", &[carol.certificate()], &[], Some(&ALICE), NOW).unwrap();
    assert_eq!(unseal(message.as_bytes(), &[carol], None, &[], NOW).unwrap().plain, b"Hello");
}

#[test]
fn minimal_and_merged_copies_are_one_certificate() {
    let alice = ALICE.certificate();
    let mut signer =
        BOB.cert().primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let id = alice.cert().userids().next().unwrap().userid().clone();
    let certification = SignatureBuilder::new(SignatureType::GenericCertification)
        .set_signature_creation_time(time(NOW))
        .unwrap()
        .sign_userid_binding(&mut signer, alice.cert().primary_key().key(), &id)
        .unwrap();
    let photo = sequoia_openpgp::packet::UserAttribute::from(vec![1, 2, 3]);
    let packets = [Packet::from(id), certification.into(), photo.into()];
    let loaded = Certificate::of(alice.cert().clone().insert_packets(packets).unwrap().0);
    assert!(loaded.bytes().len() > alice.bytes().len());
    assert_eq!(loaded.minimal().bytes(), alice.bytes());
    assert_eq!(alice.merged(&loaded).unwrap().minimal(), alice);
    assert_eq!(alice.merged(&BOB.certificate()), Err(KeyError::DifferentKeys));
}

#[test]
fn the_old_key_vouches_for_the_new_one() {
    let (new, _) = SecretKey::generate("alice@example.org", NOW + DAY).unwrap();
    let (old, later) = (ALICE.certificate(), NOW + 2 * DAY);
    assert!(!new.certificate().is_vouched_by(&old, later));
    let vouched = ALICE.vouching_for(&new.certificate(), NOW + DAY).unwrap();
    assert!(vouched.is_vouched_by(&old, later));
    assert!(Certificate::parse(&vouched.bytes()).unwrap().is_vouched_by(&old, later));
    assert!(!vouched.minimal().is_vouched_by(&old, later));
    assert!(!old.is_vouched_by(&vouched, later) && !vouched.is_vouched_by(&BOB.certificate(), later));
    // A key that somebody else may have says nothing; nor does one that was retired before, or has expired.
    let stolen = revoked(&ALICE, ReasonForRevocation::KeyCompromised, later);
    assert!(!vouched.is_vouched_by(&stolen, later));
    assert!(!vouched.is_vouched_by(&revoked(&ALICE, ReasonForRevocation::KeyRetired, NOW), later));
    assert!(!vouched.is_vouched_by(&old, NOW + LIFETIME + DAY));
    // Retired after it vouched is the usual course of things.
    assert!(
        vouched.is_vouched_by(&revoked(&ALICE, ReasonForRevocation::KeySuperseded, NOW + DAY + 1), later)
    );
}

/// Alice once signed Mallory's User ID when they met. Mallory now claims Alice's address beside it.
#[test]
fn to_have_met_somebody_is_not_to_vouch_for_them() {
    let (cert, _) = CertBuilder::general_purpose(Some("<mallory@example.org>"))
        .add_userid("<alice@example.org>")
        .set_creation_time(time(NOW))
        .generate()
        .unwrap();
    let mut signer =
        ALICE.cert().primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let own =
        cert.userids().find(|id| id.userid().value().starts_with(b"<mallory")).unwrap().userid().clone();
    let met = SignatureBuilder::new(SignatureType::PositiveCertification)
        .set_signature_creation_time(time(NOW))
        .unwrap()
        .sign_userid_binding(&mut signer, cert.primary_key().key(), &own)
        .unwrap();
    let mallory = Certificate::of(cert.insert_packets([Packet::from(own), met.into()]).unwrap().0);
    assert!(mallory.addresses(NOW).contains(&"alice@example.org".to_owned()));
    assert!(!mallory.is_vouched_by(&ALICE.certificate(), NOW + DAY));
    assert_eq!(BOB.vouching_for(&mallory, NOW).unwrap_err(), KeyError::NoAddress);
}

#[test]
fn keys_of_the_next_generation_are_read_and_written_to() {
    let suites = [
        (CipherSuite::Cv25519, Profile::RFC9580, false),
        (CipherSuite::MLDSA65_Ed25519, Profile::RFC9580, true),
        (CipherSuite::MLDSA87_Ed448, Profile::RFC9580, true),
        (CipherSuite::RSA2k, Profile::RFC4880, false),
        (CipherSuite::P256, Profile::RFC4880, false),
    ];
    for (suite, profile, quantum_safe) in suites {
        let carol = foreign(suite, profile, "Carol <carol@example.org>");
        let certificate = Certificate::parse(carol.certificate().armored().as_bytes()).unwrap();
        let version = if profile == Profile::RFC9580 { 6 } else { 4 };
        assert_eq!(certificate.version(), version, "{suite:?}");
        assert_eq!(certificate.fingerprint().as_str().len(), if version == 6 { 64 } else { 40 });
        assert_eq!(certificate.fingerprint().key_id(), certificate.key_ids()[0]);
        assert_eq!(certificate.is_quantum_safe(NOW), quantum_safe, "{suite:?}");
        assert_eq!(certificate.addresses(NOW), ["carol@example.org"]);
        assert_eq!(certificate.names(NOW), ["Carol"]);
        if version == 6 {
            assert_eq!(certificate.for_autocrypt("carol@example.org", NOW), Err(KeyError::NotForAutocrypt));
        } else {
            assert_eq!(packets(&certificate.for_autocrypt("carol@example.org", NOW).unwrap()).len(), 5);
        }
        // To her alone, to her and a copy for Bob who writes, and to both; signed by her.
        let (hers, bobs) = ([certificate.clone()], [BOB.certificate()]);
        let both = [certificate.clone(), BOB.certificate()];
        for (recipients, own) in [(&hers[..], &[][..]), (&hers, &bobs), (&both, &[])] {
            let sealed = seal(b"Hello", recipients, own, Some(&carol), NOW);
            let alone = suite == CipherSuite::MLDSA87_Ed448;
            if alone && recipients.len() == 2 {
                let fingerprint = certificate.fingerprint();
                assert_eq!(sealed.unwrap_err(), KeyError::NotTogether { fingerprint });
                continue;
            }
            let (message, key) = sealed.unwrap();
            let newer = key.to_text().starts_with("0:");
            if recipients.len() + own.len() > 1 {
                assert_eq!(newer, alone, "{suite:?}");
            } else if version == 6 {
                assert!(newer, "{suite:?}");
            }
            for reader in [&carol, &*BOB].into_iter().take(recipients.len() + own.len()) {
                let opened =
                    unseal(message.as_bytes(), std::slice::from_ref(reader), None, &hers, NOW).unwrap();
                assert_eq!((opened.plain.as_slice(), &opened.session_key), (b"Hello".as_slice(), &key));
                assert_eq!(verdicts(&opened.signatures), [Verdict::Good], "{suite:?}");
            }
            let again = SessionKey::from_text(&key.to_text()).unwrap();
            assert_eq!(unseal(message.as_bytes(), &[], Some(&again), &[], NOW).unwrap().plain, b"Hello");
        }
        let extended =
            carol.extended(NOW + 10 * LIFETIME, NOW + DAY).unwrap_or_else(|e| panic!("{suite:?}: {e}"));
        assert_eq!(extended.certificate().expires(NOW + DAY), Some(NOW + 10 * LIFETIME), "{suite:?}");
    }
}
