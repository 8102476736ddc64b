//! Keeps the onion service there while it is wanted and the store is unlocked, and hands what comes in to the remote door.

use super::Web;
use super::listener::Gate;
use super::names::AfarName;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::remote_access::onion::{self, Plan, State};
use crate::engine::vault::Vault;
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// So long after it could not be announced it is tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// The remote door answers to a name while this is there.
struct Answering<'a> {
    door: &'a Web,
    name: &'a AfarName,
}

impl<'a> Answering<'a> {
    fn begin(door: &'a Web, name: &'a AfarName) -> Self {
        door.change_name(name, true);
        Self { door, name }
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.door.change_name(self.name, false);
    }
}

/// What keeps the onion service.
pub struct Keeper<S> {
    /// The store.
    pub vault: Arc<Vault>,
    /// The remote door.
    pub door: Arc<Web>,
    /// Where connections go in.
    pub gate: Gate,
    /// Whether it is wanted whatever the settings say.
    pub always: bool,
    /// Is told the address whenever it was announced.
    pub say: S,
}

/// Why looking after a service ended.
enum Ended {
    /// Something changed: look at everything anew.
    Changed,
    /// The store is being locked.
    Closed,
    /// Tor ended it.
    Lost,
}

impl<S: Fn(&str) + Send + Sync> Keeper<S> {
    /// Keeps it until told to stop.
    pub async fn keep(self, stop: CancellationToken) {
        let mut open = self.vault.watch();
        loop {
            let app = open.borrow_and_update().clone();
            if let Some(app) = app {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = app.stopping.cancelled() => {}
                    () = self.of_store(&app) => {}
                }
                app.remote_access.onion.send_replace(State::Off);
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = open.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Keeps that of an open store; ends when it is closed.
    async fn of_store(&self, app: &App) {
        let mut changed = onion::watch(app);
        let tell = |state: State| app.remote_access.onion.send_replace(state);
        let mut logged = String::new();
        loop {
            changed.borrow_and_update();
            let ended = match onion::is_wanted(app).await {
                Ok(wanted) if wanted || self.always => self.announced(app, &mut changed).await,
                Ok(_) => {
                    tell(State::Off);
                    // Those that began by it end with it, also where Tor had lost it.
                    if let Ok(Some(address)) = onion::address(app).await {
                        app.remote_access.sessions.end_of_host(&address);
                    }
                    if changed.changed().await.is_err() { Ok(Ended::Closed) } else { Ok(Ended::Changed) }
                }
                Err(failure) => Err(failure),
            };
            let words = match ended {
                Ok(Ended::Changed) => continue,
                Ok(Ended::Closed) => return,
                Ok(Ended::Lost) => "Tor ended it; it is announced again soon".to_owned(),
                Err(failure) => failure.words,
            };
            if words != logged {
                tracing::warn!(error = words, "The onion address is not announced; it is tried again soon");
                logged.clone_from(&words);
            }
            tell(State::Trouble(words));
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                changed = changed.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Announces it and lets in who comes, until something changes.
    async fn announced(
        &self,
        app: &App,
        changed: &mut tokio::sync::watch::Receiver<()>,
    ) -> Result<Ended, Failure> {
        app.remote_access.onion.send_replace(State::Starting);
        let plan = onion::plan(app).await?;
        let name = AfarName::onion(&plan.address);
        let _there = Answering::begin(&self.door, &name);
        // What came in by it ends with it.
        let cut = CancellationToken::new();
        let _cut = cut.clone().drop_guard();
        self.attend(app, &plan, &name, changed, &cut).await
    }

    async fn attend(
        &self,
        app: &App,
        plan: &Plan,
        name: &AfarName,
        changed: &mut tokio::sync::watch::Receiver<()>,
        cut: &CancellationToken,
    ) -> Result<Ended, Failure> {
        let mut service = onion::open(app, plan).await?;
        let mut news = Box::pin(service.news());
        let mut said = false;
        loop {
            let arrived = async {
                let pipe = service.next().await?;
                Some((pipe, self.gate.room().await?))
            };
            tokio::select! {
                arrived = arrived => {
                    let Some((pipe, room)) = arrived else { return Ok(Ended::Lost) };
                    if !self.gate.enter(pipe, room, cut).await {
                        return Ok(Ended::Closed);
                    }
                }
                told = news.next() => {
                    let Some(Some(reachable)) = told else { return Ok(Ended::Lost) };
                    let state = if reachable { State::Reachable } else { State::Starting };
                    app.remote_access.onion.send_replace(state);
                    if reachable && !said {
                        said = true;
                        (self.say)(&name.address());
                    }
                }
                there = changed.changed() => {
                    if there.is_err() {
                        return Ok(Ended::Closed);
                    }
                    let now = onion::plan(app).await?;
                    let wanted = self.always || onion::is_wanted(app).await?;
                    if !wanted || now.address != plan.address {
                        app.remote_access.sessions.end_of_host(&plan.address);
                        return Ok(Ended::Changed);
                    }
                    onion::restrict(&service, &now)?;
                }
            }
        }
    }
}
