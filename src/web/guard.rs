//! What holds for every request before anybody looks at it: the names it may ask for, where a change may come from, and
//! the headers that every answer bears (`threats.md` §12-14).

use super::error::WebError;
use super::listener::{From, Way};
use super::names::Names;
use super::{Web, auth, content};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;

/// What is answered at the remote door before somebody is in, beside content (which names itself) and the addresses of devices:
/// the sign-in page and what it is made of, and the page that leads out of a message, which takes only what we sealed.
const WAY_IN: [&str; 7] = [
    "/leave",
    "/static/icon.svg",
    "/static/mailkeep.css",
    "/static/page.js",
    "/static/passkeys.js",
    "/unlock",
    "/unlock/passkey",
];
/// How long a form of somebody who is not in may take to arrive.
const BODY: Duration = Duration::from_secs(30);
/// The largest form that is taken from who is not in yet, in bytes.
pub(super) const LARGEST_FORM: usize = 32 << 10;
/// What is said under a name that is none of ours.
const NO_NAME: &str = "Mailkeep does not answer to this name";

/// A request with its whole body; none where it is too large or breaks off. It is read before anything is done about it, so that
/// one who is not in cannot make it last.
async fn whole(request: Request) -> Option<Request> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, LARGEST_FORM).await.ok()?;
    Some(Request::from_parts(parts, body.into()))
}

/// The same, where it is there in time.
pub(super) async fn arrived(request: Request) -> Option<Request> {
    tokio::time::timeout(BODY, whole(request)).await.ok().flatten()
}

/// The host a request names, in lower case.
pub(super) fn host(headers: &HeaderMap) -> Option<String> {
    headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_ascii_lowercase)
}

/// Guards every request.
pub(super) async fn guard(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let Some(host) = host(request.headers()) else {
        return refused("Say which host you mean");
    };
    let from = request.extensions().get::<ConnectInfo<From>>().map(|ConnectInfo(from)| from.clone());
    if !web.names.is_reached(&host, from.as_ref().map_or(Way::Home, |from| from.way)) {
        return refused(NO_NAME);
    }
    if let Some(named) = web.names.capability(&host) {
        let path = request.uri().path().to_owned();
        if request.method() != Method::GET {
            return content::bare(StatusCode::METHOD_NOT_ALLOWED);
        }
        return content::answer(&web, named.capability, &path, &named.base).await;
    }
    if !web.names.has(&host) {
        // Another name for this address (DNS rebinding) is not ours to answer.
        return refused(NO_NAME);
    }
    let path = request.uri().path();
    let is_api = path.starts_with("/api/");
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && !is_api && !own_origin(&web.names, request.headers(), &host) {
        return refused("This change does not come from a page of Mailkeep");
    }
    let is_content = path.starts_with("/content/");
    let is_in = !web.is_remote() || auth::session(&web, request.headers(), &host).is_some();
    if let Some(place) = from.and_then(|from| from.place) {
        place.note(is_in);
    }
    // From afar nothing but the way in is answered before somebody is in, whatever the pages themselves ask.
    let is_way_in = WAY_IN.contains(&path) || is_content || path.starts_with("/enter/");
    let mut response = if !is_in && !is_way_in {
        let back = request.uri().path_and_query().filter(|_| !changes).map_or("/", |path| path.as_str());
        WebError::SignIn(back.to_owned()).into_response()
    } else if !changes {
        next.run(request).await
    } else if is_in {
        to_its_end(next.run(request)).await
    } else {
        match arrived(request).await {
            Some(request) => to_its_end(next.run(request)).await,
            None => refused("This form did not arrive"),
        }
    };
    // Content comes dressed in its own way; an address below it that is none does not.
    if !is_content || !response.headers().contains_key(header::CONTENT_SECURITY_POLICY) {
        dress(response.headers_mut(), &web.names.frames(&host));
        if web.names.is_secure(&host) {
            let year = HeaderValue::from_static("max-age=31536000");
            response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, year);
        }
    }
    response
}

/// Does what was begun to its end, also when the browser hangs up: half a change helps nobody.
async fn to_its_end(deed: impl Future<Output = Response> + Send + 'static) -> Response {
    tokio::spawn(deed).await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Whether a change comes from one of our own pages. `null` never does: every sandboxed frame of the web says that.
pub(super) fn own_origin(names: &Names, headers: &HeaderMap, host: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?").to_ascii_lowercase());
    match text("origin") {
        Some(origin) => names.is_origin(&origin, host),
        None => text("sec-fetch-site").as_deref() == Some("same-origin"),
    }
}

pub(super) fn refused(words: &'static str) -> Response {
    let mut response = (StatusCode::FORBIDDEN, words).into_response();
    dress(response.headers_mut(), "");
    response
}

/// The headers of every page; `frames` is where its frames may come from.
pub(super) fn dress(headers: &mut HeaderMap, frames: &str) {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: {frames}; connect-src 'self'; \
         form-action 'self'; frame-src 'self' {frames}; base-uri 'none'; frame-ancestors 'none'"
    );
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY)
        && let Ok(policy) = HeaderValue::from_str(&policy)
    {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    let fixed: [(header::HeaderName, &str); 7] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_DNS_PREFETCH_CONTROL, "off"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
