//! The secrets between one's own devices: who signed what, the comparison that lets a new device in, the sessions after it,
//! and the roster. All of the cryptography is vodozemac's (Olm, short authentication strings) and SHA-256; what is signed
//! and what it means is in [`crate::mail::sma`].

mod comparison;
mod device;
mod roster;
mod sessions;
#[cfg(test)]
mod tests;

pub use comparison::{Comparison, Handshake, Transcript};
pub use device::{Device, DeviceError, hash, verified, verified_announcement};
pub use roster::{Roster, RosterHash, Standing};
pub use sessions::Sessions;
