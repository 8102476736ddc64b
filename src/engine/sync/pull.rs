//! From the server: what is new, what is gone, and what changed in one folder.

use super::{Pass, plan};
use crate::engine::failure::Failure;
use crate::engine::flags;
use crate::engine::receive::{Incoming, Origin, receive};
use crate::mail::ids::{ModSeq, Uid, UidValidity};
use crate::network::imap::{Fetched, Flags, ImapError, Meta, Selected, Session, UidRange};
use crate::storage::database::accounts as table;
use crate::storage::database::{DatabaseError, FolderRow, TagChanges, commit, places, tags};
use roaring::RoaringBitmap;
use std::collections::{BTreeSet, HashMap};

/// How many messages are asked for at a time …
const BATCH_MESSAGES: usize = 200;
/// … and how many bytes, unless one message alone is larger.
const BATCH_BYTES: u64 = 4 << 20;
/// The first batches are small, so that the page is useful after a moment.
const FIRST_BATCH: usize = 50;

/// What broke.
pub(super) enum Broken {
    /// This folder alone; in words.
    Folder(String),
    /// The session, or the store.
    Session(Failure),
}

macro_rules! breaks_the_session {
    ($($error:ty),*) => {
        $(impl From<$error> for Broken {
            fn from(error: $error) -> Self {
                Self::Session(error.into())
            }
        })*
    };
}

breaks_the_session!(Failure, ImapError, DatabaseError);

/// Brings one folder up to date.
pub(super) async fn pull(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folder: &FolderRow,
) -> Result<(), Broken> {
    let selected = match session.select(&folder.raw_name, None).await {
        Err(ImapError::No { words, .. }) => return Err(Broken::Folder(words)),
        other => other?,
    };
    let validity = selected.uid_validity.unwrap_or(UidValidity(1));
    let mut folder = folder.clone();
    if folder.uid_validity != validity {
        start_over(pass, &mut folder, validity).await?;
    }
    let mut reader = pass.app.reader.get().await?;
    let known = places::uids(&mut reader, folder.id).await?;
    let skipped: RoaringBitmap =
        table::skipped(&mut reader, folder.id).await?.iter().map(|(uid, _)| *uid).collect();
    drop(reader);
    if unchanged(&folder, &selected, known.len() + skipped.len()) {
        return Ok(());
    }
    let server: RoaringBitmap = session.uids().await?.iter().map(|uid| uid.0).collect();
    let plan = plan::plan(&server, &known, &skipped);
    if !plan.gone.is_empty() {
        remove(pass, &folder, &plan.gone).await?;
    }
    let complete = fetch(pass, session, &folder, plan.fetch).await?;
    let still = known & &server;
    if !still.is_empty() {
        refresh_flags(pass, session, &folder, &still).await?;
    }
    if complete {
        let writer = pass.app.writer.lock().await;
        let mut c = writer.begin().await?;
        let next = selected.uid_next.map_or(0, |uid| uid.0);
        let modseq = selected.highest_modseq.map_or(0, |m| m.0);
        table::set_position(&mut c, folder.id, validity, next, modseq).await?;
        commit(c).await?;
    }
    Ok(())
}

/// Whether the server's counters say that nothing happened since the last complete look.
fn unchanged(folder: &FolderRow, selected: &Selected, known: u64) -> bool {
    let modseq = selected.highest_modseq.map_or(0, |m| m.0);
    modseq > 0
        && modseq == folder.highest_modseq
        && selected.uid_next.is_some_and(|next| next.0 == folder.uid_next)
        && u64::from(selected.exists) == known
}

/// The server counts anew (UIDVALIDITY changed): nothing that was noted of this folder means anything any more. The
/// messages themselves stay, and find their new places by their bytes.
async fn start_over(
    pass: &mut Pass<'_>,
    folder: &mut FolderRow,
    validity: UidValidity,
) -> Result<(), Failure> {
    if folder.uid_validity.0 != 0 {
        tracing::info!(folder.id = %folder.id, "The server numbers a folder anew");
        let known = places::uids(&mut *pass.app.reader.get().await?, folder.id).await?;
        remove(pass, folder, &known).await?;
    }
    let writer = pass.app.writer.lock().await;
    let mut c = writer.begin().await?;
    table::set_position(&mut c, folder.id, validity, 0, 0).await?;
    commit(c).await?;
    (folder.uid_validity, folder.uid_next, folder.highest_modseq) = (validity, 0, 0);
    Ok(())
}

async fn remove(pass: &mut Pass<'_>, folder: &FolderRow, uids: &RoaringBitmap) -> Result<(), Failure> {
    let writer = pass.app.writer.lock().await;
    let mut c = writer.begin().await?;
    let numbers = places::remove(&mut c, folder.id, uids).await?;
    let mut mirrored = TagChanges::default();
    places::mirror(&mut c, &numbers, &mut mirrored).await?;
    tags::apply(&mut c, &mirrored).await?;
    commit(c).await?;
    pass.displaced.extend(numbers);
    Ok(())
}

