//! A new message, step by step: understand, append to the packs, note in the database, thread, tag, index.
//!
//! Mail comes in batches. A batch is acknowledged when [`receive`] returns: records and keys are on the disk and the rows
//! are committed. Whatever is killed before that leaves nothing, or records that the next start adopts.

mod indexable;
mod understand;

pub(in crate::engine) use indexable::read_again;
pub use indexable::{Indexable, clip, indexable};
pub use understand::{understand, understand_lying, visible_text};

use indexable::documents;
use understand::is_trusted;

use super::app::App;
use super::authentication::{self, Arrival};
use super::envelopes::{self, Wrapping};
use super::events::Event;
use super::failure::{Failure, blocking};
use super::flags;
use super::peers::{self, News};
use super::securejoin;
use crate::mail::address::{Person, canonical};
use crate::mail::ids::{FolderId, MessageId, MessageNumber, Uid};
use crate::mail::message::Message;
use crate::mail::query::Kind;
use crate::storage::database::messages::{self, NewMessage, People};
use crate::storage::database::{
    Connection, PersonRow, TagChanges, commit, displaced, peers as peer_table, places, settings, tags,
};
use crate::storage::packs::{PackError, Prepared, RecordPlace};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// How many people of To are kept for lists.
const LISTED_RECIPIENTS: usize = 6;
/// How long the snippet of a list row is, in characters.
const SNIPPET: usize = 160;

/// Where an incoming message comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A folder on a server.
    Server {
        /// The folder.
        folder: FolderId,
        /// Its account's address, its name and role, for the record in the packs.
        account: String,
        /// The folder's name.
        folder_name: String,
        /// The folder's role.
        role: String,
        /// The generation of its UIDs.
        uid_validity: u32,
        /// The message's UID.
        uid: Uid,
        /// Its flags.
        flags: u8,
        /// Its keywords, blank-separated.
        keywords: String,
    },
    /// No server: an import, a draft, a notice of our own.
    Local {
        /// Where it is to lie.
        role: String,
        /// Tags it comes with.
        tags: Vec<String>,
    },
}

/// A message on its way in.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Its exact bytes.
    pub raw: Vec<u8>,
    /// When it came, UTC seconds; for an import its own date where it has one.
    pub received_at: i64,
    /// Where from.
    pub origin: Origin,
}

/// What became of a batch.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// The id of each message of the batch, in order.
    pub ids: Vec<MessageId>,
    /// Its number, in the same order.
    pub numbers: Vec<MessageNumber>,
    /// How many of them the store did not have.
    pub new: usize,
}

/// A message understood: everything but its number.
pub struct Understood {
    id: MessageId,
    origin: Origin,
    received_at: i64,
    date: i64,
    size: u64,
    link: i64,
    links: Vec<i64>,
    message: Message,
    text: String,
    snippet: String,
    attachments: u32,
    filenames: Vec<String>,
    kinds: BTreeSet<Kind>,
    wrapping: Option<Wrapping>,
    news: Option<News>,
    bytes: Bytes,
}

impl Understood {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> MessageId {
        self.id
    }
}

/// Where the bytes of an understood message are.
enum Bytes {
    /// Compressed, about to be appended to the packs.
    Prepared(Prepared),
    /// In the packs already.
    Lying(RecordPlace),
    /// Handed to the packs.
    Taken,
}

/// Takes a batch in; when this returns, every message of it is kept for good.
///
/// # Errors
/// When the disk or the database fails; then none of the batch is acknowledged and all of it may be offered again.
pub async fn receive(app: &Arc<App>, batch: Vec<Incoming>) -> Result<Received, Failure> {
    let worker = Arc::clone(app);
    let understood = blocking(move || {
        batch.into_iter().map(|incoming| understand(&worker, incoming)).collect::<Result<Vec<_>, _>>()
    })
    .await?;
    keep(app, understood).await
}

/// Keeps what was understood; the second half of [`receive`], for those who understand ahead.
///
/// # Errors
/// As [`receive`].
pub async fn keep(app: &Arc<App>, batch: Vec<Understood>) -> Result<Received, Failure> {
    keep_with(app, batch, async |_, _| Ok(())).await
}

