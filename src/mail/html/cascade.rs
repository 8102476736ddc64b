//! Which rules of a style sheet meet an element, as far as they bear on what a reader sees.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use html5ever::{LocalName, local_name};

use super::classes::is_placeholder;
use super::css::{self, Block};
use super::elements::{self, Fate};
use super::hidden::Facts;
use super::selectors::{CLASS, Combinator, Compound, ID, Selector, own_name};
use super::sheet::{Rule, Sheet, View};
use super::tree::{NodeId, Tree};

/// Steps that matching may take in one message. A sheet made to be slow stops counting, and its text counts as shown.
const MAX_STEPS: u64 = 20_000_000;
/// Rules that bear on what is seen, beyond which no more are taken.
const MAX_ENTRIES: usize = 4_000;
/// Different style attributes of one message that are remembered.
const MAX_STYLES: usize = 1_000;

struct Entry<'s> {
    weight: usize,
    selector: &'s Selector,
    plain: &'s Facts,
    important: &'s Facts,
}

/// The rules, found by what the last part of their selector asks for.
pub(super) struct Cascade<'s> {
    entries: Vec<Entry<'s>>,
    by_class: HashMap<&'s str, Vec<usize>>,
    by_element: HashMap<LocalName, Vec<usize>>,
    everywhere: Vec<usize>,
    steps: Cell<u64>,
}

/// The cascade on a desk, and those of other pages where the message's rules differ there in what is seen.
pub(super) struct Cascades<'s> {
    pub(super) desk: Cascade<'s>,
    pub(super) others: [Option<Cascade<'s>>; 2],
    styles: RefCell<HashMap<Box<str>, Rc<Block>>>,
}

impl<'s> Cascades<'s> {
    /// From a message's style sheets.
    pub(super) fn new(sheet: &'s Sheet) -> Self {
        let bears = |rule: &Rule| !rule.block.facts.is_empty() || !rule.block.important.is_empty();
        let other = |view: View| {
            let differs = |rule: &Rule| bears(rule) && rule.holds(view) != rule.holds(View::Desk);
            sheet.rules.iter().any(differs).then(|| Cascade::new(sheet, view))
        };
        let others = [other(View::Phone), other(View::Dark)];
        Self { desk: Cascade::new(sheet, View::Desk), others, styles: RefCell::default() }
    }

    /// Only the desk's.
    pub(super) fn of_desk(sheet: &'s Sheet) -> Self {
        Self { desk: Cascade::new(sheet, View::Desk), others: [None, None], styles: RefCell::default() }
    }

    /// Reads a style attribute; mail says the same a hundred times.
    pub(super) fn style(&self, text: &str) -> Rc<Block> {
        if let Some(known) = self.styles.borrow().get(text) {
            return Rc::clone(known);
        }
        let block = Rc::new(css::attribute(text));
        let mut styles = self.styles.borrow_mut();
        if styles.len() < MAX_STYLES {
            styles.insert(text.into(), Rc::clone(&block));
        }
        block
    }
}

impl<'s> Cascade<'s> {
    /// From a message's style sheets: the rules that hold on such a page.
    pub(super) fn new(sheet: &'s Sheet, view: View) -> Self {
        let mut cascade = Self {
            entries: Vec::new(),
            by_class: HashMap::new(),
            by_element: HashMap::new(),
            everywhere: Vec::new(),
            steps: Cell::new(0),
        };
        for rule in sheet.rules.iter().filter(|rule| rule.holds(view)) {
            let (plain, important) = (&rule.block.facts, &rule.block.important);
            if plain.is_empty() && important.is_empty() {
                continue;
            }
            for selector in &rule.selectors {
                if cascade.entries.len() < MAX_ENTRIES {
                    cascade.entries.push(Entry { weight: selector.weight(), selector, plain, important });
                }
            }
        }
        // The sort is stable: of two with the same weight the later one wins.
        cascade.entries.sort_by_key(|entry| entry.weight);
        cascade.index();
        cascade
    }

    fn index(&mut self) {
        for (number, entry) in self.entries.iter().enumerate() {
            let Some((_, last)) = entry.selector.compounds.last() else { continue };
            if let Some(class) = last.classes.first() {
                self.by_class.entry(class).or_default().push(number);
            } else if let Some(element) = &last.element {
                self.by_element.entry(element.clone()).or_default().push(number);
            } else {
                self.everywhere.push(number);
            }
        }
    }

