//! The owner's keys: made, kept in memory while the store is open, taken in, handed out, replaced.
//!
//! Each address has one current key, which signs and is told to others. What was current before is kept for reading.

use super::app::App;
use super::failure::{Failure, blocking};
use super::{accounts, peers};
use crate::crypto::openpgp::{Certificate, Fingerprint, KeyError, LIFETIME, SecretKey, backup};
use crate::crypto::secret::SecretText;
use crate::mail::address::canonical;
use crate::storage::database::{OwnKeyRow, commit, keys};
use serde::Serialize;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// So many certificates of others are listed.
const LISTED: u32 = 2000;
/// So many secret keys are taken from one file.
const MOST_SECRETS: usize = 100;

/// A key of the owner's, ready for use.
#[derive(Clone)]
pub struct Own {
    /// Whose it is, canonical.
    pub address: String,
    /// The key.
    pub key: SecretKey,
    /// It signs, and others are told of it.
    pub current: bool,
    /// When it came into the store, UTC seconds.
    pub made_at: i64,
    /// When a copy was last put in a safe place, UTC seconds; 0 for never.
    pub backed_up_at: i64,
}

/// The owner's keys in memory.
#[derive(Default)]
pub struct Keyring {
    keys: RwLock<Arc<Vec<Own>>>,
    /// Held while they are read from the database: an older list never takes the place of a newer one.
    learning: tokio::sync::Mutex<()>,
}

impl Keyring {
    /// All of them, the current ones first.
    #[must_use]
    pub fn all(&self) -> Arc<Vec<Own>> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key by which an address (canonical) signs.
    #[must_use]
    pub fn current(&self, address: &str) -> Option<Own> {
        self.all().iter().find(|own| own.current && own.address == address).cloned()
    }

    /// Just the keys, for opening mail.
    #[must_use]
    pub fn keys(&self) -> Vec<SecretKey> {
        self.all().iter().map(|own| own.key.clone()).collect()
    }

    /// Whether a fingerprint is one of the owner's.
    #[must_use]
    pub fn holds(&self, fingerprint: &Fingerprint) -> bool {
        self.all().iter().any(|own| own.key.certificate().fingerprint() == *fingerprint)
    }

    fn set(&self, keys: Vec<Own>) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }
}

/// A key as the surface shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Key {
    /// Its fingerprint, upper-case hexadecimal.
    pub fingerprint: String,
    /// The addresses it is for.
    pub addresses: Vec<String>,
    /// Whether the secret half is here: it is one of the owner's.
    pub secret: bool,
    /// When it was made.
    pub created: String,
    /// When it ends; null for never.
    pub expires: Option<String>,
    /// Whether its holder took it back.
    pub revoked: bool,
    /// Whether it is the one in use for its address.
    pub current: bool,
    /// Its algorithm, in words.
    pub algorithm: String,
    /// When a copy was last put in a safe place; null for never, and for keys of others.
    pub backed_up: Option<String>,
}

/// A certificate as the surface shows it.
#[must_use]
pub fn shown(certificate: &Certificate, now: i64) -> Key {
    Key {
        fingerprint: certificate.fingerprint().to_string(),
        addresses: certificate.addresses(now),
        secret: false,
        created: super::search::rfc3339(certificate.created()),
        expires: certificate.expires(now).map(super::search::rfc3339),
        revoked: certificate.is_revoked(now),
        current: false,
        algorithm: certificate.algorithm(),
        backed_up: None,
    }
}

pub(in crate::engine) fn own_shown(own: &Own, now: i64) -> Key {
    let mut key = shown(&own.key.certificate(), now);
    if key.addresses.is_empty() {
        key.addresses.push(own.address.clone());
    }
    let backed_up = (own.backed_up_at > 0).then(|| super::search::rfc3339(own.backed_up_at));
    Key { secret: true, current: own.current, backed_up, ..key }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::failed(error.to_string())
    }
}

