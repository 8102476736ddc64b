//! A person's devices: how they find each other through the mailbox, pair, and keep keys and trust in step (`docs/sma.md`).

mod code;
mod deeds;
mod exchange;
mod hear;
mod household;
mod lay;
mod merge;
mod mine;
pub mod pairing;
mod round;
mod share;
mod shared;
mod speak;
#[cfg(test)]
mod tests;
mod withdraw;

use super::app::App;
use super::failure::Failure;
use super::{accounts, search};
use crate::crypto::devices::{Handshake, Standing};
use crate::mail::ids::AccountId;
use crate::mail::sma::{Cancel, DeviceId};
use crate::storage::database::devices::{self as table, OtherDeviceRow};
use crate::storage::database::{AccountRow, accounts as account_table, commit};
pub use code::{CodeShape, ask_by_code, join, show_code};
pub use deeds::{Before, Ended, begin_anew, cancel, forget_signature, rename, signatures, use_signature};
pub use household::{Household, Notice, Stage, dismiss, households, is_mailkeep, notice, strays};
use mine::Mine;
use pairing::{Action, Event, Pairing, Shown, Stamp};
pub use round::run;
use serde::Serialize;
pub use shared::SHARE;
pub(in crate::engine) use shared::{SIGNATURE_SETTING, note_sender, note_signature};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
pub use withdraw::ANNOUNCE;

/// So long the other side is waited for where one deed needs its answer.
const PATIENCE: u32 = 40;

/// The pairings that go on, in memory alone.
#[derive(Default)]
pub struct Devices {
    pairings: Mutex<HashMap<AccountId, Pairing>>,
    ended: Mutex<HashMap<AccountId, Cancel>>,
    /// Why the last round at an account's server came to nothing.
    troubles: Mutex<HashMap<AccountId, String>>,
    /// One round at the server, or one deed of a person's, at a time.
    turn: tokio::sync::Mutex<()>,
    /// Told when a round is wanted.
    wanted: Notify,
    /// The background task is there: a pairing lives only as long.
    runs: AtomicBool,
    /// Who looks on.
    sight: household::Sight,
}

impl Devices {
    fn step(&self, mine: &Mine, event: Event, stamp: &mut Stamp) -> Vec<Action> {
        let mut pairings = self.pairings.lock().unwrap_or_else(PoisonError::into_inner);
        let pairing = pairings
            .entry(mine.account)
            .or_insert_with(|| Pairing::new(mine.address.clone(), mine.device.id(), mine.device.keys()));
        pairing.step(event, stamp)
    }

    /// Something changed here that the other devices should hear of soon.
    pub(in crate::engine) fn changed(&self) {
        self.wanted.notify_one();
    }

    fn shown(&self, account: AccountId) -> Shown {
        let pairings = self.pairings.lock().unwrap_or_else(PoisonError::into_inner);
        pairings.get(&account).map_or(Shown::Nothing, Pairing::shown)
    }

    /// Until when a pairing waits.
    fn until(&self, account: AccountId) -> Option<i64> {
        let pairings = self.pairings.lock().unwrap_or_else(PoisonError::into_inner);
        pairings.get(&account).and_then(Pairing::until)
    }

    /// Notes why a pairing ended, or that one begins or succeeded.
    fn note(&self, account: AccountId, why: Option<Cancel>) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => ended.insert(account, why),
            None => ended.remove(&account),
        };
    }

    /// What there is to see and why a pairing ended, once what follows from the last step is written: a step goes on in memory
    /// first.
    async fn stands(&self, app: &App, account: AccountId) -> (Shown, Option<Cancel>) {
        let _written = app.writer.lock().await;
        (self.shown(account), self.ended(account))
    }

    /// Notes how a round ended.
    fn trouble(&self, account: AccountId, failure: Option<&Failure>) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        match failure {
            Some(failure) => troubles.insert(account, format!("{}.", failure.words.trim_end_matches('.'))),
            None => troubles.remove(&account),
        };
    }

    fn troubled(&self, account: AccountId) -> Option<String> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).get(&account).cloned()
    }

    fn ended(&self, account: AccountId) -> Option<Cancel> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).get(&account).copied()
    }
}

