//! Lists: the inbox, a search, a tag. Every list is a search, and the search field says which.

use super::avatars;
use super::shell::shell;
use crate::engine::avatars::Album;
use crate::engine::failure::{Failure, Kind};
use crate::engine::search::{self, Hit, Sort};
use crate::engine::{flags, status};
use crate::mail::address::{Person, canonical};
use crate::storage::database::{drafts, messages, tags};
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::{WebError, page, sentence};
use crate::web::extract::Query;
use crate::web::view::{
    Empty, ListPage, Piece, QueryTrouble, Row, Rows, RowsPart, Spot, Tag, encoded, grouped,
};
use crate::web::words;
use axum::Router;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new().route("/", get(inbox)).route("/search", get(search_page))
}

/// How many threads a page shows.
const PAGE: usize = 50;

#[derive(serde::Deserialize, Default)]
struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    page: usize,
}

async fn inbox(owner: Owner, Query(asked): Query<Asked>, headers: HeaderMap) -> Result<Response, WebError> {
    list(&owner, "in:inbox", asked.page, "/", &headers).await
}

async fn search_page(
    owner: Owner,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let query = if asked.q.trim().is_empty() { "*" } else { asked.q.trim() };
    let base = format!("/search?q={}", encoded(query));
    list(&owner, query, asked.page, &base, &headers).await
}

/// Where in the navigation a query belongs, and what its list is called.
pub(super) fn spot(query: &str) -> (Spot, String) {
    match query {
        "in:inbox" => (Spot::Inbox, "Inbox".into()),
        "is:starred" => (Spot::Starred, "Starred".into()),
        "in:draft" => (Spot::Drafts, "Drafts".into()),
        "in:sent" => (Spot::Sent, "Sent".into()),
        "in:archive" => (Spot::Archive, "Archive".into()),
        "in:spam" => (Spot::Spam, "Spam".into()),
        "in:trash" => (Spot::Trash, "Trash".into()),
        "*" => (Spot::Elsewhere, "All mail".into()),
        other => match other.strip_prefix("tag:") {
            Some(tag) if !tag.contains(char::is_whitespace) => (Spot::Elsewhere, tag.to_owned()),
            _ => (Spot::Elsewhere, "Search".into()),
        },
    }
}

async fn list(
    owner: &Owner,
    query: &str,
    number: usize,
    base: &str,
    headers: &HeaderMap,
) -> Result<Response, WebError> {
    let (spot, heading) = spot(query);
    let title =
        if spot == Spot::Elsewhere && heading == "Search" { query.to_owned() } else { heading.clone() };
    let shell = shell(owner, &title, spot, query).await?;
    let number = number.clamp(1, 10_000);
    let found = search::threads(&owner.app, query, Sort::Newest, (number - 1) * PAGE, PAGE + 1).await;
    let mut list = match found {
        Ok(found) => rows(owner, query, found, number, base).await?,
        Err(failure) if failure.kind == Kind::Usage => Rows {
            query: query.to_owned(),
            trouble: Some(trouble(query, owner.app.now(), &failure)),
            ..Rows::default()
        },
        Err(failure) => return Err(failure.into()),
    };
    (list.in_inbox, list.in_spam, list.in_trash) =
        (spot == Spot::Inbox, spot == Spot::Spam, spot == Spot::Trash);
    if headers.get("x-part").is_some_and(|part| part == "rows") {
        return page(&RowsPart { shell, list });
    }
    let reminds = spot == Spot::Inbox && super::keys::reminds(&owner.app, headers)?;
    let (devices, may_wait) =
        if spot == Spot::Inbox { super::devices::notice(&owner.app).await } else { ("", false) };
    page(&ListPage { shell, heading, reminds, devices, may_wait, list })
}

/// What cannot be understood in a query, and the place.
fn trouble(query: &str, now: i64, failure: &Failure) -> QueryTrouble {
    let Err(error) = crate::mail::query::parse(query, now, 0) else {
        return QueryTrouble {
            words: sentence(&failure.words),
            at: query.to_owned(),
            ..QueryTrouble::default()
        };
    };
    let mut rest = query.chars();
    let before = rest.by_ref().take(error.at).collect();
    let word = rest.as_str().find(char::is_whitespace).unwrap_or(rest.as_str().len());
    // The word at the place, or the one sign that opens something there.
    let end = rest.clone().next().filter(|c| "()\"".contains(*c)).map_or(word, char::len_utf8);
    let (at, after) = rest.as_str().split_at(end);
    let words = sentence(&error.message);
    if at.is_empty() {
        return QueryTrouble { words, at: query.to_owned(), ..QueryTrouble::default() };
    }
    QueryTrouble { words, before, at: at.to_owned(), after: after.to_owned() }
}

