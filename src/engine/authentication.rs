//! Whether mail is from the domain it names: DKIM signatures are checked when mail comes, with keys fetched through the
//! door, and the verdict is kept with its key, since keys go. What the owner's own server noted is read beside it.
//!
//! A check that cannot be made is not a check that failed: without Tor or resolver a message simply waits, a week at most.

use super::app::App;
use super::failure::{Failure, blocking};
use super::read::Opened;
use super::search::rfc3339;
use super::{accounts, settings as choices};
use crate::crypto::secret::random;
use crate::mail::authentication::dkim::{self, Flaw, Signature};
use crate::mail::authentication::{Results, claimed_servers, trusted};
use crate::mail::domain;
use crate::mail::ids::MessageNumber;
use crate::mail::message::{self, Message};
use crate::network::dialer::{Purpose, Rule};
use crate::network::doh::{self, Texts};
use crate::network::web_address::WebAddress;
use crate::storage::database::{
    Connection, SignatureRow, accounts as account_table, commit, messages, places, signatures,
};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A message older than this is not checked, and one that waited so long is given up, in seconds.
const PATIENCE: i64 = 7 * 24 * 3600;
/// So many messages may wait.
const MOST_WAITING: u32 = 2_000;
/// So many are taken up at a time.
const BATCH: u32 = 100;
/// So many signatures of one message are checked.
const MOST_CHECKED: usize = 3;
/// The first and the longest wait after a resolver was not reached, in seconds.
const FIRST_WAIT: i64 = 600;
const LONGEST_WAIT: i64 = 6 * 3600;
/// In how many messages a server must have noted something under a name before it is believed.
const LEARNT: u32 = 3;

/// A message that came from a server.
pub(in crate::engine) struct Arrival<'a> {
    /// Its number.
    pub(in crate::engine) number: MessageNumber,
    /// What it says.
    pub(in crate::engine) message: &'a Message,
    /// The account it came to.
    pub(in crate::engine) account: &'a str,
    /// The role of its folder.
    pub(in crate::engine) role: &'a str,
    /// When it came, UTC seconds.
    pub(in crate::engine) received_at: i64,
}

/// Notes what is to be checked of new mail, and under which names servers note what they checked. Only what is new is
/// checked: an archive's keys are gone, and asking for them would tell the resolver of years.
pub(in crate::engine) async fn arrived(
    app: &App,
    c: &mut Connection,
    arrivals: &[Arrival<'_>],
) -> Result<(), Failure> {
    let now = app.now();
    let own = app.own_addresses();
    let wanted = |a: &&Arrival<'_>| {
        a.message.header("dkim-signature").is_some()
            && a.received_at >= now - PATIENCE
            && !["spam", "trash", "sent", "draft"].contains(&a.role)
            && !a.message.from.iter().any(|p| own.contains(&crate::mail::address::canonical(&p.address)))
    };
    let numbers: Vec<MessageNumber> = arrivals.iter().filter(wanted).map(|a| a.number).collect();
    if !numbers.is_empty() {
        signatures::queue(c, &numbers, now, MOST_WAITING).await?;
        app.signatures_wanted.notify_one();
    }
    learn(c, arrivals).await
}

