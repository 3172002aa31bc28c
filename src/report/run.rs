//! Outcome of a run: the values that every format is made from.

pub(super) mod forecast_outcome;
pub(super) mod notices;
pub(super) mod record_restore;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use jiff::Timestamp;
use serde::Serialize;

use super::compare::Comparison;
use super::controls::ControlsReport;
use crate::backup::{Endpoint, console_job, console_resource};
use crate::ids::{IdempotencyToken, JobId, RequestDigest, RestoreName, RunId};
use crate::render::Target;
use crate::state::{Goals, Origin};
use forecast_outcome::ForecastOutcome;
use notices::Notice;

/// Meaning of RTO here; printed wherever the number is.
pub(super) const RTO: &str = "from the start of the run, as the journal recorded it, until the last check passed; without checks, until AWS's end of the job";
/// Meaning of RPO here; printed wherever the number is.
pub(super) const RPO: &str = "from the creation of the recovery point, by AWS, to the start of the run, as the journal recorded it";

/// `redrill.run/v1`.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    pub(super) schema: &'static str,
    /// The plan's name.
    pub plan: String,
    /// The run id.
    pub run_id: RunId,
    /// Facts to know before anything else.
    pub notices: Vec<Notice>,
    /// Purpose of the plan.
    pub description: Option<String>,
    /// The endpoint that it belongs to; absent where an earlier version did not record it.
    pub world: Option<Endpoint>,
    /// Time at which the run was opened.
    pub start: Option<Timestamp>,
    /// Time at which its last restore, check or step of the cutover ended; absent while it is unfinished.
    pub end: Option<Timestamp>,
    /// Outcome of the run.
    pub verdict: Verdict,
    /// Outcome of the run before what it made was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict_before_cleanup: Option<Verdict>,
    /// Objectives that were missed, in words.
    pub missed: Vec<String>,
    /// Objectives of the whole run, and what it reached.
    pub objectives: ObjectivesReport,
    /// Forecast that was made before it, against what came; absent where the journal has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Box<ForecastOutcome>>,
    /// In the plan's order.
    pub restores: Vec<RestoreReport>,
    /// The checks of the plan as a whole.
    pub checks: Vec<CheckReport>,
    /// The steps of the cutover, where it was asked for.
    pub cutover: Vec<CheckReport>,
    /// Duration of the cutover, seconds.
    pub cutover_seconds: Option<i64>,
    /// The restores that determined when the run ended, first to last.
    pub critical_path: Vec<RestoreName>,
    /// Target that it ran in; the first, if the plan has several.
    pub target: Option<Target>,
    /// Every account and Region that it ran in.
    pub targets: Vec<Target>,
    /// The plan file as it was typed.
    pub file: Option<String>,
    /// Every runner that worked on it.
    pub runners: Vec<Runner>,
    /// Calls to AWS by operation, of every runner that said so before it left.
    pub api_calls: BTreeMap<String, u64>,
    /// Differences from another run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared: Option<Comparison>,
    /// Controls, where they were asked for, and what the record answers of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controls: Option<Box<ControlsReport>>,
}

/// Process that worked on a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Runner {
    /// Since when.
    pub at: Timestamp,
    /// The version of redrill.
    pub redrill: String,
    /// Who, where, and with which version of the plan.
    #[serde(flatten)]
    pub origin: Option<Origin>,
}

/// Objectives and what became of them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ObjectivesReport {
    /// The recovery time objective; apart, as most restores have none of their own.
    pub rto: Option<Box<Objective>>,
    /// The recovery point objective.
    pub rpo: Option<Box<Objective>>,
}

/// One objective.
#[derive(Clone, Debug, Serialize)]
pub struct Objective {
    /// Goal, seconds.
    pub wanted_seconds: i64,
    /// Result, seconds; absent if it was not reached, or is not known.
    pub seconds: Option<i64>,
    /// True if it was met; absent if that is not known. An objective that was not reached in time is missed.
    pub met: Option<bool>,
    /// Meaning of the number.
    pub definition: &'static str,
}

impl Objective {
    /// Describes the result; while something is still to come, an objective that was not reached yet may be.
    pub(super) fn words(&self, is_open: bool) -> &'static str {
        match (self.met, self.seconds) {
            (Some(true), _) => "met",
            (Some(false), Some(_)) => "missed",
            (Some(false), None) => "cannot be met any more",
            (None, _) if is_open => "not yet known",
            (None, _) => "not reached",
        }
    }
}

