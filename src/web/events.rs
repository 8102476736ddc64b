//! Server-sent events: what happens, told to open pages and to scripts.

use super::auth::Owner;
use super::error::WebError;
use super::pages::shell;
use super::view::NetState;
use crate::engine::app::App;
use crate::engine::events::Event;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use std::convert::Infallible;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// How often it is looked whether a remote session has ended of age.
const LOOK: Duration = Duration::from_secs(60);

/// What a page shows of the whole store.
#[derive(serde::Serialize)]
struct Standing {
    /// Unread messages in the inbox.
    unread: u64,
    /// How we stand with the servers.
    state: NetState,
}

/// The same, beside the event that may have changed it.
#[derive(serde::Serialize)]
struct ForPage {
    #[serde(flatten)]
    event: Event,
    #[serde(flatten)]
    standing: Standing,
}

/// The events for a page. Between two of them the page must not keep the store from being locked.
pub(super) async fn events(owner: Owner) -> Result<Response, WebError> {
    let app = Arc::downgrade(&owner.app);
    let told = listen(&owner.app).then(move |event| {
        let app = Weak::clone(&app);
        async move {
            let Some(app) = app.upgrade().filter(|_| {
                !matches!(event, Event::Progress { .. } | Event::Tor { .. } | Event::Devices { .. })
            }) else {
                return named(&event, &event);
            };
            match shell::standing(&app).await {
                Ok((unread, state)) => {
                    let standing = Standing { unread, state };
                    named(&event, &ForPage { event: event.clone(), standing })
                }
                Err(_) => named(&event, &event),
            }
        }
    });
    // Where the store stands by now: the page was made earlier, or lay unseen for long.
    let (unread, state) = shell::standing(&owner.app).await?;
    let standing = sse::Event::default().event("standing").json_data(Standing { unread, state });
    let first = futures_util::stream::once(std::future::ready(standing.unwrap_or_default()));
    let all = first.chain(told);
    if !owner.web.is_remote() {
        return Ok(stream(all));
    }
    // A remote session that is ended hears nothing any more.
    Ok(stream(all.take_until(Box::pin(over(Arc::downgrade(&owner.app), owner.session.clone())))))
}

/// Ends when a remote session does: because somebody ends it, or of age.
async fn over(app: Weak<App>, session: String) {
    let Some(ended) = app.upgrade().map(|app| app.remote_access.sessions.ending(&session)) else { return };
    loop {
        tokio::select! {
            () = ended.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let lives = |app: Arc<App>| app.remote_access.sessions.lives(&session, app.now());
        if !app.upgrade().is_some_and(lives) {
            return;
        }
    }
}

/// The stream itself; it ends when the store is locked.
pub(super) fn answer(app: &Arc<App>) -> Response {
    stream(listen(app).map(|event| named(&event, &event)))
}

fn stream(told: impl Stream<Item = sse::Event> + Send + 'static) -> Response {
    let told = told.map(Ok::<_, Infallible>);
    Sse::new(told).keep_alive(KeepAlive::new().interval(Duration::from_secs(20))).into_response()
}

fn named(event: &Event, body: &impl serde::Serialize) -> sse::Event {
    let name = match event {
        Event::Mail { .. } => "mail",
        Event::Tags { .. } => "tags",
        Event::Progress { .. } => "progress",
        Event::Trouble { .. } => "trouble",
        Event::Tor { .. } => "tor",
        Event::Pictures { .. } => "pictures",
        Event::Outbox { .. } => "outbox",
        Event::Devices { .. } => "devices",
    };
    sse::Event::default().event(name).json_data(body).unwrap_or_default()
}

fn listen(app: &Arc<App>) -> impl Stream<Item = Event> + use<> {
    let listener = app.listen();
    futures_util::stream::unfold(listener, |mut listener| async move {
        loop {
            match listener.recv().await {
                Ok(event) => return Some((event, listener)),
                // Who was too slow is told of what comes next; pages fetch their content anew anyway.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    })
}
