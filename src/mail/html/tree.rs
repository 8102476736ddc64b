//! The tree that everything here works on: an arena of nodes with sibling links, so that building, walking and dropping
//! never recurse, however deep a hostile message nests.

use std::borrow::Cow;
use std::cell::{Cell, Ref, RefCell};
use std::num::NonZeroU32;

use html5ever::interface::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::tendril::StrTendril;
use html5ever::{Attribute, LocalName, QualName, local_name, ns};

/// A place in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NodeId(NonZeroU32);

impl NodeId {
    const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// The document node, always the first.
pub(super) const ROOT: NodeId = NodeId(NonZeroU32::MIN);

/// What a node is.
#[derive(Debug)]
pub(super) enum Data {
    /// The document itself, or something that is not kept (comments, processing instructions).
    Nothing,
    /// An element.
    Element(QualName, Vec<Attribute>),
    /// Text.
    Text(StrTendril),
}

/// A node with its links.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) data: Data,
    pub(super) parent: Option<NodeId>,
    pub(super) first: Option<NodeId>,
    pub(super) last: Option<NodeId>,
    pub(super) previous: Option<NodeId>,
    pub(super) next: Option<NodeId>,
    pub(super) depth: u32,
}

impl Node {
    const fn new(data: Data) -> Self {
        Self { data, parent: None, first: None, last: None, previous: None, next: None, depth: 0 }
    }
}

/// The arena.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// What a look past the end finds; identifiers are only made here, so nobody ever does.
    blank: Node,
    /// The name of what has none.
    nameless: QualName,
    /// Set when input was left out because a limit was reached.
    pub(super) truncated: bool,
}

impl Tree {
    /// A tree with nothing but its root.
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::new(Data::Nothing)],
            blank: Node::new(Data::Nothing),
            nameless: QualName::new(None, ns!(html), local_name!("")),
            truncated: false,
        }
    }

    /// The node.
    pub(super) fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id.index()).unwrap_or(&self.blank)
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes.get_mut(id.index()).unwrap_or(&mut self.blank)
    }

    /// How many nodes were made.
    pub(super) const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Adds a node that has no parent yet.
    pub(super) fn add(&mut self, data: Data) -> NodeId {
        // Input is bounded far below four thousand million nodes.
        self.nodes.push(Node::new(data));
        NodeId(u32::try_from(self.nodes.len()).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX))
    }

    /// Adds an HTML element under `parent`.
    pub(super) fn add_element(&mut self, parent: NodeId, name: LocalName, attrs: Vec<Attribute>) -> NodeId {
        let id = self.add(Data::Element(QualName::new(None, ns!(html), name), attrs));
        self.append(parent, id);
        id
    }

    /// Adds text at the end of `parent`, to the text that ends there if there is one.
    pub(super) fn add_text(&mut self, parent: NodeId, text: &StrTendril) {
        let last = self.node(parent).last;
        if !last.is_some_and(|last| self.extend_text(last, text)) {
            let id = self.add(Data::Text(text.clone()));
            self.append(parent, id);
        }
    }

    /// Makes `child` the last child of `parent`.
    pub(super) fn append(&mut self, parent: NodeId, child: NodeId) {
        let depth = self.node(parent).depth.saturating_add(1);
        let last = self.node(parent).last;
        let node = self.node_mut(child);
        node.parent = Some(parent);
        node.previous = last;
        node.next = None;
        node.depth = depth;
        match last {
            Some(last) => self.node_mut(last).next = Some(child),
            None => self.node_mut(parent).first = Some(child),
        }
        self.node_mut(parent).last = Some(child);
    }

    fn insert_before(&mut self, sibling: NodeId, child: NodeId) {
        let (parent, previous, depth) = {
            let node = self.node(sibling);
            (node.parent, node.previous, node.depth)
        };
        let node = self.node_mut(child);
        node.parent = parent;
        node.previous = previous;
        node.next = Some(sibling);
        node.depth = depth;
        self.node_mut(sibling).previous = Some(child);
        match (previous, parent) {
            (Some(previous), _) => self.node_mut(previous).next = Some(child),
            (None, Some(parent)) => self.node_mut(parent).first = Some(child),
            (None, None) => {}
        }
    }

    fn detach(&mut self, id: NodeId) {
        let (parent, previous, next) = {
            let node = self.node_mut(id);
            (node.parent.take(), node.previous.take(), node.next.take())
        };
        match (previous, parent) {
            (Some(previous), _) => self.node_mut(previous).next = next,
            (None, Some(parent)) => self.node_mut(parent).first = next,
            (None, None) => {}
        }
        match (next, parent) {
            (Some(next), _) => self.node_mut(next).previous = previous,
            (None, Some(parent)) => self.node_mut(parent).last = previous,
            (None, None) => {}
        }
    }

    fn extend_text(&mut self, id: NodeId, text: &StrTendril) -> bool {
        match &mut self.node_mut(id).data {
            Data::Text(existing) => {
                existing.push_tendril(text);
                true
            }
            _ => false,
        }
    }

    /// The name of an HTML element, and nothing for text, foreign elements and the rest.
    pub(super) fn html_name(&self, id: NodeId) -> Option<&LocalName> {
        match &self.node(id).data {
            Data::Element(name, _) if name.ns == ns!(html) => Some(&name.local),
            _ => None,
        }
    }

    /// An attribute's value.
    pub(super) fn attribute(&self, id: NodeId, name: &LocalName) -> Option<&str> {
        match &self.node(id).data {
            Data::Element(_, attrs) => attribute(attrs, name),
            _ => None,
        }
    }

    /// The children from the last to the first: pushed on a stack they come off in document order.
    pub(super) fn children_reversed(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.node(id).last, |child| self.node(*child).previous)
    }

    /// The children in document order.
    pub(super) fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.node(id).first, |child| self.node(*child).next)
    }

    /// The `body` element, or what stands for it.
    pub(super) fn body(&self) -> Option<NodeId> {
        let html = self.children(ROOT).find(|id| self.html_name(*id) == Some(&local_name!("html")))?;
        self.children(html).find(|id| self.html_name(*id) == Some(&local_name!("body")))
    }
}

