//! Messages: what a list shows of them, and where their bytes lie.

use super::tags::{ALL, TagChanges};
use super::{Connection, DatabaseError, json_numbers, threads};
use crate::mail::address::Person;
use crate::mail::ids::{MessageId, MessageNumber, ThreadNumber};
use crate::storage::packs::RecordPlace;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use sqlx::{QueryBuilder, Row, sqlite::SqliteRow};
use std::collections::HashMap;

/// A message about to be stored: its bytes lie in the packs already.
#[derive(Debug)]
pub struct NewMessage {
    /// Its id.
    pub id: MessageId,
    /// Where its bytes lie.
    pub place: RecordPlace,
    /// Raw bytes.
    pub size: u64,
    /// Effective date, UTC seconds.
    pub date: i64,
    /// When it came here or to the server, UTC seconds.
    pub received_at: i64,
    /// The keyed hash of its Message-ID.
    pub link: i64,
    /// That, and those of all ids it refers to.
    pub links: Vec<i64>,
    /// Who it is from and to.
    pub people: People,
    /// Decoded subject.
    pub subject: String,
    /// The first words of the text.
    pub snippet: String,
    /// How many attachments.
    pub attachments: u32,
    /// Where it lies while no server holds it; empty when a server does.
    pub role: String,
}

/// The people that a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct People {
    /// All of From.
    #[serde(rename = "f", default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<Person>,
    /// The first of To.
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<Person>,
}

/// A message as a list shows it.
#[derive(Clone, Debug)]
pub struct MessageRow {
    /// Its row.
    pub number: MessageNumber,
    /// Its id.
    pub id: MessageId,
    /// Its thread.
    pub thread: ThreadNumber,
    /// Where its bytes lie.
    pub place: RecordPlace,
    /// Raw bytes.
    pub size: u64,
    /// Effective date, UTC seconds.
    pub date: i64,
    /// When it came, UTC seconds.
    pub received_at: i64,
    /// Who it is from and to.
    pub people: People,
    /// Decoded subject.
    pub subject: String,
    /// The first words of the text.
    pub snippet: String,
    /// How many attachments.
    pub attachments: u32,
    /// Where it lies while no server holds it.
    pub role: String,
}

/// A message that the store has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its row.
    pub number: MessageNumber,
    /// Its id.
    pub id: MessageId,
}

fn row(row: &SqliteRow) -> Result<MessageRow, DatabaseError> {
    let digest: Vec<u8> = row.try_get("digest")?;
    let people: String = row.try_get("people")?;
    Ok(MessageRow {
        number: MessageNumber(row.try_get("id")?),
        id: MessageId(digest.try_into().map_err(|_| DatabaseError::Damaged)?),
        thread: ThreadNumber(row.try_get("thread_id")?),
        place: RecordPlace {
            pack: row.try_get("pack")?,
            offset: row.try_get("pack_offset")?,
            length: row.try_get("pack_length")?,
        },
        size: row.try_get::<i64, _>("size")?.cast_unsigned(),
        date: row.try_get("date")?,
        received_at: row.try_get("received_at")?,
        people: serde_json::from_str(&people).map_err(|_| DatabaseError::Damaged)?,
        subject: row.try_get("subject")?,
        snippet: row.try_get("snippet")?,
        attachments: row.try_get("attachments")?,
        role: row.try_get("role")?,
    })
}

/// Which of these messages are here already.
///
/// # Errors
/// When the database fails.
pub async fn known(
    c: &mut Connection,
    ids: &[MessageId],
) -> Result<HashMap<MessageId, MessageNumber>, DatabaseError> {
    let mut known = HashMap::new();
    for some in ids.chunks(500) {
        let mut query = QueryBuilder::new("SELECT digest, id FROM message WHERE digest IN (");
        let mut list = query.separated(", ");
        for id in some {
            list.push_bind(id.0.to_vec());
        }
        query.push(")");
        for row in query.build().fetch_all(&mut *c).await? {
            let digest: Vec<u8> = row.get(0);
            if let Ok(digest) = digest.try_into() {
                known.insert(MessageId(digest), MessageNumber(row.get(1)));
            }
        }
    }
    Ok(known)
}

