//! What is laid into the folders, and what of it goes again before its reader took it.

use super::round::{AT_ONCE, MOST_TIMES, known, read};
use super::speak;
use crate::crypto::devices::Standing;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::mail::ids::Uid;
use crate::mail::sma::{DeviceId, Kind, Letter, Payload};
use crate::network::imap::{ImapError, Session};
use crate::storage::database::devices::{self as table, LetterRow};
use crate::storage::database::{AccountRow, commit};
use std::collections::{BTreeMap, BTreeSet};

/// What lies in another device's folder shall last so much longer, in seconds.
const LASTS: i64 = 7 * 24 * 3600;
/// So many messages that later ones made needless may lie in another device's folder.
const MOST_NEEDLESS: usize = 32;

/// Lays what is on its way. What may lie there already, because the program was killed, is looked for first. A folder that takes
/// nothing keeps no other waiting.
pub(super) async fn lay(
    app: &App,
    account: &AccountRow,
    session: &mut Session,
    folders: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    // What was meant for a device is not laid any more once it is out.
    let roster = known(app, account).await?.roster.devices().into_iter();
    let out = roster.filter(|(_, standing)| matches!(standing, Standing::Removed | Standing::Disputed));
    let out: BTreeSet<String> = out.map(|(device, _)| device.inbox()).collect();
    loop {
        let letters = table::letters(&mut *app.reader.get().await?, account.id).await?;
        if letters.is_empty() {
            return Ok(());
        }
        let (mut shut, mut refused) = (BTreeSet::new(), None);
        for letter in letters {
            if shut.contains(&letter.folder) {
                continue;
            }
            // Whose folder is gone makes it again, and hears of it then: everything is said until it is confirmed.
            let folder = folders
                .get(&letter.folder)
                .filter(|_| !out.contains(&letter.folder) && !is_over(&letter.bytes, app.now()));
            let no = match folder {
                Some(raw_name) => lay_one(app, account, session, raw_name, &letter).await?,
                None => None,
            };
            match no {
                None => note(app, letter.number, true).await?,
                Some(no) => {
                    shut.insert(letter.folder);
                    refused.get_or_insert(no);
                }
            }
        }
        if let Some(no) = refused {
            return Err(no);
        }
    }
}

/// Lays one message; gives why, where the server takes it not.
async fn lay_one(
    app: &App,
    account: &AccountRow,
    session: &mut Session,
    raw_name: &str,
    letter: &LetterRow,
) -> Result<Option<Failure>, Failure> {
    if letter.tried {
        session.select(raw_name).await?;
        if !session.find_message_id(&letter.message_id).await?.is_empty() {
            return Ok(None);
        }
    }
    note(app, letter.number, false).await?;
    match session.append(raw_name, &letter.bytes, &["\\Seen"], None).await {
        Ok(_) => Ok(None),
        Err(ImapError::No { code: Some(code), .. }) if code == "OVERQUOTA" => {
            Ok(Some(Failure::failed(format!(
                "The mailbox of {} is full, so your devices cannot tell each other anything; make room in it, and they \
                 go on by themselves",
                account.address
            ))))
        }
        Err(error) if error.leaves_session_usable() => Ok(Some(error.into())),
        Err(error) => Err(error.into()),
    }
}

/// Whether a message is past its time before it was laid.
fn is_over(raw: &[u8], now: i64) -> bool {
    payload_of(raw).is_some_and(|payload| payload.expires <= now)
}

fn payload_of(raw: &[u8]) -> Option<Payload> {
    Payload::parse(&Letter::read(raw).ok()?.signed.payload).ok()
}

/// What a device has not confirmed for long lies in its folder still, or is said again instead of what lies there: so the
/// folder of a device that is away does not grow with time.
pub(super) async fn weed(
    app: &App,
    account: &AccountRow,
    session: &mut Session,
    folders: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let me = known(app, account).await?.device.id();
    for (device, said) in speak::unheard(app, account).await? {
        let Some(raw_name) = folders.get(&device.inbox()) else { continue };
        let (lying, over) = own_updates(app, session, raw_name, me).await?;
        let lasts = |seq: &u64| lying.get(seq).is_some_and(|(_, until)| *until - app.now() > LASTS);
        let mut go = over;
        if !said.is_empty() && said.iter().all(lasts) && lying.len() <= said.len() + MOST_NEEDLESS {
            speak::wait_on(app, account, device).await?;
        } else {
            go.extend(lying.into_values().map(|(uid, _)| uid));
        }
        session.delete_ours(&go).await?;
    }
    Ok(())
}

/// This device's updates in another one's folder: where each lies and until when it counts, by number. And what is past its time,
/// whoever laid it.
async fn own_updates(
    app: &App,
    session: &mut Session,
    raw_name: &str,
    me: DeviceId,
) -> Result<(BTreeMap<u64, (Uid, i64)>, Vec<Uid>), Failure> {
    let (mut lying, mut over) = (BTreeMap::new(), Vec::new());
    for time in 0..MOST_TIMES {
        let (found, large) = read(session, raw_name, time * AT_ONCE).await?;
        let is_last = found.len() + large.len() < AT_ONCE;
        for (uid, raw) in found {
            match payload_of(&raw) {
                Some(payload) if payload.expires <= app.now() => over.push(uid),
                Some(payload) if payload.from == me && payload.kind() == Kind::Update => {
                    lying.insert(payload.seq, (uid, payload.expires));
                }
                _ => {}
            }
        }
        if is_last {
            break;
        }
    }
    Ok((lying, over))
}

async fn note(app: &App, letter: i64, done: bool) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    if done {
        table::posted(&mut c, letter).await?;
    } else {
        table::try_letter(&mut c, letter).await?;
    }
    Ok(commit(c).await?)
}
