//! A thread and a single message: head, trust line, body, attachments.

use askama::Template;

use super::{Composer, Origin, RemoteView, Shell, Tag, Trust, TrustFact};

/// All messages of a thread: `/threads/{id}`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/thread.html")]
pub struct ThreadPage {
    /// What surrounds it.
    pub shell: Shell,
    /// The subject, once, as the heading; empty when there is none.
    pub subject: String,
    /// "5 messages, Anna Berg, Bob and you".
    pub people_words: String,
    /// Where its messages differ in privacy, the weakest of them.
    pub weakest: Option<TrustFact>,
    /// The owner's tags on it.
    pub tags: Vec<Tag>,
    /// The ids that an action on the whole thread is about.
    pub ids: Vec<String>,
    /// Whether any message is starred.
    pub starred: bool,
    /// Whether it lies in the inbox.
    pub in_inbox: bool,
    /// Whether it lies in the trash.
    pub in_trash: bool,
    /// Whether it lies in spam.
    pub in_spam: bool,
    /// The list one came from, and its name.
    pub back: (String, String),
    /// The next newer thread of that list.
    pub newer: Option<String>,
    /// The next older thread of that list.
    pub older: Option<String>,
    /// In a long thread: "100 earlier messages", and where they are.
    pub earlier: Option<(String, String)>,
    /// The same for those that come later than what is shown.
    pub later: Option<(String, String)>,
    /// The messages, oldest first.
    pub messages: Vec<MessageView>,
    /// The quick answer at the foot, ready to be sent; none in trash and spam.
    pub reply: Option<Composer>,
}

/// One message on a page of its own: `/messages/{id}`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/message.html")]
pub struct MessagePage {
    /// What surrounds it.
    pub shell: Shell,
    /// The subject; empty when there is none.
    pub subject: String,
    /// The owner's tags on it.
    pub tags: Vec<Tag>,
    /// Whether it is starred.
    pub starred: bool,
    /// Whether it lies in the inbox.
    pub in_inbox: bool,
    /// Whether it lies in the trash.
    pub in_trash: bool,
    /// Whether it lies in spam.
    pub in_spam: bool,
    /// The thread it belongs to, or the list one came from, and its name.
    pub back: (String, String),
    /// The message.
    pub message: MessageView,
}

/// One message.
#[derive(Debug, Clone, Default)]
pub struct MessageView {
    /// Its id.
    pub id: String,
    /// Who wrote it.
    pub from: Person,
    /// Letters and hue of the round mark.
    pub initials: String,
    /// The hue of the round mark, 0 to 11.
    pub hue: u8,
    /// Where their picture lies; empty where the letters are all there is.
    pub picture: String,
    /// To whom, in one line: "you, Carol Okafor and 5 more".
    pub to_words: String,
    /// All of To.
    pub to: Vec<Person>,
    /// All of Cc.
    pub cc: Vec<Person>,
    /// All of Bcc, on what one sent oneself.
    pub bcc: Vec<Person>,
    /// "3 Mar, 12:04".
    pub date_words: String,
    /// The whole date.
    pub date_exact: String,
    /// RFC 3339.
    pub date_iso: String,
    /// Whether it cannot be read; then it is a line that says so.
    pub broken: bool,
    /// Whether it is shown as one line.
    pub folded: bool,
    /// Whether it is the one to show first: the page opens there (`#m-{id}`).
    pub unread: bool,
    /// Whether it is starred.
    pub starred: bool,
    /// First words, for the folded line.
    pub snippet: String,
    /// Whether it was private and who wrote it, outside the frame.
    pub trust: Trust,
    /// Whether it is a Setup Message, whose key can be taken in by its code.
    pub is_setup: bool,
    /// What is to be said where a key server sent it.
    pub publication: Option<PublicationView>,
    /// Where it is from, and the way out of its list.
    pub origin: Origin,
    /// Sentences about this message: "2 parts of it could not be read."
    pub notes: Vec<String>,
    /// Pictures on other servers, and what can be decided about the sender.
    pub remote: RemoteView,
    /// "Text that a reader would not see was left out."; empty for none.
    pub hidden_words: String,
    /// The same where it is but the line that newsletters begin with for lists of mail; said quietly.
    pub preview_words: String,
    /// The message itself.
    pub body: Body,
    /// Whether the other view exists, so that one can switch.
    pub has_html: bool,
    /// Whether there is readable text.
    pub has_text: bool,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// What it invites to.
    pub events: Vec<super::EventView>,
    /// Where to go on writing, when it is a draft.
    pub draft_href: Option<String>,
    /// Where the stored bytes are shown or fetched; empty for nowhere.
    pub raw_href: String,
    /// Where it lies: "Inbox of alice@example.org".
    pub places: Vec<String>,
}

