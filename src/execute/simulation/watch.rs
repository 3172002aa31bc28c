//! Looking at jobs: as `run/polling.rs` and `run/duplicates.rs` do, whose answers come at once here.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::Playing;
use super::place::{FollowedJob, SimulatedPlace};
use crate::backup::Operation;
use crate::execute::duplicate_watch::{AFTERWARDS, EVERY};
use crate::execute::poller::{WIDE_EVERY, interval};
use crate::ids::TargetIndex;

impl Playing<'_> {
    /// Looks at the jobs of a target that are due, as far as the rates let it; whether one has ended.
    pub(super) fn watch(&mut self, target: TargetIndex) -> bool {
        let mut place = std::mem::take(&mut self.places[target]);
        let ended = if place.one_by_one() {
            self.describe(target, &mut place)
        } else {
            self.list_ended(target, &mut place)
        };
        for job in &ended {
            place.ages.remove(job.since);
        }
        if place.sweep.is_none() && place.sweep_at.is_none() {
            // The target has just been listed.
            place.sweep_at = Some(self.now + interval(place.ages.mean(self.now)));
        }
        self.places[target] = place;
        for job in &ended {
            self.seen(job.step, job.end > self.now);
        }
        !ended.is_empty()
    }

    /// A handful is described one by one.
    fn describe(&mut self, target: TargetIndex, place: &mut SimulatedPlace) -> Vec<FollowedJob> {
        let now = self.now;
        place.sweep = None;
        let listed = place.listed;
        let is_due = |Reverse(job): &Reverse<FollowedJob>| job.look_at(listed) <= now;
        if !place.jobs.iter().any(is_due) {
            return Vec::new();
        }
        let mut jobs: Vec<FollowedJob> = place.jobs.drain().map(|Reverse(job)| job).collect();
        jobs.sort_unstable_by_key(|job| job.step);
        let mut ended = Vec::new();
        let mut may = true;
        for mut job in jobs {
            may = may
                && (job.look_at(listed) > now || self.may(target, Operation::DescribeRestoreJob));
            if may && job.look_at(listed) <= now {
                if job.end <= now || job.is_overdue(now) {
                    ended.push(job);
                    continue;
                }
                job.still(now);
            }
            place.jobs.push(Reverse(job));
        }
        ended
    }

    /// More are watched by listing what has ended, and every so often everything.
    fn list_ended(&mut self, target: TargetIndex, place: &mut SimulatedPlace) -> Vec<FollowedJob> {
        let now = self.now;
        let mut ended = over(place, now);
        let is_due = |at: Timestamp| at <= now;
        if place.sweep.is_none() && place.sweep_at.is_none_or(is_due) {
            place.sweeps += 1;
            place.sweep = Some(place.sweeps.is_multiple_of(WIDE_EVERY));
        }
        let Some(is_wide) = place.sweep else {
            return ended;
        };
        if self.may(target, Operation::ListRestoreJobs) {
            place.sweep = None;
            place.sweep_at = None;
            if is_wide {
                place.listed = Some(now);
            }
            while place.jobs.peek().is_some_and(|Reverse(job)| job.end <= now) {
                ended.extend(place.jobs.pop().map(|Reverse(job)| job));
            }
        }
        ended
    }

    /// Looks whether somebody else has started the same: nobody has, and the calls count.
    pub(super) fn look_around(&mut self, target: TargetIndex) {
        let now = self.now;
        let place = &mut self.places[target];
        if place.look_began.is_none() && place.look_due.is_some_and(|due| due <= now) {
            place.look_began = Some(now);
        }
        let Some(began) = place.look_began else {
            return;
        };
        if self.may(target, Operation::ListRestoreJobs) {
            let waits = self.schedule.has_next(target);
            let place = &mut self.places[target];
            let last = place.last_start;
            let is_recent = last.is_some_and(|at| began.duration_since(at) < AFTERWARDS);
            place.look_began = None;
            place.look_due = (waits || is_recent).then(|| now + EVERY);
        }
    }
}

/// Takes out those whose time is over before they have ended.
fn over(place: &mut SimulatedPlace, now: Timestamp) -> Vec<FollowedJob> {
    let mut over = Vec::new();
    while let Some(Reverse((at, step))) = place.deadlines.peek().copied()
        && at <= now
    {
        place.deadlines.pop();
        let mut jobs = std::mem::take(&mut place.jobs).into_vec();
        if let Some(found) = jobs.iter().position(|Reverse(job)| job.step == step) {
            over.push(jobs.swap_remove(found).0);
        }
        place.jobs = jobs.into();
    }
    over
}
