//! Times in queries: what `2024-05`, `7d` or `2024-01..2024-03` means to somebody in a given zone.

use jiff::civil::{Date, Time};
use jiff::tz::Offset;
use jiff::{Span, Timestamp, ToSpan};

use super::value::shortened;

/// The present, and where the owner is.
#[derive(Clone, Copy)]
pub(super) struct Now {
    today: Date,
    offset: Offset,
}

/// A stretch of time in UTC seconds; `None` is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) from: i64,
    pub(super) until: Option<i64>,
    /// `7d` alone means that day and all since.
    pub(super) goes_on: bool,
}

/// How a time may be written.
pub(super) const SHAPES: &str =
    "`2024`, `2024-05`, `2024-05-17`, `2024-01..2024-03`, `today`, `yesterday`, `7d`, `3w` or `2y`";

impl Now {
    /// Times out of this world count as the nearest that can be.
    pub(super) fn new(now: i64, offset_seconds: i32) -> Self {
        let offset = Offset::from_seconds(offset_seconds).unwrap_or(Offset::UTC);
        let limits = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        let now = Timestamp::from_second(now.clamp(limits.0, limits.1)).unwrap_or(Timestamp::UNIX_EPOCH);
        Self { today: offset.to_datetime(now).date(), offset }
    }

    /// One time, without `..`; the error says what is wrong with it.
    pub(super) fn period(self, text: &str) -> Result<Period, String> {
        match text.to_ascii_lowercase().as_str() {
            "today" => return self.days(self.today, 1.day(), text),
            "yesterday" => return self.ago(1.day(), text).and_then(|day| self.days(day, 1.day(), text)),
            _ => {}
        }
        if text.contains(['T', 't']) {
            return instant(text);
        }
        if let Some((number, unit)) =
            text.char_indices().next_back().and_then(|(at, _)| text.split_at_checked(at))
            && let Some(back) = span(number, unit)
        {
            let day = self.ago(back.map_err(|()| too_far(text))?, text)?;
            return Ok(Period { goes_on: true, ..self.days(day, 1.day(), text)? });
        }
        self.calendar(text)
    }

    /// `2024`, `2024-05`, `2024-05-17`.
    fn calendar(self, text: &str) -> Result<Period, String> {
        let mut numbers = text.split('-');
        let year = numbers.next().filter(|year| year.len() == 4).and_then(number);
        let month = numbers.next().map(|month| number(month).filter(|_| month.len() == 2));
        let day = numbers.next().map(|day| number(day).filter(|_| day.len() == 2));
        let (Some(year), None) = (year, numbers.next()) else { return Err(unknown(text)) };
        let (month, day, length) = match (month, day) {
            (None, _) => (1, 1, 1.year()),
            (Some(Some(month)), None) => (month, 1, 1.month()),
            (Some(Some(month)), Some(Some(day))) => (month, day, 1.day()),
            _ => return Err(unknown(text)),
        };
        let small = |number: i16| i8::try_from(number).unwrap_or(i8::MAX);
        if year == 0 {
            return Err("there was no year 0".to_owned());
        }
        if !(1..=12).contains(&month) {
            return Err(format!("`{text}` has no such month: months go from 01 to 12"));
        }
        let first = Date::new(year, small(month), small(day))
            .map_err(|_| format!("`{text}` is a day that this month does not have"))?;
        self.days(first, length, text)
    }

    fn days(self, first: Date, length: Span, text: &str) -> Result<Period, String> {
        let from = self.midnight(first).ok_or_else(|| too_far(text))?;
        let until = first.checked_add(length).ok().and_then(|day| self.midnight(day));
        Ok(Period { from, until, goes_on: false })
    }

    fn ago(self, back: Span, text: &str) -> Result<Date, String> {
        self.today.checked_sub(back).ok().filter(|date| date.year() > 0).ok_or_else(|| too_far(text))
    }

    fn midnight(self, date: Date) -> Option<i64> {
        Some(self.offset.to_timestamp(date.to_datetime(Time::midnight())).ok()?.as_second())
    }
}

/// `7d` and the like; `None` if it is not of that shape.
fn span(number: &str, unit: &str) -> Option<Result<Span, ()>> {
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let span = |count: i64| match unit {
        "d" | "D" => Some(Span::new().try_days(count)),
        "w" | "W" => Some(Span::new().try_weeks(count)),
        "m" | "M" => Some(Span::new().try_months(count)),
        "y" | "Y" => Some(Span::new().try_years(count)),
        _ => None,
    };
    let span = span(number.parse().unwrap_or(i64::MAX))?;
    Some(span.map_err(|_| ()))
}

fn number(digits: &str) -> Option<i16> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// A second in UTC, as [`instant_text`] writes it.
fn instant(text: &str) -> Result<Period, String> {
    let second = text.parse::<Timestamp>().map_err(|_| unknown(text))?.as_second();
    Ok(Period { from: second, until: second.checked_add(1), goes_on: false })
}

/// How a second is written so that it reads back the same in any zone.
pub(super) fn instant_text(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| second.to_string(), |instant| instant.to_string())
}

fn too_far(text: &str) -> String {
    format!("`{}` is further away than calendars go", shortened(text))
}

fn unknown(text: &str) -> String {
    format!("`{}` is no time: write {SHAPES}", shortened(text))
}
