//! The owner's devices: this one's secrets, the roster's statements, the others, and messages on their way to them.

use super::{Connection, DatabaseError};
use crate::mail::ids::AccountId;
use sqlx::{Row, sqlite::SqliteRow};
use std::collections::HashMap;

/// This program as a device of an account.
#[derive(Clone)]
pub struct OwnDeviceRow {
    /// Its number.
    pub device: String,
    /// Its secrets.
    pub secret: String,
    /// The number of its last message.
    pub seq: u64,
    /// The hash of the statement that its roster begins with.
    pub anchor: Vec<u8>,
    /// The key that sessions with it begin with, and its signature.
    pub fallback: Vec<u8>,
    /// Since when, UTC seconds.
    pub fallback_at: i64,
    /// A hash of what it last announced.
    pub announced: Vec<u8>,
    /// When, UTC seconds; 0 for never.
    pub announced_at: i64,
    /// The number of that announcement.
    pub announced_seq: u64,
    /// The device whose word was taken in a pairing, until its roster is here; empty for none.
    pub joined: String,
    /// The keys of that device.
    pub joined_keys: Vec<u8>,
    /// Since when, UTC seconds.
    pub joined_at: i64,
    /// What the owner last said of the account: encryption where both sides wish it.
    pub mutual: bool,
    /// When, UTC seconds; 0 for never.
    pub mutual_at: i64,
    /// On which device.
    pub mutual_by: String,
    /// The hashes of the rosters it had, 32 bytes each, the present one last.
    pub rosters: Vec<u8>,
    /// Nothing of it lies in the mailbox any more, because its owner does not want it shown there.
    pub withdrawn: bool,
}

/// Notes what the owner wishes of an account.
///
/// # Errors
/// When the database fails.
pub async fn prefer(
    c: &mut Connection,
    account: AccountId,
    (mutual, at, by): (bool, i64, &str),
) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE device_own SET mutual = ?, mutual_at = ?, mutual_by = ? WHERE account_id = ?")
        .bind(mutual)
        .bind(at)
        .bind(by)
        .bind(account.0)
        .execute(c)
        .await?;
    Ok(())
}

/// Another device of an account.
#[derive(Clone, Default)]
pub struct OtherDeviceRow {
    /// Its number.
    pub device: String,
    /// The keys it announced; worth nothing unless the roster has them.
    pub keys: Vec<u8>,
    /// The key it announced for sessions, and its signature.
    pub fallback: Vec<u8>,
    /// The program it announced.
    pub program: String,
    /// When it was last heard of, UTC seconds.
    pub last_seen: i64,
    /// The sessions with it.
    pub sessions: String,
    /// The highest number of its messages that was taken.
    pub heard: u64,
    /// The highest number of its updates that was taken in.
    pub taken: u64,
    /// It waits to hear of that.
    pub owes: bool,
    /// One of its updates was kept back on the way, and it has not been told so.
    pub missed: bool,
    /// What it sent could not be opened, and it has not been told so.
    pub closed: bool,
    /// The highest number of our updates that it confirmed.
    pub confirmed: u64,
    /// When it was last told something that it has not confirmed, UTC seconds; 0 for never.
    pub told_at: i64,
    /// The hash of the roster it last said it has; empty before it did.
    pub roster: Vec<u8>,
}

/// A message on its way into a folder.
#[derive(Clone)]
pub struct LetterRow {
    /// Its row.
    pub number: i64,
    /// The folder, by its name for people.
    pub folder: String,
    /// Its Message-ID.
    pub message_id: String,
    /// The mail.
    pub bytes: Vec<u8>,
    /// It may lie there already.
    pub tried: bool,
}

fn number(row: &SqliteRow, name: &str) -> Result<u64, DatabaseError> {
    Ok(row.try_get::<i64, _>(name)?.cast_unsigned())
}

