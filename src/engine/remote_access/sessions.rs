//! Remote sessions: in memory alone, ended by the owner, by time, or when the store is locked.

use super::name;
use crate::crypto::secret::random;
use crate::engine::failure::Failure;
use crate::engine::search::rfc3339;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// How long a session lives without being used, in seconds.
const IDLE: i64 = 24 * 3600;
/// How long it lives at all.
const LONGEST: i64 = 7 * 24 * 3600;
/// How many there may be; the one that was not used for longest gives way.
const MOST: usize = 50;

/// The sessions, by what their cookies hold.
#[derive(Default)]
pub struct Sessions {
    all: Mutex<HashMap<String, Session>>,
    /// How often several were ended at once.
    ended: AtomicU64,
}

/// When somebody began to sign in, as far as sessions that were ended meanwhile are concerned.
#[derive(Clone, Copy, Debug)]
pub struct Moment(u64);

struct Session {
    id: String,
    name: String,
    device: Option<i64>,
    passkey: Option<i64>,
    host: String,
    began: i64,
    seen: i64,
    /// Cancelled when it ends: what still streams to it stops.
    ended: CancellationToken,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

impl Session {
    const fn lives(&self, now: i64) -> bool {
        now - self.seen < IDLE && now - self.began < LONGEST
    }
}

/// A session as it is listed.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Listed {
    /// By which it can be ended; it opens nothing.
    pub id: String,
    /// What the owner calls it.
    pub name: String,
    /// The name it was begun under: an onion address or that of a proxy.
    pub host: String,
    /// When it began.
    pub began: String,
    /// When it was last used.
    pub last_seen: String,
}

/// What a session begins with.
pub struct Begun<'a> {
    /// What its cookie holds.
    pub secret: &'a str,
    /// What to call it.
    pub name: &'a str,
    /// The device it is on, where that is known.
    pub device: Option<i64>,
    /// The passkey it was begun with, where it was not by a code.
    pub passkey: Option<i64>,
    /// The name it came by.
    pub host: &'a str,
}

impl Sessions {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This moment, to be noted before it is looked who somebody is.
    pub fn moment(&self) -> Moment {
        Moment(self.ended.load(Ordering::SeqCst))
    }

    /// Begins one; `now` is UTC seconds. False where sessions were ended since it was looked who this is: what was right then
    /// may be wrong by now.
    pub fn begin(&self, begun: &Begun<'_>, since: Moment, now: i64) -> bool {
        let mut all = self.all();
        if self.moment().0 != since.0 {
            return false;
        }
        all.retain(|_, session| session.lives(now));
        if all.len() >= MOST
            && let Some(oldest) = all.iter().min_by_key(|(_, s)| s.seen).map(|(secret, _)| secret.clone())
        {
            all.remove(&oldest);
        }
        let session = Session {
            id: data_encoding::HEXLOWER.encode(&random::<6>()),
            name: begun.name.to_owned(),
            device: begun.device,
            passkey: begun.passkey,
            host: begun.host.to_owned(),
            began: now,
            seen: now,
            ended: CancellationToken::new(),
        };
        all.insert(begun.secret.to_owned(), session);
        true
    }

    /// Whether a session has not ended; it counts as used now.
    pub fn touch(&self, secret: &str, now: i64) -> bool {
        let mut all = self.all();
        let Some(session) = all.get_mut(secret) else { return false };
        if !session.lives(now) {
            all.remove(secret);
            return false;
        }
        session.seen = now;
        true
    }

    /// Whether a session has not ended, without using it.
    pub fn lives(&self, secret: &str, now: i64) -> bool {
        self.all().get(secret).is_some_and(|session| session.lives(now))
    }

    /// What is cancelled when the session ends; at once for one that is none.
    pub fn ending(&self, secret: &str) -> CancellationToken {
        let token = self.all().get(secret).map(|session| session.ended.clone());
        token.unwrap_or_else(|| {
            let token = CancellationToken::new();
            token.cancel();
            token
        })
    }

    /// The public name of a session, by what its cookie holds.
    pub fn id(&self, secret: &str) -> Option<String> {
        self.all().get(secret).map(|session| session.id.clone())
    }

    /// All that live, the one used last first.
    pub fn list(&self, now: i64) -> Vec<Listed> {
        let all = self.all();
        let mut living: Vec<&Session> = all.values().filter(|session| session.lives(now)).collect();
        living.sort_by(|a, b| (b.seen, &a.id).cmp(&(a.seen, &b.id)));
        living
            .into_iter()
            .map(|session| Listed {
                id: session.id.clone(),
                name: session.name.clone(),
                host: session.host.clone(),
                began: rfc3339(session.began),
                last_seen: rfc3339(session.seen),
            })
            .collect()
    }

    /// Gives one another name.
    ///
    /// # Errors
    /// Usage for a name that is none; not found.
    pub fn rename(&self, id: &str, to: &str) -> Result<(), Failure> {
        let to = name(to)?;
        let mut all = self.all();
        let session = all.values_mut().find(|session| session.id == id).ok_or_else(nobody)?;
        session.name = to;
        Ok(())
    }

    /// Ends one.
    ///
    /// # Errors
    /// Not found.
    pub fn end(&self, id: &str) -> Result<(), Failure> {
        let mut all = self.all();
        let secret = all.iter().find(|(_, session)| session.id == id).map(|(secret, _)| secret.clone());
        all.remove(&secret.ok_or_else(nobody)?);
        Ok(())
    }

    /// Ends the one with this cookie.
    pub fn leave(&self, secret: &str) {
        self.all().remove(secret);
    }

    /// Ends those of a device, and those of which nobody knows on which device they are: they may be on this one.
    pub fn end_of_device(&self, device: i64) {
        self.keep_those(|session| session.device.is_some_and(|other| other != device));
    }

    /// Ends those that were begun with a passkey.
    pub fn end_of_passkey(&self, passkey: i64) {
        self.keep_those(|session| session.passkey != Some(passkey));
    }

    /// Ends those that were begun under a name.
    pub fn end_of_host(&self, host: &str) {
        self.keep_those(|session| session.host != host);
    }

    /// Ends all others, and those that are just beginning.
    fn keep_those(&self, stays: impl Fn(&Session) -> bool) {
        let mut all = self.all();
        self.ended.fetch_add(1, Ordering::SeqCst);
        all.retain(|_, session| stays(session));
    }

    /// Ends all.
    pub fn end_all(&self) {
        self.keep_those(|_| false);
    }
}

fn nobody() -> Failure {
    Failure::not_found("No remote session has that id; `mailkeep remote session list` lists them")
}
