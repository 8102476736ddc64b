//! The way in at the remote door: passphrase and code together, and one answer whichever of them was wrong (`threats.md` §16).

use super::form::{Form, local};
use crate::crypto::secret::SecretText;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::remote_access::ceremonies::Who;
use crate::engine::remote_access::devices;
use crate::engine::remote_access::factor::{self, Admitted, Second};
use crate::engine::remote_access::passkeys::Shown;
use crate::engine::remote_access::sessions::{Begun, Moment};
use crate::storage::database::DeviceRow;
use crate::web::Web;
use crate::web::auth::{Guesser, Owner, cookie, prove_visitor, set_cookie, visitor_token};
use crate::web::error::{WebError, page};
use crate::web::extract::{Path, Query};
use crate::web::guard::{LARGEST_FORM, host};
use crate::web::view::{LockedPage, Notice, SignInPage, Theme};
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use std::sync::Arc;

/// What is said to whoever is not let in, whatever was wrong.
const WRONG: &str =
    "That did not fit. Look at the passphrase, and at the code or the passkey; a code works only once.";
/// What a session is called that got no name.
const NAMELESS: &str = "A browser";
/// How long a browser is known, in seconds; each sign-in begins it anew.
const KNOWN: u64 = 365 * 24 * 3600;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/unlock", get(door).post(sign_in).layer(DefaultBodyLimit::max(LARGEST_FORM)))
        .route("/enter/{token}", get(by_device))
        .route("/lock", post(sign_out))
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
struct Asked {
    back: String,
}

fn show(
    web: &Web,
    host: &str,
    back: &str,
    is_known: bool,
    notice: Option<&str>,
) -> Result<Response, WebError> {
    page(&SignInPage {
        csrf: visitor_token(web),
        theme: Theme::Auto,
        back: if back.is_empty() { String::new() } else { local(back) },
        notice: notice.map(|words| Notice { words: words.to_owned(), trouble: true }),
        is_known,
        by_passkey: web.names.is_secure(host),
    })
}

/// While the store is locked nothing is asked here: a passphrase is only ever taken together with a code, and which codes are
/// right is in the store.
fn locked() -> Result<Response, WebError> {
    let mut response = page(&LockedPage::default())?;
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    Ok(response)
}

/// The cookie by which a browser is known.
fn device_cookie(web: &Web, host: &str) -> String {
    let prefix = if web.names.is_secure(host) { "__Host-" } else { "" };
    format!("{prefix}mailkeep-device")
}

fn remember_cookie(web: &Web, host: &str, token: &str) -> String {
    let secure = if web.names.is_secure(host) { "; Secure" } else { "" };
    let name = device_cookie(web, host);
    format!("{name}={token}; Path=/; Max-Age={KNOWN}; HttpOnly; SameSite=Strict{secure}")
}

/// A browser that is known, and what it shows for it.
pub(super) type Known = (DeviceRow, String);

/// Whose guess a try from this browser is.
pub(super) fn guesser(known: Option<&Known>) -> Guesser {
    known.map_or(Guesser::Stranger, |(device, _)| Guesser::Device(device.number))
}

/// Who is asked of passkeys in this browser.
pub(super) fn who(known: Option<&Known>) -> Who {
    known.map_or(Who::Stranger, |(device, _)| Who::Device(device.number))
}

/// The browser that a request comes from, if it is known.
pub(super) async fn device(web: &Web, app: &App, headers: &HeaderMap) -> Result<Option<Known>, Failure> {
    let host = host(headers).unwrap_or_default();
    let Some(token) = cookie(headers, &device_cookie(web, &host)) else { return Ok(None) };
    Ok(devices::known(app, &token).await?.map(|device| (device, token)))
}

