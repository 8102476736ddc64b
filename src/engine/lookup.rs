//! Looking for other people's keys: in the directory of their domain, at the key servers that the owner named. Only when the
//! owner writes to somebody or asks for it, only through Tor. What is found is a candidate: nobody's word but the server's.

mod refresh;

#[cfg(test)]
pub(in crate::engine) use refresh::refresh;
pub use refresh::run;

use super::app::App;
use super::failure::{Failure, blocking};
use super::keyring::{self, Key};
use super::{envelopes, peers, settings};
use crate::crypto::openpgp::Certificate;
use crate::crypto::secret::random;
use crate::mail::address::canonical;
use crate::mail::domain;
use crate::network::dialer::{Purpose, Rule};
use crate::network::keyserver::{AskError, By, KeyServer, Kind};
use crate::network::wkd;
use crate::storage::database::{CandidateRow, LookupRow, commit, keys, lookups};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Who is asked where the owner named nobody else. The onion is asked first; it is the same server as the name behind it,
/// which is asked only where the onion cannot be reached.
pub const DEFAULT_SERVERS: &str = "vks+http://zkaan2xfbuxia2wpf7ofnkbz6r5zdbbvxbunvp5g2iebopbfc4iqmbad.onion \
     vks+https://keys.openpgp.org mailvelope+https://keys.mailvelope.com hkp+https://keyserver.ubuntu.com";
/// The most servers there can be.
pub const MOST_SERVERS: usize = 10;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// Where a key was found it is asked for again after a day, and where none was after a quarter of one.
const FOUND_AGAIN: i64 = DAY;
const NONE_AGAIN: i64 = 6 * HOUR;
/// Where nobody could be reached, the composer does not try again for so long.
const UNREACHED_AGAIN: i64 = 300;
/// How long everybody together may take.
const WHOLE_LIMIT: Duration = Duration::from_secs(100);
/// So many certificates of one answer are looked at more closely.
const MOST_FOUND: usize = 5;
/// So many addresses are looked up at a time.
const AT_A_TIME: usize = 4;
/// So many of those that somebody writes to are looked up by themselves.
const MOST_AT_ONCE: usize = 20;

/// A key that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// The key.
    #[serde(flatten)]
    pub key: Key,
    /// `wkd`, `vks`, `mailvelope` or `hkp`: the first source that named it.
    pub source: String,
    /// That source's server.
    pub server: String,
    /// All of them: `vks keys.openpgp.org`.
    pub sources: Vec<String>,
    /// Whether a message can be encrypted to it.
    pub usable: bool,
    /// Why not; empty where it can.
    pub words: String,
}

/// What is being looked up now.
pub struct Looking {
    running: Mutex<HashSet<String>>,
    slots: Semaphore,
}

impl Default for Looking {
    fn default() -> Self {
        Self { running: Mutex::default(), slots: Semaphore::new(AT_A_TIME) }
    }
}

