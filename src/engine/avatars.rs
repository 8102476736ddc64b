//! Pictures of correspondents, where the owner wants them: looked for in the background at the avatar server that the owner
//! chose, through Tor only, drawn anew behind walls, kept sealed. A page never waits for one: it shows letters until then.

use super::app::App;
use super::events::Event;
use super::failure::Failure;
use super::{heavy, senders, settings};
use crate::crypto::secret::random;
use crate::mail::address::canonical;
use crate::mail::domain;
use crate::mail::ids::MessageNumber;
use crate::mail::sender::is_bulk;
use crate::network::avatar::{self, AvatarError, OwnServer};
use crate::network::dialer::{Purpose, Rule};
use crate::network::web_address::WebAddress;
use crate::storage::database::messages::MessageRow;
use crate::storage::database::{AvatarRow, Connection, avatars, commit, messages, settings as table, tags};
use crate::worker::Size;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// Where there is a picture it is asked for again after so long, where there is none after half of it, or half as long again.
const AGAIN: i64 = 14 * DAY;
/// Where a server is in trouble it is asked about that person again after so long.
const LATER: i64 = 6 * HOUR;
/// Where nobody could be reached, nobody is asked for so long.
const UNREACHED: i64 = 300;
/// So many are asked for in one go, and in a day.
const BATCH: usize = 20;
const PER_DAY: u32 = 200;
/// So many messages may wait for their turn; who is left out is seen again on the next page.
const MOST_WAITING: usize = 200;
/// So many messages are remembered as those that nobody is asked for on account of.
const MOST_PASSED: usize = 20_000;
/// So many are kept, and so large may one be, in bytes.
const MOST_KEPT: u32 = 2_000;
const LARGEST: usize = 96 << 10;
/// How long what pages show is gathered, how long it takes from one question to the next, and how long from one batch to the
/// next: each in milliseconds, from and to, so that the order and the beat of a page tell nothing.
const GATHER: (u64, u64) = (2_000, 5_000);
const PAUSE: (u64, u64) = (200, 2_000);
const REST: (u64, u64) = (5_000, 15_000);

/// What pages showed and nobody was asked about yet.
#[derive(Default)]
pub struct Wanted {
    waiting: Mutex<Waiting>,
    told: Notify,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<MessageNumber>,
    /// Those on account of which nobody is asked for, so that they are not read each time a page shows them.
    passed: BTreeSet<MessageNumber>,
    /// Until when nothing is taken up, UTC seconds.
    rests_until: i64,
}

impl Wanted {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A way out may be there again.
    pub(in crate::engine) fn hurry(&self) {
        self.waiting().rests_until = 0;
    }

    fn rest(&self, until: i64) {
        let mut waiting = self.waiting();
        waiting.messages.clear();
        waiting.rests_until = until;
    }
}

/// What there is of pictures while a page is made.
pub struct Album {
    wanted: bool,
    known: HashMap<i64, AvatarRow>,
}

impl Album {
    /// Looks at what there is; nothing where the owner wants no pictures.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open(app: &App) -> Result<Self, Failure> {
        let mut reader = app.reader.get().await?;
        let wanted = settings::read(&mut reader, "avatars").await? != "off";
        let known = if wanted { avatars::all(&mut reader).await? } else { HashMap::new() };
        Ok(Self { wanted, known })
    }

    /// The mark by which [`picture`] gives out somebody's picture; nothing where there is none.
    #[must_use]
    pub fn mark(&self, app: &App, address: &str) -> Option<String> {
        let mark = app.avatar(&canonical(address));
        self.known.get(&mark).filter(|row| row.has_picture).map(|_| written(mark))
    }

    /// Notes that a page shows somebody because of a message, whose picture may be asked for in a while. What may not be
    /// asked for on account of that message is left out later, where it is read.
    pub fn note(&self, app: &App, address: &str, message: MessageNumber) {
        let address = canonical(address);
        let due = |row: &AvatarRow| row.again_at <= app.now();
        let is_due = self.wanted && self.known.get(&app.avatar(&address)).is_none_or(due);
        if !is_due || app.own_addresses().contains(&address) {
            return;
        }
        let mut waiting = app.avatars.waiting();
        if waiting.rests_until <= app.now()
            && waiting.messages.len() < MOST_WAITING
            && !waiting.messages.contains(&message)
            && !waiting.passed.contains(&message)
        {
            waiting.messages.push_back(message);
            drop(waiting);
            app.avatars.told.notify_one();
        }
    }
}

