//! Changing tags, flags and places, here at once and on the servers at the next sync; and undoing it.

use super::app::App;
use super::events::Event;
use super::failure::Failure;
use super::search;
use crate::mail::ids::{AccountId, FolderId, MessageId, MessageNumber, Uid};
use crate::storage::database::places::{self, GONE, ROLES};
use crate::storage::database::{
    Connection, PlaceRow, TagChanges, accounts, commit, displaced, drafts, messages, peers, tags,
};
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which messages are meant.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// All that a query finds.
    Query(String),
    /// These.
    Ids(Vec<MessageId>),
}

/// How messages were before a change, to undo it: only what the change touched.
#[derive(Debug, Default)]
pub struct Before {
    numbers: RoaringBitmap,
    /// For each tag that was added or removed, who bore it.
    tags: BTreeMap<String, RoaringBitmap>,
    /// Where messages were moved to.
    target: String,
    /// The places that were moved, and what was wanted of them.
    places: Vec<PlaceBefore>,
    /// Where messages lay that no server holds.
    roles: Vec<(MessageNumber, String)>,
}

#[derive(Debug)]
struct PlaceBefore {
    message: MessageNumber,
    account: AccountId,
    folder: FolderId,
    uid: Uid,
    wanted: String,
}

impl Before {
    /// How many messages were meant.
    #[must_use]
    pub fn messages(&self) -> usize {
        usize::try_from(self.numbers.len()).unwrap_or(usize::MAX)
    }

    /// About how many bytes it takes in memory.
    #[must_use]
    pub fn weight(&self) -> usize {
        let bitmaps = self.tags.values().chain([&self.numbers]).map(RoaringBitmap::serialized_size);
        bitmaps.sum::<usize>()
            + self.places.len() * size_of::<PlaceBefore>()
            + self.roles.len() * (size_of::<(MessageNumber, String)>() + 16)
    }
}

/// The longest name of a tag, in bytes.
const LONGEST: usize = 100;

/// A tag's name as it is kept: lower case, without blanks at the ends.
///
/// # Errors
/// A usage failure where it cannot be a tag.
pub fn name(text: &str) -> Result<String, Failure> {
    let name = text.trim().to_lowercase();
    let bad = name.is_empty()
        || name.len() > LONGEST
        || name.starts_with([':', '-', '+'])
        || name.chars().any(|c| c.is_control() || c.is_whitespace() || "\"()*".contains(c));
    if bad {
        return Err(Failure::usage(format!(
            "{text:?} cannot be a tag: a tag is a word without blanks, quotes, parentheses or stars"
        )));
    }
    Ok(name)
}

/// Finds the messages that are meant.
///
/// # Errors
/// Not found, where an id is nobody's; usage, where the query cannot be understood.
pub async fn resolve(app: &Arc<App>, which: &Which) -> Result<Vec<MessageNumber>, Failure> {
    match which {
        Which::Query(text) => {
            let query = search::understand(app, text)?;
            Ok(search::matching(app, &query).await?.iter().map(MessageNumber).collect())
        }
        Which::Ids(ids) => {
            let known = messages::known(&mut *app.reader.get().await?, ids).await?;
            ids.iter()
                .map(|id| {
                    known
                        .get(id)
                        .copied()
                        .ok_or_else(|| Failure::not_found(format!("No message has the id {id}")))
                })
                .collect()
        }
    }
}

