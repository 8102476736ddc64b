//! What this device says: that it is there, and to each paired one what that one has not heard yet.

use super::exchange;
use super::mine::{self, Mine};
use super::share;
use crate::crypto::devices::hash;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::mail::sma::{Announce, Body, Contents, DeviceId, Entry, Keys, Writer};
use crate::storage::database::devices::{self as table, OtherDeviceRow};
use crate::storage::database::{AccountRow, Connection, accounts, commit};
use std::collections::BTreeSet;

const DAY: i64 = 24 * 3600;
/// How often a device says anew that it is there, and changes the key that sessions with it begin with.
const ANNOUNCED: i64 = 7 * DAY;
/// What was told and not confirmed for so long is told again.
const AGAIN: i64 = DAY;

/// The program, as it announces itself.
pub(super) const PROGRAM: &str = concat!("Mailkeep/", env!("CARGO_PKG_VERSION"));

/// Puts on its way whatever is due.
pub(super) async fn speak(app: &App, account: &AccountRow) -> Result<(), Failure> {
    let now = app.now();
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    // As it is now: what another device said of it may just have been taken in.
    let rows = accounts::list(&mut c).await?;
    let Some(account) = rows.iter().find(|row| row.id == account.id) else { return Ok(()) };
    let Some(mut mine) = Mine::load(&mut c, account).await? else { return Ok(()) };
    announce(&mut c, &mut mine, now).await?;
    // With the time when it is seen, also while there is nobody to tell it to.
    share::note_preference(account, &mut mine, now)?;
    let others = table::others(&mut c, account.id).await?;
    let seen = others.iter().filter_map(|row| Some((row.device.parse().ok()?, row.last_seen))).collect();
    let mut told = exchange::recipients(&mine.roster, mine.device.id(), &seen, now);
    let joined = mine.joined().filter(|(joined, _)| told.iter().all(|(device, _)| device != joined));
    told.extend(joined);
    if told.is_empty() {
        // Most people have one device: nothing is read for nobody.
        mine.save(&mut c).await?;
        return Ok(commit(c).await?);
    }
    let entries = share::collect(&mut c, account, &mut mine, now).await?;
    // One of them knows of a statement that is not here: perhaps that a device was removed which would be told a secret now.
    let behind = told.iter().any(|(device, _)| {
        let row = others.iter().find(|row| row.device == device.to_string());
        row.is_some_and(|row| !row.roster.is_empty() && !mine.had(&row.roster))
    });
    let entries: Vec<Entry> =
        entries.into_iter().filter(|entry| !behind || matches!(entry, Entry::Statement(_))).collect();
    for (device, keys) in told {
        let known = others.iter().find(|row| row.device == device.to_string()).cloned();
        let Some(mut other) = known else { continue };
        // One whose roster is not here yet is told nothing but that it was not understood.
        let none = Vec::new();
        let entries = if mine.joined().is_some() { &none } else { &entries };
        tell(&mut c, &mut mine, (device, keys), &mut other, entries, now).await?;
        table::put_other(&mut c, account.id, &other).await?;
    }
    mine.save(&mut c).await?;
    Ok(commit(c).await?)
}

/// This device's announcement does not lie where it should: it is made anew, at once where the folder was gone, and else after a
/// day, for a server may hide it for ever.
pub(super) async fn is_not_there(
    app: &App,
    account: &AccountRow,
    folder_was_gone: bool,
) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let Some(mut mine) = Mine::load(&mut c, account).await? else { return Ok(()) };
    if folder_was_gone || app.now() - mine.row.announced_at >= DAY {
        mine.row.announced.clear();
        mine.save(&mut c).await?;
        commit(c).await?;
    }
    Ok(())
}

/// The devices that have not confirmed for long what they were told, with the numbers of the messages that told it.
pub(super) async fn unheard(
    app: &App,
    account: &AccountRow,
) -> Result<Vec<(DeviceId, BTreeSet<u64>)>, Failure> {
    let now = app.now();
    let mut reader = app.reader.get().await?;
    let mut found = Vec::new();
    for other in table::others(&mut reader, account.id).await? {
        if let (true, Ok(device)) = (is_unheard(&other, now), other.device.parse()) {
            let told = table::told(&mut reader, account.id, &other.device).await?;
            let said = told.into_values().map(|(_, seq)| seq).filter(|seq| *seq > other.confirmed).collect();
            found.push((device, said));
        }
    }
    Ok(found)
}

