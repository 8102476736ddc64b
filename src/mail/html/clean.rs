//! From the tree of a message to the tree that is shown: only what the lists allow, quotes folded, pictures placed, links led
//! through the leave page. Everything that changes the message happens here, before it is written once.

use std::collections::HashMap;

use html5ever::{Attribute, LocalName, QualName, local_name, ns};

use super::cascade::Cascade;
use super::css::{self, Declaration};
use super::elements::{self, Fate, Shape};
use super::hidden::{Ground, Look, has_ink};
use super::links::{self, ImageSource};
use super::look::{self, Seen};
use super::quotes;
use super::sheet::{CLASS, ID, own_name};
use super::tree::{Data, NodeId, ROOT, Tree};
use super::{Options, Remote};

/// Elements nested deeper than this in what is shown are taken for their content alone. Below the parser's own limit, so
/// that reading the result meets none.
const MAX_DEPTH: u32 = 200;
/// What is shown has no more nodes than this, well below the parser's own limit again.
const MAX_NODES: usize = 300_000;
/// Classes and ids of one element.
const MAX_CLASSES: usize = 16;
/// Different sets of colours on one page that are given a dark counterpart.
const MAX_DARK: usize = 1_000;
/// Hosts of trackers that are named.
const MAX_HOSTS: usize = 64;
/// Links that show another place than they lead to, as many as are told.
const MAX_FALSE_LINKS: usize = 3;
/// More text, or more elements in it, is no address that a link shows.
const MAX_LINK_TEXT: usize = 2_000;
const MAX_LINK_NODES: usize = 16;
/// A picture no larger than this both ways is there to be fetched, not to be seen.
const PIXEL: f32 = 3.0;

/// Stands for a picture behind text that is not there: light and dark text can both be read on it.
const STAND_IN: &str = "#808085";

/// Our class on a picture that was not loaded.
pub(super) const BLOCKED: &str = "mk-blocked";
/// Our class on a folded quote.
pub(super) const QUOTE: &str = "mk-quote";
/// Our class on a message that is only text.
pub(super) const TEXT: &str = "mk-text";
/// Prefix of our classes that hold colours for a dark page.
const DARK: &str = "mk-dark-";

/// What was found on the way.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) remote_images: usize,
    pub(super) tracking_pixels: usize,
    pub(super) trackers: Vec<String>,
    pub(super) hidden_text: bool,
    pub(super) false_links: Vec<links::FalseLink>,
    pub(super) forms: bool,
    pub(super) content: bool,
}

/// The result.
pub(super) struct Cleaned {
    /// A tree with the body as its only element.
    pub(super) tree: Tree,
    /// The body sets a ground of its own.
    pub(super) has_ground: bool,
    /// Rules for the dark page's classes.
    pub(super) dark_css: String,
    pub(super) found: Found,
}

struct Cleaner<'a> {
    raw: &'a Tree,
    cascade: &'a Cascade<'a>,
    options: &'a Options<'a>,
    dark: bool,
    out: Tree,
    folded: Option<NodeId>,
    has_ground: bool,
    dark_sets: HashMap<String, usize>,
    dark_css: String,
    found: Found,
}

/// Cleans a message. `dark` asks for the colours' counterparts.
pub(super) fn clean(raw: &Tree, cascade: &Cascade<'_>, options: &Options<'_>, dark: bool) -> Cleaned {
    let mut cleaner = Cleaner {
        raw,
        cascade,
        options,
        dark,
        out: Tree::new(),
        folded: if options.fold_quotes { quotes::to_fold(raw) } else { None },
        has_ground: false,
        dark_sets: HashMap::new(),
        dark_css: String::new(),
        found: Found::default(),
    };
    cleaner.run();
    Cleaned {
        has_ground: cleaner.has_ground,
        tree: cleaner.out,
        dark_css: cleaner.dark_css,
        found: cleaner.found,
    }
}

