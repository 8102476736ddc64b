//! Messages and keys of other programs, where `MAILKEEP_CORPORA` names a folder that has them.

use super::super::setup::{SetupCode, SetupError, begin_of, open};
use super::*;
use std::path::PathBuf;

fn folder(of: &str) -> Option<PathBuf> {
    let Some(corpora) = std::env::var_os("MAILKEEP_CORPORA") else {
        eprintln!("NOT RUN: MAILKEEP_CORPORA names no folder");
        return None;
    };
    Some(PathBuf::from(corpora).join("pgp").join(of))
}

/// The specification's samples are of early 2019; their keys expired in 2021.
const THEN: i64 = 1_549_000_000;

#[test]
fn the_autocrypt_specifications_own_setup_message_opens() {
    let Some(folder) = folder("autocrypt-spec/doc/appendix") else { return };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let message = read("example-setup-message.eml");
    let code = SetupCode::parse("1742-0185-6197-1303-7016-8412-3581-4441-0597").unwrap();
    assert_eq!(begin_of(&message).as_deref(), Some("17"));
    let setup = open(&message, &code).unwrap();
    assert!(setup.mutual);
    let alice = SecretKey::parse(read("alice@autocrypt.example.sec.asc").as_bytes(), None).unwrap();
    assert_eq!(setup.key.fingerprint(), alice.fingerprint());
    assert_eq!(setup.key.certificate().addresses(THEN), ["alice@autocrypt.example"]);
    let wrong = SetupCode::parse("1742-0185-6197-1303-7016-8412-3581-4441-0598").unwrap();
    assert_eq!(open(&message, &wrong).unwrap_err(), SetupError::WrongCode);
    // It goes on from here.
    let again = super::super::setup::make(&setup.key, true, &code, THEN).unwrap();
    assert_eq!(open(&again, &code).unwrap().key.bytes(), setup.key.bytes());
}

#[test]
fn the_autocrypt_specifications_keys_and_messages_are_read() {
    let Some(folder) = folder("autocrypt-spec/doc/appendix") else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let mut keys = Vec::new();
    for name in ["alice", "bob", "carol"] {
        let key = SecretKey::parse(&read(&format!("{name}@autocrypt.example.sec.asc")), None).unwrap();
        let certificate = Certificate::parse(&read(&format!("{name}@autocrypt.example.pub.asc"))).unwrap();
        assert_eq!(key.fingerprint(), certificate.fingerprint());
        let address = format!("{name}@autocrypt.example");
        assert_eq!(certificate.usable(THEN), Ok(()));
        assert!(matches!(certificate.usable(NOW), Err(Unusable::Expired(_))));
        assert_eq!(packets(&certificate.for_autocrypt(&address, THEN).unwrap()).len(), 5);
        keys.push(key);
    }
    let signers: Vec<Certificate> = keys.iter().map(SecretKey::certificate).collect();
    let gossip = unseal(&read("example-gossip.eml"), &keys, None, &signers, THEN).unwrap();
    assert!(String::from_utf8_lossy(&gossip.plain).contains("Autocrypt-Gossip: addr="));
    assert_eq!(verdicts(&gossip.signatures), [Verdict::Good]);
    let today = unseal(&read("example-gossip.eml"), &keys, None, &signers, NOW).unwrap();
    assert_eq!(verdicts(&today.signatures), [Verdict::GoodThen("the key has expired since".into())]);
    let draft = unseal(&read("example-draft.eml"), &keys, None, &signers, THEN).unwrap();
    assert!(draft.signatures.is_empty() && !draft.plain.is_empty());
}

#[test]
fn gopenpgps_messages_end_as_they_should() {
    let Some(folder) = folder("gopenpgp/crypto/testdata") else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let key = |name: &str| SecretKey::parse(&read(name), None);

    // No protection against changes, and a proof that fails.
    let sed = unseal(&read("sed_message"), &[key("sed_key").unwrap()], None, &[], NOW);
    assert_eq!(sed.unwrap_err(), UnsealError::NotProtected);
    let owner = SecretKey::parse(&read("keyring_privateKey"), Some(&words(b"apple"))).unwrap();
    let bad = unseal(&read("message_badmdc"), std::slice::from_ref(&owner), None, &[], NOW);
    assert!(bad.is_err(), "{bad:?}");

    // SHA-1 counts as nothing, SHA-256 as a signature.
    let signer = [Certificate::parse(&read("keyring_publicKey")).unwrap()];
    for (name, weak) in [("message_sha1_signed", true), ("message_sha256_signed", false)] {
        let found = unseal(&read(name), std::slice::from_ref(&owner), None, &signer, NOW)
            .map(|opened| opened.signatures)
            .or_else(|_| verify_cleartext(&read(name), &signer, NOW).map(|(_, signatures)| signatures))
            .or_else(|_| verify_message(&read(name), &signer, NOW).map(|(_, signatures)| signatures));
        match found {
            Ok(signatures) => {
                let good = signatures.iter().any(|signature| signature.verdict.is_good());
                assert_ne!(weak, good, "{name}: {signatures:?}");
                eprintln!("{name}: {:?}", verdicts(&signatures));
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }

    let revoked = Certificate::parse(&read("key_revoked")).unwrap();
    assert!(revoked.is_revoked(NOW));
    let expired = Certificate::parse(&read("key_expiredKey")).unwrap();
    assert!(expired.usable(NOW).is_err());
    let future = Certificate::parse(&read("key_futureKey")).unwrap();
    assert!(future.created() > NOW && future.usable(NOW).is_err());
}

fn words(bytes: &[u8]) -> crate::crypto::secret::SecretText {
    crate::crypto::secret::SecretText::new(String::from_utf8_lossy(bytes).trim().to_owned())
}

/// Every file there is goes through every door; none may panic or take long.
#[test]
fn no_file_of_the_corpora_does_harm() {
    let Some(root) = folder("") else { return };
    let mut folders = vec![root];
    let (mut files, mut certificates) = (0, 0);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let started = std::time::Instant::now();
            files += 1;
            if let Ok(found) = Certificate::parse_all(&bytes) {
                certificates += found.len();
                for certificate in found {
                    drop((certificate.addresses(NOW), certificate.usable(NOW), certificate.minimal()));
                }
            }
            let keys: Vec<SecretKey> = SecretKey::parse(&bytes, None).into_iter().collect();
            drop(unseal(&bytes, &keys, None, &[], NOW));
            drop((verify_cleartext(&bytes, &[], NOW), verify_detached(b"", &bytes, &[], NOW)));
            assert!(started.elapsed().as_secs() < 20, "{}: {:?}", path.display(), started.elapsed());
        }
    }
    eprintln!("{files} files, {certificates} certificates");
    assert!(files > 0);
}
