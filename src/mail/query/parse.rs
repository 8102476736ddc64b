//! The grammar: a parser that goes down from OR over AND and NOT to single terms, never deeper than it may.

use super::time::Now;
use super::value::{Field, NAMES, Value, field, leaf, shortened};
use super::{Leaf, Query, QueryError, TextField};

/// So many characters a query may have.
pub const MAX_CHARS: usize = 4096;
/// So many parentheses and negations may stand inside each other.
pub const MAX_DEPTH: usize = 50;

/// Reads a query; `now` and the owner's distance from UTC say what `today` and `2024-05` mean.
///
/// # Errors
/// Says what cannot be understood, and where.
pub fn parse(text: &str, now: i64, offset_seconds: i32) -> Result<Query, QueryError> {
    let chars: Vec<char> = text.chars().take(MAX_CHARS.saturating_add(1)).collect();
    let mut parser = Parser { chars, at: 0, now: Now::new(now, offset_seconds) };
    if parser.chars.len() > MAX_CHARS {
        return fail(MAX_CHARS, format!("the query goes on for more than {MAX_CHARS} characters"));
    }
    parser.skip_blanks();
    if parser.peek().is_none() {
        return fail(0, "nothing is asked for; `*` is everything");
    }
    let query = parser.any_of(None, 0)?;
    match parser.peek() {
        None => Ok(query),
        Some(_) => fail(parser.at, NEVER_OPENED),
    }
}

fn fail<T>(at: usize, message: impl Into<String>) -> Result<T, QueryError> {
    Err(QueryError { at, message: message.into() })
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    now: Now,
}

impl Parser {
    /// `a b OR c`, up to the end or a closing parenthesis.
    fn any_of(&mut self, field: Option<&Field>, depth: usize) -> Result<Query, QueryError> {
        let mut any = vec![self.all_of(field, depth)?];
        while self.take_keyword("OR") {
            any.push(self.all_of(field, depth)?);
        }
        Ok(unless_alone(any, Query::Or))
    }

    /// `a b c`, up to an OR, the end or a closing parenthesis.
    fn all_of(&mut self, field: Option<&Field>, depth: usize) -> Result<Query, QueryError> {
        let mut all = Vec::new();
        loop {
            self.skip_blanks();
            let at = self.at;
            if !all.is_empty() && self.take_keyword("AND") {
                self.skip_blanks();
                if self.is_at_end_of_all() || self.is_keyword("AND") {
                    return fail(at, "`AND` has nothing after it");
                }
            }
            if self.is_at_end_of_all() {
                break;
            }
            all.push(self.term(field, depth)?);
        }
        if all.is_empty() {
            return fail(self.at, self.what_is_missing());
        }
        Ok(unless_alone(all, Query::And))
    }

    fn is_at_end_of_all(&self) -> bool {
        matches!(self.peek(), None | Some(')')) || self.is_keyword("OR")
    }

