//! Pictures on other servers, and what is decided about senders: what a message's page says of them, and the forms.

use super::form::{Form, local};
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::read::{self, Opened};
use crate::engine::senders::{self, Change, Sender};
use crate::engine::{remote, settings as known_settings, status};
use crate::mail::html::Sanitised;
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::content::Pictures;
use crate::web::error::{WebError, sentence};
use crate::web::view::{RemoteSettings, RemoteView, SenderView};
use crate::web::words;
use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/messages/{id}/pictures", post(decide_pictures))
        .route("/messages/{id}/view", post(decide_view))
        .route("/settings/pictures", post(set_pictures))
        .route("/settings/tor", post(set_tor))
        .route("/settings/lookup", post(set_lookup))
        .route("/settings/sender/forget", post(forget))
}

/// What a page knows of a message when it asks what to say of its pictures.
pub(super) struct Asks {
    /// What was decided about the sender.
    pub(super) decided: Sender,
    /// The addresses of pictures that may be fetched.
    pub(super) wanted: Vec<String>,
    /// Whether the message is shown as HTML.
    pub(super) as_html: bool,
    /// Whether this view was asked to show what was fetched.
    pub(super) once: bool,
}

/// What to say of a message's pictures, and which of them the frame may show. `asked` is the view asked for by name.
pub(super) async fn view(
    owner: &Owner,
    opened: &Opened,
    look: Option<&Sanitised>,
    asks: Asks,
    asked: &str,
) -> Result<(RemoteView, Pictures), Failure> {
    let app = &owner.app;
    let Asks { decided, wanted, as_html, once } = asks;
    let Some(look) = look else { return Ok((RemoteView::default(), Pictures::Blocked)) };
    let sender = senders::of(&opened.message).unwrap_or_default();
    let remember = match asked {
        "html" | "text" if sender.is_empty() || decided.view.as_deref() == Some(asked) => "",
        "html" => "html",
        "text" => "text",
        _ => "",
    };
    let mut shown = RemoteView { sender, remember, always: decided.pictures, ..RemoteView::default() };
    let never = known_settings::get(app, "remote-images").await? == "never";
    let fetchable = as_html && !opened.asks_for_nothing() && !never && !wanted.is_empty();
    let permission = match () {
        () if !fetchable => Pictures::Blocked,
        () if remote::always(app, opened).await? => Pictures::Always,
        () if once => Pictures::Held,
        () => Pictures::Blocked,
    };
    shown.always &= fetchable;
    if permission == Pictures::Blocked {
        shown.can_show = fetchable;
        shown.words = blocked_words(look.remote_images, &look.trackers);
        return Ok((shown, permission));
    }
    let copies = remote::known(app, opened.row.number).await?;
    let all = wanted.len();
    let held = wanted.iter().filter(|address| copies.get(&app.picture(address)) == Some(&true)).count();
    let open = wanted.iter().any(|address| !copies.contains_key(&app.picture(address)));
    let trouble = remote::trouble(app, opened.row.number).filter(|_| open);
    shown.can_show = open && (permission == Pictures::Held || trouble.is_some());
    shown.see_settings = trouble.as_deref().is_some_and(|words| words.starts_with(remote::NO_TOR));
    shown.words = fetched_words(held, all, open, trouble.as_deref(), &look.trackers);
    Ok((shown, permission))
}

fn blocked_words(pictures: usize, trackers: &[String]) -> String {
    let words = match pictures {
        0 => String::new(),
        1 => "1 picture from another server was not loaded".to_owned(),
        n => format!("{n} pictures from other servers were not loaded"),
    };
    with_trackers(words, trackers)
}

fn fetched_words(held: usize, all: usize, open: bool, trouble: Option<&str>, trackers: &[String]) -> String {
    let count = |n: usize| words::count(n as u64, "picture", "pictures");
    let words = match (held, trouble) {
        (0, Some(trouble)) => return with_trackers(sentence(trouble), trackers),
        (_, Some(trouble)) => {
            return with_trackers(
                format!("{held} of {} are here. {}", count(all), sentence(trouble)),
                trackers,
            );
        }
        (_, None) if open => format!("{} from other servers are being fetched", count(all)),
        (0, None) => "No picture is to be had where this message says so".to_owned(),
        (held, None) if held < all => format!("{held} of {} are shown, as copies made here", count(all)),
        (1, None) => "1 picture is shown, as a copy made here".to_owned(),
        (_, None) => format!("{} are shown, as copies made here", count(all)),
    };
    with_trackers(words, trackers)
}

