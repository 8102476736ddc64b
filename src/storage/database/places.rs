//! Places: which folder of which account holds a message under which UID, and what the owner wants changed there.

use super::tags::TagChanges;
use super::{Connection, DatabaseError, json_numbers};
use crate::mail::ids::{AccountId, FolderId, MessageNumber, Uid};
use roaring::RoaringBitmap;
use sqlx::{QueryBuilder, Row, sqlite::SqliteRow};
use std::collections::{BTreeMap, BTreeSet};

/// The roles that are tags, too.
pub const ROLES: [&str; 6] = ["inbox", "archive", "sent", "draft", "spam", "trash"];

/// What `wanted` holds for a message that is to be deleted for ever.
pub const GONE: &str = "gone";

/// One place of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceRow {
    /// The folder.
    pub folder: FolderId,
    /// Its account.
    pub account: AccountId,
    /// The folder's name.
    pub folder_name: String,
    /// The folder's role.
    pub role: String,
    /// The UID in it.
    pub uid: Uid,
    /// The message.
    pub message: MessageNumber,
    /// The flags that the server said last (see `engine::flags`).
    pub flags: u8,
    /// The keywords that the server said last, blank-separated.
    pub keywords: String,
    /// The role of the folder it is to move to; empty for stay, [`GONE`] for delete.
    pub wanted: String,
}

fn place(row: &SqliteRow) -> PlaceRow {
    PlaceRow {
        folder: FolderId(row.get("folder_id")),
        account: AccountId(row.get("account_id")),
        folder_name: row.get("name"),
        role: row.get("role"),
        uid: Uid(row.get("uid")),
        message: MessageNumber(row.get("message_id")),
        flags: row.get("flags"),
        keywords: row.get("keywords"),
        wanted: row.get("wanted"),
    }
}

/// Notes that servers hold messages: folder, UID, message, flags, keywords. What was noted there before is replaced.
///
/// # Errors
/// When the database fails.
pub async fn put(
    c: &mut Connection,
    places: &[(FolderId, Uid, MessageNumber, u8, String)],
) -> Result<(), DatabaseError> {
    for some in places.chunks(200) {
        let mut insert =
            QueryBuilder::new("INSERT OR REPLACE INTO place (folder_id, uid, message_id, flags, keywords) ");
        insert.push_values(some, |mut row, (folder, uid, message, flags, keywords)| {
            row.push_bind(folder.0)
                .push_bind(uid.0)
                .push_bind(message.0)
                .push_bind(*flags)
                .push_bind(keywords.as_str());
        });
        insert.build().execute(&mut *c).await?;
    }
    Ok(())
}

/// The places of some messages.
///
/// # Errors
/// When the database fails.
pub async fn of_messages(
    c: &mut Connection,
    numbers: impl IntoIterator<Item = MessageNumber>,
) -> Result<Vec<PlaceRow>, DatabaseError> {
    let rows = sqlx::query(
        "SELECT place.*, folder.account_id, folder.name, folder.role
         FROM place JOIN folder ON folder.id = place.folder_id
         WHERE place.message_id IN (SELECT value FROM json_each(?))
         ORDER BY place.message_id, folder.account_id, folder.name, place.uid",
    )
    .bind(json_numbers(numbers))
    .fetch_all(c)
    .await?;
    Ok(rows.iter().map(place).collect())
}

/// The UIDs of a folder that are known here.
///
/// # Errors
/// When the database fails.
pub async fn uids(c: &mut Connection, folder: FolderId) -> Result<RoaringBitmap, DatabaseError> {
    let uids: Vec<u32> =
        sqlx::query_scalar("SELECT uid FROM place WHERE folder_id = ?").bind(folder.0).fetch_all(c).await?;
    Ok(uids.into_iter().collect())
}

