//! OpenPGP (RFC 9580, RFC 9980): certificates, secret keys, sealing and unsealing, signatures, and the Autocrypt Setup
//! Message. The only door to `sequoia-openpgp`.
//!
//! Time is always an argument, in UTC seconds since 1970. Everything read here may have been made by somebody hostile, so
//! all of it is bounded in size, number and depth before a key or a cipher is touched.

mod armour;
mod autocrypt;
pub mod backup;
mod certificate;
mod ids;
mod keyring;
mod policy;
mod seal;
mod secret_key;
mod session_key;
pub mod setup;
#[cfg(test)]
mod tests;
mod unseal;
mod verify;
mod vouching;
mod wkd;

pub use autocrypt::MAX_AUTOCRYPT_BYTES;
pub use certificate::{Certificate, Unusable};
pub use ids::{Fingerprint, KeyId, NotAKeyName};
pub use keyring::{KeyError, MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES};
pub use seal::{MICALG, seal, sign_detached, sign_detached_armored};
pub use secret_key::{LIFETIME, SecretKey};
pub use session_key::{NotASessionKey, SessionKey};
pub use unseal::{MAX_MESSAGE_BYTES, MAX_PLAIN_BYTES, UnsealError, Unsealed, unseal};
pub use verify::{Signature, Verdict, verify_cleartext, verify_detached, verify_message};
pub use wkd::hashed_local_part;

/// A wall around the library: where it breaks off on hostile bytes, that is one more way for them to be unreadable, and the
/// mail around them is read all the same.
fn guarded<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(otherwise)
}
