//! Writing: new messages, answers, drafts that are saved as one types.

use super::actions::wants_json;
use super::form::{Form, local};
use super::shell::shell;
use crate::engine::drafts::{self, Attached, Content};
use crate::engine::failure::{Failure, Kind};
use crate::engine::{accounts, read, settings};
use crate::mail::address::Person;
use crate::mail::compose::write_person;
use crate::storage::database::settings as table;
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::{WebError, page, sentence, status_of};
use crate::web::extract::Query;
use crate::web::view::{ComposePage, Composer, Kept, SenderChoice, Spot};
use crate::web::words;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new().route("/compose", get(open).post(done)).route("/compose/save", post(autosave))
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
    draft: String,
}

async fn open(owner: Owner, Query(asked): Query<Asked>) -> Result<Response, WebError> {
    let (heading, content, draft) = if !asked.draft.is_empty() {
        let kept = drafts::find(&owner.app, &asked.draft).await?;
        ("Draft", kept.content, kept.id)
    } else if !asked.reply.is_empty() {
        let row = read::find(&owner.app, &asked.reply).await?;
        let when = words::quote_date(row.date);
        let content = drafts::reply_to(&owner.app, &asked.reply, asked.all == "1", &when).await?;
        ("Reply", signed(&owner, content).await?, String::new())
    } else if !asked.forward.is_empty() {
        let row = read::find(&owner.app, &asked.forward).await?;
        let content = drafts::forward(&owner.app, &asked.forward, &words::quote_date(row.date)).await?;
        // What a forward carries along must survive the form, so it begins as a draft.
        let kept = drafts::save(&owner.app, None, &signed(&owner, content).await?).await?;
        ("Forward", kept.content, kept.id)
    } else {
        let content = Content {
            to: asked.to.clone(),
            subject: asked.subject.clone(),
            body: asked.body.clone(),
            ..Content::default()
        };
        ("New message", signed(&owner, content).await?, String::new())
    };
    show(&owner, heading, &content, &draft, &asked.reply, "").await
}

/// Puts the owner's signature under the text, above a quote.
async fn signed(owner: &Owner, mut content: Content) -> Result<Content, Failure> {
    // Room to write in, above what is quoted.
    if !content.body.is_empty() && !content.body.starts_with('\n') {
        content.body.insert_str(0, "\n\n");
    }
    let signature = settings::get(&owner.app, "writing.signature").await?;
    if signature.trim().is_empty() {
        return Ok(content);
    }
    content.body = format!("\n\n-- \n{}\n{}", signature.trim_end(), content.body);
    Ok(content)
}

async fn show(
    owner: &Owner,
    heading: &str,
    content: &Content,
    draft: &str,
    reply: &str,
    trouble: &str,
) -> Result<Response, WebError> {
    let shell = shell(owner, heading, Spot::Elsewhere, "").await?;
    let composer = composer(owner, content, draft, reply, trouble).await?;
    page(&ComposePage { shell, heading: heading.to_owned(), composer })
}

/// The composer with what a draft holds.
pub(super) async fn composer(
    owner: &Owner,
    content: &Content,
    draft: &str,
    reply: &str,
    trouble: &str,
) -> Result<Composer, Failure> {
    let accounts = accounts::list(&owner.app).await?;
    let people = table::people(&mut *owner.app.reader.get().await?, 200).await?;
    let from = accounts
        .into_iter()
        .map(|a| SenderChoice {
            chosen: a.email == content.from,
            shown: write_person(&Person { name: a.name, address: a.email.clone() }),
            address: a.email,
        })
        .collect();
    Ok(Composer {
        draft: draft.to_owned(),
        reply: reply.to_owned(),
        forward: String::new(),
        from,
        to: content.to.clone(),
        cc: content.cc.clone(),
        bcc: content.bcc.clone(),
        subject: content.subject.clone(),
        body: content.body.clone(),
        kept: kept(content),
        outcome: "Will go out readable by the mail servers on its way.".into(),
        saved_words: if draft.is_empty() { String::new() } else { "Saved".into() },
        trouble: trouble.to_owned(),
        people: people
            .into_iter()
            .map(|p| write_person(&Person { name: p.name, address: p.address }))
            .collect(),
        ..Composer::default()
    })
}

