//! Certificates and keys, on any bytes: what is read is written, read again the same, and stays within its bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailkeep_fuzz::crypto::openpgp::{Certificate, SecretKey};

/// 2026-01-01.
const NOW: i64 = 1_767_225_600;

fuzz_target!(|bytes: &[u8]| {
    let _ = SecretKey::parse(bytes, None);
    for certificate in Certificate::parse_all(bytes).unwrap_or_default() {
        let written = certificate.bytes();
        if let Ok(again) = Certificate::parse(&written) {
            assert_eq!(again.fingerprint(), certificate.fingerprint());
            assert!(!again.is_vouched_by(&certificate, NOW), "nothing vouches for itself");
        }
        let addresses = certificate.addresses(NOW);
        assert!(addresses.len() <= 64);
        for address in addresses {
            if let Ok(header) = certificate.for_autocrypt(&address, NOW) {
                let alone = Certificate::parse(&header).expect("what goes into a header is a certificate");
                assert_eq!(alone.addresses(NOW), [address]);
                assert_eq!(alone.usable(NOW), Ok(()));
            }
        }
        assert_eq!(certificate.minimal().fingerprint(), certificate.fingerprint());
        let _ = (certificate.expires(NOW), certificate.is_quantum_safe(NOW), certificate.algorithm());
    }
});
