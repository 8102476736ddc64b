//! What files say, in the words of pages: kinds, events, messages, lists of names.

use super::view::{EventView, ListingRow, Shown};
use super::words;
use crate::mail::address::Person;
use crate::mail::attachment::archive::Listing;
use crate::mail::attachment::calendar::{Attendee, Calendar, Event, When};
use crate::mail::attachment::{Kind, Verdict};
use crate::mail::message;
use crate::mail::part::{Part, Risk};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// A text of a message in a message is shown up to so many bytes.
const TEXT_MAX: usize = 200_000;

/// Whether something of such a file is shown.
pub(super) const fn is_shown(kind: Kind) -> bool {
    !matches!(kind, Kind::Program | Kind::Disk | Kind::Sound | Kind::Video | Kind::OldOffice)
}

/// What kind of file it is, without an article.
pub(super) fn label(part: &Part, verdict: &Verdict) -> String {
    let declared = words::kind(&part.content_type);
    let told = Kind::by_type(&part.content_type);
    match verdict.kind {
        Some(kind) if told != Some(kind) => {
            let words = kind.words();
            let bare = words.strip_prefix("a ").or_else(|| words.strip_prefix("an ")).unwrap_or(words);
            bare.to_owned()
        }
        _ => declared,
    }
}

/// What lies in an archive.
pub(super) fn rows(listing: &Listing) -> Vec<ListingRow> {
    listing
        .entries
        .iter()
        .map(|entry| ListingRow {
            name: entry.name.clone(),
            size_words: if entry.folder {
                String::new()
            } else {
                entry.bytes.map_or_else(|| "unknown".to_owned(), words::size)
            },
            note: match (entry.risk, entry.locked) {
                (Risk::Danger, _) => "can run, or hides what it is",
                (_, true) => "locked with a password",
                _ => "",
            }
            .to_owned(),
        })
        .collect()
}

/// A message that is a file.
pub(super) fn message(bytes: &[u8]) -> Shown {
    let parsed = message::parse(bytes);
    let people = |people: &[Person]| {
        let written = people.iter().take(20).map(|p| match p.name.as_str() {
            "" => p.address.clone(),
            name => format!("{name} <{}>", p.address),
        });
        written.collect::<Vec<_>>().join(", ")
    };
    let date = parsed.date.map(|at| words::when(at, at).exact).unwrap_or_default();
    let names: Vec<String> = parsed.attachments().take(50).filter_map(|part| part.name.clone()).collect();
    let fields = [
        ("Subject", parsed.subject.clone()),
        ("From", people(&parsed.from)),
        ("To", people(&parsed.to)),
        ("Cc", people(&parsed.cc)),
        ("Date", date),
        ("Files", names.join(", ")),
    ];
    let text = crate::engine::receive::visible_text(&parsed);
    let fields = fields
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value));
    Shown::Message {
        fields: fields.collect(),
        text: crate::engine::receive::clip(&text, TEXT_MAX).to_owned(),
    }
}

/// The events of a calendar, their times in the owner's zone.
pub(super) fn events(calendar: &Calendar) -> Vec<EventView> {
    calendar.events.iter().map(|event| view(event, &calendar.method)).collect()
}

fn view(event: &Event, method: &str) -> EventView {
    let note = match (method, event.status.as_str()) {
        ("cancel", _) | (_, "cancelled") => "This is cancelled.".to_owned(),
        ("reply", _) => event.attendees.first().map(reply).unwrap_or_default(),
        ("counter", _) => "Another time is proposed.".to_owned(),
        ("request", _) => "An invitation.".to_owned(),
        _ => String::new(),
    };
    let mut fields = Vec::new();
    let mut add = |name: &str, value: String| {
        if !value.trim().is_empty() {
            fields.push((name.to_owned(), value));
        }
    };
    match (&event.start, &event.end) {
        (Some(start), end) => add("When", span(start, end.as_ref())),
        (None, Some(due)) => add(if event.is_task { "Due" } else { "Until" }, moment(due)),
        (None, None) => {}
    }
    if !event.repeats.is_empty() {
        add("Repeats", repeats(&event.repeats));
    }
    add("Where", event.place.clone());
    add("From", event.organiser.as_ref().map(who).unwrap_or_default());
    let invited: Vec<String> =
        event.attendees.iter().take(20).map(|a| format!("{}{}", who(a), answer(a))).collect();
    let more = event.attendees.len().saturating_sub(20);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    add("Invited", format!("{}{more}", invited.join(", ")));
    add("Link", event.link.clone());
    EventView {
        is_task: event.is_task,
        note,
        summary: if event.summary.is_empty() { "(no title)".to_owned() } else { event.summary.clone() },
        fields,
        description: event.description.clone(),
    }
}

