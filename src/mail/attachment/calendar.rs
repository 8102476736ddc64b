//! What a calendar file says (RFC 5545): its events as plain fields.

use calcard::common::PartialDateTime;
use calcard::common::timezone::Tz;
use calcard::icalendar::timezone::TzResolver;
use calcard::icalendar::{
    ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarEntry, ICalendarParameterName,
    ICalendarProperty, ICalendarValue,
};
use calcard::{Entry, Parser};
use serde::{Deserialize, Serialize};

/// At most so many bytes are read.
const BYTES_MAX: usize = 4 << 20;
/// At most so many events are shown.
const EVENTS_MAX: usize = 100;
/// At most so many people of an event.
const PEOPLE_MAX: usize = 200;
/// A text is shown up to so many bytes.
const TEXT_MAX: usize = 20_000;

/// A calendar file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// What its sender wants with it, in lower case: `request`, `reply`, `cancel`, `publish`; empty where unsaid.
    pub method: String,
    /// Its events and tasks.
    pub events: Vec<Event>,
    /// How many there are.
    pub total: u32,
}

/// An event or a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Whether it is a task.
    pub is_task: bool,
    /// What it is about.
    pub summary: String,
    /// When it begins.
    pub start: Option<When>,
    /// When it ends; of a task, when it is due. For whole days the day after the last.
    pub end: Option<When>,
    /// Where.
    pub place: String,
    /// Who invites.
    pub organiser: Option<Attendee>,
    /// Who is invited.
    pub attendees: Vec<Attendee>,
    /// More about it.
    pub description: String,
    /// Where more is said about it; only shown.
    pub link: String,
    /// `confirmed`, `tentative`, `cancelled` and the like, in lower case; empty where unsaid.
    pub status: String,
    /// How it repeats, as its rule is written; empty where it does not.
    pub repeats: String,
}

/// A time in a calendar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct When {
    /// Year, month and day, as written.
    pub day: (u16, u8, u8),
    /// Hour and minute, as written; `None` for a whole day.
    pub time: Option<(u8, u8)>,
    /// The zone as written; empty for none.
    pub zone: String,
    /// The moment, in seconds since 1970, where the zone is known.
    pub at: Option<i64>,
}

/// Somebody in a calendar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendee {
    /// The name; empty when there is none.
    pub name: String,
    /// The address.
    pub address: String,
    /// `accepted`, `declined`, `tentative`, `needs-action`, in lower case; empty where unsaid.
    pub answer: String,
}

/// Reads a calendar file.
///
/// # Errors
/// Why it cannot be read, in a sentence without a full stop.
pub fn read(bytes: &[u8]) -> Result<Calendar, String> {
    let text = String::from_utf8_lossy(bytes.get(..BYTES_MAX).unwrap_or(bytes));
    let mut parser = Parser::new(&text);
    let mut calendar = Calendar::default();
    let mut found = false;
    // Each step takes something off the text; what is no calendar in it is passed over.
    for _ in 0..10_000 {
        match parser.entry() {
            Entry::ICalendar(part) => {
                found = true;
                add(&mut calendar, &part);
            }
            Entry::Eof | Entry::TooManyComponents => break,
            _ => {}
        }
    }
    match (found, calendar.total) {
        (false, _) => Err("The calendar file is broken".to_owned()),
        (true, 0) => Err("The calendar file is broken, or names no event".to_owned()),
        (true, _) => Ok(calendar),
    }
}

fn add(calendar: &mut Calendar, part: &ICalendar) {
    let zones = part.build_tz_resolver();
    for component in &part.components {
        if calendar.method.is_empty()
            && let Some(method) = text(component, &ICalendarProperty::Method)
        {
            calendar.method = method.to_ascii_lowercase();
        }
        let is_task = component.component_type == ICalendarComponentType::VTodo;
        if is_task || component.component_type == ICalendarComponentType::VEvent {
            calendar.total += 1;
            if calendar.events.len() < EVENTS_MAX {
                calendar.events.push(event(component, &zones, is_task));
            }
        }
    }
}

