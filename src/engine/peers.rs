//! Correspondents and their keys: what Autocrypt says of them, and what trust on first use makes of it.
//!
//! Autocrypt's own state follows its Level 1 to the letter. Over it lies the pin: the key the owner relies on, set when the
//! owner first writes in private, and changed by itself only where somebody vouches for the change whom a mail provider
//! cannot imitate. Every change of a pin is written down for good.

use super::app::App;
use super::envelopes::{Openers, Wrapping};
use super::failure::{Failure, blocking};
use super::search::rfc3339;
use super::{keyring, lookup};
use crate::crypto::openpgp::Certificate;
use crate::mail::address::canonical;
use crate::mail::autocrypt::{self, Recommendation};
use crate::mail::domain;
use crate::mail::ids::MessageNumber;
use crate::storage::database::{
    CandidateRow, Connection, DecisionRow, PeerKeyRow, PeerRow, commit, keys, lookups, messages, peers,
    signatures,
};
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

/// What will happen to a message to somebody, and why.
#[derive(Clone, Debug, Serialize)]
pub struct Advice {
    /// Canonical address.
    pub address: String,
    /// `disable`, `discourage`, `available` or `encrypt`.
    pub recommendation: &'static str,
    /// The same, to be reckoned with.
    #[serde(skip)]
    pub rank: Recommendation,
    /// The key it would be encrypted to.
    pub fingerprint: Option<String>,
    /// Whether it waits for the owner to decide about a new key.
    pub undecided: bool,
    /// Whether no key of theirs is known at all.
    #[serde(skip)]
    pub is_unknown: bool,
    /// Whether their program may not have heard of the owner's key, so that it goes along.
    #[serde(skip)]
    pub needs_key: bool,
    /// Why, in one sentence.
    pub words: String,
}

