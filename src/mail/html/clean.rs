//! From the tree of a message to the tree that is shown: only what the lists allow, quotes folded, pictures placed, links led
//! through the leave page. Everything that changes the message happens here, before it is written once.

use std::borrow::Cow;
use std::collections::HashMap;

use html5ever::{Attribute, LocalName, QualName, local_name, ns};

use super::cascade::Cascades;
use super::classes::{BLOCKED, DARK, FIT, FITS, QUOTE, SPACER, WIDE, class_names, classes, is_too_wide};
use super::css::{self, Declaration};
use super::elements::{self, Fate, Shape};
use super::hidden::{Ground, has_ink};
use super::links::{self, ImageSource};
use super::look::{self, Looks, Seen};
use super::placeholder::{self, Placeholder};
use super::quotes;
use super::tables;
use super::tree::{Data, NodeId, ROOT, Tree};
use super::{Options, Remote};
use crate::mail::text::without_secrets;

/// Elements nested deeper than this in what is shown are taken for their content alone. Below the parser's own limit, so
/// that reading the result meets none.
const MAX_DEPTH: u32 = 200;
/// What is shown has no more nodes than this, well below the parser's own limit again.
const MAX_NODES: usize = 300_000;
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

/// The longest hidden line, in characters, that is taken for one made to be seen in lists of mail.
const MAX_PREVIEW: usize = 300;

/// Stands for a picture behind text that is not there: light and dark text can both be read on it.
const STAND_IN: &str = "#857480";

/// What was found on the way.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) remote_images: usize,
    pub(super) tracking_pixels: usize,
    pub(super) trackers: Vec<String>,
    pub(super) hidden_text: bool,
    pub(super) false_links: Vec<links::FalseLink>,
    /// Characters of hidden text before anything is seen.
    early: usize,
    /// There is hidden text after that.
    late: bool,
    pub(super) forms: bool,
    pub(super) content: bool,
}

impl Found {
    fn hidden(&mut self, text: &str) {
        self.hidden_text = true;
        if self.content {
            self.late = true;
        } else {
            self.early += text.chars().filter(|c| !c.is_whitespace()).count();
        }
    }

