//! The calls that only read jobs.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_backup::primitives::DateTime;
use aws_sdk_backup::types::{RestoreJobStatus, RestoreJobsListMember};
use jiff::Timestamp;

use super::Aws;
use super::bounds::{message, name};
use crate::backup::{
    ApiError, CallerIdentity, ClaimedResource, Fault, Job, JobQuery, JobStatus, Operation, Page,
    Reader,
};
use crate::cleanup::made;
use crate::ids::{AccountId, JobId};
use crate::plan::Request;

/// Jobs a page, of the thousand that AWS allows: the calls are one in a hundred all the same, and pages of a thousand
/// would take as much memory, while the SDK reads them, as two thousand restores.
const JOBS: i32 = 100;

/// Resources a page, as many as AWS allows.
const RESOURCES: i32 = 1000;

impl<H> Reader for Aws<H> {
    async fn caller(&self) -> Result<CallerIdentity, ApiError> {
        let operation = self.counted(Operation::GetCallerIdentity);
        let answer = self.sts.get_caller_identity().send().await;
        let answer = answer.map_err(|err| self.failed(operation, &err))?;
        let account = answer.account.ok_or_else(|| ApiError {
            operation,
            fault: Fault::Service,
            code: None,
            request_id: None,
            message: "the answer names no account".to_owned(),
        })?;
        Ok(CallerIdentity {
            account: AccountId::new(account),
            arn: answer.arn.unwrap_or_default(),
        })
    }

    fn date(&self) -> Option<Timestamp> {
        self.date.latest()
    }

    async fn job(&self, job_id: &JobId) -> Result<Job, ApiError> {
        self.pass().await;
        let operation = self.counted(Operation::DescribeRestoreJob);
        let job = self
            .jobs
            .describe_restore_job()
            .restore_job_id(job_id.as_str())
            .send()
            .await
            .map_err(|err| self.failed(operation, &err))?;
        let id = job
            .restore_job_id
            .map_or_else(|| job_id.clone(), JobId::new);
        if !id.is_same(job_id) {
            return Err(ApiError {
                operation,
                fault: Fault::Service,
                code: None,
                request_id: None,
                message: format!("asked about job {job_id}, the answer is about job {id}"),
            });
        }
        Ok(Job {
            id: job_id.to_owned(),
            status: status(job.status),
            message: job.status_message.map(message),
            created_resource_arn: name(job.created_resource_arn),
            account: job.account_id.map(AccountId::new),
            created_at: timestamp(job.creation_date),
            completed_at: timestamp(job.completion_date),
            resource_type: job.resource_type,
            is_parent: job.is_parent,
            parent: job.parent_job_id.map(JobId::new),
            recovery_point_arn: job.recovery_point_arn,
            recovery_point_created_at: timestamp(job.recovery_point_creation_date),
            source_resource_arn: job.source_resource_arn,
            size_bytes: job.backup_size_in_bytes,
        })
    }

    async fn jobs_page(
        &self,
        query: &JobQuery,
        token: Option<String>,
    ) -> Result<Page<Job>, ApiError> {
        let at = |time: Timestamp| DateTime::from_secs(time.as_second());
        self.pass().await;
        let operation = self.counted(Operation::ListRestoreJobs);
        let page = self
            .jobs
            .list_restore_jobs()
            .by_account_id(query.account.as_str())
            .set_by_resource_type(query.resource_type.clone())
            .set_by_parent_job_id(query.parent.as_ref().map(ToString::to_string))
            .set_by_created_after(query.created_after.map(at))
            .set_by_complete_after(query.completed_after.map(at))
            .max_results(JOBS)
            .set_next_token(token)
            .send()
            .await
            .map_err(|err| self.failed(operation, &err))?;
        let jobs = page.restore_jobs.unwrap_or_default();
        Ok((jobs.into_iter().map(listed).collect(), page.next_token))
    }

    async fn protected_page(
        &self,
        token: Option<String>,
    ) -> Result<Page<ClaimedResource>, ApiError> {
        let operation = self.counted(Operation::ListProtectedResources);
        let page = self
            .backup
            .list_protected_resources()
            .max_results(RESOURCES)
            .set_next_token(token)
            .send()
            .await
            .map_err(|err| self.failed(operation, &err))?;
        let resources = page.results.unwrap_or_default().into_iter();
        let resources = resources.filter_map(|of| {
            Some(ClaimedResource {
                arn: of.resource_arn?,
                resource_type: of.resource_type.unwrap_or_default(),
            })
        });
        Ok((resources.collect(), page.next_token))
    }

    async fn is_there(&self, arn: &str, request: &Request) -> Result<Option<bool>, ApiError> {
        match made(arn, &request.resource_type, &request.metadata) {
            Some(named) => self.has(&named).await,
            None => Ok(None),
        }
    }

    async fn job_metadata(&self, job_id: &JobId) -> Result<BTreeMap<String, String>, ApiError> {
        self.pass().await;
        let operation = self.counted(Operation::GetRestoreJobMetadata);
        let answer = self
            .jobs
            .get_restore_job_metadata()
            .restore_job_id(job_id.as_str())
            .send()
            .await
            .map_err(|err| self.failed(operation, &err))?;
        if let Some(id) = answer
            .restore_job_id
            .map(JobId::new)
            .filter(|id| !id.is_same(job_id))
        {
            return Err(ApiError {
                operation,
                fault: Fault::Service,
                code: None,
                request_id: None,
                message: format!("asked about job {job_id}, the answer is about job {id}"),
            });
        }
        Ok(sorted(answer.metadata))
    }
}

fn listed(job: RestoreJobsListMember) -> Job {
    Job {
        id: JobId::new(job.restore_job_id.unwrap_or_default()),
        status: status(job.status),
        message: job.status_message.map(message),
        created_resource_arn: name(job.created_resource_arn),
        account: job.account_id.map(AccountId::new),
        created_at: timestamp(job.creation_date),
        completed_at: timestamp(job.completion_date),
        resource_type: job.resource_type,
        is_parent: job.is_parent,
        parent: job.parent_job_id.map(JobId::new),
        recovery_point_arn: job.recovery_point_arn,
        recovery_point_created_at: timestamp(job.recovery_point_creation_date),
        source_resource_arn: job.source_resource_arn,
        size_bytes: job.backup_size_in_bytes,
    }
}

fn status(status: Option<RestoreJobStatus>) -> JobStatus {
    match status {
        Some(RestoreJobStatus::Pending) => JobStatus::Pending,
        Some(RestoreJobStatus::Running) => JobStatus::Running,
        Some(RestoreJobStatus::Completed) => JobStatus::Completed,
        Some(RestoreJobStatus::Aborted) => JobStatus::Aborted,
        Some(RestoreJobStatus::Failed) => JobStatus::Failed,
        Some(other) => JobStatus::Unknown(message(other.as_str())),
        None => JobStatus::Unknown("without a status".to_owned()),
    }
}

pub(super) fn timestamp(time: Option<DateTime>) -> Option<Timestamp> {
    let time = time?;
    let nanos = i32::try_from(time.subsec_nanos()).ok()?;
    Timestamp::new(time.secs(), nanos).ok()
}

pub(super) fn sorted(map: Option<HashMap<String, String>>) -> BTreeMap<String, String> {
    map.unwrap_or_default().into_iter().collect()
}
