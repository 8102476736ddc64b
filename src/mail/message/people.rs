//! Address lists as they occur (RFC 5322 §3.4 and worse): names, addresses, groups, comments.

use super::encoded::Ahead;
use super::{charset, encoded};
use crate::mail::address::Person;

/// At most so many people of one list are kept.
const PEOPLE_MAX: usize = 5000;
/// At most so many bytes of one list are read.
const LIST_MAX: usize = 1 << 20;
/// What is longer is no address.
const ADDRESS_MAX: usize = 1000;

/// Reads a list of people; never fails. Group names are left out, their members kept. `near` as in
/// [`encoded::decode`].
pub(in crate::mail) fn parse(raw: &[u8], near: Option<&str>) -> Vec<Person> {
    let raw = encoded::unfold(raw.get(..LIST_MAX).unwrap_or(raw));
    let mut reader = Reader {
        near,
        entry: Entry::default(),
        people: Vec::new(),
        word_end: Ahead::of(b"?="),
        group_end: Ahead::of(b";"),
    };
    let mut rest: &[u8] = &raw;
    while let Some(after) = reader.step(rest) {
        if reader.people.len() >= PEOPLE_MAX {
            return reader.people;
        }
        rest = after;
    }
    reader.finish_entry();
    reader.people
}

/// What was read of one person so far.
#[derive(Default)]
struct Entry {
    /// Words before the angle bracket, quotes taken off.
    phrase: Vec<u8>,
    /// The same with quotes on, in case it turns out to be the address itself.
    bare: Vec<u8>,
    angle: Option<Vec<u8>>,
    comment: Vec<u8>,
}

impl Entry {
    fn is_blank(&self) -> bool {
        self.angle.as_ref().is_none_or(Vec::is_empty)
            && [&self.phrase, &self.bare, &self.comment].iter().all(|it| it.trim_ascii().is_empty())
    }
}

struct Reader<'a> {
    near: Option<&'a str>,
    entry: Entry,
    people: Vec<Person>,
    word_end: Ahead,
    group_end: Ahead,
}

impl Reader<'_> {
    /// Takes one token off `rest`.
    fn step<'b>(&mut self, rest: &'b [u8]) -> Option<&'b [u8]> {
        let (&byte, after) = rest.split_first()?;
        match byte {
            b'"' => {
                let (text, after) = quoted(after);
                self.entry.phrase.extend_from_slice(&text);
                let whole = rest.len() - after.len();
                self.entry.bare.extend_from_slice(rest.get(..whole).unwrap_or_default());
                return Some(after);
            }
            b'(' => {
                let (text, after) = comment(after);
                self.entry.comment.extend_from_slice(&text);
                return Some(after);
            }
            b'<' => {
                if self.entry.angle.is_some() {
                    self.finish_entry();
                }
                let (address, after) = angle(after);
                self.entry.angle = Some(address.to_vec());
                return Some(after);
            }
            b',' | b';' => self.finish_entry(),
            b':' if self.ends_group_name(after) => self.entry = Entry::default(),
            b'=' if after.first() == Some(&b'?') && self.word_end.is_in(rest) => {
                if let Some(length) = encoded::word_length(rest)
                    && let (Some(word), Some(after)) = (rest.get(..length), rest.get(length..))
                {
                    self.entry.phrase.extend_from_slice(word);
                    self.entry.bare.extend_from_slice(word);
                    return Some(after);
                }
                self.push(byte);
            }
            byte => self.push(byte),
        }
        Some(after)
    }

    fn push(&mut self, byte: u8) {
        self.entry.phrase.push(byte);
        self.entry.bare.push(byte);
    }

    /// `Friends: alice@…, bob@…;`: there is a name without an address, and the group has an end.
    fn ends_group_name(&mut self, after: &[u8]) -> bool {
        // A name is not long, and it is looked at once for every colon.
        let name = self.entry.bare.get(..200).unwrap_or(&self.entry.bare).trim_ascii();
        if self.entry.angle.is_some() || name.contains(&b'@') || name.len() >= 200 {
            return false;
        }
        self.group_end.is_in(after) || name.eq_ignore_ascii_case(b"mailto")
    }

    fn finish_entry(&mut self) {
        if self.entry.is_blank() {
            self.entry.angle = None;
            return;
        }
        let entry = std::mem::take(&mut self.entry);
        let text = |bytes: &[u8]| name(&encoded::decode(bytes, self.near));
        let (mut name, address) = match &entry.angle {
            Some(angle) => (text(&entry.phrase), self.address(angle)),
            None => match split_bare(&entry.bare) {
                Some((address, others)) => (text(&others), self.address(address)),
                None => (text(&entry.phrase), String::new()),
            },
        };
        if name.is_empty() {
            name = text(&entry.comment);
        }
        if name.eq_ignore_ascii_case(&address) {
            name.clear();
        }
        if !name.is_empty() || !address.is_empty() {
            self.people.push(Person { name, address });
        }
    }

    fn address(&self, raw: &[u8]) -> String {
        // A route before the address (RFC 5322 §4.4) means nothing any more.
        let raw = match memchr::memchr(b':', raw) {
            Some(colon) if raw.first() == Some(&b'@') => raw.get(colon + 1..).unwrap_or_default(),
            _ => raw,
        };
        let raw = strip_prefix_ignoring_case(raw, b"mailto:");
        if raw.len() > ADDRESS_MAX {
            return String::new();
        }
        let text = charset::undeclared(raw, self.near);
        let quoted = text.trim_start().starts_with('"');
        let mut depth = 0usize;
        let mut address = String::with_capacity(text.len());
        for c in text.trim().chars() {
            match c {
                // Comments were once allowed here too.
                '(' if !quoted => depth += 1,
                ')' if !quoted => depth = depth.saturating_sub(1),
                _ if depth > 0 || is_hidden(c) || c.is_whitespace() && !(quoted && c == ' ') => {}
                c => address.push(c),
            }
        }
        address
    }
}

