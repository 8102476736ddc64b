//! Messages that lost a place in an account: whether they have another one there, only a whole pass can tell.

use super::{Connection, DatabaseError, json_numbers};
use crate::mail::ids::{AccountId, FolderId, MessageNumber, Uid};
use sqlx::Row;

/// Notes that a message lost a place in an account. What the owner wanted of it there, if anything, is taken over by its
/// next places ([`carry`]).
///
/// # Errors
/// When the database fails.
pub async fn note(
    c: &mut Connection,
    account: AccountId,
    message: MessageNumber,
    wanted: &str,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO displaced (account_id, message_id, wanted)
         VALUES (?, ?, ?)
         ON CONFLICT (account_id, message_id)
             DO UPDATE SET wanted = CASE excluded.wanted WHEN '' THEN displaced.wanted ELSE excluded.wanted END",
    )
    .bind(account.0)
    .bind(message.0)
    .bind(wanted)
    .execute(c)
    .await?;
    Ok(())
}

/// The messages that lost a place in an account and were not settled since.
///
/// # Errors
/// When the database fails.
pub async fn of_account(c: &mut Connection, account: AccountId) -> Result<Vec<MessageNumber>, DatabaseError> {
    let numbers: Vec<u32> =
        sqlx::query_scalar("SELECT message_id FROM displaced WHERE account_id = ? ORDER BY message_id")
            .bind(account.0)
            .fetch_all(c)
            .await?;
    Ok(numbers.into_iter().map(MessageNumber).collect())
}

/// What the owner wanted of the lost places of some messages in the account of a folder.
///
/// # Errors
/// When the database fails.
pub async fn wishes(
    c: &mut Connection,
    folder: FolderId,
    numbers: impl IntoIterator<Item = MessageNumber>,
) -> Result<Vec<(MessageNumber, String)>, DatabaseError> {
    let rows = sqlx::query(
        "SELECT displaced.message_id, displaced.wanted
         FROM folder JOIN displaced ON displaced.account_id = folder.account_id
         WHERE
             folder.id = ?
             AND displaced.wanted <> ''
             AND displaced.message_id IN (SELECT value FROM json_each(?))",
    )
    .bind(folder.0)
    .bind(json_numbers(numbers))
    .fetch_all(c)
    .await?;
    Ok(rows.iter().map(|row| (MessageNumber(row.get(0)), row.get(1))).collect())
}

/// Sets on a new place what the owner wanted of a lost place of its message in the same account. Where it lies there
/// already, nothing is left to do.
///
/// # Errors
/// When the database fails.
pub async fn carry(c: &mut Connection, folder: FolderId, uid: Uid) -> Result<(), DatabaseError> {
    sqlx::query(
        "UPDATE place
         SET wanted = displaced.wanted
         FROM folder JOIN displaced ON displaced.account_id = folder.account_id
         WHERE
             place.folder_id = ?
             AND place.uid = ?
             AND folder.id = place.folder_id
             AND displaced.message_id = place.message_id
             AND displaced.wanted NOT IN ('', folder.role, '#' || folder.id)",
    )
    .bind(folder.0)
    .bind(uid.0)
    .execute(c)
    .await?;
    Ok(())
}

/// Those of some messages that no other account has to look for either, and that no server holds, with the role they
/// have here. A place that is marked as deleted there, or that was copied away, holds nothing; but one that is to be
/// deleted for ever keeps its row until the server was told, so `any` place counts for the dead.
///
/// # Errors
/// When the database fails.
pub async fn placeless(
    c: &mut Connection,
    account: AccountId,
    numbers: &[MessageNumber],
    any: bool,
) -> Result<Vec<(MessageNumber, String)>, DatabaseError> {
    let rows = sqlx::query(
        "SELECT message.id, message.role
         FROM message
         WHERE
             message.id IN (SELECT value FROM json_each(?))
             AND NOT EXISTS (
                 SELECT 1
                 FROM place
                 WHERE
                     place.message_id = message.id
                     AND (? OR (place.wanted NOT IN ('gone', 'copied') AND place.flags & 16 = 0))
             )
             AND NOT EXISTS (
                 SELECT 1
                 FROM displaced
                 WHERE displaced.message_id = message.id AND displaced.account_id <> ?
             )",
    )
    .bind(json_numbers(numbers.iter().copied()))
    .bind(any)
    .bind(account.0)
    .fetch_all(c)
    .await?;
    Ok(rows.iter().map(|row| (MessageNumber(row.get(0)), row.get(1))).collect())
}

/// Messages that are deleted for ever and that no server holds any more, with nobody left but this account to look for
/// them: what waited for its server, and what a kill left half-way.
///
/// # Errors
/// When the database fails.
pub async fn stranded(c: &mut Connection, account: AccountId) -> Result<Vec<MessageNumber>, DatabaseError> {
    let alive = super::tags::bitmap(c, super::tags::ALL).await?;
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM message").fetch_one(&mut *c).await?;
    if count.cast_unsigned() == alive.len() {
        return Ok(Vec::new());
    }
    let lying: Vec<u32> = sqlx::query_scalar(
        "SELECT id
         FROM message
         WHERE
             NOT EXISTS (SELECT 1 FROM place WHERE place.message_id = message.id)
             AND NOT EXISTS (
                 SELECT 1
                 FROM displaced
                 WHERE displaced.message_id = message.id AND displaced.account_id <> ?
             )",
    )
    .bind(account.0)
    .fetch_all(c)
    .await?;
    Ok(lying.into_iter().filter(|n| !alive.contains(*n)).map(MessageNumber).collect())
}

/// Forgets that messages lost places in an account.
///
/// # Errors
/// When the database fails.
pub async fn settled(
    c: &mut Connection,
    account: AccountId,
    numbers: &[MessageNumber],
) -> Result<(), DatabaseError> {
    sqlx::query(
        "DELETE FROM displaced WHERE account_id = ? AND message_id IN (SELECT value FROM json_each(?))",
    )
    .bind(account.0)
    .bind(json_numbers(numbers.iter().copied()))
    .execute(c)
    .await?;
    Ok(())
}
