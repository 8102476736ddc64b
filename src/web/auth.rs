//! Who is there: sessions in memory, the owner as an argument of handlers, form tokens, and a brake on guessing.

use super::Web;
use super::error::WebError;
use crate::crypto::secret::{Key, random};
use crate::engine::app::App;
use crate::engine::tags::Before;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use hmac::{Hmac, KeyInit, Mac};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// How long a session lives without being used.
const IDLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How many sessions there may be; the oldest gives way.
const MOST: usize = 100;
/// How many changes of a session can be undone.
const UNDOABLE: usize = 20;
/// How many bytes the changes of a session may take that can be undone; the newest one always can.
const UNDOABLE_BYTES: usize = 8 << 20;

/// The sessions. They live in memory alone and end when the store is locked.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Session>>);

struct Session {
    csrf: String,
    used: Instant,
    undo: Vec<(String, String, Before)>,
}

fn hex() -> String {
    data_encoding::HEXLOWER.encode(&random::<32>())
}

impl Sessions {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a session; gives what its cookie holds.
    pub(super) fn begin(&self) -> String {
        let mut all = self.all();
        all.retain(|_, session| session.used.elapsed() < IDLE);
        if all.len() >= MOST
            && let Some(oldest) = all.iter().min_by_key(|(_, session)| session.used).map(|(id, _)| id.clone())
        {
            all.remove(&oldest);
        }
        let id = hex();
        all.insert(id.clone(), Session { csrf: hex(), used: Instant::now(), undo: Vec::new() });
        id
    }

    /// Whether a session has not ended.
    pub(super) fn lives(&self, id: &str) -> bool {
        self.all().get(id).is_some_and(|session| session.used.elapsed() < IDLE)
    }

    fn csrf(&self, id: &str) -> Option<String> {
        let mut all = self.all();
        let session = all.get_mut(id).filter(|session| session.used.elapsed() < IDLE)?;
        session.used = Instant::now();
        Some(session.csrf.clone())
    }

    /// Remembers how messages were, in words and as they were; gives the token to undo it.
    pub(super) fn remember(&self, id: &str, words: &str, before: Before) -> Option<String> {
        let mut all = self.all();
        let session = all.get_mut(id)?;
        let token = data_encoding::HEXLOWER.encode(&random::<8>());
        session.undo.push((token.clone(), words.to_owned(), before));
        let weight =
            |undo: &[(String, String, Before)]| undo.iter().map(|(_, _, b)| b.weight()).sum::<usize>();
        while session.undo.len() > UNDOABLE
            || (session.undo.len() > 1 && weight(&session.undo) > UNDOABLE_BYTES)
        {
            session.undo.remove(0);
        }
        Some(token)
    }

    /// What an undo token stands for, in words.
    pub(super) fn undo_words(&self, id: &str, token: &str) -> Option<String> {
        let all = self.all();
        all.get(id)?.undo.iter().find(|(t, _, _)| t == token).map(|(_, words, _)| words.clone())
    }

    /// Takes what an undo token stands for.
    pub(super) fn take_undo(&self, id: &str, token: &str) -> Option<Before> {
        let mut all = self.all();
        let undo = &mut all.get_mut(id)?.undo;
        let at = undo.iter().position(|(t, _, _)| t == token)?;
        Some(undo.remove(at).2)
    }

    /// Ends one session.
    pub(super) fn end(&self, id: &str) {
        self.all().remove(id);
    }

    /// Ends all sessions.
    pub(super) fn clear(&self) {
        self.all().clear();
    }
}

/// The owner, signed in to an unlocked store. That a handler has one is the proof.
pub(super) struct Owner {
    pub(super) app: Arc<App>,
    pub(super) web: Arc<Web>,
    /// The session.
    pub(super) session: String,
    /// The form token of the session.
    pub(super) csrf: String,
    /// The path and query that was asked for.
    pub(super) here: String,
    /// The host name of the page.
    pub(super) host: String,
}

/// What our cookie holds, if the request bears it.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

/// The session that a request bears, if it has not ended; it counts as used now.
pub(super) fn session(web: &Web, headers: &HeaderMap, host: &str) -> Option<String> {
    let session = cookie(headers, &web.cookie(host))?;
    if web.is_remote() {
        let app = web.vault.app()?;
        app.remote_access.sessions.touch(&session, app.now()).then_some(())?;
    }
    web.sessions.lives(&session).then_some(session)
}

impl FromRequestParts<Arc<Web>> for Owner {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, WebError> {
        let here = parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        if !web.vault.exists() {
            return Err(WebError::SetUp);
        }
        let back = if parts.method == axum::http::Method::GET { here.clone() } else { "/".to_owned() };
        let sign_in = || WebError::SignIn(back.clone());
        let host = super::guard::host(&parts.headers).unwrap_or_default();
        let session = session(web, &parts.headers, &host).ok_or_else(sign_in)?;
        let csrf = web.sessions.csrf(&session).ok_or_else(sign_in)?;
        let app = web.vault.app().ok_or_else(sign_in)?;
        Ok(Self { app, web: Arc::clone(web), session, csrf, here, host })
    }
}

