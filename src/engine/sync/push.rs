//! To the server: moves, deletions, flags and tags. Everything here may be done twice without harm.

use super::Pass;
use crate::engine::failure::Failure;
use crate::engine::flags;
use crate::mail::ids::{FolderId, MessageNumber, Uid};
use crate::network::imap::{ImapError, Session, keyword_for_tag};
use crate::storage::database::places::GONE;
use crate::storage::database::{FolderRow, PlaceRow, TagChanges, commit, places, tags};
use std::collections::{BTreeMap, BTreeSet};

/// The name of a folder that is made when there is none with a role.
fn new_folder(role: &str) -> &'static str {
    match role {
        "archive" => "Archive",
        "spam" => "Junk",
        "trash" => "Trash",
        "sent" => "Sent",
        "draft" => "Drafts",
        _ => "INBOX",
    }
}

pub(super) async fn push(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folders: &[FolderRow],
) -> Result<(), Failure> {
    push_flags(pass, session, folders).await?;
    push_moves(pass, session, folders).await
}

/// Opens a folder to change something; false where it is gone or refuses.
async fn open(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folder: &FolderRow,
) -> Result<Option<bool>, Failure> {
    match session.select(&folder.raw_name, None).await {
        Ok(selected) if selected.uid_validity == Some(folder.uid_validity) && !selected.read_only => {
            Ok(Some(selected.allows_keywords))
        }
        // Numbered anew: the pull comes first then.
        Ok(_) => Ok(None),
        Err(ImapError::No { words, .. }) => {
            pass.done.fail(format!("{}: {words}", folder.name));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn by_folder(rows: Vec<PlaceRow>) -> BTreeMap<FolderId, Vec<PlaceRow>> {
    let mut groups: BTreeMap<FolderId, Vec<PlaceRow>> = BTreeMap::new();
    for row in rows {
        groups.entry(row.folder).or_default().push(row);
    }
    groups
}

async fn push_moves(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folders: &[FolderRow],
) -> Result<(), Failure> {
    let wanted = places::wanted(&mut *pass.app.reader.get().await?, pass.account.id).await?;
    for (id, rows) in by_folder(wanted) {
        let Some(folder) = folders.iter().find(|f| f.id == id) else { continue };
        if open(pass, session, folder).await?.is_none() {
            continue;
        }
        let mut targets: BTreeMap<String, Vec<PlaceRow>> = BTreeMap::new();
        for row in rows {
            targets.entry(row.wanted.clone()).or_default().push(row);
        }
        for (target, rows) in targets {
            let uids: Vec<Uid> = rows.iter().map(|row| row.uid).collect();
            let result = if target == GONE {
                delete(pass, session, folder, &uids).await
            } else {
                move_to(pass, session, folder, folders, &target, &uids, &rows).await
            };
            match result {
                Err(Told::No(words)) => pass.done.fail(format!("{}: {words}", folder.name)),
                Err(Told::Failure(failure)) => return Err(failure),
                Ok(()) => {}
            }
        }
    }
    Ok(())
}

/// A refusal concerns what was asked for; anything else ends the pass.
enum Told {
    No(String),
    Failure(Failure),
}

impl From<ImapError> for Told {
    fn from(error: ImapError) -> Self {
        match error {
            ImapError::No { words, .. } => Self::No(words),
            other => Self::Failure(other.into()),
        }
    }
}

impl From<Failure> for Told {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<crate::storage::database::DatabaseError> for Told {
    fn from(error: crate::storage::database::DatabaseError) -> Self {
        Self::Failure(error.into())
    }
}

async fn delete(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folder: &FolderRow,
    uids: &[Uid],
) -> Result<(), Told> {
    if !session.delete(uids).await? {
        return Err(Told::No(
            "the server cannot delete single messages; they are marked as deleted there".into(),
        ));
    }
    pass.done.deleted += uids.len() as u64;
    forget(pass, folder, uids).await
}

async fn move_to(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folder: &FolderRow,
    folders: &[FolderRow],
    role: &str,
    uids: &[Uid],
    rows: &[PlaceRow],
) -> Result<(), Told> {
    let target = folders.iter().find(|f| f.role == role).or_else(|| {
        // Where "All Mail" is the archive, archiving means leaving the inbox.
        folders.iter().find(|f| role == "archive" && f.role == "all")
    });
    let raw_name = match target {
        Some(target) => target.raw_name.clone(),
        None => session.create_folder(new_folder(role)).await?,
    };
    if raw_name == folder.raw_name {
        return settle_here(pass, folder, uids).await;
    }
    let moved = session.move_to(uids, &raw_name).await?;
    if moved.left_behind {
        pass.done.fail(format!("{}: the server copied messages but could not remove them here", folder.name));
    }
    pass.done.moved += uids.len() as u64;
    let Some(target) = target.filter(|_| !moved.uids.is_empty()) else {
        return forget(pass, folder, uids).await;
    };
    // The server said where they are now, so they need not be fetched again.
    let writer = pass.app.writer.lock().await;
    let mut c = writer.begin().await?;
    let new_uid: BTreeMap<Uid, Uid> = moved.uids.iter().copied().collect();
    let held: Vec<_> = rows
        .iter()
        .filter_map(|row| {
            Some((target.id, *new_uid.get(&row.uid)?, row.message, row.flags, row.keywords.clone()))
        })
        .collect();
    places::put(&mut c, &held).await?;
    let gone = uids.iter().map(|uid| uid.0).collect();
    let numbers = places::remove(&mut c, folder.id, &gone).await?;
    let mut mirrored = TagChanges::default();
    places::mirror(&mut c, &numbers, &mut mirrored).await?;
    tags::apply(&mut c, &mirrored).await?;
    commit(c).await?;
    Ok(())
}

async fn settle_here(pass: &mut Pass<'_>, folder: &FolderRow, uids: &[Uid]) -> Result<(), Told> {
    let writer = pass.app.writer.lock().await;
    let mut c = writer.begin().await?;
    for uid in uids {
        places::set_wanted(&mut c, folder.id, *uid, "").await?;
    }
    Ok(commit(c).await?)
}

async fn forget(pass: &mut Pass<'_>, folder: &FolderRow, uids: &[Uid]) -> Result<(), Told> {
    let writer = pass.app.writer.lock().await;
    let mut c = writer.begin().await?;
    let gone = uids.iter().map(|uid| uid.0).collect();
    let numbers = places::remove(&mut c, folder.id, &gone).await?;
    commit(c).await?;
    pass.displaced.extend(numbers);
    Ok(())
}

/// What is to be added and removed at a place.
type Difference = (Vec<String>, Vec<String>);

async fn push_flags(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folders: &[FolderRow],
) -> Result<(), Failure> {
    let rows = places::changed(&mut *pass.app.reader.get().await?, pass.account.id).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let numbers: Vec<MessageNumber> =
        rows.iter().map(|r| r.message).collect::<BTreeSet<_>>().into_iter().collect();
    let mut wanted = BTreeMap::new();
    for some in numbers.chunks(2000) {
        wanted.extend(tags::of_messages(&mut *pass.app.reader.get().await?, some).await?);
    }
    let mut settled: BTreeSet<MessageNumber> = numbers.iter().copied().collect();
    for (id, rows) in by_folder(rows) {
        let Some(folder) = folders.iter().find(|f| f.id == id) else { continue };
        let mut groups: BTreeMap<Difference, Vec<PlaceRow>> = BTreeMap::new();
        for row in rows {
            let tags = wanted.get(&row.message).map_or(&[][..], Vec::as_slice);
            let difference = difference(&row, tags);
            if difference.0.is_empty() && difference.1.is_empty() {
                continue;
            }
            groups.entry(difference).or_default().push(row);
        }
        if groups.is_empty() {
            continue;
        }
        let Some(keywords) = open(pass, session, folder).await? else {
            groups.values().flatten().for_each(|row| {
                settled.remove(&row.message);
            });
            continue;
        };
        for ((add, remove), rows) in groups {
            store(pass, session, folder, keywords, &add, &remove, &rows).await?;
        }
    }
    let writer = pass.app.writer.lock().await;
    let mut c = writer.begin().await?;
    // What the owner changed again in the meantime differs from what was pushed, and stays noted.
    let mut now = BTreeMap::new();
    for some in numbers.chunks(2000) {
        now.extend(tags::of_messages(&mut c, some).await?);
    }
    let settled: Vec<MessageNumber> = settled.into_iter().filter(|n| now.get(n) == wanted.get(n)).collect();
    places::forget_changed(&mut c, &settled).await?;
    commit(c).await?;
    Ok(())
}

/// The flags and keywords in which a place differs from what the owner wants.
fn difference(place: &PlaceRow, tags: &[String]) -> Difference {
    let want = flags::from_tags(tags.iter().map(String::as_str));
    let (mut add, mut remove) = (Vec::new(), Vec::new());
    for (name, bit) in flags::NAMES.iter().filter(|(_, bit)| flags::MIRRORED.iter().any(|(_, m, _)| m == bit))
    {
        match (want & bit != 0, place.flags & bit != 0) {
            (true, false) => add.push((*name).to_owned()),
            (false, true) => remove.push((*name).to_owned()),
            _ => {}
        }
    }
    let have: BTreeSet<&str> = place.keywords.split(' ').filter(|k| !k.is_empty()).collect();
    let own: BTreeSet<String> =
        tags.iter().filter(|t| flags::is_own_tag(t)).filter_map(|t| keyword_for_tag(t)).collect();
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    add.extend(own.iter().filter(|k| !have.iter().any(|h| same(h, k))).cloned());
    // Only keywords that stand for a tag of ours are taken away; others are other programs'.
    remove.extend(
        have.iter()
            .filter(|h| flags::own_tag(h).is_some() && !own.iter().any(|k| same(h, k)))
            .map(|h| (*h).to_owned()),
    );
    (add, remove)
}

async fn store(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folder: &FolderRow,
    keywords: bool,
    add: &[String],
    remove: &[String],
    rows: &[PlaceRow],
) -> Result<(), Failure> {
    let allowed = |flag: &&String| keywords || flag.starts_with('\\');
    let add: Vec<&str> = add.iter().filter(allowed).map(String::as_str).collect();
    let remove: Vec<&str> = remove.iter().filter(allowed).map(String::as_str).collect();
    if add.is_empty() && remove.is_empty() {
        return Ok(());
    }
    let uids: Vec<Uid> = rows.iter().map(|row| row.uid).collect();
    match session.store(&uids, &add, &remove, None).await {
        Err(ImapError::No { words, .. }) => {
            pass.done.fail(format!("{}: {words}", folder.name));
            return Ok(());
        }
        other => drop(other?),
    }
    pass.done.flags_pushed += rows.len() as u64;
    let writer = pass.app.writer.lock().await;
    let mut c = writer.begin().await?;
    for row in rows {
        let (mut bits, mut words): (u8, BTreeSet<&str>) =
            (row.flags, row.keywords.split(' ').filter(|k| !k.is_empty()).collect());
        let (added, added_words) = flags::read(add.iter().copied());
        let (removed, _) = flags::read(remove.iter().copied());
        bits = (bits | added) & !removed;
        words.extend(added_words.split(' ').filter(|k| !k.is_empty()));
        remove.iter().for_each(|k| {
            words.remove(k);
        });
        let words = words.into_iter().collect::<Vec<_>>().join(" ");
        places::set_flags(&mut c, folder.id, row.uid, bits, &words).await?;
    }
    commit(c).await?;
    Ok(())
}
