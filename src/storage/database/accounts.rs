//! Accounts and their folders.

use super::{Connection, DatabaseError};
use crate::mail::ids::{AccountId, FolderId, UidValidity};
use sqlx::{Row, sqlite::SqliteRow};

/// An account.
#[derive(Clone, Debug)]
pub struct AccountRow {
    /// Its row.
    pub id: AccountId,
    /// Canonical address.
    pub address: String,
    /// The owner's name in From.
    pub name: String,
    /// Servers and credentials, JSON; read by the engine.
    pub settings: String,
    /// What stands in the way of syncing, in words; empty when nothing does.
    pub trouble: String,
    /// When it was last synced whole, UTC seconds; 0 for never.
    pub synced_at: i64,
}

/// A folder of an account.
#[derive(Clone, Debug)]
pub struct FolderRow {
    /// Its row.
    pub id: FolderId,
    /// Whose.
    pub account: AccountId,
    /// Its name, decoded.
    pub name: String,
    /// Its name as the server spells it.
    pub raw_name: String,
    /// `inbox`, `sent`, …; empty for the owner's own folders.
    pub role: String,
    /// The generation of its UIDs; 0 before the first sync.
    pub uid_validity: UidValidity,
    /// UIDs below this have been seen.
    pub uid_next: u32,
    /// The change counter up to which flags are known; 0 where the server has none.
    pub highest_modseq: u64,
}

fn account(row: &SqliteRow) -> AccountRow {
    AccountRow {
        id: AccountId(row.get("id")),
        address: row.get("address"),
        name: row.get("name"),
        settings: row.get("settings"),
        trouble: row.get("trouble"),
        synced_at: row.get("synced_at"),
    }
}

fn folder(row: &SqliteRow) -> FolderRow {
    FolderRow {
        id: FolderId(row.get("id")),
        account: AccountId(row.get("account_id")),
        name: row.get("name"),
        raw_name: row.get("raw_name"),
        role: row.get("role"),
        uid_validity: UidValidity(row.get("uid_validity")),
        uid_next: row.get("uid_next"),
        highest_modseq: row.get::<i64, _>("highest_modseq").cast_unsigned(),
    }
}

/// All accounts, in the order they were added.
///
/// # Errors
/// When the database fails.
pub async fn list(c: &mut Connection) -> Result<Vec<AccountRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM account ORDER BY id").fetch_all(c).await?;
    Ok(rows.iter().map(account).collect())
}

/// Whether there still is such an account.
///
/// # Errors
/// When the database fails.
pub async fn exists(c: &mut Connection, id: AccountId) -> Result<bool, DatabaseError> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM account WHERE id = ?)")
        .bind(id.0)
        .fetch_one(c)
        .await?)
}

/// Adds an account, or changes the settings of the one with this address.
///
/// # Errors
/// When the database fails.
pub async fn put(
    c: &mut Connection,
    address: &str,
    name: &str,
    settings: &str,
) -> Result<AccountId, DatabaseError> {
    let id = sqlx::query_scalar(
        "INSERT INTO account (address, name, settings)
         VALUES (?, ?, ?)
         ON CONFLICT (address) DO UPDATE SET name = excluded.name, settings = excluded.settings
         RETURNING id",
    )
    .bind(address)
    .bind(name)
    .bind(settings)
    .fetch_one(c)
    .await?;
    Ok(AccountId(id))
}

/// Removes an account with its folders and places.
///
/// # Errors
/// When the database fails.
pub async fn remove(c: &mut Connection, id: AccountId) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM account WHERE id = ?").bind(id.0).execute(c).await?;
    Ok(())
}

/// Notes how the last sync went: what is in the way in words (empty: nothing), and when it was complete.
///
/// # Errors
/// When the database fails.
pub async fn note_sync(
    c: &mut Connection,
    id: AccountId,
    trouble: &str,
    synced_at: Option<i64>,
) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE account SET trouble = ?, synced_at = COALESCE(?, synced_at) WHERE id = ?")
        .bind(trouble)
        .bind(synced_at)
        .bind(id.0)
        .execute(c)
        .await?;
    Ok(())
}

/// The folders of an account, by name; of all accounts with `None`.
///
/// # Errors
/// When the database fails.
pub async fn folders(
    c: &mut Connection,
    account: Option<AccountId>,
) -> Result<Vec<FolderRow>, DatabaseError> {
    let rows = sqlx::query(
        "SELECT * FROM folder WHERE account_id = COALESCE(?, account_id) ORDER BY account_id, name",
    )
    .bind(account.map(|a| a.0))
    .fetch_all(c)
    .await?;
    Ok(rows.iter().map(folder).collect())
}

/// Adds a folder, or updates the name and role of a known one.
///
/// # Errors
/// When the database fails.
pub async fn put_folder(
    c: &mut Connection,
    account: AccountId,
    name: &str,
    raw_name: &str,
    role: &str,
) -> Result<FolderRow, DatabaseError> {
    let row = sqlx::query(
        "INSERT INTO folder (account_id, name, raw_name, role)
         VALUES (?, ?, ?, ?)
         ON CONFLICT (account_id, raw_name) DO UPDATE SET name = excluded.name, role = excluded.role
         RETURNING *",
    )
    .bind(account.0)
    .bind(name)
    .bind(raw_name)
    .bind(role)
    .fetch_one(c)
    .await?;
    Ok(folder(&row))
}

/// Moves the sync position of a folder.
///
/// # Errors
/// When the database fails.
pub async fn set_position(
    c: &mut Connection,
    id: FolderId,
    uid_validity: UidValidity,
    uid_next: u32,
    highest_modseq: u64,
) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE folder SET uid_validity = ?, uid_next = ?, highest_modseq = ? WHERE id = ?")
        .bind(uid_validity.0)
        .bind(uid_next)
        .bind(highest_modseq.cast_signed())
        .bind(id.0)
        .execute(c)
        .await?;
    Ok(())
}

/// Forgets a folder with its places.
///
/// # Errors
/// When the database fails.
pub async fn remove_folder(c: &mut Connection, id: FolderId) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM folder WHERE id = ?").bind(id.0).execute(c).await?;
    Ok(())
}
