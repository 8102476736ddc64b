//! What open pages and running tasks are told while it happens, and how long work says how far it has come.

use serde::Serialize;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Something happened. Sent to whoever listens; nobody has to.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// New messages are in the store.
    Mail {
        /// How many.
        new: usize,
        /// In words.
        words: String,
    },
    /// Tags, flags or places changed.
    Tags {
        /// In words.
        words: String,
    },
    /// Long work came further.
    Progress {
        /// In words.
        words: String,
    },
    /// Something is in the way, or no longer is.
    Trouble {
        /// In words.
        words: String,
    },
    /// The Tor inside came further, or is in trouble.
    Tor {
        /// In words.
        words: String,
        /// How far it has come, of 100, while it starts.
        percent: Option<u8>,
    },
    /// Pictures of correspondents came.
    Pictures {
        /// In words.
        words: String,
    },
    /// Something about the owner's devices changed: a pairing went on, or one came or went.
    Devices {
        /// In words.
        words: String,
    },
    /// An entry of the outbox changed.
    Outbox {
        /// In words.
        words: String,
    },
}

/// How far long work has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Progress {
    /// What is being done, as one would say it: "Importing".
    pub deed: String,
    /// How much is done, in `unit`.
    pub done: u64,
    /// How much there is; 0 when nobody knows.
    pub total: u64,
    /// What is counted: "bytes" or "messages".
    pub unit: String,
    /// Further words: "12,431 messages".
    pub words: String,
}

/// Somebody who wants to hear how far long work has come, and may ask it to stop.
pub trait Watcher: Send + Sync {
    /// Told now and then, not for every message.
    fn progress(&self, progress: Progress);
    /// Whether the work should end cleanly at the next good place.
    fn stopped(&self) -> bool {
        false
    }
}

/// Nobody listens.
#[derive(Debug)]
pub struct Nobody;

impl Watcher for Nobody {
    fn progress(&self, _: Progress) {}
}

/// Lets something through at most once in a while.
#[derive(Debug)]
pub struct Pace {
    every: Duration,
    last: Mutex<Option<Instant>>,
}

impl Pace {
    /// At most once in `every`.
    #[must_use]
    pub const fn new(every: Duration) -> Self {
        Self { every, last: Mutex::new(None) }
    }

    /// Whether it is time again.
    pub fn due(&self) -> bool {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.is_some_and(|at| at.elapsed() < self.every) {
            return false;
        }
        *last = Some(Instant::now());
        true
    }
}
