//! Times and durations as people read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `4h 05m`, `3m 20s`, `12s`.
#[must_use]
pub fn duration(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let seconds = seconds.unsigned_abs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{rest}s"),
        (0, _) => format!("{sign}{minutes}m {rest:02}s"),
        _ => format!("{sign}{hours}h {minutes:02}m"),
    }
}

/// Times in one zone, with the date where it is another day than the one before.
#[derive(Clone, Debug)]
pub struct LocalTime {
    zone: TimeZone,
}

impl LocalTime {
    /// Times as people in a zone read them.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Self { zone }
    }

    /// Times as files have them, which are read anywhere.
    #[must_use]
    pub fn utc() -> Self {
        Self::new(TimeZone::UTC)
    }

    /// Date, minute and zone.
    #[must_use]
    pub fn minute(&self, at: Timestamp) -> String {
        self.format(at, "%Y-%m-%d %H:%M %Z")
    }

    /// The minute; the date before it where that is not the day of another time.
    #[must_use]
    pub fn short(&self, at: Timestamp, than: Option<Timestamp>) -> String {
        match than.is_some_and(|than| self.is_same_day(at, than)) {
            true => self.format(at, "%H:%M"),
            false => self.format(at, "%Y-%m-%d %H:%M"),
        }
    }

    /// The second; date and zone with it where either is not that of another time.
    #[must_use]
    pub fn second(&self, at: Timestamp, than: Option<Timestamp>) -> String {
        match than.is_some_and(|than| self.is_same_day(at, than)) {
            true => self.format(at, "%H:%M:%S"),
            false => self.format(at, "%Y-%m-%d %H:%M:%S %Z"),
        }
    }

    /// Returns true if two times share a date and an offset from UTC.
    fn is_same_day(&self, one: Timestamp, other: Timestamp) -> bool {
        let [one, other] = [one, other].map(|at| at.to_zoned(self.zone.clone()));
        one.date() == other.date() && one.offset() == other.offset()
    }

    fn format(&self, at: Timestamp, format: &str) -> String {
        at.to_zoned(self.zone.clone()).strftime(format).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short_enough_to_read() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (200, "3m 20s"),
            (14_700, "4h 05m"),
            (360_000, "100h 00m"),
            (-5, "-5s"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn a_date_is_said_once_a_day_and_when_clocks_change() {
        let clock = LocalTime::new(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let evening = at("2026-10-24T21:59:00Z");
        let midnight = at("2026-10-24T22:00:00Z");
        let before = at("2026-10-25T00:30:00Z");
        let after = at("2026-10-25T01:30:00Z");
        assert_eq!(clock.second(evening, None), "2026-10-24 23:59:00 CEST");
        assert_eq!(
            clock.second(midnight, Some(evening)),
            "2026-10-25 00:00:00 CEST"
        );
        assert_eq!(clock.second(before, Some(midnight)), "02:30:00");
        assert_eq!(clock.second(after, Some(before)), "2026-10-25 02:30:00 CET");
    }
}
