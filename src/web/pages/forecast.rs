//! What will happen to a message that is being written: told on its page, and anew while somebody types.

use super::form::Form;
use crate::engine::drafts::Content;
use crate::engine::failure::Failure;
use crate::engine::lookup::{self, Standing};
use crate::engine::outgoing::{self, Wish};
use crate::engine::peers::Advice;
use crate::mail::address::{Person, canonical};
use crate::mail::autocrypt::Recommendation;
use crate::mail::compose::parse_people;
use crate::web::auth::Owner;
use crate::web::error::{WebError, page, sentence};
use crate::web::view::{Forecast, ForecastFor, ForecastPart, TrustFact, encoded};
use axum::response::Response;

/// For so many people it is told what will happen; more are looked at when it is sent.
const MOST: usize = 200;
const READABLE: &str = "Will go out readable by mail servers";
const LEAK: &str = "You are answering private mail, and this answer can be read by the mail servers on its way. What it \
                    quotes is left out and its subject is hidden; what you write yourself is not.";

/// The wish that a form holds.
pub(super) fn wish(form: &Form) -> Wish {
    match form.get("encrypt") {
        "yes" => Wish::Yes,
        "no" => Wish::No,
        _ => Wish::Auto,
    }
}

/// The word that a form holds for a wish.
pub(super) const fn word(wish: Wish) -> &'static str {
    match wish {
        Wish::Auto => "auto",
        Wish::Yes => "yes",
        Wish::No => "no",
    }
}

/// Answers with the part of the page that tells it.
pub(super) async fn part(owner: Owner, form: Form) -> Result<Response, WebError> {
    owner.prove(form.get("csrf"))?;
    let get = |name| form.get(name).to_owned();
    let content = Content {
        from: get("from"),
        to: get("to"),
        cc: get("cc"),
        bcc: get("bcc"),
        reply_to_id: form.get("answers").parse().ok(),
        encrypt: wish(&form),
        came_private: form.get("came_private") == "1",
        ..Content::default()
    };
    let mut told = forecast(&owner, &content).await?;
    let mut settled = content;
    // Of what is still being typed the last piece is nobody's address yet.
    let typing = match form.get("typing") {
        "to" => Some(&mut settled.to),
        "cc" => Some(&mut settled.cc),
        "bcc" => Some(&mut settled.bcc),
        _ => None,
    };
    if let Some(typed) = typing {
        let end = typed.rfind([',', ';', '\n']).unwrap_or(0);
        typed.truncate(end);
    }
    look(&owner, &settled, &mut told).await?;
    page(&ForecastPart { forecast: told })
}

/// The owner writes to these people: whoever has no key that is known is looked up, and what is told says so.
pub(super) async fn look(owner: &Owner, content: &Content, told: &mut Forecast) -> Result<(), Failure> {
    let mut addresses: Vec<String> = people(content).into_iter().map(|person| person.address).collect();
    addresses.retain(|address| told.each.iter().any(|one| one.address == *address && one.keyless));
    let standing = lookup::intend(&owner.app, &addresses).await?;
    for one in &mut told.each {
        match standing.get(&one.address) {
            Some(Standing::Looking) => {
                told.looking = true;
                "Looking for a key of theirs…".clone_into(&mut one.words);
            }
            Some(Standing::Asked) if one.unknown => {
                one.words.push_str(" No key server that answered has one.")
            }
            _ => {}
        }
    }
    Ok(())
}

/// Those a message goes to; what is still being typed is passed over.
fn people(content: &Content) -> Vec<Person> {
    let mut found: Vec<Person> = Vec::new();
    for typed in [&content.to, &content.cc, &content.bcc] {
        let whole = parse_people(typed);
        let pieces = || typed.split([',', ';', '\n']).filter_map(|piece| parse_people(piece).ok()).flatten();
        for person in whole.unwrap_or_else(|_| pieces().collect()) {
            let address = canonical(&person.address);
            if !address.is_empty() && !found.iter().any(|known| known.address == address) {
                found.push(Person { address, ..person });
            }
        }
    }
    found.truncate(MOST);
    found
}