/// The value of the attribute called `name`.
pub(super) fn attribute<'a>(attrs: &'a [Attribute], name: &LocalName) -> Option<&'a str> {
    attrs.iter().find(|attr| attr.name.local == *name).map(|attr| &*attr.value)
}

/// What the parser builds the tree through. It counts the parser's steps, so that markup made to be slow can be cut short.
pub(super) struct Sink {
    tree: RefCell<Tree>,
    steps: Cell<u64>,
    depth: Cell<u32>,
}

impl Sink {
    /// For input of this many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let mut tree = Tree::new();
        // Mail has a node for every thirty bytes or so.
        tree.nodes.reserve((bytes / 32).min(1 << 16));
        Self { tree: RefCell::new(tree), steps: Cell::new(0), depth: Cell::new(0) }
    }

    /// How often the parser has looked at an open element.
    pub(super) const fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// How deep the node added last lies.
    pub(super) const fn depth(&self) -> u32 {
        self.depth.get()
    }

    /// How many nodes there are.
    pub(super) fn size(&self) -> usize {
        self.tree.borrow().len()
    }

    fn place_text(tree: &mut Tree, before: NodeId, text: &StrTendril) {
        let previous = tree.node(before).previous;
        if !previous.is_some_and(|previous| tree.extend_text(previous, text)) {
            let id = tree.add(Data::Text(text.clone()));
            tree.insert_before(before, id);
        }
    }
}

impl TreeSink for Sink {
    type Handle = NodeId;
    type Output = Tree;
    type ElemName<'a> = Ref<'a, QualName>;

    fn finish(self) -> Tree {
        self.tree.into_inner()
    }

    fn parse_error(&self, _message: Cow<'static, str>) {}

    fn get_document(&self) -> NodeId {
        ROOT
    }

    fn elem_name<'a>(&'a self, target: &'a NodeId) -> Ref<'a, QualName> {
        self.steps.set(self.steps.get().saturating_add(1));
        Ref::map(self.tree.borrow(), |tree| match &tree.node(*target).data {
            Data::Element(name, _) => name,
            _ => &tree.nameless,
        })
    }

    fn create_element(&self, name: QualName, attrs: Vec<Attribute>, _flags: ElementFlags) -> NodeId {
        self.tree.borrow_mut().add(Data::Element(name, attrs))
    }

    fn create_comment(&self, _text: StrTendril) -> NodeId {
        self.tree.borrow_mut().add(Data::Nothing)
    }

    fn create_pi(&self, _target: StrTendril, _data: StrTendril) -> NodeId {
        self.tree.borrow_mut().add(Data::Nothing)
    }

    fn append(&self, parent: &NodeId, child: NodeOrText<NodeId>) {
        let mut tree = self.tree.borrow_mut();
        match child {
            NodeOrText::AppendText(text) => tree.add_text(*parent, &text),
            NodeOrText::AppendNode(node) => {
                tree.detach(node);
                tree.append(*parent, node);
                self.depth.set(tree.node(node).depth);
            }
        }
    }

    fn append_based_on_parent_node(&self, element: &NodeId, previous: &NodeId, child: NodeOrText<NodeId>) {
        let has_parent = self.tree.borrow().node(*element).parent.is_some();
        if has_parent {
            self.append_before_sibling(element, child);
        } else {
            self.append(previous, child);
        }
    }

    fn append_doctype_to_document(&self, _name: StrTendril, _public: StrTendril, _system: StrTendril) {}

    /// What is inside a template is dropped with it, so it may as well hang below it.
    fn get_template_contents(&self, target: &NodeId) -> NodeId {
        *target
    }

    fn same_node(&self, one: &NodeId, other: &NodeId) -> bool {
        one == other
    }

    fn set_quirks_mode(&self, _mode: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &NodeId, child: NodeOrText<NodeId>) {
        let mut tree = self.tree.borrow_mut();
        match child {
            NodeOrText::AppendText(text) => Self::place_text(&mut tree, *sibling, &text),
            NodeOrText::AppendNode(node) => {
                tree.detach(node);
                tree.insert_before(*sibling, node);
                self.depth.set(tree.node(node).depth);
            }
        }
    }

    fn add_attrs_if_missing(&self, target: &NodeId, attrs: Vec<Attribute>) {
        let mut tree = self.tree.borrow_mut();
        if let Data::Element(_, existing) = &mut tree.node_mut(*target).data {
            for attr in attrs {
                // The gate lets only a few dozen names through, so this list stays short.
                if attribute(existing, &attr.name.local).is_none() {
                    existing.push(attr);
                }
            }
        }
    }

    fn remove_from_parent(&self, target: &NodeId) {
        self.tree.borrow_mut().detach(*target);
    }

    fn reparent_children(&self, node: &NodeId, new_parent: &NodeId) {
        let mut tree = self.tree.borrow_mut();
        while let Some(child) = tree.node(*node).first {
            tree.detach(child);
            tree.append(*new_parent, child);
        }
    }
}