fn kept(content: &Content) -> Vec<Kept> {
    (0..)
        .zip(&content.attachments)
        .map(|(n, a)| Kept { n, name: a.name.clone(), size_words: words::size(a.bytes() as u64) })
        .collect()
}

/// What the form holds, on top of the draft it continues.
async fn content(owner: &Owner, form: &Form) -> Result<(Option<String>, Content), Failure> {
    let draft = Some(form.get("draft")).filter(|d| !d.is_empty()).map(str::to_owned);
    let before = match &draft {
        Some(id) => drafts::find(&owner.app, id).await?.content,
        None => Content::default(),
    };
    let keep: Vec<usize> = form.all("keep_attachment").filter_map(|n| n.parse().ok()).collect();
    let mut attachments: Vec<Attached> = before
        .attachments
        .into_iter()
        .enumerate()
        .filter(|(n, _)| keep.contains(n))
        .map(|(_, a)| a)
        .collect();
    for (_, name, kind, bytes) in &form.files {
        attachments.push(Attached::new(name, kind, bytes));
    }
    let mut content = Content {
        from: form.get("from").to_owned(),
        to: form.get("to").to_owned(),
        cc: form.get("cc").to_owned(),
        bcc: form.get("bcc").to_owned(),
        subject: form.get("subject").to_owned(),
        body: form.get("body").replace("\r\n", "\n"),
        reply_to_id: before.reply_to_id,
        in_reply_to: before.in_reply_to,
        references: before.references,
        attachments,
    };
    let reply = form.get("reply");
    if !reply.is_empty() && content.in_reply_to.is_none() {
        let beginning = drafts::reply_to(&owner.app, reply, false, "").await?;
        content.reply_to_id = beginning.reply_to_id;
        (content.in_reply_to, content.references) = (beginning.in_reply_to, beginning.references);
    }
    Ok((draft, content))
}

async fn done(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let reply = form.get("reply").to_owned();
    let draft = form.get("draft");
    let back = match local(form.get("back")) {
        path if path.starts_with("/compose") => "/".to_owned(),
        path => path,
    };
    if form.get("do") == "discard" {
        if !draft.is_empty() {
            drafts::discard(&owner.app, draft).await?;
        }
        return Ok(Redirect::to(&back).into_response());
    }
    let (draft, content) = content(&owner, &form).await?;
    if form.get("do") != "send" {
        let kept = drafts::save(&owner.app, draft.as_deref(), &content).await?;
        drafts::settle(&owner.app, &kept.id).await?;
        return Ok(Redirect::to(&format!("/compose?draft={}", kept.id)).into_response());
    }
    match drafts::send_content(&owner.app, &content).await {
        Ok(id) => {
            if let Some(draft) = draft {
                drafts::discard(&owner.app, &draft).await?;
            }
            let joint = if back.contains('?') { '&' } else { '?' };
            Ok(Redirect::to(&format!("{back}{joint}sent={id}")).into_response())
        }
        // What was written stays on the page, with the reason above it.
        Err(failure) if matches!(failure.kind, Kind::Usage | Kind::Failed | Kind::NotFound) => {
            let kept = drafts::save(&owner.app, draft.as_deref(), &content).await?;
            let mut page =
                show(&owner, "New message", &content, &kept.id, &reply, &sentence(&failure.words)).await?;
            *page.status_mut() = status_of(Kind::Usage);
            Ok(page)
        }
        Err(failure) => Err(failure.into()),
    }
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
    let (draft, content) = content(owner, form).await?;
    // The list of drafts shows a message of each: made when a draft is new, and made anew when one stops writing.
    let settles = draft.is_none() || form.get("settle") == "1";
    let kept_draft = drafts::save(&owner.app, draft.as_deref(), &content).await?;
    if settles {
        drafts::settle(&owner.app, &kept_draft.id).await?;
    }
    let at = jiff::Timestamp::from_second(owner.app.now())
        .unwrap_or_default()
        .to_zoned(jiff::tz::TimeZone::system());
    let files: Vec<_> = kept(&content)
        .into_iter()
        .map(|k| json!({"n": k.n, "name": k.name, "size_words": k.size_words}))
        .collect();
    Ok(json!({"draft": kept_draft.id, "saved": at.strftime("%H:%M").to_string(), "kept": files}))
}
