//! Drafts: saved as one types, kept under one id while they change, and handed to the outbox when they are done.
//!
//! What is typed lies in the database. So that a draft is listed and found like any other message, its newest bytes also
//! become a message, when the owner saves or stops typing; the bytes before that are destroyed.
//! On the server lies an encrypted copy ([`super::draft_copies`]).

use super::app::App;
use super::failure::Failure;
use super::outbox::{self, Queued};
use super::outgoing::{Wish, Wishes};
use super::receive::{Incoming, Origin, keep_with, understand};
use super::{read, tags};
use crate::crypto::secret::random;
use crate::mail::address::{Person, canonical};
use crate::mail::autocrypt::DraftState;
use crate::mail::compose::{self, Attachment, Draft};
use crate::mail::ids::{MessageId, MessageNumber};
use crate::mail::message;
use crate::mail::part::Part;
use crate::mail::reply;
use crate::storage::database::{AccountRow, accounts, commit, drafts, messages, tags as tag_table};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How large a message may become, in bytes of its attachments together.
pub const LARGEST: usize = 50 << 20;

/// What a draft holds, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Content {
    /// The account's address; empty for the first.
    pub from: String,
    /// To, as typed.
    pub to: String,
    /// Cc, as typed.
    pub cc: String,
    /// Bcc, as typed.
    pub bcc: String,
    /// Subject.
    pub subject: String,
    /// The text.
    pub body: String,
    /// The message it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to_id: Option<MessageId>,
    /// In-Reply-To, without angle brackets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_reply_to: Option<String>,
    /// References, without angle brackets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// Whether it is to be encrypted.
    #[serde(skip_serializing_if = "is_auto")]
    pub encrypt: Wish,
    /// It is not to be signed where it is not encrypted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unsigned: bool,
    /// What it answers or passes on came in private.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub came_private: bool,
    /// It is encrypted to those it goes to alone: the owner keeps nothing that can be opened.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub for_them_alone: bool,
    /// What is attached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attached>,
    /// The draft on a server that is written on here; it goes to the trash when this one is sent or discarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continues: Option<MessageId>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_auto(wish: &Wish) -> bool {
    *wish == Wish::Auto
}

impl Content {
    /// Whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let nothing = |text: &String| text.trim().is_empty();
        [&self.to, &self.cc, &self.bcc, &self.subject, &self.body].into_iter().all(nothing)
            && self.attachments.is_empty()
    }
}

/// A file of a draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// Its bytes, base64.
    pub base64: String,
}

impl Attached {
    /// A file to attach.
    #[must_use]
    pub fn new(name: &str, content_type: &str, bytes: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            content_type: content_type.to_owned(),
            base64: data_encoding::BASE64.encode(bytes),
        }
    }

    /// Its size in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.base64.trim_end_matches('=').len() * 3 / 4
    }
}

/// A draft that is kept.
#[derive(Clone, Debug, Serialize)]
pub struct Kept {
    /// Its id, the same while it is edited.
    pub id: String,
    /// When it was saved.
    pub saved_at: String,
    /// What it holds.
    #[serde(flatten)]
    pub content: Content,
}

/// Saves a draft, a new one without `id`; gives its id.
///
/// # Errors
/// Not found, for an id that is no draft's; usage, when it is too large.
pub async fn save(app: &Arc<App>, id: Option<&str>, content: &Content) -> Result<Kept, Failure> {
    if content.attachments.iter().map(Attached::bytes).sum::<usize>() > LARGEST {
        return Err(Failure::usage("The attachments are larger than 50 MB together; send fewer, or a link"));
    }
    let key = match id {
        Some(id) => find(app, id).await?.id,
        None => MessageId(random()).to_string(),
    };
    let json = serde_json::to_string(content).map_err(|e| Failure::failed(e.to_string()))?;
    let now = app.now();
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    drafts::put(&mut c, &key, &json, now).await?;
    commit(c).await?;
    Ok(Kept { id: key, saved_at: super::search::rfc3339(now), content: content.clone() })
}

