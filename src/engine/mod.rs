//! What the program does with mail: one file for each deed. The only floor that changes anything.

pub mod accounts;
mod adopt;
pub mod app;
pub mod authentication;
pub mod backup;
pub mod check;
mod conversions;
pub mod devices;
pub mod draft_copies;
pub mod drafts;
pub mod envelopes;
pub mod events;
pub mod export;
pub mod failure;
pub mod flags;
pub mod heavy;
pub mod import;
pub mod indexing;
pub mod keyring;
pub mod outbox;
pub mod outgoing;
pub mod peers;
pub mod preview;
pub mod read;
pub mod receive;
pub mod recovery;
pub mod remote;
pub mod request;
pub mod restore;
pub mod search;
pub mod sender;
pub mod senders;
mod sent_copies;
pub mod settings;
pub mod setup_messages;
pub mod snapshots;
pub mod status;
pub mod sync;
pub mod tags;
pub mod unsubscribe;
pub mod vault;

#[cfg(test)]
mod tests;
