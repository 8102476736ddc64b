//! What can be asked of Mailkeep, in one list for all doors: the command line speaks it directly or through the running
//! server's socket, and the REST API answers with the same nouns.

use super::accounts::{self, NewAccount};
use super::app::App;
use super::drafts::{self, Attached, Content};
use super::events::Watcher;
use super::export::{self, Format};
use super::failure::{Failure, Kind};
use super::search::{self, Sort};
use super::settings::{self, Scope};
use super::tags::{self, Which};
use super::{
    backup, check, devices, import, invitations, keyring, lookup, outbox, peers, publication, read,
    remote_access, senders, setup_messages, status, sync, unsubscribe,
};
use crate::crypto::secret::SecretText;
use crate::mail::html::{Options, Remote};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// Something asked of the open store.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Adds an account, or changes the one of this address.
    AccountAdd(NewAccount),
    /// All accounts.
    AccountList,
    /// Logs in to the servers of one account or all.
    AccountCheck(Option<String>),
    /// Says whether mail of an account is kept private whenever that is possible.
    AccountPrefer {
        /// Its address.
        email: String,
        /// `mutual` or `nopreference`.
        prefer_encrypt: String,
    },
    /// Says how the servers of an account are reached.
    AccountRoute {
        /// Its address.
        email: String,
        /// `direct` or `tor`.
        route: String,
    },
    /// Removes an account.
    AccountRemove {
        /// Its address.
        email: String,
        /// Whether its mail stays here.
        keep_mail: bool,
    },
    /// One full pass over one account or all.
    Sync(Option<String>),
    /// Takes in mail from files; absolute paths.
    Import {
        /// Where it lies.
        paths: Vec<PathBuf>,
        /// A tag for all of it.
        tag: Option<String>,
    },
    /// Writes mail to files; an absolute path.
    Export {
        /// Where to.
        path: PathBuf,
        /// In which form.
        format: Format,
        /// What.
        query: String,
    },
    /// Searches.
    Search {
        /// The query.
        query: String,
        /// How many rows.
        limit: usize,
        /// How many rows to leave out.
        offset: usize,
        /// In which order.
        sort: Sort,
        /// One row for each thread.
        threads: bool,
    },
    /// Counts.
    Count(String),
    /// A message.
    Show {
        /// Its id.
        id: String,
        /// In which form.
        form: Form,
    },
    /// All messages of a thread.
    Thread(String),
    /// A part of a message, decoded.
    Part {
        /// The message's id.
        id: String,
        /// The part's number.
        n: u32,
    },
    /// Changes tags.
    Tag {
        /// Which messages.
        which: Which,
        /// Tags to add.
        add: Vec<String>,
        /// Tags to remove.
        remove: Vec<String>,
    },
    /// Deletes messages for ever.
    Delete(Vec<String>),
    /// Queues a message.
    Send(Content),
    /// Begins a draft.
    DraftAdd(Content),
    /// Changes a draft.
    DraftChange {
        /// Its id.
        id: String,
        /// What it holds now.
        content: Content,
    },
    /// Discards a draft.
    DraftDiscard(String),
    /// Sends a draft.
    DraftSend(String),
    /// The outbox.
    OutboxList,
    /// Tries all that is due, and waits.
    OutboxFlush,
    /// Makes an entry due now.
    OutboxRetry(String),
    /// Takes an entry back.
    OutboxCancel(String),
    /// Reads and verifies everything.
    Check {
        /// Whether to mend what can be mended.
        repair: bool,
    },
    /// Makes an API token.
    TokenCreate {
        /// What the owner calls it.
        name: String,
        /// What it may do.
        scope: Scope,
    },
    /// All tokens.
    TokenList,
    /// Revokes a token.
    TokenRevoke(String),
    /// Leaves the list that a message came from.
    Unsubscribe(String),
    /// A setting, or all.
    ConfigGet(Option<String>),
    /// Sets a setting.
    ConfigSet {
        /// Which.
        key: String,
        /// To what.
        value: String,
    },
    /// What was decided about senders.
    SenderList,
    /// Decides about a sender.
    SenderSet {
        /// The address.
        address: String,
        /// What changes.
        change: senders::Change,
    },
    /// Forgets what was decided about a sender.
    SenderForget(String),
    /// All keys.
    KeyList,
    /// Makes a key for an address.
    KeyMake(String),
    /// Makes a new key for an address that has one.
    KeyRenew(String),
    /// Hands a key out.
    KeyExport {
        /// Whose.
        email: String,
        /// With its secret half.
        secret: bool,
    },
    /// Hands out what takes an address's key back.
    KeyRevocation(String),
    /// Takes keys in.
    KeyImport {
        /// The file.
        bytes: Vec<u8>,
        /// What opens a secret key in it.
        password: Option<String>,
    },
    /// A copy of all keys, which the passphrase opens.
    KeyBackup {
        /// The store's passphrase.
        passphrase: String,
    },
    /// Sends the owner a message with the key of an address.
    SetupMake(String),
    /// Takes the key of such a message in.
    SetupOpen {
        /// The message's id.
        id: String,
        /// Its code.
        code: String,
    },
    /// Looks for the keys of an address.
    KeyLookup(String),
    /// Hands the key of an address of the owner's to the key servers.
    KeyPublish(String),
    /// Asks them to remove it.
    KeyUnpublish(String),
    /// Where the owner's keys are published.
    KeyPublications,
    /// Confirms what the mail of a key server asks about.
    KeyConfirm(String),
    /// Writes the owner's keys as a Web Key Directory; an absolute path.
    KeyWkdExport(PathBuf),
    /// Correspondents who have a key.
    PeerList,
    /// A correspondent.
    PeerShow(String),
    /// Decides about a correspondent's key.
    PeerChoose {
        /// Whose.
        email: String,
        /// What.
        choice: peers::Choice,
    },
    /// Makes an invitation to compare keys.
    PeerInvite {
        /// For whom.
        email: String,
        /// From which account; empty for the first.
        from: String,
    },
    /// Takes up an invitation to compare keys.
    PeerJoin {
        /// The link.
        link: String,
        /// With which account; empty for the first.
        from: String,
    },
    /// Invitations to compare keys, made and taken up.
    PeerInvitations,
    /// The owner's devices.
    DeviceList,
    /// This device asks to be let in by the others of an account.
    DevicePair(Option<String>),
    /// This device shows a code that lets another one in, for an account or the only one.
    DeviceCode(Option<String>),
    /// This device asks by the code of another one, and waits for how it ends.
    DeviceJoin {
        /// What the other one shows.
        code: String,
        /// The account; told by the code where it is left out.
        email: Option<String>,
    },
    /// The devices that ask here to be let in.
    DeviceRequests,
    /// Lets the request of a device go on to the comparison.
    DeviceAccept(String),
    /// The person compared.
    DeviceConfirm {
        /// The device.
        id: String,
        /// What the new device shows.
        sas: String,
    },
    /// Removes a device for good.
    DeviceRemove(String),
    /// Ends the pairing that goes on.
    DeviceCancel(Option<String>),
    /// Names a device, on all devices.
    DeviceName {
        /// The device.
        id: String,
        /// What to call it.
        name: String,
    },
    /// How everything is.
    Status,
    /// Something of remote access.
    Remote(remote_access::ask::Ask),
    /// Tor, and which way things go.
    NetworkStatus,
    /// The connections that left.
    NetworkLog {
        /// How many, the newest first.
        limit: usize,
    },
}