/// Fetches messages, newest first; false when it was stopped before the end.
async fn fetch(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folder: &FolderRow,
    uids: Vec<u32>,
) -> Result<bool, Broken> {
    let total = uids.len() as u64;
    let mut done = 0;
    let mut rest = uids.as_slice();
    let mut step = FIRST_BATCH;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(step.min(rest.len()));
        (rest, step) = (later, BATCH_MESSAGES);
        let wanted: Vec<Uid> = now.iter().map(|uid| Uid(*uid)).collect();
        let mut metas = session.sizes(&wanted).await?;
        metas.sort_by_key(|meta| std::cmp::Reverse(meta.uid));
        metas.dedup_by_key(|meta| meta.uid);
        for batch in plan::batches(metas, |meta| meta.size, BATCH_MESSAGES, BATCH_BYTES) {
            done += batch.len() as u64;
            fetch_batch(pass, session, folder, batch).await?;
            pass.progress(folder, done, total);
            if pass.watcher.stopped() {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Fetches a batch and keeps what came. Where one message ends the session, the others are kept, and that one is
/// stepped over from the next pass on.
async fn fetch_batch(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folder: &FolderRow,
    batch: Vec<Meta>,
) -> Result<(), Broken> {
    let mut fetched = Vec::new();
    let result = session.fetch(&batch, &mut fetched).await;
    keep(pass, folder, fetched).await?;
    let Err(error) = result else { return Ok(()) };
    if let ImapError::UnreadableMessage { uid, .. } = &error {
        let uid = uid.or_else(|| if let [only] = batch.as_slice() { Some(only.uid) } else { None });
        if let Some(uid) = uid {
            skip(pass, folder, uid, "the server sends it in a way that cannot be read").await?;
        }
    }
    Err(error.into())
}

async fn skip(pass: &mut Pass<'_>, folder: &FolderRow, uid: Uid, why: &str) -> Result<(), Failure> {
    pass.done.fail(format!("{} message {uid}: {why}", folder.name));
    let writer = pass.app.writer.lock().await;
    let mut c = writer.begin().await?;
    table::skip(&mut c, folder.id, uid.0, why).await?;
    Ok(commit(c).await?)
}

async fn keep(pass: &mut Pass<'_>, folder: &FolderRow, fetched: Vec<Fetched>) -> Result<(), Failure> {
    let mut incoming = Vec::with_capacity(fetched.len());
    for one in fetched {
        match one {
            Fetched::Message { uid, flags, internal_date, raw } => {
                pass.done.fetched += 1;
                pass.done.bytes += raw.len() as u64;
                let (flags, keywords) = bits(&flags);
                let received_at = internal_date.map_or_else(|| pass.app.now(), |t| t.as_second());
                let origin = Origin::Server {
                    folder: folder.id,
                    account: pass.account.address.clone(),
                    folder_name: folder.name.clone(),
                    role: folder.role.clone(),
                    uid_validity: folder.uid_validity.0,
                    uid,
                    flags,
                    keywords,
                };
                incoming.push(Incoming { raw, received_at, origin });
            }
            Fetched::Skipped { uid, why, .. } => skip(pass, folder, uid, &why).await?,
            Fetched::Gone { .. } => {}
        }
    }
    if !incoming.is_empty() {
        receive(pass.app, incoming).await?;
    }
    Ok(())
}

/// Flags as bits, and keywords in one string.
fn bits(flags: &Flags) -> (u8, String) {
    let bit = |on: bool, bit: u8| if on { bit } else { 0 };
    let all = bit(flags.seen, flags::SEEN)
        | bit(flags.flagged, flags::FLAGGED)
        | bit(flags.answered, flags::ANSWERED)
        | bit(flags.draft, flags::DRAFT)
        | bit(flags.deleted, flags::DELETED);
    let keywords: BTreeSet<&str> = flags.keywords.iter().map(String::as_str).collect();
    (all, keywords.into_iter().collect::<Vec<_>>().join(" "))
}

/// Takes over what the server changed of the flags and keywords of known messages.
async fn refresh_flags(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folder: &FolderRow,
    known: &RoaringBitmap,
) -> Result<(), Failure> {
    let (Some(first), Some(last)) = (known.min(), known.max()) else { return Ok(()) };
    let since = (folder.highest_modseq > 0).then_some(ModSeq(folder.highest_modseq));
    let states = session.flags(UidRange { first: Uid(first), last: Uid(last) }, since).await?;
    let now: HashMap<u32, (u8, String)> =
        states.iter().filter(|s| known.contains(s.uid.0)).map(|s| (s.uid.0, bits(&s.flags))).collect();
    let uids: Vec<u32> = now.keys().copied().collect();
    for some in uids.chunks(2000) {
        let writer = pass.app.writer.lock().await;
        let mut c = writer.begin().await?;
        let mut changes = TagChanges::default();
        let mut elsewhere = Vec::new();
        for place in places::by_uids(&mut c, folder.id, some).await? {
            let Some((flags, keywords)) = now.get(&place.uid.0) else { continue };
            if *flags == place.flags && *keywords == place.keywords {
                continue;
            }
            for (tag, bit, on) in flags::MIRRORED {
                if (flags ^ place.flags) & bit != 0 {
                    changes.put(tag, place.message, (flags & bit != 0) == on);
                }
            }
            let (before, after) = (words(&place.keywords), words(keywords));
            before
                .difference(&after)
                .filter_map(|k| flags::own_tag(k))
                .for_each(|t| changes.clear(&t, place.message));
            after
                .difference(&before)
                .filter_map(|k| flags::own_tag(k))
                .for_each(|t| changes.set(&t, place.message));
            places::set_flags(&mut c, folder.id, place.uid, *flags, keywords).await?;
            elsewhere.push(place.message);
            pass.done.flags_pulled += 1;
        }
        tags::apply(&mut c, &changes).await?;
        // The same message in another place gets the same flags at the next push.
        places::note_changed(&mut c, &elsewhere).await?;
        commit(c).await?;
    }
    Ok(())
}

fn words(keywords: &str) -> BTreeSet<&str> {
    keywords.split(' ').filter(|k| !k.is_empty()).collect()
}
