//! Events of a run. The journal is made of these, and so are the screen and the report.

mod redacting;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Awaited;
use super::outline::Outline;
use super::recorded_forecast::RecordedForecast;
use crate::backup::{Endpoint, Job};
use crate::ids::{ClientToken, IdempotencyToken, JobId, RequestDigest, RestoreName, RunId};
use crate::plan::Request;
use crate::render::{Resolved, Target};
use crate::state::Begun;

/// An event and when it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// By the clock of the machine that ran redrill.
    pub at: Timestamp,
    /// By how many seconds AWS's clock was ahead of that, as its last answer said; absent where it was not by more than a
    /// few, where it is not known, and in earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_ahead: Option<i64>,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

impl Recorded {
    /// Returns the time of the event, by AWS's clock as far as that is known.
    #[must_use]
    pub fn at_aws(&self) -> Timestamp {
        let ahead = SignedDuration::from_secs(self.aws_ahead.unwrap_or_default());
        self.at.checked_add(ahead).unwrap_or(self.at)
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first event of a run.
    RunOpened {
        /// The plan's name.
        plan: String,
        /// The run id.
        run: RunId,
        /// The version of redrill.
        redrill: String,
        /// First target of the run.
        target: Target,
        /// The other targets, where there are any.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        others: Vec<Target>,
        /// The plan file as it was typed.
        file: String,
        /// The options that say what the plan means, such as `--var` and `env=prod`, and who starts its restores, for whoever
        /// continues the run; of a secret only its name. Earlier versions do not say.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        options: Vec<String>,
        /// The endpoint that the run belongs to; earlier versions do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        world: Option<Endpoint>,
        /// The saved plan that is carried out, by its digest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        saved_plan: Option<String>,
        /// The form of the reports that this version makes: evidence of the run has no earlier one. Earlier versions do not
        /// say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reports: Option<u32>,
        /// How long it was forecast to take, just before; earlier versions do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forecast: Option<Box<RecordedForecast>>,
    },
    /// A runner takes the run up again.
    RunResumed {
        /// The version of redrill.
        redrill: String,
        /// The endpoint that the run belongs to, where an earlier version has opened it without saying so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        world: Option<Endpoint>,
        /// The saved plan that is carried out, by its digest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        saved_plan: Option<String>,
        /// The form of the reports that this version makes; earlier versions do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reports: Option<u32>,
    },
    /// Input of this runner: the plan, its restores and their objectives.
    Planned {
        /// All of it.
        outline: Arc<Outline>,
    },
    /// A selector means this recovery point, in this run for good; on disk before its request is meant to leave.
    Resolved {
        /// The restore.
        restore: RestoreName,
        /// Start of the run, by which ages were measured.
        measured_from: Timestamp,
        /// Selector, and the recovery point that it means.
        point: Resolved,
    },
    /// A request is about to be sent, or a job to be adopted for it; on disk before it leaves.
    Intended {
        /// The restore.
        restore: RestoreName,
        /// From 1.
        attempt: u32,
        /// The token that will be sent.
        token: IdempotencyToken,
        /// SHA-256 of the request without its token.
        digest: RequestDigest,
        /// The request, secrets redacted.
        request: Request,
        /// Time that AWS's clock had said last: no job of this request is older. Earlier versions do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        aws_at: Option<Timestamp>,
        /// The job that is adopted, so that nothing leaves: its token may have been forgotten long ago. Earlier versions
        /// do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        adopts: Option<JobId>,
    },
    /// AWS has answered with a job.
    Accepted {
        /// The restore.
        restore: RestoreName,
        /// The job.
        job_id: JobId,
        /// AWS's name of that answer; earlier versions do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
    },
    /// A job that exists already is this restore's.
    Adopted {
        /// The restore.
        restore: RestoreName,
        /// The job.
        job_id: JobId,
        /// Reason that it was recognised.
        because: String,
        /// True if this run has started it, perhaps from another machine; earlier versions do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ours: Option<bool>,
        /// End of the job, by AWS's clock, if it had ended before it was found here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended_at: Option<Timestamp>,
        /// The jobs of attempts before this one that this record does not know of.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        former: Vec<JobId>,
    },
    /// Nothing was started, and the same request may be sent again: AWS refused the caller, or the run stopped first.
    Withdrawn {
        /// The restore.
        restore: RestoreName,
        /// AWS's answer.
        message: String,
    },
    /// AWS refused the request.
    Refused {
        /// The restore.
        restore: RestoreName,
        /// AWS's name of the error.
        code: Option<String>,
        /// AWS's name of that answer; earlier versions do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
        /// AWS's words.
        message: String,
    },
    /// The request, complete at last, is one that redrill does not send.
    Rejected {
        /// The restore.
        restore: RestoreName,
        /// The attempt that it would have been.
        attempt: u32,
        /// The finding.
        message: String,
    },
    /// The job's status has changed.
    #[serde(rename = "seen")]
    StatusChanged {
        /// The restore.
        restore: RestoreName,
        /// AWS's status.
        status: String,
    },
    /// The jobs that are nested in the restore's, one for each recovery point of a composite one: said before the job's own
    /// end is, or by whoever asks for them later.
    Nested {
        /// The restore.
        restore: RestoreName,
        /// The job that they are nested in.
        job_id: JobId,
        /// All of them.
        jobs: Vec<NestedJob>,
    },
    /// The job has completed.
    Completed {
        /// The restore.
        restore: RestoreName,
        /// ARN of what it made.
        created_resource_arn: Option<String>,
        /// By AWS's clock.
        started_at: Option<Timestamp>,
        /// By AWS's clock.
        ended_at: Option<Timestamp>,
        /// Creation time of the recovery point.
        recovery_point_created_at: Option<Timestamp>,
        /// AWS's words: a job can complete «with issues».
        message: Option<String>,
        /// Reason that what AWS says it made is not what was asked for; nothing follows from it, and it is never
        /// deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mismatch: Option<String>,
        /// The size of the backup in bytes, where AWS said it; earlier versions do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size_bytes: Option<i64>,
        /// Source of the recovery point, by AWS; earlier versions do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source_resource_arn: Option<String>,
    },
    /// AWS has a second job of a restore that has one.
    SecondJob {
        /// The restore.
        restore: RestoreName,
        /// The second job.
        job_id: JobId,
        /// The job that is the restore's.
        beside: JobId,
        /// Reason that it was recognised.
        because: String,
    },
    /// The job has ended otherwise.
    Failed {
        /// The restore.
        restore: RestoreName,
        /// AWS's status.
        status: String,
        /// AWS's words.
        message: String,
        /// By AWS's clock.
        started_at: Option<Timestamp>,
        /// By AWS's clock.
        ended_at: Option<Timestamp>,
        /// ARN of what it had made by then; earlier versions do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        created_resource_arn: Option<String>,
        /// Source of the recovery point, by AWS; earlier versions do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source_resource_arn: Option<String>,
    },
    /// The job goes on for longer than the plan's `timeout`: it is not followed any more in this run of redrill.
    Overdue {
        /// The restore.
        restore: RestoreName,
    },
    /// Not started in this run of redrill.
    Skipped {
        /// The restore.
        restore: RestoreName,
        /// Reason that it is not started.
        because: String,
    },
    /// A command that judges what came back begins.
    CheckStarted {
        /// The restore; none for a command of the plan as a whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        restore: Option<RestoreName>,
        /// Its name.
        check: String,
        /// True for a step of the cutover.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        cutover: bool,
        /// Number of its starts by now, from 1.
        nth: u32,
        /// The command, secrets redacted.
        run: Vec<String>,
        /// Definition in the plan ([`crate::parse::Check::definition`]): a pass counts for that alone. None for a step
        /// of the cutover, which is done once; earlier versions do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        definition: Option<String>,
        /// Identity by which this start is found again; earlier versions do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        begun: Option<Box<Begun>>,
        /// Outcome of an earlier start whose end nobody saw, if there is something to say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        earlier: Option<String>,
    },
    /// End of that command.
    CheckEnded {
        /// The restore; none for a command of the plan as a whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        restore: Option<RestoreName>,
        /// Its name.
        check: String,
        /// True for a step of the cutover.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        cutover: bool,
        /// Number of the start.
        nth: u32,
        /// Verdict on this start.
        verdict: CheckVerdict,
        /// Its exit code; none where it was killed or could not be started.
        exit: Option<i32>,
        /// Reason that it has not passed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// The end of what it wrote, secrets redacted.
        output: String,
    },
    /// AWS Backup was told what the checks of a restore have come to.
    Published {
        /// The restore.
        restore: RestoreName,
        /// AWS's word for it.
        status: String,
    },
    /// AWS Backup did not take it.
    NotPublished {
        /// The restore.
        restore: RestoreName,
        /// AWS's words.
        message: String,
    },
    /// A restored resource is about to be deleted; on disk before the request leaves.
    Deleting {
        /// The restore.
        restore: RestoreName,
        /// ARN of the resource.
        arn: String,
        /// The client token of the request.
        token: ClientToken,
    },
    /// A restored resource is gone: it was read back, and was not there.
    Deleted {
        /// The restore.
        restore: RestoreName,
        /// ARN of the resource.
        arn: String,
    },
    /// A restored resource could not be deleted, and is still there.
    #[serde(rename = "left")]
    DeletionFailed {
        /// The restore.
        restore: RestoreName,
        /// ARN of the resource.
        arn: String,
        /// Why.
        message: String,
    },
    /// Calls of this runner to AWS, by operation; the last thing that it says before it leaves.
    #[serde(rename = "called")]
    CallsMade {
        /// By AWS's name of the call.
        calls: BTreeMap<String, u64>,
    },
    /// AWS does not answer, or answers that it cannot; said once.
    #[serde(rename = "trouble")]
    AwsUnavailable {
        /// Description of the outage.
        message: String,
    },
    /// Nothing has happened for a while: what the run waits for.
    Waiting {
        /// All of it.
        awaited: Awaited,
    },
    /// AWS answers again.
    Recovered,
    /// Nothing new is started from here on; what runs is followed until it has answered.
    Draining,
    /// The runner has left; jobs go on.
    Detached,
    /// Everything has ended.
    RunEnded,
}

/// A job that is nested in another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NestedJob {
    /// Its id.
    pub job_id: JobId,
    /// AWS's status.
    pub status: String,
    /// AWS's name of the resource type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    /// The recovery point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_point_arn: Option<String>,
    /// ARN of what it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_resource_arn: Option<String>,
}

