//! Finding messages: a query in the owner's words, an exact total, and rows as lists show them.

use super::app::App;
use super::envelopes::Openers;
use super::failure::{Failure, blocking};
use super::receive::visible_text;
use crate::mail::address::{Person, canonical};
use crate::mail::ids::{MessageId, MessageNumber, ThreadNumber};
use crate::mail::query::{self, Leaf, Query};
use crate::mail::words::{Needle, excerpt};
use crate::storage::database::messages::{self, MessageRow};
use crate::storage::database::{Connection, peers, places, tags};
use crate::storage::index::{Index, IndexError, Order};
use roaring::RoaringBitmap;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

/// How long a snippet is, in characters.
const SNIPPET: usize = 160;
/// How many rows of a page get a snippet around the hit; further rows show the beginning of the text.
const EXCERPTS: usize = 50;

/// How many messages of a list are looked through for the neighbours of a thread.
const FARTHEST: usize = 5_000;

/// In which order messages are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// Newest first.
    #[default]
    Newest,
    /// Oldest first.
    Oldest,
    /// Best match first.
    Relevance,
}

/// What was found.
#[derive(Debug, Serialize)]
pub struct Found {
    /// The query as it was understood.
    pub query: String,
    /// How many messages match, exactly.
    pub total: u64,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
    /// The rows of this page.
    pub messages: Vec<Hit>,
    /// How many messages are indexed of how many, while the index is behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub indexing: Option<(u64, u64)>,
}

/// One message found.
#[derive(Clone, Debug, Serialize)]
pub struct Hit {
    /// Its id.
    pub id: MessageId,
    /// Its thread's id.
    pub thread: MessageId,
    /// Effective date.
    pub date: String,
    /// Who it is from; null where From holds several or none.
    pub from: Option<Person>,
    /// To whom.
    pub to: Vec<Person>,
    /// Decoded subject.
    pub subject: String,
    /// The text around the first hit, or its beginning.
    pub snippet: String,
    /// Where in the snippet words of the query stand: pairs of byte offsets.
    pub hits: Vec<(usize, usize)>,
    /// Its tags.
    pub tags: Vec<String>,
    /// How many attachments.
    pub attachments: u32,
    /// `none`, `private`, `unconfirmed` or `closed`, as it was judged when it came.
    pub privacy: &'static str,
    /// `none` until keys are known.
    pub assurance: &'static str,
    /// The row behind it.
    #[serde(skip)]
    pub row: MessageRow,
}

/// A time as the surface writes it: RFC 3339 in UTC.
#[must_use]
pub fn rfc3339(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map(|t| t.to_string()).unwrap_or_default()
}

/// Understands a query as of now.
///
/// # Errors
/// A usage failure that points at the place.
pub fn understand(app: &App, text: &str) -> Result<Query, Failure> {
    let now = jiff::Timestamp::from_second(app.now()).unwrap_or_default();
    let offset = now.to_zoned(jiff::tz::TimeZone::system()).offset().seconds();
    query::parse(text, app.now(), offset)
        .map_err(|e| Failure::usage(format!("The query cannot be understood: {e}")))
}

/// The sets behind the leaves that the database answers, not the index.
pub struct Sets {
    by_leaf: HashMap<Leaf, Arc<RoaringBitmap>>,
    alive: RoaringBitmap,
}

impl Sets {
    async fn load(app: &App, c: &mut Connection, query: &Query) -> Result<Self, Failure> {
        let mut by_leaf = HashMap::new();
        for leaf in query.leaves() {
            let set = match leaf {
                Leaf::Tag(name) => tags::bitmap(c, name).await?,
                Leaf::Account(address) => places::in_account(c, &canonical(address)).await?,
                Leaf::Folder(name) => places::in_folder(c, name).await?,
                Leaf::Thread(id) => match id.parse() {
                    Ok(id) => match messages::by_id(c, id).await? {
                        Some(row) => messages::numbers_of_thread(c, row.thread).await?,
                        None => RoaringBitmap::new(),
                    },
                    Err(_) => RoaringBitmap::new(),
                },
                Leaf::InternetMessageId(id) => messages::by_link(c, app.link(id)).await?,
                _ => continue,
            };
            by_leaf.insert(leaf.clone(), Arc::new(set));
        }
        Ok(Self { by_leaf, alive: tags::bitmap(c, tags::ALL).await? })
    }

