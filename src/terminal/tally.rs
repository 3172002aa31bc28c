//! A run in numbers, and how often they are worth a line.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Stage;
use crate::state::Event;

/// Number of restores at each stage.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Counts {
    pub(super) total: usize,
    running: usize,
    /// Requests that were meant to leave and have no answer.
    unanswered: usize,
    pub(super) completed: usize,
    failed: usize,
    skipped: usize,
}

impl Counts {
    /// Counts one more restore as it is when the screen begins.
    pub fn add(&mut self, stage: Stage) {
        self.total += 1;
        match stage {
            Stage::Sent => self.unanswered += 1,
            Stage::Running(_) => self.running += 1,
            Stage::Checking | Stage::Done => self.completed += 1,
            Stage::Waiting | Stage::Bad => {}
        }
    }

    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::Intended { .. } => self.unanswered += 1,
            Event::Accepted { .. } | Event::Adopted { .. } => {
                self.unanswered = self.unanswered.saturating_sub(1);
                self.running += 1;
            }
            Event::Withdrawn { .. } => self.unanswered = self.unanswered.saturating_sub(1),
            Event::Completed { .. } => {
                self.running = self.running.saturating_sub(1);
                self.completed += 1;
            }
            Event::Failed { .. } => {
                self.running = self.running.saturating_sub(1);
                self.failed += 1;
            }
            Event::Refused { .. } => {
                self.unanswered = self.unanswered.saturating_sub(1);
                self.failed += 1;
            }
            Event::Rejected { .. } => self.failed += 1,
            Event::Skipped { .. } => self.skipped += 1,
            _ => {}
        }
    }

    /// Returns true if anything goes on at AWS, or may.
    pub(super) fn goes_on(&self) -> bool {
        self.running + self.unanswered > 0
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (completed, total, running) = (self.completed, self.total, self.running);
        write!(f, "{completed} of {total} restored, {running} running")?;
        for (count, word) in [(self.failed, "failed"), (self.skipped, "skipped")] {
            if count > 0 {
                write!(f, ", {count} {word}")?;
            }
        }
        Ok(())
    }
}

/// Lines of numbers: every ten seconds at first, and less often the longer a run goes on, so that a day's log stays
/// short enough to be read. By the run's own time.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

const OFTEN: SignedDuration = SignedDuration::from_secs(10);
const SELDOM: SignedDuration = SignedDuration::from_mins(5);

impl Throttle {
    /// Returns true if it is time for a line, which is then written. The end of a run always has one.
    pub(super) fn is_time(&mut self, now: Timestamp, ends: bool) -> bool {
        let first = *self.first.get_or_insert(now);
        let last = *self.last.get_or_insert(now);
        let apart = (now.duration_since(first) / 20).clamp(OFTEN, SELDOM);
        let is_time = ends || now.duration_since(last) >= apart;
        if is_time {
            self.last = Some(now);
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_told_in_some_hundred_lines() {
        let mut pace = Throttle::default();
        let mut lines = 0;
        for second in 0..86_400 {
            let now = Timestamp::from_second(second).unwrap();
            lines += usize::from(pace.is_time(now, false));
        }
        assert!((200..500).contains(&lines), "{lines}");
        assert!(pace.is_time(Timestamp::from_second(86_400).unwrap(), true));
    }
}