/// A draft by its id, or by the id of the message that shows it.
///
/// # Errors
/// Not found.
pub async fn find(app: &App, id: &str) -> Result<Kept, Failure> {
    let mut reader = app.reader.get().await?;
    let mut found = drafts::by_key(&mut reader, id).await?;
    if found.is_none()
        && let Ok(message) = id.parse()
        && let Some(row) = messages::by_id(&mut reader, message).await?
    {
        found = drafts::by_message(&mut reader, row.number).await?;
    }
    let row = found.ok_or_else(nobody)?;
    let content =
        serde_json::from_str(&row.content).map_err(|_| Failure::damaged("The draft cannot be read"))?;
    Ok(Kept { id: row.key, saved_at: super::search::rfc3339(row.saved_at), content })
}

/// Makes the message that shows a draft, or makes it anew.
///
/// # Errors
/// Not found; otherwise when the store fails.
pub async fn settle(app: &Arc<App>, id: &str) -> Result<MessageId, Failure> {
    let kept = find(app, id).await?;
    let account = account_of(app, &kept.content.from).await.ok();
    let draft = build(app, account.as_ref(), &kept.content, true)?;
    let raw = compose::to_bytes(&draft);
    let origin = Origin::Local { role: "draft".into(), tags: Vec::new() };
    let understood = understand(app, Incoming { raw, received_at: app.now(), origin })?;
    let message = understood.id();
    let mut before = None;
    keep_with(app, vec![understood], async |c, numbers| {
        // Sent or discarded meanwhile: then nothing is left to be shown.
        let row = drafts::by_key(c, &kept.id).await?.ok_or_else(nobody)?;
        let Some(number) = numbers.first() else {
            return Err(Failure::failed("The draft could not be kept as a message"));
        };
        before = row.message;
        Ok(drafts::set_message(c, &kept.id, *number).await?)
    })
    .await?;
    if let Some(before) = before {
        tags::destroy(app, &[before]).await?;
    }
    Ok(message)
}

/// Discards a draft with the message that shows it.
///
/// # Errors
/// Not found; otherwise when the store fails.
pub async fn discard(app: &Arc<App>, id: &str) -> Result<(), Failure> {
    let kept = find(app, id).await?;
    let message = drafts::by_key(&mut *app.reader.get().await?, &kept.id).await?.and_then(|row| row.message);
    {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        drafts::remove(&mut c, &kept.id).await?;
        commit(c).await?;
    }
    if let Some(message) = message {
        tags::destroy(app, &[message]).await?;
    }
    if let Some(continued) = kept.content.continues {
        put_away(app, continued).await?;
    }
    Ok(())
}

/// Moves a draft on a server into the trash: it was sent from here, or is not wanted.
///
/// # Errors
/// When the store fails.
pub async fn put_away(app: &Arc<App>, continued: MessageId) -> Result<(), Failure> {
    let known = messages::known(&mut *app.reader.get().await?, &[continued]).await?;
    let numbers: Vec<MessageNumber> = known.into_values().collect();
    if !numbers.is_empty() {
        tags::apply(app, &numbers, &["trash".to_owned()], &["draft".to_owned()]).await?;
    }
    Ok(())
}

/// Sends a draft: it goes to the outbox and is a draft no more.
/// # Errors
/// Usage, where nobody is addressed or an address is none; failed, where it cannot be as private as wished; otherwise when the store
/// fails.
pub async fn send(app: &Arc<App>, id: &str) -> Result<Queued, Failure> {
    let kept = find(app, id).await?;
    queue(app, &kept.content, Some(&kept.id)).await
}

/// Sends what was written at once, without a draft.
///
/// # Errors
/// As [`send`].
pub async fn send_content(app: &Arc<App>, content: &Content) -> Result<Queued, Failure> {
    queue(app, content, None).await
}

/// Sends what was written last of a draft, which ends in the same moment.
///
/// # Errors
/// As [`send`]; not found, where the draft was sent or discarded meanwhile.
pub async fn send_as_written(app: &Arc<App>, id: &str, content: &Content) -> Result<Queued, Failure> {
    queue(app, content, Some(&find(app, id).await?.id)).await
}

