//! Passkeys: the second factor of remote access under a name that is reached by TLS.

use super::{Connection, DatabaseError};
use sqlx::{Row, sqlite::SqliteRow};

/// A passkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyRow {
    /// Its number.
    pub number: i64,
    /// What the owner calls it.
    pub name: String,
    /// The name under which it was made, and works.
    pub site: String,
    /// What browsers call it.
    pub id: Vec<u8>,
    /// Its public half, as JSON.
    pub key: Vec<u8>,
    /// When it was added, UTC seconds.
    pub added_at: i64,
    /// When somebody last signed in with it, UTC seconds; 0 for never.
    pub used_at: i64,
}

/// Adds one; its number and when it was used are not looked at. False when the name is taken, or the key is there already.
///
/// # Errors
/// When the database fails.
pub async fn add(c: &mut Connection, row: &PasskeyRow) -> Result<bool, DatabaseError> {
    let done =
        sqlx::query("INSERT OR IGNORE INTO passkey (name, site, id, key, added_at) VALUES (?, ?, ?, ?, ?)")
            .bind(&row.name)
            .bind(&row.site)
            .bind(&row.id)
            .bind(&row.key)
            .bind(row.added_at)
            .execute(c)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// All, in the order in which they were added.
///
/// # Errors
/// When the database fails.
pub async fn all(c: &mut Connection) -> Result<Vec<PasskeyRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM passkey ORDER BY number").fetch_all(c).await?;
    Ok(rows.iter().map(passkey).collect())
}

/// The one that browsers call so, under this name.
///
/// # Errors
/// When the database fails.
pub async fn find(c: &mut Connection, site: &str, id: &[u8]) -> Result<Option<PasskeyRow>, DatabaseError> {
    let row = sqlx::query("SELECT * FROM passkey WHERE site = ? AND id = ?").bind(site).bind(id);
    Ok(row.fetch_optional(c).await?.as_ref().map(passkey))
}

fn passkey(row: &SqliteRow) -> PasskeyRow {
    PasskeyRow {
        number: row.get("number"),
        name: row.get("name"),
        site: row.get("site"),
        id: row.get("id"),
        key: row.get("key"),
        added_at: row.get("added_at"),
        used_at: row.get("used_at"),
    }
}

/// Notes that a key was used, and how it is kept from now on. False where it is gone, or was used otherwise meanwhile.
///
/// # Errors
/// When the database fails.
pub async fn used(
    c: &mut Connection,
    before: &PasskeyRow,
    key: &[u8],
    at: i64,
) -> Result<bool, DatabaseError> {
    let done = sqlx::query("UPDATE passkey SET key = ?, used_at = ? WHERE number = ? AND key = ?")
        .bind(key)
        .bind(at)
        .bind(before.number)
        .bind(&before.key)
        .execute(c)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives one another name. False where nothing has the old one or something has the new one.
///
/// # Errors
/// When the database fails.
pub async fn rename(c: &mut Connection, from: &str, to: &str) -> Result<bool, DatabaseError> {
    let done = sqlx::query("UPDATE OR IGNORE passkey SET name = ? WHERE name = ?").bind(to).bind(from);
    Ok(done.execute(c).await?.rows_affected() == 1)
}

/// Removes one; gives its number. `None` when nothing has that name.
///
/// # Errors
/// When the database fails.
pub async fn remove(c: &mut Connection, name: &str) -> Result<Option<i64>, DatabaseError> {
    let query = sqlx::query_scalar("DELETE FROM passkey WHERE name = ? RETURNING number").bind(name);
    Ok(query.fetch_optional(c).await?)
}
