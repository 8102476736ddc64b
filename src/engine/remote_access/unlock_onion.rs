//! The unlock address: an onion service of a locked store, by which it is unlocked from afar. It is the one exception to "nothing
//! readable on the disk": its key cannot lie in what it is to open. So that key is of no use for anything else, it lies there
//! only where the owner asked for it, and only while all that it needs is there (`threats.md` §16).

use super::{factor, onion};
use crate::crypto::master_key::{MasterKey, Use};
use crate::crypto::totp::Secret;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::settings;
use crate::engine::vault::Vault;
use crate::network::dialer::{OnionKey, Purpose, Service, Tor};
use crate::storage::data_dir::DataDir;
use crate::storage::database::{self, Writer, commit, remote_access, settings as table};
use crate::storage::unlock_onion::UnlockOnion;
use serde::Serialize;
use zeroize::Zeroizing;

/// Whether the owner wants it.
pub const WANTED: &str = "remote.unlock";

/// The settings on which it depends what lies readable on the disk.
pub(in crate::engine) const DEPENDS_ON: [&str; 5] =
    [WANTED, onion::WANTED, "tor.mode", "tor.config", "network.offline"];

/// How it stands.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    /// Whether the owner wants it.
    pub wanted: bool,
    /// Its address, where it is wanted.
    pub address: Option<String>,
    /// Whether it is announced whenever the store is locked and the server runs.
    pub ready: bool,
    /// That in words, with the reason where it is not.
    pub words: String,
}

/// What keeps it from being announced, as a sentence; empty for nothing.
async fn missing(app: &App) -> Result<&'static str, Failure> {
    if !onion::is_wanted(app).await? {
        return Ok("Your onion address is off; this one is there only beside it");
    }
    if factor::standing(app).await?.since.is_none() {
        return Ok("There are no codes, and nobody gets in without one");
    }
    if app.dialer.tor_inside().is_none() {
        return Ok(if app.dialer.is_offline() {
            "Mailkeep is offline"
        } else {
            "It needs the Tor inside Mailkeep; set tor.mode to embedded"
        });
    }
    if clients(app).await?.is_empty() {
        return Ok("No device has a key, and only devices with a key find it; add one");
    }
    Ok("")
}

/// The public halves of the devices' keys. A device has one key for both addresses: each service hides itself from all others by
/// keys that follow from a fresh key of its own, from the device's, and from its own address (rend-spec-v3, "client authorization"),
/// so that what one says by it neither opens nor points to the other.
async fn clients(app: &App) -> Result<Vec<[u8; 32]>, Failure> {
    let devices = remote_access::devices(&mut *app.reader.get().await?).await?;
    Ok(devices.into_iter().filter_map(|device| device.client_key?.try_into().ok()).collect())
}

/// How it stands.
///
/// # Errors
/// When the store fails.
pub async fn standing(app: &App) -> Result<Standing, Failure> {
    let wanted = settings::get(app, WANTED).await? == "on";
    let address = address(app).await?;
    let words = if wanted { missing(app).await? } else { "Off" };
    let ready = wanted && words.is_empty();
    let words = if ready { "Announced whenever Mailkeep runs and is locked" } else { words };
    Ok(Standing { wanted, address, ready, words: words.to_owned() })
}

/// The address, where it is wanted and was made.
///
/// # Errors
/// When the store fails.
pub async fn address(app: &App) -> Result<Option<String>, Failure> {
    Ok(remote_access::unlock_onion(&mut *app.reader.get().await?).await?.map(|row| row.address))
}

/// Looks whether a setting may be set, and takes the key off the disk first where nothing may be announced afterwards: if it
/// breaks off between the two, less is announced than the owner wants, never more.
///
/// # Errors
/// Refused, where it is switched on without what it needs.
pub(in crate::engine) async fn before_setting(app: &App, key: &str, value: &str) -> Result<(), Failure> {
    if (key, value) == (WANTED, "on") {
        if !onion::is_wanted(app).await? {
            return Err(Failure::refused(
                "An unlock address is there only beside your onion address; set remote.onion to on first",
            ));
        }
        if factor::standing(app).await?.since.is_none() {
            return Err(Failure::refused(
                "An unlock address asks for a code; set codes up first: `mailkeep remote factor begin`",
            ));
        }
    }
    let stays = match key {
        WANTED | onion::WANTED => value == "on",
        "tor.mode" => value == "embedded",
        "network.offline" => value == "off",
        _ => true,
    };
    if stays { Ok(()) } else { withdraw(app).await }
}

/// Takes its key off the disk. [`settle`] puts it back where it belongs there.
///
/// # Errors
/// When the disk fails.
pub(in crate::engine) async fn withdraw(app: &App) -> Result<(), Failure> {
    let _turn = app.remote_access.settling.lock().await;
    Ok(app.data.remove_unlock_onion()?)
}

