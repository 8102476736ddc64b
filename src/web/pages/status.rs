//! How everything is, in words.

use super::shell::shell;
use crate::engine::status;
use crate::web::Web;
use crate::web::auth::Owner;
use crate::web::error::{WebError, page, sentence};
use crate::web::view::{Fact, Spot, StatusPage, Task, grouped};
use crate::web::words;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new().route("/status", get(show))
}

async fn show(owner: Owner) -> Result<Response, WebError> {
    let shell = shell(&owner, "Status", Spot::Status, "").await?;
    let status = status::status(&owner.app).await?;
    let now = owner.app.now();
    let accounts: Vec<Task> = status
        .accounts
        .iter()
        .map(|account| {
            let since = account.synced_at.as_deref().and_then(|t| t.parse::<jiff::Timestamp>().ok());
            let mut text = match (&account.trouble, since) {
                (trouble, _) if !trouble.is_empty() => sentence(trouble),
                (_, Some(at)) => format!("Up to date since {}.", words::when(at.as_second(), now).words),
                (_, None) => "Being fetched for the first time.".to_owned(),
            };
            if !account.skipped.is_empty() {
                text.push_str(&format!(
                    " {} could not be taken: {}.",
                    words::count(account.skipped.len() as u64, "message", "messages"),
                    account.skipped.join("; ")
                ));
            }
            Task {
                name: account.email.clone(),
                words: text,
                ok: account.trouble.is_empty() && account.skipped.is_empty(),
                progress: None,
            }
        })
        .collect();
    let tasks: Vec<Task> = status
        .tasks
        .iter()
        .map(|(name, state)| Task {
            name: name.clone(),
            words: if state == "running" { "Running.".to_owned() } else { sentence(state) },
            ok: state == "running",
            progress: (name == "Indexing" && !status.indexed.level)
                .then(|| (u64::from(status.indexed.to).min(status.messages), status.messages)),
        })
        .collect();
    let fact = |name: &str, value: String, note: String| Fact { name: name.to_owned(), value, note };
    let share = (status.disk_bytes * 100).checked_div(status.raw_bytes).unwrap_or(0);
    let facts = vec![
        fact("Messages", grouped(status.messages), format!("{} unread", grouped(status.unread))),
        fact("Mail", words::size(status.raw_bytes), "as it came".into()),
        fact(
            "On the disk",
            words::size(status.disk_bytes),
            format!("{share} % of that, index and all, sealed"),
        ),
        fact("Free", words::size(status.free_bytes), String::new()),
        fact("Outbox", grouped(status.outbox), "waiting".into()),
    ];
    let ok = accounts.iter().chain(&tasks).all(|t| t.ok);
    let words = if ok { "All is well." } else { "Something is in the way; nothing is lost." };
    page(&StatusPage {
        shell,
        words: words.to_owned(),
        ok,
        accounts,
        facts,
        tasks,
        version: status.version.to_owned(),
    })
}
