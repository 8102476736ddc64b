//! What a script is told when a call fails: `application/problem+json` (RFC 9457).

use crate::engine::failure::{Failure, Kind};
use crate::web::error::{WebError, sentence, status_of};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A failure on its way to a script.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) words: String,
    /// A header that goes with this status.
    header: Option<(HeaderName, String)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, words: impl Into<String>) -> Self {
        Self { status, words: words.into(), header: None }
    }

    /// No token, or one that is none.
    pub(super) fn unauthorized(words: &str) -> Self {
        let header = Some((header::WWW_AUTHENTICATE, "Bearer realm=\"mailkeep\"".to_owned()));
        Self { header, ..Self::new(StatusCode::UNAUTHORIZED, words) }
    }

    /// Too many wrong guesses.
    pub(super) fn throttled(seconds: u64) -> Self {
        let words = format!("Too many wrong guesses; wait {seconds} seconds and try again");
        let header = Some((header::RETRY_AFTER, seconds.to_string()));
        Self { header, ..Self::new(StatusCode::TOO_MANY_REQUESTS, words) }
    }

    pub(super) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "There is no such call; /api/v1/openapi.json describes all there are",
        )
    }

    pub(super) fn not_allowed(allowed: &str) -> Self {
        let words = format!("This address does not take that method; it takes {allowed}");
        Self {
            header: Some((header::ALLOW, allowed.to_owned())),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, words)
        }
    }

    pub(super) fn locked() -> Self {
        Self::new(StatusCode::LOCKED, "Mailkeep is locked; unlock it in the browser first")
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure.kind {
            Kind::Locked => Self::locked(),
            kind => Self::new(status_of(kind), failure.words),
        }
    }
}

impl From<WebError> for Problem {
    fn from(error: WebError) -> Self {
        match error {
            WebError::Failed(failure) => failure.into(),
            WebError::Throttled(seconds) => Self::throttled(seconds),
            WebError::NotFound => Self::not_found(),
            WebError::Forged => Self::new(StatusCode::FORBIDDEN, "This may not be done from here"),
            WebError::SignIn(_) | WebError::SetUp => Self::locked(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Failed");
        let body = json!({
            "type": "about:blank", "title": title, "status": self.status.as_u16(), "detail": sentence(&self.words),
        });
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some((name, value)) = self.header
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            headers.insert(name, value);
        }
        response
    }
}
