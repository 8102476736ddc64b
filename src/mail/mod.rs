//! What mail is: pure values and rules. No I/O, no clock, no database.

pub mod address;
pub mod attachment;
pub mod authentication;
pub mod autocrypt;
pub mod compose;
pub mod demo;
pub mod domain;
pub mod envelope;
pub mod html;
pub mod ids;
pub mod invitation;
pub mod list;
pub mod mbox;
pub mod message;
pub mod part;
pub mod query;
pub mod reply;
pub mod sender;
pub mod sma;
pub mod text;
pub mod words;
