//! A thread and a single message.

use super::composer::{Source, composer, signature};
use super::frame;
use super::long::{Long, MOST_SHOWN, Place, broken_line, rows_of};
use super::shell::shell;
use super::{avatars, cut, pictures, trust};
use crate::engine::failure::{Failure, Kind, blocking};
use crate::engine::read::{self, Opened, Shown};
use crate::engine::receive::clip;
use crate::engine::{
    drafts, flags, heavy, publication, remote, search, senders, setup_messages, tags as deeds,
};
use crate::mail::address::{Person, canonical};
use crate::mail::html::{Options, Sanitised};
use crate::mail::ids::ThreadNumber;
use crate::mail::text;
use crate::storage::database::{drafts as draft_table, messages};
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::content::Piece as Content;
use crate::web::error::{WebError, page};
use crate::web::extract::{Path, Query};
use crate::web::view::{
    Block, Body, Composer, MessagePage, MessageView, Person as PersonView, Piece, Spot, Tag, ThreadPage,
};
use crate::web::{leave, words};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/messages/{id}", get(message))
        .route("/messages/{id}/parts/{n}", get(part))
        .route("/messages/{id}/source", get(source))
        .route("/threads/{id}", get(thread))
}

/// The way to a file: a capability made when it is asked for, so that a page that lay open for long still leads there.
async fn part(owner: Owner, Path((id, n)): Path<(String, u32)>) -> Result<Response, WebError> {
    let message = read::find(&owner.app, &id).await?.id;
    Ok(Redirect::to(&owner.web.grants.address(&owner, message, Content::Part(n))).into_response())
}

/// The same for the stored bytes.
async fn source(owner: Owner, Path(id): Path<String>) -> Result<Response, WebError> {
    let message = read::find(&owner.app, &id).await?.id;
    Ok(Redirect::to(&owner.web.grants.address(&owner, message, Content::Raw)).into_response())
}

#[derive(serde::Deserialize, Default)]
struct Asked {
    #[serde(default)]
    view: String,
    #[serde(default)]
    from: String,
    /// The message whose pictures are shown, this once: those that were fetched.
    #[serde(default)]
    pictures: String,
    #[serde(default)]
    colours: String,
    /// How many of the latest messages of a long thread are passed over.
    #[serde(default)]
    earlier: usize,
    /// Whether it is one message that is asked for, not a thread.
    #[serde(skip)]
    alone: bool,
}

/// How much text is shown of one message, in bytes; the rest is in the source.
pub(super) const LONGEST_TEXT: usize = 500_000;

async fn message(
    owner: Owner,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, WebError> {
    let asked = Asked { alone: true, ..asked };
    let row = read::find(&owner.app, &id).await?;
    let opened = heavy::open(&owner.app, row).await?;
    let count = rows_of(&owner, opened.row.thread).await?.len();
    let shown = read::shown(&owner.app, &opened).await?;
    mark_read(&owner, &[&shown], &opened).await?;
    let back = if count > 1 {
        (format!("/threads/{}", shown.id), format!("Thread of {count} messages"))
    } else {
        back(&asked.from)
    };
    let shell = shell(&owner, subject(&shown.subject), spot(&shown), &asked.from).await?;
    let subject = shown.subject.clone();
    let is = |tag: &str| shown.tags.iter().any(|t| t == tag);
    let (starred, in_inbox, in_trash, in_spam) = (is("starred"), is("inbox"), is("trash"), is("spam"));
    let tags = own_tags(shown.tags.iter());
    let message = view(&owner, opened, shown, &asked).await?;
    page(&MessagePage { shell, subject, tags, starred, in_inbox, in_trash, in_spam, back, message })
}

/// The list one came from, by its query, and what it is called.
fn back(query: &str) -> (String, String) {
    if query.is_empty() {
        return ("/".to_owned(), "Inbox".to_owned());
    }
    let heading = match super::list::spot(query) {
        (_, heading) if heading == "Search" => query.to_owned(),
        (_, heading) => heading,
    };
    (format!("/search?q={}", crate::web::view::encoded(query)), heading)
}

/// The owner's own among some tags, each once.
fn own_tags<'a>(tags: impl Iterator<Item = &'a String>) -> Vec<Tag> {
    let own: BTreeSet<&String> = tags.filter(|t| flags::is_own_tag(t)).collect();
    own.into_iter().map(|t| Tag { name: t.clone(), hue: words::hue(t), ..Tag::default() }).collect()
}

fn subject(subject: &str) -> &str {
    if subject.is_empty() { "(no subject)" } else { subject }
}

