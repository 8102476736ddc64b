//! What devices share beyond keys and trust, which programs the owner wants to hear no more of, and what counts for the page.

use super::{Connection, DatabaseError};
use crate::mail::ids::AccountId;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// Something the owner set that devices share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedRow {
    /// By what it is known.
    pub name: String,
    /// What counts.
    pub value: String,
    /// Since when, UTC seconds; 0 for before it was shared.
    pub at: i64,
    /// The number of the device on which it was said; empty where nothing counts yet but what this store holds.
    pub device: String,
    /// What this store held when it last looked; nothing before it did.
    pub seen: Option<String>,
    /// When what this store holds was last changed here, UTC seconds; 0 for not since it last looked.
    pub here_at: i64,
}

fn shared(row: &SqliteRow) -> Result<SharedRow, DatabaseError> {
    Ok(SharedRow {
        name: row.try_get("name")?,
        value: row.try_get("value")?,
        at: row.try_get("at")?,
        device: row.try_get("device")?,
        seen: row.try_get("seen")?,
        here_at: row.try_get("here_at")?,
    })
}

/// All that is shared, by name.
///
/// # Errors
/// When the database fails.
pub async fn list(c: &mut Connection) -> Result<Vec<SharedRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM device_shared ORDER BY name").fetch_all(c).await?;
    rows.iter().map(shared).collect()
}

/// What is shared by this name.
///
/// # Errors
/// When the database fails.
pub async fn get(c: &mut Connection, name: &str) -> Result<Option<SharedRow>, DatabaseError> {
    let row = sqlx::query("SELECT * FROM device_shared WHERE name = ?").bind(name).fetch_optional(c).await?;
    row.as_ref().map(shared).transpose()
}

/// How many things are shared whose names begin so.
///
/// # Errors
/// When the database fails.
pub async fn count(c: &mut Connection, start: &str) -> Result<u64, DatabaseError> {
    let count: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM device_shared WHERE substr(name, 1, length(?1)) = ?1")
            .bind(start)
            .fetch_one(c)
            .await?;
    Ok(count.unsigned_abs())
}

/// Forgets it.
///
/// # Errors
/// When the database fails.
pub async fn remove(c: &mut Connection, name: &str) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM device_shared WHERE name = ?").bind(name).execute(c).await?;
    Ok(())
}

/// Keeps it.
///
/// # Errors
/// When the database fails.
pub async fn put(c: &mut Connection, row: &SharedRow) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT OR REPLACE INTO device_shared (name, value, at, device, seen, here_at) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(&row.name)
    .bind(&row.value)
    .bind(row.at)
    .bind(&row.device)
    .bind(&row.seen)
    .bind(row.here_at)
    .execute(c)
    .await?;
    Ok(())
}

/// The programs of an account that the owner wants to hear no more of.
///
/// # Errors
/// When the database fails.
pub async fn dismissed(c: &mut Connection, account: AccountId) -> Result<Vec<String>, DatabaseError> {
    Ok(sqlx::query_scalar("SELECT device FROM device_dismissed WHERE account_id = ?")
        .bind(account.0)
        .fetch_all(c)
        .await?)
}

/// The owner wants to hear no more of a program.
///
/// # Errors
/// When the database fails.
pub async fn dismiss(c: &mut Connection, account: AccountId, device: &str) -> Result<(), DatabaseError> {
    sqlx::query("INSERT OR REPLACE INTO device_dismissed (account_id, device) VALUES (?, ?)")
        .bind(account.0)
        .bind(device)
        .execute(c)
        .await?;
    Ok(())
}

/// Forgets all that makes this store a device of an account, and the other devices. What is on its way stays.
///
/// # Errors
/// When the database fails.
pub async fn forget(c: &mut Connection, account: AccountId) -> Result<(), DatabaseError> {
    for deed in [
        "DELETE FROM device_own WHERE account_id = ?",
        "DELETE FROM device_statement WHERE account_id = ?",
        "DELETE FROM device_other WHERE account_id = ?",
        "DELETE FROM device_told WHERE account_id = ?",
    ] {
        sqlx::query(deed).bind(account.0).execute(&mut *c).await?;
    }
    Ok(())
}

/// How many people a key is known of.
///
/// # Errors
/// When the database fails.
pub async fn known_people(c: &mut Connection) -> Result<u64, DatabaseError> {
    let count: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM peer WHERE coalesce(pinned, public_key, gossip_key) IS NOT NULL",
    )
    .fetch_one(c)
    .await?;
    Ok(count.unsigned_abs())
}

/// How many messages on servers were stepped over for this reason.
///
/// # Errors
/// When the database fails.
pub async fn stepped_over(c: &mut Connection, reason: &str) -> Result<u64, DatabaseError> {
    let count: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM skipped WHERE reason = ?").bind(reason).fetch_one(c).await?;
    Ok(count.unsigned_abs())
}

/// This store was a device of an account under this number and these keys.
///
/// # Errors
/// When the database fails.
pub async fn was(
    c: &mut Connection,
    account: AccountId,
    device: &str,
    keys: &[u8],
) -> Result<(), DatabaseError> {
    sqlx::query("INSERT OR REPLACE INTO device_former (account_id, device, keys) VALUES (?, ?, ?)")
        .bind(account.0)
        .bind(device)
        .bind(keys)
        .execute(c)
        .await?;
    Ok(())
}

/// The numbers and keys under which this store was a device of an account before.
///
/// # Errors
/// When the database fails.
pub async fn former(c: &mut Connection, account: AccountId) -> Result<Vec<(String, Vec<u8>)>, DatabaseError> {
    Ok(sqlx::query_as("SELECT device, keys FROM device_former WHERE account_id = ? ORDER BY device")
        .bind(account.0)
        .fetch_all(c)
        .await?)
}

/// So many signatures from before are kept.
const MOST_BEFORE: i64 = 50;

/// Keeps a signature that gave way to another device's.
///
/// # Errors
/// When the database fails.
pub async fn keep_signature(c: &mut Connection, value: &str, at: i64) -> Result<(), DatabaseError> {
    sqlx::query("INSERT OR REPLACE INTO signature_before (value, at) VALUES (?, ?)")
        .bind(value)
        .bind(at)
        .execute(&mut *c)
        .await?;
    sqlx::query(
        "DELETE FROM signature_before
         WHERE number NOT IN (SELECT number FROM signature_before ORDER BY number DESC LIMIT ?)",
    )
    .bind(MOST_BEFORE)
    .execute(c)
    .await?;
    Ok(())
}

/// The signatures that gave way, by number, with when (UTC seconds), the last one first.
///
/// # Errors
/// When the database fails.
pub async fn signatures(c: &mut Connection) -> Result<Vec<(i64, String, i64)>, DatabaseError> {
    Ok(sqlx::query_as("SELECT number, value, at FROM signature_before ORDER BY number DESC")
        .fetch_all(c)
        .await?)
}

/// Forgets one of them.
///
/// # Errors
/// When the database fails.
pub async fn forget_signature(c: &mut Connection, number: i64) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM signature_before WHERE number = ?").bind(number).execute(c).await?;
    Ok(())
}