/// Adds and removes tags on messages. Roles (`inbox`, `trash`, …) move them. Gives how they were before.
///
/// # Errors
/// Usage, where a tag cannot be one; otherwise when the store fails.
pub async fn apply(
    app: &Arc<App>,
    numbers: &[MessageNumber],
    add: &[String],
    remove: &[String],
) -> Result<Before, Failure> {
    let add = add.iter().map(|t| name(t)).collect::<Result<BTreeSet<_>, _>>()?;
    let remove = remove.iter().map(|t| name(t)).collect::<Result<BTreeSet<_>, _>>()?;
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let mut before = Before { numbers: numbers.iter().map(|n| n.0).collect(), ..Before::default() };
    for tag in add.iter().chain(&remove).filter(|t| !is_role(t)) {
        before.tags.insert(tag.clone(), tags::bitmap(&mut c, tag).await? & &before.numbers);
    }
    let mut changes = TagChanges::default();
    for number in numbers {
        remove.iter().filter(|t| !is_role(t)).for_each(|t| changes.clear(t, *number));
        add.iter().filter(|t| !is_role(t)).for_each(|t| changes.set(t, *number));
    }
    tags::apply(&mut c, &changes).await?;
    if let Some(target) = target(&add, &remove) {
        let from: BTreeSet<&str> = remove.iter().map(String::as_str).filter(|t| is_role(t)).collect();
        for some in numbers.chunks(2000) {
            move_to(&mut c, some, &from, target, &mut before).await?;
        }
        before.target = target.to_owned();
    }
    for some in numbers.chunks(2000) {
        places::note_changed(&mut c, some).await?;
    }
    commit(c).await?;
    drop(writer);
    app.push_wanted.send_replace(());
    let count = numbers.len();
    app.tell(Event::Tags {
        words: format!("{count} {} changed", if count == 1 { "message" } else { "messages" }),
    });
    Ok(before)
}

fn is_role(tag: &str) -> bool {
    ROLES.contains(&tag)
}

/// Where messages go: the role that is added, or, where one is only removed, the archive (from spam and trash: the inbox).
fn target<'a>(add: &'a BTreeSet<String>, remove: &BTreeSet<String>) -> Option<&'a str> {
    if let Some(role) = add.iter().find(|t| is_role(t)) {
        return Some(role);
    }
    if remove.contains("spam") || remove.contains("trash") {
        return Some("inbox");
    }
    remove.iter().any(|t| is_role(t)).then_some("archive")
}

/// Moves messages: those of their places that are in `from` (all of them where that is empty), or the local role.
async fn move_to(
    c: &mut Connection,
    numbers: &[MessageNumber],
    from: &BTreeSet<&str>,
    target: &str,
    before: &mut Before,
) -> Result<(), Failure> {
    let mut held: BTreeMap<MessageNumber, Vec<PlaceRow>> = BTreeMap::new();
    for place in places::of_messages(c, numbers.iter().copied()).await? {
        // What is marked as deleted there, or about to go, moves nowhere.
        if place.is_live() {
            held.entry(place.message).or_default().push(place);
        }
    }
    for places in held.values() {
        // "All Mail" is the archive of what lies in no other place of a role.
        let archived = !places.iter().any(|place| ROLES.contains(&place.goal.as_str()));
        for place in places {
            let now = if archived && place.goal == "all" { "archive" } else { place.goal.as_str() };
            if now == target || !(from.is_empty() || from.contains(now)) {
                continue;
            }
            // Going back to where it still lies on the server is no move at all.
            let wanted = if place.role == target { "" } else { target };
            places::set_wanted(c, place.folder, place.uid, wanted).await?;
            before.places.push(PlaceBefore {
                message: place.message,
                account: place.account,
                folder: place.folder,
                uid: place.uid,
                wanted: place.wanted.clone(),
            });
        }
    }
    let local: Vec<MessageNumber> = numbers.iter().copied().filter(|n| !held.contains_key(n)).collect();
    for row in messages::by_numbers(c, &local).await? {
        if from.is_empty() || from.contains(row.role.as_str()) {
            messages::set_role(c, row.number, target).await?;
            before.roles.push((row.number, row.role));
        }
    }
    mirror(c, numbers.iter().copied()).await
}

async fn mirror(c: &mut Connection, numbers: impl IntoIterator<Item = MessageNumber>) -> Result<(), Failure> {
    let mut mirrored = TagChanges::default();
    places::mirror(c, &numbers.into_iter().collect(), &mut mirrored).await?;
    Ok(tags::apply(c, &mirrored).await?)
}

