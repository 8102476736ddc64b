//! Who calls: a token, and what it may do. Cookies are never looked at (`threats.md` §14).

use super::problem::Problem;
use crate::engine::app::App;
use crate::engine::settings::{self, Scope};
use crate::web::Web;
use crate::web::auth::Throttle;
use crate::web::listener::From;
use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap, header};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// How many tokens are remembered, right ones and wrong ones each.
const MOST: usize = 1_000;

type Fingerprint = [u8; 32];

/// The brake on guessing tokens. Only a wrong token that is new counts as a guess: a script whose token was revoked tries
/// the same one for ever and guesses nothing. A token that was right once is not held up by the guesses of others.
#[derive(Default)]
pub(super) struct Brake {
    throttle: Throttle,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    right: BTreeSet<Fingerprint>,
    wrong: BTreeSet<Fingerprint>,
}

impl Brake {
    /// Whether a token may be looked up now.
    fn admit(&self, from: IpAddr, token: &Fingerprint) -> Result<(), Problem> {
        {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.right.contains(token) || seen.wrong.contains(token) {
                return Ok(());
            }
        }
        Ok(self.throttle.admit(from)?)
    }

    /// Notes whether it was right.
    fn note(&self, from: IpAddr, token: Fingerprint, right: bool) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Seen { right: rights, wrong: wrongs } = &mut *seen;
        let (into, out_of) = if right { (rights, wrongs) } else { (wrongs, rights) };
        out_of.remove(&token);
        if into.len() >= MOST {
            into.clear();
        }
        if into.insert(token) {
            self.throttle.note(from, right);
        }
    }
}

/// A caller whose token is known.
pub(super) struct Caller {
    pub(super) app: Arc<App>,
    pub(super) scope: Scope,
    pub(super) from: IpAddr,
}

/// The token of a request: one header, one scheme.
fn token(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (only, None) = (all.next()?, all.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Where a request comes from; who is not named is treated as a stranger.
fn origin(extensions: &Extensions) -> IpAddr {
    extensions
        .get::<ConnectInfo<From>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(from)| from.address)
}

/// Finds out who calls.
///
/// # Errors
/// 401 without a token or with one that is none, 423 while locked, 429 after too many guesses.
pub(super) async fn recognise(
    web: &Web,
    brake: &Brake,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Caller, Problem> {
    let token = token(headers)
        .ok_or_else(|| Problem::unauthorized("Say who you are with a token: Authorization: Bearer TOKEN"))?;
    // Only the open store knows which tokens there are.
    let app = web.vault.app().ok_or_else(Problem::locked)?;
    let from = origin(extensions);
    let fingerprint: Fingerprint = Sha256::digest(token.as_bytes()).into();
    brake.admit(from, &fingerprint)?;
    let scope = settings::token_scope(&app, token).await?;
    brake.note(from, fingerprint, scope.is_some());
    let scope = scope.ok_or_else(|| {
        Problem::unauthorized("That token is none, or was revoked; `mailkeep token create` makes a new one")
    })?;
    Ok(Caller { app, scope, from })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_bearer_token_counts() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, axum::http::HeaderValue::from_static(value));
            }
            token(&headers).map(str::to_owned)
        };
        assert_eq!(of(&["Bearer mk_a"]).as_deref(), Some("mk_a"));
        assert_eq!(of(&["bearer mk_a"]).as_deref(), Some("mk_a"));
        for none in
            [&[][..], &["Basic mk_a"], &["mk_a"], &["Bearer "], &["Bearer"], &["Bearer mk_a", "Bearer mk_b"]]
        {
            assert_eq!(of(none), None, "{none:?}");
        }
    }

    #[test]
    fn guesses_are_slowed_down_but_neither_the_stale_nor_the_known() {
        let brake = Brake::default();
        let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
        brake.note(from, [1; 32], true);
        for _ in 0..100 {
            assert!(brake.admit(from, &[2; 32]).is_ok());
            brake.note(from, [2; 32], false);
        }
        assert!(brake.admit(from, &[3; 32]).is_ok(), "one stale token, however often, is one guess");
        for guess in 10..20 {
            brake.note(from, [guess; 32], false);
        }
        let refused = brake.admit(from, &[3; 32]).unwrap_err();
        assert_eq!(refused.status, axum::http::StatusCode::TOO_MANY_REQUESTS);
        assert!(brake.admit(from, &[1; 32]).is_ok(), "who was right goes on");
    }
}
