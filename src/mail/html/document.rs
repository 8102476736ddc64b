//! Writes the tree that is shown, once, as a document for the frame. Nothing touches the text afterwards.

use html5ever::local_name;
use html5ever::{Attribute, LocalName};

use super::cascade::Cascades;
use super::elements;
use super::hidden::has_ink;
use super::look::{self, Looks};
use super::sheet::NARROW_PAGE;
use super::tree::{Data, NodeId, ROOT, Tree};

/// How our own style sheet begins; a message's sheet that begins so is not read, and so ours is not when it comes back.
pub(super) const OWN_SHEET: &str = "/* Mailkeep */";

const BASE: &str = "
html { color: #1b1b1f; overflow-wrap: break-word }
body { margin: 12px 16px; font: 15px/1.5 system-ui, -apple-system, \"Segoe UI\", Roboto, \"Noto Sans\", sans-serif }
img, table { max-width: 100% }
pre { white-space: pre-wrap }
blockquote { margin: 8px 0 8px 4px; padding-left: 12px; border-left: 3px solid #c9c9d1 }
.mk-blocked { display: inline-block; box-sizing: border-box; max-width: 100%; padding: 2px 6px; overflow: hidden; vertical-align: middle; color: #5c5c66 !important; background-color: #ececf0 !important; border-radius: 3px; font: 12px/1.4 system-ui, sans-serif !important; text-align: start; text-transform: none; white-space: normal; letter-spacing: normal }
.mk-spacer { padding: 0; background-color: transparent !important }
.mk-text { white-space: pre-wrap }
.mk-wide { overflow-x: auto }
.mk-wide > table { max-width: none }
.mk-quote > summary { color: #5c5c66; cursor: pointer; font: 13px/2 system-ui, sans-serif }
@media (max-width: 640px) {
.mk-fit:not(img, td, th, bdi) { width: auto !important; max-width: 100% }
table.mk-fit, bdi.mk-fit, td.mk-fit:only-child { width: 100% !important }
img.mk-fit { height: auto !important }
td[nowrap], th[nowrap] { white-space: normal }
.mk-wide td, .mk-wide th { white-space: nowrap }
}
";

/// What is laid out in tables brings its own distances between lines, or counts on the usual ones.
const DESIGNED: &str = "body { line-height: normal }\n";

const LIGHT: &str = "html { color-scheme: light }\n";

const DARK: &str = "html { color-scheme: light dark }
@media (prefers-color-scheme: dark) {
html { color: #e7e7ea }
a { color: #8ab4f8 }
blockquote { border-left-color: #4a4a52 }
.mk-blocked { color: #b4b4bd !important; background-color: #2a2a2f !important }
.mk-spacer { background-color: transparent !important }
.mk-quote > summary { color: #b4b4bd }
}
";

/// Our own ground, for a message that sets none: one that does fills the whole frame with it.
const LIGHT_GROUND: &str = "html { background: #ffffff }\n";
const DARK_GROUND: &str = "@media (prefers-color-scheme: dark) { html { background: #1c1c1f } }\n";

/// What goes into the head.
#[derive(Default)]
pub(super) struct Head {
    /// The message's style sheet.
    pub(super) css: String,
    /// Rules by which the message's style sheet gives way on a narrow page.
    pub(super) narrow_css: String,
    /// Whether the document adapts to a dark page.
    pub(super) dark: bool,
    /// The rules that adapt it.
    pub(super) dark_css: String,
    /// Whether the body has a ground of its own.
    pub(super) has_ground: bool,
}

/// Puts the document together. The style sheets are ours, or were written by `sheet` from values it knows.
pub(super) fn whole(body: &str, head: &Head) -> String {
    let mut text = String::from(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"referrer\" content=\"no-referrer\"><title>Message</title>\n<style>",
    );
    text.push_str(OWN_SHEET);
    text.push_str(BASE);
    text.push_str(if head.dark { DARK } else { LIGHT });
    if !head.has_ground {
        text.push_str(LIGHT_GROUND);
        text.push_str(if head.dark { DARK_GROUND } else { "" });
    }
    if body.contains("<table") {
        text.push_str(DESIGNED);
    }
    if !head.narrow_css.is_empty() && !head.narrow_css.contains(['<', '\\']) {
        text.push_str(NARROW_PAGE);
        text.push_str(" {\n");
        text.push_str(&head.narrow_css);
        text.push_str("}\n");
    }
    text.push_str("</style>\n");
    // What came from a message holds neither tags nor escapes; if it ever did, it would not be written.
    if !head.css.is_empty() && !head.css.contains(['<', '\\']) {
        text.push_str("<style>\n");
        text.push_str(&head.css);
        text.push_str("</style>\n");
    }
    if !head.dark_css.is_empty() && !head.dark_css.contains(['<', '\\']) {
        text.push_str("<style>");
        text.push_str(OWN_SHEET);
        text.push('\n');
        text.push_str(&head.dark_css);
        text.push_str("</style>\n");
    }
    text.push_str("</head>");
    text.push_str(body);
    // No line end: the parser would put it into the body.
    text.push_str("</html>");
    text
}

/// The body alone, with its tags.
pub(super) fn body(tree: &Tree) -> String {
    let mut text = String::with_capacity(tree.len() * 24);
    push_body(&mut text, tree);
    text
}

fn push_body(text: &mut String, tree: &Tree) {
    let mut stack: Vec<(NodeId, bool)> = tree.children_reversed(ROOT).map(|id| (id, false)).collect();
    while let Some((id, close)) = stack.pop() {
        match &tree.node(id).data {
            Data::Text(words) => push_text(text, words),
            Data::Element(name, _) if close => {
                text.push_str("</");
                text.push_str(&name.local);
                text.push('>');
            }
            Data::Element(name, attrs) => {
                push_start(text, &name.local, attrs);
                if !elements::is_void(&name.local) {
                    // The parser drops a line end that stands first in these.
                    if name.local == local_name!("pre") && starts_with_line_end(tree, id) {
                        text.push('\n');
                    }
                    stack.push((id, true));
                    stack.extend(tree.children_reversed(id).map(|child| (child, false)));
                }
            }
            Data::Nothing => {}
        }
    }
}

fn starts_with_line_end(tree: &Tree, id: NodeId) -> bool {
    let first = tree.node(id).first;
    first.is_some_and(|first| matches!(&tree.node(first).data, Data::Text(text) if text.starts_with('\n')))
}

fn push_start(text: &mut String, name: &LocalName, attrs: &[Attribute]) {
    text.push('<');
    text.push_str(name);
    for attr in attrs {
        text.push(' ');
        text.push_str(&attr.name.local);
        text.push_str("=\"");
        push_escaped(text, &attr.value);
        text.push('"');
    }
    text.push('>');
}

fn push_text(text: &mut String, words: &str) {
    push_escaped(text, words);
}

/// Writes text so that it is text wherever it stands. Quotation marks are written out in text too: one way for all.
fn push_escaped(text: &mut String, words: &str) {
    let mut rest = words;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\r']) {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        text.push_str(before);
        let mut chars = after.chars();
        text.push_str(match chars.next() {
            Some('&') => "&amp;",
            Some('<') => "&lt;",
            Some('>') => "&gt;",
            Some('"') => "&quot;",
            // A bare carriage return would come back as a line end.
            _ => "&#13;",
        });
        rest = chars.as_str();
    }
    text.push_str(rest);
}

/// Reads our own document back as the tree that its body makes, holding it against the lists once more. What the document
/// itself would hide goes.
pub(super) fn read_back(raw: &Tree, cascades: &Cascades<'_>) -> Tree {
    let mut out = Tree::new();
    let Some(body) = raw.body() else {
        out.add_element(ROOT, local_name!("body"), Vec::new());
        return out;
    };
    let top = out.add_element(ROOT, local_name!("body"), attributes(raw, body));
    let looks = look::see(raw, body, cascades, &Looks::default()).looks;
    let below = |id: NodeId, inside: NodeId, looks: Looks| {
        let shown = (!looks.are_gone()).then(|| raw.children_reversed(id));
        shown.into_iter().flatten().map(move |child| (child, inside, looks))
    };
    let mut stack: Vec<(NodeId, NodeId, Looks)> = below(body, top, looks).collect();
    while let Some((id, parent, looks)) = stack.pop() {
        match &raw.node(id).data {
            Data::Text(text) if looks.conceal_text() && has_ink(text) => {}
            Data::Text(text) => out.add_text(parent, text),
            Data::Element(..) => {
                let Some(name) = raw.html_name(id).filter(|name| elements::is_kept(name)) else { continue };
                let inside = out.add_element(parent, name.clone(), attributes(raw, id));
                let looks = look::see(raw, id, cascades, &looks).looks;
                stack.extend(below(id, inside, looks));
            }
            Data::Nothing => {}
        }
    }
    out
}

fn attributes(raw: &Tree, id: NodeId) -> Vec<Attribute> {
    match &raw.node(id).data {
        Data::Element(_, attrs) => attrs.clone(),
        _ => Vec::new(),
    }
}
