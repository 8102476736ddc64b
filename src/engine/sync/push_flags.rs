//! To the server: flags, and tags as keywords.

use super::Pass;
use super::push::{by_folder, open, uids_of};
use crate::engine::failure::Failure;
use crate::engine::flags;
use crate::mail::ids::MessageNumber;
use crate::network::imap::{ImapError, Session, keyword_for_tag};
use crate::storage::database::{FolderRow, PlaceRow, commit, places, tags};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be added and removed at a place.
type Difference = (Vec<String>, Vec<String>);

/// Flags and tags that the owner changed. What a server refuses stays noted.
pub(super) async fn push_flags(
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
            if !store(pass, session, folder, keywords, &add, &remove, &rows).await? {
                rows.iter().for_each(|row| {
                    settled.remove(&row.message);
                });
            }
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
    places::forget_changed(&mut c, pass.account.id, &settled).await?;
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
    // What stands for a tag here, whoever wrote it: a tag is not written twice.
    let meant: BTreeSet<String> = have.iter().filter_map(|h| flags::own_tag(h)).collect();
    let own = tags.iter().filter(|t| flags::is_own_tag(t));
    add.extend(own.filter(|t| !meant.contains(*t)).filter_map(|t| keyword_for_tag(t)));
    // Only what we would write ourselves is taken away; other spellings are other programs' words.
    let is_ours = |keyword: &str| {
        flags::own_tag(keyword).filter(|tag| {
            keyword_for_tag(tag).is_some_and(|k| k.eq_ignore_ascii_case(keyword)) && !tags.contains(tag)
        })
    };
    remove.extend(have.iter().filter(|h| is_ours(h).is_some()).map(|h| (*h).to_owned()));
    (add, remove)
}

/// Adds and removes flags; false where the server says no, and has to be asked again.
async fn store(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folder: &FolderRow,
    keywords: bool,
    add: &[String],
    remove: &[String],
    rows: &[PlaceRow],
) -> Result<bool, Failure> {
    let allowed = |flag: &&String| keywords || flag.starts_with('\\');
    let add: Vec<&str> = add.iter().filter(allowed).map(String::as_str).collect();
    let remove: Vec<&str> = remove.iter().filter(allowed).map(String::as_str).collect();
    if add.is_empty() && remove.is_empty() {
        return Ok(true);
    }
    match session.store(&uids_of(rows), &add, &remove).await {
        Err(ImapError::No { words, .. }) => {
            pass.done.fail(format!("{}: {words}", folder.name));
            return Ok(false);
        }
        other => other?,
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
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::ids::{AccountId, FolderId, Uid};

    fn place(keywords: &str) -> PlaceRow {
        PlaceRow {
            folder: FolderId(7),
            account: AccountId(1),
            folder_name: "Projects".into(),
            role: String::new(),
            uid: Uid(1),
            message: MessageNumber(1),
            flags: flags::SEEN,
            keywords: keywords.into(),
            wanted: String::new(),
            goal: String::new(),
        }
    }

    fn tags(tags: &[&str]) -> Vec<String> {
        tags.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_keywords_that_we_would_write_are_taken_away() {
        // "&ACA-work" is " work" to whoever wrote it, and "work" as a tag here.
        let others = place("$Forwarded &ACA-work Ledger NonJunk herons");
        assert_eq!(difference(&others, &[]), (tags(&[]), tags(&["Ledger", "herons"])));
        assert_eq!(difference(&others, &tags(&["work", "ledger"])), (tags(&[]), tags(&["herons"])));
        assert_eq!(difference(&others, &tags(&["new", "herons"])), (tags(&["new"]), tags(&["Ledger"])));
    }
}