impl Looking {
    fn running(&self) -> MutexGuard<'_, HashSet<String>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While this lives, an address is being looked up.
struct Turn {
    app: Arc<App>,
    address: String,
}

impl Turn {
    /// Nothing where somebody looks it up already.
    fn take(app: &Arc<App>, address: &str) -> Option<Self> {
        let is_first = app.looking.running().insert(address.to_owned());
        is_first.then(|| Self { app: Arc::clone(app), address: address.to_owned() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.app.looking.running().remove(&self.address);
    }
}

/// Somebody who can be asked.
enum Source {
    /// The address's own domain.
    Directory,
    /// A key server.
    Server(KeyServer),
}

impl Source {
    const fn word(&self) -> &'static str {
        match self {
            Self::Directory => "wkd",
            Self::Server(server) => server.kind().word(),
        }
    }

    fn server(&self, address: &str) -> String {
        match self {
            Self::Directory => domain::of_address(address).unwrap_or_default(),
            Self::Server(server) => server.host().to_owned(),
        }
    }
}

/// Reads the servers of a list, blank-separated.
///
/// # Errors
/// Usage, where one cannot be read or there are too many.
pub fn servers(list: &str) -> Result<Vec<KeyServer>, Failure> {
    let read = |text: &str| {
        text.parse().map_err(|why| {
            Failure::usage(format!(
                "{text:?} names no key server ({why}); write it as vks+https://…, mailvelope+https://… or hkp+https://…"
            ))
        })
    };
    let all: Vec<KeyServer> = list.split_whitespace().map(read).collect::<Result<_, _>>()?;
    if all.len() > MOST_SERVERS {
        return Err(Failure::usage(format!("That are more than {MOST_SERVERS} key servers; name fewer")));
    }
    Ok(all)
}

async fn sources(app: &App, address: &str) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    if settings::get(app, "lookup.wkd").await? == "on" && wkd::can_be_asked(address) {
        sources.push(Source::Directory);
    }
    // A list that cannot be read any more names nobody.
    let named = servers(&settings::get(app, "lookup.servers").await?).unwrap_or_default();
    sources.extend(named.into_iter().map(Source::Server));
    Ok(sources)
}

/// What a source said.
struct Said {
    source: &'static str,
    server: String,
    place: u32,
    /// As they came, and what they say of the address.
    certificates: Vec<(Certificate, Certificate)>,
}

/// What came of asking.
#[derive(Default)]
struct Round {
    said: Vec<Said>,
    /// Who answered, and who could not be reached: `vks keys.openpgp.org`.
    answered: Vec<String>,
    unreached: Vec<String>,
    /// What went wrong, in sentences.
    trouble: Vec<String>,
}

/// Asks one after the other; `everybody`, or only until a key is found that can be used.
async fn ask(app: &Arc<App>, address: &str, everybody: bool) -> Result<Round, Failure> {
    let _slot = app.looking.slots.acquire().await.map_err(|e| Failure::failed(e.to_string()))?;
    let until = tokio::time::Instant::now() + WHOLE_LIMIT;
    let (now, mut round) = (app.now(), Round::default());
    let mut doors: Vec<KeyServer> = Vec::new();
    let mut has_way = true;
    for (place, source) in (0..).zip(sources(app, address).await?) {
        let name = format!("{} {}", source.word(), source.server(address));
        if let Source::Server(server) = &source
            && doors.iter().any(|asked| asked.is_also(server))
        {
            continue;
        }
        if !has_way {
            round.unreached.push(name);
            continue;
        }
        let asked = async {
            match &source {
                Source::Directory => wkd::find(&app.dialer, address).await,
                Source::Server(server) => server.find(&app.dialer, By::Address(address)).await,
            }
        };
        let answer = match tokio::time::timeout_at(until, asked).await {
            Ok(Err(error)) if !error.is_answer() => {
                has_way = !error.has_no_way();
                round.trouble.push(trouble(&error));
                round.unreached.push(name);
                continue;
            }
            Err(_) => {
                has_way = false;
                round.trouble.push("It took too long.".to_owned());
                round.unreached.push(name);
                continue;
            }
            Ok(answer) => answer,
        };
        if let Source::Server(server) = &source {
            doors.push(server.clone());
        }
        let certificates = match answer {
            Ok(Some(bytes)) => read(bytes, address).await?,
            Ok(None) => Vec::new(),
            Err(error) => {
                round.trouble.push(error.to_string());
                Vec::new()
            }
        };
        round.answered.push(name);
        let is_found = certificates.iter().any(|(_, own)| unusable(own, address, now).is_none());
        let (source, server) = (source.word(), source.server(address));
        round.said.push(Said { source, server, place, certificates });
        if is_found && !everybody {
            break;
        }
    }
    Ok(round)
}

fn trouble(error: &AskError) -> String {
    match error.lacks_tor() {
        Some(why) => format!("keys are looked up through Tor only, and Tor is not there: {why}."),
        None => error.to_string(),
    }
}

/// The certificates of an answer that name the address, as they came and cut down to it. Whatever else a server gives is
/// nobody's.
async fn read(bytes: Vec<u8>, address: &str) -> Result<Vec<(Certificate, Certificate)>, Failure> {
    let address = address.to_owned();
    blocking(move || {
        let all = Certificate::parse_all(&bytes).unwrap_or_default();
        let own = |whole: Certificate| whole.for_address(&address).map(|own| (whole, own));
        Ok::<_, Failure>(all.into_iter().filter_map(own).take(MOST_FOUND).collect())
    })
    .await
}

/// Why nothing can be encrypted to a key for an address; nothing where it can.
pub(in crate::engine) fn unusable(certificate: &Certificate, address: &str, now: i64) -> Option<String> {
    match certificate.usable(now) {
        Err(why) => Some(format!("It cannot be used: {why}.")),
        Ok(()) if !certificate.addresses(now).iter().any(|one| one == address) => {
            Some("It cannot be used: its owner no longer uses it for this address.".to_owned())
        }
        Ok(()) => None,
    }
}

/// A time from now until half as long again, so that nobody sees a beat.
fn later(seconds: i64) -> i64 {
    let share = i64::from(u32::from_le_bytes(random())) % (seconds / 2).max(1);
    seconds + share
}

/// Keeps what came of asking. One's own address is nobody's correspondent: of that nothing is kept.
async fn keep(app: &Arc<App>, address: &str, round: &Round) -> Result<(), Failure> {
    let now = app.now();
    if app.own_addresses().contains(address) {
        return Ok(());
    }
    let mut rows = Vec::new();
    for said in &round.said {
        for (_, own) in &said.certificates {
            rows.push(CandidateRow {
                address: address.to_owned(),
                source: said.source.to_owned(),
                server: said.server.clone(),
                fingerprint: own.fingerprint().to_string(),
                place: said.place,
            });
        }
    }
    let times = match (round.answered.is_empty(), rows.is_empty()) {
        (true, _) => LookupRow { asked_at: 0, again_at: now + UNREACHED_AGAIN },
        (false, true) => LookupRow { asked_at: now, again_at: now + later(NONE_AGAIN) },
        (false, false) => LookupRow { asked_at: now, again_at: now + later(FOUND_AGAIN) },
    };
    {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        for said in &round.said {
            let way = format!("lookup {} {}", said.source, said.server);
            for (whole, own) in &said.certificates {
                peers::found(&mut c, address, (whole, own), &way, now).await?;
            }
        }
        lookups::put(&mut c, address, times).await?;
        if !round.answered.is_empty() {
            lookups::replace_candidates(&mut c, address, &round.unreached, &rows).await?;
        }
        commit(c).await?;
    }
    for (_, own) in round.said.iter().flat_map(|said| &said.certificates) {
        envelopes::settle_again(app, own, false).await?;
    }
    Ok(())
}

/// Looks for the keys of an address because the owner asks for it: everybody is asked, now.
///
/// # Errors
/// Usage, for what is no address; not found, where nobody who answered has one; failed, where nobody could be asked.
pub async fn look_up(app: &Arc<App>, email: &str) -> Result<Vec<Candidate>, Failure> {
    let address = canonical(email);
    if domain::of_address(&address).is_none() || address.len() > 320 || address.contains(char::is_whitespace)
    {
        return Err(Failure::usage(format!("{email:?} is no address")));
    }
    // Somebody may look it up already; asking twice does no harm.
    let _turn = Turn::take(app, &address);
    let round = ask(app, &address, true).await?;
    keep(app, &address, &round).await?;
    let candidates = told(app, &address, &round);
    if !candidates.is_empty() {
        return Ok(candidates);
    }
    let mut trouble = round.trouble;
    trouble.dedup();
    let trouble = trouble.join(" ");
    let trouble = trouble.trim_end_matches('.');
    if !round.answered.is_empty() {
        let asked = round.answered.join(", ");
        let beside = if trouble.is_empty() { String::new() } else { format!(" ({trouble})") };
        Err(Failure::not_found(format!("Nobody who answered has a key of {address}: {asked}{beside}")))
    } else if trouble.is_empty() {
        Err(Failure::failed(format!(
            "There is nobody to ask for a key of {address}; name key servers with `lookup.servers`, or set `lookup.wkd` to on"
        )))
    } else {
        Err(Failure::failed(format!(
            "Nobody could be asked for a key of {address}: {trouble}; try again later"
        )))
    }
}

/// What was said, merged: each key once, in the order of the sources.
fn told(app: &App, address: &str, round: &Round) -> Vec<Candidate> {
    let now = app.now();
    let mut merged: Vec<(Certificate, Vec<(String, String)>)> = Vec::new();
    for said in &round.said {
        let source = (said.source.to_owned(), said.server.clone());
        for (_, own) in &said.certificates {
            match merged.iter_mut().find(|(known, _)| known.fingerprint() == own.fingerprint()) {
                Some((known, sources)) => {
                    *known = known.merged(own).unwrap_or_else(|_| known.clone());
                    sources.push(source.clone());
                }
                None => merged.push((own.clone(), vec![source.clone()])),
            }
        }
    }
    merged.iter().map(|(certificate, sources)| shown(certificate, address, sources, now)).collect()
}

fn shown(certificate: &Certificate, address: &str, sources: &[(String, String)], now: i64) -> Candidate {
    let words = unusable(certificate, address, now);
    let mut key = keyring::shown(certificate, now);
    key.addresses.retain(|one| one == address);
    let (source, server) = sources.first().cloned().unwrap_or_default();
    Candidate {
        key,
        source,
        server,
        sources: sources.iter().map(|(source, server)| format!("{source} {server}")).collect(),
        usable: words.is_none(),
        words: words.unwrap_or_default(),
    }
}

/// What is known of looking for an address's keys.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What was found when somebody last answered.
    pub candidates: Vec<Candidate>,
    /// When that was, UTC seconds; 0 for never.
    pub asked_at: i64,
    /// Whether it is being looked up now.
    pub looking: bool,
}