/// Puts messages back to how they were before a change, wherever the servers hold them by now.
///
/// # Errors
/// When the store fails.
pub async fn undo(app: &Arc<App>, before: &Before) -> Result<usize, Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let alive = tags::bitmap(&mut c, tags::ALL).await?;
    let numbers: Vec<MessageNumber> = (&before.numbers & &alive).iter().map(MessageNumber).collect();
    let mut changes = TagChanges::default();
    for (tag, bore) in &before.tags {
        numbers.iter().for_each(|n| changes.put(tag, *n, bore.contains(n.0)));
    }
    tags::apply(&mut c, &changes).await?;
    for (number, role) in before.roles.iter().filter(|(n, _)| alive.contains(n.0)) {
        messages::set_role(&mut c, *number, role).await?;
    }
    for some in before.places.chunk_by(|a, b| a.message == b.message) {
        if some.first().is_some_and(|place| alive.contains(place.message.0)) {
            move_back(&mut c, some, &before.target).await?;
        }
    }
    for some in numbers.chunks(2000) {
        mirror(&mut c, some.iter().copied()).await?;
        places::note_changed(&mut c, some).await?;
    }
    commit(c).await?;
    drop(writer);
    app.push_wanted.send_replace(());
    app.tell(Event::Tags { words: "Undone".into() });
    Ok(numbers.len())
}

/// Moves one message back. Where the server was not told yet, it never hears of it; where it was, the message lies elsewhere
/// by now and is to come back to the very folder it was in; where it lies, may only be known after the next pass.
async fn move_back(c: &mut Connection, before: &[PlaceBefore], target: &str) -> Result<(), Failure> {
    let mut now: Vec<PlaceRow> = places::of_messages(c, before.iter().map(|b| b.message).take(1)).await?;
    now.retain(PlaceRow::is_live);
    let mut moved = Vec::new();
    for old in before {
        match now.iter().position(|place| place.folder == old.folder && place.uid == old.uid) {
            Some(at) => {
                now.swap_remove(at);
                places::set_wanted(c, old.folder, old.uid, &old.wanted).await?;
            }
            None => moved.push(old),
        }
    }
    for old in moved {
        let goal = if old.wanted.is_empty() { places::to_folder(old.folder) } else { old.wanted.clone() };
        let is_it = |place: &PlaceRow| {
            place.account == old.account
                && (place.goal == target || (target == "archive" && place.goal == "all"))
        };
        match now.iter().position(is_it) {
            Some(at) => {
                let place = now.swap_remove(at);
                let stays = place.role == goal || places::to_folder(place.folder) == goal;
                places::set_wanted(c, place.folder, place.uid, if stays { "" } else { &goal }).await?;
            }
            None if accounts::exists(c, old.account).await? => {
                displaced::note(c, old.account, old.message, &goal).await?;
            }
            None => {}
        }
    }
    Ok(())
}

