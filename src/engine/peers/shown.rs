//! Correspondents as the surface shows them.

use super::super::app::App;
use super::super::failure::Failure;
use super::super::search::rfc3339;
use super::plan::{Advice, plan};
use super::waiting;
use crate::mail::address::canonical;
use crate::storage::database::{DecisionRow, PeerKeyRow, PeerRow, keys, peers};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;

/// So many correspondents are listed at a time.
const LISTED: u32 = 500;

/// A correspondent as the surface shows them.
#[derive(Clone, Debug, Serialize)]
pub struct Peer {
    /// Canonical address.
    pub email: String,
    /// Effective date of the newest mail; null for never.
    pub last_seen: Option<String>,
    /// Effective date of the newest mail with an Autocrypt header.
    pub autocrypt_timestamp: Option<String>,
    /// The key of that header; where there was none, the key the owner relies on.
    pub public_key_fingerprint: Option<String>,
    /// `mutual` or `nopreference`.
    pub prefer_encrypt: &'static str,
    /// Effective date of the newest gossip.
    pub gossip_timestamp: Option<String>,
    /// The key of that gossip.
    pub gossip_fingerprint: Option<String>,
    /// `none`, `first`, `same`, `changed` or `verified`.
    pub trust: &'static str,
    /// `disable`, `discourage`, `available` or `encrypt`, for a new message to them alone.
    pub recommendation: &'static str,
    /// The key the owner relies on.
    pub pinned_fingerprint: Option<String>,
    /// Since when.
    pub pinned_since: Option<String>,
    /// When it was compared with its owner.
    pub verified_since: Option<String>,
    /// The newer key that waits for the owner's decision.
    pub waiting_fingerprint: Option<String>,
    /// How many private messages came from them.
    pub private_messages: u32,
    /// How many of the owner's private messages they answered.
    pub answered: u32,
    /// The program they wrote with last; empty where it was not said.
    pub program: String,
    /// What will happen to a message to them, and why.
    pub words: String,
    /// Every key that was ever said to be theirs, the first one first.
    pub keys: Vec<Said>,
    /// What was decided, the newest first.
    pub history: Vec<Decision>,
}

/// A key that was said to be a correspondent's.
#[derive(Clone, Debug, Serialize)]
pub struct Said {
    /// Its fingerprint.
    pub fingerprint: String,
    /// By which way.
    pub way: String,
    /// When first.
    pub first: String,
    /// When last.
    pub last: String,
    /// In how many messages.
    pub messages: u32,
}

/// What was decided about a key.
#[derive(Clone, Debug, Serialize)]
pub struct Decision {
    /// When.
    pub at: String,
    /// The key.
    pub fingerprint: String,
    /// `pinned`, `changed`, `refused`, `verified`, …
    pub deed: String,
    /// Why.
    pub way: String,
}

const fn trust(row: &PeerRow, waits: bool) -> &'static str {
    match (&row.pinned, &row.public_key) {
        _ if waits => "changed",
        (Some(_), _) if row.verified_at > 0 => "verified",
        (Some(_), _) => "same",
        (None, Some(_)) => "first",
        (None, None) if row.gossip_key.is_some() => "first",
        _ => "none",
    }
}

/// Everybody who has a key, without histories.
///
/// # Errors
/// When the store fails.
pub async fn list(app: &Arc<App>) -> Result<Vec<Peer>, Failure> {
    let rows = peers::list(&mut *app.reader.get().await?, "", LISTED).await?;
    let addresses: Vec<String> = rows.iter().map(|row| row.address.clone()).collect();
    let plan = plan(app, true, &addresses, false).await?;
    let mut each: HashMap<String, Advice> = plan.each.into_iter().map(|a| (a.address.clone(), a)).collect();
    Ok(rows.iter().map(|row| shown(row, each.remove(&row.address), (&[], &[]))).collect())
}

/// How far the keys of these people (canonical addresses) are trusted, in the words of [`Peer::trust`]. Those of whom
/// nothing is known are missing.
///
/// # Errors
/// When the store fails.
pub async fn trust_of(app: &App, addresses: &[String]) -> Result<HashMap<String, &'static str>, Failure> {
    let rows = peers::of(&mut *app.reader.get().await?, addresses).await?;
    Ok(rows.into_iter().map(|(address, row)| (address, trust(&row, waiting(&row).is_some()))).collect())
}

/// A correspondent with the history of their keys.
///
/// # Errors
/// Not found, where nothing is known of the address.
pub async fn show(app: &Arc<App>, address: &str) -> Result<Peer, Failure> {
    let address = canonical(address);
    let mutual = super::super::outgoing::own_preference(app, None).await?;
    let mut plan = plan(app, mutual, std::slice::from_ref(&address), false).await?;
    let mut reader = app.reader.get().await?;
    let row = peers::of(&mut reader, std::slice::from_ref(&address)).await?.remove(&address);
    let row = row.ok_or_else(|| Failure::not_found(format!("Nothing is known of {address} yet")))?;
    let said = keys::peer_keys(&mut reader, &address).await?;
    let decisions = keys::decisions(&mut reader, &address).await?;
    Ok(shown(&row, plan.each.pop(), (&said, &decisions)))
}

fn shown(row: &PeerRow, advice: Option<Advice>, (said, decisions): (&[PeerKeyRow], &[DecisionRow])) -> Peer {
    let time = |at: i64| (at > 0).then(|| rfc3339(at));
    let waits = waiting(row).cloned();
    Peer {
        email: row.address.clone(),
        last_seen: time(row.last_seen),
        autocrypt_timestamp: time(row.autocrypt_timestamp),
        public_key_fingerprint: row.public_key.clone().or_else(|| row.pinned.clone()),
        prefer_encrypt: if row.mutual { "mutual" } else { "nopreference" },
        gossip_timestamp: time(row.gossip_timestamp),
        gossip_fingerprint: row.gossip_key.clone(),
        trust: trust(row, waits.is_some()),
        recommendation: advice.as_ref().map_or("disable", |a| a.recommendation),
        pinned_fingerprint: row.pinned.clone(),
        pinned_since: time(row.pinned_at),
        verified_since: time(row.verified_at),
        waiting_fingerprint: waits,
        private_messages: row.private,
        answered: row.answered,
        program: row.program.clone(),
        words: advice.map(|a| a.words).unwrap_or_default(),
        keys: said
            .iter()
            .map(|key| Said {
                fingerprint: key.fingerprint.clone(),
                way: key.way.clone(),
                first: rfc3339(key.first_at),
                last: rfc3339(key.last_at),
                messages: key.messages,
            })
            .collect(),
        history: decisions
            .iter()
            .map(|d| Decision {
                at: rfc3339(d.at),
                fingerprint: d.fingerprint.clone(),
                deed: d.deed.clone(),
                way: d.way.clone(),
            })
            .collect(),
    }
}
