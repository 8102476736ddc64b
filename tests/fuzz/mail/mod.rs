//! What of the floor is fuzzed, by links to it: it stands on few crates, so that building it with the fuzzer's marks stays
//! short.

pub mod address;
pub mod attachment;
pub mod autocrypt;
pub mod compose;
pub mod domain;
pub mod envelope;
pub mod html;
pub mod message;
pub mod part;
pub mod query;
pub mod reply;
pub mod sender;
pub mod sma;
pub mod text;
pub mod words;
