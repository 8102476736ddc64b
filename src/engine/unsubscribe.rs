//! Leaving a mailing list: by one POST where a signature that was checked here vouches for the address (RFC 8058), else by a
//! mail that the owner sends, else by a page that the owner opens. Never without the owner's click.

use super::app::App;
use super::authentication::{check_now, day};
use super::drafts::{self, Content};
use super::failure::Failure;
use super::read::{self, Opened};
use crate::mail::list::{self, LeavingMail, ONE_CLICK, WaysOut};
use crate::network::dialer::Purpose;
use crate::network::http::{self, Ask, Limits};
use crate::network::web_address::WebAddress;
use crate::storage::database::{Connection, accounts, commit, places, signatures};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

const LIMITS: Limits = Limits { bytes: 1 << 20, time: Duration::from_secs(90), redirects: 0 };
const FORM: &str = "application/x-www-form-urlencoded";

/// What is offered beside a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Something can be done.
    pub can_leave: bool,
    /// What was done already, in a sentence.
    pub left: Option<String>,
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct Left {
    /// `one-click`, `mail` or `link`.
    pub way: &'static str,
    /// The same in a sentence.
    pub words: String,
    /// The draft that leaves the list when it is sent.
    pub draft: Option<String>,
    /// The address where the list is left by hand.
    pub link: Option<String>,
}

/// What is offered beside a message.
///
/// # Errors
/// When the store fails.
pub async fn offer(c: &mut Connection, opened: &Opened) -> Result<Offer, Failure> {
    let can_leave = list::ways_out(&opened.message).is_some();
    let Some(name) = list::name(&opened.message).filter(|_| can_leave) else { return Ok(Offer::default()) };
    let left = signatures::left(c, &name).await?.map(|(way, at)| match way.as_str() {
        "one-click" => format!("You left this list on {}.", day(at)),
        _ => format!("A mail to leave this list was drafted on {}.", day(at)),
    });
    Ok(Offer { can_leave, left })
}

/// Leaves the list that a message came from.
///
/// # Errors
/// Not found; refused, where it offers no way out; failed, where its server refuses and there is no other way.
pub async fn unsubscribe(app: &Arc<App>, id: &str) -> Result<Left, Failure> {
    let opened = read::open(app, id).await?;
    let ways = list::ways_out(&opened.message).ok_or_else(|| {
        Failure::refused("This message names no way to leave a list; it may be answered, or moved to spam")
    })?;
    let tried = match one_click(app, &opened, &ways).await? {
        Some(Ok(words)) => {
            remember(app, &opened, "one-click").await?;
            return Ok(Left { way: "one-click", words, draft: None, link: None });
        }
        Some(Err(words)) => Some(words),
        None => None,
    };
    let before = tried.clone().map_or_else(String::new, |words| format!("{words} "));
    if let Some(mail) = &ways.mail {
        let draft = draft(app, &opened, mail).await?;
        remember(app, &opened, "mail").await?;
        let words = format!("{before}A mail that leaves the list is drafted; send it to leave.");
        return Ok(Left { way: "mail", words, draft: Some(draft), link: None });
    }
    if ways.link.is_some() {
        let words = format!("{before}The list is left on a page of its own; open it to leave.");
        return Ok(Left { way: "link", words, draft: None, link: ways.link });
    }
    Err(Failure::failed(tried.unwrap_or_else(|| "There is no way out".to_owned()).trim_end_matches('.')))
}

/// The one click, where it may be made: what came of it in a sentence, or nothing where it may not.
async fn one_click(
    app: &Arc<App>,
    opened: &Opened,
    ways: &WaysOut,
) -> Result<Option<Result<String, String>>, Failure> {
    let (true, Some(link)) = (ways.one_click, &ways.link) else { return Ok(None) };
    if !is_vouched_for(app, opened).await? {
        check_now(app, opened.row.number).await?;
        if !is_vouched_for(app, opened).await? {
            return Ok(None);
        }
    }
    let Ok(address) = WebAddress::from_mail(link) else { return Ok(None) };
    if !address.is_secure() {
        return Ok(None);
    }
    let host = address.host().to_owned();
    let ask = Ask {
        purpose: Purpose::Unsubscribe,
        address: &address,
        accept: "*/*",
        circuit: None,
        limits: LIMITS,
    };
    let posted = http::post(&app.dialer, &ask, FORM, ONE_CLICK.as_bytes().to_vec()).await;
    Ok(Some(match posted {
        Ok(answer) if answer.is_success() => Ok(format!("{host} was told that you leave the list.")),
        Ok(answer) => Err(format!("{host} did not take it (status {}).", answer.status)),
        Err(error) => Err(error.to_string()),
    }))
}

/// A signature that was checked here covers both fields of RFC 8058.
async fn is_vouched_for(app: &App, opened: &Opened) -> Result<bool, Failure> {
    let kept = signatures::of_message(&mut *app.reader.get().await?, opened.row.number).await?;
    Ok(kept.is_some_and(|kept| kept.covers_leaving))
}

async fn remember(app: &App, opened: &Opened, way: &str) -> Result<(), Failure> {
    let Some(name) = list::name(&opened.message) else { return Ok(()) };
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    signatures::leave(&mut c, &name, way, app.now()).await?;
    Ok(commit(c).await?)
}

/// Drafts the mail, from the account that the list writes to; gives the draft's id.
async fn draft(app: &Arc<App>, opened: &Opened, mail: &LeavingMail) -> Result<String, Failure> {
    let from = {
        let mut reader = app.reader.get().await?;
        let held = places::of_messages(&mut reader, [opened.row.number]).await?;
        let owners = accounts::list(&mut reader).await?;
        let account = held.first().and_then(|place| owners.iter().find(|a| a.id == place.account));
        account.map(|a| a.address.clone()).unwrap_or_default()
    };
    let content = Content {
        from,
        to: mail.to.clone(),
        subject: if mail.subject.is_empty() { "unsubscribe".to_owned() } else { mail.subject.clone() },
        body: mail.body.clone(),
        ..Content::default()
    };
    Ok(drafts::save(app, None, &content).await?.id)
}