/// Some places of a folder, by UID.
///
/// # Errors
/// When the database fails.
pub async fn by_uids(
    c: &mut Connection,
    folder: FolderId,
    uids: &[u32],
) -> Result<Vec<PlaceRow>, DatabaseError> {
    let rows = sqlx::query(
        "SELECT place.*, folder.account_id, folder.name, folder.role
         FROM place JOIN folder ON folder.id = place.folder_id
         WHERE place.folder_id = ? AND place.uid IN (SELECT value FROM json_each(?))",
    )
    .bind(folder.0)
    .bind(serde_json::to_string(uids).map_err(|e| DatabaseError::Other(e.to_string()))?)
    .fetch_all(c)
    .await?;
    Ok(rows.iter().map(place).collect())
}

/// Notes what the server says of the flags at a place.
///
/// # Errors
/// When the database fails.
pub async fn set_flags(
    c: &mut Connection,
    folder: FolderId,
    uid: Uid,
    flags: u8,
    keywords: &str,
) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE place SET flags = ?, keywords = ? WHERE folder_id = ? AND uid = ?")
        .bind(flags)
        .bind(keywords)
        .bind(folder.0)
        .bind(uid.0)
        .execute(c)
        .await?;
    Ok(())
}

/// Notes where the owner wants the message of a place to be.
///
/// # Errors
/// When the database fails.
pub async fn set_wanted(
    c: &mut Connection,
    folder: FolderId,
    uid: Uid,
    wanted: &str,
) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE place SET wanted = ? WHERE folder_id = ? AND uid = ?")
        .bind(wanted)
        .bind(folder.0)
        .bind(uid.0)
        .execute(c)
        .await?;
    Ok(())
}

/// All places of an account that are to move or go.
///
/// # Errors
/// When the database fails.
pub async fn wanted(c: &mut Connection, account: AccountId) -> Result<Vec<PlaceRow>, DatabaseError> {
    let rows = sqlx::query(
        "SELECT place.*, folder.account_id, folder.name, folder.role
         FROM place JOIN folder ON folder.id = place.folder_id
         WHERE place.wanted <> '' AND folder.account_id = ?
         ORDER BY place.folder_id, place.uid",
    )
    .bind(account.0)
    .fetch_all(c)
    .await?;
    Ok(rows.iter().map(place).collect())
}

/// Removes places that are no more; gives the messages that lay there.
///
/// # Errors
/// When the database fails.
pub async fn remove(
    c: &mut Connection,
    folder: FolderId,
    uids: &RoaringBitmap,
) -> Result<BTreeSet<MessageNumber>, DatabaseError> {
    let mut messages = BTreeSet::new();
    let uids: Vec<u32> = uids.iter().collect();
    for some in uids.chunks(5000) {
        let json = serde_json::to_string(some).map_err(|e| DatabaseError::Other(e.to_string()))?;
        let gone: Vec<u32> = sqlx::query_scalar(
            "DELETE FROM place
             WHERE folder_id = ? AND uid IN (SELECT value FROM json_each(?))
             RETURNING message_id",
        )
        .bind(folder.0)
        .bind(json)
        .fetch_all(&mut *c)
        .await?;
        messages.extend(gone.into_iter().map(MessageNumber));
    }
    Ok(messages)
}

/// Brings the tags that mirror places (`inbox`, `archive`, …) up to date for some messages.
///
/// # Errors
/// When the database fails.
pub async fn mirror(
    c: &mut Connection,
    numbers: &BTreeSet<MessageNumber>,
    changes: &mut TagChanges,
) -> Result<(), DatabaseError> {
    let mut roles: BTreeMap<MessageNumber, BTreeSet<String>> =
        numbers.iter().map(|n| (*n, BTreeSet::new())).collect();
    let held: BTreeSet<MessageNumber> = of_messages(c, numbers.iter().copied())
        .await?
        .into_iter()
        .map(|p| {
            if p.wanted != GONE
                && let Some(set) = roles.get_mut(&p.message)
            {
                set.insert(if p.wanted.is_empty() { p.role } else { p.wanted });
            }
            p.message
        })
        .collect();
    let local = sqlx::query("SELECT id, role FROM message WHERE id IN (SELECT value FROM json_each(?))")
        .bind(json_numbers(numbers.iter().copied()))
        .fetch_all(c)
        .await?;
    for row in local {
        let number = MessageNumber(row.get(0));
        if !held.contains(&number)
            && let Some(set) = roles.get_mut(&number)
        {
            set.insert(row.get(1));
        }
    }
    for (number, set) in roles {
        for role in ROLES {
            changes.put(role, number, set.contains(role));
        }
    }
    Ok(())
}