fn with_trackers(mut words: String, trackers: &[String]) -> String {
    if !trackers.is_empty() {
        let hosts = trackers.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
        let joined = match words.is_empty() {
            true => "A tracking pixel was left out",
            false if words.ends_with('.') => " A tracking pixel was left out",
            false => "; a tracking pixel was left out",
        };
        words.push_str(&format!("{joined}: it would have told {hosts} that you read this"));
    }
    if !words.is_empty() && !words.ends_with('.') {
        words.push('.');
    }
    words
}

/// Back to the page that asked, at the message that was meant.
fn back(form: &Form, id: &str, shown: bool) -> Response {
    let here = local(form.get("here"));
    let joined = if here.contains('?') { '&' } else { '?' };
    let shown = if shown { format!("{joined}pictures={id}") } else { String::new() };
    Redirect::to(&format!("{here}{shown}#m-{id}")).into_response()
}

/// Fetches a message's pictures because the owner says so, this once or always; or no longer.
async fn decide_pictures(owner: Owner, Path(id): Path<String>, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let app = &owner.app;
    let opened = read::open(app, &id).await?;
    let id = opened.row.id.to_string();
    let choice = form.get("pictures");
    if matches!(choice, "always" | "ask") {
        let sender = senders::of(&opened.message)
            .ok_or_else(|| Failure::usage("Nobody can tell who wrote this message; nothing was decided"))?;
        let change = Change { pictures: Some(choice == "always"), view: None };
        senders::set(app, &sender, &change).await?;
    }
    if choice == "ask" {
        return Ok(back(&form, &id, false));
    }
    let wanted = remote::wanted(&opened).await?;
    remote::fetch(app, opened.row.number, wanted).await?;
    Ok(back(&form, &id, true))
}

/// Remembers which view of a sender's mail comes first.
async fn decide_view(owner: Owner, Path(id): Path<String>, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let opened = read::open(&owner.app, &id).await?;
    let sender = senders::of(&opened.message)
        .ok_or_else(|| Failure::usage("Nobody can tell who wrote this message; nothing was decided"))?;
    let change = Change { pictures: None, view: Some(form.get("view").to_owned()) };
    senders::set(&owner.app, &sender, &change).await?;
    Ok(back(&form, &opened.row.id.to_string(), false))
}

/// What the settings show of all this.
pub(super) async fn settings(app: &App) -> Result<RemoteSettings, Failure> {
    let words = |sender: &Sender| {
        let view = match sender.view.as_deref() {
            Some("html") => "shown as designed",
            Some(_) => "shown as text",
            None => "",
        };
        let pictures = if sender.pictures { "pictures always" } else { "" };
        [pictures, view].into_iter().filter(|w| !w.is_empty()).collect::<Vec<_>>().join(", ")
    };
    let tor = status::network(app).await?.tor;
    Ok(RemoteSettings {
        never: known_settings::get(app, "remote-images").await? == "never",
        direct: known_settings::get(app, "remote-images.route").await? == "direct",
        avatars: known_settings::get(app, "avatars").await?,
        avatar_server: known_settings::get(app, "avatars.server").await?,
        tor_mode: tor.mode,
        socks: tor.socks.unwrap_or_default(),
        tor_words: tor.words,
        wkd: known_settings::get(app, "lookup.wkd").await? == "on",
        key_servers: known_settings::get(app, "lookup.servers").await?.replace(' ', "\n"),
        senders: senders::list(app)
            .await?
            .into_iter()
            .map(|sender| SenderView { words: words(&sender), address: sender.address })
            .collect(),
    })
}

async fn set_pictures(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    known_settings::set(&owner.app, "remote-images.route", form.get("route")).await?;
    known_settings::set(&owner.app, "remote-images", form.get("fetch")).await?;
    Ok(Redirect::to("/settings#pictures").into_response())
}

async fn set_tor(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    known_settings::set(&owner.app, "tor.socks", form.get("socks").trim()).await?;
    known_settings::set(&owner.app, "tor.mode", form.get("tor")).await?;
    Ok(Redirect::to("/settings#tor").into_response())
}

async fn set_lookup(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let servers = form.get("servers").split_whitespace().collect::<Vec<_>>().join(" ");
    known_settings::set(&owner.app, "lookup.servers", &servers).await?;
    known_settings::set(&owner.app, "lookup.wkd", if form.get("wkd") == "on" { "on" } else { "off" }).await?;
    Ok(Redirect::to("/settings#lookup").into_response())
}

async fn forget(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    senders::forget(&owner.app, form.get("address")).await?;
    Ok(Redirect::to("/settings#pictures").into_response())
}
