//! Publishing the owner's keys: handed to the key servers through Tor, and confirmed at the owner's click when a server's mail
//! comes. What a mail wants to be confirmed is taken apart and put into an address of the server's own; nothing that a mail
//! names is ever opened as it stands.

use super::app::App;
use super::failure::{Failure, blocking};
use super::import::plain;
use super::read::{self, Opened};
use super::receive::clip;
use super::{accounts, lookup, settings};
use crate::crypto::openpgp::{Certificate, hashed_local_part};
use crate::mail::address::canonical;
use crate::mail::domain;
use crate::network::keyserver::{AskError, By, KeyServer, Kind, Link};
use crate::storage::database::{PublicationRow, commit, lookups};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// For so long after the owner asked for it a server's mail is one that was asked for, in seconds.
const FRESH: i64 = 48 * 3600;
/// How much of a message is searched for a server's link, in bytes.
const SEARCHED: usize = 64 << 10;
/// So many links of a message are looked at.
const MOST_LINKS: usize = 100;

/// How far a key of the owner's is at a server.
#[derive(Clone, Debug, Serialize)]
pub struct Publication {
    /// The owner's address.
    pub address: String,
    /// The server, as the settings name it.
    pub server: String,
    /// The key.
    pub fingerprint: String,
    /// `waiting`, `published`, `removing`, `removed`; `failed` where the server did not take it now.
    pub state: String,
    /// The same in a sentence.
    pub words: String,
}

impl Publication {
    fn of(row: &PublicationRow) -> Self {
        let host =
            row.server.parse::<KeyServer>().map_or_else(|_| row.server.clone(), |s| s.known_as().to_owned());
        let words = match row.state.as_str() {
            "waiting" => format!("{host} has the key and writes a mail about it: open that mail to confirm."),
            "published" => format!("{host} gives the key to whoever asks for {}.", row.address),
            "removing" => format!(
                "{host} was asked to remove the key and writes a mail about it: open that mail to confirm."
            ),
            _ => format!("{host} no longer has the key from here."),
        };
        Self {
            address: row.address.clone(),
            server: row.server.clone(),
            fingerprint: row.fingerprint.clone(),
            state: row.state.clone(),
            words,
        }
    }

    fn failed(row: &PublicationRow, why: String) -> Self {
        Self { state: "failed".to_owned(), words: why, ..Self::of(row) }
    }
}

/// Where the owner's keys are, or are about to be.
///
/// # Errors
/// When the store fails.
pub async fn list(app: &App) -> Result<Vec<Publication>, Failure> {
    let rows = lookups::publications(&mut *app.reader.get().await?).await?;
    Ok(rows.iter().map(Publication::of).collect())
}

/// The servers that ask the holder of an address: what anybody can put anything on is nothing to publish at.
async fn servers(app: &App) -> Result<Vec<KeyServer>, Failure> {
    let all = lookup::servers(&settings::get(app, "lookup.servers").await?).unwrap_or_default();
    Ok(all.into_iter().filter(|server| server.kind() != Kind::Hkp).collect())
}

async fn note(app: &App, row: &PublicationRow) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    lookups::publish(&mut c, row).await?;
    Ok(commit(c).await?)
}

fn trouble(error: &AskError) -> String {
    match error.lacks_tor() {
        Some(why) => format!("keys are published through Tor only, and Tor is not there: {why}."),
        None => error.to_string(),
    }
}

/// The key of an address of the owner's, cut down to that address.
async fn own(app: &Arc<App>, email: &str) -> Result<(String, Certificate), Failure> {
    let address = accounts::find(app, email).await?.address;
    let key = app.keyring.current(&address).ok_or_else(|| {
        Failure::not_found(format!("{address} has no key yet; make one with `mailkeep key make {address}`"))
    })?;
    let certificate = key.key.certificate();
    let own = certificate.for_address(&address).ok_or_else(|| {
        Failure::failed(format!("The key of {address} does not name it, so no server would take it"))
    })?;
    Ok((address, own))
}

