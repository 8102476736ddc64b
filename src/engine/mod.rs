//! What the program does with mail: one file for each deed. The only floor that changes anything.

pub mod accounts;
mod adopt;
pub mod app;
pub mod check;
mod conversions;
pub mod drafts;
pub mod events;
pub mod export;
pub mod failure;
pub mod flags;
pub mod import;
pub mod indexing;
pub mod outbox;
pub mod read;
pub mod receive;
pub mod request;
pub mod restore;
pub mod search;
mod sent_copies;
pub mod settings;
pub mod snapshots;
pub mod status;
pub mod sync;
pub mod tags;
pub mod vault;

#[cfg(test)]
mod tests;
