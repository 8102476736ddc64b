//! What surrounds every page: the navigation, the search field, the bars that report on what was just done.

/// What all pages have in common.
#[derive(Debug, Clone, Default)]
pub struct Shell {
    /// The page's title, without the name of the program.
    pub title: String,
    /// The form token of this session; every form carries it.
    pub csrf: String,
    /// The address of this page on this site, query and all: where forms come back to.
    pub here: String,
    /// What the search field says.
    pub query: String,
    /// The places and tags at the left.
    pub nav: Nav,
    /// How we stand with the mail servers.
    pub state: NetState,
    /// What was just done and can be taken back.
    pub undo: Option<Undo>,
    /// What was just given to the outbox and can still be called back.
    pub sent: Option<Sent>,
    /// One sentence about what was just done or went wrong.
    pub notice: Option<Notice>,
    /// Light, dark, or what the system says.
    pub theme: Theme,
    /// How tall the rows of lists are.
    pub density: Density,
    /// Whether it is looked at from afar: then one signs out, and the store stays unlocked.
    pub afar: bool,
}

/// The navigation.
#[derive(Debug, Clone, Default)]
pub struct Nav {
    /// Inbox to Trash, in order.
    pub places: Vec<Place>,
    /// The owner's tags.
    pub tags: Vec<Tag>,
    /// Whether the settings page is the one shown.
    pub at_settings: bool,
    /// Whether the status page is the one shown.
    pub at_status: bool,
    /// Whether the contacts page is the one shown.
    pub at_contacts: bool,
    /// Whether the keys page is the one shown.
    pub at_keys: bool,
    /// Whether the devices page is the one shown.
    pub at_devices: bool,
}

/// Where in the navigation a page belongs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Spot {
    Inbox,
    Starred,
    Drafts,
    Outbox,
    Sent,
    Archive,
    Spam,
    Trash,
    Contacts,
    Keys,
    Devices,
    Settings,
    Status,
    #[default]
    Elsewhere,
}

/// The figures that the navigation shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Unread messages in the inbox.
    pub inbox_unread: u64,
    /// Drafts.
    pub drafts: u64,
    /// What waits in the outbox; at nought the outbox is not listed.
    pub outbox: u64,
    /// Whether something in the outbox failed or is put off.
    pub outbox_trouble: bool,
    /// Unread messages in spam.
    pub spam_unread: u64,
}

/// A line of the navigation.
#[derive(Debug, Clone)]
pub struct Place {
    /// What it is called.
    pub label: &'static str,
    /// The name of its picture, without `i-`.
    pub icon: &'static str,
    /// Where it leads.
    pub href: &'static str,
    /// The key that follows `g`; empty for none.
    pub key: &'static str,
    /// The figure beside it; nought is not shown.
    pub count: u64,
    /// What the figure counts, for those who only hear it.
    pub count_words: &'static str,
    /// Whether the figure is a sign of trouble.
    pub trouble: bool,
    /// Whether it is the place shown.
    pub current: bool,
}

impl Place {
    /// The figure as it is shown.
    #[must_use]
    pub fn figure(&self) -> String {
        grouped(self.count)
    }
}

impl Nav {
    /// The navigation with `spot` marked as the place shown.
    #[must_use]
    pub fn new(spot: Spot, counts: Counts, tags: Vec<Tag>) -> Self {
        let place = |at: Spot, label, icon, href, key, count, count_words| Place {
            label,
            icon,
            href,
            key,
            count,
            count_words,
            trouble: false,
            current: at == spot,
        };
        let mut places = vec![
            place(Spot::Inbox, "Inbox", "inbox", "/", "i", counts.inbox_unread, "unread"),
            place(Spot::Starred, "Starred", "star", "/search?q=is:starred", "*", 0, ""),
            place(Spot::Drafts, "Drafts", "draft", "/search?q=in:draft", "d", counts.drafts, "drafts"),
            place(Spot::Sent, "Sent", "sent", "/search?q=in:sent", "s", 0, ""),
            place(Spot::Archive, "Archive", "archive", "/search?q=in:archive", "a", 0, ""),
            place(Spot::Spam, "Spam", "spam", "/search?q=in:spam", "!", counts.spam_unread, "unread"),
            place(Spot::Trash, "Trash", "trash", "/search?q=in:trash", "#", 0, ""),
        ];
        if counts.outbox > 0 || spot == Spot::Outbox {
            let mut outbox =
                place(Spot::Outbox, "Outbox", "outbox", "/outbox", "o", counts.outbox, "waiting to go out");
            outbox.trouble = counts.outbox_trouble;
            places.insert(3, outbox);
        }
        Self {
            places,
            tags,
            at_settings: spot == Spot::Settings,
            at_status: spot == Spot::Status,
            at_contacts: spot == Spot::Contacts,
            at_keys: spot == Spot::Keys,
            at_devices: spot == Spot::Devices,
        }
    }
}

