//! Restore jobs: start, describe, list, metadata, validation result.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::answer::Answer;
use super::super::arn::Arn;
use super::super::error::ApiError;
use super::super::job::{JobId, JobStatus, JobView};
use super::super::listing::JobFilter;
use super::super::service::Twist;
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
        let restore_job_id = {
            // The time is read under the lock: jobs are created in its order.
            let mut service = self.service();
            let started =
                service.start(call.caller, &request, self.clock.now(), Twist::default())?;
            JobId(started.id)
        };
        Ok(Answer::json(&Started { restore_job_id }))
    }

    pub(super) fn describe_restore_job(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let now = self.clock.now();
        let job = self.service().job(call.caller, call.label(0))?.clone();
        let answer = Answer::json(&job.view(now));
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
        let older_than = match call.query.text(SMALL.1) {
            Some(token) => Some(self.pager.position(&listing, token)?),
            None => None,
        };
        let now = self.clock.now();
        let page = self
            .service()
            .list(call.caller, filter, older_than, max, now);
        let answer = Answer::json(&Page {
            restore_jobs: page.jobs.iter().map(|job| job.view(now)).collect(),
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
        let job = self.service().job(call.caller, call.label(0))?.clone();
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
        self.service()
            .validate(call.caller, call.label(0), result)?;
        Ok(Answer::no_content())
    }
}
