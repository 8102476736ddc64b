//! The pages: each file opens with its routes, then has its handlers and what they need.

mod actions;
mod avatars;
mod compose;
mod composer;
mod contacts;
mod cut;
mod devices;
mod forecast;
pub(super) mod form;
mod frame;
mod invitations;
mod keys;
mod list;
mod long;
mod network;
mod origin;
mod outbox;
mod passkeys;
mod pictures;
mod plain;
mod preview;
mod recovery;
mod remote_access;
mod settings;
mod setup;
pub(super) mod shell;
mod sign_in;
mod status;
mod thread;
mod trust;
mod unlock;

use super::Web;
use super::auth::Owner;
use super::error::WebError;
use axum::Router;
use std::sync::Arc;

/// Every page and every form that both doors have.
pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .merge(list::routes())
        .merge(thread::routes())
        .merge(preview::routes())
        .merge(actions::routes())
        .merge(avatars::routes())
        .merge(compose::routes())
        .merge(contacts::routes())
        .merge(devices::routes())
        .merge(keys::routes())
        .merge(invitations::routes())
        .merge(origin::routes())
        .merge(outbox::routes())
        .merge(pictures::routes())
        .merge(recovery::routes())
        .merge(remote_access::routes())
        .merge(passkeys::routes())
        .merge(settings::routes())
        .merge(setup::helpers())
        .merge(status::routes())
        .merge(network::routes())
        .merge(plain::routes())
}

/// What only the local door has: the first run, and the way in.
pub(super) fn home() -> Router<Arc<Web>> {
    setup::routes().merge(unlock::routes())
}

/// What only the remote door has: the way in.
pub(super) fn remote() -> Router<Arc<Web>> {
    sign_in::routes().merge(passkeys::door())
}

/// No page has this address; who is not signed in does not even learn that.
pub(super) async fn nothing(_owner: Owner) -> WebError {
    WebError::NotFound
}
