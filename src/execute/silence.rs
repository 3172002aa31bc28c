//! A run that has had nothing to say for a while says what it waits for.

use jiff::{SignedDuration, Timestamp};

use crate::backup::Backoff;

/// The longest silence, in those after which it is first broken: a job of half a day takes some fifty lines.
pub(super) const MOST: i32 = 16;
/// By how much sooner it is broken while AWS does not answer.
const OUTAGE: i32 = 6;
/// Number of items that are named where there may be thousands.
pub(super) const NAMED: usize = 3;

/// Times at which a silent run speaks.
#[derive(Debug)]
pub(super) struct Silence {
    /// After how long where nothing is wrong; never where absent.
    usual: Option<SignedDuration>,
    /// After how long now.
    first: Option<SignedDuration>,
    /// Number of times that it has spoken since something happened.
    spoken: u32,
    until: Option<Timestamp>,
}

impl Silence {
    pub(super) fn new(first: Option<SignedDuration>, now: Timestamp) -> Self {
        let mut silence = Self {
            usual: first,
            first,
            spoken: 0,
            until: None,
        };
        silence.is_broken(now, None);
        silence
    }

    /// Something has happened, and was said; where it begins or ends an outage, which. Whoever looks on wants to hear sooner
    /// that AWS still does not answer.
    pub(super) fn is_broken(&mut self, now: Timestamp, outage: Option<bool>) {
        match outage {
            Some(true) => self.first = self.usual.map(|usual| usual / OUTAGE),
            Some(false) => self.first = self.usual,
            None => {}
        }
        self.spoken = 0;
        self.until = self.first.map(|first| now + first);
    }

    /// Returns the time at which the run is to say what it waits for.
    pub(super) fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Returns true if that time has come; the next time is later by twice as much.
    pub(super) fn is_over(&mut self, now: Timestamp) -> bool {
        let (Some(first), Some(until)) = (self.first, self.until) else {
            return false;
        };
        if until > now {
            return false;
        }
        self.spoken += 1;
        let waits = Backoff::doubled(first, first * MOST);
        self.until = Some(now + waits.wait(self.spoken));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_broken_after_a_minute_and_then_less_and_less_often() {
        let start: Timestamp = "2026-11-20T03:00:00Z".parse().unwrap();
        let mut silence = Silence::new(Some(SignedDuration::from_mins(1)), start);
        let minutes: Vec<i64> = (1..=60)
            .filter(|minute| silence.is_over(start + SignedDuration::from_mins(*minute)))
            .collect();
        assert_eq!(minutes, [1, 3, 7, 15, 31, 47]);
        silence.is_broken(start, Some(true));
        let seconds: Vec<i64> = (1..=80)
            .filter(|second| silence.is_over(start + SignedDuration::from_secs(*second)))
            .collect();
        assert_eq!(seconds, [10, 30, 70]);
        silence.is_broken(start, Some(false));
        assert_eq!(silence.until(), Some(start + SignedDuration::from_mins(1)));
    }

    #[test]
    fn a_run_that_nobody_watches_says_nothing() {
        let mut silence = Silence::new(None, Timestamp::UNIX_EPOCH);
        assert_eq!(silence.until(), None);
        assert!(!silence.is_over(Timestamp::MAX));
    }
}
