//! Contacts: all of them, and one with what is known of their key.

use super::avatars;
use super::form::Form;
use super::invitations;
use super::shell::shell;
use crate::engine::avatars::Album;
use crate::engine::failure::{Failure, Kind};
use crate::engine::lookup::{self, Candidate};
use crate::engine::peers::{self, Choice, Decision, Peer, Said};
use crate::mail::address::{Person, canonical};
use crate::storage::database::settings as table;
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::{WebError, page, sentence};
use crate::web::extract::{Path, Query};
use crate::web::view::{
    Contact, ContactKey, ContactPage, ContactsPage, Decided, FoundKey, Qr, Spot, encoded,
};
use crate::web::words;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use std::sync::Arc;
use std::time::Duration;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/contacts", get(contacts))
        .route("/contacts/{address}", get(contact))
        .route("/contacts/{address}/key", post(decide))
        .route("/contacts/{address}/look", post(look))
}

/// How long a page waits for a key that is looked for.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many people a page shows.
const PAGE: usize = 100;

#[derive(serde::Deserialize, Default)]
struct Asked {
    #[serde(default)]
    page: usize,
}

async fn contacts(owner: Owner, Query(asked): Query<Asked>) -> Result<Response, WebError> {
    let shell = shell(&owner, "Contacts", Spot::Contacts, "").await?;
    let number = asked.page.clamp(1, 1_000);
    let end = u32::try_from(number * PAGE + 1).unwrap_or(u32::MAX);
    let people = table::people(&mut *owner.app.reader.get().await?, end).await?;
    let more = people.len() > number * PAGE;
    let shown: Vec<String> =
        people.iter().skip((number - 1) * PAGE).take(PAGE).map(|p| canonical(&p.address)).collect();
    let trust = peers::trust_of(&owner.app, &shown).await?;
    let album = Album::open(&owner.app).await?;
    let contacts: Vec<Contact> = people
        .into_iter()
        .skip((number - 1) * PAGE)
        .take(PAGE)
        .map(|p| {
            let when = words::when(p.last_at, owner.app.now());
            let person = Person { name: p.name, address: p.address };
            Contact {
                initials: words::initials(&person),
                hue: words::hue(&person.address),
                picture: avatars::href(&owner, &album, &person.address),
                count_words: format!(
                    "{} from, {} to",
                    crate::web::view::grouped(u64::from(p.received)),
                    crate::web::view::grouped(u64::from(p.sent))
                ),
                key_words: trust.get(&canonical(&person.address)).map_or("", |trust| known_words(trust)),
                date_words: when.words,
                date_iso: when.iso,
                name: person.name,
                address: person.address,
            }
        })
        .collect();
    page(&ContactsPage {
        shell,
        count_words: if number == 1 && !more {
            words::count(contacts.len() as u64, "person", "people")
        } else {
            let first = (number - 1) * PAGE;
            format!("{} to {}", first + 1, first + contacts.len())
        },
        contacts,
        newer: (number > 1).then(|| format!("/contacts?page={}", number - 1)),
        older: more.then(|| format!("/contacts?page={}", number + 1)),
    })
}

/// What is known of a key, in words; nothing where none is.
const fn known_words(trust: &str) -> &'static str {
    match trust.as_bytes() {
        b"first" => "has a key",
        b"same" => "same key",
        b"verified" => "key checked by you",
        b"changed" => "different key",
        _ => "",
    }
}

async fn contact(owner: Owner, Path(address): Path<String>) -> Result<Response, WebError> {
    contact_page(&owner, &canonical(&address), "").await
}

