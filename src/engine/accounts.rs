//! Accounts: adding one after a real login to both servers, listing, checking, removing.

use super::app::App;
use super::failure::Failure;
use super::find_servers::find_servers;
use crate::crypto::secret::SecretText;
use crate::mail::address::canonical;
use crate::mail::ids::{AccountId, MessageNumber};
use crate::mail::sma::FolderKind;
use crate::network::dialer::Security;
use crate::network::imap::{self, Session};
use crate::network::smtp;
use crate::storage::database::{
    AccountRow, Connection, TagChanges, accounts, commit, displaced, places, tags,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What another program sent longer ago says nothing of whether it is still used, in seconds.
const MONTH: i64 = 30 * 24 * 3600;

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// `tls`, `starttls` or `none`.
    pub security: String,
}

/// What is kept of an account beside its address and name.
#[derive(Clone, Serialize, Deserialize)]
pub struct Settings {
    /// Where mail is fetched.
    pub imap: Server,
    /// Where mail is handed in.
    pub smtp: Server,
    /// The name the servers know the owner by.
    pub user: String,
    /// Their password.
    pub password: String,
    /// A CA for this account's servers, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// `mutual` or `nopreference` (Autocrypt).
    #[serde(default)]
    pub prefer_encrypt: String,
    /// Whether its servers are reached through Tor alone.
    #[serde(default)]
    pub by_tor: bool,
}

/// An account to add. What is missing is found.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct NewAccount {
    /// The address.
    pub address: String,
    /// The owner's name in From.
    pub name: String,
    /// Where mail is fetched.
    pub imap: Option<Server>,
    /// Where mail is handed in.
    pub smtp: Option<Server>,
    /// The name the servers know the owner by; the address where it is missing.
    pub user: Option<String>,
    /// Their password.
    pub password: String,
    /// A CA, PEM.
    pub ca: Option<String>,
    /// `mutual` or `nopreference`.
    pub prefer_encrypt: Option<String>,
    /// `direct` or `tor`; directly where nothing is said.
    #[serde(default)]
    pub route: Option<String>,
}

/// An account as the surface shows it; the password never is.
#[derive(Clone, Debug, Serialize)]
pub struct Account {
    /// The address.
    pub email: String,
    /// The owner's name.
    pub name: String,
    /// Where mail is fetched.
    pub imap: Server,
    /// Where mail is handed in.
    pub smtp: Server,
    /// The user name.
    pub user: String,
    /// Whether a CA of its own is set.
    pub own_ca: bool,
    /// `mutual` or `nopreference`.
    pub prefer_encrypt: String,
    /// How its servers are reached: `direct` or `tor`.
    pub route: &'static str,
    /// When it was last synced whole; null for never.
    pub synced_at: Option<String>,
    /// What is in the way, in words; empty when nothing is.
    pub trouble: String,
    /// Who named the servers and what they are, where they were just found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_by: Option<String>,
}

/// How a check of an account went.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// The address.
    pub email: String,
    /// Whether both servers let us in.
    pub ok: bool,
    /// What the IMAP server's check gave, in words.
    pub imap: String,
    /// What the submission server's check gave, in words.
    pub smtp: String,
}

fn security(word: &str) -> Result<Security, Failure> {
    match word {
        "tls" => Ok(Security::Tls),
        "starttls" => Ok(Security::StartTls),
        "none" => Ok(Security::None),
        other => Err(Failure::usage(format!("{other:?} is no kind of security; say tls, starttls or none"))),
    }
}

impl Settings {
    /// Reads what the database keeps.
    ///
    /// # Errors
    /// Damaged, where it cannot be read.
    pub fn of(row: &AccountRow) -> Result<Self, Failure> {
        serde_json::from_str(&row.settings).map_err(|_| {
            Failure::damaged(format!("The settings of {} cannot be read; add the account anew", row.address))
        })
    }

    /// How to log in to the IMAP server.
    ///
    /// # Errors
    /// Usage, where the kind of security is none.
    pub fn imap_login(&self) -> Result<imap::Login, Failure> {
        Ok(imap::Login {
            host: self.imap.host.clone(),
            port: self.imap.port,
            security: security(&self.imap.security)?,
            user: self.user.clone(),
            password: SecretText::new(self.password.clone()),
            ca: self.ca.clone().map(String::into_bytes),
            by_tor: self.by_tor,
        })
    }

