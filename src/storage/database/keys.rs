//! The owner's keys, the certificates of others, what is known of whose they are, and what was decided about them.

use super::{Connection, DatabaseError};
use sha2::Digest;
use sqlx::{Row, sqlite::SqliteRow};
use std::collections::HashMap;

/// A key of the owner's.
#[derive(Clone)]
pub struct OwnKeyRow {
    /// Its fingerprint, upper-case hexadecimal.
    pub fingerprint: String,
    /// Whose it is, canonical.
    pub address: String,
    /// An OpenPGP transferable secret key.
    pub secret: Vec<u8>,
    /// The revocation certificate made with it, armoured; empty where it was imported without.
    pub revocation: String,
    /// When it came into the store, UTC seconds.
    pub made_at: i64,
    /// It signs, and others are told of it.
    pub current: bool,
    /// When a copy was last put in a safe place, UTC seconds; 0 for never.
    pub backed_up_at: i64,
}

/// One way by which a key was said to be an address's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerKeyRow {
    /// Its fingerprint.
    pub fingerprint: String,
    /// `header`, `gossip`, `attached`, `imported`, `lookup`, `met`, …
    pub way: String,
    /// The first message of the store that brought it; 0 where none did.
    pub first_message: u32,
    /// When it was first said, UTC seconds by the clock of this store.
    pub first_at: i64,
    /// When it was last said.
    pub last_at: i64,
    /// In how many messages.
    pub messages: u32,
}

/// What was decided about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRow {
    /// When, UTC seconds.
    pub at: i64,
    /// Whose key.
    pub address: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// `pinned`, `changed`, `refused`, `verified`, `unverified`.
    pub deed: String,
    /// Why, as one word.
    pub way: String,
}

fn own(row: &SqliteRow) -> Result<OwnKeyRow, DatabaseError> {
    Ok(OwnKeyRow {
        fingerprint: row.try_get("fingerprint")?,
        address: row.try_get("address")?,
        secret: row.try_get("secret")?,
        revocation: row.try_get("revocation")?,
        made_at: row.try_get("made_at")?,
        current: row.try_get("current")?,
        backed_up_at: row.try_get("backed_up_at")?,
    })
}

/// The owner's keys, the current ones first.
///
/// # Errors
/// When the database fails.
pub async fn own_keys(c: &mut Connection) -> Result<Vec<OwnKeyRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM own_key ORDER BY current DESC, made_at DESC").fetch_all(c).await?;
    rows.iter().map(own).collect()
}

/// Keeps a key of the owner's. A current one takes the place of the one before it, which is kept for reading.
///
/// # Errors
/// When the database fails.
pub async fn put_own(c: &mut Connection, key: &OwnKeyRow) -> Result<(), DatabaseError> {
    if key.current {
        sqlx::query("UPDATE own_key SET current = 0 WHERE address = ? AND fingerprint <> ?")
            .bind(&key.address)
            .bind(&key.fingerprint)
            .execute(&mut *c)
            .await?;
    }
    sqlx::query(
        "INSERT INTO own_key (fingerprint, address, secret, revocation, made_at, current, backed_up_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (fingerprint) DO UPDATE
         SET
             secret = excluded.secret,
             made_at = MIN(made_at, excluded.made_at),
             current = MAX(current, excluded.current),
             -- Any one of them serves; devices that each made one keep the same one.
             revocation = CASE
                 WHEN revocation = '' OR excluded.revocation = '' THEN MAX(revocation, excluded.revocation)
                 ELSE MIN(revocation, excluded.revocation)
             END",
    )
    .bind(&key.fingerprint)
    .bind(&key.address)
    .bind(&key.secret)
    .bind(&key.revocation)
    .bind(key.made_at)
    .bind(key.current)
    .bind(key.backed_up_at)
    .execute(c)
    .await?;
    Ok(())
}

/// Forgets the owner's keys, for the story of one who lost them.
#[cfg(test)]
pub(crate) async fn forget_own(c: &mut Connection) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM own_key").execute(c).await?;
    Ok(())
}

/// Notes that all keys were put in a safe place.
///
/// # Errors
/// When the database fails.
pub async fn backed_up(c: &mut Connection, now: i64) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE own_key SET backed_up_at = ?").bind(now).execute(c).await?;
    Ok(())
}

/// The certificate with a fingerprint.
///
/// # Errors
/// When the database fails.
pub async fn certificate(c: &mut Connection, fingerprint: &str) -> Result<Option<Vec<u8>>, DatabaseError> {
    Ok(sqlx::query_scalar("SELECT bytes FROM certificate WHERE fingerprint = ?")
        .bind(fingerprint)
        .fetch_optional(c)
        .await?)
}

