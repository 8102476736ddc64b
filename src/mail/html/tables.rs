//! Tables of figures, told from those that only lay a page out.

use html5ever::local_name;

use super::hidden::has_ink;
use super::look::Seen;
use super::tree::{Data, NodeId, Tree};

/// A row with so many cells that hold words is one of a table of figures.
const COLUMNS: usize = 5;
/// How much of a table is looked at.
const MAX_NODES: usize = 1_500;

/// Whether an element is a table of figures that stands by itself in the flow of the page.
pub(super) fn is_wide(tree: &Tree, id: NodeId, seen: &Seen) -> bool {
    if tree.html_name(id) != Some(&local_name!("table")) {
        return false;
    }
    let floats =
        tree.attribute(id, &local_name!("align")).is_some_and(|align| !align.eq_ignore_ascii_case("center"))
            || seen.own.declarations.iter().any(|own| matches!(own.property, "float" | "display"));
    !floats && has_wide_row(tree, id)
}

fn has_wide_row(tree: &Tree, table: NodeId) -> bool {
    let mut stack = vec![table];
    let mut wide = false;
    for _ in 0..MAX_NODES {
        let Some(id) = stack.pop() else { return wide };
        match tree.html_name(id) {
            Some(name) if *name == local_name!("table") && id != table => return false,
            Some(name) if *name == local_name!("tr") => {
                wide |=
                    tree.children(id).take(100).filter(|cell| holds_words(tree, *cell)).count() >= COLUMNS;
            }
            _ => {}
        }
        stack.extend(tree.children_reversed(id).take(MAX_NODES));
    }
    wide
}

/// Whether a cell holds words, near its top.
fn holds_words(tree: &Tree, cell: NodeId) -> bool {
    let mut at = Some(cell);
    for _ in 0..8 {
        let Some(id) = at else { return false };
        match &tree.node(id).data {
            Data::Text(text) if has_ink(text) => return true,
            Data::Text(_) => at = tree.node(id).next,
            _ => at = tree.node(id).first.or(tree.node(id).next),
        }
    }
    false
}
