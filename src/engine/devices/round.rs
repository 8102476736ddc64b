//! One round at an account's server: the folders are there, what lay in them is taken in, what is due is laid. Done by the
//! background task beside sync, and by whoever waits for the other device.

use super::hear::{self, Fate};
use super::household;
use super::mine::Mine;
use super::pairing::{Event, Shown};
use super::speak;
use super::withdraw;
use crate::crypto::devices::Standing;
use crate::engine::accounts::Settings;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::mail::ids::Uid;
use crate::mail::sma::{ANNOUNCEMENTS, FolderKind, LETTER_MAX};
use crate::network::imap::{Fetched, Session};
use crate::storage::database::{AccountRow, accounts, commit, devices as table};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the folders are looked into.
const EVERY: Duration = Duration::from_secs(300);
/// How often while a pairing goes on.
const SOON: Duration = Duration::from_secs(3);
/// So many messages of a folder are taken in at a time.
const AT_ONCE: usize = 64;
/// So often in a round this device's own folder is looked into.
const MOST_TIMES: usize = 8;

/// The background task, for all accounts.
///
/// # Errors
/// When the store fails; the supervisor starts it again.
pub async fn run(app: Arc<App>, stop: CancellationToken) -> Result<(), Failure> {
    app.devices.runs.store(true, Ordering::Relaxed);
    loop {
        let rows = accounts::list(&mut *app.reader.get().await?).await?;
        let mut wait = if app.devices.sight.is_watched(app.now()) { SOON } else { EVERY };
        for account in &rows {
            if let Err(error) = round(&app, account).await {
                tracing::info!(%error, "Devices wait for the server");
            }
            if app.devices.shown(account.id) != Shown::Nothing || is_joining(&app, account).await? {
                wait = SOON;
            }
            if stop.is_cancelled() {
                return Ok(());
            }
        }
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
    if withdraw::is_off(app).await? {
        return withdraw::withdraw(app, account).await;
    }
    let before = household::mark(app, account).await?;
    let _turn = app.devices.turn.lock().await;
    let login = Settings::of(account)?.imap_login()?;
    let mut session = Session::open(&app.dialer, &login).await?;
    let done = visit(app, account, &mut session).await;
    session.logout().await;
    household::tell(app, account, before).await?;
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
    let mine = known(app, account).await?;
    let is_out = mine.roster.standing(mine.device.id()) == Standing::Removed;
    let inbox = mine.device.id().inbox();
    for name in [ANNOUNCEMENTS, inbox.as_str()] {
        // A device that was removed has no folder any more, and makes none.
        let is_wanted = !is_out || name != inbox.as_str();
        if is_wanted && !folders.contains_key(name) {
            folders.insert(name.to_owned(), session.create_hidden_folder(name).await?);
        }
    }
    if let Some(raw_name) = folders.get(ANNOUNCEMENTS) {
        announcements(app, account, session, raw_name).await?;
    }
    if let Some(raw_name) = folders.get(&inbox) {
        messages(app, account, session, raw_name).await?;
    }
    hear::step(app, account, Event::Passed).await?;
    if !is_out {
        speak::speak(app, account).await?;
    }
    lay(app, account, session, &folders).await?;
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

/// The oldest messages of a folder, in their order; what cannot be one of ours is only named.
pub(super) async fn read(
    session: &mut Session,
    raw_name: &str,
) -> Result<(Vec<(Uid, Vec<u8>)>, Vec<Uid>), Failure> {
    session.select(raw_name).await?;
    let mut uids = session.uids().await?;
    uids.truncate(AT_ONCE);
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

async fn announcements(
    app: &App,
    account: &AccountRow,
    session: &mut Session,
    raw_name: &str,
) -> Result<(), Failure> {
    let (found, _) = read(session, raw_name).await?;
    let mut over = Vec::new();
    for (uid, raw) in found {
        if hear::announced(app, account, &raw).await? == Fate::Goes {
            over.push(uid);
        }
    }
    Ok(session.delete_ours(&over).await?)
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
        let (found, mut over) = read(session, raw_name).await?;
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

/// Lays what is on its way. What may lie there already, because the program was killed, is looked for first.
async fn lay(
    app: &App,
    account: &AccountRow,
    session: &mut Session,
    folders: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let letters = table::letters(&mut *app.reader.get().await?, account.id).await?;
    for letter in letters {
        // Whose folder is gone makes it again, and hears of it then: everything is said until it is confirmed.
        if let Some(raw_name) = folders.get(&letter.folder) {
            let lies_there = letter.tried && {
                session.select(raw_name).await?;
                !session.find_message_id(&letter.message_id).await?.is_empty()
            };
            if !lies_there {
                note(app, letter.number, false).await?;
                session.append(raw_name, &letter.bytes, &["\\Seen"], None).await?;
            }
        }
        note(app, letter.number, true).await?;
    }
    Ok(())
}

async fn note(app: &App, letter: i64, done: bool) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    if done {
        table::posted(&mut c, letter).await?;
    } else {
        table::try_letter(&mut c, letter).await?;
    }
    Ok(commit(c).await?)
}

/// The folders of devices that were removed go.
async fn tidy(
    app: &App,
    account: &AccountRow,
    session: &mut Session,
    folders: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let mine = known(app, account).await?;
    let me = mine.device.id();
    for (device, standing) in mine.roster.devices() {
        if device != me
            && standing == Standing::Removed
            && let Some(raw_name) = folders.get(&device.inbox())
        {
            session.delete_folder(raw_name).await?;
        }
    }
    Ok(())
}
