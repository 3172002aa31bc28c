//! Timeline of job changes. The course of each job is settled when it is created, so that the instants are known then.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::ops::Bound;

use jiff::Timestamp;

/// The beginnings that are still to come, and all ends: each job is added, and the next change is found, in the time that
/// it takes to find a place among them.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    starts: BinaryHeap<Reverse<Timestamp>>,
    /// With the job's place in the order of creation.
    ends: BTreeSet<(Timestamp, u32)>,
}

impl Timeline {
    pub(super) fn add(&mut self, job: usize, starts_at: Timestamp, ends_at: Timestamp) {
        self.starts.push(Reverse(starts_at));
        self.ends.insert((ends_at, place(job)));
    }

    /// The first instant after `now` at which a job changes. What happens at the end of time does not happen.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<Timestamp> {
        while self.starts.peek().is_some_and(|Reverse(at)| *at <= now) {
            self.starts.pop();
        }
        let start = self.starts.peek().map(|Reverse(at)| *at);
        let later = (Bound::Excluded((now, u32::MAX)), Bound::Unbounded);
        let end = self.ends.range(later).next().map(|(at, _)| *at);
        let next = [start, end].into_iter().flatten().min();
        next.filter(|at| *at < Timestamp::MAX)
    }

    /// The jobs that have not ended at an instant, those that never do among them.
    pub(super) fn unfinished(&self, now: Timestamp) -> impl Iterator<Item = usize> {
        let later = (Bound::Excluded((now, u32::MAX)), Bound::Unbounded);
        self.ends.range(later).map(|(_, job)| *job as usize)
    }

    /// The jobs that end after one instant and not after another, the youngest first; none if there are more than `most`:
    /// then it is better to look through them all.
    pub(super) fn ending(
        &self,
        after: Option<Timestamp>,
        until: Option<Timestamp>,
        most: usize,
    ) -> Option<Vec<usize>> {
        let from = after.map_or(Bound::Unbounded, |at| Bound::Excluded((at, u32::MAX)));
        let to = until.map_or(Bound::Unbounded, |at| Bound::Included((at, u32::MAX)));
        if let (Some(after), Some(until)) = (after, until)
            && after >= until
        {
            return Some(Vec::new());
        }
        let mut jobs = Vec::new();
        for (_, job) in self.ends.range((from, to)) {
            if jobs.len() == most {
                return None;
            }
            jobs.push(*job as usize);
        }
        jobs.sort_unstable_by(|a, b| b.cmp(a));
        Some(jobs)
    }
}

/// Four milliards of jobs do not fit into any memory.
fn place(job: usize) -> u32 {
    u32::try_from(job).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_next_change_and_those_that_end_between() {
        let mut timeline = Timeline::default();
        timeline.add(0, at(10), at(40));
        timeline.add(1, at(20), at(30));
        timeline.add(2, at(20), at(30));
        timeline.add(3, Timestamp::MAX, Timestamp::MAX);
        let mut changes = Vec::new();
        let mut now = at(0);
        while let Some(next) = timeline.next(now) {
            changes.push(next.as_second());
            now = next;
        }
        assert_eq!(changes, [10, 20, 30, 40]);
        let ending = |after: i64, until: i64| {
            timeline
                .ending(Some(at(after)), Some(at(until)), 3)
                .unwrap()
        };
        assert_eq!(ending(0, 29), [0; 0]);
        assert_eq!(ending(0, 30), [2, 1]);
        assert_eq!(ending(30, 40), [0]);
        assert_eq!(ending(40, 40), [0; 0]);
        assert_eq!(ending(50, 40), [0; 0]);
        assert_eq!(timeline.ending(Some(at(30)), None, 3).unwrap(), [3, 0]);
        assert_eq!(timeline.ending(None, None, 3), None);
        let unfinished = |second| timeline.unfinished(at(second)).collect::<Vec<_>>();
        assert_eq!(unfinished(0), [1, 2, 0, 3]);
        assert_eq!(unfinished(30), [0, 3]);
        assert_eq!(unfinished(40), [3]);
    }
}
