//! Sample mail for `mailkeep demo`: two years in the post of Robin Vale, who does not exist, written for this project.
//!
//! The texts lie beside this file in a small format of their own ([`script`]); everybody in them lives under `.example`.

mod build;
mod circulars;
mod encode;
mod files;
mod people;
mod pictures;
mod script;
mod stories;
#[cfg(test)]
mod tests;
mod time;

pub use people::OWNER_ADDRESS;
use time::Calendar;

/// One sample message and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoMessage {
    /// The exact bytes, with CRLF line ends.
    pub raw: Vec<u8>,
    /// `inbox`, `archive`, `sent`, `draft`, `spam` or `trash`.
    pub folder_role: &'static str,
    /// When it arrived, UTC seconds; never later than now.
    pub received_at: i64,
    /// Not read yet.
    pub unread: bool,
    /// Marked with a star.
    pub starred: bool,
    /// Robin has answered it.
    pub replied: bool,
    /// Robin's own tags.
    pub tags: Vec<&'static str>,
}

/// All sample messages, oldest first, the latest of them a few minutes before `now` (UTC seconds).
///
/// The same `now` gives the same bytes.
pub fn messages(now: i64) -> Vec<DemoMessage> {
    let calendar = Calendar::new(now);
    let mut messages = stories::messages(calendar);
    messages.extend(circulars::messages(calendar));
    messages.sort_by_key(|message| message.received_at);
    messages
}
