//! A message for the screen: its bytes, its parts, its text, its HTML as the frame gets it.

use super::app::App;
use super::authentication::{self, Authentication};
use super::envelopes::{self, Judged, Wrapping};
use super::failure::{Failure, blocking};
use super::heavy;
use super::receive::visible_text;
use super::search::{one, rfc3339};
use super::sender::{self, Sender, SenderStanding};
use crate::mail::address::Person;
use crate::mail::attachment;
use crate::mail::envelope::{Privacy, Summary};
use crate::mail::html::{self, Options, Sanitised};
use crate::mail::ids::MessageId;
use crate::mail::message::Message;
use crate::mail::part::Risk;
use crate::mail::query::Kind;
use crate::mail::sender::{Fact, link_fact};
use crate::storage::database::messages::{self, MessageRow};
use crate::storage::database::{PlaceRow, accounts, drafts, places, tags};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;

/// A message that was opened.
pub struct Opened {
    /// Its row.
    pub row: MessageRow,
    /// The bytes that its parts lie in: as it came, or, of a message that was wrapped, what was inside.
    pub raw: Vec<u8>,
    /// The bytes as they came, where those are others.
    pub came: Option<Vec<u8>>,
    /// What was understood of them.
    pub message: Arc<Message>,
    /// What it was wrapped in; nothing for most mail.
    pub wrapping: Option<Wrapping>,
    /// What may be said of it.
    pub summary: Summary,
}

/// A message as the surface shows it.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// Its id.
    pub id: MessageId,
    /// Its thread's id.
    pub thread: MessageId,
    /// Its Message-ID.
    pub message_id: Option<String>,
    /// Where servers hold it.
    pub places: Vec<ShownPlace>,
    /// Effective date.
    pub date: String,
    /// Who it is from; null where From holds several or none.
    pub from: Option<Person>,
    /// To.
    pub to: Vec<Person>,
    /// Cc.
    pub cc: Vec<Person>,
    /// Bcc, in one's own messages.
    pub bcc: Vec<Person>,
    /// Reply-To.
    pub reply_to: Vec<Person>,
    /// Decoded subject.
    pub subject: String,
    /// The readable text.
    pub text: String,
    /// Its parts.
    pub parts: Vec<ShownPart>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Raw bytes.
    pub bytes: u64,
    /// `none`, `private`, `unconfirmed` or `closed`.
    pub privacy: &'static str,
    /// `none`, `same-key`, `verified`, `new-key` or `different-key`; `none` where the sender's name or address deceives.
    pub assurance: &'static str,
    /// The fingerprint behind it.
    pub signer: Option<String>,
    /// Why, in words.
    pub reasons: Vec<String>,
    /// What is known about where it is from.
    pub authentication: Authentication,
    /// The facts behind the reasons.
    #[serde(skip)]
    pub sender: Sender,
}

/// A place as the surface shows it.
#[derive(Debug, Serialize)]
pub struct ShownPlace {
    /// The account's address.
    pub account: String,
    /// The folder's name.
    pub folder: String,
    /// The UID in it.
    pub uid: u32,
}

/// A part as the surface shows it.
#[derive(Debug, Serialize)]
pub struct ShownPart {
    /// Its number, from 1.
    pub n: u32,
    /// Its media type.
    #[serde(rename = "type")]
    pub media_type: String,
    /// Its file name, made safe; null where it has none.
    pub name: Option<String>,
    /// Decoded bytes.
    pub bytes: u64,
    /// `none`, `caution` or `danger`.
    pub risk: &'static str,
}

/// The word for a risk.
#[must_use]
pub const fn risk_word(risk: Risk) -> &'static str {
    match risk {
        Risk::None => "none",
        Risk::Caution => "caution",
        Risk::Danger => "danger",
    }
}

/// Finds a message by the words of its id.
///
/// # Errors
/// Not found, also for what is no id; otherwise when the store fails.
pub async fn find(app: &App, id: &str) -> Result<MessageRow, Failure> {
    let nobody =
        || Failure::not_found(format!("No message has the id {:?}", id.chars().take(40).collect::<String>()));
    let parsed: MessageId = id.parse().map_err(|_| nobody())?;
    let mut reader = app.reader.get().await?;
    let row = match messages::by_id(&mut reader, parsed).await? {
        Some(row) => row,
        // A draft keeps its id while its message changes.
        None => {
            let draft = drafts::by_key(&mut reader, id).await?.and_then(|draft| draft.message);
            let numbers: Vec<_> = draft.into_iter().collect();
            messages::by_numbers(&mut reader, &numbers).await?.into_iter().next().ok_or_else(nobody)?
        }
    };
    let alive = tags::bitmap(&mut reader, tags::ALL).await?;
    if alive.contains(row.number.0) { Ok(row) } else { Err(nobody()) }
}

/// Opens a message: reads its bytes and understands them.
///
/// # Errors
/// Not found; damaged, where its seal is broken.
pub async fn open(app: &Arc<App>, id: &str) -> Result<Opened, Failure> {
    let row = find(app, id).await?;
    open_row(app, row).await
}