/// A device as the surface shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Shape {
    /// Its number.
    pub id: String,
    /// What the owner calls it; what it calls itself, as long as it is not paired.
    pub name: String,
    /// `waiting`, `paired`, `inactive` or `removed`.
    pub state: &'static str,
    /// When it was last heard of; null for never.
    pub last_seen: Option<String>,
    /// It is this one.
    pub this: bool,
    /// What to type into the other device, while a pairing waits for that.
    pub sas: Option<String>,
    /// Which account it is a device of.
    pub account: String,
    /// What it is about, in one sentence; empty for nothing.
    pub words: String,
    /// The program it announced, with its version; empty for unknown.
    pub program: String,
}

/// A pairing as the surface shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// The device it is about.
    pub id: String,
    /// What it calls itself.
    pub name: String,
    /// `waiting` or `paired`.
    pub state: &'static str,
    /// What to type into the other device, on the new one.
    pub sas: Option<String>,
    /// What the person should know and do next.
    pub words: String,
}

/// Why a pairing ended, for the owner.
const fn why_words(why: Cancel) -> &'static str {
    match why {
        Cancel::Ended => "The pairing was ended on one of the two devices.",
        Cancel::WrongString => {
            "The numbers were not the same, so nothing was shared. Somebody may have interfered."
        }
        Cancel::TwoRequests => {
            "Two programs are asking to be paired, so both were refused. Ask again from yours alone."
        }
        Cancel::Elsewhere => "Another of your devices paired it.",
        Cancel::Broken => "The pairing was disturbed on its way, so nothing was shared. Ask again.",
        Cancel::Expired => "The pairing took too long. Ask again.",
        Cancel::WrongCode => {
            "The code was wrong, used already, or shown more than ten minutes ago, so nobody was let in; show a new one."
        }
    }
}

async fn rows(app: &App) -> Result<Vec<AccountRow>, Failure> {
    Ok(account_table::list(&mut *app.reader.get().await?).await?)
}

/// All devices of all accounts.
///
/// # Errors
/// When the store fails.
pub async fn list(app: &Arc<App>) -> Result<Vec<Shape>, Failure> {
    let now = app.now();
    let mut all: Vec<Shape> = Vec::new();
    let names = shared::names(&mut *app.reader.get().await?).await?;
    for account in rows(app).await? {
        let (mine, others) = {
            let mut reader = app.reader.get().await?;
            let Some(mine) = Mine::load(&mut reader, &account).await? else { continue };
            (mine, table::others(&mut reader, account.id).await?)
        };
        all.push(this_one(app, &account, &mine));
        let roster = mine.roster.devices();
        let me = mine.device.id();
        for (device, standing) in roster.iter().filter(|(device, _)| **device != me) {
            let known = others.iter().find(|row| row.device == device.to_string());
            all.push(paired(&account, *device, standing, known, now));
        }
        let is_on = |row: &&OtherDeviceRow| roster.keys().any(|device| device.to_string() == row.device);
        for row in others.iter().filter(|row| !is_on(row) && now - row.last_seen < exchange::SILENT) {
            all.push(Shape {
                id: row.device.clone(),
                name: row.program.clone(),
                state: "waiting",
                last_seen: (row.last_seen > 0).then(|| search::rfc3339(row.last_seen)),
                this: false,
                sas: None,
                account: account.address.clone(),
                words: "A program that says it is yours writes in this mailbox. It is not paired.".into(),
                program: row.program.clone(),
            });
        }
    }
    for shape in all.iter_mut().filter(|shape| shape.this || shape.state != "waiting") {
        if let Some(name) = names.get(&shape.id) {
            shape.name.clone_from(name);
        }
    }
    Ok(all)
}

