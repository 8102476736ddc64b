//! What can be asked of remote access, for the command line and the REST API.

use super::{devices, factor, onion, passkeys, sessions, unlock_onion};
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::settings;
use crate::network::dialer::TorState;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Something asked of remote access.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// How it stands.
    Status,
    /// Makes a secret for codes.
    FactorBegin,
    /// Puts it in force, with a code of it.
    FactorConfirm(String),
    /// Takes the second factor away.
    FactorForget,
    /// Makes new spare codes.
    SpareCodes,
    /// The sessions.
    SessionList,
    /// Gives a session a name.
    SessionName {
        /// Which.
        id: String,
        /// The name.
        name: String,
    },
    /// Ends a session.
    SessionEnd(String),
    /// The devices.
    DeviceList,
    /// Adds a device with a key.
    DeviceAdd(String),
    /// Removes a device.
    DeviceRemove(String),
    /// The passkeys.
    PasskeyList,
    /// Gives a passkey another name.
    PasskeyName {
        /// Which.
        from: String,
        /// The name.
        to: String,
    },
    /// Removes a passkey.
    PasskeyRemove(String),
    /// Makes a new onion address.
    NewAddress,
}

/// How remote access stands.
#[derive(Serialize)]
pub struct Standing {
    /// The second factor.
    pub second_factor: factor::Standing,
    /// The onion service.
    pub onion: Onion,
    /// The one by which a locked store is unlocked.
    pub unlock_onion: unlock_onion::Standing,
    /// The sessions that live.
    pub sessions: Vec<sessions::Listed>,
    /// The devices.
    pub devices: Vec<devices::Device>,
    /// The passkeys.
    pub passkeys: Vec<passkeys::Listed>,
}

/// How the onion service stands.
#[derive(Serialize)]
pub struct Onion {
    /// Whether the owner wants it.
    pub wanted: bool,
    /// Whether only devices with a key find it.
    pub restricted: bool,
    /// Its address, where one was made.
    pub address: Option<String>,
    /// Whether it was announced.
    pub reachable: bool,
    /// How it stands, in words.
    pub words: String,
}

/// How remote access stands.
///
/// # Errors
/// When the store fails.
pub async fn standing(app: &App) -> Result<Standing, Failure> {
    let state = app.remote_access.onion.borrow().clone();
    let tor = app.dialer.tor_report().await;
    Ok(Standing {
        second_factor: factor::standing(app).await?,
        onion: Onion {
            wanted: onion::is_wanted(app).await?,
            restricted: settings::get(app, onion::RESTRICTED).await? == "on",
            address: onion::address(app).await?,
            reachable: state == onion::State::Reachable,
            words: match state {
                // Before it can be announced, there has to be Tor.
                onion::State::Starting if tor.state != TorState::Ready => tor.words,
                state => state.words(),
            },
        },
        unlock_onion: unlock_onion::standing(app).await?,
        sessions: app.remote_access.sessions.list(app.now()),
        devices: devices::list(app).await?,
        passkeys: passkeys::list(app).await?,
    })
}

fn value(of: impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(of).map_err(|e| Failure::failed(e.to_string()))
}

/// Does what is asked.
///
/// # Errors
/// What the deed gives.
pub async fn perform(app: &App, ask: Ask) -> Result<Value, Failure> {
    let sessions = &app.remote_access.sessions;
    match ask {
        Ask::Status => value(standing(app).await?),
        Ask::FactorBegin => value(factor::begin(app).await?),
        Ask::FactorConfirm(code) => value(factor::confirm(app, &code).await?),
        Ask::FactorForget => {
            factor::forget(app).await?;
            value(factor::standing(app).await?)
        }
        Ask::SpareCodes => value(factor::renew_spare_codes(app).await?),
        Ask::SessionList => value(sessions.list(app.now())),
        Ask::SessionName { id, name } => {
            sessions.rename(&id, &name)?;
            value(sessions.list(app.now()).into_iter().find(|session| session.id == id))
        }
        Ask::SessionEnd(id) => {
            sessions.end(&id)?;
            Ok(json!({"ended": id}))
        }
        Ask::DeviceList => value(devices::list(app).await?),
        Ask::DeviceAdd(name) => value(devices::add(app, &name).await?),
        Ask::DeviceRemove(name) => {
            devices::remove(app, &name).await?;
            Ok(json!({"removed": name}))
        }
        Ask::PasskeyList => value(passkeys::list(app).await?),
        Ask::PasskeyName { from, to } => value(passkeys::rename(app, &from, &to).await?),
        Ask::PasskeyRemove(name) => {
            passkeys::remove(app, &name).await?;
            Ok(json!({"removed": name}))
        }
        Ask::NewAddress => Ok(json!({"address": onion::renew(app).await?.address})),
    }
}