impl ObjectivesReport {
    /// Compares goals with results. Until the RTO is reached, `waited` says for how long the run has gone on: it is
    /// missed once its time has passed. The age of a recovery point, `rpo`, can be too much before anything is
    /// restored; it is enough only for what `is_good`.
    pub(super) fn new(
        goals: &Goals,
        rto: Option<i64>,
        waited: Option<i64>,
        rpo: Option<i64>,
        is_good: bool,
    ) -> Self {
        let is_known = |age: &i64| is_good || goals.rpo_seconds.is_some_and(|wanted| *age > wanted);
        let objective = |wanted: Option<i64>, seconds: Option<i64>, waited, definition| {
            wanted.map(|wanted_seconds| {
                Box::new(Objective {
                    wanted_seconds,
                    seconds,
                    met: match (seconds, waited) {
                        (Some(seconds), _) => Some(seconds <= wanted_seconds),
                        (None, Some(waited)) if waited > wanted_seconds => Some(false),
                        (None, _) => None,
                    },
                    definition,
                })
            })
        };
        Self {
            rto: objective(goals.rto_seconds, rto, waited, RTO),
            rpo: objective(goals.rpo_seconds, rpo.filter(is_known), None, RPO),
        }
    }
}

/// Outcome of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything is back and good, in time.
    Passed,
    /// Everything is back and good, too late or too old.
    ObjectiveMissed,
    /// Something is not back, or not good.
    Failed,
    /// Something still runs, or was not started.
    Unfinished,
    /// Restored resources are deleted, or a part of them.
    CleanedUp,
}

impl Verdict {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::ObjectiveMissed => "objective missed",
            Self::Failed => "failed",
            Self::Unfinished => "not finished",
            Self::CleanedUp => "cleaned up",
        }
    }
}

/// One restore of a run.
#[derive(Clone, Debug, Serialize)]
pub struct RestoreReport {
    /// Its name.
    pub restore: RestoreName,
    /// AWS's name of the resource type.
    #[serde(rename = "type")]
    pub resource_type: String,
    /// The restores it waited for.
    pub needs: Vec<RestoreName>,
    /// Target that it runs in, if the plan has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Box<Target>>,
    /// Progress of the restore.
    pub status: RunStatus,
    /// Progress of the restore before what it made was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_before_cleanup: Option<RunStatus>,
    /// The restore job of the latest attempt.
    pub job_id: Option<JobId>,
    /// The token of the latest attempt.
    pub token: Option<IdempotencyToken>,
    /// SHA-256 of its request without the token.
    pub request_sha256: Option<RequestDigest>,
    /// The recovery point of its request.
    pub recovery_point_arn: Option<String>,
    /// Number of times that it was sent on purpose.
    pub attempts: u32,
    /// True if its job was there already when the run found it.
    #[serde(skip)]
    pub adopted: bool,
    /// Time at which its job had ended, if that was before the run found it.
    #[serde(skip)]
    pub ended_before: Option<Timestamp>,
    /// True if its job had ended before the run found it, and what that made no longer exists, deleted by nobody that
    /// this run knows of.
    #[serde(skip)]
    pub was_gone: bool,
    /// Time at which the job was created.
    pub started_at: Option<Timestamp>,
    /// Time at which it ended.
    pub ended_at: Option<Timestamp>,
    /// ARN of what it made.
    pub created_resource_arn: Option<String>,
    /// Reason that what AWS says it made is not what was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<String>,
    /// Jobs of the same restore beside its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub second_jobs: Vec<JobId>,
    /// AWS's words, or ours where nothing was sent.
    pub message: Option<String>,
    /// Commands that judge what came back.
    pub checks: Vec<CheckReport>,
    /// Result that AWS Backup was told of the checks, or its words if it did not take it.
    pub validation: Option<String>,
    /// Outcome of deleting what it made, once that was due.
    pub cleanup: Option<Cleanup>,
    /// True if it wrote into something that was there before, which no cleanup deletes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub into_existing: bool,
    /// Other resources that its jobs have made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also_made: Vec<AlsoMade>,
    /// Objectives of the restore, and what it reached.
    pub objectives: ObjectivesReport,
    /// From the start of the run until it was good, seconds.
    pub rto_seconds: Option<i64>,
    /// From the recovery point's creation to the start of the run, seconds.
    pub rpo_seconds: Option<i64>,
}

