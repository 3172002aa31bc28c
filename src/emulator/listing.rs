//! Which jobs a listing shows.

use std::sync::Arc;

use jiff::Timestamp;

use super::catalog::Caller;
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
pub(super) struct JobPage {
    pub(super) jobs: Vec<Arc<Job>>,
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
    ) -> JobPage {
        let jobs = self.all();
        let end = older_than.unwrap_or(jobs.len()).min(jobs.len());
        let mut page = JobPage {
            jobs: Vec::new(),
            next: None,
        };
        let older = jobs[..end].iter().enumerate().rev();
        for (index, job) in older {
            // Jobs lie in the order of their creation: nothing older can fit either.
            if filter
                .created_after
                .is_some_and(|after| job.created_at <= after)
            {
                break;
            }
            if !filter.fits(caller, job, now) {
                continue;
            }
            if page.jobs.len() == max {
                // One more is known to exist, so that no page is empty.
                page.next = Some(index + 1);
                break;
            }
            page.jobs.push(Arc::clone(job));
        }
        page
    }

    /// The youngest job that restored this resource and has ended.
    pub(super) fn latest_restore_of(
        &self,
        caller: &Caller,
        resource_arn: &str,
        now: Timestamp,
    ) -> Option<Arc<Job>> {
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
        let account = match self.account.as_deref() {
            Some("*") => true,
            Some(account) => *account == *job.account,
            None => *caller.account == *job.account,
        };
        let after = |bound: Option<Timestamp>, at: Timestamp| bound.is_none_or(|b| at > b);
        let before = |bound: Option<Timestamp>, at: Timestamp| bound.is_none_or(|b| at < b);
        let same = |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|w| w == text);
        let point = &job.point.point;
        account
            && sees(caller, &job.region)
            && same(&self.resource_type, &point.resource_type)
            && same(&self.resource_arn, &point.resource_arn)
            && after(self.created_after, job.created_at)
            && before(self.created_before, job.created_at)
            && after(self.point_created_after, point.created_at)
            && before(self.point_created_before, point.created_at)
            && self.status.is_none_or(|status| status == job.status(now))
            && (self.complete_after.is_none() && self.complete_before.is_none()
                || job.ended_at(now).is_some_and(|at| {
                    after(self.complete_after, at) && before(self.complete_before, at)
                }))
            && self.restore_testing_plan_arn.is_none() // none of these jobs is a restore test
            && self.parent_job_id.as_ref().is_none_or(|id| {
                job.parent.is_some_and(|parent| parent.to_string() == *id)
            })
    }
}

/// Whether the caller asks the region that this is in.
pub(super) fn sees(caller: &Caller, region: &str) -> bool {
    caller.region.as_ref().is_none_or(|own| own == region)
}
