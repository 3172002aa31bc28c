//! One restore job. Its whole course is settled when it is created: what it is at an instant follows from the clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::catalog::Located;
use super::faults::FaultKind;
use super::validation::{ValidationResult, ValidationStatus};

/// `RestoreJobStatus` of the API model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the API's own names")]
pub enum JobStatus {
    Pending,
    Running,
    Completed,
    Aborted,
    Failed,
}

impl JobStatus {
    /// Whether nothing follows.
    pub fn is_terminal(self) -> bool {
        !matches!(self, JobStatus::Pending | JobStatus::Running)
    }

    pub(super) fn parse(text: &str) -> Option<JobStatus> {
        Some(match text {
            "PENDING" => JobStatus::Pending,
            "RUNNING" => JobStatus::Running,
            "COMPLETED" => JobStatus::Completed,
            "ABORTED" => JobStatus::Aborted,
            "FAILED" => JobStatus::Failed,
            _ => return None,
        })
    }

    /// As in the API.
    pub(super) fn name(self) -> &'static str {
        match self {
            JobStatus::Pending => "PENDING",
            JobStatus::Running => "RUNNING",
            JobStatus::Completed => "COMPLETED",
            JobStatus::Aborted => "ABORTED",
            JobStatus::Failed => "FAILED",
        }
    }
}

/// A job as it stood at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSnapshot {
    /// RestoreJobId.
    pub id: String,
    /// The account that asked for it.
    pub account: String,
    /// The region that it was asked of.
    pub region: String,
    /// IdempotencyToken of the request.
    pub token: Option<String>,
    /// Now.
    pub status: JobStatus,
    /// StatusMessage: why it failed.
    pub status_message: Option<String>,
    /// Once AWS would tell it.
    pub created_resource_arn: Option<String>,
    /// Metadata of the request.
    pub metadata: BTreeMap<String, String>,
    /// RecoveryPointArn of the request.
    pub recovery_point_arn: String,
    /// Of the recovery point.
    pub resource_type: String,
    /// IamRoleArn of the request.
    pub iam_role_arn: Option<String>,
    /// The body of the request, as it came over the wire.
    pub request: serde_json::Value,
    /// ParentJobId, of the job of a nested recovery point.
    pub parent_id: Option<String>,
    /// CreationDate.
    pub created_at: Timestamp,
    /// When it began to run, or will; none for a job that waits for good.
    pub starts_at: Option<Timestamp>,
    /// CompletionDate, once it has ended.
    pub ended_at: Option<Timestamp>,
}

/// How a job will end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Completed,
    /// With a StatusMessage: "completed with issues".
    Issues(Box<str>),
    Aborted(Box<str>),
    Failed(Box<str>),
}

/// What is kept of a job: about a kilobyte, most of it the body of the request.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) id: Uuid,
    pub(super) account: Arc<str>,
    pub(super) region: Arc<str>,
    pub(super) point: Arc<Located>,
    /// The request's body as it came; metadata, token and role are read from it when somebody asks.
    pub(super) body: Box<str>,
    pub(super) iam_role_arn: Option<Box<str>>,
    pub(super) created_at: Timestamp,
    /// The end of time for a job that never runs.
    pub(super) starts_at: Timestamp,
    /// The end of time for a job that never ends.
    pub(super) ends_at: Timestamp,
    pub(super) outcome: Outcome,
    /// None for a job that never tells.
    pub(super) created_arn: Option<Box<str>>,
    pub(super) created_arn_early: bool,
    pub(super) is_parent: bool,
    pub(super) parent: Option<Uuid>,
    pub(super) validation: Option<Box<ValidationResult>>,
}

impl Job {
    pub(super) fn status(&self, now: Timestamp) -> JobStatus {
        if now >= self.ends_at {
            match self.outcome {
                Outcome::Completed | Outcome::Issues(_) => JobStatus::Completed,
                Outcome::Aborted(_) => JobStatus::Aborted,
                Outcome::Failed(_) => JobStatus::Failed,
            }
        } else if now >= self.starts_at {
            JobStatus::Running
        } else {
            JobStatus::Pending
        }
    }

    /// When the status changes next.
    pub(super) fn next_event(&self, now: Timestamp) -> Option<Timestamp> {
        [self.starts_at, self.ends_at]
            .into_iter()
            .find(|event| *event > now && *event < Timestamp::MAX)
    }

    pub(super) fn ended_at(&self, now: Timestamp) -> Option<Timestamp> {
        (now >= self.ends_at).then_some(self.ends_at)
    }

    /// CreatedResourceArn: known early for some types, with COMPLETED for the others, and not at all of a job that failed
    /// before it was known.
    fn created_arn(&self, now: Timestamp) -> Option<&str> {
        let told = match self.status(now) {
            JobStatus::Completed => true,
            JobStatus::Running | JobStatus::Failed | JobStatus::Aborted => self.created_arn_early,
            JobStatus::Pending => false,
        };
        self.created_arn.as_deref().filter(|_| told)
    }

    /// What it has made by now.
    pub(super) fn made(&self, now: Timestamp) -> Option<&str> {
        let is_made = self.status(now) == JobStatus::Completed;
        self.created_arn.as_deref().filter(|_| is_made)
    }

