//! What the owner decided about senders.

use super::{Connection, DatabaseError};
use sqlx::Row;

/// A sender that something was decided about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SenderRow {
    /// Canonical address.
    pub address: String,
    /// `always`, or empty: pictures from elsewhere.
    pub remote: String,
    /// `html`, `text` or empty: which view comes first.
    pub view: String,
}

/// What was decided about one sender; nothing is what is decided about most.
///
/// # Errors
/// When the database fails.
pub async fn get(c: &mut Connection, address: &str) -> Result<SenderRow, DatabaseError> {
    let row = sqlx::query("SELECT remote, view FROM sender WHERE address = ?")
        .bind(address)
        .fetch_optional(c)
        .await?;
    let (remote, view) = row.map_or_else(Default::default, |row| (row.get(0), row.get(1)));
    Ok(SenderRow { address: address.to_owned(), remote, view })
}

/// All senders that something was decided about, by address.
///
/// # Errors
/// When the database fails.
pub async fn list(c: &mut Connection) -> Result<Vec<SenderRow>, DatabaseError> {
    let rows = sqlx::query("SELECT address, remote, view FROM sender ORDER BY address").fetch_all(c).await?;
    Ok(rows
        .iter()
        .map(|row| SenderRow { address: row.get(0), remote: row.get(1), view: row.get(2) })
        .collect())
}

/// Keeps what was decided; a sender about whom nothing is decided is forgotten.
///
/// # Errors
/// When the database fails.
pub async fn set(c: &mut Connection, sender: &SenderRow) -> Result<(), DatabaseError> {
    if sender.remote.is_empty() && sender.view.is_empty() {
        forget(c, &sender.address).await?;
        return Ok(());
    }
    sqlx::query("INSERT OR REPLACE INTO sender (address, remote, view) VALUES (?, ?, ?)")
        .bind(sender.address.as_str())
        .bind(sender.remote.as_str())
        .bind(sender.view.as_str())
        .execute(c)
        .await?;
    Ok(())
}

/// Forgets a sender. False where nothing was known.
///
/// # Errors
/// When the database fails.
pub async fn forget(c: &mut Connection, address: &str) -> Result<bool, DatabaseError> {
    let done = sqlx::query("DELETE FROM sender WHERE address = ?").bind(address).execute(c).await?;
    Ok(done.rows_affected() == 1)
}