/// In which form a message is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// As fields.
    Fields,
    /// The stored bytes.
    Raw,
    /// The readable text.
    Text,
    /// The sanitised document, as the frame gets it.
    Html,
}

/// An answer.
#[derive(Debug)]
pub enum Answer {
    /// A value.
    Json(Value),
    /// Bytes, with their media type and the file name they go by.
    Bytes {
        /// The bytes.
        bytes: Vec<u8>,
        /// The media type.
        media_type: String,
        /// The file name.
        name: String,
    },
}

fn value(of: impl Serialize) -> Result<Answer, Failure> {
    serde_json::to_value(of).map(Answer::Json).map_err(|e| Failure::failed(e.to_string()))
}

/// With less room on the disk than this, in bytes, catching up is not even begun: it would break off late.
const ROOM_TO_INDEX: u64 = 8 << 20;

/// The longest page of a search.
pub const MOST_ROWS: usize = 10_000;

/// Does what is asked.
///
/// # Errors
/// What the deed gives.
pub async fn perform(app: &Arc<App>, request: Request, watcher: &dyn Watcher) -> Result<Answer, Failure> {
    match request {
        Request::Import { paths, tag } => value(import::import(app, &paths, tag.as_deref(), watcher).await?),
        Request::Export { path, format, query } => {
            value(export::export(app, &path, format, &query, watcher).await?)
        }
        Request::Sync(email) => {
            let synced = sync::sync(app, email.as_deref(), watcher).await?;
            // What devices say to each other is fetched with the mail.
            devices::look(app).await?;
            value(synced)
        }
        Request::Check { repair } => value(check::check(app, repair, watcher).await?),
        Request::Status => value(status::status(app).await?),
        Request::Remote(ask) => Ok(Answer::Json(remote_access::ask::perform(app, ask).await?)),
        Request::NetworkStatus => value(status::network(app).await?),
        Request::NetworkLog { limit } => value(network_log(app, limit)),
        Request::Search { .. } | Request::Count(_) => find(app, request, watcher).await,
        Request::Show { .. } | Request::Thread(_) | Request::Part { .. } => show(app, request).await,
        Request::Tag { .. } | Request::Delete(_) => organise(app, request).await,
        Request::AccountAdd(_)
        | Request::AccountList
        | Request::AccountCheck(_)
        | Request::AccountPrefer { .. }
        | Request::AccountRoute { .. }
        | Request::AccountRemove { .. }
        | Request::TokenCreate { .. }
        | Request::TokenList
        | Request::TokenRevoke(_)
        | Request::SenderList
        | Request::SenderSet { .. }
        | Request::SenderForget(_)
        | Request::ConfigGet(_)
        | Request::ConfigSet { .. } => configure(app, request).await,
        Request::Send(_)
        | Request::DraftAdd(_)
        | Request::DraftChange { .. }
        | Request::DraftDiscard(_)
        | Request::DraftSend(_)
        | Request::Unsubscribe(_)
        | Request::OutboxList
        | Request::OutboxFlush
        | Request::OutboxRetry(_)
        | Request::OutboxCancel(_) => write(app, request).await,
        Request::KeyList
        | Request::KeyMake(_)
        | Request::KeyRenew(_)
        | Request::KeyExport { .. }
        | Request::KeyRevocation(_)
        | Request::KeyImport { .. }
        | Request::KeyBackup { .. }
        | Request::SetupMake(_)
        | Request::SetupOpen { .. }
        | Request::KeyLookup(_)
        | Request::KeyPublish(_)
        | Request::KeyUnpublish(_)
        | Request::KeyPublications
        | Request::KeyConfirm(_)
        | Request::KeyWkdExport(_)
        | Request::PeerList
        | Request::PeerShow(_)
        | Request::PeerChoose { .. }
        | Request::PeerInvite { .. }
        | Request::PeerJoin { .. }
        | Request::PeerInvitations => trust(app, request).await,
        Request::DeviceList
        | Request::DevicePair(_)
        | Request::DeviceCode(_)
        | Request::DeviceJoin { .. }
        | Request::DeviceRequests
        | Request::DeviceAccept(_)
        | Request::DeviceConfirm { .. }
        | Request::DeviceRemove(_)
        | Request::DeviceCancel(_)
        | Request::DeviceName { .. } => pair(app, request).await,
    }
}