/// Reads the owner's keys from the database.
///
/// # Errors
/// When the store fails.
pub(in crate::engine) async fn learn(app: &App) -> Result<(), Failure> {
    let _learning = app.keyring.learning.lock().await;
    let rows = keys::own_keys(&mut *app.reader.get().await?).await?;
    let found = blocking(move || {
        let read = |row: OwnKeyRow| match SecretKey::parse(&row.secret, None) {
            Ok(key) => {
                let OwnKeyRow { address, current, made_at, backed_up_at, .. } = row;
                Some(Own { address, key, current, made_at, backed_up_at })
            }
            Err(error) => {
                tracing::error!(%error, "A key of the owner's cannot be read any more");
                None
            }
        };
        Ok::<_, Failure>(rows.into_iter().filter_map(read).collect::<Vec<_>>())
    })
    .await?;
    app.keyring.set(found);
    Ok(())
}

/// All keys: the owner's, then the certificates of others.
///
/// # Errors
/// When the store fails.
pub async fn list(app: &App) -> Result<Vec<Key>, Failure> {
    let now = app.now();
    let mut listed: Vec<Key> = app.keyring.all().iter().map(|own| own_shown(own, now)).collect();
    let others = keys::certificates(&mut *app.reader.get().await?, LISTED).await?;
    let others = blocking(move || {
        let parsed = others.iter().filter_map(|bytes| Certificate::parse(bytes).ok());
        Ok::<_, Failure>(parsed.map(|certificate| shown(&certificate, now)).collect::<Vec<_>>())
    });
    let own: Vec<String> = listed.iter().map(|key| key.fingerprint.clone()).collect();
    listed.extend(others.await?.into_iter().filter(|key| !own.contains(&key.fingerprint)));
    Ok(listed)
}

/// Makes a key for an address of the owner's. It becomes the current one.
///
/// # Errors
/// Not found, where there is no such account; refused, where it has a key already.
pub async fn make(app: &Arc<App>, address: &str) -> Result<Key, Failure> {
    let address = accounts::find(app, address).await?.address;
    if let Some(own) = app.keyring.current(&address) {
        return Err(Failure::refused(format!(
            "{address} has the key {} already; it is extended by itself and need not be made anew",
            own.key.certificate().fingerprint()
        )));
    }
    made(app, &address).await.map(|own| own_shown(&own, app.now()))
}

/// Makes a new key for an address that has one. The old one signs it, so that correspondents go over to it by themselves,
/// and is kept for reading.
///
/// # Errors
/// Not found, where the address has no key; otherwise when the store fails.
pub async fn renew(app: &Arc<App>, address: &str) -> Result<Key, Failure> {
    let address = accounts::find(app, address).await?.address;
    let _making = app.making_key.lock().await;
    let old = app.keyring.current(&address);
    let old = old.ok_or_else(|| {
        Failure::not_found(format!("{address} has no key that could be followed by a new one"))
    })?;
    let (now, name) = (app.now(), address.clone());
    let (key, revocation) = blocking(move || {
        let (key, revocation) = SecretKey::generate(&name, now - 60)?;
        Ok::<_, KeyError>((key.following(&old.key, now)?, revocation))
    })
    .await?;
    let own = Own { address, key, current: true, made_at: now, backed_up_at: 0 };
    keep(app, &own, &String::from_utf8_lossy(&revocation), "renewed").await?;
    Ok(own_shown(&own, now))
}

/// The current key of an address, made now if there is none yet.
///
/// # Errors
/// When the store fails.
pub(in crate::engine) async fn ensure(app: &Arc<App>, address: &str) -> Result<Own, Failure> {
    match app.keyring.current(address) {
        Some(own) => Ok(own),
        None => made(app, address).await,
    }
}

