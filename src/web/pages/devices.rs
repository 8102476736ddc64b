//! `/devices`: the owner's devices, pairing them step by step, removing one, and what they share.

use super::form::Form;
use super::keys::prove;
use super::shell::shell;
use crate::engine::devices::{self, Household, Notice, Shape, Stage};
use crate::engine::failure::Failure;
use crate::engine::{app::App, settings};
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::{WebError, page, sentence};
use crate::web::listener::From;
use crate::web::view::{
    BeforeView, DevicesPage, HouseholdView, InvitationStep, MemberView, Qr, RemovedView, Spot, StageView,
};
use crate::web::words;
use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use std::net::IpAddr;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/devices", get(show))
        .route("/devices/ask", post(ask))
        .route("/devices/code", post(code))
        .route("/devices/join", post(join))
        .route("/devices/accept", post(accept))
        .route("/devices/confirm", post(confirm))
        .route("/devices/cancel", post(cancel))
        .route("/devices/name", post(name))
        .route("/devices/remove", post(remove))
        .route("/devices/anew", post(anew))
        .route("/devices/settings", post(set))
        .route("/devices/signature", post(signature))
        .route("/devices/later", post(later))
}

/// What a list says of devices above its rows, empty for nothing, and whether it can be put off: who asks waits for an answer.
/// The mail is shown whatever is wrong with devices.
pub(super) async fn notice(app: &Arc<App>) -> (&'static str, bool) {
    match devices::notice(app).await {
        Ok(Some(Notice::Asks)) => ("A program asks to be let in among your devices.", false),
        Ok(Some(Notice::Mailkeep)) => ("A program that calls itself Mailkeep reads this mailbox.", true),
        Ok(Some(Notice::Program)) => ("Another program that says it is yours reads this mailbox.", true),
        Ok(None) => ("", false),
        Err(error) => {
            tracing::warn!(%error, "Devices cannot be looked at");
            ("", false)
        }
    }
}

/// What the page says beside the devices.
#[derive(Default)]
struct Said {
    trouble: String,
    removed: Option<RemovedView>,
    /// A code that was mistyped, and for which account, to be mended rather than typed anew.
    typed: Option<(String, String)>,
}

async fn show(owner: Owner) -> Result<Response, WebError> {
    devices_page(&owner, Said::default()).await
}

