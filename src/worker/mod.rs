//! What opens hostile files: this program once more, as a child process for each job, behind walls. It gets bytes on
//! stdin, gives bytes on stdout, and can reach nothing else: no file, no connection, no other process, a bounded
//! memory and a bounded time. Where its walls cannot be raised it does nothing and says so.
//!
//! [`pool`] is the parent's side, [`child`] the other one; [`walls`] are the walls, [`convert`] what is done behind them.

pub mod child;
mod convert;
mod frame;
pub mod job;
pub mod pool;
mod walls;

pub use job::{Job, Made, Size, Summary};
pub use pool::{Report, Workers};

/// The word after the program's name that makes it a worker. Not a command: nobody types it.
pub const WORD: &str = "worker-behind-walls";

/// Whether a safe copy can be made of a media type.
#[must_use]
pub fn can_copy(media_type: &str) -> bool {
    convert::converter(media_type).is_some()
}
