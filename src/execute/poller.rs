//! Watching jobs with few calls.
//!
//! A handful is described one by one. More are watched by listing what has ended since the last look, page after
//! page; every so often everything since the oldest job is listed, for what such a listing may have left out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::outage::PATIENCE;
use super::skew::Skew;
use crate::backup::{Interval, JobQuery, JobStatus, Pages};
use crate::ids::{AccountId, JobId, StepIndex};

/// Jobs that are described one by one; a page of a listing costs as much as one of these.
pub(super) const HANDFUL: usize = 5;
/// Overlap of listings: AWS does not say how soon an end shows in one.
pub(super) const OVERLAP: SignedDuration = SignedDuration::from_mins(5);
/// After so many refused listings every job is described.
pub(super) const REFUSALS: u32 = 3;
/// So many questions about one job that get no answer while others do.
pub(super) const HOPELESS: u32 = 20;
/// Each of so many sweeps lists everything since the oldest job.
pub(super) const WIDE_EVERY: u32 = 20;

/// Returns the wait before a job is polled again, by its age.
pub(super) fn interval(age: SignedDuration) -> SignedDuration {
    const LOOKS: Interval = Interval {
        part: 8,
        shortest: SignedDuration::from_secs(1),
        longest: SignedDuration::from_secs(30),
    };
    LOOKS.after(age)
}

/// Ages of the jobs that are followed, all together: each is counted in and out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ages {
    count: i64,
    /// Their beginnings, in milliseconds.
    begun: i64,
}

impl Ages {
    /// A job that has begun then is followed.
    pub(super) fn add(&mut self, since: Timestamp) {
        self.count += 1;
        self.begun = self.begun.saturating_add(since.as_millisecond());
    }

    /// Removes a job that is no longer followed.
    pub(super) fn remove(&mut self, since: Timestamp) {
        self.count -= 1;
        self.begun = self.begun.saturating_sub(since.as_millisecond());
    }

    /// Returns their mean age; zero where there are none.
    pub(super) fn mean(self, now: Timestamp) -> SignedDuration {
        let begun = self.begun.checked_div(self.count);
        let age = begun.map_or(0, |begun| now.as_millisecond() - begun);
        SignedDuration::from_millis(age)
    }
}

/// A job that is followed.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) job_id: JobId,
    pub(super) since: Timestamp,
    pub(super) look_at: Timestamp,
    /// Time at which following stops, where the plan says so.
    pub(super) deadline: Option<Timestamp>,
    pub(super) is_asked: bool,
    pub(super) status: Option<JobStatus>,
    /// Since when every question about it has failed, and how many there were.
    pub(super) failing: Option<(Timestamp, u32)>,
    /// The last sweep that it showed in.
    pub(super) sweep: u32,
}

/// The jobs of one target that are followed, and when to look next.
#[derive(Debug, Default)]
pub(super) struct Poller {
    pub(super) jobs: BTreeMap<StepIndex, Followed>,
    pub(super) by_id: HashMap<JobId, StepIndex>,
    pub(super) ages: Ages,
    /// Jobs to describe by themselves although the rest is listed, and when: those whose time is over, and those that
    /// a listing of everything does not show.
    pub(super) alone: BTreeSet<(Timestamp, StepIndex)>,
    pub(super) sweep: Option<Sweep>,
    pub(super) sweep_at: Option<Timestamp>,
    pub(super) sweeps: u32,
    /// Start of the last whole sweep.
    pub(super) swept: Option<Timestamp>,
    /// Number of times in a row that AWS has refused to list.
    pub(super) refusals: u32,
}

/// A listing under way.
#[derive(Debug)]
pub(super) struct Sweep {
    pub(super) query: JobQuery,
    pub(super) began: Timestamp,
    pub(super) is_wide: bool,
    pub(super) pages: Pages,
    pub(super) is_asked: bool,
}

impl Poller {
    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    pub(super) fn one_by_one(&self) -> bool {
        self.refusals >= REFUSALS || self.jobs.len() <= HANDFUL
    }

    /// A job to follow from now on; `since` is when it may have begun, `timeout` how long it is followed from then.
    pub(super) fn follow(
        &mut self,
        step: StepIndex,
        job_id: &JobId,
        since: Timestamp,
        now: Timestamp,
        timeout: Option<SignedDuration>,
    ) {
        self.by_id.insert(job_id.clone(), step);
        // One that has just begun has nothing to tell yet; one from an earlier runner may have ended long ago.
        let look_at = if since == now {
            now + interval(SignedDuration::ZERO)
        } else {
            now
        };
        self.sweep_at = Some(self.sweep_at.map_or(look_at, |at| at.min(look_at.max(now))));
        let deadline = timeout.map(|timeout| since + timeout);
        self.alone.extend(deadline.map(|deadline| (deadline, step)));
        self.ages.add(since);
        let before = self.jobs.insert(
            step,
            Followed {
                job_id: job_id.clone(),
                since,
                look_at,
                deadline,
                is_asked: false,
                status: None,
                failing: None,
                sweep: self.sweeps,
            },
        );
        if let Some(before) = before {
            self.ages.remove(before.since);
        }
    }

    /// A job has ended; whether it was followed.
    pub(super) fn forget(&mut self, step: StepIndex) -> bool {
        match self.jobs.remove(&step) {
            Some(job) => {
                self.ages.remove(job.since);
                self.by_id.remove(&job.job_id).is_some()
            }
            None => false,
        }
    }

