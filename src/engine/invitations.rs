//! Invitations to compare keys: made by the owner for somebody, or taken up from a link. What the programs then say to each
//! other is in [`super::securejoin`].

use super::app::App;
use super::failure::Failure;
use super::{accounts, keyring, search, securejoin, settings};
use crate::crypto::openpgp::Certificate;
use crate::crypto::secret::random;
use crate::mail::address::canonical;
use crate::mail::invitation::Invitation;
use crate::storage::database::{
    self, AccountRow, InvitationRow, commit, invitations as table, keys, peers as peer_table,
};
use serde::Serialize;
use std::sync::Arc;

/// An invitation is good for so long, in seconds.
const FRESH: i64 = 7 * 24 * 3600;
/// So many are listed.
const LISTED: u32 = 500;

/// The owner made it; nobody answered yet.
pub(in crate::engine) const MADE: &str = "made";
/// The key was asked for, and is still to come.
pub(in crate::engine) const ASKED: &str = "asked";
/// Whoever took it up showed that they had the link; the last word is still to come.
pub(in crate::engine) const ANSWERED: &str = "answered";
/// Both keys are compared.
pub(in crate::engine) const DONE: &str = "done";
/// It ended: another key was shown than the one that is relied on.
pub(in crate::engine) const OTHER_KEY: &str = "other-key";

/// An invitation, made or taken up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Invited {
    /// The other side, for whom alone it is good.
    pub email: String,
    /// The account that it goes through.
    pub account: String,
    /// Whether the owner made it.
    pub own: bool,
    /// How far it is: `made`, `asked`, `answered`, `done`, `other-key`.
    pub state: String,
    /// The key of whoever invites.
    pub fingerprint: String,
    /// Until when it is good.
    pub expires: String,
    /// The link of one that the owner made, as long as it can be used.
    pub link: Option<String>,
}

/// Makes an invitation for somebody, from an account or the first. One that was made for them before is good no more.
///
/// # Errors
/// Not found, where there is no such account; usage, where the address is none or the owner's.
pub async fn invite(app: &Arc<App>, email: &str, from: &str) -> Result<Invited, Failure> {
    let account = account(app, from).await?;
    let address = canonical(email);
    let is_address = address.len() <= 320
        && address.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
        && !address.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;\"".contains(c));
    if !is_address {
        return Err(Failure::usage(format!("{email:.80} is no address; name the one that they write from")));
    }
    if app.own_addresses().contains(&address) {
        return Err(Failure::usage(format!("{address} is your own address; its key needs no comparing")));
    }
    let own = keyring::ensure(app, &account.address).await?;
    let secret = || data_encoding::BASE64URL_NOPAD.encode(&random::<18>());
    let row = InvitationRow {
        address,
        own: true,
        account: account.id,
        fingerprint: own.key.certificate().fingerprint().to_string(),
        number: secret(),
        secret: secret(),
        made_at: app.now(),
        state: MADE.to_owned(),
        answers: 0,
    };
    if Invitation::parse(&link(&row, &account).to_link()).is_err() {
        return Err(Failure::failed(format!(
            "The key of {} is of a kind that invitations cannot carry; compare fingerprints instead",
            account.address
        )));
    }
    keep(app, &row).await?;
    Ok(shown(&row, &account))
}

/// Takes up an invitation: asks for the key, or shows the secret at once where the key is known. `expected` names whom the
/// link has to be from; empty for anybody.
///
/// # Errors
/// Usage, where the link is none, the owner's own, or somebody else's; refused, where it is for another key than the one that
/// is relied on; not found, where there is no such account; failed, where secure mode forbids to ask.
pub async fn join(app: &Arc<App>, text: &str, from: &str, expected: &str) -> Result<Invited, Failure> {
    let invitation = Invitation::parse(text)
        .map_err(|why| Failure::usage(format!("The link was not taken: {why}; copy all of it")))?;
    let account = account(app, from).await?;
    let address = canonical(&invitation.address);
    if app.own_addresses().contains(&address) {
        return Err(Failure::usage(
            "This invitation is your own; send it to the one whose key you want to compare",
        ));
    }
    if !expected.is_empty() && canonical(expected) != address {
        return Err(Failure::usage(format!(
            "This invitation is from {address}, not from {expected}; ask {expected} for another one"
        )));
    }
    if relies_on_another(app, &address, &invitation.fingerprint).await? {
        return Err(Failure::refused(format!(
            "This invitation is for another key than the one you rely on for {address}; ask them, not by mail, whether they \
             have a new key, and decide about it with their contact"
        )));
    }
    let mut row = InvitationRow {
        address,
        own: false,
        account: account.id,
        fingerprint: invitation.fingerprint,
        number: invitation.number,
        secret: invitation.secret,
        made_at: app.now(),
        state: ASKED.to_owned(),
        answers: 0,
    };
    let known = certificate(app, &row.fingerprint).await?.filter(|c| c.usable(app.now()).is_ok());
    if known.is_none() && settings::get(app, "secure-mode").await? == "on" {
        return Err(Failure::failed(
            "Their key is not known yet, and secure mode lets no question go out in clear; get their key in a file, bring it \
             here, and take the link then",
        ));
    }
    keep(app, &row).await?;
    match known {
        Some(theirs) => securejoin::show_secret(app, &mut row, &theirs).await?,
        None => securejoin::ask(app, &mut row).await?,
    }
    Ok(shown(&row, &account))
}