impl MessageView {
    /// The class that gives the round mark its colour.
    #[must_use]
    pub const fn hue_class(&self) -> u8 {
        self.hue % 12
    }

    /// Whether it is shown in the sender's colours on a dark page too.
    #[must_use]
    pub const fn shows_original(&self) -> bool {
        matches!(self.body, Body::Frame { original: true, .. })
    }

    /// Whether its HTML is what is shown.
    #[must_use]
    pub const fn shows_html(&self) -> bool {
        matches!(self.body, Body::Frame { .. })
    }
}

/// Somebody.
#[derive(Debug, Clone, Default)]
pub struct Person {
    /// The name; empty when only the address is known.
    pub name: String,
    /// The address.
    pub address: String,
}

impl Person {
    /// The name, or else the address.
    #[must_use]
    pub fn shown(&self) -> &str {
        if self.name.is_empty() { &self.address } else { &self.name }
    }

    /// A search for all that is from or to this address.
    #[must_use]
    pub fn href(&self) -> String {
        format!("/search?q={}", super::encoded(&format!("with:{}", self.address)))
    }
}

/// How a message is shown.
#[derive(Debug, Clone, Default)]
pub enum Body {
    /// Sanitised HTML, served to a sandboxed frame by another host name.
    Frame {
        /// The capability address, whole.
        src: String,
        /// The estimated height on a wide page, 1 (a line or two) to 16 (very long).
        height: u8,
        /// The same on a narrow page.
        narrow: u8,
        /// It keeps the sender's colours on a dark page.
        original: bool,
    },
    /// Its readable text.
    Text(Vec<Block>),
    /// It cannot be opened.
    Closed {
        /// Why, and which key is needed.
        words: String,
        /// Whether a key that is brought here would open it.
        wants_key: bool,
    },
    /// There is nothing in it.
    #[default]
    Nothing,
}

/// A stretch of text.
#[derive(Debug, Clone)]
pub enum Block {
    /// What was written, line breaks included.
    Text(Vec<Piece>),
    /// What was quoted; folded.
    Quote {
        /// 1 is a quote, 2 a quote within one.
        depth: u8,
        /// "12 quoted lines".
        words: String,
        /// The quote without its marks.
        pieces: Vec<Piece>,
    },
    /// The signature.
    Signature(Vec<Piece>),
}

/// A run of text with one meaning.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Plain words.
    Text(String),
    /// A way out, by way of the leave page.
    Link {
        /// `/leave?t=…`
        href: String,
        /// What is shown.
        shown: String,
    },
    /// A line end that a wide page keeps and a narrow one need not.
    Wrap,
    /// What a search was looking for.
    Hit(String),
}

/// A file in a message.
#[derive(Debug, Clone, Default)]
pub struct Attachment {
    /// Its name, made safe.
    pub name: String,
    /// "PDF document".
    pub kind: String,
    /// "1.2 MB".
    pub size_words: String,
    /// What its name or its sender says and what it is, where these differ; empty otherwise.
    pub difference: String,
    /// "Can run programs on your computer."; empty for none.
    pub risk_words: String,
    /// Whether that is more than a word of caution.
    pub danger: bool,
    /// Where it is looked at without being opened; empty for nowhere.
    pub preview_href: String,
    /// Where a safe copy of it is made; empty for nowhere.
    pub copy_href: String,
    /// A small picture of it: a capability address; empty for none.
    pub thumb: String,
    /// Where it is fetched from: a capability address.
    pub href: String,
}

impl Attachment {
    /// Where its name leads: to the preview where there is one.
    #[must_use]
    pub fn main_href(&self) -> &str {
        if self.preview_href.is_empty() { &self.href } else { &self.preview_href }
    }
}

/// What is to be said of a key server's mail.
#[derive(Debug, Clone, Default)]
pub struct PublicationView {
    /// "keys.example asks whether alice@example.org is yours."
    pub heading: String,
    /// What it means, and what happens when one confirms.
    pub words: String,
    /// What the button says; empty where there is nothing to press.
    pub button: &'static str,
}
