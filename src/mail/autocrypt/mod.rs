//! Autocrypt Level 1 (1.1): the header fields by which programs hand each other keys, what is remembered of each
//! correspondent, and what is advised before writing. Keys are opaque here: bytes in a field, any value in a peer.

mod header;
mod peer;
mod recommend;
#[cfg(test)]
mod tests;

pub use header::{DraftState, Flaw, Gossip, Header, sole};
pub use peer::{Peer, Reason, changes_peers};
pub use recommend::{Recommendation, all, one};
