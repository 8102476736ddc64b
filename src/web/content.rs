//! Message content, apart from everything else: each piece has a host name of its own (`<capability>.localhost`, or below the
//! name that somebody elsewhere uses) that bears no session, or, where such names do not resolve, a path that is blind to cookies (`threats.md` §12).
//!
//! A capability is 128 random bits, in memory, for one piece of one message, GET only, dead at lock or after 15 minutes.

use super::Web;
use super::auth::Owner;
use super::{drawn, leave};
use crate::crypto::secret::random;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::heavy::{self, Turn};
use crate::engine::preview::is_drawable;
use crate::engine::{read, remote};
use crate::mail::html::{Options, Remote};
use crate::mail::ids::MessageId;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::HeaderName;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a capability lives.
const LIFE: Duration = Duration::from_secs(15 * 60);
/// How many there may be; the oldest give way.
const MOST: usize = 5_000;

/// What a browser may connect to on behalf of content. No content policy covers names that are looked up and connections
/// that are made ahead (`dns-prefetch`, `preconnect`); this does, in browsers that know it.
const CONNECTION_ALLOWLIST: HeaderName = HeaderName::from_static("connection-allowlist");

/// What a capability opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The sanitised document of a message, with the pictures it shows.
    Document(Pictures),
    /// One part, as a download.
    Part(u32),
    /// What one part shows, as pictures.
    Preview(u32),
    /// A copy of one part that can do nothing, as a download; made for this media type.
    Copy(u32, &'static str),
    /// Small pictures of the attachments.
    Thumbnails,
    /// The stored bytes, as a download.
    Raw,
}

/// What may be shown of pictures from other servers. Only copies of ours ever are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pictures {
    /// None.
    Blocked,
    /// Those that were fetched already; nothing is asked for.
    Held,
    /// All of them: the owner decided so about the sender. What is missing is fetched when the frame is looked at.
    Always,
}

#[derive(Clone)]
struct Grant {
    message: MessageId,
    piece: Piece,
    /// The session it was made for; it ends with it.
    session: String,
    /// The origin of the page that may frame it.
    page: String,
    /// It has a host name of its own; else it is a path of the page's host. Never both.
    is_named: bool,
    made: Instant,
}

/// The capabilities that live.
#[derive(Default)]
pub(super) struct Grants(Mutex<HashMap<String, Grant>>);

impl Grants {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Grant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a capability for a piece, for the session of `owner` and to be framed by its pages; gives its address.
    pub(super) fn address(&self, owner: &Owner, message: MessageId, piece: Piece) -> String {
        let (web, page_host) = (&owner.web, owner.host.as_str());
        let capability = data_encoding::HEXLOWER.encode(&random::<16>());
        let mut all = self.all();
        all.retain(|_, grant| grant.made.elapsed() < LIFE);
        if all.len() >= MOST
            && let Some(oldest) = all.iter().min_by_key(|(_, grant)| grant.made).map(|(c, _)| c.clone())
        {
            all.remove(&oldest);
        }
        let base = web.names.content(page_host, &capability);
        let grant = Grant {
            message,
            piece,
            session: owner.session.clone(),
            page: web.names.origin(page_host),
            is_named: base.is_some(),
            made: Instant::now(),
        };
        all.insert(capability.clone(), grant);
        base.map_or_else(|| format!("/content/{capability}/"), |base| format!("{base}/"))
    }

    fn find(&self, capability: &str) -> Option<Grant> {
        self.all().get(capability).filter(|grant| grant.made.elapsed() < LIFE).cloned()
    }

    /// Ends all capabilities.
    pub(super) fn clear(&self) {
        self.all().clear();
    }
}