/// A server is learnt by a name of its own house that stands above everything the sender could have written: the house of
/// the account's address or of its IMAP server, which also took the message in.
async fn learn(c: &mut Connection, arrivals: &[Arrival<'_>]) -> Result<(), Failure> {
    let mut seen: BTreeMap<(String, String), u32> = BTreeMap::new();
    for arrival in arrivals.iter().filter(|a| !["sent", "draft"].contains(&a.role)) {
        let (claimed, Some(by)) = claimed_servers(&arrival.message.headers) else { continue };
        for name in claimed.into_iter().take(1).filter(|name| domain::aligned(name, &by)) {
            *seen.entry((arrival.account.to_owned(), name)).or_default() += 1;
        }
    }
    if seen.is_empty() {
        return Ok(());
    }
    let mut houses: HashMap<String, Vec<String>> = HashMap::new();
    for row in account_table::list(c).await? {
        let server = accounts::Settings::of(&row).map(|settings| settings.imap.host).unwrap_or_default();
        houses.insert(
            row.address.clone(),
            domain::of_address(&row.address).into_iter().chain([server]).collect(),
        );
    }
    for ((account, name), count) in seen {
        let own = houses.get(&account).is_some_and(|own| own.iter().any(|own| domain::aligned(own, &name)));
        if own {
            signatures::note_server(c, &account, &name, count).await?;
        }
    }
    Ok(())
}

/// The names under which the owner's servers note what they checked: those the owner named, or else those that were learnt
/// for these accounts.
async fn servers(c: &mut Connection, accounts: &[String]) -> Result<Vec<String>, Failure> {
    let named = choices::read(c, "authentication.servers").await?;
    if !named.trim().is_empty() {
        return Ok(named.split_whitespace().map(str::to_lowercase).collect());
    }
    let learnt = signatures::servers(c, LEARNT).await?;
    Ok(learnt.into_iter().filter(|(account, _)| accounts.contains(account)).map(|(_, name)| name).collect())
}

/// What is known about where a message is from, for the surface.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Authentication {
    /// The signature, where it bears one that was or is to be checked.
    pub dkim: Option<Dkim>,
    /// What the owner's own server noted.
    pub server: Vec<Results>,
    /// The same in sentences.
    pub words: Vec<String>,
}

/// What became of a DKIM signature.
#[derive(Clone, Debug, Serialize)]
pub struct Dkim {
    /// `pass`, `fail`, `unaligned` (it holds, of another house), `waiting`, `unknown` or `not-checked`.
    pub result: &'static str,
    /// The domain that signed.
    pub domain: Option<String>,
    /// The name of its key.
    pub selector: Option<String>,
    /// The SHA-256 of the key record, in hex.
    pub key: Option<String>,
    /// The resolver that was asked.
    pub resolver: Option<String>,
    /// The resolver says that DNSSEC held.
    pub dnssec: bool,
    /// When it was checked.
    pub checked_at: Option<String>,
    /// Why it does not hold, as one word.
    pub flaw: Option<String>,
}

/// What is known about where a message is from.
///
/// # Errors
/// When the store fails.
pub async fn of(c: &mut Connection, opened: &Opened) -> Result<Authentication, Failure> {
    let Opened { row, message, .. } = opened;
    let kept = signatures::of_message(c, row.number).await?;
    let signed = message.header("dkim-signature").is_some();
    let noted = message.header("authentication-results").is_some();
    let server = if noted {
        let held = places::of_messages(c, [row.number]).await?;
        let owners: HashMap<_, _> =
            account_table::list(c).await?.into_iter().map(|a| (a.id, a.address)).collect();
        let accounts: Vec<String> = held.iter().filter_map(|p| owners.get(&p.account).cloned()).collect();
        trusted(&message.headers, &servers(c, &accounts).await?)
    } else {
        Vec::new()
    };
    let dkim = match &kept {
        Some(kept) => Some(shown(kept)),
        None if signed => Some(shown(&SignatureRow::default())),
        None => None,
    };
    let mut words: Vec<String> = dkim.iter().map(|dkim| dkim_words(dkim, kept.as_ref())).collect();
    words.extend(server.iter().map(server_words));
    Ok(Authentication { dkim, server, words })
}

