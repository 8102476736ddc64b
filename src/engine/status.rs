//! How Mailkeep is: sizes, queues, what runs in the background and what is in the way.

use super::app::App;
use super::failure::Failure;
use super::settings;
use crate::network::dialer::{Purpose, Route, TorState};
use crate::storage::database::skipped::skipped as skipped_in;
use crate::storage::database::{accounts as table, messages, outbox, tags};
use serde::Serialize;
use std::path::Path;
use std::sync::PoisonError;

/// The answer of `status`.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The version of the program.
    pub version: &'static str,
    /// Messages in the store.
    pub messages: u64,
    /// Their raw bytes.
    pub raw_bytes: u64,
    /// What the data directory takes on the disk.
    pub disk_bytes: u64,
    /// Of that, the packs.
    pub packs_bytes: u64,
    /// The search index.
    pub index_bytes: u64,
    /// The database.
    pub database_bytes: u64,
    /// What is free on that disk.
    pub free_bytes: u64,
    /// How many messages are unread.
    pub unread: u64,
    /// How many messages the index holds, and whether these are all.
    pub indexed: Indexed,
    /// Entries of the outbox that are not at their end.
    pub outbox: u64,
    /// Each account and what is in its way.
    pub accounts: Vec<AccountStatus>,
    /// Background tasks by name, each with a word or a sentence.
    pub tasks: std::collections::BTreeMap<String, String>,
}

/// The answer of `network status`.
#[derive(Debug, Serialize)]
pub struct NetworkStatus {
    /// Whether the network is switched off.
    pub offline: bool,
    /// How we stand with Tor.
    pub tor: TorStatus,
    /// Each purpose and the route it takes.
    pub routes: Vec<PurposeRoute>,
}

/// How we stand with Tor.
#[derive(Debug, Serialize)]
pub struct TorStatus {
    /// `off` or `socks`.
    pub mode: String,
    /// Where Tor should listen; null where nobody said so.
    pub socks: Option<String>,
    /// `off`, `answers` or `silent`.
    pub state: TorState,
    /// The same in a sentence.
    pub words: String,
}

/// The route of a purpose.
#[derive(Debug, Serialize)]
pub struct PurposeRoute {
    /// What connections are for.
    pub purpose: Purpose,
    /// `direct` or `tor`.
    pub route: Route,
}

/// How the network is. Asks the proxy whether it is there, and nobody else.
///
/// # Errors
/// When the store fails.
pub async fn network(app: &App) -> Result<NetworkStatus, Failure> {
    let mode = settings::get(app, "tor.mode").await?;
    let socks = Some(settings::get(app, "tor.socks").await?).filter(|named| !named.is_empty());
    let state = app.dialer.tor_state().await;
    let place = socks.clone().unwrap_or_default();
    let offline = app.dialer.is_offline();
    let words = match state {
        TorState::Off => "Tor is not set up: what may only go through Tor is not asked for.".to_owned(),
        TorState::Answers => {
            format!("A SOCKS proxy answers at {place}. Whether Tor is behind it cannot be seen from here.")
        }
        TorState::Silent if offline => "Mailkeep is offline.".to_owned(),
        TorState::Silent => {
            format!("Nothing answers at {place} as Tor does: what may only go through Tor is not asked for.")
        }
    };
    let routes = Purpose::ALL
        .iter()
        .map(|purpose| PurposeRoute { purpose: *purpose, route: app.dialer.route(*purpose) });
    Ok(NetworkStatus { offline, tor: TorStatus { mode, socks, state, words }, routes: routes.collect() })
}

/// How far the index is.
#[derive(Debug, Serialize)]
pub struct Indexed {
    /// The highest message number it holds.
    pub to: u32,
    /// Whether it holds everything.
    pub level: bool,
}

/// How an account is.
#[derive(Debug, Serialize)]
pub struct AccountStatus {
    /// The address.
    pub email: String,
    /// When it was last synced whole.
    pub synced_at: Option<String>,
    /// What is in the way, in words.
    pub trouble: String,
    /// Messages that the server holds and that could not be taken, each in words.
    pub skipped: Vec<String>,
}

/// Gathers it.
///
/// # Errors
/// When the store fails.
pub async fn status(app: &App) -> Result<Status, Failure> {
    let mut reader = app.reader.get().await?;
    let (total, raw_bytes) = messages::totals(&mut reader).await?;
    let unread = tags::bitmap(&mut reader, "unread").await?.len();
    let last = tags::bitmap(&mut reader, tags::ALL).await?.max().unwrap_or(0);
    let waiting = outbox::list(&mut reader, i64::MAX).await?.len() as u64;
    drop(reader);
    let standing = app.indexing.standing();
    Ok(Status {
        version: env!("CARGO_PKG_VERSION"),
        messages: total,
        raw_bytes,
        disk_bytes: bytes_below(app.data.root(), 0),
        packs_bytes: bytes_below(&app.data.packs(), 0),
        index_bytes: bytes_below(&app.data.index(), 0),
        database_bytes: std::fs::metadata(app.data.database()).map_or(0, |m| m.len()),
        free_bytes: app.data.free_bytes()?,
        unread,
        indexed: Indexed { to: standing.to, level: standing.level || standing.to >= last },
        outbox: waiting,
        accounts: accounts(app).await?,
        tasks: app.health.lock().unwrap_or_else(PoisonError::into_inner).clone(),
    })
}

/// How each account is.
///
/// # Errors
/// When the store fails.
pub async fn accounts(app: &App) -> Result<Vec<AccountStatus>, Failure> {
    let mut reader = app.reader.get().await?;
    let mut rows = Vec::new();
    for account in table::list(&mut reader).await? {
        let mut skipped = Vec::new();
        for folder in table::folders(&mut reader, Some(account.id)).await? {
            let some = skipped_in(&mut reader, folder.id).await?;
            let some = some.into_iter().filter(|(_, why)| why != super::draft_copies::STEPPED_OVER);
            skipped.extend(some.take(20).map(|(uid, why)| format!("{} message {uid}: {why}", folder.name)));
        }
        rows.push(AccountStatus {
            email: account.address,
            synced_at: (account.synced_at > 0).then(|| super::search::rfc3339(account.synced_at)),
            trouble: account.trouble,
            skipped,
        });
    }
    Ok(rows)
}

/// What the files below a directory take.
fn bytes_below(path: &Path, depth: u8) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else { return 0 };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth < 4 => bytes_below(&entry.path(), depth + 1),
            Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |m| m.len()),
            _ => 0,
        })
        .sum()
}
