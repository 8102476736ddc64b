//! The devices of each account as one page shows them, how a pairing stands there, and who is told when that changes.

use super::mine::Mine;
use super::pairing::Shown;
use super::{Shape, list, round, rows, why_words, withdraw};
use crate::crypto::devices::Standing;
use crate::crypto::secret::SecretText;
use crate::engine::app::App;
use crate::engine::events::Event;
use crate::engine::failure::Failure;
use crate::engine::sync::STRAY;
use crate::mail::ids::AccountId;
use crate::mail::sma::{Cancel, DeviceId};
use crate::storage::database::{AccountRow, devices as table, keys, shared};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// So long after a page was asked for somebody has it before them, in seconds.
const WATCHED: i64 = 90;
/// So long after a page was first asked for, and after a deed, the folders are looked into very often, in seconds: longer, and a
/// server would take the many sign-ins for an attack.
const FRESH: i64 = 180;
/// How often the folders are looked into after that, while somebody has the page before them.
const OFTEN: Duration = Duration::from_secs(30);

/// Who looks on, and what they have not been told was done.
#[derive(Default)]
pub(super) struct Sight {
    until: AtomicI64,
    fresh: AtomicI64,
    done: Mutex<HashMap<AccountId, DeviceId>>,
}

impl Sight {
    /// How often the folders are looked into now.
    pub(super) fn pace(&self, now: i64) -> Duration {
        match now < self.until.load(Ordering::Relaxed) {
            true if now < self.fresh.load(Ordering::Relaxed) => round::SOON,
            true => OFTEN,
            false => round::EVERY,
        }
    }

    /// Somebody did something, or came just now.
    pub(super) fn hurry(&self, now: i64) {
        self.fresh.store(now.saturating_add(FRESH), Ordering::Relaxed);
    }

    /// For so many seconds the folders are looked into often, whoever looks on: somebody may answer to a code.
    pub(super) fn stay(&self, now: i64, seconds: i64) {
        self.until.fetch_max(now.saturating_add(seconds), Ordering::Relaxed);
    }

    /// A pairing with this device is done.
    pub(super) fn finish(&self, account: AccountId, device: DeviceId) {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).insert(account, device);
    }

    /// That was read, or something new begins.
    pub(super) fn forget(&self, account: AccountId) {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).remove(&account);
    }

    fn done(&self, account: AccountId) -> Option<DeviceId> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).get(&account).copied()
    }
}

/// How a pairing stands, as the person at this device sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// None goes on.
    Nothing,
    /// This new device asked, and waits for the person at another one.
    Asking,
    /// Another device asks here; its number, and what it calls itself.
    Asked(String, String),
    /// It was let on, and has not answered yet.
    Accepted(String, String),
    /// This new device shows the numbers; the other device, and the numbers.
    Shows(String, String),
    /// The person here says that the other one took them; that one has not proved it yet.
    Said(String, String),
    /// This old device waits for the numbers that the other one shows.
    Types(String, String),
    /// They were right; the person at the other one has to say so there.
    Typed(String, String),
    /// This old device shows a code; until when, UTC seconds.
    Code(i64),
    /// The two prove to each other that they know the code; this is the new one.
    ProvingNew,
    /// The same at the old one: the new one's number, and what it calls itself.
    ProvingOld(String, String),
    /// What the other device knows is on its way.
    Joining,
    /// Done, with this device.
    Done(String),
    /// It ended without anybody let in, and why.
    Ended(&'static str),
}

/// The devices of one account.
#[derive(Clone, Debug)]
pub struct Household {
    /// The account.
    pub account: String,
    /// This one.
    pub this: Shape,
    /// The others that were ever paired.
    pub others: Vec<Shape>,
    /// Programs that say they are the owner's and are not paired.
    pub noticed: Vec<Shape>,
    /// How a pairing stands.
    pub stage: Stage,
    /// Until when it waits, UTC seconds.
    pub until: Option<i64>,
    /// The code that this device shows.
    pub code: Option<SecretText>,
    /// The owner's keys for it that are here.
    pub keys: u64,
    /// How many people a key is known of.
    pub people: u64,
}