async fn queue(app: &Arc<App>, content: &Content, key: Option<&str>) -> Result<Queued, Failure> {
    let account = account_of(app, &content.from).await?;
    let draft = build(app, Some(&account), content, false)?;
    let (encrypt, came_private) = (content.encrypt, content.came_private);
    let (sign, own_copy) = (!content.unsigned, !content.for_them_alone);
    let wishes = Wishes { encrypt, sign, came_private, own_copy };
    let queued = outbox::queue(app, &account, &draft, content.reply_to_id, wishes, key).await?;
    if let Some(continued) = content.continues
        && let Err(failure) = put_away(app, continued).await
    {
        // It is on its way: to say that it failed would have it sent twice.
        tracing::warn!(%failure, "The draft on the server could not be moved to the trash");
    }
    Ok(queued)
}

/// What is said where a draft is not there, or no more.
pub(super) fn nobody() -> Failure {
    Failure::not_found("No draft has this id; it may have been sent or discarded")
}

async fn account_of(app: &App, address: &str) -> Result<AccountRow, Failure> {
    let all = accounts::list(&mut *app.reader.get().await?).await?;
    let wanted =
        compose::parse_people(address).ok().and_then(|p| p.into_iter().next()).map(|p| canonical(&p.address));
    match wanted {
        None => all
            .into_iter()
            .next()
            .ok_or_else(|| Failure::failed("There is no account to send from yet; add one first")),
        Some(wanted) => all.into_iter().find(|a| a.address == wanted).ok_or_else(|| {
            Failure::not_found(format!(
                "There is no account {wanted}; look at the accounts for those there are"
            ))
        }),
    }
}

/// What a draft holds as a message from this account, as far as it can be one already.
pub(super) fn as_draft(app: &App, account: &AccountRow, content: &Content) -> Result<Draft, Failure> {
    build(app, Some(account), content, true)
}

/// The message that a draft stands for. Half-typed addresses are left out of a `lenient` one, and refused otherwise.
fn build(
    app: &App,
    account: Option<&AccountRow>,
    content: &Content,
    lenient: bool,
) -> Result<Draft, Failure> {
    let people = |field: &str, text: &str| -> Result<Vec<Person>, Failure> {
        match compose::parse_people(text) {
            Ok(people) => Ok(people),
            Err(_) if lenient => Ok(Vec::new()),
            Err(piece) => Err(Failure::usage(format!(
                "{field}: {piece:?} is no address; write it like bob@example.org"
            ))),
        }
    };
    let from =
        account.map_or_else(Person::default, |a| Person { name: a.name.clone(), address: a.address.clone() });
    let domain = from.address.rsplit_once('@').map_or("localhost", |(_, domain)| domain).to_owned();
    let attachments = content
        .attachments
        .iter()
        .map(|a| {
            let bytes = data_encoding::BASE64.decode(a.base64.as_bytes()).map_err(|_| {
                Failure::usage(format!("The attachment {} cannot be read; attach it again", a.name))
            })?;
            Ok(Attachment { name: a.name.clone(), content_type: a.content_type.clone(), bytes })
        })
        .collect::<Result<_, Failure>>()?;
    let draft = Draft {
        from,
        to: people("To", &content.to)?,
        cc: people("Cc", &content.cc)?,
        bcc: people("Bcc", &content.bcc)?,
        subject: content.subject.clone(),
        body: content.body.clone(),
        in_reply_to: content.in_reply_to.clone(),
        references: content.references.clone(),
        attachments,
        message_id: compose::new_message_id(random(), &domain),
        date: app.now(),
        ..Draft::default()
    };
    if !lenient && draft.to.is_empty() && draft.cc.is_empty() && draft.bcc.is_empty() {
        return Err(Failure::usage("Nobody is addressed; fill in To, Cc or Bcc"));
    }
    Ok(draft)
}

/// The beginning of an answer to a message.
///
/// # Errors
/// Not found; otherwise when the store fails.
pub async fn reply_to(app: &Arc<App>, id: &str, all: bool, when: &str) -> Result<Content, Failure> {
    let opened = read::open(app, id).await?;
    let own: Vec<String> = app.own_addresses().into_iter().collect();
    let reply = reply::reply(&opened.message, &opened.text(), &own, all, when);
    Ok(Content {
        from: own_recipient(&opened, &own),
        to: write_people(&reply.to),
        cc: write_people(&reply.cc),
        subject: reply.subject,
        body: reply.body,
        reply_to_id: Some(opened.row.id),
        in_reply_to: reply.in_reply_to,
        references: reply.references,
        came_private: opened.is_private(),
        ..Content::default()
    })
}

