//! What surrounds every page: navigation, counts, the state of the servers, bars.

use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::{flags, outbox, settings, status};
use crate::storage::database::{outbox as table, tags};
use crate::web::auth::Owner;
use crate::web::view::{Counts, Density, Nav, NetState, Sent, Shell, Spot, Tag, Theme, Undo};
use crate::web::words;

/// Builds the shell of a page. `query` is what the search field says.
pub(super) async fn shell(owner: &Owner, title: &str, spot: Spot, query: &str) -> Result<Shell, Failure> {
    let app = &owner.app;
    let mut reader = app.reader.get().await?;
    let unread = tags::bitmap(&mut reader, "unread").await?;
    let inbox = tags::bitmap(&mut reader, "inbox").await?;
    let spam = tags::bitmap(&mut reader, "spam").await?;
    let drafts = tags::bitmap(&mut reader, "draft").await?;
    let waiting = table::list(&mut reader, i64::MAX).await?;
    let mut own = Vec::new();
    for (name, count) in tags::counts(&mut reader).await? {
        if flags::is_own_tag(&name) && count > 0 {
            let unread = (&tags::bitmap(&mut reader, &name).await? & &unread).len();
            let current = query == format!("tag:{name}");
            own.push(Tag { hue: words::hue(&name), name, unread, current });
        }
    }
    drop(reader);
    let counts = Counts {
        inbox_unread: (&unread & &inbox).len(),
        drafts: drafts.len(),
        outbox: waiting.len() as u64,
        outbox_trouble: waiting.iter().any(|e| e.state == "failed" || e.attempts > 0),
        spam_unread: (&unread & &spam).len(),
    };
    let (here, parameters) = split_here(&owner.here);
    let parameter = |name: &str| parameters.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let undo = parameter("undo").and_then(|token| {
        owner.web.sessions.undo_words(&owner.session, &token).map(|words| Undo { words, token })
    });
    let sent = match parameter("sent") {
        Some(id) => sent_bar(owner, &id).await?,
        None => None,
    };
    Ok(Shell {
        title: title.to_owned(),
        csrf: owner.csrf.clone(),
        here,
        query: query.to_owned(),
        nav: Nav::new(spot, counts, own),
        state: state(app).await?,
        undo,
        sent,
        notice: None,
        theme: Theme::named(&settings::get(app, "appearance.theme").await?),
        density: Density::named(&settings::get(app, "appearance.density").await?),
        afar: owner.web.is_remote(),
    })
}

/// The address of the page without what is said once.
fn split_here(here: &str) -> (String, Vec<(String, String)>) {
    let (path, query) = here.split_once('?').unwrap_or((here, ""));
    let mut kept = Vec::new();
    let mut once = Vec::new();
    for piece in query.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        if matches!(name, "undo" | "sent" | "notice" | "pictures") {
            once.push((name.to_owned(), value.to_owned()));
        } else {
            kept.push(piece);
        }
    }
    let here = if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
    (here, once)
}

async fn sent_bar(owner: &Owner, id: &str) -> Result<Option<Sent>, Failure> {
    let entry = outbox::list(&owner.app).await?.into_iter().find(|e| e.id.to_string() == id);
    let Some(entry) = entry.filter(|e| e.state == "waiting") else { return Ok(None) };
    let due: jiff::Timestamp = entry.next_attempt.as_deref().and_then(|t| t.parse().ok()).unwrap_or_default();
    let seconds = u32::try_from(due.as_second() - owner.app.now()).unwrap_or(0);
    Ok((seconds > 0).then(|| Sent { id: id.to_owned(), seconds }))
}

/// What every page shows of the store as a whole: unread messages in the inbox, and how we stand with the servers.
pub(in crate::web) async fn standing(app: &App) -> Result<(u64, NetState), Failure> {
    let mut reader = app.reader.get().await?;
    let unread = tags::bitmap(&mut reader, "unread").await?;
    let inbox = tags::bitmap(&mut reader, "inbox").await?;
    drop(reader);
    Ok(((&unread & &inbox).len(), state(app).await?))
}

/// How we stand with the servers, in words.
async fn state(app: &App) -> Result<NetState, Failure> {
    let status = status::accounts(app).await?;
    if let Some(trouble) = status.iter().find(|a| !a.trouble.is_empty()) {
        return Ok(NetState { words: trouble.trouble.clone(), ok: false });
    }
    let words = if status.is_empty() {
        "No account yet"
    } else if status.iter().any(|a| a.synced_at.is_none()) {
        return Ok(NetState { words: "Fetching mail".into(), ok: true });
    } else {
        "Up to date"
    };
    Ok(NetState { words: words.into(), ok: true })
}