fn strip_prefix_ignoring_case<'a>(text: &'a [u8], prefix: &[u8]) -> &'a [u8] {
    match text.split_at_checked(prefix.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(prefix) => rest,
        _ => text,
    }
}

/// The word with the `@` of a text without angle brackets, and the other words.
fn split_bare(bare: &[u8]) -> Option<(&[u8], Vec<u8>)> {
    let bare = bare.trim_ascii();
    if !bare.contains(&b'@') {
        return None;
    }
    if bare.first() == Some(&b'"') {
        return Some((bare, Vec::new()));
    }
    let mut words = bare.split(u8::is_ascii_whitespace);
    let at = words.by_ref().position(|word| word.contains(&b'@'))?;
    let words: Vec<&[u8]> = bare.split(u8::is_ascii_whitespace).collect();
    let address = words.get(at)?;
    let others: Vec<&[u8]> =
        words.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, word)| *word).collect();
    Some((address, others.join(&b' ')))
}

/// Up to the closing quotation mark.
fn quoted(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => break,
            b'\\' => {
                if let Some((&byte, after)) = rest.split_first() {
                    out.push(byte);
                    rest = after;
                }
            }
            byte => out.push(byte),
        }
    }
    (out, rest)
}

/// Up to the closing parenthesis; comments may be nested.
fn comment(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut out = Vec::new();
    let mut depth = 1usize;
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            _ => {}
        }
        out.push(byte);
    }
    (out, rest)
}

/// Up to the closing bracket, or where the address must have ended without one.
fn angle(text: &[u8]) -> (&[u8], &[u8]) {
    let (mut in_quotes, mut escaped) = (false, false);
    for (at, byte) in text.iter().enumerate() {
        let end = match byte {
            _ if escaped => {
                escaped = false;
                None
            }
            b'\\' if in_quotes => {
                escaped = true;
                None
            }
            b'"' => {
                in_quotes = !in_quotes;
                None
            }
            b'>' if !in_quotes => Some(at + 1),
            b'<' if !in_quotes => Some(at),
            _ => None,
        };
        if let Some(after) = end {
            return (text.get(..at).unwrap_or_default(), text.get(after..).unwrap_or_default());
        }
    }
    let comma = memchr::memchr(b',', text).unwrap_or(text.len());
    text.split_at(comma)
}

/// A display name fit to be shown: in one line, with nothing in it that turns or hides the letters around it.
pub(in crate::mail) fn name(text: &str) -> String {
    let visible: String = text.chars().filter(|c| !is_hidden(*c) || *c == ' ').collect();
    let name = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    for quote in ['"', '\''] {
        let inner = name.strip_prefix(quote).and_then(|name| name.strip_suffix(quote));
        if let Some(inner) = inner.filter(|inner| !inner.is_empty() && !inner.contains(quote)) {
            return inner.trim().to_owned();
        }
    }
    name
}

