//! The small pages: the keys of the keyboard.

use super::shell::shell;
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::{WebError, page};
use crate::web::view::{KeyboardPage, Spot};
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new().route("/keyboard", get(keyboard))
}

async fn keyboard(owner: Owner) -> Result<Response, WebError> {
    page(&KeyboardPage { shell: shell(&owner, "Keys", Spot::Elsewhere, "").await? })
}
