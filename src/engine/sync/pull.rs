//! From the server: what is new, what is gone, and what changed in one folder.

use super::pull_flags::{bits, refresh_flags};
use super::{Pass, plan};
use crate::engine::failure::Failure;
use crate::engine::receive::{Incoming, Origin, receive};
use crate::mail::ids::{Uid, UidValidity};
use crate::mail::sma::Letter;
use crate::network::imap::{Fetched, ImapError, Meta, Selected, Session};
use crate::storage::database::accounts as table;
use crate::storage::database::skipped::{self, Refused};
use crate::storage::database::{DatabaseError, FolderRow, TagChanges, commit, places, tags};
use roaring::RoaringBitmap;
use std::collections::{HashMap, HashSet};

/// How many messages are asked for at a time …
const BATCH_MESSAGES: usize = 200;
/// … and how many bytes, unless one message alone is larger.
const BATCH_BYTES: u64 = 4 << 20;
/// The first batches are small, so that the page is useful after a moment.
const FIRST_BATCH: usize = 50;
/// Why a message is stepped over that lies among mail and is made like one between devices.
pub(in crate::engine) const STRAY: &str = "programs write such messages to each other";
/// After so many refusals one after the other the server is left alone until the next pass.
const ENOUGH: usize = 20;

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

breaks_the_session!(Failure, DatabaseError);

impl From<ImapError> for Broken {
    fn from(error: ImapError) -> Self {
        match error {
            ImapError::No { words, .. } => Self::Folder(words),
            other => Self::Session(other.into()),
        }
    }
}

/// Brings one folder up to date; true when nothing of it is missing here.
pub(super) async fn pull(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folder: &FolderRow,
) -> Result<bool, Broken> {
    let selected = session.select(&folder.raw_name).await?;
    let validity = selected.uid_validity.unwrap_or(UidValidity(1));
    let mut folder = folder.clone();
    if folder.uid_validity != validity {
        start_over(pass, &mut folder, validity).await?;
    }
    let mut reader = pass.app.reader.get().await?;
    let known = places::uids(&mut reader, folder.id).await?;
    let skipped: RoaringBitmap =
        skipped::skipped(&mut reader, folder.id).await?.iter().map(|(uid, _)| *uid).collect();
    let refused = skipped::refused(&mut reader, folder.id).await?;
    drop(reader);
    if refused.is_empty() && unchanged(&folder, &selected, known.len() + skipped.len()) {
        return Ok(true);
    }
    let server: RoaringBitmap = session.uids().await?.iter().map(|uid| uid.0).collect();
    let plan = plan::plan(&server, &known, &skipped, &refused, pass.app.now());
    if !plan.gone.is_empty() || !plan.stale.is_empty() {
        remove(pass, &folder, &plan.gone, &plan.stale).await?;
    }
    let mut asking = Asking::new(refused);
    let complete = fetch(pass, session, &folder, plan.fetch, &mut asking).await?;
    let still = known & &server;
    if !still.is_empty() {
        refresh_flags(pass, session, &folder, &still).await?;
    }
    if !plan.waiting.is_empty() {
        let words = if plan.waiting.len() == 1 { "message is" } else { "messages are" };
        pass.done.fail(format!("{}: {} {words} asked for again later", folder.name, plan.waiting.len()));
    }
    if complete && plan.waiting.is_empty() && asking.in_vain.is_empty() {
        let writer = pass.app.writer.lock().await;
        let mut c = writer.begin().await?;
        let next = selected.uid_next.map_or(0, |uid| uid.0);
        let modseq = selected.highest_modseq.map_or(0, |m| m.0);
        table::set_position(&mut c, folder.id, validity, next, modseq).await?;
        commit(c).await?;
    }
    // What was refused again and again is not what another folder just lost.
    let stays = |one: &Refused| one.attempts >= plan::STAYS_REFUSED;
    Ok(complete && plan.waiting.iter().chain(&asking.in_vain).all(stays))
}