/// Stores new messages, threads them, and marks them as being there; gives their numbers, ascending, in the same order.
///
/// # Errors
/// When the database fails, or a message is stored twice.
pub async fn insert(
    c: &mut Connection,
    messages: &[NewMessage],
    changes: &mut TagChanges,
) -> Result<Vec<MessageNumber>, DatabaseError> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let last: Option<i64> = sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'message'")
        .fetch_optional(&mut *c)
        .await?;
    let first = last.unwrap_or(0) + 1;
    let linked: Vec<(Vec<i64>, i64)> =
        (first..).zip(messages).map(|(own, m)| (m.links.clone(), own)).collect();
    let threads = threads::assign(c, &linked).await?;
    let mut numbers = Vec::with_capacity(messages.len());
    let rows: Vec<_> = (first..).zip(messages.iter().zip(threads)).collect();
    for some in rows.chunks(100) {
        let mut insert = QueryBuilder::new(
            "INSERT INTO message (id, digest, thread_id, link, pack, pack_offset, pack_length, size, date, received_at, \
             people, subject, snippet, attachments, role) ",
        );
        insert.push_values(some, |mut row, (number, (message, thread))| {
            row.push_bind(*number)
                .push_bind(message.id.0.to_vec())
                .push_bind(*thread)
                .push_bind(message.link)
                .push_bind(message.place.pack)
                .push_bind(message.place.offset)
                .push_bind(message.place.length)
                .push_bind(message.size.cast_signed())
                .push_bind(message.date)
                .push_bind(message.received_at)
                .push_bind(serde_json::to_string(&message.people).unwrap_or_default())
                .push_bind(message.subject.as_str())
                .push_bind(message.snippet.as_str())
                .push_bind(message.attachments)
                .push_bind(message.role.as_str());
        });
        insert.build().execute(&mut *c).await?;
    }
    for (number, _) in &rows {
        let number = MessageNumber(
            u32::try_from(*number).map_err(|_| DatabaseError::Other("too many messages".into()))?,
        );
        changes.set(ALL, number);
        numbers.push(number);
    }
    Ok(numbers)
}

/// One message by its id.
///
/// # Errors
/// When the database fails.
pub async fn by_id(c: &mut Connection, id: MessageId) -> Result<Option<MessageRow>, DatabaseError> {
    let found =
        sqlx::query("SELECT * FROM message WHERE digest = ?").bind(id.0.to_vec()).fetch_optional(c).await?;
    found.as_ref().map(row).transpose()
}

/// Messages by their numbers, in the order of `numbers`; those that are gone are left out.
///
/// # Errors
/// When the database fails.
pub async fn by_numbers(
    c: &mut Connection,
    numbers: &[MessageNumber],
) -> Result<Vec<MessageRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM message WHERE id IN (SELECT value FROM json_each(?))")
        .bind(json_numbers(numbers.iter().copied()))
        .fetch_all(c)
        .await?;
    let mut found = HashMap::with_capacity(rows.len());
    for one in &rows {
        let one = row(one)?;
        found.insert(one.number, one);
    }
    Ok(numbers.iter().filter_map(|n| found.remove(n)).collect())
}

/// All messages of a thread, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of_thread(c: &mut Connection, thread: ThreadNumber) -> Result<Vec<MessageRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM message WHERE thread_id = ? ORDER BY date, digest LIMIT 2000")
        .bind(thread.0)
        .fetch_all(c)
        .await?;
    rows.iter().map(row).collect()
}

/// The id by which each of these threads is printed: that of its earliest message.
///
/// # Errors
/// When the database fails.
pub async fn thread_ids(
    c: &mut Connection,
    threads: impl IntoIterator<Item = ThreadNumber>,
) -> Result<HashMap<ThreadNumber, MessageId>, DatabaseError> {
    let threads: Vec<i64> = threads.into_iter().map(|t| t.0).collect();
    let json = serde_json::to_string(&threads).map_err(|e| DatabaseError::Other(e.to_string()))?;
    let rows = sqlx::query(
        "SELECT value, (SELECT digest FROM message WHERE thread_id = value ORDER BY date, digest LIMIT 1)
         FROM json_each(?)",
    )
    .bind(json)
    .fetch_all(c)
    .await?;
    Ok(rows
        .iter()
        .filter_map(|row| {
            let digest: Option<Vec<u8>> = row.get(1);
            Some((ThreadNumber(row.get(0)), MessageId(digest?.try_into().ok()?)))
        })
        .collect())
}

/// The thread of each of some messages, in the same order; those that are gone are left out.
///
/// # Errors
/// When the database fails.
pub async fn threads_of(
    c: &mut Connection,
    numbers: &[MessageNumber],
) -> Result<Vec<(MessageNumber, ThreadNumber)>, DatabaseError> {
    let rows = sqlx::query("SELECT id, thread_id FROM message WHERE id IN (SELECT value FROM json_each(?))")
        .bind(json_numbers(numbers.iter().copied()))
        .fetch_all(c)
        .await?;
    let found: HashMap<u32, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    Ok(numbers.iter().filter_map(|n| Some((*n, ThreadNumber(*found.get(&n.0)?)))).collect())
}

