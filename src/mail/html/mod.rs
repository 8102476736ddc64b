//! The one sanitiser for all HTML from outside. A message is parsed as the HTML standard says, changed only as a tree, held
//! against lists of what is allowed, and written once; a document that does not read back as the tree it was written from is
//! not served at all. Nothing here makes a request, and no output makes a browser make one that was not asked for.

mod cascade;
mod classes;
mod clean;
mod colour;
mod css;
mod document;
mod elements;
mod hidden;
mod links;
mod look;
mod parse;
mod placeholder;
mod plain;
mod properties;
mod quotes;
mod selectors;
mod sheet;
mod size;
mod tables;
mod tag_scan;
mod text;
mod tree;

#[cfg(test)]
mod tests;

pub use links::FalseLink;
pub use text::{VisibleText, visible_text};

use cascade::Cascades;
use document::{Head, OWN_SHEET};

/// How often a document may be read back and written anew before it is shown as text instead.
const MAX_ROUNDS: usize = 4;

/// What may be done about pictures on other people's servers.
pub enum Remote<'a> {
    /// They stay where they are, and a placeholder is shown.
    Blocked,
    /// The address of our own copy of one, where there is a copy.
    Fetched(&'a dyn Fn(&str) -> Option<String>),
}

/// How a message is to be shown.
pub struct Options<'a> {
    /// Pictures from other servers.
    pub remote: Remote<'a>,
    /// From the identifier of a part to the address under which the frame may load it.
    pub cid: &'a dyn Fn(&str) -> Option<String>,
    /// From a link's address to that of our page that leads there. Without one the text stays and the link goes.
    pub link: &'a dyn Fn(&str) -> Option<String>,
    /// Whether the mail that is answered is folded away.
    pub fold_quotes: bool,
    /// Whether colours change where the reader's browser prefers a dark page.
    pub dark: bool,
}

impl Default for Options<'_> {
    /// Nothing is loaded, no link leads anywhere.
    fn default() -> Self {
        Self { remote: Remote::Blocked, cid: &|_| None, link: &|_| None, fold_quotes: true, dark: false }
    }
}

/// A message ready for the frame, and what the reader should know about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sanitised {
    /// A whole document.
    pub document: String,
    /// Pictures on other servers that the message would show.
    pub remote_images: usize,
    /// Pictures on other servers too small to be seen or hidden; they are never loaded.
    pub tracking_pixels: usize,
    /// The hosts that those would have told.
    pub trackers: Vec<String>,
    /// There is text that is made not to be seen.
    pub hidden_text: bool,
    /// Links whose text names another place than they lead to, the first few.
    pub false_links: Vec<FalseLink>,
    /// All of that is a short line at the beginning, such as newsletters have for lists of mail to show.
    pub preview_text: bool,
    /// There were forms.
    pub forms_removed: bool,
    /// Something is there to be seen.
    pub has_content: bool,
    /// About how many pixels high it is, in a frame 800 pixels wide and in one of 360.
    pub heights: (u32, u32),
    /// Not all of it could be shown: a limit was reached.
    pub truncated: bool,
    /// It could not be shown as HTML without harm and is shown as its text.
    pub shown_as_text: bool,
}

/// Makes a message's HTML safe to show.
pub fn sanitise(html: &str, options: &Options<'_>) -> Sanitised {
    let raw = parse::parse(html);
    let sheet = look::sheets(&raw, &[OWN_SHEET]);
    let cascades = Cascades::new(&sheet);
    let adapt = options.dark && !sheet.knows_dark();
    let cleaned = clean::clean(&raw, &cascades, options, adapt);
    let found = cleaned.found;
    let preview_text = found.preview();
    let dark_css = if adapt { dark_css(&sheet, &cleaned.dark_css) } else { String::new() };
    let head = Head {
        css: sheet.to_css(options.dark),
        narrow_css: sheet.to_narrow_css(),
        dark: options.dark,
        dark_css,
        has_ground: cleaned.has_ground,
    };
    let truncated = raw.truncated || cleaned.tree.truncated || sheet.is_cut();
    let heights = heights(&cleaned.tree);
    let settled = settle(cleaned.tree, &head.css);
    let shown_as_text = settled.is_none();
    let document = match settled {
        Some(body) => document::whole(&body, &head),
        None => text_document(&text::from_tree(&raw, &cascades).text, options).document,
    };
    Sanitised {
        document,
        remote_images: found.remote_images + remote_in_sheet(&sheet),
        tracking_pixels: found.tracking_pixels,
        trackers: found.trackers,
        hidden_text: found.hidden_text,
        false_links: found.false_links,
        preview_text,
        forms_removed: found.forms,
        has_content: found.content,
        heights,
        truncated,
        shown_as_text,
    }
}

/// Shows plain text as the same kind of document: links can be followed, quotes fold.
pub fn text_document(text: &str, options: &Options<'_>) -> Sanitised {
    let tree = plain::tree(text, options);
    Sanitised {
        heights: heights(&tree),
        document: document::whole(&document::body(&tree), &Head { dark: options.dark, ..Head::default() }),
        has_content: hidden::has_ink(text),
        truncated: tree.truncated,
        ..Sanitised::default()
    }
}

/// Writes a tree as a body, reads it back and writes it again until both are the same: what the browser will build is then the
/// tree that was checked. What the style sheet, as it is served, hides is left out on the way, so that nothing is there that
/// is not shown. Markup that does not settle is not served.
fn settle(tree: tree::Tree, css: &str) -> Option<String> {
    let mut sheet = sheet::Sheet::default();
    sheet.read(css);
    let cascades = Cascades::new(&sheet);
    let mut body = document::body(&tree);
    drop(tree);
    for _ in 0..MAX_ROUNDS {
        let raw = parse::parse(&body);
        if raw.truncated {
            return None;
        }
        let again = document::body(&document::read_back(&raw, &cascades));
        if again == body {
            return Some(body);
        }
        body = again;
    }
    None
}

fn heights(tree: &tree::Tree) -> (u32, u32) {
    // A cast from float saturates.
    let guess = |wide: f32| size::height(tree, wide).ceil() as u32;
    (guess(800.0), guess(360.0))
}

fn dark_css(sheet: &sheet::Sheet, classes: &str) -> String {
    let mut css = sheet.to_dark_css();
    if !classes.is_empty() {
        css.push_str("@media (prefers-color-scheme: dark) {\n");
        css.push_str(classes);
        css.push_str("}\n");
    }
    css
}

/// Pictures that style sheets would load, each address once.
fn remote_in_sheet(sheet: &sheet::Sheet) -> usize {
    let addresses: std::collections::HashSet<&String> =
        sheet.rules.iter().flat_map(|rule| &rule.block.addresses).collect();
    addresses
        .iter()
        .filter(|address| matches!(links::image_source(address), links::ImageSource::Remote(_)))
        .count()
}
