//! Which elements and attributes a message may keep: allow-lists, and the shapes that an attribute's value must have.

use html5ever::{LocalName, local_name};

/// What becomes of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays.
    Keep,
    /// It stays under another, harmless name.
    Rename(LocalName),
    /// Its children stay.
    Unwrap,
    /// It goes with everything in it.
    Drop,
}

/// What becomes of the HTML element of this name.
pub(super) fn fate(name: &LocalName) -> Fate {
    if is_kept(name) {
        return Fate::Keep;
    }
    match &**name {
        "script" | "style" | "title" | "head" | "noscript" | "noembed" | "noframes" | "template"
        | "iframe" | "frame" | "frameset" | "object" | "embed" | "applet" | "audio" | "video" | "canvas"
        | "map" | "area" | "select" | "option" | "optgroup" | "datalist" | "textarea" | "input" | "meter"
        | "progress" | "output" | "keygen" | "isindex" | "link" | "meta" | "base" | "param" | "source"
        | "track" | "bgsound" | "portal" | "fencedframe" | "slot" | "selectedcontent" | "svg" | "math" => {
            Fate::Drop
        }
        "form" | "fieldset" | "legend" | "marquee" | "dialog" | "search" | "hgroup" => {
            Fate::Rename(local_name!("div"))
        }
        "button" | "label" => Fate::Rename(local_name!("span")),
        "menu" => Fate::Rename(local_name!("ul")),
        "xmp" | "listing" | "plaintext" => Fate::Rename(local_name!("pre")),
        _ => Fate::Unwrap,
    }
}

/// The elements that stay as they are.
pub(super) fn is_kept(name: &LocalName) -> bool {
    is_table_part(name)
        || matches!(
            &**name,
            "a" | "abbr"
                | "acronym"
                | "address"
                | "article"
                | "aside"
                | "b"
                | "bdi"
                | "bdo"
                | "big"
                | "blockquote"
                | "br"
                | "center"
                | "cite"
                | "code"
                | "dd"
                | "del"
                | "details"
                | "dfn"
                | "div"
                | "dl"
                | "dt"
                | "em"
                | "figcaption"
                | "figure"
                | "font"
                | "footer"
                | "h1"
                | "h2"
                | "h3"
                | "h4"
                | "h5"
                | "h6"
                | "header"
                | "hr"
                | "i"
                | "img"
                | "ins"
                | "kbd"
                | "li"
                | "main"
                | "mark"
                | "nav"
                | "ol"
                | "p"
                | "pre"
                | "q"
                | "rp"
                | "rt"
                | "ruby"
                | "s"
                | "samp"
                | "section"
                | "small"
                | "span"
                | "strike"
                | "strong"
                | "sub"
                | "summary"
                | "sup"
                | "time"
                | "tt"
                | "u"
                | "ul"
                | "var"
                | "wbr"
        )
}

/// A table or a part of one.
pub(super) fn is_table_part(name: &LocalName) -> bool {
    matches!(
        &**name,
        "table" | "caption" | "colgroup" | "col" | "thead" | "tbody" | "tfoot" | "tr" | "td" | "th"
    )
}

/// Elements that have no content and no end tag.
pub(super) fn is_void(name: &LocalName) -> bool {
    matches!(&**name, "br" | "hr" | "img" | "wbr" | "col")
}

/// Form controls, of which the reader is told that they were removed.
pub(super) fn is_form_part(name: &LocalName) -> bool {
    matches!(
        &**name,
        "form" | "input" | "button" | "select" | "textarea" | "option" | "optgroup" | "datalist" | "keygen"
    )
}

/// Elements that hold no elements, or whose content the tokenizer reads differently: they pass whatever the depth, since
/// leaving out their start tag would turn their raw text into markup.
pub(super) fn is_shallow(name: &LocalName) -> bool {
    is_void(name)
        || matches!(
            &**name,
            "script"
                | "style"
                | "title"
                | "textarea"
                | "xmp"
                | "iframe"
                | "noembed"
                | "noframes"
                | "noscript"
                | "plaintext"
                | "meta"
                | "link"
                | "base"
                | "input"
                | "body"
                | "html"
        )
}