/// The numbers of all messages of a thread.
///
/// # Errors
/// When the database fails.
pub async fn numbers_of_thread(
    c: &mut Connection,
    thread: ThreadNumber,
) -> Result<RoaringBitmap, DatabaseError> {
    let numbers: Vec<u32> =
        sqlx::query_scalar("SELECT id FROM message WHERE thread_id = ?").bind(thread.0).fetch_all(c).await?;
    Ok(numbers.into_iter().collect())
}

/// All messages that bear a Message-ID with this keyed hash.
///
/// # Errors
/// When the database fails.
pub async fn by_link(c: &mut Connection, link: i64) -> Result<RoaringBitmap, DatabaseError> {
    let numbers: Vec<u32> =
        sqlx::query_scalar("SELECT id FROM message WHERE link = ?").bind(link).fetch_all(c).await?;
    Ok(numbers.into_iter().collect())
}

/// The newest (or oldest) members of a set, by date: one walk along the index of dates.
///
/// # Errors
/// When the database fails.
pub async fn by_date(
    c: &mut Connection,
    set: &RoaringBitmap,
    newest_first: bool,
    offset: usize,
    limit: usize,
) -> Result<Vec<MessageNumber>, DatabaseError> {
    use futures_util::TryStreamExt;
    if set.len() <= 5_000 {
        // A small set is looked up; walking the whole index for it would cost more.
        let rows = sqlx::query("SELECT date, id FROM message WHERE id IN (SELECT value FROM json_each(?))")
            .bind(json_numbers(set.iter().map(MessageNumber)))
            .fetch_all(c)
            .await?;
        let mut dated: Vec<(i64, u32)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        dated.sort_unstable();
        if newest_first {
            dated.reverse();
        }
        return Ok(dated.into_iter().skip(offset).take(limit).map(|(_, n)| MessageNumber(n)).collect());
    }
    let mut walk = if newest_first {
        sqlx::query_scalar::<_, u32>("SELECT id FROM message ORDER BY date DESC, id DESC").fetch(c)
    } else {
        sqlx::query_scalar::<_, u32>("SELECT id FROM message ORDER BY date, id").fetch(c)
    };
    let mut found = Vec::new();
    let mut skipped = 0;
    while found.len() < limit
        && let Some(number) = walk.try_next().await?
    {
        if !set.contains(number) {
            continue;
        }
        if skipped < offset {
            skipped += 1;
        } else {
            found.push(MessageNumber(number));
        }
    }
    Ok(found)
}

/// Messages with numbers above `after`, ascending, for (re)building the index.
///
/// # Errors
/// When the database fails.
pub async fn after(
    c: &mut Connection,
    after: MessageNumber,
    limit: u32,
) -> Result<Vec<MessageRow>, DatabaseError> {
    let rows = sqlx::query("SELECT * FROM message WHERE id > ? ORDER BY id LIMIT ?")
        .bind(after.0)
        .bind(limit)
        .fetch_all(c)
        .await?;
    rows.iter().map(row).collect()
}

/// How many messages there are, and their raw bytes in all.
///
/// # Errors
/// When the database fails.
pub async fn totals(c: &mut Connection) -> Result<(u64, u64), DatabaseError> {
    let row = sqlx::query("SELECT COUNT(*), COALESCE(SUM(size), 0) FROM message").fetch_one(c).await?;
    Ok((row.get::<i64, _>(0).cast_unsigned(), row.get::<i64, _>(1).cast_unsigned()))
}

/// How many of the newest rows are asked for the record that was written last.
const NEWEST: u32 = 5_000;

/// Where the record that was written last lies, as far as the newest rows know. The newest row itself need not: what a
/// repair took in has a high number and an old record.
///
/// # Errors
/// When the database fails.
pub async fn last_record(c: &mut Connection) -> Result<Option<RecordPlace>, DatabaseError> {
    let row = sqlx::query(
        "SELECT pack, pack_offset, pack_length
         FROM (SELECT pack, pack_offset, pack_length FROM message ORDER BY id DESC LIMIT ?)
         ORDER BY pack DESC, pack_offset DESC
         LIMIT 1",
    )
    .bind(NEWEST)
    .fetch_optional(c)
    .await?;
    Ok(row.map(|row| RecordPlace { pack: row.get(0), offset: row.get(1), length: row.get(2) }))
}

/// The highest number that was ever given to a message, be it deleted since.
///
/// # Errors
/// When the database fails.
pub async fn last_number(c: &mut Connection) -> Result<u32, DatabaseError> {
    let last: Option<u32> = sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'message'")
        .fetch_optional(c)
        .await?;
    Ok(last.unwrap_or(0))
}

