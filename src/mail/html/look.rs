//! How each element of a message looks, walking down its tree: style sheet, attributes and own style taken together.

use html5ever::local_name;

use super::cascade::Cascade;
use super::colour;
use super::css::{self, Block};
use super::elements;
use super::hidden::{Facts, FontSize, Ground, Look};
use super::sheet::Sheet;
use super::tree::{Data, NodeId, ROOT, Tree};

/// What an element's attributes came to.
pub(super) struct Seen {
    /// How it looks.
    pub(super) look: Look,
    /// Its own style.
    pub(super) own: Block,
    /// Everything known about it.
    pub(super) facts: Facts,
    /// The ground it has apart from its own style.
    pub(super) under: Option<Ground>,
}

/// Looks at one element, given its parent's look.
pub(super) fn see(tree: &Tree, id: NodeId, cascade: &Cascade<'_>, parent: Look) -> Seen {
    let mut facts = from_attributes(tree, id);
    let (plain, important) = cascade.facts(tree, id);
    let own = tree.attribute(id, &local_name!("style")).map(css::attribute).unwrap_or_default();
    facts.lay(&plain);
    let under = important.ground.or(facts.ground);
    facts.lay(&own.facts);
    facts.lay(&important);
    facts.lay(&own.important);
    let is_link =
        tree.html_name(id) == Some(&local_name!("a")) && tree.attribute(id, &local_name!("href")).is_some();
    let mut look = parent.child(&facts, is_link);
    let closed = tree.html_name(id).is_some_and(|name| &**name == "dialog")
        && tree.attribute(id, &local_name!("open")).is_none();
    if closed || tree.attribute(id, &local_name!("hidden")).is_some() {
        look = look.vanished();
    }
    Seen { look, own, facts, under }
}

/// Colours and sizes as attributes of the old kind.
fn from_attributes(tree: &Tree, id: NodeId) -> Facts {
    let mut facts = Facts::default();
    let Data::Element(name, attrs) = &tree.node(id).data else { return facts };
    for attr in attrs {
        let value = attr.value.trim();
        match (&*name.local, &*attr.name.local) {
            (_, "bgcolor") => {
                let colour = colour::legacy(value);
                facts.ground = match facts.ground {
                    Some(Ground::Unknown(_)) => Some(Ground::Unknown(colour)),
                    ground => colour.map(Ground::Colour).or(ground),
                };
            }
            (_, "background") => {
                let colour = match facts.ground {
                    Some(Ground::Colour(colour)) => Some(colour),
                    _ => None,
                };
                facts.ground = Some(Ground::Unknown(colour));
            }
            ("font", "color") | ("body", "text") => facts.colour = colour::legacy(value),
            ("font", "size") => facts.font = Some(FontSize::Pixels(16.0)),
            _ => {}
        }
    }
    facts
}

/// All style sheets of the document, in their order; those inside dropped elements do not count.
pub(super) fn sheets(tree: &Tree, skip: &[&str]) -> Sheet {
    let mut sheet = Sheet::default();
    let mut stack = vec![ROOT];
    while let Some(id) = stack.pop() {
        match tree.html_name(id) {
            Some(name) if *name == local_name!("style") => {
                let text: String = tree
                    .children(id)
                    .filter_map(|child| match &tree.node(child).data {
                        Data::Text(text) => Some(&**text),
                        _ => None,
                    })
                    .collect();
                if !skip.iter().any(|own| text.starts_with(own)) {
                    sheet.read(&text);
                }
            }
            Some(name) if *name != local_name!("head") && elements::fate(name) == elements::Fate::Drop => {}
            None if id != ROOT => {}
            _ => stack.extend(tree.children_reversed(id)),
        }
    }
    sheet
}