    /// A job goes on; whether its status is a new one.
    pub(super) fn still(&mut self, step: StepIndex, status: &JobStatus, now: Timestamp) -> bool {
        let Some(job) = self.jobs.get_mut(&step) else {
            return false;
        };
        job.is_asked = false;
        job.failing = None;
        job.look_at = now + interval(now.duration_since(job.since));
        if let Some(deadline) = job.deadline.filter(|deadline| *deadline > now) {
            job.look_at = job.look_at.min(deadline);
        }
        let is_new = job.status.as_ref() != Some(status);
        if is_new {
            job.status = Some(status.clone());
        }
        is_new
    }

    /// Returns true if a job that goes on has been followed for as long as the plan wants.
    pub(super) fn is_overdue(&self, step: StepIndex, now: Timestamp) -> bool {
        self.jobs
            .get(&step)
            .and_then(|job| job.deadline)
            .is_some_and(|deadline| deadline <= now)
    }

    /// Returns true if AWS has said anything of a restore's job, as it has of one that has ended.
    pub(super) fn is_seen(&self, step: StepIndex) -> bool {
        self.jobs.get(&step).is_none_or(|job| job.status.is_some())
    }

    /// A question about a job got no answer.
    pub(super) fn look_again(&mut self, step: StepIndex, at: Timestamp) {
        if let Some(job) = self.jobs.get_mut(&step) {
            job.is_asked = false;
            job.look_at = at;
            self.alone.insert((at, step));
        }
    }

    /// Another question about a job has failed; whether they have for so long, and so often, that no answer is to be
    /// expected. A machine that slept has asked only once meanwhile.
    pub(super) fn is_hopeless(&mut self, step: StepIndex, now: Timestamp) -> bool {
        let Some(job) = self.jobs.get_mut(&step) else {
            return false;
        };
        let (since, times) = job.failing.unwrap_or((now, 0));
        job.failing = Some((since, times + 1));
        times >= HOPELESS && now.duration_since(since) > PATIENCE
    }

    /// Every job that is followed: since when, and of which step.
    pub(super) fn followed(&self) -> impl Iterator<Item = (Timestamp, StepIndex)> {
        self.jobs.iter().map(|(step, job)| (job.since, *step))
    }

    /// A page of a listing did not come.
    pub(super) fn sweep_again(&mut self, at: Timestamp) {
        self.sweep = None;
        self.sweep_at = Some(at);
    }

    /// AWS has refused a listing: for a signature of before a sleep, or a token that it has forgotten. Again and again it
    /// does not let the caller list jobs, or the listing does not end.
    pub(super) fn refused(&mut self) {
        self.refusals += 1;
    }

    /// Returns the time of the next poll, later than `after` if that is given.
    pub(super) fn next_at(&self, after: Option<Timestamp>) -> Option<Timestamp> {
        let is_later = |at: &Timestamp| after.is_none_or(|after| *at > after);
        if self.one_by_one() {
            let jobs = self.jobs.values().filter(|job| !job.is_asked);
            return jobs.map(|job| job.look_at).filter(is_later).min();
        }
        let mut alone = self.alone.iter().map(|(at, _)| *at);
        // The next page of a sweep waits for the rates only.
        let sweep = self.sweep_at.filter(|_| self.sweep.is_none());
        let alone = alone.find(is_later);
        [alone, sweep.filter(is_later)].into_iter().flatten().min()
    }

    /// Makes the next sweep list what has ended since a time.
    pub(super) fn sweep_from(&mut self, at: Timestamp) {
        self.swept = Some(self.swept.map_or(at, |swept| swept.min(at)));
    }

    /// Returns true if a job is followed since so lately that AWS may not know it everywhere yet.
    pub(super) fn is_new(&self, step: StepIndex, now: Timestamp) -> bool {
        let job = self.jobs.get(&step);
        job.is_some_and(|job| now.duration_since(job.since) < OVERLAP)
    }

    pub(super) fn begin_sweep(&mut self, account: &AccountId, now: Timestamp, skew: Skew) {
        self.sweeps += 1;
        let oldest = self.jobs.values().map(|job| job.since).min().unwrap_or(now);
        let oldest = skew.at_aws(oldest);
        let is_wide = self.sweeps.is_multiple_of(WIDE_EVERY);
        let mut query = JobQuery {
            account: account.to_owned(),
            ..JobQuery::default()
        };
        if is_wide {
            query.created_after = Some(oldest);
        } else {
            // No job ends before it begins.
            query.completed_after = Some(
                self.swept
                    .map_or(oldest, |swept| skew.seen(swept) - OVERLAP),
            );
        }
        self.sweep = Some(Sweep {
            query,
            began: now,
            is_wide,
            pages: Pages::default(),
            is_asked: false,
        });
    }

    pub(super) fn end_sweep(&mut self, now: Timestamp) {
        let Some(sweep) = self.sweep.take() else {
            return;
        };
        self.swept = Some(sweep.began);
        self.sweep_at = Some(now + interval(self.ages.mean(now)));
        if sweep.is_wide {
            // Jobs that a listing of everything does not show are asked about one by one.
            let missing = self.jobs.iter().filter(|(_, job)| {
                job.since < sweep.began && job.sweep != self.sweeps && !job.is_asked
            });
            self.alone.extend(missing.map(|(step, _)| (now, *step)));
        }
    }
}
