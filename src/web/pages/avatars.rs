//! Pictures of correspondents: where they lie, and whether they are wanted. None is ever waited for.

use super::form::Form;
use crate::engine::avatars::{self, Album};
use crate::engine::failure::Failure;
use crate::engine::read::Opened;
use crate::engine::settings;
use crate::mail::address::Person;
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::WebError;
use crate::web::extract::Path;
use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new().route("/avatars/{mark}", get(picture)).route("/settings/avatars", post(choose))
}

/// Where somebody's picture lies; empty where there is none.
pub(super) fn href(owner: &Owner, album: &Album, address: &str) -> String {
    album.mark(&owner.app, address).map_or_else(String::new, |mark| format!("/avatars/{mark}"))
}

/// The same for whoever wrote a message that is shown; it may be asked for in a while.
pub(super) async fn of_message(owner: &Owner, opened: &Opened, sender: &Person) -> Result<String, Failure> {
    let album = Album::open(&owner.app).await?;
    album.note(&owner.app, &sender.address, opened.row.number);
    Ok(href(owner, &album, &sender.address))
}

async fn picture(owner: Owner, Path(mark): Path<String>) -> Result<Response, WebError> {
    let bytes = avatars::picture(&owner.app, &mark).await?.ok_or(WebError::NotFound)?;
    let kind = [(header::CONTENT_TYPE, "image/png"), (header::CONTENT_SECURITY_POLICY, "default-src 'none'")];
    Ok((kind, bytes).into_response())
}

async fn choose(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    settings::set(&owner.app, "avatars", form.get("avatars")).await?;
    Ok(Redirect::to("/settings#avatars").into_response())
}