/// Tells what will happen to a message.
pub(super) async fn forecast(owner: &Owner, content: &Content) -> Result<Forecast, Failure> {
    let people = people(content);
    let addresses: Vec<String> = people.iter().map(|person| person.address.clone()).collect();
    let answered = content.reply_to_id;
    let (came_private, encrypt) = (content.came_private, content.encrypt);
    let told =
        outgoing::forecast(&owner.app, &content.from, &addresses, answered, came_private, encrypt).await?;
    let shown = |address: &str| {
        let person = people.iter().find(|person| person.address == address);
        person.map_or_else(|| address.to_owned(), |person| person.display().to_owned())
    };
    let fact = fact(&told, content.encrypt, &shown);
    let private = matches!(told.encrypted, Ok(true)) && !people.is_empty();
    let stays = content.encrypt == Wish::Yes || private;
    Ok(Forecast {
        fact,
        private,
        send_words: if stays { "Send privately" } else { "Send" },
        leak: if told.answers_private && matches!(told.encrypted, Ok(false)) && !people.is_empty() {
            LEAK.to_owned()
        } else {
            String::new()
        },
        looking: false,
        each: told
            .plan
            .each
            .iter()
            .map(|advice| ForecastFor {
                shown: shown(&advice.address),
                icon: if advice.rank == Recommendation::Disable { "unlocked" } else { "lock" },
                words: advice.words.clone(),
                undecided: advice.undecided,
                keyless: advice.fingerprint.is_none() && !advice.undecided,
                unknown: advice.is_unknown,
                href: format!("/contacts/{}#compare", encoded(&advice.address)),
                address: advice.address.clone(),
            })
            .collect(),
    })
}

/// The one line.
fn fact(told: &outgoing::Forecast, wish: Wish, shown: &dyn Fn(&str) -> String) -> TrustFact {
    let fact = |icon, words: String| TrustFact { icon, words, ..TrustFact::default() };
    if told.plan.each.is_empty() {
        return fact(
            "key",
            "Whether it can be private is seen as soon as it says to whom it goes".to_owned(),
        );
    }
    match &told.encrypted {
        Ok(true) => fact("lock", "Will be private".to_owned()),
        Ok(false) if wish == Wish::No => fact("unlocked", format!("{READABLE}, as you chose")),
        Ok(false) if told.plan.recommendation == Recommendation::Disable => {
            fact("unlocked", format!("{READABLE}: {}", hindrance(&told.plan.each, shown)))
        }
        Ok(false) => fact("unlocked", format!("{READABLE}, though it could be private")),
        Err(_) if told.plan.recommendation == Recommendation::Disable => TrustFact {
            caution: true,
            ..fact(
                "warning",
                format!(
                    "Cannot be private: {}. Leave them out, or choose Normal",
                    hindrance(&told.plan.each, shown)
                ),
            )
        },
        Err(failure) => TrustFact { caution: true, ..fact("warning", sentence(&failure.words)) },
    }
}

/// Who keeps a message from being private: "no key for Carol".
fn hindrance(each: &[Advice], shown: &dyn Fn(&str) -> String) -> String {
    let names = |undecided: bool| {
        let hinder = |a: &&Advice| a.rank == Recommendation::Disable && a.undecided == undecided;
        let names: Vec<String> = each.iter().filter(hinder).map(|a| shown(&a.address)).collect();
        match names.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            [one, other] => Some(format!("{one} and {other}")),
            [one, rest @ ..] => Some(format!("{one} and {} others", rest.len())),
        }
    };
    match (names(false), names(true)) {
        (Some(names), _) => format!("no key for {names}"),
        (None, Some(names)) => format!("you have not decided about the new key of {names}"),
        (None, None) => "no key can be used".to_owned(),
    }
}