async fn made(app: &Arc<App>, address: &str) -> Result<Own, Failure> {
    let (now, name) = (app.now(), address.to_owned());
    let _making = app.making_key.lock().await;
    if let Some(own) = app.keyring.current(address) {
        return Ok(own);
    }
    // One that was brought before there was an account for it is as good.
    let all = app.keyring.all();
    let brought = all.iter().find(|own| own.address == address && !own.current && signs(&own.key, now));
    if let Some(brought) = brought {
        let own = Own { current: true, ..brought.clone() };
        keep(app, &own, "", "taken up").await?;
        return Ok(own);
    }
    // A little in the past, for readers whose clocks are behind.
    let (key, revocation) = blocking(move || SecretKey::generate(&name, now - 60)).await?;
    let own = Own { address: address.to_owned(), key, current: true, made_at: now, backed_up_at: 0 };
    keep(app, &own, &String::from_utf8_lossy(&revocation), "made").await?;
    Ok(own)
}

/// Whether a key can be an address's current one: it signs, and others can encrypt to it.
pub(super) fn signs(key: &SecretKey, now: i64) -> bool {
    key.certificate().usable(now).is_ok() && crate::crypto::openpgp::sign_detached(b"", key, now).is_ok()
}

async fn keep(app: &Arc<App>, own: &Own, revocation: &str, way: &str) -> Result<(), Failure> {
    let fingerprint = own.key.certificate().fingerprint().to_string();
    let row = OwnKeyRow {
        fingerprint: fingerprint.clone(),
        address: own.address.clone(),
        secret: own.key.bytes().to_vec(),
        revocation: revocation.to_owned(),
        made_at: own.made_at,
        current: own.current,
        backed_up_at: own.backed_up_at,
    };
    {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        keys::put_own(&mut c, &row).await?;
        peers::decide(&mut c, app.now(), &own.address, &fingerprint, "own", way).await?;
        commit(c).await?;
    }
    app.devices.changed();
    learn(app).await
}

/// What was taken in from a file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Imported {
    /// The keys, in the order of the file.
    pub keys: Vec<Key>,
}

/// Takes keys in from a file: secret ones become the owner's, kept for reading, and current where their address has none;
/// those of others wait until they are used. Never takes the place of a key in use.
///
/// # Errors
/// Where the file holds no key that can be read.
pub async fn import(
    app: &Arc<App>,
    bytes: Vec<u8>,
    password: Option<SecretText>,
) -> Result<Imported, Failure> {
    let now = app.now();
    let (bytes, parsed) = blocking(move || {
        let parsed = secrets(&bytes, password.as_ref());
        Ok::<_, Failure>((bytes, parsed))
    })
    .await?;
    let mut imported = Imported::default();
    match parsed {
        Ok(keys) => {
            for key in keys {
                let own = take_in(app, key, "imported").await?;
                imported.keys.push(own_shown(&own, now));
            }
        }
        Err(KeyError::Secret) => {
            let certificates = blocking(move || Certificate::parse_all(&bytes)).await?;
            for certificate in certificates {
                peers::offer(app, &certificate, "imported", true).await?;
                imported.keys.push(shown(&certificate, now));
            }
        }
        Err(error) => return Err(error.into()),
    }
    Ok(imported)
}

/// The secret keys in a file: one, several in armour one after the other, or a copy of all that a passphrase opens.
fn secrets(bytes: &[u8], password: Option<&SecretText>) -> Result<Vec<SecretKey>, KeyError> {
    const BEGIN: &[u8] = b"-----BEGIN PGP PRIVATE KEY BLOCK-----";
    if memchr::memmem::find(bytes, b"-----BEGIN PGP MESSAGE-----").is_some() {
        let opened = backup::open(bytes, password.ok_or(KeyError::Locked)?)?;
        return secrets(&opened, None);
    }
    let mut begins: Vec<usize> = memchr::memmem::find_iter(bytes, BEGIN).take(MOST_SECRETS).collect();
    if begins.len() < 2 {
        return Ok(vec![SecretKey::parse(bytes, password)?]);
    }
    begins.push(bytes.len());
    let blocks = begins.windows(2).filter_map(|pair| bytes.get(*pair.first()?..*pair.last()?));
    blocks.map(|block| SecretKey::parse(block, password)).collect()
}