fn this_one(app: &App, account: &AccountRow, mine: &Mine) -> Shape {
    let me = mine.device.id();
    let shown = app.devices.shown(account.id);
    let sas = match &shown {
        Shown::Comparing { string, .. } => string.clone(),
        _ => None,
    };
    let asks = matches!(shown, Shown::Asking | Shown::Proving { is_new: true, .. })
        || sas.is_some()
        || mine.joined().is_some();
    let standing = mine.roster.standing(me);
    let trouble = app.devices.troubled(account.id);
    let (state, words) = match standing {
        _ if asks && trouble.is_none() && shown == Shown::Nothing => (
            "waiting",
            "Your other device has not sent what this one needs yet; if it does not, end this, and ask again."
                .to_owned(),
        ),
        _ if asks => ("waiting", trouble.unwrap_or_default()),
        Standing::Removed => (
            "removed",
            "This device was removed by another one. Your mail stays here; it hears nothing from the others any more."
                .to_owned(),
        ),
        Standing::Disputed => ("inactive", "Your devices contradict each other about this one.".to_owned()),
        _ if mine.roster.is_full() => {
            ("inactive", "Too many devices came and went for yours to tell each other anything more.".to_owned())
        }
        _ => {
            let ended = app.devices.ended(account.id).map(why_words).map(str::to_owned);
            ("paired", trouble.or(ended).unwrap_or_default())
        }
    };
    Shape {
        id: me.to_string(),
        name: shared::default_name(),
        state,
        last_seen: None,
        this: true,
        sas,
        account: account.address.clone(),
        words,
        program: speak::PROGRAM.to_owned(),
    }
}

fn paired(
    account: &AccountRow,
    device: DeviceId,
    standing: &Standing,
    known: Option<&OtherDeviceRow>,
    now: i64,
) -> Shape {
    let last_seen = known.map(|row| row.last_seen).unwrap_or_default();
    let (state, name, words) = match standing {
        Standing::Member { name, .. } if now - last_seen < exchange::SILENT => ("paired", name.as_str(), ""),
        Standing::Member { name, .. } => {
            ("inactive", name.as_str(), "It was not heard of for three months and is told nothing.")
        }
        Standing::Removed => ("removed", "", "It was removed. It keeps what it had before."),
        Standing::Disputed | Standing::Outside => {
            ("inactive", "", "Your devices contradict each other about it, so it is told nothing.")
        }
    };
    Shape {
        id: device.to_string(),
        name: name.to_owned(),
        state,
        last_seen: (last_seen > 0).then(|| search::rfc3339(last_seen)),
        this: false,
        sas: None,
        account: account.address.clone(),
        words: words.to_owned(),
        program: known.map(|row| row.program.clone()).unwrap_or_default(),
    }
}

/// What a person did goes between two rounds, never into one.
async fn step(app: &Arc<App>, account: &AccountRow, event: Event) -> Result<(), Failure> {
    {
        let _turn = app.devices.turn.lock().await;
        hear::step(app, account, event).await?;
    }
    app.devices.sight.hurry(app.now());
    household::say(app);
    Ok(())
}

fn must_run(app: &App) -> Result<(), Failure> {
    if app.devices.runs.load(Ordering::Relaxed) {
        return Ok(());
    }
    Err(Failure::failed(
        "Two devices pair while both are running; start `mailkeep serve` here, and on the other device, and try again",
    ))
}

/// Looks now what the other devices say, where the background task does so anyway.
///
/// # Errors
/// When the store fails.
pub async fn look(app: &Arc<App>) -> Result<(), Failure> {
    if app.devices.runs.load(Ordering::Relaxed) {
        for account in rows(app).await? {
            if let Err(error) = round::round(app, &account).await {
                tracing::info!(%error, "Devices wait for the server");
            }
        }
    }
    Ok(())
}

/// An account by its address, or the only one; `usage` is how to say which.
async fn account_of(app: &App, address: Option<&str>, usage: &str) -> Result<AccountRow, Failure> {
    if let Some(address) = address {
        return accounts::find(app, address).await;
    }
    let mut all = rows(app).await?;
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(Failure::not_found("There is no account yet; add one first")),
        _ => Err(Failure::usage(format!("Say which account: `{usage}`"))),
    }
}

/// This device, which may ask to be let in.
async fn new_one(app: &App, account: &AccountRow) -> Result<Mine, Failure> {
    let mine = hear::mine(&mut *app.reader.get().await?, account).await?;
    let mine = mine.ok_or_else(|| Failure::failed("This device could not be set up; sync, and try again"))?;
    let members = mine.roster.devices();
    if members.get(&mine.device.id()) == Some(&Standing::Removed) {
        return Err(Failure::refused(
            "This device was removed by another one; begin anew with it on the page of your devices, then pair it",
        ));
    }
    if members.iter().any(|(device, it)| *device != mine.device.id() && matches!(it, Standing::Member { .. }))
    {
        return Err(Failure::refused(
            "This device is paired already; ask from the new one, and accept here or on any other paired one",
        ));
    }
    Ok(mine)
}

