//! The outbox: what is on its way out, and how far each recipient's copy has come.

use super::{Connection, DatabaseError};
use crate::mail::ids::{AccountId, MessageId, MessageNumber};
use sqlx::{Row, sqlite::SqliteRow};
use std::collections::HashMap;

/// An entry of the outbox.
#[derive(Clone, Debug)]
pub struct OutboxRow {
    /// The message.
    pub message: MessageNumber,
    /// Its id.
    pub id: MessageId,
    /// Which account sends it.
    pub account: AccountId,
    /// `waiting`, `queued`, `sending`, `sent`, `failed` or `cancelled`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was queued, UTC seconds.
    pub queued_at: i64,
    /// When it is tried next, UTC seconds.
    pub due_at: i64,
    /// When it ended, UTC seconds; 0 while it has not.
    pub ended_at: i64,
    /// Whether the copy lies in Sent on the server.
    pub copied: bool,
    /// Whether it is between programs, and not kept once it has gone out.
    pub passing: bool,
    /// The message it answers.
    pub replies_to: Option<MessageId>,
    /// What the owner should know.
    pub words: String,
    /// Decoded subject, for lists.
    pub subject: String,
}

/// One recipient of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientRow {
    /// Who.
    pub address: String,
    /// `queued`, `deferred`, `accepted`, `refused` or `gave-up`.
    pub state: String,
    /// What the server said last.
    pub reply: String,
}

fn entry(row: &SqliteRow) -> Result<OutboxRow, DatabaseError> {
    let digest: Vec<u8> = row.try_get("digest")?;
    let replies_to: Option<Vec<u8>> = row.try_get("replies_to")?;
    Ok(OutboxRow {
        message: MessageNumber(row.try_get("message_id")?),
        id: MessageId(digest.try_into().map_err(|_| DatabaseError::Damaged)?),
        account: AccountId(row.try_get("account_id")?),
        state: row.try_get("state")?,
        attempts: row.try_get("attempts")?,
        queued_at: row.try_get("queued_at")?,
        due_at: row.try_get("due_at")?,
        ended_at: row.try_get("ended_at")?,
        copied: row.try_get::<i64, _>("copied")? != 0,
        passing: row.try_get::<i64, _>("passing")? != 0,
        replies_to: replies_to.and_then(|d| d.try_into().ok()).map(MessageId),
        words: row.try_get("words")?,
        subject: row.try_get("subject")?,
    })
}

/// Queues a message for its recipients. The same message cannot be queued twice.
///
/// # Errors
/// When the database fails, or the message is in the outbox already.
pub async fn queue(
    c: &mut Connection,
    message: MessageNumber,
    account: AccountId,
    recipients: &[String],
    queued_at: i64,
    due_at: i64,
    replies_to: Option<MessageId>,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO outbox (message_id, account_id, state, queued_at, due_at, replies_to)
         VALUES (?, ?, 'waiting', ?, ?, ?)",
    )
    .bind(message.0)
    .bind(account.0)
    .bind(queued_at)
    .bind(due_at)
    .bind(replies_to.map(|id| id.0.to_vec()))
    .execute(&mut *c)
    .await?;
    for address in recipients {
        sqlx::query(
            "INSERT OR IGNORE INTO outbox_recipient (message_id, address, state) VALUES (?, ?, 'queued')",
        )
        .bind(message.0)
        .bind(address)
        .execute(&mut *c)
        .await?;
    }
    Ok(())
}

/// All entries, newest first; those that ended before `since` are left out.
///
/// # Errors
/// When the database fails.
pub async fn list(c: &mut Connection, since: i64) -> Result<Vec<OutboxRow>, DatabaseError> {
    let rows = sqlx::query(
        "SELECT outbox.*, message.digest, message.subject
         FROM outbox JOIN message ON message.id = outbox.message_id
         WHERE outbox.ended_at = 0 OR outbox.ended_at >= ?
         ORDER BY outbox.queued_at DESC, outbox.message_id DESC",
    )
    .bind(since)
    .fetch_all(c)
    .await?;
    rows.iter().map(entry).collect()
}

/// One entry.
///
/// # Errors
/// When the database fails.
pub async fn by_id(c: &mut Connection, id: MessageId) -> Result<Option<OutboxRow>, DatabaseError> {
    let row = sqlx::query(
        "SELECT outbox.*, message.digest, message.subject
         FROM outbox JOIN message ON message.id = outbox.message_id
         WHERE message.digest = ?",
    )
    .bind(id.0.to_vec())
    .fetch_optional(c)
    .await?;
    row.as_ref().map(entry).transpose()
}