/// Makes a secret key one of the owner's. It becomes current only where its address has no key.
///
/// # Errors
/// Where it names none of the owner's addresses; otherwise when the store fails.
pub(in crate::engine) async fn take_in(app: &Arc<App>, key: SecretKey, way: &str) -> Result<Own, Failure> {
    let now = app.now();
    let ours = app.own_addresses();
    let certificate = key.certificate();
    if let Some(held) = app.keyring.all().iter().find(|own| own.key.fingerprint() == key.fingerprint()) {
        // It is here already, and perhaps in use.
        return Ok(held.clone());
    }
    let named = certificate.addresses(now);
    let lacks_one = |a: &&String| ours.contains(*a) && app.keyring.current(a).is_none();
    let mine = named.iter().find(lacks_one).or_else(|| named.iter().find(|a| ours.contains(*a)));
    let Some(address) = mine.or_else(|| named.first()).cloned() else {
        return Err(Failure::failed(
            "This key names no address; add one to it with the program it was made with, and try again",
        ));
    };
    let own = {
        let _making = app.making_key.lock().await;
        let current = ours.contains(&address) && app.keyring.current(&address).is_none() && signs(&key, now);
        let own = Own { address, key, current, made_at: now, backed_up_at: 0 };
        keep(app, &own, "", way).await?;
        own
    };
    // What could not be opened before may be now.
    super::envelopes::settle_again(app, &own.key.certificate(), true).await?;
    Ok(own)
}

/// A key to be handed out, armoured: the owner's, or the one that is known of a correspondent.
///
/// # Errors
/// Not found, where nobody of this address has a key; refused, where a secret is asked for that is not the owner's.
pub async fn export(app: &Arc<App>, address: &str, secret: bool) -> Result<Vec<u8>, Failure> {
    let address = canonical(address);
    let nobody = || Failure::not_found(format!("No key of {address} is known"));
    let all = app.keyring.all();
    let own = all.iter().find(|own| own.address == address);
    match own {
        Some(own) if secret => Ok(own.key.armored().as_bytes().to_vec()),
        Some(own) => Ok(own.key.certificate().armored().into_bytes()),
        None if secret => {
            Err(Failure::refused(format!("{address} is not yours: its secret key is not here")))
        }
        None => {
            Ok(peers::certificate_in_use(app, &address).await?.ok_or_else(nobody)?.armored().into_bytes())
        }
    }
}

/// The revocation certificate that was made with the current key of an address, armoured: published, it tells everybody that
/// the key is not to be used any more.
///
/// # Errors
/// Not found, where the address has no key, or its key came without one.
pub async fn revocation(app: &App, address: &str) -> Result<Vec<u8>, Failure> {
    let address = canonical(address);
    let rows = keys::own_keys(&mut *app.reader.get().await?).await?;
    let row = rows.into_iter().find(|row| row.address == address && row.current);
    let row = row.ok_or_else(|| Failure::not_found(format!("{address} has no key of yours in use")))?;
    if row.revocation.is_empty() {
        return Err(Failure::not_found(format!(
            "The key of {address} came from another program, and its revocation certificate with it did not; make one there"
        )));
    }
    Ok(row.revocation.into_bytes())
}

/// The background task: looks at the owner's keys once a day.
///
/// # Errors
/// When the store fails; the supervisor starts it again.
pub async fn run(app: Arc<App>, stop: CancellationToken) -> Result<(), Failure> {
    loop {
        extend(&app).await?;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(Duration::from_secs(24 * 3600)) => {}
        }
    }
}

/// Makes keys last longer whose time is half over: nobody has to think of it.
async fn extend(app: &Arc<App>) -> Result<(), Failure> {
    let now = app.now();
    for own in app.keyring.all().iter().filter(|own| own.current) {
        let certificate = own.key.certificate();
        let Some(ends) = certificate.expires(now) else { continue };
        if ends - now > LIFETIME / 2 || certificate.is_revoked(now) {
            continue;
        }
        let key = own.key.clone();
        match blocking(move || key.extended(now + LIFETIME, now)).await {
            Ok(key) => keep(app, &Own { key, ..own.clone() }, "", "extended").await?,
            // The others need not end with it.
            Err(error) => tracing::warn!(%error, "A key could not be made to last longer"),
        }
    }
    Ok(())
}
