//! The onion service: its key lies in the store and goes to Tor in memory alone, so a locked store has no onion service.

use super::unlock_onion;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::settings;
use crate::network::dialer::{OnionKey, Purpose, Service};
use crate::storage::database::{OnionRow, commit, remote_access};
use tokio::sync::watch;

/// Whether the store is to be reachable through Tor.
pub const WANTED: &str = "remote.onion";
/// Whether only devices with a key find it.
pub const RESTRICTED: &str = "remote.restricted";

/// How the onion service stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It is not wanted.
    #[default]
    Off,
    /// Tor is getting ready, or the service is being announced.
    Starting,
    /// It was announced.
    Reachable,
    /// It is not to be had, for this reason.
    Trouble(String),
}

impl State {
    /// That in words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Off => "Off".to_owned(),
            Self::Starting => "Tor is getting ready; this takes up to a minute".to_owned(),
            Self::Reachable => "Reachable".to_owned(),
            Self::Trouble(words) => words.clone(),
        }
    }
}

/// The key of the onion service, and its address.
pub struct Key {
    /// The key.
    pub key: OnionKey,
    /// `….onion`.
    pub address: String,
}

/// The address, where a key was made.
///
/// # Errors
/// When the store fails.
pub async fn address(app: &App) -> Result<Option<String>, Failure> {
    Ok(remote_access::onion(&mut *app.reader.get().await?).await?.map(|row| row.address))
}

/// The key; it is made where there is none.
///
/// # Errors
/// When the store fails.
pub async fn key(app: &App) -> Result<Key, Failure> {
    let row = remote_access::onion(&mut *app.reader.get().await?).await?;
    match row.and_then(known) {
        Some(key) => Ok(key),
        None => make(app, false).await,
    }
}

fn known(row: OnionRow) -> Option<Key> {
    Some(Key { key: OnionKey::from_bytes(&row.secret)?, address: row.address })
}

/// Makes a new key, and with it a new address; whoever has the old one finds nothing there any more. Devices keep their keys,
/// but have to be told the address. Remote sessions end. The unlock address is a new one, too.
///
/// # Errors
/// When the store fails.
pub async fn renew(app: &App) -> Result<Key, Failure> {
    let key = make(app, true).await?;
    unlock_onion::renew(app).await?;
    Ok(key)
}

/// Makes a key, unless there is one that is to stay.
async fn make(app: &App, anew: bool) -> Result<Key, Failure> {
    let key = OnionKey::random();
    let address = key.address();
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let there = remote_access::onion(&mut c).await?.and_then(known);
    if let Some(there) = there.filter(|_| !anew) {
        return Ok(there);
    }
    remote_access::set_onion(&mut c, key.expose(), &address, app.now()).await?;
    commit(c).await?;
    drop(writer);
    if anew {
        app.remote_access.sessions.end_all();
    }
    app.remote_access.changed.send_replace(());
    Ok(Key { key, address })
}

/// Whether the owner wants it.
///
/// # Errors
/// When the store fails.
pub async fn is_wanted(app: &App) -> Result<bool, Failure> {
    Ok(settings::get(app, WANTED).await? == "on")
}

/// Tells when it is to be looked at anew.
#[must_use]
pub fn watch(app: &App) -> watch::Receiver<()> {
    app.remote_access.changed.subscribe()
}

/// What is to be announced, and to whom.
pub struct Plan {
    key: OnionKey,
    /// The address.
    pub address: String,
    /// The keys of those who find it; none for everybody.
    clients: Option<Vec<Vec<u8>>>,
}

/// What is to be announced now.
///
/// # Errors
/// When the store fails.
pub async fn plan(app: &App) -> Result<Plan, Failure> {
    let Key { key, address } = key(app).await?;
    let clients = match settings::get(app, RESTRICTED).await?.as_str() {
        "on" => {
            let devices = remote_access::devices(&mut *app.reader.get().await?).await?;
            Some(devices.into_iter().filter_map(|device| device.client_key).collect())
        }
        _ => None,
    };
    Ok(Plan { key, address, clients })
}

/// Announces the onion service, and gives what comes in. It ends when what is given is dropped.
///
/// # Errors
/// When there is no Tor.
pub async fn open(app: &App, plan: &Plan) -> Result<Service, Failure> {
    app.dialer
        .publish(Purpose::OnionAddress, &plan.key, plan.clients.as_deref())
        .await
        .map_err(Failure::failed)
}

/// Changes who finds a service that is announced.
///
/// # Errors
/// When Tor refuses.
pub fn restrict(service: &Service, plan: &Plan) -> Result<(), Failure> {
    service.restrict(plan.clients.as_deref()).map_err(Failure::failed)
}
