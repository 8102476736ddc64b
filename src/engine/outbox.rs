//! The outbox: queue, try, try again, give up with a notice; a copy in Sent exactly once.
//!
//! A message is sent by whoever finds it due: the background task, or `outbox flush`. Before its text is handed to a
//! server the entry says `sending`; an entry that still says so after a restart may have gone out, and waits for the owner.

use super::app::App;
use super::drafts;
use super::events::Event;
use super::failure::Failure;
use super::receive::{Incoming, Origin, keep_with, receive, understand};
use super::search::rfc3339;
use super::{accounts, read, settings, tags};
use crate::mail::address::{Person, canonical};
use crate::mail::compose::{self, Draft};
use crate::mail::ids::MessageId;
use crate::network::imap::{ImapError, Session};
use crate::network::smtp::{self, Outcome};
use crate::storage::database::{
    self, AccountRow, OutboxRow, RecipientRow, TagChanges, commit, drafts as draft_table, messages, outbox,
    places, tags as tag_table,
};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// After this a message that cannot be delivered is given up, in seconds.
pub const GIVE_UP: i64 = 5 * 24 * 3600;
/// The first wait after a failed attempt, in seconds.
const FIRST_WAIT: i64 = 60;
/// The longest wait, in seconds.
const LONGEST_WAIT: i64 = 4 * 3600;
/// How long ended entries stay listed, in seconds.
const LISTED: i64 = 30 * 24 * 3600;
/// What is said of an entry that was interrupted.
const MAYBE_SENT: &str = "This may already have gone out: Mailkeep was stopped while the server was taking it. \
                          Send it again only if the recipients did not get it";

/// An entry as the surface shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The entry's id, and the message's.
    pub id: MessageId,
    /// `waiting`, `queued`, `sending`, `sent`, `failed` or `cancelled`.
    pub state: String,
    /// Decoded subject.
    pub subject: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next; null when it is not.
    pub next_attempt: Option<String>,
    /// Who it goes to.
    pub recipients: Vec<Recipient>,
    /// What the owner should know.
    pub words: String,
    /// Whether the copy lies in Sent on the server.
    pub copied: bool,
    /// When it was queued.
    pub queued_at: String,
}

/// A recipient as the surface shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Recipient {
    /// Who.
    pub address: String,
    /// `queued`, `deferred`, `accepted`, `refused` or `gave-up`.
    pub state: String,
    /// What the server said last.
    pub reply: String,
}

/// How long to wait after so many attempts, in seconds: doubling from a minute to four hours, and up to a fifth more,
/// by chance, so that many messages do not come back at one moment.
#[must_use]
pub fn wait_after(attempts: u32, chance: u8) -> i64 {
    let doubled =
        FIRST_WAIT.saturating_mul(1_i64.checked_shl(attempts.saturating_sub(1).min(20)).unwrap_or(i64::MAX));
    let wait = doubled.min(LONGEST_WAIT);
    wait + wait * i64::from(chance) / (5 * 255)
}

/// Queues a message: it is kept, and goes out when the time to undo is over. With the key of the draft that it is made of,
/// that draft ends in the same moment, so that it is sent once however often it is asked for. Gives the id of entry and
/// message.
///
/// # Errors
/// Not found, where the draft is there no more; otherwise when the store fails. Then nothing was queued.
pub async fn queue(
    app: &Arc<App>,
    account: &AccountRow,
    draft: &Draft,
    replies_to: Option<MessageId>,
    key: Option<&str>,
) -> Result<MessageId, Failure> {
    let recipients: BTreeSet<String> =
        draft.to.iter().chain(&draft.cc).chain(&draft.bcc).map(|p| canonical(&p.address)).collect();
    let recipients: Vec<String> = recipients.into_iter().collect();
    let undo: i64 = settings::get(app, "writing.undo-seconds").await?.parse().unwrap_or(10);
    let raw = compose::to_bytes(draft);
    let origin = Origin::Local { role: "outbox".into(), tags: Vec::new() };
    let now = app.now();
    let understood = understand(app, Incoming { raw, received_at: now, origin })?;
    let id = understood.id();
    let mut shown = None;
    keep_with(app, vec![understood], async |c, numbers| {
        let Some(number) = numbers.first() else {
            return Err(Failure::failed("The message could not be kept"));
        };
        if let Some(key) = key {
            let row = draft_table::by_key(c, key).await?.ok_or_else(drafts::nobody)?;
            shown = row.message;
            draft_table::remove(c, key).await?;
            let mut changes = TagChanges::default();
            row.message.iter().for_each(|message| changes.clear(tag_table::ALL, *message));
            tag_table::apply(c, &changes).await?;
        }
        Ok(outbox::queue(c, *number, account.id, &recipients, now, now + undo, replies_to).await?)
    })
    .await?;
    app.outbox_wanted.notify_one();
    app.tell(Event::Outbox { words: "A message is waiting to be sent".into() });
    if let Some(shown) = shown {
        tags::destroy(app, &[shown]).await?;
    }
    Ok(id)
}

