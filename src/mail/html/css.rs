//! Style declarations: parsed to values (cssparser), held against the table of `properties`, and written anew. Nothing of
//! the sender's spelling survives but words made of letters, digits and hyphens.

use cssparser::{ParseError, Parser, Token};

use super::colour::{Colour, to_byte};
use super::hidden::Facts;
use super::properties;

/// A style attribute longer than this is not read.
const MAX_STYLE: usize = 32 << 10;
/// Declarations in one block beyond these are not read.
const MAX_DECLARATIONS: usize = 120;
/// Values in one declaration; more than these and it is left out.
const MAX_PIECES: usize = 24;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// A word in small letters.
    Word(String),
    /// What stood in quotation marks.
    Quoted(String),
    /// A plain number.
    Number(f32),
    /// Per cent.
    Percent(f32),
    /// A length and its unit.
    Length(f32, Unit),
    /// A colour that is not a word.
    Colour(Colour),
    /// `,`
    Comma,
    /// `/`
    Slash,
    /// An address to load something from.
    Address(String),
    /// Something that no declaration here may hold.
    Other(String),
}

/// A unit of length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Px,
    Em,
    Rem,
    Ex,
    Ch,
    Pt,
    Pc,
    In,
    Cm,
    Mm,
    Vw,
}

impl Unit {
    fn from_name(name: &str) -> Option<Self> {
        const NAMES: [(&str, Unit); 11] = [
            ("px", Unit::Px),
            ("em", Unit::Em),
            ("rem", Unit::Rem),
            ("ex", Unit::Ex),
            ("ch", Unit::Ch),
            ("pt", Unit::Pt),
            ("pc", Unit::Pc),
            ("in", Unit::In),
            ("cm", Unit::Cm),
            ("mm", Unit::Mm),
            ("vw", Unit::Vw),
        ];
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, unit)| *unit)
    }

    /// The unit's name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Px => "px",
            Self::Em => "em",
            Self::Rem => "rem",
            Self::Ex => "ex",
            Self::Ch => "ch",
            Self::Pt => "pt",
            Self::Pc => "pc",
            Self::In => "in",
            Self::Cm => "cm",
            Self::Mm => "mm",
            Self::Vw => "vw",
        }
    }

    /// About how many pixels one of it is.
    pub(super) const fn pixels(self) -> f32 {
        match self {
            Self::Px => 1.0,
            Self::Em | Self::Rem | Self::Pc => 16.0,
            Self::Ex | Self::Ch | Self::Vw => 8.0,
            Self::Pt => 4.0 / 3.0,
            Self::In => 96.0,
            Self::Cm => 37.8,
            Self::Mm => 3.78,
        }
    }
}

/// One declaration that may stand in a document of ours.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Declaration {
    pub(super) property: &'static str,
    pub(super) value: String,
    pub(super) important: bool,
    /// The colour, where that is all the value is, or the colour of a line: the dark page needs it.
    pub(super) colour: Option<Colour>,
}

/// What a block of declarations came to.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// The declarations that stay.
    pub(super) declarations: Vec<Declaration>,
    /// What they and the dropped ones say about being seen.
    pub(super) facts: Facts,
    /// The same for those marked important.
    pub(super) important: Facts,
    /// Addresses that the block wanted loaded.
    pub(super) addresses: Vec<String>,
}

/// Reads a style attribute.
pub(super) fn attribute(text: &str) -> Block {
    if text.len() > MAX_STYLE {
        return Block::default();
    }
    block(&mut Parser::new(text))
}

/// Reads declarations up to the end of the parser's input.
pub(super) fn block(input: &mut Parser<'_>) -> Block {
    let mut block = Block::default();
    for _ in 0..MAX_DECLARATIONS {
        if input.is_exhausted() {
            break;
        }
        // One that makes no sense ends at the next semicolon like any other, so there is nothing to do about it.
        let _outcome: Result<(), ParseError<()>> =
            input.parse_until_after(cssparser::Delimiter::Semicolon, |input| {
                let name = input.expect_ident()?.to_ascii_lowercase();
                input.expect_colon()?;
                declaration(&name, input, &mut block);
                Ok(())
            });
    }
    block
}

fn declaration(name: &str, input: &mut Parser<'_>, block: &mut Block) {
    let Some((pieces, important)) = pieces(input) else { return };
    if is_picture(name) {
        let addresses = pieces.iter().filter_map(|piece| match piece {
            Piece::Address(address) => Some(address.clone()),
            _ => None,
        });
        block.addresses.extend(addresses);
    }
    let facts = if important { &mut block.important } else { &mut block.facts };
    facts.read(name, &pieces);
    properties::declare(name, &pieces, important, &mut block.declarations);
}

fn is_picture(name: &str) -> bool {
    name.starts_with("background")
        || name.starts_with("list-style")
        || name.starts_with("border-image")
        || name == "content"
}

