//! Autocrypt Setup Messages: one's own key on its way between one's own programs, opened by a code that is only ever shown.

use super::app::App;
use super::failure::{Failure, blocking};
use super::keyring::{self, Key};
use super::{accounts, outbox, outgoing, read, search};
use crate::crypto::openpgp::setup::{self, SetupCode};
use crate::crypto::secret::random;
use crate::mail::address::canonical;
use crate::mail::compose;
use crate::mail::envelope;
use crate::mail::ids::MessageId;
use crate::storage::database::{messages, signatures, tags};
use serde::Serialize;
use std::sync::Arc;

/// A Setup Message that was made.
#[derive(Debug, Serialize)]
pub struct Made {
    /// The message, on its way to the owner.
    pub id: MessageId,
    /// The code that opens it, to be typed into the other program.
    pub code: String,
}

/// Sends the owner a message with the key of an address. Gives the code, which is shown this once and kept nowhere.
///
/// # Errors
/// Not found, where there is no such account; otherwise when the store fails.
pub async fn make(app: &Arc<App>, address: &str) -> Result<Made, Failure> {
    let account = accounts::find(app, address).await?;
    let own = keyring::ensure(app, &account.address).await?;
    let mutual = outgoing::own_preference(app, Some(&account)).await?;
    let now = app.now();
    let code = SetupCode::generate();
    let shown = code.to_string();
    let domain = account.address.rsplit_once('@').map_or("localhost", |(_, domain)| domain).to_owned();
    let to = account.address.clone();
    let raw = blocking(move || {
        let armoured = setup::make(&own.key, mutual, &code, now)?;
        let id = compose::new_message_id(random(), &domain);
        Ok::<_, Failure>(envelope::setup_message(&to, &armoured, code.begin(), &id, now))
    })
    .await?;
    let id = outbox::queue_raw(app, &account, raw, std::slice::from_ref(&account.address)).await?;
    Ok(Made { id, code: shown })
}

/// Whether a message is such a one, of the version that is known.
#[must_use]
pub fn is_one(opened: &read::Opened) -> bool {
    opened.message.header("autocrypt-setup-message").is_some_and(|v| v.trim().eq_ignore_ascii_case("v1"))
}

/// Whether its key is to be offered: it is one, and one of the owner's own programs sent it, because it lies in Sent or its
/// house says so (DKIM). Others can write such a message and a code, and have somebody type it.
///
/// # Errors
/// When the store fails.
pub async fn is_offered(app: &App, opened: &read::Opened) -> Result<bool, Failure> {
    if !is_one(opened) {
        return Ok(false);
    }
    let mut reader = app.reader.get().await?;
    let signature = signatures::of_message(&mut reader, opened.row.number).await?;
    if signature.is_some_and(|row| row.state == "pass" && row.aligned) {
        return Ok(true);
    }
    let sent = tags::bitmap(&mut reader, "sent").await?;
    let link = opened.message.message_id.as_deref().map(|id| app.link(id));
    let same = messages::by_links(&mut reader, &link.into_iter().collect::<Vec<_>>()).await?;
    Ok(same.iter().chain([&opened.row.number]).any(|number| sent.contains(number.0)))
}

/// Takes the key of a Setup Message in. It never takes the place of a key in use.
///
/// # Errors
/// Not found; failed, where the message is none, or the code is not its code.
pub async fn open(app: &Arc<App>, id: &str, code: &str) -> Result<Key, Failure> {
    let opened = read::open(app, id).await?;
    let refused = |why: &str| Err(Failure::failed(format!("This Setup Message was not taken in: {why}")));
    if !is_one(&opened) {
        return Err(Failure::failed("This message is no Autocrypt Setup Message of version 1"));
    }
    let own = app.own_addresses();
    let ours = |people: &[crate::mail::address::Person]| {
        people.len() == 1 && people.iter().all(|p| own.contains(&canonical(&p.address)))
    };
    if !ours(&opened.message.from) || !ours(&opened.message.to) {
        return refused("it is not from yourself to yourself");
    }
    let part = opened.message.parts.iter().find(|part| part.content_type == "application/autocrypt-setup");
    let Some(part) = part else { return refused("it carries no key") };
    let armoured = String::from_utf8_lossy(&part.decoded(&opened.raw)).into_owned();
    let Ok(parsed) = SetupCode::parse(code) else {
        return refused(
            "the code has 36 digits in nine groups; look at it again in the program that made the message",
        );
    };
    // Whoever can write a message can write a code beside it.
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let (written, run) = (parsed.to_string(), digits(parsed.expose()));
    let found = search::count(app, &format!("\"{written}\" OR {run}")).await?.1 > 0;
    if found || digits(&opened.text()).contains(&run) {
        return refused("its code was found in your mail, where somebody else may have put it");
    }
    let taken = blocking(move || Ok::<_, Failure>(setup::open(&armoured, &parsed))).await?;
    let setup = match taken {
        Ok(setup) => setup,
        Err(error) => return refused(&error.to_string()),
    };
    let own = keyring::take_in(app, setup.key, "setup message").await?;
    if own.current && app.own_addresses().contains(&own.address) {
        let wish = if setup.mutual { "mutual" } else { "nopreference" };
        accounts::prefer(app, &own.address, wish).await?;
    }
    Ok(keyring::own_shown(&own, app.now()))
}
