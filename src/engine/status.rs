//! How Mailkeep is: sizes, queues, what runs in the background and what is in the way.

use super::app::App;
use super::events::Event;
use super::failure::Failure;
use super::settings;
use crate::network::dialer::{Purpose, Rule, TorState};
use crate::storage::database::skipped::skipped as skipped_in;
use crate::storage::database::{accounts as table, messages, outbox, tags};
use serde::Serialize;
use std::path::Path;
use std::sync::{Arc, PoisonError};

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
    /// Whether everything goes through Tor.
    pub tor_for_everything: bool,
    /// How we stand with Tor.
    pub tor: TorStatus,
    /// Each purpose and the route it takes.
    pub routes: Vec<PurposeRoute>,
}

/// How we stand with Tor.
#[derive(Debug, Serialize)]
pub struct TorStatus {
    /// `embedded`, `socks` or `off`.
    pub mode: String,
    /// Where Tor should listen; null where nobody said so.
    pub socks: Option<String>,
    /// Of a SOCKS proxy `answers` or `silent`; of the Tor inside `resting`, `starting`, `ready` or `stuck`; `off`.
    pub state: TorState,
    /// How far the Tor inside has come, of 100, while it starts; null otherwise.
    pub percent: Option<u8>,
    /// The same in a sentence or two.
    pub words: String,
}

/// The route of a purpose.
#[derive(Debug, Serialize)]
pub struct PurposeRoute {
    /// What connections are for.
    pub purpose: Purpose,
    /// `direct`, `tor` or `never`.
    pub route: Rule,
    /// The setting that changes it; null for mail servers, which each account has a route for.
    pub setting: Option<&'static str>,
}

/// How the network is. Asks a proxy whether it is there, and nobody else; starts nothing.
///
/// # Errors
/// When the store fails.
pub async fn network(app: &App) -> Result<NetworkStatus, Failure> {
    let mode = settings::get(app, "tor.mode").await?;
    let socks = Some(settings::get(app, "tor.socks").await?).filter(|named| !named.is_empty());
    let report = app.dialer.tor_report().await;
    let routes = Purpose::ALL.iter().map(|purpose| PurposeRoute {
        purpose: *purpose,
        route: app.dialer.rule(*purpose),
        setting: settings::rule_setting(*purpose),
    });
    Ok(NetworkStatus {
        offline: app.dialer.is_offline(),
        tor_for_everything: app.dialer.is_tor_for_everything(),
        tor: TorStatus { mode, socks, state: report.state, percent: report.percent, words: report.words },
        routes: routes.collect(),
    })
}

/// Tells open pages how the Tor inside gets on, until the store is closed.
pub async fn tell_of_tor(app: Arc<App>) {
    let mut news = app.dialer.tor_news();
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            changed = news.changed() => if changed.is_err() { return },
        }
        let report = app.dialer.tor_report().await;
        app.tell(Event::Tor { words: report.words, percent: report.percent });
    }
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
            // Anybody can mail what devices write to each other: it is no trouble, and hides none.
            let is_told = |why: &str| why != super::draft_copies::STEPPED_OVER && why != super::sync::STRAY;
            let some = some.into_iter().filter(|(_, why)| is_told(why));
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
