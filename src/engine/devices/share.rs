//! What devices keep alike: collected from the store to be told, and taken into the store when it was told.

use super::merge;
use super::mine::Mine;
use crate::crypto::openpgp::{Certificate, SecretKey};
use crate::engine::accounts::{self, Settings};
use crate::engine::app::App;
use crate::engine::failure::{Failure, blocking};
use crate::engine::{envelopes, keyring, peers};
use crate::mail::autocrypt::Peer;
use crate::mail::sma::{Entry, OwnKey, PeerState, Preference, Shared, Trust, merged_peer, merged_trust};
use crate::storage::database::{
    AccountRow, Connection, DecisionRow, OwnKeyRow, PeerRow, accounts as account_table, commit,
    devices as table, keys, peers as peer_table,
};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// So many correspondents are read at a time.
const PAGE: u32 = 500;
/// Why a decision is here that was made elsewhere.
pub(super) const ELSEWHERE: &str = "decided on another of your devices";
/// The reasons that only a person has.
const BY_PERSON: [&str; 6] = [
    "accepted by you",
    "you keep the old key",
    "compared by you",
    "chosen by you, found at %",
    "by an invitation",
    ELSEWHERE,
];

/// All that this device would tell another one, the roster first.
pub(super) async fn collect(
    c: &mut Connection,
    account: &AccountRow,
    mine: &mut Mine,
    now: i64,
) -> Result<Vec<Entry>, Failure> {
    let mut entries: Vec<Entry> =
        mine.roster.statements().map(|(_, statement)| Entry::Statement(statement.clone())).collect();
    for row in keys::own_keys(c).await?.into_iter().filter(|row| row.address == account.address) {
        entries.push(Entry::OwnKey(OwnKey {
            fingerprint: row.fingerprint,
            address: row.address,
            secret: row.secret,
            revocation: row.revocation,
            made_at: row.made_at,
            current: row.current,
        }));
    }
    // A clock was ahead when this device said so; nobody took it in.
    let is_own = mine.row.mutual_by == mine.device.id().to_string();
    if is_own && mine.row.mutual_at > now.saturating_add(merge::FAR) {
        mine.row.mutual_at = now;
    }
    if let (Ok(device), true) = (mine.row.mutual_by.parse(), mine.row.mutual_at > 0) {
        let at = mine.row.mutual_at;
        let mutual = mine.row.mutual;
        entries.push(Entry::Preference(Preference { address: account.address.clone(), mutual, at, device }));
    }
    entries.extend(super::shared::collect(c, mine, now).await?);
    let decided = keys::last_decisions(c, &BY_PERSON).await?;
    let mut wanted = BTreeSet::new();
    let mut states = Vec::new();
    let mut after = String::new();
    loop {
        let rows = peer_table::list(c, &after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after.clone_from(&last.address);
        for row in rows {
            let at = decided_at(&decided, &row.address, now);
            let refused = Some(&row.refused).filter(|refused| !refused.is_empty());
            wanted.extend([&row.public_key, &row.gossip_key, &row.pinned].into_iter().flatten().cloned());
            wanted.extend(refused.cloned());
            states.push(Entry::Peer(state(&row, at)));
        }
    }
    let wanted: Vec<String> = wanted.into_iter().collect();
    for some in wanted.chunks(PAGE as usize) {
        for fingerprint in some {
            if let Some(bytes) = keys::certificate(c, fingerprint).await? {
                entries.push(Entry::Certificate { fingerprint: fingerprint.clone(), bytes });
            }
        }
    }
    entries.extend(states);
    // What others would pass over is told when its time has come.
    entries.retain(|entry| !is_early(entry, now));
    Ok(entries)
}

/// Whether an entry says that it was decided later than the message that tells of it was made.
pub(super) const fn is_early(entry: &Entry, created: i64) -> bool {
    match entry {
        Entry::Preference(preference) => !merge::may_be_told(preference.at, created),
        Entry::Peer(peer) => peer.trust.decided_at > created,
        Entry::Shared(shared) => !merge::may_be_told(shared.at, created),
        Entry::Statement(_) | Entry::Certificate { .. } | Entry::OwnKey(_) => false,
    }
}

/// Notes what the owner wishes of the account, if that was said on this device since: as later than all that was said before.
pub(super) fn note_preference(account: &AccountRow, mine: &mut Mine, now: i64) -> Result<(), Failure> {
    let mutual = Settings::of(account)?.prefer_encrypt == "mutual";
    if mutual != mine.row.mutual {
        mine.row.mutual = mutual;
        mine.row.mutual_at = merge::dated(now, mine.row.mutual_at);
        mine.row.mutual_by = mine.device.id().to_string();
    }
    Ok(())
}

/// When a correspondent was last decided about; what a clock that was ahead dated counts as not dated.
fn decided_at(decided: &HashMap<String, i64>, address: &str, now: i64) -> i64 {
    let at = decided.get(address).copied().unwrap_or_default();
    if at > now.saturating_add(merge::FAR) { 0 } else { at }
}

fn state(row: &PeerRow, decided_at: i64) -> PeerState {
    PeerState {
        address: row.address.clone(),
        state: Peer {
            last_seen: row.last_seen,
            autocrypt_timestamp: row.autocrypt_timestamp,
            key: row.public_key.clone(),
            mutual: row.mutual,
            gossip_timestamp: row.gossip_timestamp,
            gossip_key: row.gossip_key.clone(),
        },
        trust: Trust {
            pinned: row.pinned.clone(),
            pinned_at: row.pinned_at,
            verified_at: row.verified_at,
            refused: row.refused.clone(),
            decided_at,
            changes: row.changes,
        },
    }
}

/// Takes in what another device of the owner's told at `created`. Each entry is whole, so that taking one twice changes nothing.
/// What is said to have been decided later than that is passed over: it would count against all decisions to come.
pub(super) async fn take_in(
    app: &Arc<App>,
    account: &AccountRow,
    mine: &mut Mine,
    entries: Vec<Entry>,
    created: i64,
) -> Result<(), Failure> {
    // Certificates go before those who are known by them.
    let (mut states, mut set) = (Vec::new(), Vec::new());
    for entry in entries.into_iter().filter(|entry| !is_early(entry, created)) {
        match entry {
            Entry::Statement(_) => {}
            Entry::Certificate { fingerprint, bytes } => certificate(app, &fingerprint, bytes).await?,
            Entry::OwnKey(key) => own_key(app, account, key).await?,
            Entry::Preference(preference) => prefer(app, account, mine, &preference).await?,
            Entry::Peer(peer) => states.push(peer),
            Entry::Shared(shared) => set.push(shared),
        }
    }
    set_elsewhere(app, mine, &set).await?;
    for peer in states {
        correspondent(app, &peer).await?;
    }
    Ok(())
}

async fn set_elsewhere(app: &App, mine: &Mine, told: &[Shared]) -> Result<(), Failure> {
    if told.is_empty() {
        return Ok(());
    }
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    for one in told {
        super::shared::take_in(&mut c, mine, one, app.now()).await?;
    }
    Ok(commit(c).await?)
}

async fn certificate(app: &App, fingerprint: &str, bytes: Vec<u8>) -> Result<(), Failure> {
    let parsed = blocking(move || Ok::<_, Failure>(Certificate::parse(&bytes).ok())).await?;
    let Some(parsed) = parsed.filter(|parsed| parsed.fingerprint().to_string() == fingerprint) else {
        return Ok(());
    };
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    peers::remember(&mut c, &parsed, app.now()).await?;
    Ok(commit(c).await?)
}

/// One of the owner's keys. Of two that are in use for the address on two devices, the one that follows the other by its
/// signature goes on; otherwise the older, which correspondents know.
async fn own_key(app: &Arc<App>, account: &AccountRow, told: OwnKey) -> Result<(), Failure> {
    let now = app.now();
    let (secret, fingerprint) = (told.secret.clone(), told.fingerprint.clone());
    let parsed = blocking(move || Ok::<_, Failure>(SecretKey::parse(&secret, None).ok())).await?;
    let Some(key) = parsed.filter(|key| key.fingerprint().to_string() == fingerprint) else { return Ok(()) };
    if told.address != account.address {
        return Ok(());
    }
    let (held, theirs) = {
        let _making = app.making_key.lock().await;
        let all = app.keyring.all();
        let held = all.iter().find(|own| own.key.fingerprint() == key.fingerprint());
        // Of one key that was made to last longer on both devices, both keep the same form.
        let form =
            |key: &SecretKey| (key.certificate().expires(now).unwrap_or(i64::MAX), key.bytes().to_vec());
        let key = held.map(|own| own.key.clone()).filter(|ours| form(ours) > form(&key)).unwrap_or(key);
        let held = held.is_some();
        let theirs = key.certificate();
        // One that is expired, revoked or another address's takes no key's place.
        let serves = theirs.addresses(now).contains(&account.address) && keyring::signs(&key, now);
        let goes_first = match app.keyring.current(&account.address) {
            Some(ours) if ours.key.fingerprint() == key.fingerprint() => true,
            Some(ours) => {
                let cert = ours.key.certificate();
                let rank = |c: &Certificate| (c.created(), c.fingerprint().to_string());
                !keyring::signs(&ours.key, now)
                    || theirs.is_vouched_by(&cert, now)
                    || !cert.is_vouched_by(&theirs, now) && rank(&theirs) < rank(&cert)
            }
            None => true,
        };
        let current = told.current && serves && goes_first;
        let row = OwnKeyRow {
            fingerprint: told.fingerprint.clone(),
            address: told.address.clone(),
            secret: key.bytes().to_vec(),
            revocation: told.revocation,
            made_at: told.made_at,
            current,
            backed_up_at: 0,
        };
        {
            let writer = app.writer.lock().await;
            let mut c = writer.begin().await?;
            keys::put_own(&mut c, &row).await?;
            if !held {
                peers::decide(
                    &mut c,
                    now,
                    &told.address,
                    &told.fingerprint,
                    "own",
                    "from another of your devices",
                )
                .await?;
            }
            commit(c).await?;
        }
        keyring::learn(app).await?;
        (held, theirs)
    };
    if !held {
        // What could not be opened before may be now.
        envelopes::settle_again(app, &theirs, true).await?;
    }
    Ok(())
}

async fn prefer(app: &App, account: &AccountRow, mine: &mut Mine, told: &Preference) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    // What was said here since the last look counts with its own time.
    let Some(row) = account_table::list(&mut c).await?.into_iter().find(|row| row.id == account.id) else {
        return Ok(());
    };
    note_preference(&row, mine, app.now())?;
    let Ok(by) = mine.row.mutual_by.parse() else { return Ok(()) };
    let is_ahead = mine.row.mutual_at > app.now().saturating_add(merge::FAR);
    let is_later = is_ahead || (told.at, told.device) > (mine.row.mutual_at, by);
    if told.address == account.address && is_later {
        (mine.row.mutual, mine.row.mutual_at) = (told.mutual, told.at);
        mine.row.mutual_by = told.device.to_string();
        accounts::set_preference(&mut c, &row, told.mutual).await?;
    }
    table::prefer(&mut c, account.id, (mine.row.mutual, mine.row.mutual_at, &mine.row.mutual_by)).await?;
    Ok(commit(c).await?)
}