    /// How to log in to the submission server.
    ///
    /// # Errors
    /// Usage, where the kind of security is none.
    pub fn submission(&self) -> Result<smtp::Submission, Failure> {
        Ok(smtp::Submission {
            host: self.smtp.host.clone(),
            port: self.smtp.port,
            security: security(&self.smtp.security)?,
            user: self.user.clone(),
            password: SecretText::new(self.password.clone()),
            ca: self.ca.clone().map(String::into_bytes),
            by_tor: self.by_tor,
        })
    }
}

fn shown(row: &AccountRow) -> Result<Account, Failure> {
    let settings = Settings::of(row)?;
    Ok(Account {
        email: row.address.clone(),
        name: row.name.clone(),
        imap: settings.imap,
        smtp: settings.smtp,
        user: settings.user,
        own_ca: settings.ca.is_some(),
        prefer_encrypt: settings.prefer_encrypt,
        route: if settings.by_tor { "tor" } else { "direct" },
        synced_at: (row.synced_at > 0).then(|| super::search::rfc3339(row.synced_at)),
        trouble: row.trouble.clone(),
        found_by: None,
    })
}

/// All accounts.
///
/// # Errors
/// When the store fails.
pub async fn list(app: &App) -> Result<Vec<Account>, Failure> {
    accounts::list(&mut *app.reader.get().await?).await?.iter().map(shown).collect()
}

/// The row of an account.
///
/// # Errors
/// Not found.
pub async fn find(app: &App, address: &str) -> Result<AccountRow, Failure> {
    named(&mut *app.reader.get().await?, address).await
}

async fn named(c: &mut Connection, address: &str) -> Result<AccountRow, Failure> {
    let wanted = canonical(address);
    accounts::list(c).await?.into_iter().find(|a| a.address == wanted).ok_or_else(|| {
        Failure::not_found(format!("There is no account {wanted}; look at the accounts for those there are"))
    })
}

/// Whether an address can be an account's; gives it as it is kept.
///
/// # Errors
/// Usage, where it cannot.
pub fn acceptable(text: &str) -> Result<String, Failure> {
    let address = canonical(text);
    if !address.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
        || address.chars().any(|c| c.is_control() || c.is_whitespace())
    {
        return Err(Failure::usage(format!("{text:?} is no address; write it like alice@example.org")));
    }
    Ok(address)
}

/// Adds an account, or changes the one of this address, after logging in to both servers.
///
/// # Errors
/// Usage, for an address that is none; otherwise what the servers say. Failed, where servers are only guessed: no password
/// goes to those before the owner named them.
pub async fn add(app: &Arc<App>, new: NewAccount) -> Result<Account, Failure> {
    let address = acceptable(&new.address)?;
    let by_tor = is_tor(new.route.as_deref().unwrap_or("direct"))?;
    let named_user = new.user.filter(|user| !user.is_empty());
    let (imap, smtp, user, found_by) = match (new.imap, new.smtp) {
        (Some(imap), Some(smtp)) => (imap, smtp, address.clone(), None),
        (imap, smtp) => {
            let found = find_servers(app, &address).await?;
            if !found.is_sure {
                return Err(Failure::failed(format!(
                    "No settings of {address} were found that anybody answers for, so no password was tried. Perhaps {}: \
                     name the servers if they are your provider's",
                    found.words()
                )));
            }
            let found_by = format!("{} So {}.", found.found_by, found.words());
            (imap.unwrap_or(found.imap), smtp.unwrap_or(found.smtp), found.user, Some(found_by))
        }
    };
    let settings = Settings {
        imap,
        smtp,
        user: named_user.unwrap_or(user),
        password: new.password,
        ca: new.ca,
        prefer_encrypt: preference(new.prefer_encrypt.as_deref().unwrap_or("mutual"))?,
        by_tor,
    };
    let mut session = Session::open(&app.dialer, &settings.imap_login()?).await?;
    // What the server cannot tell is no reason not to add the account.
    let elsewhere = has_key_elsewhere(&mut session, app.now()).await.unwrap_or(false);
    session.logout().await;
    smtp::check(&app.dialer, &settings.submission()?).await?;
    let json = serde_json::to_string(&settings).map_err(|e| Failure::failed(e.to_string()))?;
    {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        accounts::put(&mut c, &address, new.name.trim(), &json).await?;
        commit(c).await?;
    }
    app.learn_own_addresses().await?;
    if !elsewhere {
        super::keyring::ensure(app, &address).await?;
    }
    app.accounts_changed.notify_waiters();
    Ok(Account { found_by, ..shown(&find(app, &address).await?)? })
}