/// The same with something more in the same transaction: `also` is given the numbers of what is new, and where it fails
/// nothing of the batch is kept.
///
/// # Errors
/// As [`receive`], and what `also` fails with.
pub async fn keep_with(
    app: &Arc<App>,
    batch: Vec<Understood>,
    also: impl AsyncFnOnce(&mut Connection, &[MessageNumber]) -> Result<(), Failure>,
) -> Result<Received, Failure> {
    let ids: Vec<MessageId> = batch.iter().map(|m| m.id).collect();
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let mut appended = Vec::new();
    let kept = match keep_in(app, &mut c, batch, &mut appended).await {
        Ok(kept) => also(&mut c, &kept.numbers).await.map(|()| kept),
        failed => failed,
    };
    let Kept { fresh, numbers, known } = match kept {
        Ok(kept) => kept,
        Err(failure) => {
            // Nothing refers to these records: they must not come to life again in a repair.
            drop(c);
            let packs = Arc::clone(&app.packs);
            blocking(move || packs.destroy(&appended)).await?;
            return Err(failure);
        }
    };
    commit(c).await?;
    if !fresh.is_empty() {
        app.acquaintances.forget();
    }
    let (steps, between) = between_programs(&fresh, &numbers);
    // The index may be busy for long; nobody else has to wait for that.
    drop(writer);
    app.indexing.offer(documents(fresh, &numbers)).await;
    if let Err(error) = envelopes::settle(app, &numbers).await {
        // The mail is kept; it is judged when it is opened.
        tracing::warn!(%error, "New mail could not be judged");
    }
    securejoin::arrived(app, steps).await;
    let (new, told) = (numbers.len(), numbers.len() - between);
    if told > 0 {
        let words = if told == 1 { "1 new message".to_owned() } else { format!("{told} new messages") };
        app.tell(Event::Mail { new: told, words });
    }
    let numbers = ids.iter().filter_map(|id| known.get(id).copied()).collect();
    Ok(Received { ids, numbers, new })
}

/// Of new messages those between programs that compare keys and that are to be answered; and how many there are, which
/// nobody is told of.
fn between_programs(fresh: &[Understood], numbers: &[MessageNumber]) -> (Vec<MessageNumber>, usize) {
    let steps: Vec<_> = fresh.iter().zip(numbers).filter(|(m, _)| securejoin::is_step(&m.message)).collect();
    let came = steps
        .iter()
        .filter(|(m, _)| matches!(m.origin, Origin::Server { .. }) && is_trusted(&m.origin))
        .map(|(_, number)| **number);
    (came.collect(), steps.len())
}

/// What a batch has become.
struct Kept {
    fresh: Vec<Understood>,
    /// Of `fresh`.
    numbers: Vec<MessageNumber>,
    /// Of all.
    known: HashMap<MessageId, MessageNumber>,
}

/// Appends a batch to the packs and writes its rows. `appended` holds the new records also when it fails half-way.
async fn keep_in(
    app: &Arc<App>,
    c: &mut Connection,
    batch: Vec<Understood>,
    appended: &mut Vec<RecordPlace>,
) -> Result<Kept, Failure> {
    let ids: Vec<MessageId> = batch.iter().map(|m| m.id).collect();
    let mut known = messages::known(c, &ids).await?;
    let mut seen = HashSet::new();
    let (fresh, again): (Vec<Understood>, Vec<Understood>) =
        batch.into_iter().partition(|m| !known.contains_key(&m.id) && seen.insert(m.id));
    // A record that a killed run appended without a row is in the packs already; appending it again costs space, not truth.
    let (fresh, records) = append(app, fresh, appended).await?;
    let mut changes = TagChanges::default();
    let rows: Vec<NewMessage> = fresh.iter().zip(records).map(|(m, place)| row(m, place)).collect();
    let numbers = messages::insert(c, &rows, &mut changes).await?;
    known.extend(ids_of(&fresh).zip(numbers.iter().copied()));
    let mut touched: BTreeSet<MessageNumber> = numbers.iter().copied().collect();
    let mut held = Vec::new();
    for (message, number) in fresh.iter().zip(&numbers) {
        tag_new(message, *number, &mut changes);
        held.extend(place(message, *number));
    }
    let wishes = wishes(c, &again, &known).await?;
    let alive = tags::bitmap(c, tags::ALL).await?;
    // Deleted for ever, and met again only because its server numbers or names the folder anew.
    let is_buried = |m: &Understood| {
        known.get(&m.id).is_some_and(|n| {
            !alive.contains(n.0)
                && !numbers.contains(n)
                && wishes.get(&(*n, folder(m))).is_some_and(|w| w == places::GONE)
        })
    };
    let (buried, again): (Vec<Understood>, Vec<Understood>) = again.into_iter().partition(is_buried);
    held.extend(buried.iter().filter_map(|m| place(m, *known.get(&m.id)?)));
    let again = revive(app, c, again, (&known, &numbers), &mut changes, appended).await?;
    let mut differ = Vec::new();
    let left = tags::bitmap(c, tags::LEFT).await?;
    for message in &again {
        let Some(number) = known.get(&message.id).copied() else { continue };
        if let Some(place) = place(message, number) {
            touched.insert(number);
            differ.push(number);
            held.push(place);
            if left.contains(number.0) {
                messages::set_role(c, number, "").await?;
                changes.clear(tags::LEFT, number);
            }
        }
        meet_again(message, number, &mut changes);
        if let Origin::Local { tags, .. } = &message.origin {
            tags.iter().filter(|t| flags::is_own_tag(t)).for_each(|t| changes.set(t, number));
        }
    }
    places::put(c, &held).await?;
    for (folder, uid, number, _, _) in &held {
        if wishes.contains_key(&(*number, Some(*folder))) {
            displaced::carry(c, *folder, *uid).await?;
        }
    }
    // A message that turns up in a second place may have other flags there: the next push makes them one.
    places::note_changed(c, &differ).await?;
    tags::apply(c, &changes).await?;
    let mut mirrored = TagChanges::default();
    places::mirror(c, &touched, &mut mirrored).await?;
    tags::apply(c, &mirrored).await?;
    settings::note_people(c, &people(app, &fresh)).await?;
    authentication::arrived(app, c, &arrivals(&fresh, &numbers)).await?;
    keep_envelopes(app, c, &fresh, &numbers).await?;
    Ok(Kept { fresh, numbers, known })
}

