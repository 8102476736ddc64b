//! What lay in the folders: announcements, and messages for this device. Each is taken in whole, or not at all; one that was
//! taken is never taken again, wherever the program was killed.

use super::exchange;
use super::mine::{self, Mine};
use super::pairing::{Action, Event, Stamp};
use super::share;
use crate::crypto::devices::{Roster, Standing, hash, verified, verified_announcement};
use crate::engine::app::App;
use crate::engine::events;
use crate::engine::failure::Failure;
use crate::mail::sma::{Body, Cancel, Contents, DeviceId, Entry, Kind, Letter, Payload, Sealed, Statement};
use crate::storage::database::devices::{self as table};
use crate::storage::database::{AccountRow, Connection, commit, shared};
use std::sync::Arc;

/// Clocks may differ so much, in seconds.
const SKEW: i64 = 15 * 60;

/// So many programs that say they are the owner's are remembered.
const MOST_OTHERS: usize = 64;

/// The roster of a device whose word was taken is waited for so long, in seconds.
const JOINING: i64 = 24 * 3600;

/// What becomes of a message among the announcements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays for the others.
    Stays,
    /// It stays, and is this device's own.
    Ours,
    /// It is past its time, or this device's own and replaced.
    Goes,
}

/// Takes in one message from among the announcements.
pub(super) async fn announced(app: &App, account: &AccountRow, raw: &[u8]) -> Result<Fate, Failure> {
    let Ok(letter) = Letter::read(raw) else { return Ok(Fate::Stays) };
    let now = app.now();
    let Ok(claimed) = Payload::parse(&letter.signed.payload) else { return Ok(Fate::Stays) };
    if claimed.account != account.address || claimed.kind() != letter.marker.kind {
        return Ok(Fate::Stays);
    }
    if claimed.expires <= now {
        return Ok(Fate::Goes);
    }
    if claimed.created > now + SKEW {
        return Ok(Fate::Stays);
    }
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let Some(mut mine) = Mine::load(&mut c, account).await? else { return Ok(Fate::Stays) };
    match claimed.body {
        Body::Announce(_) => {
            let Ok((payload, announce)) = verified_announcement(&letter.signed) else {
                return Ok(Fate::Stays);
            };
            if payload.from == mine.device.id() {
                let is_mine = announce.keys == mine.device.keys();
                return Ok(match payload.seq == mine.row.announced_seq {
                    _ if !is_mine => Fate::Stays,
                    true => Fate::Ours,
                    false => Fate::Goes,
                });
            }
            if mine.roster.standing(payload.from) == Standing::Removed {
                return Ok(Fate::Goes);
            }
            let was = (payload.from.to_string(), mine::keys_bytes(&announce.keys));
            if shared::former(&mut c, account.id).await?.contains(&was) {
                return Ok(Fate::Goes);
            }
            let counts = mine.keys_of(payload.from).is_none_or(|keys| keys == announce.keys);
            let mut other = mine::other(&mut c, account.id, payload.from).await?;
            let others = table::others(&mut c, account.id).await?;
            let lately = others.iter().filter(|row| now - row.last_seen < exchange::SILENT).count();
            let room = lately < MOST_OTHERS || other.last_seen > 0;
            // What a provider hands out again is not news.
            if counts && room && payload.created >= other.last_seen {
                other.last_seen = payload.created.min(now);
                other.keys = mine::keys_bytes(&announce.keys);
                other.fallback = mine::key_bytes(&announce.fallback);
                other.program = announce.program;
                table::put_other(&mut c, account.id, &other).await?;
                commit(c).await?;
            }
        }
        Body::Removed(statement) => {
            let counts = removal_counts(&mine, &letter, claimed.from, &statement);
            let is_news = counts && mine.roster.take(statement);
            if is_news {
                mine.save(&mut c).await?;
                commit(c).await?;
            }
        }
        _ => {}
    }
    Ok(Fate::Stays)
}

/// Whether the roster looks at a removal from among the announcements: it was sent under a key that was ever let in. Who was put
/// out has to be heard, too, for it may be the thief's word that put it out; but once for each device it removes, or it could
/// fill the roster.
fn removal_counts(mine: &Mine, letter: &Letter, from: DeviceId, statement: &Statement) -> bool {
    let roster = &mine.roster;
    roster.ever(from).any(|keys| verified(&letter.signed, &keys.signing).is_ok())
        && (roster.keys_of(from).is_some() || !roster.has_removal(statement.device, statement.author))
}

