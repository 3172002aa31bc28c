//! Restore jobs: start, describe, list, metadata, validation result.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::super::answer::Answer;
use super::super::arn::Arn;
use super::super::clock::add;
use super::super::error::ApiError;
use super::super::faults::FaultKind;
use super::super::files::Record;
use super::super::job::{Job, JobId, JobStatus, JobView};
use super::super::listing::JobFilter;
use super::super::service::{Twist, no_job};
use super::super::start_request::StartRequest;
use super::super::validation::ValidationResult;
use super::{Backend, Call, SMALL, listing};

impl Backend {
    pub(super) fn start_restore_job(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Started {
            restore_job_id: JobId,
        }
        let request = StartRequest::parse(call.body)?;
        let twist = match call.fault {
            Some(FaultKind::Job(fault)) => Twist {
                job: Some(fault),
                ..Twist::default()
            },
            Some(FaultKind::ForgetToken) => Twist {
                forget_token: true,
                ..Twist::default()
            },
            _ => Twist::default(),
        };
        let restore_job_id = {
            // The time is read under the lock: jobs are created, and recorded, in its order.
            let mut service = self.service();
            let at = self.clock.now();
            let started = service.start(call.caller, &request, at, twist)?;
            if let (Some(region), true) = (started.made_in, self.state.is_some()) {
                self.record(&Record::Started {
                    at,
                    account: call.caller.account.clone(),
                    region,
                    body: request.body,
                    fault: twist.job.cloned(),
                    forget_token: twist.forget_token,
                })?;
            }
            JobId(started.id)
        };
        Ok(Answer::json(&Started { restore_job_id }))
    }

    pub(super) fn describe_restore_job(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let now = self.clock.now();
        let job = self.known_job(call)?;
        let answer = Answer::json(&job.view(now).distorted(call.fault));
        self.looked_at(job.next_event(now));
        Ok(answer)
    }

    pub(super) fn list_restore_jobs(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let query = call.query;
        let filter = JobFilter {
            account: query.account("accountId", true)?,
            resource_type: query.resource_type("resourceType")?,
            created_before: query.time("createdBefore")?,
            created_after: query.time("createdAfter")?,
            status: query.one_of("status", JobStatus::parse)?,
            complete_before: query.time("completeBefore")?,
            complete_after: query.time("completeAfter")?,
            restore_testing_plan_arn: query.text("restoreTestingPlanArn").map(str::to_owned),
            parent_job_id: query.text("parentJobId").map(str::to_owned),
            ..JobFilter::default()
        };
        self.jobs_page(call, &filter)
    }

    pub(super) fn list_restore_jobs_by_protected_resource(
        &self,
        call: &Call<'_>,
    ) -> Result<Answer, ApiError> {
        let query = call.query;
        let arn = call.label(0);
        if Arn::parse(arn).is_none() {
            return Err(ApiError::invalid(
                "ResourceArn",
                format!("Invalid resource ARN: {arn}"),
            ));
        }
        let filter = JobFilter {
            resource_arn: Some(arn.to_owned()),
            status: query.one_of("status", JobStatus::parse)?,
            point_created_after: query.time("recoveryPointCreationDateAfter")?,
            point_created_before: query.time("recoveryPointCreationDateBefore")?,
            ..JobFilter::default()
        };
        self.jobs_page(call, &filter)
    }

    fn jobs_page(&self, call: &Call<'_>, filter: &JobFilter) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Page<'a> {
            restore_jobs: Vec<JobView<'a>>,
            next_token: Option<String>,
        }
        let max = call.query.max_results(SMALL.0)?;
        let listing = listing(call);
        let older_than = self.position(call, &listing, SMALL.1)?;
        let now = self.clock.now();
        let mut page = self
            .service()
            .list(call.caller, filter, older_than, max, now);
        if let Some(FaultKind::ListLag(lag)) = call.fault {
            let shown = add(now, -*lag);
            page.jobs.retain(|job| job.created_at <= shown);
        }
        let answer = Answer::json(&Page {
            restore_jobs: page
                .jobs
                .iter()
                .map(|job| job.view(now).distorted(call.fault))
                .collect(),
            next_token: page
                .next
                .map(|position| self.pager.token(&listing, position)),
        });
        self.looked_at(page.jobs.iter().filter_map(|job| job.next_event(now)).min());
        Ok(answer)
    }

    pub(super) fn get_restore_job_metadata(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Found {
            restore_job_id: JobId,
            metadata: BTreeMap<String, String>,
        }
        let job = self.known_job(call)?;
        Ok(Answer::json(&Found {
            restore_job_id: JobId(job.id),
            metadata: job.metadata(),
        }))
    }

    pub(super) fn put_restore_validation_result(
        &self,
        call: &Call<'_>,
    ) -> Result<Answer, ApiError> {
        let result = ValidationResult::parse(call.body)?;
        let mut service = self.service();
        service.validate(call.caller, call.label(0), result.clone())?;
        self.record(&Record::Validated {
            at: self.clock.now(),
            account: call.caller.account.clone(),
            region: call.caller.region.clone(),
            job: call.label(0).to_owned(),
            result,
        })?;
        Ok(Answer::no_content())
    }

    /// The job that the path names.
    fn known_job(&self, call: &Call<'_>) -> Result<Arc<Job>, ApiError> {
        let id = call.label(0);
        match call.fault {
            Some(FaultKind::NotYet) => Err(no_job(id)),
            _ => Ok(Arc::clone(self.service().job(call.caller, id)?)),
        }
    }
}
