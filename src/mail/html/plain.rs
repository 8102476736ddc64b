//! Plain text as a tree of the same kind as a cleaned message: links are elements, never spliced strings.

use html5ever::local_name;

use super::classes::{QUOTE, TEXT};
use super::clean::attribute;
use super::tree::{NodeId, ROOT, Tree};
use super::{Options, links};

/// Text beyond this many bytes is not shown.
const MAX_TEXT: usize = 4 << 20;
/// Links beyond this many stay text.
const MAX_LINKS: usize = 5_000;

/// The tree of a text.
pub(super) fn tree(text: &str, options: &Options<'_>) -> Tree {
    let mut tree = Tree::new();
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    tree.truncated = end < text.len();
    let normal = text.get(..end).unwrap_or_default().replace("\r\n", "\n").replace(['\r', '\0'], "\n");
    let body = tree.add_element(ROOT, local_name!("body"), Vec::new());
    let top = tree.add_element(body, local_name!("div"), vec![attribute("class", TEXT)]);
    let mut links_left = MAX_LINKS;
    let runs = runs(&normal);
    let last = runs.iter().rposition(|run| run.quoted && !is_blank(run.text));
    for (index, run) in runs.iter().enumerate() {
        let ends = Some(index) == last && runs.iter().skip(index + 1).all(|run| is_blank(run.text));
        let own = runs.iter().take(index).any(|run| !is_blank(run.text));
        let parent = match (run.quoted, options.fold_quotes && ends && own) {
            (true, true) => fold(&mut tree, top),
            (true, false) => {
                tree.add_element(top, local_name!("blockquote"), vec![attribute("type", "cite")])
            }
            (false, _) => top,
        };
        push_linked(&mut tree, parent, run.text, options, &mut links_left);
    }
    tree
}

fn fold(tree: &mut Tree, parent: NodeId) -> NodeId {
    let details = tree.add_element(parent, local_name!("details"), vec![attribute("class", QUOTE)]);
    let summary = tree.add_element(details, local_name!("summary"), Vec::new());
    tree.add_text(summary, &"Quoted text".into());
    tree.add_element(details, local_name!("blockquote"), vec![attribute("type", "cite")])
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// Lines that belong together: all quoted, or none.
struct Run<'t> {
    text: &'t str,
    quoted: bool,
}

fn runs(text: &str) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    let (mut start, mut at, mut quoted) = (0, 0, false);
    for line in text.split_inclusive('\n') {
        let is_quoted = line.starts_with('>');
        if is_quoted != quoted {
            runs.extend(text.get(start..at).filter(|run| !run.is_empty()).map(|text| Run { text, quoted }));
            (start, quoted) = (at, is_quoted);
        }
        at += line.len();
    }
    runs.extend(text.get(start..).filter(|run| !run.is_empty()).map(|text| Run { text, quoted }));
    runs
}

/// Adds text, making an element of every address in it that may be followed.
fn push_linked(tree: &mut Tree, parent: NodeId, text: &str, options: &Options<'_>, left: &mut usize) {
    let mut rest = text;
    while *left > 0 {
        let Some((before, address, after)) = next_address(rest) else { break };
        let shown = before;
        tree.add_text(parent, &shown.into());
        let target = links::link_target(address).and_then(|target| (options.link)(&target));
        let inside = match target {
            Some(target) => {
                *left -= 1;
                let attrs = vec![
                    attribute("href", &target),
                    attribute("rel", "noopener noreferrer nofollow"),
                    attribute("target", "_blank"),
                ];
                tree.add_element(parent, local_name!("a"), attrs)
            }
            None => parent,
        };
        tree.add_text(inside, &address.into());
        rest = after;
    }
    if !rest.is_empty() {
        tree.add_text(parent, &rest.into());
    }
}

/// The first address in a text, with what stands before and after it.
fn next_address(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let colon = from + text.get(from..)?.find(':')?;
        let before = text.get(..colon)?;
        let scheme = ["https", "http", "mailto"].into_iter().find(|scheme| {
            let at = before.len().checked_sub(scheme.len());
            at.and_then(|at| before.get(at..)).is_some_and(|found| found.eq_ignore_ascii_case(scheme))
        });
        let follows = text.get(colon + 1..)?;
        if let Some(scheme) = scheme
            && (scheme == "mailto" || follows.starts_with("//"))
        {
            let start = colon - scheme.len();
            let whole = text.get(start..)?;
            let end =
                whole.find(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"'));
            let address = trimmed(whole.get(..end.unwrap_or(whole.len()))?);
            if address.len() > scheme.len() + 3 {
                let after = text.get(start + address.len()..)?;
                return Some((text.get(..start)?, address, after));
            }
        }
        from = colon + 1;
    }
}

/// Without the punctuation that belongs to the sentence around it.
fn trimmed(address: &str) -> &str {
    let mut address = address;
    loop {
        let shorter = address.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', '_']);
        let closes = [('(', ')'), ('[', ']'), ('{', '}')].into_iter().find_map(|(open, close)| {
            let unmatched = shorter.ends_with(close)
                && shorter.matches(close).take(64).count() > shorter.matches(open).take(64).count();
            unmatched.then(|| shorter.strip_suffix(close)).flatten()
        });
        match closes {
            Some(without) => address = without,
            None => return shorter,
        }
    }
}
