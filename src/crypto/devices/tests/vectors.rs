//! The test vectors of `docs/sma.md`: made here from fixed keys, and compared with what stands there.

use super::super::comparison::{commitment, mac_info, mac_input, string_info};
use super::*;
use crate::mail::address::canonical;
use crate::mail::sma::{Deed, Entry, Letter, Marker, OneTimeKey, Request, Shared, Statement, Writer};
use data_encoding::{BASE64_NOPAD, HEXLOWER};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;
use vodozemac::{Curve25519PublicKey, Curve25519SecretKey, Ed25519SecretKey};

const DOCUMENT: &str = include_str!("../../../../docs/sma.md");

/// What stands in the document as `name = value`.
pub(super) fn stated(name: &str) -> &'static str {
    let mut lines = DOCUMENT.lines().filter_map(|line| line.split_once(" = "));
    lines.find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

pub(super) fn signing(seed: u8) -> Ed25519SecretKey {
    Ed25519SecretKey::from_slice(&[seed; 32])
}

pub(super) fn agreement(seed: u8) -> Curve25519SecretKey {
    Curve25519SecretKey::from_slice(&[seed; 32])
}

pub(super) fn keys(seed: u8) -> Keys {
    Keys {
        signing: *signing(seed).public_key().as_bytes(),
        agreement: Curve25519PublicKey::from(&agreement(seed + 1)).to_bytes(),
    }
}

/// What both sides derive, written out by hand: HKDF-SHA-256 without salt, six bytes, three numbers of thirteen bits.
fn string(shared: &[u8; 32], transcript: &[u8; 32]) -> String {
    let mut bytes = [0; 6];
    Hkdf::<Sha256>::new(None, shared).expand(string_info(transcript).as_bytes(), &mut bytes).unwrap();
    let number = bytes.iter().fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
    let part = |n: u32| (number >> (48 - 13 * n) & 0x1fff) + 1000;
    format!("{} {} {}", part(1), part(2), part(3))
}

fn mac(shared: &[u8; 32], transcript: &[u8; 32], device: DeviceId, keys: &Keys) -> [u8; 32] {
    let mut key = [0; 32];
    let info = mac_info(transcript, device);
    Hkdf::<Sha256>::new(None, shared).expand(info.as_bytes(), &mut key).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(mac_input(keys).as_bytes());
    mac.finalize().into_bytes().into()
}

#[test]
fn the_formulas_are_those_of_the_library() {
    let handshake = Handshake::new();
    let fixed = agreement(9);
    let theirs = Curve25519PublicKey::from(&fixed).to_bytes();
    let shared = fixed.diffie_hellman(&Curve25519PublicKey::from_bytes(handshake.ephemeral())).unwrap();
    let transcript = Transcript {
        account: ALICE,
        old: (id(1), keys(1), theirs),
        new: (id(27), keys(3), handshake.ephemeral()),
        request: [5; 32],
        accept: [6; 32],
    };
    let digest = transcript.digest();
    let comparison = handshake.compare(theirs, &transcript).unwrap();
    assert_eq!(comparison.string(), string(shared.as_bytes(), &digest));
    assert_eq!(comparison.mac(id(1), &keys(1)), mac(shared.as_bytes(), &digest, id(1), &keys(1)));
}

fn a_signature() -> Shared {
    Shared { name: "signature".into(), value: "Alice\nOld Harbour".into(), at: 1_700_000_000, device: id(27) }
}

fn vectors() -> Vec<(&'static str, String)> {
    let hex = |bytes: &[u8]| HEXLOWER.encode(bytes);
    let (old, new) = (keys(1), keys(3));
    let (old_half, new_half) = (agreement(5), agreement(6));
    let half = |secret: &Curve25519SecretKey| Curve25519PublicKey::from(secret).to_bytes();
    let commitment = commitment(id(27), &new, &half(&new_half), &[7; 32]);
    let request = Payload {
        account: ALICE.into(),
        from: id(27),
        to: Some(id(1)),
        seq: 2,
        created: 1_700_000_000,
        expires: 1_700_003_600,
        roster: None,
        body: Body::Request(Request { keys: new, commitment, name: "Laptop".into(), proof: None }),
    };
    let payload = request.to_bytes();
    let signed = Signed { signature: signing(3).sign(&payload).to_bytes(), payload };
    let read = verified(&signed, &new.signing).unwrap();
    assert_eq!(read, request);
    let transcript = Transcript {
        account: ALICE,
        old: (id(1), old, half(&old_half)),
        new: (id(27), new, half(&new_half)),
        request: hash(&signed.payload),
        accept: [8; 32],
    };
    let digest = transcript.digest();
    let shared = old_half.diffie_hellman(&Curve25519PublicKey::from_bytes(half(&new_half))).unwrap();
    let shared = shared.as_bytes();
    let key = half(&agreement(10));
    let one_time =
        OneTimeKey { key, signature: signing(3).sign(&OneTimeKey::signed_bytes(id(27), &key)).to_bytes() };
    let first = Statement {
        account: ALICE.into(),
        device: id(1),
        deed: Deed::Add { keys: old, name: "Home".into() },
        author: id(1),
        at: 1_700_000_000,
        seen: Vec::new(),
        signature: [0; 64],
    };
    let anchor = hash(&first.signed_bytes());
    let first = Statement { signature: signing(1).sign(&first.signed_bytes()).to_bytes(), ..first };
    let second = Statement {
        device: id(27),
        deed: Deed::Add { keys: new, name: "Laptop".into() },
        seen: vec![anchor],
        ..first.clone()
    };
    let second = Statement { signature: signing(1).sign(&second.signed_bytes()).to_bytes(), ..second };
    let mut roster = Roster::anchored(ALICE, anchor);
    assert!(roster.take(first.clone()) && roster.take(second.clone()));
    assert!(roster.keys_of(id(27)) == Some(new));
    let letter = Letter { marker: Marker { kind: request.kind() }, signed: signed.clone() };
    assert_eq!(Letter::read(&letter.write(ALICE, [0; 16], 0).1).unwrap(), letter);
    vec![
        ("fields", hex(&Writer::new("ab").number(258).flag(true).done())),
        ("shared", hex(&Entry::Shared(a_signature()).to_bytes())),
        ("old.signing", hex(&old.signing)),
        ("old.agreement", hex(&old.agreement)),
        ("new.signing", hex(&new.signing)),
        ("new.agreement", hex(&new.agreement)),
        ("commitment", hex(&commitment)),
        ("request.payload", hex(&signed.payload)),
        ("request.signature", hex(&signed.signature)),
        ("request.part", BASE64_NOPAD.encode(&signed.to_bytes())),
        ("request.hash", hex(&hash(&signed.payload))),
        ("transcript", hex(&digest)),
        ("string", string(shared, &digest)),
        ("mac.new", hex(&mac(shared, &digest, id(27), &new))),
        ("mac.old", hex(&mac(shared, &digest, id(1), &old))),
        ("one-time.signature", hex(&one_time.signature)),
        ("statement.first", hex(&first.to_bytes())),
        ("statement.first.hash", hex(&anchor)),
        ("statement.second", hex(&second.to_bytes())),
        ("roster.hash", hex(&roster.hash())),
    ]
}

#[test]
fn the_specification_states_what_the_program_does() {
    assert_eq!(canonical(ALICE), ALICE);
    let wrong: Vec<String> = vectors()
        .into_iter()
        .filter(|(name, value)| stated(name) != value)
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    assert!(wrong.is_empty(), "docs/sma.md should say:\n{}", wrong.join("\n"));
}
