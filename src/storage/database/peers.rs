//! Correspondents as Autocrypt knows them, and what protected each message.

use super::{Connection, DatabaseError, json_numbers};
use crate::mail::ids::MessageNumber;
use sqlx::{Row, sqlite::SqliteRow};
use std::collections::HashMap;

/// What is known of a correspondent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerRow {
    /// Canonical address.
    pub address: String,
    /// Effective date of the newest mail, UTC seconds; 0 for never.
    pub last_seen: i64,
    /// Effective date of the newest mail with a header; 0 for never.
    pub autocrypt_timestamp: i64,
    /// The key of that header.
    pub public_key: Option<String>,
    /// That header said `prefer-encrypt=mutual`.
    pub mutual: bool,
    /// Effective date of the newest gossip; 0 for never.
    pub gossip_timestamp: i64,
    /// The key of that gossip.
    pub gossip_key: Option<String>,
    /// The key the owner relies on.
    pub pinned: Option<String>,
    /// Since when.
    pub pinned_at: i64,
    /// When the pinned key was compared with its owner; 0 for never.
    pub verified_at: i64,
    /// A newer key that the owner said not to use.
    pub refused: String,
    /// How often the key changed by itself, signed by the one before it or gossiped by verified contacts.
    pub changes: u32,
    /// How many private messages came.
    pub private: u32,
    /// How many in clear.
    pub clear: u32,
    /// How many private messages of the owner's were answered.
    pub answered: u32,
    /// Effective date of the newest private one; 0 for never.
    pub private_at: i64,
    /// The program that wrote the newest mail.
    pub program: String,
}

/// What protected a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvelopeRow {
    /// `encrypted`, `signed`, …
    pub layer: String,
    /// What opens it, as text; empty where it is not encrypted, or could not be opened.
    pub session_key: String,
    /// The key that claims to have signed; empty where there is none.
    pub issuer: String,
    /// The summary's word.
    pub privacy: String,
    /// The summary's word.
    pub assurance: String,
    /// The certificate that signed; empty where none is known.
    pub signer: String,
}

fn peer(row: &SqliteRow) -> Result<PeerRow, DatabaseError> {
    Ok(PeerRow {
        address: row.try_get("address")?,
        last_seen: row.try_get("last_seen")?,
        autocrypt_timestamp: row.try_get("autocrypt_timestamp")?,
        public_key: row.try_get("public_key")?,
        mutual: row.try_get("mutual")?,
        gossip_timestamp: row.try_get("gossip_timestamp")?,
        gossip_key: row.try_get("gossip_key")?,
        pinned: row.try_get("pinned")?,
        pinned_at: row.try_get("pinned_at")?,
        verified_at: row.try_get("verified_at")?,
        refused: row.try_get("refused")?,
        changes: row.try_get("changes")?,
        private: row.try_get("private")?,
        clear: row.try_get("clear")?,
        answered: row.try_get("answered")?,
        private_at: row.try_get("private_at")?,
        program: row.try_get("program")?,
    })
}

fn envelope(row: &SqliteRow) -> Result<EnvelopeRow, DatabaseError> {
    Ok(EnvelopeRow {
        layer: row.try_get("layer")?,
        session_key: row.try_get("session_key")?,
        issuer: row.try_get("issuer")?,
        privacy: row.try_get("privacy")?,
        assurance: row.try_get("assurance")?,
        signer: row.try_get("signer")?,
    })
}

/// What is known of these addresses (canonical).
///
/// # Errors
/// When the database fails.
pub async fn of(c: &mut Connection, addresses: &[String]) -> Result<HashMap<String, PeerRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM peer WHERE address IN (SELECT value FROM json_each(?))")
        .bind(serde_json::to_string(addresses).unwrap_or_default())
        .fetch_all(c)
        .await?;
    rows.iter().map(|row| peer(row).map(|p| (p.address.clone(), p))).collect()
}

/// Those who have a key, by address, from `after` on.
///
/// # Errors
/// When the database fails.
pub async fn list(c: &mut Connection, after: &str, limit: u32) -> Result<Vec<PeerRow>, DatabaseError> {
    let rows = sqlx::query(
        "SELECT * FROM peer
         WHERE address > ? AND COALESCE(pinned, public_key, gossip_key) IS NOT NULL
         ORDER BY address
         LIMIT ?",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(c)
    .await?;
    rows.iter().map(peer).collect()
}

/// Writes what is known of a correspondent.
///
/// # Errors
/// When the database fails.
pub async fn put(c: &mut Connection, row: &PeerRow) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT OR REPLACE INTO peer (
             address, last_seen, autocrypt_timestamp, public_key, mutual, gossip_timestamp, gossip_key, pinned,
             pinned_at, verified_at, refused, changes, private, clear, answered, private_at, program
         )
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&row.address)
    .bind(row.last_seen)
    .bind(row.autocrypt_timestamp)
    .bind(&row.public_key)
    .bind(row.mutual)
    .bind(row.gossip_timestamp)
    .bind(&row.gossip_key)
    .bind(&row.pinned)
    .bind(row.pinned_at)
    .bind(row.verified_at)
    .bind(&row.refused)
    .bind(row.changes)
    .bind(row.private)
    .bind(row.clear)
    .bind(row.answered)
    .bind(row.private_at)
    .bind(&row.program)
    .execute(c)
    .await?;
    Ok(())
}

