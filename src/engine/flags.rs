//! Flags between the server's words and ours: `\Seen` and not `unread`, `\Flagged` and `starred`, `\Answered` and `replied`;
//! our tags as keywords.

use crate::network::imap;
use crate::storage::database::places;
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
pub const DELETED: u8 = places::DELETED;

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
    !tag.is_empty() && !MIRRORED.iter().any(|(t, _, _)| *t == tag) && !places::ROLES.contains(&tag)
}

/// The owner's tag that a keyword stands for, as tags are spelt here; none for the keywords of other programs and for those
/// that bear one of the fixed names: a keyword `trash` moves nothing.
#[must_use]
pub fn own_tag(keyword: &str) -> Option<String> {
    let tag = super::tags::name(&imap::tag_for_keyword(keyword)?).ok()?;
    is_own_tag(&tag).then_some(tag)
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

    #[test]
    fn a_keyword_is_a_tag_however_it_is_written_unless_it_bears_a_fixed_name() {
        assert_eq!(own_tag("Ledger").as_deref(), Some("ledger"));
        for not in ["trash", "Unread", "$Forwarded", "NonJunk", "+x", ":encrypted"] {
            assert_eq!(own_tag(not), None, "{not}");
        }
    }
}