fn written(mark: i64) -> String {
    format!("{:016x}", mark.cast_unsigned())
}

/// The picture behind a mark, PNG.
///
/// # Errors
/// When the store fails.
pub async fn picture(app: &App, mark: &str) -> Result<Option<Vec<u8>>, Failure> {
    let Ok(mark) = u64::from_str_radix(mark, 16) else { return Ok(None) };
    Ok(avatars::picture(&mut *app.reader.get().await?, mark.cast_signed()).await?)
}

/// Forgets all of them, and what waits.
///
/// # Errors
/// When the store fails.
pub(in crate::engine) async fn clear(app: &App) -> Result<(), Failure> {
    app.avatars.rest(0);
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    avatars::clear(&mut c).await?;
    commit(c).await?;
    writer.checkpoint().await?;
    Ok(())
}

/// Forgets the pictures of the people of messages that are destroyed. Who wrote others, too, is asked for again when one of
/// them is seen.
///
/// # Errors
/// When the store fails.
pub(in crate::engine) async fn forget(app: &App, rows: &[MessageRow]) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    forget_in(app, &mut c, rows).await?;
    commit(c).await?;
    Ok(())
}

/// The same within a change that is being made.
///
/// # Errors
/// When the store fails.
pub(in crate::engine) async fn forget_in(
    app: &App,
    c: &mut Connection,
    rows: &[MessageRow],
) -> Result<(), Failure> {
    let people = rows.iter().flat_map(|row| row.people.from.iter().chain(&row.people.to));
    let marks: BTreeSet<i64> = people.map(|person| app.avatar(&canonical(&person.address))).collect();
    let marks: Vec<i64> = marks.into_iter().collect();
    Ok(avatars::remove(c, &marks).await?)
}

/// Whom the owner lets be asked.
#[derive(Clone, PartialEq, Eq)]
struct Choice {
    house: String,
    server: String,
    resolver: String,
}

impl Choice {
    async fn read(app: &App) -> Result<Self, Failure> {
        let mut c = app.reader.get().await?;
        Ok(Self {
            house: settings::read(&mut c, "avatars").await?,
            server: settings::read(&mut c, "avatars.server").await?,
            resolver: settings::read(&mut c, "dkim.resolver").await?,
        })
    }

    fn server(&self) -> Option<WebAddress> {
        let usual = if self.house == "gravatar" { avatar::GRAVATAR } else { avatar::LIBRAVATAR };
        server(if self.server.is_empty() { usual } else { &self.server }).ok()
    }

    /// Whom to ask which server a domain names for its own people; nobody where only one server is meant.
    fn resolver(&self) -> Option<WebAddress> {
        let federated = self.house == "libravatar" && self.server.is_empty();
        federated.then(|| WebAddress::from_owner(&self.resolver).ok()).flatten()
    }
}

/// Reads the address of an avatar server that the owner names.
///
/// # Errors
/// Usage, where it is none, or would be spoken to in clear text.
pub(in crate::engine) fn server(text: &str) -> Result<WebAddress, Failure> {
    let read = WebAddress::from_owner(text).ok();
    read.filter(|address| address.is_secure() || address.host().ends_with(".onion")).ok_or_else(|| {
        Failure::usage(format!(
            "avatars.server cannot be {text:?}; give the https address of a server, or leave it empty for the usual one"
        ))
    })
}

/// A time from the first to the second.
fn between((from, to): (u64, u64)) -> Duration {
    Duration::from_millis(from + u64::from(u32::from_le_bytes(random())) % (to - from))
}

/// The background task: asks for those that pages showed, some at a time.
///
/// # Errors
/// When the store fails; the supervisor starts it again.
pub async fn run(app: Arc<App>, stop: CancellationToken) -> Result<(), Failure> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = app.avatars.told.notified() => {}
        }
        let mut wait = between(GATHER);
        loop {
            let asked = async {
                tokio::time::sleep(wait).await;
                round(&app).await
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                more = asked => if !more? {
                    break;
                },
            }
            wait = between(REST);
        }
    }
}

