//! Where a message is from, as its page says it, and leaving the list it came from.

use super::form::Form;
use crate::engine::failure::Failure;
use crate::engine::read::{Opened, Shown};
use crate::engine::unsubscribe;
use crate::mail::html::FalseLink;
use crate::mail::sender::{Fact, link_fact};
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::WebError;
use crate::web::leave;
use crate::web::view::{Origin, encoded};
use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use std::sync::Arc;

/// So many cautions stand under a sender: more of them would be read less.
const MOST_CAUTIONS: usize = 2;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new().route("/messages/{id}/unsubscribe", post(leave_list))
}

/// What the page says about where a message is from.
pub(super) async fn origin(
    owner: &Owner,
    opened: &Opened,
    shown: &Shown,
    links: &[FalseLink],
) -> Result<Origin, Failure> {
    let link = link_fact(&opened.message, links);
    let all: Vec<&Fact> = shown.sender.facts.iter().chain(&link).collect();
    let cautions: Vec<String> =
        all.iter().filter(|fact| fact.is_caution()).take(MOST_CAUTIONS).map(|fact| fact.sentence()).collect();
    let quiet = all.iter().find(|fact| !fact.is_caution() && cautions.len() < MOST_CAUTIONS);
    let sent_by = match opened.message.sender.as_slice() {
        [sender] if opened.message.from.first().is_some_and(|from| from.address != sender.address) => {
            Some(format!("Sent by {}.", sender.address))
        }
        _ => None,
    };
    let offer = unsubscribe::offer(&mut *owner.app.reader.get().await?, opened).await?;
    Ok(Origin {
        quiet: quiet.map_or_else(String::new, |fact| fact.sentence()),
        cautions,
        details: sent_by.into_iter().chain(shown.authentication.words.iter().cloned()).collect(),
        can_leave: offer.can_leave && offer.left.is_none(),
        left_words: offer.left.unwrap_or_default(),
    })
}

/// Leaves a list, and leads to where that goes on.
async fn leave_list(owner: Owner, Path(id): Path<String>, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let left = unsubscribe::unsubscribe(&owner.app, &id).await?;
    let to = match (&left.draft, &left.link) {
        (Some(draft), _) => format!("/compose?draft={}", encoded(draft)),
        (None, Some(link)) => leave::path(&owner.web, link).ok_or(WebError::NotFound)?,
        (None, None) => format!("/messages/{}", encoded(&id)),
    };
    Ok(Redirect::to(&to).into_response())
}
