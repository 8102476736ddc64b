//! Drafts: what the owner is writing. The content changes with every pause in typing and lies here; each draft is also a
//! message, so that it is found and listed like any other, and that message follows when the owner stops.

use super::{Connection, DatabaseError};
use crate::mail::ids::{AccountId, MessageNumber};
use sqlx::{Row, sqlite::SqliteRow};

/// A draft.
#[derive(Clone, Debug)]
pub struct DraftRow {
    /// Its id on the surface, the same while it is edited.
    pub key: String,
    /// The message that shows it, if it was made already.
    pub message: Option<MessageNumber>,
    /// The content as JSON; read by the engine.
    pub content: String,
    /// When it was saved, UTC seconds.
    pub saved_at: i64,
}

fn draft(row: &SqliteRow) -> DraftRow {
    DraftRow {
        key: row.get("key"),
        message: row.get::<Option<u32>, _>("message_id").map(MessageNumber),
        content: row.get("content"),
        saved_at: row.get("saved_at"),
    }
}

/// Saves a draft under its key.
///
/// # Errors
/// When the database fails.
pub async fn put(c: &mut Connection, key: &str, content: &str, saved_at: i64) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO draft (key, content, saved_at)
         VALUES (?, ?, ?)
         ON CONFLICT (key) DO UPDATE SET content = excluded.content, saved_at = excluded.saved_at",
    )
    .bind(key)
    .bind(content)
    .bind(saved_at)
    .execute(c)
    .await?;
    Ok(())
}

/// Notes which message shows a draft.
///
/// # Errors
/// When the database fails.
pub async fn set_message(c: &mut Connection, key: &str, message: MessageNumber) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE draft SET message_id = ? WHERE key = ?").bind(message.0).bind(key).execute(c).await?;
    Ok(())
}

/// One draft by its key.
///
/// # Errors
/// When the database fails.
pub async fn by_key(c: &mut Connection, key: &str) -> Result<Option<DraftRow>, DatabaseError> {
    Ok(sqlx::query("SELECT * FROM draft WHERE key = ?")
        .bind(key)
        .fetch_optional(c)
        .await?
        .as_ref()
        .map(draft))
}

/// The draft that a message shows.
///
/// # Errors
/// When the database fails.
pub async fn by_message(
    c: &mut Connection,
    message: MessageNumber,
) -> Result<Option<DraftRow>, DatabaseError> {
    let row =
        sqlx::query("SELECT * FROM draft WHERE message_id = ?").bind(message.0).fetch_optional(c).await?;
    Ok(row.as_ref().map(draft))
}

/// Forgets a draft; its message is deleted by the caller.
///
/// # Errors
/// When the database fails.
pub async fn remove(c: &mut Connection, key: &str) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM draft WHERE key = ?").bind(key).execute(c).await?;
    Ok(())
}

/// Forgets the drafts that these messages show.
///
/// # Errors
/// When the database fails.
pub async fn remove_of(c: &mut Connection, messages: &[MessageNumber]) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM draft WHERE message_id IN (SELECT value FROM json_each(?))")
        .bind(super::json_numbers(messages.iter().copied()))
        .execute(c)
        .await?;
    Ok(())
}

/// A copy of a draft on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftCopyRow {
    /// The draft's id.
    pub key: String,
    /// The account whose server holds it.
    pub account: AccountId,
    /// The copy's Message-ID.
    pub message_id: String,
    /// The digest of the content that was laid there.
    pub digest: String,
}

/// All drafts that were not changed after a time.
///
/// # Errors
/// When the database fails.
pub async fn quiet(c: &mut Connection, since: i64) -> Result<Vec<DraftRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM draft WHERE saved_at <= ? ORDER BY saved_at DESC LIMIT 200")
        .bind(since)
        .fetch_all(c)
        .await?;
    Ok(rows.iter().map(draft).collect())
}

/// The copies on servers, and whether their draft is still there.
///
/// # Errors
/// When the database fails.
pub async fn copies(c: &mut Connection) -> Result<Vec<(DraftCopyRow, bool)>, DatabaseError> {
    let rows = sqlx::query(
        "SELECT draft_copy.*, draft.key IS NOT NULL AS alive
         FROM draft_copy LEFT JOIN draft ON draft.key = draft_copy.key",
    )
    .fetch_all(c)
    .await?;
    rows.iter()
        .map(|row| {
            let copy = DraftCopyRow {
                key: row.try_get("key")?,
                account: AccountId(row.try_get("account_id")?),
                message_id: row.try_get("message_id")?,
                digest: row.try_get("digest")?,
            };
            Ok((copy, row.try_get("alive")?))
        })
        .collect()
}

/// Notes a copy on a server, in place of the one before it.
///
/// # Errors
/// When the database fails.
pub async fn put_copy(c: &mut Connection, copy: &DraftCopyRow) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT OR REPLACE INTO draft_copy (key, account_id, message_id, digest) VALUES (?, ?, ?, ?)",
    )
    .bind(&copy.key)
    .bind(copy.account.0)
    .bind(&copy.message_id)
    .bind(&copy.digest)
    .execute(c)
    .await?;
    Ok(())
}

/// Forgets a copy: the server holds it no more.
///
/// # Errors
/// When the database fails.
pub async fn forget_copy(c: &mut Connection, copy: &DraftCopyRow) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM draft_copy WHERE account_id = ? AND key = ?")
        .bind(copy.account.0)
        .bind(&copy.key)
        .execute(c)
        .await?;
    Ok(())
}
