//! When sample messages were written: days before now, at a time of day.

use jiff::Timestamp;
use jiff::tz::Offset;

const DAY: i64 = 86_400;
/// The youngest messages that name a time of day are of the last day on which this hour has passed.
const EVENING: i64 = 21 * 3600;

/// Now, and the day that counts as today.
#[derive(Clone, Copy)]
pub(super) struct Calendar {
    now: i64,
    today: i64,
}

impl Calendar {
    pub(super) fn new(now: i64) -> Self {
        Self { now, today: now.saturating_sub(EVENING).div_euclid(DAY).saturating_mul(DAY) }
    }

    /// `days` ago at `clock` (`19:40`), or `now-12m`, whatever `days` says.
    pub(super) fn at(self, days: i64, clock: &str) -> Option<i64> {
        if let Some(minutes) = clock.strip_prefix("now-").and_then(|clock| clock.strip_suffix('m')) {
            return Some(self.now.saturating_sub(minutes.parse::<i64>().ok()?.saturating_mul(60)));
        }
        let (hour, minute) = clock.split_once(':')?;
        let second =
            hour.parse::<i64>().ok()?.saturating_mul(3600) + minute.parse::<i64>().ok()?.saturating_mul(60);
        Some(self.today.saturating_sub(days.saturating_mul(DAY)).saturating_add(second))
    }

    /// Ten o'clock, so many days from now: for invitations.
    pub(super) fn ahead(self, days: i64) -> i64 {
        self.today.saturating_add(days.saturating_mul(DAY)).saturating_add(10 * 3600)
    }
}

/// A date as header fields have it (RFC 5322 §3.3); `zone` is as `+0100`.
pub(super) fn header_date(second: i64, zone: &str) -> String {
    format!("{} {zone}", in_zone(second, zone, "%a, %d %b %Y %H:%M:%S"))
}

/// A date as people's programs put it above a quotation.
pub(super) fn spoken_date(second: i64, zone: &str) -> String {
    in_zone(second, zone, "%A, %-d %B %Y, %H:%M")
}

/// A date as calendars have it, in UTC (RFC 5545 §3.3.5).
pub(super) fn calendar_date(second: i64) -> String {
    in_zone(second, "+0000", "%Y%m%dT%H%M%SZ")
}

fn in_zone(second: i64, zone: &str, format: &str) -> String {
    let hours = zone.get(1..3).and_then(|hours| hours.parse::<i32>().ok()).unwrap_or(0);
    let minutes = zone.get(3..5).and_then(|minutes| minutes.parse::<i32>().ok()).unwrap_or(0);
    let seconds = hours * 3600 + minutes * 60;
    let offset = Offset::from_seconds(if zone.starts_with('-') { -seconds } else { seconds });
    let instant = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
    offset.unwrap_or(Offset::UTC).to_datetime(instant).strftime(format).to_string()
}