fn shown(row: &SignatureRow) -> Dkim {
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Dkim {
        result: match row.state.as_str() {
            "pass" if row.aligned => "pass",
            "pass" => "unaligned",
            "fail" => "fail",
            "waiting" => "waiting",
            "unknown" => "unknown",
            _ => "not-checked",
        },
        domain: filled(&row.domain),
        selector: filled(&row.selector),
        key: row.key.as_ref().map(|key| {
            use sha2::Digest;
            data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(key))
        }),
        resolver: filled(&row.resolver),
        dnssec: row.dnssec,
        checked_at: (row.checked_at > 0).then(|| rfc3339(row.checked_at)),
        flaw: filled(&row.flaw),
    }
}

fn dkim_words(dkim: &Dkim, kept: Option<&SignatureRow>) -> String {
    let domain = dkim.domain.as_deref().unwrap_or("its sender");
    let on = kept.filter(|row| row.checked_at > 0).map_or_else(String::new, |row| day(row.checked_at));
    match dkim.result {
        "pass" => format!("Signed by {domain} (DKIM), checked on {on}."),
        "unaligned" => {
            format!("Signed by {domain} (DKIM), which is not the sender's domain; checked on {on}.")
        }
        "fail" => {
            let why = dkim.flaw.as_deref().and_then(Flaw::read).map_or("it cannot be read", Flaw::because);
            format!("The signature of {domain} (DKIM) does not hold: {why}. Checked on {on}.")
        }
        "waiting" => "Its signature (DKIM) is to be checked as soon as its key can be asked for.".to_owned(),
        "unknown" => {
            "Its signature (DKIM) was not checked: its key could not be asked for in time.".to_owned()
        }
        _ => "Its signature (DKIM) was not checked: only new mail is.".to_owned(),
    }
}

fn server_words(results: &Results) -> String {
    let wanted = ["dmarc", "dkim", "spf", "arc"];
    let method = |word: &&str| {
        let found = results.methods.iter().find(|method| method.method == **word)?;
        let of = found.of.as_ref().map_or_else(String::new, |of| format!(" for {of}"));
        Some(format!("{} {}{of}", found.method.to_uppercase(), found.result))
    };
    let said: Vec<String> = wanted.iter().filter_map(method).collect();
    let said = if said.is_empty() { "nothing".to_owned() } else { said.join(", ") };
    format!("Your server {} noted: {said}.", results.server)
}

/// A day in words.
pub(in crate::engine) fn day(at: i64) -> String {
    let at = jiff::Timestamp::from_second(at).unwrap_or_default().to_zoned(jiff::tz::TimeZone::system());
    at.strftime("%-d %b %Y").to_string()
}

/// Checks what waits, whenever something is due.
///
/// # Errors
/// When the store fails.
pub async fn run(app: Arc<App>, stop: CancellationToken) -> Result<(), Failure> {
    loop {
        check_due(&app).await?;
        let next = signatures::next_due(&mut *app.reader.get().await?).await?;
        let wait = next.map_or(3600, |at| (at - app.now()).clamp(1, 3600));
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = app.signatures_wanted.notified() => {}
            () = tokio::time::sleep(Duration::from_secs(wait.unsigned_abs())) => {}
        }
    }
}

/// Checks all that is due; gives how many verdicts were reached.
///
/// # Errors
/// When the store fails.
pub async fn check_due(app: &Arc<App>) -> Result<usize, Failure> {
    let mut settled = 0;
    loop {
        let due = signatures::due(&mut *app.reader.get().await?, app.now(), BATCH).await?;
        if due.is_empty() {
            return Ok(settled);
        }
        let mut keys = match Keys::open(app).await {
            Ok(keys) => keys,
            Err(Unreachable) => {
                put_off(app, &due).await?;
                continue;
            }
        };
        for (at, (number, row)) in due.iter().enumerate() {
            match check(app, *number, &mut keys).await? {
                Outcome::Settled(verdict) => {
                    settle(app, *number, verdict.as_ref()).await?;
                    settled += 1;
                }
                Outcome::Later => put_off(app, std::slice::from_ref(&(*number, row.clone()))).await?,
                // Where the resolver itself is not reached nobody else is asked for either.
                Outcome::Unreachable => {
                    put_off(app, due.get(at..).unwrap_or_default()).await?;
                    break;
                }
            }
        }
    }
}

