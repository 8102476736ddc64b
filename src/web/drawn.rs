//! Pictures from mail on the content host: never as they came, always drawn anew behind walls.

use super::content::{bare, download, picture};
use crate::engine::app::App;
use crate::engine::preview::{self, inline_pictures};
use crate::engine::read::Opened;
use crate::mail::part::Part;
use crate::worker::{Job, Size};
use axum::http::StatusCode;
use axum::response::Response;

/// How many pages of a document are shown at a time.
pub(super) const PAGES: u32 = 6;
/// How wide a page is drawn, in pixels.
const PAGE_WIDTH: u32 = 1_100;

/// The job that draws the pages of which `page` (from 1) is one.
pub(super) const fn pages(page: u32) -> Job {
    let first = page.saturating_sub(1) / PAGES * PAGES + 1;
    Job::Pages { first, most: PAGES, width: PAGE_WIDTH }
}

/// The job that makes a safe copy.
pub(super) fn copy(media_type: &str) -> Job {
    Job::Copy { media_type: media_type.to_owned() }
}

/// A picture that the HTML of a message shows within itself. The first one asked for has all of them drawn.
pub(super) async fn inline(app: &App, opened: &Opened, n: u32, page: &str) -> Response {
    let all = inline_pictures(opened);
    one_of(app, &all, n, Size::Screen, page).await
}

/// The small picture of an attachment, likewise.
pub(super) async fn thumbnail(app: &App, opened: &Opened, n: u32, page: &str) -> Response {
    let parts = opened.message.attachments().filter(|part| preview::is_drawable(&part.content_type));
    let all: Vec<(u32, Vec<u8>)> =
        parts.take(100).map(|part| (part.n, part.decoded(&opened.raw).into_owned())).collect();
    one_of(app, &all, n, Size::Thumbnail, page).await
}

async fn one_of(app: &App, all: &[(u32, Vec<u8>)], n: u32, size: Size, page: &str) -> Response {
    let Some(at) = all.iter().position(|(of, _)| *of == n) else { return bare(StatusCode::NOT_FOUND) };
    let inputs: Vec<&[u8]> = all.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    let reports = app.opener.pictures(&inputs, size).await;
    match reports.get(at).and_then(|report| report.made.first()) {
        Some(made) => picture(made.bytes.clone(), made.media_type.as_str(), page),
        None => bare(StatusCode::NOT_FOUND),
    }
}

/// What the page of one attachment shows of it: itself at `/picture`, its pages at `/page/N`.
pub(super) async fn of_part(app: &App, opened: &Opened, part: &Part, path: &str, page: &str) -> Response {
    let bytes = part.decoded(&opened.raw);
    if path == "/picture" {
        let reports = app.opener.pictures(&[&bytes], Size::Screen).await;
        if let Some(made) = reports.first().and_then(|report| report.made.first()) {
            return picture(made.bytes.clone(), made.media_type.as_str(), page);
        }
    } else if let Some(number) = path.strip_prefix("/page/").and_then(|n| n.parse::<u32>().ok()) {
        let report = app.opener.run(&pages(number), &bytes).await;
        if let Some(made) = report.made.iter().find(|made| made.of == number) {
            return picture(made.bytes.clone(), made.media_type.as_str(), page);
        }
    }
    bare(StatusCode::NOT_FOUND)
}

/// The safe copy of a part, as a download.
pub(super) async fn safe_copy(app: &App, opened: &Opened, part: &Part, media_type: &str) -> Response {
    let report = app.opener.run(&copy(media_type), &part.decoded(&opened.raw)).await;
    match report.made.first() {
        Some(made) => download(made.bytes.clone(), &copy_name(part, made.media_type.ending())),
        None => bare(StatusCode::NOT_FOUND),
    }
}

/// The name of a safe copy: `plan.pdf` becomes `plan (safe copy).pdf`.
pub(super) fn copy_name(part: &Part, ending: &str) -> String {
    let name = part.name.as_deref().unwrap_or("attachment");
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    format!("{stem} (safe copy).{ending}")
}
