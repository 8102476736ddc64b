//! What is asked is done.

use super::{Answer, Form, Request};
use crate::crypto::secret::SecretText;
use crate::engine::app::App;
use crate::engine::drafts::{self, Content};
use crate::engine::events::Watcher;
use crate::engine::failure::{Failure, Kind};
use crate::engine::{
    accounts, backup, check, devices, export, heavy, import, invitations, keyring, lookup, outbox, peers,
    publication, read, remote_access, search, senders, settings, setup_messages, status, sync, tags,
    unsubscribe,
};
use crate::mail::html::{Options, Remote};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

fn value(of: impl Serialize) -> Result<Answer, Failure> {
    serde_json::to_value(of).map(Answer::Json).map_err(|e| Failure::failed(e.to_string()))
}

/// With less room on the disk than this, in bytes, catching up is not even begun: it would break off late.
const ROOM_TO_INDEX: u64 = 8 << 20;

/// The longest page of a search.
const MOST_ROWS: usize = 10_000;

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
fn inert() -> Options<'static> {
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
                    let turn = heavy::markup(opened.message.html().map_or(0, str::len)).await;
                    let document = crate::engine::failure::blocking(move || {
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