const fn is_unheard(other: &OtherDeviceRow, now: i64) -> bool {
    other.told_at > 0 && now - other.told_at > AGAIN
}

/// All that a device was told lies there still: it is waited for.
pub(super) async fn wait_on(app: &App, account: &AccountRow, device: DeviceId) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let mut other = mine::other(&mut c, account.id, device).await?;
    other.told_at = app.now();
    table::put_other(&mut c, account.id, &other).await?;
    Ok(commit(c).await?)
}

async fn announce(c: &mut Connection, mine: &mut Mine, now: i64) -> Result<(), Failure> {
    if now - mine.row.fallback_at >= ANNOUNCED {
        // The one before it is kept for a week more.
        mine.row.fallback = mine::key_bytes(&mine.device.fallback_key()?);
        mine.row.fallback_at = now;
    }
    let Some(fallback) = mine::key_of_bytes(&mine.row.fallback) else { return Ok(()) };
    let announce = Announce { keys: mine.device.keys(), fallback, program: PROGRAM.to_owned() };
    let roster = mine.roster.hash();
    let what = Writer::default().bytes(&mine.row.fallback).text(PROGRAM).bytes(&roster).done();
    let what = hash(&what).to_vec();
    if mine.row.announced == what && now - mine.row.announced_at < ANNOUNCED {
        return Ok(());
    }
    let payload = mine.payload(None, Body::Announce(announce), now);
    mine.post(c, &payload).await?;
    mine.row.announced_seq = payload.seq;
    mine.row.announced = what;
    mine.row.announced_at = now;
    Ok(())
}

/// Tells one device what it has not heard.
async fn tell(
    c: &mut Connection,
    mine: &mut Mine,
    (device, keys): (DeviceId, Keys),
    other: &mut OtherDeviceRow,
    entries: &[Entry],
    now: i64,
) -> Result<(), Failure> {
    if other.closed {
        // What it sent could not be opened: a session is begun anew, by it, with this key.
        let key = mine.device.one_time_key()?;
        let payload = mine.payload(Some(device), Body::Reset(key), now);
        mine.post(c, &payload).await?;
        other.closed = false;
    }
    if is_unheard(other, now) {
        table::untell(c, mine.account, &other.device, Some(other.confirmed)).await?;
        other.told_at = 0;
    }
    let told = table::told(c, mine.account, &other.device).await?;
    let mut after = told.values().map(|(_, seq)| *seq).max().unwrap_or_default().max(other.confirmed);
    if after <= other.confirmed {
        other.told_at = 0;
    }
    let mut pieces = exchange::due(entries, &told);
    if pieces.is_empty() {
        if !other.owes {
            return Ok(());
        }
        pieces.push(Vec::new());
    }
    let mut sessions = mine::sessions(other);
    if sessions.is_empty() {
        let Some(fallback) = mine::key_of_bytes(&other.fallback) else { return Ok(()) };
        if sessions.begin(&mine.device, device, &keys, &fallback).is_err() {
            return Ok(());
        }
    }
    for piece in pieces {
        let contents =
            Contents { heard: other.taken, missed: other.missed, after, entries: piece, passed_over: 0 };
        let sealed = sessions.encrypt(&zeroize::Zeroizing::new(contents.to_bytes()))?;
        let payload = mine.payload(Some(device), Body::Update(sealed), now);
        mine.post(c, &payload).await?;
        for entry in &contents.entries {
            let known = (exchange::name(entry), exchange::version(entry));
            table::tell(
                c,
                mine.account,
                &other.device,
                (known.0.as_slice(), known.1.as_slice()),
                payload.seq,
            )
            .await?;
        }
        if !contents.entries.is_empty() {
            after = payload.seq;
            other.told_at = if other.told_at > 0 { other.told_at } else { now };
        }
        (other.owes, other.missed) = (false, false);
    }
    other.sessions = sessions.to_kept()?.to_string();
    Ok(())
}
