//! The door: unlocking and locking.

use super::form::{Form, local};
use crate::crypto::secret::SecretText;
use crate::engine::failure::Kind;
use crate::web::Web;
use crate::web::auth::{Owner, prove_visitor, set_cookie, visitor_token};
use crate::web::error::{WebError, page};
use crate::web::extract::Query;
use crate::web::listener::From;
use crate::web::view::{Notice, Theme, UnlockPage};
use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new().route("/unlock", get(door).post(unlock)).route("/lock", post(lock))
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
    ConnectInfo(From(from)): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    prove_visitor(&web, form.get("csrf"))?;
    web.throttle.attempt(from)?;
    let passphrase = SecretText::new(form.get("passphrase").to_owned());
    match web.vault.unlock(&passphrase).await {
        Ok(_) => {
            web.throttle.note(from, true);
            let session = web.sessions.begin();
            let mut response = Redirect::to(&local(form.get("back"))).into_response();
            if let Ok(cookie) = HeaderValue::from_str(&set_cookie(&web, &session)) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            Ok(response)
        }
        Err(failure) if failure.kind == Kind::Locked => {
            let mut response = show(&web, form.get("back"), Some("That is not the passphrase."))?;
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            Ok(response)
        }
        Err(failure) => {
            web.throttle.note(from, true);
            Err(failure.into())
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