impl OptionalFromRequestParts<Arc<Web>> for Owner {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Option<Self>, Self::Rejection> {
        Ok(<Self as FromRequestParts<Arc<Web>>>::from_request_parts(parts, web).await.ok())
    }
}

impl Owner {
    /// Whether a form bears the session's token.
    ///
    /// # Errors
    /// [`WebError::Forged`] where it does not.
    pub(super) fn prove(&self, token: &str) -> Result<(), WebError> {
        if bool::from(self.csrf.as_bytes().ct_eq(token.as_bytes())) { Ok(()) } else { Err(WebError::Forged) }
    }
}

/// The form token of those who are not signed in (unlock, set-up). It says that the form was fetched from us.
pub(super) fn visitor_token(web: &Web) -> String {
    token_of(&web.process_key)
}

/// The same of a door with this key.
pub(super) fn token_of(process_key: &Key) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(process_key.expose()).expect("any length will do");
    mac.update(b"visitor");
    data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
}

/// Whether a visitor's form bears that token.
///
/// # Errors
/// [`WebError::Forged`] where it does not.
pub(super) fn prove_visitor(web: &Web, token: &str) -> Result<(), WebError> {
    if bool::from(visitor_token(web).as_bytes().ct_eq(token.as_bytes())) {
        Ok(())
    } else {
        Err(WebError::Forged)
    }
}

/// The cookie of a new session, for pages under this host name.
pub(super) fn set_cookie(web: &Web, host: &str, session: &str) -> String {
    let secure = if web.names.is_secure(host) { "; Secure" } else { "" };
    format!("{}={session}; Path=/; HttpOnly; SameSite=Strict{secure}", web.cookie(host))
}

/// A brake on guessing: after five wrong passphrases from one place, each further one costs twice the wait of the last.
/// The machine itself and everybody else are counted apart, so that nobody from afar can shut out the owner at home; and at the
/// remote door each browser that is known, and all others together.
#[derive(Default)]
pub(super) struct Throttle(Mutex<HashMap<Guesser, Guesses>>);

/// Who guesses.
#[derive(PartialEq, Eq, Hash, Clone, Copy, Debug)]
pub(super) enum Guesser {
    /// Somebody on this machine.
    Home,
    /// Somebody elsewhere.
    Afar,
    /// Whoever has a browser that is known, at the remote door.
    Device(i64),
    /// Anybody else there.
    Stranger,
}

impl From<IpAddr> for Guesser {
    fn from(from: IpAddr) -> Self {
        if from.is_loopback() { Self::Home } else { Self::Afar }
    }
}

#[derive(Default)]
struct Guesses {
    wrong: u32,
    until: Option<Instant>,
}

/// Wrong passphrases that cost nothing.
const FREE: u32 = 5;

impl Throttle {
    /// Whether a passphrase may be tried now.
    ///
    /// # Errors
    /// [`WebError::Throttled`] with the seconds to wait.
    pub(super) fn admit(&self, from: impl Into<Guesser>) -> Result<(), WebError> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = all.get(&from.into()).and_then(|guesses| guesses.until);
        match until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(wait) if !wait.is_zero() => Err(WebError::Throttled(wait.as_secs() + 1)),
            _ => Ok(()),
        }
    }

    /// The same for a passphrase, which counts as wrong until it is [noted](Self::note) as right: a thousand guesses at once
    /// must not all be admitted before the first of them is known to be wrong.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub(super) fn attempt(&self, from: impl Into<Guesser>) -> Result<(), WebError> {
        let from = from.into();
        self.admit(from)?;
        self.note(from, false);
        Ok(())
    }

    /// Notes whether it was right.
    pub(super) fn note(&self, from: impl Into<Guesser>, right: bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from = from.into();
        if right {
            all.remove(&from);
            return;
        }
        let guesses = all.entry(from).or_default();
        guesses.wrong = guesses.wrong.saturating_add(1);
        if guesses.wrong >= FREE {
            let wait = 2_u64.saturating_mul(1 << (guesses.wrong - FREE).min(7));
            guesses.until = Some(Instant::now() + Duration::from_secs(wait));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_that_are_under_way_count() {
        let (throttle, home, afar) =
            (Throttle::default(), IpAddr::from([127, 0, 0, 1]), IpAddr::from([10, 0, 0, 9]));
        let admitted = (0..1000).filter(|_| throttle.attempt(afar).is_ok()).count();
        assert_eq!(admitted, FREE as usize, "the others wait");
        throttle.attempt(home).unwrap();
        throttle.note(home, true);
        assert!((0..FREE).all(|_| throttle.attempt(home).is_ok()), "a right one clears the count");
    }
    #[test]
    fn strangers_hold_up_neither_a_known_browser_nor_home() {
        let throttle = Throttle::default();
        while throttle.attempt(Guesser::Stranger).is_ok() {}
        for free in [Guesser::Device(1), Guesser::Device(2), Guesser::Home, Guesser::Afar] {
            assert!(throttle.attempt(free).is_ok(), "{free:?}");
        }
        while throttle.attempt(Guesser::Device(1)).is_ok() {}
        assert!(throttle.attempt(Guesser::Device(2)).is_ok(), "each by itself");
    }
}
