//! What a run has done so far, restore by restore.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{IdempotencyToken, JobId, RequestDigest};
use crate::render::Resolved;

/// Every restore that a run has touched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunState {
    /// By the restore's name.
    pub restores: BTreeMap<String, RestoreState>,
    /// What selectors were resolved to, by the restore's name.
    pub resolved: BTreeMap<String, Arc<Resolved>>,
    /// The checks of the plan as a whole, by name.
    pub checks: BTreeMap<String, CheckProgress>,
    /// The steps of the cutover, by name.
    pub cutover: BTreeMap<String, CheckProgress>,
    /// The starts of checks and steps of which no end is known.
    pub begun: BTreeMap<Begins, Begun>,
}

/// A check or a step of the cutover: of a restore or of the plan, whether it is a step, and its name.
pub type Begins = (Option<String>, bool, String);

/// The start of a command, by which a later runner finds what is left of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// What its processes have in their environment as `REDRILL_START`.
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

/// What has become of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckProgress {
    /// How often it was started.
    pub starts: u32,
    /// How far it is.
    pub is: CheckStage,
    /// What the plan wanted of it when it was last started, where the journal says so.
    pub definition: Option<String>,
}

impl CheckProgress {
    /// How far it is as the plan has it now. A pass of something else is none: it is as if it had never been run.
    #[must_use]
    pub fn under(&self, definition: &str) -> Option<CheckStage> {
        let is_other = self
            .definition
            .as_ref()
            .is_some_and(|was| was != definition);
        (self.is != CheckStage::Passed || !is_other).then_some(self.is)
    }
}

/// How far a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckStage {
    /// It was started, and nothing is known of its end.
    Started,
    /// It did not pass, and is to be tried again.
    Again,
    /// It has passed.
    Passed,
    /// It has failed.
    Failed,
    /// It could not be run, which says nothing of what was restored; else as one that has failed.
    NotRun,
}

/// What AWS Backup was told of the checks of a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// That all of them have passed.
    Successful,
    /// That one has failed.
    Failed,
    /// It did not take it.
    Refused,
}

/// How far the deletion of what a restore has made is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It was asked for, and nothing is known of its end.
    Asked,
    /// It is gone, and was not found when it was looked for.
    Gone,
    /// It could not be deleted.
    Left,
}

/// What has become of a restore.
#[derive(Clone, Debug, PartialEq)]
pub struct RestoreState {
    /// The latest attempt, from 1.
    pub attempt: u32,
    /// What was sent, where something was. The engine lets go of it once it has come back: there may be many.
    pub sent: Option<Sent>,
    /// Whether the request has redrill's mark, by which its job is known.
    pub is_marked: bool,
    /// When the request was first meant to leave.
    pub intended_at: Timestamp,
    /// What AWS's clock had said by then, where that is known.
    pub aws_at: Option<Timestamp>,
    /// The job that was about to be adopted when the request was recorded: nothing of it left.
    pub adopts: Option<JobId>,
    /// The jobs of earlier attempts.
    pub former: Vec<JobId>,
    /// How far it is.
    pub stage: RestoreStage,
    /// Its job is COMPLETED, and AWS says that it has not brought back all that was asked for.
    pub is_incomplete: bool,
    /// Whether its job was there already when this run found it.
    pub adopted: bool,
    /// The checks of what it has made, by name.
    pub checks: BTreeMap<String, CheckProgress>,
    /// What AWS Backup was told that they have come to.
    pub told: Option<Told>,
    /// How far the deletion of what it has made is, where that was asked for.
    pub deletion: Option<Deletion>,
    /// What else its jobs have made, by ARN: nested ones, those that have failed, and those of earlier attempts; and how far
    /// the deletion of each is, where that was asked for.
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

/// How far a restore is.
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
        /// What it made; AWS does not promise to say.
        created_resource_arn: Option<String>,
    },
    /// The request was refused, or the job has failed.
    Failed {
        /// The job, where there is one.
        job_id: Option<JobId>,
        /// Why.
        message: String,
    },
    /// It was not started, because of another.
    Skipped,
}

impl RestoreStage {
    /// Whether AWS may have seen the request.
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

    /// Whether nothing more will come of it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Failed { .. })
    }
}