/// Control characters and those that change the direction of writing.
pub(in crate::mail) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Whether a list of people, decoded, holds characters that have no business in a name: controls, those that turn the
/// direction of writing, and those that are nothing to see. Marks that some scripts need are let pass.
pub(super) fn has_hidden(raw: &[u8], near: Option<&str>) -> bool {
    let raw = encoded::unfold(bounded(raw));
    // Nearly all names are nothing but ASCII.
    if raw.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
        && memchr::memmem::find(&raw, b"=?").is_none()
    {
        return false;
    }
    let deceives = |c: char| {
        c.is_control() && c != '\t'
            || matches!(c, '\u{ad}' | '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    encoded::decode_words(&raw, near).trim_ascii().chars().any(deceives)
}

fn bounded(raw: &[u8]) -> &[u8] {
    raw.get(..LIST_MAX).unwrap_or(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Vec<(String, String)> {
        parse(raw.as_bytes(), None).into_iter().map(|person| (person.name, person.address)).collect()
    }

    #[test]
    fn people_are_read_however_they_are_written() {
        let cases: [(&str, &[(&str, &str)]); 27] = [
            ("alice@example.org", &[("", "alice@example.org")]),
            ("Alice <alice@example.org>", &[("Alice", "alice@example.org")]),
            (
                "\"Liddell, Alice\" <alice@example.org>, bob@x",
                &[("Liddell, Alice", "alice@example.org"), ("", "bob@x")],
            ),
            (
                "alice@example.org (Alice (the one) Liddell)",
                &[("Alice (the one) Liddell", "alice@example.org")],
            ),
            ("=?utf-8?q?Al=C3=ADce=2C?= L <a@x>", &[("Alíce, L", "a@x")]),
            ("\"=?utf-8?q?Al=C3?= =?utf-8?q?=ADce?=\" <a@x>", &[("Alíce", "a@x")]),
            ("=?utf-8?q?Liddell, \"Alice\"?= <a@x>", &[("Liddell, \"Alice\"", "a@x")]),
            ("Friends: Alice <a@x>, b@y;, c@z", &[("Alice", "a@x"), ("", "b@y"), ("", "c@z")]),
            ("undisclosed-recipients:;", &[]),
            ("Team: Alice <a@x>", &[("Team: Alice", "a@x")]),
            ("a@x; b@y", &[("", "a@x"), ("", "b@y")]),
            ("Bob bob@y", &[("Bob", "bob@y")]),
            ("<bob@y> Bob", &[("Bob", "bob@y")]),
            ("\"bob builder\"@y", &[("", "\"bob builder\"@y")]),
            ("Bob <bob(his account)@y(his host)>", &[("Bob", "bob@y")]),
            ("<@relay,@other:bob@y>", &[("", "bob@y")]),
            ("'bob@y' <bob@y>", &[("", "bob@y")]),
            ("Bob <bob@y", &[("Bob", "bob@y")]),
            ("Bob <bob@y, Carol <c@z>", &[("Bob", "bob@y,Carol"), ("", "c@z")]),
            ("Alice <a@x> <evil@y>", &[("Alice", "a@x"), ("", "evil@y")]),
            ("\"boss@x\" <evil@y>", &[("boss@x", "evil@y")]),
            ("boss@x <evil@y>", &[("boss@x", "evil@y")]),
            ("=?utf-8?b?Ym9zc0B4AA==?= <evil@y>", &[("boss@x", "evil@y")]),
            ("\u{202e}ecilA <a@x>", &[("ecilA", "a@x")]),
            ("MAILER-DAEMON", &[("MAILER-DAEMON", "")]),
            ("<>", &[]),
            (",,, ;", &[]),
        ];
        for (raw, people) in cases {
            let people: Vec<_> =
                people.iter().map(|(name, address)| ((*name).into(), (*address).into())).collect();
            assert_eq!(read(raw), people, "{raw}");
        }
    }

    #[test]
    fn hostile_lists_are_read_in_one_go() {
        for piece in ["=?utf-8?q?", "(", "\"", "<", "a:", "\\", "<\"", "=?a?q?b?="] {
            // With the one end that all of them might have, and without.
            for end in ["", ";", "?=", ">", "\"", ")"] {
                parse(format!("{}{end}", piece.repeat(100_000)).as_bytes(), None);
            }
        }
        assert_eq!(parse("a@x,".repeat(100_000).as_bytes(), None).len(), PEOPLE_MAX);
    }
}
