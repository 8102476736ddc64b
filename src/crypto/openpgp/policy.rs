//! What is accepted, and when: one policy for all, and the way between our time and OpenPGP's.

use sequoia_openpgp::policy::StandardPolicy;
use sequoia_openpgp::types::SymmetricAlgorithm;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Sequoia's policy as of `now`: MD5 and SHA-1 signatures, RSA under 2048 bits and the like count as nothing.
pub(super) fn policy(now: i64) -> StandardPolicy<'static> {
    StandardPolicy::at(time(now))
}

/// For reading old mail: its ciphers may be old, its signatures not. Who opens such a message is told that it is weak.
pub(super) fn reading_policy(now: i64) -> StandardPolicy<'static> {
    let mut policy = policy(now);
    for cipher in WEAK_CIPHERS {
        policy.accept_symmetric_algo(cipher);
    }
    policy
}

/// Ciphers with blocks of 64 bits: read, said to be weak, never written.
#[expect(deprecated, reason = "they are named in order to be told apart")]
const WEAK_CIPHERS: [SymmetricAlgorithm; 4] = [
    SymmetricAlgorithm::IDEA,
    SymmetricAlgorithm::TripleDES,
    SymmetricAlgorithm::CAST5,
    SymmetricAlgorithm::Blowfish,
];

/// Whether a message under this cipher is to be called weak.
pub(super) fn is_weak(cipher: SymmetricAlgorithm) -> bool {
    WEAK_CIPHERS.contains(&cipher)
}

/// From seconds since 1970, kept within what OpenPGP can say (32 bits, until 2106).
pub(super) fn time(seconds: i64) -> SystemTime {
    let seconds = u32::try_from(seconds.max(0)).unwrap_or(u32::MAX);
    UNIX_EPOCH + Duration::from_secs(seconds.into())
}

/// To seconds since 1970.
pub(super) fn seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