async fn pair(app: &Arc<App>, request: Request) -> Result<Answer, Failure> {
    match request {
        Request::DevicePair(email) => value(devices::pair(app, email.as_deref()).await?),
        Request::DeviceCode(email) => value(devices::show_code(app, email.as_deref()).await?),
        Request::DeviceJoin { code, email } => value(devices::join(app, &code, email.as_deref()).await?),
        Request::DeviceRequests => value(devices::requests(app).await?),
        Request::DeviceAccept(id) => value(devices::accept(app, &id).await?),
        Request::DeviceConfirm { id, sas } => value(devices::confirm(app, &id, &sas).await?),
        Request::DeviceRemove(id) => value(devices::remove(app, &id).await?),
        Request::DeviceCancel(email) => value(devices::cancel(app, email.as_deref()).await?),
        Request::DeviceName { id, name } => value(devices::rename(app, &id, &name).await?),
        _ => value(devices::list(app).await?),
    }
}

async fn trust(app: &Arc<App>, request: Request) -> Result<Answer, Failure> {
    match request {
        Request::KeyList => value(keyring::list(app).await?),
        Request::KeyMake(email) => value(keyring::make(app, &email).await?),
        Request::KeyRenew(email) => value(keyring::renew(app, &email).await?),
        Request::KeyExport { email, secret } => {
            let bytes = keyring::export(app, &email, secret).await?;
            let name = format!("{email}{}.asc", if secret { "-secret" } else { "" });
            Ok(Answer::Bytes { bytes, media_type: "application/pgp-keys".to_owned(), name })
        }
        Request::KeyRevocation(email) => {
            let bytes = keyring::revocation(app, &email).await?;
            let name = format!("{email}-revocation.asc");
            Ok(Answer::Bytes { bytes, media_type: "application/pgp-keys".to_owned(), name })
        }
        Request::KeyImport { bytes, password } => {
            value(keyring::import(app, bytes, password.map(SecretText::new)).await?)
        }
        Request::KeyBackup { passphrase } => {
            let bytes = backup::make(app, SecretText::new(passphrase)).await?;
            Ok(Answer::Bytes {
                bytes,
                media_type: "application/pgp-encrypted".to_owned(),
                name: "keys.asc".to_owned(),
            })
        }
        Request::SetupMake(email) => value(setup_messages::make(app, &email).await?),
        Request::SetupOpen { id, code } => value(setup_messages::open(app, &id, &code).await?),
        Request::KeyLookup(email) => value(lookup::look_up(app, &email).await?),
        Request::KeyPublish(email) => value(publication::publish(app, &email).await?),
        Request::KeyUnpublish(email) => value(publication::unpublish(app, &email).await?),
        Request::KeyPublications => value(publication::list(app).await?),
        Request::KeyConfirm(id) => value(publication::confirm(app, &id).await?),
        Request::KeyWkdExport(directory) => value(publication::export_directory(app, &directory).await?),
        Request::PeerList => value(peers::list(app).await?),
        Request::PeerShow(email) => value(peers::show(app, &email).await?),
        Request::PeerChoose { email, choice } => value(peers::choose(app, &email, &choice).await?),
        Request::PeerInvite { email, from } => value(invitations::invite(app, &email, &from).await?),
        Request::PeerJoin { link, from } => value(invitations::join(app, &link, &from, "").await?),
        Request::PeerInvitations => value(invitations::list(app).await?),
        _ => Err(Failure::usage("That is nothing about keys")),
    }
}