/// Deletes messages for ever: their keys are destroyed, their words leave index and database, and the servers are told at
/// the next sync. Only what lies in the trash can be deleted.
///
/// # Errors
/// Refused, where one of them is not in the trash; otherwise when the store fails.
pub async fn delete(app: &Arc<App>, numbers: &[MessageNumber]) -> Result<usize, Failure> {
    if numbers.is_empty() {
        return Ok(0);
    }
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    // Asked with the pen in hand: nobody can take one of them out of the trash meanwhile.
    let trash = tags::bitmap(&mut c, "trash").await?;
    if let Some(other) = numbers.iter().find(|n| !trash.contains(n.0)) {
        let row = messages::by_numbers(&mut c, &[*other]).await?;
        let id = row.first().map_or_else(String::new, |row| row.id.to_string());
        return Err(Failure::refused(format!(
            "The message {id} is not in the trash; move it there first and delete it then"
        )));
    }
    let held = places::of_messages(&mut c, numbers.iter().copied()).await?;
    let still: BTreeSet<MessageNumber> = held.iter().map(|p| p.message).collect();
    for place in &held {
        places::set_wanted(&mut c, place.folder, place.uid, GONE).await?;
    }
    let mut mirrored = TagChanges::default();
    places::mirror(&mut c, &still, &mut mirrored).await?;
    let (waiting, now): (Vec<_>, Vec<_>) = numbers.iter().partition(|n| still.contains(n));
    let records: Vec<_> = messages::by_numbers(&mut c, &waiting).await?;
    for number in numbers {
        mirrored.clear(tags::ALL, *number);
    }
    tags::apply(&mut c, &mirrored).await?;
    // Before it is gone who they are from and to.
    let rows = messages::by_numbers(&mut c, numbers).await?;
    super::avatars::forget_in(app, &mut c, &rows).await?;
    drafts::remove_of(&mut c, numbers).await?;
    messages::blank(&mut c, numbers).await?;
    peers::forget_envelopes(&mut c, numbers.iter().copied()).await?;
    commit(c).await?;
    drop(writer);
    sweep(app, &now).await?;
    if !waiting.is_empty() {
        // The bytes go at once; the row stays until the server has been told, so that it is not fetched again.
        erase(app, &records).await?;
        app.push_wanted.send_replace(());
    }
    super::snapshots::renew(app).await?;
    app.tell(Event::Tags { words: format!("{} deleted for ever", numbers.len()) });
    Ok(numbers.len())
}

/// Removes messages with everything that is known of them.
///
/// # Errors
/// When the store fails.
pub async fn destroy(app: &Arc<App>, numbers: &[MessageNumber]) -> Result<(), Failure> {
    if numbers.is_empty() {
        return Ok(());
    }
    {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        let mut changes = TagChanges::default();
        numbers.iter().for_each(|number| changes.clear(tags::ALL, *number));
        tags::apply(&mut c, &changes).await?;
        commit(c).await?;
    }
    sweep(app, numbers).await
}

/// Removes messages that are alive no more. The same bytes may come in again while their old record is being destroyed:
/// such a message has a new record, and keeps its row.
pub(super) async fn sweep(app: &Arc<App>, numbers: &[MessageNumber]) -> Result<(), Failure> {
    if numbers.is_empty() {
        return Ok(());
    }
    for some in numbers.chunks(1000) {
        let mut rows;
        {
            // What came to life again before this has a new record.
            let writer = app.writer.lock().await;
            let mut c = writer.begin().await?;
            rows = messages::by_numbers(&mut c, some).await?;
            let alive = tags::bitmap(&mut c, tags::ALL).await?;
            rows.retain(|row| !alive.contains(row.number.0));
        }
        destroy_records(app, &rows).await?;
    }
    // Once for all of them: each time whole segments of the index are written anew.
    app.indexing.forget(numbers.to_vec()).await?;
    for some in numbers.chunks(5000) {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        let alive = tags::bitmap(&mut c, tags::ALL).await?;
        let dead: Vec<MessageNumber> = some.iter().copied().filter(|n| !alive.contains(n.0)).collect();
        let mut changes = TagChanges::default();
        messages::delete(&mut c, &dead, &mut changes).await?;
        tags::apply(&mut c, &changes).await?;
        commit(c).await?;
    }
    app.writer.lock().await.checkpoint().await?;
    Ok(())
}

/// Destroys the keys of records, with the pictures that were fetched for them and of their people, and takes their words out of
/// the index.
async fn erase(app: &Arc<App>, rows: &[messages::MessageRow]) -> Result<(), Failure> {
    destroy_records(app, rows).await?;
    app.indexing.forget(rows.iter().map(|row| row.number).collect()).await
}

async fn destroy_records(app: &Arc<App>, rows: &[messages::MessageRow]) -> Result<(), Failure> {
    super::remote::forget(app, &rows.iter().map(|row| row.number).collect::<Vec<_>>()).await?;
    super::avatars::forget(app, rows).await?;
    let (packs, records) = (Arc::clone(&app.packs), rows.iter().map(|row| row.place).collect::<Vec<_>>());
    super::failure::blocking(move || packs.destroy(&records)).await
}
