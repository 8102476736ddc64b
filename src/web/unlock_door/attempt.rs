//! One attempt to unlock from afar, and the moment of its answer.
//!
//! Answers go out on a grid of [`SLOT`]s from the arrival of the form. Proving the passphrase, opening the database and looking at
//! the code have one slot; what takes longer is given up. So whoever does not get in hears of it one slot after the form arrived,
//! to whatever end it was looked at; opening the whole store, for who does, may take further slots.

use super::UnlockDoor;
use crate::crypto::secret::SecretText;
use crate::engine::remote_access::onion;
use crate::engine::vault::Admission;
use crate::web::auth::Guesser;
use std::sync::Arc;
use std::time::Duration;

/// From one moment at which answers go out to the next. The passphrase takes about half a second.
pub(super) const SLOT: Duration = Duration::from_secs(10);

/// The first moment of the grid that is not over: at least one slot after what arrived `then`.
pub(super) fn moment(then: Duration, now: Duration) -> Duration {
    let slots = now.saturating_sub(then).as_nanos().div_ceil(SLOT.as_nanos()).max(1);
    then + SLOT.saturating_mul(u32::try_from(slots).unwrap_or(u32::MAX))
}

/// Looks at what somebody typed and answers at the next moment of the grid: with the mailbox's own address (empty where it has
/// none) where the store is unlocked by it.
pub(super) async fn attempt(
    door: Arc<UnlockDoor>,
    passphrase: SecretText,
    code: SecretText,
) -> Option<String> {
    let arrived = door.clock.now();
    // It counts before it is looked at, and is not looked at while another one is: it is answered like a wrong one.
    let admitted = door.throttle.attempt(Guesser::Stranger).is_ok();
    let turn = door.turn.try_lock().ok().filter(|_| admitted);
    let address = match &turn {
        Some(_) => match look(&door, &passphrase, &code, moment(arrived, arrived)).await {
            Some(admission) => let_in(&door, admission).await,
            None => None,
        },
        None => None,
    };
    door.clock.until(moment(arrived, door.clock.now())).await;
    address
}

/// Looks at it for as long as there is time.
async fn look(
    door: &UnlockDoor,
    passphrase: &SecretText,
    code: &SecretText,
    due: Duration,
) -> Option<Admission> {
    let admitted = door.vault.admit(passphrase, code.expose(), door.clock.unix());
    tokio::select! {
        // What is done too late is too late, however late this is looked at.
        biased;
        () = door.clock.until(due) => {
            tracing::warn!("A try to unlock from afar took too long and was given up");
            None
        }
        admitted = admitted => admitted.unwrap_or_else(|error| {
            tracing::warn!(%error, "A try to unlock from afar could not be looked at");
            None
        }),
    }
}

async fn let_in(door: &UnlockDoor, admission: Admission) -> Option<String> {
    match door.vault.let_in(admission).await {
        Ok(app) => {
            door.throttle.note(Guesser::Stranger, true);
            tracing::warn!("Mailkeep was unlocked from afar");
            Some(onion::address(&app).await.ok().flatten().unwrap_or_default())
        }
        Err(error) => {
            tracing::error!(%error, "The store could not be unlocked from afar");
            None
        }
    }
}