    /// The answer from sets alone; `None` where the index must be asked.
    fn evaluate(&self, query: &Query) -> Option<RoaringBitmap> {
        Some(match query {
            Query::All => self.alive.clone(),
            Query::Not(inner) => &self.alive - self.evaluate(inner)?,
            Query::And(all) => {
                let mut sets = all.iter().map(|q| self.evaluate(q)).collect::<Option<Vec<_>>>()?.into_iter();
                let first = sets.next()?;
                sets.fold(first, |a, b| a & b)
            }
            Query::Or(any) => any
                .iter()
                .map(|q| self.evaluate(q))
                .collect::<Option<Vec<_>>>()?
                .into_iter()
                .fold(RoaringBitmap::new(), |a, b| a | b),
            Query::Leaf(leaf) => (**self.by_leaf.get(leaf)?).clone(),
        })
    }
}

/// Everything a query matches.
///
/// # Errors
/// When the store or the index fails.
pub async fn matching(app: &Arc<App>, query: &Query) -> Result<RoaringBitmap, Failure> {
    let sets = Sets::load(app, &mut *app.reader.get().await?, query).await?;
    if let Some(set) = sets.evaluate(query) {
        return Ok(&set & &sets.alive);
    }
    // What is changed must be all that is found: an index that is behind is brought up to date first, and one that turns
    // out to be damaged is built anew first.
    let sets = Arc::new(sets);
    let ask = async |index: &Arc<Index>| {
        let (index, query, sets) = (Arc::clone(index), query.clone(), Arc::clone(&sets));
        blocking(move || {
            Ok::<_, Failure>(index.matching(&query, &|leaf| sets.by_leaf.get(leaf).cloned(), &sets.alive))
        })
        .await
    };
    let index = app.indexing.current(app).await?;
    match ask(&index).await? {
        Err(IndexError::Damaged) => {
            app.indexing.replace(&index).await?;
            Ok(ask(&app.indexing.current(app).await?).await??)
        }
        found => Ok(found?),
    }
}

/// The numbers of one page of what a query matches, and how many there are in all.
///
/// # Errors
/// When the store or the index fails.
pub async fn numbers(
    app: &Arc<App>,
    query: &Query,
    sort: Sort,
    offset: usize,
    limit: usize,
) -> Result<(u64, Vec<MessageNumber>), Failure> {
    let mut reader = app.reader.get().await?;
    let sets = Sets::load(app, &mut reader, query).await?;
    if let Some(set) = sets.evaluate(query) {
        let set = &set & &sets.alive;
        let page = messages::by_date(&mut reader, &set, sort != Sort::Oldest, offset, limit).await?;
        return Ok((set.len(), page));
    }
    drop(reader);
    // On a full disk what was committed before is still found.
    if let Err(error) = app.indexing.commit_if_due().await {
        tracing::warn!(%error, "The search index is behind: the newest mail may not be found");
    }
    let order = match sort {
        Sort::Newest => Order::Newest,
        Sort::Oldest => Order::Oldest,
        Sort::Relevance => Order::Relevance,
    };
    let sets = Arc::new(sets);
    let ask = async |index: &Arc<Index>| {
        let (index, query, sets) = (Arc::clone(index), query.clone(), Arc::clone(&sets));
        blocking(move || {
            Ok::<_, Failure>(index.search(
                &query,
                &|leaf| sets.by_leaf.get(leaf).cloned(),
                &sets.alive,
                order,
                offset,
                limit,
            ))
        })
        .await
    };
    let index = app.indexing.index();
    let found = match ask(&index).await? {
        // It is begun anew: this finds what is in the new one already, and the answer says how far that is.
        Err(IndexError::Damaged) => {
            app.indexing.replace(&index).await?;
            ask(&app.indexing.index()).await??
        }
        found => found?,
    };
    Ok((found.total, found.numbers))
}

