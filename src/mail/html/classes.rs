//! The classes of what is shown: the message's own under names that cannot meet ours, and ours.

use html5ever::local_name;

use super::css::Declaration;
use super::selectors::{CLASS, ID, own_name};
use super::tree::{NodeId, Tree};

/// Classes and ids of one element.
const MAX_CLASSES: usize = 16;
/// What is set wider than this gives way on a phone, in pixels.
pub(super) const FITS: f32 = 320.0;

/// Our class on what stands for a picture that was not loaded.
pub(super) const BLOCKED: &str = "mk-blocked";
/// Our class, further, on one that only keeps others apart.
pub(super) const SPACER: &str = "mk-spacer";
/// Our class on what is set too wide for a phone.
pub(super) const FIT: &str = "mk-fit";
/// Our class round a table of figures that may be wider than the page.
pub(super) const WIDE: &str = "mk-wide";
/// Our class on a folded quote.
pub(super) const QUOTE: &str = "mk-quote";
/// Our class on a message that is only text.
pub(super) const TEXT: &str = "mk-text";
/// Prefix of our classes that hold colours for a dark page.
pub(super) const DARK: &str = "mk-dark-";

/// An element's classes as they were written.
pub(super) fn class_names(tree: &Tree, id: NodeId) -> impl Iterator<Item = &str> {
    tree.attribute(id, &local_name!("class")).unwrap_or_default().split_ascii_whitespace()
}

/// Whether a style sets a width too wide for a phone.
pub(super) fn is_too_wide(declarations: &[Declaration]) -> bool {
    declarations.iter().any(|own| {
        own.property == "width"
            && own.value.strip_suffix("px").is_some_and(|wide| wide.parse().unwrap_or(0.0) > FITS)
    })
}

/// Whether an element is what stands for a picture.
pub(super) fn is_placeholder(tree: &Tree, id: NodeId) -> bool {
    tree.html_name(id) == Some(&local_name!("bdi")) && class_names(tree, id).any(|name| name == BLOCKED)
}

/// The classes and the id of an element under names that cannot meet ours, and those of ours it has.
pub(super) fn classes(tree: &Tree, id: NodeId, own: &[&str], dark: Option<String>) -> String {
    let mut names: Vec<String> = Vec::new();
    let ids = tree.attribute(id, &local_name!("id")).unwrap_or_default().split_ascii_whitespace().take(1);
    let is_placeholder = is_placeholder(tree, id);
    let kept = |name: &str| match name {
        QUOTE | TEXT | WIDE => true,
        BLOCKED | SPACER | FIT => is_placeholder,
        _ => false,
    };
    let given =
        class_names(tree, id).take(MAX_CLASSES).filter(|name| !name.starts_with(DARK)).filter_map(|name| {
            if kept(name) {
                Some(name.to_owned())
            } else if [BLOCKED, SPACER, FIT].contains(&name) {
                None
            } else {
                own_name(CLASS, name)
            }
        });
    let mut theirs = 0;
    for name in given.chain(ids.filter_map(|name| own_name(ID, name))) {
        let is_ours = kept(&name);
        if !names.contains(&name) && (is_ours || theirs < MAX_CLASSES - 4) {
            theirs += usize::from(!is_ours);
            names.push(name);
        }
    }
    for name in own {
        if !names.iter().any(|known| known == name) {
            names.push((*name).to_owned());
        }
    }
    names.extend(dark);
    names.join(" ")
}
