//! Messages and keys that somebody made in order to do harm.

use super::super::policy::time;
use super::*;
use proptest::prelude::*;
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::packet::{Tag, UserID};
use sequoia_openpgp::serialize::stream::{
    ArbitraryWriter, Compressor, Encryptor, LiteralWriter, Message, Recipient, Signer,
};
use sequoia_openpgp::types::{CompressionAlgorithm, SignatureType, SymmetricAlgorithm};
use std::io::Write;
use std::time::{Duration, Instant};

const PLAIN: &[u8] = b"The treasure lies under the third tree.";

/// A message to Bob, in packets: whom it is for, and the sealed content.
static SEALED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let (message, _) = seal(PLAIN, &[BOB.certificate()], &[], Some(&ALICE), NOW).unwrap();
    dearmored(&message)
});

fn open(message: &[u8]) -> Result<Unsealed, UnsealError> {
    unseal(message, std::slice::from_ref(&*BOB), None, &[ALICE.certificate()], NOW)
}

/// A packet in the new format with a length of five bytes.
fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[0xC0 | tag, 255], length.as_slice(), body].concat()
}

/// Whom it is for, as bytes, and the ciphertext with its version byte.
fn parts() -> (Vec<u8>, Vec<u8>) {
    let first = packets(&SEALED).remove(0);
    let first = binary(&[first]);
    let mut body = Vec::new();
    let mut rest = &SEALED[first.len()..];
    assert_eq!(rest[0], 0xC0 | 18);
    rest = &rest[1..];
    loop {
        let (header, length, last) = match rest[0] {
            n @ 0..192 => (1, usize::from(n), true),
            n @ 192..224 => (2, (usize::from(n) - 192) * 256 + usize::from(rest[1]) + 192, true),
            n @ 224..255 => (1, 1 << (n & 31), false),
            255 => (5, u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize, true),
        };
        body.extend_from_slice(&rest[header..header + length]);
        rest = &rest[header + length..];
        if last {
            return (first, body);
        }
    }
}