async fn door(
    State(web): State<Arc<Web>>,
    owner: Option<Owner>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, WebError> {
    if owner.is_some() {
        return Ok(Redirect::to(&local(&asked.back)).into_response());
    }
    let Some(app) = web.vault.app() else { return locked() };
    let is_known = device(&web, &app, &headers).await?.is_some();
    show(&web, &host(&headers).unwrap_or_default(), &asked.back, is_known, None)
}

async fn sign_in(State(web): State<Arc<Web>>, headers: HeaderMap, form: Form) -> Result<Response, WebError> {
    prove_visitor(&web, form.get("csrf"))?;
    let Some(app) = web.vault.app() else { return locked() };
    let since = app.remote_access.sessions.moment();
    let known = device(&web, &app, &headers).await?;
    let host = host(&headers).unwrap_or_default();
    let guesser = guesser(known.as_ref());
    web.strangers.attempt(guesser)?;
    let passphrase = SecretText::new(form.get("passphrase").to_owned());
    let origin = web.names.origin(&host);
    let second = match form.get("ceremony") {
        "" => Second::Code(form.get("code")),
        ceremony => Second::Passkey(Shown {
            ceremony,
            answer: form.get("passkey"),
            who: who(known.as_ref()),
            origin: &origin,
        }),
    };
    let admitted = factor::admit(&web.vault, &app, &passphrase, &second).await;
    if !matches!(admitted, Ok(None)) {
        // Right, or no guess at all: the store failed.
        web.strangers.note(guesser, true);
    }
    let is_known = known.is_some();
    if let Some(admitted) = admitted? {
        let mut visit = Visit { host: &host, known, admitted, since };
        if let Some(response) = begin(&web, &app, &mut visit, &form).await? {
            return Ok(response);
        }
    }
    let mut response = show(&web, &host, form.get("back"), is_known, Some(WRONG))?;
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    Ok(response)
}

/// Somebody who is about to be in.
struct Visit<'a> {
    /// The name they came by.
    host: &'a str,
    /// Their browser, if it is known.
    known: Option<Known>,
    /// What they got in with.
    admitted: Admitted,
    /// When it was begun to look who they are.
    since: Moment,
}

/// Begins a session, and lets the browser be known from now on where that was asked for. None where sessions were ended
/// meanwhile.
async fn begin(
    web: &Web,
    app: &App,
    visit: &mut Visit<'_>,
    form: &Form,
) -> Result<Option<Response>, WebError> {
    let host = visit.host;
    let typed: String = form.get("name").chars().filter(|c| !c.is_control()).take(60).collect();
    let typed = if typed.trim().is_empty() { NAMELESS } else { typed.trim() };
    let (name, number, token) = match visit.known.take() {
        Some((device, token)) => (device.name, Some(device.number), Some(token)),
        None if form.get("remember") == "1" => {
            // That it cannot be remembered keeps nobody out.
            match devices::remember(app, typed).await {
                Ok((token, number)) => (typed.to_owned(), Some(number), Some(token)),
                Err(_) => (typed.to_owned(), None, None),
            }
        }
        None => (typed.to_owned(), None, None),
    };
    if let Some(number) = number {
        devices::see(app, number).await?;
    }
    let secret = web.sessions.begin();
    let passkey = match visit.admitted {
        Admitted::ByCode => None,
        Admitted::ByPasskey(number) => Some(number),
    };
    let begun = Begun { secret: &secret, name: &name, device: number, passkey, host };
    if !app.remote_access.sessions.begin(&begun, visit.since, app.now()) {
        web.sessions.end(&secret);
        return Ok(None);
    }
    let mut response = Redirect::to(&local(form.get("back"))).into_response();
    let cookies =
        [Some(set_cookie(web, host, &secret)), token.map(|token| remember_cookie(web, host, &token))];
    for cookie in cookies.into_iter().flatten() {
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    Ok(Some(response))
}

/// By the address of a device: its browser is known from now on, and whoever has none sees the same.
async fn by_device(
    State(web): State<Arc<Web>>,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Result<Response, WebError> {
    let mut response = Redirect::to("/unlock").into_response();
    let Some(app) = web.vault.app() else { return Ok(response) };
    if devices::known(&app, &token).await?.is_some() {
        let host = host(&headers).unwrap_or_default();
        if let Ok(cookie) = HeaderValue::from_str(&remember_cookie(&web, &host, &token)) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
    }
    Ok(response)
}

/// Ends the session. The store stays unlocked: from afar nobody could unlock it, unless it has an unlock address.
async fn sign_out(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    owner.app.remote_access.sessions.leave(&owner.session);
    owner.web.sessions.end(&owner.session);
    let mut response = Redirect::to("/unlock").into_response();
    let name = HeaderName::from_static("clear-site-data");
    response.headers_mut().insert(name, HeaderValue::from_static("\"cache\""));
    Ok(response)
}