/// Elements that begin on a line of their own.
pub(super) fn is_block(name: &LocalName) -> bool {
    matches!(
        &**name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "body"
            | "caption"
            | "center"
            | "dd"
            | "details"
            | "dialog"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "header"
            | "hgroup"
            | "hr"
            | "legend"
            | "li"
            | "listing"
            | "main"
            | "marquee"
            | "menu"
            | "nav"
            | "ol"
            | "p"
            | "plaintext"
            | "pre"
            | "search"
            | "section"
            | "summary"
            | "table"
            | "tbody"
            | "tfoot"
            | "thead"
            | "tr"
            | "ul"
            | "xmp"
    )
}

/// The attributes that are looked at at all; others do not reach the tree.
pub(super) fn is_read(name: &LocalName) -> bool {
    matches!(
        &**name,
        "abbr"
            | "align"
            | "alt"
            | "background"
            | "bgcolor"
            | "border"
            | "cellpadding"
            | "cellspacing"
            | "cite"
            | "class"
            | "clear"
            | "color"
            | "colspan"
            | "dir"
            | "dynsrc"
            | "encoding"
            | "face"
            | "height"
            | "hidden"
            | "href"
            | "hspace"
            | "id"
            | "lang"
            | "link"
            | "lowsrc"
            | "noshade"
            | "nowrap"
            | "open"
            | "poster"
            | "rel"
            | "reversed"
            | "role"
            | "rowspan"
            | "size"
            | "span"
            | "src"
            | "srcset"
            | "start"
            | "style"
            | "target"
            | "text"
            | "title"
            | "type"
            | "valign"
            | "value"
            | "vspace"
            | "width"
    )
}

/// The shape an attribute's value must have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Any text up to this many characters.
    Text(usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number between these.
    Number(i32, i32),
    /// Pixels up to this many, or per cent up to a hundred.
    Length(u32),
    /// A colour.
    Color,
    /// Names of typefaces.
    Faces,
    /// A relative or absolute size of a typeface.
    FontSize,
    /// A language tag.
    Language,
    /// Present or not.
    Flag,
}

const ALIGN: Shape = Shape::Word(&["left", "right", "center", "justify", "middle", "top", "bottom"]);
const VALIGN: Shape = Shape::Word(&["top", "middle", "bottom", "baseline"]);
const WIDE: u32 = 2_000;
const HIGH: u32 = 4_000;

/// The shape of an attribute that `element` may keep. What carries an address, a style or a class is not here: those have
/// rules of their own.
pub(super) fn shape(element: &LocalName, attribute: &LocalName) -> Option<Shape> {
    match &**attribute {
        "dir" => return Some(Shape::Word(&["ltr", "rtl", "auto"])),
        "lang" => return Some(Shape::Language),
        "title" => return Some(Shape::Text(500)),
        "hidden" => return Some(Shape::Flag),
        "role" => return Some(Shape::Word(&["presentation", "none"])),
        _ => {}
    }
    match (&**element, &**attribute) {
        (
            "table" | "td" | "th" | "tr" | "tbody" | "thead" | "tfoot" | "col" | "colgroup" | "body",
            "bgcolor",
        ) => Some(Shape::Color),
        ("table" | "td" | "th" | "col" | "colgroup" | "img" | "hr" | "pre", "width") => {
            Some(Shape::Length(WIDE))
        }
        ("table" | "td" | "th" | "tr" | "img", "height") => Some(Shape::Length(HIGH)),
        ("table", "cellpadding" | "cellspacing") => Some(Shape::Number(0, 100)),
        ("table" | "img", "border") => Some(Shape::Number(0, 50)),
        ("img", "hspace" | "vspace") => Some(Shape::Number(0, 100)),
        ("img", "alt") => Some(Shape::Text(2_000)),
        ("td" | "th", "colspan" | "rowspan") | ("col" | "colgroup", "span") => Some(Shape::Number(1, 100)),
        ("td" | "th", "nowrap") | ("ol", "reversed") | ("hr", "noshade") => Some(Shape::Flag),
        ("td" | "th" | "tr" | "tbody" | "thead" | "tfoot" | "col" | "colgroup", "valign") => Some(VALIGN),
        (
            "table" | "td" | "th" | "tr" | "tbody" | "thead" | "tfoot" | "col" | "colgroup" | "caption"
            | "div" | "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "img" | "hr",
            "align",
        ) => Some(ALIGN),
        ("font" | "hr", "color") | ("body", "text" | "link") => Some(Shape::Color),
        ("font", "face") => Some(Shape::Faces),
        ("font", "size") => Some(Shape::FontSize),
        ("hr", "size") => Some(Shape::Number(1, 100)),
        ("ol", "start") | ("li", "value") => Some(Shape::Number(-100_000, 100_000)),
        ("ol" | "ul" | "li", "type") => {
            Some(Shape::Word(&["1", "a", "A", "i", "I", "disc", "circle", "square"]))
        }
        ("blockquote", "type") => Some(Shape::Word(&["cite"])),
        ("br", "clear") => Some(Shape::Word(&["left", "right", "all", "none"])),
        _ => None,
    }
}

