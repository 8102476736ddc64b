//! About how high a document will be, guessed from its tree: the frame cannot be asked, since nothing runs in it.

use std::collections::HashMap;

use html5ever::local_name;

use super::classes;
use super::elements;
use super::placeholder::pixels;
use super::tree::{Data, NodeId, ROOT, Tree};

/// Height of a line and width of a character, in pixels.
const LINE: f32 = 20.0;
const CHARACTER: f32 = 7.4;
/// Nodes that are looked at.
const MAX_NODES: usize = 60_000;

/// What an element piles up.
#[derive(Clone, Copy, Default)]
struct Pile {
    /// Height of the lines that are finished.
    high: f32,
    /// How much of the open line is taken.
    line: f32,
    /// Height of the open line.
    line_high: f32,
    /// Height of the highest cell, in a row.
    cell: f32,
}

impl Pile {
    fn end_line(&mut self) {
        if self.line > 0.0 {
            self.high += self.line_high.max(LINE);
        }
        (self.line, self.line_high) = (0.0, 0.0);
    }

    /// Puts words or a picture on the line, and on further ones where it is full.
    fn put(&mut self, wide: f32, high: f32, room: f32) {
        self.line += wide;
        self.line_high = self.line_high.max(high);
        if self.line > room {
            let lines = (self.line / room).floor();
            self.high += lines * self.line_high;
            self.line = lines.mul_add(-room, self.line).max(1.0);
        }
    }
}

/// A node on the way through the tree.
#[derive(Clone, Copy)]
struct Visit {
    id: NodeId,
    /// The box that holds its line.
    holder: NodeId,
    /// How wide it may be.
    room: f32,
    /// Whether lines end where they end in the source.
    as_written: bool,
    /// Whether what is in it was looked at.
    done: bool,
}

/// The height in pixels of a document in a frame so many pixels wide.
pub(super) fn height(tree: &Tree, page: f32) -> f32 {
    // Widths on the way down, boxes on the way up. What stands in a line belongs to the box that holds the line.
    let mut open: HashMap<NodeId, Pile> = HashMap::new();
    let mut stack = vec![Visit { id: ROOT, holder: ROOT, room: page - 32.0, as_written: false, done: false }];
    let mut whole = Pile::default();
    for _ in 0..MAX_NODES {
        let Some(visit) = stack.pop() else { break };
        let Visit { id, holder, .. } = visit;
        if visit.done {
            let mut inner = open.remove(&id).unwrap_or_default();
            inner.end_line();
            if id == ROOT {
                whole = inner;
            } else {
                close(tree, id, inner, open.entry(holder).or_default());
            }
            continue;
        }
        let room = within(tree, id, visit.room);
        let as_written = visit.as_written || keeps_lines(tree, id);
        let inside = |id, holder| Visit { id, holder, room, as_written, done: false };
        match &tree.node(id).data {
            Data::Text(text) => {
                let pile = open.entry(holder).or_default();
                for (n, line) in text.split('\n').enumerate() {
                    if as_written && n > 0 {
                        pile.line = pile.line.max(1.0);
                        pile.end_line();
                    }
                    #[expect(
                        clippy::cast_precision_loss,
                        reason = "a message has fewer characters than that"
                    )]
                    let wide =
                        line.split_whitespace().map(|word| word.len().min(200) + 1).sum::<usize>() as f32;
                    if wide > 0.0 {
                        pile.put(wide * CHARACTER, LINE, room);
                    }
                }
            }
            _ if is_leaf(tree, id) => leaf(tree, id, room, open.entry(holder).or_default()),
            _ if is_inline(tree, id) => {
                stack.extend(tree.children_reversed(id).map(|child| inside(child, holder)));
            }
            _ => {
                stack.push(Visit { done: true, ..inside(id, holder) });
                stack.extend(tree.children_reversed(id).map(|child| inside(child, id)));
            }
        }
    }
    whole.high + 24.0
}

/// Pictures and line breaks.
fn leaf(tree: &Tree, id: NodeId, room: f32, holder: &mut Pile) {
    if tree.html_name(id) == Some(&local_name!("br")) {
        holder.line = holder.line.max(1.0);
        holder.end_line();
        return;
    }
    let (wide, high) = sides(tree, id);
    let shrunk = (room / wide).min(1.0);
    holder.put(wide.min(room), high * shrunk, room + 1.0);
}