/// All entries, newest first; ended ones for 30 days.
///
/// # Errors
/// When the store fails.
pub async fn list(app: &App) -> Result<Vec<Entry>, Failure> {
    let mut reader = app.reader.get().await?;
    let mut entries = Vec::new();
    for row in outbox::list(&mut reader, app.now() - LISTED).await? {
        let recipients = outbox::recipients(&mut reader, row.message).await?;
        entries.push(shown(row, recipients));
    }
    Ok(entries)
}

fn shown(row: OutboxRow, recipients: Vec<RecipientRow>) -> Entry {
    let pending = matches!(row.state.as_str(), "waiting" | "queued" | "sending");
    Entry {
        id: row.id,
        subject: row.subject,
        attempts: row.attempts,
        next_attempt: pending.then(|| rfc3339(row.due_at)),
        recipients: recipients
            .into_iter()
            .map(|r| Recipient { address: r.address, state: r.state, reply: r.reply })
            .collect(),
        words: row.words,
        copied: row.copied,
        queued_at: rfc3339(row.queued_at),
        state: row.state,
    }
}

async fn find(app: &App, id: &str) -> Result<OutboxRow, Failure> {
    let nobody =
        || Failure::not_found("No entry of the outbox has this id; look at the outbox for those there are");
    let id: MessageId = id.parse().map_err(|_| nobody())?;
    outbox::by_id(&mut *app.reader.get().await?, id).await?.ok_or_else(nobody)
}

/// Takes an entry back before it went out; its message becomes a draft. Gives the draft's id.
///
/// # Errors
/// Not found; usage, where it went out already.
pub async fn cancel(app: &Arc<App>, id: &str) -> Result<String, Failure> {
    let _busy = app.outbox_busy.lock().await;
    let mut entry = find(app, id).await?;
    let recipients = outbox::recipients(&mut *app.reader.get().await?, entry.message).await?;
    if !matches!(entry.state.as_str(), "waiting" | "queued" | "failed")
        || recipients.iter().any(|r| r.state == "accepted")
    {
        return Err(Failure::usage("This message has gone out already and cannot be taken back"));
    }
    entry.state = "cancelled".into();
    entry.words.clear();
    entry.ended_at = app.now();
    update(app, &entry, &[], Some("draft")).await?;
    let opened = read::open(app, id).await?;
    let kept = drafts::reopen(app, &opened, entry.message, entry.replies_to).await?;
    app.tell(Event::Outbox { words: "Taken back; it is a draft again".into() });
    Ok(kept.id)
}

/// Makes an entry due now: one that waits, failed, or may have gone out already.
///
/// # Errors
/// Not found; usage, where nothing is left to send.
pub async fn retry(app: &Arc<App>, id: &str) -> Result<(), Failure> {
    let _busy = app.outbox_busy.lock().await;
    let mut entry = find(app, id).await?;
    let mut recipients = outbox::recipients(&mut *app.reader.get().await?, entry.message).await?;
    recipients.retain(|r| r.state != "accepted");
    if recipients.is_empty() || matches!(entry.state.as_str(), "sent" | "cancelled") {
        return Err(Failure::usage("There is nothing left to send of this message"));
    }
    for recipient in &mut recipients {
        recipient.state = "queued".into();
    }
    entry.state = "queued".into();
    entry.words.clear();
    entry.due_at = app.now();
    entry.ended_at = 0;
    update(app, &entry, &recipients, None).await?;
    app.outbox_wanted.notify_one();
    Ok(())
}

