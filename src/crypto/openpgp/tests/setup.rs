//! The setup message, both ways.

use super::super::setup::{SetupCode, SetupError, begin_of, make, open};
use super::*;

#[test]
fn the_key_goes_over_with_its_code_and_not_with_another() {
    let code = SetupCode::generate();
    for mutual in [true, false] {
        let message = make(&ALICE, mutual, &code, NOW).unwrap();
        assert_eq!(begin_of(&message).as_deref(), Some(code.begin()));
        assert!(message.contains("Passphrase-Format: numeric9x4\n"), "{message}");
        let page =
            format!("<html><body><p>Setup</p><pre>\r\n{}</pre></body></html>", message.replace('\n', "\r\n"));
        let setup = open(&page, &code).unwrap();
        assert_eq!((setup.key.bytes(), setup.mutual), (ALICE.bytes(), mutual));
        assert_eq!(open(&page, &SetupCode::generate()).unwrap_err(), SetupError::WrongCode);
        let middle = message.len() / 2;
        let (before, after) = message.split_at(middle);
        let cut = format!("{before}\n{}", after.split_at(70).1);
        assert!(open(&cut, &code).is_err());
    }
    assert_eq!(open("Hello", &code).unwrap_err(), SetupError::Unreadable);
    assert_eq!(begin_of("Hello"), None);
}

/// The packets are those that every Autocrypt program reads: a password's packet, then the older container.
#[test]
fn the_message_is_of_the_kind_that_level_one_reads() {
    use sequoia_openpgp::crypto::S2K;
    use sequoia_openpgp::packet::SKESK;
    use sequoia_openpgp::types::{HashAlgorithm, SymmetricAlgorithm};
    let message = make(&ALICE, true, &SetupCode::generate(), NOW).unwrap();
    let found = packets(&dearmored(&message));
    let [Packet::SKESK(SKESK::V4(skesk)), Packet::SEIP(container)] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(skesk.symmetric_algo(), SymmetricAlgorithm::AES256);
    let S2K::Iterated { hash, hash_bytes, .. } = skesk.s2k() else { panic!("{skesk:?}") };
    assert_eq!((*hash, *hash_bytes), (HashAlgorithm::SHA256, 65_011_712));
    assert_eq!(container.version(), 1);
}

/// A message that Mallory encrypted to Alice's own key is no setup message, whatever its code.
#[test]
fn only_the_code_opens_it() {
    let (message, _) = seal(ALICE.armored().as_bytes(), &[ALICE.certificate()], &[], None, NOW).unwrap();
    assert_eq!(open(&message, &SetupCode::generate()).unwrap_err(), SetupError::WrongCode);
}

#[test]
fn a_code_is_read_as_people_type_it() {
    let code = SetupCode::parse("1742-0185-6197-1303-7016-8412-3581-4441-0597").unwrap();
    assert_eq!(code.to_string(), "1742-0185-6197-1303-7016-8412-3581-4441-0597");
    assert_eq!(code.begin(), "17");
    for typed in [
        "174201856197130370168412358144410597",
        " 1742 0185 6197 1303 7016 8412 3581 4441 0597\n",
        "1742–0185–6197–1303–7016–8412–3581–4441–0597",
    ] {
        assert_eq!(SetupCode::parse(typed).as_ref(), Ok(&code), "{typed}");
    }
    for wrong in [
        "",
        "1742",
        "1742-0185-6197-1303-7016-8412-3581-4441-05970",
        "x742-0185-6197-1303-7016-8412-3581-4441-0597",
    ] {
        assert!(SetupCode::parse(wrong).is_err(), "{wrong}");
    }
    assert_eq!(format!("{code:?}"), "SetupCode(…)");
}

#[test]
fn codes_differ_and_every_digit_occurs() {
    let codes: Vec<String> = (0..200).map(|_| SetupCode::generate().to_string()).collect();
    assert!(codes.iter().all(|code| code.len() == 44 && SetupCode::parse(code).is_ok()));
    for place in 0..44 {
        let mut seen: Vec<u8> = codes.iter().map(|code| code.as_bytes()[place]).collect();
        seen.sort_unstable();
        seen.dedup();
        assert!(if place % 5 == 4 { seen == b"-" } else { seen == b"0123456789" }, "at {place}: {seen:?}");
    }
}