fn who(person: &Attendee) -> String {
    match (person.name.as_str(), person.address.as_str()) {
        (name, "") => name.to_owned(),
        ("", address) => address.to_owned(),
        (name, address) if name == address => address.to_owned(),
        (name, address) => format!("{name} <{address}>"),
    }
}

fn answer(person: &Attendee) -> &'static str {
    match person.answer.as_str() {
        "accepted" => " (accepted)",
        "declined" => " (declined)",
        "tentative" => " (perhaps)",
        _ => "",
    }
}

fn reply(person: &Attendee) -> String {
    let verb = match person.answer.as_str() {
        "accepted" => "accepts.",
        "declined" => "declines.",
        "tentative" => "will perhaps come.",
        _ => "answered.",
    };
    let name = if person.name.is_empty() { &person.address } else { &person.name };
    format!("{name} {verb}")
}

/// From when to when. Whole days end on the day before the end that is written.
fn span(start: &When, end: Option<&When>) -> String {
    let Some(end) = end else { return moment(start) };
    if start.time.is_none() {
        let last = date(end).and_then(|day| day.checked_sub(1.day()).ok());
        return match (date(start), last) {
            (Some(first), Some(last)) if last > first => {
                format!("{} to {}, all day", long(first), long(last))
            }
            _ => moment(start),
        };
    }
    match (start.at.and_then(zoned), end.at.and_then(zoned)) {
        (Some(from), Some(to)) if from.date() == to.date() => {
            format!(
                "{} to {}{}",
                from.strftime("%A, %-d %B %Y, %H:%M"),
                to.strftime("%H:%M %Z"),
                elsewhere(start)
            )
        }
        _ => format!("{} to {}", moment(start), moment(end)),
    }
}

fn zoned(at: i64) -> Option<jiff::Zoned> {
    Timestamp::from_second(at).ok().map(|at| at.to_zoned(TimeZone::system()))
}

fn date(when: &When) -> Option<Date> {
    let (year, month, day) = when.day;
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

fn long(day: Date) -> String {
    day.strftime("%A, %-d %B %Y").to_string()
}

/// A moment in the owner's zone; as written where its zone is not known.
fn moment(when: &When) -> String {
    let Some(day) = date(when) else { return String::new() };
    match (when.time, when.at.and_then(zoned)) {
        (None, _) => format!("{}, all day", long(day)),
        (Some(_), Some(at)) => format!("{}{}", at.strftime("%A, %-d %B %Y, %H:%M %Z"), elsewhere(when)),
        (Some((hour, minute)), None) => {
            let zone = if when.zone.is_empty() { "no time zone named" } else { when.zone.as_str() };
            format!("{}, {hour:02}:{minute:02} ({zone})", long(day))
        }
    }
}

/// The time as it was written, where that is another clock than the owner's.
fn elsewhere(when: &When) -> String {
    let own = when.at.and_then(zoned).map(|at| (at.hour(), at.minute()));
    match (when.time, own) {
        (Some((hour, minute)), Some(own))
            if (i8::try_from(hour).ok(), i8::try_from(minute).ok()) != (Some(own.0), Some(own.1)) =>
        {
            format!(" ({hour:02}:{minute:02} {})", when.zone)
        }
        _ => String::new(),
    }
}

/// The rule of a repetition in words, as far as its frequency goes.
fn repeats(rule: &str) -> String {
    let part = |name: &str| rule.split(';').find_map(|piece| piece.strip_prefix(name)?.strip_prefix('='));
    let every = part("INTERVAL").and_then(|n| n.parse::<u32>().ok()).filter(|n| *n > 1);
    let unit = match part("FREQ") {
        Some("DAILY") => "day",
        Some("WEEKLY") => "week",
        Some("MONTHLY") => "month",
        Some("YEARLY") => "year",
        _ => return rule.to_owned(),
    };
    let mut words = every.map_or_else(|| format!("every {unit}"), |n| format!("every {n} {unit}s"));
    if let Some(count) = part("COUNT") {
        words.push_str(&format!(", {count} times"));
    }
    if rule.contains("BY") || rule.contains("UNTIL") {
        words.push_str(&format!(" ({rule})"));
    }
    words
}
