//! Writing: new messages, answers, drafts that are saved as one types.

use super::actions::wants_json;
use super::composer::{DRAFT_GONE, Source, Typed, composer, kept, signature, signed, signed_above, typed};
use super::forecast;
use super::form::{Form, local};
use super::shell::shell;
use crate::engine::drafts::{self, Content};
use crate::engine::failure::{Failure, Kind};
use crate::engine::outgoing::Wish;
use crate::engine::peers::{self, Choice};
use crate::engine::read;
use crate::mail::ids::MessageId;
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::{WebError, page, sentence, status_of};
use crate::web::extract::Query;
use crate::web::view::{ComposePage, Spot};
use crate::web::words;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/compose", get(open).post(done))
        .route("/compose/save", post(autosave))
        .route("/compose/plan", post(forecast::part))
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
struct Asked {
    to: String,
    subject: String,
    body: String,
    reply: String,
    all: String,
    forward: String,
    edit: String,
    draft: String,
}

/// Shows the form. To look writes nothing: a draft begins with the first save.
async fn open(owner: Owner, Query(asked): Query<Asked>) -> Result<Response, WebError> {
    let app = &owner.app;
    let (heading, content, source) = if !asked.draft.is_empty() {
        let kept = drafts::find(app, &asked.draft).await?;
        ("Draft", kept.content, Source { draft: kept.id, ..Source::default() })
    } else if !asked.edit.is_empty() {
        let content = drafts::go_on(app, &asked.edit).await?;
        ("Draft", content, Source { edit: asked.edit, ..Source::default() })
    } else if !asked.reply.is_empty() {
        let when = words::quote_date(read::find(app, &asked.reply).await?.date);
        let mut content = drafts::reply_to(app, &asked.reply, asked.all == "1", &when).await?;
        content.body = signed_above(&content.body, &signature(&owner).await?);
        ("Reply", content, Source { reply: asked.reply, ..Source::default() })
    } else if !asked.forward.is_empty() {
        let when = words::quote_date(read::find(app, &asked.forward).await?.date);
        let mut content = drafts::forward(app, &asked.forward, &when).await?;
        content.body = signed_above(&content.body, &signature(&owner).await?);
        ("Forward", content, Source { forward: asked.forward, ..Source::default() })
    } else {
        let content = Content {
            to: asked.to,
            subject: asked.subject,
            body: signed(&asked.body, &signature(&owner).await?),
            ..Content::default()
        };
        ("New message", content, Source::default())
    };
    show(&owner, heading, &content, &source, "").await
}

async fn show(
    owner: &Owner,
    heading: &str,
    content: &Content,
    source: &Source,
    trouble: &str,
) -> Result<Response, WebError> {
    let shell = shell(owner, heading, Spot::Elsewhere, "").await?;
    let mut composer = composer(owner, content, source, trouble).await?;
    forecast::look(owner, content, &mut composer.forecast).await?;
    page(&ComposePage { shell, heading: heading.to_owned(), composer })
}

async fn done(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let back = match local(form.get("back")) {
        path if path.starts_with("/compose") => "/".to_owned(),
        path => path,
    };
    match form.get("do") {
        "discard" => {
            discard(&owner, form.get("draft")).await?;
            // Nothing was saved yet: what is thrown away is the draft on the server.
            if form.get("draft").is_empty()
                && let Ok(continued) = form.get("edit").parse()
            {
                drafts::put_away(&owner.app, continued).await?;
            }
            Ok(Redirect::to(&back).into_response())
        }
        "send" => send(&owner, &form, &back).await,
        deed if deed.starts_with("key-") => {
            choose_key(&owner, deed).await?;
            keep(&owner, &form).await
        }
        _ => keep(&owner, &form).await,
    }
}

