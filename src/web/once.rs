//! One form sends one message, however often it comes: a double click is no second letter.

use crate::mail::ids::MessageId;
use std::collections::VecDeque;
use tokio::sync::{Mutex, MutexGuard};

/// How many forms are remembered; the oldest give way.
const MOST: usize = 500;

/// The forms that sent something. A form that is sent again after a restart finds its session gone and sends nothing.
#[derive(Default)]
pub(super) struct Once(Mutex<VecDeque<Sent>>);

/// A form that sent a message.
pub(super) struct Sent {
    token: String,
    /// What the form held.
    pub(super) digest: [u8; 32],
    /// What was sent.
    pub(super) id: MessageId,
}

/// One form at a time is looked at: its double waits until it is known what became of the first.
pub(super) struct Turn<'a>(MutexGuard<'a, VecDeque<Sent>>);

impl Once {
    /// Waits for its turn.
    pub(super) async fn turn(&self) -> Turn<'_> {
        Turn(self.0.lock().await)
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        // Whoever is at it notes one that nobody can send again: the sessions are over.
        if let Ok(mut all) = self.0.try_lock() {
            all.clear();
        }
    }
}

impl Turn<'_> {
    /// What the form with this token sent before.
    pub(super) fn before(&self, token: &str) -> Option<&Sent> {
        self.0.iter().find(|sent| sent.token == token)
    }

    /// Notes what a form sent. One without a token cannot be told from another.
    pub(super) fn note(&mut self, token: &str, digest: [u8; 32], id: MessageId) {
        if token.is_empty() || token.len() > 100 {
            return;
        }
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(Sent { token: token.to_owned(), digest, id });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_sent_is_remembered_and_the_memory_is_bounded() {
        let once = Once::default();
        let mut turn = once.turn().await;
        turn.note("", [0; 32], MessageId([0; 15]));
        assert!(turn.before("").is_none());
        for n in 0..=MOST {
            turn.note(&n.to_string(), [1; 32], MessageId([2; 15]));
        }
        assert!(turn.before("0").is_none());
        assert!(turn.before("1").is_some_and(|sent| sent.digest == [1; 32]));
        assert_eq!(turn.0.len(), MOST);
        drop(turn);
        once.clear();
        assert!(once.turn().await.before("1").is_none());
    }
}
