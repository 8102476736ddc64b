//! What the owner decided about a sender: pictures from elsewhere, and which view of their mail comes first.

use super::app::App;
use super::failure::Failure;
use super::read::Opened;
use crate::mail::address::canonical;
use crate::mail::message::Message;
use crate::storage::database::{SenderRow, commit, senders};
use serde::Serialize;

/// A sender that something was decided about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sender {
    /// Canonical address.
    pub address: String,
    /// Whether pictures are always fetched.
    pub pictures: bool,
    /// `html` or `text` where one of them comes first.
    pub view: Option<String>,
}

/// What is to be changed about a sender; what is `None` stays.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Change {
    /// Whether pictures are always fetched.
    pub pictures: Option<bool>,
    /// `html`, `text`, or empty for neither.
    pub view: Option<String>,
}

fn shown(row: SenderRow) -> Sender {
    Sender {
        address: row.address,
        pictures: row.remote == "always",
        view: Some(row.view).filter(|view| !view.is_empty()),
    }
}

/// Who wrote a message, as far as decisions about senders go: the one address in From, canonical. Nobody where there
/// are several or none. From is what the message says of itself; once authentication is looked at, a decision will
/// hold only for mail that really comes from there.
#[must_use]
pub fn of(message: &Message) -> Option<String> {
    let [from] = message.from.as_slice() else { return None };
    let address = canonical(&from.address);
    acceptable(&address).is_ok().then_some(address)
}

fn acceptable(address: &str) -> Result<(), Failure> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || "<>,;\"".contains(c);
    let whole = address.rsplit_once('@').is_some_and(|(user, domain)| !user.is_empty() && !domain.is_empty());
    if whole && address.len() <= 320 && !address.contains(odd) {
        Ok(())
    } else {
        let shown: String = address.chars().take(100).collect();
        Err(Failure::usage(format!("{shown:?} is no address of a sender")))
    }
}

/// Whether something can be decided about an address, written in its canonical form.
pub(in crate::engine) fn is_one(address: &str) -> bool {
    canonical(address) == address && acceptable(address).is_ok()
}

/// What was decided about a sender.
///
/// # Errors
/// When the store fails.
pub async fn get(app: &App, address: &str) -> Result<Sender, Failure> {
    Ok(shown(senders::get(&mut *app.reader.get().await?, &canonical(address)).await?))
}

/// The same for the sender of a message; nothing where nobody can tell who that is.
///
/// # Errors
/// When the store fails.
pub async fn of_message(app: &App, opened: &Opened) -> Result<Sender, Failure> {
    match of(&opened.message) {
        Some(address) => get(app, &address).await,
        None => Ok(Sender::default()),
    }
}

/// All senders that something was decided about.
///
/// # Errors
/// When the store fails.
pub async fn list(app: &App) -> Result<Vec<Sender>, Failure> {
    Ok(senders::list(&mut *app.reader.get().await?).await?.into_iter().map(shown).collect())
}

/// Decides about a sender.
///
/// # Errors
/// Usage, where it is no address or the view is none; otherwise when the store fails.
pub async fn set(app: &App, address: &str, change: &Change) -> Result<Sender, Failure> {
    let address = canonical(address);
    acceptable(&address)?;
    if let Some(view) = change.view.as_deref()
        && !matches!(view, "html" | "text" | "")
    {
        return Err(Failure::usage(format!("The view of {address} can be html, text or empty")));
    }
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let mut row = senders::get(&mut c, &address).await?;
    if let Some(always) = change.pictures {
        row.remote = if always { "always".to_owned() } else { String::new() };
    }
    if let Some(view) = &change.view {
        row.view.clone_from(view);
    }
    senders::set(&mut c, &row).await?;
    commit(c).await?;
    Ok(shown(row))
}

/// Forgets what was decided about a sender.
///
/// # Errors
/// Not found, where nothing was; otherwise when the store fails.
pub async fn forget(app: &App, address: &str) -> Result<String, Failure> {
    let address = canonical(address);
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    if !senders::forget(&mut c, &address).await? {
        let shown: String = address.chars().take(100).collect();
        return Err(Failure::not_found(format!("Nothing was decided about the sender {shown:?}")));
    }
    commit(c).await?;
    Ok(address)
}
