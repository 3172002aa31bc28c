//! What a run has come to, from its journal alone.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::execute::{Event, Recorded};
use crate::parse::Objectives;
use crate::plan::Plan;

/// `redrill.run/v1`.
#[derive(Debug, Serialize)]
pub struct RunReport {
    schema: &'static str,
    /// The plan's name.
    pub plan: String,
    /// The run id.
    pub run_id: String,
    /// When the run was opened.
    pub start: Option<Timestamp>,
    /// When its last restore ended; absent while it is unfinished.
    pub end: Option<Timestamp>,
    /// What it has come to.
    pub verdict: Verdict,
    /// Objectives that were missed, in words.
    pub missed: Vec<String>,
    /// In the plan's order.
    pub restores: Vec<RestoreReport>,
    /// Calls to AWS of this process, by operation.
    pub api_calls: BTreeMap<&'static str, u64>,
}

/// What a run has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything is back, in time.
    Passed,
    /// Everything is back, too late or too old.
    ObjectiveMissed,
    /// Something is not back.
    Failed,
    /// Something still runs, or was not started.
    Unfinished,
}

/// One restore of a run.
#[derive(Debug, Serialize)]
pub struct RestoreReport {
    /// Its name.
    pub restore: String,
    /// How far it is.
    pub status: RunStatus,
    /// The restore job of the latest attempt.
    pub job_id: Option<String>,
    /// The token of the latest attempt.
    pub token: Option<String>,
    /// How often it was sent on purpose.
    pub attempts: u32,
    /// When the job was created.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What it made.
    pub created_resource_arn: Option<String>,
    /// AWS's words, or ours where nothing was sent.
    pub message: Option<String>,
    /// Commands that judge what came back.
    pub checks: [(); 0],
    /// From the start of the run to the end of the restore, seconds.
    pub rto_seconds: Option<i64>,
    /// From the recovery point's creation to the start of the run, seconds.
    pub rpo_seconds: Option<i64>,
}

/// How far a restore is: AWS's word where it has a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunStatus {
    /// Nothing has been sent.
    NotStarted,
    /// Sent, and not answered: a job may exist.
    Unanswered,
    /// A job exists and has not ended.
    Running,
    /// It is back.
    Completed,
    /// It was refused, or its job has failed.
    Failed,
    /// It will not start, because of another.
    Skipped,
}

impl RunStatus {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NotStarted => "NOT_STARTED",
            Self::Unanswered => "UNANSWERED",
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Skipped => "SKIPPED",
        }
    }
}

/// What the events of a run have come to so far. Events are folded in one by one and not kept: a large run has
/// hundreds of thousands.
#[derive(Debug, Default)]
pub struct Record {
    start: Option<Timestamp>,
    by_name: BTreeMap<String, RestoreReport>,
}

impl Record {
    /// Takes one event in; they come in the journal's order.
    pub fn take(&mut self, recorded: &Recorded) {
        if matches!(recorded.event, Event::RunOpened { .. }) {
            self.start.get_or_insert(recorded.at);
        }
        let Some(name) = recorded.event.restore() else {
            return;
        };
        if !self.by_name.contains_key(name) {
            self.by_name.insert(name.to_owned(), fresh(name));
        }
        if let Some(restore) = self.by_name.get_mut(name) {
            restore.take(recorded, self.start);
        }
    }
}

impl<'a> FromIterator<&'a Recorded> for Record {
    fn from_iter<I: IntoIterator<Item = &'a Recorded>>(events: I) -> Self {
        let mut record = Self::default();
        for recorded in events {
            record.take(recorded);
        }
        record
    }
}

/// The report of a run; restores that the plan names and no event does are not started.
#[must_use]
pub fn run_report(
    plan: &Plan,
    record: Record,
    api_calls: BTreeMap<&'static str, u64>,
) -> RunReport {
    let Record { start, mut by_name } = record;
    let mut missed = Vec::new();
    let mut restores: Vec<RestoreReport> = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let restore = by_name
            .remove(&*step.name)
            .unwrap_or_else(|| fresh(&step.name));
        judge(
            &restore.restore,
            &step.objectives,
            restore.rto_seconds,
            restore.rpo_seconds,
            &mut missed,
        );
        restores.push(restore);
    }
    // Started by this run, and since removed from the plan: they happened.
    restores.extend(by_name.into_values());
    let slowest = restores.iter().filter_map(|r| r.rto_seconds).max();
    let oldest = restores.iter().filter_map(|r| r.rpo_seconds).max();
    judge("the run", &plan.objectives, slowest, oldest, &mut missed);
    let verdict = verdict(&restores, &missed);
    let end = restores.iter().filter_map(|r| r.ended_at).max();
    RunReport {
        schema: "redrill.run/v1",
        plan: plan.name.clone(),
        run_id: plan.run_id.clone(),
        start,
        end: end.filter(|_| verdict != Verdict::Unfinished),
        verdict,
        missed,
        restores,
        api_calls,
    }
}