/// Lets the disk hold what is to be announced while the store is locked, or nothing.
///
/// # Errors
/// When the store or the disk fails.
pub(in crate::engine) async fn settle(app: &App) -> Result<(), Failure> {
    let _turn = app.remote_access.settling.lock().await;
    if settings::get(app, WANTED).await? != "on" {
        app.data.remove_unlock_onion()?;
        return forget(app).await;
    }
    let tor_config = app.dialer.tor_inside();
    let (Some(tor_config), "") = (tor_config, missing(app).await?) else {
        return Ok(app.data.remove_unlock_onion()?);
    };
    let known = remote_access::unlock_onion(&mut *app.reader.get().await?).await?;
    let key = match known.and_then(|row| OnionKey::from_bytes(&row.secret)) {
        Some(key) => key,
        None => make(app).await?,
    };
    let secret = Zeroizing::new(*key.expose());
    let onion = UnlockOnion { secret, clients: clients(app).await?, tor_config };
    if app.data.unlock_onion().ok().flatten().as_ref() == Some(&onion) {
        return Ok(());
    }
    // What cannot be brought in line shall not stay as it was.
    app.data.remove_unlock_onion()?;
    Ok(app.data.write_unlock_onion(&onion)?)
}

/// Makes a new key, never from another one.
async fn make(app: &App) -> Result<OnionKey, Failure> {
    let key = OnionKey::random();
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    remote_access::set_unlock_onion(&mut c, key.expose(), &key.address(), app.now()).await?;
    commit(c).await?;
    Ok(key)
}

async fn forget(app: &App) -> Result<(), Failure> {
    if address(app).await?.is_none() {
        return Ok(());
    }
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    remote_access::forget_unlock_onion(&mut c).await?;
    Ok(commit(c).await?)
}

/// Makes a new address where there is one; the one before leads nowhere any more. Devices keep their keys, but have to be told it.
///
/// # Errors
/// When the store or the disk fails.
pub(in crate::engine) async fn renew(app: &App) -> Result<(), Failure> {
    if address(app).await?.is_some() {
        withdraw(app).await?;
        make(app).await?;
    }
    settle(app).await
}

/// What a locked store announces.
#[derive(PartialEq, Eq)]
pub struct Plan(UnlockOnion);

impl Plan {
    fn key(&self) -> Option<OnionKey> {
        OnionKey::from_bytes(&*self.0.secret)
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> String {
        self.key().map(|key| key.address()).unwrap_or_default()
    }
}

/// What the store announces while it is locked; none where the owner wants none.
///
/// # Errors
/// When the disk fails.
pub fn plan(vault: &Vault) -> Result<Option<Plan>, Failure> {
    Ok(DataDir::open(vault.path())?.unlock_onion()?.map(Plan))
}

/// Announces it, and gives what comes in. It ends when what is given is dropped.
///
/// # Errors
/// When there is no Tor.
pub async fn open(vault: &Vault, plan: &Plan) -> Result<Service, Failure> {
    let config = plan.0.tor_config.clone();
    Tor::check(&config).map_err(|bad| Failure::failed(format!("Tor is not there: {bad}")))?;
    let tor = Tor::Embedded { folder: DataDir::open(vault.path())?.tor(), config };
    let key = plan.key().ok_or_else(|| Failure::failed("The key of the unlock address is none"))?;
    let clients: Vec<Vec<u8>> = plan.0.clients.iter().map(|key| key.to_vec()).collect();
    let published = vault.porch(tor)?.publish(Purpose::UnlockAddress, &key, Some(&clients)).await;
    published.map_err(Failure::failed)
}

/// Whether this is the code of the moment for a closed store, and not used before; now it is. Its database is opened for this
/// alone. The same work is done whether the code is right or wrong, and where there are none: then no code is.
///
/// # Errors
/// When the database fails.
pub(in crate::engine) async fn is_code(
    data: &DataDir,
    master: &MasterKey,
    code: &str,
    now: i64,
) -> Result<bool, Failure> {
    let database = database::open_for_a_look(&data.database(), &master.subkey(Use::Database)).await?;
    let found = use_code(&database, code, now).await;
    database.close().await;
    found
}

async fn use_code(database: &Writer, code: &str, now: i64) -> Result<bool, Failure> {
    let mut c = database.begin().await?;
    let wanted = table::get(&mut c, WANTED).await?.as_deref() == Some("on");
    let (secret, last) = match remote_access::factor(&mut c, false).await? {
        Some(row) => (Secret::from_bytes(&row.secret), row.last_step),
        None => (None, 0),
    };
    let may = wanted && secret.is_some();
    let step = secret.unwrap_or_else(Secret::random).step_of(code, now);
    let Some(step) = step.filter(|step| may && *step > last) else { return Ok(false) };
    let first = remote_access::use_step(&mut c, step).await?;
    commit(c).await?;
    Ok(first)
}

#[cfg(test)]
mod tests;
