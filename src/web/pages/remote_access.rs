//! `/settings/remote`: the second factor, the onion address, devices and sessions.

use super::form::Form;
use super::keys::prove;
use super::shell::shell;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::remote_access::ask::{self, Standing};
use crate::engine::remote_access::{devices, factor, onion, unlock_onion};
use crate::engine::settings;
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::{WebError, page, sentence};
use crate::web::listener::From;
use crate::web::view::{
    DevicePage, DeviceView, FactorPage, PasskeyView, Qr, RemoteAccessPage, SessionView, SpareCodesPage, Spot,
    UnlockView,
};
use crate::web::words;
use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use std::sync::Arc;
use subtle::ConstantTimeEq;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/settings/remote", get(show))
        .route("/settings/remote/factor", post(change_factor))
        .route("/settings/remote/factor/confirm", post(confirm_factor))
        .route("/settings/remote/onion", post(set_onion))
        .route("/settings/remote/address", post(new_address))
        .route("/settings/remote/unlock", post(set_unlock))
        .route("/settings/remote/device", post(add_device))
        .route("/settings/remote/device/remove", post(remove_device))
        .route("/settings/remote/session/name", post(name_session))
        .route("/settings/remote/session/end", post(end_session))
}

/// What the settings say of all this.
pub(super) async fn words_for_settings(app: &App) -> Result<String, Failure> {
    let standing = ask::standing(app).await?;
    if standing.second_factor.since.is_none() {
        return Ok("There are no codes yet, so nobody gets in from afar.".to_owned());
    }
    let sessions =
        words::count(standing.sessions.len() as u64, "session is open now", "sessions are open now");
    let onion = if standing.onion.reachable { "It is reachable by its onion address; " } else { "" };
    Ok(sentence(&format!("{onion}{sessions}")))
}

async fn show(owner: Owner) -> Result<Response, WebError> {
    remote_page(&owner, "", false).await
}

fn ago(time: &str, now: i64) -> String {
    time.parse::<jiff::Timestamp>().map(|at| words::when(at.as_second(), now).words).unwrap_or_default()
}

