//! The log of what connections left, from one start of the program to the next: `mailkeep sync` and then `mailkeep network log` are
//! two of them. It lies sealed with everything else, and is bounded.

use super::app::App;
use super::failure::Failure;
use crate::network::log::Entry;
use crate::storage::database::{commit, settings};

/// The name it lies under in the database, beside the settings.
const LOG: &str = "network.log";

/// Takes up the log that was kept when the store was closed. One that cannot be read is begun anew.
pub(super) async fn take_up(app: &App) -> Result<(), Failure> {
    let kept = settings::get(&mut *app.reader.get().await?, LOG).await?;
    let earlier: Vec<Entry> = kept.and_then(|kept| serde_json::from_str(&kept).ok()).unwrap_or_default();
    app.dialer.go_on_from(earlier);
    Ok(())
}

/// Keeps the log, where anything was added.
pub(super) async fn keep(app: &App) -> Result<(), Failure> {
    let log = serde_json::to_string(&app.dialer.log()).map_err(|error| Failure::failed(error.to_string()))?;
    if settings::get(&mut *app.reader.get().await?, LOG).await?.unwrap_or_else(|| "[]".into()) == log {
        return Ok(());
    }
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    settings::set(&mut c, LOG, &log).await?;
    Ok(commit(c).await?)
}
