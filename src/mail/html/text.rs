//! The text a reader sees: for reading without HTML, for the index, for quoting. What markup hides is not in it.

use html5ever::{LocalName, local_name, ns};

use super::cascade::Cascades;
use super::elements::{self, Fate};
use super::hidden::{has_ink, is_blank};
use super::links;
use super::look::{self, Looks};
use super::parse;
use super::placeholder::pixels;
use super::tree::{Data, NodeId, Tree};

/// The text never grows beyond about this many bytes.
const MAX_TEXT: usize = 4 << 20;
/// Quotes and lists nested deeper than this are not marked further.
const MAX_MARKS: usize = 12;

/// What a reader sees of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VisibleText {
    /// The text.
    pub text: String,
    /// There is text that is made not to be seen.
    pub hidden: bool,
    /// Not all of it is here: a limit was reached.
    pub truncated: bool,
}

/// The text a reader sees of an HTML message.
pub fn visible_text(html: &str) -> VisibleText {
    let raw = parse::parse(html);
    let sheet = look::sheets(&raw, &[]);
    from_tree(&raw, &Cascades::of_desk(&sheet))
}

/// The same from a tree.
pub(super) fn from_tree(raw: &Tree, cascades: &Cascades<'_>) -> VisibleText {
    let mut reader = Reader { raw, cascades, writer: Writer::default(), hidden: false, lists: Vec::new() };
    reader.run();
    let truncated = raw.truncated || reader.writer.full;
    VisibleText { text: reader.writer.finish(), hidden: reader.hidden, truncated }
}

enum Step {
    Enter(NodeId, Looks),
    Leave(NodeId),
    /// The end of a link: where its text began, and where it leads.
    LeaveLink(usize, String),
}

struct Reader<'a> {
    raw: &'a Tree,
    cascades: &'a Cascades<'a>,
    writer: Writer,
    hidden: bool,
    /// The next number of each open list; none for a list of dots.
    lists: Vec<Option<i32>>,
}

