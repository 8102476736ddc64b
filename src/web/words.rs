//! Dates, sizes and people in words, as pages show them.

use crate::mail::address::{Person, canonical};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use std::collections::BTreeSet;

/// A time in three forms.
pub(super) struct When {
    /// Short, relative within a week: "12:04", "Tue 12:04", "3 Mar", "3 Mar 2024".
    pub(super) words: String,
    /// Exact, with weekday and zone.
    pub(super) exact: String,
    /// RFC 3339.
    pub(super) iso: String,
}

/// A time in the owner's zone, as seen from `now`.
pub(super) fn when(seconds: i64, now: i64) -> When {
    let zone = TimeZone::system();
    let at: Zoned = Timestamp::from_second(seconds).unwrap_or_default().to_zoned(zone.clone());
    let today: Zoned = Timestamp::from_second(now).unwrap_or_default().to_zoned(zone);
    let days = today.date().since((jiff::Unit::Day, at.date())).map_or(i32::MAX, |span| span.get_days());
    let words = match days {
        0 => at.strftime("%H:%M").to_string(),
        1..=6 => at.strftime("%a %H:%M").to_string(),
        _ if at.year() == today.year() => at.strftime("%-d %b").to_string(),
        _ => at.strftime("%-d %b %Y").to_string(),
    };
    When {
        words,
        exact: at.strftime("%A, %-d %B %Y, %H:%M:%S %Z").to_string(),
        iso: at.timestamp().to_string(),
    }
}

/// A day with its year: "3 Mar 2025".
pub(super) fn day(seconds: i64) -> String {
    let at = Timestamp::from_second(seconds).unwrap_or_default().to_zoned(TimeZone::system());
    at.strftime("%-d %b %Y").to_string()
}

/// The day of a time in RFC 3339; empty where it is none.
pub(super) fn day_of(time: &str) -> String {
    time.parse::<Timestamp>().map(|at| day(at.as_second())).unwrap_or_default()
}

/// A fingerprint, or the digits of a code, in groups of four.
pub(super) fn groups(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// The words that stand above a quote: "On 3 March 2025 at 12:04".
pub(super) fn quote_date(seconds: i64) -> String {
    let at = Timestamp::from_second(seconds).unwrap_or_default().to_zoned(TimeZone::system());
    at.strftime("%-d %B %Y at %H:%M").to_string()
}

/// A size as people say it: "1.2 MB".
pub(super) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "sizes are shown with two figures")]
    let number = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.0} kB", number / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", number / 1e6),
        _ => format!("{:.1} GB", number / 1e9),
    }
}

/// One thing or several, in words: "1 message", "1,204 messages".
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", super::view::grouped(number), if number == 1 { one } else { many })
}

/// The letters of somebody's round mark.
pub(super) fn initials(person: &Person) -> String {
    let name = person.display();
    let name = name.split('@').next().unwrap_or(name);
    let mut words = name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    let first = words.next().and_then(|w| w.chars().next());
    let last = words.next_back().and_then(|w| w.chars().next());
    let letters: String = first.into_iter().chain(last).flat_map(char::to_uppercase).collect();
    if letters.is_empty() { "?".to_owned() } else { letters }
}

/// A hue from 0 to 11 that stays the same for a text.
pub(super) fn hue(text: &str) -> u8 {
    let sum = text.bytes().fold(5381_u32, |sum, byte| sum.wrapping_mul(33) ^ u32::from(byte));
    u8::try_from(sum % 12).unwrap_or(0)
}

/// People as one says them: "Anna, Bob and you".
pub(super) fn people(people: &[Person], own: &BTreeSet<String>, most: usize) -> String {
    let mut names: Vec<String> = Vec::new();
    for person in people {
        let name = if own.contains(&canonical(&person.address)) {
            "you".to_owned()
        } else {
            person.display().to_owned()
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.len() > most {
        let rest = names.len() - most;
        names.truncate(most);
        return format!("{} and {rest} more", names.join(", "));
    }
    match names.split_last() {
        None => "nobody".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// The first word of a name, for lists of several people.
pub(super) fn first_name(person: &Person) -> String {
    let name = person.display();
    if name.contains('@') {
        return name.split('@').next().unwrap_or(name).to_owned();
    }
    name.split_whitespace().next().unwrap_or(name).trim_end_matches(',').to_owned()
}

/// What kind of file a media type is, in words.
pub(super) fn kind(media_type: &str) -> String {
    match media_type {
        "application/pdf" => "PDF document".into(),
        "text/plain" => "text".into(),
        "text/csv" => "table (CSV)".into(),
        "text/html" => "web page".into(),
        "text/calendar" | "application/ics" => "invitation".into(),
        "text/vcard" | "text/x-vcard" | "text/directory" => "contact card".into(),
        "message/rfc822" => "message".into(),
        "application/zip" | "application/x-zip-compressed" => "archive".into(),
        "application/pgp-keys" => "OpenPGP key".into(),
        "application/pgp-signature" | "application/pkcs7-signature" => "signature".into(),
        "application/octet-stream" => "file".into(),
        other => match other.split_once('/') {
            Some(("image", kind)) => format!("picture ({})", kind.to_uppercase()),
            Some(("audio", _)) => "sound".into(),
            Some(("video", _)) => "video".into(),
            Some((_, kind)) if kind.contains("wordprocessing") || kind.contains("msword") => {
                "text document".into()
            }
            Some((_, kind)) if kind.contains("spreadsheet") || kind.contains("ms-excel") => {
                "spreadsheet".into()
            }
            Some((_, kind)) if kind.contains("presentation") || kind.contains("powerpoint") => {
                "slides".into()
            }
            _ => other.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_said_as_one_says_them() {
        let person = |name: &str, address: &str| Person { name: name.into(), address: address.into() };
        let own: BTreeSet<String> = ["alice@lab.test".to_owned()].into();
        let all = [person("Bob", "bob@lab.test"), person("", "alice@lab.test"), person("", "carol@lab.test")];
        assert_eq!(people(&all, &own, 3), "Bob, you and carol@lab.test");
        assert_eq!(people(&all, &own, 1), "Bob and 2 more");
        assert_eq!(people(&[], &own, 3), "nobody");
        assert_eq!(initials(&person("Anna Maria Berg", "")), "AB");
        assert_eq!(initials(&person("", "bob@lab.test")), "B");
        assert_eq!(size(1_234_567), "1.2 MB");
    }
}
