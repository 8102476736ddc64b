//! Both doors of the browser on one page.

use super::{Web, api, content, events, guard, leave, pages, static_files};
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::Arc;

/// The largest form that is taken, in bytes: a message with 50 MB of attachments.
const LARGEST_FORM: usize = 64 << 20;

/// The local door: everything.
pub(super) fn home(web: Arc<Web>) -> Router {
    let doors = pages::routes().merge(pages::home()).merge(api::routes()).route("/health", get(health));
    finished(doors, web)
}

/// The remote door: the pages behind a sign-in of its own; no set-up, and no API, whose tokens know no second factor.
pub(super) fn remote(web: Arc<Web>) -> Router {
    finished(pages::routes().merge(pages::remote()), web)
}

fn finished(doors: Router<Arc<Web>>, web: Arc<Web>) -> Router {
    doors
        .route("/events", get(events::events))
        .route("/leave", get(leave::leave))
        .route("/static/{name}", get(static_files::file))
        .route("/content/{capability}/", get(content::by_bare_path))
        .route("/content/{capability}/{*rest}", get(content::by_path))
        .fallback(pages::nothing)
        .method_not_allowed_fallback(pages::nothing)
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(from_fn_with_state(Arc::clone(&web), guard::guard))
        .with_state(web)
}

/// Whether the program answers, and whether the store is locked; nothing else.
async fn health(State(web): State<Arc<Web>>) -> impl IntoResponse {
    axum::Json(serde_json::json!({"status": "ok", "locked": web.vault.app().is_none()}))
}
