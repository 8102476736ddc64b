//! The outbox: queue, try, try again, give up with a notice; a copy in Sent exactly once.
//!
//! A message is sent by whoever finds it due: the background task, or `outbox flush`. Before its text is handed to a
//! server the entry says `sending`; an entry that still says so after a restart may have gone out, and waits for the owner.

use super::app::App;
use super::drafts;
use super::events::Event;
use super::failure::{Failure, Kind};
use super::outgoing::{self, Wishes};
use super::receive::{Incoming, Origin, keep_with, receive, understand};
use super::search::rfc3339;
use super::{accounts, peers, read, sent_copies, settings, tags};
use crate::mail::address::{Person, canonical};
use crate::mail::compose::{self, Draft};
use crate::mail::ids::MessageId;
use crate::network::smtp::{self, Outcome, SubmitError};
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
/// Not found, where the draft is there no more; usage, where it cannot leave as it was wished; otherwise when the store fails. Then nothing was queued.
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

/// Ends an entry that cannot be sent as it is; the others go on.
async fn end(app: &App, mut entry: OutboxRow, words: String) -> Result<OutboxRow, Failure> {
    entry.words = words;
    entry.state = "failed".into();
    entry.ended_at = app.now();
    update(app, &entry, &[], None).await?;
    app.tell(Event::Outbox { words: "A message could not be sent".into() });
    Ok(entry)
}

/// Opens the message of an entry. One that cannot be read any more ends its entry; where the disk fails just now, it is
/// tried again in a minute.
async fn open(app: &Arc<App>, mut entry: OutboxRow) -> Result<Result<read::Opened, OutboxRow>, Failure> {
    let failure = match read::open(app, &entry.id.to_string()).await {
        Ok(opened) => return Ok(Ok(opened)),
        Err(failure) => failure,
    };
    if matches!(failure.kind, Kind::Damaged | Kind::NotFound) {
        tracing::warn!(message.id = %entry.id, "A message of the outbox cannot be read any more");
        let words = format!("The message cannot be read any more and was not sent: {failure}");
        return Ok(Err(end(app, entry, words).await?));
    }
    entry.words = failure.words;
    entry.due_at = app.now() + FIRST_WAIT;
    update(app, &entry, &[], None).await?;
    Ok(Err(entry))
}

/// One attempt for all recipients that are not at their end.
async fn attempt(app: &Arc<App>, mut entry: OutboxRow) -> Result<OutboxRow, Failure> {
    let all = outbox::recipients(&mut *app.reader.get().await?, entry.message).await?;
    let mut open: Vec<RecipientRow> =
        all.iter().filter(|r| matches!(r.state.as_str(), "queued" | "deferred")).cloned().collect();
    let rows = database::accounts::list(&mut *app.reader.get().await?).await?;
    let Some(account) = rows.into_iter().find(|a| a.id == entry.account) else {
        let words = "The account it was to be sent from is gone; take it back and send it from another";
        return end(app, entry, words.into()).await;
    };
    let opened = match self::open(app, entry.clone()).await? {
        Ok(opened) => opened,
        Err(entry) => return Ok(entry),
    };
    let submission = match accounts::Settings::of(&account).and_then(|settings| settings.submission()) {
        Ok(submission) => submission,
        Err(failure) => return end(app, entry, failure.words).await,
    };
    entry.attempts += 1;
    let copies = outbox::copies(&mut *app.reader.get().await?, entry.message).await?;
    let mut outcome = Ending::Answered;
    // Whoever got a copy of their own gets it by itself; all others get the same.
    let (own, same): (Vec<String>, Vec<String>) =
        open.iter().map(|r| r.address.clone()).partition(|address| copies.contains_key(address));
    let mut deliveries = Vec::new();
    if !same.is_empty() {
        deliveries.push((same, compose::without_bcc(opened.stored())));
    }
    deliveries.extend(
        own.into_iter().filter_map(|address| Some((vec![address.clone()], copies.get(&address)?.clone()))),
    );
    for (addresses, bytes) in deliveries {
        let handing_over = {
            let (app, mut entry) = (Arc::clone(app), entry.clone());
            async move || {
                entry.state = "sending".into();
                update(&app, &entry, &[], None).await.is_ok()
            }
        };
        let result =
            smtp::submit(&app.dialer, &submission, &account.address, &addresses, &bytes, handing_over).await;
        let ending = note(&mut entry, &mut open, &addresses, result);
        if ending != Ending::Answered {
            outcome = ending;
            break;
        }
        // What has an answer keeps it, whatever becomes of the next.
        update(app, &entry, &open, None).await?;
    }
    conclude(app, entry, all, open, outcome, &opened).await
}