/// Takes in one message for this device.
pub(super) async fn addressed(app: &Arc<App>, account: &AccountRow, raw: &[u8]) -> Result<(), Failure> {
    let Ok(letter) = Letter::read(raw) else { return Ok(()) };
    let Ok(claimed) = Payload::parse(&letter.signed.payload) else { return Ok(()) };
    if claimed.kind() != letter.marker.kind {
        return Ok(());
    }
    match claimed.kind() {
        Kind::Announce | Kind::Removed => Ok(()),
        Kind::Update | Kind::Reset => told(app, account, &letter, &claimed).await,
        _ => {
            let may = {
                let mut reader = app.reader.get().await?;
                let mine = Mine::load(&mut reader, account).await?;
                mine.is_some_and(|mine| may_pair(&mine.roster.standing(claimed.from), &claimed.body))
            };
            if may { step(app, account, Event::Heard(letter.signed)).await } else { Ok(()) }
        }
    }
}

/// A number that was removed is used up, and that of a member is its own. A member that asks under its own keys never heard that
/// it was let in: the program was killed just then, or the provider kept it back.
fn may_pair(standing: &Standing, body: &Body) -> bool {
    match (standing, body) {
        (Standing::Outside, _) => true,
        (Standing::Member { keys, .. }, Body::Request(request)) => request.keys == *keys,
        (Standing::Member { .. }, _) => true,
        (Standing::Removed | Standing::Disputed, _) => false,
    }
}

/// Something happened to the pairing of an account: does what follows from it.
pub(super) async fn step(app: &Arc<App>, account: &AccountRow, event: Event) -> Result<(), Failure> {
    let now = app.now();
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let Some(mut mine) = Mine::load(&mut c, account).await? else { return Ok(()) };
    let mut stamp = Stamp { now, seq: mine.row.seq, roster: Some(mine.roster.hash()) };
    let ends = matches!(event, Event::End);
    let actions = app.devices.step(&mine, event, &mut stamp);
    mine.row.seq = stamp.seq;
    if let Some((joined, _)) = mine.joined().filter(|_| ends) {
        // Its roster is waited for no longer; it may wait itself for a word that was lost.
        mine.row.joined.clear();
        mine.row.joined_keys.clear();
        let cancel = Body::Cancel { why: Cancel::Ended, signing: mine.device.keys().signing };
        let payload = mine.payload(Some(joined), cancel, now);
        mine.post(&mut c, &payload).await?;
        app.devices.sight.forget(account.id);
    }
    if mine.joined().is_some() && now - mine.row.joined_at > JOINING {
        mine.row.joined.clear();
        mine.row.joined_keys.clear();
        app.devices.note(account.id, Some(Cancel::Expired));
    }
    for action in actions {
        match action {
            Action::Send(payload) => {
                mine.post(&mut c, &payload).await?;
            }
            Action::Admit { device, keys, name, one_time } => {
                let again = mine.roster.keys_of(device) == Some(keys);
                let added = again || mine.roster.add(&mine.device, device, keys, &name, now).is_some();
                let mut other = mine::other(&mut c, account.id, device).await?;
                let mut sessions = mine::sessions(&other);
                if added && sessions.begin(&mine.device, device, &keys, &one_time).is_ok() {
                    // It has nothing of what it was told before.
                    table::forget_told(&mut c, account.id, &other.device).await?;
                    (other.confirmed, other.told_at) = (0, 0);
                    other.sessions = sessions.to_kept()?.to_string();
                    other.last_seen = now;
                    other.keys = mine::keys_bytes(&keys);
                    table::put_other(&mut c, account.id, &other).await?;
                    app.devices.note(account.id, None);
                    app.devices.sight.finish(account.id, device);
                    app.tell(events::Event::Progress { words: "A new device was paired".into() });
                } else {
                    app.devices.note(account.id, Some(Cancel::Broken));
                }
            }
            Action::Join { device, keys } => {
                mine.row.joined = device.to_string();
                mine.row.joined_keys = mine::keys_bytes(&keys);
                mine.row.joined_at = now;
                app.devices.note(account.id, None);
                app.devices.sight.finish(account.id, device);
            }
            Action::Ended { why, .. } => app.devices.note(account.id, Some(why)),
        }
    }
    mine.save(&mut c).await?;
    Ok(commit(c).await?)
}

