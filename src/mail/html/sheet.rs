//! Style sheets: parsed to rules, selectors and media queries of a few plain kinds, and written anew. A selector can see
//! what an element is and where it stands, never what the reader does.

use std::rc::Rc;

use super::css::{self, Block};
use super::selectors::{Selector, selector};
use cssparser::{
    AtRuleParser, CowRcStr, ParseError, Parser, ParserState, QualifiedRuleParser, StyleSheetParser, Token,
};

/// Style sheets of one message beyond this many bytes are not read.
const MAX_SHEET: usize = 512 << 10;
const MAX_RULES: usize = 4_000;
const MAX_SELECTORS: usize = 64;
/// How wide a page is on a desk and on a phone, when asking what a reader sees.
const DESK: f32 = 800.0;
const PHONE: f32 = 390.0;
/// The widest that a rule may make something on a phone without being told otherwise there.
const FITS: f32 = 320.0;
/// Up to which width a page counts as narrow.
pub(super) const NARROW_PAGE: &str = "@media (max-width: 640px)";

/// All style sheets of a message.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) rules: Vec<Rule>,
    read: usize,
}

/// A rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) selectors: Vec<Selector>,
    pub(super) block: Block,
    media: Option<Rc<Media>>,
}

/// The pages on which it is asked what a reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// Wide and light: what the text, the index and the first words go by.
    Desk,
    /// Narrow and light.
    Phone,
    /// Wide and dark.
    Dark,
}

impl Rule {
    /// Whether it holds on such a page.
    pub(super) fn holds(&self, view: View) -> bool {
        self.media.as_ref().is_none_or(|media| {
            media.queries.iter().any(|query| query.iter().all(|feature| feature.holds(view)))
        })
    }
}

/// When a rule holds: if one query does, and a query if all its features do.
#[derive(Debug, Default)]
struct Media {
    queries: Vec<Vec<Feature>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Feature {
    MinWidth(f32),
    MaxWidth(f32),
    Dark,
    Light,
}

impl Feature {
    fn holds(self, view: View) -> bool {
        let wide = if view == View::Phone { PHONE } else { DESK };
        match self {
            Self::MinWidth(width) => wide >= width,
            Self::MaxWidth(width) => wide <= width,
            Self::Dark => view == View::Dark,
            Self::Light => view != View::Dark,
        }
    }

    fn to_css(self) -> String {
        match self {
            Self::MinWidth(width) => format!("(min-width: {width}px)"),
            Self::MaxWidth(width) => format!("(max-width: {width}px)"),
            Self::Dark => "(prefers-color-scheme: dark)".to_owned(),
            Self::Light => "(prefers-color-scheme: light)".to_owned(),
        }
    }
}

impl Media {
    fn to_css(&self, dark: bool) -> Option<String> {
        let queries: Vec<String> = self
            .queries
            .iter()
            .filter(|query| dark || !query.contains(&Feature::Dark))
            .map(|query| match query.as_slice() {
                [] => "screen".to_owned(),
                features => features.iter().map(|feature| feature.to_css()).collect::<Vec<_>>().join(" and "),
            })
            .collect();
        (!queries.is_empty()).then(|| queries.join(", "))
    }
}

impl Sheet {
    /// Adds what a `style` element holds.
    pub(super) fn read(&mut self, text: &str) {
        self.read = self.read.saturating_add(text.len());
        if self.read > MAX_SHEET {
            return;
        }
        let mut parser = Parser::new(text);
        let mut reader = Reader { sheet: self, media: None };
        // Each rule adds itself; what is none is left out.
        for _rule in StyleSheetParser::new(&mut parser, &mut reader) {}
    }

    /// Whether style sheets were too long to be read whole.
    pub(super) const fn is_cut(&self) -> bool {
        self.read > MAX_SHEET || self.rules.len() >= MAX_RULES
    }

    /// Whether the message itself knows how to look on a dark page.
    pub(super) fn knows_dark(&self) -> bool {
        self.rules
            .iter()
            .filter_map(|rule| rule.media.as_ref())
            .any(|media| media.queries.iter().any(|query| query.contains(&Feature::Dark)))
    }

    /// The rules as CSS; those for a dark page only if `dark`.
    pub(super) fn to_css(&self, dark: bool) -> String {
        let mut css = String::new();
        for rule in &self.rules {
            write_rule(&mut css, rule, &rule.block.declarations, rule.media.as_deref(), dark);
        }
        // One that grew too long to be read again is not written.
        if css.len() > MAX_SHEET { String::new() } else { css }
    }

