//! Remote access: the second factor, spare codes, the owner's devices elsewhere, and the onion service's key.

use super::{Connection, DatabaseError};
use sqlx::{Row, sqlite::SqliteRow};
use zeroize::Zeroizing;

/// The secret of a second factor.
#[derive(Clone)]
pub struct FactorRow {
    /// The secret.
    pub secret: Zeroizing<Vec<u8>>,
    /// When it was made, UTC seconds.
    pub made_at: i64,
    /// The newest time step whose code was used; 0 for none.
    pub last_step: i64,
}

/// A browser of the owner's elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRow {
    /// Its number.
    pub number: i64,
    /// What the owner calls it.
    pub name: String,
    /// The public half of the key with which it finds the onion service.
    pub client_key: Option<Vec<u8>>,
    /// When it was added, UTC seconds.
    pub added_at: i64,
    /// When somebody last signed in on it, UTC seconds; 0 for never.
    pub seen_at: i64,
}

/// The key of the onion service.
#[derive(Clone)]
pub struct OnionRow {
    /// The seed of its secret key.
    pub secret: Zeroizing<Vec<u8>>,
    /// Its address, `….onion`.
    pub address: String,
}

/// The second factor that is in force, or the one that is pending.
///
/// # Errors
/// When the database fails.
pub async fn factor(c: &mut Connection, pending: bool) -> Result<Option<FactorRow>, DatabaseError> {
    let row = sqlx::query("SELECT secret, made_at, last_step FROM second_factor WHERE state = ?")
        .bind(state(pending))
        .fetch_optional(c)
        .await?;
    Ok(row.map(|row| FactorRow {
        secret: Zeroizing::new(row.get(0)),
        made_at: row.get(1),
        last_step: row.get(2),
    }))
}

const fn state(pending: bool) -> &'static str {
    if pending { "pending" } else { "in-force" }
}

/// Keeps a secret until a code proves it. One that was pending is forgotten.
///
/// # Errors
/// When the database fails.
pub async fn set_pending(c: &mut Connection, secret: &[u8], made_at: i64) -> Result<(), DatabaseError> {
    sqlx::query("INSERT OR REPLACE INTO second_factor (state, secret, made_at) VALUES ('pending', ?, ?)")
        .bind(secret)
        .bind(made_at)
        .execute(c)
        .await?;
    Ok(())
}

/// Forgets the secret that waits for a code.
///
/// # Errors
/// When the database fails.
pub async fn drop_pending(c: &mut Connection) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM second_factor WHERE state = 'pending'").execute(c).await?;
    Ok(())
}

/// Puts the pending secret in force, with the step of the code that proved it as used.
///
/// # Errors
/// When the database fails.
pub async fn put_in_force(c: &mut Connection, step: i64) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM second_factor WHERE state = 'in-force'").execute(&mut *c).await?;
    sqlx::query("UPDATE second_factor SET state = 'in-force', last_step = ? WHERE state = 'pending'")
        .bind(step)
        .execute(c)
        .await?;
    Ok(())
}

/// Forgets the second factor, all spare codes and all passkeys.
///
/// # Errors
/// When the database fails.
pub async fn forget_factor(c: &mut Connection) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM second_factor").execute(&mut *c).await?;
    sqlx::query("DELETE FROM spare_code").execute(&mut *c).await?;
    sqlx::query("DELETE FROM passkey").execute(c).await?;
    Ok(())
}

/// Uses the code of a time step up. False where it, or a later one, was used before.
///
/// # Errors
/// When the database fails.
pub async fn use_step(c: &mut Connection, step: i64) -> Result<bool, DatabaseError> {
    let done =
        sqlx::query("UPDATE second_factor SET last_step = ?1 WHERE state = 'in-force' AND last_step < ?1")
            .bind(step)
            .execute(c)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts new spare codes in place of all others.
///
/// # Errors
/// When the database fails.
pub async fn set_spare_codes(c: &mut Connection, hashes: &[Vec<u8>]) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM spare_code").execute(&mut *c).await?;
    for hash in hashes {
        sqlx::query("INSERT INTO spare_code (hash) VALUES (?)").bind(hash).execute(&mut *c).await?;
    }
    Ok(())
}

/// Whether a spare code is one that was not used.
///
/// # Errors
/// When the database fails.
pub async fn has_spare_code(c: &mut Connection, hash: &[u8]) -> Result<bool, DatabaseError> {
    let found: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM spare_code WHERE hash = ?").bind(hash).fetch_one(c).await?;
    Ok(found > 0)
}

/// Uses a spare code up. False where it is none.
///
/// # Errors
/// When the database fails.
pub async fn use_spare_code(c: &mut Connection, hash: &[u8]) -> Result<bool, DatabaseError> {
    let done = sqlx::query("DELETE FROM spare_code WHERE hash = ?").bind(hash).execute(c).await?;
    Ok(done.rows_affected() == 1)
}

