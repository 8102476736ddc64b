//! What the index is told of a message.

use super::understand::kinds;
use super::{SNIPPET, Understood, visible_text};
use crate::engine::app::App;
use crate::engine::envelopes::Looked;
use crate::engine::failure::Failure;
use crate::mail::ids::MessageNumber;
use crate::mail::message::Message;
use crate::mail::query::Kind;
use crate::mail::text;
use crate::storage::database::commit;
use crate::storage::database::messages::{self, MessageRow};
use crate::storage::index::Document;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How much of a message's text is indexed, in bytes.
const INDEXED_TEXT: usize = 2 << 20;

/// What the index is told of a batch.
pub struct Indexable {
    /// The message.
    pub number: MessageNumber,
    /// Effective date, UTC seconds.
    pub date: i64,
    /// Raw bytes.
    pub size: u64,
    /// The parsed message.
    pub message: Message,
    /// Its visible text.
    pub text: String,
    /// The names of its attachments.
    pub filenames: Vec<String>,
    /// What it holds.
    pub kinds: BTreeSet<Kind>,
}

impl Indexable {
    /// The same as a document of the index.
    #[must_use]
    pub fn document(&self) -> Document<'_> {
        Document {
            number: self.number,
            date: self.date,
            size: self.size,
            subject: &self.message.subject,
            from: &self.message.from,
            to: &self.message.to,
            cc: &self.message.cc,
            bcc: &self.message.bcc,
            body: clip(&self.text, INDEXED_TEXT),
            filenames: &self.filenames,
            list: self.message.list_id.as_deref().unwrap_or_default(),
            headers: &self.message.headers,
            kinds: &self.kinds,
        }
    }
}

/// The first bytes of a text, cut between characters.
#[must_use]
pub fn clip(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

pub(super) fn documents(batch: Vec<Understood>, numbers: &[MessageNumber]) -> Vec<Indexable> {
    batch
        .into_iter()
        .zip(numbers)
        .map(|(m, number)| Indexable {
            number: *number,
            date: m.date,
            size: m.size,
            message: m.message,
            text: m.text,
            filenames: m.filenames,
            kinds: m.kinds,
        })
        .collect()
}

/// The same for a message that lies in the store already.
#[must_use]
pub fn indexable(number: MessageNumber, date: i64, size: u64, looked: Looked) -> Indexable {
    let Looked { message, wrapping, .. } = looked;
    let text = visible_text(&message);
    let filenames = message.attachments().filter_map(|part| part.name.clone()).collect();
    let kinds = kinds(&message, wrapping.as_ref());
    Indexable { number, date, size, message, text, filenames, kinds }
}

/// A message that could not be opened before and now is: its row and the index learn what it says.
///
/// # Errors
/// When the store fails.
pub(in crate::engine) async fn read_again(
    app: &Arc<App>,
    row: &MessageRow,
    looked: Looked,
) -> Result<(), Failure> {
    let document = indexable(row.number, row.date, row.size, looked);
    {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        let attachments = u32::try_from(document.filenames.len()).unwrap_or(u32::MAX);
        let snippet = text::snippet(&document.text, SNIPPET);
        let subject = document.message.subject.as_str();
        messages::retell(&mut c, row.number, subject, &snippet, attachments).await?;
        commit(c).await?;
    }
    app.indexing.again(vec![document]).await
}
