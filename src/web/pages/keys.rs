//! The owner's keys: looked at, made, handed out, brought here, kept safe, moved to another program.

use super::form::Form;
use super::invitations;
use super::shell::shell;
use crate::crypto::secret::SecretText;
use crate::engine::app::App;
use crate::engine::failure::{Failure, Kind};
use crate::engine::keyring::{self, Key};
use crate::engine::publication::{self, Offer, Publication};
use crate::engine::{accounts, backup, recovery, setup_messages};
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::content::download;
use crate::web::error::{WebError, page, sentence};
use crate::web::extract::Query;
use crate::web::listener::From;
use crate::web::view::{KeyView, KeysPage, Notice, PublicationView, SetupCode, Spot};
use crate::web::words;
use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use std::net::IpAddr;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/keys", get(show))
        .route("/keys/make", post(make))
        .route("/keys/renew", post(renew))
        .route("/keys/public", get(public))
        .route("/keys/secret", post(secret))
        .route("/keys/copy", post(copy))
        .route("/keys/import", post(import))
        .route("/keys/later", post(later))
        .route("/keys/publish", post(publish))
        .route("/keys/unpublish", post(unpublish))
        .route("/keys/confirm", post(confirm))
        .route("/keys/setup-message", post(setup_message))
        .route("/keys/setup-message/open", post(open_setup_message))
}

/// For so long the reminder of the copy stays away once it was put off, in seconds.
const WEEK: u32 = 7 * 24 * 3600;
/// The cookie that puts it off: it holds nothing, and is only ever looked for.
const PUT_OFF: &str = "mailkeep-copy-later";
/// The largest text or file with keys, in bytes.
const LARGEST: usize = 8 << 20;

/// What the page says beside the keys.
#[derive(Default)]
struct Said {
    notice: String,
    trouble: String,
    setup: Option<SetupCode>,
}

/// Whether a key of the owner's is in no copy yet.
pub(super) fn needs_copy(app: &App) -> bool {
    app.keyring.all().iter().any(|own| own.backed_up_at == 0)
}

/// Whether a list reminds of what helps when the passphrase or the machine is lost: not within a week of being told to wait.
pub(super) fn reminds(app: &App, headers: &HeaderMap) -> Result<bool, Failure> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let put_off = cookies.flat_map(|all| all.split(';')).any(|one| one.trim().starts_with(PUT_OFF));
    Ok(!put_off && recovery::reminder(app)?)
}

async fn show(owner: Owner) -> Result<Response, WebError> {
    keys_page(&owner, Said::default()).await
}

