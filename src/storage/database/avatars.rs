//! What avatar servers said of correspondents: small pictures, and the knowledge that there is none.

use super::{Connection, DatabaseError};
use sqlx::Row;
use std::collections::HashMap;

/// What is known of one address, by its mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvatarRow {
    /// Whether there is a picture.
    pub has_picture: bool,
    /// From when on it may be asked for again, UTC seconds.
    pub again_at: i64,
}

/// All that is known, by mark.
///
/// # Errors
/// When the database fails.
pub async fn all(c: &mut Connection) -> Result<HashMap<i64, AvatarRow>, DatabaseError> {
    let rows = sqlx::query("SELECT mark, picture IS NOT NULL, again_at FROM avatar").fetch_all(c).await?;
    let read = |row: &sqlx::sqlite::SqliteRow| AvatarRow { has_picture: row.get(1), again_at: row.get(2) };
    Ok(rows.iter().map(|row| (row.get(0), read(row))).collect())
}

/// The picture behind a mark, PNG.
///
/// # Errors
/// When the database fails.
pub async fn picture(c: &mut Connection, mark: i64) -> Result<Option<Vec<u8>>, DatabaseError> {
    let found: Option<Option<Vec<u8>>> =
        sqlx::query_scalar("SELECT picture FROM avatar WHERE mark = ?").bind(mark).fetch_optional(c).await?;
    Ok(found.flatten())
}

/// How many were asked for since a time.
///
/// # Errors
/// When the database fails.
pub async fn asked_since(c: &mut Connection, at: i64) -> Result<u32, DatabaseError> {
    Ok(sqlx::query_scalar("SELECT COUNT(*) FROM avatar WHERE asked_at > ?").bind(at).fetch_one(c).await?)
}

/// Keeps what was said now in place of what was said before.
///
/// # Errors
/// When the database fails.
pub async fn put(
    c: &mut Connection,
    mark: i64,
    asked_at: i64,
    again_at: i64,
    picture: Option<&[u8]>,
) -> Result<(), DatabaseError> {
    sqlx::query("INSERT OR REPLACE INTO avatar (mark, asked_at, again_at, picture) VALUES (?, ?, ?, ?)")
        .bind(mark)
        .bind(asked_at)
        .bind(again_at)
        .bind(picture)
        .execute(c)
        .await?;
    Ok(())
}

/// Notes that somebody was asked for in vain, and when that may be tried again; what there was stays.
///
/// # Errors
/// When the database fails.
pub async fn put_off(
    c: &mut Connection,
    mark: i64,
    asked_at: i64,
    again_at: i64,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO avatar (mark, asked_at, again_at) VALUES (?, ?, ?)
         ON CONFLICT (mark) DO UPDATE SET asked_at = excluded.asked_at, again_at = excluded.again_at",
    )
    .bind(mark)
    .bind(asked_at)
    .bind(again_at)
    .execute(c)
    .await?;
    Ok(())
}

/// Forgets those that were asked for longest ago until no more than `most` are left.
///
/// # Errors
/// When the database fails.
pub async fn trim(c: &mut Connection, most: u32) -> Result<(), DatabaseError> {
    sqlx::query(
        "DELETE FROM avatar
         WHERE mark IN (SELECT mark FROM avatar ORDER BY asked_at DESC LIMIT -1 OFFSET ?)",
    )
    .bind(most)
    .execute(c)
    .await?;
    Ok(())
}

/// Forgets all of them.
///
/// # Errors
/// When the database fails.
pub async fn clear(c: &mut Connection) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM avatar").execute(c).await?;
    Ok(())
}

/// Forgets some of them.
///
/// # Errors
/// When the database fails.
pub async fn remove(c: &mut Connection, marks: &[i64]) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM avatar WHERE mark IN (SELECT value FROM json_each(?))")
        .bind(serde_json::to_string(marks).unwrap_or_default())
        .execute(c)
        .await?;
    Ok(())
}

/// From when on somebody may be asked for again; nothing where nobody was asked yet.
///
/// # Errors
/// When the database fails.
pub async fn again_at(c: &mut Connection, mark: i64) -> Result<Option<i64>, DatabaseError> {
    Ok(sqlx::query_scalar("SELECT again_at FROM avatar WHERE mark = ?").bind(mark).fetch_optional(c).await?)
}