/// The value in its canonical form, or nothing if it has not the shape.
pub(super) fn shaped(shape: Shape, value: &str) -> Option<String> {
    let trimmed = value.trim_matches(|c: char| c.is_ascii_whitespace());
    match shape {
        Shape::Text(most) => Some(value.chars().take(most).collect()),
        Shape::Word(words) => words
            .iter()
            .find(|word| **word == trimmed)
            .or_else(|| words.iter().find(|word| word.eq_ignore_ascii_case(trimmed)))
            .map(|word| (*word).to_owned()),
        Shape::Number(least, most) => Some(leading_number(trimmed)?.clamp(least, most).to_string()),
        Shape::Length(most) => length(trimmed, most),
        Shape::Color => super::colour::legacy(trimmed).map(super::colour::Colour::to_css),
        Shape::Faces => faces(trimmed),
        Shape::FontSize => font_size(trimmed),
        Shape::Language => {
            let fits = (1..=35).contains(&trimmed.len())
                && trimmed.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            fits.then(|| trimmed.to_owned())
        }
        Shape::Flag => Some(String::new()),
    }
}

/// The whole number that a value starts with, as browsers read it.
pub(super) fn leading_number(value: &str) -> Option<i32> {
    let unsigned = value.strip_prefix(['+', '-']).unwrap_or(value);
    let digits: String = unsigned.chars().take_while(char::is_ascii_digit).take(7).collect();
    let number: i32 = digits.parse().ok()?;
    Some(if value.starts_with('-') { -number } else { number })
}

fn length(value: &str, most: u32) -> Option<String> {
    let number = u32::try_from(leading_number(value)?).ok()?;
    let rest = value.trim_start_matches(|c: char| c.is_ascii_digit() || c == '+' || c == '.');
    Some(if rest.starts_with('%') { format!("{}%", number.min(100)) } else { number.min(most).to_string() })
}

fn font_size(value: &str) -> Option<String> {
    let number = leading_number(value)?;
    Some(match value.as_bytes().first() {
        Some(b'+') => format!("+{}", number.clamp(0, 6)),
        Some(b'-') => format!("-{}", number.saturating_neg().clamp(0, 6)),
        _ => number.clamp(1, 7).to_string(),
    })
}

fn faces(value: &str) -> Option<String> {
    let names: Vec<String> = value
        .split(',')
        .take(8)
        .map(|name| {
            let name = name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            // The space after a comma is not a part of the name, and must not count as one when it is read back.
            name.skip_while(|c| *c == ' ').take(40).collect::<String>()
        })
        .map(|name| name.trim_end().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}