/// Hands the key of an address to every server that asks its holder.
///
/// # Errors
/// Not found, where there is no such address or key; failed, where no server took it.
pub async fn publish(app: &Arc<App>, email: &str) -> Result<Vec<Publication>, Failure> {
    let (address, certificate) = own(app, email).await?;
    let (fingerprint, armored) = (certificate.fingerprint().to_string(), certificate.armored());
    let mut told = Vec::new();
    let mut done: Vec<KeyServer> = Vec::new();
    for server in servers(app).await? {
        if done.iter().any(|other| other.is_also(&server)) {
            continue;
        }
        let now = app.now();
        let mut row = PublicationRow {
            address: address.clone(),
            server: server.to_string(),
            fingerprint: fingerprint.clone(),
            state: "waiting".to_owned(),
            began_at: now,
            changed_at: now,
        };
        match server.upload(&app.dialer, &address, &fingerprint, &armored).await {
            Ok(is_published) => {
                if is_published {
                    "published".clone_into(&mut row.state);
                }
                note(app, &row).await?;
                told.push(Publication::of(&row));
                done.push(server);
            }
            Err(error) => told.push(Publication::failed(&row, trouble(&error))),
        }
    }
    if done.is_empty() { Err(nothing_done(&address, "published", &told)) } else { Ok(told) }
}

fn nothing_done(address: &str, deed: &str, told: &[Publication]) -> Failure {
    let mut why: Vec<&str> = told.iter().map(|one| one.words.trim_end_matches('.')).collect();
    why.dedup();
    if why.is_empty() {
        return Failure::failed(
            "No key server is named that asks whose a key is; name one with `lookup.servers`",
        );
    }
    Failure::failed(format!("The key of {address} was {deed} nowhere: {}", why.join(". ")))
}

/// What a server made of being asked to remove a key.
enum Asked {
    Taken,
    Gone,
    NotNow,
}

/// Whether a server gives out a key of the owner's with the address that it was published for.
async fn gives(app: &App, server: &KeyServer, row: &PublicationRow) -> Result<bool, AskError> {
    let found = server.find(&app.dialer, By::Fingerprint(&row.fingerprint)).await?;
    let (fingerprint, address) = (row.fingerprint.clone(), row.address.clone());
    Ok(judge(found, move |one| {
        one.fingerprint().as_str() == fingerprint && one.for_address(&address).is_some()
    })
    .await)
}

/// Whether a server gives out somebody else's key for an address, too.
async fn gives_another(app: &App, server: &KeyServer, row: &PublicationRow) -> Result<bool, AskError> {
    let found = server.find(&app.dialer, By::Address(&row.address)).await?;
    let fingerprint = row.fingerprint.clone();
    Ok(judge(found, move |one| one.fingerprint().as_str() != fingerprint).await)
}

/// Whether there is such a key in what a server gave; what cannot be read is none.
async fn judge(found: Option<Vec<u8>>, is_such: impl Fn(&Certificate) -> bool + Send + 'static) -> bool {
    let Some(bytes) = found else { return false };
    let all =
        move || Ok::<_, Failure>(Certificate::parse_all(&bytes).unwrap_or_default().iter().any(is_such));
    blocking(all).await.unwrap_or(false)
}

/// Asks every server that has the key of an address from here to remove it.
///
/// # Errors
/// Not found, where it is nowhere; failed, where no server took it.
pub async fn unpublish(app: &Arc<App>, email: &str) -> Result<Vec<Publication>, Failure> {
    let address = canonical(email);
    let rows = lookups::publications(&mut *app.reader.get().await?).await?;
    let rows: Vec<PublicationRow> =
        rows.into_iter().filter(|row| row.address == address && row.state != "removed").collect();
    if rows.is_empty() {
        return Err(Failure::not_found(format!("No key of {address} was published from here")));
    }
    let mut told = Vec::new();
    let mut is_done = false;
    for mut row in rows {
        let Ok(server) = row.server.parse::<KeyServer>() else { continue };
        let now = app.now();
        let asked = match server.remove(&app.dialer, &address).await {
            Err(AskError::Status { status: 404, .. }) => {
                gives(app, &server, &row).await.map(|gives| if gives { Asked::NotNow } else { Asked::Gone })
            }
            other => other.map(|()| Asked::Taken),
        };
        match asked {
            Ok(Asked::Taken) => (row.state, row.began_at) = ("removing".to_owned(), now),
            // It was never confirmed, or is gone already.
            Ok(Asked::Gone) => "removed".clone_into(&mut row.state),
            Ok(Asked::NotNow) => {
                let why = format!(
                    "{} did not take that, though it gives the key out; it may have been asked a short while ago: \
                     try again later.",
                    server.known_as()
                );
                told.push(Publication::failed(&row, why));
                continue;
            }
            Err(error) => {
                told.push(Publication::failed(&row, trouble(&error)));
                continue;
            }
        }
        row.changed_at = now;
        note(app, &row).await?;
        is_done = true;
        told.push(Publication::of(&row));
    }
    if is_done { Ok(told) } else { Err(nothing_done(&address, "removed", &told)) }
}

