//! Who holds a reading connection, noted in debug builds: a task that asks for a second one works as long as few ask, and
//! stands still with all others when many do. No ordinary test would show it, so every one watches for it.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};
use tokio::task;

static HOLDING: Mutex<Option<HashSet<Who>>> = Mutex::new(None);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Task(task::Id),
    /// What a runtime was begun with, which is no task and stays on its thread.
    Thread(ThreadId),
}

/// A note that somebody holds a connection.
pub(super) struct Held(Option<Who>);

impl Held {
    pub(super) fn note() -> Self {
        if !cfg!(debug_assertions) {
            return Self(None);
        }
        let who = task::try_id().map_or_else(|| Who::Thread(thread::current().id()), Who::Task);
        let is_first = holding(|all| all.insert(who));
        debug_assert!(is_first, "who holds a connection asks for another");
        Self(Some(who))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(who) = self.0 {
            holding(|all| all.remove(&who));
        }
    }
}

fn holding(change: impl FnOnce(&mut HashSet<Who>) -> bool) -> bool {
    change(HOLDING.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default())
}