/// The certificates of others, those that changed last first.
///
/// # Errors
/// When the database fails.
pub async fn certificates(c: &mut Connection, limit: u32) -> Result<Vec<Vec<u8>>, DatabaseError> {
    Ok(sqlx::query_scalar("SELECT bytes FROM certificate ORDER BY changed_at DESC, fingerprint LIMIT ?")
        .bind(limit)
        .fetch_all(c)
        .await?)
}

/// The certificates with these fingerprints.
///
/// # Errors
/// When the database fails.
pub async fn certificates_of(
    c: &mut Connection,
    fingerprints: &[String],
) -> Result<Vec<Vec<u8>>, DatabaseError> {
    Ok(sqlx::query_scalar(
        "SELECT bytes FROM certificate WHERE fingerprint IN (SELECT value FROM json_each(?))",
    )
    .bind(serde_json::to_string(fingerprints).unwrap_or_default())
    .fetch_all(c)
    .await?)
}

/// The certificates that hold one of these keys.
///
/// # Errors
/// When the database fails.
pub async fn certificates_by_key(
    c: &mut Connection,
    key_ids: &[String],
) -> Result<Vec<Vec<u8>>, DatabaseError> {
    Ok(sqlx::query_scalar(
        "SELECT bytes FROM certificate
         WHERE fingerprint IN (
             SELECT fingerprint FROM certificate_key WHERE key_id IN (SELECT value FROM json_each(?))
         )
         LIMIT 16",
    )
    .bind(serde_json::to_string(key_ids).unwrap_or_default())
    .fetch_all(c)
    .await?)
}

/// Keeps a certificate, in place of what was known of it, under its key IDs.
///
/// # Errors
/// When the database fails.
pub async fn put_certificate(
    c: &mut Connection,
    fingerprint: &str,
    bytes: &[u8],
    key_ids: &[String],
    now: i64,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO certificate (fingerprint, bytes, changed_at) VALUES (?, ?, ?)
         ON CONFLICT (fingerprint) DO UPDATE SET bytes = excluded.bytes, changed_at = excluded.changed_at",
    )
    .bind(fingerprint)
    .bind(bytes)
    .bind(now)
    .execute(&mut *c)
    .await?;
    sqlx::query(
        "INSERT OR IGNORE INTO certificate_key (key_id, fingerprint) SELECT value, ? FROM json_each(?)",
    )
    .bind(fingerprint)
    .bind(serde_json::to_string(key_ids).unwrap_or_default())
    .execute(c)
    .await?;
    Ok(())
}

/// Notes the names that a certificate bears, folded, each with the addresses of that certificate.
///
/// # Errors
/// When the database fails.
pub async fn put_names(
    c: &mut Connection,
    fingerprint: &str,
    names: &[String],
    addresses: &[String],
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT OR IGNORE INTO certificate_name (name, address, fingerprint)
         SELECT name.value, address.value, ? FROM json_each(?) AS name, json_each(?) AS address",
    )
    .bind(fingerprint)
    .bind(serde_json::to_string(names).unwrap_or_default())
    .bind(serde_json::to_string(addresses).unwrap_or_default())
    .execute(c)
    .await?;
    Ok(())
}

/// The addresses of the certificates that bear a name, folded.
///
/// # Errors
/// When the database fails.
pub async fn addresses_of_name(c: &mut Connection, name: &str) -> Result<Vec<String>, DatabaseError> {
    Ok(sqlx::query_scalar("SELECT DISTINCT address FROM certificate_name WHERE name = ? LIMIT 100")
        .bind(name)
        .fetch_all(c)
        .await?)
}

/// Notes that a key was said to be an address's, in a message or otherwise. How often one message is looked at does not
/// count: `message` is its number, 0 where there is none.
///
/// # Errors
/// When the database fails.
pub async fn note_peer_key(
    c: &mut Connection,
    address: &str,
    fingerprint: &str,
    way: &str,
    message: u32,
    now: i64,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO peer_key (address, fingerprint, way, first_message, first_at, last_at, messages)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?4 <> 0)
         ON CONFLICT (address, fingerprint, way) DO UPDATE
         SET last_at = MAX(last_at, excluded.last_at), messages = messages + excluded.messages",
    )
    .bind(address)
    .bind(fingerprint)
    .bind(way)
    .bind(message)
    .bind(now)
    .execute(c)
    .await?;
    Ok(())
}

/// The same for a message that may be judged several times: only what is new is noted.
///
/// # Errors
/// When the database fails.
pub async fn note_peer_key_once(
    c: &mut Connection,
    address: &str,
    fingerprint: &str,
    way: &str,
    message: u32,
    now: i64,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO peer_key (address, fingerprint, way, first_message, first_at, last_at, messages)
         SELECT ?1, ?2, ?3, ?4, ?5, ?5, 1 WHERE EXISTS (SELECT 1 FROM certificate WHERE fingerprint = ?2)
         ON CONFLICT (address, fingerprint, way) DO UPDATE
         SET last_at = MAX(last_at, excluded.last_at), messages = messages + (first_message <> excluded.first_message)",
    )
    .bind(address)
    .bind(fingerprint)
    .bind(way)
    .bind(message)
    .bind(now)
    .execute(c)
    .await?;
    Ok(())
}

