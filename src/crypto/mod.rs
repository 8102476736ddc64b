//! Secrets: keys, the vault's slots, sealing at rest, OpenPGP. Pure: bytes in, bytes out.

pub mod devices;
mod letters;
pub mod master_key;
pub mod openpgp;
pub mod passkey;
pub mod passphrase;
pub mod recovery;
pub mod seal;
pub mod secret;
pub mod shares;
pub mod totp;
pub mod vault;