/// Says whether mail of an account is kept private whenever the other side can read it; correspondents are told with the
/// next message (`prefer-encrypt`, Autocrypt 1.1 §2.1). `mutual` or `nopreference`.
///
/// # Errors
/// Not found; usage, for another word.
pub async fn prefer(app: &App, address: &str, prefer_encrypt: &str) -> Result<Account, Failure> {
    let prefer_encrypt = preference(prefer_encrypt)?;
    let account = change(app, address, |settings| settings.prefer_encrypt = prefer_encrypt).await?;
    app.devices.changed();
    Ok(account)
}

/// The same within a transaction, for what another device says of the account.
pub(super) async fn set_preference(
    c: &mut Connection,
    row: &AccountRow,
    mutual: bool,
) -> Result<(), Failure> {
    let mut settings = Settings::of(row)?;
    settings.prefer_encrypt = if mutual { "mutual" } else { "nopreference" }.to_owned();
    put(c, row, &settings).await
}

/// Says how the servers of an account are reached: `direct` or `tor`. What is open to them is opened anew.
///
/// # Errors
/// Not found; usage, for another word.
pub async fn reach(app: &App, address: &str, route: &str) -> Result<Account, Failure> {
    let by_tor = is_tor(route)?;
    let account = change(app, address, |settings| settings.by_tor = by_tor).await?;
    app.dialer.cut_direct();
    app.accounts_changed.notify_waiters();
    Ok(account)
}

fn is_tor(route: &str) -> Result<bool, Failure> {
    match route {
        "tor" => Ok(true),
        "direct" => Ok(false),
        other => Err(Failure::usage(format!("{other:?} is no route; say direct or tor"))),
    }
}

/// Changes what is kept of an account.
async fn change(app: &App, address: &str, how: impl FnOnce(&mut Settings)) -> Result<Account, Failure> {
    {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        // As it is now: another change may just have been made.
        let row = named(&mut c, address).await?;
        let mut settings = Settings::of(&row)?;
        how(&mut settings);
        put(&mut c, &row, &settings).await?;
        commit(c).await?;
    }
    shown(&find(app, address).await?)
}

async fn put(c: &mut Connection, row: &AccountRow, settings: &Settings) -> Result<(), Failure> {
    let json = serde_json::to_string(settings).map_err(|e| Failure::failed(e.to_string()))?;
    accounts::put(c, &row.address, &row.name, &json).await?;
    Ok(())
}

fn preference(word: &str) -> Result<String, Failure> {
    if !["mutual", "nopreference"].contains(&word) {
        return Err(Failure::usage("Say mutual or nopreference for how mail is to be encrypted"));
    }
    Ok(word.to_owned())
}

/// Whether another program of the owner's has a key for this account: it left a Setup Message, shares its folders with other
/// devices, or told its key with what was sent in the last month. Then that key is offered first, and one of our own is made
/// only at the owner's word or with the first message that is sent.
async fn has_key_elsewhere(session: &mut Session, now: i64) -> Result<bool, imap::ImapError> {
    let folders = session.folders().await?;
    if folders.iter().any(|folder| FolderKind::of(&folder.name, folder.delimiter).is_some()) {
        return Ok(true);
    }
    let Some(inbox) = folders.iter().find(|folder| folder.role == Some(imap::Role::Inbox)) else {
        return Ok(false);
    };
    session.select(&inbox.raw_name).await?;
    if !session.find_field("Autocrypt-Setup-Message").await?.is_empty() {
        return Ok(true);
    }
    let Some(sent) = folders.iter().find(|folder| folder.role == Some(imap::Role::Sent)) else {
        return Ok(false);
    };
    session.select(&sent.raw_name).await?;
    Ok(!session.find_field_since("Autocrypt", now - MONTH).await?.is_empty())
}

