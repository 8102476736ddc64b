//! One attempt to send a message: what servers say of each recipient, what it means for the entry, and the notice to the owner
//! where something came to its end badly.

use super::{FIRST_WAIT, GIVE_UP, MAYBE_SENT, update, wait_after};
use crate::engine::app::App;
use crate::engine::events::Event;
use crate::engine::failure::{Failure, Kind};
use crate::engine::receive::{Incoming, Origin, receive};
use crate::engine::{accounts, read, tags};
use crate::mail::address::Person;
use crate::mail::compose::{self, Draft};
use crate::network::smtp::{self, Outcome, SubmitError};
use crate::storage::database::{self, OutboxRow, RecipientRow, messages, outbox};
use std::sync::Arc;

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
pub(super) async fn attempt(app: &Arc<App>, mut entry: OutboxRow) -> Result<OutboxRow, Failure> {
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