/// Resource that a nested job, or the job of an earlier attempt, has made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlsoMade {
    /// ARN of the resource.
    pub arn: String,
    /// AWS's name of the resource type, where it is told.
    #[serde(rename = "type")]
    pub resource_type: Option<String>,
    /// The job.
    pub job_id: Option<JobId>,
    /// True if the job is nested in the restore's own.
    pub nested: bool,
    /// Outcome of deleting it, once that was due.
    pub cleanup: Option<Cleanup>,
}

impl AlsoMade {
    /// The job that made it, in words.
    #[must_use]
    pub fn by(&self) -> String {
        let kind = if self.nested {
            "nested job"
        } else {
            "earlier job"
        };
        match &self.job_id {
            Some(id) => format!("{kind} {id}"),
            None => kind.to_owned(),
        }
    }
}

/// Outcome of a deletion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Cleanup {
    /// Deletion was asked for, and nothing is known of its end.
    Asked,
    /// Gone: it was looked for and not found.
    Gone,
    /// Still there, and why.
    Left(String),
}

/// One check of a restore, or of the plan.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CheckReport {
    /// Its name.
    pub name: String,
    /// Outcome of the check.
    pub status: CheckStatus,
    /// The command.
    pub run: Vec<String>,
    /// Number of times that it was started.
    pub tries: u32,
    /// Time at which it was first started.
    pub started_at: Option<Timestamp>,
    /// Time at which it last ended.
    pub ended_at: Option<Timestamp>,
    /// Its exit code.
    pub exit: Option<i32>,
    /// Reason that it did not pass.
    pub message: Option<String>,
    /// The end of what it wrote.
    pub output: String,
    /// Tries before the last one.
    pub earlier: Vec<Try>,
    /// Definition of the check in the plan when it was last started, if the journal has it.
    #[serde(skip)]
    pub definition: Option<String>,
}

/// A try of a check that was not its last.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Try {
    /// Time at which it ended.
    pub ended_at: Option<Timestamp>,
    /// Its exit code.
    pub exit: Option<i32>,
    /// Reason that it did not pass.
    pub message: Option<String>,
    /// The end of what it wrote.
    pub output: String,
}

/// Outcome of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckStatus {
    /// Not started.
    #[default]
    NotRun,
    /// Started, and has not ended; or is to be tried again.
    Running,
    /// Passed.
    Passed,
    /// Failed.
    Failed,
}

impl CheckStatus {
    /// Returns its written form.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NotRun => "NOT_RUN",
            Self::Running => "RUNNING",
            Self::Passed => "PASSED",
            Self::Failed => "FAILED",
        }
    }
}

/// Progress of a restore: AWS's word if it has a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunStatus {
    /// Nothing has been sent.
    NotStarted,
    /// Sent, and not answered: a job may exist.
    Unanswered,
    /// A job exists and has not ended.
    Running,
    /// Restored, and its checks have not ended.
    Checking,
    /// Restored, and good as far as it is checked.
    Completed,
    /// Restored, and AWS says that something is missing.
    Incomplete,
    /// Restored, and a check has failed.
    CheckFailed,
    /// Refused, or its job has failed.
    Failed,
    /// Will not start, because of another.
    Skipped,
    /// Restored, and what it made is being deleted, as far as is known.
    Deleting,
    /// Restored, and what it made is gone.
    Deleted,
}

impl RunStatus {
    /// Returns its written form.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NotStarted => "NOT_STARTED",
            Self::Unanswered => "UNANSWERED",
            Self::Running => "RUNNING",
            Self::Checking => "CHECKING",
            Self::Completed => "COMPLETED",
            Self::Incomplete => "INCOMPLETE",
            Self::CheckFailed => "CHECK_FAILED",
            Self::Failed => "FAILED",
            Self::Skipped => "SKIPPED",
            Self::Deleting => "DELETING",
            Self::Deleted => "DELETED",
        }
    }

    /// Returns true if it is not what was wanted, and stays so.
    #[must_use]
    pub fn is_bad(self) -> bool {
        matches!(
            self,
            Self::Incomplete | Self::CheckFailed | Self::Failed | Self::Skipped
        )
    }

    /// Returns true if it was restored once, and no longer is.
    #[must_use]
    pub fn is_gone(self) -> bool {
        matches!(self, Self::Deleting | Self::Deleted)
    }

    /// Returns true if something is still to come of it.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(
            self,
            Self::NotStarted | Self::Unanswered | Self::Running | Self::Checking
        )
    }

    /// Returns true if AWS has restored it, whatever its checks say.
    #[must_use]
    pub fn is_back(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Checking | Self::Incomplete | Self::CheckFailed
        )
    }
}

