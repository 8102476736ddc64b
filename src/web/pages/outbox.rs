//! The outbox: what waits, what was put off, what failed and with which words.

use super::form::Form;
use super::shell::shell;
use crate::engine::outbox;
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::{WebError, page, sentence};
use crate::web::extract::Path;
use crate::web::view::{Entry, OutboxPage, Recipient, Spot};
use crate::web::words;
use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/outbox", get(show))
        .route("/outbox/{id}/cancel", post(cancel))
        .route("/outbox/{id}/retry", post(retry))
}

fn seconds(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>().unwrap_or_default().as_second()
}

async fn show(owner: Owner) -> Result<Response, WebError> {
    let shell = shell(&owner, "Outbox", Spot::Outbox, "").await?;
    let (ended, open) = outbox::list(&owner.app)
        .await?
        .into_iter()
        .map(|e| entry(e, owner.app.now()))
        .partition(|e: &Entry| matches!(e.state, "sent" | "cancelled"));
    page(&OutboxPage { shell, open, ended })
}

fn entry(entry: outbox::Entry, now: i64) -> Entry {
    let state = match entry.state.as_str() {
        "waiting" => "waiting",
        "queued" => "queued",
        "sending" => "sending",
        "sent" => "sent",
        "cancelled" => "cancelled",
        _ => "failed",
    };
    let next = entry.next_attempt.as_deref().map(|t| words::when(seconds(t), now).words).unwrap_or_default();
    let state_words = match state {
        "waiting" => "Waits a moment, in case you change your mind.".to_owned(),
        "queued" if entry.attempts == 0 => "Waits for its turn.".to_owned(),
        "queued" if entry.words.is_empty() => format!("Not delivered yet. Trying again at {next}."),
        "queued" => format!("{} Trying again at {next}.", sentence(&entry.words)),
        "sending" => "Being handed over.".to_owned(),
        "sent" if entry.copied => "Sent. The copy lies in Sent.".to_owned(),
        "sent" => "Sent. The copy in Sent waits for the server.".to_owned(),
        "cancelled" => "Called back; it is a draft again.".to_owned(),
        _ if entry.words.is_empty() => "Could not be delivered.".to_owned(),
        _ => sentence(&entry.words),
    };
    let queued = words::when(seconds(&entry.queued_at), now);
    let accepted = entry.recipients.iter().any(|r| r.state == "accepted");
    Entry {
        id: entry.id.to_string(),
        href: format!("/messages/{}", entry.id),
        subject: entry.subject,
        to_words: format!(
            "to {}",
            entry.recipients.iter().map(|r| r.address.as_str()).collect::<Vec<_>>().join(", ")
        ),
        state_words,
        state,
        attempts_words: if entry.attempts > 1 {
            format!("Tried {} times.", entry.attempts)
        } else {
            String::new()
        },
        date_words: queued.words,
        date_iso: queued.iso,
        recipients: entry
            .recipients
            .into_iter()
            .filter(|_| !matches!(state, "waiting" | "sent"))
            .map(|r| Recipient {
                trouble: matches!(r.state.as_str(), "refused" | "gave-up" | "deferred"),
                state_words: match r.state.as_str() {
                    "accepted" => "has it",
                    "deferred" => "was put off:",
                    "refused" => "was refused:",
                    "gave-up" => "was given up:",
                    _ => "waits",
                }
                .to_owned(),
                address: r.address,
                reply: r.reply,
            })
            .collect(),
        can_retry: matches!(state, "queued" | "failed"),
        can_cancel: matches!(state, "waiting" | "queued" | "failed") && !accepted,
    }
}

async fn cancel(owner: Owner, Path(id): Path<String>, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let draft = outbox::cancel(&owner.app, &id).await?;
    Ok(Redirect::to(&format!("/compose?draft={draft}")).into_response())
}

async fn retry(owner: Owner, Path(id): Path<String>, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    outbox::retry(&owner.app, &id).await?;
    Ok(Redirect::to("/outbox").into_response())
}
