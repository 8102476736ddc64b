//! Flags between the server's words and ours: `\Seen` and not `unread`, `\Flagged` and `starred`, `\Answered` and `replied`;
//! our tags as keywords.

use std::collections::BTreeSet;

/// `\Seen`
pub const SEEN: u8 = 1;
/// `\Flagged`
pub const FLAGGED: u8 = 2;
/// `\Answered`
pub const ANSWERED: u8 = 4;
/// `\Draft`
pub const DRAFT: u8 = 8;
/// `\Deleted`
pub const DELETED: u8 = 16;

/// Tags that mirror a flag: the tag, the flag, and whether the tag is on when the flag is.
pub const MIRRORED: [(&str, u8, bool); 3] =
    [("unread", SEEN, false), ("starred", FLAGGED, true), ("replied", ANSWERED, true)];

/// Flags as servers write them.
pub const NAMES: [(&str, u8); 5] = [
    ("\\Seen", SEEN),
    ("\\Flagged", FLAGGED),
    ("\\Answered", ANSWERED),
    ("\\Draft", DRAFT),
    ("\\Deleted", DELETED),
];

/// Reads a list of flags and keywords as a server writes it; keywords come back sorted and blank-separated.
pub fn read<'a>(words: impl IntoIterator<Item = &'a str>) -> (u8, String) {
    let mut flags = 0;
    let mut keywords = BTreeSet::new();
    for word in words {
        match NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
            Some((_, bit)) => flags |= bit,
            None if word.starts_with('\\') || word.is_empty() => {}
            None => {
                keywords.insert(word);
            }
        }
    }
    (flags, keywords.into_iter().collect::<Vec<_>>().join(" "))
}

/// The flags of a set of tags.
pub fn from_tags<'a>(tags: impl IntoIterator<Item = &'a str>) -> u8 {
    let tags: BTreeSet<&str> = tags.into_iter().collect();
    MIRRORED.iter().filter(|(tag, _, on)| tags.contains(tag) == *on).fold(0, |flags, (_, bit, _)| flags | bit)
}

/// Whether a tag is the owner's own, not one of the fixed names.
#[must_use]
pub fn is_own_tag(tag: &str) -> bool {
    !tag.is_empty()
        && !MIRRORED.iter().any(|(t, _, _)| *t == tag)
        && !crate::storage::database::places::ROLES.contains(&tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_whatever_their_case() {
        assert_eq!(read(["\\SEEN", "\\flagged", "$Work", "\\Recent"]), (SEEN | FLAGGED, "$Work".to_owned()));
        assert_eq!(from_tags(["unread", "starred"]), FLAGGED);
        assert_eq!(from_tags(["replied"]), SEEN | ANSWERED);
    }
}
