//! An attachment on a page of its own: what it is, what speaks against it, and what it shows.

use super::{Attachment, Shell};
use askama::Template;

/// An attachment: `/messages/{id}/parts/{n}/preview`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/preview.html")]
pub struct PreviewPage {
    /// What surrounds it.
    pub shell: Shell,
    /// Its message.
    pub back: String,
    /// The file.
    pub file: Attachment,
    /// Where a safe copy is made; empty where none can be, or where it is there.
    pub copy_href: String,
    /// The safe copy that was made.
    pub copy: Option<CopyView>,
    /// What could not be shown, what was cut: sentences.
    pub notes: Vec<String>,
    /// What it shows.
    pub shown: Shown,
    /// The pages before those shown.
    pub earlier: Option<String>,
    /// The pages after them.
    pub later: Option<String>,
}

/// A safe copy.
#[derive(Debug, Clone, Default)]
pub struct CopyView {
    /// The name it is saved under.
    pub name: String,
    /// Where it is fetched from.
    pub href: String,
    /// "1.2 MB".
    pub size_words: String,
    /// What is not in it.
    pub notes: Vec<String>,
}

/// What a file shows.
#[derive(Debug, Clone, Default)]
pub enum Shown {
    /// Nothing; the notes say why.
    #[default]
    Nothing,
    /// Pictures: itself, or its pages.
    Pictures(Vec<Picture>),
    /// Text.
    Text(String),
    /// Events.
    Events(Vec<EventView>),
    /// People: names and fields.
    Cards(Vec<(String, Vec<(String, String)>)>),
    /// What lies in an archive.
    Listing(Vec<ListingRow>),
    /// A message.
    Message {
        /// From, to, date, subject.
        fields: Vec<(String, String)>,
        /// Its text.
        text: String,
    },
}

/// A picture of a file or of a page of it.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    /// A capability address.
    pub src: String,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// What it is, for those who do not see it.
    pub label: String,
    /// "Page 3 of 12"; empty for none.
    pub caption: String,
    /// The words on it.
    pub text: String,
}

/// An event or a task.
#[derive(Debug, Clone, Default)]
pub struct EventView {
    /// Whether it is a task.
    pub is_task: bool,
    /// "An invitation", "This event is cancelled."; empty for none.
    pub note: String,
    /// What it is about.
    pub summary: String,
    /// When, where, who: names and words.
    pub fields: Vec<(String, String)>,
    /// More about it.
    pub description: String,
}

/// A file within an archive.
#[derive(Debug, Clone, Default)]
pub struct ListingRow {
    /// Its name.
    pub name: String,
    /// "48 kB"; empty for folders.
    pub size_words: String,
    /// "can run programs"; empty for none.
    pub note: String,
}