impl Cleaner<'_> {
    fn run(&mut self) {
        let Some(body) = self.raw.body() else {
            self.out.add_element(ROOT, local_name!("body"), Vec::new());
            return;
        };
        let seen = look::see(self.raw, body, self.cascade, Look::default());
        let attrs = self.attributes(body, &local_name!("body"), &seen, None);
        let style = attrs.iter().find(|attr| attr.name.local == local_name!("style"));
        self.has_ground =
            has_ground(&seen) || style.is_some_and(|style| style.value.contains("background-color"));
        let out = self.out.add_element(ROOT, local_name!("body"), attrs);
        let mut stack: Vec<(NodeId, NodeId, Look)> =
            self.raw.children_reversed(body).map(|child| (child, out, seen.look)).collect();
        while let Some((id, parent, look)) = stack.pop() {
            if self.out.len() > MAX_NODES {
                self.out.truncated = true;
                return;
            }
            if let Some((inside, look)) = self.visit(id, parent, look) {
                stack.extend(self.raw.children_reversed(id).map(|child| (child, inside, look)));
            }
        }
    }

    /// Takes over one node; answers where its children go, if they are to go anywhere.
    fn visit(&mut self, id: NodeId, parent: NodeId, look: Look) -> Option<(NodeId, Look)> {
        match &self.raw.node(id).data {
            Data::Text(text) => {
                if has_ink(text) {
                    if look.conceals_text() {
                        self.found.hidden_text = true;
                    } else {
                        self.found.content = true;
                    }
                }
                self.out.add_text(parent, text);
                None
            }
            Data::Element(name, _) if name.ns == ns!(html) => self.element(id, &name.local, parent, look),
            _ => None,
        }
    }

    fn element(
        &mut self,
        id: NodeId,
        name: &LocalName,
        parent: NodeId,
        look: Look,
    ) -> Option<(NodeId, Look)> {
        self.found.forms |= elements::is_form_part(name);
        let name = match elements::fate(name) {
            Fate::Drop => return None,
            Fate::Unwrap => {
                let seen = look::see(self.raw, id, self.cascade, look);
                return Some((parent, seen.look));
            }
            Fate::Keep => name.clone(),
            Fate::Rename(new) => new,
        };
        let seen = look::see(self.raw, id, self.cascade, look);
        if name == local_name!("img") {
            self.image(id, parent, &seen);
            return None;
        }
        if self.out.node(parent).depth >= MAX_DEPTH {
            return Some((parent, seen.look));
        }
        let attrs = self.attributes(id, &name, &seen, None);
        let parent = if self.folded == Some(id) { self.fold(parent) } else { parent };
        let out = self.out.add_element(parent, name, attrs);
        Some((out, seen.look))
    }

    /// Puts up the lid under which a quote is folded.
    fn fold(&mut self, parent: NodeId) -> NodeId {
        let details = self.out.add_element(parent, local_name!("details"), vec![attribute("class", QUOTE)]);
        let summary = self.out.add_element(details, local_name!("summary"), Vec::new());
        self.out.add_text(summary, &"Quoted text".into());
        details
    }

    fn image(&mut self, id: NodeId, parent: NodeId, seen: &Seen) {
        let source =
            self.raw.attribute(id, &local_name!("src")).map_or(ImageSource::Nowhere, links::image_source);
        let source = match source {
            // Some name their picture only in the attribute for sharper screens.
            ImageSource::Nowhere => self
                .raw
                .attribute(id, &local_name!("srcset"))
                .and_then(|set| set.split_ascii_whitespace().next())
                .map(links::image_source)
                .filter(|source| matches!(source, ImageSource::Remote(_)))
                .unwrap_or(ImageSource::Nowhere),
            source => source,
        };
        let was_blocked = class_names(self.raw, id).any(|name| name == BLOCKED);
        let placed = match source {
            ImageSource::Data(data) => Some(data),
            ImageSource::Part(part) => (self.options.cid)(&part),
            ImageSource::Nowhere => None,
            ImageSource::Remote(address) if seen.look.conceals_all() || self.is_pixel(id, seen) => {
                self.track(&address);
                return;
            }
            ImageSource::Remote(address) => {
                self.found.remote_images += 1;
                match &self.options.remote {
                    Remote::Blocked => None,
                    Remote::Fetched(fetched) => fetched(&address),
                }
                .or_else(|| Some(String::new()))
            }
        };
        let blocked = placed.as_ref().is_some_and(String::is_empty) || placed.is_none() && was_blocked;
        let mut attrs = self.attributes(id, &local_name!("img"), seen, blocked.then_some(BLOCKED));
        if let Some(address) = placed.filter(|address| !address.is_empty()) {
            attrs.push(attribute("src", &address));
            self.found.content |= !seen.look.conceals_all();
        }
        self.out.add_element(parent, local_name!("img"), attrs);
    }

    fn is_pixel(&self, id: NodeId, seen: &Seen) -> bool {
        let side = |fact: Option<f32>, name: LocalName| {
            fact.or_else(|| {
                let value = self.raw.attribute(id, &name)?.trim();
                #[expect(clippy::cast_precision_loss, reason = "a number of pixels of at most seven digits")]
                let number = elements::leading_number(value).filter(|_| !value.ends_with('%'))? as f32;
                Some(number)
            })
        };
        let small = |side: Option<f32>| side.is_some_and(|side| side <= PIXEL);
        let wide = side(seen.facts.width, local_name!("width"));
        let high = side(seen.facts.height, local_name!("height"));
        small(wide) && small(high)
            || seen.facts.max_width.is_some_and(|side| side <= 0.0)
            || seen.facts.max_height.is_some_and(|side| side <= 0.0)
    }

    fn track(&mut self, address: &str) {
        self.found.tracking_pixels += 1;
        if let Some(host) = links::host(address)
            && self.found.trackers.len() < MAX_HOSTS
            && !self.found.trackers.contains(&host)
        {
            self.found.trackers.push(host);
        }
    }

    /// The attributes an element keeps, always in the same order, so that cleaning again changes nothing.
    fn attributes(
        &mut self,
        id: NodeId,
        name: &LocalName,
        seen: &Seen,
        class: Option<&str>,
    ) -> Vec<Attribute> {
        let Data::Element(_, raw) = &self.raw.node(id).data else { return Vec::new() };
        let mut attrs = Vec::new();
        let mut colours = Vec::new();
        for attr in raw {
            let Some(shape) = elements::shape(name, &attr.name.local) else { continue };
            let Some(value) = elements::shaped(shape, &attr.value) else { continue };
            if matches!(shape, Shape::Color) && self.dark {
                colours.extend(legacy_colour(&attr.name.local, &value));
            }
            attrs.push(attribute(&attr.name.local, &value));
        }
        let mut declarations = seen.own.declarations.clone();
        let background = self.background(id, name, seen);
        if matches!(background, Background::Missing) && !has_ground(seen) {
            declarations.push(declaration("background-color", STAND_IN, false));
        }
        if seen.look.must_be_hidden() {
            declarations.retain(|declaration| declaration.property != "display");
            declarations.push(declaration("display", "none", true));
        }
        colours.extend(declarations.iter().cloned());
        let dark = self.dark_class(&colours);
        let classes = classes(self.raw, id, class, dark);
        if !classes.is_empty() {
            attrs.push(attribute("class", &classes));
        }
        if !declarations.is_empty() {
            attrs.push(attribute("style", &css::write(&declarations)));
        }
        if let Background::Placed(address) = background {
            attrs.push(attribute("background", &address));
        }
        if *name == local_name!("a") {
            self.link(id, &mut attrs);
        }
        attrs
    }

    fn link(&mut self, id: NodeId, attrs: &mut Vec<Attribute>) {
        let target = self.raw.attribute(id, &local_name!("href")).and_then(links::link_target);
        if let Some(target) = &target
            && self.found.false_links.len() < MAX_FALSE_LINKS
            && let Some(found) = links::false_link(&self.short_text(id), target)
            && !self.found.false_links.contains(&found)
        {
            self.found.false_links.push(found);
        }
        if let Some(address) = target.and_then(|target| (self.options.link)(&target)) {
            attrs.push(attribute("href", &address));
            attrs.push(attribute("rel", "noopener noreferrer nofollow"));
            attrs.push(attribute("target", "_blank"));
        }
    }

    /// The text within an element, unless there is too much of it to be an address.
    fn short_text(&self, id: NodeId) -> String {
        let mut text = String::new();
        let mut stack: Vec<NodeId> = self.raw.children_reversed(id).collect();
        for _ in 0..MAX_LINK_NODES {
            let Some(node) = stack.pop() else { return text };
            match &self.raw.node(node).data {
                Data::Text(piece) => text.push_str(piece),
                _ => stack.extend(self.raw.children_reversed(node).take(MAX_LINK_NODES)),
            }
            if text.len() > MAX_LINK_TEXT {
                break;
            }
        }
        if stack.is_empty() && text.len() <= MAX_LINK_TEXT { text } else { String::new() }
    }

    /// Pictures behind text: counted when they are remote, and placed as the attribute of old, never through CSS.
    fn background(&mut self, id: NodeId, name: &LocalName, seen: &Seen) -> Background {
        let own = self.raw.attribute(id, &local_name!("background"));
        let Some(address) = seen.own.addresses.first().map(String::as_str).or(own) else {
            return Background::None;
        };
        let can_hold = matches!(&**name, "body" | "table" | "td" | "th");
        let placed = match links::image_source(address) {
            ImageSource::Remote(address) if seen.look.conceals_all() || self.is_pixel(id, seen) => {
                self.track(&address);
                return Background::None;
            }
            ImageSource::Remote(address) => {
                self.found.remote_images += 1;
                match &self.options.remote {
                    // What could not be shown is not asked for either.
                    Remote::Fetched(fetched) if can_hold => fetched(&address),
                    Remote::Blocked | Remote::Fetched(_) => None,
                }
            }
            ImageSource::Part(part) => (self.options.cid)(&part),
            ImageSource::Data(data) => Some(data),
            ImageSource::Nowhere => return Background::None,
        };
        placed.filter(|_| can_hold).map_or(Background::Missing, Background::Placed)
    }

    /// The class that gives an element's colours their counterparts on a dark page.
    fn dark_class(&mut self, declarations: &[Declaration]) -> Option<String> {
        if !self.dark {
            return None;
        }
        let dark = css::write(&css::darkened(declarations, true));
        if dark.is_empty() || self.dark_sets.len() >= MAX_DARK && !self.dark_sets.contains_key(&dark) {
            return None;
        }
        let next = self.dark_sets.len();
        let number = *self.dark_sets.entry(dark.clone()).or_insert(next);
        if number == next {
            self.dark_css.push_str(&format!(".{DARK}{number} {{ {dark} }}\n"));
        }
        Some(format!("{DARK}{number}"))
    }
}

