//! Settings, API tokens and the people the owner wrote with.

use super::{Connection, DatabaseError};
use sqlx::{Row, sqlite::SqliteRow};

/// An API token, without the token itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// What the owner calls it.
    pub name: String,
    /// `read`, `write` or `admin`.
    pub scope: String,
    /// When it was made, UTC seconds.
    pub created_at: i64,
}

/// Somebody the owner wrote with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonRow {
    /// Canonical address.
    pub address: String,
    /// The name seen last.
    pub name: String,
    /// Messages from them.
    pub received: u32,
    /// Messages to them.
    pub sent: u32,
    /// When last, UTC seconds.
    pub last_at: i64,
    /// When the first message from or to it came, UTC seconds; 0 where that is not known.
    pub first_at: i64,
}

/// A setting, if it was ever set.
///
/// # Errors
/// When the database fails.
pub async fn get(c: &mut Connection, key: &str) -> Result<Option<String>, DatabaseError> {
    Ok(sqlx::query_scalar("SELECT value FROM setting WHERE key = ?").bind(key).fetch_optional(c).await?)
}

/// Sets a setting.
///
/// # Errors
/// When the database fails.
pub async fn set(c: &mut Connection, key: &str, value: &str) -> Result<(), DatabaseError> {
    sqlx::query("INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)")
        .bind(key)
        .bind(value)
        .execute(c)
        .await?;
    Ok(())
}

/// All settings that were ever set.
///
/// # Errors
/// When the database fails.
pub async fn all(c: &mut Connection) -> Result<Vec<(String, String)>, DatabaseError> {
    let rows = sqlx::query("SELECT key, value FROM setting ORDER BY key").fetch_all(c).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Stores a token by its hash. False when the name is taken.
///
/// # Errors
/// When the database fails.
pub async fn add_token(
    c: &mut Connection,
    name: &str,
    scope: &str,
    hash: &[u8],
    created_at: i64,
) -> Result<bool, DatabaseError> {
    let done = sqlx::query("INSERT OR IGNORE INTO token (name, scope, hash, created_at) VALUES (?, ?, ?, ?)")
        .bind(name)
        .bind(scope)
        .bind(hash)
        .bind(created_at)
        .execute(c)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// All tokens.
///
/// # Errors
/// When the database fails.
pub async fn tokens(c: &mut Connection) -> Result<Vec<TokenRow>, DatabaseError> {
    let rows = sqlx::query("SELECT name, scope, created_at FROM token ORDER BY name").fetch_all(c).await?;
    Ok(rows
        .iter()
        .map(|row| TokenRow { name: row.get(0), scope: row.get(1), created_at: row.get(2) })
        .collect())
}

/// The scope of the token with this hash.
///
/// # Errors
/// When the database fails.
pub async fn token_scope(c: &mut Connection, hash: &[u8]) -> Result<Option<String>, DatabaseError> {
    Ok(sqlx::query_scalar("SELECT scope FROM token WHERE hash = ?").bind(hash).fetch_optional(c).await?)
}

/// Revokes a token. False when nobody has that name.
///
/// # Errors
/// When the database fails.
pub async fn remove_token(c: &mut Connection, name: &str) -> Result<bool, DatabaseError> {
    let done = sqlx::query("DELETE FROM token WHERE name = ?").bind(name).execute(c).await?;
    Ok(done.rows_affected() == 1)
}

/// Adds what a batch of messages says about people.
///
/// # Errors
/// When the database fails.
pub async fn note_people(c: &mut Connection, people: &[PersonRow]) -> Result<(), DatabaseError> {
    for person in people {
        sqlx::query(
            "INSERT INTO person (address, name, received, sent, last_at, first_at)
             VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (address) DO UPDATE SET
                 first_at = MIN(first_at, excluded.first_at),
                 name = IIF(excluded.name <> '' AND excluded.last_at >= last_at, excluded.name, name),
                 received = received + excluded.received,
                 sent = sent + excluded.sent,
                 last_at = MAX(last_at, excluded.last_at)",
        )
        .bind(person.address.as_str())
        .bind(person.name.as_str())
        .bind(person.received)
        .bind(person.sent)
        .bind(person.last_at)
        .bind(person.first_at)
        .execute(&mut *c)
        .await?;
    }
    Ok(())
}

/// The people the owner wrote with, those written to first, then the most recent.
///
/// # Errors
/// When the database fails.
pub async fn people(c: &mut Connection, limit: u32) -> Result<Vec<PersonRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM person ORDER BY sent > 0 DESC, last_at DESC LIMIT ?")
        .bind(limit)
        .fetch_all(c)
        .await?;
    Ok(rows.iter().map(person).collect())
}

fn person(row: &SqliteRow) -> PersonRow {
    PersonRow {
        address: row.get("address"),
        name: row.get("name"),
        received: row.get("received"),
        sent: row.get("sent"),
        last_at: row.get("last_at"),
        first_at: row.get("first_at"),
    }
}

/// The people the owner wrote to or often hears from, those written to first, then the most recent.
///
/// # Errors
/// When the database fails.
pub async fn known_people(c: &mut Connection, limit: u32) -> Result<Vec<PersonRow>, DatabaseError> {
    let rows = sqlx::query(
        "SELECT * FROM person WHERE sent > 0 OR received >= 5 ORDER BY sent > 0 DESC, last_at DESC LIMIT ?",
    )
    .bind(limit)
    .fetch_all(c)
    .await?;
    Ok(rows.iter().map(person).collect())
}

/// What is known of one address.
///
/// # Errors
/// When the database fails.
pub async fn one_person(c: &mut Connection, address: &str) -> Result<Option<PersonRow>, DatabaseError> {
    let row = sqlx::query("SELECT * FROM person WHERE address = ?").bind(address).fetch_optional(c).await?;
    Ok(row.as_ref().map(person))
}
