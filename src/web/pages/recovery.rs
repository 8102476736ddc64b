//! What helps when the passphrase is forgotten or the machine lost: the sheet, the file, the pieces among contacts.

use super::form::Form;
use super::keys::{needs_copy, prove, safe_copy};
use super::shell::shell;
use crate::crypto::secret::SecretText;
use crate::engine::failure::Failure;
use crate::engine::keyring::{self, Key};
use crate::engine::{accounts, recovery};
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::{WebError, page, sentence};
use crate::web::listener::From;
use crate::web::view::{HolderView, Notice, Qr, RecoveryPage, RecoverySheet, Spot};
use crate::web::words;
use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/settings/recovery", get(show))
        .route("/settings/recovery/sheet", post(sheet))
        .route("/settings/recovery/file", post(file))
        .route("/settings/recovery/shares", post(shares))
}

/// So many bytes of a store's name tell it from any other the owner has.
const STORE_NAME: usize = 8;

/// What the page says beside how things are.
#[derive(Default)]
struct Said {
    notice: String,
    trouble: String,
    chosen: Vec<String>,
    need: String,
}

impl Said {
    fn trouble(failure: &Failure) -> Self {
        Self { trouble: sentence(&failure.words), ..Self::default() }
    }
}

async fn show(owner: Owner) -> Result<Response, WebError> {
    recovery_page(&owner, Said::default()).await
}

async fn recovery_page(owner: &Owner, said: Said) -> Result<Response, WebError> {
    let app = &owner.app;
    let mut shell = shell(owner, "If the passphrase is lost", Spot::Settings, "").await?;
    shell.here = "/settings/recovery".into();
    shell.notice = (!said.notice.is_empty()).then_some(Notice { words: said.notice, trouble: false });
    let standing = recovery::standing(app).await?;
    let own = app.keyring.all();
    let copied_at = own.iter().map(|own| own.backed_up_at).max().filter(|at| *at > 0);
    let failed = !said.trouble.is_empty();
    let holders = recovery::holders(app).await?.into_iter().map(|holder| HolderView {
        chosen: said.chosen.contains(&holder.address),
        name: if holder.name.is_empty() { holder.address.clone() } else { holder.name },
        address: holder.address,
        verified: holder.verified,
    });
    let split_words = standing.handed_out.map_or_else(String::new, |handed| {
        let (day, need) = (words::day(handed.at), handed.need);
        format!("Split on {day} among {}. Any {need} of them give it back.", handed.holders.join(", "))
    });
    let mut response = page(&RecoveryPage {
        shell,
        trouble: said.trouble,
        made_words: standing.made_at.map(words::day).unwrap_or_default(),
        has_keys: !own.is_empty(),
        copied: !needs_copy(app),
        copied_words: copied_at.map(words::day).unwrap_or_default(),
        split_words,
        holders: holders.collect(),
        need: if said.need.is_empty() { recovery::NEED.to_string() } else { said.need },
    })?;
    if failed {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

async fn sheet(
    owner: Owner,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let key = match prove(&owner, from, &form).await? {
        Ok(passphrase) => recovery::make(&owner.web.vault, &passphrase).await?,
        Err(failure) => return recovery_page(&owner, Said::trouble(&failure)).await,
    };
    let app = &owner.app;
    let mut shell = shell(&owner, "Recovery sheet", Spot::Settings, "").await?;
    shell.here = "/settings/recovery".into();
    let text = key.to_text();
    let store: Vec<u8> = app.data.read_vault()?.store_id().into_iter().take(STORE_NAME).collect();
    let own: Vec<Key> =
        keyring::list(app).await?.into_iter().filter(|key| key.secret && key.current).collect();
    page(&RecoverySheet {
        shell,
        addresses: accounts::list(app).await?.into_iter().map(|account| account.email).collect(),
        store: words::groups(&data_encoding::HEXUPPER.encode(&store)),
        day: words::day(app.now()),
        groups: text.expose().split(' ').map(str::to_owned).collect(),
        qr: Qr::of_recovery_key(text.expose()),
        keys: own
            .into_iter()
            .map(|key| {
                (key.addresses.into_iter().next().unwrap_or_default(), words::groups(&key.fingerprint))
            })
            .collect(),
    })
}

async fn file(
    owner: Owner,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    match safe_copy(&owner, from, &form).await? {
        Ok(file) => Ok(file),
        Err(failure) => recovery_page(&owner, Said::trouble(&failure)).await,
    }
}

async fn shares(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let chosen: Vec<String> = form.all("holder").map(str::to_owned).collect();
    let key = SecretText::new(form.get("key").to_owned());
    let handed = match form.get("need").trim().parse::<u8>() {
        Ok(need) => recovery::hand_out(&owner.app, &key, need, &chosen).await,
        Err(_) => Err(Failure::usage("Say how many of them are to give it back")),
    };
    let said = match handed {
        Ok(handed) => Said {
            notice: format!(
                "{} pieces are on their way. The messages can be read by those they go to alone, not by you.",
                handed.holders.len()
            ),
            ..Said::default()
        },
        Err(failure) => Said { chosen, need: form.get("need").to_owned(), ..Said::trouble(&failure) },
    };
    recovery_page(&owner, said).await
}
