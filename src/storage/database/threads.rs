//! Threads: the classes of messages that name each other by Message-ID, In-Reply-To and References.
//!
//! Every id that a message bears or names is a link, and all links of one message are in one thread. When a message
//! joins links of several threads, they become one. So the result is the same whatever the order of arrival, and two
//! messages are never in one thread merely because their subjects are equal.

use super::{Connection, DatabaseError};
use sqlx::{QueryBuilder, Row};
use std::collections::{BTreeSet, HashMap};

/// Finds or makes the thread of each message of a batch.
///
/// `messages` holds for each its links (never empty) and the number for a thread of its own; returned is the thread of each.
/// Threads that turn out to be one are merged in the tables, too.
///
/// # Errors
/// When the database fails.
pub async fn assign(c: &mut Connection, messages: &[(Vec<i64>, i64)]) -> Result<Vec<i64>, DatabaseError> {
    let links: BTreeSet<i64> = messages.iter().flat_map(|(links, _)| links.iter().copied()).collect();
    let mut known = lookup(c, &links).await?;
    let mut merged = Merged::default();
    let mut fresh: BTreeSet<i64> = BTreeSet::new();
    for (links, own) in messages {
        let found: BTreeSet<i64> =
            links.iter().filter_map(|l| known.get(l)).map(|t| merged.root(*t)).collect();
        let thread = found.first().copied().unwrap_or(*own);
        for other in found.iter().skip(1) {
            merged.join(*other, thread);
        }
        for link in links {
            if known.insert(*link, thread).is_none() {
                fresh.insert(*link);
            }
        }
    }
    for (loser, winner) in merged.pairs() {
        sqlx::query("UPDATE message SET thread_id = ? WHERE thread_id = ?")
            .bind(winner)
            .bind(loser)
            .execute(&mut *c)
            .await?;
        sqlx::query("UPDATE thread_link SET thread_id = ? WHERE thread_id = ?")
            .bind(winner)
            .bind(loser)
            .execute(&mut *c)
            .await?;
    }
    let fresh: Vec<i64> = fresh.into_iter().collect();
    for some in fresh.chunks(400) {
        let mut insert = QueryBuilder::new("INSERT INTO thread_link (link, thread_id) ");
        insert.push_values(some, |mut row, link| {
            let thread = known.get(link).map_or(0, |t| merged.root(*t));
            row.push_bind(*link).push_bind(thread);
        });
        insert.build().execute(&mut *c).await?;
    }
    Ok(messages
        .iter()
        .map(|(links, own)| links.first().and_then(|l| known.get(l)).map_or(*own, |t| merged.root(*t)))
        .collect())
}

async fn lookup(c: &mut Connection, links: &BTreeSet<i64>) -> Result<HashMap<i64, i64>, DatabaseError> {
    let json = serde_json::to_string(links).map_err(|e| DatabaseError::Other(e.to_string()))?;
    let rows = sqlx::query(
        "SELECT link, thread_id
         FROM thread_link
         WHERE link IN (SELECT value FROM json_each(?))",
    )
    .bind(json)
    .fetch_all(c)
    .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Which threads became part of which others within a batch.
#[derive(Default)]
struct Merged(HashMap<i64, i64>);

impl Merged {
    fn root(&self, mut thread: i64) -> i64 {
        while let Some(next) = self.0.get(&thread) {
            thread = *next;
        }
        thread
    }

    /// Both are roots and differ, so there is never a loop.
    fn join(&mut self, loser: i64, winner: i64) {
        self.0.insert(loser, winner);
    }

    fn pairs(&self) -> Vec<(i64, i64)> {
        self.0.keys().map(|loser| (*loser, self.root(*loser))).collect()
    }
}