/// What a server's mail is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// What the owner began: it can be confirmed.
    Confirm {
        /// The server's name.
        server: String,
        /// The owner's address.
        address: String,
        /// Whether it is about removing.
        removes: bool,
    },
    /// What the owner did not begin: there is nothing to press.
    Foreign {
        /// The server's name.
        server: String,
        /// The owner's address.
        address: String,
        /// Whether it is about removing.
        removes: bool,
    },
}

/// A mail that was recognised.
struct Recognised {
    server: KeyServer,
    link: Link,
    address: String,
    /// What the owner began that it belongs to.
    row: Option<PublicationRow>,
}

/// The addresses that stand in a message, as text or as links of its HTML.
fn links(opened: &Opened) -> Vec<String> {
    let ends = |c: char| c.is_whitespace() || ['"', '\'', '<', '>', '(', ')'].contains(&c);
    let text = opened.text();
    let html = opened.message.html().unwrap_or_default();
    let pieces = clip(&text, SEARCHED).split(ends).chain(clip(html, SEARCHED).split(ends));
    let web = pieces.filter(|piece| piece.starts_with("https://") || piece.starts_with("http://"));
    web.take(MOST_LINKS).map(|piece| piece.trim_end_matches(['.', ',', ';']).replace("&amp;", "&")).collect()
}

/// Whether a text names no other key than this one: what stands in it like a fingerprint is ours.
fn names_no_other(text: &str, fingerprint: &str) -> bool {
    let runs = text.split(|c: char| !c.is_ascii_hexdigit()).filter(|run| matches!(run.len(), 40 | 64));
    let is_ours = |run: &str| run.eq_ignore_ascii_case(fingerprint);
    runs.clone().all(is_ours)
}

/// The key ID that a fingerprint of either version gives.
fn key_id(fingerprint: &str) -> &str {
    let half = if fingerprint.len() == 64 { fingerprint.get(..16) } else { fingerprint.get(24..) };
    half.unwrap_or_default()
}

async fn recognise(app: &Arc<App>, opened: &Opened) -> Result<Option<Recognised>, Failure> {
    let own = app.own_addresses();
    let [from] = opened.message.from.as_slice() else { return Ok(None) };
    let from = canonical(&from.address);
    let to = opened.message.to.iter().map(|person| canonical(&person.address));
    let Some(address) = to.into_iter().find(|address| own.contains(address)) else { return Ok(None) };
    if own.contains(&from) {
        return Ok(None);
    }
    let found = links(opened);
    let house = domain::of_address(&from).map(|house| domain::organisation(&house)).unwrap_or_default();
    let mut recognised = None;
    for server in servers(app).await? {
        let is_theirs = house == domain::organisation(server.known_as()) || server.has_own_port();
        if !is_theirs {
            continue;
        }
        if let Some(link) = found.iter().find_map(|one| server.link(one)) {
            recognised = Some((server, link));
            break;
        }
    }
    let Some((server, link)) = recognised else { return Ok(None) };
    let rows = lookups::publications(&mut *app.reader.get().await?).await?;
    let (now, text) = (app.now(), opened.text());
    let row = rows.into_iter().find(|row| {
        let is_same = row.server.parse::<KeyServer>().is_ok_and(|other| other.is_also(&server));
        let fits = match &link {
            Link::Vks { .. } => names_no_other(&text, &row.fingerprint),
            Link::Mailvelope { key_id: id, .. } => id.eq_ignore_ascii_case(key_id(&row.fingerprint)),
        };
        let is_asked = row.state == if link.removes() { "removing" } else { "waiting" };
        row.address == address && is_same && is_asked && fits && row.began_at + FRESH >= now
    });
    Ok(Some(Recognised { server, link, address, row }))
}

/// What is to be said of a message that a key server sent; nothing for all others.
///
/// # Errors
/// When the store fails.
pub async fn offer(app: &Arc<App>, opened: &Opened) -> Result<Option<Offer>, Failure> {
    Ok(recognise(app, opened).await?.map(|mail| {
        let (server, address) = (mail.server.known_as().to_owned(), mail.address);
        let removes = mail.link.removes();
        match mail.row {
            Some(_) => Offer::Confirm { server, address, removes },
            None => Offer::Foreign { server, address, removes },
        }
    }))
}

