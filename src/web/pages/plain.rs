//! The small pages: the keys of the keyboard, and what is not there yet.

use super::shell::shell;
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::{WebError, page};
use crate::web::view::{KeyboardPage, LaterPage, Spot};
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new().route("/devices", get(devices)).route("/keyboard", get(keyboard))
}

async fn later(owner: &Owner, heading: &str, words: &str, hint: &str) -> Result<Response, WebError> {
    let shell = shell(owner, heading, Spot::Elsewhere, "").await?;
    page(&LaterPage { shell, heading: heading.into(), words: words.into(), hint: hint.into() })
}

async fn devices(owner: Owner) -> Result<Response, WebError> {
    let hint =
        "Mailkeep cannot share its mail with other devices yet. Your mail is kept on this machine alone.";
    later(&owner, "Devices", "Only this one", hint).await
}

async fn keyboard(owner: Owner) -> Result<Response, WebError> {
    page(&KeyboardPage { shell: shell(&owner, "Keys", Spot::Elsewhere, "").await? })
}
