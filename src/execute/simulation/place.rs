//! The jobs of a target that are followed in a simulated run, and when they are looked at: as [`crate::execute::poller`] does.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use jiff::{SignedDuration, Timestamp};

use crate::execute::duplicate_watch::EVERY;
use crate::execute::poller::{Ages, HANDFUL, interval};
use crate::ids::StepIndex;

/// A job that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FollowedJob {
    pub(super) end: Timestamp,
    pub(super) step: StepIndex,
    pub(super) since: Timestamp,
    /// Time when it was last looked at by itself.
    asked: Timestamp,
    look_at: Timestamp,
    deadline: Option<Timestamp>,
}

impl Ord for FollowedJob {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.end, self.step).cmp(&(other.end, other.step))
    }
}

impl PartialOrd for FollowedJob {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FollowedJob {
    /// Returns the time to look at it; a listing of everything has shown it too.
    pub(super) fn look_at(&self, listed: Option<Timestamp>) -> Timestamp {
        match listed.filter(|at| *at > self.asked) {
            Some(at) => self.after(at),
            None => self.look_at,
        }
    }

    fn after(&self, now: Timestamp) -> Timestamp {
        let at = now + interval(now.duration_since(self.since));
        let deadline = self.deadline.filter(|deadline| *deadline > now);
        deadline.map_or(at, |deadline| deadline.min(at))
    }

    /// Notes that it was seen running now.
    pub(super) fn still(&mut self, now: Timestamp) {
        self.asked = now;
        self.look_at = self.after(now);
    }

    pub(super) fn is_overdue(&self, now: Timestamp) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// A target.
#[derive(Debug, Default)]
pub(super) struct SimulatedPlace {
    /// The first to end first.
    pub(super) jobs: BinaryHeap<Reverse<FollowedJob>>,
    pub(super) ages: Ages,
    /// True if the listing about to be made is one of everything.
    pub(super) sweep: Option<bool>,
    pub(super) sweep_at: Option<Timestamp>,
    pub(super) sweeps: u32,
    /// Time of the last listing of everything.
    pub(super) listed: Option<Timestamp>,
    /// Deadlines of jobs that end later than that.
    pub(super) deadlines: BinaryHeap<Reverse<(Timestamp, StepIndex)>>,
    /// Time of the next look at what others have started, and the time since which such a look waits for the rates.
    pub(super) look_due: Option<Timestamp>,
    pub(super) look_began: Option<Timestamp>,
    pub(super) last_start: Option<Timestamp>,
}

impl SimulatedPlace {
    pub(super) fn one_by_one(&self) -> bool {
        self.jobs.len() <= HANDFUL
    }

    /// A job is followed; `deadline` is before its end.
    pub(super) fn follow(
        &mut self,
        step: StepIndex,
        now: Timestamp,
        end: Timestamp,
        deadline: Option<Timestamp>,
    ) {
        let look_at = now + interval(SignedDuration::ZERO);
        self.sweep_at = Some(self.sweep_at.map_or(look_at, |at| at.min(look_at)));
        self.ages.add(now);
        self.deadlines
            .extend(deadline.map(|at| Reverse((at, step))));
        self.jobs.push(Reverse(FollowedJob {
            end,
            step,
            since: now,
            asked: now,
            look_at,
            deadline,
        }));
        self.look_due.get_or_insert(now + EVERY);
        self.last_start = Some(now);
    }

    /// Goes on to the first look that sees an end, as if those before it had been made.
    pub(super) fn skip_looks(&mut self) {
        if self.one_by_one() {
            let mut jobs = std::mem::take(&mut self.jobs).into_vec();
            for Reverse(job) in &mut jobs {
                while job.look_at < job.end && !job.is_overdue(job.look_at) {
                    let apart = interval(job.look_at.duration_since(job.since));
                    let left = job.end.duration_since(job.look_at);
                    job.still(job.look_at + whole(apart, left));
                }
            }
            self.jobs = jobs.into();
        } else if let (Some(Reverse(first)), Some(mut at)) = (self.jobs.peek(), self.sweep_at) {
            while at < first.end {
                let apart = interval(self.ages.mean(at));
                at = at + whole(apart, first.end.duration_since(at)) + apart + LATE;
            }
            self.sweep_at = Some(at);
        }
    }

    /// Returns the times when something is to be looked at.
    pub(super) fn next(&self, is_exact: bool) -> impl Iterator<Item = Timestamp> {
        let is_few = self.one_by_one();
        let few = self.jobs.iter().take(if is_few { HANDFUL } else { 0 });
        let few = few.map(|Reverse(job)| job.look_at(self.listed));
        let sweep = self.sweep_at.filter(|_| !is_few && self.sweep.is_none());
        let deadline = self.deadlines.peek().filter(|_| !is_few);
        few.chain(sweep)
            .chain(deadline.map(|Reverse((at, _))| *at))
            .chain(
                self.look_due
                    .filter(|_| is_exact && self.look_began.is_none()),
            )
    }
}

/// A timer is late by so much.
const LATE: SignedDuration = SignedDuration::from_millis(1);

/// All but the last of the looks that are as far apart as looks ever are, as one.
fn whole(apart: SignedDuration, left: SignedDuration) -> SignedDuration {
    let apart = apart + LATE;
    match i32::try_from(left.as_millis() / apart.as_millis().max(1)) {
        Ok(times) if times > 1 && apart > LONGEST => apart * (times - 1),
        _ => SignedDuration::ZERO,
    }
}

/// Looks that are further apart than this are as far apart as they ever are.
const LONGEST: SignedDuration = SignedDuration::from_secs(30);