/// What is known of looking for an address's keys; nobody is asked.
///
/// # Errors
/// When the store fails.
pub async fn known(app: &Arc<App>, email: &str) -> Result<Known, Failure> {
    let address = canonical(email);
    let now = app.now();
    let (rows, times, bytes) = {
        let mut reader = app.reader.get().await?;
        let own = std::slice::from_ref(&address);
        let rows = lookups::candidates(&mut reader, own).await?;
        let times = lookups::of(&mut reader, own).await?.remove(&address);
        let wanted: Vec<String> = rows.iter().map(|row| row.fingerprint.clone()).collect();
        (rows, times, keys::certificates_of(&mut reader, &wanted).await?)
    };
    let looking = app.looking.running().contains(&address);
    let candidates = blocking(move || {
        let mut merged: Vec<(Certificate, Vec<(String, String)>)> = Vec::new();
        let parsed: Vec<Certificate> = bytes.iter().filter_map(|b| Certificate::parse(b).ok()).collect();
        for row in rows {
            let source = (row.source, row.server);
            match merged.iter_mut().find(|(known, _)| known.fingerprint().as_str() == row.fingerprint) {
                Some((_, sources)) => sources.push(source),
                None => merged.extend(
                    parsed
                        .iter()
                        .find(|one| one.fingerprint().as_str() == row.fingerprint)
                        .map(|one| (one.clone(), vec![source])),
                ),
            }
        }
        let each = merged.iter().map(|(certificate, sources)| shown(certificate, &address, sources, now));
        Ok::<_, Failure>(each.collect())
    })
    .await?;
    Ok(Known { candidates, asked_at: times.map_or(0, |times| times.asked_at), looking })
}

