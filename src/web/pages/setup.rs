//! The first run, in four steps: passphrase, account, privacy, mail arriving.

use super::actions::wants_json;
use super::form::Form;
use crate::crypto::secret::SecretText;
use crate::engine::accounts::{self, NewAccount, Server};
use crate::engine::failure::{Failure, Kind};
use crate::engine::find_servers::{self as finding, FoundServers};
use crate::engine::{status, vault};
use crate::web::Web;
use crate::web::auth::{Owner, prove_visitor, set_cookie, visitor_token};
use crate::web::error::{WebError, page, sentence, status_of};
use crate::web::extract::Query;
use crate::web::view::{AccountForm, SetupAccount, SetupDone, SetupPassphrase, SetupPrivacy, Theme};
use crate::web::words;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use std::sync::Arc;
use subtle::ConstantTimeEq;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/setup", get(setup))
        .route("/setup/passphrase", post(passphrase))
        .route("/setup/account", post(account))
        .route("/setup/privacy", post(privacy))
}

/// What the settings need, too.
pub(super) fn helpers() -> Router<Arc<Web>> {
    Router::new().route("/setup/strength", post(strength)).route("/setup/find-servers", post(find_servers))
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
struct Asked {
    step: String,
}

async fn setup(
    State(web): State<Arc<Web>>,
    owner: Option<Owner>,
    Query(asked): Query<Asked>,
) -> Result<Response, WebError> {
    if !web.vault.exists() {
        return first(&web, "");
    }
    let Some(owner) = owner else { return Err(WebError::SignIn("/setup".into())) };
    let accounts = status::accounts(&owner.app).await?;
    match (asked.step.as_str(), accounts.first()) {
        ("privacy", Some(account)) => page(&SetupPrivacy {
            csrf: owner.csrf.clone(),
            address: account.email.clone(),
            theme: Theme::Auto,
        }),
        ("done", Some(account)) => {
            let arrived = status::status(&owner.app).await?.messages;
            page(&SetupDone {
                csrf: owner.csrf.clone(),
                address: account.email.clone(),
                words: format!("{} here so far.", words::count(arrived, "message is", "messages are")),
                arrived,
                ..SetupDone::default()
            })
        }
        (_, None) | ("account", _) => second(&owner, AccountForm::default()),
        _ => Ok(Redirect::to("/").into_response()),
    }
}

fn first(web: &Web, trouble: &str) -> Result<Response, WebError> {
    page(&SetupPassphrase {
        csrf: visitor_token(web),
        theme: Theme::Auto,
        asks_code: web.setup_code.is_some(),
        trouble: trouble.to_owned(),
    })
}

fn second(owner: &Owner, form: AccountForm) -> Result<Response, WebError> {
    page(&SetupAccount { csrf: owner.csrf.clone(), theme: Theme::Auto, form })
}

async fn passphrase(State(web): State<Arc<Web>>, form: Form) -> Result<Response, WebError> {
    prove_visitor(&web, form.get("csrf"))?;
    if web.vault.exists() {
        return Err(WebError::SignIn("/setup".into()));
    }
    let again = |words: &str| -> Result<Response, WebError> {
        let mut response = first(&web, words)?;
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        Ok(response)
    };
    if let Some(code) = &web.setup_code {
        let given = form.get("code").trim().to_lowercase();
        if !bool::from(code.as_bytes().ct_eq(given.as_bytes())) {
            return again("That is not the code that was printed where Mailkeep was started.");
        }
    }
    if form.get("passphrase") != form.get("again") {
        return again("The two differ. Type the same passphrase twice.");
    }
    let passphrase = SecretText::new(form.get("passphrase").to_owned());
    if let Err(failure) = web.vault.create(&passphrase, None).await {
        return again(&sentence(&failure.words));
    }
    let session = web.sessions.begin();
    let mut response = Redirect::to("/setup").into_response();
    if let Ok(cookie) = HeaderValue::from_str(&set_cookie(&web, "", &session)) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// How good a passphrase is; asked while it is typed, in set-up and in the settings.
async fn strength(
    State(web): State<Arc<Web>>,
    owner: Option<Owner>,
    form: Form,
) -> Result<Response, WebError> {
    match owner {
        Some(owner) => owner.prove(form.get("csrf"))?,
        None => prove_visitor(&web, form.get("csrf"))?,
    }
    let (score, words) = vault::strength(&SecretText::new(form.get("passphrase").to_owned()));
    Ok(Json(json!({"score": score, "words": sentence(&words)})).into_response())
}

fn server(form: &Form, kind: &str, default: (u16, u16)) -> Result<Option<Server>, Failure> {
    let get = |field: &str| form.get(&format!("{kind}_{field}")).trim().to_owned();
    let (host, port, security) = (get("host"), get("port"), get("security"));
    if host.is_empty() {
        return Ok(None);
    }
    let security = if security.is_empty() { "tls".to_owned() } else { security };
    let port = if port.is_empty() {
        if security == "tls" { default.0 } else { default.1 }
    } else {
        port.parse()
            .map_err(|_| Failure::usage(format!("{port:?} is no port; it is a number up to 65535")))?
    };
    Ok(Some(Server { host, port, security }))
}

/// The account that a form describes.
pub(super) fn new_account(form: &Form) -> Result<NewAccount, Failure> {
    let ca = form.files.iter().find(|(field, ..)| field == "ca").map(|(_, _, _, bytes)| bytes.clone());
    let ca = ca
        .map(|bytes| String::from_utf8(bytes).map_err(|_| Failure::usage("The certificate is no PEM file")));
    Ok(NewAccount {
        address: form.get("address").trim().to_owned(),
        name: form.get("name").trim().to_owned(),
        imap: server(form, "imap", (993, 143))?,
        smtp: server(form, "smtp", (465, 587))?,
        user: Some(form.get("user").trim().to_owned()).filter(|u| !u.is_empty()),
        password: form.get("password").to_owned(),
        ca: ca.transpose()?,
        prefer_encrypt: None,
        route: Some(if form.get("route") == "tor" { "tor" } else { "direct" }.to_owned()),
    })
}

/// The form as it was filled in, with what must be put right.
pub(super) fn filled(form: &Form, trouble: &str) -> AccountForm {
    let get = |field: &str| form.get(field).to_owned();
    AccountForm {
        address: get("address"),
        name: get("name"),
        user: get("user"),
        imap_host: get("imap_host"),
        imap_port: get("imap_port"),
        imap_security: get("imap_security"),
        smtp_host: get("smtp_host"),
        smtp_port: get("smtp_port"),
        smtp_security: get("smtp_security"),
        by_tor: form.get("route") == "tor",
        trouble: trouble.to_owned(),
        servers_open: true,
        ..AccountForm::default()
    }
}

/// The form with servers that were found, where it named none: nobody's password goes to servers that they did not see. None
/// where it names both.
pub(super) async fn to_confirm(owner: &Owner, form: &Form) -> Option<AccountForm> {
    if ["imap_host", "smtp_host"].iter().all(|field| !form.get(field).trim().is_empty()) {
        return None;
    }
    Some(with_found(form, finding::find_servers(&owner.app, form.get("address").trim()).await))
}

/// The form as it was filled in, with what was found in the fields that were left empty.
fn with_found(form: &Form, found: Result<FoundServers, Failure>) -> AccountForm {
    let mut filled = filled(form, "");
    match found {
        Ok(found) => {
            if filled.imap_host.is_empty() {
                (filled.imap_host, filled.imap_port, filled.imap_security) =
                    (found.imap.host, found.imap.port.to_string(), found.imap.security);
            }
            if filled.smtp_host.is_empty() {
                (filled.smtp_host, filled.smtp_port, filled.smtp_security) =
                    (found.smtp.host, found.smtp.port.to_string(), found.smtp.security);
            }
            if filled.user.is_empty() && found.user != filled.address.trim() {
                filled.user = found.user;
            }
            filled.found_words =
                format!("{} Look at the servers below, then type your password and sign in.", found.found_by);
        }
        Err(failure) => filled.trouble = sentence(&failure.words),
    }
    filled
}

async fn account(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    if let Some(form) = to_confirm(&owner, &form).await {
        return second(&owner, form);
    }
    let added = match new_account(&form) {
        Ok(account) => accounts::add(&owner.app, account).await,
        Err(failure) => Err(failure),
    };
    match added {
        Ok(_) => Ok(Redirect::to("/setup?step=privacy").into_response()),
        Err(failure) => {
            let mut response = second(&owner, filled(&form, &sentence(&failure.words)))?;
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(response)
        }
    }
}

async fn privacy(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let word = if form.get("private") == "no" { "nopreference" } else { "mutual" };
    accounts::prefer(&owner.app, form.get("address"), word).await?;
    Ok(Redirect::to("/setup?step=done").into_response())
}

async fn find_servers(owner: Owner, headers: HeaderMap, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let found = finding::find_servers(&owner.app, form.get("address").trim()).await;
    if wants_json(&headers) {
        return Ok(match found {
            Ok(found) => Json(found).into_response(),
            Err(failure) => {
                // That nobody knows the servers is an answer, not a failure of ours.
                let status = match failure.kind {
                    Kind::Failed => StatusCode::UNPROCESSABLE_ENTITY,
                    kind => status_of(kind),
                };
                (status, Json(json!({"words": sentence(&failure.words)}))).into_response()
            }
        });
    }
    second(&owner, with_found(&form, found))
}
