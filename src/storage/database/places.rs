//! Places: which folder of which account holds a message under which UID, and what the owner wants changed there.

use super::{Connection, DatabaseError, json_numbers};
use crate::mail::ids::{AccountId, FolderId, MessageNumber, Uid};
use roaring::RoaringBitmap;
use sqlx::{QueryBuilder, Row, sqlite::SqliteRow};
use std::collections::BTreeSet;

pub use super::roles::mirror;

/// The roles that are tags, too.
pub const ROLES: [&str; 6] = ["inbox", "archive", "sent", "draft", "spam", "trash"];

/// What `wanted` holds for a message that is to be deleted for ever.
pub const GONE: &str = "gone";

/// What `wanted` holds for a place whose message was copied to where it is to be: only the old one is still to go.
pub const COPIED: &str = "copied";

/// The bit of `\\Deleted` in a place's flags.
pub const DELETED: u8 = 16;

/// What `wanted` holds for a message that is to move to this very folder, whatever its role.
#[must_use]
pub fn to_folder(folder: FolderId) -> String {
    format!("#{folder}")
}

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
    /// The role of the folder it is to move to, or the folder itself ([`to_folder`]); empty for stay, [`GONE`] for delete,
    /// [`COPIED`] where only the old copy is to go.
    pub wanted: String,
    /// The role of the folder where it lies once the server has been told.
    pub goal: String,
}

impl PlaceRow {
    /// Whether the message really lies there: it is not marked as deleted, and not about to go.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.flags & DELETED == 0 && self.wanted != GONE && self.wanted != COPIED
    }

    /// Whether the owner wants it in this folder.
    #[must_use]
    pub fn wants(&self, folder: FolderId, role: &str) -> bool {
        !self.wanted.is_empty() && (self.wanted == role || self.wanted == to_folder(folder))
    }
}

/// Places with what is said of their folders.
macro_rules! places {
    ($rest:literal) => {
        concat!(
            "SELECT
                 place.*,
                 folder.account_id,
                 folder.name,
                 folder.role,
                 CASE
                     WHEN place.wanted = '' THEN folder.role
                     WHEN place.wanted LIKE '#%'
                         THEN (SELECT goal.role FROM folder AS goal WHERE place.wanted = '#' || goal.id)
                     ELSE place.wanted
                 END AS goal ",
            $rest
        )
    };
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
        goal: row.get::<Option<String>, _>("goal").unwrap_or_default(),
    }
}

/// Notes that servers hold messages: folder, UID, message, flags, keywords. What was noted there before is replaced, but
/// for what the owner wants of the same message. A message that was sent from here needs no role of its own then.
///
/// # Errors
/// When the database fails.
pub async fn put(
    c: &mut Connection,
    places: &[(FolderId, Uid, MessageNumber, u8, String)],
) -> Result<(), DatabaseError> {
    for some in places.chunks(200) {
        let mut insert =
            QueryBuilder::new("INSERT INTO place (folder_id, uid, message_id, flags, keywords) ");
        insert.push_values(some, |mut row, (folder, uid, message, flags, keywords)| {
            row.push_bind(folder.0)
                .push_bind(uid.0)
                .push_bind(message.0)
                .push_bind(*flags)
                .push_bind(keywords.as_str());
        });
        insert.push(
            " ON CONFLICT (folder_id, uid) DO UPDATE SET
                  message_id = excluded.message_id,
                  flags = excluded.flags,
                  keywords = excluded.keywords,
                  wanted = CASE place.message_id WHEN excluded.message_id THEN place.wanted ELSE '' END",
        );
        insert.build().execute(&mut *c).await?;
        // What an import brought is the owner's own and stays where it was laid, whatever becomes of the server's copy.
        sqlx::query(
            "UPDATE message
             SET role = ''
             WHERE
                 role = 'sent'
                 AND id IN (SELECT value FROM json_each(?))
                 AND id IN (SELECT message_id FROM outbox)",
        )
        .bind(json_numbers(some.iter().map(|(_, _, message, _, _)| *message)))
        .execute(&mut *c)
        .await?;
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
    let rows = sqlx::query(places!(
        "FROM place JOIN folder ON folder.id = place.folder_id
         WHERE place.message_id IN (SELECT value FROM json_each(?))
         ORDER BY place.message_id, folder.account_id, folder.name, place.uid"
    ))
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
    let rows = sqlx::query(places!(
        "FROM place JOIN folder ON folder.id = place.folder_id
         WHERE place.folder_id = ? AND place.uid IN (SELECT value FROM json_each(?))"
    ))
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
    let rows = sqlx::query(places!(
        "FROM place JOIN folder ON folder.id = place.folder_id
         WHERE place.wanted <> '' AND folder.account_id = ?
         ORDER BY place.folder_id, place.uid"
    ))
    .bind(account.0)
    .fetch_all(c)
    .await?;
    Ok(rows.iter().map(place).collect())
}

/// Removes places that are no more; gives the messages that lay there, which are noted as displaced. Where the server only
/// numbers or names them anew (`renumbered`), what the owner wanted of them is noted, too.
///
/// # Errors
/// When the database fails.
pub async fn remove(
    c: &mut Connection,
    folder: FolderId,
    uids: &RoaringBitmap,
    renumbered: bool,
) -> Result<BTreeSet<MessageNumber>, DatabaseError> {
    let mut messages = BTreeSet::new();
    let uids: Vec<u32> = uids.iter().collect();
    for some in uids.chunks(5000) {
        let json = serde_json::to_string(some).map_err(|e| DatabaseError::Other(e.to_string()))?;
        sqlx::query(
            "INSERT INTO displaced (account_id, message_id, wanted)
             SELECT
                 folder.account_id,
                 place.message_id,
                 MAX(CASE WHEN ? AND place.wanted <> 'copied' THEN place.wanted ELSE '' END)
             FROM place JOIN folder ON folder.id = place.folder_id
             WHERE place.folder_id = ? AND place.uid IN (SELECT value FROM json_each(?))
             GROUP BY folder.account_id, place.message_id
             ON CONFLICT (account_id, message_id)
                 DO UPDATE SET wanted = CASE excluded.wanted WHEN '' THEN displaced.wanted ELSE excluded.wanted END",
        )
        .bind(renumbered)
        .bind(folder.0)
        .bind(&json)
        .execute(&mut *c)
        .await?;
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
        "INSERT OR IGNORE INTO changed (account_id, message_id)
         SELECT DISTINCT folder.account_id, place.message_id
         FROM place JOIN folder ON folder.id = place.folder_id
         WHERE place.message_id IN (SELECT value FROM json_each(?))",
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
    let rows = sqlx::query(places!(
        "FROM changed
             JOIN place ON place.message_id = changed.message_id
             JOIN folder ON folder.id = place.folder_id AND folder.account_id = changed.account_id
         WHERE changed.account_id = ?
         ORDER BY place.folder_id, place.uid"
    ))
    .bind(account.0)
    .fetch_all(c)
    .await?;
    Ok(rows.iter().map(place).collect())
}

/// Notes that changes have been pushed to all places of an account.
///
/// # Errors
/// When the database fails.
pub async fn forget_changed(
    c: &mut Connection,
    account: AccountId,
    numbers: &[MessageNumber],
) -> Result<(), DatabaseError> {
    sqlx::query(
        "DELETE FROM changed WHERE account_id = ? AND message_id IN (SELECT value FROM json_each(?))",
    )
    .bind(account.0)
    .bind(json_numbers(numbers.iter().copied()))
    .execute(c)
    .await?;
    Ok(())
}
