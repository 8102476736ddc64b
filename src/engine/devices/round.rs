//! One round at an account's server: the folders are there, what lay in them is taken in, what is due is laid. Done by the
//! background task beside sync, and by whoever waits for the other device.

use super::exchange;
use super::hear::{self, Fate};
use super::household;
use super::lay::{lay, weed};
use super::mine::Mine;
use super::pairing::{Event, Shown};
use super::speak;
use super::withdraw;
use crate::crypto::devices::Standing;
use crate::engine::accounts::Settings;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::mail::ids::Uid;
use crate::mail::sma::{ANNOUNCEMENTS, DeviceId, FolderKind, LETTER_MAX};
use crate::network::imap::{Fetched, Limits, Session};
use crate::storage::database::{AccountRow, accounts, commit, devices as table, shared};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the folders are looked into.
pub(super) const EVERY: Duration = Duration::from_secs(300);
/// How often while a pairing goes on.
pub(super) const SOON: Duration = Duration::from_secs(3);
/// So many messages of a folder are taken in at a time.
pub(super) const AT_ONCE: usize = 64;
/// So often in a round a folder is looked into.
pub(super) const MOST_TIMES: usize = 8;
/// So often in a row the folders are looked into soon, because a roster is waited for.
const MOST_SOON: u32 = 300;

