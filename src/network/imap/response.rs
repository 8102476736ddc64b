//! A server's response, from bytes to meaning (RFC 3501 §7 and the extensions that are used here).
//!
//! Framing comes first and knows nothing of meaning: lines and counted literals, all bounded. So a response that
//! cannot be understood costs that response, never the connection. Nothing here can panic or recurse deeply.

use jiff::Timestamp;

use super::names;
use super::{Flags, UidRange};
use crate::mail::ids::{ModSeq, Uid};
use crate::network::wire::words;

/// How deeply lists may be nested.
const DEPTH: usize = 16;
/// How many flags one message or folder may have.
const MOST_FLAGS: usize = 500;
/// How many values one response may hold: each takes far more room than it has letters.
const MOST_VALUES: usize = 10_000;

/// One response as it came: `lines` with a literal between each two of them.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) lines: Vec<Vec<u8>>,
    pub(super) literals: Vec<Vec<u8>>,
}

/// How a command ended, or what the server remarks on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    No,
    Bad,
    PreAuth,
    Bye,
}

/// The bracketed word before the text of a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code {
    /// In capitals.
    pub(super) name: String,
    pub(super) rest: String,
}

/// A folder as LIST tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) attributes: Vec<String>,
    pub(super) delimiter: Option<char>,
    pub(super) name: Vec<u8>,
}

/// What FETCH tells of a message; what it does not tell is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FetchItems {
    pub(super) uid: Option<Uid>,
    pub(super) flags: Option<Flags>,
    pub(super) size: Option<u64>,
    pub(super) internal_date: Option<Timestamp>,
    pub(super) mod_seq: Option<ModSeq>,
    /// The bytes, and where they begin if only a piece was asked for.
    pub(super) body: Option<(u64, Vec<u8>)>,
}

/// A response and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Response {
    Tagged {
        tag: String,
        status: Status,
        code: Option<Code>,
        words: String,
    },
    Status {
        status: Status,
        code: Option<Code>,
        words: String,
    },
    Continue(String),
    Capability(Vec<String>),
    Flags(Vec<String>),
    Exists(u32),
    Expunge,
    Search(Vec<Uid>),
    List(Listed),
    /// What the names of the owner's own folders begin with (RFC 2342).
    Namespace(Vec<u8>),
    Fetch(FetchItems),
    /// A FETCH that cannot be understood.
    Unreadable(Option<Uid>),
    /// Something that nobody here asked for.
    Other,
}

/// Whether the first line of a response may be followed by literals. The text of a status is for people: braces at
/// its end mean nothing.
pub(super) fn may_hold_literals(line: &[u8]) -> bool {
    let mut parts = line.splitn(3, |&byte| byte == b' ');
    let first = parts.next().unwrap_or_default();
    !first.starts_with(b"+") && parts.next().is_none_or(|second| status(second).is_none())
}

/// The size that a literal's announcement at the end of a line gives.
pub(super) fn literal_size(line: &[u8]) -> Option<u64> {
    let open = line.iter().rposition(|&byte| byte == b'{')?;
    let digits = line.get(open + 1..)?.strip_suffix(b"}")?;
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    number(digits)
}

/// The UID in a response that is otherwise not understood, if it says so before anything is quoted.
pub(super) fn uid_in(line: &[u8]) -> Option<Uid> {
    let end = line.iter().position(|&byte| byte == b'"').unwrap_or(line.len());
    let line = line.get(..end)?;
    let at = line.windows(5).position(|window| {
        let [before, word @ ..] = window else { return false };
        (*before == b'(' || *before == b' ') && word.eq_ignore_ascii_case(b"UID ")
    })?;
    let digits = line.get(at + 5..)?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    number(digits.get(..end)?).and_then(|uid| u32::try_from(uid).ok()).map(Uid)
}

impl Response {
    /// Never fails: what is not understood is [`Response::Other`] or [`Response::Unreadable`].
    pub(super) fn parse(frame: Frame) -> Self {
        let first = frame.lines.first().map(Vec::as_slice).unwrap_or_default();
        if let Some(text) = first.strip_prefix(b"+") {
            return Self::Continue(words(text));
        }
        let Some(body) = first.strip_prefix(b"* ") else { return tagged(first) };
        let (word, rest) = split_word(body);
        if let Some(status) = status(word) {
            let (code, words) = status_text(rest);
            return Self::Status { status, code, words };
        }
        if let Some(count) = number(word) {
            return numbered(count, frame);
        }
        let unknown = Self::Other;
        match word.to_ascii_uppercase().as_slice() {
            b"CAPABILITY" => Self::Capability(capitals(rest)),
            b"SEARCH" => Self::Search(search(rest)),
            b"FLAGS" => Cursor::new(frame, 8).flags().map_or(unknown, Self::Flags),
            b"LIST" => Cursor::new(frame, 7).listed().map_or(unknown, Self::List),
            b"NAMESPACE" => Cursor::new(frame, 12).personal().map_or(unknown, Self::Namespace),
            _ => unknown,
        }
    }

