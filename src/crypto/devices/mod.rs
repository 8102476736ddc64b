//! The secrets between one's own devices: who signed what, the comparison or the code that lets a new device in, the sessions
//! after it, and the roster. All of the cryptography is vodozemac's (Olm, short authentication strings, X25519), SHA-256, and
//! HMAC and HKDF over it; what is signed and what it means is in [`crate::mail::sma`].

mod code;
mod coded;
mod comparison;
mod device;
mod roster;
mod sessions;
#[cfg(test)]
mod tests;

pub use code::{Code, CodeError};
pub use coded::{CodeHandshake, CodeProof, proves_request, request_proof};
pub use comparison::{Comparison, Handshake, Transcript};
pub use device::{Device, DeviceError, hash, verified, verified_announcement};
pub use roster::{Roster, RosterHash, Standing};
pub use sessions::Sessions;
