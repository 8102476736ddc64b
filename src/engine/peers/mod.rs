//! Correspondents and their keys: what Autocrypt says of them, and what trust on first use makes of it.
//!
//! Autocrypt's own state follows its Level 1 to the letter. Over it lies the pin: the key the owner relies on, set when the
//! owner first writes in private, and changed by itself only where somebody vouches for the change whom a mail provider
//! cannot imitate. Every change of a pin is written down for good.

mod choose;
mod plan;
mod shown;

pub(in crate::engine) use choose::proved;
pub use choose::{Choice, choose};
pub use plan::{Advice, Plan, plan};
pub use shown::{Decision, Peer, Said, list, show, trust_of};

use super::app::App;
use super::envelopes::{Openers, Wrapping};
use super::failure::{Failure, blocking};
use crate::crypto::openpgp::Certificate;
use crate::mail::address::canonical;
use crate::mail::autocrypt;
use crate::mail::domain;
use crate::mail::ids::MessageNumber;
use crate::storage::database::{
    Connection, DecisionRow, PeerRow, commit, keys, lookups, messages, peers, signatures,
};
use std::sync::Arc;

/// What a message says about its sender's key, read where it holds up nobody.
#[derive(Clone)]
pub struct News {
    /// Whose, canonical.
    pub address: String,
    /// The key and preference of the one valid header.
    pub header: Option<(Certificate, bool)>,
    /// The program that wrote it.
    pub program: String,
}

/// What [`News`] belongs to.
pub(in crate::engine) struct Arrived<'a> {
    pub(in crate::engine) news: &'a News,
    /// The message's number.
    pub(in crate::engine) number: u32,
    /// It came from a server just now, so that its house can be asked whether it sent it.
    pub(in crate::engine) checkable: bool,
    /// Effective date.
    pub(in crate::engine) date: i64,
    /// It came encrypted.
    pub(in crate::engine) private: bool,
}