/// Every key that was said to be an address's, the first one first.
///
/// # Errors
/// When the database fails.
pub async fn peer_keys(c: &mut Connection, address: &str) -> Result<Vec<PeerKeyRow>, DatabaseError> {
    let rows = sqlx::query(
        "SELECT * FROM peer_key WHERE address = ? ORDER BY first_at, first_message, fingerprint, way LIMIT 200",
    )
    .bind(address)
    .fetch_all(c)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(PeerKeyRow {
                fingerprint: row.try_get("fingerprint")?,
                way: row.try_get("way")?,
                first_message: row.try_get("first_message")?,
                first_at: row.try_get("first_at")?,
                last_at: row.try_get("last_at")?,
                messages: row.try_get("messages")?,
            })
        })
        .collect()
}

/// Writes down what was decided, under a hash that covers everything decided before.
///
/// # Errors
/// When the database fails.
pub async fn decide(c: &mut Connection, decision: &DecisionRow) -> Result<(), DatabaseError> {
    let before: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT hash FROM decision ORDER BY number DESC LIMIT 1")
            .fetch_optional(&mut *c)
            .await?;
    sqlx::query("INSERT INTO decision (at, address, fingerprint, deed, way, hash) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(decision.at)
        .bind(&decision.address)
        .bind(&decision.fingerprint)
        .bind(&decision.deed)
        .bind(&decision.way)
        .bind(chained(before.as_deref().unwrap_or_default(), decision))
        .execute(c)
        .await?;
    Ok(())
}

/// What was decided about an address's keys, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn decisions(c: &mut Connection, address: &str) -> Result<Vec<DecisionRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM decision WHERE address = ? ORDER BY number DESC LIMIT 200")
        .bind(address)
        .fetch_all(c)
        .await?;
    rows.iter().map(|row| Ok(decided(row)?.0)).collect()
}

/// When something was last decided about each address for one of these reasons (`%` stands for anything), UTC seconds.
///
/// # Errors
/// When the database fails.
pub async fn last_decisions(
    c: &mut Connection,
    ways: &[&str],
) -> Result<HashMap<String, i64>, DatabaseError> {
    let rows = sqlx::query(
        "SELECT address, MAX(at) AS at
         FROM decision
         WHERE EXISTS (SELECT 1 FROM json_each(?) AS known WHERE decision.way LIKE known.value)
         GROUP BY address",
    )
    .bind(serde_json::to_string(ways).unwrap_or_default())
    .fetch_all(c)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("address")?, row.try_get("at")?))).collect()
}

/// When something was last decided about an address, UTC seconds; 0 for never.
///
/// # Errors
/// When the database fails.
pub async fn last_decided(c: &mut Connection, address: &str) -> Result<i64, DatabaseError> {
    let row = sqlx::query("SELECT COALESCE(MAX(at), 0) AS at FROM decision WHERE address = ?")
        .bind(address)
        .fetch_one(c)
        .await?;
    Ok(row.try_get("at")?)
}

fn decided(row: &SqliteRow) -> Result<(DecisionRow, Vec<u8>), DatabaseError> {
    let decision = DecisionRow {
        at: row.try_get("at")?,
        address: row.try_get("address")?,
        fingerprint: row.try_get("fingerprint")?,
        deed: row.try_get("deed")?,
        way: row.try_get("way")?,
    };
    Ok((decision, row.try_get("hash")?))
}

/// Whether every hash of the decisions is what it must be: nothing was changed, taken out or put in between.
///
/// # Errors
/// When the database fails.
pub async fn decisions_hold(c: &mut Connection) -> Result<bool, DatabaseError> {
    let mut before = Vec::new();
    let mut last = 0_i64;
    loop {
        let rows = sqlx::query("SELECT * FROM decision WHERE number > ? ORDER BY number LIMIT 1000")
            .bind(last)
            .fetch_all(&mut *c)
            .await?;
        let Some(newest) = rows.last() else { return Ok(true) };
        last = newest.try_get("number")?;
        for row in &rows {
            let (decision, hash) = decided(row)?;
            if chained(&before, &decision) != hash {
                return Ok(false);
            }
            before = hash;
        }
    }
}

fn chained(before: &[u8], decision: &DecisionRow) -> Vec<u8> {
    let mut words = Vec::new();
    let at = decision.at.to_be_bytes();
    let DecisionRow { address, fingerprint, deed, way, .. } = decision;
    for part in [before, &at, address.as_bytes(), fingerprint.as_bytes(), deed.as_bytes(), way.as_bytes()] {
        words.extend_from_slice(&(part.len() as u64).to_be_bytes());
        words.extend_from_slice(part);
    }
    sha2::Sha256::digest(&words).to_vec()
}