/// How many spare codes are left.
///
/// # Errors
/// When the database fails.
pub async fn spare_codes(c: &mut Connection) -> Result<i64, DatabaseError> {
    Ok(sqlx::query_scalar("SELECT COUNT(*) FROM spare_code").fetch_one(c).await?)
}

/// Adds a device. False when the name is taken.
///
/// # Errors
/// When the database fails.
pub async fn add_device(
    c: &mut Connection,
    name: &str,
    token: &[u8],
    client_key: Option<&[u8]>,
    added_at: i64,
) -> Result<bool, DatabaseError> {
    let done = sqlx::query(
        "INSERT OR IGNORE INTO remote_device (name, token, client_key, added_at) VALUES (?, ?, ?, ?)",
    )
    .bind(name)
    .bind(token)
    .bind(client_key)
    .bind(added_at)
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// All devices, in the order in which they were added.
///
/// # Errors
/// When the database fails.
pub async fn devices(c: &mut Connection) -> Result<Vec<DeviceRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM remote_device ORDER BY number").fetch_all(c).await?;
    Ok(rows.iter().map(device).collect())
}

/// The device whose token has this hash.
///
/// # Errors
/// When the database fails.
pub async fn device_by_token(c: &mut Connection, token: &[u8]) -> Result<Option<DeviceRow>, DatabaseError> {
    let row =
        sqlx::query("SELECT * FROM remote_device WHERE token = ?").bind(token).fetch_optional(c).await?;
    Ok(row.as_ref().map(device))
}

fn device(row: &SqliteRow) -> DeviceRow {
    DeviceRow {
        number: row.get("number"),
        name: row.get("name"),
        client_key: row.get("client_key"),
        added_at: row.get("added_at"),
        seen_at: row.get("seen_at"),
    }
}

/// Notes that somebody signed in on a device.
///
/// # Errors
/// When the database fails.
pub async fn see_device(c: &mut Connection, number: i64, at: i64) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE remote_device SET seen_at = ? WHERE number = ?")
        .bind(at)
        .bind(number)
        .execute(c)
        .await?;
    Ok(())
}

/// Removes a device; gives its number. `None` when nobody has that name.
///
/// # Errors
/// When the database fails.
pub async fn remove_device(c: &mut Connection, name: &str) -> Result<Option<i64>, DatabaseError> {
    Ok(sqlx::query_scalar("DELETE FROM remote_device WHERE name = ? RETURNING number")
        .bind(name)
        .fetch_optional(c)
        .await?)
}

/// The key of the onion service, if one was made.
///
/// # Errors
/// When the database fails.
pub async fn onion(c: &mut Connection) -> Result<Option<OnionRow>, DatabaseError> {
    let row = sqlx::query("SELECT secret, address FROM onion_key").fetch_optional(c).await?;
    Ok(row.map(|row| OnionRow { secret: Zeroizing::new(row.get(0)), address: row.get(1) }))
}

/// Puts a new key of the onion service in place of the one before.
///
/// # Errors
/// When the database fails.
pub async fn set_onion(
    c: &mut Connection,
    secret: &[u8],
    address: &str,
    made_at: i64,
) -> Result<(), DatabaseError> {
    sqlx::query("INSERT OR REPLACE INTO onion_key (one, secret, address, made_at) VALUES (1, ?, ?, ?)")
        .bind(secret)
        .bind(address)
        .bind(made_at)
        .execute(c)
        .await?;
    Ok(())
}

/// The key of the service by which a locked store is unlocked, if one was made.
///
/// # Errors
/// When the database fails.
pub async fn unlock_onion(c: &mut Connection) -> Result<Option<OnionRow>, DatabaseError> {
    let row = sqlx::query("SELECT secret, address FROM unlock_onion_key").fetch_optional(c).await?;
    Ok(row.map(|row| OnionRow { secret: Zeroizing::new(row.get(0)), address: row.get(1) }))
}

/// Puts a new key of that service in place of the one before.
///
/// # Errors
/// When the database fails.
pub async fn set_unlock_onion(
    c: &mut Connection,
    secret: &[u8],
    address: &str,
    made_at: i64,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT OR REPLACE INTO unlock_onion_key (one, secret, address, made_at) VALUES (1, ?, ?, ?)",
    )
    .bind(secret)
    .bind(address)
    .bind(made_at)
    .execute(c)
    .await?;
    Ok(())
}

/// Forgets the key of that service.
///
/// # Errors
/// When the database fails.
pub async fn forget_unlock_onion(c: &mut Connection) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM unlock_onion_key").execute(c).await?;
    Ok(())
}
