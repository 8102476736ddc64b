//! Whether a message is from the domain it names: DKIM signatures (RFC 6376), and what the owner's own server noted
//! (RFC 8601). Pure: the key is handed in.

pub mod dkim;
mod results;

pub use results::{Method, Results, claimed_servers, trusted};