/// Asks for one batch; gives whether more wait.
async fn round(app: &Arc<App>) -> Result<bool, Failure> {
    let now = app.now();
    let choice = Choice::read(app).await?;
    let server = choice.server().filter(|_| choice.house != "off");
    let Some(server) = server else {
        app.avatars.rest(0);
        return Ok(false);
    };
    let never = app.dialer.rule(Purpose::Avatar) == Rule::Never;
    let tor = settings::get(app, "tor.mode").await?;
    let asked = avatars::asked_since(&mut *app.reader.get().await?, now - DAY).await?;
    if never || app.dialer.is_offline() || tor == "off" || asked >= PER_DAY {
        app.avatars.rest(now + if asked >= PER_DAY { HOUR } else { UNREACHED });
        return Ok(false);
    }
    let mut taken: Vec<MessageNumber> = {
        let mut waiting = app.avatars.waiting();
        let count = waiting.messages.len().min(BATCH);
        waiting.messages.drain(..count).collect()
    };
    let mut people = Vec::new();
    for message in taken.drain(..) {
        match whom(app, message).await? {
            Whom::One(address) => people.push(address),
            Whom::NotNow => {}
            Whom::Nobody => {
                let mut waiting = app.avatars.waiting();
                if waiting.passed.len() >= MOST_PASSED {
                    waiting.passed.clear();
                }
                waiting.passed.insert(message);
            }
        }
    }
    // A set, in an order of chance.
    people.sort_unstable();
    people.dedup();
    let mut people: Vec<([u8; 8], String)> = people.into_iter().map(|one| (random(), one)).collect();
    people.sort_unstable();
    let mut found = false;
    for (_, address) in people.into_iter().take((PER_DAY - asked) as usize) {
        tokio::time::sleep(between(PAUSE)).await;
        // What is switched off, or over to another, holds for the rest of a batch, too.
        if Choice::read(app).await? != choice {
            break;
        }
        match one(app, &choice, &server, &address).await {
            Ok(picture) => found |= keep(app, &choice, &address, picture).await?,
            Err(error) if error.has_no_way() => {
                tracing::debug!("Pictures of correspondents are not asked for: there is no way out");
                app.avatars.rest(app.now() + UNREACHED);
                break;
            }
            Err(error) => {
                tracing::debug!(%error, "A picture of a correspondent was not to be had");
                let writer = app.writer.lock().await;
                let mut c = writer.begin().await?;
                avatars::put_off(&mut c, app.avatar(&address), now, now + LATER).await?;
                commit(c).await?;
            }
        }
    }
    if found {
        app.tell(Event::Pictures { words: "Pictures of correspondents came".to_owned() });
    }
    Ok(!app.avatars.waiting().messages.is_empty())
}

/// Whose picture may be asked for on account of a message.
enum Whom {
    /// This address's.
    One(String),
    /// Nobody's for now.
    NotNow,
    /// Nobody's, as long as the message is what it is.
    Nobody,
}

/// Whoever wrote a message, or of one's own the first it was visibly sent to. Nobody on account of spam, of what went to many,
/// and of what is encrypted or thrown away.
async fn whom(app: &Arc<App>, message: MessageNumber) -> Result<Whom, Failure> {
    let row = {
        let mut c = app.reader.get().await?;
        for tag in ["spam", "trash", "draft"] {
            if tags::bitmap(&mut c, tag).await?.contains(message.0) {
                return Ok(Whom::NotNow);
            }
        }
        messages::by_numbers(&mut c, &[message]).await?.into_iter().next()
    };
    let Some(row) = row else { return Ok(Whom::Nobody) };
    // A message that cannot be opened says nothing of anybody.
    let Ok(opened) = heavy::open(app, row).await else { return Ok(Whom::Nobody) };
    if opened.asks_for_nothing() || is_bulk(&opened.message) {
        return Ok(Whom::Nobody);
    }
    let own = app.own_addresses();
    let address = match senders::of(&opened.message) {
        Some(sender) if own.contains(&sender) => {
            opened.message.to.first().map(|person| canonical(&person.address))
        }
        sender => sender,
    };
    let Some(address) = address.filter(|one| !own.contains(one) && domain::of_address(one).is_some()) else {
        return Ok(Whom::Nobody);
    };
    let known = avatars::again_at(&mut *app.reader.get().await?, app.avatar(&address)).await?;
    Ok(if known.is_none_or(|again| again <= app.now()) { Whom::One(address) } else { Whom::NotNow })
}