/// Whether lines end in it where they end in the source.
fn keeps_lines(tree: &Tree, id: NodeId) -> bool {
    tree.html_name(id).is_some_and(|name| &**name == "pre")
        || tree.attribute(id, &local_name!("class")).is_some_and(|class| class == classes::TEXT)
}

fn is_leaf(tree: &Tree, id: NodeId) -> bool {
    tree.html_name(id).is_some_and(|name| matches!(&**name, "img" | "bdi" | "br"))
}

fn is_inline(tree: &Tree, id: NodeId) -> bool {
    tree.html_name(id).is_some_and(|name| !elements::is_block(name) && !elements::is_table_part(name))
}

/// The width and the height of a picture or its placeholder.
fn sides(tree: &Tree, id: NodeId) -> (f32, f32) {
    let wide =
        tree.attribute(id, &local_name!("width")).and_then(pixels).or_else(|| styled(tree, id, "width: "));
    let high =
        tree.attribute(id, &local_name!("height")).and_then(pixels).or_else(|| styled(tree, id, "height: "));
    let ratio = styled(tree, id, "aspect-ratio: ");
    let wide = wide.unwrap_or(100.0).max(1.0);
    (wide, high.or_else(|| ratio.map(|ratio| wide / ratio.max(0.05))).unwrap_or(26.0))
}

/// A number from a style that was written here.
fn styled(tree: &Tree, id: NodeId, start: &str) -> Option<f32> {
    let style = tree.attribute(id, &local_name!("style"))?;
    let value = style.split("; ").find_map(|own| own.strip_prefix(start))?;
    let value = value.strip_suffix("px").unwrap_or(value);
    value.parse().ok()
}

/// How wide the content of an element may be.
fn within(tree: &Tree, id: NodeId, room: f32) -> f32 {
    let Some(name) = tree.html_name(id) else { return room };
    let given = tree
        .attribute(id, &local_name!("width"))
        .and_then(pixels)
        .or_else(|| styled(tree, id, "width: ").or_else(|| styled(tree, id, "max-width: ")));
    match &**name {
        "td" | "th" => {
            let cells = tree
                .node(id)
                .parent
                .map_or(1, |row| tree.children(row).filter(|cell| is_cell(tree, *cell)).count());
            #[expect(clippy::cast_precision_loss, reason = "a row has few cells")]
            let share = room / cells.max(1) as f32;
            given.map_or(share, |given| given.min(room)).max(40.0)
        }
        "li" | "blockquote" | "dd" => (room - 40.0).max(80.0),
        _ => given.map_or(room, |given| given.clamp(80.0, room.max(80.0))),
    }
}

fn is_cell(tree: &Tree, id: NodeId) -> bool {
    tree.html_name(id).is_some_and(|name| matches!(&**name, "td" | "th"))
}

/// Adds what is in an element to what it stands in.
fn close(tree: &Tree, id: NodeId, inner: Pile, outer: &mut Pile) {
    let Some(name) = tree.html_name(id) else {
        outer.high += inner.high;
        return;
    };
    let set = tree
        .attribute(id, &local_name!("height"))
        .and_then(pixels)
        .or_else(|| styled(tree, id, "height: "))
        .unwrap_or(0.0)
        .min(2_000.0);
    let padding: f32 = ["padding: ", "padding-top: ", "padding-bottom: "]
        .iter()
        .filter_map(|name| {
            let style = tree.attribute(id, &local_name!("style"))?;
            let value = style.split("; ").find_map(|own| own.strip_prefix(*name))?;
            let first: f32 = value.split(' ').next()?.strip_suffix("px")?.parse().ok()?;
            Some(if *name == "padding: " { 2.0 * first } else { first })
        })
        .sum();
    let high = (inner.high + padding).max(set);
    match &**name {
        // Cells stand beside each other: the row is as high as the highest.
        "td" | "th" => outer.cell = outer.cell.max(high),
        "tr" => outer.high += inner.high + inner.cell.max(set),
        "details" => outer.high += LINE + 8.0,
        "p" | "ul" | "ol" | "dl" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "blockquote" => {
            outer.end_line();
            outer.high += high + 14.0;
        }
        "hr" => {
            outer.end_line();
            outer.high += 18.0;
        }
        _ => {
            outer.end_line();
            outer.high += high;
        }
    }
}