/// All that are good still, and those that are over but not forgotten yet, the newest first.
///
/// # Errors
/// When the store fails.
pub async fn list(app: &App) -> Result<Vec<Invited>, Failure> {
    let mut reader = app.reader.get().await?;
    let rows = table::list(&mut reader, since(app), LISTED).await?;
    Ok(with_accounts(&rows, &database::accounts::list(&mut reader).await?))
}

/// Those that concern somebody: one that was taken up, and one that the owner made.
///
/// # Errors
/// When the store fails.
pub async fn of(app: &App, address: &str) -> Result<Vec<Invited>, Failure> {
    let mut reader = app.reader.get().await?;
    let rows = table::of(&mut reader, &canonical(address), since(app)).await?;
    Ok(with_accounts(&rows, &database::accounts::list(&mut reader).await?))
}

fn with_accounts(rows: &[InvitationRow], accounts: &[AccountRow]) -> Vec<Invited> {
    let with = |row: &InvitationRow| {
        let account = accounts.iter().find(|account| account.id == row.account)?;
        Some(shown(row, account))
    };
    rows.iter().filter_map(with).collect()
}

/// What was made before this is good no more.
pub(in crate::engine) fn since(app: &App) -> i64 {
    app.now() - FRESH
}

fn link(row: &InvitationRow, account: &AccountRow) -> Invitation {
    Invitation {
        address: account.address.clone(),
        name: account.name.clone(),
        fingerprint: row.fingerprint.clone(),
        number: row.number.clone(),
        secret: row.secret.clone(),
    }
}

fn shown(row: &InvitationRow, account: &AccountRow) -> Invited {
    let usable = row.own && [MADE, ASKED].contains(&row.state.as_str());
    Invited {
        email: row.address.clone(),
        account: account.address.clone(),
        own: row.own,
        state: row.state.clone(),
        fingerprint: row.fingerprint.clone(),
        expires: search::rfc3339(row.made_at + FRESH),
        link: usable.then(|| link(row, account).to_link()),
    }
}

async fn account(app: &App, from: &str) -> Result<AccountRow, Failure> {
    if !from.is_empty() {
        return accounts::find(app, from).await;
    }
    let rows = database::accounts::list(&mut *app.reader.get().await?).await?;
    rows.into_iter().next().ok_or_else(|| Failure::not_found("There is no account yet; add one first"))
}

/// Whether somebody's messages go to another key: by a link alone it is not replaced, for the link may be somebody else's.
async fn relies_on_another(app: &App, address: &str, fingerprint: &str) -> Result<bool, Failure> {
    let mut reader = app.reader.get().await?;
    let known = peer_table::of(&mut reader, &[address.to_owned()]).await?.remove(address);
    Ok(known.and_then(|peer| peer.pinned).is_some_and(|pinned| pinned != fingerprint))
}

async fn keep(app: &App, row: &InvitationRow) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    table::remove_before(&mut c, since(app)).await?;
    table::put(&mut c, row).await?;
    Ok(commit(c).await?)
}

/// A certificate of the store.
pub(in crate::engine) async fn certificate(
    app: &App,
    fingerprint: &str,
) -> Result<Option<Certificate>, Failure> {
    let bytes = keys::certificate(&mut *app.reader.get().await?, fingerprint).await?;
    Ok(bytes.and_then(|bytes| Certificate::parse(&bytes).ok()))
}