/// The devices of all accounts, in their order. From now on they are looked after more often for a while.
///
/// # Errors
/// When the store fails.
pub async fn households(app: &Arc<App>) -> Result<Vec<Household>, Failure> {
    watch(app);
    let shapes = list(app).await?;
    let mut all = Vec::new();
    for account in rows(app).await? {
        let of = |shape: &&Shape| shape.account == account.address;
        let Some(this) = shapes.iter().filter(of).find(|shape| shape.this).cloned() else { continue };
        let (noticed, others): (Vec<Shape>, Vec<Shape>) =
            shapes.iter().filter(of).filter(|shape| !shape.this).cloned().partition(|s| s.state == "waiting");
        let (mine, own, people) = {
            let mut reader = app.reader.get().await?;
            let own = keys::own_keys(&mut reader).await?;
            let people = shared::known_people(&mut reader).await?;
            (Mine::load(&mut reader, &account).await?, own, people)
        };
        let is_joining = mine.is_some_and(|mine| mine.joined().is_some());
        all.push(Household {
            stage: match stage(app, &account, is_joining) {
                // One that was removed since, here or elsewhere.
                Stage::Done(id) if others.iter().all(|other| other.id != id || other.state == "removed") => {
                    Stage::Nothing
                }
                stage => stage,
            },
            until: app.devices.until(account.id),
            code: app.devices.code(account.id),
            keys: own.iter().filter(|row| row.address == account.address).count() as u64,
            people,
            account: account.address,
            this,
            others,
            noticed,
        });
    }
    Ok(all)
}

fn stage(app: &App, account: &AccountRow, is_joining: bool) -> Stage {
    let text = |device: DeviceId| device.to_string();
    match app.devices.shown(account.id) {
        Shown::Asking => Stage::Asking,
        Shown::Asked { device, name } => Stage::Asked(text(device), name),
        Shown::Accepted { device, name } => Stage::Accepted(text(device), name),
        Shown::Comparing { device, string: Some(string), confirmed: true, .. } => {
            Stage::Said(text(device), string)
        }
        Shown::Comparing { device, string: Some(string), .. } => Stage::Shows(text(device), string),
        Shown::Comparing { device, name, confirmed: true, .. } => Stage::Typed(text(device), name),
        Shown::Comparing { device, name, .. } => Stage::Types(text(device), name),
        Shown::Code { until } => Stage::Code(until),
        Shown::Proving { is_new: true, .. } => Stage::ProvingNew,
        Shown::Proving { device, name, .. } => Stage::ProvingOld(device.map(text).unwrap_or_default(), name),
        Shown::Nothing if is_joining => Stage::Joining,
        Shown::Nothing => match (app.devices.ended(account.id), app.devices.sight.done(account.id)) {
            // That one of the others let it in is no news worth a word.
            (Some(Cancel::Elsewhere), _) => Stage::Nothing,
            (Some(why), _) => Stage::Ended(why_words(why)),
            (None, Some(device)) => Stage::Done(text(device)),
            (None, None) => Stage::Nothing,
        },
    }
}

/// Somebody has the page before them.
fn watch(app: &App) {
    let now = app.now();
    let was = app.devices.sight.until.fetch_max(now.saturating_add(WATCHED), Ordering::Relaxed);
    if was <= now {
        app.devices.sight.hurry(now);
        app.devices.changed();
    }
}

/// What the owner should know of wherever they are: a device that asks, or one that was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// One asks to be let in.
    Asks,
    /// A program that calls itself Mailkeep reads the mailbox, and is not paired.
    Mailkeep,
    /// Another program that announces itself does.
    Program,
}

