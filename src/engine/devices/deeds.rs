//! What a person does about devices beside pairing: ends a pairing, names a device, begins anew with one that was removed.

use super::pairing::Event;
use super::{Mine, household, must_run, round, rows, shared, step};
use crate::crypto::devices::Standing;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::mail::sma::DeviceId;
use crate::storage::database::{commit, shared as table};
use serde::Serialize;
use std::sync::{Arc, PoisonError};

/// Pairings that were ended.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ended {
    /// How many.
    pub cancelled: usize,
}

/// Ends the pairing that goes on; without an address, those of all accounts. What was said of an earlier one is forgotten, too.
///
/// # Errors
/// When the store fails.
pub async fn cancel(app: &Arc<App>, address: Option<&str>) -> Result<Ended, Failure> {
    must_run(app)?;
    let mut cancelled = 0;
    for account in rows(app).await?.iter().filter(|a| address.is_none_or(|it| it == a.address)) {
        if app.devices.shown(account.id) != super::pairing::Shown::Nothing {
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

/// Names a device, on all devices.
///
/// # Errors
/// Usage, where it cannot be called so; not found, where no such device is paired.
pub async fn rename(app: &Arc<App>, id: &str, name: &str) -> Result<super::Shape, Failure> {
    let name = shared::sound_name(name)?;
    let device: Option<DeviceId> = id.parse().ok();
    for account in rows(app).await? {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        let Some(mine) = Mine::load(&mut c, &account).await? else { continue };
        let is_named = |standing: &Standing| matches!(standing, Standing::Member { .. });
        let roster = mine.roster.devices();
        let Some(device) = device.filter(|it| roster.get(it).is_some_and(is_named)) else { continue };
        shared::rename(&mut c, mine.device.id(), device, &name, app.now()).await?;
        commit(c).await?;
        drop(writer);
        app.devices.changed();
        household::say(app);
        break;
    }
    let listed = super::list(app).await?.into_iter().find(|shape| shape.id == id && shape.name == name);
    listed.ok_or_else(|| Failure::not_found(format!("There is no paired device {id}")))
}

/// Makes this device a new one for an account from whose devices it was removed, or whose devices contradict each other about
/// it; it has to be let in like any other.
///
/// # Errors
/// Usage, where neither is so.
pub async fn begin_anew(app: &Arc<App>, address: &str) -> Result<(), Failure> {
    let account = crate::engine::accounts::find(app, address).await?;
    {
        let _turn = app.devices.turn.lock().await;
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        let is_out = Mine::load(&mut c, &account).await?.is_some_and(|mine| {
            matches!(mine.roster.standing(mine.device.id()), Standing::Removed | Standing::Disputed)
        });
        if !is_out {
            return Err(Failure::usage(format!("This device was not removed from those of {address}")));
        }
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
