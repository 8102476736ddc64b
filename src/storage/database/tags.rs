//! Tags, flags and roles: one bitmap over message numbers for each name, kept in chunks of 65,536.

use super::{Connection, DatabaseError};
use crate::mail::ids::MessageNumber;
use roaring::RoaringBitmap;
use sqlx::Row;
use std::collections::BTreeMap;

/// The name of the bitmap that holds every message.
pub const ALL: &str = "";
/// The bitmap of messages that a server held, and that only lie here because it does no more (or because its account was
/// removed and its mail kept). When a server holds them again, its places count alone. Names that begin
/// with a colon are ours alone: no tag of the owner's does.
pub const LEFT: &str = ":left";

/// What is to be set and cleared, gathered for a batch and applied at once.
#[derive(Debug, Default)]
pub struct TagChanges(BTreeMap<String, (RoaringBitmap, RoaringBitmap)>);

impl TagChanges {
    /// Sets `tag` on a message; the last word on a message counts.
    pub fn set(&mut self, tag: &str, number: MessageNumber) {
        let (add, remove) = self.entry(tag);
        add.insert(number.0);
        remove.remove(number.0);
    }

    /// Clears `tag` on a message.
    pub fn clear(&mut self, tag: &str, number: MessageNumber) {
        let (add, remove) = self.entry(tag);
        add.remove(number.0);
        remove.insert(number.0);
    }

    /// Sets or clears.
    pub fn put(&mut self, tag: &str, number: MessageNumber, on: bool) {
        if on { self.set(tag, number) } else { self.clear(tag, number) }
    }

    fn entry(&mut self, tag: &str) -> &mut (RoaringBitmap, RoaringBitmap) {
        if !self.0.contains_key(tag) {
            self.0.insert(tag.to_owned(), Default::default());
        }
        self.0.entry(tag.to_owned()).or_default()
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn chunk(bitmap: &RoaringBitmap, chunk: u32) -> RoaringBitmap {
    let first = chunk << 16;
    let mut part = RoaringBitmap::new();
    part.extend(bitmap.range(first..=(first | 0xffff)));
    part
}

fn decode(bits: &[u8]) -> Result<RoaringBitmap, DatabaseError> {
    RoaringBitmap::deserialize_from(bits).map_err(|_| DatabaseError::Damaged)
}

async fn tag_id(c: &mut Connection, name: &str) -> Result<i64, DatabaseError> {
    let known: Option<i64> =
        sqlx::query_scalar("SELECT id FROM tag WHERE name = ?").bind(name).fetch_optional(&mut *c).await?;
    if let Some(id) = known {
        return Ok(id);
    }
    Ok(sqlx::query_scalar("INSERT INTO tag (name) VALUES (?) RETURNING id").bind(name).fetch_one(c).await?)
}

/// Applies gathered changes; only the chunks that they touch are read and written.
///
/// # Errors
/// When the database fails.
pub async fn apply(c: &mut Connection, changes: &TagChanges) -> Result<(), DatabaseError> {
    for (name, (add, remove)) in &changes.0 {
        let id = tag_id(c, name).await?;
        let mut chunks: Vec<u32> = add.iter().chain(remove.iter()).map(|n| n >> 16).collect();
        chunks.sort_unstable();
        chunks.dedup();
        for number in chunks {
            let known: Option<Vec<u8>> =
                sqlx::query_scalar("SELECT bits FROM tag_bits WHERE tag_id = ? AND chunk = ?")
                    .bind(id)
                    .bind(number)
                    .fetch_optional(&mut *c)
                    .await?;
            let before = known.as_deref().map(decode).transpose()?.unwrap_or_default();
            let mut after = (&before | chunk(add, number)) - chunk(remove, number);
            if after == before {
                continue;
            }
            if after.is_empty() {
                sqlx::query("DELETE FROM tag_bits WHERE tag_id = ? AND chunk = ?")
                    .bind(id)
                    .bind(number)
                    .execute(&mut *c)
                    .await?;
                continue;
            }
            after.optimize();
            let mut bits = Vec::with_capacity(after.serialized_size());
            after.serialize_into(&mut bits).map_err(|e| DatabaseError::Other(e.to_string()))?;
            sqlx::query("INSERT OR REPLACE INTO tag_bits (tag_id, chunk, bits) VALUES (?, ?, ?)")
                .bind(id)
                .bind(number)
                .bind(bits)
                .execute(&mut *c)
                .await?;
        }
    }
    Ok(())
}

/// All messages that carry a tag; empty for a tag that nobody used.
///
/// # Errors
/// When the database fails.
pub async fn bitmap(c: &mut Connection, name: &str) -> Result<RoaringBitmap, DatabaseError> {
    let chunks: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT tag_bits.bits
         FROM tag JOIN tag_bits ON tag_bits.tag_id = tag.id
         WHERE tag.name = ?
         ORDER BY tag_bits.chunk",
    )
    .bind(name)
    .fetch_all(c)
    .await?;
    let mut all = RoaringBitmap::new();
    for bits in chunks {
        all |= decode(&bits)?;
    }
    Ok(all)
}

/// The tags of each of some messages, in alphabetical order; one pass over the chunks that hold them.
///
/// # Errors
/// When the database fails.
pub async fn of_messages(
    c: &mut Connection,
    numbers: &[MessageNumber],
) -> Result<BTreeMap<MessageNumber, Vec<String>>, DatabaseError> {
    let mut tags: BTreeMap<MessageNumber, Vec<String>> = numbers.iter().map(|n| (*n, Vec::new())).collect();
    let wanted: RoaringBitmap = numbers.iter().map(|n| n.0).collect();
    let mut chunks: Vec<u32> = numbers.iter().map(|n| n.0 >> 16).collect();
    chunks.sort_unstable();
    chunks.dedup();
    for number in chunks {
        let rows = sqlx::query(
            "SELECT tag.name, tag_bits.bits
             FROM tag_bits JOIN tag ON tag.id = tag_bits.tag_id
             WHERE tag_bits.chunk = ? AND tag.name <> '' AND tag.name NOT LIKE ':%'
             ORDER BY tag.name",
        )
        .bind(number)
        .fetch_all(&mut *c)
        .await?;
        for row in rows {
            let name: String = row.get(0);
            for hit in &(decode(row.get(1))? & &wanted) {
                if let Some(list) = tags.get_mut(&MessageNumber(hit)) {
                    list.push(name.clone());
                }
            }
        }
    }
    Ok(tags)
}

/// Every tag that is in use, with the number of messages that carry it.
///
/// # Errors
/// When the database fails.
pub async fn counts(c: &mut Connection) -> Result<Vec<(String, u64)>, DatabaseError> {
    let rows = sqlx::query(
        "SELECT tag.name, tag_bits.bits
         FROM tag JOIN tag_bits ON tag_bits.tag_id = tag.id
         WHERE tag.name <> '' AND tag.name NOT LIKE ':%'",
    )
    .fetch_all(c)
    .await?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for row in rows {
        *counts.entry(row.get(0)).or_default() += decode(row.get(1))?.len();
    }
    Ok(counts.into_iter().collect())
}
