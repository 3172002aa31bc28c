//! Progress of a run, restore by restore.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{IdempotencyToken, JobId, RequestDigest, RestoreName};
use crate::render::Resolved;

/// Every restore that a run has touched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunState {
    /// By the restore's name.
    pub restores: BTreeMap<RestoreName, RestoreState>,
    /// Recovery points that selectors were resolved to, by the restore's name.
    pub resolved: BTreeMap<RestoreName, Arc<Resolved>>,
    /// The checks of the plan as a whole, by name.
    pub checks: BTreeMap<String, CheckProgress>,
    /// The steps of the cutover, by name.
    pub cutover: BTreeMap<String, CheckProgress>,
    /// The starts of checks and steps of which no end is known.
    pub begun: BTreeMap<Begins, Begun>,
}

/// A check or a step of the cutover: of a restore or of the plan, whether it is a step, and its name.
pub type Begins = (Option<RestoreName>, bool, String);

/// The start of a command, by which a later runner finds what is left of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Value of `REDRILL_START` in the environment of its processes.
    pub id: String,
    /// Where.
    #[serde(flatten)]
    pub machine: Machine,
}

/// A machine, as far as its processes are concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its name.
    pub host: String,
    /// Another one each time that it starts; none where the system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// The processes that are seen from there: a container has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<String>,
    /// The session that they belong to. What has left it, as a daemon does, is not looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<i32>,
}

/// Progress of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckProgress {
    /// Number of starts.
    pub starts: u32,
    /// Stage of the check.
    pub is: CheckStage,
    /// Definition in the plan when it was last started, if the journal says so.
    pub definition: Option<String>,
}

impl CheckProgress {
    /// Returns its stage as the plan has it now. A pass of something else is none, as if it had never been run.
    #[must_use]
    pub fn under(&self, definition: &str) -> Option<CheckStage> {
        let is_other = self
            .definition
            .as_ref()
            .is_some_and(|was| was != definition);
        (self.is != CheckStage::Passed || !is_other).then_some(self.is)
    }
}

/// Stage of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckStage {
    /// Started, and nothing is known of its end.
    Started,
    /// Not passed, and to be tried again.
    Again,
    /// Passed.
    Passed,
    /// Failed.
    Failed,
    /// Could not be run, which says nothing of what was restored; otherwise like one that has failed.
    NotRun,
}

/// Outcome of a restore's checks, as AWS Backup was told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// All of them have passed.
    Successful,
    /// One has failed.
    Failed,
    /// AWS Backup did not take it.
    Refused,
}

/// State of the deletion of what a restore has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// Asked for, and nothing is known of its end.
    Asked,
    /// Gone: not found when it was looked for.
    Gone,
    /// Could not be deleted.
    Left,
}

/// State of a restore.
#[derive(Clone, Debug, PartialEq)]
pub struct RestoreState {
    /// The latest attempt, from 1.
    pub attempt: u32,
    /// Request that was sent, if any. The engine lets go of it once it has come back: there may be many.
    pub sent: Option<Sent>,
    /// True if the request has redrill's mark, by which its job is known.
    pub is_marked: bool,
    /// Time when the request was first meant to leave.
    pub intended_at: Timestamp,
    /// Time that AWS's clock had said by then, if known.
    pub aws_at: Option<Timestamp>,
    /// The job that was about to be adopted when the request was recorded: nothing of it left.
    pub adopts: Option<JobId>,
    /// The jobs of earlier attempts.
    pub former: Vec<JobId>,
    /// Stage of the restore.
    pub stage: RestoreStage,
    /// Its job is COMPLETED, and AWS says that it has not brought back all that was asked for.
    pub is_incomplete: bool,
    /// True if its job was there already when this run found it.
    pub adopted: bool,
    /// The checks of what it has made, by name.
    pub checks: BTreeMap<String, CheckProgress>,
    /// Outcome of the checks, as AWS Backup was told it.
    pub told: Option<Told>,
    /// State of the deletion of what it has made, if asked for.
    pub deletion: Option<Deletion>,
    /// Other resources of its jobs, by ARN: of nested ones, those that have failed, and those of earlier attempts; and
    /// the state of the deletion of each, if asked for.
    pub others: BTreeMap<String, Option<Deletion>>,
}

impl RestoreState {
    /// A restore of which nothing was sent yet.
    #[must_use]
    pub fn new(at: Timestamp, stage: RestoreStage) -> Self {
        Self {
            attempt: 1,
            sent: None,
            is_marked: false,
            intended_at: at,
            aws_at: None,
            adopts: None,
            former: Vec::new(),
            stage,
            is_incomplete: false,
            adopted: false,
            checks: BTreeMap::new(),
            told: None,
            deletion: None,
            others: BTreeMap::new(),
        }
    }
}

/// A request that was sent, by what tells it from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its token.
    pub token: IdempotencyToken,
    /// SHA-256 of what it asked for, without the token.
    pub digest: RequestDigest,
}

/// Stage of a restore.
#[derive(Clone, Debug, PartialEq)]
pub enum RestoreStage {
    /// The request is about to leave, or has left without an answer: a job may exist.
    Intended,
    /// There is no job; the same request may be sent again.
    Withdrawn,
    /// A job exists.
    Running {
        /// Its id.
        job_id: JobId,
    },
    /// The job has completed.
    Completed {
        /// Its id.
        job_id: JobId,
        /// ARN of what it made; AWS does not promise to say.
        created_resource_arn: Option<String>,
    },
    /// The request was refused, or the job has failed.
    Failed {
        /// The job, where there is one.
        job_id: Option<JobId>,
        /// Why.
        message: String,
    },
    /// Not started, because of another.
    Skipped,
}

impl RestoreStage {
    /// Returns true if AWS may have seen the request.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        !matches!(self, Self::Withdrawn | Self::Skipped)
    }

    /// The job, where one is known.
    #[must_use]
    pub fn job_id(&self) -> Option<&JobId> {
        match self {
            Self::Running { job_id } | Self::Completed { job_id, .. } => Some(job_id),
            Self::Failed { job_id, .. } => job_id.as_ref(),
            Self::Intended | Self::Withdrawn | Self::Skipped => None,
        }
    }

    /// Returns true if nothing more will come of it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Failed { .. })
    }
}