impl Reader<'_> {
    fn run(&mut self) {
        let Some(body) = self.raw.body() else { return };
        let mut stack = vec![Step::Enter(body, Looks::default())];
        while let Some(step) = stack.pop() {
            if self.writer.full {
                return;
            }
            match step {
                Step::Enter(id, looks) => self.enter(id, looks, &mut stack),
                Step::Leave(id) => self.leave(id),
                Step::LeaveLink(start, target) => self.writer.end_link(start, &target),
            }
        }
    }

    fn enter(&mut self, id: NodeId, looks: Looks, stack: &mut Vec<Step>) {
        let (name, local) = match &self.raw.node(id).data {
            Data::Text(text) => {
                if !looks.desk.conceals_text() {
                    self.writer.text(text);
                } else if !self.hidden && has_ink(text) {
                    self.hidden = true;
                }
                return;
            }
            Data::Element(name, _) if name.ns == ns!(html) => (name, name.local.clone()),
            _ => return,
        };
        if elements::fate(&name.local) == Fate::Drop {
            return;
        }
        let seen = look::see(self.raw, id, self.cascades, &looks);
        if local == local_name!("a") {
            let target = self.raw.attribute(id, &local_name!("href")).and_then(links::link_target);
            stack.extend(target.map(|target| Step::LeaveLink(self.writer.mark(), target)));
        } else if !seen.looks.desk.conceals_all() {
            self.open(id, &local);
            if has_end(&local) {
                stack.push(Step::Leave(id));
            }
        }
        stack.extend(self.raw.children_reversed(id).map(|child| Step::Enter(child, seen.looks)));
    }

    fn open(&mut self, id: NodeId, name: &LocalName) {
        match &**name {
            "br" => self.writer.line(),
            "hr" => {
                self.writer.paragraph();
                self.writer.text("----");
                self.writer.paragraph();
            }
            "img" => {
                let alt = self.raw.attribute(id, &local_name!("alt")).unwrap_or_default().trim();
                let side =
                    |name| self.raw.attribute(id, &name).and_then(pixels).is_some_and(|side| side <= 3.0);
                let is_pixel = side(local_name!("width")) && side(local_name!("height"));
                if has_ink(alt) && !is_pixel {
                    self.writer.space = true;
                    self.writer.text("[");
                    self.writer.text(alt);
                    self.writer.text("]");
                    self.writer.space = true;
                }
            }
            "blockquote" => {
                self.writer.paragraph();
                self.writer.quotes += 1;
            }
            "ul" | "ol" | "menu" => self.open_list(id, name),
            "li" => self.open_item(id),
            "pre" | "listing" | "xmp" | "plaintext" => {
                self.writer.paragraph();
                self.writer.preformatted += 1;
            }
            "td" | "th" => self.writer.cell(),
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "dl" | "figure" => self.writer.paragraph(),
            "dd" => {
                self.writer.line();
                self.writer.indents.push("  ".to_owned());
            }
            _ if elements::is_block(name) => self.writer.line(),
            _ => {}
        }
    }

    fn open_list(&mut self, id: NodeId, name: &LocalName) {
        if self.lists.is_empty() {
            self.writer.paragraph();
        } else {
            self.writer.line();
        }
        let start = self.raw.attribute(id, &local_name!("start")).and_then(elements::leading_number);
        self.lists.push((&**name == "ol").then(|| start.unwrap_or(1)));
    }

    fn open_item(&mut self, id: NodeId) {
        self.writer.line();
        let value = self.raw.attribute(id, &local_name!("value")).and_then(elements::leading_number);
        let mark = match self.lists.last_mut() {
            Some(Some(next)) => {
                let number = value.unwrap_or(*next);
                *next = number.saturating_add(1);
                format!("{number}. ")
            }
            _ => "- ".to_owned(),
        };
        self.writer.bullet(&mark);
    }

    fn leave(&mut self, id: NodeId) {
        let Some(name) = self.raw.html_name(id) else { return };
        match &**name {
            "blockquote" => {
                self.writer.paragraph();
                self.writer.quotes = self.writer.quotes.saturating_sub(1);
            }
            "ul" | "ol" | "menu" => {
                self.lists.pop();
                if self.lists.is_empty() {
                    self.writer.paragraph();
                } else {
                    self.writer.line();
                }
            }
            "li" | "dd" => {
                self.writer.line();
                self.writer.indents.pop();
            }
            "pre" | "listing" | "xmp" | "plaintext" => {
                self.writer.preformatted = self.writer.preformatted.saturating_sub(1);
                self.writer.paragraph();
            }
            "td" | "th" => self.writer.end_cell(),
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "dl" | "figure" => self.writer.paragraph(),
            _ => self.writer.line(),
        }
    }
}

fn has_end(name: &LocalName) -> bool {
    !elements::is_void(name) && (elements::is_block(name) || matches!(&**name, "td" | "th"))
}

/// Puts words on lines.
#[derive(Default)]
struct Writer {
    out: String,
    /// Line ends that come before the next word.
    breaks: usize,
    space: bool,
    /// A gap between two cells that are on one line.
    gap: bool,
    /// Whether the row's current line has come through its cells without a break.
    in_row: bool,
    quotes: usize,
    /// How deep the line before was quoted.
    quotes_before: usize,
    indents: Vec<String>,
    /// The mark of a list's item that has no words yet.
    pending: Option<String>,
    preformatted: usize,
    full: bool,
}

impl Writer {
    fn text(&mut self, text: &str) {
        if self.preformatted > 0 {
            self.preformatted_text(text);
            return;
        }
        for (index, word) in text.split(|c: char| c.is_whitespace() && c != '\u{a0}').enumerate() {
            if index > 0 {
                self.space = true;
            }
            self.word(word);
        }
    }