/// The recipients of an entry.
///
/// # Errors
/// When the database fails.
pub async fn recipients(
    c: &mut Connection,
    message: MessageNumber,
) -> Result<Vec<RecipientRow>, DatabaseError> {
    let rows = sqlx::query(
        "SELECT address, state, reply FROM outbox_recipient WHERE message_id = ? ORDER BY address",
    )
    .bind(message.0)
    .fetch_all(c)
    .await?;
    Ok(rows
        .iter()
        .map(|row| RecipientRow { address: row.get(0), state: row.get(1), reply: row.get(2) })
        .collect())
}

/// Keeps the copies of those recipients who must not see the others, in place of the message itself.
///
/// # Errors
/// When the database fails.
pub async fn put_copies(
    c: &mut Connection,
    message: MessageNumber,
    copies: &[(String, Vec<u8>)],
) -> Result<(), DatabaseError> {
    for (address, bytes) in copies {
        sqlx::query("UPDATE outbox_recipient SET copy = ? WHERE message_id = ? AND address = ?")
            .bind(bytes)
            .bind(message.0)
            .bind(address)
            .execute(&mut *c)
            .await?;
    }
    Ok(())
}

/// Those copies, by address, as far as they are still to be sent.
///
/// # Errors
/// When the database fails.
pub async fn copies(
    c: &mut Connection,
    message: MessageNumber,
) -> Result<HashMap<String, Vec<u8>>, DatabaseError> {
    let rows =
        sqlx::query("SELECT address, copy FROM outbox_recipient WHERE message_id = ? AND copy IS NOT NULL")
            .bind(message.0)
            .fetch_all(c)
            .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Notes that the copy in Sent is there.
///
/// # Errors
/// When the database fails.
pub async fn set_copied(c: &mut Connection, message: MessageNumber) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE outbox SET copied = 1 WHERE message_id = ?").bind(message.0).execute(c).await?;
    Ok(())
}

/// Notes that a message is between programs.
///
/// # Errors
/// When the database fails.
pub async fn set_passing(c: &mut Connection, message: MessageNumber) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE outbox SET passing = 1 WHERE message_id = ?").bind(message.0).execute(c).await?;
    Ok(())
}

/// Lets nothing go out that has not ended: whatever waits or was being handed over is `failed`, with these words.
///
/// # Errors
/// When the database fails.
pub async fn hold_all(c: &mut Connection, words: &str) -> Result<(), DatabaseError> {
    sqlx::query(
        "UPDATE outbox SET state = 'failed', words = ? WHERE state IN ('waiting', 'queued', 'sending')",
    )
    .bind(words)
    .execute(c)
    .await?;
    Ok(())
}

/// Writes the changeable part of an entry, all but whether it is copied.
///
/// # Errors
/// When the database fails.
pub async fn update(c: &mut Connection, entry: &OutboxRow) -> Result<(), DatabaseError> {
    sqlx::query(
        "UPDATE outbox
         SET state = ?, attempts = ?, queued_at = ?, due_at = ?, ended_at = ?, words = ?
         WHERE message_id = ?",
    )
    .bind(entry.state.as_str())
    .bind(entry.attempts)
    .bind(entry.queued_at)
    .bind(entry.due_at)
    .bind(entry.ended_at)
    .bind(entry.words.as_str())
    .bind(entry.message.0)
    .execute(c)
    .await?;
    Ok(())
}

/// Writes how far a recipient's copy has come.
///
/// # Errors
/// When the database fails.
pub async fn update_recipient(
    c: &mut Connection,
    message: MessageNumber,
    recipient: &RecipientRow,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "UPDATE outbox_recipient
         SET state = ?1, reply = ?2, copy = CASE WHEN ?1 <> 'accepted' THEN copy END
         WHERE message_id = ?3 AND address = ?4",
    )
    .bind(recipient.state.as_str())
    .bind(recipient.reply.as_str())
    .bind(message.0)
    .bind(recipient.address.as_str())
    .execute(c)
    .await?;
    Ok(())
}

/// Takes an entry out, so that its message can become a draft again.
///
/// # Errors
/// When the database fails.
pub async fn remove(c: &mut Connection, message: MessageNumber) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM outbox WHERE message_id = ?").bind(message.0).execute(c).await?;
    Ok(())
}
