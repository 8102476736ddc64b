//! The code that lets a device in: its text, the proofs, every way they are not right, and the vectors of `docs/sma.md`.

use super::super::code::CodeError;
use super::super::coded::{CodeHandshake, CodeProof, proves_request, request_proof};
use super::vectors::{agreement, keys, signing, stated};
use super::*;
use crate::mail::sma::{OneTimeKey, Request, Writer};
use data_encoding::HEXLOWER;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac as _};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use vodozemac::Curve25519PublicKey;

fn code() -> Code {
    Code::from_parts(id(1), &keys(1), [11; 16])
}

fn one_time() -> OneTimeKey {
    let key = Curve25519PublicKey::from(&agreement(10)).to_bytes();
    OneTimeKey { key, signature: signing(3).sign(&OneTimeKey::signed_bytes(id(27), &key)).to_bytes() }
}

fn request(commitment: [u8; 32]) -> Request {
    Request { keys: keys(3), commitment, name: "Laptop".into(), proof: None }
}

/// HKDF-SHA-256 without salt, 32 bytes, written out by hand.
fn hkdf(secret: &[u8], info: &str) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, secret).expand(info.as_bytes(), &mut key).unwrap();
    key
}

fn hmac(key: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

fn fingerprint(keys: &Keys) -> Vec<u8> {
    Sha256::digest([keys.signing, keys.agreement].concat())[..16].to_vec()
}

/// What a request bears, written out by hand.
fn asks(request: &Request) -> [u8; 32] {
    let fields = Writer::new("autocrypt-sma/1 code request")
        .text(ALICE)
        .text("1")
        .bytes(&fingerprint(&keys(1)))
        .text("27")
        .bytes(&request.keys.signing)
        .bytes(&request.keys.agreement)
        .bytes(&request.commitment)
        .text(&request.name);
    hmac(&hkdf(&[11; 16], "autocrypt-sma/1 code request"), &fields.done())
}

/// What either side proves itself by, written out by hand.
fn proof(
    shared: &[u8; 32],
    role: &str,
    transcript: &[u8; 32],
    reveal: &[u8; 32],
    rest: &[&[u8]],
) -> [u8; 32] {
    let fields = Writer::new("autocrypt-sma/1 code proof").text(role).bytes(transcript).bytes(reveal);
    let fields = rest.iter().fold(fields, |fields, field| fields.bytes(field));
    let secret = [&[11; 16][..], shared].concat();
    hmac(&hkdf(&secret, "autocrypt-sma/1 code proof"), &fields.done())
}

fn transcript(old_half: [u8; 32], new_half: [u8; 32], request: [u8; 32]) -> Transcript<'static> {
    Transcript {
        account: ALICE,
        old: (id(1), keys(1), old_half),
        new: (id(27), keys(3), new_half),
        request,
        accept: [8; 32],
    }
}

#[test]
fn the_specification_states_what_the_code_does() {
    let hex = |bytes: &[u8]| HEXLOWER.encode(bytes);
    let half = |seed| Curve25519PublicKey::from(&agreement(seed)).to_bytes();
    let commitment: [u8; 32] = HEXLOWER.decode(stated("commitment").as_bytes()).unwrap().try_into().unwrap();
    let asked = request(commitment);
    let bears = asks(&asked);
    assert_eq!(request_proof(&code(), ALICE, id(27), &asked), bears);
    let payload = Payload {
        account: ALICE.into(),
        from: id(27),
        to: Some(id(1)),
        seq: 2,
        created: 1_700_000_000,
        expires: 1_700_003_600,
        roster: None,
        body: Body::Request(Request { proof: Some(bears), ..asked }),
    };
    let bytes = payload.to_bytes();
    assert_eq!(Payload::parse(&bytes).unwrap(), payload);
    let name = hash(&bytes);
    let digest = transcript(half(5), half(6), name).digest();
    let shared = agreement(5).diffie_hellman(&Curve25519PublicKey::from_bytes(half(6))).unwrap();
    let (shared, reveal, said) = (shared.as_bytes(), [9; 32], [12; 32]);
    let key = one_time();
    let vectors = [
        ("code.fingerprint", hex(&fingerprint(&keys(1)))),
        ("code.text", code().to_text().expose().to_owned()),
        ("code.request.proof", hex(&bears)),
        ("code.request.hash", hex(&name)),
        ("code.transcript", hex(&digest)),
        ("code.proof.new", hex(&proof(shared, "new", &digest, &reveal, &[&key.key, &key.signature]))),
        ("code.proof.old", hex(&proof(shared, "old", &digest, &reveal, &[&said]))),
    ];
    let wrong: Vec<String> = vectors
        .iter()
        .filter(|(name, value)| stated(name) != value)
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    assert!(wrong.is_empty(), "docs/sma.md should say:\n{}", wrong.join("\n"));
}

