//! Encrypted and signed messages, on any bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailkeep_fuzz::crypto::openpgp::{self, SecretKey};
use std::sync::LazyLock;

/// 2026-01-01.
const NOW: i64 = 1_767_225_600;
static KEY: LazyLock<[SecretKey; 1]> =
    LazyLock::new(|| [SecretKey::generate("alice@example.org", NOW).expect("a key is made").0]);

fuzz_target!(|bytes: &[u8]| {
    let certificate = [KEY[0].certificate()];
    let opened = openpgp::unseal(bytes, &*KEY, None, &certificate, NOW);
    assert!(opened.is_err(), "nobody has encrypted anything to a key that was just made: {opened:?}");
    for found in [
        openpgp::verify_message(bytes, &certificate, NOW).map(|found| found.1),
        openpgp::verify_cleartext(bytes, &certificate, NOW).map(|found| found.1),
        openpgp::verify_detached(b"Hello", bytes, &certificate, NOW),
    ] {
        let good = found.iter().flatten().any(|signature| signature.verdict.is_good());
        assert!(!good, "nor signed anything by it");
    }
});