/// The same for a row at hand.
///
/// # Errors
/// Damaged, where its seal is broken.
pub async fn open_row(app: &Arc<App>, row: MessageRow) -> Result<Opened, Failure> {
    let (packs, place) = (Arc::clone(&app.packs), row.place);
    let raw = Arc::new(blocking(move || packs.read(place)).await?.raw);
    let Judged { looked, summary } = envelopes::judge(app, row.number, Arc::clone(&raw)).await?;
    let raw = Arc::try_unwrap(raw).unwrap_or_else(|shared| shared.to_vec());
    let (raw, came) = match looked.inner {
        Some(inner) => (inner, Some(raw)),
        None => (raw, None),
    };
    Ok(Opened { row, raw, came, message: Arc::new(looked.message), wrapping: looked.wrapping, summary })
}

impl Opened {
    /// The bytes as they came, and as the packs hold them.
    #[must_use]
    pub fn stored(&self) -> &[u8] {
        self.came.as_deref().unwrap_or(&self.raw)
    }

    /// Whether it came encrypted: nothing of it may reach out, and nothing of it may leave in clear.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.summary.privacy != Privacy::None
    }

    /// The readable text.
    #[must_use]
    pub fn text(&self) -> String {
        visible_text(&self.message)
    }

    /// Whether nothing may be fetched for it: it came in private, or holds something encrypted, which what stands beside it
    /// could carry out.
    #[must_use]
    pub fn asks_for_nothing(&self) -> bool {
        self.is_private() || self.message.kinds().contains(&Kind::Encrypted)
    }

    /// Whether it is encrypted and cannot be opened.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.summary.privacy == Privacy::Closed
    }

    /// The document for the frame: the HTML sanitised, or the text as HTML.
    #[must_use]
    pub fn document(&self, options: &Options<'_>) -> Sanitised {
        match self.message.html() {
            Some(source) => html::sanitise(source, options),
            None if self.is_closed() => html::text_document(&self.summary.reasons.join("\n"), options),
            None => html::text_document(&self.text(), options),
        }
    }
}

/// The readable text, made where it holds up nobody.
pub(super) async fn text_of(message: &Arc<Message>) -> Result<String, Failure> {
    let turn = heavy::markup(message.html().map_or(0, str::len)).await;
    let message = Arc::clone(message);
    blocking(move || {
        let _turn = turn;
        Ok::<_, Failure>(visible_text(&message))
    })
    .await
}

/// Everything the surface shows of a message.
///
/// # Errors
/// When the store fails.
pub async fn shown(app: &App, opened: &Opened) -> Result<Shown, Failure> {
    let Opened { row, message, .. } = opened;
    // Before a connection is taken: who waits for a turn must hold nothing that who has it may need.
    let text = text_of(message).await?;
    let mut reader = app.reader.get().await?;
    let held = places::of_messages(&mut reader, [row.number]).await?;
    let owners: HashMap<_, _> =
        accounts::list(&mut reader).await?.into_iter().map(|a| (a.id, a.address)).collect();
    let tags = tags::of_messages(&mut reader, &[row.number]).await?.remove(&row.number).unwrap_or_default();
    let thread = messages::thread_ids(&mut reader, [row.thread]).await?.remove(&row.thread).unwrap_or(row.id);
    let sender = sender::of(app, &mut reader, row, message).await?;
    let mut reasons = opened.summary.reasons.clone();
    reasons.extend(sender.facts.iter().map(Fact::sentence));
    let place = |p: PlaceRow| ShownPlace {
        account: owners.get(&p.account).cloned().unwrap_or_default(),
        folder: p.folder_name,
        uid: p.uid.0,
    };
    Ok(Shown {
        id: row.id,
        thread,
        message_id: message.message_id.clone(),
        places: held.into_iter().map(place).collect(),
        date: rfc3339(row.date),
        from: one(&message.from),
        to: message.to.clone(),
        cc: message.cc.clone(),
        bcc: message.bcc.clone(),
        reply_to: message.reply_to.clone(),
        subject: message.subject.clone(),
        text,
        parts: message
            .parts
            .iter()
            .filter(|part| !part.is_multipart())
            .map(|part| ShownPart {
                n: part.n,
                media_type: part.content_type.clone(),
                name: part.name.clone(),
                bytes: part.bytes,
                risk: risk_word(attachment::look(part, &opened.raw, SenderStanding::Known).risk),
            })
            .collect(),
        tags,
        bytes: row.size,
        privacy: opened.summary.privacy.as_str(),
        assurance: opened.summary.assurance.as_str(),
        signer: opened.summary.signer.clone(),
        reasons,
        sender,
        authentication: authentication::of(&mut reader, opened).await?,
    })
}

/// What is to be told of a message's links, beside the reasons: where one shows another place than it leads to.
///
/// # Errors
/// When the work breaks off.
pub async fn link_reason(opened: &Opened) -> Result<Option<String>, Failure> {
    let Some(source) = opened.message.html().map(str::to_owned) else { return Ok(None) };
    let found = blocking(move || Ok::<_, Failure>(html::sanitise(&source, &Options::default()).false_links));
    Ok(link_fact(&opened.message, &found.await?).map(|fact| fact.sentence()))
}