/// Both sides of a pairing by code; `as_old` and `as_new` are what they hold for the code, `seen` what the old one saw of the new
/// one's reveal.
fn both(as_old: &Code, as_new: &Code, accept: [u8; 32], seen: [u8; 32]) -> (CodeProof, CodeProof) {
    let (old, new) = (CodeHandshake::new(), CodeHandshake::new());
    let (old_half, new_half) = (old.ephemeral(), new.ephemeral());
    let at_new = transcript(old_half, new_half, [5; 32]);
    let at_old = Transcript { accept, ..at_new.clone() };
    let old = old.agree(new_half, as_old, &at_old, seen).unwrap();
    (old, new.agree(old_half, as_new, &at_new, [9; 32]).unwrap())
}

#[test]
fn the_formulas_are_those_of_the_library() {
    let handshake = CodeHandshake::new();
    let theirs = Curve25519PublicKey::from(&agreement(9)).to_bytes();
    let shared =
        agreement(9).diffie_hellman(&Curve25519PublicKey::from_bytes(handshake.ephemeral())).unwrap();
    let transcript = transcript(theirs, handshake.ephemeral(), [5; 32]);
    let digest = transcript.digest();
    let made = handshake.agree(theirs, &code(), &transcript, [9; 32]).unwrap();
    let (key, shared) = (one_time(), shared.as_bytes());
    let rest: [&[u8]; 2] = [&key.key, &key.signature];
    assert_eq!(made.of_new(&key), proof(shared, "new", &digest, &[9; 32], &rest));
    assert_eq!(made.of_old(&[12; 32]), proof(shared, "old", &digest, &[9; 32], &[&[12; 32]]));
    let nothing = CodeHandshake::new().agree([0; 32], &code(), &transcript, [9; 32]);
    assert_eq!(nothing.unwrap_err(), DeviceError::Key, "nothing to agree on");
}

#[test]
fn both_prove_themselves_only_where_all_was_the_same() {
    let (key, said) = (one_time(), [12; 32]);
    let other = Code::from_parts(id(1), &keys(1), [13; 16]);
    let is_new = |old: &CodeProof, mac: &[u8; 32]| old.is_of_new(id(27), &keys(3), &key, mac);
    let (old, new) = both(&code(), &code(), [8; 32], [9; 32]);
    assert!(is_new(&old, &new.of_new(&key)));
    assert!(new.is_of_old(&said, &old.of_old(&said)));
    assert!(!new.is_of_old(&[1; 32], &old.of_old(&said)), "it answers this proof, not another");
    // Roles: what one side said is no proof of the other.
    assert!(!is_new(&old, &old.of_old(&said)) && !new.is_of_old(&said, &new.of_new(&key)));
    assert!(!new.is_of_old(&key.key, &new.of_new(&key)));
    // The key that the first session begins with is covered, and has to be signed by the new device.
    let forged = OneTimeKey { signature: [1; 64], ..key };
    assert!(!old.is_of_new(id(27), &keys(3), &forged, &new.of_new(&forged)), "it is not signed");
    assert!(!old.is_of_new(id(27), &keys(3), &forged, &new.of_new(&key)));
    for (what, (old, new)) in [
        ("another secret", both(&code(), &other, [8; 32], [9; 32])),
        ("another acceptance", both(&code(), &code(), [7; 32], [9; 32])),
        ("another reveal", both(&code(), &code(), [8; 32], [7; 32])),
    ] {
        assert!(!is_new(&old, &new.of_new(&key)), "{what}");
        assert!(!new.is_of_old(&said, &old.of_old(&said)), "{what}");
    }
}