/// Searches, and gives one page of rows.
///
/// # Errors
/// A usage failure for a query that cannot be understood; otherwise when the store or the index fails.
pub async fn search(
    app: &Arc<App>,
    text: &str,
    sort: Sort,
    offset: usize,
    limit: usize,
) -> Result<Found, Failure> {
    let begun = Instant::now();
    let query = understand(app, text)?;
    let (total, numbers) = numbers(app, &query, sort, offset, limit).await?;
    found(app, begun, (&query, asked(text)), total, &numbers).await
}

/// One page of threads: the newest message found of each, newest first. `total` counts messages.
///
/// # Errors
/// As [`search`].
pub async fn threads(
    app: &Arc<App>,
    text: &str,
    sort: Sort,
    offset: usize,
    limit: usize,
) -> Result<Found, Failure> {
    let begun = Instant::now();
    let query = understand(app, text)?;
    let (mut page, mut passed) = (Vec::new(), 0);
    let all = walk(app, &query, sort, usize::MAX, |number, _| {
        passed += 1;
        if passed > offset && page.len() < limit {
            page.push(number);
        }
        page.len() < limit
    })
    .await?;
    found(app, begun, (&query, asked(text)), all, &page).await
}

/// What is told of a query that matches `total` messages, with the rows of these.
async fn found(
    app: &Arc<App>,
    begun: Instant,
    (query, asked): (&Query, String),
    total: u64,
    numbers: &[MessageNumber],
) -> Result<Found, Failure> {
    let rows = messages::by_numbers(&mut *app.reader.get().await?, numbers).await?;
    let messages = hits(app, rows, query::needles(query)).await?;
    Ok(Found { query: asked, total, took_ms: took(begun), messages, indexing: behind(app).await? })
}

/// A query as it was asked for, to be told again; all there is where nothing was.
fn asked(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() { "*" } else { text }.to_owned()
}

/// The threads before and after one in a list, newest first: the newest message found of each, for as far as a page turns.
///
/// # Errors
/// As [`search`].
pub async fn neighbours(
    app: &Arc<App>,
    text: &str,
    thread: ThreadNumber,
) -> Result<(Option<MessageNumber>, Option<MessageNumber>), Failure> {
    let query = understand(app, text)?;
    let (mut before, mut found, mut after) = (None, false, None);
    walk(app, &query, Sort::Newest, FARTHEST, |number, this| {
        if this == thread {
            found = true;
        } else if found {
            after = Some(number);
        } else {
            before = Some(number);
        }
        after.is_none()
    })
    .await?;
    Ok(if found { (before, after) } else { (None, None) })
}

/// Shows `take` the threads of what a query matches, each once with the first of its messages in this order, until it
/// has enough or `most` messages were looked at. How many messages match in all.
async fn walk(
    app: &Arc<App>,
    query: &Query,
    sort: Sort,
    most: usize,
    mut take: impl FnMut(MessageNumber, ThreadNumber) -> bool,
) -> Result<u64, Failure> {
    let (mut seen, mut at, mut stride) = (HashSet::new(), 0, FIRST_STRIDE);
    loop {
        let (total, some) = numbers(app, query, sort, at, stride).await?;
        for some in some.chunks(FIRST_STRIDE) {
            let threads = messages::threads_of(&mut *app.reader.get().await?, some).await?;
            if threads.into_iter().any(|(number, thread)| seen.insert(thread) && !take(number, thread)) {
                return Ok(total);
            }
        }
        at += stride;
        if some.len() < stride || at >= most {
            return Ok(total);
        }
        stride = next_stride(stride);
    }
}

/// A walk begins with so many messages, which is enough for a first page, …
const FIRST_STRIDE: usize = 500;

/// … and takes more each time: every step asks the whole query anew, and there are to be few of them.
const fn next_stride(stride: usize) -> usize {
    stride.saturating_mul(4)
}

/// How many messages a query matches.
///
/// # Errors
/// As [`search`].
pub async fn count(app: &Arc<App>, text: &str) -> Result<(String, u64), Failure> {
    let query = understand(app, text)?;
    let (total, _) = numbers(app, &query, Sort::Newest, 0, 1).await?;
    Ok((asked(text), total))
}

