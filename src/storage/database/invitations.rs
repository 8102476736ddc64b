//! Invitations to compare keys: made by the owner, or taken up.

use super::{Connection, DatabaseError};
use crate::mail::ids::AccountId;
use sqlx::{Row, sqlite::SqliteRow};

/// An invitation.
#[derive(Clone, PartialEq, Eq)]
pub struct InvitationRow {
    /// The other side, canonical.
    pub address: String,
    /// Whether the owner made it.
    pub own: bool,
    /// The account that it goes through.
    pub account: AccountId,
    /// The key of whoever invites.
    pub fingerprint: String,
    /// What lets one ask for the key.
    pub number: String,
    /// What proves that one had the link.
    pub secret: String,
    /// When it was made or taken up, UTC seconds.
    pub made_at: i64,
    /// How far it is: `made`, `asked`, `answered`, `done`, `other-key`.
    pub state: String,
    /// How many messages were sent for it.
    pub answers: u32,
}

fn invitation(row: &SqliteRow) -> Result<InvitationRow, DatabaseError> {
    Ok(InvitationRow {
        address: row.try_get("address")?,
        own: row.try_get::<i64, _>("own")? != 0,
        account: AccountId(row.try_get("account_id")?),
        fingerprint: row.try_get("fingerprint")?,
        number: row.try_get("number")?,
        secret: row.try_get("secret")?,
        made_at: row.try_get("made_at")?,
        state: row.try_get("state")?,
        answers: row.try_get("answers")?,
    })
}

/// Keeps an invitation in place of the one before it.
///
/// # Errors
/// When the database fails.
pub async fn put(c: &mut Connection, row: &InvitationRow) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT OR REPLACE INTO invitation
         (address, own, account_id, fingerprint, number, secret, made_at, state, answers)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&row.address)
    .bind(i64::from(row.own))
    .bind(row.account.0)
    .bind(&row.fingerprint)
    .bind(&row.number)
    .bind(&row.secret)
    .bind(row.made_at)
    .bind(&row.state)
    .bind(row.answers)
    .execute(c)
    .await?;
    Ok(())
}

/// Those that concern somebody and were made since; one of each kind at most.
///
/// # Errors
/// When the database fails.
pub async fn of(c: &mut Connection, address: &str, since: i64) -> Result<Vec<InvitationRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM invitation WHERE address = ? AND made_at >= ? ORDER BY own")
        .bind(address)
        .bind(since)
        .fetch_all(c)
        .await?;
    rows.iter().map(invitation).collect()
}

/// Those that were made since, the newest first; so many at most.
///
/// # Errors
/// When the database fails.
pub async fn list(c: &mut Connection, since: i64, limit: u32) -> Result<Vec<InvitationRow>, DatabaseError> {
    let rows = sqlx::query(
        "SELECT * FROM invitation WHERE made_at >= ? ORDER BY made_at DESC, address, own LIMIT ?",
    )
    .bind(since)
    .bind(limit)
    .fetch_all(c)
    .await?;
    rows.iter().map(invitation).collect()
}

/// Moves one on, unless another took its place meanwhile; says whether it was still there.
///
/// # Errors
/// When the database fails.
pub async fn note(
    c: &mut Connection,
    row: &InvitationRow,
    state: &str,
    answers: u32,
) -> Result<bool, DatabaseError> {
    let done = sqlx::query(
        "UPDATE invitation SET state = ?, answers = ? WHERE address = ? AND own = ? AND secret = ?",
    )
    .bind(state)
    .bind(answers)
    .bind(&row.address)
    .bind(i64::from(row.own))
    .bind(&row.secret)
    .execute(c)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Removes those that were made before.
///
/// # Errors
/// When the database fails.
pub async fn remove_before(c: &mut Connection, at: i64) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM invitation WHERE made_at < ?").bind(at).execute(c).await?;
    Ok(())
}
