//! The supervisor: while the store is unlocked it keeps the background tasks running, starts them again with back-off when
//! they fail, and stops them when it is locked.

use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::vault::Vault;
use crate::engine::{
    accounts, authentication, avatars, devices, draft_copies, envelopes, indexing, keyring, lookup, outbox,
    snapshots, status, sync,
};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// So long after the accounts could not be listed they are listed again.
const LIST_AGAIN: Duration = Duration::from_secs(10);
/// A task that ran for so long was well, and its earlier failures are forgotten.
const WELL: Duration = Duration::from_secs(600);

/// Runs until told to stop.
pub async fn supervise(vault: Arc<Vault>, stop: CancellationToken) {
    let mut open = vault.watch();
    loop {
        let app = open.borrow_and_update().clone();
        // Whoever locks the store ends the work by the store's own token, and waits for it.
        let work = app.map(|app| (app.stopping.clone(), app.running.spawn(work(Arc::clone(&app)))));
        tokio::select! {
            () = stop.cancelled() => {}
            changed = open.changed() => {
                if changed.is_err() {
                    tracing::debug!("The vault is gone");
                }
            }
        }
        if let Some((stopping, work)) = work {
            stopping.cancel();
            if work.await.is_err() {
                tracing::error!("The background tasks did not end well");
            }
        }
        if stop.is_cancelled() {
            return;
        }
    }
}

/// Everything that runs while the store is unlocked.
async fn work(app: Arc<App>) {
    let stop = app.stopping.clone();
    let mut running = vec![
        keep(&app, "Indexing", &stop, indexing::run),
        keep(&app, "Sending", &stop, outbox::run),
        keep(&app, "Checking signatures", &stop, authentication::run),
        keep(&app, "Pictures of people", &stop, avatars::run),
        keep(&app, "Keys", &stop, keyring::run),
        keep(&app, "Keys of others", &stop, lookup::run),
        keep(&app, "Judging", &stop, envelopes::run),
        keep(&app, "Copies of drafts", &stop, draft_copies::run),
        keep(&app, "Devices", &stop, devices::run),
        keep(&app, "Snapshots", &stop, snapshots::run),
        tokio::spawn(status::tell_of_tor(Arc::clone(&app))),
    ];
    let mut syncing: BTreeMap<(String, i64), (CancellationToken, JoinHandle<()>)> = BTreeMap::new();
    loop {
        let mut changed = std::pin::pin!(app.accounts_changed.notified());
        changed.as_mut().enable();
        let again = match accounts::ids(&app).await {
            Ok(ids) => {
                let ids: BTreeMap<_, _> =
                    ids.into_iter().map(|(address, id)| ((address, id.0), id)).collect();
                for (account, id) in &ids {
                    if !syncing.contains_key(account) {
                        let own = stop.child_token();
                        let name = format!("Mail of {}", account.0);
                        let id = *id;
                        let handle = keep(&app, &name, &own, move |app, stop| sync::run(app, id, stop));
                        syncing.insert(account.clone(), (own, handle));
                    }
                }
                let gone: Vec<_> = syncing.keys().filter(|a| !ids.contains_key(*a)).cloned().collect();
                for account in gone {
                    if let Some((own, handle)) = syncing.remove(&account) {
                        own.cancel();
                        running.push(handle);
                    }
                }
                None
            }
            Err(error) => {
                tracing::error!(%error, "The accounts cannot be read; they are read again");
                Some(LIST_AGAIN)
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = changed => {}
            () = tokio::time::sleep(again.unwrap_or_default()), if again.is_some() => {}
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
            let begun = Instant::now();
            // In a task of its own, so that a panic ends there.
            let ended = tokio::spawn(task(Arc::clone(&app), stop.clone())).await;
            match ended
                .unwrap_or_else(|_| Err(Failure::failed("It broke off inside Mailkeep; please report it")))
            {
                Ok(()) => break,
                Err(error) => {
                    failures = if begun.elapsed() >= WELL { 1 } else { failures + 1 };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::passphrase::Cost;
    use crate::crypto::secret::SecretText;
    use crate::storage::packs::{Prepared, RecordMeta};
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn a_task_that_panics_is_started_again_and_its_health_says_why() {
        let home = tempfile::tempdir().unwrap();
        let vault = Vault::new(&home.path().join("data"));
        let words = SecretText::new("seven quiet herons".into());
        let app = vault.create(&words, Some(Cost::MINIMUM)).await.unwrap();
        let seen = Arc::new(std::sync::Mutex::new(String::new()));
        let runs = Arc::new(AtomicU32::new(0));
        let (counted, noted) = (Arc::clone(&runs), Arc::clone(&seen));
        let task = keep(&app, "Trying", &app.stopping, move |app, _| {
            let run = counted.fetch_add(1, Ordering::SeqCst);
            let noted = Arc::clone(&noted);
            async move {
                assert!(run > 0, "the first run panics");
                *noted.lock().unwrap() = app.health.lock().unwrap()["Trying"].clone();
                Ok(())
            }
        });
        let says = |words: &str| app.health.lock().unwrap().get("Trying").is_some_and(|w| w.contains(words));
        while !says("broke off") {
            tokio::task::yield_now().await;
        }
        task.await.unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), 2);
        assert_eq!(*seen.lock().unwrap(), "running");
        vault.lock().await;
    }

    #[tokio::test]
    async fn locking_waits_for_what_runs_and_the_old_store_changes_nothing_afterwards() {
        let home = tempfile::tempdir().unwrap();
        let vault = Arc::new(Vault::new(&home.path().join("data")));
        let words = SecretText::new("seven quiet herons".into());
        let stop = CancellationToken::new();
        let supervisor = tokio::spawn(supervise(Arc::clone(&vault), stop.clone()));
        let app = vault.create(&words, Some(Cost::MINIMUM)).await.unwrap();
        while app.health.lock().unwrap().len() < 3 {
            tokio::task::yield_now().await;
        }
        vault.lock().await;
        assert!(app.health.lock().unwrap().is_empty(), "every task has ended");
        assert!(app.running.is_empty());
        let second = vault.unlock(&words).await.unwrap();
        let letter = || vec![Prepared::new(&RecordMeta::default(), b"Subject: late").unwrap()];
        assert!(app.packs.append_prepared(letter()).is_err());
        assert!(second.packs.append_prepared(letter()).is_ok());
        stop.cancel();
        supervisor.await.unwrap();
        vault.lock().await;
    }
}