async fn keys_page(owner: &Owner, said: Said) -> Result<Response, WebError> {
    let app = &owner.app;
    let mut shell = shell(owner, "Keys", Spot::Keys, "").await?;
    shell.here = "/keys".into();
    shell.notice = (!said.notice.is_empty()).then_some(Notice { words: said.notice, trouble: false });
    let own: Vec<Key> = keyring::list(app).await?.into_iter().filter(|key| key.secret).collect();
    let held: Vec<String> = app.keyring.all().iter().map(|own| own.address.clone()).collect();
    let without = accounts::list(app)
        .await?
        .into_iter()
        .map(|account| account.email)
        .filter(|email| !held.contains(email))
        .collect();
    let senders = accounts::list(app).await?.into_iter().map(|account| account.email).collect();
    let published = publication::list(app).await?;
    let newest = own.iter().filter_map(|key| key.backed_up.as_deref()).max();
    let failed = !said.trouble.is_empty();
    let mut response = page(&KeysPage {
        shell,
        trouble: said.trouble,
        copied_words: newest.map(words::day_of).unwrap_or_default(),
        needs_copy: needs_copy(app),
        keys: own
            .into_iter()
            .map(|one| {
                let mut view = key(one);
                let mine = published.iter().filter(|p| p.address == view.address && view.current);
                view.published = mine.clone().map(|p| p.words.clone()).collect();
                view.is_published = mine.clone().any(|p| p.state != "removed");
                view
            })
            .collect(),
        without,
        setup: said.setup,
        senders,
        invitations: invitations::waiting(app).await?,
    })?;
    if failed {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

fn key(key: Key) -> KeyView {
    let ends = key.expires.as_deref().map(words::day_of);
    let dates = match ends {
        Some(day) if key.current => format!("it ends on {day}, and is made to last longer long before"),
        Some(day) => format!("it ends on {day}"),
        None => "it does not end".to_owned(),
    };
    let copy = key.backed_up.as_deref().map(words::day_of);
    KeyView {
        address: key.addresses.into_iter().next().unwrap_or_default(),
        current: key.current,
        use_words: match (key.revoked, key.current) {
            (true, _) => "Taken back. Kept for reading older mail.".into(),
            (false, true) => "In use: it signs what you send, and those you write to are told of it.".into(),
            (false, false) => "Kept for reading older mail.".into(),
        },
        fingerprint: words::groups(&key.fingerprint),
        dates_words: format!("Made on {}; {dates}.", words::day_of(&key.created)),
        algorithm: key.algorithm,
        has_copy: copy.is_some(),
        published: Vec::new(),
        is_published: false,
        copy_words: copy.map_or_else(|| "None yet".to_owned(), |day| format!("Made on {day}")),
    }
}

/// The page again, with what was done or why it was not.
pub(super) async fn said(owner: &Owner, done: Result<String, Failure>) -> Result<Response, WebError> {
    let said = match done {
        Ok(notice) => Said { notice, ..Said::default() },
        Err(failure) => Said { trouble: sentence(&failure.words), ..Said::default() },
    };
    keys_page(owner, said).await
}

async fn make(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let made = keyring::make(&owner.app, form.get("address")).await;
    said(&owner, made.map(|_| format!("A key for {} was made.", form.get("address")))).await
}

async fn renew(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let made = keyring::renew(&owner.app, form.get("address")).await;
    let words = |_| {
        let address = form.get("address");
        format!("{address} has a new key. Those you write to go over to it by themselves; make a copy of it.")
    };
    said(&owner, made.map(words)).await
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
struct Asked {
    address: String,
}

/// The public half, as a file: the owner's, or that of a correspondent.
async fn public(owner: Owner, Query(asked): Query<Asked>) -> Result<Response, WebError> {
    let bytes = keyring::export(&owner.app, &asked.address, false).await?;
    Ok(download(bytes, &format!("{}.asc", asked.address)))
}

/// Whether the passphrase is the store's; guesses are slowed down like those at the door.
pub(super) async fn prove(
    owner: &Owner,
    from: IpAddr,
    form: &Form,
) -> Result<Result<SecretText, Failure>, WebError> {
    let passphrase = SecretText::new(form.get("passphrase").to_owned());
    Ok(if is_passphrase(owner, from, &passphrase).await? {
        Ok(passphrase)
    } else {
        Err(Failure::usage("That is not the passphrase; nothing was handed out"))
    })
}

/// Whether this is the store's passphrase. From afar the recovery key proves nothing: whoever finds its sheet has one thing only.
pub(super) async fn is_passphrase(
    owner: &Owner,
    from: IpAddr,
    passphrase: &SecretText,
) -> Result<bool, WebError> {
    owner.web.throttle.attempt(from)?;
    let right = if owner.web.is_remote() {
        owner.web.vault.is_passphrase(passphrase).await
    } else {
        match owner.web.vault.prove(passphrase).await {
            Ok(()) => Ok(true),
            Err(failure) if failure.kind == Kind::Locked => Ok(false),
            Err(failure) => Err(failure),
        }
    };
    if !matches!(right, Ok(false)) {
        owner.web.throttle.note(from, true);
    }
    Ok(right?)
}

async fn secret(
    owner: Owner,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    match prove(&owner, from, &form).await? {
        Ok(_) => {
            let address = form.get("address");
            let bytes = keyring::export(&owner.app, address, true).await?;
            Ok(download(bytes, &format!("{address}-secret.asc")))
        }
        Err(failure) => said(&owner, Err(failure)).await,
    }
}

async fn copy(
    owner: Owner,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    match safe_copy(&owner, from, &form).await? {
        Ok(file) => Ok(file),
        Err(failure) => said(&owner, Err(failure)).await,
    }
}

/// The file with a copy of all keys, for whoever knows the passphrase.
pub(super) async fn safe_copy(
    owner: &Owner,
    from: IpAddr,
    form: &Form,
) -> Result<Result<Response, Failure>, WebError> {
    Ok(match prove(owner, from, form).await? {
        Ok(passphrase) => {
            let made = backup::make(&owner.app, passphrase).await;
            made.map(|bytes| download(bytes, "mailkeep-keys.asc"))
        }
        Err(failure) => Err(failure),
    })
}

/// Puts the reminder off for a week.
async fn later(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let mut response = Redirect::to(&form.back()).into_response();
    let cookie = format!("{PUT_OFF}=1; Path=/; HttpOnly; SameSite=Strict; Max-Age={WEEK}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

async fn import(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let file = form.files.iter().find(|(field, ..)| field == "file").map(|(_, _, _, bytes)| bytes.clone());
    let bytes = file.unwrap_or_else(|| form.get("text").trim().as_bytes().to_vec());
    let password = Some(form.get("password")).filter(|p| !p.is_empty());
    let taken = match bytes.len() {
        0 => Err(Failure::usage("Choose a file with a key, or paste its text")),
        1..=LARGEST => {
            keyring::import(&owner.app, bytes, password.map(|p| SecretText::new(p.to_owned()))).await
        }
        _ => Err(Failure::usage("This is larger than any key; nothing was taken in")),
    };
    let words = taken.map(|imported| {
        let all: Vec<String> = imported.keys.iter().map(imported_words).collect();
        if all.is_empty() { "No key was found in it.".to_owned() } else { all.join(" ") }
    });
    said(&owner, words).await
}

fn imported_words(key: &Key) -> String {
    let whose = key.addresses.first().map_or("nobody in particular", String::as_str);
    match (key.secret, key.current) {
        (true, true) => format!("The key of {whose} is here and in use."),
        (true, false) => format!("The key of {whose} is here, and opens older mail."),
        (false, _) => format!("The key of {whose} is here, and is used when you write to them in private."),
    }
}

/// What the servers said, one sentence each.
fn told(done: Result<Vec<Publication>, Failure>) -> Result<String, Failure> {
    done.map(|all| all.into_iter().map(|one| one.words).collect::<Vec<_>>().join(" "))
}

async fn publish(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let done = publication::publish(&owner.app, form.get("address")).await;
    said(&owner, told(done)).await
}

async fn unpublish(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let done = publication::unpublish(&owner.app, form.get("address")).await;
    said(&owner, told(done)).await
}

async fn confirm(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let done = publication::confirm(&owner.app, form.get("id")).await;
    said(&owner, told(done.map(|one| vec![one]))).await
}

/// What is to be said of a key server's mail.
pub(super) fn asked_by_server(offer: Offer) -> PublicationView {
    match offer {
        Offer::Confirm { server, address, removes: false } => PublicationView {
            heading: format!("{server} asks whether {address} is yours"),
            words: "You began to publish your key there. When you confirm, whoever asks for this address gets the key.".to_owned(),
            button: "Confirm",
        },
        Offer::Confirm { server, address, removes: true } => PublicationView {
            heading: format!("{server} asks whether the key of {address} shall go"),
            words: "You asked for it to be removed. When you confirm, the server forgets it.".to_owned(),
            button: "Confirm the removal",
        },
        Offer::Foreign { server, address, removes: false } => PublicationView {
            heading: format!("Somebody asked {server} to publish a key for {address}"),
            words: "It is not yours. Do nothing.".to_owned(),
            button: "",
        },
        Offer::Foreign { server, address, removes: true } => PublicationView {
            heading: format!("Somebody asked {server} to remove the key of {address}"),
            words: "It was not asked for from here. Do nothing.".to_owned(),
            button: "",
        },
    }
}

async fn setup_message(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let address = form.get("address").to_owned();
    match setup_messages::make(&owner.app, &address).await {
        Ok(made) => {
            let digits: String = made.code.chars().filter(char::is_ascii_digit).collect();
            let groups = words::groups(&digits).split(' ').map(str::to_owned).collect();
            keys_page(&owner, Said { setup: Some(SetupCode { address, groups }), ..Said::default() }).await
        }
        Err(failure) => said(&owner, Err(failure)).await,
    }
}

async fn open_setup_message(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let opened = setup_messages::open(&owner.app, form.get("id"), form.get("code")).await;
    said(&owner, opened.map(|key| imported_words(&key))).await
}
