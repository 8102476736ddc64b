//! Names on the wire: folders in modified UTF-7 (RFC 3501 §5.1.3), tags as keywords, dates, sets of UIDs.

use data_encoding::{Encoding, Specification};
use jiff::Timestamp;
use jiff::civil::DateTime;
use std::sync::LazyLock;

use crate::mail::ids::Uid;

/// Servers allow keywords up to about this length (Dovecot's default is 50).
const LONGEST_KEYWORD: usize = 50;
/// How long a set of UIDs in one command may be.
const LONGEST_SET: usize = 4000;

static BASE64: LazyLock<Option<Encoding>> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,");
    specification.check_trailing_bits = false;
    specification.encoding().ok()
});

/// A folder's name for people. Names that are not proper modified UTF-7 are taken as they are.
#[must_use]
pub fn decode_folder(raw: &str) -> String {
    if raw.is_ascii() { decode_utf7(raw).unwrap_or_else(|| raw.to_owned()) } else { raw.to_owned() }
}

/// A folder's name for the server.
#[must_use]
pub fn encode_folder(name: &str) -> String {
    encode_utf7(name, |c| (' '..='~').contains(&c))
}

/// The keyword that stands for a tag on the server, or `None` if no keyword can: the name is empty or too long.
///
/// Every other tag has one and comes back as itself from [`tag_for_keyword`].
#[must_use]
pub fn keyword_for_tag(tag: &str) -> Option<String> {
    let mut first = true;
    let keyword = encode_utf7(tag, |c| {
        // `$` at the front is for the keywords of others.
        let at_front = std::mem::take(&mut first);
        c.is_ascii_graphic() && !"(){%*\"\\]".contains(c) && !(at_front && c == '$')
    });
    let usable = !keyword.is_empty() && keyword.len() <= LONGEST_KEYWORD && !is_foreign(&keyword);
    usable.then_some(keyword)
}

/// The tag that a keyword stands for, or `None` for the keywords of other programs (`$Forwarded`, `NonJunk`).
#[must_use]
pub fn tag_for_keyword(keyword: &str) -> Option<String> {
    if keyword.starts_with(['$', '\\']) || is_foreign(keyword) {
        return None;
    }
    let tag = decode_utf7(keyword).unwrap_or_else(|| keyword.to_owned());
    let tag = tag.trim();
    (!tag.is_empty() && !tag.contains(char::is_control)).then(|| tag.to_owned())
}

fn is_foreign(keyword: &str) -> bool {
    ["junk", "nonjunk", "notjunk", "junkrecorded", "forwarded", "redirected", "mdnsent"]
        .iter()
        .any(|foreign| keyword.eq_ignore_ascii_case(foreign))
}

