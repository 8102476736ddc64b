//! From markup to tree, by the rules of the HTML standard (html5ever), with a gate in front that keeps hostile input linear:
//! nesting, attributes per tag, nodes and the parser's own steps are all bounded.

use std::cell::{Cell, RefCell};

use html5ever::buffer_queue::BufferQueue;
use html5ever::interface::TreeSink;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use html5ever::tree_builder::{TreeBuilder, TreeBuilderOpts};
use html5ever::{LocalName, local_name};

use super::elements;
use super::tag_scan::{self, TagEnd};
use super::tree::{NodeId, Sink, Tree};

/// Markup beyond this many bytes is not read.
const MAX_INPUT: usize = 24 << 20;
/// Elements nested deeper than this are taken for their content alone.
const MAX_DEPTH: u32 = 250;
/// A tree does not grow beyond this many nodes.
const MAX_NODES: usize = 600_000;
/// A tag keeps no more attributes than this; the tokenizer compares each with all before it.
const MAX_ATTRIBUTES: usize = 256;
/// The parser's steps per byte of input, and some to begin with, before it is stopped. Real mail needs about one.
const STEPS_PER_BYTE: u64 = 24;
const STEPS_AT_LEAST: u64 = 4_000_000;

/// Parses a document.
pub(super) fn parse(html: &str) -> Tree {
    let mut end = html.len().min(MAX_INPUT);
    while !html.is_char_boundary(end) {
        end -= 1;
    }
    let input = html.get(..end).unwrap_or_default();
    let reader = Reader::new(input);
    let stopped = reader.run();
    let mut tree = reader.finish();
    tree.truncated = stopped || end < html.len();
    tree
}

/// What the text after the last tag is.
#[derive(Clone, PartialEq, Eq)]
enum Mode {
    /// Ordinary markup.
    Markup,
    /// Text until the end tag of this name.
    Raw(LocalName),
    /// Text until the end.
    Plain,
}

/// Stands between tokenizer and tree builder.
struct Gate {
    builder: TreeBuilder<NodeId, Sink>,
    mode: RefCell<Mode>,
    /// Set by each tag, comment and doctype, so that the reader knows where it is.
    emitted: Cell<bool>,
    /// Start tags that were left out for their depth, so that their end tags are too.
    skipped: RefCell<Vec<LocalName>>,
    max_steps: u64,
}

impl Gate {
    fn exhausted(&self) -> bool {
        self.builder.sink.steps() > self.max_steps || self.builder.sink.size() > MAX_NODES
    }

    fn admit(&self, mut tag: Tag) -> Option<Tag> {
        // A frameset would throw away the body it stands in.
        if matches!(tag.name, local_name!("frameset") | local_name!("frame")) {
            return None;
        }
        if tag.kind == TagKind::EndTag {
            let mut skipped = self.skipped.borrow_mut();
            if skipped.last() == Some(&tag.name) {
                skipped.pop();
                return None;
            }
            return Some(tag);
        }
        if self.builder.sink.depth() > MAX_DEPTH && !elements::is_shallow(&tag.name) {
            self.skipped.borrow_mut().push(tag.name);
            return None;
        }
        tag.attrs.retain(|attr| elements::is_read(&attr.name.local));
        Some(tag)
    }
}

impl TokenSink for Gate {
    type Handle = NodeId;

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<NodeId> {
        let mut name = None;
        let token = match token {
            // Neither comments nor the document type change what is shown: every document here is in standards mode.
            Token::CommentToken(_) | Token::DoctypeToken(_) => {
                self.emitted.set(true);
                return TokenSinkResult::Continue;
            }
            Token::ParseError(_) => return TokenSinkResult::Continue,
            Token::TagToken(tag) => {
                self.emitted.set(true);
                *self.mode.borrow_mut() = Mode::Markup;
                let Some(tag) = self.admit(tag) else { return TokenSinkResult::Continue };
                name = Some(tag.name.clone());
                Token::TagToken(tag)
            }
            other => other,
        };
        match self.builder.process_token(token, line) {
            TokenSinkResult::Plaintext => {
                *self.mode.borrow_mut() = Mode::Plain;
                TokenSinkResult::Plaintext
            }
            TokenSinkResult::RawData(kind) => {
                if let Some(name) = name {
                    *self.mode.borrow_mut() = Mode::Raw(name);
                }
                // Scripts have a syntax of their own with nested comments. They are dropped, so plain raw text will do.
                TokenSinkResult::RawData(match kind {
                    RawKind::Rcdata => RawKind::Rcdata,
                    _ => RawKind::Rawtext,
                })
            }
            _ => TokenSinkResult::Continue,
        }
    }

    fn end(&self) {
        self.builder.end();
    }
}

/// Feeds the tokenizer tag by tag.
struct Reader<'a> {
    input: &'a str,
    whole: StrTendril,
    queue: BufferQueue,
    tokenizer: Tokenizer<Gate>,
}