/// An index that is behind is brought up to date first, so that the total is exact; an open server does that by itself.
/// Where the disk has no room for that, what the index holds is still found, and the log says that it is behind.
async fn find(app: &Arc<App>, request: Request, watcher: &dyn Watcher) -> Result<Answer, Failure> {
    let index = app.indexing.index();
    bring_up_to_date(app, watcher).await?;
    let answer = found(app, &request).await?;
    if Arc::ptr_eq(&index, &app.indexing.index()) {
        return Ok(answer);
    }
    // It was damaged and is a new one now.
    bring_up_to_date(app, watcher).await?;
    found(app, &request).await
}

async fn bring_up_to_date(app: &Arc<App>, watcher: &dyn Watcher) -> Result<(), Failure> {
    if app.indexing.standing().level {
        return Ok(());
    }
    if app.data.free_bytes().is_ok_and(|free| free < ROOM_TO_INDEX) {
        tracing::warn!("The disk is full and the search index behind: the newest mail may not be found");
    } else {
        match app.indexing.catch_up(app, watcher).await {
            Err(error) if error.kind == Kind::Failed => {
                tracing::warn!(%error, "The search index is behind: the newest mail may not be found");
            }
            other => other?,
        }
    }
    Ok(())
}

async fn found(app: &Arc<App>, request: &Request) -> Result<Answer, Failure> {
    match request {
        Request::Count(query) => {
            let begun = std::time::Instant::now();
            let (query, total) = search::count(app, query).await?;
            let took = (begun.elapsed().as_secs_f64() * 1e5).round() / 100.0;
            Ok(Answer::Json(json!({"query": query, "total": total, "took_ms": took})))
        }
        Request::Search { query, limit, offset, sort, threads } => {
            let (sort, offset, limit) = (*sort, *offset, (*limit).min(MOST_ROWS));
            value(if *threads {
                search::threads(app, query, sort, offset, limit).await?
            } else {
                search::search(app, query, sort, offset, limit).await?
            })
        }
        _ => Err(Failure::usage("That is no search")),
    }
}