/// This device.
///
/// # Errors
/// When the database fails.
pub async fn own(c: &mut Connection, account: AccountId) -> Result<Option<OwnDeviceRow>, DatabaseError> {
    let row = sqlx::query("SELECT * FROM device_own WHERE account_id = ?")
        .bind(account.0)
        .fetch_optional(c)
        .await?;
    let read = |row: SqliteRow| -> Result<OwnDeviceRow, DatabaseError> {
        Ok(OwnDeviceRow {
            device: row.try_get("device")?,
            secret: row.try_get("secret")?,
            seq: number(&row, "seq")?,
            anchor: row.try_get("anchor")?,
            fallback: row.try_get("fallback")?,
            fallback_at: row.try_get("fallback_at")?,
            announced: row.try_get("announced")?,
            announced_at: row.try_get("announced_at")?,
            announced_seq: number(&row, "announced_seq")?,
            joined: row.try_get("joined")?,
            joined_keys: row.try_get("joined_keys")?,
            joined_at: row.try_get("joined_at")?,
            mutual: row.try_get("mutual")?,
            mutual_at: row.try_get("mutual_at")?,
            mutual_by: row.try_get("mutual_by")?,
            rosters: row.try_get("rosters")?,
            withdrawn: row.try_get("withdrawn")?,
        })
    };
    row.map(read).transpose()
}

/// Keeps this device.
///
/// # Errors
/// When the database fails.
pub async fn put_own(
    c: &mut Connection,
    account: AccountId,
    row: &OwnDeviceRow,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT OR REPLACE INTO device_own (
             account_id, device, secret, seq, anchor, fallback, fallback_at, announced, announced_at, announced_seq,
             joined, joined_keys, joined_at, mutual, mutual_at, mutual_by, rosters, withdrawn
         )
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(account.0)
    .bind(&row.device)
    .bind(&row.secret)
    .bind(row.seq.cast_signed())
    .bind(&row.anchor)
    .bind(&row.fallback)
    .bind(row.fallback_at)
    .bind(&row.announced)
    .bind(row.announced_at)
    .bind(row.announced_seq.cast_signed())
    .bind(&row.joined)
    .bind(&row.joined_keys)
    .bind(row.joined_at)
    .bind(row.mutual)
    .bind(row.mutual_at)
    .bind(&row.mutual_by)
    .bind(&row.rosters)
    .bind(row.withdrawn)
    .execute(c)
    .await?;
    Ok(())
}

/// The statements of the roster.
///
/// # Errors
/// When the database fails.
pub async fn statements(c: &mut Connection, account: AccountId) -> Result<Vec<Vec<u8>>, DatabaseError> {
    Ok(sqlx::query_scalar("SELECT bytes FROM device_statement WHERE account_id = ? ORDER BY hash")
        .bind(account.0)
        .fetch_all(c)
        .await?)
}

/// Keeps the statements of the roster, and no others.
///
/// # Errors
/// When the database fails.
pub async fn put_statements(
    c: &mut Connection,
    account: AccountId,
    statements: &[(Vec<u8>, Vec<u8>)],
) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM device_statement WHERE account_id = ?").bind(account.0).execute(&mut *c).await?;
    for (hash, bytes) in statements {
        sqlx::query("INSERT INTO device_statement (account_id, hash, bytes) VALUES (?, ?, ?)")
            .bind(account.0)
            .bind(hash)
            .bind(bytes)
            .execute(&mut *c)
            .await?;
    }
    Ok(())
}