impl<'a> Reader<'a> {
    fn new(input: &'a str) -> Self {
        let options = TreeBuilderOpts {
            scripting_enabled: false,
            iframe_srcdoc: true,
            drop_doctype: true,
            ..TreeBuilderOpts::default()
        };
        let gate = Gate {
            builder: TreeBuilder::new(Sink::new(input.len()), options),
            mode: RefCell::new(Mode::Markup),
            emitted: Cell::new(false),
            skipped: RefCell::new(Vec::new()),
            max_steps: STEPS_AT_LEAST.saturating_add(STEPS_PER_BYTE.saturating_mul(input.len() as u64)),
        };
        Self {
            input,
            whole: StrTendril::from(input),
            queue: BufferQueue::default(),
            tokenizer: Tokenizer::new(gate, TokenizerOpts::default()),
        }
    }

    fn finish(self) -> Tree {
        self.tokenizer.end();
        self.tokenizer.sink.builder.sink.finish()
    }

    /// Reads everything; says whether it had to stop before the end.
    fn run(&self) -> bool {
        let mut at = 0;
        while at < self.input.len() {
            if self.tokenizer.sink.exhausted() {
                return true;
            }
            let mode = self.tokenizer.sink.mode.borrow().clone();
            at = match mode {
                Mode::Plain => self.feed(at, self.input.len()),
                Mode::Raw(name) => self.read_raw(at, &name),
                Mode::Markup => self.read_markup(at),
            };
        }
        false
    }

    /// Hands a piece of the input on and says where the next begins.
    fn feed(&self, from: usize, to: usize) -> usize {
        let (offset, length) = (u32::try_from(from), u32::try_from(to.saturating_sub(from)));
        if let (Ok(offset), Ok(length)) = (offset, length)
            && length > 0
        {
            self.queue.push_back(self.whole.subtendril(offset, length));
            // The gate never asks to pause, so one call takes the whole piece.
            let _done = self.tokenizer.feed(&self.queue);
        }
        to
    }

    /// Text up to the next tag and that tag, a comment, or text alone.
    fn read_markup(&self, at: usize) -> usize {
        let bytes = self.input.as_bytes();
        let Some(open) = self.find(at, "<") else { return self.feed(at, bytes.len()) };
        match (bytes.get(open + 1), bytes.get(open + 2)) {
            (Some(b'/'), Some(b'>')) => self.feed(at, open + 3),
            (Some(b'/'), Some(letter)) if letter.is_ascii_alphabetic() => self.feed_tag(at, open + 2),
            (Some(letter), _) if letter.is_ascii_alphabetic() => self.feed_tag(at, open + 1),
            (Some(b'!'), Some(b'-')) if bytes.get(open + 3) == Some(&b'-') => {
                self.feed(at, open);
                self.after_comment(open + 4)
            }
            (Some(b'!' | b'?' | b'/'), _) => self.feed_declaration(at, open + 1),
            _ => self.feed(at, open + 1),
        }
    }

    /// Comments make up half of many a newsletter and nothing of what is shown: they are passed over here. Where one ends is
    /// §13.2.5.43 and the states around it.
    fn after_comment(&self, from: usize) -> usize {
        let rest = self.input.as_bytes().get(from..).unwrap_or_default();
        if rest.starts_with(b">") {
            return from + 1;
        }
        if rest.starts_with(b"->") {
            return from + 2;
        }
        let mut look = from;
        while let Some(dashes) = self.find(look, "--") {
            match self.input.as_bytes().get(dashes + 2..).unwrap_or_default() {
                [b'>', ..] => return dashes + 3,
                [b'!', b'>', ..] => return dashes + 4,
                _ => look = dashes + 1,
            }
        }
        self.input.len()
    }

    /// Another comment or a doctype ends at one of the following `>`; the tokenizer knows at which.
    fn feed_declaration(&self, at: usize, from: usize) -> usize {
        self.tokenizer.sink.emitted.set(false);
        let (mut fed, mut look) = (at, from);
        while let Some(close) = self.find(look, ">") {
            fed = self.feed(fed, close + 1);
            look = fed;
            if self.tokenizer.sink.emitted.get() {
                return fed;
            }
        }
        self.feed(fed, self.input.len())
    }

    fn feed_tag(&self, at: usize, name: usize) -> usize {
        match tag_scan::scan(self.input.as_bytes(), name, MAX_ATTRIBUTES) {
            TagEnd::Whole(end) => self.feed(at, end),
            TagEnd::Cut { keep, end } => {
                self.feed(at, keep);
                self.feed(end.saturating_sub(1), end)
            }
            TagEnd::Never { keep } => {
                self.feed(at, keep);
                self.input.len()
            }
        }
    }

    fn read_raw(&self, at: usize, name: &str) -> usize {
        let bytes = self.input.as_bytes();
        let mut look = at;
        while let Some(open) = self.find(look, "</") {
            let start = open + 2;
            let after = start + name.len();
            let named =
                bytes.get(start..after).is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()));
            if named && bytes.get(after).is_some_and(|byte| tag_scan::ends_name(*byte)) {
                return self.feed_tag(at, start);
            }
            look = start;
        }
        self.feed(at, bytes.len())
    }

    fn find(&self, from: usize, what: &str) -> Option<usize> {
        Some(from + self.input.get(from..)?.find(what)?)
    }
}