async fn update(
    app: &App,
    entry: &OutboxRow,
    recipients: &[RecipientRow],
    role: Option<&str>,
) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    outbox::update(&mut c, entry).await?;
    for recipient in recipients {
        outbox::update_recipient(&mut c, entry.message, recipient).await?;
    }
    if let Some(role) = role {
        messages::set_role(&mut c, entry.message, role).await?;
        let mut mirrored = TagChanges::default();
        places::mirror(&mut c, &[entry.message].into(), &mut mirrored).await?;
        database::tags::apply(&mut c, &mirrored).await?;
    }
    commit(c).await?;
    Ok(())
}

/// After a start: entries that were interrupted while a server took them wait for the owner.
///
/// # Errors
/// When the store fails.
pub async fn recover(app: &Arc<App>) -> Result<(), Failure> {
    let entries = outbox::list(&mut *app.reader.get().await?, i64::MAX).await?;
    for mut entry in entries.into_iter().filter(|e| e.state == "sending") {
        entry.state = "failed".into();
        entry.words = MAYBE_SENT.into();
        update(app, &entry, &[], None).await?;
    }
    Ok(())
}

/// Tries everything that is due. With `wait`, what still waits for its time to undo is waited for, too.
///
/// # Errors
/// When the store fails; what servers say stands in the entries.
pub async fn flush(app: &Arc<App>, wait: bool) -> Result<(), Failure> {
    loop {
        send_due(app).await?;
        if !wait {
            return Ok(());
        }
        let entries = outbox::list(&mut *app.reader.get().await?, i64::MAX).await?;
        let Some(due) = entries.iter().filter(|e| e.state == "waiting").map(|e| e.due_at).min() else {
            return Ok(());
        };
        let seconds = u64::try_from(due - app.now()).unwrap_or(0).max(1);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
}

/// Tries everything that is due now; gives the time of the next that will be.
async fn send_due(app: &Arc<App>) -> Result<Option<i64>, Failure> {
    let _busy = app.outbox_busy.lock().await;
    let now = app.now();
    let entries = outbox::list(&mut *app.reader.get().await?, now - GIVE_UP).await?;
    let mut next: Option<i64> = None;
    for entry in entries.into_iter().rev() {
        let id = entry.id;
        let pending = matches!(entry.state.as_str(), "waiting" | "queued");
        let entry = if pending && entry.due_at <= now { attempt(app, entry).await? } else { entry };
        if !entry.copied && matches!(entry.state.as_str(), "sent" | "queued" | "failed") {
            copy_to_sent(app, entry.clone()).await?;
        }
        if matches!(entry.state.as_str(), "waiting" | "queued") {
            next = Some(next.map_or(entry.due_at, |at| at.min(entry.due_at)));
        }
        tracing::debug!(message.id = %id, state = entry.state, "Looked at an entry of the outbox");
    }
    Ok(next)
}

/// One attempt for all recipients that are not at their end.
async fn attempt(app: &Arc<App>, mut entry: OutboxRow) -> Result<OutboxRow, Failure> {
    let all = outbox::recipients(&mut *app.reader.get().await?, entry.message).await?;
    let mut open: Vec<RecipientRow> =
        all.iter().filter(|r| matches!(r.state.as_str(), "queued" | "deferred")).cloned().collect();
    let rows = database::accounts::list(&mut *app.reader.get().await?).await?;
    let Some(account) = rows.into_iter().find(|a| a.id == entry.account) else {
        entry.words =
            "The account it was to be sent from is gone; take it back and send it from another".into();
        entry.state = "failed".into();
        entry.ended_at = app.now();
        update(app, &entry, &[], None).await?;
        return Ok(entry);
    };
    let opened = read::open(app, &entry.id.to_string()).await?;
    let submission = accounts::Settings::of(&account)?.submission()?;
    let addresses: Vec<String> = open.iter().map(|r| r.address.clone()).collect();
    let bytes = compose::without_bcc(&opened.raw);
    entry.attempts += 1;
    let handing_over = {
        let (app, mut entry) = (Arc::clone(app), entry.clone());
        async move || {
            entry.state = "sending".into();
            update(&app, &entry, &[], None).await.is_ok()
        }
    };
    let result =
        smtp::submit(&app.dialer, &submission, &account.address, &addresses, &bytes, handing_over).await;
    let mut unknown = false;
    match result {
        Ok(outcomes) => {
            entry.words.clear();
            for (address, outcome) in outcomes {
                let Some(recipient) = open.iter_mut().find(|r| r.address == address) else { continue };
                let (state, reply) = match outcome {
                    Outcome::Accepted(words) => ("accepted", words),
                    Outcome::Temporary(words) => ("deferred", words),
                    Outcome::Permanent(words) => ("refused", words),
                    Outcome::Unknown(words) => {
                        unknown = true;
                        ("queued", words)
                    }
                };
                recipient.state = state.into();
                recipient.reply = reply;
            }
        }
        Err(error) => {
            entry.words = error.to_string();
            open.iter_mut().for_each(|r| r.state = "deferred".into());
        }
    }
    conclude(app, entry, all, open, unknown, &opened).await
}

/// Works out what an attempt means for the entry, notes it, and tells the owner where something came to its end badly.
async fn conclude(
    app: &Arc<App>,
    mut entry: OutboxRow,
    mut all: Vec<RecipientRow>,
    mut open: Vec<RecipientRow>,
    unknown: bool,
    opened: &read::Opened,
) -> Result<OutboxRow, Failure> {
    let now = app.now();
    let over = now - entry.queued_at >= GIVE_UP;
    for recipient in open.iter_mut().filter(|r| over && r.state == "deferred") {
        recipient.state = "gave-up".into();
    }
    for recipient in &mut all {
        if let Some(newer) = open.iter().find(|r| r.address == recipient.address) {
            *recipient = newer.clone();
        }
    }
    let any = |state: &str| all.iter().any(|r| r.state == state);
    if unknown {
        entry.state = "failed".into();
        entry.words = MAYBE_SENT.into();
    } else if any("queued") || any("deferred") {
        entry.state = "queued".into();
        let [chance] = crate::crypto::secret::random::<1>();
        entry.due_at = now + wait_after(entry.attempts, chance);
    } else {
        entry.state = if any("refused") || any("gave-up") { "failed" } else { "sent" }.into();
        entry.ended_at = now;
    }
    let role = any("accepted").then_some("sent");
    update(app, &entry, &open, role).await?;
    if any("accepted")
        && let Some(answered) = entry.replies_to
        && let Some(number) =
            messages::known(&mut *app.reader.get().await?, &[answered]).await?.get(&answered)
    {
        tags::apply(app, &[*number], &["replied".into()], &[]).await?;
    }
    let bad: Vec<&RecipientRow> =
        open.iter().filter(|r| matches!(r.state.as_str(), "refused" | "gave-up")).collect();
    if !bad.is_empty() {
        notice(app, &entry, &bad, opened).await?;
    }
    let words = match entry.state.as_str() {
        "sent" => "Sent".to_owned(),
        "queued" => "Not delivered yet; it is tried again".to_owned(),
        _ => "A message could not be sent".to_owned(),
    };
    app.tell(Event::Outbox { words });
    Ok(entry)
}

/// Puts a clear notice into the inbox.
async fn notice(
    app: &Arc<App>,
    entry: &OutboxRow,
    bad: &[&RecipientRow],
    opened: &read::Opened,
) -> Result<(), Failure> {
    let mut body = format!("Your message \"{}\" did not reach:\n\n", opened.message.subject);
    for recipient in bad {
        let why = if recipient.state == "gave-up" {
            format!("tried for five days without success; the last answer was: {}", recipient.reply)
        } else {
            format!("the server refused it with the words: {}", recipient.reply)
        };
        body.push_str(&format!("  {}\n    {why}\n\n", recipient.address));
    }
    body.push_str(
        "Nothing of it is lost: the message is in your outbox. Check the address, then take it back and send it again.\n",
    );
    let own = opened.message.from.first().cloned().unwrap_or_default();
    let draft = Draft {
        from: Person { name: "Mailkeep".into(), address: "mailkeep@localhost".into() },
        to: vec![own],
        subject: format!("Not delivered: {}", opened.message.subject),
        body,
        in_reply_to: opened.message.message_id.clone(),
        references: opened.message.message_id.clone().into_iter().collect(),
        message_id: compose::new_message_id(crate::crypto::secret::random(), "localhost"),
        date: app.now(),
        ..Draft::default()
    };
    let origin = Origin::Local { role: "inbox".into(), tags: vec!["unread".into()] };
    tracing::info!(message.id = %entry.id, "A message could not be delivered; the owner was told");
    receive(app, vec![Incoming { raw: compose::to_bytes(&draft), received_at: app.now(), origin }]).await?;
    Ok(())
}

/// Lays a copy into the server's Sent folder, once: a copy that is there already, from us or the server itself, counts.
async fn copy_to_sent(app: &Arc<App>, mut entry: OutboxRow) -> Result<(), Failure> {
    let recipients = outbox::recipients(&mut *app.reader.get().await?, entry.message).await?;
    if !recipients.iter().any(|r| r.state == "accepted") {
        return Ok(());
    }
    let rows = database::accounts::list(&mut *app.reader.get().await?).await?;
    let Some(account) = rows.into_iter().find(|a| a.id == entry.account) else { return Ok(()) };
    let opened = read::open(app, &entry.id.to_string()).await?;
    match append_once(app, &account, &opened).await {
        Ok(()) => {
            entry.copied = true;
            update(app, &entry, &[], None).await?;
            app.push_wanted.send_replace(());
        }
        Err(error) => tracing::info!(%error, "The copy in Sent waits for the server"),
    }
    Ok(())
}

async fn append_once(app: &App, account: &AccountRow, opened: &read::Opened) -> Result<(), Failure> {
    let login = accounts::Settings::of(account)?.imap_login()?;
    let mut session = Session::open(&app.dialer, &login).await?;
    let done = append(&mut session, opened).await;
    session.logout().await;
    Ok(done?)
}

async fn append(session: &mut Session, opened: &read::Opened) -> Result<(), ImapError> {
    let folders = session.folders().await?;
    let Some(sent) = folders.iter().find(|f| super::sync::role_word(f.role) == "sent") else {
        session.create_folder("Sent").await?;
        return session.append("Sent", &opened.raw, &["\\Seen"], None).await.map(drop);
    };
    session.select(&sent.raw_name, None).await?;
    if let Some(id) = &opened.message.message_id
        && !session.find_message_id(id).await?.is_empty()
    {
        return Ok(());
    }
    session.append(&sent.raw_name, &opened.raw, &["\\Seen"], None).await.map(drop)
}

/// The background task: sends what is due, then waits for the next due time or a new message.
///
/// # Errors
/// When the store fails; the supervisor starts it again.
pub async fn run(app: Arc<App>, stop: CancellationToken) -> Result<(), Failure> {
    loop {
        // Listen before looking, or a message queued in between is missed.
        let mut queued = std::pin::pin!(app.outbox_wanted.notified());
        queued.as_mut().enable();
        let next = send_due(&app).await?;
        // Copies in Sent that wait for a server are looked at every five minutes, too.
        let wait = next.map_or(300, |at| (at - app.now()).clamp(1, 300)).unsigned_abs();
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = queued => {}
            () = tokio::time::sleep(Duration::from_secs(wait)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_grow_from_a_minute_to_hours_and_differ_by_chance() {
        let waits: Vec<i64> = (1..12).map(|n| wait_after(n, 0)).collect();
        assert_eq!(waits[..4], [60, 120, 240, 480]);
        assert_eq!(waits.last(), Some(&LONGEST_WAIT));
        assert!(waits.windows(2).all(|w| w[0] <= w[1]));
        assert_eq!(wait_after(1, 255), 72);
        assert!(wait_after(u32::MAX, 255) <= LONGEST_WAIT + LONGEST_WAIT / 5);
    }
}
