//! Invitations to compare keys: made and taken up on `/keys` and on a contact's page.

use super::form::Form;
use super::{contacts, keys};
use crate::engine::app::App;
use crate::engine::failure::{Failure, Kind};
use crate::engine::invitations::{self, Invited};
use crate::mail::address::canonical;
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::{WebError, sentence};
use crate::web::extract::Path;
use crate::web::view::{InvitationStep, InvitationView, Qr, encoded};
use crate::web::words;
use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/keys/invite", post(invite))
        .route("/keys/join", post(join))
        .route("/contacts/{address}/invite", post(invite_contact))
        .route("/contacts/{address}/join", post(join_contact))
}

async fn invite(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    match invitations::invite(&owner.app, form.get("address").trim(), form.get("from")).await {
        Ok(_) => Ok(Redirect::to("/keys#invite").into_response()),
        Err(failure) => keys::said(&owner, Err(failure)).await,
    }
}

async fn join(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    match invitations::join(&owner.app, form.get("link"), form.get("from"), "").await {
        Ok(taken) => Ok(to_contact(&taken.email)),
        Err(failure) => keys::said(&owner, Err(failure)).await,
    }
}

async fn invite_contact(owner: Owner, Path(address): Path<String>, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let made = invitations::invite(&owner.app, &address, "").await;
    on_contact(&owner, &address, made).await
}

async fn join_contact(owner: Owner, Path(address): Path<String>, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let taken = invitations::join(&owner.app, form.get("link"), "", &address).await;
    on_contact(&owner, &address, taken).await
}

async fn on_contact(
    owner: &Owner,
    address: &str,
    done: Result<Invited, Failure>,
) -> Result<Response, WebError> {
    match done {
        Ok(_) => Ok(to_contact(address)),
        Err(failure) if [Kind::Usage, Kind::Refused, Kind::Failed].contains(&failure.kind) => {
            contacts::contact_page(owner, &canonical(address), &sentence(&failure.words)).await
        }
        Err(failure) => Err(failure.into()),
    }
}

fn to_contact(address: &str) -> Response {
    Redirect::to(&format!("/contacts/{}#invitation", encoded(&canonical(address)))).into_response()
}

/// Those that concern somebody, for their page.
pub(super) async fn of(app: &App, address: &str) -> Result<Vec<InvitationView>, Failure> {
    Ok(invitations::of(app, address).await?.iter().map(view).collect())
}

/// Those that wait for somebody, for the page of the owner's keys.
pub(super) async fn waiting(app: &App) -> Result<Vec<InvitationView>, Failure> {
    let all = invitations::list(app).await?;
    Ok(all
        .iter()
        .filter(|one| !["done", "other-key"].contains(&one.state.as_str()))
        .take(50)
        .map(view)
        .collect())
}

fn view(invited: &Invited) -> InvitationView {
    let who = &invited.email;
    let (icon, words) = match (invited.own, invited.state.as_str()) {
        (_, "done") => ("checked", format!("Both keys were compared: yours and that of {who}.")),
        (_, "other-key") => (
            "warning",
            format!(
                "The program of {who} showed another key than the one you rely on. Nothing was changed; ask them, not by \
                 mail, which key is theirs."
            ),
        ),
        (true, "made") => ("clock", format!("Waiting for {who} to take the invitation.")),
        (true, _) => {
            ("clock", format!("Waiting for the program of {who} to show that it had the invitation."))
        }
        (false, "asked") => ("clock", format!("Waiting for the program of {who} to answer.")),
        (false, _) => ("clock", format!("Waiting for the program of {who} to confirm.")),
    };
    let link = invited.link.clone().unwrap_or_default();
    InvitationView {
        address: who.clone(),
        words,
        caution: icon == "warning",
        icon,
        steps: steps(invited),
        qr: Qr::of_invitation(&link),
        link,
        limits: format!("It is good once, for {who} alone, until {}.", words::day_of(&invited.expires)),
    }
}

/// What happens one after the other; nothing where it ended otherwise.
fn steps(invited: &Invited) -> Vec<InvitationStep> {
    let (all, done): ([&str; 4], usize) = if invited.own {
        (
            [
                "You made the invitation.",
                "Their program asks for your key.",
                "Their program shows its key, and that it had the invitation.",
                "Both keys are compared.",
            ],
            match invited.state.as_str() {
                "made" => 1,
                "asked" => 2,
                _ => 4,
            },
        )
    } else {
        (
            [
                "You took the invitation.",
                "Their program shows the key that the invitation names.",
                "Your program shows that it had the invitation.",
                "Their program confirms, and both keys are compared.",
            ],
            match invited.state.as_str() {
                "asked" => 1,
                "answered" => 3,
                _ => 4,
            },
        )
    };
    if invited.state == "other-key" {
        return Vec::new();
    }
    all.iter()
        .enumerate()
        .map(|(at, words)| InvitationStep { words: (*words).to_owned(), done: at < done, next: at == done })
        .collect()
}