pub(super) async fn remote_page(owner: &Owner, trouble: &str, removed: bool) -> Result<Response, WebError> {
    let app = &owner.app;
    let mut shell = shell(owner, "From afar", Spot::Settings, "").await?;
    shell.here = "/settings/remote".into();
    let Standing { second_factor, onion, unlock_onion, sessions, devices, passkeys } =
        ask::standing(app).await?;
    let own = app.remote_access.sessions.id(&owner.session);
    let now = app.now();
    let devices = devices.into_iter().map(|device| {
        let key = if device.has_key { "has a key" } else { "has no key" };
        let seen = device
            .last_seen
            .map_or_else(|| "not used yet".to_owned(), |at| format!("last signed in {}", ago(&at, now)));
        DeviceView { name: device.name, words: format!("{key}, {seen}") }
    });
    let passkeys = passkeys.into_iter().map(|passkey| {
        let used = passkey
            .last_used
            .map_or_else(|| "not used yet".to_owned(), |at| format!("last used {}", ago(&at, now)));
        PasskeyView { words: format!("for {}, {used}", passkey.site), name: passkey.name }
    });
    let sessions = sessions.into_iter().map(|session| SessionView {
        words: format!(
            "since {}, last used {}, by {}",
            ago(&session.began, now),
            ago(&session.last_seen, now),
            session.host
        ),
        is_this: own.as_ref() == Some(&session.id),
        id: session.id,
        name: session.name,
    });
    let state = app.remote_access.onion.borrow().clone();
    let mut response = page(&RemoteAccessPage {
        shell,
        trouble: trouble.to_owned(),
        unlock: UnlockView {
            wanted: unlock_onion.wanted,
            address: unlock_onion.address.unwrap_or_default(),
            words: sentence(&unlock_onion.words),
            ready: unlock_onion.ready,
            possible: onion.wanted && second_factor.since.is_some(),
        },
        factor_words: second_factor.since.map(|at| words::day_of(&at)).unwrap_or_default(),
        spare_codes: second_factor.spare_codes,
        wanted: onion.wanted,
        is_on: state != onion::State::Off,
        address: onion.address.unwrap_or_default(),
        onion_words: sentence(&onion.words),
        onion_trouble: matches!(state, onion::State::Trouble(_)),
        restricted: onion.restricted,
        devices: devices.collect(),
        passkeys: passkeys.collect(),
        can_add_passkey: owner.web.names.is_secure(&owner.host),
        offer_address: removed,
        sessions: sessions.collect(),
    })?;
    if !trouble.is_empty() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

fn back() -> Response {
    Redirect::to("/settings/remote").into_response()
}

async fn change_factor(
    owner: Owner,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    if let Err(failure) = prove(&owner, from, &form).await? {
        return remote_page(&owner, &sentence(&failure.words), false).await;
    }
    match form.get("deed") {
        "codes" => match factor::renew_spare_codes(&owner.app).await {
            Ok(made) => codes_page(&owner, made.spare_codes).await,
            Err(failure) => remote_page(&owner, &sentence(&failure.words), false).await,
        },
        "forget" => {
            factor::forget(&owner.app).await?;
            Ok(back())
        }
        _ => {
            let begun = factor::begin(&owner.app).await?;
            factor_page(&owner, begun, "").await
        }
    }
}

async fn factor_page(owner: &Owner, begun: factor::Begun, trouble: &str) -> Result<Response, WebError> {
    let mut shell = shell(owner, "Set codes up", Spot::Settings, "").await?;
    shell.here = "/settings/remote".into();
    let mut response = page(&FactorPage {
        shell,
        trouble: trouble.to_owned(),
        qr: Qr::of_secret(&begun.address),
        seen: factor::seen(&owner.app, &begun),
        secret: begun.secret,
    })?;
    if !trouble.is_empty() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

async fn confirm_factor(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    // The passphrase was asked for before the secret was shown: only where it was shown is it gone on with.
    let shown = factor::pending(&owner.app).await?.filter(|begun| {
        let seen = factor::seen(&owner.app, begun);
        bool::from(seen.as_bytes().ct_eq(form.get("seen").as_bytes()))
    });
    let Some(begun) = shown else {
        return remote_page(&owner, "These codes were not confirmed in time; set them up anew.", false).await;
    };
    if form.get("deed") == "drop" {
        factor::drop_pending(&owner.app).await?;
        return Ok(back());
    }
    match factor::confirm(&owner.app, form.get("code")).await {
        Ok(made) => codes_page(&owner, made.spare_codes).await,
        Err(failure) => factor_page(&owner, begun, &sentence(&failure.words)).await,
    }
}

async fn codes_page(owner: &Owner, codes: Vec<String>) -> Result<Response, WebError> {
    let mut shell = shell(owner, "Spare codes", Spot::Settings, "").await?;
    shell.here = "/settings/remote".into();
    page(&SpareCodesPage { shell, codes, day: words::day(owner.app.now()) })
}

async fn set_onion(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    for (field, key) in [("restricted", onion::RESTRICTED), ("wanted", onion::WANTED)] {
        let value = if form.get(field) == "on" { "on" } else { "off" };
        if settings::get(&owner.app, key).await? != value {
            settings::set(&owner.app, key, value).await?;
        }
    }
    Ok(Redirect::to("/settings/remote#onion").into_response())
}

async fn new_address(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    onion::renew(&owner.app).await?;
    Ok(Redirect::to("/settings/remote#onion").into_response())
}

async fn set_unlock(
    owner: Owner,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let on = form.get("deed") == "on";
    // What makes the disk say more asks for the passphrase; what makes it say less does not.
    let proved = if on { prove(&owner, from, &form).await?.map(drop) } else { Ok(()) };
    let set = match proved {
        Ok(()) => settings::set(&owner.app, unlock_onion::WANTED, if on { "on" } else { "off" }).await,
        Err(_) => Err(Failure::usage("That is not the passphrase; nothing was changed")),
    };
    match set {
        Ok(()) => Ok(Redirect::to("/settings/remote#unlock").into_response()),
        Err(failure) => remote_page(&owner, &sentence(&failure.words), false).await,
    }
}

async fn add_device(
    owner: Owner,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let added = match prove(&owner, from, &form).await? {
        Ok(_) => devices::add(&owner.app, form.get("name")).await,
        Err(failure) => Err(failure),
    };
    let device = match added {
        Ok(device) => device,
        Err(failure) => return remote_page(&owner, &sentence(&failure.words), false).await,
    };
    let mut shell = shell(&owner, &device.name, Spot::Settings, "").await?;
    shell.here = "/settings/remote".into();
    page(&DevicePage {
        shell,
        name: device.name,
        address_qr: Qr::of_secret(&device.address),
        address: device.address,
        key_qr: Qr::of_secret(&device.key),
        key: device.key,
        line: device.auth_private,
        unlock_address: device.unlock_address.unwrap_or_default(),
        unlock_line: device.unlock_auth_private.unwrap_or_default(),
    })
}

async fn remove_device(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    devices::remove(&owner.app, form.get("name")).await?;
    remote_page(&owner, "", true).await
}

async fn name_session(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    owner.app.remote_access.sessions.rename(form.get("id"), form.get("name"))?;
    Ok(Redirect::to("/settings/remote#sessions").into_response())
}

async fn end_session(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    owner.app.remote_access.sessions.end(form.get("id"))?;
    Ok(Redirect::to("/settings/remote#sessions").into_response())
}
