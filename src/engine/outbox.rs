//! The outbox: queue, try, try again, give up with a notice; a copy in Sent exactly once.
//!
//! A message is sent by whoever finds it due: the background task, or `outbox flush`. Before its text is handed to a
//! server the entry says `sending`; an entry that still says so after a restart may have gone out, and waits for the owner.

mod attempt;

use attempt::attempt;

use super::app::App;
use super::drafts;
use super::events::Event;
use super::failure::Failure;
use super::outgoing::{self, Wishes};
use super::receive::{Incoming, Origin, keep_with, understand};
use super::search::rfc3339;
use super::{peers, read, sent_copies, settings, tags};
use crate::mail::address::canonical;
use crate::mail::compose::Draft;
use crate::mail::ids::MessageId;
use crate::storage::database::{
    self, AccountRow, OutboxRow, PlaceRow, RecipientRow, TagChanges, commit, drafts as draft_table, messages,
    outbox, places, tags as tag_table,
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
/// What is said of an entry that waited when a snapshot was made from which the store was restored.
pub(super) const MAYBE_SENT_BEFORE: &str = "This may already have gone out before the store was restored. \
                                            Send it again only if the recipients did not get it";
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

/// What was queued.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Queued {
    /// The id of entry and message.
    pub id: MessageId,
    /// Whether it leaves encrypted.
    pub encrypted: bool,
    /// Whether it leaves signed.
    pub signed: bool,
    /// What was recommended: `disable`, `discourage`, `available` or `encrypt`.
    pub recommendation: &'static str,
}

/// Queues a message: it is kept, and goes out when the time to undo is over. With the key of the draft that it is made of,
/// that draft ends in the same moment, so that it is sent once however often it is asked for.
///
/// # Errors
/// Not found, where the draft is there no more; failed, where it cannot leave as it was wished; otherwise when the store
/// fails. Then nothing was queued.
pub async fn queue(
    app: &Arc<App>,
    account: &AccountRow,
    draft: &Draft,
    replies_to: Option<MessageId>,
    wishes: Wishes,
    key: Option<&str>,
) -> Result<Queued, Failure> {
    let recipients: BTreeSet<String> =
        draft.to.iter().chain(&draft.cc).chain(&draft.bcc).map(|p| canonical(&p.address)).collect();
    let recipients: Vec<String> = recipients.into_iter().collect();
    let undo: i64 = settings::get(app, "writing.undo-seconds").await?.parse().unwrap_or(10);
    let outgoing = outgoing::prepare(app, account, draft, replies_to, wishes).await?;
    let outgoing::Outgoing { raw, copies, encrypted, signed, recommendation, relied } = outgoing;
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
        for (address, fingerprint) in &relied {
            peers::rely_on(c, address, fingerprint, now).await?;
        }
        outbox::queue(c, *number, account.id, &recipients, now, now + undo, replies_to).await?;
        Ok(outbox::put_copies(c, *number, &copies).await?)
    })
    .await?;
    app.outbox_wanted.notify_one();
    app.tell(Event::Outbox { words: "A message is waiting to be sent".into() });
    if let Some(shown) = shown {
        tags::destroy(app, &[shown]).await?;
    }
    Ok(Queued { id, encrypted, signed, recommendation })
}

/// Queues a message that is finished as it stands. Gives its id.
///
/// # Errors
/// When the store fails; then nothing was queued.
pub(in crate::engine) async fn queue_raw(
    app: &Arc<App>,
    account: &AccountRow,
    raw: Vec<u8>,
    recipients: &[String],
) -> Result<MessageId, Failure> {
    let now = app.now();
    let origin = Origin::Local { role: "outbox".into(), tags: Vec::new() };
    let understood = understand(app, Incoming { raw, received_at: now, origin })?;
    let id = understood.id();
    keep_with(app, vec![understood], async |c, numbers| {
        let Some(number) = numbers.first() else {
            return Err(Failure::failed("The message could not be kept"));
        };
        Ok(outbox::queue(c, *number, account.id, recipients, now, now, None).await?)
    })
    .await?;
    app.outbox_wanted.notify_one();
    Ok(id)
}