async fn keep(owner: &Owner, form: &Form) -> Result<Response, WebError> {
    let typed = typed(owner, form).await?;
    if !typed.trouble.is_empty() {
        let words = typed.trouble;
        return stay(owner, typed, words).await;
    }
    match typed.keep(owner).await {
        Ok(kept) => {
            drafts::settle(&owner.app, &kept.id).await?;
            Ok(Redirect::to(&format!("/compose?draft={}", kept.id)).into_response())
        }
        Err(failure) if matches!(failure.kind, Kind::Usage | Kind::Refused) => {
            stay(owner, typed, &sentence(&failure.words)).await
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Decides about a correspondent's key while one writes to them: `key-keep bob@example.org`.
async fn choose_key(owner: &Owner, deed: &str) -> Result<(), Failure> {
    let choice = match deed.split_once(' ') {
        Some(("key-keep", address)) => (address, Choice::Keep),
        Some(("key-accept", address)) => (address, Choice::Accept),
        _ => return Err(Failure::usage("Say which key is meant")),
    };
    match peers::choose(&owner.app, choice.0, &choice.1).await {
        // It was decided in another window.
        Err(failure) if failure.kind == Kind::Refused => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Discards a draft, if there is one still.
async fn discard(owner: &Owner, draft: &str) -> Result<(), Failure> {
    if draft.is_empty() {
        return Ok(());
    }
    match drafts::discard(&owner.app, draft).await {
        Err(failure) if failure.kind == Kind::NotFound => Ok(()),
        done => done,
    }
}

async fn send(owner: &Owner, form: &Form, back: &str) -> Result<Response, WebError> {
    let sent = |id: MessageId| {
        let joint = if back.contains('?') { '&' } else { '?' };
        Ok(Redirect::to(&format!("{back}{joint}sent={id}")).into_response())
    };
    let (token, digest) = (form.get("once"), form.digest());
    let mut turn = owner.web.once.turn().await;
    let earlier = turn.before(token).map(|earlier| (earlier.digest, earlier.id));
    if let Some((_, id)) = earlier.filter(|(same, _)| *same == digest) {
        return sent(id);
    }
    let mut typed = typed(owner, form).await?;
    if earlier.is_some() && typed.trouble.is_empty() {
        // The page was gone back to, and written on.
        typed.trouble = DRAFT_GONE;
    }
    if !typed.trouble.is_empty() {
        let words = typed.trouble;
        return stay(owner, typed, words).await;
    }
    // Told to be private, it goes out private or not at all.
    if form.get("told") == "private" && typed.content.encrypt == Wish::Auto {
        typed.content.encrypt = Wish::Yes;
    }
    let queued = match typed.source.draft.as_str() {
        "" => drafts::send_content(&owner.app, &typed.content).await,
        draft => drafts::send_as_written(&owner.app, draft, &typed.content).await,
    };
    match queued {
        Ok(queued) => {
            turn.note(token, digest, queued.id);
            sent(queued.id)
        }
        Err(failure)
            if matches!(failure.kind, Kind::Usage | Kind::Refused | Kind::Failed | Kind::NotFound) =>
        {
            stay(owner, typed, &sentence(&failure.words)).await
        }
        Err(failure) => Err(failure.into()),
    }
}

/// What was written stays on the page, and in a draft, with the reason above it.
async fn stay(owner: &Owner, mut typed: Typed, words: &str) -> Result<Response, WebError> {
    let kept = match typed.keep(owner).await {
        Err(failure) if failure.kind == Kind::Usage => {
            typed.drop_new_files();
            typed.keep(owner).await?
        }
        kept => kept?,
    };
    drafts::settle(&owner.app, &kept.id).await?;
    let source = Source { draft: kept.id, reply: typed.source.reply, ..Source::default() };
    let mut page = show(owner, "Draft", &typed.content, &source, words).await?;
    *page.status_mut() = status_of(Kind::Usage);
    Ok(page)
}

async fn autosave(owner: Owner, headers: HeaderMap, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    match save(&owner, &form).await {
        Ok(answer) => Ok(Json(answer).into_response()),
        Err(failure) if wants_json(&headers) => {
            Ok((status_of(failure.kind), Json(json!({"words": sentence(&failure.words)}))).into_response())
        }
        Err(failure) => Err(failure.into()),
    }
}

async fn save(owner: &Owner, form: &Form) -> Result<serde_json::Value, Failure> {
    let typed = typed(owner, form).await?;
    let draft = typed.keep(owner).await?;
    // The list of drafts shows a message of each: made when a draft is new, and made anew when one stops writing.
    if draft.id != typed.source.draft || form.get("settle") == "1" {
        drafts::settle(&owner.app, &draft.id).await?;
    }
    let at = jiff::Timestamp::from_second(owner.app.now())
        .unwrap_or_default()
        .to_zoned(jiff::tz::TimeZone::system());
    let files: Vec<_> = kept(&typed.content)
        .into_iter()
        .map(|k| json!({"n": k.n, "name": k.name, "size_words": k.size_words}))
        .collect();
    Ok(json!({
        "draft": draft.id, "saved": at.strftime("%H:%M").to_string(), "kept": files, "trouble": typed.trouble,
    }))
}
