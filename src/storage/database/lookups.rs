//! What key servers were asked, what they said, and where the owner's own keys are published.

use super::{Connection, DatabaseError};
use sqlx::Row;
use std::collections::HashMap;

/// When servers were asked for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookupRow {
    /// When somebody last answered, UTC seconds; 0 for never.
    pub asked_at: i64,
    /// From when on they may be asked without the owner's word.
    pub again_at: i64,
}

/// A key that a source names for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidateRow {
    /// Whose it may be, canonical.
    pub address: String,
    /// `wkd`, `vks`, `mailvelope` or `hkp`.
    pub source: String,
    /// The server's name.
    pub server: String,
    /// The key.
    pub fingerprint: String,
    /// The order in which the source is asked.
    pub place: u32,
}

/// When servers were asked for these addresses.
///
/// # Errors
/// When the database fails.
pub async fn of(
    c: &mut Connection,
    addresses: &[String],
) -> Result<HashMap<String, LookupRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM lookup WHERE address IN (SELECT value FROM json_each(?))")
        .bind(serde_json::to_string(addresses).unwrap_or_default())
        .fetch_all(c)
        .await?;
    rows.iter()
        .map(|row| {
            let times = LookupRow { asked_at: row.try_get("asked_at")?, again_at: row.try_get("again_at")? };
            Ok((row.try_get("address")?, times))
        })
        .collect()
}

/// Notes when servers were asked for an address.
///
/// # Errors
/// When the database fails.
pub async fn put(c: &mut Connection, address: &str, row: LookupRow) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO lookup (address, asked_at, again_at) VALUES (?, ?, ?)
         ON CONFLICT (address) DO UPDATE
         SET asked_at = MAX(asked_at, excluded.asked_at), again_at = excluded.again_at",
    )
    .bind(address)
    .bind(row.asked_at)
    .bind(row.again_at)
    .execute(c)
    .await?;
    Ok(())
}

/// What sources say of these addresses, in the order in which they are asked.
///
/// # Errors
/// When the database fails.
pub async fn candidates(
    c: &mut Connection,
    addresses: &[String],
) -> Result<Vec<CandidateRow>, DatabaseError> {
    let rows = sqlx::query(
        "SELECT * FROM candidate WHERE address IN (SELECT value FROM json_each(?))
         ORDER BY address, place, fingerprint",
    )
    .bind(serde_json::to_string(addresses).unwrap_or_default())
    .fetch_all(c)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(CandidateRow {
                address: row.try_get("address")?,
                source: row.try_get("source")?,
                server: row.try_get("server")?,
                fingerprint: row.try_get("fingerprint")?,
                place: row.try_get("place")?,
            })
        })
        .collect()
}

/// Puts what was said of an address now in place of what was said before; only what the sources in `unreached` (source and
/// server, with a blank between) said stays.
///
/// # Errors
/// When the database fails.
pub async fn replace_candidates(
    c: &mut Connection,
    address: &str,
    unreached: &[String],
    found: &[CandidateRow],
) -> Result<(), DatabaseError> {
    sqlx::query(
        "DELETE FROM candidate
         WHERE address = ? AND source || ' ' || server NOT IN (SELECT value FROM json_each(?))",
    )
    .bind(address)
    .bind(serde_json::to_string(unreached).unwrap_or_default())
    .execute(&mut *c)
    .await?;
    for row in found {
        sqlx::query(
            "INSERT OR REPLACE INTO candidate (address, source, server, fingerprint, place)
             VALUES (?, ?, ?, ?, ?)",
        )
        .bind(&row.address)
        .bind(&row.source)
        .bind(&row.server)
        .bind(&row.fingerprint)
        .bind(row.place)
        .execute(&mut *c)
        .await?;
    }
    Ok(())
}

/// The keys that the owner relies on and that were never planned to be asked for again.
///
/// # Errors
/// When the database fails.
pub async fn unplanned(c: &mut Connection, limit: u32) -> Result<Vec<String>, DatabaseError> {
    Ok(sqlx::query_scalar(
        "SELECT DISTINCT pinned FROM peer
         WHERE pinned IS NOT NULL AND pinned NOT IN (SELECT fingerprint FROM refresh) LIMIT ?",
    )
    .bind(limit)
    .fetch_all(c)
    .await?)
}

/// The keys that the owner relies on and that are to be asked for now, those that wait longest first.
///
/// # Errors
/// When the database fails.
pub async fn due(c: &mut Connection, now: i64, limit: u32) -> Result<Vec<String>, DatabaseError> {
    Ok(sqlx::query_scalar(
        "SELECT fingerprint FROM refresh
         WHERE due_at <= ? AND fingerprint IN (SELECT pinned FROM peer WHERE pinned IS NOT NULL)
         ORDER BY due_at LIMIT ?",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(c)
    .await?)
}

/// Says when a key is asked for again.
///
/// # Errors
/// When the database fails.
pub async fn plan(c: &mut Connection, fingerprint: &str, due_at: i64) -> Result<(), DatabaseError> {
    sqlx::query("INSERT OR REPLACE INTO refresh (fingerprint, due_at) VALUES (?, ?)")
        .bind(fingerprint)
        .bind(due_at)
        .execute(c)
        .await?;
    Ok(())
}

/// A key of the owner's at a key server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicationRow {
    /// Whose, canonical.
    pub address: String,
    /// The server, as the settings name it.
    pub server: String,
    /// The key.
    pub fingerprint: String,
    /// `uploaded`, `waiting`, `published`, `removing`, `removed`.
    pub state: String,
    /// When the owner last asked for it, UTC seconds.
    pub began_at: i64,
    /// When the state last changed.
    pub changed_at: i64,
}

/// Where the owner's keys are published, or about to be.
///
/// # Errors
/// When the database fails.
pub async fn publications(c: &mut Connection) -> Result<Vec<PublicationRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM publication ORDER BY address, server").fetch_all(c).await?;
    rows.iter()
        .map(|row| {
            Ok(PublicationRow {
                address: row.try_get("address")?,
                server: row.try_get("server")?,
                fingerprint: row.try_get("fingerprint")?,
                state: row.try_get("state")?,
                began_at: row.try_get("began_at")?,
                changed_at: row.try_get("changed_at")?,
            })
        })
        .collect()
}

/// Notes how far a publication is.
///
/// # Errors
/// When the database fails.
pub async fn publish(c: &mut Connection, row: &PublicationRow) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT OR REPLACE INTO publication (address, server, fingerprint, state, began_at, changed_at)
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(&row.address)
    .bind(&row.server)
    .bind(&row.fingerprint)
    .bind(&row.state)
    .bind(row.began_at)
    .bind(row.changed_at)
    .execute(c)
    .await?;
    Ok(())
}
