//! Selectors of a few plain kinds: what an element is and where it stands.

use cssparser::{ParseError, Parser, Token};
use html5ever::{LocalName, local_name};

use super::classes::BLOCKED;
use super::css;
use super::elements;

/// Parts of one selector, and classes of one part.
const MAX_COMPOUNDS: usize = 8;
/// How a style sheet of ours speaks of a picture's placeholder.
const PLACEHOLDER: &str = "bdi.mk-blocked";
/// Prefix of what was a class.
pub(super) const CLASS: &str = "c-";
/// Prefix of what was an id.
pub(super) const ID: &str = "i-";

type Failure = ParseError<()>;

/// How two compounds stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Combinator {
    Descendant,
    Child,
    Next,
    Later,
}

impl Combinator {
    const fn to_css(self) -> &'static str {
        match self {
            Self::Descendant => " ",
            Self::Child => " > ",
            Self::Next => " + ",
            Self::Later => " ~ ",
        }
    }
}

/// One element's part of a selector.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Compound {
    pub(super) element: Option<LocalName>,
    any: bool,
    pub(super) classes: Vec<String>,
    pub(super) first: bool,
    pub(super) last: bool,
    pub(super) link: bool,
}

impl Compound {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The same for a picture's placeholder.
    fn to_placeholder_css(&self) -> String {
        self.to_css().replacen("img", PLACEHOLDER, 1)
    }

    fn to_css(&self) -> String {
        let mut text = match &self.element {
            Some(element) => element.to_string(),
            None if self.any => "*".to_owned(),
            None => String::new(),
        };
        for class in &self.classes {
            text.push('.');
            text.push_str(class);
        }
        for (set, pseudo) in [(self.link, ":link"), (self.first, ":first-child"), (self.last, ":last-child")]
        {
            if set {
                text.push_str(pseudo);
            }
        }
        text
    }
}

/// A selector; each compound with how it stands to the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selector {
    pub(super) compounds: Vec<(Combinator, Compound)>,
}

impl Selector {
    /// The weight of the cascade.
    pub(super) fn weight(&self) -> usize {
        self.compounds
            .iter()
            .map(|(_, compound)| {
                let narrow =
                    usize::from(compound.link) + usize::from(compound.first) + usize::from(compound.last);
                100 * (compound.classes.len() + narrow) + usize::from(compound.element.is_some())
            })
            .sum()
    }

    /// Whether it is about pictures, which may have a placeholder in their place.
    pub(super) fn has_picture(&self) -> bool {
        self.compounds.iter().any(|(_, compound)| compound.element == Some(local_name!("img")))
    }

    /// As CSS.
    pub(super) fn to_css(&self) -> String {
        let mut text = String::new();
        for (combinator, compound) in &self.compounds {
            if !text.is_empty() {
                text.push_str(combinator.to_css());
            }
            text.push_str(&compound.to_css());
        }
        text
    }

    /// What is said of a picture, said of its placeholder.
    pub(super) fn to_placeholder_css(&self) -> String {
        let mut text = String::new();
        for (combinator, compound) in &self.compounds {
            if !text.is_empty() {
                text.push_str(combinator.to_css());
            }
            let is_picture = compound.element == Some(local_name!("img"));
            text.push_str(&if is_picture { compound.to_placeholder_css() } else { compound.to_css() });
        }
        text
    }
}

/// The name in our document of a class or id of the message, so that it can never meet one of ours.
pub(super) fn own_name(prefix: &str, name: &str) -> Option<String> {
    if !css::is_plain(name) {
        return None;
    }
    let is_own = name.starts_with(CLASS) || name.starts_with(ID);
    Some(if is_own { name.to_owned() } else { format!("{prefix}{name}") }).filter(|name| css::is_plain(name))
}