/// The values up to the end, and whether they are marked important.
fn pieces(input: &mut Parser<'_>) -> Option<(Vec<Piece>, bool)> {
    let mut pieces = Vec::new();
    while let Ok(token) = input.next() {
        let token = token.clone();
        if token == Token::Delim('!') {
            let important = input.expect_ident_matching("important").is_ok() && input.is_exhausted();
            return important.then_some((pieces, true));
        }
        if pieces.len() == MAX_PIECES {
            return None;
        }
        pieces.push(piece(&token, input));
    }
    Some((pieces, false))
}

fn piece(token: &Token<'_>, input: &mut Parser<'_>) -> Piece {
    match token {
        Token::Ident(name) if is_plain(name) => Piece::Word(name.to_ascii_lowercase()),
        Token::QuotedString(text) => Piece::Quoted(text.to_string()),
        Token::Hash(digits) | Token::IDHash(digits) => {
            Colour::from_hash(digits).map_or_else(|| Piece::Other(String::new()), Piece::Colour)
        }
        Token::Number { value, .. } if value.is_finite() => Piece::Number(*value),
        Token::Percentage { unit_value, .. } if unit_value.is_finite() => Piece::Percent(unit_value * 100.0),
        Token::Dimension { value, unit, .. } if value.is_finite() => Unit::from_name(unit)
            .map_or_else(|| Piece::Other(String::new()), |unit| Piece::Length(*value, unit)),
        Token::Comma => Piece::Comma,
        Token::Delim('/') => Piece::Slash,
        Token::UnquotedUrl(address) => Piece::Address(address.to_string()),
        Token::Function(name) => function(&name.to_ascii_lowercase(), input),
        _ => Piece::Other(String::new()),
    }
}

/// Whether a word is made of nothing that could mean more than a word, however it was written.
pub(super) fn is_plain(word: &str) -> bool {
    (1..=64).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn function(name: &str, input: &mut Parser<'_>) -> Piece {
    let inside: Result<Vec<Token<'_>>, ParseError<()>> = input.parse_nested_block(|input| {
        let mut tokens = Vec::new();
        while let Ok(token) = input.next() {
            if tokens.len() < MAX_PIECES {
                tokens.push(token.clone());
            }
        }
        Ok(tokens)
    });
    let Ok(tokens) = inside else { return Piece::Other(name.to_owned()) };
    let address = tokens.iter().find_map(|token| match token {
        Token::QuotedString(text) | Token::UnquotedUrl(text) => Some(text.to_string()),
        _ => None,
    });
    match (name, address) {
        ("rgb" | "rgba", _) => rgb(&tokens).map_or_else(|| Piece::Other(name.to_owned()), Piece::Colour),
        ("min", None) => held_length(&tokens).unwrap_or_else(|| Piece::Other(name.to_owned())),
        ("hsl" | "hsla", _) => hsl(&tokens).map_or_else(|| Piece::Other(name.to_owned()), Piece::Colour),
        // Any function that names a place wants something loaded: url(), image-set(), cross-fade() and what comes next.
        (_, Some(address)) => Piece::Address(address),
        _ => Piece::Other(name.to_owned()),
    }
}

