//! An independent look at a finished document: it is parsed again and every element, attribute, address and style held
//! against lists of its own, kept apart from those of the sanitiser on purpose.

use html5ever::ns;

use crate::mail::html::parse;
use crate::mail::html::tree::{Data, ROOT};

const ELEMENTS: &[&str] = &[
    "html",
    "head",
    "body",
    "meta",
    "title",
    "style",
    "a",
    "abbr",
    "acronym",
    "address",
    "article",
    "aside",
    "b",
    "bdi",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "center",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "details",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "font",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "main",
    "mark",
    "nav",
    "ol",
    "p",
    "pre",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "section",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "time",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
    "wbr",
];
const ATTRIBUTES: &[&str] = &[
    "href",
    "rel",
    "target",
    "src",
    "background",
    "class",
    "style",
    "title",
    "dir",
    "lang",
    "hidden",
    "role",
    "align",
    "valign",
    "width",
    "height",
    "bgcolor",
    "border",
    "cellpadding",
    "cellspacing",
    "colspan",
    "rowspan",
    "span",
    "nowrap",
    "alt",
    "hspace",
    "vspace",
    "color",
    "face",
    "size",
    "text",
    "link",
    "noshade",
    "type",
    "start",
    "value",
    "reversed",
    "clear",
];
/// What no style of a message may hold, whatever it means.
const NEVER_IN_CSS: &[&str] = &[
    "url",
    "image-set",
    "@import",
    "expression",
    "var(",
    "attr(",
    "env(",
    "--",
    "\\",
    "<",
    "behavior",
    "binding",
    "position",
    "z-index",
    "transform",
    "animation",
    "transition",
    "filter",
    "content",
    "@font-face",
    "@keyframes",
    "@supports",
    "@layer",
    "@container",
    ":has",
    ":hover",
    ":focus",
    ":checked",
    ":visited",
    ":target",
    ":active",
    "::",
    "[",
    "http",
    "/*",
    "margin: -",
    "cursor",
    "clip",
    "mask",
    "shape",
    "javascript",
];

/// Fails if a document could do anything but be read.
pub(crate) fn check(document: &str) {
    let raw = parse::parse(document);
    let mut stack = vec![ROOT];
    let mut sheets = 0;
    while let Some(id) = stack.pop() {
        stack.extend(raw.children_reversed(id));
        let Data::Element(name, attrs) = &raw.node(id).data else { continue };
        let element = &*name.local;
        assert!(name.ns == ns!(html), "foreign element {element}");
        assert!(ELEMENTS.contains(&element), "element {element} in {document}");
        if element == "style" {
            let text: String = raw.children(id).map(|child| text_of(&raw.node(child).data)).collect();
            if sheets > 0 {
                check_css(text.strip_prefix("/* Mailkeep */").unwrap_or(&text));
            }
            sheets += 1;
        }
        for attr in attrs {
            let (attribute, value) = (&*attr.name.local, &*attr.value);
            if element == "meta" {
                continue;
            }
            assert!(ATTRIBUTES.contains(&attribute), "attribute {attribute} in {document}");
            match attribute {
                "href" => assert!(starts(value, &["http://", "https://", "mailto:"]), "link {value}"),
                "src" | "background" => assert!(
                    starts(
                        value,
                        &[
                            "cid:",
                            "data:image/png;",
                            "data:image/gif;",
                            "data:image/jpeg;",
                            "data:image/webp;"
                        ]
                    ),
                    "source {value}"
                ),
                "style" => check_css(value),
                "target" => assert_eq!(value, "_blank"),
                "class" => {
                    assert!(value.split(' ').all(|name| starts(name, &["c-", "i-", "mk-"])), "class {value}")
                }
                _ => {}
            }
        }
    }
    // The parser above leaves out attributes it has no use for, so look for handlers in the bare text of the tags too.
    for tag in document.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap();
        for field in tag.split('"').step_by(2) {
            let name = field.trim().trim_end_matches('=');
            assert!(!name.starts_with("on"), "handler {name}");
        }
    }
}

fn check_css(css: &str) {
    let lower = css.to_lowercase();
    for never in NEVER_IN_CSS {
        let found = lower.match_indices(never).any(|(at, _)| {
            // Names of ours may hold any word; they are told by their prefix.
            let word = lower[..at]
                .rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
                .next()
                .unwrap();
            let quoted = lower[..at].matches('"').count() % 2 == 1;
            !quoted
                && !word.starts_with("c-")
                && !word.starts_with("i-")
                && !ALLOWED.iter().any(|ok| whole(&lower, at).starts_with(ok))
        });
        assert!(!found, "{never} in {css}");
    }
}

/// Words that hold a forbidden one and are harmless.
const ALLOWED: &[&str] = &[
    "justify-content",
    "align-content",
    "content-box",
    "space-",
    "text-transform",
    "list-style-position",
    "caption",
];

/// The word around a place.
fn whole(text: &str, at: usize) -> &str {
    let start =
        text[..at].rfind(|c: char| !c.is_ascii_alphanumeric() && c != '-').map_or(0, |found| found + 1);
    &text[start..]
}

fn starts(value: &str, any: &[&str]) -> bool {
    any.iter().any(|start| value.starts_with(start))
}

fn text_of(data: &Data) -> String {
    match data {
        Data::Text(text) => text.to_string(),
        _ => String::new(),
    }
}
