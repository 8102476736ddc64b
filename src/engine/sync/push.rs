//! To the server: moves and deletions. Everything here may be done twice without harm.

use super::Pass;
use super::push_flags::push_flags;
use crate::engine::failure::Failure;
use crate::mail::ids::{FolderId, Uid};
use crate::network::imap::{ImapError, Session, decode_folder};
use crate::storage::database::accounts as table;
use crate::storage::database::places::{COPIED, DELETED, GONE};
use crate::storage::database::{FolderRow, PlaceRow, TagChanges, commit, displaced, places, tags};
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

/// What the owner did goes to the server. Folders that had to be made for it are added to `folders`.
pub(super) async fn push(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folders: &mut Vec<FolderRow>,
) -> Result<(), Failure> {
    push_flags(pass, session, folders).await?;
    push_moves(pass, session, folders).await
}

/// Opens a folder to change something; false where it is gone or refuses.
pub(super) async fn open(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folder: &FolderRow,
) -> Result<Option<bool>, Failure> {
    match session.select(&folder.raw_name).await {
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

pub(super) fn by_folder(rows: Vec<PlaceRow>) -> BTreeMap<FolderId, Vec<PlaceRow>> {
    let mut groups: BTreeMap<FolderId, Vec<PlaceRow>> = BTreeMap::new();
    for row in rows {
        groups.entry(row.folder).or_default().push(row);
    }
    groups
}

async fn push_moves(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folders: &mut Vec<FolderRow>,
) -> Result<(), Failure> {
    let wanted = places::wanted(&mut *pass.app.reader.get().await?, pass.account.id).await?;
    let can_remove = session.removes_single_messages();
    for (id, mut rows) in by_folder(wanted) {
        let Some(folder) = folders.iter().find(|f| f.id == id).cloned() else { continue };
        // What is marked as deleted there moves nowhere, and goes only where the server can remove single messages.
        rows.retain(|row| row.flags & DELETED == 0 || can_remove && is_to_go(&row.wanted));
        if rows.is_empty() || open(pass, session, &folder).await?.is_none() {
            continue;
        }
        let mut goals: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for row in rows {
            goals.entry(row.wanted).or_default().push(row.uid.0);
        }
        for (goal, uids) in goals {
            // The owner may have thought again since.
            let mut rows = places::by_uids(&mut *pass.app.reader.get().await?, id, &uids).await?;
            rows.retain(|row| row.wanted == goal);
            if rows.is_empty() {
                continue;
            }
            let result = if is_to_go(&goal) {
                delete(pass, session, &folder, &rows).await
            } else {
                move_to(pass, session, &folder, folders, &goal, &rows).await
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

fn is_to_go(wanted: &str) -> bool {
    wanted == GONE || wanted == COPIED
}

pub(super) fn uids_of(rows: &[PlaceRow]) -> Vec<Uid> {
    rows.iter().map(|row| row.uid).collect()
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
    rows: &[PlaceRow],
) -> Result<(), Told> {
    let removed = session.delete(&uids_of(rows)).await?;
    let for_ever = rows.iter().filter(|row| row.wanted == GONE).count();
    let writer = pass.app.writer.lock().await;
    let mut c = writer.begin().await?;
    if removed {
        places::remove(&mut c, folder.id, &rows.iter().map(|row| row.uid.0).collect(), false).await?;
        pass.done.deleted += for_ever as u64;
    } else {
        // They stay there, marked, until somebody clears the folder; until then they are known here, and hold nothing.
        for row in rows {
            places::set_flags(&mut c, folder.id, row.uid, row.flags | DELETED, &row.keywords).await?;
        }
    }
    commit(c).await?;
    if !removed && for_ever > 0 {
        return Err(Told::No(
            "the server cannot delete single messages; they are marked as deleted there".into(),
        ));
    }
    Ok(())
}

/// The folder that a wish means, if there is one.
fn target(folders: &[FolderRow], goal: &str) -> Option<FolderRow> {
    let is_meant = |f: &&FolderRow| f.role == goal || places::to_folder(f.id) == goal;
    // Where "All Mail" is the archive, archiving means leaving the inbox.
    let all_mail = || folders.iter().find(|f| goal == "archive" && f.role == "all");
    folders.iter().find(is_meant).or_else(all_mail).cloned()
}

async fn make_folder(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folders: &mut Vec<FolderRow>,
    role: &str,
) -> Result<FolderRow, Told> {
    let raw_name = session.create_folder(new_folder(role)).await?;
    let writer = pass.app.writer.lock().await;
    let mut c = writer.begin().await?;
    let name = decode_folder(&raw_name);
    let row = table::put_folder(&mut c, pass.account.id, &name, &raw_name, role).await?;
    commit(c).await?;
    folders.retain(|f| f.id != row.id);
    folders.push(row.clone());
    Ok(row)
}

async fn move_to(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folder: &FolderRow,
    folders: &mut Vec<FolderRow>,
    goal: &str,
    rows: &[PlaceRow],
) -> Result<(), Told> {
    let target = match target(folders, goal) {
        Some(target) => target,
        // The folder that was meant is no more.
        None if goal.starts_with('#') => return settle_here(pass, folder, goal, rows).await,
        None => make_folder(pass, session, folders, goal).await?,
    };
    if target.id == folder.id {
        return settle_here(pass, folder, goal, rows).await;
    }
    let uids = uids_of(rows);
    if session.moves_in_one_step() {
        let told = session.move_to(&uids, &target.raw_name).await?;
        pass.done.moved += uids.len() as u64;
        return arrived(pass, folder, &target, rows, &told, false).await;
    }
    let told = session.copy_to(&uids, &target.raw_name).await?;
    pass.done.moved += uids.len() as u64;
    // The copy is noted first: whatever fails from here on, it is not made again.
    arrived(pass, folder, &target, rows, &told, true).await?;
    delete(pass, session, folder, rows).await
}

/// Notes that messages lie in another folder now. Where the server said under which UIDs, they need not be fetched again.
/// What the owner wanted in the meantime, an undo most likely, is wanted of the new places. The old ones are gone, or, where
/// the messages were `copied`, still to go.
async fn arrived(
    pass: &Pass<'_>,
    folder: &FolderRow,
    target: &FolderRow,
    rows: &[PlaceRow],
    told: &[(Uid, Uid)],
    copied: bool,
) -> Result<(), Told> {
    let uids: Vec<u32> = rows.iter().map(|row| row.uid.0).collect();
    let new_uid: BTreeMap<Uid, Uid> = told.iter().copied().collect();
    let writer = pass.app.writer.lock().await;
    let mut c = writer.begin().await?;
    let now: BTreeMap<Uid, String> =
        places::by_uids(&mut c, folder.id, &uids).await?.into_iter().map(|p| (p.uid, p.wanted)).collect();
    let mut known = BTreeSet::new();
    for row in rows {
        let wish = later_wish(row, now.get(&row.uid).map(String::as_str));
        let Some(uid) = new_uid.get(&row.uid).copied() else {
            displaced::note(&mut c, pass.account.id, row.message, &wish).await?;
            continue;
        };
        places::put(&mut c, &[(target.id, uid, row.message, row.flags, row.keywords.clone())]).await?;
        let wish = if wish == target.role || wish == places::to_folder(target.id) { "" } else { &wish };
        places::set_wanted(&mut c, target.id, uid, wish).await?;
        known.insert(row.message);
    }
    if copied {
        for row in rows {
            places::set_wanted(&mut c, folder.id, row.uid, COPIED).await?;
        }
    } else {
        places::remove(&mut c, folder.id, &uids.into_iter().collect(), false).await?;
    }
    let mut mirrored = TagChanges::default();
    places::mirror(&mut c, &known, &mut mirrored).await?;
    tags::apply(&mut c, &mirrored).await?;
    Ok(commit(c).await?)
}

/// What is wanted of the new place of a message that was moved as `row` said, given what is wanted of the old one `now`. To
/// stay where it was, is to come back.
fn later_wish(row: &PlaceRow, now: Option<&str>) -> String {
    match now {
        Some("") => places::to_folder(row.folder),
        Some(now) if now != row.wanted => now.to_owned(),
        _ => String::new(),
    }
}

/// Nothing is to be done for a wish, unless it was another in the meantime.
async fn settle_here(pass: &Pass<'_>, folder: &FolderRow, goal: &str, rows: &[PlaceRow]) -> Result<(), Told> {
    let uids: Vec<u32> = rows.iter().map(|row| row.uid.0).collect();
    let writer = pass.app.writer.lock().await;
    let mut c = writer.begin().await?;
    let mut settled = BTreeSet::new();
    for row in places::by_uids(&mut c, folder.id, &uids).await?.iter().filter(|row| row.wanted == goal) {
        places::set_wanted(&mut c, folder.id, row.uid, "").await?;
        settled.insert(row.message);
    }
    let mut mirrored = TagChanges::default();
    places::mirror(&mut c, &settled, &mut mirrored).await?;
    tags::apply(&mut c, &mirrored).await?;
    Ok(commit(c).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::ids::{AccountId, MessageNumber};

    fn place(wanted: &str) -> PlaceRow {
        PlaceRow {
            folder: FolderId(7),
            account: AccountId(1),
            folder_name: "Projects".into(),
            role: String::new(),
            uid: Uid(1),
            message: MessageNumber(1),
            flags: 0,
            keywords: String::new(),
            wanted: wanted.into(),
            goal: wanted.into(),
        }
    }

    #[test]
    fn an_undo_during_the_move_brings_the_message_back() {
        let moving = place("trash");
        assert_eq!(later_wish(&moving, Some("")), "#7");
        assert_eq!(later_wish(&moving, Some("archive")), "archive");
        assert_eq!(later_wish(&moving, Some("trash")), "");
        assert_eq!(later_wish(&moving, None), "");
    }
}