/// What became of the picture behind an element.
enum Background {
    None,
    Missing,
    Placed(String),
}

/// Whether something else is behind an element than a picture.
fn has_ground(seen: &Seen) -> bool {
    seen.under.is_some_and(Ground::has_colour)
        || seen.own.declarations.iter().any(|declaration| declaration.property == "background-color")
}

fn declaration(property: &'static str, value: &str, important: bool) -> Declaration {
    Declaration { property, value: value.to_owned(), important, colour: None }
}

/// An attribute of the given name.
pub(super) fn attribute(name: &str, value: &str) -> Attribute {
    Attribute { name: QualName::new(None, ns!(), LocalName::from(name)), value: value.into() }
}

/// A colour given by an attribute, as the declaration that it amounts to.
fn legacy_colour(name: &str, value: &str) -> Option<Declaration> {
    let colour = super::colour::legacy(value)?;
    let property = match name {
        "bgcolor" => "background-color",
        "color" | "text" => "color",
        _ => return None,
    };
    Some(Declaration { property, value: value.to_owned(), important: false, colour: Some(colour) })
}

/// An element's classes as they were written.
pub(super) fn class_names(tree: &Tree, id: NodeId) -> impl Iterator<Item = &str> {
    tree.attribute(id, &local_name!("class")).unwrap_or_default().split_ascii_whitespace()
}

/// The classes and the id of an element under names that cannot meet ours.
fn classes(tree: &Tree, id: NodeId, class: Option<&str>, dark: Option<String>) -> String {
    let mut names: Vec<String> = Vec::new();
    let ids = tree.attribute(id, &local_name!("id")).unwrap_or_default().split_ascii_whitespace().take(1);
    let own = [BLOCKED, QUOTE, TEXT];
    let given =
        class_names(tree, id).take(MAX_CLASSES).filter(|name| !name.starts_with(DARK)).filter_map(|name| {
            if own.contains(&name) {
                (name != BLOCKED).then(|| name.to_owned())
            } else {
                own_name(CLASS, name)
            }
        });
    for name in given.chain(ids.filter_map(|name| own_name(ID, name))) {
        if !names.contains(&name) && names.len() < MAX_CLASSES {
            names.push(name);
        }
    }
    names.extend(class.map(str::to_owned));
    names.extend(dark);
    names.join(" ")
}
