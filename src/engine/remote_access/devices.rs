//! The owner's browsers elsewhere: known ones are not held up by what strangers guess, and each may have a key of its own with
//! which alone it finds the onion service.

use super::{name, onion, unlock_onion};
use crate::crypto::secret::random;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::search::rfc3339;
use crate::engine::settings::{self, keyed_hash};
use crate::network::dialer::ClientKey;
use crate::storage::database::{DeviceRow, commit, remote_access};
use serde::Serialize;

/// How many there may be.
const MOST: usize = 50;

/// A device as it is listed.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Device {
    /// What the owner calls it.
    pub name: String,
    /// Whether it has a key with which it finds the onion service.
    pub has_key: bool,
    /// When it was added.
    pub added: String,
    /// When somebody last signed in on it; none for never.
    pub last_seen: Option<String>,
}

/// A device that was just added; what it needs is shown this once.
#[derive(Debug, Serialize)]
pub struct NewDevice {
    /// What the owner calls it.
    pub name: String,
    /// The address by which it comes in and is known from then on.
    pub address: String,
    /// Its key, as Tor Browser asks for it.
    pub key: String,
    /// The line of a file `….auth_private` for Tor.
    pub auth_private: String,
    /// The address by which it unlocks a locked store, with the same key; none where the owner has none.
    pub unlock_address: Option<String>,
    /// The same line for that address.
    pub unlock_auth_private: Option<String>,
}

/// All devices.
///
/// # Errors
/// When the store fails.
pub async fn list(app: &App) -> Result<Vec<Device>, Failure> {
    let rows = remote_access::devices(&mut *app.reader.get().await?).await?;
    let listed = rows.into_iter().map(|row| Device {
        name: row.name,
        has_key: row.client_key.is_some(),
        added: rfc3339(row.added_at),
        last_seen: (row.seen_at > 0).then(|| rfc3339(row.seen_at)),
    });
    Ok(listed.collect())
}

/// Adds a device with a key for the onion service. From the first one on only devices with a key find it.
///
/// # Errors
/// Usage, where the name is none; refused, where it is taken.
pub async fn add(app: &App, called: &str) -> Result<NewDevice, Failure> {
    let onion = onion::key(app).await?;
    let key = ClientKey::random();
    let token = insert(app, called, Some(&key.public())).await?;
    if settings::get(app, onion::RESTRICTED).await? != "on" {
        settings::set(app, onion::RESTRICTED, "on").await?;
    }
    app.remote_access.changed.send_replace(());
    unlock_onion::settle(app).await?;
    let unlock = unlock_onion::address(app).await?;
    Ok(NewDevice {
        unlock_auth_private: unlock.as_ref().map(|address| key.to_line(address).to_string()),
        unlock_address: unlock.map(|address| format!("http://{address}/")),
        name: called.trim().to_owned(),
        address: format!("http://{}/enter/{token}", onion.address),
        key: key.to_text().to_string(),
        auth_private: key.to_line(&onion.address).to_string(),
    })
}

/// Remembers a browser that somebody signed in with, under a name like `called`; gives what it is to show from now on, and
/// its number.
///
/// # Errors
/// Usage, where the name is none; refused, where there are too many.
pub async fn remember(app: &App, called: &str) -> Result<(String, i64), Failure> {
    let called = name(called)?;
    let taken = list(app).await?;
    let free = |name: &String| taken.iter().all(|device| device.name != *name);
    let names = std::iter::once(called.clone()).chain((2..=MOST).map(|n| format!("{called} {n}")));
    let called = names.into_iter().find(free).unwrap_or(called);
    let token = insert(app, &called, None).await?;
    let number = known(app, &token).await?.map(|device| device.number).unwrap_or_default();
    Ok((token, number))
}

async fn insert(app: &App, called: &str, key: Option<&[u8]>) -> Result<String, Failure> {
    let called = name(called)?;
    let token = data_encoding::BASE32_NOPAD.encode(&random::<20>()).to_lowercase();
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    if remote_access::devices(&mut c).await?.len() >= MOST {
        return Err(Failure::refused(format!("There are {MOST} devices already; remove one first")));
    }
    if !remote_access::add_device(&mut c, &called, &hash(app, &token), key, app.now()).await? {
        return Err(Failure::refused(format!(
            "There is a device {called:?} already; remove it first or choose another name"
        )));
    }
    commit(c).await?;
    Ok(token)
}

fn hash(app: &App, token: &str) -> Vec<u8> {
    keyed_hash(app, "device", token)
}

/// The device that shows this.
///
/// # Errors
/// When the store fails.
pub async fn known(app: &App, token: &str) -> Result<Option<DeviceRow>, Failure> {
    Ok(remote_access::device_by_token(&mut *app.reader.get().await?, &hash(app, token)).await?)
}

/// Notes that somebody signed in on a device.
///
/// # Errors
/// When the store fails.
pub async fn see(app: &App, number: i64) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    remote_access::see_device(&mut c, number, app.now()).await?;
    Ok(commit(c).await?)
}

/// Removes a device: its sessions end, and it does not find the onion service any more once Tor has heard of it. It still knows
/// the address. Where it may know the unlock address, that is a new one from then on.
///
/// # Errors
/// Not found.
pub async fn remove(app: &App, called: &str) -> Result<(), Failure> {
    let had_key = list(app).await?.iter().any(|device| device.name == called && device.has_key);
    if had_key {
        unlock_onion::withdraw(app).await?;
    }
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let number = remote_access::remove_device(&mut c, called).await?.ok_or_else(|| {
        Failure::not_found(format!(
            "There is no device {called:?}; `mailkeep remote device list` lists those there are"
        ))
    })?;
    commit(c).await?;
    drop(writer);
    app.remote_access.sessions.end_of_device(number);
    app.remote_access.changed.send_replace(());
    if had_key { unlock_onion::renew(app).await } else { Ok(()) }
}
