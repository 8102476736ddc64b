//! Server-sent events: what happens, told to open pages and to scripts.

use super::auth::Owner;
use super::error::WebError;
use crate::engine::app::App;
use crate::engine::events::Event;
use axum::response::Response;
use axum::response::sse::{self, KeepAlive, Sse};
use futures_util::{Stream, StreamExt};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// The events for a page.
pub(super) async fn events(owner: Owner) -> Result<Response, WebError> {
    Ok(answer(&owner.app))
}

/// The stream itself; it ends when the store is locked.
pub(super) fn answer(app: &Arc<App>) -> Response {
    use axum::response::IntoResponse;
    Sse::new(stream(app)).keep_alive(KeepAlive::new().interval(Duration::from_secs(20))).into_response()
}

fn stream(app: &Arc<App>) -> impl Stream<Item = Result<sse::Event, Infallible>> + use<> {
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
    .map(|event| {
        let name = match &event {
            Event::Mail { .. } => "mail",
            Event::Tags { .. } => "tags",
            Event::Progress { .. } => "progress",
            Event::Trouble { .. } => "trouble",
            Event::Outbox { .. } => "outbox",
        };
        Ok(sse::Event::default().event(name).json_data(&event).unwrap_or_default())
    })
}
