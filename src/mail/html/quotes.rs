//! Which part of a reply is the mail it answers, so that it can be folded away.

use html5ever::local_name;

use super::classes::{QUOTE, class_names, is_placeholder};
use super::elements::{self, Fate};
use super::hidden::has_ink;
use super::selectors::CLASS;
use super::tree::{Data, NodeId, Tree};

/// How the text of a forwarded mail begins; that is what the reader is to see, not to unfold.
const FORWARDS: [&str; 3] = ["-----", "Begin forwarded", "Forwarded message"];

/// The outermost quote that ends the message, if there is something of the sender's own before it.
pub(super) fn to_fold(tree: &Tree) -> Option<NodeId> {
    let body = tree.body()?;
    let first = text(tree, body, false)?;
    let last = text(tree, body, true)?;
    let above = |from: NodeId| std::iter::successors(Some(from), |id| tree.node(*id).parent);
    if above(last).any(|id| class_names(tree, id).any(|name| name == QUOTE)) {
        return None;
    }
    let quote = above(last).filter(|id| is_quote(tree, *id)).last()?;
    if above(first).any(|id| id == quote) {
        return None;
    }
    let begins = text(tree, quote, false).map(|id| match &tree.node(id).data {
        Data::Text(text) => text.trim_start(),
        _ => "",
    })?;
    (!FORWARDS.iter().any(|forward| begins.starts_with(forward))).then_some(quote)
}

fn is_quote(tree: &Tree, id: NodeId) -> bool {
    let Some(name) = tree.html_name(id) else { return false };
    let cites = *name == local_name!("blockquote")
        && tree
            .attribute(id, &local_name!("type"))
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("cite"));
    cites
        || class_names(tree, id).any(|name| {
            matches!(
                name.strip_prefix(CLASS).unwrap_or(name),
                "gmail_quote"
                    | "gmail_quote_container"
                    | "yahoo_quoted"
                    | "protonmail_quote"
                    | "tutanota_quote"
                    | "zmail_extra"
                    | "moz-forward-container"
            )
        })
}

/// The first or last text with ink below a node, leaving out what is never shown.
fn text(tree: &Tree, top: NodeId, last: bool) -> Option<NodeId> {
    let mut stack = vec![top];
    while let Some(id) = stack.pop() {
        match &tree.node(id).data {
            Data::Text(text) if has_ink(text) => return Some(id),
            Data::Element(..) => {
                let dropped = tree.html_name(id).is_none_or(|name| elements::fate(name) == Fate::Drop);
                // What a picture is called is not what the sender wrote.
                if dropped || is_placeholder(tree, id) {
                    continue;
                }
                if last {
                    stack.extend(tree.children(id));
                } else {
                    stack.extend(tree.children_reversed(id));
                }
            }
            _ => {}
        }
    }
    None
}
