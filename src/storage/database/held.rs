//! Who holds a reading connection, noted in debug builds: a task that asks for a second one works as long as few ask, and
//! stands still with all others when many do. No ordinary test would show it, so every one watches for it.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use tokio::task;

static HOLDING: Mutex<Option<HashSet<task::Id>>> = Mutex::new(None);

/// A task's note that it holds a connection.
pub(super) struct Held(Option<task::Id>);

impl Held {
    pub(super) fn note() -> Self {
        let task = if cfg!(debug_assertions) { task::try_id() } else { None };
        let is_first = task.is_none_or(|task| holding(|tasks| tasks.insert(task)));
        debug_assert!(is_first, "a task that holds a connection asks for another");
        Self(task)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(task) = self.0 {
            holding(|tasks| tasks.remove(&task));
        }
    }
}

fn holding(change: impl FnOnce(&mut HashSet<task::Id>) -> bool) -> bool {
    change(HOLDING.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default())
}
