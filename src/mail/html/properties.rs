//! The style properties a message may set, and which values each may take.

use super::colour::Colour;
use super::css::{Declaration, Piece, Unit};

/// What the values of one property may be.
struct Rule {
    property: &'static str,
    words: &'static [&'static str],
    colour: bool,
    /// Lengths between these many pixels.
    length: Option<(f32, f32)>,
    /// Per cent up to this.
    percent: f32,
    number: Option<(f32, f32)>,
    most: usize,
}

const fn rule(property: &'static str) -> Rule {
    Rule { property, words: &[], colour: false, length: None, percent: 0.0, number: None, most: 1 }
}

const fn words(property: &'static str, words: &'static [&'static str], most: usize) -> Rule {
    Rule { words, most, ..rule(property) }
}

const fn sizes(property: &'static str, high: f32, percent: f32, most: usize) -> Rule {
    Rule { words: &["auto", "none"], length: Some((0.0, high)), percent, most, ..rule(property) }
}

const fn colour(property: &'static str) -> Rule {
    Rule { colour: true, ..rule(property) }
}

const fn border(property: &'static str) -> Rule {
    Rule { words: LINES, colour: true, length: Some((0.0, 50.0)), most: 3, ..rule(property) }
}

const fn line_style(property: &'static str) -> Rule {
    words(property, LINES, 4)
}

const fn line_width(property: &'static str) -> Rule {
    Rule { words: &["thin", "medium", "thick"], length: Some((0.0, 50.0)), most: 4, ..rule(property) }
}

const fn radius(property: &'static str) -> Rule {
    Rule { length: Some((0.0, 1_000.0)), percent: 100.0, most: 4, ..rule(property) }
}

const fn margin(property: &'static str, most: usize) -> Rule {
    sizes(property, 400.0, 100.0, most)
}

const LINES: &[&str] = &[
    "none", "hidden", "solid", "dashed", "dotted", "double", "groove", "ridge", "inset", "outset", "thin",
    "medium", "thick",
];
const ANY: &[&str] = &["inherit", "initial", "unset"];
const DISPLAYS: &[&str] = &[
    "none",
    "block",
    "inline",
    "inline-block",
    "list-item",
    "table",
    "inline-table",
    "table-row",
    "table-cell",
    "table-row-group",
    "table-header-group",
    "table-footer-group",
    "table-column",
    "table-column-group",
    "table-caption",
    "flex",
    "inline-flex",
];
const PLACES: &[&str] = &[
    "start",
    "end",
    "center",
    "flex-start",
    "flex-end",
    "space-between",
    "space-around",
    "space-evenly",
    "stretch",
    "baseline",
    "left",
    "right",
    "normal",
    "auto",
];
const BULLETS: &[&str] = &[
    "none",
    "disc",
    "circle",
    "square",
    "decimal",
    "decimal-leading-zero",
    "lower-alpha",
    "upper-alpha",
    "lower-latin",
    "upper-latin",
    "lower-roman",
    "upper-roman",
    "lower-greek",
    "inside",
    "outside",
];
const WIDE: f32 = 2_000.0;
const NARROW: f32 = 300.0;
const HIGH: f32 = 4_000.0;

/// Writes a declaration, or the several that a shorthand stands for, if its values are among those allowed.
pub(super) fn declare(name: &str, pieces: &[Piece], important: bool, into: &mut Vec<Declaration>) {
    match name {
        "background" => background(pieces, important, into),
        "font" => font(pieces, important, into),
        "font-family" => {
            into.extend(faces(pieces).map(|value| declaration("font-family", value, important)));
        }
        _ => {
            if let Some(rule) = rule_for(name) {
                into.extend(rule.apply(pieces, important));
            }
        }
    }
}

const fn declaration(property: &'static str, value: String, important: bool) -> Declaration {
    Declaration { property, value, important, colour: None }
}

impl Rule {
    fn apply(&self, pieces: &[Piece], important: bool) -> Option<Declaration> {
        if pieces.is_empty() || pieces.len() > self.most {
            return None;
        }
        let mut value = String::new();
        let mut colours = Vec::new();
        for piece in pieces {
            if !value.is_empty() {
                value.push(' ');
            }
            value.push_str(&self.value(piece, pieces.len() == 1, &mut colours)?);
        }
        let is_all = pieces.len() == 1 || self.property.starts_with("border");
        let colour = colours.first().copied().filter(|_| colours.len() == 1 && is_all);
        if self.property == "max-width"
            && matches!(pieces, [Piece::Length(length, unit)] if length * unit.pixels() > NARROW)
        {
            value = format!("min(100%, {value})");
        }
        Some(Declaration { property: self.property, value, important, colour })
    }

    fn value(&self, piece: &Piece, alone: bool, colours: &mut Vec<Colour>) -> Option<String> {
        match piece {
            Piece::Word(word) if self.words.contains(&word.as_str()) => Some(word.clone()),
            Piece::Word(word) if alone && ANY.contains(&word.as_str()) => Some(word.clone()),
            Piece::Word(word) if self.colour && word == "currentcolor" => Some(word.clone()),
            Piece::Word(word) if self.colour => {
                let colour = Colour::from_name(word)?;
                colours.push(colour);
                Some(colour.to_css())
            }
            Piece::Colour(colour) if self.colour => {
                colours.push(*colour);
                Some(colour.to_css())
            }
            Piece::Number(0.0) if self.length.is_some() => Some("0".to_owned()),
            Piece::Number(number) => {
                let (least, most) = self.number?;
                Some(written(number.clamp(least, most)))
            }
            Piece::Percent(percent) if self.percent > 0.0 => {
                Some(format!("{}%", written(percent.clamp(0.0, self.percent))))
            }
            Piece::Length(length, unit) => {
                let (least, most) = self.length?;
                Some(held(*length, *unit, least, most))
            }
            _ => None,
        }
    }
}

/// A length held between two numbers of pixels.
fn held(length: f32, unit: Unit, least: f32, most: f32) -> String {
    let pixels = unit.pixels();
    // Rounded towards the middle, so that what was held once is not held again.
    let most = (most / pixels).floor();
    let length = length.clamp((least / pixels).ceil(), if unit == Unit::Vw { most.min(100.0) } else { most });
    let text = written(length);
    if text == "0" { text } else { format!("{text}{}", unit.name()) }
}

/// A number with at most three places.
fn written(number: f32) -> String {
    let rounded = (number * 1000.0).round() / 1000.0;
    // Minus nothing is nothing.
    if rounded == 0.0 { "0".to_owned() } else { rounded.to_string() }
}

/// Of a background only the colour stays; one that sets none makes the ground see-through, as the shorthand does.
fn background(pieces: &[Piece], important: bool, into: &mut Vec<Declaration>) {
    let found = pieces.iter().find_map(|piece| match piece {
        Piece::Colour(colour) => Some(*colour),
        Piece::Word(word) => Colour::from_name(word),
        _ => None,
    });
    let reset = matches!(pieces, [Piece::Word(word)] if word == "none" || ANY.contains(&word.as_str()));
    if let Some(colour) = found {
        into.push(Declaration {
            property: "background-color",
            value: colour.to_css(),
            important,
            colour: Some(colour),
        });
    } else if reset {
        into.push(declaration("background-color", "rgba(0, 0, 0, 0)".to_owned(), important));
    }
}

/// The shorthand is written as what it stands for.
fn font(pieces: &[Piece], important: bool, into: &mut Vec<Declaration>) {
    let is_size = |piece: &Piece| match piece {
        Piece::Length(..) | Piece::Percent(_) | Piece::Number(0.0) => true,
        Piece::Word(word) => SIZES.contains(&word.as_str()),
        _ => false,
    };
    let Some(at) = pieces.iter().position(is_size) else { return };
    let (before, rest) = pieces.split_at_checked(at).unwrap_or((pieces, &[]));
    for piece in before {
        for name in ["font-style", "font-weight"] {
            let fits = rule_for(name).and_then(|rule| rule.apply(std::slice::from_ref(piece), important));
            into.extend(fits.filter(|fits| fits.value != "normal"));
        }
    }
    let Some((size, rest)) = rest.split_first() else { return };
    into.extend(rule_for("font-size").and_then(|rule| rule.apply(std::slice::from_ref(size), important)));
    let faces_at = match rest {
        [Piece::Slash, height, faces @ ..] => {
            let height = std::slice::from_ref(height);
            into.extend(rule_for("line-height").and_then(|rule| rule.apply(height, important)));
            faces
        }
        faces => faces,
    };
    into.extend(faces(faces_at).map(|value| declaration("font-family", value, important)));
}

/// Names of typefaces, in quotation marks if they are of several words.
fn faces(pieces: &[Piece]) -> Option<String> {
    if let [Piece::Word(word)] = pieces
        && ANY.contains(&word.as_str())
    {
        return Some(word.clone());
    }
    let mut names: Vec<String> = Vec::new();
    for face in pieces.split(|piece| *piece == Piece::Comma) {
        let name = match face {
            [Piece::Quoted(text)] => text
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .take(60)
                .collect::<String>()
                .trim()
                .to_owned(),
            words => {
                let words: Option<Vec<&str>> = words
                    .iter()
                    .map(|piece| match piece {
                        Piece::Word(word) => Some(word.as_str()),
                        _ => None,
                    })
                    .collect();
                words?.join(" ")
            }
        };
        if !name.is_empty() && names.len() < 12 {
            let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
                && name.starts_with(|c: char| c.is_ascii_lowercase())
                && !matches!(face, [Piece::Quoted(_)]);
            names.push(if plain { name } else { format!("\"{name}\"") });
        }
    }
    (!names.is_empty()).then(|| names.join(", "))
}

const SIZES: &[&str] =
    &["xx-small", "x-small", "small", "medium", "large", "x-large", "xx-large", "smaller", "larger"];

fn rule_for(name: &str) -> Option<Rule> {
    text_rule(name).or_else(|| box_rule(name)).or_else(|| line_rule(name)).or_else(|| layout_rule(name))
}

fn text_rule(name: &str) -> Option<Rule> {
    Some(match name {
        "color" => colour("color"),
        "background-color" => colour("background-color"),
        "text-decoration-color" => colour("text-decoration-color"),
        "font-size" => Rule { words: SIZES, length: Some((0.0, 120.0)), percent: 800.0, ..rule("font-size") },
        "font-style" => words("font-style", &["normal", "italic", "oblique"], 1),
        "font-variant" => words("font-variant", &["normal", "small-caps"], 1),
        "font-weight" => Rule {
            number: Some((1.0, 1_000.0)),
            ..words("font-weight", &["normal", "bold", "bolder", "lighter"], 1)
        },
        "line-height" => Rule {
            words: &["normal"],
            length: Some((0.0, 200.0)),
            percent: 800.0,
            number: Some((0.0, 8.0)),
            ..rule("line-height")
        },
        "letter-spacing" => Rule { words: &["normal"], length: Some((-2.0, 50.0)), ..rule("letter-spacing") },
        "word-spacing" => Rule { words: &["normal"], length: Some((-2.0, 100.0)), ..rule("word-spacing") },
        "text-align" => words("text-align", &["left", "right", "center", "justify", "start", "end"], 1),
        "text-decoration" | "text-decoration-line" => Rule {
            colour: true,
            ..words(
                "text-decoration",
                &[
                    "none",
                    "underline",
                    "overline",
                    "line-through",
                    "solid",
                    "dotted",
                    "dashed",
                    "double",
                    "wavy",
                ],
                3,
            )
        },
        "text-transform" => words("text-transform", &["none", "uppercase", "lowercase", "capitalize"], 1),
        "text-indent" => Rule { length: Some((-200.0, 400.0)), percent: 100.0, ..rule("text-indent") },
        "white-space" => {
            words("white-space", &["normal", "nowrap", "pre", "pre-wrap", "pre-line", "break-spaces"], 1)
        }
        "word-break" => words("word-break", &["normal", "break-all", "keep-all", "break-word"], 1),
        "overflow-wrap" | "word-wrap" => words("overflow-wrap", &["normal", "break-word", "anywhere"], 1),
        "hyphens" => words("hyphens", &["none", "manual", "auto"], 1),
        "direction" => words("direction", &["ltr", "rtl"], 1),
        "unicode-bidi" => words("unicode-bidi", &["normal", "embed", "isolate", "plaintext"], 1),
        "visibility" => words("visibility", &["visible", "hidden", "collapse"], 1),
        "opacity" => Rule { number: Some((0.0, 1.0)), ..rule("opacity") },
        "list-style" | "list-style-type" => words("list-style", BULLETS, 2),
        "list-style-position" => words("list-style-position", &["inside", "outside"], 1),
        _ => return None,
    })
}

fn box_rule(name: &str) -> Option<Rule> {
    Some(match name {
        "width" => sizes("width", WIDE, 100.0, 1),
        // A wider one would only force a phone to scroll sideways.
        "min-width" => sizes("min-width", NARROW, 100.0, 1),
        "max-width" => sizes("max-width", WIDE, 100.0, 1),
        "height" => sizes("height", HIGH, 100.0, 1),
        "min-height" => sizes("min-height", HIGH, 100.0, 1),
        "max-height" => sizes("max-height", HIGH, 100.0, 1),
        "margin" => margin("margin", 4),
        "margin-top" => margin("margin-top", 1),
        "margin-right" => margin("margin-right", 1),
        "margin-bottom" => margin("margin-bottom", 1),
        "margin-left" => margin("margin-left", 1),
        "padding" => sizes("padding", 400.0, 100.0, 4),
        "padding-top" => sizes("padding-top", 400.0, 100.0, 1),
        "padding-right" => sizes("padding-right", 400.0, 100.0, 1),
        "padding-bottom" => sizes("padding-bottom", 400.0, 100.0, 1),
        "padding-left" => sizes("padding-left", 400.0, 100.0, 1),
        "border-spacing" => sizes("border-spacing", 100.0, 0.0, 2),
        "box-sizing" => words("box-sizing", &["border-box", "content-box"], 1),
        "overflow" | "overflow-x" | "overflow-y" => {
            words("overflow", &["visible", "hidden", "auto", "scroll"], 2)
        }
        "aspect-ratio" => Rule { number: Some((0.01, 100.0)), words: &["auto"], ..rule("aspect-ratio") },
        "object-fit" => words("object-fit", &["fill", "contain", "cover", "none", "scale-down"], 1),
        _ => return None,
    })
}

fn line_rule(name: &str) -> Option<Rule> {
    Some(match name {
        "border" => border("border"),
        "border-top" => border("border-top"),
        "border-right" => border("border-right"),
        "border-bottom" => border("border-bottom"),
        "border-left" => border("border-left"),
        "border-color" => Rule { most: 4, ..colour("border-color") },
        "border-top-color" => colour("border-top-color"),
        "border-right-color" => colour("border-right-color"),
        "border-bottom-color" => colour("border-bottom-color"),
        "border-left-color" => colour("border-left-color"),
        "border-style" => line_style("border-style"),
        "border-top-style" => line_style("border-top-style"),
        "border-right-style" => line_style("border-right-style"),
        "border-bottom-style" => line_style("border-bottom-style"),
        "border-left-style" => line_style("border-left-style"),
        "border-width" => line_width("border-width"),
        "border-top-width" => line_width("border-top-width"),
        "border-right-width" => line_width("border-right-width"),
        "border-bottom-width" => line_width("border-bottom-width"),
        "border-left-width" => line_width("border-left-width"),
        "border-radius" => radius("border-radius"),
        "border-top-left-radius" => radius("border-top-left-radius"),
        "border-top-right-radius" => radius("border-top-right-radius"),
        "border-bottom-left-radius" => radius("border-bottom-left-radius"),
        "border-bottom-right-radius" => radius("border-bottom-right-radius"),
        "border-collapse" => words("border-collapse", &["collapse", "separate"], 1),
        "outline" => words("outline", &["none"], 1),
        _ => return None,
    })
}

fn layout_rule(name: &str) -> Option<Rule> {
    Some(match name {
        "display" => words("display", DISPLAYS, 1),
        "float" => words("float", &["left", "right", "none"], 1),
        "clear" => words("clear", &["left", "right", "both", "none"], 1),
        "table-layout" => words("table-layout", &["auto", "fixed"], 1),
        "caption-side" => words("caption-side", &["top", "bottom"], 1),
        "empty-cells" => words("empty-cells", &["show", "hide"], 1),
        "vertical-align" => Rule {
            length: Some((-50.0, 50.0)),
            percent: 100.0,
            ..words(
                "vertical-align",
                &["top", "middle", "bottom", "baseline", "sub", "super", "text-top", "text-bottom"],
                1,
            )
        },
        "flex-direction" => words("flex-direction", &["row", "column", "row-reverse", "column-reverse"], 1),
        "flex-wrap" => words("flex-wrap", &["wrap", "nowrap", "wrap-reverse"], 1),
        "justify-content" => words("justify-content", PLACES, 1),
        "align-items" => words("align-items", PLACES, 1),
        "align-content" => words("align-content", PLACES, 1),
        "align-self" => words("align-self", PLACES, 1),
        "flex" => Rule { number: Some((0.0, 100.0)), most: 3, ..sizes("flex", WIDE, 100.0, 3) },
        "flex-grow" => Rule { number: Some((0.0, 100.0)), ..rule("flex-grow") },
        "flex-shrink" => Rule { number: Some((0.0, 100.0)), ..rule("flex-shrink") },
        "flex-basis" => sizes("flex-basis", WIDE, 100.0, 1),
        "gap" => sizes("gap", 400.0, 100.0, 2),
        "column-gap" => sizes("column-gap", 400.0, 100.0, 1),
        "row-gap" => sizes("row-gap", 400.0, 100.0, 1),
        _ => return None,
    })
}
