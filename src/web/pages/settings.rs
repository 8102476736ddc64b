//! Settings: accounts, appearance, writing, passphrase, tokens.

use super::form::Form;
use super::keys::is_passphrase;
use super::setup::{filled, new_account, to_confirm};
use super::shell::shell;
use crate::crypto::secret::SecretText;
use crate::engine::failure::Failure;
use crate::engine::settings::{self, Scope};
use crate::engine::vault::acceptable;
use crate::engine::{accounts, recovery};
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::{WebError, page, sentence};
use crate::web::listener::From;
use crate::web::view::{AccountForm, AccountView, NewToken, Notice, SettingsPage, Spot, TokenView};
use crate::web::words;
use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/settings", get(show))
        .route("/settings/account", post(add_account))
        .route("/settings/account/remove", post(remove_account))
        .route("/settings/account/check", post(check_account))
        .route("/settings/appearance", post(appearance))
        .route("/settings/writing", post(writing))
        .route("/settings/privacy", post(privacy))
        .route("/settings/passphrase", post(passphrase))
        .route("/settings/token", post(make_token))
        .route("/settings/token/revoke", post(revoke_token))
}

/// What a page of settings says beside the settings.
#[derive(Default)]
struct Said {
    form: AccountForm,
    passphrase: String,
    token: String,
    new_token: Option<NewToken>,
    notice: Option<Notice>,
}

fn good(words: &str) -> Said {
    Said { notice: Some(Notice { words: words.to_owned(), trouble: false }), ..Said::default() }
}

async fn show(owner: Owner) -> Result<Response, WebError> {
    settings_page(&owner, Said::default()).await
}