/// A message of a paired device: an update, or the word that ours could not be opened.
async fn told(
    app: &Arc<App>,
    account: &AccountRow,
    letter: &Letter,
    claimed: &Payload,
) -> Result<(), Failure> {
    let now = app.now();
    let (mut mine, mut other) = {
        let mut reader = app.reader.get().await?;
        let Some(mine) = Mine::load(&mut reader, account).await? else { return Ok(()) };
        (mine, mine::other(&mut reader, account.id, claimed.from).await?)
    };
    // Never a key from the message: only the roster's, or those that a person compared.
    let Some(keys) = mine.keys_of(claimed.from) else { return Ok(()) };
    let Ok(payload) = verified(&letter.signed, &keys.signing) else { return Ok(()) };
    let is_now = payload.expires > now && payload.created <= now + SKEW;
    let is_ours = payload.account == account.address && payload.to == Some(mine.device.id());
    if !is_now || !is_ours || payload.seq <= other.heard {
        return Ok(());
    }
    let mut sessions = mine::sessions(&other);
    let taken = other.taken;
    other.heard = payload.seq;
    other.roster = payload.roster.map(Vec::from).unwrap_or_default();
    other.last_seen = other.last_seen.max(payload.created.min(now));
    let mut news = Vec::new();
    let mut untell = None;
    match payload.body {
        Body::Reset(key) => {
            // One that no session can begin with is passed over.
            if sessions.begin(&mine.device, payload.from, &keys, &key).is_ok() {
                untell = Some(Some(other.confirmed));
            }
        }
        Body::Update(sealed) => match opened(&mut mine, &mut sessions, &keys, &sealed) {
            Some(contents) => {
                untell = match contents.heard {
                    // It knew more before: its store was put back to an older state, of which it says nothing but this.
                    heard if heard < other.confirmed => Some(None),
                    heard => contents.missed.then_some(Some(heard)),
                };
                other.confirmed = contents.heard;
                if !contents.entries.is_empty() || contents.passed_over > 0 {
                    other.owes = true;
                    if contents.after <= other.taken {
                        other.taken = payload.seq;
                    } else {
                        other.missed = true;
                    }
                }
                news = contents.entries;
            }
            None => other.closed = true,
        },
        _ => return Ok(()),
    }
    // Before the session's step is kept: killed in between, the message is taken again, which changes nothing.
    adopt(&mut mine, payload.from, &news);
    if mine.roster.take_all(news.iter().filter_map(statement)) {
        // What they follow was kept back on the way; it is all to be said again.
        (other.missed, other.taken) = (true, taken);
    }
    let still = mine.keys_of(payload.from).is_some();
    if still {
        share::take_in(app, account, &mut mine, news.clone(), payload.created).await?;
    }
    other.sessions = sessions.to_kept()?.to_string();
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    if let Some(above) = untell {
        table::untell(&mut c, account.id, &other.device, above).await?;
    }
    // What was passed over for its time is not here: it may be said again.
    for entry in news.iter().filter(|entry| !share::is_early(entry, payload.created)) {
        let known = (exchange::name(entry), exchange::version(entry));
        table::tell(&mut c, account.id, &other.device, (known.0.as_slice(), known.1.as_slice()), 0).await?;
    }
    table::put_other(&mut c, account.id, &other).await?;
    mine.save(&mut c).await?;
    Ok(commit(c).await?)
}

fn opened(
    mine: &mut Mine,
    sessions: &mut crate::crypto::devices::Sessions,
    keys: &crate::mail::sma::Keys,
    sealed: &Sealed,
) -> Option<Contents> {
    let plain = sessions.decrypt(&mut mine.device, keys, sealed).ok()?;
    Contents::parse(&plain).ok()
}

const fn statement(entry: &Entry) -> Option<&Statement> {
    match entry {
        Entry::Statement(statement) => Some(statement),
        _ => None,
    }
}

/// The roster of the device whose word was taken becomes this one's, once it is here with both of them on it.
fn adopt(mine: &mut Mine, from: DeviceId, entries: &[Entry]) {
    let Some((joined, keys)) = mine.joined().filter(|(joined, _)| *joined == from) else { return };
    let statements: Vec<&Statement> = entries.iter().filter_map(statement).collect();
    let first = statements.iter().filter(|s| s.author == s.device && s.seen.is_empty());
    for first in first {
        let mut roster = Roster::anchored(&mine.address, hash(&first.signed_bytes()));
        roster.take_all(statements.iter().copied());
        let both = roster.keys_of(joined) == Some(keys)
            && roster.keys_of(mine.device.id()) == Some(mine.device.keys());
        if both {
            mine.roster = roster;
            mine.row.joined.clear();
            mine.row.joined_keys.clear();
            return;
        }
    }
}

/// The person compared, and typed this.
pub(super) async fn confirm(app: &Arc<App>, account: &AccountRow, typed: &str) -> Result<(), Failure> {
    let one_time = {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        let Some(mut mine) = Mine::load(&mut c, account).await? else { return Ok(()) };
        let one_time = mine.device.one_time_key()?;
        mine.save(&mut c).await?;
        commit(c).await?;
        one_time
    };
    step(app, account, Event::Confirm { typed: typed.to_owned(), one_time }).await
}

/// This device, if there is one yet.
pub(super) async fn mine(c: &mut Connection, account: &AccountRow) -> Result<Option<Mine>, Failure> {
    Mine::load(c, account).await
}