    /// Whether it speaks of the session or the folders, not of single messages.
    pub(super) const fn is_about_the_session(&self) -> bool {
        !matches!(
            self,
            Self::Expunge
                | Self::Search(_)
                | Self::Fetch(_)
                | Self::Unreadable(_)
                | Self::Continue(_)
                | Self::Other
        )
    }

    /// About how many bytes it takes in memory.
    pub(super) fn weight(&self) -> usize {
        let texts = |texts: &[String]| texts.iter().map(|text| text.len() + 48).sum::<usize>();
        let own = match self {
            Self::Tagged { code, words, .. } | Self::Status { code, words, .. } => {
                words.len() + code.as_ref().map_or(0, |code| code.name.len() + code.rest.len() + 48)
            }
            Self::Capability(list) | Self::Flags(list) => texts(list),
            Self::Search(uids) => uids.len() * 4,
            Self::List(listed) => listed.name.len() + texts(&listed.attributes),
            Self::Namespace(prefix) => prefix.len(),
            Self::Fetch(items) => {
                items.flags.as_ref().map_or(0, Flags::weight)
                    + items.body.as_ref().map_or(0, |(_, b)| b.len())
            }
            Self::Continue(_) | Self::Exists(_) | Self::Expunge | Self::Unreadable(_) | Self::Other => 0,
        };
        size_of::<Self>() + 16 + own
    }
}

fn tagged(line: &[u8]) -> Response {
    let (tag, rest) = split_word(line);
    let (word, rest) = split_word(rest);
    match status(word) {
        Some(status) => {
            let (code, words) = status_text(rest);
            Response::Tagged { tag: String::from_utf8_lossy(tag).into_owned(), status, code, words }
        }
        None => Response::Other,
    }
}

fn numbered(count: u64, frame: Frame) -> Response {
    let first = frame.lines.first().map(Vec::as_slice).unwrap_or_default();
    let mut parts = first.splitn(4, |&byte| byte == b' ').skip(2);
    let word = parts.next().unwrap_or_default().to_ascii_uppercase();
    match word.as_slice() {
        b"EXISTS" => u32::try_from(count).map_or(Response::Other, Response::Exists),
        b"EXPUNGE" => Response::Expunge,
        b"FETCH" => {
            let uid = uid_in(first);
            let start = parts.next().map_or(first.len(), |rest| first.len() - rest.len());
            Cursor::new(frame, start).fetch_items().map_or(Response::Unreadable(uid), Response::Fetch)
        }
        _ => Response::Other,
    }
}

fn status(word: &[u8]) -> Option<Status> {
    match word.to_ascii_uppercase().as_slice() {
        b"OK" => Some(Status::Ok),
        b"NO" => Some(Status::No),
        b"BAD" => Some(Status::Bad),
        b"PREAUTH" => Some(Status::PreAuth),
        b"BYE" => Some(Status::Bye),
        _ => None,
    }
}

fn status_text(text: &[u8]) -> (Option<Code>, String) {
    let Some(inside) = text.strip_prefix(b"[") else { return (None, words(text)) };
    let Some(end) = inside.iter().position(|&byte| byte == b']') else { return (None, words(text)) };
    let (name, rest) = split_word(inside.get(..end).unwrap_or_default());
    let code = Code {
        name: String::from_utf8_lossy(name).to_ascii_uppercase(),
        rest: String::from_utf8_lossy(rest).into_owned(),
    };
    (Some(code), words(inside.get(end + 1..).unwrap_or_default()))
}

fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|&byte| byte == b' ').unwrap_or(text.len());
    (text.get(..end).unwrap_or_default(), text.get(end + 1..).unwrap_or_default())
}

/// The blank-separated words of a capability list, in capitals.
pub(super) fn capitals(text: &[u8]) -> Vec<String> {
    text.split(|&byte| byte == b' ')
        .filter(|word| !word.is_empty())
        .take(1000)
        .map(|word| String::from_utf8_lossy(word).to_ascii_uppercase())
        .collect()
}

