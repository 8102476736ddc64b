//! Secrets: keys, the vault's slots, sealing at rest. Pure: bytes in, bytes out.

pub mod master_key;
pub mod passphrase;
pub mod seal;
pub mod secret;
pub mod vault;