/// A tag of the owner, in the navigation and on rows.
#[derive(Debug, Clone, Default)]
pub struct Tag {
    /// Its name.
    pub name: String,
    /// One of twelve hues, 0 to 11.
    pub hue: u8,
    /// Unread messages that carry it; nought is not shown.
    pub unread: u64,
    /// Whether its list is the one shown.
    pub current: bool,
}

impl Tag {
    /// The search that finds what carries it.
    #[must_use]
    pub fn href(&self) -> String {
        let plain = self.name.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
        let query = if plain { format!("tag:{}", self.name) } else { format!("tag:\"{}\"", self.name) };
        format!("/search?q={}", encoded(&query))
    }

    /// The class that gives it its colour.
    #[must_use]
    pub const fn class(&self) -> u8 {
        self.hue % 12
    }

    /// The unread figure as it is shown.
    #[must_use]
    pub fn figure(&self) -> String {
        grouped(self.unread)
    }
}

/// How we stand with the mail servers, in words.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct NetState {
    /// "Up to date", "Fetching mail, 1,204 of 18,220", "Could not reach … Trying again at 14:05."
    pub words: String,
    /// Whether all is well.
    pub ok: bool,
}

/// What can be taken back.
#[derive(Debug, Clone)]
pub struct Undo {
    /// "3 messages archived."
    pub words: String,
    /// What `/undo` wants to know.
    pub token: String,
}

/// What still waits its ten seconds in the outbox.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The outbox entry.
    pub id: String,
    /// How long it can still be called back.
    pub seconds: u32,
}

/// One sentence about what was just done.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The sentence.
    pub words: String,
    /// Whether it is about trouble.
    pub trouble: bool,
}

/// The owner's choice of colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system says.
    #[default]
    Auto,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// Its name in forms and on the root element.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of that name; what is no name is `Auto`.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::Auto,
        }
    }
}

/// The owner's choice of row height.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Density {
    /// 36 pixels.
    Compact,
    /// 44 pixels.
    #[default]
    Normal,
    /// 56 pixels, in two lines.
    Roomy,
}

impl Density {
    /// Its name in forms and on the root element.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compact => "compact",
            Self::Normal => "normal",
            Self::Roomy => "roomy",
        }
    }

    /// The density of that name; what is no name is `Normal`.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "compact" => Self::Compact,
            "roomy" => Self::Roomy,
            _ => Self::Normal,
        }
    }
}

/// A figure with its thousands apart: 1,234,567.
#[must_use]
pub fn grouped(figure: u64) -> String {
    let digits = figure.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A text as it may stand in the query of an address.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped_by_thousands() {
        assert_eq!(
            [0, 12, 123, 1234, 123_456, 1_234_567].map(grouped).join(" "),
            "0 12 123 1,234 123,456 1,234,567"
        );
    }

    #[test]
    fn a_tag_of_two_words_is_searched_as_one() {
        let tag = Tag { name: "Alice & Bob".into(), ..Tag::default() };
        assert_eq!(tag.href(), "/search?q=tag:%22Alice%20%26%20Bob%22");
    }

    #[test]
    fn the_outbox_is_listed_only_when_it_holds_something() {
        let labels = |nav: Nav| nav.places.iter().map(|place| place.label).collect::<Vec<_>>();
        assert!(!labels(Nav::new(Spot::Inbox, Counts::default(), vec![])).contains(&"Outbox"));
        let waiting = Counts { outbox: 1, ..Counts::default() };
        assert!(labels(Nav::new(Spot::Inbox, waiting, vec![])).contains(&"Outbox"));
    }
}