/// Whether the server's counters say that nothing happened since the last complete look.
fn unchanged(folder: &FolderRow, selected: &Selected, known: u64) -> bool {
    let modseq = selected.highest_modseq.map_or(0, |m| m.0);
    modseq > 0
        && modseq == folder.highest_modseq
        && selected.uid_next.is_some_and(|next| next.0 == folder.uid_next)
        && u64::from(selected.exists) == known
}

/// The server counts anew (UIDVALIDITY changed): nothing that was noted of this folder means anything any more, but what the
/// owner wants of its messages. They stay, and find their new places by their bytes.
async fn start_over(
    pass: &mut Pass<'_>,
    folder: &mut FolderRow,
    validity: UidValidity,
) -> Result<(), Failure> {
    let writer = pass.app.writer.lock().await;
    let mut c = writer.begin().await?;
    if folder.uid_validity.0 != 0 {
        tracing::info!(folder.id = %folder.id, "The server numbers a folder anew");
        let known = places::uids(&mut c, folder.id).await?;
        let numbers = places::remove(&mut c, folder.id, &known, true).await?;
        let mut mirrored = TagChanges::default();
        places::mirror(&mut c, &numbers, &mut mirrored).await?;
        tags::apply(&mut c, &mirrored).await?;
        skipped::forget_all(&mut c, folder.id).await?;
    }
    table::set_position(&mut c, folder.id, validity, 0, 0).await?;
    commit(c).await?;
    (folder.uid_validity, folder.uid_next, folder.highest_modseq) = (validity, 0, 0);
    Ok(())
}

/// Forgets the places of UIDs that are gone, and what was noted of others.
async fn remove(
    pass: &mut Pass<'_>,
    folder: &FolderRow,
    gone: &RoaringBitmap,
    stale: &[u32],
) -> Result<(), Failure> {
    let writer = pass.app.writer.lock().await;
    let mut c = writer.begin().await?;
    let numbers = places::remove(&mut c, folder.id, gone, false).await?;
    let mut mirrored = TagChanges::default();
    places::mirror(&mut c, &numbers, &mut mirrored).await?;
    tags::apply(&mut c, &mirrored).await?;
    skipped::forget(&mut c, folder.id, stale).await?;
    commit(c).await?;
    Ok(())
}

/// What is asked for in vain, in a folder.
struct Asking {
    /// How often each UID was before.
    attempts: HashMap<u32, u32>,
    /// Those of this pass.
    in_vain: Vec<Refused>,
    /// How many one after the other.
    in_a_row: usize,
}

impl Asking {
    fn new(refused: Vec<Refused>) -> Self {
        let attempts = refused.into_iter().map(|one| (one.uid, one.attempts)).collect();
        Self { attempts, in_vain: Vec::new(), in_a_row: 0 }
    }
}