fn search(text: &[u8]) -> Vec<Uid> {
    // A trailing "(MODSEQ n)" ends the list.
    text.split(|&byte| byte == b' ')
        .filter(|word| !word.is_empty())
        .map_while(|word| number(word).and_then(|uid| u32::try_from(uid).ok()))
        .map(Uid)
        .collect()
}

/// A set of UIDs as servers write it: `1,4:7`. Ends of a range come in any order.
pub(super) fn uid_ranges(text: &[u8]) -> Option<Vec<UidRange>> {
    let one = |digits: &[u8]| number(digits).and_then(|uid| u32::try_from(uid).ok());
    text.split(|&byte| byte == b',')
        .map(|member| {
            let mut ends = member.splitn(2, |&byte| byte == b':');
            let first = one(ends.next()?)?;
            let last = ends.next().map_or(Some(first), one)?;
            Some(UidRange { first: Uid(first.min(last)), last: Uid(first.max(last)) })
        })
        .collect()
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A piece of a response: RFC 3501 §4.
#[derive(Debug, PartialEq, Eq)]
enum Value {
    Atom(Vec<u8>),
    Text(Vec<u8>),
    List(Vec<Self>),
}

impl Value {
    fn into_text(self) -> Option<Vec<u8>> {
        match self {
            Self::Atom(atom) if atom.eq_ignore_ascii_case(b"NIL") => None,
            Self::Atom(text) | Self::Text(text) => Some(text),
            Self::List(_) => None,
        }
    }

    fn number(&self) -> Option<u64> {
        match self {
            Self::Atom(digits) => number(digits),
            Self::Text(_) | Self::List(_) => None,
        }
    }

    fn strings(self) -> Option<Vec<String>> {
        let Self::List(values) = self else { return None };
        let words = values.into_iter().filter_map(Self::into_text).take(MOST_FLAGS);
        Some(words.filter_map(|word| String::from_utf8(word).ok()).collect())
    }
}

/// Walks over a frame, each literal in its place.
struct Cursor {
    frame: Frame,
    line: usize,
    at: usize,
    /// How many values there may still be.
    left: usize,
}

impl Cursor {
    const fn new(frame: Frame, at: usize) -> Self {
        Self { frame, line: 0, at, left: MOST_VALUES }
    }

    fn peek(&self) -> Option<u8> {
        self.frame.lines.get(self.line)?.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.left = self.left.checked_sub(1)?;
        self.skip_blanks();
        match self.peek() {
            None => self.literal(),
            Some(b'"') => self.quoted(),
            Some(b'(') => self.list(depth),
            Some(b')') => None,
            Some(_) => self.atom(),
        }
    }

    fn literal(&mut self) -> Option<Value> {
        let literal = std::mem::take(self.frame.literals.get_mut(self.line)?);
        self.line += 1;
        self.at = 0;
        Some(Value::Text(literal))
    }

    fn quoted(&mut self) -> Option<Value> {
        let mut text = Vec::new();
        loop {
            self.at += 1;
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    self.at += 1;
                    text.push(self.peek()?);
                }
                byte => text.push(byte),
            }
        }
        self.at += 1;
        Some(Value::Text(text))
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        if depth == 0 {
            return None;
        }
        self.at += 1;
        let mut values = Vec::new();
        loop {
            self.skip_blanks();
            if self.peek() == Some(b')') {
                self.at += 1;
                return Some(Value::List(values));
            }
            values.push(self.value(depth - 1)?);
        }
    }

    /// An atom; brackets in it may hold anything, as in `BODY[HEADER.FIELDS (TO)]<0>`.
    fn atom(&mut self) -> Option<Value> {
        let rest = self.frame.lines.get(self.line)?.get(self.at..)?;
        let mut bracket = false;
        let end = rest.iter().position(|&byte| match byte {
            b'[' => {
                bracket = true;
                false
            }
            b']' => {
                bracket = false;
                false
            }
            b' ' | b'(' | b')' | b'"' => !bracket,
            _ => false,
        });
        let atom = rest.get(..end.unwrap_or(rest.len()))?.to_vec();
        self.at += atom.len();
        Some(Value::Atom(atom))
    }

    fn flags(&mut self) -> Option<Vec<String>> {
        self.value(DEPTH)?.strings()
    }

    fn listed(&mut self) -> Option<Listed> {
        let attributes = self.value(DEPTH)?.strings()?;
        let delimiter = self.value(DEPTH)?.into_text();
        let delimiter =
            delimiter.and_then(|text| String::from_utf8(text).ok()).and_then(|text| text.chars().next());
        // A folder may be called NIL, and some servers quote neither that nor blanks in names.
        let name = match self.value(DEPTH)? {
            Value::Text(name) => name,
            Value::Atom(mut name) => {
                let line = self.frame.lines.get(self.line)?;
                name.extend_from_slice(line.get(self.at..)?.trim_ascii_end());
                name
            }
            Value::List(_) => return None,
        };
        Some(Listed { attributes, delimiter, name })
    }

    /// The first prefix of the first kind: the owner's own. No kind at all is NIL.
    fn personal(&mut self) -> Option<Vec<u8>> {
        let Value::List(spaces) = self.value(DEPTH)? else { return None };
        let Value::List(space) = spaces.into_iter().next()? else { return None };
        space.into_iter().next()?.into_text()
    }

    fn fetch_items(&mut self) -> Option<FetchItems> {
        let Value::List(values) = self.value(DEPTH)? else { return None };
        let mut items = FetchItems::default();
        let mut values = values.into_iter();
        while let Some(name) = values.next() {
            let Value::Atom(name) = name else { return None };
            let value = values.next()?;
            match name.to_ascii_uppercase().as_slice() {
                b"UID" => items.uid = Some(Uid(u32::try_from(value.number()?).ok()?)),
                b"RFC822.SIZE" => items.size = value.number(),
                b"FLAGS" => items.flags = Some(Flags::from_words(value.strings()?)),
                b"INTERNALDATE" => {
                    items.internal_date = value.into_text().as_deref().and_then(names::internal_date)
                }
                b"MODSEQ" => items.mod_seq = mod_seq(&value),
                name if name.starts_with(b"BODY[") => {
                    items.body = Some((origin(name), value.into_text().unwrap_or_default()));
                }
                _ => {}
            }
        }
        Some(items)
    }
}