fn spot(shown: &Shown) -> Spot {
    let is = |tag: &str| shown.tags.iter().any(|t| t == tag);
    match () {
        () if is("inbox") => Spot::Inbox,
        () if is("trash") => Spot::Trash,
        () if is("spam") => Spot::Spam,
        () if is("draft") => Spot::Drafts,
        () if is("sent") => Spot::Sent,
        () if is("archive") => Spot::Archive,
        () => Spot::Elsewhere,
    }
}

/// What is opened counts as read.
async fn mark_read(owner: &Owner, shown: &[&Shown], opened: &Opened) -> Result<(), Failure> {
    if shown.iter().any(|s| s.tags.iter().any(|t| t == "unread")) {
        deeds::apply(&owner.app, &[opened.row.number], &[], &["unread".to_owned()]).await?;
    }
    Ok(())
}

async fn thread(
    owner: Owner,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let row = read::find(&owner.app, &id).await?;
    let rows = rows_of(&owner, row.thread).await?;
    // An open page asks what the thread holds by now; only who looks at a message has read it.
    if headers.get("x-part").is_some_and(|part| part == "ids") {
        let ids: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
        return Ok(Json(ids).into_response());
    }
    let (newer, older) = neighbours(&owner, &asked.from, row.thread).await?;
    let place = Place::of(&owner, &rows).await?;
    let long = Long::of(&rows, asked.earlier, &asked.from);
    let title = rows.get(long.first).map(|row| row.subject.clone()).unwrap_or_default();
    let ids: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
    let numbers: Vec<_> = rows.iter().map(|row| row.number).collect();
    let weakest = trust::weakest(&owner, &numbers).await?;
    let mut all = Vec::new();
    let mut broken = Vec::new();
    for row in rows.into_iter().rev().skip(long.passed).take(MOST_SHOWN) {
        let line = broken_line(&owner, &row);
        // A message whose seal is broken must not keep the others from being read.
        let Ok(opened) = heavy::open(&owner.app, row).await else {
            broken.push((all.len(), line));
            continue;
        };
        let shown = read::shown(&owner.app, &opened).await?;
        all.push((opened, shown));
    }
    all.reverse();
    let own = owner.app.own_addresses();
    let mut seen = BTreeSet::new();
    let people: Vec<Person> = all
        .iter()
        .flat_map(|(o, _)| o.message.from.first().cloned())
        .filter(|p| seen.insert(canonical(&p.address)))
        .collect();
    let tags = own_tags(all.iter().flat_map(|(_, s)| &s.tags));
    let unread: Vec<_> =
        all.iter().filter(|(_, s)| s.tags.iter().any(|t| t == "unread")).map(|(o, _)| o.row.number).collect();
    let spot = all.last().map_or(Spot::Elsewhere, |(_, s)| spot(s));
    let shell = shell(&owner, subject(&title), spot, &asked.from).await?;
    let last = all.len().saturating_sub(1);
    let last_id = all.last().map(|(_, s)| s.id.to_string()).unwrap_or_default();
    let answerable = all.last().is_some_and(|(_, s)| !s.tags.iter().any(|t| t == "draft"))
        && !place.in_trash
        && !place.in_spam
        && long.passed == 0;
    let mut views = Vec::with_capacity(all.len());
    for (at, (opened, shown)) in all.into_iter().enumerate() {
        let mut view = view(&owner, opened, shown, &asked).await?;
        view.folded = at != last && !view.unread;
        views.push(view);
    }
    let whole = views.len();
    for (later, line) in broken {
        views.insert(whole - later, line);
    }
    if !unread.is_empty() {
        deeds::apply(&owner.app, &unread, &[], &["unread".to_owned()]).await?;
    }
    let reply = if answerable { quick_reply(&owner, &last_id).await } else { None };
    page(&ThreadPage {
        shell,
        subject: title,
        people_words: format!(
            "{}, {}",
            words::count(ids.len() as u64, "message", "messages"),
            words::people(&people, &own, 4)
        ),
        weakest,
        tags,
        ids,
        starred: place.starred,
        in_inbox: place.in_inbox,
        in_trash: place.in_trash,
        in_spam: place.in_spam,
        earlier: long.earlier,
        later: long.later,
        back: back(&asked.from),
        newer,
        older,
        messages: views,
        reply,
    })
}

