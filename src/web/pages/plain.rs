//! The small pages: what went out over the network, the keys of the keyboard, and what is not there yet.

use super::shell::shell;
use crate::engine::status;
use crate::network::log::{CAPACITY, Purpose, Route};
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::{WebError, page, sentence};
use crate::web::view::{KeyboardPage, LaterPage, NetworkPage, Spot, Task};
use crate::web::words;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/network", get(network))
        .route("/devices", get(devices))
        .route("/keyboard", get(keyboard))
}

/// How many connections the page shows.
const CONNECTIONS: usize = 200;

async fn network(owner: Owner) -> Result<Response, WebError> {
    let shell = shell(&owner, "Network", Spot::Elsewhere, "").await?;
    let log = owner.app.dialer.log();
    let connections = log.iter().rev().take(CONNECTIONS).map(|entry| {
        let route = match entry.route {
            Route::Direct => "direct",
            Route::Tor => "by Tor",
        };
        let purpose = match entry.purpose {
            Purpose::Imap => "reading mail",
            Purpose::Submission => "sending mail",
            Purpose::Autoconfig => "finding the servers of your address",
            Purpose::RemoteImage => "a picture in a message",
            other => other.as_str(),
        };
        let when = words::when(entry.at.as_second(), owner.app.now()).words;
        Task {
            name: format!("{}, port {}", entry.host, entry.port),
            words: sentence(&format!("{when}, {purpose}, {route}: {}", entry.outcome)),
            ok: entry.outcome == "connected",
            progress: None,
        }
    });
    let tor_words = status::network(&owner.app).await?.tor.words;
    page(&NetworkPage { shell, hint: shown_of(log.len()), tor_words, connections: connections.collect() })
}

/// What part of all connections the page shows.
fn shown_of(kept: usize) -> String {
    let grouped = |n: usize| crate::web::view::grouped(n as u64);
    if kept <= CONNECTIONS {
        return "Every connection that went out since the store was unlocked, the newest first. Nothing else was \
                asked for."
            .to_owned();
    }
    let (shown, kept_figure) = (grouped(CONNECTIONS), grouped(kept));
    if kept < CAPACITY {
        format!("The newest {shown} of {kept_figure} connections that went out since the store was unlocked.")
    } else {
        format!(
            "The newest {shown} of the last {kept_figure} connections; what came before them is not kept."
        )
    }
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