/// Fetches messages in their order; false when it was stopped before the end, or the server hands out nothing now.
async fn fetch(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folder: &FolderRow,
    uids: Vec<u32>,
    asking: &mut Asking,
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
        let order: HashMap<Uid, usize> = wanted.iter().copied().zip(0..).collect();
        metas.sort_by_key(|meta| order.get(&meta.uid).copied());
        let told: HashSet<Uid> = metas.iter().map(|meta| meta.uid).collect();
        let silent = wanted.into_iter().filter(|uid| !told.contains(uid)).map(|uid| (uid, None));
        refuse(pass, folder, asking, silent.collect()).await?;
        for batch in plan::batches(metas, |meta| meta.size, BATCH_MESSAGES, BATCH_BYTES) {
            done += batch.len() as u64;
            fetch_batch(pass, session, folder, batch, asking).await?;
            pass.progress(folder, done, total);
            if pass.watcher.stopped() || asking.in_a_row >= ENOUGH {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Fetches a batch and keeps what came. Where one message ends the session, the others are kept, and that one is asked for
/// last from the next pass on.
async fn fetch_batch(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folder: &FolderRow,
    batch: Vec<Meta>,
    asking: &mut Asking,
) -> Result<(), Broken> {
    let mut fetched = Vec::new();
    let result = session.fetch(&batch, &mut fetched).await;
    let came: HashSet<Uid> = fetched.iter().map(Fetched::uid).collect();
    keep(pass, folder, fetched, asking).await?;
    let Err(error) = result else { return Ok(()) };
    if let ImapError::UnreadableMessage { uid, .. } = &error {
        // Where the server does not say which, it is one of those that did not come.
        let missing = batch.iter().map(|meta| meta.uid).filter(|uid| !came.contains(uid));
        let blamed: Vec<Uid> = match uid {
            Some(uid) => vec![*uid],
            None => missing.collect(),
        };
        let why = || Some("the server sends it in a way that cannot be read".to_owned());
        refuse(pass, folder, asking, blamed.into_iter().map(|uid| (uid, why())).collect()).await?;
    }
    Err(error.into())
}

/// Notes which messages did not come, and when they are asked for again. Without a reason one may just be gone.
async fn refuse(
    pass: &mut Pass<'_>,
    folder: &FolderRow,
    asking: &mut Asking,
    refused: Vec<(Uid, Option<String>)>,
) -> Result<(), Failure> {
    if refused.is_empty() {
        return Ok(());
    }
    let writer = pass.app.writer.lock().await;
    let mut c = writer.begin().await?;
    for (uid, why) in refused {
        if let Some(why) = why {
            pass.done.fail(format!("{} message {uid}: {why}", folder.name));
            asking.in_a_row += 1;
        }
        let attempts = asking.attempts.get(&uid.0).copied().unwrap_or_default().saturating_add(1);
        let due_at = pass.app.now().saturating_add(plan::patience(attempts));
        let one = Refused { uid: uid.0, attempts, due_at };
        skipped::refuse(&mut c, folder.id, one).await?;
        asking.in_vain.push(one);
    }
    Ok(commit(c).await?)
}

async fn skip(pass: &mut Pass<'_>, folder: &FolderRow, uid: Uid, why: &str) -> Result<(), Failure> {
    pass.done.fail(format!("{} message {uid}: {why}", folder.name));
    let writer = pass.app.writer.lock().await;
    let mut c = writer.begin().await?;
    skipped::forget(&mut c, folder.id, &[uid.0]).await?;
    skipped::skip(&mut c, folder.id, uid.0, why).await?;
    Ok(commit(c).await?)
}

async fn keep(
    pass: &mut Pass<'_>,
    folder: &FolderRow,
    fetched: Vec<Fetched>,
    asking: &mut Asking,
) -> Result<(), Failure> {
    let mut incoming = Vec::with_capacity(fetched.len());
    let account = &pass.account.address.clone();
    let (mut came_at_last, mut refused, mut strays) = (Vec::new(), Vec::new(), Vec::new());
    for one in fetched {
        match one {
            // Anybody can mail one: it is left where it is, and nobody is told of it.
            Fetched::Message { uid, raw, .. } if Letter::stray(&raw).as_ref() == Some(account) => {
                strays.push(uid);
            }
            Fetched::Message { uid, flags, internal_date, raw } => {
                pass.done.fetched += 1;
                pass.done.bytes += raw.len() as u64;
                asking.in_a_row = 0;
                came_at_last.extend(asking.attempts.contains_key(&uid.0).then_some(uid.0));
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
            Fetched::TooLarge { uid, why } => skip(pass, folder, uid, &why).await?,
            Fetched::Refused { uid, why } => refused.push((uid, Some(why))),
            Fetched::Gone { uid } => refused.push((uid, None)),
        }
    }
    refuse(pass, folder, asking, refused).await?;
    if !strays.is_empty() {
        let writer = pass.app.writer.lock().await;
        let mut c = writer.begin().await?;
        for uid in strays {
            skipped::skip(&mut c, folder.id, uid.0, STRAY).await?;
        }
        commit(c).await?;
    }
    if !incoming.is_empty() {
        receive(pass.app, incoming).await?;
    }
    if !came_at_last.is_empty() {
        let writer = pass.app.writer.lock().await;
        let mut c = writer.begin().await?;
        skipped::forget(&mut c, folder.id, &came_at_last).await?;
        commit(c).await?;
    }
    Ok(())
}