    fn what_is_missing(&self) -> &'static str {
        let before = self.chars.get(..self.at).unwrap_or_default();
        let before = before.iter().rev().find(|c| !c.is_whitespace());
        match (before, self.peek()) {
            (Some('('), Some(')')) => "there is nothing in these parentheses",
            (Some('('), None) => NEVER_CLOSED,
            (None, Some(')')) => NEVER_OPENED,
            (None | Some('('), _) => "`OR` has nothing before it",
            _ => "`OR` has nothing after it",
        }
    }

    /// One term with what negates it.
    fn term(&mut self, field: Option<&Field>, depth: usize) -> Result<Query, QueryError> {
        let at = self.at;
        if depth > MAX_DEPTH {
            return fail(at, format!("this is nested more than {MAX_DEPTH} deep"));
        }
        let inside = depth.saturating_add(1);
        if self.take_keyword("NOT") {
            self.skip_blanks();
            if self.is_at_end_of_all() || self.is_keyword("AND") {
                return fail(at, "`NOT` has nothing after it");
            }
            return Ok(Query::Not(Box::new(self.term(field, inside)?)));
        }
        if self.is_keyword("AND") {
            return fail(at, "`AND` has nothing before it");
        }
        match self.peek() {
            Some('-') => {
                self.skip(1);
                match self.peek() {
                    Some('-') => fail(
                        at,
                        "there are several minus signs here; put in quotes what is to be found as it stands",
                    ),
                    Some(c) if !c.is_whitespace() && c != ')' => {
                        Ok(Query::Not(Box::new(self.term(field, inside)?)))
                    }
                    _ => {
                        fail(at, "a minus sign stands alone here; it belongs right before what is not wanted")
                    }
                }
            }
            Some('(') => self.group(field, inside),
            Some(c) if is_opening_quote(c) => self.value_of(field.unwrap_or(&ANY)),
            _ => self.word(field),
        }
    }

    /// `(…)`; a field before it goes for everything inside.
    fn group(&mut self, field: Option<&Field>, depth: usize) -> Result<Query, QueryError> {
        let opened_at = self.at;
        self.skip(1);
        self.skip_blanks();
        if self.peek().is_none() {
            return fail(opened_at, NEVER_CLOSED);
        }
        let query = self.any_of(field, depth)?;
        if self.peek() != Some(')') {
            return fail(opened_at, NEVER_CLOSED);
        }
        self.skip(1);
        Ok(query)
    }

    /// A word, or a field with its value.
    fn word(&mut self, group_field: Option<&Field>) -> Result<Query, QueryError> {
        let at = self.at;
        let Some(name) = self.field_name() else {
            if group_field.is_none() && self.is_all() {
                self.skip(1);
                return Ok(Query::All);
            }
            return self.value_of(group_field.unwrap_or(&ANY));
        };
        if group_field.is_some() {
            return fail(
                at,
                format!("`{}:` stands inside the parentheses of another field", shortened(&name)),
            );
        }
        self.skip(name.chars().count().saturating_add(1));
        let known = if name.eq_ignore_ascii_case("header") {
            match self.header_name()? {
                (header, true) => Field::Header(header),
                (name, false) => return Ok(Query::Leaf(Leaf::Header { name, value: String::new() })),
            }
        } else {
            match field(&name) {
                Some(known) => known,
                None => return fail(at, unknown(&name)),
            }
        };
        match self.peek() {
            None | Some(')') => fail(at, missing_value(&name)),
            Some(c) if c.is_whitespace() => fail(at, missing_value(&name)),
            // Not counted as a level: there can be no second one inside.
            Some('(') => self.group(Some(&known), 0),
            Some('-') if matches!(known, Field::Text(_) | Field::Person(_)) => {
                fail(self.at, format!("the minus sign belongs before the field: `-{}:`", shortened(&name)))
            }
            Some(_) => self.value_of(&known),
        }
    }

    /// The name before a colon, unless what stands there is an address of the web, a time of day or the like.
    fn field_name(&self) -> Option<String> {
        let rest = self.chars.get(self.at..)?;
        let is_name = |c: &&char| c.is_alphanumeric() || matches!(c, '-' | '_');
        let name: String = rest.iter().take_while(is_name).collect();
        if !name.starts_with(char::is_alphabetic) {
            return None;
        }
        let after = rest.get(name.chars().count()..)?;
        let (colon, after) = after.split_first()?;
        if *colon != ':' {
            return None;
        }
        let is_known = field(&name).is_some() || name.eq_ignore_ascii_case("header");
        let is_text = match after {
            ['/', '/', ..] | [':', ..] => true,
            ['\\' | '/', ..] => name.len() == 1,
            _ => matches!(name.to_ascii_lowercase().as_str(), "mailto" | "tel" | "urn"),
        };
        (is_known || !is_text).then_some(name)
    }

    /// The name after `header:`, and whether a value follows.
    fn header_name(&mut self) -> Result<(String, bool), QueryError> {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        let is_name = |c: &&char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name: String = rest.iter().take_while(is_name).map(char::to_ascii_lowercase).collect();
        if name.is_empty() {
            return fail(self.at, "`header:` wants the name of a header, as in `header:List-Id:garden`");
        }
        self.skip(name.len());
        let ends = |c: Option<char>| c.is_none_or(|c| c.is_whitespace() || c == ')');
        if self.peek() == Some(':') {
            self.skip(1);
            return Ok((name, !ends(self.peek())));
        }
        if !ends(self.peek()) {
            return fail(self.at, "this cannot stand in the name of a header");
        }
        Ok((name, false))
    }

    /// What is asked of a field: words up to a blank, or a phrase in quotes.
    fn value_of(&mut self, field: &Field) -> Result<Query, QueryError> {
        let at = self.at;
        let value = match self.peek() {
            Some(c) if is_opening_quote(c) => self.phrase(c)?,
            _ => self.bare(field)?,
        };
        match leaf(field, value, self.now) {
            Ok(leaf) => Ok(Query::Leaf(leaf)),
            Err(message) => fail(at, message),
        }
    }

    fn bare(&mut self, field: &Field) -> Result<Value, QueryError> {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        let text: String = rest.iter().take_while(|c| !is_delimiter(**c)).collect();
        let length = text.chars().count();
        // These names are another's to choose, and may hold a star.
        if matches!(field, Field::Id | Field::Folder | Field::Account) {
            self.skip(length);
            return Ok(Value { text, prefix: false });
        }
        if let Some(star) = text.chars().position(|c| c == '*')
            && star.saturating_add(1) != length
        {
            return fail(self.at.saturating_add(star), STAR_AT_END);
        }
        self.skip(length);
        Ok(match text.strip_suffix('*') {
            Some(start) => Value { text: start.to_owned(), prefix: true },
            None => Value { text, prefix: false },
        })
    }

    /// `"…"`, in which `\"` is a quotation mark and `\\` a backslash; after it perhaps `*`.
    fn phrase(&mut self, opening: char) -> Result<Value, QueryError> {
        let opened_at = self.at;
        self.skip(1);
        let mut text = String::new();
        loop {
            let Some(c) = self.peek() else {
                return fail(opened_at, "a quotation mark is opened here but never closed");
            };
            self.skip(1);
            match (c, self.peek()) {
                ('\\', Some(escaped @ ('"' | '\\'))) => {
                    text.push(escaped);
                    self.skip(1);
                }
                ('"', _) if opening == '"' => break,
                ('“' | '”', _) if opening != '"' => break,
                _ => text.push(c),
            }
        }
        let prefix = self.peek() == Some('*');
        if prefix {
            self.skip(1);
            if self.peek().is_some_and(|c| !is_delimiter(c)) {
                return fail(self.at.saturating_sub(1), STAR_AT_END);
            }
        }
        Ok(Value { text, prefix })
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.skip(1);
        }
    }

    /// Whether a word in capitals stands here by itself.
    fn is_keyword(&self, keyword: &str) -> bool {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        let is_here = keyword.chars().eq(rest.iter().take(keyword.len()).copied());
        is_here && rest.get(keyword.len()).is_none_or(|c| is_delimiter(*c))
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let is_here = self.is_keyword(keyword);
        if is_here {
            self.skip(keyword.len());
        }
        is_here
    }

    fn is_all(&self) -> bool {
        self.peek() == Some('*') && self.chars.get(self.at.saturating_add(1)).is_none_or(|c| is_delimiter(*c))
    }
}

const ANY: Field = Field::Text(TextField::Any);
const NEVER_OPENED: &str = "a parenthesis is closed here that was never opened";
const NEVER_CLOSED: &str = "a parenthesis is opened here but never closed";
const STAR_AT_END: &str = "`*` can only stand at the end of a word";

fn unless_alone(mut list: Vec<Query>, of: fn(Vec<Query>) -> Query) -> Query {
    match list.pop() {
        Some(only) if list.is_empty() => only,
        last => {
            list.extend(last);
            of(list)
        }
    }
}

fn is_opening_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„')
}

/// What ends a word that is not in quotes.
pub(super) fn is_delimiter(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')') || is_opening_quote(c)
}

fn unknown(name: &str) -> String {
    format!(
        "there is no field `{}`; there are {NAMES}; put in quotes what is to be found as it stands",
        shortened(name)
    )
}

fn missing_value(name: &str) -> String {
    format!("`{}:` wants something right after the colon", shortened(name))
}