fn event(component: &ICalendarComponent, zones: &TzResolver<&str>, is_task: bool) -> Event {
    let words = |property| text(component, &property).unwrap_or_default();
    let when = |property| component.property(&property).and_then(|entry| when(entry, zones));
    let start = when(ICalendarProperty::Dtstart);
    let end = when(ICalendarProperty::Dtend).or_else(|| when(ICalendarProperty::Due)).or_else(|| {
        let begun = start.as_ref()?;
        let duration = component.property(&ICalendarProperty::Duration)?.values.first()?;
        let ICalendarValue::Duration(duration) = duration else { return None };
        begun.at?.checked_add(duration.as_seconds()).map(|at| When { at: Some(at), ..begun.clone() })
    });
    let rule = component.property(&ICalendarProperty::Rrule).and_then(|entry| entry.values.first());
    Event {
        is_task,
        summary: words(ICalendarProperty::Summary),
        start,
        end,
        place: words(ICalendarProperty::Location),
        organiser: component.property(&ICalendarProperty::Organizer).map(attendee),
        attendees: component
            .properties(&ICalendarProperty::Attendee)
            .take(PEOPLE_MAX)
            .map(attendee)
            .collect(),
        description: words(ICalendarProperty::Description),
        link: words(ICalendarProperty::Url),
        status: words(ICalendarProperty::Status).to_ascii_lowercase(),
        repeats: match rule {
            Some(ICalendarValue::RecurrenceRule(rule)) => clip(&rule.to_string()),
            _ => String::new(),
        },
    }
}

fn text(component: &ICalendarComponent, property: &ICalendarProperty) -> Option<String> {
    let entry = component.property(property)?;
    let all: Vec<&str> = entry.values.iter().take(50).filter_map(ICalendarValue::as_text).collect();
    Some(clip(&all.join(", ")))
}

fn attendee(entry: &ICalendarEntry) -> Attendee {
    let parameter =
        |name| entry.parameter(&name).and_then(|value| value.as_text()).map(clip).unwrap_or_default();
    Attendee {
        name: parameter(ICalendarParameterName::Cn),
        address: clip(entry.calendar_address().unwrap_or_default()),
        answer: parameter(ICalendarParameterName::Partstat).to_ascii_lowercase(),
    }
}

fn when(entry: &ICalendarEntry, zones: &TzResolver<&str>) -> Option<When> {
    let written = entry.values.first()?.as_partial_date_time()?;
    let PartialDateTime { year: Some(year), month: Some(month), day: Some(day), .. } = *written else {
        return None;
    };
    let zone = entry.parameter(&ICalendarParameterName::Tzid).and_then(|value| value.as_text());
    let time = written.hour.map(|hour| (hour, written.minute.unwrap_or(0)));
    let at = match (time, written.tz_hour, zone) {
        (None, ..) => None,
        (_, Some(_), _) => written.to_date_time_with_tz(Tz::UTC).map(|at| at.timestamp()),
        (_, None, Some(zone)) => {
            let zone = zones.resolve(zone).filter(|zone| *zone != Tz::Floating);
            zone.and_then(|zone| written.to_date_time_with_tz(zone)).map(|at| at.timestamp())
        }
        (_, None, None) => None,
    };
    let zone = match (zone, written.tz_hour) {
        (Some(zone), _) => clip(zone),
        (None, Some(_)) => "UTC".to_owned(),
        (None, None) => String::new(),
    };
    Some(When { day: (year, month, day), time, zone, at })
}

/// Text as it may be shown: bounded, without characters that nobody sees.
pub(super) fn clip(text: &str) -> String {
    let text = text.get(..text.floor_char_boundary(TEXT_MAX)).unwrap_or_default();
    text.chars()
        .filter(|c| matches!(c, '\n' | '\t') || !crate::mail::message::people::is_hidden(*c))
        .collect::<String>()
        .trim()
        .to_owned()
}
