//! Passkeys: in place of a code, under a name that is reached by TLS. They are added by whoever signed in there with a code.

use super::ceremonies::{Begun, Who};
use super::name;
use crate::crypto::passkey::{Answer, OwnerId, Passkey, Site};
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::search::rfc3339;
use crate::engine::settings::keyed_hash;
use crate::storage::database::{PasskeyRow, commit, passkeys};
use serde::Serialize;
use serde_json::Value;

/// How many there may be.
const MOST: usize = 20;

/// A passkey as it is listed.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Listed {
    /// What the owner calls it.
    pub name: String,
    /// The name under which it was made, and works.
    pub site: String,
    /// When it was added.
    pub added: String,
    /// When somebody last signed in with it; none for never.
    pub last_used: Option<String>,
}

/// What a browser is asked.
#[derive(Debug, Serialize)]
pub struct Question {
    /// What its answer has to bear.
    pub ceremony: String,
    /// What its own functions are given (`PublicKeyCredentialCreationOptionsJSON`, `…RequestOptionsJSON`).
    pub options: Value,
}

/// What a browser answered, and where.
pub struct Shown<'a> {
    /// What the question said it has to bear.
    pub ceremony: &'a str,
    /// The answer, as JSON.
    pub answer: &'a str,
    /// Who was asked.
    pub who: Who,
    /// The origin of the page, such as `https://mail.example.org`.
    pub origin: &'a str,
}

/// A passkey that signed, and how it is to be kept once that counts.
pub(super) struct Signed {
    row: PasskeyRow,
    key: Vec<u8>,
}

impl Signed {
    /// Its number.
    pub(super) const fn number(&self) -> i64 {
        self.row.number
    }
}

fn site_name(origin: &str) -> &str {
    origin.strip_prefix("https://").unwrap_or_default()
}

/// Names the owner to their keys; says nothing to anybody else, and is the same for all keys of this store.
fn owner(app: &App) -> OwnerId {
    let mut owner = [0; 16];
    for (byte, hashed) in owner.iter_mut().zip(keyed_hash(app, "passkey-owner", "")) {
        *byte = hashed;
    }
    owner
}

/// All passkeys.
///
/// # Errors
/// When the store fails.
pub async fn list(app: &App) -> Result<Vec<Listed>, Failure> {
    let rows = passkeys::all(&mut *app.reader.get().await?).await?;
    Ok(rows.into_iter().map(listed).collect())
}

fn listed(row: PasskeyRow) -> Listed {
    Listed {
        name: row.name,
        site: row.site,
        added: rfc3339(row.added_at),
        last_used: (row.used_at > 0).then(|| rfc3339(row.used_at)),
    }
}

/// Begins to add a key for the pages of this origin, in a session.
///
/// # Errors
/// Usage, where the name is none; refused, where it is taken, or there are too many.
pub async fn begin_adding(app: &App, called: &str, origin: &str, session: &str) -> Result<Question, Failure> {
    let called = name(called)?;
    let there = passkeys::all(&mut *app.reader.get().await?).await?;
    if there.len() >= MOST {
        return Err(Failure::refused(format!("There are {MOST} passkeys already; remove one first")));
    }
    if there.iter().any(|row| row.name == called) {
        return Err(taken(&called));
    }
    let ids = there.into_iter().filter(|row| row.site == site_name(origin)).map(|row| row.id).collect();
    let begun = Site::new(origin).and_then(|site| site.begin_adding(owner(app), ids));
    let (options, adding) = begun.ok_or_else(no_site)?;
    let ceremonies = &app.remote_access.ceremonies;
    let asked = Who::Session(session.to_owned());
    let ceremony = ceremonies.begin(asked, site_name(origin), Begun::Adding(adding), app.now());
    Ok(Question { ceremony, options })
}

fn taken(called: &str) -> Failure {
    Failure::refused(format!("There is a passkey {called:?} already; remove it first or choose another name"))
}

/// What is said where there can be no passkeys.
#[must_use]
pub fn no_site() -> Failure {
    Failure::refused("A passkey needs a name that is reached by TLS; an onion address has none")
}

