//! One restore job. Its whole course is settled when it is created: what it is at an instant follows from the clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::point::Point;
use super::start_request::{Asks, StartRequest};
use super::validation::ValidationResult;

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
    /// Returns true if no other status follows.
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

    /// Returns the name in the API.
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
    /// Time at which it began to run, or will; none for a job that waits for good.
    pub starts_at: Option<Timestamp>,
    /// CompletionDate, once it has ended.
    pub ended_at: Option<Timestamp>,
}

/// Outcome of a job, settled in advance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Completed,
    /// With a StatusMessage: "completed with issues".
    Issues(Box<str>),
    Aborted(Box<str>),
    Failed(Box<str>),
}

/// Record of a job: less than a kilobyte, most of it the body of the request.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) id: Uuid,
    pub(super) account: Arc<str>,
    pub(super) region: Arc<str>,
    pub(super) point: Point,
    /// The request's body as it came; metadata, token and role are read from it when somebody asks.
    pub(super) body: Box<str>,
    pub(super) iam_role_arn: Option<Arc<str>>,
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
    /// The same under another job's id.
    pub(super) fn as_if(&self, id: Uuid) -> Self {
        Self { id, ..self.clone() }
    }

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

    /// Returns the time of the next status change.
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
    pub(super) fn created_arn(&self, now: Timestamp) -> Option<&str> {
        let told = match self.status(now) {
            JobStatus::Completed => true,
            JobStatus::Running | JobStatus::Failed | JobStatus::Aborted => self.created_arn_early,
            JobStatus::Pending => false,
        };
        self.created_arn.as_deref().filter(|_| told)
    }

    /// Returns the ARN of what it has made by now.
    pub(super) fn made(&self, now: Timestamp) -> Option<&str> {
        let is_made = self.status(now) == JobStatus::Completed;
        self.created_arn.as_deref().filter(|_| is_made)
    }

    pub(super) fn status_message(&self, now: Timestamp) -> Option<&str> {
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
            recovery_point_arn: self.point.arn().to_owned(),
            resource_type: self.point.resource_type().to_owned(),
            iam_role_arn: self.iam_role_arn.as_deref().map(str::to_owned),
            parent_id: self.parent.map(|parent| parent.to_string()),
            created_at: self.created_at,
            starts_at: Some(self.starts_at).filter(|at| *at < Timestamp::MAX),
            ended_at: self.ended_at(now),
            request,
        }
    }

    /// Metadata of the request.
    pub(super) fn metadata(&self) -> BTreeMap<String, String> {
        // The body was read before, or this would be no job.
        let Ok(request) = StartRequest::parse(self.body.as_bytes()) else {
            return BTreeMap::new();
        };
        let entries = request.asks.metadata.iter();
        entries
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    /// Returns true if this is the request that started the job, except for the token.
    pub(super) fn was_asked_for_by(&self, request: &Asks<'_>) -> bool {
        StartRequest::parse(self.body.as_bytes()).is_ok_and(|own| own.asks == *request)
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
