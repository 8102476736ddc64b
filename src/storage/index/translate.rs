//! Turns a question of the search language into a query of the search library.

use super::analyser::header_term;
use super::document::kind_term;
use super::leaves::{Leaf as Set, Not};
use super::schema::Fields;
use crate::mail::address::canonical;
use crate::mail::query::{Leaf, PersonField, Query, TextField};
use crate::mail::words::words;
use roaring::RoaringBitmap;
use std::ops::Bound;
use std::sync::Arc;
use tantivy::Term;
use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, EmptyQuery, Occur, PhraseQuery, Query as Search, RangeQuery,
    TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

/// Resolves what the index does not know (tags, accounts, folders, threads, ids) to numbers; `None` if there is no such thing.
pub(super) type Sets<'a> = &'a dyn Fn(&Leaf) -> Option<Arc<RoaringBitmap>>;

/// Makes queries for one search.
pub(super) struct Translator<'a> {
    pub(super) fields: Fields,
    pub(super) sets: Sets<'a>,
    /// Whether the order is by relevance.
    pub(super) scoring: bool,
}

impl Translator<'_> {
    /// The library's form of `query`.
    pub(super) fn query(&self, query: &Query) -> Box<dyn Search> {
        match query {
            Query::All => Box::new(AllQuery),
            Query::And(parts) => all_of(parts.iter().map(|part| self.query(part)).collect()),
            Query::Or(parts) => any_of(parts.iter().map(|part| self.query(part)).collect()),
            Query::Not(inner) => match inner.as_ref() {
                Query::Not(inner) => self.query(inner),
                inner => Box::new(Not(Arc::from(self.query(inner)))),
            },
            Query::Leaf(leaf) => self.leaf(leaf),
        }
    }

    fn leaf(&self, leaf: &Leaf) -> Box<dyn Search> {
        match leaf {
            Leaf::Text { field, text, prefix } => self.text(*field, text, *prefix),
            Leaf::Person { field, text, prefix } => {
                let fields = self.person_fields(*field);
                any_of(fields.into_iter().map(|field| self.person(field, text, *prefix)).collect())
            }
            Leaf::Header { name, value } => self.header(name, value),
            Leaf::Kind(kind) => self.term(self.fields.kind, kind_term(*kind)),
            Leaf::Date { from, until } => self.date(*from, *until),
            Leaf::Larger(size) => {
                let term = Term::from_field_u64(self.fields.size, *size);
                Box::new(RangeQuery::new(Bound::Excluded(term), Bound::Unbounded))
            }
            Leaf::Smaller(size) => {
                let term = Term::from_field_u64(self.fields.size, *size);
                Box::new(RangeQuery::new(Bound::Unbounded, Bound::Excluded(term)))
            }
            Leaf::Tag(_)
            | Leaf::Account(_)
            | Leaf::Folder(_)
            | Leaf::Thread(_)
            | Leaf::InternetMessageId(_) => match (self.sets)(leaf) {
                Some(numbers) => Box::new(Set::Numbers(numbers)),
                None => Box::new(EmptyQuery),
            },
        }
    }

    fn text(&self, field: TextField, text: &str, prefix: bool) -> Box<dyn Search> {
        match field {
            TextField::Subject => self.phrase(self.fields.subject, text, prefix),
            TextField::Body => self.phrase(self.fields.body, text, prefix),
            TextField::Filename => self.phrase(self.fields.filename, text, prefix),
            TextField::List => self.phrase(self.fields.list, text, prefix),
            TextField::Any => {
                let meta = self.phrase(self.fields.meta, text, prefix);
                // A word in the subject or a name says more than one in a long body.
                let meta = if self.scoring { Box::new(BoostQuery::new(meta, 2.0)) } else { meta };
                any_of(vec![self.phrase(self.fields.body, text, prefix), meta])
            }
        }
    }

    /// The words of `text` one after the other; nothing if it has none.
    fn phrase(&self, field: Field, text: &str, prefix: bool) -> Box<dyn Search> {
        let mut words: Vec<String> = words(text).map(|word| word.text.into_owned()).collect();
        if prefix {
            let Some(last) = words.pop() else { return Box::new(EmptyQuery) };
            return Box::new(match words.is_empty() {
                true => Set::Prefix(field, last),
                false => Set::PhrasePrefix(field, words, last),
            });
        }
        match words.as_slice() {
            [] => Box::new(EmptyQuery),
            [word] => self.term(field, word),
            words => Box::new(PhraseQuery::new(
                words.iter().map(|word| Term::from_field_text(field, word)).collect(),
            )),
        }
    }

    fn term(&self, field: Field, text: &str) -> Box<dyn Search> {
        let record = if self.scoring { IndexRecordOption::WithFreqs } else { IndexRecordOption::Basic };
        Box::new(TermQuery::new(Term::from_field_text(field, text), record))
    }

    fn person_fields(&self, field: PersonField) -> Vec<Field> {
        let Fields { from, to, cc, bcc, .. } = self.fields;
        match field {
            PersonField::From => vec![from],
            PersonField::To => vec![to],
            PersonField::Cc => vec![cc],
            PersonField::Bcc => vec![bcc],
            PersonField::With => vec![from, to, cc, bcc],
        }
    }

    /// A whole address or `@domain` if there is an `@`; otherwise a domain, or words of the name or the address.
    fn person(&self, field: Field, text: &str, prefix: bool) -> Box<dyn Search> {
        let exact = |term: String| -> Box<dyn Search> {
            if prefix { Box::new(Set::Prefix(field, term)) } else { self.term(field, &term) }
        };
        let text = text.trim();
        if text.contains('@') {
            return exact(canonical(text));
        }
        let words = self.phrase(field, text, prefix);
        if text.contains('.') && !text.contains(char::is_whitespace) {
            let domain = exact(canonical(&format!("@{text}")));
            // Words are compared place by place only where the domain, which costs far less, did not settle it.
            let words = all_of(vec![Box::new(Not(Arc::from(domain.box_clone()))), words]);
            return any_of(vec![domain, words]);
        }
        words
    }

    fn header(&self, name: &str, value: &str) -> Box<dyn Search> {
        let has_words = words(value).next().is_some();
        if has_words {
            let person =
                |field| any_of(vec![self.phrase(field, value, false), self.person(field, value, false)]);
            match name {
                "subject" => return self.phrase(self.fields.subject, value, false),
                "from" => return person(self.fields.from),
                "to" => return person(self.fields.to),
                "cc" => return person(self.fields.cc),
                "bcc" => return person(self.fields.bcc),
                _ => {}
            }
        } else if !value.trim().is_empty() {
            return Box::new(EmptyQuery);
        }
        let mut terms = vec![header_term(name, "")];
        if has_words {
            terms = words(value).map(|word| header_term(name, &word.text)).collect();
        }
        let terms: Option<Vec<String>> = terms.into_iter().collect();
        match terms {
            Some(terms) => all_of(terms.iter().map(|term| self.term(self.fields.header, term)).collect()),
            None => Box::new(EmptyQuery),
        }
    }

    fn date(&self, from: Option<i64>, until: Option<i64>) -> Box<dyn Search> {
        let term = |seconds| Term::from_field_i64(self.fields.date, seconds);
        let lower = from.map_or(Bound::Unbounded, |from| Bound::Included(term(from)));
        let upper = until.map_or(Bound::Unbounded, |until| Bound::Excluded(term(until)));
        match (from, until) {
            (None, None) => Box::new(AllQuery),
            (Some(from), Some(until)) if from >= until => Box::new(EmptyQuery),
            _ => Box::new(RangeQuery::new(lower, upper)),
        }
    }
}

fn all_of(parts: Vec<Box<dyn Search>>) -> Box<dyn Search> {
    boolean(Occur::Must, parts)
}

fn any_of(parts: Vec<Box<dyn Search>>) -> Box<dyn Search> {
    boolean(Occur::Should, parts)
}

fn boolean(occur: Occur, mut parts: Vec<Box<dyn Search>>) -> Box<dyn Search> {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return only;
    }
    Box::new(BooleanQuery::new(parts.into_iter().map(|part| (occur, part)).collect()))
}