fn verdict(restores: &[RestoreReport], missed: &[String]) -> Verdict {
    let any = |status| restores.iter().any(|r| r.status == status);
    if any(RunStatus::Running) || any(RunStatus::Unanswered) || any(RunStatus::NotStarted) {
        Verdict::Unfinished
    } else if any(RunStatus::Failed) || any(RunStatus::Skipped) {
        Verdict::Failed
    } else if missed.is_empty() {
        Verdict::Passed
    } else {
        Verdict::ObjectiveMissed
    }
}

fn judge(
    what: &str,
    objectives: &Objectives,
    rto: Option<i64>,
    rpo: Option<i64>,
    missed: &mut Vec<String>,
) {
    for (name, objective, seconds) in [("RTO", objectives.rto, rto), ("RPO", objectives.rpo, rpo)] {
        if let (Some(objective), Some(seconds)) = (objective, seconds)
            && SignedDuration::from_secs(seconds) > objective
        {
            missed.push(format!(
                "{what}: {name} of {} missed by {}: it took {}",
                super::duration(objective.as_secs()),
                super::duration(seconds - objective.as_secs()),
                super::duration(seconds),
            ));
        }
    }
}

fn fresh(name: &str) -> RestoreReport {
    RestoreReport {
        restore: name.to_owned(),
        status: RunStatus::NotStarted,
        job_id: None,
        token: None,
        attempts: 0,
        started_at: None,
        ended_at: None,
        created_resource_arn: None,
        message: None,
        checks: [],
        rto_seconds: None,
        rpo_seconds: None,
    }
}

impl RestoreReport {
    fn take(&mut self, recorded: &Recorded, run_start: Option<Timestamp>) {
        match &recorded.event {
            Event::Intended { attempt, token, .. } => {
                *self = RestoreReport {
                    attempts: *attempt,
                    token: Some(token.clone()),
                    status: RunStatus::Unanswered,
                    ..fresh(&self.restore)
                };
            }
            Event::Accepted { job_id, .. } => {
                self.status = RunStatus::Running;
                self.job_id = Some(job_id.clone());
                self.started_at = Some(recorded.at);
            }
            Event::Adopted {
                job_id, because, ..
            } => {
                self.status = RunStatus::Running;
                self.job_id = Some(job_id.clone());
                self.started_at = Some(recorded.at);
                self.message = Some(format!("adopted: {because}"));
            }
            Event::Withdrawn { message, .. } => {
                self.status = RunStatus::NotStarted;
                self.message = Some(message.clone());
            }
            Event::Refused { message, .. } => {
                self.status = RunStatus::Failed;
                self.message = Some(message.clone());
            }
            Event::Rejected {
                attempt, message, ..
            } => {
                *self = RestoreReport {
                    attempts: *attempt,
                    status: RunStatus::Failed,
                    message: Some(message.clone()),
                    ..fresh(&self.restore)
                };
            }
            Event::Completed {
                created_resource_arn,
                started_at,
                ended_at,
                recovery_point_created_at,
                message,
                ..
            } => {
                self.status = RunStatus::Completed;
                self.created_resource_arn = created_resource_arn.clone();
                self.started_at = started_at.or(self.started_at);
                let ended_at = ended_at.unwrap_or(recorded.at);
                self.ended_at = Some(ended_at);
                self.message = message.clone();
                let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs();
                self.rto_seconds = run_start.map(|start| seconds(start, ended_at));
                self.rpo_seconds = run_start
                    .zip(*recovery_point_created_at)
                    .map(|(start, created)| seconds(created, start));
            }
            Event::Failed {
                status,
                message,
                started_at,
                ended_at,
                ..
            } => {
                self.status = RunStatus::Failed;
                self.started_at = started_at.or(self.started_at);
                self.ended_at = Some(ended_at.unwrap_or(recorded.at));
                self.message = Some(format!("{status}: {message}"));
            }
            Event::Skipped { because, .. } => {
                self.status = RunStatus::Skipped;
                self.message = Some(because.clone());
            }
            _ => {}
        }
    }
}

impl RunReport {
    /// As a document.
    #[must_use]
    pub fn json(&self) -> String {
        super::pretty(self)
    }

    /// How many restores have a status.
    #[must_use]
    pub fn count(&self, status: RunStatus) -> usize {
        self.restores.iter().filter(|r| r.status == status).count()
    }
}