/// The background task, for all accounts.
///
/// # Errors
/// When the store fails; the supervisor starts it again.
pub async fn run(app: Arc<App>, stop: CancellationToken) -> Result<(), Failure> {
    app.devices.runs.store(true, Ordering::Relaxed);
    let mut soon = 0;
    loop {
        let mut joins = false;
        let rows = accounts::list(&mut *app.reader.get().await?).await?;
        let mut wait = app.devices.sight.pace(app.now());
        for account in &rows {
            if let Err(error) = round(&app, account).await {
                tracing::info!(%error, "Devices wait for the server");
            }
            if app.devices.shown(account.id) != Shown::Nothing {
                wait = SOON;
            } else if is_joining(&app, account).await? {
                joins = true;
                wait = if soon < MOST_SOON { SOON } else { wait };
            }
            if stop.is_cancelled() {
                return Ok(());
            }
        }
        soon = if joins { soon + 1 } else { 0 };
        let mut changed = std::pin::pin!(app.accounts_changed.notified());
        changed.as_mut().enable();
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = app.devices.wanted.notified() => {}
            () = changed => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn is_joining(app: &App, account: &AccountRow) -> Result<bool, Failure> {
    let mine = Mine::load(&mut *app.reader.get().await?, account).await?;
    Ok(mine.is_some_and(|mine| mine.joined().is_some()))
}

/// One round.
///
/// # Errors
/// When the server or the store fails.
pub(super) async fn round(app: &Arc<App>, account: &AccountRow) -> Result<(), Failure> {
    let before = household::mark(app, account).await?;
    let _turn = app.devices.turn.lock().await;
    // Looked at here: whoever waited for the turn may have seen it on.
    let done = if withdraw::is_off(app).await? {
        withdraw::withdraw(app, account).await
    } else {
        call(app, account).await
    };
    app.devices.trouble(account.id, done.as_ref().err());
    household::tell(app, account, before).await?;
    done
}

async fn call(app: &Arc<App>, account: &AccountRow) -> Result<(), Failure> {
    let login = Settings::of(account)?.imap_login()?;
    // Whatever a server says of its size, nothing larger than a message of ours is taken.
    let limits = Limits { message_bytes: LETTER_MAX as u64, piece_bytes: LETTER_MAX, ..Limits::default() };
    let mut session = Session::open_within(&app.dialer, &login, limits).await?;
    let done = visit(app, account, &mut session).await;
    session.logout().await;
    done
}

async fn visit(app: &Arc<App>, account: &AccountRow, session: &mut Session) -> Result<(), Failure> {
    let mut folders = BTreeMap::new();
    for folder in session.folders().await?.into_iter().filter(|folder| folder.selectable) {
        match FolderKind::of(&folder.name, folder.delimiter) {
            Some(FolderKind::Announcements) => folders.insert(ANNOUNCEMENTS.to_owned(), folder.raw_name),
            Some(FolderKind::Inbox(device)) => folders.insert(device.inbox(), folder.raw_name),
            None => None,
        };
    }
    withdraw::show(app, account).await?;
    let mine = known(app, account).await?;
    let is_out = mine.roster.standing(mine.device.id()) == Standing::Removed;
    let inbox = mine.device.id().inbox();
    let is_new = !folders.contains_key(ANNOUNCEMENTS);
    for name in [ANNOUNCEMENTS, inbox.as_str()] {
        // A device that was removed has no folder any more, and makes none.
        let is_wanted = !is_out || name != inbox.as_str();
        if is_wanted && !folders.contains_key(name) {
            folders.insert(name.to_owned(), session.create_hidden_folder(name).await?);
        }
    }
    if let Some(raw_name) = folders.get(ANNOUNCEMENTS)
        && !announcements(app, account, session, raw_name).await?
    {
        speak::is_not_there(app, account, is_new).await?;
    }
    if let Some(raw_name) = folders.get(&inbox) {
        messages(app, account, session, raw_name).await?;
    }
    hear::step(app, account, Event::Passed).await?;
    // What waits from before goes first: as long as the server takes nothing, nothing is added to it.
    lay(app, account, session, &folders).await?;
    if !is_out {
        weed(app, account, session, &folders).await?;
        speak::speak(app, account).await?;
        lay(app, account, session, &folders).await?;
    }
    tidy(app, account, session, &folders).await
}

/// This device, made now if there is none yet.
pub(super) async fn known(app: &App, account: &AccountRow) -> Result<Mine, Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    if let Some(mine) = Mine::load(&mut c, account).await? {
        return Ok(mine);
    }
    let mutual = Settings::of(account)?.prefer_encrypt == "mutual";
    let mut mine = Mine::make(account, mutual, app.now())?;
    mine.save(&mut c).await?;
    commit(c).await?;
    Ok(mine)
}

/// Messages of a folder in their order, after the oldest ones have been stepped over; what cannot be one of ours is only named.
pub(super) async fn read(
    session: &mut Session,
    raw_name: &str,
    step_over: usize,
) -> Result<(Vec<(Uid, Vec<u8>)>, Vec<Uid>), Failure> {
    session.select(raw_name).await?;
    let mut uids = session.uids().await?;
    uids.sort_unstable();
    let uids: Vec<Uid> = uids.into_iter().skip(step_over).take(AT_ONCE).collect();
    if uids.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let sizes = session.sizes(&uids).await?;
    let (fitting, large): (Vec<_>, Vec<_>) =
        sizes.into_iter().partition(|meta| meta.size <= LETTER_MAX as u64);
    let mut fetched = Vec::new();
    session.fetch(&fitting, &mut fetched).await?;
    let mut found: Vec<(Uid, Vec<u8>)> = fetched
        .into_iter()
        .filter_map(|fetched| match fetched {
            Fetched::Message { uid, raw, .. } => Some((uid, raw)),
            _ => None,
        })
        .collect();
    found.sort_unstable_by_key(|(uid, _)| *uid);
    Ok((found, large.into_iter().map(|meta| meta.uid).collect()))
}

/// Takes in what is said to all. Whether this device's own announcement lies there.
async fn announcements(
    app: &App,
    account: &AccountRow,
    session: &mut Session,
    raw_name: &str,
) -> Result<bool, Failure> {
    let (mut over, mut lies_there) = (Vec::new(), false);
    for time in 0..MOST_TIMES {
        let (found, large) = read(session, raw_name, time * AT_ONCE).await?;
        let is_last = found.len() + large.len() < AT_ONCE;
        for (uid, raw) in found {
            match hear::announced(app, account, &raw).await? {
                Fate::Goes => over.push(uid),
                Fate::Ours => lies_there = true,
                Fate::Stays => {}
            }
        }
        if is_last {
            break;
        }
    }
    session.delete_ours(&over).await?;
    Ok(lies_there)
}

/// Whatever lies in this device's own folder is taken in, or is none of ours; then it goes.
async fn messages(
    app: &Arc<App>,
    account: &AccountRow,
    session: &mut Session,
    raw_name: &str,
) -> Result<(), Failure> {
    // A server that removes nothing hands out the same ones for ever.
    for _ in 0..MOST_TIMES {
        let (found, mut over) = read(session, raw_name, 0).await?;
        for (uid, raw) in found {
            hear::addressed(app, account, &raw).await?;
            over.push(uid);
        }
        if over.is_empty() {
            return Ok(());
        }
        session.delete_ours(&over).await?;
    }
    Ok(())
}

/// The folders of devices that were removed go, of those that this one was before it began anew, and of those that were silent for very long. These stay on the roster: only a
/// person removes one, and one that comes back makes its folder again.
async fn tidy(
    app: &App,
    account: &AccountRow,
    session: &mut Session,
    folders: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let mine = known(app, account).await?;
    let others = table::others(&mut *app.reader.get().await?, account.id).await?;
    let gone = others.iter().filter(|row| row.last_seen > 0 && app.now() - row.last_seen >= exchange::GONE);
    let gone = gone.filter_map(|row| row.device.parse().ok());
    let removed = mine.roster.devices().into_iter().filter(|(_, standing)| *standing == Standing::Removed);
    let former = shared::former(&mut *app.reader.get().await?, account.id).await?;
    let former = former.into_iter().filter_map(|(device, _)| device.parse().ok());
    let out: BTreeSet<DeviceId> = gone.chain(removed.map(|(device, _)| device)).chain(former).collect();
    for device in out.into_iter().filter(|device| *device != mine.device.id()) {
        if let Some(raw_name) = folders.get(&device.inbox()) {
            session.delete_folder(raw_name).await?;
        }
    }
    Ok(())
}
