//! The door to the outside: how Tor is, what goes by which route, and what went out.

use super::form::Form;
use super::shell::shell;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::{accounts, settings, status};
use crate::network::dialer::{ANNOUNCED, Purpose, Rule, TorState};
use crate::network::log::{CAPACITY, Entry, Route};
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::{WebError, page, sentence};
use crate::web::view::{NetworkPage, RuleChoice, RuleView, Spot, Task, TorView};
use crate::web::words;
use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use std::sync::Arc;

/// How many connections the page shows.
const CONNECTIONS: usize = 200;
/// What the field of an account's route begins with.
const OF_ACCOUNT: &str = "account:";

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/network", get(network))
        .route("/network/switches", post(set_switches))
        .route("/network/routes", post(set_routes))
}

async fn network(owner: Owner) -> Result<Response, WebError> {
    let shell = shell(&owner, "Network", Spot::Elsewhere, "").await?;
    let app = &owner.app;
    let log = app.dialer.log();
    let now = app.now();
    let connections = log.iter().rev().take(CONNECTIONS).map(|entry| connection(entry, now)).collect();
    let status = status::network(app).await?;
    let troubled = matches!(status.tor.state, TorState::Silent | TorState::Stuck);
    page(&NetworkPage {
        shell,
        hint: shown_of(log.len()),
        offline: status.offline,
        everything: status.tor_for_everything,
        rules: rules(app, &status).await?,
        tor: TorView {
            words: status.tor.words,
            ok: !troubled && !status.offline,
            percent: status.tor.percent,
        },
        connections,
    })
}

fn connection(entry: &Entry, now: i64) -> Task {
    let route = match entry.route {
        Route::Direct => "direct",
        Route::Tor => "by Tor",
    };
    let when = words::when(entry.at.as_second(), now).words;
    Task {
        name: format!("{}, port {}", entry.host, entry.port),
        words: sentence(&format!("{when}, {}, {route}: {}", doing(entry.purpose), entry.outcome)),
        ok: entry.outcome == "connected" || entry.outcome == ANNOUNCED,
        progress: None,
    }
}

/// What a connection is for, as a line of the log says it.
const fn doing(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Imap => "reading mail",
        Purpose::Submission => "sending mail",
        Purpose::Autoconfig => "finding the servers of your address",
        Purpose::KeyLookup => "looking for a key",
        Purpose::KeyPublication => "publishing your key",
        Purpose::Avatar => "a correspondent's picture",
        Purpose::RemoteImage => "a picture in a message",
        Purpose::Unsubscribe => "leaving a list",
        Purpose::Dkim => "checking who mail is from",
        Purpose::OnionAddress => "your onion address",
        Purpose::UnlockAddress => "your unlock address",
    }
}

/// The same, as the table of routes says it.
const fn deed(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Imap | Purpose::Submission => "Your mail",
        Purpose::Autoconfig => "Finding the servers of your address",
        Purpose::KeyLookup => "Looking for keys",
        Purpose::KeyPublication => "Publishing your keys",
        Purpose::Avatar => "Pictures of correspondents",
        Purpose::RemoteImage => "Pictures in messages",
        Purpose::Unsubscribe => "Leaving lists",
        Purpose::Dkim => "Checking who mail is from",
        Purpose::OnionAddress => "Your onion address",
        Purpose::UnlockAddress => "Your unlock address",
    }
}

const fn by(rule: Rule) -> &'static str {
    match rule {
        Rule::Direct => "Directly",
        Rule::Tor => "Through Tor, or not at all",
        Rule::Never => "Never",
    }
}

fn choices(rules: &[Rule], chosen: Rule) -> Vec<RuleChoice> {
    rules
        .iter()
        .map(|rule| RuleChoice { value: rule.as_str(), label: by(*rule), chosen: *rule == chosen })
        .collect()
}

/// The table of routes: each account first, then each purpose. What is chosen is shown, whatever the switches make of it.
async fn rules(app: &App, status: &status::NetworkStatus) -> Result<Vec<RuleView>, Failure> {
    let mut shown = Vec::new();
    for account in accounts::list(app).await? {
        let chosen = if account.route == "tor" { Rule::Tor } else { Rule::Direct };
        shown.push(RuleView {
            label: format!("Mail of {}", account.email),
            name: format!("{OF_ACCOUNT}{}", account.email),
            choices: choices(Purpose::Imap.rules(), chosen),
            elsewhere: "",
        });
    }
    for route in &status.routes {
        let Some(key) = route.setting else { continue };
        let mut row =
            RuleView { label: deed(route.purpose).to_owned(), name: key.to_owned(), ..RuleView::default() };
        if route.purpose == Purpose::RemoteImage {
            row.elsewhere = by(route.route);
        } else {
            let chosen = Rule::read(&settings::get(app, key).await?).unwrap_or_else(|| route.purpose.rule());
            row.choices = choices(route.purpose.rules(), chosen);
        }
        shown.push(row);
    }
    Ok(shown)
}

async fn set_switches(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    for (field, key) in [("everything", "network.tor-for-everything"), ("offline", "network.offline")] {
        change(&owner.app, key, if form.get(field) == "on" { "on" } else { "off" }).await?;
    }
    Ok(Redirect::to("/network").into_response())
}

async fn set_routes(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let app = &owner.app;
    for account in accounts::list(app).await? {
        let chosen = form.get(&format!("{OF_ACCOUNT}{}", account.email)).to_owned();
        // Only what the form showed is changed: an account may have come since.
        if !chosen.is_empty() && chosen != account.route {
            accounts::reach(app, &account.email, &chosen).await?;
        }
    }
    for key in Purpose::ALL.into_iter().filter_map(settings::rule_setting) {
        let chosen = form.get(key);
        if !chosen.is_empty() {
            change(app, key, chosen).await?;
        }
    }
    Ok(Redirect::to("/network#routes").into_response())
}

/// Sets a setting where it is another than before.
async fn change(app: &App, key: &str, value: &str) -> Result<(), Failure> {
    if settings::get(app, key).await? == value {
        return Ok(());
    }
    settings::set(app, key, value).await
}

/// What part of all connections the page shows.
fn shown_of(kept: usize) -> String {
    let grouped = |n: usize| crate::web::view::grouped(n as u64);
    if kept <= CONNECTIONS {
        return "Every connection that went out, the newest first. Nothing else was asked for.".to_owned();
    }
    let (shown, kept_figure) = (grouped(CONNECTIONS), grouped(kept));
    if kept < CAPACITY {
        format!("The newest {shown} of {kept_figure} connections that went out.")
    } else {
        format!(
            "The newest {shown} of the last {kept_figure} connections; what came before them is not kept."
        )
    }
}
