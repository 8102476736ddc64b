//! The pieces of an address as arguments of handlers. Whoever comes by an address that is none sees a page of ours.

use super::error::WebError;
use crate::engine::failure::Failure;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// The fields behind the question mark.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, WebError> {
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(fields)) => Ok(Self(fields)),
            Err(_) => Err(Failure::usage("What stands behind the question mark cannot be understood").into()),
        }
    }
}

/// The pieces of the path.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, WebError> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(pieces)) => Ok(Self(pieces)),
            Err(_) => Err(WebError::NotFound),
        }
    }
}
