//! The supervisor: while the store is unlocked it keeps the background tasks running, starts them again with back-off when
//! they fail, and stops them when it is locked.

use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::vault::Vault;
use crate::engine::{accounts, authentication, indexing, outbox, snapshots, sync};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Runs until told to stop.
pub async fn supervise(vault: Arc<Vault>, stop: CancellationToken) {
    let mut open = vault.watch();
    loop {
        let app = open.borrow_and_update().clone();
        let unlocked = stop.child_token();
        let work = app.map(|app| tokio::spawn(work(app, unlocked.clone())));
        tokio::select! {
            () = stop.cancelled() => {}
            changed = open.changed() => {
                if changed.is_err() {
                    tracing::debug!("The vault is gone");
                }
            }
        }
        unlocked.cancel();
        if let Some(work) = work
            && work.await.is_err()
        {
            tracing::error!("The background tasks did not end well");
        }
        if stop.is_cancelled() {
            return;
        }
    }
}

/// Everything that runs while the store is unlocked.
async fn work(app: Arc<App>, stop: CancellationToken) {
    let mut running = vec![
        keep(&app, "Indexing", &stop, indexing::run),
        keep(&app, "Sending", &stop, outbox::run),
        keep(&app, "Checking signatures", &stop, authentication::run),
        keep(&app, "Snapshots", &stop, snapshots::run),
    ];
    let mut syncing: BTreeMap<String, (CancellationToken, JoinHandle<()>)> = BTreeMap::new();
    loop {
        let mut changed = std::pin::pin!(app.accounts_changed.notified());
        changed.as_mut().enable();
        match accounts::ids(&app).await {
            Ok(ids) => {
                for (address, id) in &ids {
                    if !syncing.contains_key(address) {
                        let own = stop.child_token();
                        let name = format!("Mail of {address}");
                        let id = *id;
                        let handle = keep(&app, &name, &own, move |app, stop| sync::run(app, id, stop));
                        syncing.insert(address.clone(), (own, handle));
                    }
                }
                let gone: Vec<String> = syncing.keys().filter(|a| !ids.contains_key(*a)).cloned().collect();
                for address in gone {
                    if let Some((own, handle)) = syncing.remove(&address) {
                        own.cancel();
                        running.push(handle);
                    }
                }
            }
            Err(error) => tracing::error!(%error, "The accounts cannot be read"),
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = changed => {}
        }
    }
    running.extend(syncing.into_values().map(|(_, handle)| handle));
    for handle in running {
        if handle.await.is_err() {
            tracing::error!("A background task did not end well");
        }
    }
}

/// Starts a task, and starts it again after 1, 2, 4 … 300 seconds when it fails; says how it is.
fn keep<F, T>(app: &Arc<App>, name: &str, stop: &CancellationToken, task: F) -> JoinHandle<()>
where
    F: Fn(Arc<App>, CancellationToken) -> T + Send + 'static,
    T: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let (app, name, stop) = (Arc::clone(app), name.to_owned(), stop.clone());
    let health = move |app: &App, words: Option<&str>| {
        let mut all = app.health.lock().unwrap_or_else(PoisonError::into_inner);
        match words {
            Some(words) => all.insert(name.clone(), words.to_owned()),
            None => all.remove(&name),
        };
    };
    tokio::spawn(async move {
        let mut failures = 0_u32;
        loop {
            health(&app, Some("running"));
            match task(Arc::clone(&app), stop.clone()).await {
                Ok(()) => break,
                Err(error) => {
                    failures += 1;
                    let wait = Duration::from_secs((1_u64 << failures.saturating_sub(1).min(9)).min(300));
                    tracing::warn!(%error, "A background task failed and is started again");
                    health(&app, Some(&format!("{error}. Starting again in {} s.", wait.as_secs())));
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        }
        health(&app, None);
    })
}