/// The addresses of the threads before and after this one in the list one came from.
async fn neighbours(
    owner: &Owner,
    from: &str,
    thread: ThreadNumber,
) -> Result<(Option<String>, Option<String>), Failure> {
    let query = if from.is_empty() { "in:inbox" } else { from };
    let around = match search::neighbours(&owner.app, query, thread).await {
        Ok((newer, older)) => [newer, older],
        // The address may hold anything; the thread itself is shown all the same.
        Err(failure) if failure.kind == Kind::Usage => return Ok((None, None)),
        Err(failure) => return Err(failure),
    };
    let numbers: Vec<_> = around.iter().flatten().copied().collect();
    let rows = messages::by_numbers(&mut *owner.app.reader.get().await?, &numbers).await?;
    let suffix =
        if from.is_empty() { String::new() } else { format!("?from={}", crate::web::view::encoded(from)) };
    let [newer, older] = around.map(|number| {
        let row = rows.iter().find(|row| Some(row.number) == number)?;
        Some(format!("/threads/{}{suffix}", row.id))
    });
    Ok((newer, older))
}

/// The answer at the foot of a thread.
async fn quick_reply(owner: &Owner, id: &str) -> Option<Composer> {
    let content = drafts::reply_to(&owner.app, id, false, "").await.ok()?;
    let source = Source { reply: id.to_owned(), ..Source::default() };
    let mut composer = composer(owner, &content, &source, "").await.ok()?;
    composer.inline = true;
    // The quote stands right above: here only the answer is written.
    composer.body = String::new();
    if !signature(owner).await.ok()?.is_empty() {
        composer.note = "Your signature is put under it.".into();
    }
    composer.full_href = format!("/compose?reply={id}");
    Some(composer)
}

/// What there is to know about a message's HTML, and the addresses of the pictures that may be fetched for it; of one without
/// HTML about its text, where that is to be in a frame.
async fn looked(opened: &Arc<Opened>, as_html: bool) -> Result<(Option<Sanitised>, Vec<String>), Failure> {
    let turn = heavy::markup(opened.message.html().map_or(0, str::len)).await;
    let opened = Arc::clone(opened);
    blocking(move || {
        let _turn = turn;
        let (look, wanted) = opened.message.html().map(remote::survey).unzip();
        let text = || as_html.then(|| opened.document(&Options::default()));
        Ok::<_, Failure>((look.or_else(text), wanted.unwrap_or_default()))
    })
    .await
}

/// One message as its template wants it.
async fn view(owner: &Owner, opened: Opened, shown: Shown, asked: &Asked) -> Result<MessageView, Failure> {
    let own = owner.app.own_addresses();
    let when = words::when(opened.row.date, owner.app.now());
    let has_html = opened.message.html().is_some();
    let has_plain = opened.message.plain().is_some_and(|t| !t.trim().is_empty());
    let decided = senders::of_message(&owner.app, &opened).await?;
    // What is asked for now goes before what was decided about the sender, and that before what is usual.
    let as_html = match (asked.view.as_str(), decided.view.as_deref()) {
        // The text of one without HTML is shown in a frame, too, where nothing but that can be meant and all of it is shown.
        ("html", _) => has_html || asked.alone && shown.text.len() <= LONGEST_TEXT,
        ("", Some("html")) => has_html,
        ("text", _) | ("", Some("text")) => false,
        _ => has_html && !has_plain,
    };
    let is = |tag: &str| shown.tags.iter().any(|t| t == tag);
    let sender = opened.message.from.first().cloned().unwrap_or_default();
    let grant = |piece: Content| owner.web.grants.address(owner, shown.id, piece);
    let opened = Arc::new(heavy::with_files(&owner.app, opened).await?);
    let (attachments, events) = super::preview::of_message(owner, &opened).await?;
    let draft_href = if is("draft") {
        let draft = draft_table::by_message(&mut *owner.app.reader.get().await?, opened.row.number).await?;
        let from = draft.map_or_else(|| format!("edit={}", shown.id), |d| format!("draft={}", d.key));
        Some(format!("/compose?{from}"))
    } else {
        None
    };
    let raw_href = format!("/messages/{}/source", shown.id);
    let closed = shown.privacy == "closed" && shown.text.trim().is_empty();
    let (look, wanted) = looked(&opened, as_html).await?;
    let notes = cut::words(&opened.message, look.as_ref(), as_html, shown.text.len());
    let (hidden_words, preview_words) = frame::hidden_words(look.as_ref());
    let asks = pictures::Asks { decided, wanted, as_html, once: asked.pictures == shown.id.to_string() };
    let (remote, permission) = pictures::view(owner, &opened, look.as_ref(), asks, &asked.view).await?;
    let original = asked.colours == "original";
    let src = grant(Content::Document(permission));
    let false_links = look.as_ref().map_or(&[][..], |look| look.false_links.as_slice());
    let origin = super::origin::origin(owner, &opened, &shown, false_links).await?;
    let body = if closed {
        trust::closed(&opened)
    } else if as_html {
        let (height, narrow) = frame::steps(look.as_ref());
        Body::Frame {
            src: format!("{src}{}", if original { "original" } else { "" }),
            height,
            narrow,
            original,
        }
    } else {
        let blocks = blocks(&owner.web, clip(&shown.text, LONGEST_TEXT));
        if blocks.is_empty() { Body::Nothing } else { Body::Text(blocks) }
    };
    let trust = trust::of_message(owner, &opened, &shown).await?;
    let picture = avatars::of_message(owner, &opened, &sender).await?;
    let person = |p: &Person| PersonView { name: p.name.clone(), address: p.address.clone() };
    Ok(MessageView {
        id: shown.id.to_string(),
        from: person(&sender),
        initials: words::initials(&sender),
        hue: words::hue(&canonical(&sender.address)),
        picture,
        to_words: words::people(&shown.to.iter().chain(&shown.cc).cloned().collect::<Vec<_>>(), &own, 3),
        to: shown.to.iter().map(person).collect(),
        cc: shown.cc.iter().map(person).collect(),
        bcc: shown.bcc.iter().map(person).collect(),
        date_words: when.words,
        date_exact: when.exact,
        date_iso: when.iso,
        unread: is("unread"),
        starred: is("starred"),
        snippet: opened.row.snippet.clone(),
        trust,
        is_setup: setup_messages::is_offered(&owner.app, &opened).await?,
        publication: publication::offer(&owner.app, &opened).await?.map(super::keys::asked_by_server),
        origin,
        notes: notes.into_iter().map(str::to_owned).collect(),
        remote,
        hidden_words,
        preview_words,
        body,
        has_html,
        has_text: true,
        attachments,
        events,
        draft_href,
        raw_href,
        places: shown.places.iter().map(|p| format!("{} of {}", p.folder, p.account)).collect(),
        ..MessageView::default()
    })
}