/// Content for Bob that `write` makes as it likes.
fn sealed(write: impl FnOnce(Message<'_>)) -> Vec<u8> {
    let mut sink = Vec::new();
    let bob = BOB.certificate();
    let policy = policy::policy(NOW);
    let recipient = Recipient::from(bob.encryption_key(&policy, NOW).unwrap());
    let message = Encryptor::for_recipients(Message::new(&mut sink), [recipient])
        .symmetric_algo(SymmetricAlgorithm::AES256)
        .build()
        .unwrap();
    write(message);
    sink
}

fn compressed(message: Message<'_>, times: usize) -> Message<'_> {
    (0..times).fold(message, |message, _| {
        Compressor::new(message).algo(CompressionAlgorithm::Zlib).build().unwrap()
    })
}

#[test]
fn taken_apart_and_put_together_it_opens() {
    let (first, body) = parts();
    assert_eq!(open(&[first, packet(18, &body)].concat()).unwrap().plain, PLAIN);
}

#[test]
fn without_its_proof_of_integrity_nothing_comes_out() {
    let (first, body) = parts();
    // The old container without a proof, made of the same ciphertext.
    assert_eq!(
        open(&[first.clone(), packet(9, &body[1..])].concat()).unwrap_err(),
        UnsealError::NotProtected
    );
    // The proof cut off, the ciphertext cut short, changed, and lengthened.
    type Change = dyn Fn(&mut Vec<u8>);
    let changes: [&Change; 5] = [
        &|body| body.truncate(body.len() - 22),
        &|body| body.truncate(body.len() - 1),
        &|body| body[60] ^= 1,
        &|body| *body.last_mut().unwrap() ^= 1,
        &|body| body.extend_from_slice(&[0; 22]),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut body = body.clone();
        change(&mut body);
        let error = open(&[first.clone(), packet(18, &body)].concat()).unwrap_err();
        assert!(matches!(error, UnsealError::NotProtected | UnsealError::Damaged), "{at}: {error}");
    }
}

#[test]
fn what_stands_around_the_encryption_is_refused() {
    let literal = packet(11, b"b\0\0\0\0\0Send me the money");
    for message in [[literal.clone(), SEALED.clone()].concat(), [SEALED.clone(), literal].concat()] {
        assert!(open(&message).is_err());
    }
    let twice = [SEALED.clone(), SEALED.clone()].concat();
    assert!(open(&twice).is_err());
    assert!(open(&[]).is_err() && open(b"Hello").is_err() && open(&[0xFF; 64]).is_err());
}

/// Mallory signs the ciphertext that Alice made: that makes it neither his nor signed.
#[test]
fn a_signature_around_the_encryption_does_not_count() {
    let (bob, policy) = (BOB.certificate(), policy::policy(NOW));
    let mut sink = Vec::new();
    let pair = ALICE.cert().primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let signer =
        Signer::new(Message::new(&mut sink), pair).unwrap().creation_time(time(NOW)).build().unwrap();
    let recipient = Recipient::from(bob.encryption_key(&policy, NOW).unwrap());
    let message = Encryptor::for_recipients(signer, [recipient]).build().unwrap();
    let mut message = LiteralWriter::new(message).build().unwrap();
    message.write_all(PLAIN).unwrap();
    message.finalize().unwrap();
    assert_eq!(open(&sink).unwrap_err(), UnsealError::NotEncrypted);
}

#[test]
fn compression_is_undone_three_times_and_no_more() {
    for (times, fits) in [(0, true), (1, true), (3, true), (4, false), (15, false)] {
        let message = sealed(|message| {
            let mut message = LiteralWriter::new(compressed(message, times)).build().unwrap();
            message.write_all(PLAIN).unwrap();
            message.finalize().unwrap();
        });
        let opened = open(&message);
        if fits {
            assert_eq!(opened.unwrap().plain, PLAIN);
        } else {
            assert_eq!(opened.unwrap_err(), UnsealError::TooDeep);
        }
    }
}

#[test]
fn a_bomb_ends_in_a_sentence() {
    let started = Instant::now();
    // 80 MB of nothing in the content, and in a packet that would only be skipped.
    let block = vec![0; 1 << 20];
    let bomb = sealed(|message| {
        let mut message = LiteralWriter::new(compressed(message, 2)).build().unwrap();
        (0..80).for_each(|_| message.write_all(&block).unwrap());
        message.finalize().unwrap();
    });
    assert!(bomb.len() < 200_000, "{}", bomb.len());
    assert_eq!(open(&bomb).unwrap_err(), UnsealError::TooLarge);
    for tag in [Tag::Padding, Tag::Marker, Tag::Trust] {
        let skipped = sealed(|message| {
            let mut message = ArbitraryWriter::new(compressed(message, 2), tag).unwrap();
            (0..80).for_each(|_| message.write_all(&block).unwrap());
            message.finalize().unwrap();
        });
        assert_eq!(open(&skipped).unwrap_err(), UnsealError::Damaged, "{tag:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(600), "{:?}", started.elapsed());
}

#[test]
fn ten_thousand_of_anything_end_in_a_sentence() {
    let started = Instant::now();
    let recipient = packets(&SEALED).remove(0);
    let many = [binary(&vec![recipient; 10_000]), SEALED.clone()].concat();
    assert_eq!(open(&many).unwrap_err(), UnsealError::TooMany);
    let signatures = sign_detached(PLAIN, &ALICE, NOW).unwrap().repeat(10_000);
    let signer = [ALICE.certificate()];
    assert_eq!(verify_detached(PLAIN, &signatures[..1_000_000], &signer, NOW), Err(UnsealError::TooMany));
    let markers = packet(10, b"PGP").repeat(10_000);
    assert_eq!(open(&[markers, SEALED.clone()].concat()).unwrap_err(), UnsealError::TooMany);

    let whole = packets(&ALICE.certificate().bytes());
    let with = |more: &[Packet]| Certificate::parse(&binary(&[whole.as_slice(), more].concat()));
    for (more, what) in [(&whole[3..], "subkeys"), (&whole[1..3], "user ids"), (&whole[4..], "signatures")] {
        // As many of them as fit into the bytes that are looked at.
        let times = 1_000_000 / binary(more).len();
        let error = with(&vec![more; times].concat()).unwrap_err();
        assert!(matches!(error, KeyError::TooMany { what: which, .. } if which == what), "{error}");
    }
    let subkeys = binary(&whole[3..]).repeat(10_000);
    let error = Certificate::parse(&[binary(&whole), subkeys].concat()).unwrap_err();
    assert_eq!(error, KeyError::TooLarge { limit: MAX_CERTIFICATE_BYTES });
    let long = Packet::from(UserID::from(vec![b'a'; 5000]));
    assert_eq!(with(&[long]).unwrap_err(), KeyError::TooLarge { limit: 2048 });
    let bundle = ALICE.certificate().bytes().repeat(65);
    let error = Certificate::parse_all(&bundle).unwrap_err();
    assert_eq!(error, KeyError::TooMany { what: "certificates", limit: 64 });
    assert_eq!(Certificate::parse_all(&ALICE.certificate().bytes().repeat(64)).unwrap().len(), 64);
    assert_eq!(Certificate::parse_all(ALICE.certificate().armored().repeat(3).as_bytes()).unwrap().len(), 3);
    assert_eq!(Certificate::parse(&vec![0x99; 9_000_000]).unwrap_err(), error_too_large());
    assert!(started.elapsed() < Duration::from_secs(120), "{:?}", started.elapsed());
}

const fn error_too_large() -> KeyError {
    KeyError::TooLarge { limit: MAX_CERTIFICATE_BYTES }
}

/// As many signatures as are let in, none of which belongs anywhere: each may be tried on every part.
#[test]
fn a_flood_of_signatures_within_the_bounds_takes_bounded_time() {
    let whole = packets(&ALICE.certificate().bytes());
    let mut signer =
        BOB.cert().primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let flood: Vec<Packet> = (0..1000)
        .map(|number: i64| {
            let builder = SignatureBuilder::new(SignatureType::GenericCertification);
            let builder = builder.set_signature_creation_time(time(NOW + number)).unwrap();
            let nobody = UserID::from("<nobody@example.org>");
            builder.sign_userid_binding(&mut signer, BOB.cert().primary_key().key(), &nobody).unwrap().into()
        })
        .collect();
    let ids: Vec<Packet> =
        (0..60).map(|n| Packet::from(UserID::from(format!("<{n}@example.org>")))).collect();
    let bytes = binary(&[whole.as_slice(), &ids, &flood].concat());
    let started = Instant::now();
    let alice = Certificate::parse(&bytes).unwrap();
    assert_eq!(alice.addresses(NOW), ["alice@example.org"]);
    assert_eq!(alice.minimal(), ALICE.certificate());
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever bit is changed: either it was of no meaning, or nothing comes out.
    #[test]
    fn a_changed_message_gives_the_same_or_nothing(bit: prop::sample::Index, cut: prop::sample::Index) {
        let mut message = SEALED.clone();
        let kept = cut.index(message.len());
        prop_assert!(open(&message[..kept]).is_err());
        let bit = bit.index(message.len() * 8);
        message[bit / 8] ^= 1 << (bit % 8);
        if let Ok(opened) = open(&message) {
            prop_assert_eq!(opened.plain.as_slice(), PLAIN);
        }
    }

    #[test]
    fn a_changed_certificate_never_panics_nor_changes_its_address(bit: prop::sample::Index) {
        let mut bytes = ALICE.certificate().bytes();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(changed) = Certificate::parse(&bytes) {
            prop_assert!(changed.addresses(NOW).iter().all(|address| address == "alice@example.org"));
            drop((changed.usable(NOW), changed.minimal(), changed.for_autocrypt("alice@example.org", NOW)));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, tag in 0u8..64) {
        for bytes in [bytes.clone(), packet(tag, &bytes)] {
            drop((open(&bytes), Certificate::parse(&bytes), SecretKey::parse(&bytes, None)));
            drop((verify_message(&bytes, &[], NOW), verify_detached(b"", &bytes, &[], NOW)));
        }
    }
}