/// Whether a program announces itself as a Mailkeep; anybody can.
#[must_use]
pub fn is_mailkeep(program: &str) -> bool {
    let version = program.strip_prefix("Mailkeep/").unwrap_or_default();
    !version.is_empty() && version.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// What there is to know of, unless the owner wants to hear no more of it.
///
/// # Errors
/// When the store fails.
pub async fn notice(app: &Arc<App>) -> Result<Option<Notice>, Failure> {
    let mut found = None;
    for shape in undismissed(app).await? {
        found = match shape {
            None => return Ok(Some(Notice::Asks)),
            Some((_, shape)) if is_mailkeep(&shape.program) => Some(Notice::Mailkeep),
            Some(_) => found.or(Some(Notice::Program)),
        };
    }
    Ok(found)
}

/// What nobody wanted to hear no more of: a device that asks (nothing), or a program that was noticed.
async fn undismissed(app: &Arc<App>) -> Result<Vec<Option<(AccountId, Shape)>>, Failure> {
    if withdraw::is_off(app).await? {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let shapes = list(app).await?;
    for account in rows(app).await? {
        if matches!(app.devices.shown(account.id), Shown::Asked { .. }) {
            found.push(None);
        }
        let is_out = shapes.iter().any(|s| s.account == account.address && s.this && s.state == "removed");
        let dismissed = shared::dismissed(&mut *app.reader.get().await?, account.id).await?;
        let here = shapes.iter().filter(|s| s.account == account.address && s.state == "waiting" && !s.this);
        let news = here.filter(|s| !is_out && !dismissed.contains(&s.id));
        found.extend(news.map(|shape| Some((account.id, shape.clone()))));
    }
    Ok(found)
}

/// How many messages lie among the owner's mail that are made like those between devices, and are passed over there.
///
/// # Errors
/// When the store fails.
pub async fn strays(app: &App) -> Result<u64, Failure> {
    Ok(shared::stepped_over(&mut *app.reader.get().await?, STRAY).await?)
}

/// The owner wants to hear no more of what was noticed up to now.
///
/// # Errors
/// When the store fails.
pub async fn dismiss(app: &Arc<App>) -> Result<(), Failure> {
    let found = undismissed(app).await?;
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    for (account, shape) in found.into_iter().flatten() {
        shared::dismiss(&mut c, account, &shape.id).await?;
    }
    Ok(crate::storage::database::commit(c).await?)
}

/// How things stand for those who look on.
#[derive(PartialEq, Eq)]
pub(super) struct Mark {
    shown: Shown,
    ended: Option<Cancel>,
    is_joining: bool,
    roster: [u8; 32],
    standing: Standing,
    others: Vec<String>,
    names: Vec<(String, String)>,
}

/// How things stand now; nothing before this device is there.
pub(super) async fn mark(app: &App, account: &AccountRow) -> Result<Option<Mark>, Failure> {
    let mut reader = app.reader.get().await?;
    let Some(mine) = Mine::load(&mut reader, account).await? else { return Ok(None) };
    let others = table::others(&mut reader, account.id).await?;
    let mut names: Vec<_> = super::shared::names(&mut reader).await?.into_iter().collect();
    names.sort_unstable();
    Ok(Some(Mark {
        shown: app.devices.shown(account.id),
        ended: app.devices.ended(account.id),
        is_joining: mine.joined().is_some(),
        roster: mine.roster.hash(),
        standing: mine.roster.standing(mine.device.id()),
        others: others.into_iter().filter(|row| row.last_seen > 0).map(|row| row.device).collect(),
        names,
    }))
}

/// Tells open pages where it is not as it was.
pub(super) async fn tell(app: &App, account: &AccountRow, before: Option<Mark>) -> Result<(), Failure> {
    if mark(app, account).await? != before {
        say(app);
    }
    Ok(())
}

/// Tells open pages.
pub(super) fn say(app: &App) {
    app.tell(Event::Devices { words: "Something about your devices changed".into() });
}