/// Notes what a server said to one delivery of an attempt.
fn note(
    entry: &mut OutboxRow,
    open: &mut [RecipientRow],
    addresses: &[String],
    result: Result<Vec<(String, Outcome)>, SubmitError>,
) -> Ending {
    let mut ending = Ending::Answered;
    match result {
        Ok(outcomes) => {
            entry.words.clear();
            for (address, answer) in outcomes {
                let Some(recipient) = open.iter_mut().find(|r| r.address == address) else { continue };
                let (state, reply) = match answer {
                    Outcome::Accepted(words) => ("accepted", words),
                    Outcome::Temporary(words) => ("deferred", words),
                    Outcome::Permanent(words) => ("refused", words),
                    Outcome::Unknown(words) => {
                        ending = Ending::Unknown;
                        ("queued", words)
                    }
                };
                recipient.state = state.into();
                recipient.reply = reply;
            }
        }
        Err(error) => {
            if is_refused(&error) {
                ending = Ending::Refused;
            }
            entry.words = error.to_string();
            for recipient in open.iter_mut().filter(|r| addresses.contains(&r.address)) {
                (recipient.state, recipient.reply) = ("deferred".into(), error.to_string());
            }
        }
    }
    ending
}

/// How an attempt ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Each recipient has an answer, or all are put off.
    Answered,
    /// The server took the message and did not say what became of it.
    Unknown,
    /// The server lets us not in, and will not before the owner did something.
    Refused,
}

/// Whether the server itself turned us away for good. A wrong password stays wrong, and five days of trying it lock
/// accounts. What else is not temporary (a certificate that does not fit, no mail server at all) may be a strange network
/// that answers in the server's place, and passes.
fn is_refused(error: &SubmitError) -> bool {
    let is_strange =
        matches!(error, SubmitError::Dial(_) | SubmitError::NoTls { .. } | SubmitError::Protocol { .. });
    !error.is_temporary() && !is_strange
}

/// Works out what an attempt means for the entry, notes it, and tells the owner where something came to its end badly.
async fn conclude(
    app: &Arc<App>,
    mut entry: OutboxRow,
    mut all: Vec<RecipientRow>,
    mut open: Vec<RecipientRow>,
    outcome: Ending,
    opened: &read::Opened,
) -> Result<OutboxRow, Failure> {
    let now = app.now();
    let over = now - entry.queued_at >= GIVE_UP;
    let ends = over || outcome == Ending::Refused;
    for recipient in open.iter_mut().filter(|r| ends && r.state == "deferred") {
        recipient.state = "gave-up".into();
    }
    for recipient in &mut all {
        if let Some(newer) = open.iter().find(|r| r.address == recipient.address) {
            *recipient = newer.clone();
        }
    }
    let any = |state: &str| all.iter().any(|r| r.state == state);
    if outcome == Ending::Unknown {
        entry.state = "failed".into();
        entry.words = MAYBE_SENT.into();
    } else if any("queued") || any("deferred") {
        entry.state = "queued".into();
        let [chance] = crate::crypto::secret::random::<1>();
        entry.due_at = now + wait_after(entry.attempts, chance);
    } else {
        entry.state = if any("refused") || any("gave-up") { "failed" } else { "sent" }.into();
        entry.ended_at = now;
        if outcome == Ending::Refused {
            entry.words.push_str(" Then send it again: it is not tried by itself any more.");
        }
    }
    let role = any("accepted").then_some("sent");
    update(app, &entry, &open, role).await?;
    if any("accepted")
        && let Some(answered) = entry.replies_to
        && let Some(number) =
            messages::known(&mut *app.reader.get().await?, &[answered]).await?.get(&answered)
    {
        // What it says of itself is written; the mail behind it must not wait for a tag.
        if let Err(error) = tags::apply(app, &[*number], &["replied".into()], &[]).await {
            tracing::warn!(%error, "An answered message could not be marked");
        }
    }
    let bad: Vec<&RecipientRow> =
        open.iter().filter(|r| matches!(r.state.as_str(), "refused" | "gave-up")).collect();
    if !bad.is_empty()
        && let Err(error) = notice(app, &entry, &bad, outcome, opened).await
    {
        tracing::warn!(%error, "The notice of a message that was not delivered could not be kept");
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
    outcome: Ending,
    opened: &read::Opened,
) -> Result<(), Failure> {
    let mut body = format!("Your message \"{}\" did not reach:\n\n", opened.message.subject);
    for recipient in bad {
        let why = match (recipient.state.as_str(), outcome) {
            ("gave-up", Ending::Refused) => format!("it could not be handed over: {}", recipient.reply),
            ("gave-up", _) => {
                format!("tried for five days without success; the last answer was: {}", recipient.reply)
            }
            _ => format!("the server refused it with the words: {}", recipient.reply),
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