impl NestedJob {
    /// Returns true if nothing more will come of it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.status.as_str(), "COMPLETED" | "FAILED" | "ABORTED")
    }
}

impl From<Job> for NestedJob {
    fn from(job: Job) -> Self {
        Self {
            job_id: job.id,
            status: job.status.to_string(),
            resource_type: job.resource_type,
            recovery_point_arn: job.recovery_point_arn,
            created_resource_arn: job.created_resource_arn,
        }
    }
}

/// Verdict on a command that judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckVerdict {
    /// Ended as expected.
    Passed,
    /// Not as expected, and tried again.
    Again,
    /// Not as expected, for good.
    Failed,
}

/// Start of the message of a command that could not be run.
pub const NOT_RUN: &str = "it could not be run";

impl Event {
    /// Returns true if the journal keeps it. The rest is for the screen.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        !matches!(
            self,
            Self::AwsUnavailable { .. } | Self::Waiting { .. } | Self::Recovered | Self::Draining
        )
    }

    /// The restore in whose life it is a step; a selector that was resolved is not one yet.
    #[must_use]
    pub fn restore(&self) -> Option<&RestoreName> {
        match self {
            Self::Intended { restore, .. }
            | Self::Accepted { restore, .. }
            | Self::Adopted { restore, .. }
            | Self::Withdrawn { restore, .. }
            | Self::Refused { restore, .. }
            | Self::Rejected { restore, .. }
            | Self::StatusChanged { restore, .. }
            | Self::Nested { restore, .. }
            | Self::Completed { restore, .. }
            | Self::SecondJob { restore, .. }
            | Self::Failed { restore, .. }
            | Self::Overdue { restore }
            | Self::Skipped { restore, .. }
            | Self::Published { restore, .. }
            | Self::NotPublished { restore, .. }
            | Self::Deleting { restore, .. }
            | Self::Deleted { restore, .. }
            | Self::DeletionFailed { restore, .. } => Some(restore),
            Self::CheckStarted { restore, .. } | Self::CheckEnded { restore, .. } => {
                restore.as_ref()
            }
            Self::RunOpened { .. }
            | Self::Planned { .. }
            | Self::CallsMade { .. }
            | Self::RunResumed { .. }
            | Self::Resolved { .. }
            | Self::AwsUnavailable { .. }
            | Self::Waiting { .. }
            | Self::Recovered
            | Self::Draining
            | Self::Detached
            | Self::RunEnded => None,
        }
    }
}
