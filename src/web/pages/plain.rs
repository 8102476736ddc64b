//! The small pages: contacts, and the keys of the keyboard.

use super::shell::shell;
use crate::mail::address::Person;
use crate::storage::database::settings as table;
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::{WebError, page};
use crate::web::view::{Contact, ContactsPage, KeyboardPage, Spot};
use crate::web::words;
use axum::Router;
use axum::extract::Query;
use axum::response::Response;
use axum::routing::get;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new().route("/contacts", get(contacts)).route("/keyboard", get(keyboard))
}

/// How many people a page shows.
const PAGE: usize = 100;

#[derive(serde::Deserialize, Default)]
struct Asked {
    #[serde(default)]
    page: usize,
}

async fn contacts(owner: Owner, Query(asked): Query<Asked>) -> Result<Response, WebError> {
    let shell = shell(&owner, "Contacts", Spot::Contacts, "").await?;
    let number = asked.page.clamp(1, 1_000);
    let end = u32::try_from(number * PAGE + 1).unwrap_or(u32::MAX);
    let people = table::people(&mut *owner.app.reader.get().await?, end).await?;
    let more = people.len() > number * PAGE;
    let contacts: Vec<Contact> = people
        .into_iter()
        .skip((number - 1) * PAGE)
        .take(PAGE)
        .map(|p| {
            let when = words::when(p.last_at, owner.app.now());
            let person = Person { name: p.name, address: p.address };
            Contact {
                initials: words::initials(&person),
                hue: words::hue(&person.address),
                count_words: format!(
                    "{} from, {} to",
                    crate::web::view::grouped(u64::from(p.received)),
                    crate::web::view::grouped(u64::from(p.sent))
                ),
                date_words: when.words,
                date_iso: when.iso,
                name: person.name,
                address: person.address,
            }
        })
        .collect();
    page(&ContactsPage {
        shell,
        count_words: words::count(contacts.len() as u64, "person on this page", "people on this page"),
        contacts,
        newer: (number > 1).then(|| format!("/contacts?page={}", number - 1)),
        older: more.then(|| format!("/contacts?page={}", number + 1)),
    })
}

async fn keyboard(owner: Owner) -> Result<Response, WebError> {
    page(&KeyboardPage { shell: shell(&owner, "Keys", Spot::Elsewhere, "").await? })
}