/// What will happen to a message to several people.
#[derive(Clone, Debug)]
pub struct Plan {
    /// For all together.
    pub recommendation: Recommendation,
    /// For each.
    pub each: Vec<Advice>,
    /// The certificates, by address, where there is one to encrypt to.
    pub(in crate::engine) certificates: HashMap<String, Certificate>,
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

/// What will happen to a message from one of the owner's addresses to these people, and why. One look-up for all of them.
///
/// # Errors
/// When the store fails.
pub async fn plan(
    app: &Arc<App>,
    own_mutual: bool,
    recipients: &[String],
    replying_to_private: bool,
) -> Result<Plan, Failure> {
    let now = app.now();
    let mut addresses: Vec<String> = recipients.iter().map(|a| canonical(a)).collect();
    addresses.sort();
    addresses.dedup();
    let (rows, found, certificates) = {
        let mut reader = app.reader.get().await?;
        let rows = peers::of(&mut reader, &addresses).await?;
        let found = lookups::candidates(&mut reader, &addresses).await?;
        let wanted: Vec<String> = rows
            .values()
            .flat_map(|r| r.pinned.iter().chain(&r.public_key).chain(&r.gossip_key))
            .chain(found.iter().map(|candidate| &candidate.fingerprint))
            .cloned()
            .collect();
        let bytes = keys::certificates_of(&mut reader, &wanted).await?;
        (rows, found, bytes)
    };
    let own = app.keyring.all();
    let own_addresses = app.own_addresses();
    // Since when the owner's present keys are in use, where others were before them.
    let replaced = own.iter().any(|key| !key.current);
    let since = own.iter().filter(|key| key.current && replaced).map(|key| key.made_at).max().unwrap_or(1);
    blocking(move || {
        let mut parsed: HashMap<String, Certificate> = HashMap::new();
        for bytes in certificates {
            if let Ok(certificate) = Certificate::parse(&bytes) {
                parsed.insert(certificate.fingerprint().to_string(), certificate);
            }
        }
        let mut plan =
            Plan { recommendation: Recommendation::Disable, each: Vec::new(), certificates: HashMap::new() };
        let mut all = Vec::new();
        for address in addresses {
            // To oneself is private as soon as there is a key.
            let mine = own.iter().find(|own| own.current && own.address == address);
            let (advice, certificate) = if let Some(mine) = mine {
                let certificate = mine.key.certificate();
                let recommendation =
                    if own_mutual { Recommendation::Encrypt } else { Recommendation::Available };
                (
                    advice(&address, recommendation, Some(&certificate), "This is you.".into()),
                    Some(certificate),
                )
            } else if own_addresses.contains(&address) {
                (
                    advice(
                        &address,
                        Recommendation::Disable,
                        None,
                        "This address of yours has no key yet.".into(),
                    ),
                    None,
                )
            } else {
                let judged = judge(
                    &address,
                    rows.get(&address),
                    &parsed,
                    (own_mutual, replying_to_private),
                    (since, now),
                );
                // Beside a key that is relied on, whatever became of it, nobody's word but the owner's counts.
                let is_pinned = rows.get(&address).is_some_and(|row| row.pinned.is_some());
                let is_open = judged.1.is_none() && !judged.0.undecided && !is_pinned;
                let looked_up = is_open
                    .then(|| by_look_up(&address, &found, &parsed, replying_to_private, now))
                    .flatten();
                looked_up.unwrap_or(judged)
            };
            all.push(advice.rank);
            if let Some(certificate) = certificate {
                plan.certificates.insert(address, certificate);
            }
            plan.each.push(advice);
        }
        if !all.is_empty() {
            plan.recommendation = autocrypt::all(all);
        }
        Ok::<_, Failure>(plan)
    })
    .await
}

fn advice(
    address: &str,
    recommendation: Recommendation,
    certificate: Option<&Certificate>,
    words: String,
) -> Advice {
    Advice {
        address: address.to_owned(),
        recommendation: recommendation.as_str(),
        rank: recommendation,
        fingerprint: certificate.map(|c| c.fingerprint().to_string()),
        undecided: false,
        is_unknown: false,
        needs_key: false,
        words,
    }
}

/// What is recommended for somebody of whom nothing is known.
fn unknown(address: &str) -> Advice {
    let words = "No key of theirs is known: the message goes out as normal mail.".to_owned();
    Advice { is_unknown: true, ..advice(address, Recommendation::Disable, None, words) }
}

/// What is recommended for one correspondent.
fn judge(
    address: &str,
    row: Option<&PeerRow>,
    certificates: &HashMap<String, Certificate>,
    (own_mutual, replying): (bool, bool),
    (since, now): (i64, i64),
) -> (Advice, Option<Certificate>) {
    let Some(row) = row else {
        return (unknown(address), None);
    };
    let waits = waiting(row).is_some();
    if waits && row.verified_at > 0 {
        let words =
            "They wrote with another key than the one you compared. Nothing private goes to them until you \
                     keep the old key, use the new one, or compare again."
                .to_owned();
        return (Advice { undecided: true, ..advice(address, Recommendation::Disable, None, words) }, None);
    }
    let usable = |f: &&String| certificates.get(*f).is_some_and(|c| c.usable(now).is_ok());
    // Without a pin the address's own key goes before what others told of it, as long as it can be used.
    let chosen = match &row.pinned {
        Some(pinned) => Some(pinned),
        None => row.public_key.iter().chain(&row.gossip_key).find(usable).or_else(|| in_use(row)),
    };
    let certificate = chosen.and_then(|f| certificates.get(f));
    let Some(certificate) = certificate else {
        return (unknown(address), None);
    };
    if let Err(why) = certificate.usable(now) {
        let words = format!("Their key cannot be used: {why}. Their next message may bring a newer one.");
        // Whoever was written to in private is not written to in clear because a day has passed.
        let undecided = waits || row.private > 0;
        return (Advice { undecided, ..advice(address, Recommendation::Disable, None, words) }, None);
    }
    let mut peer = state(row);
    if row.pinned.is_some() {
        peer.key.clone_from(&row.pinned);
    } else if row.public_key.as_ref() != chosen {
        peer.key = None;
    }
    let (mut recommendation, _) = autocrypt::one(Some(&peer), |_| true, own_mutual, replying);
    // Somebody who reads private mail goes on reading it: nobody can switch that off from outside by taking headers away.
    if row.private > 0 && own_mutual {
        recommendation = Recommendation::Encrypt;
    }
    let words = reason(row, recommendation, replying);
    let words = if waits { format!("{words} They wrote with a different key last.") } else { words };
    // A program that told its key takes ours from the field; one that wrote in private since has it.
    let needs_key = row.private_at < since && (row.public_key.is_none() || since > 1);
    let advice =
        Advice { undecided: waits, needs_key, ..advice(address, recommendation, Some(certificate), words) };
    (advice, Some(certificate.clone()))
}

/// What is recommended for somebody of whom only servers named a key: the first that can be used, and never by itself, but
/// to answer what came in private. What anybody may have put there is used when the owner chooses it, not before.
fn by_look_up(
    address: &str,
    found: &[CandidateRow],
    certificates: &HashMap<String, Certificate>,
    replying: bool,
    now: i64,
) -> Option<(Advice, Option<Certificate>)> {
    let is_usable = |certificate: &&Certificate| lookup::unusable(certificate, address, now).is_none();
    let mut usable = found.iter().filter(|row| row.address == address).filter_map(|row| {
        let certificate = certificates.get(&row.fingerprint).filter(is_usable)?;
        Some((row, certificate))
    });
    let first = usable.clone().find(|(row, _)| !lookup::is_anybodys(&row.source));
    let Some((row, certificate)) = first else {
        let (row, _) = usable.next()?;
        let words = format!(
            "{} has a key in their name, but anybody can put one there: look at it on their page, and choose it if it is theirs.",
            row.server
        );
        return Some((advice(address, Recommendation::Disable, None, words), None));
    };
    let others = usable.any(|(_, other)| other.fingerprint() != certificate.fingerprint());
    let words = match (row.source.as_str(), others) {
        (_, true) => format!("{} has a key for them, others have different ones.", row.server),
        ("wkd", false) => format!("{} gives out a key for them.", row.server),
        (_, false) => format!("{} has a key for them.", row.server),
    };
    let words = format!("{words} Nobody you know vouches for it: compare it with them.");
    let recommendation = if replying { Recommendation::Encrypt } else { Recommendation::Discourage };
    let advice = Advice { needs_key: true, ..advice(address, recommendation, Some(certificate), words) };
    Some((advice, Some(certificate.clone())))
}

/// Why, from how they really write.
fn reason(row: &PeerRow, recommendation: Recommendation, replying: bool) -> String {
    let times = |n: u32| if n == 1 { "once".to_owned() } else { format!("{n} times") };
    let messages = |n: u32| {
        if n == 1 {
            "your last private message".to_owned()
        } else {
            format!("your last {n} private messages")
        }
    };
    let habit = if row.answered > 0 {
        format!("They read and answered {}.", messages(row.answered))
    } else if row.private > 0 {
        format!("They wrote to you in private {}.", times(row.private))
    } else if row.public_key.is_some() {
        "Their program told its key.".to_owned()
    } else if row.pinned.is_some() {
        "You brought their key.".to_owned()
    } else {
        "A contact you share told their key.".to_owned()
    };
    match recommendation {
        Recommendation::Encrypt if replying && row.private == 0 => {
            "You are answering private mail, so it stays private.".to_owned()
        }
        Recommendation::Encrypt => habit,
        Recommendation::Available => format!("{habit} They did not ask for private mail."),
        Recommendation::Discourage if row.public_key.is_none() => {
            format!("{habit} They themselves have not told it to you yet.")
        }
        Recommendation::Discourage => {
            format!(
                "{habit} Their newer mail came without it, so perhaps they cannot read private mail any more."
            )
        }
        Recommendation::Disable => "No key of theirs can be used.".to_owned(),
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
    let mutual = super::outgoing::own_preference(app, None).await?;
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
/// Not found, where there is no such key; usage, where nothing waits or the fingerprints differ.
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
                        return Err(Failure::usage(format!(
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
                    Failure::usage(format!("No newer key of {address} waits to be decided on"))
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
        super::envelopes::settle_again(app, &certificate, false).await?;
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
        return Err(Failure::usage(format!("{}; nothing was changed", why.trim_end_matches('.'))));
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
        return Err(Failure::usage(format!(
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

/// The certificate of a correspondent as the surface shows it.
///
/// # Errors
/// When the store fails.
pub async fn key_of(app: &Arc<App>, address: &str) -> Result<Option<keyring::Key>, Failure> {
    let certificate = certificate_in_use(app, &canonical(address)).await?;
    Ok(certificate.map(|certificate| keyring::shown(&certificate, app.now())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_others_told_is_not_called_a_habit_that_was_given_up() {
        let carol = PeerRow { gossip_key: Some("CA401".to_owned()), ..blank("carol@x.example") };
        let words = reason(&carol, Recommendation::Discourage, false);
        assert_eq!(words, "A contact you share told their key. They themselves have not told it to you yet.");
        let bob = PeerRow { public_key: Some("B0B".to_owned()), last_seen: 9, ..blank("bob@x.example") };
        assert!(reason(&bob, Recommendation::Discourage, false).contains("newer mail came without it"));
    }
}
