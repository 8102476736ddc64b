//! What is done with messages: one form for all, and undoing it.

use super::form::{Form, local};
use crate::engine::failure::Failure;
use crate::engine::read;
use crate::engine::tags::{self, Which};
use crate::mail::ids::MessageNumber;
use crate::storage::database::{messages, tags as tag_table};
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::{WebError, sentence};
use crate::web::words;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new().route("/actions", post(act)).route("/undo", post(undo))
}

/// Whether the script of the page asks, who wants JSON.
pub(super) fn wants_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json"))
}

/// A deed: tags to add, tags to remove, and what was done, in words.
struct Deed {
    add: Vec<String>,
    remove: Vec<String>,
    done: String,
    /// Whether it is meant for the whole thread: what is put away is put away whole.
    whole: bool,
}

fn deed(action: &str, tag: &str) -> Result<Option<Deed>, Failure> {
    let make = |add: &[&str], remove: &[&str], done: &str, whole: bool| {
        let own = |all: &[&str]| all.iter().map(|t| (*t).to_owned()).collect();
        Ok(Some(Deed { add: own(add), remove: own(remove), done: done.to_owned(), whole }))
    };
    match action {
        "read" => make(&[], &["unread"], "marked as read", true),
        "unread" => make(&["unread"], &[], "marked as unread", false),
        "star" => make(&["starred"], &[], "starred", false),
        "unstar" => make(&[], &["starred"], "no longer starred", true),
        "archive" => make(&["archive"], &["inbox", "spam", "trash"], "archived", true),
        "inbox" => make(&["inbox"], &["archive", "spam", "trash"], "put into the inbox", true),
        "spam" => make(&["spam"], &["inbox", "archive"], "moved to spam", true),
        "delete" => make(&["trash"], &[], "moved to the trash", true),
        "tag" | "untag" if tag.trim().is_empty() => Ok(None),
        "tag" => make(&[&tags::name(tag)?], &[], &format!("tagged “{}”", tag.trim()), false),
        "untag" => make(&[], &[&tags::name(tag)?], &format!("no longer tagged “{}”", tag.trim()), true),
        other => Err(Failure::usage(format!("There is no action {other:?}"))),
    }
}

/// The messages that a form means.
async fn meant(owner: &Owner, form: &Form, whole: bool) -> Result<Vec<MessageNumber>, Failure> {
    if form.get("all_found") == "1" {
        return tags::resolve(&owner.app, &Which::Query(form.get("q").to_owned())).await;
    }
    let mut numbers = Vec::new();
    for id in form.all("id") {
        let row = read::find(&owner.app, id).await?;
        // A row of a list stands for its thread; the pages of threads and messages name each one.
        if whole && form.get("whole") == "1" {
            let thread = messages::of_thread(&mut *owner.app.reader.get().await?, row.thread).await?;
            numbers.extend(thread.into_iter().map(|m| m.number));
        } else {
            numbers.push(row.number);
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

fn answer(headers: &HeaderMap, back: &str, words: &str, undo: Option<String>) -> Response {
    if wants_json(headers) {
        return Json(json!({"words": sentence(words), "undo": undo})).into_response();
    }
    let back = match undo {
        Some(token) => format!("{back}{}undo={token}", if back.contains('?') { '&' } else { '?' }),
        None => back.to_owned(),
    };
    Redirect::to(&back).into_response()
}

fn failed(headers: &HeaderMap, failure: Failure) -> Response {
    if wants_json(headers) {
        let status = crate::web::error::status_of(failure.kind);
        return (status, Json(json!({"words": sentence(&failure.words)}))).into_response();
    }
    WebError::Failed(failure).into_response()
}

async fn act(owner: Owner, headers: HeaderMap, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    Ok(match perform(&owner, &form).await {
        // What only marks leaves one where one is; what puts away leads back to the list.
        Ok((words, undo)) => {
            let stays = matches!(form.get("action"), "star" | "unstar" | "tag" | "untag");
            let back =
                if stays && !form.get("here").is_empty() { local(form.get("here")) } else { form.back() };
            answer(&headers, &back, &words, undo)
        }
        Err(failure) => failed(&headers, failure),
    })
}

async fn perform(owner: &Owner, form: &Form) -> Result<(String, Option<String>), Failure> {
    let action = form.get("action");
    if action == "destroy" {
        let mut numbers = meant(owner, form, true).await?;
        // The rest of a thread lies elsewhere and stays.
        let trash = tag_table::bitmap(&mut *owner.app.reader.get().await?, "trash").await?;
        numbers.retain(|number| trash.contains(number.0));
        if numbers.is_empty() {
            return Err(Failure::usage("Nothing of it lies in the trash; move it there first"));
        }
        let count = tags::delete(&owner.app, &numbers).await?;
        return Ok((format!("{} deleted for ever", words::count(count as u64, "message", "messages")), None));
    }
    let Some(deed) = deed(action, form.get("tag"))? else {
        return Ok(("Nothing was changed: no tag was given".into(), None));
    };
    let numbers = meant(owner, form, deed.whole).await?;
    if numbers.is_empty() {
        return Ok(("Nothing was selected".into(), None));
    }
    let before = tags::apply(&owner.app, &numbers, &deed.add, &deed.remove).await?;
    let words = format!("{} {}", words::count(before.messages() as u64, "message", "messages"), deed.done);
    let undo = owner.web.sessions.remember(&owner.session, &sentence(&words), before);
    Ok((words, undo))
}

async fn undo(owner: Owner, headers: HeaderMap, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let Some(before) = owner.web.sessions.take_undo(&owner.session, form.get("token")) else {
        return Ok(failed(&headers, Failure::refused("This can no longer be undone")));
    };
    tags::undo(&owner.app, &before).await?;
    Ok(answer(&headers, &form.back(), "Undone", None))
}
