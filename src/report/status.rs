//! `status`: the runs known here and where each restore stands.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;

use super::run::RestoreReport;
use crate::backup::{Endpoint, Job};
use crate::diagnostic::LocalTime;
use crate::ids::{JobId, RestoreName, RunId};
use crate::render::{REDACTED, Target};
use crate::state::{CheckStage, Deletion, History, RestoreStage};

/// One run and its restores.
#[derive(Debug, Serialize)]
pub struct StatusRow {
    /// The plan's name.
    pub plan: String,
    /// The run id.
    pub run_id: RunId,
    /// The endpoint that it belongs to; absent where an earlier version did not record it.
    pub world: Option<Endpoint>,
    /// Time at which it was opened.
    pub opened_at: Option<Timestamp>,
    /// Time at which the run ended, if no runner has taken it up since.
    pub ended_at: Option<Timestamp>,
    /// Time at which something that it made was last found to be gone.
    pub cleaned_up_at: Option<Timestamp>,
    /// The accounts and Regions that it runs in.
    pub targets: Vec<Target>,
    /// Process that works on it now.
    pub held_by: Option<String>,
    /// By name.
    pub restores: BTreeMap<RestoreName, RestoreStatus>,
}

/// Status of a restore.
#[derive(Debug, Serialize)]
pub struct RestoreStatus {
    status: String,
    attempt: u32,
    token: String,
    job_id: Option<JobId>,
    created_resource_arn: Option<String>,
    message: Option<String>,
}

impl StatusRow {
    /// From what its journal says.
    #[must_use]
    pub fn new(
        plan: String,
        run_id: RunId,
        held_by: Option<String>,
        history: &History,
        targets: &[Target],
    ) -> Self {
        let restores = history
            .observed
            .restores
            .iter()
            .map(|(name, past)| {
                let mut row = RestoreStatus {
                    status: String::new(),
                    attempt: past.attempt,
                    token: past
                        .sent
                        .as_ref()
                        .map_or_else(String::new, |sent| sent.token.to_string()),
                    job_id: None,
                    created_resource_arn: None,
                    message: None,
                };
                row.status = String::from(match &past.stage {
                    RestoreStage::Intended => "UNANSWERED",
                    RestoreStage::Withdrawn => "NOT_STARTED",
                    RestoreStage::Skipped => "SKIPPED",
                    RestoreStage::Running { job_id } => {
                        row.job_id = Some(job_id.clone());
                        "RUNNING"
                    }
                    RestoreStage::Completed {
                        job_id,
                        created_resource_arn,
                    } => {
                        row.job_id = Some(job_id.clone());
                        row.created_resource_arn.clone_from(created_resource_arn);
                        let any =
                            |is: &[CheckStage]| past.checks.values().any(|c| is.contains(&c.is));
                        if past.deletion == Some(Deletion::Gone) {
                            "DELETED"
                        } else if past.deletion == Some(Deletion::Asked) {
                            "DELETING"
                        } else if any(&[CheckStage::Started, CheckStage::Again]) {
                            "CHECKING"
                        } else if any(&[CheckStage::Failed, CheckStage::NotRun]) {
                            "CHECK_FAILED"
                        } else if past.is_incomplete {
                            "INCOMPLETE"
                        } else {
                            "COMPLETED"
                        }
                    }
                    RestoreStage::Failed { job_id, message } => {
                        row.job_id.clone_from(job_id);
                        row.message = Some(message.clone());
                        "FAILED"
                    }
                });
                (name.clone(), row)
            })
            .collect();
        Self {
            plan,
            run_id,
            world: history.world().cloned(),
            opened_at: history.start(),
            ended_at: history.ended,
            cleaned_up_at: history.cleaned_up,
            targets: targets.to_vec(),
            held_by,
            restores,
        }
    }

    /// Leaves out what could tell a secret that can be guessed.
    pub fn conceal(&mut self, restores: &HashSet<RestoreName>) {
        for (name, restore) in &mut self.restores {
            if restores.contains(name) {
                REDACTED.clone_into(&mut restore.token);
            }
        }
    }

    /// Counts the restores that are complete.
    pub(super) fn completed(&self) -> usize {
        let complete = self.restores.values().filter(|of| of.status == "COMPLETED");
        complete.count()
    }

    /// Returns the status of a restore: by AWS's answer if it was asked, else by the journal.
    pub(super) fn status_of<'s>(&'s self, of: &RestoreReport) -> &'s str {
        let known = self.restores.get(&of.restore);
        known.map_or(of.status.word(), |known| known.status.as_str())
    }

    /// Returns the ARN of what a restore has made, as far as it is known now.
    pub(super) fn made(&self, restore: &RestoreName) -> Option<&str> {
        self.restores.get(restore)?.created_resource_arn.as_deref()
    }

    /// Describes where the run is, since when, and its outcome.
    pub(super) fn course(&self, clock: &LocalTime) -> String {
        let at = match &self.world {
            Some(world) => format!(", at {world}"),
            None => ", at AWS or an emulator: an earlier redrill did not record it".to_owned(),
        };
        let mut places: Vec<String> = (self.targets.iter())
            .map(|target| format!("{} {}", target.account, target.region))
            .collect();
        places.dedup();
        let into = if places.is_empty() {
            String::new()
        } else {
            format!(", into {}", places.join(", "))
        };
        let time = |what: &str, at: Option<Timestamp>| {
            at.map_or_else(String::new, |at| format!(", {what} {}", clock.minute(at)))
        };
        format!(
            "{at}{into}{}{}{}",
            time("opened", self.opened_at),
            time("ended", self.ended_at),
            time("cleaned up", self.cleaned_up_at),
        )
    }

    /// Takes in what AWS says of a restore's job now. The next run records it; this is for display.
    pub fn see(&mut self, restore: &RestoreName, job: Job) {
        if let Some(restore) = self.restores.get_mut(restore) {
            restore.status = job.status.to_string();
            restore.created_resource_arn = job.created_resource_arn;
            restore.message = job.message;
        }
    }
}

/// For machines, `redrill.status/v1`.
#[must_use]
pub fn status_json(rows: &[StatusRow]) -> String {
    #[derive(Serialize)]
    struct StatusDocument<'a> {
        schema: &'static str,
        runs: &'a [StatusRow],
    }
    super::pretty(&StatusDocument {
        schema: "redrill.status/v1",
        runs: rows,
    })
}
