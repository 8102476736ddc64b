//! Where a tag ends and how many attributes it has, by the tokenizer's own rules, so that a tag with a million of them
//! can be cut before anything compares each with each.

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TagEnd {
    /// The tag ends just before this index.
    Whole(usize),
    /// The tag ends just before `end`, and everything from `keep` up to its `>` is one attribute too many.
    Cut { keep: usize, end: usize },
    /// The tag never ends; nothing from `keep` on is worth reading.
    Never { keep: usize },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Name,
    BeforeAttribute,
    AttributeName,
    AfterName,
    BeforeValue,
    Quoted(u8),
    Unquoted,
}

/// Whether a byte ends a tag name.
pub(super) const fn ends_name(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ' | b'/' | b'>')
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ')
}

/// Reads a tag whose name starts at `from`.
pub(super) fn scan(bytes: &[u8], from: usize, max_attributes: usize) -> TagEnd {
    let mut state = State::Name;
    let mut attributes = 0_usize;
    let mut keep = None;
    for (index, byte) in bytes.iter().copied().enumerate().skip(from) {
        let begins = match state {
            State::BeforeAttribute => !is_space(byte) && byte != b'/' && byte != b'>',
            State::AfterName => !is_space(byte) && !matches!(byte, b'/' | b'>' | b'='),
            _ => false,
        };
        if begins {
            attributes += 1;
            if attributes > max_attributes && keep.is_none() {
                keep = Some(index);
            }
            state = State::AttributeName;
            continue;
        }
        if byte == b'>' && !matches!(state, State::Quoted(_)) {
            let end = index + 1;
            return keep.map_or(TagEnd::Whole(end), |keep| TagEnd::Cut { keep, end });
        }
        state = next(state, byte);
    }
    TagEnd::Never { keep: keep.unwrap_or(bytes.len()) }
}

const fn next(state: State, byte: u8) -> State {
    match (state, byte) {
        (State::Quoted(quote), byte) if byte == quote => State::BeforeAttribute,
        (State::Quoted(quote), _) => State::Quoted(quote),
        (State::BeforeValue, b'"' | b'\'') => State::Quoted(byte),
        (State::BeforeValue, byte) if is_space(byte) => State::BeforeValue,
        (State::BeforeValue, _) => State::Unquoted,
        (State::Unquoted, byte) if is_space(byte) => State::BeforeAttribute,
        (State::Unquoted, _) => State::Unquoted,
        (State::AttributeName | State::AfterName, b'=') => State::BeforeValue,
        (State::AttributeName, byte) if is_space(byte) => State::AfterName,
        (_, b'/') => State::BeforeAttribute,
        (State::Name, byte) if is_space(byte) => State::BeforeAttribute,
        (state, _) => state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_ends_where_the_standard_says() {
        let whole = |tag: &str| scan(tag.as_bytes(), 0, 8) == TagEnd::Whole(tag.len());
        assert!(whole("b>"));
        assert!(whole("a href=\"x>y\" title='>' alt>"));
        assert!(whole("a b = 'c>' d/e=f>"));
        assert!(whole("a =x>"));
        assert!(whole("a b=>"));
        assert!(whole("a b=c'd>"));
        assert!(whole("a\"b>"));
        assert_eq!(scan(b"a b='>", 0, 8), TagEnd::Never { keep: 6 });
    }

    #[test]
    fn attributes_beyond_the_limit_are_cut() {
        assert_eq!(scan(b"a b c=1 d e>", 0, 2), TagEnd::Cut { keep: 8, end: 12 });
        assert_eq!(scan(b"a b/c/d>x", 0, 2), TagEnd::Cut { keep: 6, end: 8 });
    }
}