/// Holds back what a message says of its sender's key, until its DKIM signature was checked.
///
/// # Errors
/// When the database fails.
pub async fn hold(c: &mut Connection, message: MessageNumber) -> Result<(), DatabaseError> {
    sqlx::query("INSERT OR IGNORE INTO held_news (message_id) VALUES (?)").bind(message.0).execute(c).await?;
    Ok(())
}

/// Whether it is held back.
///
/// # Errors
/// When the database fails.
pub async fn is_held(c: &mut Connection, message: MessageNumber) -> Result<bool, DatabaseError> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM held_news WHERE message_id = ?)")
        .bind(message.0)
        .fetch_one(c)
        .await?)
}

/// Holds it back no more; says whether it was.
///
/// # Errors
/// When the database fails.
pub async fn release(c: &mut Connection, message: MessageNumber) -> Result<bool, DatabaseError> {
    let gone = sqlx::query("DELETE FROM held_news WHERE message_id = ?").bind(message.0).execute(c).await?;
    Ok(gone.rows_affected() > 0)
}

/// How many verified correspondents vouched for a key of an address since a time, UTC seconds: those whose gossip came with
/// a key that was compared.
///
/// # Errors
/// When the database fails.
pub async fn verified_gossips(
    c: &mut Connection,
    address: &str,
    fingerprint: &str,
    since: i64,
) -> Result<u32, DatabaseError> {
    Ok(sqlx::query_scalar(
        "SELECT COUNT(DISTINCT peer.address)
         FROM peer_key JOIN peer ON peer_key.way = 'gossip from ' || peer.address
         WHERE
             peer_key.address = ? AND peer_key.fingerprint = ? AND peer_key.last_at > ? AND peer.verified_at > 0",
    )
    .bind(address)
    .bind(fingerprint)
    .bind(since)
    .fetch_one(c)
    .await?)
}

/// What protected a message; nothing for mail that has no cryptographic layer.
///
/// # Errors
/// When the database fails.
pub async fn envelope_of(
    c: &mut Connection,
    message: MessageNumber,
) -> Result<Option<EnvelopeRow>, DatabaseError> {
    let row =
        sqlx::query("SELECT * FROM envelope WHERE message_id = ?").bind(message.0).fetch_optional(c).await?;
    row.as_ref().map(envelope).transpose()
}

/// The same of many.
///
/// # Errors
/// When the database fails.
pub async fn envelopes_of(
    c: &mut Connection,
    messages: impl IntoIterator<Item = MessageNumber>,
) -> Result<HashMap<MessageNumber, EnvelopeRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM envelope WHERE message_id IN (SELECT value FROM json_each(?))")
        .bind(json_numbers(messages))
        .fetch_all(c)
        .await?;
    rows.iter().map(|row| Ok((MessageNumber(row.try_get("message_id")?), envelope(row)?))).collect()
}

/// Writes what protected a message.
///
/// # Errors
/// When the database fails.
pub async fn put_envelope(
    c: &mut Connection,
    message: MessageNumber,
    row: &EnvelopeRow,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT OR REPLACE INTO envelope (message_id, layer, session_key, issuer, privacy, assurance, signer)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(message.0)
    .bind(&row.layer)
    .bind(&row.session_key)
    .bind(&row.issuer)
    .bind(&row.privacy)
    .bind(&row.assurance)
    .bind(&row.signer)
    .execute(c)
    .await?;
    Ok(())
}

/// The summary of messages may change when one of these keys becomes known, or the owner gets a key: of those signed by them,
/// and, where `closed` says so, of those not opened. They are to be judged again.
///
/// # Errors
/// When the database fails.
pub async fn judge_again(c: &mut Connection, key_ids: &[String], closed: bool) -> Result<(), DatabaseError> {
    sqlx::query(
        "UPDATE envelope SET judged = 0
         WHERE (issuer <> '' AND issuer IN (SELECT value FROM json_each(?))) OR (? AND privacy = 'closed')",
    )
    .bind(serde_json::to_string(key_ids).unwrap_or_default())
    .bind(closed)
    .execute(c)
    .await?;
    Ok(())
}

/// The messages that are to be judged, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn to_judge(c: &mut Connection, limit: u32) -> Result<Vec<MessageNumber>, DatabaseError> {
    let numbers: Vec<u32> = sqlx::query_scalar(
        "SELECT message_id FROM envelope WHERE judged = 0 ORDER BY message_id DESC LIMIT ?",
    )
    .bind(limit)
    .fetch_all(c)
    .await?;
    Ok(numbers.into_iter().map(MessageNumber).collect())
}

/// These were judged with the keys that are known.
///
/// # Errors
/// When the database fails.
pub async fn judged(
    c: &mut Connection,
    messages: impl IntoIterator<Item = MessageNumber>,
) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE envelope SET judged = 1 WHERE message_id IN (SELECT value FROM json_each(?))")
        .bind(json_numbers(messages))
        .execute(c)
        .await?;
    Ok(())
}

/// Forgets what protected messages, session keys with it.
///
/// # Errors
/// When the database fails.
pub async fn forget_envelopes(
    c: &mut Connection,
    messages: impl IntoIterator<Item = MessageNumber>,
) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM envelope WHERE message_id IN (SELECT value FROM json_each(?))")
        .bind(json_numbers(messages))
        .execute(c)
        .await?;
    Ok(())
}