/// All other devices that are known of.
///
/// # Errors
/// When the database fails.
pub async fn others(c: &mut Connection, account: AccountId) -> Result<Vec<OtherDeviceRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM device_other WHERE account_id = ? ORDER BY device")
        .bind(account.0)
        .fetch_all(c)
        .await?;
    let read = |row: &SqliteRow| -> Result<OtherDeviceRow, DatabaseError> {
        Ok(OtherDeviceRow {
            device: row.try_get("device")?,
            keys: row.try_get("keys")?,
            fallback: row.try_get("fallback")?,
            program: row.try_get("program")?,
            last_seen: row.try_get("last_seen")?,
            sessions: row.try_get("sessions")?,
            heard: number(row, "heard")?,
            taken: number(row, "taken")?,
            owes: row.try_get("owes")?,
            missed: row.try_get("missed")?,
            closed: row.try_get("closed")?,
            confirmed: number(row, "confirmed")?,
            told_at: row.try_get("told_at")?,
            roster: row.try_get("roster")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Keeps what is known of another device.
///
/// # Errors
/// When the database fails.
pub async fn put_other(
    c: &mut Connection,
    account: AccountId,
    row: &OtherDeviceRow,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT OR REPLACE INTO device_other (
             account_id, device, keys, fallback, program, last_seen, sessions, heard, taken, owes, missed, closed,
             confirmed, told_at, roster
         )
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(account.0)
    .bind(&row.device)
    .bind(&row.keys)
    .bind(&row.fallback)
    .bind(&row.program)
    .bind(row.last_seen)
    .bind(&row.sessions)
    .bind(row.heard.cast_signed())
    .bind(row.taken.cast_signed())
    .bind(row.owes)
    .bind(row.missed)
    .bind(row.closed)
    .bind(row.confirmed.cast_signed())
    .bind(row.told_at)
    .bind(&row.roster)
    .execute(c)
    .await?;
    Ok(())
}

/// What a device was told: by entry, which version and with which message.
///
/// # Errors
/// When the database fails.
pub async fn told(
    c: &mut Connection,
    account: AccountId,
    device: &str,
) -> Result<HashMap<Vec<u8>, (Vec<u8>, u64)>, DatabaseError> {
    let rows = sqlx::query("SELECT entry, version, seq FROM device_told WHERE account_id = ? AND device = ?")
        .bind(account.0)
        .bind(device)
        .fetch_all(c)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("entry")?, (row.try_get("version")?, number(row, "seq")?))))
        .collect()
}

/// Notes what a device was told.
///
/// # Errors
/// When the database fails.
pub async fn tell(
    c: &mut Connection,
    account: AccountId,
    device: &str,
    (entry, version): (&[u8], &[u8]),
    seq: u64,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT OR REPLACE INTO device_told (account_id, device, entry, version, seq) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(account.0)
    .bind(device)
    .bind(entry)
    .bind(version)
    .bind(seq.cast_signed())
    .execute(c)
    .await?;
    Ok(())
}

/// What a device was told with a message above this number may not have reached it; without a number, nor what it said itself.
///
/// # Errors
/// When the database fails.
pub async fn untell(
    c: &mut Connection,
    account: AccountId,
    device: &str,
    above: Option<u64>,
) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM device_told WHERE account_id = ? AND device = ? AND seq > ?")
        .bind(account.0)
        .bind(device)
        .bind(above.map_or(-1, u64::cast_signed))
        .execute(c)
        .await?;
    Ok(())
}

/// A device has nothing of what it was told.
///
/// # Errors
/// When the database fails.
pub async fn forget_told(c: &mut Connection, account: AccountId, device: &str) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM device_told WHERE account_id = ? AND device = ?")
        .bind(account.0)
        .bind(device)
        .execute(c)
        .await?;
    Ok(())
}

/// Messages on their way, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn letters(c: &mut Connection, account: AccountId) -> Result<Vec<LetterRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM device_letter WHERE account_id = ? ORDER BY number LIMIT 200")
        .bind(account.0)
        .fetch_all(c)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(LetterRow {
                number: row.try_get("number")?,
                folder: row.try_get("folder")?,
                message_id: row.try_get("message_id")?,
                bytes: row.try_get("bytes")?,
                tried: row.try_get("tried")?,
            })
        })
        .collect()
}

/// Puts a message on its way.
///
/// # Errors
/// When the database fails.
pub async fn post(
    c: &mut Connection,
    account: AccountId,
    folder: &str,
    message_id: &str,
    bytes: &[u8],
) -> Result<(), DatabaseError> {
    sqlx::query("INSERT INTO device_letter (account_id, folder, message_id, bytes) VALUES (?, ?, ?, ?)")
        .bind(account.0)
        .bind(folder)
        .bind(message_id)
        .bind(bytes)
        .execute(c)
        .await?;
    Ok(())
}

/// Notes that a message is about to be laid: from now on nobody knows whether it lies there.
///
/// # Errors
/// When the database fails.
pub async fn try_letter(c: &mut Connection, number: i64) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE device_letter SET tried = 1 WHERE number = ?").bind(number).execute(c).await?;
    Ok(())
}

/// A message lies where it should.
///
/// # Errors
/// When the database fails.
pub async fn posted(c: &mut Connection, number: i64) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM device_letter WHERE number = ?").bind(number).execute(c).await?;
    Ok(())
}
