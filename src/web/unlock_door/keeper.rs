//! Keeps the unlock address there while the store is locked, and takes it away when it is unlocked.

use super::{UnlockDoor, router};
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::remote_access::unlock_onion::{self, Plan};
use crate::engine::vault::Vault;
use crate::network::dialer::Service;
use crate::web::listener::{self, Gate};
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// So long after it could not be announced it is tried again.
const AGAIN: Duration = Duration::from_secs(30);
/// So long the Tor of the store that was just locked has to end, before another one begins on the same folder.
const ENDING: Duration = Duration::from_secs(2);
/// So long after the store was unlocked what is being answered may take to its end.
const LINGER: Duration = Duration::from_secs(60);
/// So long the last answer has to get through Tor.
const ON_THE_WAY: Duration = Duration::from_secs(5);

/// Tells when the store is unlocked and locked.
type Open = watch::Receiver<Option<Arc<App>>>;

/// What keeps the unlock address.
pub struct Keeper {
    vault: Arc<Vault>,
    door: Arc<UnlockDoor>,
}

/// The door answers to an address while this is there.
struct Answering<'a>(&'a UnlockDoor, String);

impl<'a> Answering<'a> {
    fn begin(door: &'a UnlockDoor, address: String) -> Self {
        door.change_name(&address, true);
        Self(door, address)
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.change_name(&self.1, false);
    }
}

/// Why looking after it ended.
enum Ended {
    /// The store was unlocked.
    Unlocked,
    /// What is to be announced is something else, or nothing.
    Changed,
    /// Tor ended it.
    Lost,
}

impl Keeper {
    /// What keeps the address of a door.
    #[must_use]
    pub fn new(vault: Arc<Vault>) -> Self {
        Self { door: UnlockDoor::new(Arc::clone(&vault)), vault }
    }

    /// Keeps it until told to stop.
    pub async fn keep(self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.look_after() => {}
        }
        self.vault.close_porch();
    }

    async fn look_after(&self) {
        let mut open = self.vault.watch();
        loop {
            if open.borrow_and_update().is_some() {
                if open.changed().await.is_err() {
                    return;
                }
                tokio::time::sleep(ENDING).await;
            } else {
                if !self.of_locked(&mut open).await {
                    return;
                }
                // The store went on with its Tor; one that was begun too late for that ends.
                self.vault.close_porch();
                if open.borrow().is_none() {
                    tokio::time::sleep(ENDING).await;
                }
            }
        }
    }

    /// Keeps that of a locked store until it is unlocked; false where nobody can unlock it any more.
    async fn of_locked(&self, open: &mut Open) -> bool {
        let mut visits = self.vault.visits();
        loop {
            visits.borrow_and_update();
            let plan = if self.vault.exists() { unlock_onion::plan(&self.vault) } else { Ok(None) };
            let ended = match plan {
                Ok(Some(plan)) => self.announced(&plan, open, &mut visits).await,
                // What cannot be read is not announced.
                nothing => {
                    if let Err(error) = nothing {
                        tracing::warn!(%error, "What the unlock address needs cannot be read");
                    }
                    self.vault.close_porch();
                    tokio::select! {
                        changed = open.changed() => return changed.is_ok(),
                        visited = visits.changed() => if visited.is_err() { return false },
                    }
                    continue;
                }
            };
            match ended {
                Ok(Ended::Unlocked) => return true,
                Ok(Ended::Changed) => {}
                lost => {
                    if let Err(error) = lost {
                        tracing::warn!(%error, "The unlock address is not announced; it is tried again soon");
                    }
                    tokio::select! {
                        changed = open.changed() => return changed.is_ok(),
                        visited = visits.changed() => if visited.is_err() { return false },
                        () = tokio::time::sleep(AGAIN) => {}
                    }
                }
            }
        }
    }

    /// Announces it and lets in who comes, until it is to end.
    async fn announced(
        &self,
        plan: &Plan,
        open: &mut Open,
        visits: &mut watch::Receiver<()>,
    ) -> Result<Ended, Failure> {
        // Who unlocks at home meanwhile does not wait for Tor.
        let mut service = tokio::select! {
            service = unlock_onion::open(&self.vault, plan) => service?,
            _ = open.changed() => return Ok(Ended::Unlocked),
        };
        let _answering = Answering::begin(&self.door, plan.address());
        let (gate, _, arrivals) = listener::arrivals();
        let stop = CancellationToken::new();
        let serving =
            tokio::spawn(listener::serve_router(router(Arc::clone(&self.door)), arrivals, stop.clone()));
        // What came in by it ends with it.
        let cut = CancellationToken::new();
        let _cut = cut.clone().drop_guard();
        let ended = self.attend(plan, &mut service, &gate, &cut, open, visits).await;
        if matches!(ended, Ended::Unlocked) {
            // The answer to who unlocked it is on its way, or waits for its moment; nobody else is let in.
            stop.cancel();
            if tokio::time::timeout(LINGER, serving).await.is_ok() {
                tokio::time::sleep(ON_THE_WAY).await;
            }
        } else {
            serving.abort();
        }
        Ok(ended)
    }

    async fn attend(
        &self,
        plan: &Plan,
        service: &mut Service,
        gate: &Gate,
        cut: &CancellationToken,
        open: &mut Open,
        visits: &mut watch::Receiver<()>,
    ) -> Ended {
        let mut news = Box::pin(service.news());
        let mut said = false;
        loop {
            let arrived = async {
                let pipe = service.next().await?;
                Some((pipe, gate.room().await?))
            };
            tokio::select! {
                _ = open.changed() => return Ended::Unlocked,
                arrived = arrived => {
                    let Some((pipe, room)) = arrived else { return Ended::Lost };
                    if !gate.enter(pipe, room, cut).await {
                        return Ended::Lost;
                    }
                }
                told = news.next() => {
                    let Some(Some(reachable)) = told else { return Ended::Lost };
                    if reachable && !said {
                        said = true;
                        tracing::info!("The unlock address is announced");
                    }
                }
                _ = visits.changed() => {
                    let now = unlock_onion::plan(&self.vault).ok().flatten();
                    if now.as_ref() != Some(plan) {
                        return Ended::Changed;
                    }
                }
            }
        }
    }
}