/// All messages that a folder (by its name, of any account) holds.
///
/// # Errors
/// When the database fails.
pub async fn in_folder(c: &mut Connection, name: &str) -> Result<RoaringBitmap, DatabaseError> {
    let numbers: Vec<u32> = sqlx::query_scalar(
        "SELECT place.message_id
         FROM folder JOIN place ON place.folder_id = folder.id
         WHERE folder.name = ? COLLATE NOCASE",
    )
    .bind(name)
    .fetch_all(c)
    .await?;
    Ok(numbers.into_iter().collect())
}

/// All messages that an account holds.
///
/// # Errors
/// When the database fails.
pub async fn in_account(c: &mut Connection, address: &str) -> Result<RoaringBitmap, DatabaseError> {
    let numbers: Vec<u32> = sqlx::query_scalar(
        "SELECT DISTINCT place.message_id
         FROM account
             JOIN folder ON folder.account_id = account.id
             JOIN place ON place.folder_id = folder.id
         WHERE account.address = ?",
    )
    .bind(address)
    .fetch_all(c)
    .await?;
    Ok(numbers.into_iter().collect())
}

/// Messages of a set that no server holds and that lie nowhere here either: they were expunged elsewhere.
///
/// # Errors
/// When the database fails.
pub async fn homeless(
    c: &mut Connection,
    numbers: &BTreeSet<MessageNumber>,
) -> Result<Vec<MessageNumber>, DatabaseError> {
    let found: Vec<u32> = sqlx::query_scalar(
        "SELECT id
         FROM message
         WHERE id IN (SELECT value FROM json_each(?))
             AND role = ''
             AND NOT EXISTS (SELECT 1 FROM place WHERE place.message_id = message.id)",
    )
    .bind(json_numbers(numbers.iter().copied()))
    .fetch_all(c)
    .await?;
    Ok(found.into_iter().map(MessageNumber).collect())
}

/// Notes that the flags or tags of messages are to be pushed.
///
/// # Errors
/// When the database fails.
pub async fn note_changed(c: &mut Connection, numbers: &[MessageNumber]) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT OR IGNORE INTO changed (message_id)
         SELECT DISTINCT place.message_id FROM place WHERE place.message_id IN (SELECT value FROM json_each(?))",
    )
    .bind(json_numbers(numbers.iter().copied()))
    .execute(c)
    .await?;
    Ok(())
}

/// Places of an account whose message the owner changed since the last push.
///
/// # Errors
/// When the database fails.
pub async fn changed(c: &mut Connection, account: AccountId) -> Result<Vec<PlaceRow>, DatabaseError> {
    let rows = sqlx::query(
        "SELECT place.*, folder.account_id, folder.name, folder.role
         FROM changed
             JOIN place ON place.message_id = changed.message_id
             JOIN folder ON folder.id = place.folder_id
         WHERE folder.account_id = ?
         ORDER BY place.folder_id, place.uid",
    )
    .bind(account.0)
    .fetch_all(c)
    .await?;
    Ok(rows.iter().map(place).collect())
}

/// Notes that changes have been pushed everywhere.
///
/// # Errors
/// When the database fails.
pub async fn forget_changed(c: &mut Connection, numbers: &[MessageNumber]) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM changed WHERE message_id IN (SELECT value FROM json_each(?))")
        .bind(json_numbers(numbers.iter().copied()))
        .execute(c)
        .await?;
    Ok(())
}
