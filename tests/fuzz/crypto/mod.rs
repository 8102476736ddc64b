//! What of the floor of secrets is fuzzed, by links to it.

pub mod openpgp;
pub mod secret;