#[test]
fn a_request_proves_that_it_knows_the_code() {
    let asked = request([3; 32]);
    let asked = Request { proof: Some(request_proof(&code(), ALICE, id(27), &asked)), ..asked };
    assert!(proves_request(&code(), ALICE, id(27), &asked));
    let other = Code::from_parts(id(1), &keys(1), [13; 16]);
    let elsewhere = Code::from_parts(id(2), &keys(1), [11; 16]);
    let swapped = Code::from_parts(id(1), &keys(3), [11; 16]);
    for code in [other, elsewhere, swapped] {
        assert!(!proves_request(&code, ALICE, id(27), &asked));
    }
    assert!(!proves_request(&code(), "bob@example.org", id(27), &asked));
    assert!(!proves_request(&code(), ALICE, id(28), &asked));
    for altered in [
        Request { keys: keys(1), ..asked.clone() },
        Request { commitment: [4; 32], ..asked.clone() },
        Request { name: "Phone".into(), ..asked.clone() },
        Request { proof: None, ..asked.clone() },
    ] {
        assert!(!proves_request(&code(), ALICE, id(27), &altered));
    }
}

#[test]
fn a_code_is_read_as_it_was_shown_typed_or_scanned() {
    let code = Code::new(id(4_812_330_175), &keys(1));
    let text = code.to_text();
    let text = text.expose();
    assert!(text.starts_with("sma1:") && text.split('-').count() == 18);
    let same = |typed: &str| {
        let read: Code = typed.parse().unwrap();
        assert_eq!((read.device(), read.secret()), (code.device(), code.secret()), "{typed}");
        assert!(read.is_of(&keys(1)) && !read.is_of(&keys(3)));
    };
    same(text);
    same(&text.to_uppercase().replace('-', ""));
    same(&format!(
        "  {}\n",
        text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l").replace("smal:", "")
    ));
    assert_ne!(Code::new(id(1), &keys(1)).secret(), Code::new(id(1), &keys(1)).secret(), "each is another");
    let read = |text: &str| text.parse::<Code>().unwrap_err();
    assert_eq!(read(&text.replace("sma1", "sma2")), CodeError::Unreadable, "a later version");
    for other in ["", "sma1:", "7815 5714 5413", "perhaps seven quiet herons", &"0".repeat(5000)] {
        assert_eq!(read(other), CodeError::Unreadable, "{other}");
    }
    assert_eq!(format!("{code:?}"), "Code(…)");
}

proptest! {
    #[test]
    fn a_wrong_a_missing_and_a_doubled_letter_are_noticed(secret: [u8; 16], at in 5_usize..94, by in 1_usize..32) {
        let alphabet: Vec<char> = "0123456789ABCDEFGHJKMNPQRSTVWXYZ".chars().collect();
        let typed: Vec<char> =
            Code::from_parts(id(4_812_330_175), &keys(1), secret).to_text().expose().chars().collect();
        prop_assume!(typed[at] != '-');
        let was = alphabet.iter().position(|letter| *letter == typed[at]).unwrap();
        let (mut wrong, mut missing, mut doubled) = (typed.clone(), typed.clone(), typed.clone());
        wrong[at] = alphabet[(was + by) % 32];
        missing.remove(at);
        doubled.insert(at, typed[at]);
        for typed in [wrong, missing, doubled] {
            let typed: String = typed.into_iter().collect();
            prop_assert_eq!(typed.parse::<Code>().unwrap_err(), CodeError::Mistyped);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}", rest in "[0-9A-Za-z-]{60,100}") {
        prop_assert!(text.parse::<Code>().is_err());
        let begun = format!("sma1:{rest}");
        prop_assert!(begun.parse::<Code>().is_err());
    }
}