/// This device asks the others of an account to be let in; without an address, of the only one.
///
/// # Errors
/// Failed, where no other device is there; refused, where this one is paired already; usage, where the account is not clear.
pub async fn pair(app: &Arc<App>, address: Option<&str>) -> Result<Step, Failure> {
    must_run(app)?;
    withdraw::must_be_on(app).await?;
    let account = account_of(app, address, "device pair EMAIL").await?;
    round::round(app, &account).await?;
    let mine = new_one(app, &account).await?;
    let others = table::others(&mut *app.reader.get().await?, account.id).await?;
    let now = app.now();
    // Those that were heard of last go first.
    let mut there: Vec<_> = others.iter().filter(|row| now - row.last_seen < exchange::SILENT).collect();
    there.sort_by_key(|row| std::cmp::Reverse(row.last_seen));
    let devices: Vec<_> = there
        .into_iter()
        .filter_map(|row| Some((row.device.parse().ok()?, Handshake::new())))
        .take(16)
        .collect();
    if devices.is_empty() {
        return Err(Failure::failed(format!(
            "No other device is there for {}; start Mailkeep on it first, with the same account",
            account.address
        )));
    }
    app.devices.note(account.id, None);
    app.devices.sight.forget(account.id);
    step(app, &account, Event::Ask { devices, name: mine::NAME.to_owned() }).await?;
    round::round(app, &account).await?;
    app.devices.changed();
    Ok(Step {
        id: mine.device.id().to_string(),
        name: mine::NAME.to_owned(),
        state: "waiting",
        sas: None,
        words: "Accept it on one of your other devices; this one then shows three numbers in `device list`"
            .into(),
    })
}