/// Notes what protected new messages, and what they say of their senders' keys.
async fn keep_envelopes(
    app: &App,
    c: &mut Connection,
    fresh: &[Understood],
    numbers: &[MessageNumber],
) -> Result<(), Failure> {
    for (message, number) in fresh.iter().zip(numbers) {
        if let Some(wrapping) = &message.wrapping {
            peer_table::put_envelope(c, *number, &wrapping.row()).await?;
        }
    }
    let arrived: Vec<peers::Arrived<'_>> = fresh
        .iter()
        .zip(numbers)
        .filter_map(|(message, number)| {
            let news = message.news.as_ref()?;
            let private = message.wrapping.as_ref().is_some_and(Wrapping::is_encrypted);
            let checkable = matches!(message.origin, Origin::Server { .. });
            Some(peers::Arrived { news, number: number.0, checkable, date: message.date, private })
        })
        .collect();
    peers::arrived(app, c, &arrived).await
}

/// What the owner wanted of lost places of these messages in the accounts where they are met again.
async fn wishes(
    c: &mut Connection,
    again: &[Understood],
    known: &HashMap<MessageId, MessageNumber>,
) -> Result<HashMap<(MessageNumber, Option<FolderId>), String>, Failure> {
    let folders: BTreeSet<FolderId> = again.iter().filter_map(folder).collect();
    let mut wishes = HashMap::new();
    for id in folders {
        let here = again.iter().filter(|m| folder(m) == Some(id)).filter_map(|m| known.get(&m.id).copied());
        for (number, wanted) in displaced::wishes(c, id, here).await? {
            wishes.insert((number, Some(id)), wanted);
        }
    }
    Ok(wishes)
}

/// A message that was deleted for ever and still waits for its server to hear of it has no bytes any more. When the same
/// bytes come again from elsewhere they are kept again.
async fn revive(
    app: &Arc<App>,
    c: &mut Connection,
    again: Vec<Understood>,
    (known, fresh): (&HashMap<MessageId, MessageNumber>, &[MessageNumber]),
    changes: &mut TagChanges,
    appended: &mut Vec<RecordPlace>,
) -> Result<Vec<Understood>, Failure> {
    let alive = tags::bitmap(c, tags::ALL).await?;
    let number_of = |m: &Understood| known.get(&m.id).copied();
    let (dead, mut living): (Vec<_>, Vec<_>) = again
        .into_iter()
        .partition(|m| number_of(m).is_some_and(|n| !alive.contains(n.0) && !fresh.contains(&n)));
    let (dead, records) = append(app, dead, appended).await?;
    for (message, place) in dead.iter().zip(records) {
        if let Some(number) = number_of(message) {
            messages::revive(c, number, &row(message, place)).await?;
            changes.set(tags::ALL, number);
        }
    }
    living.extend(dead);
    Ok(living)
}

fn ids_of(messages: &[Understood]) -> impl Iterator<Item = MessageId> {
    messages.iter().map(|m| m.id)
}

async fn append(
    app: &Arc<App>,
    mut fresh: Vec<Understood>,
    appended: &mut Vec<RecordPlace>,
) -> Result<(Vec<Understood>, Vec<RecordPlace>), Failure> {
    if fresh.is_empty() {
        return Ok((fresh, Vec::new()));
    }
    let packs = Arc::clone(&app.packs);
    let (fresh, places, new) = blocking(move || {
        let mut lying = Vec::with_capacity(fresh.len());
        let mut prepared = Vec::with_capacity(fresh.len());
        for message in &mut fresh {
            match std::mem::replace(&mut message.bytes, Bytes::Taken) {
                Bytes::Prepared(bytes) => {
                    prepared.push(bytes);
                    lying.push(None);
                }
                Bytes::Lying(place) => lying.push(Some(place)),
                Bytes::Taken => {}
            }
        }
        let new = packs.append_prepared(prepared)?;
        let mut next = new.iter().copied();
        let places: Vec<RecordPlace> =
            lying.into_iter().filter_map(|place| place.or_else(|| next.next())).collect();
        Ok::<_, PackError>((fresh, places, new))
    })
    .await?;
    appended.extend(new);
    Ok((fresh, places))
}

