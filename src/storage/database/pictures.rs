//! Which copies of pictures from elsewhere are kept, and under which keys.

use super::{Connection, DatabaseError, json_numbers};
use crate::crypto::secret::Key;
use crate::mail::ids::MessageNumber;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::collections::HashMap;

/// What a row takes beside its file, in bytes; so that rows without a file are bounded too.
const ROW: i64 = 512;

/// A copy of a picture, or the knowledge that there is none.
#[derive(Clone, Debug)]
pub struct PictureRow {
    /// The name of its file; empty where there is none to be had.
    pub file: String,
    /// What the file is sealed under.
    pub key: Key,
    /// Its media type.
    pub media_type: String,
    /// The file's bytes.
    pub size: u64,
}

fn row(row: &SqliteRow) -> PictureRow {
    let key: Vec<u8> = row.get(1);
    PictureRow {
        file: row.get(0),
        // A key of another length opens nothing.
        key: key.try_into().map_or_else(|_| Key::random(), Key::from_bytes),
        media_type: row.get(2),
        size: row.get::<i64, _>(3).cast_unsigned(),
    }
}

/// What is known of a message's pictures: for each address whether there is a copy.
///
/// # Errors
/// When the database fails.
pub async fn of_message(
    c: &mut Connection,
    message: MessageNumber,
) -> Result<HashMap<i64, bool>, DatabaseError> {
    let rows = sqlx::query("SELECT address, file <> '' FROM picture WHERE message_id = ?")
        .bind(message.0)
        .fetch_all(c)
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// One picture of a message.
///
/// # Errors
/// When the database fails.
pub async fn get(
    c: &mut Connection,
    message: MessageNumber,
    address: i64,
) -> Result<Option<PictureRow>, DatabaseError> {
    let found =
        sqlx::query("SELECT file, key, media_type, size FROM picture WHERE message_id = ? AND address = ?")
            .bind(message.0)
            .bind(address)
            .fetch_optional(c)
            .await?;
    Ok(found.as_ref().map(row))
}

/// Keeps one.
///
/// # Errors
/// When the database fails, or the message is gone.
pub async fn add(
    c: &mut Connection,
    message: MessageNumber,
    address: i64,
    picture: &PictureRow,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT OR REPLACE INTO picture (message_id, address, file, key, media_type, size) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(message.0)
    .bind(address)
    .bind(picture.file.as_str())
    .bind(picture.key.expose().as_slice())
    .bind(picture.media_type.as_str())
    .bind(picture.size.cast_signed())
    .execute(c)
    .await?;
    Ok(())
}

/// Forgets the oldest until no more than `most` bytes are kept; gives their files.
///
/// # Errors
/// When the database fails.
pub async fn trim(c: &mut Connection, most: u64) -> Result<Vec<String>, DatabaseError> {
    Ok(sqlx::query_scalar(
        "DELETE FROM picture
         WHERE id IN (
             SELECT id
             FROM (SELECT id, SUM(size + ?) OVER (ORDER BY id DESC) AS held FROM picture)
             WHERE held > ?
         )
         RETURNING file",
    )
    .bind(ROW)
    .bind(most.cast_signed())
    .fetch_all(c)
    .await?)
}

/// Forgets those of some messages; gives their files.
///
/// # Errors
/// When the database fails.
pub async fn remove(c: &mut Connection, messages: &[MessageNumber]) -> Result<Vec<String>, DatabaseError> {
    let sql = "DELETE FROM picture WHERE message_id IN (SELECT value FROM json_each(?)) RETURNING file";
    Ok(sqlx::query_scalar(sql).bind(json_numbers(messages.iter().copied())).fetch_all(c).await?)
}

/// Forgets all of them.
///
/// # Errors
/// When the database fails.
pub async fn clear(c: &mut Connection) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM picture").execute(c).await?;
    Ok(())
}

/// The files that are known, and their bytes in all.
///
/// # Errors
/// When the database fails.
pub async fn files(c: &mut Connection) -> Result<(Vec<String>, u64), DatabaseError> {
    let rows = sqlx::query("SELECT file, size FROM picture WHERE file <> ''").fetch_all(c).await?;
    let bytes = rows.iter().map(|row| row.get::<i64, _>(1)).sum::<i64>();
    Ok((rows.iter().map(|row| row.get(0)).collect(), bytes.cast_unsigned()))
}
