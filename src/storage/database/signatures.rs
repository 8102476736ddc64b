//! What became of the signatures of messages, which houses sign, which servers note what they checked, and which lists
//! the owner left.

use super::{Connection, DatabaseError, json_numbers};
use crate::mail::ids::MessageNumber;
use sqlx::{Row, sqlite::SqliteRow};

/// What is kept of a message's signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureRow {
    /// `waiting`, `pass`, `fail` or `unknown`.
    pub state: String,
    /// The domain that signed.
    pub domain: String,
    /// The name of its key.
    pub selector: String,
    /// It is of the house that From is of.
    pub aligned: bool,
    /// It covers both fields of RFC 8058.
    pub covers_leaving: bool,
    /// Why it does not hold, as one word; empty where it does.
    pub flaw: String,
    /// The key record as it was published.
    pub key: Option<Vec<u8>>,
    /// The resolver that was asked.
    pub resolver: String,
    /// The resolver said that DNSSEC held.
    pub dnssec: bool,
    /// When it was checked, UTC seconds; 0 if it was not.
    pub checked_at: i64,
    /// When it came, UTC seconds.
    pub queued_at: i64,
    /// How often the key was asked for.
    pub attempts: u32,
}

fn read(row: &SqliteRow) -> Result<SignatureRow, DatabaseError> {
    Ok(SignatureRow {
        state: row.try_get("state")?,
        domain: row.try_get("domain")?,
        selector: row.try_get("selector")?,
        aligned: row.try_get("aligned")?,
        covers_leaving: row.try_get("covers_leaving")?,
        flaw: row.try_get("flaw")?,
        key: row.try_get("key")?,
        resolver: row.try_get("resolver")?,
        dnssec: row.try_get("dnssec")?,
        checked_at: row.try_get("checked_at")?,
        queued_at: row.try_get("queued_at")?,
        attempts: row.try_get("attempts")?,
    })
}

/// Queues messages whose signature is to be checked; of more than `most` that wait, the oldest are forgotten.
///
/// # Errors
/// When the database fails.
pub async fn queue(
    c: &mut Connection,
    messages: &[MessageNumber],
    now: i64,
    most: u32,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT OR IGNORE INTO signature (message_id, state, queued_at, due_at)
         SELECT value, 'waiting', ?, ? FROM json_each(?)",
    )
    .bind(now)
    .bind(now)
    .bind(json_numbers(messages.iter().copied()))
    .execute(&mut *c)
    .await?;
    sqlx::query(
        "DELETE FROM signature
         WHERE message_id IN (
             SELECT message_id FROM signature WHERE state = 'waiting' ORDER BY message_id DESC LIMIT -1 OFFSET ?
         )",
    )
    .bind(most)
    .execute(c)
    .await?;
    Ok(())
}

/// The messages whose signature is due, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn due(
    c: &mut Connection,
    now: i64,
    limit: u32,
) -> Result<Vec<(MessageNumber, SignatureRow)>, DatabaseError> {
    let rows = sqlx::query(
        "SELECT * FROM signature WHERE state = 'waiting' AND due_at <= ? ORDER BY message_id DESC LIMIT ?",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(c)
    .await?;
    rows.iter().map(|row| Ok((MessageNumber(row.try_get("message_id")?), read(row)?))).collect()
}

/// When the next signature is due, UTC seconds.
///
/// # Errors
/// When the database fails.
pub async fn next_due(c: &mut Connection) -> Result<Option<i64>, DatabaseError> {
    Ok(sqlx::query_scalar("SELECT MIN(due_at) FROM signature WHERE state = 'waiting'").fetch_one(c).await?)
}

/// Makes all that wait due now.
///
/// # Errors
/// When the database fails.
pub async fn hurry(c: &mut Connection) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE signature SET due_at = 0 WHERE state = 'waiting'").execute(c).await?;
    Ok(())
}

/// Puts a check off.
///
/// # Errors
/// When the database fails.
pub async fn put_off(c: &mut Connection, message: MessageNumber, due_at: i64) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE signature SET due_at = ?, attempts = attempts + 1 WHERE message_id = ?")
        .bind(due_at)
        .bind(message.0)
        .execute(c)
        .await?;
    Ok(())
}

