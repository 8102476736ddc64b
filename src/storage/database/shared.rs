//! What devices share beyond keys and trust, which programs the owner wants to hear no more of, and what counts for the page.

use super::{Connection, DatabaseError};
use crate::mail::ids::AccountId;
use sqlx::Row;

/// Something the owner set that devices share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedRow {
    /// By what it is known.
    pub name: String,
    /// What counts.
    pub value: String,
    /// Since when, UTC seconds; 0 for before it was shared.
    pub at: i64,
    /// The number of the device on which it was said.
    pub device: String,
    /// What this store held when it last looked; nothing before it did.
    pub seen: Option<String>,
}

/// All that is shared, by name.
///
/// # Errors
/// When the database fails.
pub async fn list(c: &mut Connection) -> Result<Vec<SharedRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM device_shared ORDER BY name").fetch_all(c).await?;
    rows.iter()
        .map(|row| {
            Ok(SharedRow {
                name: row.try_get("name")?,
                value: row.try_get("value")?,
                at: row.try_get("at")?,
                device: row.try_get("device")?,
                seen: row.try_get("seen")?,
            })
        })
        .collect()
}

/// Keeps it.
///
/// # Errors
/// When the database fails.
pub async fn put(c: &mut Connection, row: &SharedRow) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT OR REPLACE INTO device_shared (name, value, at, device, seen) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(&row.name)
    .bind(&row.value)
    .bind(row.at)
    .bind(&row.device)
    .bind(&row.seen)
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

/// Forgets all that makes this store a device of an account, the other devices and what was on its way to them.
///
/// # Errors
/// When the database fails.
pub async fn forget(c: &mut Connection, account: AccountId) -> Result<(), DatabaseError> {
    for deed in [
        "DELETE FROM device_own WHERE account_id = ?",
        "DELETE FROM device_statement WHERE account_id = ?",
        "DELETE FROM device_other WHERE account_id = ?",
        "DELETE FROM device_told WHERE account_id = ?",
        "DELETE FROM device_letter WHERE account_id = ?",
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