/// Checks one message now, whether it is new or not; for what depends on it.
///
/// # Errors
/// When the store fails.
pub(in crate::engine) async fn check_now(app: &Arc<App>, number: MessageNumber) -> Result<(), Failure> {
    let Ok(mut keys) = Keys::open(app).await else { return Ok(()) };
    if let Outcome::Settled(verdict) = check(app, number, &mut keys).await? {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        signatures::queue(&mut c, &[number], app.now(), MOST_WAITING).await?;
        commit(c).await?;
        drop(writer);
        settle(app, number, verdict.as_ref()).await?;
    }
    Ok(())
}

/// What came of looking at a message.
enum Outcome {
    /// A verdict, or none where it bears no signature.
    Settled(Option<SignatureRow>),
    /// A key could not be had now.
    Later,
    /// The resolver could not be reached.
    Unreachable,
}

/// The resolver, or Tor before it, is not there.
struct Unreachable;

/// The keys that were asked for in one go.
struct Keys {
    resolver: WebAddress,
    words: String,
    known: HashMap<String, Option<Texts>>,
}

impl Keys {
    async fn open(app: &App) -> Result<Self, Unreachable> {
        let words = choices::get(app, "dkim.resolver").await.map_err(|_| Unreachable)?;
        let resolver = WebAddress::from_owner(&words).map_err(|_| Unreachable)?;
        let rule = app.dialer.rule(Purpose::Dkim);
        let no_tor = || async { !app.dialer.tor_report().await.state.is_hopeful() };
        if words == "off"
            || app.dialer.is_offline()
            || rule == Rule::Never
            || rule == Rule::Tor && no_tor().await
        {
            return Err(Unreachable);
        }
        Ok(Self { resolver, words, known: HashMap::new() })
    }

    /// The key records of a signature; `None` where the name could not be asked for now.
    async fn get(&mut self, app: &App, signature: &Signature) -> Result<Option<Texts>, Unreachable> {
        let name = signature.key_name();
        if let Some(known) = self.known.get(&name) {
            return Ok(known.clone());
        }
        // What is asked for one house tells nothing about the others: each has a circuit of its own.
        let circuit = domain::organisation(&signature.domain);
        let found = match doh::texts(&app.dialer, Purpose::Dkim, &self.resolver, &name, &circuit).await {
            Ok(texts) => Some(texts),
            Err(doh::DohError::Http(error)) => {
                tracing::debug!(%error, "The resolver for DKIM keys was not reached");
                return Err(Unreachable);
            }
            Err(_) => None,
        };
        self.known.insert(name, found.clone());
        Ok(found)
    }
}

