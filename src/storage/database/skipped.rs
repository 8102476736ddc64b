//! What a sync could not take: too large for good, or refused by the server for now.

use super::{Connection, DatabaseError};
use crate::mail::ids::FolderId;
use sqlx::Row;

/// Notes that a message of a folder is stepped over for good, and why.
///
/// # Errors
/// When the database fails.
pub async fn skip(c: &mut Connection, folder: FolderId, uid: u32, reason: &str) -> Result<(), DatabaseError> {
    sqlx::query("INSERT OR REPLACE INTO skipped (folder_id, uid, reason) VALUES (?, ?, ?)")
        .bind(folder.0)
        .bind(uid)
        .bind(reason)
        .execute(c)
        .await?;
    Ok(())
}

/// The UIDs of a folder that are stepped over, with the reason.
///
/// # Errors
/// When the database fails.
pub async fn skipped(c: &mut Connection, folder: FolderId) -> Result<Vec<(u32, String)>, DatabaseError> {
    let rows = sqlx::query("SELECT uid, reason FROM skipped WHERE folder_id = ? ORDER BY uid")
        .bind(folder.0)
        .fetch_all(c)
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// A message that a server would not hand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its UID.
    pub uid: u32,
    /// How often it was asked for in vain.
    pub attempts: u32,
    /// When it is asked for again, UTC seconds.
    pub due_at: i64,
}

/// Notes that a message was asked for in vain.
///
/// # Errors
/// When the database fails.
pub async fn refuse(c: &mut Connection, folder: FolderId, refused: Refused) -> Result<(), DatabaseError> {
    sqlx::query("INSERT OR REPLACE INTO refused (folder_id, uid, attempts, due_at) VALUES (?, ?, ?, ?)")
        .bind(folder.0)
        .bind(refused.uid)
        .bind(refused.attempts)
        .bind(refused.due_at)
        .execute(c)
        .await?;
    Ok(())
}

/// The messages of a folder that were asked for in vain.
///
/// # Errors
/// When the database fails.
pub async fn refused(c: &mut Connection, folder: FolderId) -> Result<Vec<Refused>, DatabaseError> {
    let rows = sqlx::query("SELECT uid, attempts, due_at FROM refused WHERE folder_id = ? ORDER BY uid")
        .bind(folder.0)
        .fetch_all(c)
        .await?;
    Ok(rows.iter().map(|row| Refused { uid: row.get(0), attempts: row.get(1), due_at: row.get(2) }).collect())
}

/// Forgets what was noted of some UIDs of a folder: they came, or they are gone.
///
/// # Errors
/// When the database fails.
pub async fn forget(c: &mut Connection, folder: FolderId, uids: &[u32]) -> Result<(), DatabaseError> {
    let json = serde_json::to_string(uids).map_err(|e| DatabaseError::Other(e.to_string()))?;
    for delete in [
        "DELETE FROM skipped WHERE folder_id = ? AND uid IN (SELECT value FROM json_each(?))",
        "DELETE FROM refused WHERE folder_id = ? AND uid IN (SELECT value FROM json_each(?))",
    ] {
        sqlx::query(delete).bind(folder.0).bind(&json).execute(&mut *c).await?;
    }
    Ok(())
}

/// Forgets all that was noted of a folder: its UIDs mean something else now.
///
/// # Errors
/// When the database fails.
pub async fn forget_all(c: &mut Connection, folder: FolderId) -> Result<(), DatabaseError> {
    for delete in ["DELETE FROM skipped WHERE folder_id = ?", "DELETE FROM refused WHERE folder_id = ?"] {
        sqlx::query(delete).bind(folder.0).execute(&mut *c).await?;
    }
    Ok(())
}
