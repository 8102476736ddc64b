//! A query as text that reads back to the same tree, whenever and wherever it is read.

use std::fmt::{self, Display, Formatter, Write};

use super::time::instant_text;
use super::value::Field;
use super::{Kind, Leaf, PersonField, Query, TextField};

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_query(self, None, f)
    }
}

impl Display for Leaf {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_leaf(self, None, f)
    }
}

/// `inside` is the field whose parentheses this stands in.
fn write_query(query: &Query, inside: Option<&Field>, f: &mut Formatter<'_>) -> fmt::Result {
    let (all, between) = match query {
        Query::All => return f.write_char('*'),
        Query::Leaf(leaf) => return write_leaf(leaf, inside, f),
        Query::Not(not) => {
            // Two minus signs in a row would be refused.
            f.write_str(if matches!(**not, Query::Not(_)) { "NOT " } else { "-" })?;
            return write_child(not, inside, false, f);
        }
        Query::And(all) => (all, " "),
        Query::Or(all) => (all, " OR "),
    };
    if inside.is_none()
        && let Some(field) = common_field(query)
    {
        write_name(&field, f)?;
        f.write_char('(')?;
        write_query(query, Some(&field), f)?;
        return f.write_char(')');
    }
    for (index, child) in all.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        write_child(child, inside, matches!(query, Query::Or(_)), f)?;
    }
    Ok(())
}

fn write_child(child: &Query, inside: Option<&Field>, in_or: bool, f: &mut Formatter<'_>) -> fmt::Result {
    let is_list = match child {
        Query::And(_) => !in_or,
        Query::Or(_) => true,
        Query::All | Query::Not(_) | Query::Leaf(_) => false,
    };
    let brings_its_own = inside.is_none() && is_list && common_field(child).is_some();
    if !is_list || brings_its_own {
        return write_query(child, inside, f);
    }
    f.write_char('(')?;
    write_query(child, inside, f)?;
    f.write_char(')')
}

/// The one field that all conditions ask, if it can be written before parentheses.
fn common_field(query: &Query) -> Option<Field> {
    match query {
        Query::All => None,
        Query::Not(not) => common_field(not),
        Query::Leaf(leaf) => field_of(leaf),
        Query::And(all) | Query::Or(all) => {
            let mut fields = all.iter().map(common_field);
            let first = fields.next()??;
            fields.all(|field| field.as_ref() == Some(&first)).then_some(first)
        }
    }
}

fn field_of(leaf: &Leaf) -> Option<Field> {
    match leaf {
        Leaf::Text { field: TextField::Any, .. } => None,
        Leaf::Text { field, .. } => Some(Field::Text(*field)),
        Leaf::Person { field, .. } => Some(Field::Person(*field)),
        Leaf::Header { name, value } if !value.is_empty() => Some(Field::Header(name.clone())),
        _ => None,
    }
}

fn write_name(field: &Field, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str(match field {
        Field::Text(TextField::Any) => "",
        Field::Text(TextField::Subject) => "subject:",
        Field::Text(TextField::Body) => "body:",
        Field::Text(TextField::Filename) => "filename:",
        Field::Text(TextField::List) => "list:",
        Field::Person(PersonField::From) => "from:",
        Field::Person(PersonField::To) => "to:",
        Field::Person(PersonField::Cc) => "cc:",
        Field::Person(PersonField::Bcc) => "bcc:",
        Field::Person(PersonField::With) => "with:",
        Field::Header(name) => return write!(f, "header:{name}:"),
        Field::Tag => "tag:",
        Field::Account => "account:",
        Field::Folder => "folder:",
        Field::Thread => "thread:",
        Field::Id => "id:",
        Field::Is => "is:",
        Field::Has => "has:",
        Field::Before => "before:",
        Field::After => "after:",
        Field::Date => "date:",
        Field::Larger => "larger:",
        Field::Smaller => "smaller:",
    })
}

fn write_leaf(leaf: &Leaf, inside: Option<&Field>, f: &mut Formatter<'_>) -> fmt::Result {
    let field = match leaf {
        Leaf::Text { field, .. } => Field::Text(*field),
        Leaf::Person { field, .. } => Field::Person(*field),
        Leaf::Header { name, value } if value.is_empty() => return write!(f, "header:{name}"),
        Leaf::Header { name, .. } => Field::Header(name.clone()),
        Leaf::Tag(name) => return write_tag(name, f),
        Leaf::Account(_) => Field::Account,
        Leaf::Folder(_) => Field::Folder,
        Leaf::Thread(_) => Field::Thread,
        Leaf::InternetMessageId(_) => Field::Id,
        Leaf::Kind(kind) => return f.write_str(kind_text(*kind)),
        Leaf::Date { from, until } => return write_date(*from, *until, f),
        Leaf::Larger(_) => Field::Larger,
        Leaf::Smaller(_) => Field::Smaller,
    };
    if inside.is_none() {
        write_name(&field, f)?;
    }
    match leaf {
        Leaf::Text { text, prefix, .. } | Leaf::Person { text, prefix, .. } => {
            write_text(text, f)?;
            if *prefix { f.write_char('*') } else { Ok(()) }
        }
        Leaf::Larger(bytes) | Leaf::Smaller(bytes) => write_size(*bytes, f),
        Leaf::Header { value: text, .. }
        | Leaf::Account(text)
        | Leaf::Folder(text)
        | Leaf::Thread(text)
        | Leaf::InternetMessageId(text) => write_text(text, f),
        Leaf::Tag(_) | Leaf::Kind(_) | Leaf::Date { .. } => Ok(()),
    }
}

/// As it is where it reads back as it is, else in quotes.
fn write_text(text: &str, f: &mut Formatter<'_>) -> fmt::Result {
    let is_plain = text.starts_with(char::is_alphanumeric)
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | '+' | '\'' | '/'))
        && !matches!(text, "OR" | "AND" | "NOT");
    if is_plain {
        return f.write_str(text);
    }
    f.write_char('"')?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    f.write_char('"')
}

fn write_tag(name: &str, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str(match name {
        "unread" | "starred" | "replied" | "draft" | "sent" => "is:",
        "inbox" | "archive" | "spam" | "trash" => "in:",
        _ => "tag:",
    })?;
    write_text(name, f)
}

fn kind_text(kind: Kind) -> &'static str {
    match kind {
        Kind::Encrypted => "is:encrypted",
        Kind::Signed => "is:signed",
        Kind::Attachment => "has:attachment",
        Kind::Image => "has:image",
        Kind::Document => "has:document",
        Kind::Calendar => "has:calendar",
        Kind::Key => "has:key",
    }
}

fn write_date(from: Option<i64>, until: Option<i64>, f: &mut Formatter<'_>) -> fmt::Result {
    match (from, until) {
        (Some(from), Some(until)) => {
            write!(f, "date:{}..{}", instant_text(from), instant_text(until.saturating_sub(1)))
        }
        (Some(from), None) => write!(f, "after:{}", instant_text(from)),
        (None, Some(until)) => write!(f, "before:{}", instant_text(until)),
        (None, None) => f.write_char('*'),
    }
}

fn write_size(bytes: u64, f: &mut Formatter<'_>) -> fmt::Result {
    for (unit, letter) in [(1 << 30, 'G'), (1 << 20, 'M'), (1 << 10, 'k')] {
        if bytes > 0 && bytes.is_multiple_of(unit) {
            return write!(f, "{}{letter}", bytes / unit);
        }
    }
    write!(f, "{bytes}")
}