/// Adds the key that a browser made.
///
/// # Errors
/// Usage, where the name is none; refused, where it is taken, or the answer does not fit what was asked.
pub async fn add(app: &App, called: &str, shown: &Shown<'_>) -> Result<Listed, Failure> {
    let called = name(called)?;
    let site = site_name(shown.origin);
    let begun = app.remote_access.ceremonies.take(shown.ceremony, &shown.who, site, app.now());
    let made = match begun {
        Some(Begun::Adding(begun)) => Site::new(shown.origin).and_then(|site| site.add(&begun, shown.answer)),
        _ => None,
    };
    let key = made.and_then(|made| Some((made.id().to_vec(), made.to_bytes()?)));
    let (id, key) = key.ok_or_else(|| {
        Failure::refused(
            "What the browser answered does not fit, or came too late; nothing was added. Try again",
        )
    })?;
    let row = PasskeyRow {
        number: 0,
        name: called,
        site: site.to_owned(),
        id,
        key,
        added_at: app.now(),
        used_at: 0,
    };
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    if passkeys::all(&mut c).await?.len() >= MOST || !passkeys::add(&mut c, &row).await? {
        return Err(taken(&row.name));
    }
    commit(c).await?;
    Ok(listed(row))
}

/// Begins a sign-in on the pages of this origin. What is asked is the same whether there are passkeys or not.
///
/// # Errors
/// Refused, where the origin has no name that is reached by TLS.
pub fn begin_sign_in(app: &App, who: Who, origin: &str) -> Result<Question, Failure> {
    let (options, begun) = Site::new(origin).and_then(|site| site.begin_sign_in()).ok_or_else(no_site)?;
    let ceremonies = &app.remote_access.ceremonies;
    let ceremony = ceremonies.begin(who, site_name(origin), Begun::SigningIn(begun), app.now());
    Ok(Question { ceremony, options })
}

/// The passkey that signed a sign-in, if one did. The sign-in is over whatever the answer is.
pub(super) async fn look(app: &App, shown: &Shown<'_>) -> Result<Option<Signed>, Failure> {
    let site = site_name(shown.origin);
    let begun = app.remote_access.ceremonies.take(shown.ceremony, &shown.who, site, app.now());
    let (Some(Begun::SigningIn(begun)), Some(answer)) = (begun, Answer::parse(shown.answer)) else {
        return Ok(None);
    };
    let Some(row) = passkeys::find(&mut *app.reader.get().await?, site, answer.id()).await? else {
        return Ok(None);
    };
    let fits = || {
        let held = Passkey::from_bytes(&row.key)?;
        Site::new(shown.origin)?.fits(begun, &answer, owner(app), &held)?.to_bytes()
    };
    Ok(fits().map(|key| Signed { row, key }))
}

/// Notes that it was used. False where it is gone or was used otherwise meanwhile.
pub(super) async fn used(
    c: &mut crate::storage::database::Connection,
    signed: &Signed,
    now: i64,
) -> Result<bool, Failure> {
    Ok(passkeys::used(c, &signed.row, &signed.key, now).await?)
}

/// Gives one another name.
///
/// # Errors
/// Usage, where the new name is none; refused, where it is taken; not found.
pub async fn rename(app: &App, from: &str, to: &str) -> Result<Listed, Failure> {
    let to = name(to)?;
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let all = passkeys::all(&mut c).await?;
    let mut row = all.iter().find(|row| row.name == from).cloned().ok_or_else(|| nobody(from))?;
    if from != to && !passkeys::rename(&mut c, from, &to).await? {
        return Err(taken(&to));
    }
    commit(c).await?;
    row.name = to;
    Ok(listed(row))
}

/// Removes one; the sessions that were begun with it end.
///
/// # Errors
/// Not found.
pub async fn remove(app: &App, called: &str) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let number = passkeys::remove(&mut c, called).await?.ok_or_else(|| nobody(called))?;
    commit(c).await?;
    drop(writer);
    app.remote_access.sessions.end_of_passkey(number);
    Ok(())
}

fn nobody(called: &str) -> Failure {
    Failure::not_found(format!(
        "There is no passkey {called:?}; `mailkeep remote passkey list` lists those there are"
    ))
}