    /// Whether all that is hidden is a line at the beginning, such as lists of mail are to show.
    pub(super) const fn preview(&self) -> bool {
        self.hidden_text && !self.late && self.early <= MAX_PREVIEW
    }
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
    cascades: &'a Cascades<'a>,
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
pub(super) fn clean(raw: &Tree, cascades: &Cascades<'_>, options: &Options<'_>, dark: bool) -> Cleaned {
    let mut cleaner = Cleaner {
        raw,
        cascades,
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
        let seen = look::see(self.raw, body, self.cascades, &Looks::default());
        let attrs = self.attributes(body, &local_name!("body"), &seen, None);
        let style = attrs.iter().find(|attr| attr.name.local == local_name!("style"));
        self.has_ground =
            has_ground(&seen) || style.is_some_and(|style| style.value.contains("background-color"));
        let out = self.out.add_element(ROOT, local_name!("body"), attrs);
        let inside = (!seen.looks.are_gone()).then_some(out);
        let mut stack: Vec<(NodeId, Option<NodeId>, Looks)> =
            self.raw.children_reversed(body).map(|child| (child, inside, seen.looks)).collect();
        while let Some((id, parent, looks)) = stack.pop() {
            if self.out.len() > MAX_NODES {
                self.out.truncated = true;
                return;
            }
            if let Some((inside, looks)) = self.visit(id, parent, &looks) {
                stack.extend(self.raw.children_reversed(id).map(|child| (child, inside, looks)));
            }
        }
    }

    /// Takes over one node to below `parent`, or to nowhere where that is hidden; answers where its children go, if they are
    /// to be looked at.
    fn visit(
        &mut self,
        id: NodeId,
        parent: Option<NodeId>,
        looks: &Looks,
    ) -> Option<(Option<NodeId>, Looks)> {
        match &self.raw.node(id).data {
            Data::Text(text) => {
                if has_ink(text) {
                    if looks.conceal_text() {
                        self.found.hidden(text);
                        return None;
                    }
                    self.found.content |= !looks.desk.conceals_text();
                }
                if let Some(parent) = parent {
                    match without_secrets(text) {
                        Cow::Borrowed(_) => self.out.add_text(parent, text),
                        Cow::Owned(rest) => {
                            (self.found.hidden_text, self.found.late) = (true, true);
                            self.out.add_text(parent, &rest.into());
                        }
                    }
                }
                None
            }
            Data::Element(name, _) if name.ns == ns!(html) => self.element(id, &name.local, parent, looks),
            _ => None,
        }
    }

    fn element(
        &mut self,
        id: NodeId,
        name: &LocalName,
        parent: Option<NodeId>,
        looks: &Looks,
    ) -> Option<(Option<NodeId>, Looks)> {
        self.found.forms |= elements::is_form_part(name);
        let name = match elements::fate(name) {
            Fate::Drop => return None,
            Fate::Unwrap => {
                let seen = look::see(self.raw, id, self.cascades, looks);
                return Some((parent.filter(|_| !seen.looks.are_gone()), seen.looks));
            }
            Fate::Keep => name.clone(),
            Fate::Rename(new) => new,
        };
        let seen = look::see(self.raw, id, self.cascades, looks);
        if name == local_name!("img") {
            self.image(id, parent, &seen);
            return None;
        }
        // What is hidden is counted, and of it only an empty shell stays: rules may go by its being there.
        let Some(parent) = parent else {
            let _background = self.background(id, &name, &seen);
            return Some((None, seen.looks));
        };
        if self.out.node(parent).depth >= MAX_DEPTH {
            return Some((Some(parent), seen.looks));
        }
        let attrs = self.attributes(id, &name, &seen, None);
        let parent = if self.folded == Some(id) { self.fold(parent) } else { parent };
        let parent = if tables::is_wide(self.raw, id, &seen) { self.wide(parent) } else { parent };
        let out = self.out.add_element(parent, name, attrs);
        Some(((!seen.looks.are_gone()).then_some(out), seen.looks))
    }

    /// Puts a table of figures where it can be scrolled by itself.
    fn wide(&mut self, parent: NodeId) -> NodeId {
        let has_one = class_names(&self.out, parent).any(|name| name == WIDE);
        if has_one {
            return parent;
        }
        self.out.add_element(parent, local_name!("div"), vec![attribute("class", WIDE)])
    }

    /// Puts up the lid under which a quote is folded.
    fn fold(&mut self, parent: NodeId) -> NodeId {
        let details = self.out.add_element(parent, local_name!("details"), vec![attribute("class", QUOTE)]);
        let summary = self.out.add_element(details, local_name!("summary"), Vec::new());
        self.out.add_text(summary, &"Quoted text".into());
        details
    }

    fn image(&mut self, id: NodeId, parent: Option<NodeId>, seen: &Seen) {
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
        let is_somewhere = !matches!(source, ImageSource::Nowhere);
        let placed = match source {
            ImageSource::Data(data) => Some(data),
            ImageSource::Part(part) => (self.options.cid)(&part),
            ImageSource::Nowhere => None,
            ImageSource::Remote(address)
                if parent.is_none() || seen.looks.conceal_all() || self.is_pixel(id, seen) =>
            {
                self.track(&address);
                return;
            }
            ImageSource::Remote(address) => {
                self.found.remote_images += 1;
                match &self.options.remote {
                    Remote::Blocked => None,
                    Remote::Fetched(fetched) => fetched(&address),
                }
            }
        };
        let Some(parent) = parent else { return };
        if let Some(address) = placed.filter(|address| !address.is_empty()) {
            let mut attrs = self.attributes(id, &local_name!("img"), seen, None);
            attrs.push(attribute("src", &address));
            self.found.content |= !seen.looks.conceal_all();
            self.out.add_element(parent, local_name!("img"), attrs);
        } else if let Some(placeholder) = placeholder::of(self.raw, id, seen, is_somewhere) {
            self.placeholder(id, parent, &placeholder);
        }
    }

    fn placeholder(&mut self, id: NodeId, parent: NodeId, placeholder: &Placeholder) {
        let name = local_name!("bdi");
        let mut attrs = self.plain_attributes(id, &name, &mut Vec::new());
        let mut own = vec![BLOCKED];
        own.extend(placeholder.is_spacer.then_some(SPACER));
        own.extend(placeholder.gives_way.then_some(FIT));
        attrs.push(attribute("class", &classes(self.raw, id, &own, None)));
        if !placeholder.style.is_empty() {
            attrs.push(attribute("style", &css::write(&placeholder.style)));
        }
        let out = self.out.add_element(parent, name, attrs);
        if !placeholder.is_spacer && !placeholder.words.is_empty() {
            self.out.add_text(out, &placeholder.words.as_str().into());
        }
    }

    fn is_pixel(&self, id: NodeId, seen: &Seen) -> bool {
        let side = |fact: Option<f32>, name: LocalName| {
            fact.or_else(|| placeholder::pixels(self.raw.attribute(id, &name)?))
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

    /// The attributes that need only be held against the lists, and the colours among them.
    fn plain_attributes(
        &self,
        id: NodeId,
        name: &LocalName,
        colours: &mut Vec<Declaration>,
    ) -> Vec<Attribute> {
        let Data::Element(_, raw) = &self.raw.node(id).data else { return Vec::new() };
        let mut attrs = Vec::new();
        for attr in raw {
            let Some(shape) = elements::shape(name, &attr.name.local) else { continue };
            let Some(value) = elements::shaped(shape, &attr.value) else { continue };
            if matches!(shape, Shape::Color) && self.dark {
                colours.extend(legacy_colour(&attr.name.local, &value));
            }
            attrs.push(attribute(&attr.name.local, &value));
        }
        attrs
    }

    /// The attributes an element keeps, always in the same order, so that cleaning again changes nothing.
    fn attributes(
        &mut self,
        id: NodeId,
        name: &LocalName,
        seen: &Seen,
        class: Option<&'static str>,
    ) -> Vec<Attribute> {
        let mut colours = Vec::new();
        let mut attrs = self.plain_attributes(id, name, &mut colours);
        let mut declarations = seen.own.declarations.clone();
        let background = self.background(id, name, seen);
        let is_missing = match &background {
            Background::Missing => !has_ground(seen),
            Background::Placed(_) => false,
            // A rule of the style sheet wants a picture there, and names no colour.
            Background::None => seen.facts.ground == Some(Ground::Unknown(None)),
        };
        if is_missing {
            declarations.push(declaration("background-color", STAND_IN, false));
        }
        if seen.looks.desk.must_be_hidden() {
            declarations.retain(|declaration| declaration.property != "display");
            declarations.push(declaration("display", "none", true));
        }
        colours.extend(declarations.iter().cloned());
        let dark = self.dark_class(&colours);
        let is_set = attrs.iter().any(|attr| {
            attr.name.local == local_name!("width")
                && placeholder::pixels(&attr.value).is_some_and(|wide| wide > FITS)
        });
        let mut own: Vec<&str> = class.into_iter().collect();
        own.extend((is_set || is_too_wide(&declarations)).then_some(FIT));
        let classes = classes(self.raw, id, &own, dark);
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
            ImageSource::Remote(address) if seen.looks.conceal_all() || self.is_pixel(id, seen) => {
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
