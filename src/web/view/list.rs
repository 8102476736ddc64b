//! Lists of threads and messages: the inbox, a search, a tag. All are one template.

use askama::Template;

use super::shell::grouped;
use super::{Piece, Shell, Tag, Trust};

/// A list with all that surrounds it: `/` and `/search`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/list.html")]
pub struct ListPage {
    /// What surrounds it.
    pub shell: Shell,
    /// What the list is called: "Inbox", "Search", the name of a tag.
    pub heading: String,
    /// Whether to remind of a copy of the keys.
    pub reminds: bool,
    /// What is to be known of the owner's devices; empty for nothing.
    pub devices: &'static str,
    /// Whether that can be put off.
    pub may_wait: bool,
    /// The list itself.
    pub list: Rows,
}

/// Only the rows, for a script that brings an open list up to date (`X-Part: rows`).
#[derive(Debug, Clone, Template)]
#[template(path = "parts/rows.html")]
pub struct RowsPart {
    /// For the form token and the way back.
    pub shell: Shell,
    /// The list itself.
    pub list: Rows,
}

/// The rows of one page of a list.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// The query that found them; bulk actions on all found send it back.
    pub query: String,
    /// The rows.
    pub rows: Vec<Row>,
    /// How many were found in all.
    pub total: u64,
    /// "1–50 of 1,234"; empty when there is nothing.
    pub range_words: String,
    /// Where the page before leads.
    pub newer: Option<String>,
    /// Where the page after leads.
    pub older: Option<String>,
    /// What is said when nothing was found.
    pub empty: Empty,
    /// Set when the query could not be understood.
    pub trouble: Option<QueryTrouble>,
    /// Whether these lie in the trash: they can be deleted for ever.
    pub in_trash: bool,
    /// Whether these lie in spam: they can be declared good.
    pub in_spam: bool,
    /// Whether these lie in the inbox: they can be archived.
    pub in_inbox: bool,
}

impl Rows {
    /// The total as it is shown.
    #[must_use]
    pub fn total_figure(&self) -> String {
        grouped(self.total)
    }
}

/// Why a list is empty and what to do.
#[derive(Debug, Clone, Default)]
pub struct Empty {
    /// "Nothing in the inbox."
    pub words: String,
    /// "New mail shows up here by itself."
    pub hint: String,
    /// What to do, if anything: label and address.
    pub action: Option<(String, String)>,
}

/// A query that could not be understood, with the place marked.
#[derive(Debug, Clone, Default)]
pub struct QueryTrouble {
    /// "This parenthesis is never closed."
    pub words: String,
    /// The query up to the place.
    pub before: String,
    /// The place.
    pub at: String,
    /// The rest of the query.
    pub after: String,
}

/// One row.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// The message that stands for the row, as `data-message-id` and in forms.
    pub id: String,
    /// What a click opens.
    pub href: String,
    /// People, not addresses: "Anna, me".
    pub who: String,
    /// One or two letters for the round mark.
    pub initials: String,
    /// The hue of the round mark, 0 to 11.
    pub hue: u8,
    /// Where their picture lies; empty where the letters are all there is.
    pub picture: String,
    /// The subject; empty when there is none.
    pub subject: String,
    /// The first words of the message, or where the search hit.
    pub snippet: Vec<Piece>,
    /// Messages in the thread; shown from two.
    pub count: u64,
    /// Whether anything in it is unread.
    pub unread: bool,
    /// Whether it is starred.
    pub starred: bool,
    /// Whether it was answered.
    pub replied: bool,
    /// Whether it holds a draft.
    pub draft: bool,
    /// Files attached.
    pub attachments: u64,
    /// Its privacy and its sender, where there is something to say.
    pub trust: Trust,
    /// The owner's tags.
    pub tags: Vec<Tag>,
    /// Where it lies, when a search finds it outside the inbox: "Archive"; else empty.
    pub place: String,
    /// "12:04", "Yesterday", "Tue", "3 Mar", "2021".
    pub date_words: String,
    /// The whole date, shown on hover.
    pub date_exact: String,
    /// RFC 3339.
    pub date_iso: String,
}

impl Row {
    /// The class that gives the round mark its colour.
    #[must_use]
    pub const fn hue_class(&self) -> u8 {
        self.hue % 12
    }

    /// The subject, or that there is none.
    #[must_use]
    pub fn subject_shown(&self) -> &str {
        if self.subject.is_empty() { "(no subject)" } else { &self.subject }
    }
}