fn took(begun: Instant) -> f64 {
    (begun.elapsed().as_secs_f64() * 1e5).round() / 100.0
}

async fn behind(app: &App) -> Result<Option<(u64, u64)>, Failure> {
    let standing = app.indexing.standing();
    if standing.level {
        return Ok(None);
    }
    let (total, _) = messages::totals(&mut *app.reader.get().await?).await?;
    Ok(Some((u64::from(standing.to).min(total), total)))
}

/// Rows as the surface shows them, with tags, thread ids and snippets.
///
/// # Errors
/// When the store fails.
pub async fn hits(app: &Arc<App>, rows: Vec<MessageRow>, needles: Vec<Needle>) -> Result<Vec<Hit>, Failure> {
    let mut reader = app.reader.get().await?;
    let numbers: Vec<MessageNumber> = rows.iter().map(|row| row.number).collect();
    let mut tags = tags::of_messages(&mut reader, &numbers).await?;
    let mut envelopes = peers::envelopes_of(&mut reader, numbers.iter().copied()).await?;
    let threads = messages::thread_ids(&mut reader, rows.iter().map(|row| row.thread)).await?;
    drop(reader);
    let mut excerpts = excerpts(app, &rows, needles).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let (snippet, hits) =
                excerpts.remove(&row.number).unwrap_or_else(|| (row.snippet.clone(), Vec::new()));
            let envelope = envelopes.remove(&row.number).unwrap_or_default();
            Hit {
                id: row.id,
                thread: threads.get(&row.thread).copied().unwrap_or(row.id),
                date: rfc3339(row.date),
                from: one(&row.people.from),
                to: row.people.to.clone(),
                subject: row.subject.clone(),
                snippet,
                hits,
                tags: tags.remove(&row.number).unwrap_or_default(),
                attachments: row.attachments,
                privacy: word(&envelope.privacy, &["private", "unconfirmed", "closed"]),
                assurance: word(&envelope.assurance, &["same-key", "verified", "new-key", "different-key"]),
                row,
            }
        })
        .collect())
}

/// The one of these words that was kept, or `none`.
fn word(kept: &str, words: &[&'static str]) -> &'static str {
    words.iter().find(|word| **word == kept).copied().unwrap_or("none")
}

/// The one person of From, or nobody.
#[must_use]
pub fn one(from: &[Person]) -> Option<Person> {
    match from {
        [one] => Some(one.clone()),
        _ => None,
    }
}

type Excerpts = BTreeMap<MessageNumber, (String, Vec<(usize, usize)>)>;

/// The text around the hit, read from the messages themselves: no plain text is kept for it anywhere.
async fn excerpts(app: &Arc<App>, rows: &[MessageRow], needles: Vec<Needle>) -> Result<Excerpts, Failure> {
    if needles.is_empty() {
        return Ok(Excerpts::new());
    }
    let wanted: Vec<_> = rows.iter().take(EXCERPTS).map(|row| (row.number, row.place)).collect();
    let packs = Arc::clone(&app.packs);
    let openers = Openers::of(app, &mut *app.reader.get().await?, wanted.iter().map(|(n, _)| *n)).await?;
    blocking(move || {
        let mut found = Excerpts::new();
        for (number, place) in wanted {
            let Ok(record) = packs.read(place) else { continue };
            let text = visible_text(&openers.look(Some(number), &record.raw, &[]).message);
            let excerpt = excerpt(&text, &needles, SNIPPET);
            if !excerpt.hits.is_empty() {
                found.insert(number, (excerpt.text, excerpt.hits.iter().map(|h| (h.start, h.end)).collect()));
            }
        }
        Ok::<_, Failure>(found)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_over_a_million_messages_asks_few_times() {
        let (mut at, mut stride, mut asked) = (0, FIRST_STRIDE, 0);
        while at < 1_000_000 {
            (at, stride, asked) = (at + stride, next_stride(stride), asked + 1);
        }
        assert!(asked <= 8, "{asked}");
    }
}