fn encode_utf7(text: &str, mut plain: impl FnMut(char) -> bool) -> String {
    let mut encoded = String::new();
    let mut shifted: Vec<u8> = Vec::new();
    for c in text.chars() {
        if plain(c) {
            flush(&mut shifted, &mut encoded);
            encoded.push(c);
            if c == '&' {
                encoded.push('-');
            }
        } else {
            let mut units = [0; 2];
            shifted.extend(c.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    flush(&mut shifted, &mut encoded);
    encoded
}

fn flush(shifted: &mut Vec<u8>, encoded: &mut String) {
    if let Some(base64) = BASE64.as_ref().filter(|_| !shifted.is_empty()) {
        encoded.push('&');
        encoded.push_str(&base64.encode(shifted));
        encoded.push('-');
        shifted.clear();
    }
}

fn decode_utf7(text: &str) -> Option<String> {
    let mut decoded = String::new();
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('&') {
        decoded.push_str(plain);
        let (shifted, after) = after.split_once('-')?;
        if shifted.is_empty() {
            decoded.push('&');
        } else {
            let bytes = BASE64.as_ref()?.decode(shifted.as_bytes()).ok()?;
            let (pairs, left) = bytes.as_chunks::<2>();
            if !left.is_empty() {
                return None;
            }
            let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            decoded.push_str(&String::from_utf16(&units).ok()?);
        }
        rest = after;
    }
    decoded.push_str(rest);
    Some(decoded)
}

/// The time a server received a message: ` 5-Feb-2024 10:00:00 +0100`.
pub(super) fn internal_date(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?;
    let mut parts = text.split_ascii_whitespace();
    let (date, time, zone) = (parts.next()?, parts.next()?, parts.next()?);
    let mut date = date.splitn(3, '-');
    let (day, month, year) = (date.next()?.parse().ok()?, date.next()?, date.next()?.parse().ok()?);
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))?;
    let mut time = time.splitn(3, ':').map(|part| part.parse::<i8>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let local =
        DateTime::new(year, i8::try_from(month + 1).ok()?, day, hour, minute, second.min(59), 0).ok()?;
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let digits: i32 = zone.trim_start_matches(['+', '-']).parse().ok().filter(|digits| *digits < 10_000)?;
    let seconds = sign * (digits / 100 * 3600 + digits % 100 * 60);
    local.to_zoned(jiff::tz::Offset::from_seconds(seconds).ok()?.to_time_zone()).ok().map(|z| z.timestamp())
}

/// The same the other way round, in UTC, for APPEND.
pub(super) fn internal_date_text(at: Timestamp) -> String {
    let at = at.to_zoned(jiff::tz::TimeZone::UTC);
    let month = usize::try_from(at.month() - 1).ok().and_then(|month| MONTHS.get(month)).unwrap_or(&"Jan");
    format!(
        "{:>2}-{month}-{:04} {:02}:{:02}:{:02} +0000",
        at.day(),
        at.year().max(0),
        at.hour(),
        at.minute(),
        at.second()
    )
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// UIDs as sets for commands, each short enough for one, neighbours joined: `1:3,7`.
pub(super) fn uid_sets(uids: &[Uid]) -> Vec<String> {
    let mut sorted: Vec<u32> = uids.iter().map(|uid| uid.0).filter(|&uid| uid != 0).collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut sets: Vec<String> = Vec::new();
    for run in sorted.chunk_by(|a, b| a + 1 == *b) {
        let member = match run {
            [only] => only.to_string(),
            [first, .., last] => format!("{first}:{last}"),
            [] => continue,
        };
        match sets.last_mut() {
            Some(set) if set.len() < LONGEST_SET => {
                set.push(',');
                set.push_str(&member);
            }
            _ => sets.push(member),
        }
    }
    sets
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn folders_have_names_for_people() {
        for (raw, name) in [
            ("INBOX", "INBOX"),
            ("Entw&APw-rfe", "Entwürfe"),
            ("&ZeVnLIqe-", "日本語"),
            ("Tom &- Jerry", "Tom & Jerry"),
            ("&2D3eAA-", "😀"),
        ] {
            assert_eq!(decode_folder(raw), name);
            assert_eq!(encode_folder(name), raw);
        }
        // Broken or already UTF-8: as it is.
        for odd in ["a&b", "&AP-", "&2D0-", "Entwürfe", "&"] {
            assert_eq!(decode_folder(odd), odd);
        }
    }

    #[test]
    fn tags_travel_as_keywords() {
        for (tag, keyword) in [
            ("work", "work"),
            ("to do", "to&ACA-do"),
            ("Größe", "Gr&APYA3w-e"),
            ("a&b", "a&-b"),
            ("$x", "&ACQ-x"),
            ("x(1)", "x&ACg-1&ACk-"),
        ] {
            assert_eq!(keyword_for_tag(tag).as_deref(), Some(keyword));
            assert_eq!(tag_for_keyword(keyword).as_deref(), Some(tag));
        }
        for not in ["", "NonJunk", &"x".repeat(51)] {
            assert_eq!(keyword_for_tag(not), None);
        }
        for foreign in ["$Forwarded", "NonJunk", "\\Seen", "&AAo-"] {
            assert_eq!(tag_for_keyword(foreign), None);
        }
    }

    #[test]
    fn dates_go_there_and_back() {
        let at = internal_date(b"17-Jul-1996 02:44:25 -0700").unwrap();
        assert_eq!(at.to_string(), "1996-07-17T09:44:25Z");
        assert_eq!(internal_date_text(at), "17-Jul-1996 09:44:25 +0000");
        assert_eq!(internal_date(internal_date_text(at).as_bytes()), Some(at));
        for wrong in [
            "",
            "1-Foo-2000 0:0:0 +0000",
            "99-Jan-2000 10:00:00 +0000",
            "1-Jan-2000",
            "1-Jan-2000 1:1:1 +999999999",
        ] {
            assert_eq!(internal_date(wrong.as_bytes()), None);
        }
    }

    #[test]
    fn neighbours_are_joined_and_long_sets_are_split() {
        assert_eq!(uid_sets(&[Uid(7), Uid(1), Uid(2), Uid(3), Uid(2)]), ["1:3,7"]);
        let every_other: Vec<Uid> = (1..20_000).step_by(2).map(Uid).collect();
        let sets = uid_sets(&every_other);
        assert!(sets.len() > 5 && sets.iter().all(|set| set.len() < LONGEST_SET + 30));
        assert!(uid_sets(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in "\\PC{0,30}") {
            let raw = encode_folder(&name);
            prop_assert!(raw.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(decode_folder(&raw), name);
        }

        #[test]
        fn every_keyword_is_an_atom(tag in any::<String>()) {
            if let Some(keyword) = keyword_for_tag(&tag) {
                let is_atom = keyword.bytes().all(|b| b.is_ascii_graphic() && !b"(){%*\"\\]".contains(&b));
                prop_assert!(is_atom, "{}", keyword);
            }
        }

        #[test]
        fn no_date_makes_it_panic(text in prop::collection::vec(any::<u8>(), 0..40)) {
            internal_date(&text);
        }
    }
}
