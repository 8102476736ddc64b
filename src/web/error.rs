//! What a visitor may know about a failure.

use super::view::{ErrorPage, Theme};
use crate::engine::failure::{Failure, Kind};
use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};

/// A failure on its way to a page.
#[derive(Debug)]
pub(super) enum WebError {
    /// The deed failed.
    Failed(Failure),
    /// Nothing is here.
    NotFound,
    /// The form was not ours.
    Forged,
    /// Too many wrong passphrases.
    Throttled(u64),
    /// Somebody has to sign in first; where to go on afterwards.
    SignIn(String),
    /// There is no store yet.
    SetUp,
}

impl<E: Into<Failure>> From<E> for WebError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A sentence for people: a capital letter in front and a full stop behind.
pub(super) fn sentence(words: &str) -> String {
    let mut letters = words.trim().chars();
    let mut out: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    out.push_str(letters.as_str());
    if !out.ends_with(['.', '?', '!']) {
        out.push('.');
    }
    out
}

pub(super) const fn status_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        Kind::Refused => StatusCode::CONFLICT,
        Kind::Usage => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Locked => StatusCode::LOCKED,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Damaged => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        let wait = match &self {
            Self::Throttled(seconds) => Some(*seconds),
            _ => None,
        };
        let inbox = || Some(("Go to the inbox".to_owned(), "/".to_owned()));
        let (status, heading, words, action) = match self {
            Self::SignIn(back) if back == "/" => return Redirect::to("/unlock").into_response(),
            Self::SignIn(back) => {
                return Redirect::to(&format!("/unlock?back={}", super::view::encoded(&back)))
                    .into_response();
            }
            Self::SetUp => return Redirect::to("/setup").into_response(),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "Nothing is here",
                "The address leads nowhere; perhaps the message was deleted.".to_owned(),
                inbox(),
            ),
            Self::Forged => (
                StatusCode::FORBIDDEN,
                "That form is out of date",
                "Nothing was changed. Go back, load the page anew, and try again.".to_owned(),
                inbox(),
            ),
            Self::Throttled(seconds) => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many wrong passphrases",
                format!("Wait {seconds} seconds, then try again."),
                Some(("Try again".to_owned(), "/unlock".to_owned())),
            ),
            Self::Failed(failure) => {
                if failure.kind == Kind::Locked {
                    return Redirect::to("/unlock").into_response();
                }
                let heading = match failure.kind {
                    Kind::NotFound => "Nothing is here",
                    Kind::Usage | Kind::Refused => "That cannot be done like this",
                    Kind::Damaged => "A part of the store is damaged",
                    _ => "That did not work",
                };
                (status_of(failure.kind), heading, sentence(&failure.words), inbox())
            }
        };
        let page = ErrorPage {
            theme: Theme::Auto,
            status: status.as_u16(),
            heading: heading.to_owned(),
            words,
            action,
        };
        let mut response =
            (status, Html(page.render().unwrap_or_else(|_| heading.to_owned()))).into_response();
        if let Some(seconds) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
        }
        response
    }
}

/// A rendered page.
pub(super) fn page(template: &impl Template) -> Result<Response, WebError> {
    match template.render() {
        Ok(html) => Ok(Html(html).into_response()),
        Err(error) => {
            tracing::error!(%error, "A page could not be rendered");
            Err(Failure::failed("The page could not be shown").into())
        }
    }
}
