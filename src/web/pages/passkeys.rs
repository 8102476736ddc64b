//! Passkeys on `/settings/remote`, and what a browser is asked at the remote door.

use super::form::Form;
use super::keys::prove;
use super::remote_access::remote_page;
use super::sign_in::{device, guesser, who};
use crate::engine::failure::Failure;
use crate::engine::remote_access::ceremonies::Who;
use crate::engine::remote_access::passkeys::{self, Question, Shown};
use crate::web::Web;
use crate::web::auth::{Owner, prove_visitor};
use crate::web::error::{WebError, sentence, status_of};
use crate::web::guard::{LARGEST_FORM, host};
use crate::web::listener::From;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;
use std::sync::Arc;

/// What is done about them by whoever is in.
pub(super) fn routes() -> Router<Arc<Web>> {
    let limit = || DefaultBodyLimit::max(LARGEST_FORM);
    Router::new()
        .route("/settings/remote/passkey", post(add).layer(limit()))
        .route("/settings/remote/passkey/begin", post(begin).layer(limit()))
        .route("/settings/remote/passkey/name", post(rename).layer(limit()))
        .route("/settings/remote/passkey/remove", post(remove).layer(limit()))
}

/// What a browser is asked at the remote door.
pub(super) fn door() -> Router<Arc<Web>> {
    Router::new().route("/unlock/passkey", post(ask).layer(DefaultBodyLimit::max(LARGEST_FORM)))
}

/// A question for the page's script, or why there is none, in a sentence.
fn told(question: Result<Question, Failure>) -> Response {
    match question {
        Ok(question) => Json(question).into_response(),
        Err(failure) => refused(status_of(failure.kind), &failure.words),
    }
}

fn refused(status: StatusCode, words: &str) -> Response {
    (status, Json(json!({"words": sentence(words)}))).into_response()
}

fn wait(seconds: u64) -> Response {
    refused(StatusCode::TOO_MANY_REQUESTS, &format!("Wait {seconds} seconds, then try again"))
}

/// Asks a browser at the door. Whoever asks learns of no key, and not whether there is one.
async fn ask(State(web): State<Arc<Web>>, headers: HeaderMap, form: Form) -> Result<Response, WebError> {
    prove_visitor(&web, form.get("csrf"))?;
    let host = host(&headers).unwrap_or_default();
    let Some(app) = web.vault.app() else {
        return Ok(refused(StatusCode::SERVICE_UNAVAILABLE, "Mailkeep is locked"));
    };
    if !web.names.is_secure(&host) {
        return Err(WebError::NotFound);
    }
    let known = device(&web, &app, &headers).await?;
    if let Err(WebError::Throttled(seconds)) = web.strangers.admit(guesser(known.as_ref())) {
        return Ok(wait(seconds));
    }
    Ok(told(passkeys::begin_sign_in(&app, who(known.as_ref()), &web.names.origin(&host))))
}

/// Asks the browser of whoever is in to make a key.
async fn begin(
    owner: Owner,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    match prove(&owner, from, &form).await {
        Ok(Ok(_)) => {}
        Ok(Err(failure)) => return Ok(told(Err(failure))),
        Err(WebError::Throttled(seconds)) => return Ok(wait(seconds)),
        Err(other) => return Err(other),
    }
    if !owner.web.names.is_secure(&owner.host) {
        return Ok(told(Err(passkeys::no_site())));
    }
    let origin = owner.web.names.origin(&owner.host);
    Ok(told(passkeys::begin_adding(&owner.app, form.get("name"), &origin, &owner.session).await))
}

async fn add(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let shown = Shown {
        ceremony: form.get("ceremony"),
        answer: form.get("passkey"),
        who: Who::Session(owner.session.clone()),
        origin: &owner.web.names.origin(&owner.host),
    };
    match passkeys::add(&owner.app, form.get("name"), &shown).await {
        Ok(_) => Ok(back()),
        Err(failure) => remote_page(&owner, &sentence(&failure.words), false).await,
    }
}

fn back() -> Response {
    Redirect::to("/settings/remote#passkeys").into_response()
}

async fn rename(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    match passkeys::rename(&owner.app, form.get("from"), form.get("name")).await {
        Ok(_) => Ok(back()),
        Err(failure) => remote_page(&owner, &sentence(&failure.words), false).await,
    }
}

async fn remove(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    passkeys::remove(&owner.app, form.get("from")).await?;
    Ok(back())
}
