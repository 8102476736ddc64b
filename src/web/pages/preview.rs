//! An attachment on a page of its own, and what the list of attachments says about each.

use super::shell::shell;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::preview::{self, trouble};
use crate::engine::read::{self, Opened};
use crate::mail::attachment::{Kind, Verdict};
use crate::mail::part::{Part, Risk, Role};
use crate::web::auth::Owner;
use crate::web::content::Piece;
use crate::web::error::{WebError, page, sentence};
use crate::web::view::{Attachment, CopyView, EventView, Picture, PreviewPage, Shown, Spot};
use crate::web::{Web, drawn, files, words};
use crate::worker::job::Found;
use crate::worker::{Job, Size, can_copy};
use axum::Router;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::get;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/messages/{id}/parts/{n}/preview", get(look))
        .route("/messages/{id}/parts/{n}/copy", get(copy))
}

#[derive(serde::Deserialize, Default)]
struct Asked {
    /// The first page of a document that is shown.
    #[serde(default)]
    page: u32,
}

/// A text is shown up to so many bytes.
const TEXT_MAX: usize = 200_000;

/// What was asked for, with what is said about it.
struct Subject {
    opened: Arc<Opened>,
    n: u32,
    verdict: Verdict,
}

impl Subject {
    async fn find(owner: &Owner, id: &str, n: u32) -> Result<Self, WebError> {
        let opened = Arc::new(read::open(&owner.app, id).await?);
        let verdict = preview::verdicts(&owner.app, &opened).await?.remove(&n).ok_or(WebError::NotFound)?;
        Ok(Self { opened, n, verdict })
    }

    fn part(&self) -> Result<&Part, WebError> {
        self.opened.message.part(self.n).ok_or(WebError::NotFound)
    }
}

async fn look(
    owner: Owner,
    Path((id, n)): Path<(String, u32)>,
    Query(asked): Query<Asked>,
) -> Result<Response, WebError> {
    let subject = Subject::find(&owner, &id, n).await?;
    let first = asked.page.max(1);
    let (shown, notes, total) = shown(&owner, &subject, first).await?;
    let mut view = blank(&owner, &subject).await?;
    let address = |page: u32| format!("/messages/{}/parts/{n}/preview?page={page}", subject.opened.row.id);
    let first = (first - 1) / drawn::PAGES * drawn::PAGES + 1;
    view.earlier = (first > 1 && total > 0).then(|| address(first.saturating_sub(drawn::PAGES).max(1)));
    view.later = (first + drawn::PAGES <= total).then(|| address(first + drawn::PAGES));
    (view.shown, view.notes) = (shown, notes);
    page(&view)
}

async fn copy(owner: Owner, Path((id, n)): Path<(String, u32)>) -> Result<Response, WebError> {
    let subject = Subject::find(&owner, &id, n).await?;
    let mut view = blank(&owner, &subject).await?;
    view.copy_href = String::new();
    let part = subject.part()?;
    let Some(media_type) = copied_as(&subject.verdict) else {
        view.notes.push("Mailkeep can make no safe copy of this kind of file.".to_owned());
        return page(&view);
    };
    let report = owner.app.opener.run(&drawn::copy(media_type), &part.decoded(&subject.opened.raw)).await;
    match report.made.first() {
        Some(made) => {
            let pages = report
                .summary
                .failed
                .iter()
                .map(|(page, words)| format!("Page {page} is left blank: {}", sentence(words)));
            view.copy = Some(CopyView {
                name: drawn::copy_name(part, made.media_type.ending()),
                href: owner.web.grants.address(&owner, subject.opened.row.id, Piece::Copy(n, media_type)),
                size_words: words::size(made.bytes.len() as u64),
                notes: pages.take(10).chain(report.summary.notes.iter().cloned()).collect(),
            });
        }
        None => view
            .notes
            .push(format!("There is no safe copy. {}", sentence(&trouble(&report).unwrap_or_default()))),
    }
    page(&view)
}

/// The media type under which a safe copy is made.
fn copied_as(verdict: &Verdict) -> Option<&'static str> {
    let media_type = match verdict.kind {
        Some(Kind::Pdf) => "application/pdf",
        Some(Kind::Picture) => verdict.picture,
        _ => return None,
    };
    can_copy(media_type).then_some(media_type)
}

/// The page before anything of the file is shown.
async fn blank(owner: &Owner, subject: &Subject) -> Result<PreviewPage, WebError> {
    let part = subject.part()?;
    let message = subject.opened.row.id.to_string();
    let file = attachment(part, &subject.verdict, &message, None);
    let shell = shell(owner, &file.name, Spot::Elsewhere, "").await?;
    let copy_href = file.copy_href.clone();
    Ok(PreviewPage {
        shell,
        back: format!("/messages/{message}"),
        file,
        copy_href,
        copy: None,
        notes: Vec::new(),
        shown: Shown::Nothing,
        earlier: None,
        later: None,
    })
}

