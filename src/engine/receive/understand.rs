//! Understanding a message before it is kept: what it says, what it holds, what it tells of keys. No disk and no database.

use super::{Bytes, Incoming, Origin, SNIPPET, Understood};
use crate::engine::app::App;
use crate::engine::envelopes::{self, Looked, Openers, Wrapping};
use crate::engine::flags;
use crate::mail::html;
use crate::mail::message::Message;
use crate::mail::query::Kind;
use crate::mail::text;
use crate::storage::packs::{PackError, Prepared, RecordMeta, RecordPlace};
use std::collections::BTreeSet;

/// The text of a message as its text view shows it: what the sender wrote as text, or what the HTML lets a reader see.
///
/// A text part that is merely a remark beside a much longer HTML part is not taken for the message.
#[must_use]
pub fn visible_text(message: &Message) -> String {
    let plain = message.plain().unwrap_or_default();
    let plain = match text::without_secrets(&plain) {
        std::borrow::Cow::Borrowed(_) => plain,
        std::borrow::Cow::Owned(seen) => seen,
    };
    let Some(source) = message.html() else { return plain };
    if plain.trim().len() >= 400 {
        return plain;
    }
    let seen = html::visible_text(source).text;
    if plain.trim().is_empty() || seen.len() > plain.len().saturating_mul(4) { seen } else { plain }
}

/// Understands a message: parses it, finds its text, compresses it for the packs. Pure work, to be run in parallel.
///
/// # Errors
/// Where it is larger than the packs take.
pub fn understand(app: &App, incoming: Incoming) -> Result<Understood, PackError> {
    let bytes = Bytes::Prepared(Prepared::new(&meta(&incoming), &incoming.raw)?);
    Ok(understood(app, incoming, bytes))
}

/// The same for a message whose bytes lie in the packs already: the database lost it, or never heard of it.
#[must_use]
pub fn understand_lying(app: &App, incoming: Incoming, place: RecordPlace) -> Understood {
    understood(app, incoming, Bytes::Lying(place))
}

/// What stands beside the bytes in the packs, so that they alone rebuild the mail.
fn meta(incoming: &Incoming) -> RecordMeta {
    let received_at = incoming.received_at;
    match &incoming.origin {
        Origin::Server { account, folder_name, role, uid, uid_validity, flags, keywords, .. } => {
            let mut tags: Vec<String> = flags::MIRRORED
                .iter()
                .filter(|(_, bit, on)| (flags & bit != 0) == *on)
                .map(|(tag, _, _)| (*tag).to_owned())
                .collect();
            tags.extend(keywords.split(' ').filter_map(flags::own_tag));
            RecordMeta {
                received_at,
                account: account.clone(),
                folder: folder_name.clone(),
                role: role.clone(),
                uid: uid.0,
                uid_validity: *uid_validity,
                tags,
            }
        }
        Origin::Local { role, tags } => {
            RecordMeta { received_at, role: role.clone(), tags: tags.clone(), ..RecordMeta::default() }
        }
    }
}

fn understood(app: &App, incoming: Incoming, bytes: Bytes) -> Understood {
    let Incoming { raw, received_at, origin } = incoming;
    let id = app.identifier.identify(&raw);
    let looked = Openers::new(app).look(None, &raw, &[]);
    let received_at = match origin {
        Origin::Server { .. } => received_at,
        Origin::Local { .. } => not_before_it_was_sent(&looked.message, received_at, app.now()),
    };
    let news = if is_trusted(&origin) { envelopes::news(&looked, &app.own_addresses()) } else { None };
    let Looked { message, wrapping, .. } = looked;
    let text = visible_text(&message);
    let link = message.message_id.as_deref().map_or_else(|| app.link_of_id(id), |m| app.link(m));
    let mut links = vec![link];
    links.extend(message.references.iter().chain(&message.in_reply_to).map(|m| app.link(m)));
    let names: Vec<String> = message.attachments().filter_map(|part| part.name.clone()).collect();
    let attachments = message.attachments().count();
    let kinds = kinds(&message, wrapping.as_ref());
    Understood {
        id,
        received_at,
        date: message.effective_date(received_at),
        size: raw.len() as u64,
        link,
        links,
        snippet: text::snippet(&text, SNIPPET),
        attachments: u32::try_from(attachments).unwrap_or(u32::MAX),
        filenames: names,
        kinds,
        wrapping,
        news,
        message,
        text,
        origin,
        bytes,
    }
}

/// When mail from a file came. What the file says of that (a line that opens it in an archive, the time the file was changed) is
/// often nobody's word, and earlier than the mail itself.
fn not_before_it_was_sent(message: &Message, received_at: i64, now: i64) -> i64 {
    message.date.filter(|date| *date <= now).map_or(received_at, |date| received_at.max(date))
}

/// What a message holds; what it was wrapped in counts, too.
pub(super) fn kinds(message: &Message, wrapping: Option<&Wrapping>) -> BTreeSet<Kind> {
    let mut kinds = message.kinds();
    if let Some(wrapping) = wrapping {
        kinds.extend(wrapping.is_encrypted().then_some(Kind::Encrypted));
        kinds.extend((!wrapping.signatures.is_empty()).then_some(Kind::Signed));
    }
    kinds
}

/// Whether mail from there may say anything about keys: not what is spam, nor what the owner only drafts.
pub(super) fn is_trusted(origin: &Origin) -> bool {
    let (Origin::Server { role, .. } | Origin::Local { role, .. }) = origin;
    !["spam", "draft", "outbox", "trash"].contains(&role.as_str())
}