/// Asks for one picture. The server that a domain names for its people is asked only about those whom the owner wrote to:
/// whoever writes to the owner could otherwise learn by it that they were read.
async fn one(
    app: &Arc<App>,
    choice: &Choice,
    server: &WebAddress,
    address: &str,
) -> Result<Option<Vec<u8>>, AvatarError> {
    let house = domain::of_address(address).unwrap_or_default();
    if let Some(resolver) = choice.resolver()
        && wrote_to(app, address).await
    {
        match avatar::own_server(&app.dialer, &resolver, &house).await {
            Ok(OwnServer::Named(own)) => return avatar::find(&app.dialer, &own, address).await,
            Ok(OwnServer::Unfit) => return Ok(None),
            Err(error) if error.has_no_way() => return Err(error),
            // A resolver in trouble keeps nobody from being found at Libravatar itself.
            Ok(OwnServer::None) | Err(_) => {}
        }
    }
    avatar::find(&app.dialer, server, address).await
}

async fn wrote_to(app: &App, address: &str) -> bool {
    let Ok(mut c) = app.reader.get().await else { return false };
    table::one_person(&mut c, address).await.is_ok_and(|person| person.is_some_and(|person| person.sent > 0))
}

/// Draws what came behind walls, and keeps it, or that there is none; gives whether there is a picture. Nothing is kept where
/// the owner chose otherwise meanwhile.
async fn keep(
    app: &Arc<App>,
    choice: &Choice,
    address: &str,
    came: Option<Vec<u8>>,
) -> Result<bool, Failure> {
    let drawn = match came {
        None => None,
        Some(bytes) => {
            let reports = app.opener.pictures(&[&bytes], Size::Face).await;
            let made = reports.first().and_then(|report| report.made.first());
            made.filter(|made| made.bytes.len() <= LARGEST).map(|made| made.bytes.clone())
        }
    };
    let wait = if drawn.is_some() { AGAIN } else { AGAIN / 2 };
    let chance = i64::from(u32::from_le_bytes(random())) % (wait / 2);
    let now = app.now();
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let same = settings::read(&mut c, "avatars").await? == choice.house
        && settings::read(&mut c, "avatars.server").await? == choice.server;
    if !same {
        return Ok(false);
    }
    avatars::put(&mut c, app.avatar(address), now, now + wait + chance, drawn.as_deref()).await?;
    avatars::trim(&mut c, MOST_KEPT).await?;
    commit(c).await?;
    Ok(drawn.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beat_is_never_the_same_and_never_too_fast() {
        let times: BTreeSet<Duration> = (0..100).map(|_| between(PAUSE)).collect();
        assert!(times.len() > 50, "{times:?}");
        assert!(
            times.iter().all(|time| *time >= Duration::from_millis(200) && *time < Duration::from_secs(2))
        );
    }

    #[test]
    fn an_avatar_server_is_spoken_to_in_secret_only() {
        let onion = format!("http://{}.onion", "a".repeat(56));
        for good in ["https://avatars.example", "https://avatars.example:8443/of/", &onion] {
            assert!(server(good).is_ok(), "{good}");
        }
        for bad in
            ["http://avatars.example", "avatars.example", "ftp://avatars.example", "https://me@a.example"]
        {
            assert!(server(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mark_is_written_and_read_back() {
        for mark in [0, 1, -1, i64::MIN, i64::MAX] {
            let text = written(mark);
            assert_eq!(text.len(), 16);
            assert_eq!(u64::from_str_radix(&text, 16).unwrap().cast_signed(), mark);
        }
    }
}
