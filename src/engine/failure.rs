//! What went wrong, in one sentence for the owner, and of which kind it is for the doors (exit status, HTTP status).

use crate::storage::database::DatabaseError;
use std::fmt;

/// Of which kind a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Kind {
    /// It could not be done: a file or server that is not there, a full disk, a refusal from elsewhere.
    Failed,
    /// It is not done as things stand: nothing waits for it, a name is taken, a code is another.
    Refused,
    /// It was asked for wrongly: a query that cannot be understood, a missing word.
    Usage,
    /// Wrong passphrase, or the store is locked.
    Locked,
    /// No such message, account, key or device in the store.
    NotFound,
    /// The store is damaged.
    Damaged,
}

/// A failure: its kind, and one sentence that says what failed, on what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// Its kind.
    pub kind: Kind,
    /// The sentence, without a full stop.
    pub words: String,
}

impl Failure {
    /// It could not be done.
    pub fn failed(words: impl Into<String>) -> Self {
        Self { kind: Kind::Failed, words: words.into() }
    }

    /// It is not done as things stand.
    pub fn refused(words: impl Into<String>) -> Self {
        Self { kind: Kind::Refused, words: words.into() }
    }

    /// It was asked for wrongly.
    pub fn usage(words: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, words: words.into() }
    }

    /// The passphrase is wrong or missing.
    pub fn locked(words: impl Into<String>) -> Self {
        Self { kind: Kind::Locked, words: words.into() }
    }

    /// Nobody has that name or id.
    pub fn not_found(words: impl Into<String>) -> Self {
        Self { kind: Kind::NotFound, words: words.into() }
    }

    /// The store is damaged.
    pub fn damaged(words: impl Into<String>) -> Self {
        Self { kind: Kind::Damaged, words: words.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for Failure {}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Damaged => Self::damaged(error.to_string()),
            _ => Self::failed(error.to_string()),
        }
    }
}

/// Runs work that keeps a processor busy where it cannot stall anybody.
///
/// # Errors
/// What the work gives; a work that panics is a failure, too.
pub async fn blocking<T: Send + 'static, E: Into<Failure> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => {
            Err(Failure::failed("something broke inside Mailkeep while it was working; please report it"))
        }
    }
}