impl RunReport {
    /// Writes it as a document.
    ///
    /// # Errors
    ///
    /// Where `out` cannot be written.
    pub fn write_json(&self, out: &mut dyn io::Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        out.write_all(b"\n")
    }

    /// Counts the restores that have a status.
    #[must_use]
    pub fn count(&self, status: RunStatus) -> usize {
        self.restores.iter().filter(|r| r.status == status).count()
    }

    /// Counts the restores that are not what was wanted, and stay so.
    pub(super) fn bad(&self) -> usize {
        self.restores.iter().filter(|r| r.status.is_bad()).count()
    }

    /// Counts the restores that AWS has brought back.
    #[must_use]
    pub fn back(&self) -> usize {
        self.restores.iter().filter(|r| r.status.is_back()).count()
    }

    /// ARNs of those whose credentials its runners used, each once.
    #[must_use]
    pub fn callers(&self) -> BTreeSet<&str> {
        let origins = self.runners.iter().filter_map(|of| of.origin.as_ref());
        let callers = origins.flat_map(|origin| &origin.callers);
        callers.map(String::as_str).collect()
    }

    /// Every check of the run: of which restore it is, and itself.
    pub fn all_checks(&self) -> impl Iterator<Item = (Option<&str>, &CheckReport)> {
        let of_restores = self.restores.iter().flat_map(|restore| {
            let name = Some(restore.restore.as_str());
            restore.checks.iter().map(move |check| (name, check))
        });
        let of_plan = self.checks.iter().chain(&self.cutover);
        of_restores.chain(of_plan.map(|check| (None, check)))
    }

    /// From its start to its end, seconds.
    #[must_use]
    pub fn took(&self) -> Option<i64> {
        Some(self.end?.duration_since(self.start?).as_secs())
    }
}

impl RunReport {
    /// Returns true if an objective of a restore, or of the run if there is none, can still be reached by it.
    pub(super) fn is_open(&self, restore: Option<&RestoreReport>) -> bool {
        match restore {
            Some(restore) => restore.outcome().is_open(),
            None => self.verdict_before_cleanup.unwrap_or(self.verdict) == Verdict::Unfinished,
        }
    }

    /// Of the run and of each restore: whose, which, whether it can still be reached, and the objective itself.
    pub(super) fn all_objectives(
        &self,
    ) -> impl Iterator<Item = (&str, &'static str, bool, &Objective)> {
        let of_restores = self
            .restores
            .iter()
            .map(|of| (of.restore.as_str(), Some(of), &of.objectives));
        std::iter::once(("the run", None, &self.objectives))
            .chain(of_restores)
            .flat_map(move |(whose, restore, of)| {
                let both = [("RTO", &of.rto), ("RPO", &of.rpo)];
                both.into_iter().filter_map(move |(name, of)| {
                    Some((whose, name, self.is_open(restore), of.as_deref()?))
                })
            })
    }

    /// The page of a restore's job in the AWS console; only of a run at AWS.
    pub(super) fn job_page(&self, restore: &RestoreReport) -> Option<String> {
        let target = restore.target.as_deref().or(self.target.as_ref())?;
        let job = restore.job_id.as_ref().filter(|_| self.is_at_aws())?;
        console_job(&target.region, job)
    }

    /// The page of a resource in the AWS console; only of a run at AWS.
    pub(super) fn resource_page(&self, arn: &str) -> Option<String> {
        console_resource(arn).filter(|_| self.is_at_aws())
    }

    fn is_at_aws(&self) -> bool {
        self.world == Some(Endpoint::Aws)
    }
}

impl RestoreReport {
    /// Returns the outcome of the restore itself, whatever became of what it made.
    #[must_use]
    pub fn outcome(&self) -> RunStatus {
        self.status_before_cleanup.unwrap_or(self.status)
    }

    /// Lists what is still there although it was to be deleted, and why.
    pub fn left(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = (self.created_resource_arn.as_deref(), self.cleanup.as_ref());
        let others = self.also_made.iter();
        std::iter::once(own)
            .chain(others.map(|made| (Some(made.arn.as_str()), made.cleanup.as_ref())))
            .filter_map(|(arn, cleanup)| match cleanup? {
                Cleanup::Left(why) => Some((arn.unwrap_or_default(), why.as_str())),
                _ => None,
            })
    }

    /// Time at which it was good, or its last check had failed: the end of its bar.
    #[must_use]
    pub fn over_at(&self) -> Option<Timestamp> {
        let checks = self.checks.iter().filter_map(|check| check.ended_at).max();
        self.ended_at.max(checks)
    }
}