/// Options for HTML that stands by itself: no link leaves and nothing is fetched.
#[must_use]
pub fn inert() -> Options<'static> {
    Options {
        remote: Remote::Blocked,
        cid: &|_| None,
        link: &|url| Some(url.to_owned()),
        fold_quotes: true,
        dark: true,
    }
}

async fn show(app: &Arc<App>, request: Request) -> Result<Answer, Failure> {
    let bytes = |bytes: Vec<u8>, media_type: &str, name: String| Answer::Bytes {
        bytes,
        media_type: media_type.to_owned(),
        name,
    };
    match request {
        Request::Show { id, form } => {
            let opened = read::open(app, &id).await?;
            let id = opened.row.id;
            Ok(match form {
                Form::Fields => {
                    let mut shown = read::shown(app, &opened).await?;
                    shown.reasons.extend(read::link_reason(&opened).await?);
                    return value(shown);
                }
                Form::Raw => bytes(opened.came.unwrap_or(opened.raw), "message/rfc822", format!("{id}.eml")),
                Form::Text => {
                    let text = read::text_of(&opened.message).await?;
                    bytes(text.into_bytes(), "text/plain; charset=utf-8", format!("{id}.txt"))
                }
                Form::Html => {
                    let turn = super::heavy::markup(opened.message.html().map_or(0, str::len)).await;
                    let document = super::failure::blocking(move || {
                        let _turn = turn;
                        Ok::<_, Failure>(opened.document(&inert()).document)
                    });
                    bytes(document.await?.into_bytes(), "text/html; charset=utf-8", format!("{id}.html"))
                }
            })
        }
        Request::Thread(id) => {
            let row = read::find(app, &id).await?;
            let rows =
                crate::storage::database::messages::of_thread(&mut *app.reader.get().await?, row.thread)
                    .await?;
            let thread = rows.first().map_or(row.id, |first| first.id);
            let messages = search::hits(app, rows, Vec::new()).await?;
            Ok(Answer::Json(
                json!({"id": thread, "messages": serde_json::to_value(messages).unwrap_or_default()}),
            ))
        }
        Request::Part { id, n } => {
            let opened = read::open(app, &id).await?;
            let part = opened.message.parts.iter().find(|p| p.n == n).ok_or_else(|| {
                Failure::not_found(format!(
                    "The message {} has no part {n}; `mailkeep show` lists them",
                    opened.row.id
                ))
            })?;
            let name = part.name.clone().unwrap_or_else(|| format!("part-{n}"));
            Ok(bytes(part.decoded(&opened.raw).into_owned(), &part.content_type, name))
        }
        _ => Err(Failure::usage("That is nothing to show")),
    }
}