/// The beginning of passing a message on, with its attachments.
///
/// # Errors
/// Not found; otherwise when the store fails.
pub async fn forward(app: &Arc<App>, id: &str, when: &str) -> Result<Content, Failure> {
    let opened = read::open(app, id).await?;
    let own: Vec<String> = app.own_addresses().into_iter().collect();
    let forward = reply::forward(&opened.message, &opened.text(), when);
    let attachments = opened
        .message
        .attachments()
        .map(|part| {
            let name = part.name.clone().unwrap_or_else(|| format!("part-{}", part.n));
            Attached::new(&name, &part.content_type, &part.decoded(&opened.raw))
        })
        .collect();
    Ok(Content {
        from: own_recipient(&opened, &own),
        subject: forward.subject,
        body: forward.body,
        attachments,
        came_private: opened.is_private(),
        ..Content::default()
    })
}

/// The owner's address that a message came to, so that the answer leaves from there.
fn own_recipient(opened: &read::Opened, own: &[String]) -> String {
    let message = &opened.message;
    message
        .to
        .iter()
        .chain(&message.cc)
        .chain(&message.from)
        .map(|p| canonical(&p.address))
        .find(|a| own.contains(a))
        .unwrap_or_default()
}

/// People as one types them.
#[must_use]
pub fn write_people(people: &[Person]) -> String {
    people.iter().map(compose::write_person).collect::<Vec<_>>().join(", ")
}

/// Makes a message that was taken back from the outbox a draft again.
///
/// # Errors
/// When the store fails.
pub async fn reopen(
    app: &Arc<App>,
    opened: &read::Opened,
    number: MessageNumber,
    reply_to_id: Option<MessageId>,
) -> Result<Kept, Failure> {
    let encrypt = if opened.is_private() { Wish::Yes } else { Wish::Auto };
    let kept = save(app, None, &Content { reply_to_id, encrypt, ..written(opened) }).await?;
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    drafts::set_message(&mut c, &kept.id, number).await?;
    commit(c).await?;
    Ok(kept)
}

/// What a draft holds that lies on a server and was not begun here, to be written on here.
///
/// # Errors
/// Not found, where no draft has this id; refused, where it is encrypted.
pub async fn go_on(app: &Arc<App>, id: &str) -> Result<Content, Failure> {
    let opened = read::open(app, id).await?;
    if !tag_table::bitmap(&mut *app.reader.get().await?, "draft").await?.contains(opened.row.number.0) {
        return Err(Failure::not_found("This is no draft any more; it may have been sent or discarded"));
    }
    if opened.is_closed() {
        return Err(Failure::refused(format!(
            "This draft cannot be opened. {}",
            opened.summary.reasons.join(" ")
        )));
    }
    // What its writer decided stands outside; a hidden copy counts only where it stands inside, which nobody can add to.
    let outer = message::parse(opened.stored());
    let state =
        outer.header(DraftState::NAME).and_then(|value| DraftState::parse(value).ok()).unwrap_or_default();
    let inner = message::parse(&opened.raw);
    Ok(Content {
        continues: Some(opened.row.id),
        bcc: write_people(&inner.bcc),
        encrypt: if state.encrypt { Wish::Yes } else { Wish::Auto },
        came_private: state.is_reply_to_encrypted,
        ..written(&opened)
    })
}

/// A message of one's own as it was typed.
fn written(opened: &read::Opened) -> Content {
    let message = &opened.message;
    let attached = |part: &Part| {
        Attached::new(
            part.name.as_deref().unwrap_or("attachment"),
            &part.content_type,
            &part.decoded(&opened.raw),
        )
    };
    Content {
        from: message.from.first().map(|p| p.address.clone()).unwrap_or_default(),
        to: write_people(&message.to),
        cc: write_people(&message.cc),
        bcc: write_people(&message.bcc),
        subject: message.subject.clone(),
        body: message.plain().unwrap_or_else(|| opened.text()),
        in_reply_to: message.in_reply_to.first().cloned(),
        references: message.references.clone(),
        // The owner's key goes along anew where it is needed.
        attachments: message
            .attachments()
            .filter(|part| part.content_type != "application/pgp-keys" || !opened.is_private())
            .map(attached)
            .collect(),
        ..Content::default()
    }
}
