//! What of the floor of secrets is fuzzed, by links to it.

pub mod devices {
    pub mod code;
}
mod letters;
pub mod openpgp;
pub mod secret;