/// Keeps a verdict. A message that is gone meanwhile has none.
///
/// # Errors
/// When the database fails.
pub async fn settle(
    c: &mut Connection,
    message: MessageNumber,
    verdict: &SignatureRow,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "UPDATE signature
         SET state = ?, domain = ?, selector = ?, aligned = ?, covers_leaving = ?, flaw = ?, key = ?, resolver = ?,
             dnssec = ?, checked_at = ?
         WHERE message_id = ?",
    )
    .bind(verdict.state.as_str())
    .bind(verdict.domain.as_str())
    .bind(verdict.selector.as_str())
    .bind(verdict.aligned)
    .bind(verdict.covers_leaving)
    .bind(verdict.flaw.as_str())
    .bind(verdict.key.as_deref())
    .bind(verdict.resolver.as_str())
    .bind(verdict.dnssec)
    .bind(verdict.checked_at)
    .bind(message.0)
    .execute(c)
    .await?;
    Ok(())
}

/// Forgets that a message was to be checked: it bears no signature.
///
/// # Errors
/// When the database fails.
pub async fn forget(c: &mut Connection, message: MessageNumber) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM signature WHERE message_id = ?").bind(message.0).execute(c).await?;
    Ok(())
}

/// What is known of a message's signature.
///
/// # Errors
/// When the database fails.
pub async fn of_message(
    c: &mut Connection,
    message: MessageNumber,
) -> Result<Option<SignatureRow>, DatabaseError> {
    let row =
        sqlx::query("SELECT * FROM signature WHERE message_id = ?").bind(message.0).fetch_optional(c).await?;
    row.as_ref().map(read).transpose()
}

/// Counts a signature of a house that held, or did not.
///
/// # Errors
/// When the database fails.
pub async fn count_domain(
    c: &mut Connection,
    domain: &str,
    passed: bool,
    now: i64,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO signing_domain (domain, passed, failed, first_at, last_at)
         VALUES (?1, ?2, ?3, ?4, ?4)
         ON CONFLICT (domain) DO UPDATE SET
             passed = passed + excluded.passed, failed = failed + excluded.failed, last_at = excluded.last_at",
    )
    .bind(domain)
    .bind(i64::from(passed))
    .bind(i64::from(!passed))
    .bind(now)
    .execute(c)
    .await?;
    Ok(())
}

/// How many signatures of a house held, and how many did not.
///
/// # Errors
/// When the database fails.
pub async fn of_domain(c: &mut Connection, domain: &str) -> Result<(u64, u64), DatabaseError> {
    let row = sqlx::query("SELECT passed, failed FROM signing_domain WHERE domain = ?")
        .bind(domain)
        .fetch_optional(c)
        .await?;
    let number = |at: usize| row.as_ref().map_or(0, |row| row.get::<i64, _>(at).cast_unsigned());
    Ok((number(0), number(1)))
}

/// Notes that an account's server gave itself this name in so many messages.
///
/// # Errors
/// When the database fails.
pub async fn note_server(
    c: &mut Connection,
    account: &str,
    name: &str,
    seen: u32,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO noting_server (account, name, seen) VALUES (?, ?, ?)
         ON CONFLICT (account, name) DO UPDATE SET seen = seen + excluded.seen",
    )
    .bind(account)
    .bind(name)
    .bind(seen)
    .execute(c)
    .await?;
    Ok(())
}

/// The names of the servers that note what they checked, each with its account, that were seen at least so often.
///
/// # Errors
/// When the database fails.
pub async fn servers(c: &mut Connection, seen: u32) -> Result<Vec<(String, String)>, DatabaseError> {
    let rows = sqlx::query("SELECT account, name FROM noting_server WHERE seen >= ? ORDER BY account, name")
        .bind(seen)
        .fetch_all(c)
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Remembers that a list was left, by which way.
///
/// # Errors
/// When the database fails.
pub async fn leave(c: &mut Connection, name: &str, way: &str, now: i64) -> Result<(), DatabaseError> {
    sqlx::query("INSERT OR REPLACE INTO left_list (name, way, left_at) VALUES (?, ?, ?)")
        .bind(name)
        .bind(way)
        .bind(now)
        .execute(c)
        .await?;
    Ok(())
}

/// When a list was left, and by which way.
///
/// # Errors
/// When the database fails.
pub async fn left(c: &mut Connection, name: &str) -> Result<Option<(String, i64)>, DatabaseError> {
    let row =
        sqlx::query("SELECT way, left_at FROM left_list WHERE name = ?").bind(name).fetch_optional(c).await?;
    Ok(row.map(|row| (row.get(0), row.get(1))))
}