    /// Rules that give way on a narrow page where those of the message set a width wider than a phone. They stand before the
    /// message's own, so that what it says itself for narrow pages wins.
    pub(super) fn to_narrow_css(&self) -> String {
        let mut css = String::new();
        for rule in self.rules.iter().filter(|rule| rule.holds(View::Phone) && rule.media.is_none()) {
            let is_wide = |name: &str, pixels: Option<f32>| {
                pixels.is_some_and(|pixels| pixels > FITS)
                    && rule.block.declarations.iter().any(|declaration| declaration.property == name)
            };
            if is_wide("width", rule.block.facts.width.or(rule.block.important.width)) {
                let value = "auto".to_owned();
                let auto = css::Declaration { property: "width", value, important: true, colour: None };
                write_rule(&mut css, rule, &[auto], None, false);
            }
        }
        css
    }

    /// Rules that turn the colours of the others to their counterparts on a dark page.
    pub(super) fn to_dark_css(&self) -> String {
        let mut css = String::new();
        for rule in &self.rules {
            let mut media = Media { queries: vec![Vec::new()] };
            if let Some(own) = &rule.media {
                media.queries.clone_from(&own.queries);
            }
            media.queries.retain(|query| !query.contains(&Feature::Light));
            for query in &mut media.queries {
                query.push(Feature::Dark);
            }
            let dark = css::darkened(&rule.block.declarations, false);
            write_rule(&mut css, rule, &dark, Some(&media), true);
        }
        css
    }
}

fn write_rule(css: &mut String, rule: &Rule, what: &[css::Declaration], media: Option<&Media>, dark: bool) {
    if what.is_empty() || rule.selectors.is_empty() {
        return;
    }
    let condition = media.map(|media| media.to_css(dark));
    if condition == Some(None) {
        return;
    }
    let condition = condition.flatten();
    if let Some(condition) = &condition {
        css.push_str("@media ");
        css.push_str(condition);
        css.push_str(" { ");
    }
    let mut selectors: Vec<String> = Vec::new();
    for selector in &rule.selectors {
        selectors.push(selector.to_css());
        if selector.has_picture() {
            selectors.push(selector.to_placeholder_css());
        }
    }
    css.push_str(&selectors.join(", "));
    css.push_str(" { ");
    css.push_str(&css::write(what));
    css.push_str(if condition.is_some() { " } }\n" } else { " }\n" });
}

struct Reader<'s> {
    sheet: &'s mut Sheet,
    media: Option<Rc<Media>>,
}

type Failure = ParseError<()>;

impl<'i> QualifiedRuleParser<'i> for Reader<'_> {
    type Prelude = Vec<Selector>;
    type QualifiedRule = ();
    type Error = ();

    fn parse_prelude(&mut self, input: &mut Parser<'i>) -> Result<Vec<Selector>, Failure> {
        let mut selectors: Vec<Selector> = Vec::new();
        let mut room = MAX_SELECTORS;
        for selector in input.parse_comma_separated_ignoring_errors(selector) {
            // One about pictures is written twice, and comes back twice.
            let Some(left) = room.checked_sub(1 + usize::from(selector.has_picture())) else { break };
            if !selectors.contains(&selector) {
                selectors.push(selector);
                room = left;
            }
        }
        if selectors.is_empty() { Err(Failure::unexpected_token()) } else { Ok(selectors) }
    }

    fn parse_block(
        &mut self,
        selectors: Vec<Selector>,
        _start: &ParserState,
        input: &mut Parser<'i>,
    ) -> Result<(), Failure> {
        if self.sheet.rules.len() < MAX_RULES {
            let block = css::block(input);
            self.sheet.rules.push(Rule { selectors, block, media: self.media.clone() });
        }
        Ok(())
    }
}

impl<'i> AtRuleParser<'i> for Reader<'_> {
    type Prelude = Media;
    type AtRule = ();
    type Error = ();

    fn parse_prelude(&mut self, name: CowRcStr<'i>, input: &mut Parser<'i>) -> Result<Media, Failure> {
        if !name.eq_ignore_ascii_case("media") || self.media.is_some() {
            return Err(Failure::unexpected_token());
        }
        let mut queries = input.parse_comma_separated_ignoring_errors(query);
        queries.truncate(8);
        if queries.is_empty() { Err(Failure::unexpected_token()) } else { Ok(Media { queries }) }
    }

    fn parse_block(
        &mut self,
        media: Media,
        _start: &ParserState,
        input: &mut Parser<'i>,
    ) -> Result<(), Failure> {
        let mut inner = Reader { sheet: self.sheet, media: Some(Rc::new(media)) };
        for _rule in StyleSheetParser::new(input, &mut inner) {}
        Ok(())
    }
}