/// Takes in what new mail says of its senders.
pub(in crate::engine) async fn arrived(
    app: &App,
    c: &mut Connection,
    arrived: &[Arrived<'_>],
) -> Result<(), Failure> {
    let now = app.now();
    let addresses: Vec<String> = arrived.iter().map(|a| a.news.address.clone()).collect();
    let mut known = peers::of(c, &addresses).await?;
    for arrived in arrived {
        if arrived.checkable && holds_back(c, arrived).await? {
            continue;
        }
        let Arrived { news, number, date, private, .. } = arrived;
        let before = known.get(&news.address).cloned();
        let mut row = before.clone().unwrap_or_else(|| blank(&news.address));
        let mut header = None;
        if let Some((certificate, mutual)) = &news.header {
            remember(c, certificate, now).await?;
            let fingerprint = certificate.fingerprint().to_string();
            keys::note_peer_key(c, &news.address, &fingerprint, "header", *number, now).await?;
            header = Some((certificate, *mutual));
        }
        let said = header.as_ref().map(|(c, mutual)| (c.fingerprint().to_string(), *mutual));
        let state = before.as_ref().map(state);
        take(&mut row, &autocrypt::Peer::take(state.as_ref(), *date, said));
        // What came in private is counted when it was proved to be theirs.
        row.clear += u32::from(!*private);
        if *date >= row.last_seen && !news.program.is_empty() {
            row.program.clone_from(&news.program);
        }
        if let Some((certificate, _)) = header {
            consider(c, &mut row, certificate, now).await?;
        }
        peers::put(c, &row).await?;
        known.insert(news.address.clone(), row);
    }
    Ok(())
}

/// Where a house is known to sign its mail (DKIM), mail from it says something of keys only once its signature was checked and
/// holds. What is still to be checked waits; what is not, or bears none, says nothing.
async fn holds_back(c: &mut Connection, arrived: &Arrived<'_>) -> Result<bool, Failure> {
    let number = MessageNumber(arrived.number);
    if house_stands_behind(c, &arrived.news.address, number).await? {
        return Ok(false);
    }
    if signatures::of_message(c, number).await?.is_some_and(|row| row.state == "waiting") {
        peers::hold(c, number).await?;
    }
    Ok(true)
}

/// Whether a message's house says that it is from there, or never says so of its mail.
pub(in crate::engine) async fn house_stands_behind(
    c: &mut Connection,
    address: &str,
    number: MessageNumber,
) -> Result<bool, Failure> {
    let Some(house) = domain::of_address(address) else { return Ok(true) };
    let (passed, _) = signatures::of_domain(c, &domain::organisation(&house)).await?;
    if passed == 0 {
        return Ok(true);
    }
    let row = signatures::of_message(c, number).await?;
    Ok(row.is_some_and(|row| row.state == "pass" && row.aligned))
}

/// Somebody wrote in private, validly signed: how they really write is remembered.
pub(in crate::engine) async fn wrote_in_private(
    app: &App,
    c: &mut Connection,
    address: &str,
    date: i64,
    answers: &[i64],
) -> Result<(), Failure> {
    let known = peers::of(c, &[address.to_owned()]).await?.remove(address);
    let mut row = known.unwrap_or_else(|| blank(address));
    row.private += 1;
    row.private_at = row.private_at.max(date);
    row.answered += u32::from(answers_ours(app, c, answers).await?);
    Ok(peers::put(c, &row).await?)
}

/// A message's DKIM signature was checked and holds, or cannot be checked any more: what it says of keys is taken in now.
///
/// # Errors
/// When the store fails.
pub(in crate::engine) async fn checked(
    app: &Arc<App>,
    number: MessageNumber,
    holds: bool,
) -> Result<(), Failure> {
    let (row, openers) = {
        let mut reader = app.reader.get().await?;
        if !peers::is_held(&mut reader, number).await? {
            return Ok(());
        }
        let row = messages::by_numbers(&mut reader, &[number]).await?.into_iter().next();
        (row, Openers::of(app, &mut reader, [number]).await?)
    };
    let Some(row) = row else { return Ok(()) };
    let (packs, place) = (Arc::clone(&app.packs), row.place);
    let looked = blocking(move || {
        let raw = packs.read(place)?.raw;
        Ok::<_, crate::storage::packs::PackError>(openers.look(Some(number), &raw, &[]))
    })
    .await;
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    if peers::release(&mut c, number).await?
        && holds
        && let Ok(looked) = looked
        && let Some(news) = super::envelopes::news(&looked, &app.own_addresses())
    {
        let private = looked.wrapping.as_ref().is_some_and(Wrapping::is_encrypted);
        let late = Arrived { news: &news, number: number.0, checkable: false, date: row.date, private };
        arrived(app, &mut c, &[late]).await?;
    }
    Ok(commit(c).await?)
}

/// Whether one of these messages is a private one of the owner's.
async fn answers_ours(app: &App, c: &mut Connection, links: &[i64]) -> Result<bool, Failure> {
    if links.is_empty() {
        return Ok(false);
    }
    let own = app.own_addresses();
    let numbers = messages::encrypted_among(c, links).await?;
    let rows = messages::by_numbers(c, &numbers).await?;
    Ok(rows.iter().any(|row| row.people.from.iter().any(|p| own.contains(&canonical(&p.address)))))
}

/// A newer key changes the pin by itself only where the old key signed it, or two verified contacts gossip it. All that the
/// contact's mailbox or domain can make (header, DKIM, key servers) is one way, and does not count. A verified contact's pin
/// moves with the old key's signature only, and is verified no more.
async fn consider(
    c: &mut Connection,
    row: &mut PeerRow,
    newer: &Certificate,
    now: i64,
) -> Result<(), Failure> {
    let fingerprint = newer.fingerprint().to_string();
    let Some(pinned) = row.pinned.clone().filter(|pinned| *pinned != fingerprint) else { return Ok(()) };
    if row.refused == fingerprint || newer.usable(now).is_err() {
        return Ok(());
    }
    let old = keys::certificate(c, &pinned).await?.and_then(|bytes| Certificate::parse(&bytes).ok());
    let vouched = old.is_some_and(|old| newer.is_vouched_by(&old, now));
    let gossiped = row.verified_at == 0
        && peers::verified_gossips(c, &row.address, &fingerprint, row.pinned_at).await? >= 2;
    if vouched || gossiped {
        let way = if vouched { "signed by the key before it" } else { "gossiped by two verified contacts" };
        // The old key waits for nobody any more.
        row.refused = pinned;
        row.pinned = Some(fingerprint.clone());
        (row.pinned_at, row.verified_at) = (now, 0);
        row.changes = row.changes.saturating_add(1);
        decide(c, now, &row.address, &fingerprint, "changed", way).await?;
    }
    Ok(())
}

fn blank(address: &str) -> PeerRow {
    PeerRow { address: address.to_owned(), ..PeerRow::default() }
}

fn state(row: &PeerRow) -> autocrypt::Peer<String> {
    autocrypt::Peer {
        last_seen: row.last_seen,
        autocrypt_timestamp: row.autocrypt_timestamp,
        key: row.public_key.clone(),
        mutual: row.mutual,
        gossip_timestamp: row.gossip_timestamp,
        gossip_key: row.gossip_key.clone(),
    }
}

fn take(row: &mut PeerRow, state: &autocrypt::Peer<String>) {
    row.last_seen = state.last_seen;
    row.autocrypt_timestamp = state.autocrypt_timestamp;
    row.public_key.clone_from(&state.key);
    row.mutual = state.mutual;
    row.gossip_timestamp = state.gossip_timestamp;
    row.gossip_key.clone_from(&state.gossip_key);
}

/// Writes down what was decided.
pub(in crate::engine) async fn decide(
    c: &mut Connection,
    at: i64,
    address: &str,
    fingerprint: &str,
    deed: &str,
    way: &str,
) -> Result<(), Failure> {
    // A clock that was ahead, here or on another device, does not keep a later decision from counting.
    let at = at.max(keys::last_decided(c, address).await?.saturating_add(1));
    let decision = DecisionRow {
        at,
        address: address.to_owned(),
        fingerprint: fingerprint.to_owned(),
        deed: deed.to_owned(),
        way: way.to_owned(),
    };
    Ok(keys::decide(c, &decision).await?)
}

/// Keeps a certificate, merged with what is known of it: revocations and longer lives come in, nothing goes. What others
/// signed on it is looked at when it comes ([`consider`]), and not kept.
pub(in crate::engine) async fn remember(
    c: &mut Connection,
    certificate: &Certificate,
    now: i64,
) -> Result<Certificate, Failure> {
    let certificate = &certificate.minimal();
    let fingerprint = certificate.fingerprint().to_string();
    let known = keys::certificate(c, &fingerprint).await?;
    let merged = match &known {
        Some(bytes) if *bytes == certificate.bytes() => return Ok(certificate.clone()),
        Some(bytes) => match Certificate::parse(bytes) {
            Ok(known) => known.merged(certificate).unwrap_or(known),
            Err(_) => certificate.clone(),
        },
        None => certificate.clone(),
    };
    let bytes = merged.bytes();
    if known.as_ref() != Some(&bytes) {
        let ids: Vec<String> = merged.key_ids().iter().map(ToString::to_string).collect();
        keys::put_certificate(c, &fingerprint, &bytes, &ids, now).await?;
        let names: Vec<String> = merged.names(now).iter().map(|name| folded(name)).take(20).collect();
        let addresses: Vec<String> = merged.addresses(now).into_iter().take(20).collect();
        keys::put_names(c, &fingerprint, &names, &addresses).await?;
    }
    Ok(merged)
}

/// A name by which two that look the same are the same.
#[must_use]
pub fn folded(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase().chars().take(200).collect()
}

/// Takes in what a validly signed private message says of its other recipients' keys.
pub(in crate::engine) async fn gossiped(
    app: &App,
    c: &mut Connection,
    from: Option<&str>,
    date: i64,
    gossip: &[(String, Certificate)],
    number: u32,
) -> Result<(), Failure> {
    let now = app.now();
    let own = app.own_addresses();
    for (address, certificate) in gossip.iter().filter(|(address, _)| !own.contains(address)) {
        remember(c, certificate, now).await?;
        let fingerprint = certificate.fingerprint().to_string();
        let way = from.map_or_else(|| "gossip".to_owned(), |from| format!("gossip from {from}"));
        keys::note_peer_key(c, address, &fingerprint, &way, number, now).await?;
        let mut row = peers::of(c, std::slice::from_ref(address))
            .await?
            .remove(address)
            .unwrap_or_else(|| blank(address));
        let taken = autocrypt::Peer::take_gossip(Some(&state(&row)), date, fingerprint);
        take(&mut row, &taken);
        consider(c, &mut row, certificate, now).await?;
        peers::put(c, &row).await?;
    }
    Ok(())
}

/// Takes in a key that a validly signed message of somebody brought of themselves: where the old key signed it, it follows
/// the old one; otherwise it is only known.
pub(in crate::engine) async fn attached(
    c: &mut Connection,
    from: &str,
    certificate: &Certificate,
    number: u32,
    now: i64,
) -> Result<(), Failure> {
    remember(c, certificate, now).await?;
    let fingerprint = certificate.fingerprint().to_string();
    keys::note_peer_key_once(c, from, &fingerprint, "attached", number, now).await?;
    if let Some(mut row) = peers::of(c, &[from.to_owned()]).await?.remove(from) {
        consider(c, &mut row, certificate, now).await?;
        peers::put(c, &row).await?;
    }
    Ok(())
}

/// A key that came by another way than mail. Where the owner brought it and there is none yet, it is the one to rely on; a
/// candidate that was looked up only waits.
pub(in crate::engine) async fn offer(
    app: &Arc<App>,
    certificate: &Certificate,
    way: &str,
    by_owner: bool,
) -> Result<(), Failure> {
    let now = app.now();
    let own = app.own_addresses();
    {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        let merged = remember(&mut c, certificate, now).await?;
        let fingerprint = merged.fingerprint().to_string();
        for address in merged.addresses(now).into_iter().filter(|a| !own.contains(a)).take(20) {
            keys::note_peer_key(&mut c, &address, &fingerprint, way, 0, now).await?;
            let known = peers::of(&mut c, std::slice::from_ref(&address)).await?.remove(&address);
            let mut row = known.unwrap_or_else(|| blank(&address));
            if by_owner && row.pinned.is_none() && merged.usable(now).is_ok() {
                row.pinned = Some(fingerprint.clone());
                row.pinned_at = now;
                decide(&mut c, now, &address, &fingerprint, "pinned", way).await?;
            } else {
                consider(&mut c, &mut row, certificate, now).await?;
            }
            peers::put(&mut c, &row).await?;
        }
        commit(c).await?;
    }
    super::envelopes::settle_again(app, certificate, false).await
}

/// A key that a server names for an address (canonical): as it came, and cut down to the address. It waits as a candidate;
/// only where the key before it signed it, the owner's reliance follows.
pub(in crate::engine) async fn found(
    c: &mut Connection,
    address: &str,
    (whole, own): (&Certificate, &Certificate),
    way: &str,
    now: i64,
) -> Result<(), Failure> {
    let merged = remember(c, own, now).await?;
    keys::note_peer_key(c, address, &merged.fingerprint().to_string(), way, 0, now).await?;
    let known = peers::of(c, &[address.to_owned()]).await?.remove(address);
    let mut row = known.unwrap_or_else(|| blank(address));
    if merged.usable(now).is_ok() {
        consider(c, &mut row, whole, now).await?;
    }
    Ok(peers::put(c, &row).await?)
}

/// The owner writes to somebody in private: from now on this key is relied on.
pub(in crate::engine) async fn rely_on(
    c: &mut Connection,
    address: &str,
    fingerprint: &str,
    now: i64,
) -> Result<(), Failure> {
    let known = peers::of(c, &[address.to_owned()]).await?.remove(address);
    let mut row = known.unwrap_or_else(|| blank(address));
    if row.pinned.is_none() {
        row.pinned = Some(fingerprint.to_owned());
        row.pinned_at = now;
        let candidates = lookups::candidates(c, &[address.to_owned()]).await?;
        let told =
            row.public_key.as_deref() == Some(fingerprint) || row.gossip_key.as_deref() == Some(fingerprint);
        let found = candidates.into_iter().find(|one| !told && one.fingerprint == fingerprint);
        let way = "first private message to them";
        let way = found.map_or_else(|| way.to_owned(), |one| format!("{way}, found at {}", one.server));
        decide(c, now, address, fingerprint, "pinned", &way).await?;
        peers::put(c, &row).await?;
    }
    Ok(())
}

/// The key that is used for a correspondent, or would be.
fn in_use(row: &PeerRow) -> Option<&String> {
    row.pinned.as_ref().or(row.public_key.as_ref()).or(row.gossip_key.as_ref())
}

/// The newer key that waits for a decision.
fn waiting(row: &PeerRow) -> Option<&String> {
    let pinned = row.pinned.as_ref()?;
    row.public_key.as_ref().filter(|newer| *newer != pinned && **newer != row.refused)
}

/// The certificate that is used for a correspondent.
///
/// # Errors
/// When the store fails.
pub(in crate::engine) async fn certificate_in_use(
    app: &App,
    address: &str,
) -> Result<Option<Certificate>, Failure> {
    let mut reader = app.reader.get().await?;
    let Some(row) = peers::of(&mut reader, &[address.to_owned()]).await?.remove(address) else {
        return Ok(None);
    };
    let Some(fingerprint) = in_use(&row) else { return Ok(None) };
    let bytes = keys::certificate(&mut reader, fingerprint).await?;
    Ok(bytes.and_then(|bytes| Certificate::parse(&bytes).ok()))
}