/// The devices that ask here to be let in.
///
/// # Errors
/// When the store or the server fails.
pub async fn requests(app: &Arc<App>) -> Result<Vec<Step>, Failure> {
    if !app.devices.runs.load(Ordering::Relaxed) {
        // A request lives in a running program alone.
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for account in rows(app).await? {
        round::round(app, &account).await?;
        let asked = match app.devices.shown(account.id) {
            Shown::Asked { device, name } | Shown::Accepted { device, name } => Some((device, name)),
            Shown::Comparing { device, name, string: None, .. } => Some((device, name)),
            _ => None,
        };
        found.extend(asked.map(|(device, name)| Step {
            id: device.to_string(),
            words: "It asks to be let in under the name it gives itself; accept it only if you asked from it just now"
                .to_owned(),
            name,
            state: "waiting",
            sas: None,
        }));
    }
    Ok(found)
}

/// The person lets a request go on to the comparison.
///
/// # Errors
/// Not found, where that device does not ask.
pub async fn accept(app: &Arc<App>, id: &str) -> Result<Step, Failure> {
    must_run(app)?;
    withdraw::must_be_on(app).await?;
    let device: Option<DeviceId> = id.parse().ok();
    for account in rows(app).await? {
        round::round(app, &account).await?;
        let Shown::Asked { device: asks, name } = app.devices.shown(account.id) else { continue };
        if Some(asks) == device {
            step(app, &account, Event::Accept(asks, Handshake::new())).await?;
            round::round(app, &account).await?;
            app.devices.changed();
            let words = "Look at the new device for three numbers, and confirm with them here".to_owned();
            return Ok(Step { id: asks.to_string(), name, state: "waiting", sas: None, words });
        }
    }
    Err(Failure::not_found(format!("No device {id} asks to be paired; look at `device requests`")))
}

/// The person compared: on the old device `sas` is what the new one shows.
///
/// # Errors
/// Not found, where no such pairing goes on; failed, where the string is another one: then it is over.
pub async fn confirm(app: &Arc<App>, id: &str, sas: &str) -> Result<Step, Failure> {
    must_run(app)?;
    withdraw::must_be_on(app).await?;
    let device: Option<DeviceId> = id.parse().ok();
    for account in rows(app).await? {
        let Some(me) = hear::mine(&mut *app.reader.get().await?, &account).await?.map(|it| it.device.id())
        else {
            continue;
        };
        let is_it = |shown: &Shown| match shown {
            Shown::Comparing { device: other, .. } | Shown::Accepted { device: other, .. } => {
                Some(*other) == device || Some(me) == device
            }
            _ => false,
        };
        if !is_it(&app.devices.shown(account.id)) {
            continue;
        }
        // The other one may not have answered yet.
        for _ in 0..PATIENCE {
            if !matches!(app.devices.shown(account.id), Shown::Accepted { .. }) {
                break;
            }
            round::round(app, &account).await?;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        if matches!(app.devices.shown(account.id), Shown::Accepted { .. }) {
            return Err(Failure::failed("The new device has not answered yet; look whether it is running"));
        }
        return confirmed(app, &account, id, sas).await;
    }
    Err(Failure::not_found(format!("No pairing with {id} waits to be compared")))
}

async fn confirmed(app: &Arc<App>, account: &AccountRow, id: &str, sas: &str) -> Result<Step, Failure> {
    let name = match app.devices.shown(account.id) {
        Shown::Comparing { name, .. } => name,
        _ => String::new(),
    };
    app.devices.note(account.id, None);
    {
        let _turn = app.devices.turn.lock().await;
        hear::confirm(app, account, sas).await?;
    }
    household::say(app);
    round::round(app, account).await?;
    app.devices.changed();
    let (shown, ended) = app.devices.stands(app, account.id).await;
    if let Some(why) = ended {
        return Err(Failure::failed(why_words(why).trim_end_matches('.')));
    }
    let state = if shown == Shown::Nothing { "paired" } else { "waiting" };
    let words = if state == "paired" { "They are paired" } else { "Now confirm on the other device, too" };
    Ok(Step { id: id.to_owned(), name, state, sas: None, words: words.to_owned() })
}

/// A device that was removed.
#[derive(Clone, Debug, Serialize)]
pub struct Removed {
    /// Its number.
    pub removed: String,
    /// What that can and cannot do, in plain words.
    pub words: String,
}

/// Removes a device for good.
///
/// # Errors
/// Not found, where there is no such device; failed, where this one may not remove any; refused, where this one does not show
/// itself: no other device would hear of it.
pub async fn remove(app: &Arc<App>, id: &str) -> Result<Removed, Failure> {
    withdraw::must_be_on(app).await?;
    let device: Option<DeviceId> = id.parse().ok();
    for account in rows(app).await? {
        {
            let _turn = app.devices.turn.lock().await;
            let now = app.now();
            let writer = app.writer.lock().await;
            let mut c = writer.begin().await?;
            let Some(mut mine) = Mine::load(&mut c, &account).await? else { continue };
            let Some(device) = device.filter(|device| mine.roster.devices().contains_key(device)) else {
                continue;
            };
            if device == mine.device.id() {
                return Err(Failure::refused("This is the device you are at; remove it on another one"));
            }
            if mine.roster.is_full() {
                return Err(Failure::failed(
                    "Too many devices came and went for another removal, so yours tell each other no secrets any more; begin \
                     anew with this one on the page of your devices, and pair the others with it",
                ));
            }
            let Some(statement) = mine.roster.remove(&mine.device, device, now) else {
                return Err(Failure::failed(
                    "This device may not remove others any more: it was removed itself, or your devices contradict \
                     each other about it; decide on another one",
                ));
            };
            let body = crate::mail::sma::Body::Removed(statement);
            let payload = mine.payload(None, body, now);
            mine.post(&mut c, &payload).await?;
            let mut other = mine::other(&mut c, account.id, device).await?;
            "[]".clone_into(&mut other.sessions);
            table::put_other(&mut c, account.id, &other).await?;
            mine.save(&mut c).await?;
            commit(c).await?;
        }
        app.devices.sight.forget(account.id);
        household::say(app);
        let words = "It hears nothing from your other devices any more. What it has already, your keys among it, stays on \
                     it: if it was lost, make new keys and change the password of the mailbox.";
        // Where the server is away, the next round says it there.
        let told = round::round(app, &account).await;
        let words = match told {
            Ok(()) => words.to_owned(),
            Err(_) => format!("{words} The server is away; the others are told as soon as it is back."),
        };
        return Ok(Removed { removed: id.to_owned(), words });
    }
    Err(Failure::not_found(format!("There is no device {id}")))
}