async fn organise(app: &Arc<App>, request: Request) -> Result<Answer, Failure> {
    match request {
        Request::Tag { which, add, remove } => {
            let numbers = tags::resolve(app, &which).await?;
            let before = tags::apply(app, &numbers, &add, &remove).await?;
            Ok(Answer::Json(json!({"changed": before.messages()})))
        }
        Request::Delete(ids) => {
            let mut numbers = Vec::new();
            for id in &ids {
                numbers.push(read::find(app, id).await?.number);
            }
            Ok(Answer::Json(json!({"deleted": tags::delete(app, &numbers).await?})))
        }
        _ => Err(Failure::usage("That is nothing to organise")),
    }
}

async fn configure(app: &Arc<App>, request: Request) -> Result<Answer, Failure> {
    match request {
        Request::AccountAdd(account) => value(accounts::add(app, account).await?),
        Request::AccountList => value(accounts::list(app).await?),
        Request::AccountCheck(email) => value(accounts::check(app, email.as_deref()).await?),
        Request::AccountPrefer { email, prefer_encrypt } => {
            value(accounts::prefer(app, &email, &prefer_encrypt).await?)
        }
        Request::AccountRoute { email, route } => value(accounts::reach(app, &email, &route).await?),
        Request::AccountRemove { email, keep_mail } => {
            Ok(Answer::Json(json!({"removed": accounts::remove(app, &email, keep_mail).await?})))
        }
        Request::TokenCreate { name, scope } => value(settings::make_token(app, &name, scope).await?),
        Request::TokenList => {
            let tokens = settings::tokens(app).await?;
            let shown = |t: crate::storage::database::TokenRow| json!({"name": t.name, "scope": t.scope, "created": search::rfc3339(t.created_at)});
            Ok(Answer::Json(tokens.into_iter().map(shown).collect()))
        }
        Request::TokenRevoke(name) => {
            settings::revoke_token(app, &name).await?;
            Ok(Answer::Json(json!({"revoked": name})))
        }
        Request::SenderList => value(senders::list(app).await?),
        Request::SenderSet { address, change } => value(senders::set(app, &address, &change).await?),
        Request::SenderForget(address) => {
            Ok(Answer::Json(json!({"forgotten": senders::forget(app, &address).await?})))
        }
        Request::ConfigGet(Some(key)) => {
            let value = settings::get(app, &key).await?;
            Ok(Answer::Json(json!({"key": key, "value": value})))
        }
        Request::ConfigGet(None) => {
            let all = settings::all(app).await?;
            Ok(Answer::Json(
                all.into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect(),
            ))
        }
        Request::ConfigSet { key, value } => {
            settings::set(app, &key, &value).await?;
            Ok(Answer::Json(json!({"key": key, "value": value})))
        }
        _ => Err(Failure::usage("That is nothing to configure")),
    }
}