async fn check(app: &Arc<App>, number: MessageNumber, keys: &mut Keys) -> Result<Outcome, Failure> {
    let Some(row) = messages::by_numbers(&mut *app.reader.get().await?, &[number]).await?.into_iter().next()
    else {
        return Ok(Outcome::Settled(None));
    };
    let (packs, now) = (Arc::clone(&app.packs), app.now());
    let read = blocking(move || {
        let raw = packs.read(row.place)?.raw;
        let found = dkim::signatures(&raw, from_domain(&message::parse(&raw)).as_deref(), now);
        Ok::<_, crate::storage::packs::PackError>((Arc::new(raw), found))
    })
    .await;
    // What cannot be read any more has no signature to be checked.
    let Ok((raw, found)) = read else { return Ok(Outcome::Settled(None)) };
    let Some(first) = found.first() else { return Ok(Outcome::Settled(None)) };
    let verdict = |signature: &Signature, flaw: Option<Flaw>| SignatureRow {
        state: if flaw.is_none() { "pass" } else { "fail" }.to_owned(),
        domain: signature.domain.clone(),
        selector: signature.selector.clone(),
        aligned: signature.aligned,
        flaw: flaw.map_or_else(String::new, |flaw| flaw.word().to_owned()),
        checked_at: now,
        ..SignatureRow::default()
    };
    let mut best = first.flaw.map(|flaw| verdict(first, Some(flaw)));
    let mut covers_leaving = false;
    let mut missing = false;
    for signature in found.iter().filter(|signature| signature.flaw.is_none()).take(MOST_CHECKED) {
        let texts = match keys.get(app, signature).await {
            Ok(Some(texts)) => texts,
            Ok(None) => {
                missing = true;
                continue;
            }
            Err(Unreachable) => return Ok(Outcome::Unreachable),
        };
        let key = texts.records.iter().find(|record| memchr::memmem::find(record, b"p=").is_some()).cloned();
        let flaw = match key.clone() {
            None => Some(Flaw::NoKey),
            Some(key) => {
                let (raw, place) = (Arc::clone(&raw), signature.place);
                let held = blocking(move || Ok::<_, Failure>(dkim::verify(&raw, place, &key, now)));
                held.await.unwrap_or(Err(Flaw::Unreadable)).err()
            }
        };
        covers_leaving |= flaw.is_none() && signature.covers_leaving;
        let row = SignatureRow {
            key,
            resolver: keys.words.clone(),
            dnssec: texts.is_authentic,
            ..verdict(signature, flaw)
        };
        if best.as_ref().is_none_or(|best| rank(&row) > rank(best)) {
            best = Some(row);
        }
    }
    Ok(match best {
        Some(mut best) if !missing || best.state == "pass" && best.aligned => {
            best.covers_leaving = covers_leaving;
            Outcome::Settled(Some(best))
        }
        _ => Outcome::Later,
    })
}

/// Which verdict of several speaks for the message: one that holds and is of the sender's house, then one that is.
fn rank(row: &SignatureRow) -> (bool, bool, bool) {
    let holds = row.state == "pass";
    (holds && row.aligned, row.aligned, holds)
}

/// The domain of the one From.
fn from_domain(message: &Message) -> Option<String> {
    match message.from.as_slice() {
        [one] => domain::of_address(&one.address),
        _ => None,
    }
}

async fn settle(
    app: &Arc<App>,
    number: MessageNumber,
    verdict: Option<&SignatureRow>,
) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    match verdict {
        Some(verdict) => {
            signatures::settle(&mut c, number, verdict).await?;
            if verdict.aligned && verdict.key.is_some() {
                let house = domain::organisation(&verdict.domain);
                signatures::count_domain(&mut c, &house, verdict.state == "pass", app.now()).await?;
            }
        }
        None => signatures::forget(&mut c, number).await?,
    }
    commit(c).await?;
    drop(writer);
    let holds = verdict.is_some_and(|verdict| verdict.aligned && verdict.state == "pass");
    super::peers::checked(app, number, holds).await
}

/// Lets messages wait longer, and gives up those that waited too long.
async fn put_off(app: &Arc<App>, due: &[(MessageNumber, SignatureRow)]) -> Result<(), Failure> {
    let now = app.now();
    let mut given_up_on = Vec::new();
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    for (number, row) in due {
        if row.queued_at < now - PATIENCE {
            let given_up = SignatureRow { state: "unknown".into(), ..SignatureRow::default() };
            signatures::settle(&mut c, *number, &given_up).await?;
            given_up_on.push(*number);
            continue;
        }
        let wait = FIRST_WAIT.saturating_mul(1 << row.attempts.min(8)).min(LONGEST_WAIT);
        let chance = i64::from(random::<1>()[0]);
        signatures::put_off(&mut c, *number, now + wait + wait * chance / 1024).await?;
    }
    commit(c).await?;
    drop(writer);
    for number in given_up_on {
        super::peers::checked(app, number, false).await?;
    }
    Ok(())
}
