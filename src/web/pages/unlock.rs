//! The door: unlocking and locking.

use super::form::{Form, local};
use crate::crypto::recovery::RecoveryKey;
use crate::crypto::secret::SecretText;
use crate::engine::failure::{Failure, Kind};
use crate::engine::recovery;
use crate::web::Web;
use crate::web::auth::{Owner, prove_visitor, set_cookie, visitor_token};
use crate::web::error::{WebError, page, sentence};
use crate::web::extract::Query;
use crate::web::listener::From;
use crate::web::view::{Notice, SharesPage, Theme, UnlockPage};
use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use std::net::IpAddr;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/unlock", get(door).post(unlock))
        .route("/unlock/shares", get(shares_door).post(unlock_by_shares))
        .route("/lock", post(lock))
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
struct Asked {
    back: String,
}

fn show(web: &Web, back: &str, notice: Option<&str>) -> Result<Response, WebError> {
    page(&UnlockPage {
        csrf: visitor_token(web),
        theme: Theme::Auto,
        back: if back.is_empty() { String::new() } else { local(back) },
        notice: notice.map(|words| Notice { words: words.to_owned(), trouble: true }),
    })
}

async fn door(
    State(web): State<Arc<Web>>,
    owner: Option<Owner>,
    Query(asked): Query<Asked>,
) -> Result<Response, WebError> {
    if owner.is_some() {
        return Ok(Redirect::to(&local(&asked.back)).into_response());
    }
    if !web.vault.exists() {
        return Err(WebError::SetUp);
    }
    show(&web, &asked.back, None)
}

async fn unlock(
    State(web): State<Arc<Web>>,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    prove_visitor(&web, form.get("csrf"))?;
    web.throttle.attempt(from)?;
    let words = SecretText::new(form.get("passphrase").to_owned());
    match enter(&web, from, &words, &local(form.get("back"))).await? {
        Ok(response) => Ok(response),
        Err(failure) => {
            let mut response = show(&web, form.get("back"), Some(&sentence(&failure.words)))?;
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            Ok(response)
        }
    }
}

/// Lets in whoever has the passphrase or the recovery key, or says why not. The attempt was counted already.
async fn enter(
    web: &Web,
    from: IpAddr,
    words: &SecretText,
    to: &str,
) -> Result<Result<Response, Failure>, WebError> {
    match web.vault.unlock(words).await {
        Ok(_) => {
            web.throttle.note(from, true);
            let session = web.sessions.begin();
            // Who needs the recovery key has forgotten the passphrase.
            let forgotten = words.expose().parse::<RecoveryKey>().is_ok();
            let mut response =
                Redirect::to(if forgotten { "/settings#passphrase" } else { to }).into_response();
            if let Ok(cookie) = HeaderValue::from_str(&set_cookie(web, "", &session)) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            Ok(Ok(response))
        }
        Err(failure) if failure.kind == Kind::Locked => Ok(Err(failure)),
        Err(failure) => {
            web.throttle.note(from, true);
            Err(failure.into())
        }
    }
}

fn show_shares(web: &Web, shares: &str, notice: Option<&str>) -> Result<Response, WebError> {
    page(&SharesPage {
        csrf: visitor_token(web),
        theme: Theme::Auto,
        shares: shares.to_owned(),
        notice: notice.map(|words| Notice { words: words.to_owned(), trouble: true }),
    })
}

async fn shares_door(State(web): State<Arc<Web>>, owner: Option<Owner>) -> Result<Response, WebError> {
    if owner.is_some() {
        return Ok(Redirect::to("/").into_response());
    }
    if !web.vault.exists() {
        return Err(WebError::SetUp);
    }
    show_shares(&web, "", None)
}

async fn unlock_by_shares(
    State(web): State<Arc<Web>>,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    prove_visitor(&web, form.get("csrf"))?;
    web.throttle.attempt(from)?;
    let typed = form.get("shares");
    let joined = if typed.len() > recovery::LONGEST {
        Err(Failure::usage("This is far longer than shares are"))
    } else {
        recovery::join(&[typed])
    };
    let entered = match joined {
        Ok(key) => enter(&web, from, &key.to_text(), "/").await?,
        Err(failure) => Err(failure),
    };
    match entered {
        Ok(response) => Ok(response),
        Err(failure) => {
            let typed = if typed.len() > recovery::LONGEST { "" } else { typed };
            let mut response = show_shares(&web, typed, Some(&sentence(&failure.words)))?;
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            Ok(response)
        }
    }
}

async fn lock(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let web = Arc::clone(&owner.web);
    drop(owner);
    web.forget();
    web.vault.lock().await;
    let mut response = Redirect::to("/unlock").into_response();
    let headers = response.headers_mut();
    headers.insert(header::HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\""));
    Ok(response)
}