/// What the file shows, what is to be said about that, and how many pages it has.
async fn shown(owner: &Owner, subject: &Subject, first: u32) -> Result<(Shown, Vec<String>, u32), WebError> {
    let (part, raw) = (subject.part()?, &subject.opened.raw);
    let bytes = part.decoded(raw);
    let opener = &owner.app.opener;
    let job = match subject.verdict.kind {
        Some(Kind::Picture) => {
            let reports = opener.pictures(&[&bytes], Size::Screen).await;
            let made = reports.first().and_then(|report| report.made.first());
            let Some(made) = made else {
                let words = reports.first().and_then(|report| trouble(report)).unwrap_or_default();
                return Ok((Shown::Nothing, vec![sentence(&words)], 0));
            };
            let src = owner.web.grants.address(owner, subject.opened.row.id, Piece::Preview(part.n));
            let (width, height) = (made.width, made.height);
            let label = part.name.clone().unwrap_or_else(|| "Picture".to_owned());
            let picture =
                Picture { src: format!("{src}picture"), width, height, label, ..Picture::default() };
            return Ok((Shown::Pictures(vec![picture]), Vec::new(), 0));
        }
        Some(Kind::Pdf) => drawn::pages(first),
        Some(Kind::Calendar) => Job::Calendar,
        Some(Kind::Card) => Job::Cards,
        Some(Kind::Archive | Kind::Office | Kind::Macros) => Job::Archive,
        Some(Kind::Message) if part.is_message() || bytes.is_ascii() || !bytes.contains(&0) => {
            return Ok((files::message(&bytes), Vec::new(), 0));
        }
        Some(
            Kind::Text
            | Kind::Xml
            | Kind::Script
            | Kind::WebPage
            | Kind::Drawing
            | Kind::Shortcut
            | Kind::Key,
        ) if !bytes.contains(&0) || part.charset.is_some() => {
            return Ok(text(part, raw));
        }
        _ => return Ok((Shown::Nothing, vec!["Mailkeep cannot show this kind of file.".to_owned()], 0)),
    };
    let report = opener.run(&job, &bytes).await;
    let mut notes: Vec<String> = report.summary.notes.clone();
    if let Some(words) = trouble(&report) {
        notes.push(sentence(&words));
        return Ok((Shown::Nothing, notes, report.summary.pages.unwrap_or(0)));
    }
    notes.extend(report.stopped.as_ref().map(|words| format!("The rest is missing: {}", sentence(words))));
    let failed = report.summary.failed.iter().take(10);
    notes.extend(failed.map(|(page, words)| format!("Page {page} is not shown: {}", sentence(words))));
    let total = report.summary.pages.unwrap_or(0);
    let shown = match &report.summary.found {
        Some(Found::Calendar(calendar)) => Shown::Events(files::events(calendar)),
        Some(Found::Cards(cards)) => {
            Shown::Cards(cards.iter().map(|card| (card.name.clone(), card.fields.clone())).collect())
        }
        Some(Found::Archive(listing)) => Shown::Listing(files::rows(listing)),
        None => {
            let src = owner.web.grants.address(owner, subject.opened.row.id, Piece::Preview(part.n));
            Shown::Pictures(
                report
                    .made
                    .iter()
                    .map(|made| Picture {
                        src: format!("{src}page/{}", made.of),
                        width: made.width,
                        height: made.height,
                        label: format!("Page {}", made.of),
                        caption: if total > 1 {
                            format!("Page {} of {total}", made.of)
                        } else {
                            String::new()
                        },
                        text: made.text.clone(),
                    })
                    .collect(),
            )
        }
    };
    Ok((shown, notes, total))
}

fn text(part: &Part, raw: &[u8]) -> (Shown, Vec<String>, u32) {
    let text = part.text(raw);
    let shown = crate::engine::receive::clip(&text, TEXT_MAX);
    let notes = if shown.len() < text.len() {
        vec![format!("Only the first {} are shown.", words::size(shown.len() as u64))]
    } else {
        Vec::new()
    };
    (Shown::Text(shown.to_owned()), notes, 0)
}

/// What a message's page says about its files, and what it invites to.
pub(super) async fn of_message(
    owner: &Owner,
    opened: &Arc<Opened>,
) -> Result<(Vec<Attachment>, Vec<EventView>), Failure> {
    let offered: Vec<&Part> = opened.message.attachments().collect();
    if offered.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let verdicts = preview::verdicts(&owner.app, opened).await?;
    let message = opened.row.id.to_string();
    let is_drawn = |part: &&Part| preview::is_drawable(&part.content_type);
    let thumbs = offered
        .iter()
        .any(is_drawn)
        .then(|| owner.web.grants.address(owner, opened.row.id, Piece::Thumbnails));
    let files = offered
        .iter()
        .filter_map(|part| {
            let thumb =
                thumbs.as_ref().filter(|_| is_drawn(part)).map(|base| format!("{base}thumb/{}", part.n));
            Some(attachment(part, verdicts.get(&part.n)?, &message, thumb))
        })
        .collect();
    Ok((files, invitation(&owner.app, opened).await))
}

/// The event that a message as a whole is about.
async fn invitation(app: &App, opened: &Opened) -> Vec<EventView> {
    let Some(part) = opened.message.parts.iter().find(|part| part.role == Role::Invitation) else {
        return Vec::new();
    };
    let report = app.opener.run(&Job::Calendar, &part.decoded(&opened.raw)).await;
    match &report.summary.found {
        Some(Found::Calendar(calendar)) => {
            let mut events = files::events(calendar);
            events.truncate(3);
            // The message says it in its own words; the rest is one click away.
            events.iter_mut().for_each(|event| event.description = String::new());
            events
        }
        _ => Vec::new(),
    }
}

fn attachment(part: &Part, verdict: &Verdict, message: &str, thumb: Option<String>) -> Attachment {
    let base = format!("/messages/{message}/parts/{}", part.n);
    let previewed = verdict.kind.is_some_and(files::is_shown) && part.bytes > 0;
    Attachment {
        name: part.name.clone().unwrap_or_else(|| format!("part {}", part.n)),
        kind: files::label(part, verdict),
        size_words: words::size(part.bytes),
        difference: verdict.difference.clone(),
        risk_words: verdict.reasons.join(" "),
        danger: verdict.risk == Risk::Danger,
        preview_href: if previewed { format!("{base}/preview") } else { String::new() },
        copy_href: if copied_as(verdict).is_some() { format!("{base}/copy") } else { String::new() },
        thumb: thumb.unwrap_or_default(),
        href: base,
    }
}
