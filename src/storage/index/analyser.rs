//! Hands the words of `mail::words` to the search library, field by field in the way that suits it.

use crate::mail::address::canonical;
use crate::mail::words::for_each_word;
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// Between the parts of a value that has several: a person's name and address, a header's name and value.
pub(super) const SEPARATOR: char = '\0';
/// Longer words of headers are identifiers that nobody types.
const LONGEST_IN_HEADER: usize = 40;

/// How a field's text is read.
#[derive(Clone, Copy)]
pub(super) enum Reading {
    /// Word by word.
    Words,
    /// `name NUL address`: the words of both, the whole address, and its domains, each led by `@`.
    Person,
    /// `name NUL value NUL name NUL value …`: each name, and each name with each word of its value.
    Headers,
    /// As one term.
    Whole,
}

impl Reading {
    /// The name under which the library knows it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Person => "person",
            Self::Headers => "headers",
            Self::Whole => "whole",
        }
    }
}

/// One way of reading, with a token that is used again and again.
#[derive(Clone)]
pub(super) struct Analyser {
    reading: Reading,
    token: Token,
}

impl Analyser {
    /// An analyser for one way of reading.
    pub(super) fn new(reading: Reading) -> Self {
        Self { reading, token: Token::default() }
    }
}

impl Tokenizer for Analyser {
    type TokenStream<'a> = Stream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Stream<'a> {
        self.token.reset();
        self.token.position = 0;
        Stream { reading: self.reading, text, token: &mut self.token, pulled: None }
    }
}

/// The tokens of one value. The library has them pushed; pulled they come too, less cheaply.
pub(super) struct Stream<'a> {
    reading: Reading,
    text: &'a str,
    token: &'a mut Token,
    pulled: Option<std::vec::IntoIter<Token>>,
}

impl TokenStream for Stream<'_> {
    fn advance(&mut self) -> bool {
        if self.pulled.is_none() {
            let mut all = Vec::new();
            self.process(&mut |token| all.push(token.clone()));
            self.pulled = Some(all.into_iter());
        }
        match self.pulled.as_mut().and_then(Iterator::next) {
            Some(token) => {
                *self.token = token;
                true
            }
            None => false,
        }
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }

    fn process(&mut self, sink: &mut dyn FnMut(&Token)) {
        match self.reading {
            Reading::Words => push_words(self.token, self.text, sink),
            Reading::Person => push_person(self.token, self.text, sink),
            Reading::Headers => push_headers(self.token, self.text, sink),
            Reading::Whole => push(self.token, self.text, sink),
        }
    }
}

fn push(token: &mut Token, text: &str, sink: &mut dyn FnMut(&Token)) {
    token.text.clear();
    token.text.push_str(text);
    sink(token);
    token.position += 1;
}

fn push_words(token: &mut Token, text: &str, sink: &mut dyn FnMut(&Token)) {
    for_each_word(text, |word, _| push(token, word, sink));
}

fn push_person(token: &mut Token, text: &str, sink: &mut dyn FnMut(&Token)) {
    let (name, address) = text.split_once(SEPARATOR).unwrap_or((text, ""));
    push_words(token, name, sink);
    // No phrase goes on from the name into the address.
    token.position += 1;
    push_words(token, address, sink);
    token.position += 1;
    let address = canonical(address);
    let Some((_, domain)) = address.rsplit_once('@') else { return };
    push(token, &address, sink);
    for domain in domains(domain) {
        token.text.clear();
        token.text.push('@');
        token.text.push_str(domain);
        sink(token);
    }
}

/// A domain and those it lies in, but not the last label alone; no more of them than any real name has.
fn domains(domain: &str) -> impl Iterator<Item = &str> {
    let parents = domain.match_indices('.').filter_map(|(dot, _)| domain.get(dot + 1..));
    std::iter::once(domain).chain(parents.filter(|parent| parent.contains('.'))).take(10)
}

fn push_headers(token: &mut Token, text: &str, sink: &mut dyn FnMut(&Token)) {
    let mut parts = text.split(SEPARATOR);
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        token.text.clear();
        token.text.push_str(name);
        token.text.push(SEPARATOR);
        sink(token);
        let lead = token.text.len();
        for_each_word(value, |word, _| {
            if word.len() <= LONGEST_IN_HEADER {
                token.text.truncate(lead);
                token.text.push_str(word);
                sink(token);
            }
        });
    }
}

/// The term for a header's name alone, or with a word of its value; none for a word that is not indexed.
pub(super) fn header_term(name: &str, word: &str) -> Option<String> {
    (word.len() <= LONGEST_IN_HEADER).then(|| format!("{name}{SEPARATOR}{word}"))
}
