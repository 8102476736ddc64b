//! A thread as a whole: where it lies, which part of a long one is shown, and a line for what cannot be read.

use crate::engine::failure::Failure;
use crate::mail::ids::{MessageId, ThreadNumber};
use crate::storage::database::messages::MessageRow;
use crate::storage::database::{messages, tags};
use crate::web::auth::Owner;
use crate::web::view::{MessageView, Person, encoded};
use crate::web::words;

/// The most messages of a thread that are shown open or folded with their text.
pub(super) const MOST_SHOWN: usize = 200;

/// The messages of a thread, oldest first. Those that were deleted and only wait for the server to be told are none.
pub(super) async fn rows_of(owner: &Owner, thread: ThreadNumber) -> Result<Vec<MessageRow>, Failure> {
    let mut reader = owner.app.reader.get().await?;
    let alive = tags::bitmap(&mut reader, tags::ALL).await?;
    let mut rows = messages::of_thread(&mut reader, thread).await?;
    rows.retain(|row| alive.contains(row.number.0));
    Ok(rows)
}

/// Where the messages of a thread lie.
pub(super) struct Place {
    pub(super) starred: bool,
    /// Whether any lies in the inbox.
    pub(super) in_inbox: bool,
    /// Whether all lie in the trash: then nothing is left to be deleted but for ever.
    pub(super) in_trash: bool,
    /// Whether all are spam.
    pub(super) in_spam: bool,
}

impl Place {
    pub(super) async fn of(owner: &Owner, rows: &[MessageRow]) -> Result<Self, Failure> {
        let mut reader = owner.app.reader.get().await?;
        let (starred, inbox) =
            (tags::bitmap(&mut reader, "starred").await?, tags::bitmap(&mut reader, "inbox").await?);
        let (trash, spam) =
            (tags::bitmap(&mut reader, "trash").await?, tags::bitmap(&mut reader, "spam").await?);
        Ok(Self {
            starred: rows.iter().any(|row| starred.contains(row.number.0)),
            in_inbox: rows.iter().any(|row| inbox.contains(row.number.0)),
            in_trash: rows.iter().all(|row| trash.contains(row.number.0)),
            in_spam: rows.iter().all(|row| spam.contains(row.number.0)),
        })
    }
}

/// Which part of a thread a page shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Long {
    /// How many of the latest messages are passed over.
    pub(super) passed: usize,
    /// The place of the first that is shown.
    pub(super) first: usize,
    /// "100 earlier messages", and where they are.
    pub(super) earlier: Option<(String, String)>,
    /// The same for those that come later than what is shown.
    pub(super) later: Option<(String, String)>,
}

impl Long {
    /// The part that ends `passed` messages before the end; `from` is the list one came from.
    pub(super) fn of(rows: &[MessageRow], passed: usize, from: &str) -> Self {
        rows.first().map_or_else(
            || Self::part(0, 0, ""),
            |row| Self::part(rows.len(), passed, &address(row.id, from)),
        )
    }

    fn part(count: usize, passed: usize, address: &str) -> Self {
        let passed = if passed < count { passed } else { 0 };
        let first = (count - passed).saturating_sub(MOST_SHOWN);
        let link = |count: usize, kind: &str, passed: usize| {
            let one = format!("{kind} message");
            (count > 0).then(|| {
                (words::count(count as u64, &one, &format!("{one}s")), format!("{address}earlier={passed}"))
            })
        };
        Self {
            passed,
            first,
            earlier: link(first, "earlier", passed + MOST_SHOWN),
            later: link(passed, "later", passed.saturating_sub(MOST_SHOWN)),
        }
    }
}

/// The address of a thread, ready for a further field.
fn address(id: MessageId, from: &str) -> String {
    if from.is_empty() { format!("/threads/{id}?") } else { format!("/threads/{id}?from={}&", encoded(from)) }
}

/// What stands in place of a message that cannot be read.
pub(super) fn broken_line(owner: &Owner, row: &MessageRow) -> MessageView {
    let when = words::when(row.date, owner.app.now());
    let sender = row.people.from.first().cloned().unwrap_or_default();
    let address = if sender.address.is_empty() { "somebody".to_owned() } else { sender.address };
    MessageView {
        id: row.id.to_string(),
        broken: true,
        from: Person { name: sender.name, address },
        date_words: when.words,
        date_exact: when.exact,
        date_iso: when.iso,
        ..MessageView::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_of_a_long_thread_is_on_some_page() {
        let link = |words: &str, address: &str| Some((words.to_owned(), address.to_owned()));
        let short = Long::part(200, 0, "/threads/a?");
        assert_eq!((short.first, short.earlier, short.later), (0, None, None));
        let end = Long::part(300, 0, "/threads/a?");
        assert_eq!(end.first, 100);
        assert_eq!(end.earlier, link("100 earlier messages", "/threads/a?earlier=200"));
        assert_eq!(end.later, None);
        let begin = Long::part(300, 200, "/threads/a?");
        assert_eq!((begin.passed, begin.first, begin.earlier), (200, 0, None));
        assert_eq!(begin.later, link("200 later messages", "/threads/a?earlier=0"));
        assert_eq!(Long::part(201, 0, "?").earlier, link("1 earlier message", "?earlier=200"));
        assert_eq!(Long::part(3, usize::MAX, "?"), Long::part(3, 0, "?"));
    }
}