/// Confirms what the owner began and a server's mail asks about, and looks whether the server then has what it shall have.
///
/// # Errors
/// Not found; refused, where the message asks nothing that the owner began; failed, where the server did not take it.
pub async fn confirm(app: &Arc<App>, id: &str) -> Result<Publication, Failure> {
    let opened = read::open(app, id).await?;
    let nothing = || {
        Failure::refused(
            "This message asks for nothing that was begun here within the last two days; nothing was confirmed",
        )
    };
    let mail = recognise(app, &opened).await?.ok_or_else(nothing)?;
    let mut row = mail.row.ok_or_else(nothing)?;
    let host = mail.server.known_as().to_owned();
    let refused = |error: AskError| Failure::failed(trouble(&error).trim_end_matches('.'));
    mail.server.confirm(&app.dialer, &mail.address, &mail.link).await.map_err(refused)?;
    let removes = row.state == "removing";
    let gives_ours = gives(app, &mail.server, &row).await.map_err(refused)?;
    let gives_another = !removes && gives_another(app, &mail.server, &row).await.map_err(refused)?;
    if gives_ours == removes {
        return Err(Failure::failed(if gives_another {
            format!(
                "{host} took the confirmation and gives out another key for {}: somebody else may read what is sent to it; \
                 publish your key again, or ask {host}",
                row.address
            )
        } else {
            format!("{host} took the confirmation, but its answer did not change; try again in a while")
        }));
    }
    row.state = if removes { "removed" } else { "published" }.to_owned();
    row.changed_at = app.now();
    note(app, &row).await?;
    let mut told = Publication::of(&row);
    if gives_another {
        told.words = format!(
            "{host} has the key, and gives out another one for {}: somebody else may read what is sent to it. Ask {host} about it.",
            row.address
        );
    }
    Ok(told)
}

/// What was written of a Web Key Directory.
#[derive(Clone, Debug, Serialize)]
pub struct Directory {
    /// The folder that was written into.
    pub directory: PathBuf,
    /// The domains.
    pub domains: Vec<String>,
    /// How many keys there are in it.
    pub keys: u32,
}

/// Writes the owner's keys as a Web Key Directory (the advanced form), to be laid under the web server of
/// `openpgpkey.DOMAIN`. Files of the same name are replaced.
///
/// # Errors
/// Not found, where there is no key; failed, where the disk does.
pub async fn export_directory(app: &Arc<App>, directory: &Path) -> Result<Directory, Failure> {
    let mut written = Directory { directory: directory.to_owned(), domains: Vec::new(), keys: 0 };
    let mut files = Vec::new();
    for own in app.keyring.all().iter().filter(|own| own.current) {
        let Some((local, domain)) = own.address.rsplit_once('@') else { continue };
        let (Some(name), Some(certificate)) =
            (hashed_local_part(local), own.key.certificate().for_address(&own.address))
        else {
            continue;
        };
        // The domain becomes the name of a folder.
        if !domain::is_name(domain) {
            continue;
        }
        let place = directory.join(".well-known/openpgpkey").join(domain);
        files.push((place.join("policy"), Vec::new()));
        files.push((place.join("hu").join(name), certificate.bytes()));
        written.keys += 1;
        if !written.domains.iter().any(|known| known == domain) {
            written.domains.push(domain.to_owned());
        }
    }
    if files.is_empty() {
        return Err(Failure::not_found("There is no key of yours to be published"));
    }
    let cannot = |path: &Path, e: &std::io::Error| {
        Failure::failed(format!("Cannot write {}: {}", path.display(), plain(e)))
    };
    blocking(move || {
        for (path, bytes) in &files {
            let folder = path.parent().unwrap_or(path);
            std::fs::create_dir_all(folder).map_err(|e| cannot(folder, &e))?;
            std::fs::write(path, bytes).map_err(|e| cannot(path, &e))?;
        }
        Ok::<_, Failure>(())
    })
    .await?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_s_fingerprint_is_noticed() {
        let ours = "0123456789ABCDEF0123456789ABCDEF01234567";
        assert!(names_no_other("Nothing but words, and deadbeef.", ours));
        assert!(names_no_other(&format!("The key {} is yours.", ours.to_lowercase()), ours));
        assert!(!names_no_other(&format!("{ours} or {}", ours.replace('0', "F")), ours));
        assert_eq!(key_id(ours), "89ABCDEF01234567");
        let new = "FEDCBA9876543210".repeat(4);
        assert_eq!(key_id(&new), "FEDCBA9876543210");
    }
}
