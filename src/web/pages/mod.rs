//! The pages: each file opens with its routes, then has its handlers and what they need.

mod actions;
mod compose;
mod composer;
mod contacts;
mod cut;
mod forecast;
mod form;
mod frame;
mod invitations;
mod keys;
mod list;
mod long;
mod network;
mod origin;
mod outbox;
mod pictures;
mod plain;
mod preview;
mod recovery;
mod settings;
mod setup;
pub(super) mod shell;
mod status;
mod thread;
mod trust;
mod unlock;

use super::Web;
use super::auth::Owner;
use super::error::WebError;
use axum::Router;
use std::sync::Arc;

/// Every page and every form.
pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .merge(list::routes())
        .merge(thread::routes())
        .merge(preview::routes())
        .merge(actions::routes())
        .merge(compose::routes())
        .merge(contacts::routes())
        .merge(keys::routes())
        .merge(invitations::routes())
        .merge(origin::routes())
        .merge(outbox::routes())
        .merge(pictures::routes())
        .merge(recovery::routes())
        .merge(settings::routes())
        .merge(setup::routes())
        .merge(unlock::routes())
        .merge(status::routes())
        .merge(network::routes())
        .merge(plain::routes())
}

/// No page has this address; who is not signed in does not even learn that.
pub(super) async fn nothing(_owner: Owner) -> WebError {
    WebError::NotFound
}
