//! A Mailkeep that does not show itself: it lays nothing into the mailbox, looks at nothing there, and takes away what it laid.

use super::mine::Mine;
use super::round;
use crate::crypto::devices::verified_announcement;
use crate::engine::accounts::Settings;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::settings;
use crate::mail::sma::{FolderKind, Letter};
use crate::network::imap::Session;
use crate::storage::database::{AccountRow, commit};
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
        return Err(Failure::usage(
            "This Mailkeep does not show itself to your other devices; set devices.announce to on, and try again",
        ));
    }
    Ok(())
}

/// Takes this device's folder and its announcement away, once.
pub(super) async fn withdraw(app: &Arc<App>, account: &AccountRow) -> Result<(), Failure> {
    let _turn = app.devices.turn.lock().await;
    let there = {
        let mut reader = app.reader.get().await?;
        Mine::load(&mut reader, account).await?
    };
    // Nothing lies there where nothing was announced since.
    let Some(mine) = there.filter(|mine| !mine.row.announced.is_empty()) else { return Ok(()) };
    let login = Settings::of(account)?.imap_login()?;
    let mut session = Session::open(&app.dialer, &login).await?;
    let done = take_away(&mut session, &mine).await;
    session.logout().await;
    done?;
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let Some(mut mine) = Mine::load(&mut c, account).await? else { return Ok(()) };
    mine.row.announced.clear();
    mine.row.announced_at = 0;
    mine.save(&mut c).await?;
    Ok(commit(c).await?)
}

async fn take_away(session: &mut Session, mine: &Mine) -> Result<(), Failure> {
    for folder in session.folders().await?.into_iter().filter(|folder| folder.selectable) {
        match FolderKind::of(&folder.name, folder.delimiter) {
            Some(FolderKind::Inbox(device)) if device == mine.device.id() => {
                session.delete_folder(&folder.raw_name).await?;
            }
            Some(FolderKind::Announcements) => {
                let (found, large) = round::read(session, &folder.raw_name, 0).await?;
                let all = found.len() + large.len();
                let ours: Vec<_> =
                    found.into_iter().filter(|(_, raw)| is_ours(raw, mine)).map(|(uid, _)| uid).collect();
                session.delete_ours(&ours).await?;
                // Where nobody else says that they are there, nobody needs the folder.
                if ours.len() == all {
                    session.select("INBOX").await?;
                    session.delete_folder(&folder.raw_name).await?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_ours(raw: &[u8], mine: &Mine) -> bool {
    let announced = Letter::read(raw).ok().and_then(|letter| verified_announcement(&letter.signed).ok());
    announced.is_some_and(|(payload, announce)| {
        payload.from == mine.device.id() && announce.keys == mine.device.keys()
    })
}
