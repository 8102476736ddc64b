//! The form of a message that is being written: what it shows, and what it holds when it comes back.

use super::forecast::{forecast, wish, word};
use super::form::Form;
use crate::crypto::secret::random;
use crate::engine::drafts::{self, Attached, Content, Kept as Draft};
use crate::engine::failure::{Failure, Kind};
use crate::engine::{accounts, settings};
use crate::mail::address::Person;
use crate::mail::compose::write_person;
use crate::storage::database::settings as table;
use crate::web::auth::Owner;
use crate::web::view::{Composer, Kept, SenderChoice};
use crate::web::words;

/// What is said where a draft is no more that somebody goes on writing.
pub(super) const DRAFT_GONE: &str = "This draft was sent or thrown away in another window. What stands here is kept as \
                                     a new draft; send it only if it shall go out as well.";
const FILES_GONE: &str = "This draft was sent or thrown away in another window, and its files with it. What stands here \
                          is kept as a new draft; attach the files again.";
const ORIGINAL_GONE: &str = "The message that you forward was deleted, and its files with it. What stands here is kept \
                             as a draft; attach the files again, or send it without them.";

/// What a form goes on from, by ids; empty for nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    /// The draft.
    pub(super) draft: String,
    /// The message that is answered.
    pub(super) reply: String,
    /// The message that is forwarded; its files go along once it is a draft or sent.
    pub(super) forward: String,
    /// The draft on a server that is written on.
    pub(super) edit: String,
}

impl Source {
    fn of(form: &Form) -> Self {
        let get = |name| form.get(name).to_owned();
        Self { draft: get("draft"), reply: get("reply"), forward: get("forward"), edit: get("edit") }
    }
}

/// The form with what a message holds so far.
pub(super) async fn composer(
    owner: &Owner,
    content: &Content,
    source: &Source,
    trouble: &str,
) -> Result<Composer, Failure> {
    let accounts = accounts::list(&owner.app).await?;
    let people = table::people(&mut *owner.app.reader.get().await?, 200).await?;
    let from = accounts
        .into_iter()
        .map(|a| SenderChoice {
            chosen: a.email == content.from,
            shown: write_person(&Person { name: a.name, address: a.email.clone() }),
            address: a.email,
        })
        .collect();
    let Source { draft, reply, forward, edit } = source.clone();
    Ok(Composer {
        saved_words: if draft.is_empty() { String::new() } else { "Saved".into() },
        draft,
        reply,
        forward,
        edit,
        once: data_encoding::HEXLOWER.encode(&random::<16>()),
        from,
        to: content.to.clone(),
        cc: content.cc.clone(),
        bcc: content.bcc.clone(),
        subject: content.subject.clone(),
        body: content.body.clone(),
        kept: kept(content),
        answers: content.reply_to_id.map(|id| id.to_string()).unwrap_or_default(),
        wish: word(content.encrypt),
        came_private: content.came_private,
        forecast: forecast(owner, content).await?,
        trouble: trouble.to_owned(),
        people: people
            .into_iter()
            .map(|p| write_person(&Person { name: p.name, address: p.address }))
            .collect(),
        ..Composer::default()
    })
}

/// The files of a message, by their numbers.
pub(super) fn kept(content: &Content) -> Vec<Kept> {
    (0..)
        .zip(&content.attachments)
        .map(|(n, a)| Kept { n, name: a.name.clone(), size_words: words::size(a.bytes() as u64) })
        .collect()
}

/// The owner's signature; empty for none.
pub(super) async fn signature(owner: &Owner) -> Result<String, Failure> {
    Ok(settings::get(&owner.app, "writing.signature").await?.trim().to_owned())
}

/// A text with the signature under it, behind the mark that tells programs where the text ends.
pub(super) fn signed(text: &str, signature: &str) -> String {
    if signature.is_empty() {
        return text.to_owned();
    }
    format!("{}\n\n-- \n{signature}\n", text.trim_end())
}

/// A quote with room to write above it and the signature under that room. The mark is left out: programs would take the
/// quote for a part of the signature, and fold or cut it off.
pub(super) fn signed_above(quote: &str, signature: &str) -> String {
    let quote = quote.trim_start_matches('\n');
    if signature.is_empty() { format!("\n\n{quote}") } else { format!("\n\n{signature}\n\n{quote}") }
}

/// A form that came back.
pub(super) struct Typed {
    /// What it goes on from; what is no more is empty.
    pub(super) source: Source,
    /// What it holds.
    pub(super) content: Content,
    /// Why it must not go out before somebody looked at it again; empty for nothing.
    pub(super) trouble: &'static str,
    /// How many of its files were here before.
    held: usize,
}