/// Sets where a message lies while no server holds it.
///
/// # Errors
/// When the database fails.
pub async fn set_role(c: &mut Connection, number: MessageNumber, role: &str) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE message SET role = ? WHERE id = ?").bind(role).bind(number.0).execute(c).await?;
    Ok(())
}

/// Points a message at another record, after its bytes were stored anew.
///
/// # Errors
/// When the database fails.
pub async fn set_record(
    c: &mut Connection,
    number: MessageNumber,
    place: RecordPlace,
) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE message SET pack = ?, pack_offset = ?, pack_length = ? WHERE id = ?")
        .bind(place.pack)
        .bind(place.offset)
        .bind(place.length)
        .bind(number.0)
        .execute(c)
        .await?;
    Ok(())
}

/// Takes out of the rows of messages that are deleted for ever everything that they say, and the rows out of their threads:
/// they stay only until the servers have been told.
///
/// # Errors
/// When the database fails.
pub async fn blank(c: &mut Connection, numbers: &[MessageNumber]) -> Result<(), DatabaseError> {
    sqlx::query(
        "UPDATE message
         SET thread_id = 0, people = '{}', subject = '', snippet = ''
         WHERE id IN (SELECT value FROM json_each(?))",
    )
    .bind(json_numbers(numbers.iter().copied()))
    .execute(c)
    .await?;
    Ok(())
}

/// Says anew what a message says: it could be opened only now.
///
/// # Errors
/// When the database fails.
pub async fn retell(
    c: &mut Connection,
    number: MessageNumber,
    subject: &str,
    snippet: &str,
    attachments: u32,
) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE message SET subject = ?, snippet = ?, attachments = ? WHERE id = ?")
        .bind(subject)
        .bind(snippet)
        .bind(attachments)
        .bind(number.0)
        .execute(c)
        .await?;
    Ok(())
}

/// The messages known by these links.
///
/// # Errors
/// When the database fails.
pub async fn by_links(c: &mut Connection, links: &[i64]) -> Result<Vec<MessageNumber>, DatabaseError> {
    let numbers: Vec<u32> =
        sqlx::query_scalar("SELECT id FROM message WHERE link IN (SELECT value FROM json_each(?)) LIMIT 100")
            .bind(serde_json::to_string(links).unwrap_or_default())
            .fetch_all(c)
            .await?;
    Ok(numbers.into_iter().map(MessageNumber).collect())
}

/// The encrypted messages among those known by these links.
///
/// # Errors
/// When the database fails.
pub async fn encrypted_among(c: &mut Connection, links: &[i64]) -> Result<Vec<MessageNumber>, DatabaseError> {
    let numbers: Vec<u32> = sqlx::query_scalar(
        "SELECT message.id
         FROM message JOIN envelope ON envelope.message_id = message.id
         WHERE envelope.layer = 'encrypted' AND message.link IN (SELECT value FROM json_each(?))
         LIMIT 20",
    )
    .bind(serde_json::to_string(links).unwrap_or_default())
    .fetch_all(c)
    .await?;
    Ok(numbers.into_iter().map(MessageNumber).collect())
}

/// Gives a row that was [blanked](blank) its message back.
///
/// # Errors
/// When the database fails.
pub async fn revive(
    c: &mut Connection,
    number: MessageNumber,
    message: &NewMessage,
) -> Result<(), DatabaseError> {
    set_record(c, number, message.place).await?;
    sqlx::query(
        "UPDATE message
         SET thread_id = coalesce((SELECT thread_id FROM thread_link WHERE thread_link.link = message.link), id),
             people = ?, subject = ?, snippet = ?
         WHERE id = ?",
    )
    .bind(serde_json::to_string(&message.people).unwrap_or_default())
    .bind(message.subject.as_str())
    .bind(message.snippet.as_str())
    .bind(number.0)
    .execute(c)
    .await?;
    Ok(())
}

/// Removes messages for ever, with their places; their bits are cleared by `changes`.
///
/// # Errors
/// When the database fails.
pub async fn delete(
    c: &mut Connection,
    numbers: &[MessageNumber],
    changes: &mut TagChanges,
) -> Result<(), DatabaseError> {
    let names: Vec<String> = sqlx::query_scalar("SELECT name FROM tag").fetch_all(&mut *c).await?;
    for number in numbers {
        for name in &names {
            changes.clear(name, *number);
        }
    }
    sqlx::query("DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))")
        .bind(json_numbers(numbers.iter().copied()))
        .execute(c)
        .await?;
    Ok(())
}