async fn write(app: &Arc<App>, request: Request) -> Result<Answer, Failure> {
    match request {
        Request::Send(content) => value(drafts::send_content(app, &answering(app, content).await?).await?),
        Request::DraftAdd(content) => {
            let kept = drafts::save(app, None, &answering(app, content).await?).await?;
            drafts::settle(app, &kept.id).await?;
            value(kept)
        }
        Request::DraftChange { id, content } => {
            let kept = drafts::save(app, Some(&id), &answering(app, content).await?).await?;
            drafts::settle(app, &kept.id).await?;
            value(kept)
        }
        Request::DraftDiscard(id) => {
            drafts::discard(app, &id).await?;
            Ok(Answer::Json(json!({"discarded": id})))
        }
        Request::DraftSend(id) => value(drafts::send(app, &id).await?),
        Request::Unsubscribe(id) => value(unsubscribe::unsubscribe(app, &id).await?),
        Request::OutboxList => value(outbox::list(app).await?),
        Request::OutboxFlush => {
            outbox::flush(app, true).await?;
            value(outbox::list(app).await?)
        }
        Request::OutboxRetry(id) => {
            outbox::retry(app, &id).await?;
            outbox::flush(app, false).await?;
            one_entry(app, &id).await
        }
        Request::OutboxCancel(id) => {
            let draft = outbox::cancel(app, &id).await?;
            let Answer::Json(mut entry) = one_entry(app, &id).await? else {
                return Ok(Answer::Json(Value::Null));
            };
            if let Some(fields) = entry.as_object_mut() {
                fields.insert("draft".into(), draft.into());
            }
            Ok(Answer::Json(entry))
        }
        _ => Err(Failure::usage("That is nothing to write")),
    }
}

async fn one_entry(app: &Arc<App>, id: &str) -> Result<Answer, Failure> {
    let entry = outbox::list(app).await?.into_iter().find(|e| e.id.to_string() == id);
    value(entry.ok_or_else(|| Failure::not_found("No entry of the outbox has this id"))?)
}

/// Fills in what an answer takes from the message it answers, where the asker gave only its id.
async fn answering(app: &Arc<App>, mut content: Content) -> Result<Content, Failure> {
    if let Some(id) = content.reply_to_id
        && content.in_reply_to.is_none()
    {
        let reply = drafts::reply_to(app, &id.to_string(), false, "").await?;
        (content.in_reply_to, content.references) = (reply.in_reply_to, reply.references);
        if content.from.is_empty() {
            content.from = reply.from;
        }
        if content.subject.is_empty() {
            content.subject = reply.subject;
        }
    }
    Ok(content)
}

/// A file to attach, read from the disk.
///
/// # Errors
/// When it cannot be read, or is too large.
pub fn attach(path: &std::path::Path) -> Result<Attached, Failure> {
    let cannot =
        |e: std::io::Error| Failure::failed(format!("Cannot read {}: {}", path.display(), import::plain(&e)));
    if std::fs::metadata(path).map_err(cannot)?.len() > drafts::LARGEST as u64 {
        return Err(Failure::failed(format!(
            "{} is larger than 50 MB and cannot be sent by mail",
            path.display()
        )));
    }
    let bytes = std::fs::read(path).map_err(cannot)?;
    let name = path.file_name().map_or_else(|| "attachment".into(), |n| n.to_string_lossy().into_owned());
    Ok(Attached::new(&name, media_type(&name), &bytes))
}

/// The media type that a file's name speaks of.
#[must_use]
pub fn media_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    match extension.as_str() {
        "txt" | "log" | "md" => "text/plain",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "ics" => "text/calendar",
        "vcf" => "text/vcard",
        "eml" => "message/rfc822",
        "zip" => "application/zip",
        "json" => "application/json",
        "odt" => "application/vnd.oasis.opendocument.text",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "asc" => "application/pgp-keys",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        _ => "application/octet-stream",
    }
}

fn network_log(app: &App, limit: usize) -> Vec<Value> {
    let entries = app.dialer.log();
    entries
        .iter()
        .rev()
        .take(limit)
        .map(|e| {
            json!({
                "at": e.at.to_string(), "purpose": e.purpose.as_str(), "host": e.host, "port": e.port,
                "route": e.route, "outcome": e.outcome,
            })
        })
        .collect()
}
