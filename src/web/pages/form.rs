//! Reading forms, urlencoded or multipart, as fields and files.

use crate::engine::failure::Failure;
use crate::web::error::WebError;
use axum::extract::{FromRequest, Multipart, RawForm, Request};
use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// A form that was sent.
#[derive(Debug, Default)]
pub(in crate::web) struct Form {
    fields: Vec<(String, String)>,
    /// Files: field, name, media type, bytes.
    pub(super) files: Vec<(String, String, String, Vec<u8>)>,
}

/// How many fields a form may have.
const MOST_FIELDS: usize = 5_000;

impl Form {
    /// The fields of an urlencoded form that was read already; none where it is of another kind.
    pub(in crate::web) fn urlencoded(headers: &HeaderMap, bytes: &[u8]) -> Self {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_form = kind.starts_with("application/x-www-form-urlencoded");
        let bytes = if is_form { bytes } else { &[] };
        Self { fields: form_fields(bytes).take(MOST_FIELDS).collect(), files: Vec::new() }
    }

    /// The value of a field; empty where there is none.
    pub(in crate::web) fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }

    /// All values of a field.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// A digest of all that it holds: the same for the same form sent twice.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut all = Sha256::new();
        let mut piece = |bytes: &[u8]| {
            all.update((bytes.len() as u64).to_be_bytes());
            all.update(bytes);
        };
        for (name, value) in &self.fields {
            piece(name.as_bytes());
            piece(value.as_bytes());
        }
        for (field, name, kind, bytes) in &self.files {
            [field.as_bytes(), name.as_bytes(), kind.as_bytes(), bytes].into_iter().for_each(&mut piece);
        }
        all.finalize().into()
    }

    /// Where the form wants to go back to: a path on this site, or the inbox.
    pub(super) fn back(&self) -> String {
        local(self.get("back"))
    }
}

/// A path that cannot leave this site.
pub(super) fn local(path: &str) -> String {
    let good = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && path.bytes().all(|b| b.is_ascii_graphic())
        && path.len() < 8_000;
    if good { path.to_owned() } else { "/".to_owned() }
}

impl FromRequest<Arc<crate::web::Web>> for Form {
    type Rejection = WebError;

    async fn from_request(request: Request, state: &Arc<crate::web::Web>) -> Result<Self, WebError> {
        let bad = || {
            WebError::Failed(Failure::usage("The form could not be read; perhaps it was larger than 64 MB"))
        };
        let kind =
            request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("multipart/form-data") {
            let RawForm(bytes) = RawForm::from_request(request, state).await.map_err(|_| bad())?;
            let fields: Vec<(String, String)> = form_fields(&bytes).take(MOST_FIELDS).collect();
            return Ok(Self { fields, files: Vec::new() });
        }
        let mut form = Self::default();
        let mut parts = Multipart::from_request(request, state).await.map_err(|_| bad())?;
        while let Some(part) = parts.next_field().await.map_err(|_| bad())? {
            let name = part.name().unwrap_or_default().to_owned();
            match part.file_name().map(str::to_owned) {
                Some(file) => {
                    let kind = part.content_type().unwrap_or("application/octet-stream").to_owned();
                    let bytes = part.bytes().await.map_err(|_| bad())?;
                    if !file.is_empty() {
                        form.files.push((name, file, kind, bytes.to_vec()));
                    }
                }
                None => form.fields.push((name, part.text().await.map_err(|_| bad())?)),
            }
            if form.fields.len() + form.files.len() > MOST_FIELDS {
                return Err(bad());
            }
        }
        Ok(form)
    }
}

/// The fields of an urlencoded form.
fn form_fields(bytes: &[u8]) -> impl Iterator<Item = (String, String)> {
    bytes.split(|b| *b == b'&').filter(|piece| !piece.is_empty()).map(|piece| {
        let at = piece.iter().position(|b| *b == b'=').unwrap_or(piece.len());
        let (name, value) = piece.split_at(at);
        (decoded(name), decoded(value.strip_prefix(b"=").unwrap_or_default()))
    })
}

fn decoded(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'+', _) => out.push(b' '),
            (b'%', [a, b, beyond @ ..]) => {
                let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
                match (digit(*a), digit(*b)) {
                    (Some(a), Some(b)) => {
                        out.push(a << 4 | b);
                        rest = beyond;
                    }
                    _ => out.push(b'%'),
                }
            }
            (other, _) => out.push(*other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_as_browsers_write_them() {
        let fields: Vec<_> = form_fields(b"id=a&id=b&q=caf%C3%A9+x%2&empty=&bare").collect();
        let expected = [("id", "a"), ("id", "b"), ("q", "café x%2"), ("empty", ""), ("bare", "")];
        assert_eq!(fields, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn nobody_is_led_off_this_site() {
        for path in ["//evil.example", "https://evil.example", "/\\evil.example", "", "x", "/a b"] {
            assert_eq!(local(path), "/", "{path}");
        }
        assert_eq!(local("/search?q=a%20b"), "/search?q=a%20b");
    }
}