/// Queues a message between programs: once it has gone out, nothing of it is kept.
///
/// # Errors
/// When the store fails.
pub(in crate::engine) async fn queue_passing(
    app: &Arc<App>,
    account: &AccountRow,
    raw: Vec<u8>,
    recipients: &[String],
) -> Result<(), Failure> {
    let now = app.now();
    let origin = Origin::Local { role: "outbox".into(), tags: Vec::new() };
    let understood = understand(app, Incoming { raw, received_at: now, origin })?;
    keep_with(app, vec![understood], async |c, numbers| {
        for number in numbers {
            outbox::queue(c, *number, account.id, recipients, now, now, None).await?;
            outbox::set_passing(c, *number).await?;
        }
        Ok(())
    })
    .await?;
    app.outbox_wanted.notify_one();
    Ok(())
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
/// Not found; refused, where it went out already.
pub async fn cancel(app: &Arc<App>, id: &str) -> Result<String, Failure> {
    let _busy = app.outbox_busy.lock().await;
    let mut entry = find(app, id).await?;
    let recipients = outbox::recipients(&mut *app.reader.get().await?, entry.message).await?;
    if !matches!(entry.state.as_str(), "waiting" | "queued" | "failed")
        || recipients.iter().any(|r| r.state == "accepted")
    {
        return Err(Failure::refused("This message has gone out already and cannot be taken back"));
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
/// Not found; refused, where nothing is left to send.
pub async fn retry(app: &Arc<App>, id: &str) -> Result<(), Failure> {
    let _busy = app.outbox_busy.lock().await;
    let mut entry = find(app, id).await?;
    let mut recipients = outbox::recipients(&mut *app.reader.get().await?, entry.message).await?;
    recipients.retain(|r| r.state != "accepted");
    if recipients.is_empty() || matches!(entry.state.as_str(), "sent" | "cancelled") {
        return Err(Failure::refused("There is nothing left to send of this message"));
    }
    for recipient in &mut recipients {
        recipient.state = "queued".into();
    }
    if entry.state == "failed" {
        // Asked for anew, it has its five days anew.
        (entry.queued_at, entry.attempts) = (app.now(), 0);
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
        // Where the server's own copy came first, that one says where the message lies.
        let held = places::of_messages(&mut c, [entry.message]).await?.iter().any(PlaceRow::is_live);
        let role = if role == "sent" && held { "" } else { role };
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

/// Tries everything that is due now; gives the time of the next that will be. Copies in Sent are laid afterwards.
async fn send_due(app: &Arc<App>) -> Result<Option<i64>, Failure> {
    let mut next: Option<i64> = None;
    let (mut copies, mut passed) = (Vec::new(), Vec::new());
    {
        let _busy = app.outbox_busy.lock().await;
        let now = app.now();
        let entries = outbox::list(&mut *app.reader.get().await?, now - GIVE_UP).await?;
        for entry in entries.into_iter().rev() {
            let id = entry.id;
            let pending = matches!(entry.state.as_str(), "waiting" | "queued");
            let is_due = pending && entry.due_at <= now && !app.stopping.is_cancelled();
            let entry = if is_due { attempt(app, entry).await? } else { entry };
            if matches!(entry.state.as_str(), "waiting" | "queued") {
                next = Some(next.map_or(entry.due_at, |at| at.min(entry.due_at)));
            }
            tracing::debug!(message.id = %id, state = entry.state, "Looked at an entry of the outbox");
            if entry.passing {
                passed.extend((entry.state == "sent").then_some(entry.message));
                continue;
            }
            if !entry.copied && matches!(entry.state.as_str(), "sent" | "queued" | "failed") {
                let recipients = outbox::recipients(&mut *app.reader.get().await?, entry.message).await?;
                if recipients.iter().any(|r| r.state == "accepted") {
                    copies.push(entry);
                }
            }
        }
    }
    tags::destroy(app, &passed).await?;
    sent_copies::lay(app, copies).await?;
    Ok(next)
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