/// The page of somebody, with what went wrong.
pub(super) async fn contact_page(owner: &Owner, address: &str, trouble: &str) -> Result<Response, WebError> {
    let app = &owner.app;
    let known = match peers::show(app, address).await {
        Err(failure) if failure.kind == Kind::NotFound => None,
        known => Some(known?),
    };
    let person = table::one_person(&mut *app.reader.get().await?, address).await?;
    let invitations = invitations::of(app, address).await?;
    if known.is_none() && person.is_none() && invitations.is_empty() {
        return Err(WebError::NotFound);
    }
    let person =
        Person { name: person.map(|person| person.name).unwrap_or_default(), address: address.to_owned() };
    let mut shell = shell(owner, person.display(), Spot::Contacts, "").await?;
    shell.here = format!("/contacts/{}", encoded(address));
    let own = app.keyring.all().iter().find(|own| own.current).map(|own| {
        let fingerprint = own.key.certificate().fingerprint().to_string();
        contact_key(&fingerprint, &[])
    });
    let invites = own.is_some() && !app.own_addresses().contains(address);
    let (icon, trust_words) = known.as_ref().map_or(("unlocked", no_key()), trust);
    let mut page_of = ContactPage {
        shell,
        trouble: trouble.to_owned(),
        heading: person.display().to_owned(),
        address: address.to_owned(),
        initials: words::initials(&person),
        hue: words::hue(address),
        picture: avatars::href(owner, &Album::open(app).await?, address),
        icon,
        caution: icon == "warning",
        trust_words,
        advice: known.as_ref().map(|peer| peer.words.clone()).unwrap_or_default(),
        habits: Vec::new(),
        used: None,
        waiting: None,
        own,
        found: Vec::new(),
        look_words: String::new(),
        others: Vec::new(),
        history: Vec::new(),
        invitations,
        invites,
    };
    let looked = lookup::known(app, address).await?;
    page_of.look_words = look_words(&looked);
    if let Some(peer) = known {
        describe(&mut page_of, &peer, looked.candidates);
    }
    let mut response = page(&page_of)?;
    if !trouble.is_empty() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

/// Puts what is known of somebody on their page.
fn describe(page: &mut ContactPage, peer: &Peer, found: Vec<Candidate>) {
    let used = [&peer.pinned_fingerprint, &peer.public_key_fingerprint, &peer.gossip_fingerprint];
    let used = used.into_iter().flatten().next();
    page.used = used.map(|fingerprint| contact_key(fingerprint, &peer.keys));
    page.waiting = peer.waiting_fingerprint.as_ref().map(|waits| contact_key(waits, &peer.keys));
    page.found = found
        .into_iter()
        .map(|one| {
            let is_used = Some(&one.key.fingerprint) == used;
            FoundKey {
                key: contact_key(&one.key.fingerprint, &peer.keys),
                choosable: one.usable && peer.pinned_fingerprint.as_ref() != Some(&one.key.fingerprint),
                words: if is_used && one.usable {
                    "It is the one that is used.".to_owned()
                } else {
                    one.words
                },
            }
        })
        .collect();
    let is_found = |one: &String| page.found.iter().any(|found| found.key.fingerprint == *one);
    let mut others: Vec<&String> = peer.keys.iter().map(|said| &said.fingerprint).collect();
    others.retain(|one| {
        Some(*one) != used && Some(*one) != peer.waiting_fingerprint.as_ref() && !is_found(one)
    });
    others.dedup();
    page.others = others.into_iter().map(|fingerprint| contact_key(fingerprint, &peer.keys)).collect();
    page.history = peer.history.iter().map(decided).collect();
    let figure = |number: u32| crate::web::view::grouped(u64::from(number));
    page.habits = vec![
        ("Private messages from them", figure(peer.private_messages)),
        ("Private messages of yours that they answered", figure(peer.answered)),
        ("They ask for private mail", if peer.prefer_encrypt == "mutual" { "yes" } else { "no" }.to_owned()),
    ];
    if !peer.program.is_empty() {
        page.habits.push(("Their program", peer.program.clone()));
    }
    if let Some(seen) = &peer.last_seen {
        page.habits.push(("Last wrote", words::day_of(seen)));
    }
}

fn no_key() -> String {
    "No key of theirs is known: what you write to them can be read by mail servers.".to_owned()
}

/// What is to be said of somebody's key, with its picture.
fn trust(peer: &Peer) -> (&'static str, String) {
    let day = |time: &Option<String>| time.as_deref().map(words::day_of).unwrap_or_default();
    match peer.trust {
        "verified" => ("checked", format!("You checked their key on {}.", day(&peer.verified_since))),
        "same" => ("key", format!("You have relied on the same key since {}.", day(&peer.pinned_since))),
        "first" => ("key", "A key of theirs is known. You have not written in private yet.".to_owned()),
        "changed" => ("warning", "They wrote with a different key than the one you rely on.".to_owned()),
        _ => ("unlocked", no_key()),
    }
}

fn contact_key(fingerprint: &str, said: &[Said]) -> ContactKey {
    ContactKey {
        fingerprint: fingerprint.to_owned(),
        grouped: words::groups(fingerprint),
        ways: said.iter().filter(|one| one.fingerprint == fingerprint).map(way).collect(),
        qr: Qr::of_fingerprint(fingerprint),
    }
}

/// How a key came, in a sentence.
fn way(said: &Said) -> String {
    let how = match said.way.as_str() {
        "header" => "Came with their messages".to_owned(),
        "signature" => "Signed their messages".to_owned(),
        "imported" => "You brought it from a file".to_owned(),
        "attached" => "Was attached to a message".to_owned(),
        "met" => "You met".to_owned(),
        "invitation" => "Shown by an invitation".to_owned(),
        other => match other.strip_prefix("gossip") {
            Some(_) => "Told by others you both write with".to_owned(),
            None => other.strip_prefix("lookup ").map_or_else(|| capital(other), looked_up),
        },
    };
    let (first, last) = (words::day_of(&said.first), words::day_of(&said.last));
    let times = match said.messages {
        0 | 1 => String::new(),
        many => format!(", in {}", words::count(u64::from(many), "message", "messages")),
    };
    if first == last {
        format!("{how}, {first}{times}.")
    } else {
        format!("{how}, {first} to {last}{times}.")
    }
}

/// How a key came from a server: the source and its name.
fn looked_up(way: &str) -> String {
    match way.split_once(' ') {
        Some(("wkd", domain)) => format!("Given out by {domain} itself"),
        Some(("hkp", server)) => format!("Found at {server}, where anybody can put a key"),
        Some((_, server)) => format!("Found at {server}"),
        None => "Found at a server".to_owned(),
    }
}

fn look_words(looked: &lookup::Known) -> String {
    if looked.looking {
        return "A key is being looked for; come back in a moment.".to_owned();
    }
    match (looked.asked_at, looked.candidates.is_empty()) {
        (0, _) => String::new(),
        (at, none) => {
            let day = words::day_of(&crate::engine::search::rfc3339(at));
            let found = if none { " Nobody who answered had a key." } else { "" };
            format!("Last asked on {day}.{found}")
        }
    }
}

/// Looks for a key, and waits a little: what takes longer goes on by itself.
async fn look(owner: Owner, Path(address): Path<String>, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let (app, email) = (Arc::clone(&owner.app), canonical(&address));
    let asked = email.clone();
    let looked = tokio::spawn(async move { lookup::look_up(&app, &asked).await });
    match tokio::time::timeout(PATIENCE, looked).await {
        Ok(Ok(Err(failure))) => contact_page(&owner, &email, &sentence(&failure.words)).await,
        _ => Ok(Redirect::to(&format!("/contacts/{}#look", encoded(&email))).into_response()),
    }
}

fn capital(words: &str) -> String {
    sentence(words).trim_end_matches('.').to_owned()
}

fn decided(decision: &Decision) -> Decided {
    let deed = match decision.deed.as_str() {
        "pinned" => "You began to rely on a key".to_owned(),
        "changed" => "Another key took its place".to_owned(),
        "refused" => "Another key was not taken".to_owned(),
        "verified" => "You checked the key".to_owned(),
        other => capital(other),
    };
    let words =
        if decision.way.is_empty() { format!("{deed}.") } else { format!("{deed}: {}.", decision.way) };
    Decided { day: words::day_of(&decision.at), words, fingerprint: words::groups(&decision.fingerprint) }
}

async fn decide(owner: Owner, Path(address): Path<String>, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let choice = match form.get("do") {
        "keep" => Choice::Keep,
        "accept" => Choice::Accept,
        "use" => Choice::Use(form.get("fingerprint").to_owned()),
        "verify" => Choice::Verify(form.get("fingerprint").to_owned()),
        _ => return Err(Failure::usage("Say keep, accept, use or verify").into()),
    };
    match peers::choose(&owner.app, &address, &choice).await {
        Ok(_) => Ok(Redirect::to(&format!("/contacts/{}", encoded(&canonical(&address)))).into_response()),
        Err(failure) if matches!(failure.kind, Kind::Usage | Kind::Refused) => {
            contact_page(&owner, &canonical(&address), &sentence(&failure.words)).await
        }
        Err(failure) => Err(failure.into()),
    }
}