    fn word(&mut self, word: &str) {
        let clean: std::borrow::Cow<'_, str> = if word.chars().any(is_filler) {
            word.chars()
                .filter(|c| *c == '\u{a0}' || !is_filler(*c))
                .map(|c| if c == '\u{a0}' { ' ' } else { c })
                .collect::<String>()
                .into()
        } else {
            word.into()
        };
        // A line of nothing but spaces is none; inside a line they count.
        if clean.is_empty() || clean.trim().is_empty() {
            self.space |= !clean.is_empty();
            return;
        }
        self.begin();
        self.push(&clean);
    }

    fn preformatted_text(&mut self, text: &str) {
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                self.breaks = self.breaks.saturating_add(1).min(3);
            }
            let line = line.trim_end_matches('\r');
            if !line.trim().is_empty() {
                self.begin();
                self.push(line);
            } else if !line.is_empty() && self.breaks == 0 {
                self.space = true;
            }
        }
    }

    /// Ends the line before if need be, and marks the new one.
    fn begin(&mut self) {
        if self.out.is_empty() {
            self.breaks = 0;
            self.prefix();
        } else if self.breaks > 0 {
            for number in 0..self.breaks {
                self.out.push('\n');
                // A blank line between two lines of a quote belongs to it.
                if number + 1 < self.breaks {
                    let marks = ">".repeat(self.quotes.min(self.quotes_before).min(MAX_MARKS));
                    self.push(&marks);
                }
            }
            self.breaks = 0;
            self.prefix();
        } else if self.gap {
            self.push("  ");
        } else if self.space {
            self.push(" ");
        }
        self.space = false;
        self.gap = false;
        self.quotes_before = self.quotes;
    }

    fn prefix(&mut self) {
        let mut prefix = String::new();
        if self.quotes > 0 {
            prefix.push_str(&">".repeat(self.quotes.min(MAX_MARKS)));
            prefix.push(' ');
        }
        let pending = self.pending.take();
        let inner = self.indents.len().saturating_sub(usize::from(pending.is_some()));
        for indent in self.indents.iter().take(inner.min(MAX_MARKS)) {
            prefix.push_str(indent);
        }
        prefix.push_str(pending.as_deref().unwrap_or_default());
        self.push(&prefix);
    }

    fn push(&mut self, text: &str) {
        if self.out.len() + text.len() > MAX_TEXT {
            self.full = true;
        } else {
            self.out.push_str(text);
        }
    }

    fn line(&mut self) {
        self.breaks = self.breaks.max(1);
        self.space = false;
        self.in_row = false;
    }

    fn paragraph(&mut self) {
        self.breaks = self.breaks.max(2);
        self.space = false;
        self.in_row = false;
    }

    fn bullet(&mut self, mark: &str) {
        self.indents.push(" ".repeat(mark.len().min(8)));
        self.pending = Some(mark.to_owned());
    }

    /// A cell stands beside the one before if that held one line only.
    fn cell(&mut self) {
        if self.in_row {
            self.gap = true;
        } else {
            self.line();
        }
        self.in_row = true;
    }

    fn end_cell(&mut self) {
        if self.breaks > 0 {
            self.in_row = false;
        }
    }

    fn mark(&self) -> usize {
        self.out.len()
    }

    fn end_link(&mut self, start: usize, target: &str) {
        let shown = self.out.get(start..).unwrap_or_default().trim();
        if shown.is_empty() || same_address(shown, target) {
            return;
        }
        let note = format!(" <{target}>");
        self.push(&note);
    }

    fn finish(self) -> String {
        let mut text = self.out;
        text.truncate(text.trim_end().len());
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }
}

/// Characters that only fill up: soft hyphens, blanks of no width, the no-break space (which becomes a space).
const fn is_filler(c: char) -> bool {
    // Joiners carry meaning in some scripts and in pictures made of several characters.
    c == '\u{a0}'
        || is_blank(c)
            && !matches!(c, '\u{200c}' | '\u{200d}' | '\u{200e}' | '\u{200f}' | '\u{e0020}'..='\u{e007f}')
}

/// Whether a link's text already says where it leads.
fn same_address(shown: &str, target: &str) -> bool {
    let bare = |address: &str| {
        let address = address.trim_end_matches('/');
        let address = address.strip_prefix("mailto:").unwrap_or(address);
        let address = address.split_once("://").map_or(address, |(_, rest)| rest);
        address.strip_prefix("www.").unwrap_or(address).to_lowercase()
    };
    bare(shown) == bare(target)
}