    /// What the rules say about an element: in general, and with importance.
    pub(super) fn facts(&self, tree: &Tree, id: NodeId) -> (Facts, Facts) {
        let (mut plain, mut important) = (Facts::default(), Facts::default());
        if self.entries.is_empty() || self.steps.get() > MAX_STEPS {
            return (plain, important);
        }
        for number in self.candidates(tree, id) {
            if let Some(entry) = self.entries.get(number)
                && self.meets(tree, id, entry.selector)
            {
                plain.lay(entry.plain);
                important.lay(entry.important);
            }
        }
        (plain, important)
    }

    fn candidates(&self, tree: &Tree, id: NodeId) -> Vec<usize> {
        let mut numbers = self.everywhere.clone();
        if let Some(found) = shown_name(tree, id).and_then(|name| self.by_element.get(&name)) {
            numbers.extend(found);
        }
        if !self.by_class.is_empty() {
            for (prefix, attribute) in [(CLASS, local_name!("class")), (ID, local_name!("id"))] {
                for name in
                    tree.attribute(id, &attribute).unwrap_or_default().split_ascii_whitespace().take(16)
                {
                    let own = own_name(prefix, name);
                    numbers.extend(own.and_then(|own| self.by_class.get(own.as_str())).into_iter().flatten());
                }
            }
        }
        self.steps.set(self.steps.get() + numbers.len() as u64);
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    fn meets(&self, tree: &Tree, id: NodeId, selector: &Selector) -> bool {
        let mut compounds = selector.compounds.iter().rev();
        let Some(&(mut stands, ref last)) = compounds.next() else { return false };
        if !self.fits(tree, id, last) {
            return false;
        }
        let mut at = id;
        // Each part takes the nearest element that fits and never reconsiders: right for what mail writes, and linear.
        for (combinator, compound) in compounds {
            let found = match stands {
                Combinator::Descendant => {
                    self.seek(tree, compound, at, |tree, id| tree.node(id).parent, true)
                }
                Combinator::Child => self.seek(tree, compound, at, |tree, id| tree.node(id).parent, false),
                Combinator::Next => self.seek(tree, compound, at, previous_element, false),
                Combinator::Later => self.seek(tree, compound, at, previous_element, true),
            };
            let Some(found) = found else { return false };
            at = found;
            stands = *combinator;
        }
        true
    }

    fn seek(
        &self,
        tree: &Tree,
        compound: &Compound,
        from: NodeId,
        step: fn(&Tree, NodeId) -> Option<NodeId>,
        further: bool,
    ) -> Option<NodeId> {
        let mut at = step(tree, from)?;
        loop {
            if self.fits(tree, at, compound) {
                return Some(at);
            }
            if !further || self.steps.get() > MAX_STEPS {
                return None;
            }
            at = step(tree, at)?;
        }
    }

    fn fits(&self, tree: &Tree, id: NodeId, compound: &Compound) -> bool {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > MAX_STEPS {
            return false;
        }
        let Some(name) = shown_name(tree, id) else { return false };
        compound.element.as_ref().is_none_or(|element| *element == name)
            && compound.classes.iter().all(|class| has_name(tree, id, class))
            && (!compound.link || tree.attribute(id, &local_name!("href")).is_some())
            && (!compound.first || previous_element(tree, id).is_none())
            && (!compound.last || next_element(tree, id).is_none())
    }
}

/// The name that rules know an element by: the one under which it is shown, and a placeholder by that of its picture.
fn shown_name(tree: &Tree, id: NodeId) -> Option<LocalName> {
    let name = tree.html_name(id)?;
    if *name == local_name!("bdi") && is_placeholder(tree, id) {
        return Some(local_name!("img"));
    }
    Some(match elements::fate(name) {
        Fate::Rename(shown) => shown,
        _ => name.clone(),
    })
}

fn has_name(tree: &Tree, id: NodeId, class: &str) -> bool {
    let has = |prefix: &str, attribute: &LocalName| {
        tree.attribute(id, attribute)
            .unwrap_or_default()
            .split_ascii_whitespace()
            .take(16)
            .any(|name| name == class || class.strip_prefix(prefix) == Some(name))
    };
    has(CLASS, &local_name!("class")) || has(ID, &local_name!("id"))
}

fn previous_element(tree: &Tree, id: NodeId) -> Option<NodeId> {
    std::iter::successors(tree.node(id).previous, |id| tree.node(*id).previous)
        .find(|id| tree.html_name(*id).is_some())
}

fn next_element(tree: &Tree, id: NodeId) -> Option<NodeId> {
    std::iter::successors(tree.node(id).next, |id| tree.node(*id).next)
        .find(|id| tree.html_name(*id).is_some())
}