/// The length in `min(100%, 600px)`, which is how a greatest width is written here.
fn held_length(tokens: &[Token<'_>]) -> Option<Piece> {
    let [Token::Percentage { unit_value: 1.0, .. }, Token::Comma, Token::Dimension { value, unit, .. }] =
        tokens
    else {
        return None;
    };
    Unit::from_name(unit).filter(|_| value.is_finite()).map(|unit| Piece::Length(*value, unit))
}

/// The numbers of a colour function, per cent as parts of `whole`.
fn numbers(tokens: &[Token<'_>]) -> Option<Vec<(f32, bool)>> {
    let mut numbers = Vec::new();
    for token in tokens {
        match token {
            Token::Number { value, .. } => numbers.push((*value, false)),
            Token::Percentage { unit_value, .. } => numbers.push((*unit_value, true)),
            Token::Dimension { value, unit, .. } if unit.eq_ignore_ascii_case("deg") => {
                numbers.push((*value, false));
            }
            Token::Comma | Token::Delim('/') => {}
            _ => return None,
        }
    }
    let sane = matches!(numbers.len(), 3 | 4) && numbers.iter().all(|(value, _)| value.is_finite());
    sane.then_some(numbers)
}

fn rgb(tokens: &[Token<'_>]) -> Option<Colour> {
    let numbers = numbers(tokens)?;
    let channel = |at: usize| {
        numbers.get(at).map(|(value, percent)| to_byte(if *percent { value * 255.0 } else { *value }))
    };
    let alpha = numbers.get(3).map_or(1.0, |(value, _)| *value);
    Some(Colour::opaque(channel(0)?, channel(1)?, channel(2)?).with_alpha(alpha))
}

fn hsl(tokens: &[Token<'_>]) -> Option<Colour> {
    let numbers = numbers(tokens)?;
    let part = |at: usize| {
        numbers.get(at).map(|(value, percent)| if *percent { *value } else { value / 100.0 }.clamp(0.0, 1.0))
    };
    let hue = numbers.first()?.0.rem_euclid(360.0);
    let alpha = numbers.get(3).map_or(1.0, |(value, _)| *value);
    Some(Colour::from_hsl(hue, part(1)?, part(2)?, 1.0).with_alpha(alpha))
}

/// Writes declarations as a style attribute or the inside of a rule.
pub(super) fn write(declarations: &[Declaration]) -> String {
    let mut text = String::new();
    for declaration in declarations {
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(declaration.property);
        text.push_str(": ");
        text.push_str(&declaration.value);
        if declaration.important {
            text.push_str(" !important");
        }
    }
    text
}

/// The declarations that turn coloured ones into their counterparts on a dark page; `force` marks them important, which
/// they must be to win over a style attribute.
pub(super) fn darkened(declarations: &[Declaration], force: bool) -> Vec<Declaration> {
    declarations
        .iter()
        .filter_map(|declaration| {
            let colour = declaration.colour?;
            let dark = match declaration.property {
                "color" => colour.dark_text(),
                "background-color" => colour.dark_ground(),
                _ => colour.dark_line(),
            };
            let property = match declaration.property {
                "border" => "border-color",
                "border-top" => "border-top-color",
                "border-right" => "border-right-color",
                "border-bottom" => "border-bottom-color",
                "border-left" => "border-left-color",
                same => same,
            };
            (dark != colour).then(|| Declaration {
                property,
                value: dark.to_css(),
                important: force || declaration.important,
                colour: Some(dark),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(style: &str) -> String {
        write(&attribute(style).declarations)
    }

    #[test]
    fn ordinary_styles_stay_and_are_written_one_way() {
        assert_eq!(
            clean("COLOR:Red;padding:0 10PX ; font:italic bold 12px/1.5 'Open Sans', Arial"),
            "color: #ff0000; padding: 0 10px; font-style: italic; font-weight: bold; font-size: 12px; \
             line-height: 1.5; font-family: \"Open Sans\", arial"
        );
        assert_eq!(clean("background:url(x.png) no-repeat #FFF"), "background-color: #ffffff");
        assert_eq!(clean("border:1px solid rgba(0,0,0,.5)"), "border: 1px solid rgba(0, 0, 0, 0.5)");
        assert_eq!(clean("margin:0 auto !important"), "margin: 0 auto !important");
    }

    #[test]
    fn nothing_that_loads_moves_or_covers_stays() {
        for style in [
            "background-image:url(//t.example/x)",
            "background:image-set('//t.example/x' 1x)",
            "background-image:image-set(var(--x,'//t.example'))",
            "back\\67round-image:\\75\\72\\6C(//t.example)",
            "list-style-image:url(x)",
            "content:'x'",
            "--x:url(//t.example)",
            "color:var(--x)",
            "width:attr(data-x px)",
            "position:fixed",
            "position:absolute;top:0;left:0;z-index:99999",
            "transform:scale(99)",
            "behavior:url(x.htc)",
            "-moz-binding:url(x.xml#y)",
            "width:expression(alert(1))",
            "cursor:url(//t.example/c), auto",
            "filter:url(#x)",
            "animation:x 1s",
            "background:url(/\\5c/t.example/)",
            "background:/* url( */Url(Url(//t.example))",
            "@import '//t.example'",
        ] {
            assert_eq!(clean(style), "", "{style}");
        }
    }

    #[test]
    fn sizes_are_held_within_bounds() {
        assert_eq!(clean("margin:-500px;width:99999px"), "margin: 0; width: 2000px");
        assert_eq!(clean("font-size:900px;width:900%"), "font-size: 120px; width: 100%");
        assert_eq!(clean("height:1e30px"), "height: 4000px");
    }

    #[test]
    fn writing_is_stable() {
        for style in [
            "color:hsl(210 50% 40% / 33%);width:12.3456em;opacity:.12345",
            "font-family:a\"b,'c<d'",
            "letter-spacing:.1em;border:thin dotted #abcd",
            "line-height:1.33333",
            "width:33.3333%",
        ] {
            let once = clean(style);
            assert_eq!(clean(&once), once);
        }
    }

    #[test]
    fn broken_declarations_do_not_swallow_the_next() {
        assert_eq!(clean("color:red;;x;:;width:(;color:blue"), "color: #ff0000");
        assert_eq!(clean("color;width:10px"), "width: 10px");
    }

    #[test]
    fn what_would_be_loaded_is_noted() {
        assert_eq!(attribute("background:url('https://t.example/x') red").addresses, ["https://t.example/x"]);
    }
}