/// Text in blocks, with its links made to lead over the leave page.
fn blocks(web: &Web, source: &str) -> Vec<Block> {
    text::blocks(source)
        .into_iter()
        .filter(|block| !block.text.trim().is_empty())
        .map(|block| {
            let shown = block.text.trim_matches('\n');
            match block.kind {
                text::Kind::Text => Block::Text(flowing(web, shown)),
                text::Kind::Quote(depth) => Block::Quote {
                    depth: u8::try_from(depth.min(6)).unwrap_or(6),
                    words: words::count(shown.lines().count() as u64, "quoted line", "quoted lines"),
                    pieces: flowing(web, &unmarked(shown)),
                },
                text::Kind::Signature => {
                    Block::Signature(linked(web, shown.trim_start_matches("-- ").trim_start()))
                }
            }
        })
        .collect()
}

/// A quote without its marks.
fn unmarked(quote: &str) -> String {
    quote.lines().map(text::unquoted).collect::<Vec<_>>().join("\n")
}

/// A text with its links, and with the line ends marked that a narrow page need not keep.
fn flowing(web: &Web, text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut from = 0;
    for end in text::soft_breaks(text) {
        pieces.extend(linked(web, text.get(from..end).unwrap_or_default()));
        pieces.push(Piece::Wrap);
        from = end + 1;
    }
    pieces.extend(linked(web, text.get(from..).unwrap_or_default()));
    pieces
}

/// An address as it is shown in a text: of a very long one the beginning. The page it leads over shows all of it.
fn shown_address(url: &str) -> String {
    const LONGEST: usize = 90;
    match url.char_indices().nth(LONGEST) {
        Some(_) => format!("{}…", url.get(..url.floor_char_boundary(LONGEST - 20)).unwrap_or(url)),
        None => url.to_owned(),
    }
}

/// Finds addresses in a text. Each ends at white space, and before punctuation that belongs to the sentence.
fn linked(web: &Web, text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("http").filter(|_| pieces.len() < 5_000) {
        let (before, found) = rest.split_at(at);
        plain.push_str(before);
        let end = found.find(|c: char| c.is_whitespace() || "<>\"`{}|\\^".contains(c)).unwrap_or(found.len());
        let (word, after) = found.split_at(end);
        let url = word.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '\'', '*']);
        let is_link =
            url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).is_some_and(|r| r.len() > 2);
        match leave::path(web, url).filter(|_| is_link) {
            Some(href) => {
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(Piece::Link { href, shown: shown_address(url) });
                plain.push_str(word.get(url.len()..).unwrap_or_default());
            }
            None => plain.push_str(word),
        }
        rest = after;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    pieces
}
