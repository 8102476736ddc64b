//! The unlock door: what a locked store answers at its unlock address. One form, passphrase and code together, and one answer at
//! one moment whatever was wrong (`threats.md` §16). It has no session, no cookie and no other page, and shares no count of
//! guesses with any other door.

mod attempt;
mod clock;
mod keeper;
#[cfg(test)]
mod tests;

pub use keeper::Keeper;

use super::auth::{Throttle, token_of};
use super::error::{WebError, page};
use super::guard::{arrived, dress, host, own_origin, refused};
use super::listener::{From, Way};
use super::names::{AfarName, Names};
use super::pages::form::Form;
use super::static_files;
use super::view::{Notice, Theme, UnlockAfarPage, UnlockedAfarPage};
use crate::crypto::secret::{Key, SecretText};
use crate::engine::vault::Vault;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use clock::Clock;
use std::sync::{Arc, RwLock};
use subtle::ConstantTimeEq;

/// What is said to whoever is not let in, whatever was wrong, and also where nothing was looked at.
const WRONG: &str = "That did not fit. Look at the passphrase and the code; a code works only once, here and at your mailbox. \
                     After some wrong tries it takes up to four minutes until the next one is looked at.";
/// What the page is made of, beside itself.
const MADE_OF: [&str; 2] = ["/static/mailkeep.css", "/static/icon.svg"];

/// The unlock door over a vault. It lives as long as the server, and so does its count of guesses.
pub struct UnlockDoor {
    vault: Arc<Vault>,
    names: Names,
    throttle: Throttle,
    /// One at a time is looked at, from its arrival to its answer: nobody measures what another one's took.
    turn: tokio::sync::Mutex<()>,
    /// Derives the form token.
    process_key: Key,
    clock: Clock,
}

impl UnlockDoor {
    /// The door. It answers to no name yet.
    #[must_use]
    pub fn new(vault: Arc<Vault>) -> Arc<Self> {
        Arc::new(Self::with(vault, Clock::default()))
    }

    fn with(vault: Arc<Vault>, clock: Clock) -> Self {
        Self {
            vault,
            names: Names::Afar(RwLock::default()),
            throttle: Throttle::default(),
            turn: tokio::sync::Mutex::default(),
            process_key: Key::random(),
            clock,
        }
    }

    /// Answers to an address from now on, or no more. No name below it is one.
    fn change_name(&self, address: &str, there: bool) {
        self.names.change(&AfarName::bare_onion(address), there);
    }

    fn show(&self, notice: Option<&str>) -> Result<Response, WebError> {
        page(&UnlockAfarPage {
            csrf: token_of(&self.process_key),
            theme: Theme::Auto,
            notice: notice.map(|words| Notice { words: words.to_owned(), trouble: true }),
        })
    }

    /// The one answer to all that do not get in.
    fn refuse(&self) -> Response {
        let mut response = self.show(Some(WRONG)).into_response();
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response
    }
}

fn router(door: Arc<UnlockDoor>) -> Router {
    let mut doors = Router::new().route("/", get(form).post(unlock));
    for file in MADE_OF {
        doors = doors.route(
            file,
            get(move || async move { static_files::named(file.trim_start_matches("/static/")) }),
        );
    }
    doors
        .fallback(nothing)
        .method_not_allowed_fallback(nothing)
        .layer(from_fn_with_state(Arc::clone(&door), guard))
        .with_state(door)
}

/// Guards every request: the one name, our own origin, a form that arrives.
async fn guard(State(door): State<Arc<UnlockDoor>>, request: Request, next: Next) -> Response {
    let Some(host) = host(request.headers()) else { return refused("Say which host you mean") };
    let way = request.extensions().get::<ConnectInfo<From>>().map(|ConnectInfo(from)| from.way);
    if !door.names.is_reached(&host, way.unwrap_or(Way::Home)) || !door.names.has(&host) {
        return refused("Mailkeep does not answer to this name");
    }
    let mut response = if matches!(*request.method(), Method::GET | Method::HEAD) {
        next.run(request).await
    } else if own_origin(&door.names, request.headers(), &host) {
        match arrived(request).await {
            Some(request) => next.run(request).await,
            None => return refused("This form did not arrive"),
        }
    } else {
        return refused("This form does not come from the unlock page");
    };
    dress(response.headers_mut(), "");
    response
}

async fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "Nothing is here").into_response()
}

async fn form(State(door): State<Arc<UnlockDoor>>) -> Result<Response, WebError> {
    door.show(None)
}

async fn unlock(State(door): State<Arc<UnlockDoor>>, headers: HeaderMap, body: Bytes) -> Response {
    let form = Form::urlencoded(&headers, &body);
    let ours = token_of(&door.process_key);
    if !bool::from(ours.as_bytes().ct_eq(form.get("csrf").as_bytes())) {
        return refused("This form is out of date; load the page anew");
    }
    let passphrase = SecretText::new(form.get("passphrase").to_owned());
    let code = SecretText::new(form.get("code").to_owned());
    // To its end, also where the caller hangs up: what was begun counts.
    let deed = tokio::spawn(attempt::attempt(Arc::clone(&door), passphrase, code));
    match deed.await.ok().flatten() {
        Some(address) => {
            let address = if address.is_empty() { address } else { format!("http://{address}/") };
            page(&UnlockedAfarPage { theme: Theme::Auto, address }).into_response()
        }
        None => door.refuse(),
    }
}