async fn rows(
    owner: &Owner,
    query: &str,
    found: search::Found,
    number: usize,
    base: &str,
) -> Result<Rows, Failure> {
    let mut hits = found.messages;
    let more = hits.len() > PAGE;
    hits.truncate(PAGE);
    let join =
        |n: usize| if base.contains('?') { format!("{base}&page={n}") } else { format!("{base}?page={n}") };
    let first = (number - 1) * PAGE + 1;
    let mut range_words = match (hits.len(), number, more) {
        (0, _, _) => String::new(),
        (n, 1, false) => words::count(n as u64, "conversation", "conversations"),
        (n, _, _) => format!("{} to {}", grouped(first as u64), grouped((first + n - 1) as u64)),
    };
    if let Some((done, total)) = found.indexing {
        let share = (done * 100).checked_div(total).unwrap_or(0);
        range_words.push_str(&format!(" · still indexing, {share} % done"));
    }
    let mut shown = Vec::with_capacity(hits.len());
    let album = Album::open(&owner.app).await?;
    for hit in hits {
        shown.push(row(owner, query, hit, &album).await?);
    }
    Ok(Rows {
        query: query.to_owned(),
        rows: shown,
        total: found.total,
        range_words,
        newer: (number > 1).then(|| join(number - 1)),
        older: more.then(|| join(number + 1)),
        empty: empty(owner, query).await?,
        ..Rows::default()
    })
}

/// Why a list is empty, and what to do.
async fn empty(owner: &Owner, query: &str) -> Result<Empty, Failure> {
    let say = |words: &str, hint: &str, action: Option<(&str, &str)>| Empty {
        words: words.to_owned(),
        hint: hint.to_owned(),
        action: action.map(|(a, b)| (a.to_owned(), b.to_owned())),
    };
    let accounts = status::accounts(&owner.app).await?;
    Ok(match query {
        "in:inbox" if accounts.is_empty() => say(
            "No mail yet",
            "Add an account, and your mail comes in here.",
            Some(("Add an account", "/settings#accounts")),
        ),
        "in:inbox" if accounts.iter().any(|a| a.synced_at.is_none()) => say(
            "Mail is on its way",
            "It is being fetched, the newest first. This page fills by itself.",
            None,
        ),
        "in:inbox" => say("Nothing waits for you", "New mail appears here by itself.", None),
        "is:starred" => {
            say("Nothing is starred", "Star what you want to find again: press s in a list.", None)
        }
        "in:draft" => say(
            "No drafts",
            "What you begin to write is kept here until it is sent.",
            Some(("Write", "/compose")),
        ),
        "in:sent" => say("Nothing was sent yet", "What you send is kept here.", Some(("Write", "/compose"))),
        "in:archive" => {
            say("The archive is empty", "What is done with goes here: press e in the inbox.", None)
        }
        "in:spam" => say("No spam", "Unwanted mail goes here: press ! on it.", None),
        "in:trash" => {
            say("The trash is empty", "What you delete stays here until you delete it for ever.", None)
        }
        _ => say(
            "Nothing was found",
            "Try fewer words, the beginning of a word with a star (hous*), or look in all mail.",
            Some(("Show all mail", "/search?q=*")),
        ),
    })
}