async fn devices_page(owner: &Owner, said: Said) -> Result<Response, WebError> {
    let app = &owner.app;
    let mut shell = shell(owner, "Devices", Spot::Devices, "").await?;
    shell.here = "/devices".into();
    let now = app.now();
    let shares = settings::get(app, devices::SHARE).await? == "on";
    let households: Vec<HouseholdView> =
        devices::households(app).await?.into_iter().map(|it| household(it, &said, shares, now)).collect();
    let strays = devices::strays(app).await?;
    let own = app.keyring.all();
    let mut senders: Vec<String> = own.iter().map(|key| key.address.clone()).collect();
    senders.sort_unstable();
    senders.dedup();
    let failed = !said.trouble.is_empty();
    let before = devices::signatures(app).await?.into_iter().map(|it| BeforeView {
        number: it.number,
        text: it.text,
        when: words::when(it.at, now).words,
    });
    let before: Vec<BeforeView> = before.collect();
    let waits = |house: &HouseholdView| {
        matches!(house.stage.kind, "asking" | "accepted" | "said" | "typed" | "proving" | "joining")
    };
    // Nothing that somebody types or reads is replaced by itself.
    let is_in_use = failed
        || said.removed.is_some()
        || households.iter().any(|house| matches!(house.stage.kind, "asked" | "code" | "shows" | "types"));
    let mut response = page(&DevicesPage {
        refreshes: !is_in_use && households.iter().any(waits),
        before,
        trouble: said.trouble,
        removed: said.removed,
        households,
        announces: settings::get(app, devices::ANNOUNCE).await? == "on",
        shares,
        strays_words: if strays == 0 {
            String::new()
        } else {
            words::count(strays, "message lies", "messages lie")
        },
        senders,
        shell,
    })?;
    if failed {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

fn household(house: Household, said: &Said, shares: bool, now: i64) -> HouseholdView {
    let typed = said.typed.as_ref().filter(|(account, _)| *account == house.account);
    let out_words = match house.this.state {
        "removed" => "This Mailkeep was removed by another of your devices.".to_owned(),
        "inactive" => house.this.words.clone(),
        _ => String::new(),
    };
    let is_out = !out_words.is_empty();
    let stage = stage(&house, now);
    let is_paired = house.others.iter().any(|other| other.state == "paired" || other.state == "inactive");
    let may_ask = !is_out && !is_paired && !stage.goes_on();
    let (removed, others): (Vec<Shape>, Vec<Shape>) =
        house.others.into_iter().filter(|_| !is_out).partition(|other| other.state == "removed");
    let is_alone = others.is_empty() && house.noticed.is_empty() && stage.kind == "nothing";
    let member = |shape: Shape| member(shape, shares, now);
    let noticed: Vec<MemberView> = house.noticed.into_iter().map(member).collect();
    HouseholdView {
        account: house.account,
        is_out,
        out_words,
        this: MemberView { nameable: !is_out, ..member(house.this) },
        others: others.into_iter().map(member).collect(),
        removed: removed.into_iter().map(member).collect(),
        may_show: !is_out && !stage.goes_on(),
        may_join: may_ask,
        typed: typed.map(|(_, code)| code.clone()).unwrap_or_default(),
        may_ask: may_ask && !noticed.is_empty(),
        noticed,
        is_alone: is_alone && !is_out,
        stage,
    }
}

fn member(shape: Shape, shares: bool, now: i64) -> MemberView {
    let heard = shape.last_seen.as_deref().and_then(|at| at.parse::<jiff::Timestamp>().ok());
    let heard = heard.map(|at| format!("last heard of {}", words::when(at.as_second(), now).words));
    let words = match (shape.state, heard) {
        (_, Some(heard)) if shape.words.is_empty() => sentence(&heard),
        (_, Some(heard)) => format!("{} {}", sentence(&heard), shape.words),
        ("paired", None) if !shape.this => "Paired, not heard of yet.".to_owned(),
        _ => shape.words,
    };
    MemberView {
        caution: matches!(shape.state, "inactive" | "removed"),
        shares: match (shape.state, shares) {
            ("paired", false) => "Keys, whom you trust, and how private mail is handled",
            ("paired", true) => {
                "Keys, whom you trust, how private mail is handled, your signature, and what you decided about senders"
            }
            _ => "",
        },
        nameable: matches!(shape.state, "paired" | "inactive") && !shape.name.is_empty(),
        is_mailkeep: devices::is_mailkeep(&shape.program),
        program: shape.program.replacen('/', " ", 1),
        name: if shape.name.is_empty() { format!("Device {}", shape.id) } else { shape.name },
        id: shape.id,
        words,
    }
}

/// The steps of the new device, and those of the old one.
const NEW: [&str; 3] = [
    "Let this one on, on your other device.",
    "Type there the numbers that this one shows.",
    "Say here that the other one took them.",
];
const OLD: [&str; 3] = [
    "Let the new device on.",
    "Type here the numbers that it shows.",
    "Say on the new device that they were taken.",
];

/// The same by a code.
const TOLD: [&str; 3] = [
    "Show the code on a device that has your keys.",
    "Type it into the new one.",
    "Both prove to each other that they know it.",
];

fn steps(all: [&str; 3], next: usize) -> Vec<InvitationStep> {
    let step = |(at, words): (usize, &str)| InvitationStep {
        words: words.to_owned(),
        done: at < next,
        next: at == next,
    };
    all.into_iter().enumerate().map(step).collect()
}

fn stage(house: &Household, now: i64) -> StageView {
    let base = StageView {
        until: house.until.map(|at| words::when(at, now).words).unwrap_or_default(),
        ..StageView::default()
    };
    // What a stranger calls itself is no sentence.
    let of = |id: &str, name: &str| StageView {
        id: id.to_owned(),
        name: name.chars().take(40).collect(),
        ..base.clone()
    };
    let numbers = |sas: &str| sas.split(' ').map(str::to_owned).collect();
    let view = match &house.stage {
        Stage::Nothing => StageView { kind: "nothing", ..base },
        Stage::Asking => StageView {
            kind: "asking",
            heading: "Let this one on, on your other device",
            steps: steps(NEW, 0),
            ..base
        },
        Stage::Asked(id, name) => StageView {
            kind: "asked",
            heading: "A program asks to be let in",
            steps: steps(OLD, 0),
            ..of(id, name)
        },
        Stage::Accepted(id, name) => StageView {
            kind: "accepted",
            heading: "Waiting for the new device",
            steps: steps(OLD, 1),
            ..of(id, name)
        },
        Stage::Shows(id, sas) => StageView {
            kind: "shows",
            heading: "Type these numbers into the other device",
            steps: steps(NEW, 1),
            numbers: numbers(sas),
            ..of(id, "")
        },
        Stage::Said(id, sas) => StageView {
            kind: "said",
            heading: "Waiting for the other device",
            steps: steps(NEW, 3),
            numbers: numbers(sas),
            ..of(id, "")
        },
        Stage::Types(id, name) => StageView {
            kind: "types",
            heading: "Type the numbers that the new device shows",
            steps: steps(OLD, 1),
            ..of(id, name)
        },
        Stage::Typed(id, name) => StageView {
            kind: "typed",
            heading: "Now say on the new device that they were taken",
            steps: steps(OLD, 2),
            ..of(id, name)
        },
        Stage::Code(until) => code_stage(house, *until, base),
        Stage::ProvingNew => proving_stage(base),
        Stage::ProvingOld(id, name) => proving_stage(of(id, name)),
        Stage::Joining => StageView {
            kind: "joining",
            heading: "Taking over what the other device knows",
            steps: steps(NEW, 3),
            ..base
        },
        Stage::Done(id) => {
            let known = house.others.iter().find(|other| other.id == *id);
            let name = known.map_or("the other device", |other| other.name.as_str());
            StageView {
                kind: "done",
                heading: "The two are paired",
                words: came(house),
                name: name.to_owned(),
                ..of(id, "")
            }
        }
        Stage::Ended(why) => {
            StageView { kind: "ended", heading: "Nobody was let in", words: (*why).to_owned(), ..base }
        }
    };
    let sas = if view.kind == "code" { String::new() } else { view.sas() };
    StageView { mark: format!("{} {} {sas}", view.kind, view.id), ..view }
}

/// The code that this device shows. Another one is another stage; the code itself stands in no mark.
fn code_stage(house: &Household, until: i64, base: StageView) -> StageView {
    let code = house.code.as_ref().map_or("", |code| code.expose());
    let (prefix, groups) = code.split_once(':').unwrap_or_default();
    StageView {
        kind: "code",
        heading: "Type this code into the new device",
        steps: steps(TOLD, 1),
        prefix: format!("{prefix}:"),
        numbers: groups.split('-').map(str::to_owned).collect(),
        qr: Qr::of_device_code(code),
        id: until.to_string(),
        ..base
    }
}

fn proving_stage(base: StageView) -> StageView {
    StageView {
        kind: "proving",
        heading: "The two prove to each other that they know the code",
        steps: steps(TOLD, 2),
        ..base
    }
}

fn came(house: &Household) -> String {
    let keys = words::count(house.keys, "key of yours is", "keys of yours are");
    let people = words::count(house.people, "person is known", "people are known");
    format!("{keys} here, and the key of {people}. What is new on one comes to the other by itself.")
}

/// From afar whoever hands keys to a device, or puts one out, proves the passphrase first.
async fn proved(owner: &Owner, from: IpAddr, form: &Form) -> Result<Result<(), Failure>, WebError> {
    owner.prove(form.get("csrf"))?;
    if !owner.web.is_remote() {
        return Ok(Ok(()));
    }
    Ok(prove(owner, from, form)
        .await?
        .map(|_| ())
        .map_err(|_| Failure::usage("That is not the passphrase; nothing was changed")))
}

async fn after<T>(owner: &Owner, done: Result<T, Failure>) -> Result<Response, WebError> {
    match done {
        Ok(_) => Ok(Redirect::to("/devices").into_response()),
        Err(failure) => {
            devices_page(owner, Said { trouble: sentence(&failure.words), ..Said::default() }).await
        }
    }
}

async fn ask(
    owner: Owner,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    let done = match proved(&owner, from, &form).await? {
        Ok(()) => devices::pair(&owner.app, Some(form.get("account"))).await,
        Err(failure) => Err(failure),
    };
    after(&owner, done).await
}

/// This device shows a code; the page that follows bears it.
async fn code(
    owner: Owner,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    let done = match proved(&owner, from, &form).await? {
        Ok(()) => devices::show_code(&owner.app, Some(form.get("account"))).await,
        Err(failure) => Err(failure),
    };
    after(&owner, done).await
}

/// The code of another device was typed here.
async fn join(
    owner: Owner,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    let done = match proved(&owner, from, &form).await? {
        Ok(()) => devices::ask_by_code(&owner.app, form.get("code"), Some(form.get("account"))).await,
        Err(failure) => Err(failure),
    };
    match done {
        Ok(_) => Ok(Redirect::to("/devices").into_response()),
        Err(failure) => {
            let typed = (form.get("account").to_owned(), form.get("code").to_owned());
            let said = Said { trouble: sentence(&failure.words), typed: Some(typed), ..Said::default() };
            devices_page(&owner, said).await
        }
    }
}

async fn accept(
    owner: Owner,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    let done = match proved(&owner, from, &form).await? {
        Ok(()) => devices::accept(&owner.app, form.get("id")).await,
        Err(failure) => Err(failure),
    };
    after(&owner, done).await
}

async fn confirm(
    owner: Owner,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    let done = match proved(&owner, from, &form).await? {
        Ok(()) => devices::confirm(&owner.app, form.get("id"), form.get("sas")).await,
        Err(failure) => Err(failure),
    };
    after(&owner, done).await
}

async fn cancel(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let done = devices::cancel(&owner.app, Some(form.get("account"))).await;
    after(&owner, done).await
}

async fn name(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let done = devices::rename(&owner.app, form.get("id"), form.get("name")).await;
    after(&owner, done).await
}

async fn remove(
    owner: Owner,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    let known = devices::list(&owner.app).await?.into_iter().find(|shape| shape.id == form.get("id"));
    let done = match proved(&owner, from, &form).await? {
        Ok(()) => devices::remove(&owner.app, form.get("id")).await,
        Err(failure) => Err(failure),
    };
    match (done, known) {
        (Ok(removed), Some(known)) => {
            let removed = RemovedView { name: known.name, account: known.account, words: removed.words };
            devices_page(&owner, Said { removed: Some(removed), ..Said::default() }).await
        }
        (done, _) => after(&owner, done).await,
    }
}

async fn anew(
    owner: Owner,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    let done = match proved(&owner, from, &form).await? {
        Ok(()) => devices::begin_anew(&owner.app, form.get("account")).await,
        Err(failure) => Err(failure),
    };
    after(&owner, done).await
}

async fn set(
    owner: Owner,
    ConnectInfo(From { address: from, .. }): ConnectInfo<From>,
    form: Form,
) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    // A device that hears nothing does not hear that one was removed.
    let falls_silent =
        form.get("announce") != "on" && settings::get(&owner.app, devices::ANNOUNCE).await? == "on";
    if falls_silent && let Err(failure) = proved(&owner, from, &form).await? {
        return after::<()>(&owner, Err(failure)).await;
    }
    for (field, key) in [("announce", devices::ANNOUNCE), ("share", devices::SHARE)] {
        let value = if form.get(field) == "on" { "on" } else { "off" };
        if settings::get(&owner.app, key).await? != value {
            settings::set(&owner.app, key, value).await?;
        }
    }
    Ok(Redirect::to("/devices#shown").into_response())
}

/// A signature from before is used again, or forgotten.
async fn signature(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let number = form.get("number").parse().unwrap_or_default();
    let done = match form.get("deed") {
        "use" => devices::use_signature(&owner.app, number).await,
        _ => devices::forget_signature(&owner.app, number).await,
    };
    match done {
        Ok(()) => Ok(Redirect::to("/devices#shown").into_response()),
        failed => after(&owner, failed).await,
    }
}

/// The owner wants to hear no more of what was noticed up to now.
async fn later(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    devices::dismiss(&owner.app).await?;
    Ok(Redirect::to(&form.back()).into_response())
}