/// `screen and (max-width: 600px)` and its like. Anything else is an error, and its rules are left out.
fn query(input: &mut Parser<'_>) -> Result<Vec<Feature>, Failure> {
    let mut features = Vec::new();
    while let Ok(token) = input.next() {
        match token.clone() {
            Token::Ident(word) => {
                if !["only", "screen", "all", "and"].iter().any(|known| word.eq_ignore_ascii_case(known)) {
                    return Err(Failure::unexpected_token());
                }
            }
            Token::ParenthesisBlock if features.len() < 4 => {
                features.push(input.parse_nested_block(feature)?);
            }
            _ => return Err(Failure::unexpected_token()),
        }
    }
    Ok(features)
}

fn feature(input: &mut Parser<'_>) -> Result<Feature, Failure> {
    let name = input.expect_ident()?.to_ascii_lowercase();
    input.expect_colon()?;
    let value = input.next()?.clone();
    let width = match &value {
        Token::Dimension { value, unit, .. } if unit.eq_ignore_ascii_case("px") => Some(*value),
        Token::Dimension { value, unit, .. } if unit.eq_ignore_ascii_case("em") => Some(value * 16.0),
        Token::Number { value: 0.0, .. } => Some(0.0),
        _ => None,
    };
    let width = width
        .filter(|width| width.is_finite())
        .map(|width| (width.clamp(0.0, 10_000.0) * 100.0).round() / 100.0);
    match (name.as_str(), width, &value) {
        ("min-width" | "min-device-width", Some(width), _) => Ok(Feature::MinWidth(width)),
        ("max-width" | "max-device-width", Some(width), _) => Ok(Feature::MaxWidth(width)),
        ("prefers-color-scheme", None, Token::Ident(word)) if word.eq_ignore_ascii_case("dark") => {
            Ok(Feature::Dark)
        }
        ("prefers-color-scheme", None, Token::Ident(word)) if word.eq_ignore_ascii_case("light") => {
            Ok(Feature::Light)
        }
        _ => Err(Failure::unexpected_token()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(css: &str) -> String {
        let mut sheet = Sheet::default();
        sheet.read(css);
        sheet.to_css(true)
    }

    #[test]
    fn plain_rules_stay_under_names_of_their_own() {
        assert_eq!(
            clean("<!-- .a, #b > td.c:hover, a:link{color:red} TABLE  TD+p{padding:1px} -->"),
            ".c-a, a:link { color: #ff0000 }\ntable td + p { padding: 1px }\n"
        );
        assert_eq!(clean("*[class=\"wide\"]{width:100%!important}"), "*.c-wide { width: 100% !important }\n");
    }

    #[test]
    fn only_plain_media_queries_stay() {
        assert_eq!(
            clean("@media only screen and (max-width:600px){.a{width:100%}} @media print{p{color:red}}"),
            "@media (max-width: 600px) { .c-a { width: 100% } }\n"
        );
        assert_eq!(
            clean("@media (prefers-color-scheme:dark){p{color:#fff}}"),
            "@media (prefers-color-scheme: dark) { p { color: #ffffff } }\n"
        );
        assert_eq!(
            clean("@media (min-resolution:2dppx), screen{p{color:#fff}}"),
            "@media screen { p { color: #ffffff } }\n"
        );
    }

    #[test]
    fn nothing_that_loads_or_watches_stays() {
        for css in [
            "@import url(//t.example/x.css);",
            "@font-face{font-family:x;src:url(//t.example/x)}",
            "@keyframes x{from{color:red}}",
            "@supports (color:red){p{color:red}}",
            "@layer a{p{color:red}}",
            "@namespace x url(//t.example);",
            "@property --x{syntax:'*'}",
            "input[value^=a]{color:red}",
            "a:visited{color:red}",
            "p:has(a){color:red}",
            ":focus{color:red}",
            "p:checked{color:red}",
            "p::before{content:url(//t.example)}",
            "a[href^='https']{color:red}",
            "p:not(.x){color:red}",
            ":root{--x:url(//t.example)}",
            "\\3c/style>{color:red}",
        ] {
            assert_eq!(clean(css), "", "{css}");
        }
    }

    #[test]
    fn writing_is_stable() {
        let once = clean(
            ".a .b>#c~d , p.x:first-child{COLOR:RED;font:12px 'x y',z}@media screen and (min-width:10em),all{td{width:3%}}",
        );
        assert_eq!(clean(&once), once);
    }
}