/// One row: the newest message found of a thread, and what is to be said of the thread.
async fn row(owner: &Owner, query: &str, hit: Hit, album: &Album) -> Result<Row, Failure> {
    let own = owner.app.own_addresses();
    let thread = {
        let mut reader = owner.app.reader.get().await?;
        messages::of_thread(&mut reader, hit.row.thread).await?
    };
    let is = |tag: &str| hit.tags.iter().any(|t| t == tag);
    let sender = hit.from.clone().or_else(|| hit.row.people.from.first().cloned()).unwrap_or_default();
    let sent = is("sent") || is("draft");
    let (who, round) = if sent && thread.len() == 1 {
        let people = words::people(&hit.to, &own, 3);
        (format!("to {people}"), hit.to.first().cloned().unwrap_or_default())
    } else {
        let mut seen = BTreeSet::new();
        let people: Vec<Person> = thread
            .iter()
            .flat_map(|m| m.people.from.first().cloned())
            .filter(|p| seen.insert(canonical(&p.address)))
            .collect();
        (names(&people, &own), sender.clone())
    };
    album.note(&owner.app, &round.address, hit.row.number);
    let when = words::when(hit.row.date, owner.app.now());
    let mut unread = is("unread");
    if thread.len() > 1 && !unread {
        let set = tags::bitmap(&mut *owner.app.reader.get().await?, "unread").await?;
        unread = thread.iter().any(|m| set.contains(m.number.0));
    }
    let href = match query {
        _ if is("draft") && is_ours(owner, &hit).await? => format!("/compose?draft={}", hit.id),
        "in:inbox" => format!("/threads/{}", hit.id),
        query => format!("/threads/{}?from={}", hit.id, encoded(query)),
    };
    let shown_tags = hit.tags.iter().filter(|t| flags::is_own_tag(t) && query != format!("tag:{t}"));
    let searched = !matches!(
        spot(query).0,
        Spot::Inbox | Spot::Drafts | Spot::Sent | Spot::Archive | Spot::Spam | Spot::Trash
    );
    Ok(Row {
        id: hit.id.to_string(),
        href,
        who,
        initials: words::initials(&round),
        hue: words::hue(&canonical(&round.address)),
        picture: avatars::href(owner, album, &round.address),
        subject: hit.subject.clone(),
        snippet: marked(&hit.snippet, &hit.hits),
        count: thread.len() as u64,
        unread,
        starred: is("starred"),
        replied: is("replied"),
        draft: is("draft"),
        attachments: u64::from(hit.attachments),
        trust: super::trust::of_row(hit.privacy, hit.assurance, sender.display()),
        tags: shown_tags.map(|t| Tag { name: t.clone(), hue: words::hue(t), ..Tag::default() }).collect(),
        place: if searched { place(&hit.tags) } else { String::new() },
        date_words: when.words,
        date_exact: when.exact,
        date_iso: when.iso,
    })
}

/// Whether a draft was begun here, so that one can go on writing it.
async fn is_ours(owner: &Owner, hit: &Hit) -> Result<bool, Failure> {
    let mut reader = owner.app.reader.get().await?;
    Ok(drafts::by_message(&mut reader, hit.row.number).await?.is_some())
}

/// Where a message lies, in a word.
fn place(tags: &[String]) -> String {
    let names =
        [("inbox", "Inbox"), ("sent", "Sent"), ("draft", "Drafts"), ("spam", "Spam"), ("trash", "Trash")];
    names
        .iter()
        .find(|(tag, _)| tags.iter().any(|t| t == tag))
        .map_or(String::new(), |(_, name)| (*name).to_owned())
}

/// "Anna", "Anna, Bob, me".
fn names(people: &[Person], own: &BTreeSet<String>) -> String {
    if let [one] = people {
        return if own.contains(&canonical(&one.address)) {
            "me".to_owned()
        } else {
            one.display().to_owned()
        };
    }
    let short = |p: &Person| {
        if own.contains(&canonical(&p.address)) { "me".to_owned() } else { words::first_name(p) }
    };
    let mut names: Vec<String> = people.iter().map(short).collect();
    if names.len() > 4 {
        let last = names.split_off(names.len() - 2);
        names.truncate(1);
        names.push("…".to_owned());
        names.extend(last);
    }
    if names.is_empty() { "(nobody)".to_owned() } else { names.join(", ") }
}

/// A snippet with its hits marked.
fn marked(snippet: &str, hits: &[(usize, usize)]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    for (start, end) in hits {
        let (Some(before), Some(hit)) = (snippet.get(at..*start), snippet.get(*start..*end)) else {
            continue;
        };
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        pieces.push(Piece::Hit(hit.to_owned()));
        at = *end;
    }
    if let Some(rest) = snippet.get(at..).filter(|rest| !rest.is_empty()) {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    pieces
}