async fn settings_page(owner: &Owner, said: Said) -> Result<Response, WebError> {
    let app = &owner.app;
    let mut shell = shell(owner, "Settings", Spot::Settings, "").await?;
    shell.here = "/settings".into();
    let failed = !(said.form.trouble.is_empty() && said.passphrase.is_empty() && said.token.is_empty());
    shell.notice = said.notice;
    let security = |s: &accounts::Server| match s.security.as_str() {
        "tls" => "TLS",
        "starttls" => "STARTTLS",
        _ => "not encrypted",
    };
    let server = |s: &accounts::Server| format!("{}, port {}, {}", s.host, s.port, security(s));
    let listed = accounts::list(app)
        .await?
        .into_iter()
        .map(|a| {
            let synced = a.synced_at.as_deref().and_then(|t| t.parse::<jiff::Timestamp>().ok());
            AccountView {
                imap_words: server(&a.imap),
                smtp_words: server(&a.smtp),
                state_words: match (a.trouble.as_str(), synced) {
                    ("", Some(at)) => {
                        format!("Up to date since {}", words::when(at.as_second(), app.now()).words)
                    }
                    ("", None) => "Being fetched for the first time".into(),
                    (trouble, _) => sentence(trouble),
                },
                ok: a.trouble.is_empty(),
                prefers_private: a.prefer_encrypt != "nopreference",
                address: a.email,
                name: a.name,
            }
        })
        .collect();
    let tokens = settings::tokens(app)
        .await?
        .into_iter()
        .map(|t| TokenView {
            name: t.name,
            scope: t.scope,
            used_words: format!("made {}", words::when(t.created_at, app.now()).words),
        })
        .collect();
    let made = recovery::standing(app).await?.made_at;
    let mut response = page(&SettingsPage {
        recovery_words: made.map_or_else(
            || "No recovery sheet was made yet.".to_owned(),
            |at| format!("A recovery sheet was made on {}.", words::day(at)),
        ),
        recoverable: made.is_some(),
        afar_words: super::remote_access::words_for_settings(app).await?,
        shell,
        accounts: listed,
        form: AccountForm { in_settings: true, ..said.form },
        secure: settings::get(app, "secure-mode").await? == "on",
        needs_copy: super::keys::needs_copy(app),
        signature: settings::get(app, "writing.signature").await?,
        passphrase_trouble: said.passphrase,
        token_trouble: said.token,
        tokens,
        new_token: said.new_token,
        remote: super::pictures::settings(app).await?,
    })?;
    if failed {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

fn back() -> Response {
    Redirect::to("/settings").into_response()
}

async fn add_account(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    if let Some(form) = to_confirm(&owner, &form).await {
        return settings_page(&owner, Said { form, ..Said::default() }).await;
    }
    let added = match new_account(&form) {
        Ok(account) => accounts::add(&owner.app, account).await,
        Err(failure) => Err(failure),
    };
    match added {
        Ok(_) => Ok(back()),
        Err(failure) => {
            let form = filled(&form, &sentence(&failure.words));
            settings_page(&owner, Said { form, ..Said::default() }).await
        }
    }
}

async fn remove_account(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    accounts::remove(&owner.app, form.get("address"), form.get("keep_mail") == "1").await?;
    Ok(back())
}

async fn check_account(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let checked = accounts::check(&owner.app, Some(form.get("address"))).await?;
    let words = checked.iter().map(|c| {
        if c.ok {
            format!("{}: both servers let us in.", c.email)
        } else {
            let bad: Vec<String> =
                [&c.imap, &c.smtp].into_iter().filter(|w| *w != "ok").map(|w| sentence(w)).collect();
            format!("{}: {}", c.email, bad.join(" "))
        }
    });
    let words = words.collect::<Vec<_>>().join(" ");
    let trouble = !checked.iter().all(|c| c.ok);
    settings_page(&owner, Said { notice: Some(Notice { words, trouble }), ..Said::default() }).await
}

async fn appearance(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    settings::set(&owner.app, "appearance.theme", form.get("theme")).await?;
    settings::set(&owner.app, "appearance.density", form.get("density")).await?;
    Ok(back())
}

async fn writing(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let signature: String = form.get("signature").replace("\r\n", "\n").chars().take(4_000).collect();
    settings::set(&owner.app, "writing.signature", &signature).await?;
    Ok(back())
}

/// Which accounts keep their mail private, and secure mode.
async fn privacy(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    for account in accounts::list(&owner.app).await? {
        let private = form.all("private").any(|address| address == account.email);
        let word = if private { "mutual" } else { "nopreference" };
        // Only what the form showed is changed: an account may have come since.
        if form.all("account").any(|address| address == account.email) && account.prefer_encrypt != word {
            accounts::prefer(&owner.app, &account.email, word).await?;
        }
    }
    let secure = if form.get("secure") == "on" { "on" } else { "off" };
    settings::set(&owner.app, "secure-mode", secure).await?;
    Ok(Redirect::to("/settings#privacy").into_response())
}

async fn passphrase(
    owner: Owner,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let (old, new) =
        (SecretText::new(form.get("old").to_owned()), SecretText::new(form.get("passphrase").to_owned()));
    let changed = if form.get("passphrase") != form.get("again") {
        Err(Failure::usage("The two differ. Type the same passphrase twice"))
    } else if let Err(failure) = acceptable(&new) {
        // Before the old one is looked at: what is refused for the new one says nothing of a guess, and clears no count of them.
        Err(failure)
    } else if is_passphrase(&owner, from, &old).await? {
        owner.web.vault.change_passphrase(&old, &new).await
    } else {
        Err(Failure::usage("That is not the passphrase; nothing was changed"))
    };
    match changed {
        Ok(()) => {
            settings_page(&owner, good("The passphrase was changed. The old one opens nothing any more."))
                .await
        }
        Err(failure) => {
            settings_page(&owner, Said { passphrase: sentence(&failure.words), ..Said::default() }).await
        }
    }
}

async fn make_token(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let scope = Scope::read(form.get("scope")).ok_or_else(|| Failure::usage("Say read, write or admin"))?;
    match settings::make_token(&owner.app, form.get("name"), scope).await {
        Ok(made) => {
            let new_token = Some(NewToken { name: made.name, token: made.token });
            settings_page(&owner, Said { new_token, ..Said::default() }).await
        }
        Err(failure) => {
            settings_page(&owner, Said { token: sentence(&failure.words), ..Said::default() }).await
        }
    }
}

async fn revoke_token(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    settings::revoke_token(&owner.app, form.get("name")).await?;
    Ok(back())
}
