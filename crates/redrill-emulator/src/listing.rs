//! Selection of the jobs that a listing shows.

use jiff::Timestamp;

use super::caller::Caller;
use super::job::{Job, JobStatus};
use super::service::Service;

/// The filters of ListRestoreJobs and ListRestoreJobsByProtectedResource.
#[derive(Debug, Default)]
pub(super) struct JobFilter {
    pub(super) account: Option<String>,
    pub(super) resource_type: Option<String>,
    pub(super) created_before: Option<Timestamp>,
    pub(super) created_after: Option<Timestamp>,
    pub(super) status: Option<JobStatus>,
    pub(super) complete_before: Option<Timestamp>,
    pub(super) complete_after: Option<Timestamp>,
    pub(super) restore_testing_plan_arn: Option<String>,
    pub(super) parent_job_id: Option<String>,
    pub(super) resource_arn: Option<String>,
    pub(super) point_created_after: Option<Timestamp>,
    pub(super) point_created_before: Option<Timestamp>,
}

/// A page of jobs, the newest first.
#[derive(Debug)]
pub(super) struct JobPage<'a> {
    pub(super) jobs: Vec<&'a Job>,
    /// Go on with jobs older than this one.
    pub(super) next: Option<usize>,
}

impl Service {
    /// ListRestoreJobs. The order is not documented; the newest first, so that new jobs do not move later pages.
    pub(super) fn list(
        &self,
        caller: &Caller,
        filter: &JobFilter,
        older_than: Option<usize>,
        max: usize,
        now: Timestamp,
    ) -> JobPage<'_> {
        let jobs = self.all();
        let end = older_than.unwrap_or(jobs.len()).min(jobs.len());
        // Jobs lie in the order of their creation: nothing older can fit either.
        let begin = filter.created_after.map_or(0, |after| {
            jobs.partition_point(|job| job.created_at <= after)
        });
        let mut page = JobPage {
            jobs: Vec::with_capacity(max.min(end)),
            next: None,
        };
        let mut more = |place: usize| {
            let job = &jobs[place];
            if !filter.fits(caller, job, now) {
                return true;
            }
            if page.jobs.len() == max {
                // One more is known to exist, so that no page is empty.
                page.next = Some(place + 1);
                return false;
            }
            page.jobs.push(job);
            true
        };
        // Looking through a window of a few pages costs less than to collect what ended when.
        let few = (4 * max).max(1000);
        let candidates = match end.saturating_sub(begin) {
            window if window <= few => None,
            _ => self.candidates(filter, few, now),
        };
        match candidates {
            Some(candidates) => {
                let mut wanted = candidates.into_iter();
                wanted.all(|place| !(begin..end).contains(&place) || more(place));
            }
            None => {
                (begin..end).rev().all(more);
            }
        }
        page
    }

    /// The jobs that can fit for how or when they end, the youngest first, if they are few.
    fn candidates(&self, filter: &JobFilter, few: usize, now: Timestamp) -> Option<Vec<usize>> {
        let (after, before) = (filter.complete_after, filter.complete_before);
        let until = before.map_or(now, |before| before.min(now));
        match filter.status {
            Some(JobStatus::Pending | JobStatus::Running) => {
                self.timeline.ending(Some(now), None, few)
            }
            Some(JobStatus::Failed | JobStatus::Aborted) => Some(self.unsuccessful()),
            Some(JobStatus::Completed) => self.timeline.ending(after, Some(until), few),
            None if after.is_some() || before.is_some() => {
                self.timeline.ending(after, Some(until), few)
            }
            None => None,
        }
    }

    /// Returns when each unfinished job that a listing is about has changed once. A job's status and end do not count:
    /// a client that lists what has ended waits for what has not.
    pub(super) fn all_have_changed(
        &self,
        caller: &Caller,
        filter: &JobFilter,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let jobs = self
            .timeline
            .unfinished(now)
            .map(|place| &self.all()[place]);
        let waited_for = jobs.filter(|job| filter.concerns(caller, job));
        waited_for.filter_map(|job| job.next_event(now)).max()
    }

    /// The youngest job that restored this resource and has ended.
    pub(super) fn latest_restore_of(
        &self,
        caller: &Caller,
        resource_arn: &str,
        now: Timestamp,
    ) -> Option<&Job> {
        let filter = JobFilter {
            resource_arn: Some(resource_arn.to_owned()),
            status: Some(JobStatus::Completed),
            ..JobFilter::default()
        };
        self.list(caller, &filter, None, 1, now).jobs.pop()
    }
}

impl JobFilter {
    fn fits(&self, caller: &Caller, job: &Job, now: Timestamp) -> bool {
        let after = |bound: Option<Timestamp>, at: Timestamp| bound.is_none_or(|b| at > b);
        let before = |bound: Option<Timestamp>, at: Timestamp| bound.is_none_or(|b| at < b);
        self.concerns(caller, job)
            && self.status.is_none_or(|status| status == job.status(now))
            && (self.complete_after.is_none() && self.complete_before.is_none()
                || job.ended_at(now).is_some_and(|at| {
                    after(self.complete_after, at) && before(self.complete_before, at)
                }))
    }

    /// Returns true if a job fits, its status aside.
    fn concerns(&self, caller: &Caller, job: &Job) -> bool {
        let account = match self.account.as_deref() {
            Some("*") => true,
            Some(account) => *account == *job.account,
            None => *caller.account == *job.account,
        };
        let after = |bound: Option<Timestamp>, at: Timestamp| bound.is_none_or(|b| at > b);
        let before = |bound: Option<Timestamp>, at: Timestamp| bound.is_none_or(|b| at < b);
        let same = |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|w| w == text);
        let point = &job.point;
        account
            && sees(caller, &job.region)
            && same(&self.resource_type, point.resource_type())
            && same(&self.resource_arn, point.resource_arn())
            && after(self.created_after, job.created_at)
            && before(self.created_before, job.created_at)
            && after(self.point_created_after, point.created_at())
            && before(self.point_created_before, point.created_at())
            && self.restore_testing_plan_arn.is_none() // none of these jobs is a restore test
            && self.parent_job_id.as_ref().is_none_or(|id| {
                job.parent.is_some_and(|parent| parent.to_string() == *id)
            })
    }
}

/// Returns true if the caller asks this region.
pub(super) fn sees(caller: &Caller, region: &str) -> bool {
    caller.region.as_ref().is_none_or(|own| own == region)
}
