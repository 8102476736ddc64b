//! What stands in the place of a picture that was not loaded: a quiet box as large as the picture says it is, with its words.

use html5ever::{LocalName, local_name};

use super::css::{self, Declaration};
use super::elements;
use super::look::Seen;
use super::tree::{NodeId, Tree};

/// What a picture's own style may say of its placeholder: where it stands and how large it is, not how its words look.
const LAYOUT: [&str; 16] = [
    "display",
    "float",
    "clear",
    "vertical-align",
    "width",
    "min-width",
    "max-width",
    "height",
    "max-height",
    "margin",
    "margin-top",
    "margin-right",
    "margin-bottom",
    "margin-left",
    "border-radius",
    "box-sizing",
];
/// What is no larger than this one way is there to keep others apart.
const SPACER: f32 = 8.0;
/// A picture at least this wide keeps its shape when it has less room.
const SHRINKS: f32 = 100.0;
/// The longest description that is shown.
const MAX_WORDS: usize = 500;

/// A placeholder.
pub(super) struct Placeholder {
    /// Its style.
    pub(super) style: Vec<Declaration>,
    /// What the picture says it shows.
    pub(super) words: String,
    /// It only keeps others apart, and is not to be seen.
    pub(super) is_spacer: bool,
    /// It has a width of its own of which it may lose some on a narrow page.
    pub(super) gives_way: bool,
}

/// The placeholder of a picture; none for one that neither says what it shows nor how large it is, nor is anywhere.
pub(super) fn of(tree: &Tree, id: NodeId, seen: &Seen, is_somewhere: bool) -> Option<Placeholder> {
    let alt = tree.attribute(id, &local_name!("alt")).unwrap_or_default();
    let words: String =
        alt.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_WORDS).collect();
    let side = |name: LocalName, fact: Option<f32>| fact.or_else(|| pixels(tree.attribute(id, &name)?));
    let wide = side(local_name!("width"), seen.facts.width);
    let high = side(local_name!("height"), seen.facts.height);
    if words.is_empty() && !is_somewhere && (wide.is_none() || high.is_none()) {
        return None;
    }
    let is_spacer = [wide, high].into_iter().flatten().any(|side| side <= SPACER);
    let mut style: Vec<Declaration> =
        seen.own.declarations.iter().filter(|own| LAYOUT.contains(&own.property)).cloned().collect();
    let has = |style: &[Declaration], name: &str| {
        style.iter().any(|own| own.property == name && !matches!(own.value.as_str(), "auto" | "none"))
    };
    if !has(&style, "width")
        && let Some(width) = tree.attribute(id, &local_name!("width"))
    {
        style.extend(length("width", width));
    }
    match (wide, high) {
        (Some(wide), Some(high)) if wide >= SHRINKS && high > SPACER => {
            style.retain(|own| own.property != "height");
            style.extend(css::attribute(&format!("aspect-ratio: {}", wide / high)).declarations);
        }
        (_, Some(_)) if !has(&style, "height") => {
            let height = tree.attribute(id, &local_name!("height")).unwrap_or_default();
            style.extend(length("height", height));
        }
        _ => {}
    }
    if !is_spacer && high.is_none() {
        style.extend(css::attribute("min-height: 24px").declarations);
    }
    if !is_spacer && wide.is_none() && !has(&style, "width") {
        style.extend(css::attribute("min-width: 24px").declarations);
    }
    // A width that gives way is a greatest width too: that is all that is left of it on a narrow page.
    let gives_way =
        wide.is_some_and(|wide| wide >= SHRINKS) && style.iter().any(|own| own.property == "width");
    if gives_way && !has(&style, "max-width") {
        let width = style.iter().find(|own| own.property == "width").map(|own| own.value.clone());
        style.extend(width.and_then(|width| {
            css::attribute(&format!("max-width: {width}")).declarations.into_iter().next()
        }));
    }
    // As they read back, so that cleaning again changes nothing.
    let style = css::attribute(&css::write(&style)).declarations;
    Some(Placeholder { style, words, is_spacer, gives_way })
}

/// A length as old attributes write it, as a declaration.
fn length(property: &str, value: &str) -> Vec<Declaration> {
    let Some(number) = elements::leading_number(value.trim()).filter(|number| *number >= 0) else {
        return Vec::new();
    };
    let unit = if value.trim_end().ends_with('%') { "%" } else { "px" };
    css::attribute(&format!("{property}: {number}{unit}")).declarations
}

/// Pixels as old attributes write them.
pub(super) fn pixels(value: &str) -> Option<f32> {
    let value = value.trim();
    #[expect(clippy::cast_precision_loss, reason = "a number of pixels of at most seven digits")]
    let number = elements::leading_number(value).filter(|_| !value.ends_with('%'))? as f32;
    Some(number)
}
