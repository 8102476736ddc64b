//! A Mailkeep that does not show itself: it lays nothing into the mailbox, looks at nothing there, and takes away what it laid.

use super::lay::lay;
use super::mine::Mine;
use super::pairing::{Event, Shown};
use super::{hear, household, round};
use crate::crypto::devices::verified_announcement;
use crate::engine::accounts::Settings;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::settings;
use crate::mail::ids::Uid;
use crate::mail::sma::{ANNOUNCEMENTS, FolderKind, Kind, Letter};
use crate::network::imap::Session;
use crate::storage::database::devices as table;
use crate::storage::database::{AccountRow, commit};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether this Mailkeep shows itself to the owner's other devices: `on` or `off`.
pub const ANNOUNCE: &str = "devices.announce";

/// Whether it does not.
pub(super) async fn is_off(app: &App) -> Result<bool, Failure> {
    Ok(settings::get(app, ANNOUNCE).await? == "off")
}

/// Refuses what needs the other devices.
pub(super) async fn must_be_on(app: &App) -> Result<(), Failure> {
    if is_off(app).await? {
        return Err(Failure::refused(
            "This Mailkeep does not show itself to your other devices, so they would not hear of it; let it show itself (set \
             devices.announce to on), and try again",
        ));
    }
    Ok(())
}

/// Ends what goes on, says it, and takes this device's folder and its announcement away, once. For whoever has the turn.
pub(super) async fn withdraw(app: &Arc<App>, account: &AccountRow) -> Result<(), Failure> {
    let there = {
        let mut reader = app.reader.get().await?;
        Mine::load(&mut reader, account).await?
    };
    let Some(mine) = there else { return Ok(()) };
    if app.devices.shown(account.id) != Shown::Nothing || mine.joined().is_some() {
        hear::step(app, account, Event::End).await?;
        app.devices.note(account.id, None);
        household::say(app);
    }
    if mine.row.withdrawn {
        return Ok(());
    }
    forget_letters(app, account, &[Kind::Removed, Kind::PairCancel]).await?;
    let login = Settings::of(account)?.imap_login()?;
    let mut session = Session::open(&app.dialer, &login).await?;
    let done = leave(app, account, &mut session, &mine).await;
    session.logout().await;
    done?;
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let Some(mut mine) = Mine::load(&mut c, account).await? else { return Ok(()) };
    mine.row.announced.clear();
    mine.row.announced_at = 0;
    mine.row.withdrawn = true;
    mine.save(&mut c).await?;
    Ok(commit(c).await?)
}

/// This device shows itself from now on.
pub(super) async fn show(app: &App, account: &AccountRow) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    if let Some(mut mine) = Mine::load(&mut c, account).await?.filter(|mine| mine.row.withdrawn) {
        mine.row.withdrawn = false;
        mine.save(&mut c).await?;
        commit(c).await?;
    }
    Ok(())
}

/// What is on its way goes no further, but for what is of these kinds.
pub(super) async fn forget_letters(app: &App, account: &AccountRow, but: &[Kind]) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    loop {
        let letters = table::letters(&mut c, account.id).await?;
        let stays = |raw: &[u8]| {
            let letter = Letter::read(raw).ok();
            letter.is_some_and(|letter| but.contains(&letter.marker.kind))
        };
        let goes: Vec<i64> = letters.iter().filter(|l| !stays(&l.bytes)).map(|l| l.number).collect();
        for number in &goes {
            table::posted(&mut c, *number).await?;
        }
        if goes.is_empty() {
            return Ok(commit(c).await?);
        }
    }
}

/// All folders of this kind, by their names for people.
async fn folders(session: &mut Session) -> Result<BTreeMap<String, String>, Failure> {
    let listed = session.folders().await?.into_iter().filter(|folder| folder.selectable);
    let known = listed.filter_map(|folder| match FolderKind::of(&folder.name, folder.delimiter)? {
        FolderKind::Announcements => Some((ANNOUNCEMENTS.to_owned(), folder.raw_name)),
        FolderKind::Inbox(device) => Some((device.inbox(), folder.raw_name)),
    });
    Ok(known.collect())
}

async fn leave(app: &App, account: &AccountRow, session: &mut Session, mine: &Mine) -> Result<(), Failure> {
    let there = folders(session).await?;
    // A removal that nobody heard of yet is said before this device falls silent.
    let said = lay(app, account, session, &there).await;
    let inbox = mine.device.id().inbox();
    if let Some(raw_name) = there.get(&inbox) {
        session.delete_folder(raw_name).await?;
    }
    let lies_there = match there.get(ANNOUNCEMENTS) {
        Some(raw_name) => {
            take_away(session, raw_name, mine).await?;
            announced(session, raw_name, mine).await?
        }
        None => false,
    };
    // A server may say no to any of it, and is asked again then.
    if lies_there || folders(session).await?.contains_key(&inbox) {
        return Err(Failure::failed(format!(
            "The mail server of {} does not let Mailkeep take its folder away; it tries again by itself",
            account.address
        )));
    }
    // Where nobody else says that they are there, nobody needs the folder.
    if let Some(raw_name) = there.get(ANNOUNCEMENTS) {
        session.select(raw_name).await?;
        if session.uids().await?.is_empty() {
            session.select("INBOX").await?;
            session.delete_folder(raw_name).await?;
        }
    }
    said
}

/// This device's own announcements, as many as are found.
async fn own(session: &mut Session, raw_name: &str, mine: &Mine) -> Result<Vec<Uid>, Failure> {
    let mut ours = Vec::new();
    for time in 0..round::MOST_TIMES {
        let (found, large) = round::read(session, raw_name, time * round::AT_ONCE).await?;
        let is_last = found.len() + large.len() == 0;
        ours.extend(found.into_iter().filter(|(_, raw)| is_ours(raw, mine)).map(|(uid, _)| uid));
        if is_last {
            break;
        }
    }
    Ok(ours)
}

async fn take_away(session: &mut Session, raw_name: &str, mine: &Mine) -> Result<(), Failure> {
    let ours = own(session, raw_name, mine).await?;
    Ok(session.delete_ours(&ours).await?)
}

async fn announced(session: &mut Session, raw_name: &str, mine: &Mine) -> Result<bool, Failure> {
    Ok(!own(session, raw_name, mine).await?.is_empty())
}

fn is_ours(raw: &[u8], mine: &Mine) -> bool {
    let announced = Letter::read(raw).ok().and_then(|letter| verified_announcement(&letter.signed).ok());
    announced.is_some_and(|(payload, announce)| {
        payload.from == mine.device.id() && announce.keys == mine.device.keys()
    })
}
