//! How each element of a message looks, walking down its tree: style sheet, attributes and own style taken together.

use std::rc::Rc;

use html5ever::local_name;

use super::cascade::Cascades;
use super::classes::{QUOTE, class_names, is_placeholder};
use super::colour::{self, Colour};
use super::css::Block;
use super::elements;
use super::hidden::{Facts, FontSize, Ground, Look};
use super::sheet::Sheet;
use super::tree::{Data, NodeId, ROOT, Tree};

/// The look of what is ours in a message, a placeholder or the lid of a quote: it can be read wherever it stands.
const OWN_TEXT: Colour = Colour::opaque(0x5c, 0x5c, 0x66);
const OWN_GROUND: Colour = Colour::opaque(0xec, 0xec, 0xf0);

/// What an element's attributes came to.
pub(super) struct Seen {
    /// How it looks.
    pub(super) looks: Looks,
    /// Its own style.
    pub(super) own: Rc<Block>,
    /// Everything known about it, on a desk.
    pub(super) facts: Facts,
    /// The ground it has apart from its own style.
    pub(super) under: Option<Ground>,
}

/// How an element looks on a desk, and on the other pages on which the message looks different.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Looks {
    pub(super) desk: Look,
    others: [Option<Look>; 2],
}

impl Looks {
    /// Whether text here is seen on no page.
    pub(super) fn conceal_text(&self) -> bool {
        self.desk.conceals_text()
            && (self.desk.must_be_hidden() || self.others.iter().flatten().all(Look::conceals_text))
    }

    /// Whether it and all in it is shown on no page.
    pub(super) fn are_gone(&self) -> bool {
        self.desk.is_gone() && (self.desk.must_be_hidden() || self.others.iter().flatten().all(Look::is_gone))
    }

    /// Whether nothing here is seen on any page, pictures neither.
    pub(super) fn conceal_all(&self) -> bool {
        self.desk.conceals_all() && self.others.iter().flatten().all(Look::conceals_all)
    }
}

/// Looks at one element, given its parent's looks.
pub(super) fn see(tree: &Tree, id: NodeId, cascades: &Cascades<'_>, parent: &Looks) -> Seen {
    let given = from_attributes(tree, id);
    let own = tree.attribute(id, &local_name!("style")).map(|text| cascades.style(text)).unwrap_or_default();
    let name = tree.html_name(id);
    let is_link = name == Some(&local_name!("a")) && tree.attribute(id, &local_name!("href")).is_some();
    let closed =
        name.is_some_and(|name| &**name == "dialog") && tree.attribute(id, &local_name!("open")).is_none();
    let vanished = closed || tree.attribute(id, &local_name!("hidden")).is_some();
    let is_ours = is_placeholder(tree, id) || is_lid(tree, id);
    let look = |cascade: &super::cascade::Cascade<'_>, parent: Look| {
        let mut facts = given;
        let (plain, important) = cascade.facts(tree, id);
        facts.lay(&plain);
        let under = important.ground.or(facts.ground);
        facts.lay(&own.facts);
        facts.lay(&important);
        facts.lay(&own.important);
        if is_ours {
            facts.font = Some(FontSize::Pixels(12.0));
            facts.colour = Some(OWN_TEXT);
            facts.ground = Some(Ground::Colour(OWN_GROUND));
        }
        let look = parent.child(&facts, is_link);
        (if vanished { look.vanished() } else { look }, facts, under)
    };
    let (desk, facts, under) = look(&cascades.desk, parent.desk);
    let [phone, dark] = &cascades.others;
    let [phone_parent, dark_parent] = parent.others;
    let others = [(phone, phone_parent), (dark, dark_parent)]
        .map(|(cascade, parent)| cascade.as_ref().map(|cascade| look(cascade, parent.unwrap_or_default()).0));
    Seen { looks: Looks { desk, others }, own, facts, under }
}

/// Whether it is the line by which a folded quote is opened.
fn is_lid(tree: &Tree, id: NodeId) -> bool {
    tree.html_name(id) == Some(&local_name!("summary"))
        && tree.node(id).parent.is_some_and(|parent| class_names(tree, parent).any(|name| name == QUOTE))
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
