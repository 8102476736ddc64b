//! Keys that the owner relies on are asked for again, so that a revocation or a longer life becomes known.

use super::{DAY, HOUR, NONE_AGAIN, later, may_ask, servers};
use crate::crypto::openpgp::Certificate;
use crate::engine::app::App;
use crate::engine::failure::{Failure, blocking};
use crate::engine::{envelopes, peers, settings};
use crate::network::keyserver::{By, KeyServer};
use crate::storage::database::{commit, lookups};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A key is asked for again after so many seconds, and so many of them in one go.
const REFRESH: i64 = 7 * DAY;
const REFRESHED_AT_ONCE: u32 = 30;

/// The background task: asks for the keys that the owner relies on once in a week each, so that a revocation or a longer life
/// becomes known. Nobody can tell by the times which keys belong together.
///
/// # Errors
/// When the store fails; the supervisor starts it again.
pub async fn run(app: Arc<App>, stop: CancellationToken) -> Result<(), Failure> {
    loop {
        let wait = Duration::from_secs(later(HOUR).unsigned_abs());
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            done = refresh(&app, true) => done?,
        }
    }
}

/// Asks for what is due. `scattered` in time, or at once.
///
/// # Errors
/// When the store fails.
pub(in crate::engine) async fn refresh(app: &Arc<App>, scattered: bool) -> Result<(), Failure> {
    if !may_ask(app).await? {
        return Ok(());
    }
    let named = servers(&settings::get(app, "lookup.servers").await?).unwrap_or_default();
    let now = app.now();
    let due = {
        let mut reader = app.reader.get().await?;
        let unplanned = lookups::unplanned(&mut reader, 1000).await?;
        let due = lookups::due(&mut reader, now, REFRESHED_AT_ONCE).await?;
        drop(reader);
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        for fingerprint in unplanned {
            lookups::plan(&mut c, &fingerprint, now + later(REFRESH) - REFRESH / 2).await?;
        }
        commit(c).await?;
        due
    };
    for fingerprint in due {
        if scattered {
            tokio::time::sleep(Duration::from_secs(later(60).unsigned_abs())).await;
        }
        let wait =
            if refreshed(app, &named, &fingerprint).await? { later(REFRESH) } else { later(NONE_AGAIN) };
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        lookups::plan(&mut c, &fingerprint, app.now() + wait).await?;
        commit(c).await?;
    }
    Ok(())
}

/// Asks for one key by its fingerprint until somebody has it; gives whether somebody answered.
async fn refreshed(app: &Arc<App>, named: &[KeyServer], fingerprint: &str) -> Result<bool, Failure> {
    let mut answered = false;
    for server in named {
        match server.find(&app.dialer, By::Fingerprint(fingerprint)).await {
            Ok(None) => answered = true,
            Ok(Some(bytes)) => {
                answered = true;
                let parsed = blocking(move || Ok::<_, Failure>(Certificate::parse_all(&bytes))).await?;
                let mut parsed = parsed.unwrap_or_default().into_iter();
                let Some(own) = parsed.find(|one| one.fingerprint().as_str() == fingerprint) else {
                    continue;
                };
                {
                    let writer = app.writer.lock().await;
                    let mut c = writer.begin().await?;
                    peers::remember(&mut c, &own, app.now()).await?;
                    commit(c).await?;
                }
                envelopes::settle_again(app, &own, false).await?;
                break;
            }
            Err(error) if error.has_no_way() => break,
            Err(error) => tracing::debug!(%error, "A key was not asked for again"),
        }
    }
    Ok(answered)
}