/// How looking for somebody's key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is under way.
    Looking,
    /// Somebody answered not long ago, and had none that can be used by itself.
    Asked,
}

/// The owner writes to these people (canonical addresses) of whom no key is known: those who were not looked up lately are
/// now, in the background. Whoever is missing from the answer was not asked and will not be.
///
/// # Errors
/// When the store fails.
pub async fn intend(app: &Arc<App>, addresses: &[String]) -> Result<HashMap<String, Standing>, Failure> {
    let mut standing = HashMap::new();
    if addresses.is_empty() || !may_ask(app).await? {
        return Ok(standing);
    }
    let (now, own) = (app.now(), app.own_addresses());
    let times = lookups::of(&mut *app.reader.get().await?, addresses).await?;
    for address in addresses.iter().filter(|address| !own.contains(*address)).take(MOST_AT_ONCE) {
        let times = times.get(address);
        if app.looking.running().contains(address) {
            standing.insert(address.clone(), Standing::Looking);
        } else if times.is_none_or(|times| times.again_at <= now) && domain::of_address(address).is_some() {
            if sources(app, address).await?.is_empty() {
                continue;
            }
            begin(app, address);
            standing.insert(address.clone(), Standing::Looking);
        } else if times.is_some_and(|times| times.asked_at > 0) {
            standing.insert(address.clone(), Standing::Asked);
        }
    }
    Ok(standing)
}

fn begin(app: &Arc<App>, address: &str) {
    let Some(turn) = Turn::take(app, address) else { return };
    let app = Arc::clone(app);
    let stop = app.stopping.clone();
    app.running.clone().spawn(async move {
        let looked = async {
            let round = ask(&app, &turn.address, false).await?;
            keep(&app, &turn.address, &round).await
        };
        tokio::select! {
            () = stop.cancelled() => {}
            done = looked => if let Err(error) = done {
                tracing::warn!(%error, "A key could not be looked up");
            }
        }
        drop(turn);
    });
}

/// Whether anybody can be asked at all: not without Tor, not offline, and not where the owner said never.
async fn may_ask(app: &App) -> Result<bool, Failure> {
    let never = app.dialer.rule(Purpose::KeyLookup) == Rule::Never;
    Ok(!never && !app.dialer.is_offline() && settings::get(app, "tor.mode").await? != "off")
}

/// Whether anybody could have put a key there, so that it is used only where the owner says so.
#[must_use]
pub fn is_anybodys(source: &str) -> bool {
    source == Kind::Hkp.word()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_that_everybody_begins_with_can_be_read() {
        let all = servers(DEFAULT_SERVERS).unwrap();
        let hosts: Vec<&str> = all.iter().map(KeyServer::host).collect();
        assert!(hosts[0].ends_with(".onion") && hosts[1] == "keys.openpgp.org", "{hosts:?}");
        assert!(all[0].is_also(&all[1]) && !all[1].is_also(&all[2]));
        assert!(servers("").unwrap().is_empty());
        assert!(servers("https://keys.openpgp.org").is_err());
        assert!(servers(&"hkp+https://a.example ".repeat(11)).is_err());
    }

    #[test]
    fn nothing_comes_to_the_second() {
        for _ in 0..100 {
            let wait = later(DAY);
            assert!((DAY..DAY + DAY / 2).contains(&wait), "{wait}");
        }
    }
}