fn row(message: &Understood, place: RecordPlace) -> NewMessage {
    let role = match &message.origin {
        Origin::Server { .. } => String::new(),
        Origin::Local { role, .. } => role.clone(),
    };
    NewMessage {
        id: message.id,
        place,
        size: message.size,
        date: message.date,
        received_at: message.received_at,
        link: message.link,
        links: message.links.clone(),
        people: People {
            from: message.message.from.iter().take(LISTED_RECIPIENTS).cloned().collect(),
            to: message.message.to.iter().take(LISTED_RECIPIENTS).cloned().collect(),
        },
        subject: message.message.subject.clone(),
        snippet: message.snippet.clone(),
        attachments: message.attachments,
        role,
    }
}

fn tag_new(message: &Understood, number: MessageNumber, changes: &mut TagChanges) {
    match &message.origin {
        Origin::Server { flags, keywords, .. } => {
            for (tag, bit, on) in flags::MIRRORED {
                changes.put(tag, number, (flags & bit != 0) == on);
            }
            for tag in keywords.split(' ').filter_map(flags::own_tag) {
                changes.set(&tag, number);
            }
        }
        Origin::Local { tags, .. } => tags.iter().for_each(|tag| changes.set(tag, number)),
    }
}

/// A known message in one more place: read, starred or answered anywhere is so everywhere.
fn meet_again(message: &Understood, number: MessageNumber, changes: &mut TagChanges) {
    let Origin::Server { flags, keywords, .. } = &message.origin else { return };
    for (tag, bit, on) in flags::MIRRORED {
        if flags & bit != 0 {
            changes.put(tag, number, on);
        }
    }
    for tag in keywords.split(' ').filter_map(flags::own_tag) {
        changes.set(&tag, number);
    }
}

fn folder(message: &Understood) -> Option<FolderId> {
    match &message.origin {
        Origin::Server { folder, .. } => Some(*folder),
        Origin::Local { .. } => None,
    }
}

fn place(message: &Understood, number: MessageNumber) -> Option<(FolderId, Uid, MessageNumber, u8, String)> {
    match &message.origin {
        Origin::Server { folder, uid, flags, keywords, .. } => {
            Some((*folder, *uid, number, *flags, keywords.clone()))
        }
        Origin::Local { .. } => None,
    }
}

/// What of a batch came from servers.
fn arrivals<'a>(batch: &'a [Understood], numbers: &[MessageNumber]) -> Vec<Arrival<'a>> {
    let arrival = |(m, number): (&'a Understood, &MessageNumber)| match &m.origin {
        Origin::Server { account, role, .. } => {
            let (number, received_at) = (*number, m.received_at);
            Some(Arrival { number, message: &m.message, account, role, received_at })
        }
        Origin::Local { .. } => None,
    };
    batch.iter().zip(numbers).filter_map(arrival).collect()
}

/// Who a batch is from and to, gathered by address; one's own messages count for those they were sent to.
fn people(app: &App, batch: &[Understood]) -> Vec<PersonRow> {
    let own = app.own_addresses();
    let mut found: BTreeMap<String, PersonRow> = BTreeMap::new();
    let mut note = |person: &Person, sent: bool, (at, came): (i64, i64)| {
        if !person.address.contains('@') || person.address.len() > 320 {
            return;
        }
        let address = canonical(&person.address);
        let row = found.entry(address.clone()).or_insert_with(|| PersonRow {
            address,
            name: String::new(),
            received: 0,
            sent: 0,
            last_at: i64::MIN,
            first_at: i64::MAX,
        });
        row.sent += u32::from(sent);
        row.received += u32::from(!sent);
        row.first_at = row.first_at.min(came);
        if at >= row.last_at {
            row.last_at = at;
            if !person.name.is_empty() {
                row.name.clone_from(&person.name);
            }
        }
    };
    for message in batch {
        let ours = message.message.from.iter().any(|p| own.contains(&canonical(&p.address)));
        let lists = if ours {
            [&message.message.to, &message.message.cc]
        } else if message.message.from.len() == 1 {
            [&message.message.from, &message.message.sender]
        } else {
            continue;
        };
        let (first, second) = (lists[0], if ours { lists[1].as_slice() } else { &[] });
        let at = (message.date, message.received_at);
        first.iter().chain(second).take(50).for_each(|person| note(person, ours, at));
    }
    found.into_values().collect()
}
