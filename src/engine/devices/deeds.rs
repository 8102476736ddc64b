//! What a person does about devices beside pairing: ends a pairing, names a device, begins anew with one that was removed.

use super::pairing::Event;
use super::{Mine, household, mine, must_run, round, rows, shared, step, withdraw};
use crate::crypto::devices::Standing;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::settings;
use crate::mail::sma::{DeviceId, Kind};
use crate::storage::database::{commit, shared as table};
use serde::Serialize;
use std::sync::{Arc, PoisonError};

/// Pairings that were ended.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ended {
    /// How many.
    pub cancelled: usize,
}

/// Ends the pairing that goes on, or waits for what the other device knows; without an address, those of all accounts. What was
/// said of an earlier one is forgotten, too.
///
/// # Errors
/// When the store fails.
pub async fn cancel(app: &Arc<App>, address: Option<&str>) -> Result<Ended, Failure> {
    must_run(app)?;
    let mut cancelled = 0;
    for account in rows(app).await?.iter().filter(|a| address.is_none_or(|it| it == a.address)) {
        let mine = Mine::load(&mut *app.reader.get().await?, account).await?;
        let is_joining = mine.is_some_and(|mine| mine.joined().is_some());
        if is_joining || app.devices.shown(account.id) != super::pairing::Shown::Nothing {
            cancelled += 1;
            step(app, account, Event::End).await?;
            // Where the server is away, the other device's patience ends it.
            if let Err(error) = round::round(app, account).await {
                tracing::info!(%error, "Devices wait for the server");
            }
        }
        app.devices.note(account.id, None);
        app.devices.sight.forget(account.id);
    }
    household::say(app);
    Ok(Ended { cancelled })
}

/// Names a device; the others hear of it when this one speaks next.
///
/// # Errors
/// Usage, where it cannot be called so; not found, where no such device is paired.
pub async fn rename(app: &Arc<App>, id: &str, name: &str) -> Result<super::Shape, Failure> {
    let name = shared::sound_name(name)?;
    let device: Option<DeviceId> = id.parse().ok();
    let mut named = false;
    for account in rows(app).await? {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        let Some(mine) = Mine::load(&mut c, &account).await? else { continue };
        let is_named = |standing: &Standing| matches!(standing, Standing::Member { .. } | Standing::Disputed);
        let roster = mine.roster.devices();
        let Some(device) = device.filter(|it| roster.get(it).is_some_and(is_named)) else { continue };
        shared::rename(&mut c, mine.device.id(), device, &name, app.now()).await?;
        commit(c).await?;
        drop(writer);
        app.devices.changed();
        household::say(app);
        named = true;
        break;
    }
    let listed = super::list(app).await?.into_iter().find(|shape| named && shape.id == id);
    listed.ok_or_else(|| Failure::not_found(format!("There is no paired device {id}")))
}

/// Makes this device a new one for an account from whose devices it was removed, whose devices contradict each other about it, or
/// whose roster is full; it has to be let in like any other.
///
/// # Errors
/// Refused, where neither is so.
pub async fn begin_anew(app: &Arc<App>, address: &str) -> Result<(), Failure> {
    let account = crate::engine::accounts::find(app, address).await?;
    {
        let _turn = app.devices.turn.lock().await;
        let is_out = |mine: &Mine| {
            matches!(mine.roster.standing(mine.device.id()), Standing::Removed | Standing::Disputed)
                || mine.roster.is_full()
        };
        let mine = Mine::load(&mut *app.reader.get().await?, &account).await?;
        let Some(mine) = mine.filter(is_out) else {
            return Err(Failure::refused(format!("This device was not removed from those of {address}")));
        };
        // Whom it removed itself the others hear of all the same.
        withdraw::forget_letters(app, &account, &[Kind::Removed]).await?;
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        let keys = mine::keys_bytes(&mine.device.keys());
        table::was(&mut c, account.id, &mine.device.id().to_string(), &keys).await?;
        table::forget(&mut c, account.id).await?;
        commit(c).await?;
        app.devices.pairings.lock().unwrap_or_else(PoisonError::into_inner).remove(&account.id);
    }
    app.devices.note(account.id, None);
    app.devices.sight.forget(account.id);
    // The new one is there at once; the server hears of it with the next round.
    round::known(app, &account).await?;
    app.devices.changed();
    household::say(app);
    Ok(())
}

/// A signature that stood here until another device's took its place.
#[derive(Clone, Debug)]
pub struct Before {
    /// By what it is known.
    pub number: i64,
    /// The signature.
    pub text: String,
    /// When it gave way, UTC seconds.
    pub at: i64,
}

/// All of them, the last one first.
///
/// # Errors
/// When the store fails.
pub async fn signatures(app: &App) -> Result<Vec<Before>, Failure> {
    let rows = table::signatures(&mut *app.reader.get().await?).await?;
    Ok(rows.into_iter().map(|(number, text, at)| Before { number, text, at }).collect())
}

/// Sets the signature to one from before; the one that stands there takes its place among them.
///
/// # Errors
/// Not found, where there is none of that number.
pub async fn use_signature(app: &App, number: i64) -> Result<(), Failure> {
    let Some(before) = signatures(app).await?.into_iter().find(|before| before.number == number) else {
        return Err(Failure::not_found("That signature is not kept any more"));
    };
    let stands = settings::get(app, shared::SIGNATURE_SETTING).await?;
    {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        if !stands.is_empty() && stands != before.text {
            table::keep_signature(&mut c, &stands, app.now()).await?;
        }
        commit(c).await?;
    }
    settings::set(app, shared::SIGNATURE_SETTING, &before.text).await?;
    app.devices.changed();
    forget_signature(app, number).await
}

/// Forgets a signature from before.
///
/// # Errors
/// When the store fails.
pub async fn forget_signature(app: &App, number: i64) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    table::forget_signature(&mut c, number).await?;
    Ok(commit(c).await?)
}
