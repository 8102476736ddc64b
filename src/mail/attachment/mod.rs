//! Attachments: what a file is by its content, by its name and by what its sender says, what is dangerous about it, and
//! what can be read of archives, calendars and address cards without opening anything.

pub mod archive;
pub mod calendar;
pub mod card;
mod content;
mod kind;
pub mod name;
mod verdict;

#[cfg(test)]
mod tests;

pub use content::by_content;
pub use kind::Kind;
pub use verdict::{SenderStanding, Verdict, look};