/// Logs in to the servers of an account, or of all.
///
/// # Errors
/// Not found; what the servers say stands in the answer.
pub async fn check(app: &App, address: Option<&str>) -> Result<Vec<Checked>, Failure> {
    let rows = match address {
        Some(address) => vec![find(app, address).await?],
        None => accounts::list(&mut *app.reader.get().await?).await?,
    };
    let mut checked = Vec::new();
    for row in rows {
        let settings = Settings::of(&row)?;
        let imap = match Session::open(&app.dialer, &settings.imap_login()?).await {
            Ok(session) => {
                session.logout().await;
                None
            }
            Err(error) => Some(error.to_string()),
        };
        let smtp = smtp::check(&app.dialer, &settings.submission()?).await.err().map(|e| e.to_string());
        checked.push(Checked {
            email: row.address,
            ok: imap.is_none() && smtp.is_none(),
            imap: imap.unwrap_or_else(|| "ok".into()),
            smtp: smtp.unwrap_or_else(|| "ok".into()),
        });
    }
    Ok(checked)
}

/// Removes an account. Its mail stays here, in the archive, or is deleted for ever; the servers keep theirs.
///
/// # Errors
/// Not found; otherwise when the store fails.
pub async fn remove(app: &Arc<App>, address: &str, keep_mail: bool) -> Result<String, Failure> {
    let row = find(app, address).await?;
    let pass = app.pass(row.id);
    let _pass = pass.lock().await;
    let going = forget(app, row.id, keep_mail).await?;
    if !going.is_empty() {
        super::tags::sweep(app, &going).await?;
        super::snapshots::renew(app).await?;
    }
    app.learn_own_addresses().await?;
    app.accounts_changed.notify_waiters();
    Ok(row.address)
}

/// Removes the account's rows; gives the messages that are to go with it: those that no other account holds, or, where the
/// mail is kept, those that only waited for this account's server to hear that they are deleted for ever. What stays keeps
/// where it lay.
async fn forget(app: &App, id: AccountId, keep_mail: bool) -> Result<Vec<MessageNumber>, Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let mut held = BTreeSet::new();
    let mut roles = BTreeMap::new();
    for folder in accounts::folders(&mut c, Some(id)).await? {
        let uids = places::uids(&mut c, folder.id).await?;
        let numbers = places::remove(&mut c, folder.id, &uids, false).await?;
        roles.extend(numbers.iter().map(|n| (*n, folder.role.clone())));
        held.extend(numbers);
    }
    // What was on its way from one folder to another lies in neither.
    held.extend(displaced::of_account(&mut c, id).await?);
    accounts::remove(&mut c, id).await?;
    let alive = tags::bitmap(&mut c, tags::ALL).await?;
    let dead: Vec<MessageNumber> = held.iter().copied().filter(|n| !alive.contains(n.0)).collect();
    let dead = displaced::placeless(&mut c, id, &dead, true).await?.into_iter().map(|(n, _)| n);
    let orphans = places::homeless(&mut c, &held).await?;
    let lone: BTreeSet<_> = orphans.iter().copied().collect();
    let mut mirrored = TagChanges::default();
    if !keep_mail {
        // Dead from this moment on, whatever may keep them from being swept away at once.
        orphans.iter().for_each(|number| mirrored.clear(tags::ALL, *number));
    }
    let going = if keep_mail {
        for number in lone.iter().filter(|n| alive.contains(n.0)) {
            let role = roles.get(number).map(String::as_str).filter(|role| places::ROLES.contains(role));
            let role = role.unwrap_or("archive");
            crate::storage::database::messages::set_role(&mut c, *number, role).await?;
            mirrored.set(tags::LEFT, *number);
        }
        dead.collect()
    } else {
        lone.into_iter().chain(dead).collect::<BTreeSet<_>>()
    };
    places::mirror(&mut c, &held, &mut mirrored).await?;
    tags::apply(&mut c, &mirrored).await?;
    commit(c).await?;
    Ok(going.into_iter().collect())
}

/// The accounts that are to be synced, by address.
///
/// # Errors
/// When the store fails.
pub async fn ids(app: &App) -> Result<BTreeMap<String, AccountId>, Failure> {
    let rows = accounts::list(&mut *app.reader.get().await?).await?;
    Ok(rows.into_iter().map(|row| (row.address, row.id)).collect())
}
