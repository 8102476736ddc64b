//! The copy of a sent message in the server's Sent folder, exactly once.
//!
//! It is laid there after sending and without keeping the outbox: one session for each account, and an account whose
//! server refuses is left alone for a while.

use super::accounts;
use super::app::App;
use super::failure::Failure;
use super::read;
use crate::mail::ids::{AccountId, MessageId};
use crate::network::imap::{ImapError, Session};
use crate::storage::database::{self, AccountRow, OutboxRow, commit, outbox};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A server that could not be reached is asked again after so long, …
const SOON: Duration = Duration::from_secs(270);
/// … one that refused the login or the like after so long: asking often locks accounts.
const LATER: Duration = Duration::from_secs(4 * 3600);

/// Which accounts are left alone, and until when.
pub(super) type Refusals = HashMap<AccountId, Instant>;

/// Lays the copies that are missing into Sent. What fails is tried again later.
///
/// # Errors
/// When the store fails.
pub(super) async fn lay(app: &Arc<App>, entries: Vec<OutboxRow>) -> Result<(), Failure> {
    let mut wanted: BTreeMap<i64, Vec<MessageId>> = BTreeMap::new();
    for entry in entries {
        wanted.entry(entry.account.0).or_default().push(entry.id);
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let mut refusals = app.copying.lock().await;
    let rows = database::accounts::list(&mut *app.reader.get().await?).await?;
    for (account, ids) in wanted {
        let Some(row) = rows.iter().find(|row| row.id.0 == account) else { continue };
        if refusals.get(&row.id).is_some_and(|until| Instant::now() < *until) {
            continue;
        }
        match lay_for(app, row, &ids).await? {
            None => drop(refusals.remove(&row.id)),
            Some(wait) => drop(refusals.insert(row.id, Instant::now() + wait)),
        }
        if app.stopping.is_cancelled() {
            break;
        }
    }
    Ok(())
}

/// Lays the copies of one account; gives how long its server is to be left alone.
async fn lay_for(
    app: &Arc<App>,
    account: &AccountRow,
    ids: &[MessageId],
) -> Result<Option<Duration>, Failure> {
    let Ok(login) = accounts::Settings::of(account).and_then(|settings| settings.imap_login()) else {
        return Ok(Some(LATER));
    };
    let mut session = match Session::open(&app.dialer, &login).await {
        Ok(session) => session,
        Err(error) => return Ok(Some(put_off(&error))),
    };
    let mut wait = None;
    for id in ids {
        // Whoever had the turn before may have laid it by now.
        let entry = outbox::by_id(&mut *app.reader.get().await?, *id).await?;
        if entry.is_none_or(|entry| entry.copied) {
            continue;
        }
        let opened = match read::open(app, &id.to_string()).await {
            Ok(opened) => opened,
            Err(error) => {
                tracing::warn!(%error, message.id = %id, "A sent message cannot be read, so no copy lies in Sent");
                continue;
            }
        };
        if let Err(error) = append(&mut session, &opened).await {
            wait = Some(put_off(&error));
            if error.leaves_session_usable() {
                continue;
            }
            break;
        }
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        outbox::set_copied(&mut c, opened.row.number).await?;
        commit(c).await?;
        drop(writer);
        app.push_wanted.send_replace(());
    }
    session.logout().await;
    Ok(wait)
}

fn put_off(error: &ImapError) -> Duration {
    tracing::info!(%error, "The copy in Sent waits for the server");
    if error.is_temporary() { SOON } else { LATER }
}

/// A copy that is there already, from us or the server itself, counts.
async fn append(session: &mut Session, opened: &read::Opened) -> Result<(), ImapError> {
    let folders = session.folders().await?;
    let Some(sent) = folders.iter().find(|f| super::sync::role_word(f.role) == "sent") else {
        let raw_name = session.create_folder("Sent").await?;
        return session.append(&raw_name, opened.stored(), &["\\Seen"], None).await.map(drop);
    };
    session.select(&sent.raw_name).await?;
    if let Some(id) = &opened.message.message_id
        && !session.find_message_id(id).await?.is_empty()
    {
        return Ok(());
    }
    session.append(&sent.raw_name, opened.stored(), &["\\Seen"], None).await.map(drop)
}
