//! What the owner decides about a correspondent's key.

use super::super::app::App;
use super::super::failure::Failure;
use super::super::{envelopes, lookup};
use super::shown::{Peer, show};
use super::{blank, certificate_in_use, decide, in_use, remember, waiting};
use crate::crypto::openpgp::Certificate;
use crate::mail::address::canonical;
use crate::storage::database::{Connection, PeerRow, commit, keys, lookups, peers};
use serde::Serialize;
use std::sync::Arc;

/// What the owner decides about a correspondent's key.
#[derive(Clone, Debug, serde::Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// Use the newer key that waits.
    Accept,
    /// Use the key with this fingerprint, which a server named.
    Use(String),
    /// Keep the old one.
    Keep,
    /// The key with this fingerprint was compared with its owner.
    Verify(String),
}

/// Does what the owner decided about a correspondent's key.
///
/// # Errors
/// Not found, where there is no such key; refused, where nothing waits or the fingerprints differ.
pub async fn choose(app: &Arc<App>, address: &str, choice: &Choice) -> Result<Peer, Failure> {
    let (address, now) = (canonical(address), app.now());
    {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        let row = peers::of(&mut c, std::slice::from_ref(&address)).await?.remove(&address);
        let mut row = row.ok_or_else(|| Failure::not_found(format!("Nothing is known of {address} yet")))?;
        let newer = waiting(&row).cloned();
        match choice {
            Choice::Accept => {
                let newer = match (newer, &row.pinned) {
                    (Some(newer), _) => newer,
                    // With nothing to rely on yet, this is how the owner says: this key.
                    (None, None) => in_use(&row).cloned().ok_or_else(|| no_key(&address))?,
                    (None, Some(_))
                        if !row.refused.is_empty() && row.public_key.as_ref() == Some(&row.refused) =>
                    {
                        row.refused.clone()
                    }
                    (None, Some(_)) => {
                        return Err(Failure::refused(format!(
                            "No newer key of {address} waits to be accepted"
                        )));
                    }
                };
                decide(&mut c, now, &address, &newer, "changed", "accepted by you").await?;
                row.refused = row.pinned.take().unwrap_or_default();
                row.pinned = Some(newer);
                (row.pinned_at, row.verified_at) = (now, 0);
            }
            Choice::Use(fingerprint) => take_candidate(&mut c, &mut row, fingerprint, now).await?,
            Choice::Keep => {
                let newer = newer.ok_or_else(|| {
                    Failure::refused(format!("No newer key of {address} waits to be decided on"))
                })?;
                decide(&mut c, now, &address, &newer, "refused", "you keep the old key").await?;
                row.refused = newer;
            }
            Choice::Verify(fingerprint) => {
                verify(&mut c, &mut row, fingerprint, now).await?;
            }
        }
        peers::put(&mut c, &row).await?;
        commit(c).await?;
    }
    app.devices.changed();
    if let Some(certificate) = certificate_in_use(app, &address).await? {
        envelopes::settle_again(app, &certificate, false).await?;
    }
    show(app, &address).await
}

fn no_key(address: &str) -> Failure {
    Failure::not_found(format!("No key of {address} is known"))
}

/// The owner relies on a key that a server named.
async fn take_candidate(c: &mut Connection, row: &mut PeerRow, typed: &str, now: i64) -> Result<(), Failure> {
    let typed: String = typed.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_uppercase();
    let found = lookups::candidates(c, std::slice::from_ref(&row.address)).await?;
    let found = found.into_iter().find(|one| one.fingerprint == typed);
    let found = found.ok_or_else(|| {
        Failure::not_found(format!("No server named such a key for {}; look for it anew", row.address))
    })?;
    let bytes = keys::certificate(c, &typed).await?.ok_or_else(|| no_key(&row.address))?;
    let certificate = Certificate::parse(&bytes)?;
    if let Some(why) = lookup::unusable(&certificate, &row.address, now) {
        return Err(Failure::refused(format!("{}; nothing was changed", why.trim_end_matches('.'))));
    }
    if row.pinned.as_ref() == Some(&typed) {
        return Ok(());
    }
    let deed = if row.pinned.is_some() { "changed" } else { "pinned" };
    let way = format!("chosen by you, found at {}", found.server);
    decide(c, now, &row.address, &typed, deed, &way).await?;
    row.refused = row.pinned.take().unwrap_or_default();
    row.pinned = Some(typed);
    (row.pinned_at, row.verified_at) = (now, 0);
    Ok(())
}

async fn verify(c: &mut Connection, row: &mut PeerRow, typed: &str, now: i64) -> Result<(), Failure> {
    let typed: String = typed.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_uppercase();
    let known = [waiting(row), row.pinned.as_ref(), row.public_key.as_ref(), row.gossip_key.as_ref()];
    let mut known: Vec<String> = known.into_iter().flatten().cloned().collect();
    let found = lookups::candidates(c, std::slice::from_ref(&row.address)).await?;
    known.extend(found.into_iter().map(|candidate| candidate.fingerprint));
    if known.is_empty() {
        return Err(no_key(&row.address));
    }
    // A short form can be made to fit by anybody.
    let Some(fingerprint) = known.into_iter().find(|known| *known == typed) else {
        return Err(Failure::refused(format!(
            "This is not the fingerprint of a key known for {}; compare all of it again, and do not write anything private \
             before it fits",
            row.address
        )));
    };
    decide(c, now, &row.address, &fingerprint, "verified", "compared by you").await?;
    verified(row, fingerprint, now);
    Ok(())
}

/// A key was compared: it is the one that is relied on.
fn verified(row: &mut PeerRow, fingerprint: String, now: i64) {
    if row.pinned.as_ref() == Some(&fingerprint) {
        // The other one that waited is decided on with it.
        if let Some(other) = waiting(row).cloned() {
            row.refused = other;
        }
    } else {
        row.refused = row.pinned.take().unwrap_or_default();
        row.pinned = Some(fingerprint);
        row.pinned_at = now;
    }
    row.verified_at = now;
}

/// A correspondent showed by an invitation that a key is theirs: from now on it is verified.
pub(in crate::engine) async fn proved(
    c: &mut Connection,
    address: &str,
    certificate: &Certificate,
    now: i64,
) -> Result<(), Failure> {
    let fingerprint = remember(c, certificate, now).await?.fingerprint().to_string();
    keys::note_peer_key(c, address, &fingerprint, "invitation", 0, now).await?;
    let known = peers::of(c, &[address.to_owned()]).await?.remove(address);
    let mut row = known.unwrap_or_else(|| blank(address));
    decide(c, now, address, &fingerprint, "verified", "by an invitation").await?;
    verified(&mut row, fingerprint, now);
    Ok(peers::put(c, &row).await?)
}