    fn status_message(&self, now: Timestamp) -> Option<&str> {
        match &self.outcome {
            Outcome::Completed => None,
            Outcome::Issues(message) | Outcome::Aborted(message) | Outcome::Failed(message) => {
                (now >= self.ends_at).then_some(message)
            }
        }
    }

    pub(super) fn snapshot(&self, now: Timestamp) -> JobSnapshot {
        let request: serde_json::Value =
            serde_json::from_str(&self.body).unwrap_or(serde_json::Value::Null);
        let text = |name: &str| request.get(name)?.as_str().map(str::to_owned);
        JobSnapshot {
            id: self.id.to_string(),
            account: self.account.to_string(),
            region: self.region.to_string(),
            token: text("IdempotencyToken"),
            status: self.status(now),
            status_message: self.status_message(now).map(str::to_owned),
            created_resource_arn: self.created_arn(now).map(str::to_owned),
            metadata: self.metadata(),
            recovery_point_arn: self.point.point.arn.clone(),
            resource_type: self.point.point.resource_type.clone(),
            iam_role_arn: self.iam_role_arn.as_deref().map(str::to_owned),
            parent_id: self.parent.map(|parent| parent.to_string()),
            created_at: self.created_at,
            starts_at: Some(self.starts_at).filter(|at| *at < Timestamp::MAX),
            ended_at: self.ended_at(now),
            request,
        }
    }

    pub(super) fn metadata(&self) -> BTreeMap<String, String> {
        #[derive(serde::Deserialize)]
        struct Body {
            #[serde(rename = "Metadata")]
            metadata: BTreeMap<String, Option<String>>,
        }
        let body: Result<Body, _> = serde_json::from_str(&self.body);
        let entries = body.map(|body| body.metadata).unwrap_or_default();
        entries
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect()
    }

    /// The shape of DescribeRestoreJob and of the items of ListRestoreJobs: the members are the same.
    pub(super) fn view(&self, now: Timestamp) -> JobView<'_> {
        let status = self.status(now);
        let point = &self.point.point;
        JobView {
            account_id: &self.account,
            restore_job_id: JobId(self.id),
            recovery_point_arn: &point.arn,
            source_resource_arn: &point.resource_arn,
            backup_vault_arn: &self.point.vault_arn,
            creation_date: Epoch(self.created_at),
            completion_date: self.ended_at(now).map(Epoch),
            status: status.name(),
            status_message: self.status_message(now),
            // The two values that captures of restore jobs show; it is no sign of progress. Backup jobs write "100.0".
            percent_done: Some(match status {
                JobStatus::Completed => "100.00%",
                _ => "0.00%",
            }),
            // 0 in the one public capture of a running job.
            backup_size_in_bytes: Some(match status {
                JobStatus::Pending | JobStatus::Running => 0,
                _ => point.size_bytes,
            }),
            iam_role_arn: self.iam_role_arn.as_deref(),
            expected_completion_time_minutes: None,
            created_resource_arn: self.created_arn(now),
            resource_type: &point.resource_type,
            recovery_point_creation_date: Epoch(point.created_at),
            created_by: None,
            validation_status: self.validation.as_ref().map(|result| result.status),
            validation_status_message: self
                .validation
                .as_ref()
                .and_then(|result| result.message.as_deref()),
            deletion_status: None,
            deletion_status_message: None,
            is_parent: self.is_parent,
            parent_job_id: self.parent.map(JobId),
        }
    }
}

/// RestoreJobId as the API writes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct JobId(pub(super) Uuid);

impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A time as the API writes it: seconds since 1970 to the millisecond, as a JSON number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch(pub(super) Timestamp);

impl Serialize for Epoch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_millisecond() as f64 / 1000.0)
    }
}

/// Absent members are null, as the live service was captured writing them, <https://github.com/boto/boto3/issues/2260>.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct JobView<'a> {
    account_id: &'a str,
    restore_job_id: JobId,
    recovery_point_arn: &'a str,
    source_resource_arn: &'a str,
    backup_vault_arn: &'a str,
    creation_date: Epoch,
    completion_date: Option<Epoch>,
    status: &'static str,
    status_message: Option<&'a str>,
    percent_done: Option<&'static str>,
    backup_size_in_bytes: Option<u64>,
    iam_role_arn: Option<&'a str>,
    expected_completion_time_minutes: Option<u64>,
    created_resource_arn: Option<&'a str>,
    resource_type: &'a str,
    recovery_point_creation_date: Epoch,
    created_by: Option<()>,
    validation_status: Option<ValidationStatus>,
    validation_status_message: Option<&'a str>,
    deletion_status: Option<&'a str>,
    deletion_status_message: Option<&'a str>,
    is_parent: bool,
    parent_job_id: Option<JobId>,
}

impl JobView<'_> {
    /// The same, as a fault has it.
    pub(super) fn distorted(mut self, fault: Option<&FaultKind>) -> Self {
        match fault {
            // A name of our own: whatever AWS adds to the model next.
            Some(FaultKind::UnknownStatus) => self.status = "SUSPENDED",
            Some(FaultKind::Sparse) => {
                self.percent_done = None;
                self.backup_size_in_bytes = None;
                self.created_resource_arn = None;
            }
            _ => {}
        }
        self
    }
}
