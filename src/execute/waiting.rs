//! A run that has had nothing to say for a while says what it waits for.

use jiff::{SignedDuration, Timestamp};

use super::Observer;
use super::run::Run;
use crate::backup::{Clock, Reader, Writer};
use crate::state::{Awaited, Check, Event, Journal};

/// The longest silence, in those after which it is first broken: a job of half a day takes some fifty lines.
const MOST: i32 = 16;
/// How many are named of what there may be thousands of.
const NAMED: usize = 3;

/// When a silent run speaks.
#[derive(Debug)]
pub(super) struct Silence {
    /// After how long; never where absent.
    first: Option<SignedDuration>,
    wait: SignedDuration,
    until: Option<Timestamp>,
}

impl Silence {
    pub(super) fn new(first: Option<SignedDuration>, now: Timestamp) -> Self {
        let mut silence = Self {
            first,
            wait: SignedDuration::ZERO,
            until: None,
        };
        silence.is_broken(now);
        silence
    }

    /// Something has happened, and was said.
    pub(super) fn is_broken(&mut self, now: Timestamp) {
        self.wait = self.first.unwrap_or_default();
        self.until = self.first.map(|first| now + first);
    }

    /// When the run is to say what it waits for.
    pub(super) fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Whether that time has come; the next time is later by twice as much.
    fn is_over(&mut self, now: Timestamp) -> bool {
        let (Some(first), Some(until)) = (self.first, self.until) else {
            return false;
        };
        if until > now {
            return false;
        }
        self.wait = (self.wait * 2).min(first * MOST);
        self.until = Some(now + self.wait);
        true
    }
}

impl<A: Reader + Writer + 'static, J: Journal + 'static, C: Clock, O: Observer>
    Run<'_, A, J, C, O>
{
    /// Says what the run waits for, once it has been silent for long; `pages` are those of a listing under way.
    pub(super) fn break_silence(&mut self, pages: u32) {
        let at = self.engine.clock.now();
        if self.recording.silence.is_over(at) {
            let event = Event::Waiting {
                awaited: self.awaited(at, pages),
            }
            .redacted(self.engine.planner.secrets());
            // Nothing has happened: it is for the screen alone.
            self.engine.observer.observe(&crate::state::Recorded {
                at,
                aws_ahead: None,
                event,
            });
        }
    }

    fn awaited(&self, now: Timestamp, pages: u32) -> Awaited {
        let seconds = |since: Timestamp| now.duration_since(since).as_secs().max(0);
        let mut followed: Vec<(Timestamp, usize)> = self
            .targets
            .iter()
            .flat_map(|target| target.poller.followed())
            .collect();
        let jobs = followed.len();
        followed.sort_unstable();
        let longest = followed.into_iter().take(NAMED);
        let longest = longest.map(|(since, step)| (self.name(step), seconds(since)));
        let restores = self.observed.restores.iter();
        let of_restores = restores.flat_map(|(name, past)| {
            let running = past
                .checks
                .iter()
                .filter(|(_, seen)| seen.is == Check::Started);
            running.map(move |(check, _)| (Some(name.clone()), check.clone()))
        });
        let whole = self.observed.checks.iter().chain(&self.observed.cutover);
        let of_plan = whole.filter(|(_, seen)| seen.is == Check::Started);
        let checks = of_restores.chain(of_plan.map(|(check, _)| (None, check.clone())));
        Awaited {
            jobs,
            longest: longest.collect(),
            requests: self.flights.open_count(),
            checks: match self.checking.is_idle() {
                true => Vec::new(),
                false => checks.take(NAMED).collect(),
            },
            pages,
            trouble: self
                .targets
                .iter()
                .flat_map(|target| target.outages.values())
                .map(|outage| (outage.message.clone(), seconds(outage.since)))
                .collect(),
        }
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
        silence.is_broken(start);
        assert_eq!(silence.until(), Some(start + SignedDuration::from_mins(1)));
    }

    #[test]
    fn a_run_that_nobody_watches_says_nothing() {
        let mut silence = Silence::new(None, Timestamp::UNIX_EPOCH);
        assert_eq!(silence.until(), None);
        assert!(!silence.is_over(Timestamp::MAX));
    }
}