/// Reads one selector.
pub(super) fn selector(input: &mut Parser<'_>) -> Result<Selector, Failure> {
    let mut compounds = Vec::new();
    let mut compound = Compound::default();
    let mut combinator = Combinator::Descendant;
    input.skip_whitespace();
    while let Ok(token) = input.next_including_whitespace() {
        let stands = match token.clone() {
            Token::WhiteSpace(_) => Some(Combinator::Descendant),
            Token::Delim('>') => Some(Combinator::Child),
            Token::Delim('+') => Some(Combinator::Next),
            Token::Delim('~') => Some(Combinator::Later),
            token => {
                simple(&token, input, &mut compound)?;
                None
            }
        };
        if let Some(stands) = stands {
            if !compound.is_empty() {
                compounds.push((combinator, std::mem::take(&mut compound)));
                combinator = stands;
            } else if stands != Combinator::Descendant {
                if compounds.is_empty() || combinator != Combinator::Descendant {
                    return Err(Failure::unexpected_token());
                }
                combinator = stands;
            }
        }
    }
    if compound.is_empty() {
        if combinator != Combinator::Descendant {
            return Err(Failure::unexpected_token());
        }
    } else {
        compounds.push((combinator, compound));
    }
    if compounds.is_empty() || compounds.len() > MAX_COMPOUNDS {
        return Err(Failure::unexpected_token());
    }
    Ok(Selector { compounds })
}

fn simple(token: &Token<'_>, input: &mut Parser<'_>, compound: &mut Compound) -> Result<(), Failure> {
    match token {
        Token::Ident(name) if compound.is_empty() => {
            let name = LocalName::from(name.to_ascii_lowercase());
            let known = elements::is_kept(&name) || matches!(&*name, "html" | "body");
            if !known {
                return Err(Failure::unexpected_token());
            }
            // Ours: a placeholder is only spoken of as one.
            compound.element = Some(if name == local_name!("bdi") { placeholder(input)? } else { name });
        }
        Token::Delim('*') if compound.is_empty() => compound.any = true,
        Token::Delim('.') => match input.next_including_whitespace()?.clone() {
            Token::Ident(name) => add_class(compound, CLASS, &name)?,
            _ => return Err(Failure::unexpected_token()),
        },
        Token::IDHash(name) => add_class(compound, ID, name)?,
        Token::Colon => match input.next_including_whitespace()?.clone() {
            Token::Ident(name) if name.eq_ignore_ascii_case("link") => compound.link = true,
            Token::Ident(name) if name.eq_ignore_ascii_case("first-child") => compound.first = true,
            Token::Ident(name) if name.eq_ignore_ascii_case("last-child") => compound.last = true,
            _ => return Err(Failure::unexpected_token()),
        },
        // Old templates write [class=x] where they mean .x
        Token::SquareBracketBlock => input.parse_nested_block(|input| {
            let prefix = match &*input.expect_ident()?.to_ascii_lowercase() {
                "class" => CLASS,
                "id" => ID,
                _ => return Err(Failure::unexpected_token()),
            };
            match input.next()? {
                Token::Delim('=') | Token::IncludeMatch => {}
                _ => return Err(Failure::unexpected_token()),
            }
            let name = input.expect_ident_or_string()?.clone();
            add_class(compound, prefix, &name)
        })?,
        _ => return Err(Failure::unexpected_token()),
    }
    Ok(())
}

/// The class that must follow the name of a placeholder's element, which is then read as the picture it stands for.
fn placeholder(input: &mut Parser<'_>) -> Result<LocalName, Failure> {
    let dot = input.next_including_whitespace()?.clone();
    match (dot, input.next_including_whitespace()?.clone()) {
        (Token::Delim('.'), Token::Ident(class)) if &*class == BLOCKED => Ok(local_name!("img")),
        _ => Err(Failure::unexpected_token()),
    }
}

fn add_class(compound: &mut Compound, prefix: &str, name: &str) -> Result<(), Failure> {
    if compound.classes.len() >= MAX_COMPOUNDS {
        return Err(Failure::unexpected_token());
    }
    compound.classes.push(own_name(prefix, name).ok_or_else(Failure::unexpected_token)?);
    Ok(())
}