/// What another device knows of a correspondent, merged with what is known here.
async fn correspondent(app: &App, told: &PeerState) -> Result<(), Failure> {
    let now = app.now();
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let named = [&told.state.key, &told.state.gossip_key, &told.trust.pinned];
    for fingerprint in named.into_iter().flatten() {
        // Nothing is known by a key that is not here.
        if keys::certificate(&mut c, fingerprint).await?.is_none() {
            return Ok(());
        }
    }
    let row = peer_table::of(&mut c, std::slice::from_ref(&told.address)).await?.remove(&told.address);
    let row = row.unwrap_or_else(|| PeerRow { address: told.address.clone(), ..PeerRow::default() });
    let decided = keys::last_decisions(&mut c, &BY_PERSON).await?;
    let ours = state(&row, decided_at(&decided, &row.address, now));
    let trust = merged_trust(&ours.trust, &told.trust).clone();
    let peer = merged_peer(&ours.state, &told.state);
    let known = [&ours.state.key, &ours.state.gossip_key, &ours.trust.pinned];
    for fingerprint in [&peer.key, &peer.gossip_key, &trust.pinned] {
        if let Some(new) = fingerprint.as_ref().filter(|_| !known.contains(&fingerprint)) {
            keys::note_peer_key(&mut c, &row.address, new, "device", 0, now).await?;
        }
    }
    if trust.decided_at > ours.trust.decided_at {
        let deed = if trust.verified_at > 0 { "verified" } else { "changed" };
        let decision = DecisionRow {
            at: trust.decided_at,
            address: row.address.clone(),
            fingerprint: trust.pinned.clone().unwrap_or_default(),
            deed: deed.to_owned(),
            way: ELSEWHERE.to_owned(),
        };
        keys::decide(&mut c, &decision).await?;
    }
    let merged = PeerRow {
        last_seen: peer.last_seen,
        autocrypt_timestamp: peer.autocrypt_timestamp,
        public_key: peer.key,
        mutual: peer.mutual,
        gossip_timestamp: peer.gossip_timestamp,
        gossip_key: peer.gossip_key,
        pinned: trust.pinned,
        pinned_at: trust.pinned_at,
        verified_at: trust.verified_at,
        refused: trust.refused,
        changes: trust.changes,
        ..row
    };
    peer_table::put(&mut c, &merged).await?;
    Ok(commit(c).await?)
}