fn mod_seq(value: &Value) -> Option<ModSeq> {
    match value {
        Value::List(values) => values.first()?.number().map(ModSeq),
        Value::Atom(_) | Value::Text(_) => None,
    }
}

/// Where a piece begins: `BODY[]<1024>`.
fn origin(name: &[u8]) -> u64 {
    let open = name.iter().rposition(|&byte| byte == b'<');
    open.and_then(|open| name.get(open + 1..)?.strip_suffix(b">")).and_then(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(text: &str) -> Response {
        Response::parse(Frame { lines: vec![text.into()], literals: Vec::new() })
    }

    fn fetch(text: &str) -> FetchItems {
        match line(text) {
            Response::Fetch(items) => items,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn statuses_have_codes_and_words() {
        assert_eq!(
            line("A1 NO [OVERQUOTA] Bob's mailbox is full"),
            Response::Tagged {
                tag: "A1".into(),
                status: Status::No,
                code: Some(Code { name: "OVERQUOTA".into(), rest: String::new() }),
                words: "Bob's mailbox is full".into()
            }
        );
        // These made a parser elsewhere panic: a code without its blank, and a NIL date.
        assert!(matches!(line("* OK [ALERT]é"), Response::Status { words, .. } if words == "é"));
        assert_eq!(fetch("* 1 FETCH (UID 7 INTERNALDATE NIL)").uid, Some(Uid(7)));
        assert!(matches!(line("* OK"), Response::Status { .. }));
        assert!(matches!(line("* BYE [unclosed"), Response::Status { status: Status::Bye, code: None, .. }));
    }

    #[test]
    fn a_message_is_read_in_any_order_of_its_items() {
        let items = fetch(
            "* 12 FETCH (X-NEW (a (b c)) FLAGS (\\Seen $Forwarded OIB-Seen-[Gmail]/All) MODSEQ (99) RFC822.SIZE 5 UID 7 INTERNALDATE \" 5-Feb-2024 10:00:00 +0100\")",
        );
        let flags = items.flags.unwrap();
        assert!(flags.seen && !flags.answered);
        assert_eq!(flags.keywords, ["$Forwarded", "OIB-Seen-[Gmail]/All"]);
        assert_eq!((items.uid, items.size, items.mod_seq), (Some(Uid(7)), Some(5), Some(ModSeq(99))));
        assert_eq!(items.internal_date.unwrap().to_string(), "2024-02-05T09:00:00Z");
    }

    #[test]
    fn a_body_is_a_literal_or_a_string() {
        let frame = Frame {
            lines: vec![b"* 1 FETCH (UID 3 BODY[]<1024> ".to_vec(), b" FLAGS ())".to_vec()],
            literals: vec![b"Hello (Bob)\r\n".to_vec()],
        };
        let Response::Fetch(items) = Response::parse(frame) else { panic!() };
        assert_eq!(items.body, Some((1024, b"Hello (Bob)\r\n".to_vec())));
        assert_eq!(items.flags, Some(Flags::default()));
        assert_eq!(fetch(r#"* 1 FETCH (UID 3 BODY[] "")"#).body, Some((0, Vec::new())));
    }

    #[test]
    fn what_cannot_be_read_still_has_its_number() {
        for text in [
            "* 1 FETCH (UID 3 FLAGS",
            "* 1 FETCH (UID 3 \"x\" (",
            "* 1 FETCH (UID 3 BODY[] \"a)",
            "* 1 FETCH (UID 3 FLAGS) X",
        ] {
            assert_eq!(line(text), Response::Unreadable(Some(Uid(3))), "{text}");
        }
        assert_eq!(line("* 1 FETCH nonsense"), Response::Unreadable(None));
        let deep = format!("* 1 FETCH (UID 3 BODYSTRUCTURE {})", "(".repeat(1_000_000));
        assert_eq!(line(&deep), Response::Unreadable(Some(Uid(3))));
    }

    #[test]
    fn folders_are_listed() {
        assert_eq!(
            line(r#"* LIST (\HasNoChildren \Sent) "/" "Al\"ice\\s""#),
            Response::List(Listed {
                attributes: vec!["\\HasNoChildren".into(), "\\Sent".into()],
                delimiter: Some('/'),
                name: br#"Al"ice\s"#.to_vec()
            })
        );
        assert!(matches!(line("* LIST () NIL Sent Items "), Response::List(l) if l.name == b"Sent Items"));
        assert!(matches!(line("* LIST () \".\" NIL"), Response::List(l) if l.name == b"NIL"));
        assert_eq!(line("* LIST ("), Response::Other);
    }

    #[test]
    fn where_the_owners_folders_are_is_told() {
        assert_eq!(line(r#"* NAMESPACE (("INBOX." ".")) NIL NIL"#), Response::Namespace(b"INBOX.".to_vec()));
        assert_eq!(line(r##"* NAMESPACE (("" "/")("#mh/" "/")) NIL NIL"##), Response::Namespace(Vec::new()));
        assert_eq!(line("* NAMESPACE NIL NIL NIL"), Response::Other);
    }

    #[test]
    fn a_response_of_very_many_values_is_not_read() {
        let flags = |count: usize| format!("* 1 FETCH (UID 3 FLAGS ({}))", "a ".repeat(count));
        assert!(matches!(line(&flags(900)), Response::Fetch(_)));
        assert_eq!(line(&flags(8 << 20)), Response::Unreadable(Some(Uid(3))));
    }

    #[test]
    fn sets_and_searches() {
        assert_eq!(
            uid_ranges(b"9:7,12"),
            Some(vec![UidRange { first: Uid(7), last: Uid(9) }, UidRange { first: Uid(12), last: Uid(12) }])
        );
        assert_eq!(uid_ranges(b"1:99999999999"), None);
        assert_eq!(line("* SEARCH 4 5  6 (MODSEQ 9)"), Response::Search(vec![Uid(4), Uid(5), Uid(6)]));
        assert_eq!(line("* SEARCH"), Response::Search(Vec::new()));
    }

    #[test]
    fn a_literal_is_announced_only_where_one_may_be() {
        assert_eq!(literal_size(b"* 1 FETCH (BODY[] {12}"), Some(12));
        assert_eq!(literal_size(b"* 1 FETCH (BODY[] {4294967296}"), Some(4_294_967_296));
        assert_eq!(literal_size(b"{}"), None);
        assert_eq!(literal_size(b"{99999999999999999999999}"), None);
        assert!(!may_hold_literals(b"* OK done {3}"));
        assert!(!may_hold_literals(b"A7 NO {3}"));
        assert!(!may_hold_literals(b"+ {3}"));
        assert!(may_hold_literals(b"* LIST () \"/\" {3}"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..4), start in 0_usize..5) {
            let openings: [&[u8]; 5] = [b"", b"* ", b"* 1 FETCH (", b"* LIST (", b"A1 OK ["];
            let mut lines = lines;
            lines[0].splice(0..0, openings[start].iter().copied());
            let literals = vec![b"literal".to_vec(); lines.len() - 1];
            Response::parse(Frame { lines, literals });
        }
    }
}