/// Reads a form, on top of what it goes on from. What was typed is never lost because that is gone.
pub(super) async fn typed(owner: &Owner, form: &Form) -> Result<Typed, Failure> {
    let mut source = Source::of(form);
    let keep: Vec<usize> = form.all("keep_attachment").filter_map(|n| n.parse().ok()).collect();
    let mut trouble = "";
    let before = match before(owner, &source).await {
        Ok(before) => before,
        Err(failure) if failure.kind == Kind::NotFound => {
            trouble = match (source.draft.is_empty() && source.edit.is_empty(), keep.is_empty()) {
                (true, true) => "",
                (true, false) => ORIGINAL_GONE,
                (false, true) => DRAFT_GONE,
                (false, false) => FILES_GONE,
            };
            source = Source { reply: source.reply, ..Source::default() };
            Content::default()
        }
        Err(failure) => return Err(failure),
    };
    let mut attachments: Vec<Attached> = before
        .attachments
        .into_iter()
        .enumerate()
        .filter(|(n, _)| keep.contains(n))
        .map(|(_, a)| a)
        .collect();
    let held = attachments.len();
    attachments.extend(form.files.iter().map(|(_, name, kind, bytes)| Attached::new(name, kind, bytes)));
    let body = form.get("body").replace("\r\n", "\n");
    let mut content = Content {
        from: form.get("from").to_owned(),
        to: form.get("to").to_owned(),
        cc: form.get("cc").to_owned(),
        bcc: form.get("bcc").to_owned(),
        subject: form.get("subject").to_owned(),
        // At the foot of a thread one writes the words alone.
        body: if form.get("inline") == "1" { signed(&body, &signature(owner).await?) } else { body },
        reply_to_id: before.reply_to_id,
        in_reply_to: before.in_reply_to,
        references: before.references,
        encrypt: wish(form),
        unsigned: before.unsigned,
        came_private: before.came_private || form.get("came_private") == "1",
        for_them_alone: before.for_them_alone,
        attachments,
        continues: before.continues,
    };
    if !source.reply.is_empty() && content.in_reply_to.is_none() {
        match drafts::reply_to(&owner.app, &source.reply, false, "").await {
            Ok(beginning) => {
                content.reply_to_id = beginning.reply_to_id;
                (content.in_reply_to, content.references) = (beginning.in_reply_to, beginning.references);
            }
            // What is answered was deleted for ever; the answer goes out all the same.
            Err(failure) if failure.kind == Kind::NotFound => source.reply.clear(),
            Err(failure) => return Err(failure),
        }
    }
    Ok(Typed { source, content, trouble, held })
}

/// What a form goes on from, as it was.
async fn before(owner: &Owner, source: &Source) -> Result<Content, Failure> {
    if !source.draft.is_empty() {
        Ok(drafts::find(&owner.app, &source.draft).await?.content)
    } else if !source.forward.is_empty() {
        let attachments = drafts::forward(&owner.app, &source.forward, "").await?.attachments;
        Ok(Content { attachments, ..Content::default() })
    } else if !source.edit.is_empty() {
        drafts::go_on(&owner.app, &source.edit).await
    } else {
        Ok(Content::default())
    }
}

impl Typed {
    /// Keeps it in its draft; in a new one where there is none, or none any more.
    pub(super) async fn keep(&self, owner: &Owner) -> Result<Draft, Failure> {
        let draft = Some(self.source.draft.as_str()).filter(|draft| !draft.is_empty());
        match drafts::save(&owner.app, draft, &self.content).await {
            Err(failure) if failure.kind == Kind::NotFound => {
                drafts::save(&owner.app, None, &self.content).await
            }
            kept => kept,
        }
    }

    /// Lets go of the files that came with the form.
    pub(super) fn drop_new_files(&mut self) {
        self.content.attachments.truncate(self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_never_swallows_the_quote() {
        let quote = "On Friday, Bob wrote:\n> Tea?\n";
        assert_eq!(signed_above(quote, "Alice"), "\n\nAlice\n\nOn Friday, Bob wrote:\n> Tea?\n");
        assert_eq!(signed_above("\n\n---------- Forwarded", ""), "\n\n---------- Forwarded");
        assert_eq!(signed("", "Alice"), "\n\n-- \nAlice\n");
        assert_eq!(signed("Please take me off.\n", "Alice"), "Please take me off.\n\n-- \nAlice\n");
        assert_eq!(signed("Yes.", ""), "Yes.");
    }
}