/// Answers by path, for page hosts that have no names below them. Cookies are never looked at.
pub(super) async fn by_path(
    State(web): State<Arc<Web>>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Response {
    let Ok(Path((capability, rest))) = path else { return bare(StatusCode::NOT_FOUND) };
    answer(&web, &capability, &format!("/{rest}"), &format!("/content/{capability}")).await
}

/// The same for the document itself.
pub(super) async fn by_bare_path(
    State(web): State<Arc<Web>>,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    let Ok(Path(capability)) = path else { return bare(StatusCode::NOT_FOUND) };
    answer(&web, &capability, "/", &format!("/content/{capability}")).await
}

/// An answer without anything in it.
pub(super) fn bare(status: StatusCode) -> Response {
    let mut response = status.into_response();
    dress(&mut response, "default-src 'none'; sandbox", "none");
    response
}

/// Answers on a content host; `base` is where its own pictures are found.
pub(super) async fn answer(web: &Arc<Web>, capability: &str, path: &str, base: &str) -> Response {
    let is_named = base.starts_with("http");
    let grant =
        web.grants.find(capability).filter(|grant| grant.is_named == is_named && web.lives(&grant.session));
    let Some(grant) = grant else { return bare(StatusCode::NOT_FOUND) };
    let Some(app) = web.vault.app() else { return bare(StatusCode::NOT_FOUND) };
    let Ok(row) = read::find(&app, &grant.message.to_string()).await else {
        return bare(StatusCode::NOT_FOUND);
    };
    let turn = heavy::message(row.size).await;
    let Ok(opened) = read::open_row(&app, row).await else { return bare(StatusCode::NOT_FOUND) };
    let picture = path.strip_prefix("/picture/").and_then(|n| n.parse::<u32>().ok());
    let remote = path.strip_prefix("/remote/").and_then(|n| n.parse::<u64>().ok());
    match (grant.piece, picture) {
        // In the sender's colours on a dark page too: "/original".
        (Piece::Document(pictures), None) if matches!(path, "/" | "/original") => {
            document(web, &app, opened, (pictures, path == "/", turn), &grant, base).await
        }
        (Piece::Document(Pictures::Held | Pictures::Always), None) if remote.is_some() => {
            let address = remote.unwrap_or_default().cast_signed();
            match remote::picture(&app, opened.row.number, address).await {
                Ok(Some((media_type, bytes))) => self::picture(bytes, &media_type, &grant.page),
                _ => bare(StatusCode::NOT_FOUND),
            }
        }
        (Piece::Document(_), Some(n)) => drawn::inline(&app, &opened, n, &grant.page).await,
        (Piece::Thumbnails, _) => match path.strip_prefix("/thumb/").and_then(|n| n.parse::<u32>().ok()) {
            Some(n) => drawn::thumbnail(&app, &opened, n, &grant.page).await,
            None => bare(StatusCode::NOT_FOUND),
        },
        (Piece::Preview(n), _) => match opened.message.part(n) {
            Some(part) => drawn::of_part(&app, &opened, part, path, &grant.page).await,
            None => bare(StatusCode::NOT_FOUND),
        },
        (Piece::Copy(n, media_type), _) => match opened.message.part(n) {
            Some(part) => drawn::safe_copy(&app, &opened, part, media_type).await,
            None => bare(StatusCode::NOT_FOUND),
        },
        (Piece::Part(n), None) if path == "/" => match opened.message.parts.iter().find(|p| p.n == n) {
            Some(part) => {
                let name = part.name.clone().unwrap_or_else(|| format!("part-{n}"));
                download(part.decoded(&opened.raw).into_owned(), &name)
            }
            None => bare(StatusCode::NOT_FOUND),
        },
        (Piece::Raw, None) if path == "/" => {
            download(opened.came.unwrap_or(opened.raw), &format!("{}.eml", grant.message))
        }
        _ => bare(StatusCode::NOT_FOUND),
    }
}

/// Where our copies of a message's pictures are, by the addresses that the message names; those that are still to come
/// are begun and count too.
async fn copies(
    app: &Arc<App>,
    opened: &read::Opened,
    pictures: Pictures,
    base: &str,
) -> Result<HashMap<String, String>, Failure> {
    let mut copies = HashMap::new();
    if pictures == Pictures::Blocked {
        return Ok(copies);
    }
    // What was allowed when the page was made may have been taken back since.
    let always = pictures == Pictures::Always && remote::always(app, opened).await?;
    let known = remote::known(app, opened.row.number).await?;
    let mut missing = Vec::new();
    for address in remote::wanted(opened).await? {
        let key = app.picture(&address);
        match known.get(&key) {
            Some(false) => continue,
            None if !always => continue,
            None => missing.push(address.clone()),
            Some(true) => {}
        }
        copies.insert(address, format!("{base}/remote/{}", key.cast_unsigned()));
    }
    if !missing.is_empty() {
        remote::begin(app, opened.row.number, missing);
    }
    Ok(copies)
}

async fn document(
    web: &Arc<Web>,
    app: &Arc<App>,
    opened: read::Opened,
    (pictures, dark, turn): (Pictures, bool, Turn),
    grant: &Grant,
    base: &str,
) -> Response {
    let Ok(copies) = copies(app, &opened, pictures, base).await else {
        return bare(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let turn = match turn {
        None => heavy::markup(opened.message.html().map_or(0, str::len)).await,
        turn => turn,
    };
    let (worker, page, place) = (Arc::clone(web), grant.page.clone(), base.to_owned());
    let document = crate::engine::failure::blocking(move || {
        let _turn = turn;
        let cid = |id: &str| {
            let part = opened.message.inline_by_content_id(id)?;
            is_drawable(&part.content_type).then(|| format!("{place}/picture/{}", part.n))
        };
        let link = |url: &str| leave::path(&worker, url).map(|path| format!("{page}{path}"));
        let copy = |address: &str| copies.get(address).cloned();
        let remote = if copies.is_empty() { Remote::Blocked } else { Remote::Fetched(&copy) };
        let options = Options { remote, cid: &cid, link: &link, fold_quotes: true, dark };
        Ok::<_, Failure>(opened.document(&options).document)
    })
    .await;
    let Ok(document) = document else { return bare(StatusCode::INTERNAL_SERVER_ERROR) };
    let mut response = document.into_response();
    set(&mut response, header::CONTENT_TYPE, "text/html; charset=utf-8");
    let pictures = if base.starts_with("http") { base } else { "'self'" };
    let policy = format!(
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src {pictures} data:; \
         style-src 'unsafe-inline'; font-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors {}",
        grant.page
    );
    dress(&mut response, &policy, &grant.page);
    set(&mut response, CONNECTION_ALLOWLIST, &reachable(&grant.page));
    response
}

/// A picture that a worker made.
pub(super) fn picture(bytes: Vec<u8>, media_type: &str, page: &str) -> Response {
    let mut response = Body::from(bytes).into_response();
    set(&mut response, header::CONTENT_TYPE, media_type);
    dress(&mut response, "default-src 'none'; sandbox", page);
    response
}

/// What a document may be connected with: its own host for its pictures, and our pages for its links.
fn reachable(page: &str) -> String {
    // In these patterns a colon begins a name, so those of an address in brackets are escaped, once for each of the two
    // notations.
    let (before, after) = page.split_once(']').unwrap_or(("", page));
    let page = match before.split_once('[') {
        Some((scheme, address)) => format!("{scheme}[{}]{after}", address.replace(':', "\\\\:")),
        None => page.to_owned(),
    };
    format!("(response-origin \"{page}/*\")")
}

/// Bytes from mail as a download that nothing takes for a page (`threats.md` §14).
pub(super) fn download(bytes: Vec<u8>, name: &str) -> Response {
    let mut response = Body::from(bytes).into_response();
    set(&mut response, header::CONTENT_TYPE, "application/octet-stream");
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._- ".contains(c) { c } else { '_' }).collect();
    let disposition =
        format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", super::view::encoded(name));
    set(&mut response, header::CONTENT_DISPOSITION, &disposition);
    dress(&mut response, "sandbox; default-src 'none'", "none");
    response
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn dress(response: &mut Response, policy: &str, page: &str) {
    set(response, header::CONTENT_SECURITY_POLICY, policy);
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_DNS_PREFETCH_CONTROL, "off"),
        (header::CACHE_CONTROL, "no-store"),
        (CONNECTION_ALLOWLIST, "()"),
    ] {
        set(response, name, value);
    }
    // The frame lies on another host name than its page, so it is cross-origin by design; downloads are nobody's.
    let policy = if page == "none" { "same-origin" } else { "cross-origin" };
    set(response, HeaderName::from_static("cross-origin-resource-policy"), policy);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_dies_of_age_and_when_the_store_is_locked() {
        let grants = Grants::default();
        let old = Instant::now().checked_sub(LIFE + Duration::from_secs(1)).unwrap();
        for (name, made) in [("old", old), ("new", Instant::now())] {
            let grant = Grant {
                message: MessageId([7; 15]),
                piece: Piece::Raw,
                session: String::new(),
                page: String::new(),
                is_named: true,
                made,
            };
            grants.all().insert(name.to_owned(), grant);
        }
        assert!(grants.find("old").is_none() && grants.find("new").is_some());
        grants.clear();
        assert!(grants.find("new").is_none());
    }

    #[test]
    fn a_document_reaches_its_own_host_and_our_pages() {
        assert_eq!(reachable("http://127.0.0.1:7801"), r#"(response-origin "http://127.0.0.1:7801/*")"#);
        assert_eq!(reachable("http://[::1]:7801"), r#"(response-origin "http://[\\:\\:1]:7801/*")"#);
    }
}
